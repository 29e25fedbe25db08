# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``kion_credentials`` against a Kion over TLS."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.kion import OPERATION

from tests.support.kion import API_KEY, KEYS, PASSWORD, SESSION, Kion, role
from tests.support.servers import free_port

NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
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


def run(kion, naps=None, warnings=None, **options):
    given = {"ca_path": str(kion.ca), **OPERATOR, **options}
    given = {name: value for name, value in given.items() if value is not None}
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec), **OPERATION.constraints).validate(given)
    assert not checked.error_messages
    sleep = (naps if naps is not None else []).append
    runtime = Runtime(
        now=lambda: NOW, sleep=sleep, jitter=lambda most: most, warn=(warnings if warnings is not None else []).append
    )
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
    }
    assert len(kion.seen) == 1


def test_an_iam_role_name_goes_to_the_other_endpoint(kion):
    succeed(kion, cloud_access_role=None, iam_role_name="mcp-tenantOperator")
    assert kion.seen == [
        (
            "POST",
            "/api/v3/temporary-credentials",
            {"account_number": "123456789012", "iam_role_name": "mcp-tenantOperator"},
        )
    ]


def test_an_alias_serves_both_endpoints(kion):
    succeed(kion, account="sbg-dev")
    succeed(kion, account="sbg-dev", cloud_access_role=None, iam_role_name="mcp-tenantOperator")
    assert kion.seen[0][2] == {"account_number": "", "account_alias": "sbg-dev", "cloud_access_role_name": "Operator"}
    assert kion.seen[-1][2] == {"account_number": "123456789012", "iam_role_name": "mcp-tenantOperator"}


@pytest.mark.parametrize("address", ["{}/", "{}/api", "{}/api/"])
def test_the_address_may_end_as_people_write_it(kion, address):
    succeed(kion, url=address.format(kion.url))


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
    assert result["sts_creds"]["expiration"] == result["token"]["Credentials"]["Expiration"] == expires


def test_keys_that_do_not_live_long_enough_are_refused(kion):
    succeed(kion, minimum_seconds=3600)
    result = fail(kion, minimum_seconds=3601)
    assert result["error"] == "KeysTooShort" and "3600 seconds only, and 3601 are needed" in result["msg"]
    kion.duration, kion.setting = None, None
    succeed(kion, minimum_seconds=3601)


def test_user_name_and_password_log_in(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    succeed(kion, username="jdoe", password=PASSWORD, idms=2)
    assert kion.seen[0][1] == "/api/v3/token"


def test_a_wrong_password_is_named_though_kion_calls_it_a_bad_request(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    result = fail(kion, username="jdoe", password="wrong-" + PASSWORD, idms=2)
    assert "user name and password" in result["msg"] and result["status"] == 400


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
    assert "gives no temporary keys" in fail(kion)["msg"]
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
    assert ("does not know aliases" in result["msg"]) is blamed


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
    assert "sends the request elsewhere" in fail(kion)["msg"]
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
        ({"url": "https://user:pw@kion.example.org"}, "url"),
        ({"url": "https://kion.example.org?x=1"}, "url"),
        ({"url": "https://[kion"}, "url"),
        ({"url": "https://kion:port"}, "url"),
        ({"account": "12345"}, "12 digits"),
        ({"account": " "}, "account"),
        ({"minimum_seconds": -1}, "minimum_seconds"),
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
        "no account of yours has the alias 'elsewhere'"
        in fail(kion, account="elsewhere", cloud_access_role=None, iam_role_name="x")["msg"]
    )


def test_a_login_that_gives_no_session(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(200, '{"data": {"access": {}}}', {})]
    assert "no session token" in fail(kion, username="jdoe", password=PASSWORD, idms=2)["msg"]


def test_a_login_while_kion_is_down(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    kion.script = [(503, "{}", {})] * 4
    assert fail(kion, username="jdoe", password=PASSWORD, idms=2)["status"] == 503


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


def test_a_login_without_its_identity_system(kion, monkeypatch):
    monkeypatch.delenv("KION_API_KEY")
    assert "idms" in fail(kion, username="jdoe", password=PASSWORD)["msg"]
