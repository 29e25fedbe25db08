# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_token`` with ``method: saml``, for somebody who has no AWS credentials at all."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pty
import re
import select
import time

import botocore.httpsession
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._issuing import OPERATION
from botocore.stub import Stubber

from tests.conftest import ROOT
from tests.support.playbook import ansible_playbook

pytest.importorskip("signxml", reason="signxml is not installed in this environment")

from tests.support.saml import PROVIDER, ROLE, signed

BASE = {"project": "sbg", "venue": "dev", "user": "jdoe", "method": "saml"}


def fresh():
    return signed(issued=datetime.datetime.now(datetime.UTC))


@pytest.fixture
def aws(moto, monkeypatch):
    """Where AWS is, and no credentials."""
    monkeypatch.setenv("AWS_URL", moto.url)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    return moto


def run(check_mode=False, **options):
    given = {**BASE, **options}
    checked = ArgumentSpecValidator(
        {**aws_argument_spec(), **OPERATION.argument_spec}, **OPERATION.constraints
    ).validate(given)
    assert not checked.error_messages, checked.error_messages
    return OPERATION.run(checked.validated_parameters, Runtime(check_mode=check_mode))


def fail(**options):
    succeeded, result = run(**options)
    assert not succeeded
    assert options.get("saml_assertion", "\0") not in str(result)
    return result


def test_a_token_comes_without_credentials_and_is_verified(aws):
    succeeded, result = run(saml_assertion=fresh(), verify=True)
    assert succeeded, result
    assert set(result["token"]) == {"AssumedRoleUser", "Credentials"}
    assert result["token"]["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe"
    receipt = result["receipt"]
    assert (receipt["method"], receipt["role_arn"], receipt["session_name"]) == ("saml", ROLE, "jdoe")
    assert (receipt["duration_requested"], receipt["issuer_arn"], receipt["external_id_source"]) == (1800, None, None)


def test_the_call_is_unsigned_even_where_there_are_credentials(aws, monkeypatch):
    requests = []
    send = botocore.httpsession.URLLib3Session.send
    monkeypatch.setattr(
        botocore.httpsession.URLLib3Session,
        "send",
        lambda self, request: requests.append(request) or send(self, request),
    )
    succeeded, result = run(saml_assertion=fresh(), access_key="testing", secret_key="testing")
    assert succeeded, result
    assert len(requests) == 1 and "Authorization" not in requests[0].headers
    assert "DurationSeconds=1800" in str(requests[0].body)


def test_check_mode_reads_and_asks_nobody(monkeypatch):
    monkeypatch.setenv("AWS_URL", "http://127.0.0.1:9")
    succeeded, result = run(check_mode=True, saml_assertion=fresh(), region="us-west-2")
    assert succeeded and result["token"] is None and result["receipt"]["role_arn"] == ROLE


def test_the_assertion_may_be_in_a_file(aws, tmp_path):
    path = tmp_path / "response"
    path.write_text(f"{fresh()}\n")
    assert run(saml_assertion_file=str(path))[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "empty"),
        (lambda path: path.write_bytes(b"\x80"), "does not contain text"),
    ],
)
def test_a_file_that_is_none_is_named(aws, tmp_path, make, words):
    path = tmp_path / "response"
    make(path)
    assert words in fail(saml_assertion_file=str(path))["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "saml_assertion_file"),
        ({"external_id": "x1"}, "external_id"),
        ({"tags": {"a": "b"}}, "tags"),
        ({"source_identity": "x1"}, "source_identity"),
        ({"require_requester_external_id": True}, "require_requester_external_id"),
        ({"method": "assume_role", "saml_provider_arn": PROVIDER}, "saml_provider_arn"),
        ({"duration_seconds": 899}, "duration_seconds"),
    ],
)
def test_options_that_do_not_go_together(options, words):
    result = fail(
        **{"saml_assertion_file": "/nowhere"} if options and options.get("method") != "assume_role" else {},
        **options,
        region="us-west-2",
    )
    assert result["error"] == "InvalidInput" and words in result["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"expected_account_id": "210987654321"}, "in account 210987654321"),
        ({"role_arn": "arn:aws:iam::123456789012:role/other"}, f"It is for {ROLE}"),
        ({"saml_provider_arn": "arn:aws:iam::123456789012:saml-provider/Other"}, "not from the provider"),
        ({"saml_provider_arn": "arn:aws:iam::123456789012:role/x"}, "saml_provider_arn"),
        ({"venue": "ops"}, "unity-sbg-ops-sts"),
        ({"access": ["s3_read"]}, "buckets"),
    ],
)
def test_a_response_that_does_not_fit_is_refused_before_sts_is_asked(monkeypatch, options, words):
    monkeypatch.setenv("AWS_URL", "http://127.0.0.1:9")
    assert words in fail(saml_assertion=fresh(), region="us-west-2", **options)["msg"]


def test_a_narrowed_token_keeps_to_the_named_bucket(aws):
    succeeded, result = run(saml_assertion=fresh(), access=["s3_read"], buckets=["sbg-dev-unity-data"])
    assert succeeded and result["receipt"]["allows"]["access"] == ["s3_read"]


def test_an_expired_response_is_named():
    old = signed(issued=datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1))
    result = fail(saml_assertion=old, region="us-west-2")
    assert result["error"] == "SamlProblem" and "has expired" in result["msg"] and "5 minutes" in result["msg"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "within 5 minutes of the login"),
        ("InvalidIdentityToken", "metadata"),
        ("AccessDenied", "trust policy"),
        ("IDPRejectedClaim", "Log in again"),
    ],
)
def test_what_sts_says_of_a_response_is_put_into_words(aws, monkeypatch, code, words):
    make = Clients.unsigned_client

    def refusing(self, service):
        client = make(self, service)
        stubber = Stubber(client)
        stubber.add_client_error("assume_role_with_saml", code, "No.")
        stubber.activate()
        return client

    monkeypatch.setattr(Clients, "unsigned_client", refusing)
    result = fail(saml_assertion=fresh())
    assert result["error"] == "SamlProblem" and words in result["msg"] and "Kion" not in result["msg"]


def test_a_play_shows_the_receipt_and_neither_assertion_nor_keys(moto, tmp_path):
    assertion = fresh()
    (tmp_path / "response").write_text(assertion)
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "roles": [{"role": "mdps.venue_sts.issue"}],
            "vars": {
                "issue_project": "sbg",
                "issue_venue": "dev",
                "issue_user": "jdoe",
                "issue_method": "saml",
            },
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    env = {"AWS_URL": moto.url, "AWS_REGION": "us-west-2"}
    for option, value in (("saml_assertion_file", str(tmp_path / "response")), ("saml_assertion", assertion)):
        token = tmp_path / f"{option}.json"
        (tmp_path / "vars.json").write_text(json.dumps({f"issue_{option}": value, "issue_dest": str(token)}))
        run = ansible_playbook("play.yml", "-e", "@vars.json", "-vvvvv", env=env, cwd=tmp_path).expect()
        keys = json.loads(token.read_text())["Credentials"]
        assert "saml_subject" in run.output
        for secret in (assertion[:60], keys["SecretAccessKey"], keys["SessionToken"]):
            assert secret not in run.output


def test_the_documented_command_saves_a_response_that_is_longer_than_a_line_of_a_terminal(tmp_path):
    page = (ROOT / "docs/saml.md").read_text()
    command = re.search(r"^ +(\(umask 077; stty .*\))", page, re.MULTILINE)[1]
    text = "A" * 12_000
    child, terminal = pty.fork()
    if not child:
        os.execve("/bin/sh", ["sh", "-c", f"echo ready; {command}"], {**os.environ, "HOME": str(tmp_path)})
    seen = b""
    while b"ready" not in seen:
        seen += os.read(terminal, 1024)
    saved, sent, deadline = tmp_path / "saml-response.txt", f"{text}\n".encode(), time.monotonic() + 60
    while not (saved.exists() and saved.stat().st_size > len(text)) and time.monotonic() < deadline:
        readable, writable, _failed = select.select([terminal], [terminal] if sent else [], [], 1)
        if readable:
            with contextlib.suppress(OSError):  # the command has ended
                seen += os.read(terminal, 65_536)
        if writable and b"stty" not in seen and saved.exists():  # the terminal is set before the file is made
            sent = sent[os.write(terminal, sent[:512]) :]
    os.waitpid(child, 0)
    os.close(terminal)
    assert saved.read_text().strip() == text and saved.stat().st_mode & 0o777 == 0o600
    assert text[:100].encode() not in seen
