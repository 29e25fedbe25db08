# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens for a proof instead of AWS credentials: STS is asked for no more than with credentials."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.policies import values
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import _saml, role
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing

from tests.support.account import MOTO_ACCOUNT, Account, Runner

pytest.importorskip("signxml", reason="signxml is not installed in this environment")

from tests.support import oidc, saml

ARN = f"arn:aws:iam::{MOTO_ACCOUNT}:role/unity-sbg-dev-sts"
ISSUER = "https://login.example.org/realm"
BUCKET = "sbg-dev-unity-data"
VARIABLE = "TOKEN_OF_THE_JOB"
BY_HAND = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
LIMITS = {"access": ["s3_read"], "buckets": [BUCKET], "duration_seconds": 1200}
CALLS = {"saml": "sts:AssumeRoleWithSAML", "web_identity": "sts:AssumeRoleWithWebIdentity"}
USUAL = {"saml": 1800, "web_identity": 3600}
WHERE = {"saml": {"RoleArn", "PrincipalArn"}, "web_identity": {"RoleArn", "RoleSessionName"}}
PROOFS = {"saml": "SAMLAssertion", "web_identity": "WebIdentityToken"}
# What a token can be limited by: the options, and what they limit it by beside the session policy.
LIMITED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "access and buckets": ({"access": ["s3_read"], "buckets": [BUCKET]}, {}),
    "a folder": ({"access": ["s3_read"], "buckets": [BUCKET], "bucket_prefixes": ["incoming/"]}, {}),
    "repositories": ({"access": ["ecr_pull"], "ecr_repositories": ["sbg/app"]}, {}),
    "buckets alone": ({"buckets": [BUCKET]}, {}),
    "the limits of the venue": ({"limits": LIMITS}, {"DurationSeconds": 1200}),
    "a policy manually": ({"session_policy": json.dumps(BY_HAND)}, {}),
    "a managed policy": ({"policy_arns": [READ_ONLY]}, {"PolicyArns": [{"arn": READ_ONLY}]}),
    "a duration": ({"duration_seconds": 900}, {"DurationSeconds": 900}),
    "everything at once": (
        {"access": ["s3_read"], "limits": LIMITS, "duration_seconds": 1000},
        {"DurationSeconds": 1000},
    ),
    "nothing": ({}, {}),
}


@pytest.fixture(params=list(CALLS))
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def issue(account: Account, method: str, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Issues with a fresh proof, in the account of a venue that is provisioned."""
    Runner(role.OPERATION, account, project="sbg", venue="dev").execute()
    monkeypatch.setenv(VARIABLE, oidc.token(ISSUER))
    proofs: dict[str, dict[str, Any]] = {
        "saml": {"saml_assertion": saml.signed(issued=datetime.now(UTC))},
        "web_identity": {"web_identity_token_variable": VARIABLE, "role_arn": ARN},
    }
    always = {"project": "sbg", "venue": "dev", "user": "jdoe", "method": method}
    return Runner(issuing.OPERATION, account, **always, **proofs[method])


def asked(account: Account, call: str) -> dict[str, Any]:
    """What STS was asked besides the proof, with the session policy read."""
    given = {name: value for name, value in account.asked(call).items() if name not in PROOFS.values()}
    return {**given, "Policy": json.loads(given["Policy"])} if "Policy" in given else given


@pytest.mark.parametrize("name", LIMITED)
def test_sts_is_asked_for_the_same_limits_as_with_credentials(
    name: str, issue: Runner, account: Account, method: str
) -> None:
    options, limits = LIMITED[name]
    issue.execute(**options)
    here = asked(account, CALLS[method])
    Runner(issuing.OPERATION, account, project="sbg", venue="dev", user="jdoe").execute(**options)
    signed = asked(account, "sts:AssumeRole")
    policy = {"Policy": signed["Policy"]} if "Policy" in signed else {}
    wanted = {"DurationSeconds": USUAL[method], **limits, **policy}
    assert {one: value for one, value in here.items() if one not in WHERE[method]} == wanted
    assert bool(policy) is bool({"access", "buckets", "limits", "session_policy"} & set(options))


def test_a_narrowed_token_is_for_the_named_bucket_and_for_reading(issue: Runner, account: Account, method: str) -> None:
    issue.execute(access=["s3_read"], buckets=[BUCKET], bucket_prefixes=["incoming/"])
    statements = asked(account, CALLS[method])["Policy"]["Statement"]
    (reading,) = [values(each["Resource"]) for each in statements if "s3:GetObject" in values(each["Action"])]
    assert reading == [f"arn:aws:s3:::{BUCKET}/incoming/*"]
    assert not any(word in json.dumps(statements) for word in ("s3:PutObject", "s3:DeleteObject", "ecr:"))


def test_a_policy_by_hand_reaches_sts_as_it_is_without_white_space(
    issue: Runner, account: Account, method: str
) -> None:
    issue.execute(session_policy=json.dumps(BY_HAND, indent=2))
    assert account.asked(CALLS[method])["Policy"] == json.dumps(BY_HAND, separators=(",", ":"))


def test_the_role_and_the_session_are_those_of_the_receipt(issue: Runner, account: Account, method: str) -> None:
    receipt = issue.execute(access=["s3_read"], buckets=[BUCKET])["receipt"]
    sent = asked(account, CALLS[method])
    assert {sent["RoleArn"], receipt["role_arn"]} == {ARN}
    assert sent.get("RoleSessionName", "jdoe") == receipt["session_name"]
    assert sent["DurationSeconds"] == receipt["duration_seconds"] == USUAL[method]


SAML_OPTIONS = dict.fromkeys(("saml_assertion", "saml_assertion_file", "saml_provider_arn", "role_arn"))


def test_a_response_is_not_among_what_its_options_show() -> None:
    response = saml.signed(issued=datetime.now(UTC))
    options = _saml.parse({**SAML_OPTIONS, "saml_assertion": response})
    assert _saml.read_assertion(options).encoded == response
    assert response not in repr(options)


@pytest.mark.parametrize("empty", [None, ""])
def test_the_method_saml_needs_a_response(empty: str | None) -> None:
    with pytest.raises(InvalidInput, match="saml_assertion_file: is required, or saml_assertion"):
        _saml.parse({**SAML_OPTIONS, "saml_assertion": empty, "role_arn": ARN})


@pytest.mark.parametrize(("option", "name"), [("jdoe", "jdoe"), ("", None)])
def test_the_session_of_an_encrypted_assertion_is_that_of_the_option(option: str, name: str | None) -> None:
    """Its attributes are not readable, and the receipt needs the name."""
    response: Any = SimpleNamespace(is_encrypted=True, session_names=())
    if name:
        assert _saml.check_session(response, option) == name
    else:
        with pytest.raises(InvalidInput, match="session_name: is required for an encrypted assertion"):
            _saml.check_session(response, option)
