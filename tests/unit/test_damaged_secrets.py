# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that were damaged in copying: white space around them goes, and no failure quotes what is left."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils import urls
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.calls import call
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError
from ansible_collections.mdps.venue_sts.plugins.module_utils._kion import client as kion
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels import email, https
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels.channel import Parcel

SENTINEL = "SeNtInEl/secret+0123456789"
DAMAGE = {
    "nothing": "", "line feed": "\n", "carriage return": "\r", "both": "\r\n", "NUL": "\0", "other letters": "é\u4e2d",
    "quotes": "\"'", "blank": " ", "line break inside": "\nmore", "escape": "\x1b[2J",
}  # fmt: skip
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(params=DAMAGE)
def secret(request: pytest.FixtureRequest) -> str:
    return SENTINEL + DAMAGE[request.param]


def assert_nothing_is_quoted(error: VenueError) -> None:
    assert SENTINEL not in str(error) and SENTINEL not in repr(error.to_result())
    assert error.message.isprintable()
    assert error.__cause__ is None, "the traceback would show the cause"
    assert error.__context__ is None or error.__suppress_context__, "the traceback would show the context"


def clients(**given: Any) -> Clients:
    unset = dict.fromkeys(
        ("access_key", "secret_key", "session_token", "profile", "aws_ca_bundle", "debug_botocore_endpoint_logs")
    )
    once = {"retries": {"total_max_attempts": 1}}
    params = {
        **unset,
        "region": "us-west-2",
        "endpoint_url": CLOSED,
        "aws_config": once,
        "validate_certs": True,
        **given,
    }
    return Clients(params)


def identify(made: Clients) -> None:
    call(made.client("sts"), "get_caller_identity", "identify the caller")


KEYS = {"access_key": "ASIAEXAMPLEEXAMPLE00", "secret_key": "k" * 40, "session_token": "t" * 100}
VARIABLES = {
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
}


@pytest.mark.parametrize("option", KEYS)
def test_aws_keys_among_the_options(option: str, secret: str) -> None:
    with pytest.raises(VenueError) as caught:
        identify(clients(**{**KEYS, option: secret}))
    assert_nothing_is_quoted(caught.value)
    usable = secret.strip(" \r\n\0").isascii() and secret.strip(" \r\n\0").isprintable()
    assert ("cannot be reached" in caught.value.message) == usable


@pytest.mark.parametrize("option", KEYS)
def test_aws_keys_in_the_environment(monkeypatch: pytest.MonkeyPatch, option: str, secret: str) -> None:
    if "\0" in secret:
        pytest.skip("an environment has no NUL")
    for name, value in {**KEYS, option: secret}.items():
        monkeypatch.setenv(VARIABLES[name], value)
    with pytest.raises(VenueError) as caught:
        identify(clients())
    assert_nothing_is_quoted(caught.value)
    assert ("cannot be reached" in caught.value.message) == (
        secret.isascii() and secret.isprintable() and " " not in secret
    )


@pytest.mark.parametrize("raised", [ValueError, UnicodeError, OSError])
def test_headers_of_the_https_channel(monkeypatch: pytest.MonkeyPatch, secret: str, raised: type[Exception]) -> None:
    def refuse(*_arguments: Any, headers: dict[str, str], **_named: Any) -> None:
        raise raised(f"Invalid header value {headers['Authorization'].encode()!r} or {headers['Authorization']}")

    monkeypatch.setattr(urls, "open_url", refuse)
    options = {"url": "https://host/", "method": "PUT", "headers": {"Authorization": f"Bearer {secret}"}}
    with pytest.raises(VenueError) as caught:
        channel = https.HttpsChannel.from_options({"https": {**options, "field_name": "file"}})
        channel.deliver(Parcel("x.zip", b"", "application/zip", "age"))
    assert_nothing_is_quoted(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPAuthenticationError(535, b"no login with SeNtInEl/secret+0123456789"),
        smtplib.SMTPException("AUTH PLAIN SeNtInEl/secret+0123456789"),
        smtplib.SMTPServerDisconnected("SeNtInEl/secret+0123456789"),
        OSError("SeNtInEl/secret+0123456789"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_login_of_the_email_channel(monkeypatch: pytest.MonkeyPatch, secret: str, error: Exception) -> None:
    class Server:
        def close(self) -> None:
            """Nothing to close."""

        def login(self, username: str, password: str) -> None:
            assert password == password.strip()
            raise error

    monkeypatch.setattr(email.EmailChannel, "_connect", lambda _self: Server())
    given = {
        "host": "smtp.example.org",
        "sender": "a@example.org",
        "tls": "tls",
        "username": "jane",
        "password": secret,
    }
    with pytest.raises(VenueError) as caught:
        email.EmailChannel.from_options({"email": given}).deliver(
            Parcel("x.eml", b"To: b@example.org\n\n", "", "smime")
        )
    assert_nothing_is_quoted(caught.value)


@pytest.fixture
def no_pauses() -> Iterator[Any]:
    yield lambda _seconds: None


@pytest.mark.parametrize("raised", [ValueError, OSError, UnicodeError])
def test_the_key_of_kion(monkeypatch: pytest.MonkeyPatch, secret: str, no_pauses: Any, raised: type[Exception]) -> None:
    def refuse(*_arguments: Any, headers: dict[str, str], **_named: Any) -> None:
        raise raised(f"Invalid header value {headers['Authorization']!r}")

    monkeypatch.setattr(kion, "open_url", refuse)
    with pytest.raises(VenueError) as caught:
        kion.Kion("https://kion.example.org", secret, None, no_pauses, lambda most: most).get("/version")
    assert_nothing_is_quoted(caught.value)
