# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_token`` with ``method: web_identity``, for somebody who has no AWS credentials at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._issuing import OPERATION
from botocore.stub import Stubber

from tests.support.oidc import token, unsigned

ACCOUNT = "123456789012"
ISSUER = "https://login.example.org/realm"
PROVIDERS = [{"provider": ISSUER, "audiences": ["sbg"], "subjects": ["jdoe"]}]
BASE = {
    "project": "sbg",
    "venue": "dev",
    "user": "jdoe",
    "method": "web_identity",
    "web_identity_token_variable": "TOKEN_OF_THE_JOB",
    "expected_account_id": ACCOUNT,
    "oidc_providers": PROVIDERS,
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/unity-sbg-dev-sts"


@pytest.fixture
def aws(moto: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where AWS is, no credentials, and a token in the environment."""
    monkeypatch.setenv("AWS_URL", moto.url)
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("TOKEN_OF_THE_JOB", token(ISSUER))
    return monkeypatch


def run(check_mode: bool = False, **options: Any) -> tuple[bool, dict[str, Any]]:
    given = {name: value for name, value in {**BASE, **options}.items() if value is not None}
    checked = ArgumentSpecValidator(
        {**aws_argument_spec(), **OPERATION.argument_spec}, **OPERATION.constraints
    ).validate(given)
    assert not checked.error_messages, checked.error_messages
    return OPERATION.run(checked.validated_parameters, Runtime(check_mode=check_mode))


def fail(**options: Any) -> str:
    succeeded, result = run(**options)
    assert not succeeded, result
    return str(result["msg"])


def test_a_token_from_the_environment(aws: Any) -> None:
    succeeded, result = run(duration_seconds=43200, verify=False)
    assert succeeded, result
    receipt = result["receipt"]
    assert receipt["method"] == "web_identity"
    assert receipt["role_arn"] == ROLE
    assert receipt["session_name"].startswith("jdoe-")
    assert receipt["duration_seconds"] == 43200  # not chained
    assert receipt["issuer_arn"] is None
    assert receipt["external_id_source"] is None
    assert receipt["context"] == {
        "web_identity_issuer": "login.example.org/realm",
        "web_identity_subject": "jdoe",
    }
    assert receipt["note"].startswith("Receipts of this method are not complete")
    assert token(ISSUER) not in json.dumps(result)


def test_a_token_from_the_file_that_awx_and_aws_name(aws: Any, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text(token(ISSUER))
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in fail(web_identity_token_variable=None)
    aws.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
    succeeded, result = run(web_identity_token_variable=None, verify=False)
    assert succeeded, result
    aws.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent")
    assert "'/nonexistent' cannot be read" in fail(web_identity_token_variable=None)
    assert run(verify=False)[0], "the variable that is named comes first"


def test_a_token_from_a_file_and_the_limits(aws: Any, tmp_path: Any) -> None:
    file = tmp_path / "token"
    file.write_text(token(ISSUER) + "\n")
    source = {"web_identity_token_variable": None, "web_identity_token_file": str(file)}
    limits = {"access": ["s3_read"], "buckets": ["sbg-dev-unity-data"], "duration_seconds": 1800}
    succeeded, result = run(check_mode=True, **source, limits=limits)
    assert succeeded, result
    assert result["receipt"]["duration_seconds"] == 1800
    assert result["receipt"]["allows"]["access"] == ["s3_read"]
    assert "access" in fail(**source, limits=limits, access=["ecr_push"])
    assert "buckets: is required with method web_identity" in fail(**source, access=["s3_read"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (unsigned(ISSUER), "is not signed (alg: none)"),
        (token(ISSUER, exp=1), "expired at 1970"),
        (token("https://evil.example.org"), "which the venue does not trust"),
        (token(ISSUER, aud="emit"), "is for the audience 'emit'"),
        (token(ISSUER, sub="eve"), "is about the subject 'eve'"),
        ("", "the environment variable TOKEN_OF_THE_JOB is not set or empty"),
    ],
)
def test_what_is_refused_before_aws_is_asked(aws: Any, given: str, message: str) -> None:
    aws.setenv("TOKEN_OF_THE_JOB", given)
    aws.setenv("AWS_URL", "http://127.0.0.1:1")  # nobody is there
    assert message in fail()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"web_identity_token_variable": None}, "web_identity_token_file: is required"),
        ({"web_identity_token_variable": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}, "not the token itself"),
        ({"expected_account_id": None}, "expected_account_id: is required with method web_identity"),
        ({"external_id": "an-external-id"}, "external_id: cannot be given with method web_identity"),
        ({"tags": {"a": "b"}}, "tags: cannot be given with method web_identity"),
        ({"source_identity": "jdoe"}, "source_identity: cannot be given with method web_identity"),
        ({"tag_session": True}, "tag_session: cannot be given with method web_identity"),
        ({"require_requester_external_id": True}, "has no effect with method web_identity"),
        ({"saml_assertion_file": "x"}, "is for method saml only"),
        ({"method": "assume_role"}, "is for method web_identity only"),
        (
            {"web_identity_token_variable": None, "web_identity_token_file": "/nowhere/token"},
            "'/nowhere/token' cannot be read",
        ),
        ({"web_identity_token_variable": None, "web_identity_token_file": "/bin/sh"}, "is not ASCII text"),
        (
            {"oidc_providers": [{**PROVIDERS[0], "provider": "arn:aws:iam::210987654321:oidc-provider/x.org"}]},
            "which the venue does not trust",
        ),
    ],
)
def test_options_that_cannot_be_right(aws: Any, options: dict[str, Any], message: str) -> None:
    assert message in fail(**options)


def test_the_account_comes_from_an_arn_as_well(aws: Any) -> None:
    providers = [{**PROVIDERS[0], "provider": f"arn:aws:iam::{ACCOUNT}:oidc-provider/login.example.org/realm"}]
    _succeeded, result = run(check_mode=True, expected_account_id=None, oidc_providers=providers)
    assert result["receipt"]["account_id"] == ACCOUNT
    role_arn = f"arn:aws:iam::{ACCOUNT}:role/path/other"
    _succeeded, result = run(check_mode=True, expected_account_id=None, role_arn=role_arn)
    assert result["receipt"]["role_arn"] == role_arn


@pytest.mark.parametrize(
    ("code", "said", "message"),
    [
        ("InvalidIdentityToken", "No OpenIDConnect provider found in your account", "IAM must have the OIDC provider"),
        ("IDPCommunicationError", "x", "Run again"),
        ("ExpiredTokenException", "Token expired", "Get a new token"),
        ("AccessDenied", "Not authorized", "The token is from login.example.org/realm, for sbg, about jdoe."),
        ("ValidationError", "The requested DurationSeconds exceeds", "max_session_duration"),
    ],
)
def test_what_sts_says_comes_with_what_to_do(aws: Any, code: str, said: str, message: str) -> None:
    clients = Clients({"region": "us-west-2"})
    client = clients.unsigned_client("sts")
    aws.setattr(Clients, "unsigned_client", lambda _self, _service: client)
    with Stubber(client) as stubber:
        for _attempt in range(6):
            stubber.add_client_error("assume_role_with_web_identity", code, f"{said} {token(ISSUER)}", 400)
        succeeded, result = run()
    assert (succeeded, result["error"]) == (False, "WebIdentityProblem")
    assert message in result["msg"]
    assert token(ISSUER) not in json.dumps(result)
    assert result["receipt"]["state"] == "failed"
