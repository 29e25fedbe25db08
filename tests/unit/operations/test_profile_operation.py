# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``venue_sts_profile`` on real files."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import stat

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mdps.venue_sts.plugins.module_utils import _files
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.profile import OPERATION, with_known_token

from tests.support.users import folder_of_somebody_else, somebody_else

ARN = "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/unityuser12252025"
SECRET, SESSION = "9drTJvcXLB89EXAMPLELB8923FB892xMFI", "AQoXdzELDDY//////////wEaoAK1wvxJY12r2=="
NAME = "123456789012-sbg-dev"
OTHERS = "# mine\n[default]\nregion=us-east-1\n\n"


def token(secret=SECRET, arn=ARN):
    keys = {
        "AccessKeyId": "ASIAFAKE",
        "SecretAccessKey": secret,
        "SessionToken": SESSION,
        "Expiration": "2026-11-22T10:30:15Z",
    }
    return {"Credentials": keys, **({"AssumedRoleUser": {"Arn": arn, "AssumedRoleId": "AROAFAKE:x"}} if arn else {})}


def run(path, check_mode=False, warn=lambda text: None, sleep=lambda seconds: None, **options):
    given = {"project": "sbg", "venue": "dev", "credentials_file": str(path), **options}
    if given.get("state") != "absent":
        given.setdefault("token", token())
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec), **OPERATION.constraints).validate(given)
    assert not checked.error_messages
    return OPERATION.run(checked.validated_parameters, Runtime(check_mode=check_mode, warn=warn, sleep=sleep))


def succeed(path, **options):
    succeeded, result = run(path, **options)
    assert succeeded, result
    assert SECRET not in str(result) and SESSION not in str(result)
    return result


def fail(path, **options):
    succeeded, result = run(path, **options)
    assert not succeeded
    assert SECRET not in str(result) and SESSION not in str(result)
    return result


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_file_and_folder_are_made_for_their_owner_alone(tmp_path):
    path = tmp_path / ".aws" / "credentials"
    result = succeed(path)
    assert (result["changed"], result["profile"], result["credentials_file"]) == (True, NAME, str(path))
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert SECRET in path.read_text() and "expires 2026-11-22T10:30:15Z" in path.read_text()
    assert names(path.parent) == [".credentials.lock", "credentials"]


def test_twice_changes_nothing_and_asks_for_no_lock(tmp_path):
    path = tmp_path / "credentials"
    succeed(path)
    before = path.stat()
    (tmp_path / ".credentials.lock").unlink()
    assert succeed(path)["changed"] is False
    assert (path.stat().st_ino, names(tmp_path)) == (before.st_ino, ["credentials"])


def test_check_mode_shows_the_change_without_the_keys_and_writes_nothing(tmp_path):
    path = tmp_path / ".aws" / "credentials"
    result = succeed(path, check_mode=True)
    assert result["changed"] is True and not path.parent.exists()
    assert result["diff"]["before"] == ""
    assert result["diff"]["after"] == (
        f"[{NAME}]\n# mdps.venue_sts: venue sbg/dev in account 123456789012, expires 2026-11-22T10:30:15Z\nkeys: "
        "hidden\nfile mode: 0600\n"
    )


def test_new_keys_show_as_new_in_the_diff(tmp_path):
    path = tmp_path / "credentials"
    succeed(path)
    result = succeed(path, token=token(secret="another"))
    assert result["changed"] is True
    assert "keys: hidden\n" in result["diff"]["before"] and "keys: hidden, new\n" in result["diff"]["after"]


def test_a_file_that_others_may_read_is_closed(tmp_path):
    path = tmp_path / "credentials"
    succeed(path)
    path.chmod(0o644)
    result = succeed(path)
    assert result["changed"] is True and mode(path) == 0o600
    assert "file mode: 0644" in result["diff"]["before"] and "file mode: 0600" in result["diff"]["after"]
    assert succeed(path)["changed"] is False


def test_absent_removes_the_profile_and_nothing_else(tmp_path):
    path = tmp_path / "credentials"
    path.write_text(OTHERS)
    succeed(path)
    assert succeed(path, state="absent", account_id="123456789012")["changed"] is True
    assert path.read_text() == OTHERS
    assert succeed(path, state="absent", account_id="123456789012")["changed"] is False


def test_absent_without_a_file_makes_none(tmp_path):
    assert succeed(tmp_path / "no" / "credentials", state="absent", profile="x")["changed"] is False
    assert names(tmp_path) == []


def test_a_symbolic_link_is_followed_and_stays(tmp_path):
    real, link = tmp_path / "dotfiles" / "credentials", tmp_path / "credentials"
    real.parent.mkdir()
    real.write_text(OTHERS)
    link.symlink_to(real)
    assert succeed(link)["credentials_file"] == str(real)
    assert link.is_symlink() and NAME in real.read_text()


def test_bytes_that_are_no_utf8_survive(tmp_path):
    path = tmp_path / "credentials"
    raw = b"# caf\xe9 \x85\r\n[default]\r\nregion=x\r\n"
    path.write_bytes(raw)
    succeed(path)
    assert path.read_bytes().startswith(raw) and b"\r\naws_secret_access_key = " in path.read_bytes()


def test_somebody_elses_profile_is_left_alone_unless_told(tmp_path):
    path = tmp_path / "credentials"
    text = f"[{NAME}]\naws_access_key_id = AKIAMINE\nregion = us-east-1\n"
    path.write_text(text)
    for options in ({}, {"state": "absent", "profile": NAME}):
        assert fail(path, **options)["error"] == "OwnershipConflict"
        assert path.read_text() == text
    assert succeed(path, adopt=True)["changed"] is True
    assert "AKIAMINE" not in path.read_text() and "region = us-east-1" in path.read_text()


def test_a_link_of_somebody_else_is_not_followed(tmp_path):
    """In a folder such as /tmp, another user could choose which of the user's own files gets the credentials."""
    own = tmp_path / "settings.ini"
    own.write_text(OTHERS)
    with folder_of_somebody_else() as folder:
        link = folder / "credentials"
        with somebody_else():
            link.symlink_to(own)
        folder.chmod(0o777 if os.geteuid() else 0o1777)
        assert ("belongs to the user" if os.geteuid() == 0 else "is writable by everyone") in fail(link)["msg"]
    assert own.read_text() == OTHERS and names(tmp_path) == ["settings.ini"]


@pytest.mark.parametrize(("name", "section"), [("", f"profile {NAME}"), ("default", "default")])
@pytest.mark.parametrize("setting", ["role_arn = arn:aws:iam::123456789012:role/x", "sso_session = corp"])
def test_a_setting_of_the_configuration_that_beats_the_keys_is_warned_of(tmp_path, monkeypatch, name, section, setting):
    """AWS tools merge the profiles of both files, and a role or a login of IAM Identity Center wins."""
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    config.write_text(f"[{section}-2]\n{setting}\n[{section}]\n{setting}\n")
    warnings: list[str] = []
    chosen = {"profile": name} if name else {}
    succeed(tmp_path / "credentials", warn=warnings.append, **chosen)
    assert len(warnings) == 1 and setting.split()[0] in warnings[0] and str(config) in warnings[0]


@pytest.mark.parametrize("content", [f"[profile {NAME}-2]\nrole_arn = x\n", f"[profile {NAME}]\nregion = x\n", "[[x"])
def test_another_configuration_is_no_concern(tmp_path, monkeypatch, content):
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    config.write_text(content)
    succeed(tmp_path / "credentials", warn=pytest.fail)
    config.unlink()
    succeed(tmp_path / "credentials", warn=pytest.fail)


def test_a_setting_that_beats_the_keys_is_warned_of(tmp_path):
    path = tmp_path / "credentials"
    path.write_text(f"[{NAME}]\nrole_arn = arn:aws:iam::123456789012:role/x\n")
    warnings: list[str] = []
    succeed(path, adopt=True, warn=warnings.append)
    assert len(warnings) == 1 and "role_arn" in warnings[0]


@pytest.mark.parametrize("text", ["no header\n", "[a]\n[a]\n"])
def test_a_malformed_file_is_left_untouched(tmp_path, text):
    path = tmp_path / "credentials"
    path.write_text(text)
    result = fail(path)
    assert result["error"] == "MalformedFile" and str(path) in result["msg"]
    assert path.read_text() == text and names(tmp_path) == ["credentials"]


@contextlib.contextmanager
def no_room(bytes_left):
    """Writing fails beyond so many bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "credentials"
    path.write_text(OTHERS)
    with no_room(64):
        succeeded, result = run(path)
    assert not succeeded and result["error"] == "FileNotWritten" and SECRET not in str(result)
    assert path.read_text() == OTHERS
    assert names(tmp_path) == [".credentials.lock", "credentials"]  # no half-written keys beside it


def test_a_read_only_folder_is_named():
    with folder_of_somebody_else() as folder:
        name = str(folder)
        folder.chmod(0o555)
        with somebody_else():
            succeeded, result = run(folder / "credentials")
    assert not succeeded and result["error"] == "FileNotWritten"
    assert "Permission denied" in result["msg"] and name in result["msg"]


def test_a_folder_in_the_files_place_is_named(tmp_path):
    assert "is not a file" in fail(tmp_path)["msg"]


def test_a_lock_that_is_never_given_back_ends_in_an_error(tmp_path):
    naps: list[float] = []
    with _files.locked("credentials_file", tmp_path / "credentials", naps.append):
        result = fail(tmp_path / "credentials", sleep=naps.append)
    assert result["error"] == "FileNotWritten" and "locked by another process" in result["msg"]
    assert 29 < sum(naps) < 31 and not (tmp_path / "credentials").exists()


def _write_many(path, number, barrier):
    barrier.wait()
    for turn in range(5):
        run(path, sleep=__import__("time").sleep, profile=f"p{number}-{turn}")


def test_runs_at_the_same_time_lose_nothing(tmp_path):
    path = tmp_path / "credentials"
    path.write_text(OTHERS)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    workers = [context.Process(target=_write_many, args=(path, number, barrier)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    text = path.read_text()
    assert text.startswith(OTHERS)
    assert [f"[p{number}-{turn}]" in text for number in range(4) for turn in range(5)] == [True] * 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "[x]"}, "profile"),
        ({"profile": "a\nb"}, "profile"),
        ({"venue": "No Venue"}, "venue"),
        ({"account_id": "12"}, "account_id"),
        ({"account_id": "210987654321"}, "the token is for account 123456789012"),
        ({"token": token(arn="")}, "account_id"),
        ({"region": "somewhere"}, "region"),
        ({"token": token(secret="two words")}, "SecretAccessKey"),
        ({"state": "absent"}, "profile"),
    ],
)
def test_bad_input_is_named_before_the_file_is_touched(tmp_path, options, words):
    result = fail(tmp_path / "x" / "credentials", **options)
    assert result["error"] == "InvalidInput" and words in result["msg"]
    assert names(tmp_path) == []


def test_the_file_is_the_one_aws_tools_would_take(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "from-environment"))
    given = {"project": "sbg", "venue": "dev", "token": token()}
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec)).validate(given)
    assert checked.validated_parameters["credentials_file"] == str(tmp_path / "from-environment")
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE")
    monkeypatch.setenv("HOME", "/home/fake")
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec)).validate(given)
    assert checked.validated_parameters["credentials_file"] == "/home/fake/.aws/credentials"


FUTURE = {
    "PackedPolicySize": 6,
    "SourceIdentity": "jdoe",
    "SessionTokenSize": 1200,
    "SessionTokenUtilization": {"Percent": 12},
    "ResponseMetadata": {"RequestId": "x"},
    "Subject": "x",
    "NextYear": [1],
}


@pytest.mark.parametrize("form", [lambda value: value, json.dumps])
def test_fields_that_sts_adds_are_left_out(form):
    answer = {**token(), **FUTURE}
    answer["Credentials"] = {**answer["Credentials"], "AccountId": "123456789012"}
    assert with_known_token({"token": form(answer), "venue": "dev"}) == {"token": token(), "venue": "dev"}


@pytest.mark.parametrize(
    "value", [None, 5, "text", "[1]", "[" * 100_000, {}, {"Credentials": 5}, {"Credentials": None}]
)
def test_what_is_no_token_is_left_to_the_check_of_the_options(value):
    pruned = with_known_token({"token": value})["token"]
    assert pruned == value


def test_without_a_token_nothing_is_added():
    assert with_known_token({"state": "absent"}) == {"state": "absent"}
