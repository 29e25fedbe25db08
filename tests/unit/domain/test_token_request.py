# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be asked of STS, and what its answer looks like on paper."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import token_request as request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput

CHAINING, ROLE = "role chaining", "max_session_duration is shorter"


@pytest.mark.parametrize(
    ("asked", "maximum", "chained", "given", "why"),
    [
        (3600, 3600, False, 3600, ""),
        (3600, 3600, True, 3600, ""),
        (43200, 43200, False, 43200, ""),
        (3601, 43200, True, 3600, CHAINING),
        (43200, 43200, True, 3600, CHAINING),
        (7200, 3600, False, 3600, ROLE),
        (7200, 3600, True, 3600, ROLE),  # both would cap; the role's own limit is what can be changed
        (900, 3600, True, 900, ""),
    ],
)
def test_caps(asked: int, maximum: int, chained: bool, given: int, why: str) -> None:
    capped = request.cap_duration(asked, maximum, chained=chained)
    assert capped.seconds == given
    assert why in capped.capped_by
    assert bool(capped.capped_by) == bool(why)


ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


def padded(length: int) -> str:
    """A session policy of exactly so many characters, without white space."""
    statement = {"Sid": "", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    statement["Sid"] = "x" * (length - len(json.dumps(policy, separators=(",", ":"))))
    return json.dumps(policy, indent=4)


def test_a_session_policy_is_taken_with_any_layout() -> None:
    assert request.check_session_policy(json.dumps(ALLOW, indent=8)) == ALLOW
    assert request.check_session_policy(padded(2048))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON: "),
        ("", "is not JSON: "),
        ("[]", "is not a policy"),
        ('"Statement"', "is not a policy"),
        ('{"Version": "2012-10-17"}', "is not a policy"),
        (padded(2049), "has 2049 characters and STS accepts 2048"),
    ],
)
def test_session_policies_that_sts_would_refuse(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        request.check_session_policy(text)
    assert caught.value.message.startswith("session_policy: ")
    assert message in caught.value.message


def test_policy_arns() -> None:
    arns = [f"arn:aws:iam::aws:policy/p{number}" for number in range(10)]
    assert request.check_policy_arns(arns, "aws") == tuple(arns)
    with pytest.raises(InvalidInput, match="policy_arns: names 11 policies and STS accepts 10"):
        request.check_policy_arns([*arns, "arn:aws:iam::123456789012:policy/mine"], "aws")
    for arn in ("ReadOnlyAccess", "arn:aws:iam::aws:role/x", "arn:aws-cn:iam::aws:policy/ReadOnlyAccess"):
        with pytest.raises(InvalidInput, match=r"^policy_arns: "):
            request.check_policy_arns([arn], "aws")


def test_transitive_keys_are_among_the_tags() -> None:
    assert request.check_transitive(["Proj"], {"Proj": "sbg", "x": "y"}) == ("Proj",)
    with pytest.raises(InvalidInput, match="transitive_tag_keys: Proj, Who is not among the tags"):
        request.check_transitive(["Proj", "Who"], {"proj": "sbg"})


SERIAL = "arn:aws:iam::123456789012:mfa/jdoe"


def test_mfa() -> None:
    assert request.check_mfa(SERIAL, "012345") == {"SerialNumber": SERIAL, "TokenCode": "012345"}
    assert request.check_mfa(None, None) == request.check_mfa("", "012345") == {}


@pytest.mark.parametrize(
    ("serial", "code", "message"),
    [
        ("short", "012345", "mfa_serial_number: "),
        ("with a space in it", "012345", "mfa_serial_number: "),
        (SERIAL, "12345", "mfa_token: must be the six digits"),
        (SERIAL, "12345a", "mfa_token: must be the six digits"),
        (SERIAL, None, "mfa_token: must be the six digits"),
    ],
)
def test_mfa_that_no_device_has(serial: str, code: str | None, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        request.check_mfa(serial, code)
    assert message in caught.value.message
    assert "12345" not in caught.value.message


def test_the_procedures_document_field_for_field() -> None:
    answer = {
        "ResponseMetadata": {"RequestId": "r-1"},
        "PackedPolicySize": 6,
        "SourceIdentity": "jdoe",
        "Credentials": {
            "AccessKeyId": "ASIAJEXAMPLEXEG2JICEA",
            "SecretAccessKey": "9drTJvcXLB89EXAMPLELB8923FB892xMFI",
            "SessionToken": "AQoXdzELDDY//////////wEaoAK1wvxJY12r2IrDFT2IvAzTCn3zHoZ7YNtpiQLF0MqZye",
            "Expiration": datetime(2016, 3, 15, 0, 5, 7, tzinfo=UTC),
        },
        "AssumedRoleUser": {
            "Arn": "arn:aws:sts::123456789012:assumed-role/xaccounts3access/s3-access-example",
            "AssumedRoleId": "AROA3XFRBF535PLBIFPI4:s3-access-example",
        },
    }
    written = """{
    "AssumedRoleUser": {
        "AssumedRoleId": "AROA3XFRBF535PLBIFPI4:s3-access-example",
        "Arn": "arn:aws:sts::123456789012:assumed-role/xaccounts3access/s3-access-example"
    },
    "Credentials": {
        "SecretAccessKey": "9drTJvcXLB89EXAMPLELB8923FB892xMFI",
        "SessionToken": "AQoXdzELDDY//////////wEaoAK1wvxJY12r2IrDFT2IvAzTCn3zHoZ7YNtpiQLF0MqZye",
        "Expiration": "2016-03-15T00:05:07Z",
        "AccessKeyId": "ASIAJEXAMPLEXEG2JICEA"
    }
}"""
    assert json.dumps(request.token_document(answer), indent=4) == written


@pytest.mark.parametrize(
    ("answer", "used"),
    [
        ({}, None),
        ({"PackedPolicySize": 80}, None),
        ({"PackedPolicySize": 81}, 81),
        ({"SessionTokenUtilization": 90, "PackedPolicySize": 10}, 90),
        ({"SessionTokenUtilization": 10, "PackedPolicySize": 90}, None),
        ({"SessionTokenUtilization": "?"}, None),
    ],
)
def test_a_token_that_is_nearly_full_is_warned_about(answer: dict[str, Any], used: int | None) -> None:
    warning = request.nearly_full(answer)
    assert warning == "" if used is None else f"take {used} % of what STS accepts" in warning
