# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``kion_credentials`` against a Kion over TLS."""

from __future__ import annotations

import fcntl
import http.client
import itertools
import json
from datetime import timedelta
from unittest import mock
from urllib.error import URLError

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mdps.venue_sts.plugins.module_utils import _masking
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import secret_text
from ansible_collections.mdps.venue_sts.plugins.module_utils._kion import client
from ansible_collections.mdps.venue_sts.plugins.module_utils._kion.client import Answer
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.kion import OPERATION
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.kion import API_KEY, KEYS, PASSWORD, ROTATED, SESSION, Kion, role
from tests.support.receipts import NOW
from tests.support.servers import free_port

OPERATOR = {"account": "123456789012", "cloud_access_role": "Operator"}
HTML = "<!doctype html><title>Sign in</title>"


@pytest.fixture(scope="module")
def kion_server(tmp_path_factory):
    with Kion(tmp_path_factory.mktemp("kion")) as server:
        yield server


@pytest.fixture
def kion(kion_server, monkeypatch, tmp_path):
    kion_server.reset()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("KION_CONFIG", str(tmp_path / "kion.yml"))
    for name, value in kion_server.environment().items():
        monkeypatch.setenv(name, value)
    return kion_server


def run(kion, naps=None, warnings=None, check_mode=False, **options):
    given = {"ca_path": str(kion.ca), **OPERATOR, **options}
    given = {name: value for name, value in given.items() if value is not None}
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec), **OPERATION.constraints).validate(given)
    assert not checked.error_messages
    sleep = (naps if naps is not None else []).append
    warn = (warnings if warnings is not None else []).append
    runtime = Runtime(check_mode=check_mode, now=lambda: NOW, sleep=sleep, jitter=lambda most: most, warn=warn)
    return OPERATION.run(checked.validated_parameters, runtime)


def succeed(kion, **options):
    succeeded, result = run(kion, **options)
    assert succeeded, result
    return result


def fail(kion, **options):
    succeeded, result = run(kion, **options)
    assert not succeeded, result
    for secret in (API_KEY, PASSWORD, SESSION, KEYS["secret_access_key"], KEYS["session_token"]):
        assert secret not in str(result)
    return result


def test_the_keys_come_in_three_forms(kion):
    assert succeed(kion) == {
        "changed": False,
        "sts_creds": {
            "access_key": KEYS["access_key"],
            "secret_key": KEYS["secret_access_key"],
            "session_token": KEYS["session_token"],
            "expiration": "2026-11-22T10:30:15Z",
        },
        "token": {
            "Credentials": {
                "AccessKeyId": KEYS["access_key"],
                "SecretAccessKey": KEYS["secret_access_key"],
                "SessionToken": KEYS["session_token"],
                "Expiration": "2026-11-22T10:30:15Z",
            }
        },
        "receipt": {
            "url": kion.url,
            "account": "123456789012",
            "role": "Operator",
            "access_key_id": KEYS["access_key"],
            "issued_at": "2026-11-22T09:30:15Z",
            "expires_at": "2026-11-22T10:30:15Z",
            "expiry_source": "duration",
        },
        "region": None,
    }
    assert len(kion.asked()) == 1


def test_an_iam_role_name_goes_to_the_other_endpoint(kion):
    succeed(kion, cloud_access_role=None, iam_role_name="mcp-tenantOperator")
    assert kion.seen[0] == (
        "POST",
        "/api/v3/temporary-credentials",
        {"account_number": "123456789012", "iam_role_name": "mcp-tenantOperator"},
    )


def test_an_alias_serves_both_endpoints(kion):
    succeed(kion, account="sbg-dev")
    succeed(kion, account="sbg-dev", cloud_access_role=None, iam_role_name="mcp-tenantOperator")
    assert kion.seen[0][2] == {"account_number": "", "account_alias": "sbg-dev", "cloud_access_role_name": "Operator"}
    assert kion.seen[-2][2] == {"account_number": "123456789012", "iam_role_name": "mcp-tenantOperator"}


@pytest.mark.parametrize(
    "end",
    ["", "/", "/api", "/api/", "/api/v3", "/api/v3/", "/portal", "/portal/", "/portal/#/dashboard", "/login?next=%2F"],
)
def test_the_address_may_end_as_people_write_it(kion, end):
    assert succeed(kion, url=f" {kion.url}{end}\n")["receipt"]["url"] == kion.url


@pytest.mark.parametrize(
    ("duration", "setting", "expires", "source"),
    [
        (900, 60, "2026-11-22T09:45:15Z", "duration"),
        (None, 30, "2026-11-22T10:00:15Z", "server_setting"),
        (0, 30, "2026-11-22T10:00:15Z", "server_setting"),
        (None, None, None, "unknown"),
    ],
)
def test_the_expiry_is_what_kion_says_or_unknown(kion, duration, setting, expires, source):
    kion.duration, kion.setting = duration, setting
    result = succeed(kion)
    assert (result["receipt"]["expires_at"], result["receipt"]["expiry_source"]) == (expires, source)
    assert result["sts_creds"]["expiration"] == expires
    # A field without a value would be refused by a task that takes the document, such as venue_sts_profile.
    assert result["token"]["Credentials"].get("Expiration", "no such field") == (expires or "no such field")


def test_keys_that_do_not_live_long_enough_are_refused(kion):
    succeed(kion, minimum_seconds=3600)
    result = fail(kion, minimum_seconds=3601)
    assert result["error"] == "CredentialsExpireSoon" and "3600 seconds only, and 3601 are needed" in result["msg"]


def test_an_unknown_expiry_does_not_pass_silently(kion):
    kion.duration, kion.setting = None, None
    warnings: list[str] = []
    succeed(kion, warnings=warnings, minimum_seconds=900)
    assert len(warnings) == 1 and "it is not known whether they are valid for 900 seconds" in warnings[0]
    succeed(kion, warnings=warnings)
    assert len(warnings) == 1


def test_user_name_and_password_log_in(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    succeed(kion, username="jdoe", password=PASSWORD, idms=2)
    assert kion.seen[0][1] == "/api/v3/token"


def test_a_wrong_password_is_named_though_kion_calls_it_a_bad_request(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    result = fail(kion, username="jdoe", password="wrong-" + PASSWORD, idms=2)
    assert "user name and password" in result["msg"] and result["status"] == 400


@pytest.mark.parametrize(("status", "is_password"), [(400, True), (401, True), (403, True), (402, False), (404, False)])
def test_which_answers_to_a_login_are_about_the_password(kion, monkeypatch, status: int, is_password: bool):
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(status, '{"message": "no"}', {})]
    result = fail(kion, username="jdoe", password=PASSWORD, idms=2)
    assert ("does not accept this user name" in result["msg"]) is is_password
    assert "no" in result["msg"]


def test_the_settings_of_the_kion_cli_fill_what_is_missing(kion, monkeypatch, tmp_path):
    monkeypatch.delenv("KION_API_KEY")
    monkeypatch.delenv("KION_URL")
    config = tmp_path / "kion.yml"
    config.write_text(f"kion:\n  url: {kion.url}\n  api_key: {API_KEY}\n")
    config.chmod(0o600)
    warnings: list[str] = []
    succeed(kion, warnings=warnings)
    assert warnings == []
    config.chmod(0o644)
    succeed(kion, warnings=warnings)
    assert len(warnings) == 1 and "chmod 600" in warnings[0]
    config.write_text(f"kion:\n  url: {kion.url}\n  username: jdoe\n  password: {PASSWORD}\n  idms_id: '2'\n")
    succeed(kion)


def test_environment_beats_the_file_and_options_beat_both(kion, monkeypatch, tmp_path):
    (tmp_path / "kion.yml").write_text("kion: {url: 'https://wrong.invalid', api_key: wrong}\n")
    succeed(kion)
    monkeypatch.setenv("KION_URL", "https://wrong.invalid")
    monkeypatch.setenv("KION_API_KEY", "wrong")
    succeed(kion, url=kion.url, api_key=API_KEY)


@pytest.mark.parametrize(
    "options",
    [{"api_key": API_KEY}, {"username": "jdoe", "password": PASSWORD, "idms": 2}, {"password": PASSWORD}],
    ids=["API key", "login", "password"],
)
def test_an_option_beats_the_file_that_fills_in_the_others(kion, monkeypatch, tmp_path, options):
    monkeypatch.delenv("KION_API_KEY")
    monkeypatch.delenv("KION_URL")
    other = {"api_key": "wrong"} if "api_key" in options else {"password": "wrong", "username": "jdoe", "idms_id": "2"}
    wrong = {"username": "eve", "idms_id": "7"} if "username" in options else {}
    (tmp_path / "kion.yml").write_text(yaml.safe_dump({"kion": {"url": kion.url, **other, **wrong}}))
    succeed(kion, **options)


LOGIN = {"username": "jdoe", "password": PASSWORD, "idms": 2}


@pytest.mark.parametrize(
    ("options", "is_read"),
    [
        ({"api_key": API_KEY}, False),
        (LOGIN, False),
        ({**LOGIN, "password": None}, True),
        ({**LOGIN, "username": None}, True),
        ({"api_key": API_KEY, "url": None}, True),
        ({"api_key": API_KEY, "config_profile": "work"}, True),
    ],
)
def test_the_file_is_read_only_where_something_is_missing(kion, monkeypatch, tmp_path, options, is_read):
    monkeypatch.delenv("KION_API_KEY")
    monkeypatch.delenv("KION_URL")
    (tmp_path / "kion.yml").write_text("kion: [")
    given = {"url": kion.url, **options}
    assert "kion.yml' " in fail(kion, **given)["msg"] if is_read else succeed(kion, **given)


@pytest.mark.parametrize("number", ["-1", "1.5", "x", "\N{SUPERSCRIPT TWO}", "1" * 10])
def test_an_identity_system_has_a_number_of_at_most_nine_digits(kion, monkeypatch, tmp_path, number):
    monkeypatch.delenv("KION_API_KEY")
    settings = {"url": kion.url, "username": "jdoe", "password": PASSWORD, "idms_id": number}
    (tmp_path / "kion.yml").write_text(yaml.safe_dump({"kion": settings}))
    assert fail(kion)["option"] == "idms"
    (tmp_path / "kion.yml").write_text(yaml.safe_dump({"kion": {**settings, "idms_id": "2" * 9}}))
    assert "for identity system 222222222" in fail(kion)["msg"]


@pytest.mark.parametrize("text", ["kion: [", "kion: 5", "- a", "secretsecret", f"kion:\n\tapi_key: {API_KEY}"])
def test_a_broken_settings_file_is_named_and_never_quoted(kion, monkeypatch, tmp_path, text):
    monkeypatch.delenv("KION_API_KEY")
    (tmp_path / "kion.yml").write_text(text)
    result = fail(kion)
    assert "kion.yml" in result["msg"] and "secretsecret" not in result["msg"]


def test_a_role_that_is_not_mine_brings_the_list(kion):
    kion.roles = [
        role("Operator", number="210987654321", account_name="SBG Ops"),
        role("Reader", iam="mcp-reader"),
        role("Gone", deleted_at={"Time": "2026-01-01T00:00:00Z", "Valid": True}),
    ]
    result = fail(kion)
    assert result["error"] == "RoleNotYours"
    assert result["msg"].startswith(
        "You have no cloud access role 'Operator' in account 123456789012. Yours are: 'Reader'"
    )
    assert result["roles"] == [{"name": "Reader", "iam_role_name": "mcp-reader", "account": "123456789012"}]


def test_an_account_that_is_not_mine_brings_the_whole_list(kion):
    result = fail(kion, account="999999999999")
    assert (
        "nothing in account 999999999999" in result["msg"]
        and "'Operator' (IAM role mcp-tenantOperator) in SBG Dev 123456789012" in result["msg"]
    )


def test_a_deleted_role_and_one_without_keys_are_told_apart(kion):
    kion.roles = [role("Operator", short_term_access_keys=False)]
    assert "returns no temporary credentials" in fail(kion)["msg"]
    kion.roles = [role("Operator", deleted_at={"Time": "2026-01-01T00:00:00Z", "Valid": True})]
    assert "no cloud access role in Kion" in fail(kion)["msg"]


def test_kions_own_words_stand_where_the_list_explains_nothing(kion):
    kion.script = [(403, '{"status": 403, "message": "Enforcement in place."}', {})]
    result = fail(kion)
    assert result["error"] == "KionRefused" and "Enforcement in place." in result["msg"]


@pytest.mark.parametrize(
    ("version", "blamed"),
    [("3.9.8", True), ("3.10.1", True), ("3.6.0", True), ("3.9.9", False), ("3.10.2", False), ("4.0.0-dev", False)],
)
def test_an_alias_on_an_old_server(kion, version, blamed):
    kion.version = version
    kion.roles = []
    result = fail(kion, account="sbg-dev")
    assert ("does not support aliases, which need" in result["msg"]) is blamed


def test_an_old_server_serves_numbers(kion):
    kion.version, kion.duration, kion.setting = "3.6.0", None, None
    assert succeed(kion)["receipt"]["expiry_source"] == "unknown"


def test_an_expired_api_key_is_named(kion):
    result = fail(kion, api_key="expired-key-0123456789")
    assert "API key: it has expired or was revoked" in result["msg"]
    assert "expired-key" not in str(result) and len(kion.seen) == 1


def test_failures_of_the_server_are_tried_again_with_growing_pauses(kion):
    kion.script = [(500, "oops", {}), (503, HTML, {}), (429, "{}", {})]
    naps: list[float] = []
    succeed(kion, naps=naps)
    assert naps == [1.0, 2.0, 4.0]


def test_the_server_may_say_how_long_to_wait_within_reason(kion):
    kion.script = [
        (429, "{}", {"Retry-After": "7"}),
        (429, "{}", {"Retry-After": "86400"}),
        (429, "{}", {"Retry-After": "soon"}),
    ]
    naps: list[float] = []
    succeed(kion, naps=naps)
    assert naps == [7.0, 30.0, 4.0]


@pytest.mark.parametrize("status", [500, 502, 429])
def test_tries_end(kion, status):
    kion.script = [(status, HTML, {})] * 4
    assert f"HTTP {status}" in fail(kion)["msg"] and len(kion.seen) == 4


@pytest.mark.parametrize("status", [400, 404, 409])
def test_nothing_else_is_tried_again(kion, status):
    kion.script = [(status, '{"message": "no"}', {})]
    naps: list[float] = []
    fail(kion, naps=naps, account="999999999999")
    assert (
        naps == []
        and [path for _method, path, _body in kion.seen].count("/api/v3/temporary-credentials/cloud-access-role") == 1
    )


@pytest.mark.parametrize("status", [200, 401, 404])
def test_a_web_page_is_no_answer(kion, status):
    kion.script = [(status, HTML, {"Content-Type": "text/html"})]
    result = fail(kion)
    assert result["error"] == "ConnectionProblem" and "a web page" in result["msg"] and "url" in result["msg"]


WITHOUT_KEYS = [
    "[]",
    "nothing",
    '{"status": 200}',
    '{"data": {"access_key": "AKIA"}}',
    '{"data": {"access_key": 1, "secret_access_key": 2, "session_token": 3}}',
]


@pytest.mark.parametrize("text", WITHOUT_KEYS)
def test_an_answer_without_keys_is_refused(kion, text):
    kion.script = [(200, text, {})]
    assert fail(kion)["error"] == "ConnectionProblem"


def test_a_redirect_does_not_get_the_key(kion):
    kion.script = [(302, "", {"Location": f"{kion.url}/elsewhere"})]
    assert "redirects the request (HTTP 302)" in fail(kion)["msg"]
    assert len(kion.seen) == 1


def test_netrc_does_not_replace_the_api_key(kion, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login x password y\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    succeed(kion)


def test_an_untrusted_certificate_ends_it_before_the_key_is_sent(kion):
    result = fail(kion, ca_path=None)
    assert result["error"] == "ConnectionProblem" and "certificate" in result["msg"] and "ca_path" in result["msg"]
    assert kion.seen == []


def test_a_missing_or_empty_ca_file_is_named(kion, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.touch()
    for path in (tmp_path / "missing.pem", empty):
        assert "ca_path" in fail(kion, ca_path=str(path))["msg"]


def test_nobody_listening_is_one_sentence(kion):
    result = fail(kion, url=f"https://127.0.0.1:{free_port()}")
    assert "cannot be reached" in result["msg"] and "Connection refused" in result["msg"]


def test_a_host_that_does_not_exist_is_one_sentence(kion):
    assert "kion.invalid cannot be reached" in fail(kion, url="https://kion.invalid")["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "http://kion.example.org"}, "https://"),
        ({"url": "kion.example.org"}, "https://kion.example.org"),
        ({"url": "https://user:pw@kion.example.org"}, "must be Kion's address"),
        ({"url": "https://kion.example.org?x=1"}, "must be Kion's address"),
        ({"url": "https://kion.example.org#x"}, "must be Kion's address"),
        ({"url": "https://[kion"}, "must be Kion's address"),
        ({"url": "https://kion:port"}, "must be Kion's address"),
        ({"url": "https://kion.example.org:0"}, "must be Kion's address"),
        ({"url": "https:///api"}, "must be Kion's address"),
        ({"url": "https://kion.example.org/a b"}, "must be Kion's address"),
        ({"url": "https://kion.example.org/a\x7fb"}, "must be Kion's address"),
        ({"url": "https://kïon.example.org"}, "must be Kion's address"),
        ({"account": "12345"}, "12 digits"),
        ({"account": " "}, "account"),
        ({"minimum_seconds": -1}, "minimum_seconds"),
        ({"api_key_days": 0}, "api_key_days"),
        ({"api_key_days": 3651}, "api_key_days"),
        ({"cloud_access_role": ""}, "cloud_access_role"),
        ({"cloud_access_role": "a\nb"}, "cloud_access_role"),
    ],
)
def test_bad_input_is_named_before_anything_is_sent(kion, options, words):
    result = fail(kion, **options)
    assert result["error"] == "InvalidInput" and words in result["msg"]
    assert kion.seen == []


@pytest.mark.parametrize(("gone", "words"), [("KION_URL", "KION_URL"), ("KION_API_KEY", "KION_API_KEY")])
def test_what_is_missing_is_named_with_all_its_places(kion, monkeypatch, gone, words):
    monkeypatch.delenv(gone)
    result = fail(kion)
    assert words in result["msg"] and "kion.yml" in result["msg"]


def test_an_alias_of_no_account_of_mine(kion):
    assert (
        "none of your accounts has the alias 'elsewhere'"
        in fail(kion, account="elsewhere", cloud_access_role=None, iam_role_name="x")["msg"]
    )


def test_a_login_that_gives_no_session(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(200, '{"data": {"access": {}}}', {})]
    assert "no session token" in fail(kion, username="jdoe", password=PASSWORD, idms=2)["msg"]


def test_a_login_while_kion_is_down(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(503, "{}", {})] * 4
    result = fail(kion, username="jdoe", password=PASSWORD, idms=2)
    assert result["status"] == 503 and "does not accept" not in result["msg"]


def test_a_list_that_fails_too_leaves_kions_own_words(kion):
    kion.script = [
        (400, '{"message": "Not you."}', {}),
        (200, '{"data": "3.14.3"}', {}),
        (400, '{"message": "No list."}', {}),
    ]
    assert "Not you." in fail(kion)["msg"]


def test_a_settings_file_that_cannot_be_read_is_named(kion, monkeypatch, tmp_path):
    monkeypatch.delenv("KION_API_KEY")
    (tmp_path / "kion.yml").mkdir()
    assert "cannot be read (Is a directory)" in fail(kion)["msg"]


def test_the_only_identity_system_is_found(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    succeed(kion, username="jdoe", password=f" {PASSWORD}\n")
    assert kion.seen[1][2]["idms"] == 2


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        ([], "has no identity system"),
        ([{"id": 3, "idms_type_id": 4, "name": "SAML"}], "has no identity system"),
        (
            [{"id": 9, "idms_type_id": 2, "name": "AD\x1b[2J"}, {"id": 2, "idms_type_id": 1, "name": "Local"}],
            "several identity systems. Set it to one of: 2 (Local), 9 (AD\N{REPLACEMENT CHARACTER}[2J)",
        ),
        ("text", "has no identity system"),
        ([5, {"id": "2", "idms_type_id": 1}, {"id": True, "idms_type_id": 1}], "has no identity system"),
    ],
)
def test_a_login_without_its_identity_system_lists_the_choice(kion, monkeypatch, systems, words):
    monkeypatch.delenv("KION_API_KEY")
    kion.identity_systems = systems
    result = fail(kion, username="jdoe", password=PASSWORD)
    assert result["error"] == "InvalidInput" and result["option"] == "idms" and words in result["msg"]


# --- secrets as they come out of files, editors and vaults ---

AROUND = ["{}\n", "{}\r\n", " {} ", "\ufeff{}", "{}\0", "\t{}\n\n"]
DAMAGED = ["{}\nX-Evil: 1", "{}\rx", "{}\0x", "{}é", "a b {}", "'{}\u2019", "{}\x1b[2J"]


def give_secret(kion, monkeypatch, tmp_path, place, text):
    """Put an API key where the option, the environment or the Kion CLI's file has it."""
    monkeypatch.delenv("KION_API_KEY")
    if place == "environment":
        if "\0" in text:
            pytest.skip("an environment variable cannot hold a NUL")
        monkeypatch.setenv("KION_API_KEY", text)
    elif place == "file":
        (tmp_path / "kion.yml").write_text(json.dumps({"kion": {"api_key": text}}))
    return {"api_key": text} if place == "option" else {}


@pytest.mark.parametrize("place", ["option", "environment", "file"])
@pytest.mark.parametrize("form", AROUND)
def test_white_space_around_a_key_is_removed(kion, monkeypatch, tmp_path, place, form):
    succeed(kion, **give_secret(kion, monkeypatch, tmp_path, place, form.format(API_KEY)))


@pytest.mark.parametrize("place", ["option", "environment", "file"])
@pytest.mark.parametrize("form", DAMAGED)
def test_a_damaged_key_is_refused_before_it_is_sent_and_never_quoted(kion, monkeypatch, tmp_path, place, form):
    result = fail(kion, **give_secret(kion, monkeypatch, tmp_path, place, form.format(API_KEY)))
    assert result["error"] == "InvalidInput" and result["option"] == "api_key" and "damaged" in result["msg"]
    assert kion.seen == [] and "Evil" not in str(result)


@pytest.mark.parametrize("value", [5, True, ["a"], {"a": 1}, "", " "])
def test_a_key_in_the_file_that_is_no_text_is_named(kion, monkeypatch, tmp_path, value):
    monkeypatch.delenv("KION_API_KEY")
    (tmp_path / "kion.yml").write_text(json.dumps({"kion": {"api_key": value}}))
    assert fail(kion)["option"] == "api_key"


@pytest.mark.parametrize("form", ["{}\nx", "{}\0x", "{}\x1b"])
def test_a_damaged_password_is_refused(kion, monkeypatch, form):
    monkeypatch.delenv("KION_API_KEY")
    result = fail(kion, username="jdoe", password=form.format(PASSWORD), idms=2)
    assert result["option"] == "password" and kion.seen == []


@pytest.mark.parametrize("form", DAMAGED)
def test_a_damaged_session_token_is_not_used(kion, monkeypatch, form):
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(200, json.dumps({"data": {"access": {"token": form.format(SESSION)}}}), {})]
    result = fail(kion, username="jdoe", password=PASSWORD, idms=2)
    assert "no session token" in result["msg"] and len(kion.seen) == 1


@pytest.mark.parametrize("form", DAMAGED)
@pytest.mark.parametrize("name", list(KEYS))
def test_damaged_keys_are_not_returned(kion, name, form):
    kion.keys[name] = form.format(KEYS[name])
    assert "no credentials" in fail(kion)["msg"]


def test_a_server_that_repeats_the_secret_is_not_quoted(kion, monkeypatch):
    kion.script = [(400, json.dumps({"message": f"bad\n key {API_KEY}\x1b[2J"}), {}), (500, "x", {})]
    assert "Kion says: bad key ***\N{REPLACEMENT CHARACTER}[2J (HTTP 400)" in fail(kion)["msg"]
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(400, json.dumps({"message": f"bad password {PASSWORD}"}), {})]
    assert "bad password ***" in fail(kion, username="jdoe", password=PASSWORD, idms=2)["msg"]


# --- the settings of the Kion CLI ---


def write_settings(tmp_path, **settings):
    path = tmp_path / "kion.yml"
    path.write_text(json.dumps(settings))
    path.chmod(0o600)
    return path


def test_profiles_and_the_default_region_of_the_kion_cli(kion, monkeypatch, tmp_path):
    monkeypatch.delenv("KION_API_KEY")
    monkeypatch.delenv("KION_URL")
    work = {"url": kion.url, "api_key": API_KEY, "default_region": "us-gov-west-1"}
    write_settings(
        tmp_path, kion={"url": "https://wrong.invalid", "api_key": "wrong"}, profiles={"work": {"kion": work}}
    )
    assert succeed(kion, config_profile="work")["region"] == "us-gov-west-1"
    result = fail(kion, config_profile="home")
    assert result["option"] == "config_profile" and "it has work" in result["msg"]


@pytest.mark.parametrize("profiles", [None, [], "x", {}, {"work": None}, {"work": {"kion": 5}}, {5: {}}])
def test_profiles_that_are_none(kion, tmp_path, profiles):
    write_settings(tmp_path, kion={}, profiles=profiles)
    assert fail(kion, config_profile="work")["option"] in ("config_profile", "config_file", "api_key")


def test_a_profile_without_a_file(kion):
    assert "there is no file" in fail(kion, config_profile="work")["msg"]


def test_settings_that_are_not_used_are_named(kion, monkeypatch, tmp_path):
    monkeypatch.delenv("KION_API_KEY")
    section = {"api_key": API_KEY, "saml_sp_issuer": "x", "disable_cache": True, "username": "", "idms_id": ""}
    write_settings(tmp_path, kion=section, favorites=[], browser={})
    warnings: list[str] = []
    succeed(kion, warnings=warnings)
    assert len(warnings) == 1 and warnings[0].endswith("are not used here: disable_cache, saml_sp_issuer.")


def test_a_login_by_saml_alone_says_that_a_key_is_needed(kion, monkeypatch, tmp_path):
    monkeypatch.delenv("KION_API_KEY")
    write_settings(tmp_path, kion={"saml_metadata_file": "x"})
    assert "needs a browser; use an API key" in fail(kion)["msg"]


def test_a_default_region_that_is_none(kion, monkeypatch, tmp_path):
    monkeypatch.delenv("KION_API_KEY")
    write_settings(tmp_path, kion={"api_key": API_KEY, "default_region": "here"})
    assert "default_region is not the name" in fail(kion)["msg"]


# --- the end of the API key ---

DAY = timedelta(days=1)


def made(days):
    return {"id": 1, "name": "mine", "created_at": (NOW - days * DAY).strftime("%Y-%m-%dT%H:%M:%S+0000")}


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ([made(3.9)], False),
        ([made(4.1)], True),
        ([made(6), made(1)], False),  # which of them is in use is not known
        ([made(6), made(5)], True),
        ([], False),
        (None, False),
        ([{"created_at": "soon"}, {"created_at": None}, {}, 5], False),
        ("text", False),
        ([{"created_at": "9999-12-31T23:59:59+0000"}], False),
    ],
)
def test_an_api_key_near_its_end_is_warned_about(kion, keys, warned):
    kion.api_keys = keys
    warnings: list[str] = []
    succeed(kion, warnings=warnings)
    assert [("Kion's API key ends on 2026-11-2" in one and "rotate_api_key" in one) for one in warnings] == [
        True
    ] * warned


def test_how_long_api_keys_live_can_be_said(kion):
    kion.api_keys = [made(6)]
    warnings: list[str] = []
    succeed(kion, warnings=warnings, api_key_days=14)
    assert warnings == []


LAYOUTS = [
    "kion:\n  url: {url}\n  api_key: {key}   # mine\n  idms_id:\nfavorites: []\n",
    "# top\nkion: {{url: '{url}', api_key: \"{key}\"}}\n",
    "kion:\r\n  api_key: '{key}'\r\n  url: {url}\r\n",
    "kion:\n  api_key: |\n    {key}\n  url: {url}\n",
    "kion:\n  url: {url}\n  api_key: {key}",
    "\ufeffkion:\n  api_key: {key}\n  url: {url}\n",
    '{{"kion": {{"api_key": "{key}", "url": "{url}"}}}}',
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_rotated_key_is_written_back_and_nothing_else_changes(kion, monkeypatch, tmp_path, layout):
    for name in ("KION_API_KEY", "KION_URL"):
        monkeypatch.delenv(name)
    path = tmp_path / "kion.yml"
    path.write_bytes(layout.format(url=kion.url, key=API_KEY).encode())
    path.chmod(0o644)
    kion.api_keys = [made(5)]
    assert succeed(kion, rotate_api_key="near_end")["changed"]
    text = path.read_bytes().decode()
    assert ROTATED in text and API_KEY not in text and path.stat().st_mode & 0o777 == 0o600
    old, new = (yaml.safe_load(one.lstrip("\ufeff")) for one in (layout.format(url=kion.url, key=ROTATED), text))
    new["kion"]["api_key"] = old["kion"]["api_key"] = old["kion"]["api_key"].strip()
    assert new == old and text.count("\r") == layout.count("\r")
    kion.api_keys = [made(0)]
    assert not succeed(kion, rotate_api_key="near_end")["changed"]


def test_the_key_of_a_profile_is_rotated_there(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    path = write_settings(tmp_path, kion={"api_key": "other-key"}, profiles={"work": {"kion": {"api_key": API_KEY}}})
    assert succeed(kion, rotate_api_key="always", config_profile="work")["changed"]
    written = yaml.safe_load(path.read_text())
    assert written["kion"]["api_key"] == "other-key" and written["profiles"]["work"]["kion"]["api_key"] == ROTATED


def test_check_mode_rotates_nothing(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    path = write_settings(tmp_path, kion={"api_key": API_KEY})
    before = path.read_text()
    assert succeed(kion, rotate_api_key="always", check_mode=True)["changed"]
    assert path.read_text() == before and kion.api_key == API_KEY


@pytest.mark.parametrize("how", ["near_end", "always"])
def test_a_key_that_cannot_be_written_back_is_not_rotated(kion, how):
    result = fail(kion, rotate_api_key=how)
    assert result["option"] == "rotate_api_key" and "cannot be written" in result["msg"] and kion.seen == []


def test_a_file_that_cannot_be_written_is_found_out_before_the_old_key_ends(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    folder = tmp_path / "shared"
    folder.mkdir()
    write_settings(folder, kion={"api_key": API_KEY})
    folder.chmod(0o777)
    monkeypatch.setenv("KION_CONFIG", str(folder / "kion.yml"))
    fail(kion, rotate_api_key="always")
    assert kion.api_key == API_KEY
    folder.chmod(0o700)


def test_a_key_that_stands_elsewhere_in_the_file_is_not_rotated(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    path, text = tmp_path / "kion.yml", f"mine: &key {API_KEY}\nkion: {{api_key: *key}}\n"
    path.write_text(text)
    assert "without changing other settings" in fail(kion, rotate_api_key="always")["msg"]
    assert kion.api_key == API_KEY and path.read_text() == text


def test_a_key_that_another_run_has_just_rotated_is_not_rotated_again(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    path = write_settings(tmp_path, kion={"api_key": API_KEY})
    rotated, answer = json.dumps({"kion": {"api_key": ROTATED}}), kion.answer

    def rotated_after_the_keys(method, place, *request):
        if place == "/api/v3/app-api-key":
            path.write_text(rotated)
        return answer(method, place, *request)

    monkeypatch.setattr(kion, "answer", rotated_after_the_keys)
    assert not succeed(kion, rotate_api_key="always")["changed"]
    assert path.read_text() == rotated and kion.api_key == API_KEY  # as this server knows of no other run


def test_a_rotated_key_is_masked(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    monkeypatch.setattr(_masking, "_known", set())
    write_settings(tmp_path, kion={"api_key": API_KEY})
    succeed(kion, rotate_api_key="always")
    assert _masking.mask(f"Bearer {ROTATED}") == f"Bearer {_masking.MASK}"


@pytest.mark.parametrize(
    "answer", [(500, "x"), (403, '{"message": "no"}'), (200, "{}"), (200, '{"data": {"key": "a b"}}')]
)
def test_a_rotation_that_fails_leaves_the_file(kion, tmp_path, monkeypatch, answer):
    monkeypatch.delenv("KION_API_KEY")
    path = write_settings(tmp_path, kion={"api_key": API_KEY})
    data = json.dumps({"data": {**KEYS, "duration": 3600}})
    kion.script = [(200, data, {}), (403, '{"message": "no list"}', {}), (*answer, {})]
    naps: list[float] = []
    fail(kion, naps=naps, rotate_api_key="always")
    assert naps == [] and yaml.safe_load(path.read_text()) == {"kion": {"api_key": API_KEY}}


def test_a_key_that_another_run_has_rotated_meanwhile_is_taken_from_the_file(kion, tmp_path, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    path = write_settings(tmp_path, kion={"api_key": API_KEY})
    answer = kion.answer

    def rotated_meanwhile(*request):
        if kion.api_key != ROTATED:
            kion.api_key = ROTATED
            path.write_text(json.dumps({"kion": {"api_key": ROTATED}}))
        return answer(*request)

    monkeypatch.setattr(kion, "answer", rotated_meanwhile)
    succeed(kion)
    assert kion.asked() == ["/api/v3/temporary-credentials/cloud-access-role"] * 2


def test_a_key_that_another_run_is_rotating_is_awaited(kion, tmp_path, monkeypatch):
    """Kion no longer accepts the old key, and the other run has not written the new one yet."""
    monkeypatch.delenv("KION_API_KEY")
    path = write_settings(tmp_path, kion={"api_key": API_KEY})
    kion.api_key = ROTATED
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        class Naps(list):
            def append(self, _seconds):
                path.write_text(json.dumps({"kion": {"api_key": ROTATED}}))
                fcntl.flock(lock, fcntl.LOCK_UN)

        succeed(kion, naps=Naps())
    assert kion.asked() == ["/api/v3/temporary-credentials/cloud-access-role"] * 2


# --- hostile answers ---

NAMES = [
    "data", "status", "message", "duration", "access_key", "secret_access_key", "session_token", "access", "token",
    "key", "created_at", "id", "idms_type_id", "name", "account_number", "account_alias", "aws_iam_role_name",
    "account_name", "deleted_at", "Time", "Valid", "short_term_access_keys", "aws_temporary_credentials_duration",
]  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(list(KEYS.values())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner),
    max_leaves=20,
)
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps({"data": value}).encode())
)
ANSWERS = st.tuples(st.sampled_from([200, 201, 302, 400, 401, 403, 404, 429, 500, 503]), BODIES, st.text(max_size=4))
LOGINS = [
    {"api_key": API_KEY},
    {"username": "jdoe", "password": PASSWORD},
    {"username": "jdoe", "password": PASSWORD, "idms": 2},
]


@given(
    answers=st.lists(ANSWERS, min_size=1, max_size=6),
    login=st.sampled_from(LOGINS),
    account=st.sampled_from(["123456789012", "sbg-dev"]),
    by=st.sampled_from(["cloud_access_role", "iam_role_name"]),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_answer_is_keys_or_a_sentence(answers, login, account, by):
    queue = itertools.cycle([Answer(*answer) for answer in answers])
    given_options = {
        "url": "https://kion.example.org",
        "config_file": "/nowhere",
        "account": account,
        by: "Operator",
        **login,
    }
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec), **OPERATION.constraints).validate(given_options)
    runtime = Runtime(now=lambda: NOW, sleep=lambda seconds: None, jitter=lambda most: most)
    with mock.patch.object(client.Kion, "_send", lambda *_: next(queue)):
        succeeded, result = OPERATION.run(checked.validated_parameters, runtime)
    if succeeded:
        assert all(
            secret_text.is_key(result["sts_creds"][name]) for name in ("access_key", "secret_key", "session_token")
        )
        return
    assert result["error"] in ("KionRefused", "ConnectionProblem", "InvalidInput", "RoleNotYours"), result
    assert result["msg"].isprintable()
    for secret in (API_KEY, PASSWORD):
        assert secret not in json.dumps(result)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"data":' * 50_000, b"1" * 5000, b"\xff" * 100, b'{"data": 1e999}'])
def test_bodies_that_break_parsers(kion, monkeypatch, body):
    monkeypatch.setattr(client.Kion, "_send", lambda *_: Answer(200, body))
    assert fail(kion)["error"] == "ConnectionProblem"


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"Invalid header value b'Bearer {API_KEY}'"),
        OSError(f"proxy: {API_KEY}"),
        http.client.BadStatusLine(API_KEY),
        http.client.IncompleteRead(API_KEY.encode()),
        URLError(f"unknown: {API_KEY}"),
        URLError(OSError(5, "Input/output error")),
    ],
)
def test_no_text_of_a_library_is_quoted(kion, monkeypatch, error):
    monkeypatch.setattr(client, "open_url", mock.Mock(side_effect=error))
    result = fail(kion)
    assert result["error"] == "ConnectionProblem" and "cannot be reached" in result["msg"]
