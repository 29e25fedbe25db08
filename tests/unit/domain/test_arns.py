# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ARNs: the procedure's own example, with its missing colon, is the first bad input."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import arns
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.arns import (
    ROLE_ARN,
    SESSION_ARN,
    Arn,
    check_account_id,
    dns_suffix,
    parse_arn,
    session_role_name,
    trusted_account,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput

ROLE = {"service": "iam", "resource": arns.ROLE, "example": "role/NAME"}
GOOD = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"


def test_the_procedures_arn_with_its_colon_restored() -> None:
    arn = parse_arn("role_arn", GOOD, **ROLE, partition="aws", account_id="123456789012")
    assert arn == Arn("aws", "iam", "", "123456789012", "role/unity-sbg-dev-sts")
    assert str(arn) == GOOD


def test_the_procedures_arn_as_written_lacks_a_colon_and_the_message_says_so() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_arn("role_arn", "arn:aws:iam:123456789012:role/unity-sbg-dev-sts", **ROLE)
    assert caught.value.message == (
        "role_arn: 'arn:aws:iam:123456789012:role/unity-sbg-dev-sts' is not an ARN of the form "
        "arn:aws:iam::ACCOUNT:role/NAME "
        "(an IAM ARN has no region, but keeps the colon: two before the account)."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unity-sbg-dev-sts",
        "arn:aws:iam::12345678901:role/x",  # eleven digits
        "arn:aws:iam::123456789012:role/",  # no name
        "arn:aws:iam::123456789012:user/jdoe",  # another resource
        "arn:aws:sts::123456789012:role/x",  # another service
        "arn:aws:iam::123456789012:role/x y",
        "arn:aws:iam::123456789012:role/x\n",
        f" {GOOD}",
        "ARN:AWS:IAM::123456789012:ROLE/X",
        "arn:notaws:iam::123456789012:role/x",
        "arn:aws:iam::１２３４５６７８９０１２:role/x",  # digits, but not ASCII's
    ],
)
def test_what_is_no_role_arn(text: str) -> None:
    with pytest.raises(
        InvalidInput, match=r"(?s)role_arn: .* is not an ARN of the form arn:aws:iam::ACCOUNT:role/NAME"
    ):
        parse_arn("role_arn", text, **ROLE)


def test_the_form_shown_has_a_region_where_the_service_has_and_the_known_partition() -> None:
    with pytest.raises(InvalidInput, match=r"of the form arn:aws-us-gov:kms:REGION:ACCOUNT:key/ID\.$"):
        parse_arn(
            "kms_key_arns", "alias/mine", service="kms", resource="key/.+", example="key/ID", partition="aws-us-gov"
        )


def test_another_partition_and_another_account_are_refused() -> None:
    with pytest.raises(InvalidInput, match="is in partition aws, but the region is in partition aws-us-gov"):
        parse_arn("role_arn", GOOD, **ROLE, partition="aws-us-gov")
    with pytest.raises(InvalidInput, match="belongs to account 123456789012, not to 210987654321"):
        parse_arn("role_arn", GOOD, **ROLE, account_id="210987654321")


def test_account_ids_keep_their_leading_zeros() -> None:
    assert check_account_id("expected_account_id", "000123456789") == "000123456789"


@pytest.mark.parametrize("text", ["", "123456789", "1234567890123", "12345678901a", "123456789012\n"])
def test_what_is_no_account_id(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)expected_account_id: .* quote it in YAML"):
        check_account_id("expected_account_id", text)


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/jdoe", "mcp-tenantOperator"),
        ("arn:aws-us-gov:sts::123456789012:assumed-role/a/b", "a"),
        ("arn:aws:iam::123456789012:user/jdoe", ""),
        ("arn:aws:iam::123456789012:root", ""),
        ("arn:aws:sts::123456789012:federated-user/jdoe", ""),
    ],
)
def test_whose_session_a_caller_is(arn: str, role: str) -> None:
    assert session_role_name(arn) == role


@pytest.mark.parametrize(
    ("partition", "suffix"), [("aws", "amazonaws.com"), ("aws-us-gov", "amazonaws.com"), ("aws-cn", "amazonaws.com.cn")]
)
def test_dns_suffix(partition: str, suffix: str) -> None:
    assert dns_suffix(partition) == suffix


@pytest.mark.parametrize(
    ("arn", "parts"),
    [
        (GOOD, ("aws", "123456789012", "unity-sbg-dev-sts")),
        ("arn:aws-us-gov:iam::123456789012:role/a/b!/x", ("aws-us-gov", "123456789012", "x")),
        (f"arn:aws:iam::123456789012:role/{'p' * 510}/{'x' * 64}", ("aws", "123456789012", "x" * 64)),
        (f"arn:aws:iam::123456789012:role/{'x' * 65}", None),
        ("arn:aws:iam::123456789012:role//x", None),
        ("arn:aws:iam::123456789012:role/a/", None),
        ("arn:aws:iam::123456789012:role/x*", None),
        ("arn:aws:iam::123456789012:role/\N{LATIN SMALL LETTER E WITH ACUTE}", None),
        ("arn:aws:iam::123456789012:role/x\n", None),
        ("arn:aws:iam::１２３４５６７８９０１２:role/x", None),
        ("arn:aws:iam::123456789012:user/x", None),
    ],
)
def test_a_role_arn_has_three_parts(arn: str, parts: tuple[str, ...] | None) -> None:
    found = ROLE_ARN.fullmatch(arn)
    assert (found and found.groups()) == parts


def test_a_session_of_an_ec2_instance_is_one_although_its_role_has_no_name_of_iam() -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html#ec2-instance-identity-roles
    arn = "arn:aws:sts::123456789012:assumed-role/aws:ec2-instance/i-0123456789abcdef0"
    found = SESSION_ARN.fullmatch(arn)
    assert found
    assert found.groups() == ("aws", "123456789012", "aws:ec2-instance", "i-0123456789abcdef0")
    assert session_role_name(arn) == "aws:ec2-instance"


@pytest.mark.parametrize(
    ("principal", "account"),
    [
        ("123456789012", "123456789012"),
        ("arn:aws-us-gov:iam::123456789012:root", "123456789012"),
        ("arn:aws:iam::123456789012:role/root", ""),
        ("arn:aws:iam::123456789012:user/root", ""),
        ("*", ""),
    ],
)
def test_an_account_is_trusted_by_its_id_or_as_its_root(principal: str, account: str) -> None:
    assert trusted_account(principal) == account
