# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trust policies that the collection writes, and the principals that it accepts. Reading has tests of its own."""

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
SSO_PATH = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com"
SSO_PATTERN = f"{SSO_PATH}*/AWSReservedSSO_Operator_{'?' * 16}"
SSO_ROLE = "AWSReservedSSO_Operator_0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "value", "partition"),
    [
        ("trust_default", Trust([ROOT], "a-fixed-external-id"), "aws"),
        ("trust_rotating_mfa", Trust([ROOT, ADMIN], "the-new-one", ["the-old-one"], require_mfa=True), "aws"),
        ("trust_patterns", Trust([ROOT], "a-fixed-external-id", patterns=[SSO_PATTERN]), "aws"),
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


def test_the_sign_in_address_of_the_region_is_an_audience_as_well() -> None:
    statement = Trust([ROOT], "id", saml_providers=[IDP], region="us-west-2").policy("aws")["Statement"][-1]
    audiences = ["https://signin.aws.amazon.com/saml", "https://us-west-2.signin.aws.amazon.com/saml"]
    assert statement["Condition"] == {"StringEquals": {"SAML:aud": audiences}}


@pytest.mark.parametrize(
    ("current", "previous", "sid", "values"),
    [
        ("b", (), "AssumeWithExternalId", "b"),
        ("b", ("a",), "AssumeWithExternalId2Of2", ["a", "b"]),
        ("a", ("b",), "AssumeWithExternalId1Of2", ["a", "b"]),
        ("b", ("c", "a"), "AssumeWithExternalId2Of3", ["a", "b", "c"]),
    ],
)
def test_the_sid_says_which_external_id_is_the_current_one_and_the_order_says_nothing(
    current: str, previous: tuple[str, ...], sid: str, values: Any
) -> None:
    assert trust.mark(current, previous) == (sid, values)


def test_the_length_of_a_rotation_with_a_lock_is_known_beforehand() -> None:
    """The estimate is compared with the policy itself."""
    for patterns in ((), (SSO_PATTERN,)):
        before = Trust([ROOT, ADMIN], "1" * 40, patterns=patterns, require_mfa=True)
        after = before._replace(external_id="2" * 40, previous_external_ids=("1" * 40,))
        worst = trust.length(after.policy("aws", [trust.lock_statement()]))
        assert trust.length_with_reserve(before.policy("aws"), before, "2" * 40, locked=False) == worst
        assert trust.length_with_reserve(after.policy("aws"), after, "2" * 40, locked=False) == worst
        locked = before.policy("aws", [trust.lock_statement()])
        assert trust.length_with_reserve(locked, before, "2" * 40, locked=True) == worst


def test_good_principals_and_account_ids() -> None:
    texts = ["000123456789", ADMIN, "arn:aws:iam::123456789012:user/people/jdoe", ROOT, ROOT]
    assert trust.check_principals("trusted_principals", texts, "aws") == (
        "arn:aws:iam::000123456789:root",
        ADMIN,
        "arn:aws:iam::123456789012:user/people/jdoe",
        ROOT,
    )
    assert trust.check_principals("trusted_principals", ["123456789012"], "aws-us-gov") == (
        "arn:aws-us-gov:iam::123456789012:root",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*", "would trust everyone"),
        ("arn:aws:iam::123456789012:role/*", "is not an ARN of the form"),
        ("arn:aws:iam::123456789012:user/jd?e", "is not an ARN of the form"),
        ("arn:aws:iam:123456789012:root", "two before the account"),
        ("arn:aws:iam::123456789012:group/admins", "is not an ARN of the form"),
        ("arn:aws-us-gov:iam::123456789012:root", "is in partition aws-us-gov"),
        ("12345678901", "is not an AWS account ID"),
        ("ec2.amazonaws.com", "is not an ARN of the form"),
        (
            "arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/jdoe",
            "is one session of a role. Trust the role: arn:aws:iam::123456789012:role/mcp-tenantOperator",
        ),
        (
            f"arn:aws:sts::123456789012:assumed-role/{SSO_ROLE}/jane@example.org",
            "is one session of a role. Trust the role with its path, which 'aws iam get-role --role-name "
            f"{SSO_ROLE}' shows",
        ),
        (f"arn:aws:sts::123456789012:assumed-role/{SSO_ROLE}/jane@example.org", SSO_PATTERN),
        (f"arn:aws:iam::123456789012:role/{SSO_ROLE}", "lacks the path of a role of IAM Identity Center"),
    ],
)
def test_principals_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        trust.check_principals("trusted_principals", [text], "aws")
    assert caught.value.message.startswith("trusted_principals: ")
    assert message in caught.value.message


def test_no_principal_at_all_is_refused() -> None:
    with pytest.raises(InvalidInput, match="trusted_principals: must not be empty"):
        trust.check_principals("trusted_principals", [], "aws")


def test_a_role_of_identity_center_with_its_path_is_trusted() -> None:
    arn = f"{SSO_PATH}/us-west-2/{SSO_ROLE}"
    assert trust.check_principals("trusted_principals", [arn], "aws") == (arn,)


GOOD_PATTERNS = [SSO_PATTERN, "arn:aws:iam::210987654321:role/mcp-*", "arn:aws:iam::123456789012:user/people/j?oe"]


def test_patterns_name_the_accounts_that_are_trusted() -> None:
    assert trust.check_patterns("p", [*GOOD_PATTERNS, SSO_PATTERN], "aws") == tuple(GOOD_PATTERNS)
    assert trust.accounts_of(GOOD_PATTERNS) == (ROOT, "arn:aws:iam::210987654321:root")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("*", "is not an ARN pattern of the form"),
        ("arn:aws:iam::*:role/x", "is not an ARN pattern of the form"),
        ("arn:aws:iam::123456789012:*", "is not an ARN pattern of the form"),
        ("arn:aws:iam::123456789012:root", "use trusted_principals"),
        ("arn:aws:sts::123456789012:assumed-role/x/y", "is not an ARN pattern of the form"),
        ("arn:aws-us-gov:iam::123456789012:role/x", "in another partition"),
        (f"{SSO_PATH}*/AWSReservedSSO_Operator_*", f"Write {SSO_PATH}*/AWSReservedSSO_Operator_{'?' * 16}"),
    ],
)
def test_patterns_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        trust.check_patterns("trusted_principal_patterns", [text], "aws")
    assert message in caught.value.message


def test_sign_in_addresses_that_are_named_replace_those_of_the_region() -> None:
    address = "https://us-east-1.signin.aws.amazon.com/saml"
    value = Trust([ROOT], "id", saml_providers=[IDP], region="us-west-2", audiences=[address])
    assert value.policy("aws")["Statement"][-1]["Condition"] == {"StringEquals": {"SAML:aud": [address]}}


def test_sign_in_addresses() -> None:
    good = ["https://signin.aws.amazon.com/saml", "https://us-east-1.signin.aws.amazon.com/saml/acs/SAMLSP1A-b"]
    assert trust.check_audiences("saml_audiences", [*good, good[0]], "aws") == tuple(good)
    gov = "https://us-gov-west-1.signin.amazonaws-us-gov.com/saml"
    assert trust.check_audiences("saml_audiences", [gov], "aws-us-gov") == (gov,)
    for address in (
        "*",
        "https://*.signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com.example.org/saml",
        "https://signinXaws.amazon.com/saml",
        "http://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml\n",
        "urn:amazon:webservices",
        gov,
    ):
        with pytest.raises(InvalidInput, match=r"^saml_audiences: .* is not a sign-in address of AWS"):
            trust.check_audiences("saml_audiences", [address], "aws")


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
