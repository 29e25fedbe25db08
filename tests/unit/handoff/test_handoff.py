# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole hand-off, from the answer of STS to what its recipient finds."""

from __future__ import annotations

import errno
import fcntl
import io
import itertools
import json
import multiprocessing
import os
import resource
import signal
import stat
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import boto3
import jsonschema
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    DeliveryFailed,
    InvalidInput,
    KeyChanged,
    MissingDependency,
    NoRecipientKey,
    ReceiptNotKept,
    SealingFailed,
    VenueError,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.known_keys import known_keys
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._handoff_options import HANDOFF
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _issuing as issuing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _known_receipts as known_receipts,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _sealing as sealing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels.output import OutputChannel
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._held import show_sealed
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._known_receipts import last_keys
from cryptography.hazmat.primitives.asymmetric import ec
from moto import mock_aws

from tests.support import people
from tests.support.receipts import issued

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "receipt.schema.json").read_text())
STEM = "sbg_dev_unityuser_20260315T000508Z-00000001"


MAIL = {"channel": "email", "email": {"host": "127.0.0.1", "sender": "admin@example.org"}}


def unzip(data: bytes) -> dict[str, str]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {name: archive.read(name).decode() for name in archive.namelist()}


def tree(folder: Path) -> str:
    return "".join(file.read_bytes().decode(errors="replace") for file in folder.rglob("*") if file.is_file())


def no_secret(token, *texts) -> bool:
    keys = token["Credentials"]
    return not any(keys[name] in text for text in texts for name in ("SecretAccessKey", "SessionToken"))


def test_a_sealed_file_that_its_recipient_opens(issuer, someone, token):
    result = issuer(public_keys=someone.keys)
    path = Path(result["path"])
    assert path == issuer.folder / "out" / f"{STEM}.zip.age"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    found = unzip(someone.open(path.read_text()))
    assert json.loads(found["token.json"]) == token
    assert f"{STEM}.zip.age" in result["how_to_open"]
    assert [one["fingerprint"] for one in result["recipient_keys"]] == [someone.public]
    assert (result["changed"], result["delivered"], result["channel"]) == (True, True, "file")


@pytest.mark.parametrize("channel", ["file", "output"])
def test_no_secret_is_on_disk_or_in_the_result(issuer, someone, token, channel):
    result = issuer(channel=channel, public_keys=someone.keys)
    assert no_secret(token, json.dumps(result), tree(issuer.folder), *issuer.warnings)


def test_the_output_channel_returns_what_is_sealed(issuer, someone, token):
    result = issuer(channel="output", public_keys=someone.keys)
    assert json.loads(unzip(someone.open(result["sealed"]))["token.json"]) == token
    assert not (issuer.folder / "out").exists()


def test_the_output_channel_keeps_the_text_until_it_was_shown(issuer, someone, capsys):
    result = issuer(channel="output", public_keys=someone.keys)
    (kept,) = issuer.undelivered.iterdir()
    assert kept.read_text() == result["sealed"]
    show_sealed(result, result["receipt"])
    assert not list(issuer.undelivered.iterdir()) and "held" not in result
    assert capsys.readouterr().out == f"{STEM}.zip.age:\n{result['sealed']}"


def test_the_text_stays_where_ansible_playbook_has_ended(issuer, someone, monkeypatch):
    result = issuer(channel="output", public_keys=someone.keys)
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: SimpleNamespace(is_alive=lambda: False))
    show_sealed(result)
    assert list(issuer.undelivered.iterdir())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "The task was interrupted (KeyboardInterrupt)"),
        (ReceiptNotKept("The store s3://x is full."), "The store s3://x is full."),
        (ValueError("FAKE-secret"), "ValueError"),
    ],
    ids=repr,
)
def test_an_interruption_before_the_text_was_shown_keeps_it(issuer, someone, monkeypatch, error, said):
    """While the second receipt is written."""
    record, recorded = issuing.ReceiptStores.record, []

    def fail(stores, receipt, clients):
        record(stores, receipt, clients)
        recorded.append(receipt.state)
        if recorded == ["requested", "delivered"]:
            raise error

    monkeypatch.setattr(issuing.ReceiptStores, "record", fail)
    with pytest.raises(DeliveryFailed, match="the sealed bundle is kept") as caught:
        issuer(channel="output", public_keys=someone.keys)
    facts, message = caught.value.facts, caught.value.message
    assert said in message and ("interrupted" in message) is isinstance(error, KeyboardInterrupt)
    assert "FAKE-secret" not in message
    assert facts["receipt"]["state"] == issuer.lines[-1]["state"] == "kept" and not facts["delivered"]
    show_sealed({**facts, "failed": True})
    assert Path(facts["kept"]).read_text() == facts["sealed"]
    assert issuer.resend(facts["kept"])["delivered"] and not Path(facts["kept"]).exists()


def test_what_is_sent_again_as_text_is_kept_until_it_was_shown(issuer, someone):
    kept = undelivered(issuer, someone)
    result = issuer.resend(kept, channel="output")
    assert Path(kept).exists()
    show_sealed(result)
    assert not Path(kept).exists()


def test_several_hosts_never_print_at_the_same_time(issuer, someone):
    issuer.on_assume = lambda: pytest.fail("STS was asked")
    issuer.hosts = 2
    with pytest.raises(InvalidInput, match=r"channel: output .* 2 hosts .* Use another channel"):
        issuer(channel="output", public_keys=someone.keys)
    assert not issuer.lines
    with pytest.raises(InvalidInput, match="channel: output"):
        issuer.resend("file", channel="output")


def test_a_file_may_be_named(issuer, someone):
    target = issuer.folder / "for" / "lft.age"
    result = issuer(public_keys=someone.keys, dest=str(target))
    assert result["path"] == str(target) and result["how_to_open"].endswith(" --output lft.zip lft.age")
    with pytest.raises(VenueError, match="exists and is never overwritten"):
        issuer(public_keys=someone.keys, dest=str(target))
    assert len(issuer.lines) == 2, "a token was issued for a file that could not be written"
    folder = issuer.folder / "there"
    folder.mkdir(mode=0o700)
    assert issuer(public_keys=someone.keys, dest=str(folder))["path"] == str(folder / f"{STEM}.zip.age")


def test_unsealed_only_when_insisted_on(issuer, token):
    result = issuer(unsealed=True)
    assert json.loads(unzip(Path(result["path"]).read_bytes())["token.json"]) == token
    assert stat.S_IMODE(Path(result["path"]).stat().st_mode) == 0o600
    assert "unsealed" in issuer.warnings[0] and "Do not send this via slack or email" in issuer.warnings[0]
    (receipt,) = issuer.receipts
    assert (receipt["handoff"]["sealed_with"], receipt["handoff"]["sealed_to"]) == (None, [])
    jsonschema.validate(receipt, SCHEMA)


def test_the_receipt(issuer, someone):
    result = issuer(public_keys=someone.keys)
    intent, outcome = issuer.lines
    assert (intent["state"], intent["access_key_id"], intent["handoff"]) == ("requested", None, None)
    assert outcome == result["receipt"]
    for line in (intent, outcome):
        jsonschema.validate(line, SCHEMA)
    for name in ("id", "session_name", "role_arn", "account_id", "requested_at", "recipient"):
        assert intent[name] == outcome[name]
    digest = people.run("sha256sum", result["path"]).decode().split()[0]
    assert outcome["state"] == "delivered"
    assert outcome["handoff"] == {
        "at": "2026-03-15T00:05:08Z", "channel": "file", "delivered": True, "target": result["path"], "problem": None,
        "kept": None, "file": f"{STEM}.zip.age", "sealed_with": "age", "sealed_to": [someone.public],
        "sealed_sha256": digest, "signed_by": None, "key_changed": False, "resent": False,
    }  # fmt: skip
    assert stat.S_IMODE(issuer.receipts_file.stat().st_mode) == 0o600


def test_check_mode_checks_everything_and_writes_nothing(issuer, someone):
    before = sorted(issuer.folder.rglob("*"))
    result = issuer(True, public_keys=someone.keys)
    assert result["recipient_keys"][0]["fingerprint"] == someone.public and not result["delivered"]
    assert result["receipt"]["state"] == "requested"
    assert sorted(issuer.folder.rglob("*")) == before


def test_a_swapped_key_issues_nothing_until_it_is_confirmed(issuer, tmp_path):
    first, second = people.age_person(tmp_path, "first"), people.age_person(tmp_path, "second")
    issuer(public_keys={"unityuser": first.public})
    for check_mode in (True, False):
        with pytest.raises(KeyChanged, match="by telephone or in person"):
            issuer(check_mode, public_keys={"unityuser": second.public})
    assert len(issuer.receipts) == 1
    confirmed = issuer(public_keys={"unityuser": second.public}, fingerprints=[second.public], dest=f"{tmp_path}/2/")
    assert confirmed["receipt"]["handoff"]["key_changed"]
    again = issuer(public_keys={"unityuser": second.public}, dest=f"{tmp_path}/3/")
    assert not again["receipt"]["handoff"]["key_changed"]


def test_somebody_elses_new_key_is_not_a_change(issuer, someone, tmp_path):
    issuer(public_keys=someone.keys)
    issuer(user="jdoe", public_keys={"jdoe": people.age_person(tmp_path, "jdoe").public})
    assert not issuer.warnings


def test_no_key_on_file(issuer):
    with pytest.raises(NoRecipientKey, match=r"age-keygen -o key.txt.*gpg --armor --export.*PIV") as caught:
        issuer(public_keys={"somebody-else": "age1"})
    assert "\n" not in caught.value.message
    assert not issuer.lines


def test_a_program_that_fails_leaves_a_receipt_and_no_bundle(issuer, someone, token, monkeypatch):
    def fail(data, recipients, options):
        raise SealingFailed("gpg refused: no")

    issuer.on_assume = lambda: monkeypatch.setattr(sealing, "seal", fail)
    with pytest.raises(SealingFailed, match="A token was issued, but was not delivered"):
        issuer(public_keys=someone.keys)
    assert [(one["state"], one["problem"]) for one in issuer.receipts] == [("failed", "gpg refused: no")]
    assert issuer.receipts[0]["access_key_id"] == token["Credentials"]["AccessKeyId"]
    assert no_secret(token, tree(issuer.folder))


def test_what_fails_in_sealing_fails_before_sts_is_asked(issuer, tmp_path, monkeypatch):
    """The openssl that only keys of this kind need, and the program for a signature, which is not made twice."""
    card = people.card_holder(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    issuer.on_assume = lambda: pytest.fail("STS was asked")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="openssl is not installed"):
        issuer(public_keys={"unityuser": card.public})
    assert not issuer.receipts


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"user": "José"}, "user"),
        ({"profile_name": "my profile"}, "profile_name"),
        ({"bucket": "two words"}, "bucket"),
        ({"fingerprints": ["age1other"]}, "fingerprints"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"readme_template": "/nowhere"}, "readme_template"),
        ({"receipts": {"receipts_s3": "https://bucket/x"}}, "receipts_s3"),
        ({"receipts": {"receipts_ssm_path": "unity/x"}}, "receipts_ssm_path"),
        ({"receipts": {"receipts_file": "/"}}, "receipts_file"),
        ({"receipts": {"receipts_file": "/dev/full"}}, "receipts_file"),
        ({"dest": "/dev/null"}, "dest"),
        ({"dest": "/dev/null/"}, "dest"),
        ({"undelivered": "/dev/null"}, "undelivered"),
        ({"channel": "email", "email": {"host": "smtp..example.org", "sender": "a@example.org"}}, "email.host"),
        (
            {"channel": "email", "email": {"host": "m", "sender": "a@example.org", "subject": "a\nBcc: b"}},
            "email.subject",
        ),
        (
            {"channel": "email", "email": {"host": "m", "sender": "a@example.org", "password": "Pässwort"}},
            "email.password",
        ),
        (
            {"channel": "email", "email": {"host": "m", "sender": "a@example.org", "password": "a\x00b"}},
            "email.password",
        ),
        ({"channel": "email", "email": {"host": "m", "sender": "a@example.org", "port": 70000}}, "email.port"),
        (
            {
                "channel": "email",
                "email": {"host": "m", "sender": "a@example.org", "to": "b@example.org", "ca_file": "/nowhere"},
            },
            "email.ca_file",
        ),
        ({"channel": "https", "https": {"url": "https://lft..example.org/"}}, "https.url"),
        ({"channel": "https", "https": {"url": "https://lft.example.org/ä"}}, "https.url"),
        ({"channel": "https", "https": {"url": "https://lft.example.org:port/"}}, "https.url"),
        ({"channel": "https", "https": {"url": "https://x.org/", "headers": {"X-Key": "a\nb"}}}, "https.headers"),
        ({"channel": "https", "https": {"url": "https://x.org/", "headers": {"X Key": "a"}}}, "https.headers"),
        ({"channel": "https", "https": {"url": "https://x.org/", "field_name": "a\nb"}}, "https.field_name"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_work_is_refused_before_there_is_a_token(issuer, someone, gpg_person, options, option):
    issuer.on_assume = lambda: pytest.fail("STS was asked")
    keys = {"unityuser": gpg_person.public} if options.get("channel") == "email" else someone.keys
    with pytest.raises(VenueError) as caught:
        issuer(**{"public_keys": keys, **options})
    assert caught.value.message.startswith(f"{option}: ")
    assert not {"Pässwort", "a\x00b", "a\nb"} & set(caught.value.message.split())
    assert not issuer.lines and not tree(issuer.folder / "out")


SENDER = {"host": "m", "sender": "a@example.org", "to": "b@example.org"}
URL = "https://x.org/"
# For each option of a hand-off that means something in one situation only: the situation where it would do nothing.
WITHOUT_EFFECT = {
    "fingerprints": {"unsealed": True, "public_keys": None, "fingerprints": ["age1other"]},
    "sign_with": {"unsealed": True, "public_keys": None, "sign_with": "SIGNER"},
    "smime_authenticated": {"unsealed": True, "public_keys": None, "smime_authenticated": True},
    "key_directory": {"key_directory": "/nowhere"},
    "key_directory_shared": {"key_directory_shared": True},
    "email.password": {"channel": "email", "email": {**SENDER, "password": "FAKE"}},
    "email.port": {"channel": "email", "email": {**SENDER, "port": 0}},
    "https.field_name": {"channel": "https", "https": {"url": URL, "field_name": "upload"}},
    "https.headers": {"channel": "https", "https": {"url": URL, "headers": {"X-Key": None}}},
}
# The others have an effect wherever a token is handed off, or are set in an inventory for a channel or folder that this
# token does not use.
ALWAYS = {"channel", "public_keys", "unsealed", "bucket", "contact", "time_zone", "profile_name", "readme_template"}
ALWAYS |= {"console_link", "email", "https"}
OF_ONE_WAY = {"dest", "undelivered"}
OF_ONE_WAY |= {f"email.{one}" for one in ("host", "sender", "to", "subject", "username", "tls", "ca_file")}
OF_ONE_WAY |= {f"https.{one}" for one in ("url", "method", "ca_file")}


def test_every_option_of_a_handoff_is_in_one_of_these_lists():
    suboptions = {f"{name}.{one}" for name, spec in HANDOFF.items() for one in spec.get("options", ())}
    assert {*WITHOUT_EFFECT, *ALWAYS, *OF_ONE_WAY} == {*HANDOFF, *suboptions}


@pytest.mark.parametrize("option", WITHOUT_EFFECT)
def test_an_option_that_would_do_nothing_is_refused_before_there_is_a_token(issuer, someone, gpg_person, option):
    issuer.on_assume = lambda: pytest.fail("STS was asked")
    options = WITHOUT_EFFECT[option]
    keys = {"unityuser": gpg_person.public} if options.get("channel") == "email" else someone.keys
    with pytest.raises(InvalidInput) as caught:
        issuer(**{"public_keys": keys, **options})
    assert caught.value.message.startswith(f"{option}: ") and "FAKE" not in caught.value.message
    assert not issuer.lines


@pytest.mark.parametrize(
    "headers",
    [{"X": None}, {"X": ["a"]}, {"X": {}}, {"Content-Length": "5"}, {"host": "y"}, {"Transfer-Encoding": "chunked"}],
    ids=str,
)
def test_a_header_without_a_text_or_of_the_upload_itself_is_refused(issuer, someone, headers):
    with pytest.raises(InvalidInput, match=r"^https\.headers: "):
        issuer(True, channel="https", public_keys=someone.keys, https={"url": URL, "headers": headers})


def test_a_number_is_the_value_of_a_header(issuer, someone):
    assert issuer(True, channel="https", public_keys=someone.keys, https={"url": URL, "headers": {"X-Days": 3}})


def test_a_template_that_fails_is_found_before_there_is_a_token(issuer, someone, tmp_path):
    (tmp_path / "readme.j2").write_text("Hello {{ recipent }}")
    issuer.on_assume = lambda: pytest.fail("STS was asked")
    with pytest.raises(InvalidInput, match="readme_template"):
        issuer(public_keys=someone.keys, readme_template=str(tmp_path / "readme.j2"))


def test_a_template_that_fails_for_this_request_alone_is_found_too(issuer, someone, tmp_path):
    (tmp_path / "readme.j2").write_text("Dear {{ {'jdoe': 'Jane'}[recipient] }}")
    issuer.on_assume = lambda: pytest.fail("STS was asked")
    for check_mode in (True, False):
        with pytest.raises(InvalidInput, match="readme_template"):
            issuer(check_mode, public_keys=someone.keys, readme_template=str(tmp_path / "readme.j2"))
    assert [one["state"] for one in issuer.lines] == ["failed"]


def test_a_bundle_that_is_sent_again_makes_no_earlier_key_the_latest(tmp_path):
    at = people.NOW
    first, second = (
        issued(number=number, at=at + timedelta(hours=number)).with_handoff(
            {"delivered": True, "channel": "file", "sealed_to": [key]}, at + timedelta(hours=number, minutes=1)
        )
        for number, key in ((1, "of before"), (2, "of now"))
    )
    again = replace(first, recorded_at=at + timedelta(hours=3))
    file = tmp_path / "receipts.jsonl"
    file.write_text("".join(f"{one.to_line()}\n" for one in (first, second, again)))
    user = first.recipient
    assert last_keys(str(file), user).fingerprints == ("of now",)
    assert known_keys([first, second, again], user, at + timedelta(days=1)).fingerprints == ("of now",)


@pytest.mark.parametrize("order", itertools.permutations(range(3)), ids=str)
def test_the_latest_token_is_found_wherever_its_line_is(tmp_path, order):
    receipts = [
        issued(number=number, at=people.NOW + timedelta(hours=number)).with_handoff(
            {"delivered": True, "channel": "file", "sealed_to": [f"key {number}"]}, people.NOW + timedelta(hours=number)
        )
        for number in range(3)
    ]
    user = receipts[0].recipient
    lines = [receipts[number].to_line().encode() for number in order]
    later = json.dumps({**json.loads(receipts[2].to_line()), "requested_at": "2099-01-01T00:00:00Z"}).encode()
    name = json.dumps(user).encode()
    hostile = [later, name, b"[" * 3000 + name, b'{"requested_at": 7, "recipient": %s}' % name, b"\xff" + name]
    hostile += [b'{"requested_at": "9999-12-31T23:59:59-23:00", "recipient": %s}' % name, name * 40_000]
    file = tmp_path / "receipts.jsonl"
    file.write_bytes(b"\n".join([*hostile, lines[0], *hostile, *lines[1:], *hostile, later[:-5]]))
    assert last_keys(str(file), user).fingerprints == ("key 2",)
    assert last_keys(str(file), "somebody") is None


def test_a_path_that_is_too_long_has_no_receipts():
    assert last_keys("/x" * 3000, "jdoe") is None


def test_of_many_tokens_of_a_user_only_the_latest_is_read_as_a_receipt(tmp_path, monkeypatch):
    at, parsed = people.NOW, []
    receipts = [
        issued(number=number, at=at + timedelta(minutes=number)).with_handoff(
            {"delivered": True, "channel": "file", "sealed_to": [f"key {number}"]}, at + timedelta(minutes=number)
        )
        for number in range(20)
    ]
    file = tmp_path / "receipts.jsonl"
    file.write_text("".join(f"{one.to_line()}\n" for one in receipts))
    monkeypatch.setattr(
        known_receipts, "parse_receipt", lambda option, given: parsed.append(given) or parse_receipt(option, given)
    )
    assert last_keys(str(file), receipts[0].recipient).fingerprints == ("key 19",)
    assert len(parsed) == 1


def test_confirmed_fingerprints(issuer, someone, gpg_person, tmp_path):
    assert issuer(public_keys=someone.keys, fingerprints=[someone.public])["delivered"]
    spaced = " ".join(gpg_person.fingerprint.lower()[at : at + 4] for at in range(0, 40, 4))
    assert issuer(public_keys={"unityuser": gpg_person.public}, fingerprints=[spaced], dest=f"{tmp_path}/2/")[
        "delivered"
    ]


@pytest.fixture
def full_disk():
    """No file may grow: what a write meets on a full disk, but for the error's number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(most):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[0][1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
    signal.signal(signal.SIGXFSZ, before[1])


def test_a_full_disk_loses_nothing(issuer, someone, token, full_disk):
    issuer.on_assume = lambda: full_disk(100)  # the intent was recorded before
    with pytest.raises(DeliveryFailed) as caught:
        issuer(public_keys=someone.keys)
    full_disk(resource.RLIM_INFINITY)
    facts = caught.value.facts
    # Neither the file nor the copy nor the outcome could be written: all of it is in the result.
    assert json.loads(unzip(someone.open(facts["sealed"]))["token.json"]) == token
    jsonschema.validate(facts["receipt"], SCHEMA)
    assert facts["delivered"] is False and "in this result as 'sealed'" in caught.value.message
    assert [one["state"] for one in issuer.lines] == ["requested"]
    assert not list((issuer.folder / "out").iterdir()) and not list(issuer.undelivered.iterdir())


def block(issuer):
    """Put a file in place of the folder, after it was checked."""
    (issuer.folder / "out").rmdir()
    (issuer.folder / "out").touch()


def test_a_destination_that_fails_after_the_check_keeps_the_bundle(issuer, someone):
    issuer.on_assume = lambda: block(issuer)
    with pytest.raises(
        DeliveryFailed, match=r"while the token is valid: ansible-playbook .* -e handoff_resend="
    ) as caught:
        issuer(public_keys=someone.keys)
    kept = Path(caught.value.facts["kept"])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert unzip(someone.open(kept.read_text()))
    (receipt,) = issuer.receipts
    assert (receipt["state"], receipt["handoff"]["kept"]) == ("kept", str(kept))
    assert receipt == caught.value.facts["receipt"]


def test_what_is_unsealed_is_not_kept_elsewhere(issuer, token):
    issuer.on_assume = lambda: block(issuer)
    with pytest.raises(VenueError, match=r"A token was issued, but was not delivered.*Then issue a new one") as caught:
        issuer(unsealed=True)
    assert (issuer.receipts[-1]["state"], issuer.receipts[-1]["handoff"]) == ("failed", None)
    assert "sealed" not in caught.value.facts and "kept" not in caught.value.facts
    assert no_secret(token, json.dumps(caught.value.facts), tree(issuer.folder))


def undelivered(issuer, someone, **options):
    issuer.on_assume = lambda: block(issuer)
    with pytest.raises(DeliveryFailed) as caught:
        issuer(public_keys=someone.keys, **options)
    return caught.value.facts["kept"]


def test_what_was_kept_is_sent_again_without_a_new_token(issuer, someone, token):
    kept = undelivered(issuer, someone)
    result = issuer.resend(kept, dest=f"{issuer.folder}/again/")
    assert json.loads(unzip(someone.open(Path(result["path"]).read_text()))["token.json"]) == token
    first, second = issuer.receipts
    outcomes = first["handoff"], second["handoff"]
    assert [one["delivered"] for one in outcomes] == [False, True]
    assert [one["resent"] for one in outcomes] == [False, True]
    for field in ("sealed_to", "sealed_sha256", "file"):
        assert outcomes[0][field] == outcomes[1][field]
    assert first["access_key_id"] == second["access_key_id"]
    jsonschema.validate(second, SCHEMA)
    assert not list(issuer.undelivered.iterdir()), "delivered, and still among what could not be delivered"


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_file_that_is_there_already_is_found_before_anything_is_recorded(issuer, someone, check_mode):
    """Check mode predicts it, and the receipt of a token that was delivered does not say that it was kept."""
    delivered = issuer(public_keys=someone.keys)["path"]
    before = issuer.lines
    with pytest.raises(InvalidInput, match=r"dest: '.*' exists and is never overwritten"):
        issuer.resend(delivered, check_mode=check_mode)
    assert issuer.lines == before


def test_what_was_sent_again_and_cannot_be_removed_is_delivered_with_a_warning(issuer, someone, monkeypatch):
    kept = undelivered(issuer, someone)

    def refuse(path, missing_ok=False):
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert issuer.resend(kept, dest=f"{issuer.folder}/again/")["delivered"] is True
    assert any("could not be removed (Read-only file system)" in one for one in issuer.warnings)


@pytest.mark.parametrize("option", ["resend", "sign_with", "readme_template"])
def test_a_fifo_is_refused_and_does_not_block(issuer, someone, tmp_path, option):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(InvalidInput, match="not a regular file"):
        if option == "resend":
            issuer.resend(fifo)
        else:
            issuer(public_keys=someone.keys, **{option: str(fifo)})
    assert issuer.lines == []


@pytest.mark.parametrize("options", [{"channel": "https", "https": {"url": "https://127.0.0.1/"}}, MAIL])
def test_certificates_in_a_fifo_are_refused_and_do_not_block(issuer, someone, tmp_path, options):
    os.mkfifo(tmp_path / "fifo")
    name = options["channel"]
    given = {**options, name: {**options[name], "ca_file": str(tmp_path / "fifo")}}
    keys = {"unityuser": {"keys": people.card_holder(tmp_path, name="carl").public, "email": "carl@example.org"}}
    with pytest.raises(InvalidInput, match=rf"^{name}\.ca_file: .*not a regular file"):
        issuer(public_keys=keys, **given)
    assert issuer.lines == []


def test_a_line_of_the_receipts_file_that_is_too_long_is_skipped(issuer, someone, tmp_path):
    first = people.age_person(tmp_path, "first")
    issuer(public_keys={"unityuser": first.public})
    with issuer.receipts_file.open("ab") as stream:
        stream.write(b'{"recipient":"unityuser","x":"' + b"x" * 20_000_000 + b'"}\n')
    tracemalloc.start()
    try:
        with pytest.raises(KeyChanged):
            issuer(public_keys=someone.keys)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_check_mode_of_sending_again_writes_nothing(issuer, someone):
    kept = undelivered(issuer, someone)
    before = issuer.lines
    assert not issuer.resend(kept, check_mode=True, dest=f"{issuer.folder}/again/")["delivered"]
    assert issuer.lines == before and Path(kept).exists() and not (issuer.folder / "again").exists()


def test_sending_again_that_fails_keeps_the_file(issuer, someone):
    kept = issuer(public_keys=someone.keys)["path"]
    (issuer.folder / "blocked").touch()
    with pytest.raises(VenueError, match="dest: "):
        issuer.resend(kept, dest=f"{issuer.folder}/blocked/x/")
    assert Path(kept).exists()


def test_sending_again_in_place_is_refused_and_does_not_remove_the_file(issuer, someone):
    kept = issuer(public_keys=someone.keys, dest=f"{issuer.undelivered}/")["path"]
    with pytest.raises(InvalidInput, match="exists and is never overwritten"):
        issuer.resend(kept, dest=f"{issuer.undelivered}/")
    assert Path(kept).exists()


def test_sending_again_what_ended_is_refused(issuer, someone):
    kept = issuer(public_keys=someone.keys)["path"]
    issuer.now += people.DAY
    with pytest.raises(InvalidInput, match="Issue a new one"):
        issuer.resend(kept, dest=f"{issuer.folder}/again/")


def test_sending_again_without_a_receipt_is_possible_with_a_warning(issuer, someone):
    kept = issuer(public_keys=someone.keys)["path"]
    issuer.receipts_file.unlink()
    with pytest.raises(InvalidInput, match=r"no receipt in .* matches this file"):
        issuer.resend(kept, channel="output")
    assert issuer.resend(kept, channel="output", without_receipt=True)["sealed"] == Path(kept).read_text()
    assert "No receipt" in issuer.warnings[0] and not issuer.receipts


@pytest.mark.parametrize("store", [{"receipts_s3": "s3://records/sts"}, {"receipts_ssm_path": "/unity/receipts"}])
def test_the_receipt_of_what_is_sent_again_may_be_in_aws_alone(issuer, someone, monkeypatch, store):
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        boto3.client("s3").create_bucket(
            Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        kept = undelivered(issuer, someone, receipts=store)
        issuer.receipts_file.write_text("")
        receipt = issuer.resend(kept, channel="output", **store)["receipt"]
    assert (receipt["state"], receipt["handoff"]["resent"]) == ("delivered", True)
    assert receipt["allows"]["buckets"] == ["sbg-dev-unity-data"]


def test_a_file_that_was_changed_is_not_sent(issuer, someone):
    kept = undelivered(issuer, someone)
    before = issuer.receipts
    Path(kept).write_bytes(Path(kept).read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(InvalidInput, match="it was changed"):
        issuer.resend(kept, channel="output")
    assert issuer.receipts == before


def test_a_file_that_another_run_is_sending_is_left_alone(issuer, someone):
    kept = undelivered(issuer, someone)
    with Path(kept).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InvalidInput, match="another run is sending"):
            issuer.resend(kept, channel="output")
    assert issuer.resend(kept, channel="output")["delivered"]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 a zip", b'{"Credentials": {"SecretAccessKey": "FAKE"}}', b"Subject: plain\r\n\r\nFAKE"]
)
def test_sending_again_what_is_not_sealed_is_refused(issuer, content):
    file = issuer.folder / "plain"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"is not sealed\. The procedure says") as caught:
        issuer.resend(file, channel="https", https={"url": "https://lft.example.org"})
    assert "FAKE" not in caught.value.message
    with pytest.raises(InvalidInput, match="cannot be read"):
        issuer.resend(issuer.folder / "missing")


def test_a_receipt_that_cannot_be_completed_is_in_the_result(issuer, someone):
    def fill():
        issuer.receipts_file.unlink()
        issuer.receipts_file.mkdir()

    issuer.on_assume = fill
    with pytest.raises(
        ReceiptNotKept, match=r"The token was delivered .*, but: .*receipts_file: .*is a folder"
    ) as caught:
        issuer(public_keys=someone.keys)
    assert caught.value.facts["delivered"] is True and Path(caught.value.facts["path"]).exists()
    jsonschema.validate(caught.value.facts["receipt"], SCHEMA)


# Files that cannot be created: noticed before there is a token, also in check mode

BOTH_MODES = pytest.mark.parametrize("check_mode", [False, True])


@BOTH_MODES
@pytest.mark.parametrize("place", ["shut/", "shut/new/", "shut/file.age"])
@pytest.mark.parametrize(
    "options", [{}, {"unsealed": True, "public_keys": None}, {"channel": "output"}], ids=["dest", "unsealed", "output"]
)
def test_a_folder_that_cannot_be_written_to(shut, options, place, check_mode):
    option = "undelivered" if "channel" in options else "dest"
    with pytest.raises(VenueError, match=rf"^{option}: .*(Permission denied|no permission)"):
        shut(check_mode, **{"public_keys": shut.keys, **options, option: f"{shut.folder}/{place}"})
    assert shut.lines == []


@BOTH_MODES
@pytest.mark.parametrize("option", ["dest", "undelivered", "key_directory", "sign_with", "readme_template"])
@pytest.mark.parametrize("place", ["~nobody-of-that-name/x", "/tmp/a\N{NO-BREAK SPACE}b/", "/tmp/a\0b/", "n" * 300])
def test_a_path_that_cannot_be_one(issuer, someone, option, place, check_mode):
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        issuer(check_mode, **{"public_keys": someone.keys, option: place})
    assert issuer.lines == []


@pytest.mark.parametrize("place", ["~nobody-of-that-name/x", "/tmp/a\N{NO-BREAK SPACE}b", "/tmp/a\0b", "n" * 300])
def test_a_path_of_a_kept_file_that_cannot_be_one(issuer, place):
    with pytest.raises(InvalidInput, match=r"^resend: "):
        issuer.resend(place)


@BOTH_MODES
@pytest.mark.parametrize(
    ("options", "option"),
    [({}, "dest"), ({"channel": "output"}, "undelivered"), ({"unsealed": True, "public_keys": None}, "dest")],
)
def test_a_name_that_is_too_long_for_a_file(issuer, someone, options, option, check_mode):
    with pytest.raises(InvalidInput, match=rf"^{option}: the name .* has 2\d\d bytes"):
        issuer(check_mode, project="p" * 220, **{"public_keys": someone.keys, **options})
    assert issuer.lines == []


@pytest.fixture
def ssh_key(tmp_path):
    people.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "admin"))
    return tmp_path / "admin"


@BOTH_MODES
def test_the_name_of_a_signature_counts_as_well(issuer, someone, ssh_key, check_mode):
    signed = {"public_keys": someone.keys, "sign_with": str(ssh_key)}
    (issuer.folder / "out").mkdir(mode=0o700)
    (issuer.folder / "out" / "x.age.sig").write_text("of another token")
    with pytest.raises(InvalidInput, match=r"x\.age\.sig' exists and is never overwritten"):
        issuer(check_mode, **signed, dest=str(issuer.folder / "out" / "x.age"))
    rest = 255 - len("_dev_unityuser_20260315T000508Z-00000001.zip.age.sig")
    with pytest.raises(InvalidInput, match=r"\.zip\.age\.sig' has 256 bytes"):
        issuer(check_mode, project="p" * (rest + 1), **signed)
    assert issuer.lines == []
    issuer(check_mode, project="p" * rest, **signed)


@pytest.mark.parametrize("blocked", ["", ".sig"])
@pytest.mark.parametrize("channel", ["file", "output"])
def test_a_file_and_its_signature_are_both_there_or_none(issuer, someone, ssh_key, monkeypatch, blocked, channel):
    """In the folder of the option, or in that of what could not be delivered."""
    folder, name = (issuer.undelivered, f"{STEM}.zip.age") if channel == "output" else (issuer.folder / "out", "x.age")
    monkeypatch.setattr(OutputChannel, "deliver", Mock(side_effect=DeliveryFailed("not delivered")))
    issuer.on_assume = (folder / f"{name}{blocked}").touch
    with pytest.raises(VenueError) as failed:
        issuer(
            public_keys=someone.keys, sign_with=str(ssh_key), channel=channel, dest=str(issuer.folder / "out" / "x.age")
        )
    assert [(one.name, one.stat().st_size) for one in folder.iterdir()] == [(f"{name}{blocked}", 0)]
    if channel == "file":
        assert Path(failed.value.facts["kept"]).is_file() and Path(failed.value.facts["kept"] + ".sig").is_file()
    else:
        assert "kept" not in failed.value.facts and "BEGIN AGE" in failed.value.facts["sealed"]
