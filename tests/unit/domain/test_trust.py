# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trust policies: built, read back, and held to what IAM allows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import trust
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import Trust

from tests.support.golden import assert_golden

ROOT = "arn:aws:iam::123456789012:root"
ADMIN = "arn:aws:iam::123456789012:role/mcp-tenantOperator"
IDP = "arn:aws:iam::123456789012:saml-provider/Launchpad"


@pytest.mark.parametrize(
    ("name", "value", "partition"),
    [
        ("trust_default", Trust([ROOT], "a-fixed-external-id"), "aws"),
        ("trust_rotating_mfa", Trust([ROOT, ADMIN], "the-new-one", "the-old-one", require_mfa=True), "aws"),
        ("trust_saml", Trust([ROOT], "a-fixed-external-id", saml_providers=[IDP]), "aws"),
    ],
)
def test_trust_policies(name: str, value: Trust, partition: str) -> None:
    assert_golden(name, value.policy(partition))


@pytest.mark.parametrize(
    ("partition", "audience"),
    [
        ("aws", "https://signin.aws.amazon.com/saml"),
        ("aws-us-gov", "https://signin.amazonaws-us-gov.com/saml"),
        ("aws-cn", "https://signin.amazonaws.cn/saml"),
    ],
)
def test_the_audience_of_assertions_depends_on_the_partition(partition: str, audience: str) -> None:
    statement = Trust([ROOT], "id", saml_providers=[IDP]).policy(partition)["Statement"][-1]
    assert statement["Condition"] == {"StringEquals": {"SAML:aud": audience}}


@pytest.mark.parametrize("previous", ["", "old-one"])
def test_what_was_built_reads_back(previous: str) -> None:
    assert trust.external_ids(Trust([ROOT], "new-one", previous).policy("aws")) == ("new-one", previous)


def by_hand(condition: Any, **more: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": ROOT},
            "Action": "sts:AssumeRole",
            "Condition": condition,
            **more,
        },
    }


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        (None, ("", "")),
        ({}, ("", "")),
        ({"Statement": []}, ("", "")),
        ({"Statement": [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}]}, ("", "")),
        (by_hand({"StringEquals": {"sts:ExternalId": "hand-made"}}), ("hand-made", "")),
        (by_hand({"StringLike": {"STS:EXTERNALID": ["hand-made", "second"]}}), ("hand-made", "")),
        (by_hand({"StringEquals": {"sts:ExternalId": []}}), ("", "")),
        (by_hand({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), ("", "")),
        # Tests that name no external ID to send.
        (by_hand({"Null": {"sts:ExternalId": "false"}}), ("", "")),
        (by_hand({"StringLike": {"sts:ExternalId": "*"}}), ("", "")),
        (
            by_hand({"Null": {"sts:ExternalId": "false"}, "StringEquals": {"sts:ExternalId": "hand-made"}}),
            ("hand-made", ""),
        ),
    ],
)
def test_external_ids_of_policies_made_by_hand(policy: dict[str, Any] | None, found: tuple[str, str]) -> None:
    assert trust.external_ids(policy) == found


DEAD_ROLE, DEAD_USER = "AROAEXAMPLEEXAMPLEEX", "AIDAEXAMPLEEXAMPLEEX"


def test_principals_of_every_kind_once_each() -> None:
    policy = {
        "Statement": [
            {"Principal": {"AWS": [ROOT, ADMIN], "Service": "ec2.amazonaws.com"}},
            {"Principal": {"AWS": ROOT, "Federated": [IDP]}},
            {"Principal": "*"},
            {},
        ]
    }
    assert trust.principals(policy) == (ROOT, ADMIN, "ec2.amazonaws.com", IDP, "*")
    assert trust.principals(None) == ()


def test_dead_principals_are_the_unique_ids() -> None:
    policy = {
        "Statement": [
            {"Principal": {"AWS": [ROOT, DEAD_ROLE, DEAD_USER, "arn:aws:iam::123456789012:role/AROAEXAMPLEEXAMPLEEX"]}}
        ]
    }
    assert trust.dead_principals(policy) == (DEAD_ROLE, DEAD_USER)
    assert trust.dead_principals(Trust([ROOT], "id").policy("aws")) == ()


def test_good_principals_and_account_ids() -> None:
    texts = ["000123456789", ADMIN, "arn:aws:iam::123456789012:user/people/jdoe", ROOT, ROOT]
    assert trust.check_principals(texts, "aws") == (
        "arn:aws:iam::000123456789:root",
        ADMIN,
        "arn:aws:iam::123456789012:user/people/jdoe",
        ROOT,
    )
    assert trust.check_principals(["123456789012"], "aws-us-gov") == ("arn:aws-us-gov:iam::123456789012:root",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*", "would trust everybody"),
        ("arn:aws:iam::123456789012:role/*", "is not an ARN of the form"),
        ("arn:aws:iam::123456789012:user/jd?e", "is not an ARN of the form"),
        ("arn:aws:iam:123456789012:root", "two before the account"),
        ("arn:aws:iam::123456789012:group/admins", "is not an ARN of the form"),
        ("arn:aws-us-gov:iam::123456789012:root", "lies in partition aws-us-gov"),
        ("12345678901", "is not an AWS account id"),
        ("ec2.amazonaws.com", "is not an ARN of the form"),
        (
            "arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/jdoe",
            "is one session of a role: trust the role, arn:aws:iam::123456789012:role/mcp-tenantOperator.",
        ),
    ],
)
def test_principals_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        trust.check_principals([text], "aws")
    assert caught.value.message.startswith("trusted_principals: ")
    assert message in caught.value.message


def test_saml_providers() -> None:
    assert trust.check_saml_providers([IDP], "aws") == (IDP,)
    for arn in (
        "arn:aws:iam::123456789012:oidc-provider/x",
        "Launchpad",
        IDP.replace("arn:aws:", "arn:aws-us-gov:"),
        IDP + "*",
    ):
        with pytest.raises(InvalidInput, match=r"^saml_provider_arns: "):
            trust.check_saml_providers([arn], "aws")
