# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads: botocore's answers in, domain values out; refused is never taken for absent."""

from __future__ import annotations

import json
import urllib.parse
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import venue_state
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Parameter, Role

from tests.support.stubs import stubbed

NAME = "unity-sbg-dev-sts"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
POLICY = {"Version": "2012-10-17", "Statement": []}
QUOTED = urllib.parse.quote(json.dumps(POLICY))  # as IAM sends documents
DESCRIBED = {
    "Arn": f"arn:aws:iam::123456789012:role/mdps/{NAME}",
    "RoleName": NAME,
    "RoleId": "AROAEXAMPLEEXAMPLEEX",
    "Path": "/mdps/",
    "CreateDate": NOON,
}


def test_the_caller() -> None:
    with stubbed("sts") as (sts, stub):
        stub.add_response(
            "get_caller_identity",
            {"Account": "012345678901", "Arn": "arn:aws:iam::012345678901:root", "UserId": "u"},
            {},
        )
        assert venue_state.read_caller(sts) == venue_state.Caller("arn:aws:iam::012345678901:root", "012345678901")


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000"])
def test_the_clock_of_aws_has_a_zone_whatever_a_proxy_makes_of_the_header(zone: str) -> None:
    with stubbed("sts") as (sts, stub):
        answer = {"Account": "012345678901", "Arn": "arn:aws:iam::012345678901:root", "UserId": "u"}
        headers = {"date": f"Sun, 22 Nov 2026 09:30:15 {zone}"}
        stub.add_response("get_caller_identity", {**answer, "ResponseMetadata": {"HTTPHeaders": headers}}, {})
        assert venue_state.read_caller_and_time(sts)[1] == datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)


def test_a_role_with_everything() -> None:
    described = {
        **DESCRIBED,
        "AssumeRolePolicyDocument": QUOTED,
        "Description": "d",
        "MaxSessionDuration": 7200,
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/b",
        },
        "Tags": [{"Key": "Proj", "Value": "sbg"}],
    }
    with stubbed("iam") as (iam, stub):
        stub.add_response("get_role", {"Role": described}, {"RoleName": NAME})
        role = venue_state.read_role(iam, NAME)
    assert role == Role(
        DESCRIBED["Arn"],
        NAME,
        "AROAEXAMPLEEXAMPLEEX",
        "/mdps/",
        POLICY,
        "d",
        7200,
        "arn:aws:iam::123456789012:policy/b",
        {"Proj": "sbg"},
        NOON,
    )


def test_a_role_with_as_little_as_iam_may_say() -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_response("get_role", {"Role": DESCRIBED}, {"RoleName": NAME})
        assert venue_state.read_role(iam, NAME) == Role(
            DESCRIBED["Arn"], NAME, "AROAEXAMPLEEXAMPLEEX", "/mdps/", {}, created=NOON
        )


def test_the_inline_policy() -> None:
    with stubbed("iam") as (iam, stub):
        answer = {"RoleName": NAME, "PolicyName": "venue-access", "PolicyDocument": QUOTED}
        stub.add_response("get_role_policy", answer, {"RoleName": NAME, "PolicyName": "venue-access"})
        assert venue_state.read_policy(iam, NAME) == POLICY


def test_parameters_are_decrypted_and_missing_ones_left_out() -> None:
    with stubbed("ssm") as (ssm, stub):
        answer = {
            "Parameters": [
                {"Name": "/a", "Value": "x", "Type": "SecureString", "Version": 4, "LastModifiedDate": NOON},
                {"Name": "/b", "Value": "y"},
            ],
            "InvalidParameters": ["/c"],
        }
        stub.add_response("get_parameters", answer, {"Names": ["/a", "/b", "/c"], "WithDecryption": True})
        found = venue_state.read_parameters(ssm, ("/a", "/b", "/c"))
    assert found == {"/a": Parameter("x", "SecureString", 4, NOON), "/b": Parameter("y")}


HANGING: list[tuple[Any, str, dict[str, Any], tuple[str, ...]]] = [
    (venue_state.read_inline_names, "list_role_policies", {"PolicyNames": ["a", "b"]}, ("a", "b")),
    (
        venue_state.read_attached,
        "list_attached_role_policies",
        {"AttachedPolicies": [{"PolicyName": "p", "PolicyArn": "arn:aws:iam::aws:policy/p"}]},
        ("arn:aws:iam::aws:policy/p",),
    ),
    (
        venue_state.read_instance_profiles,
        "list_instance_profiles_for_role",
        {
            "InstanceProfiles": [
                {
                    "Path": "/",
                    "InstanceProfileName": "i",
                    "InstanceProfileId": "AIPAEXAMPLEEXAMPLEEX",
                    "Arn": "arn:aws:iam::123456789012:instance-profile/i",
                    "CreateDate": NOON,
                    "Roles": [],
                }
            ]
        },
        ("i",),
    ),
]


@pytest.mark.parametrize(("read", "operation", "answer", "names"), HANGING)
def test_the_policies_of_a_role_are_read(
    read: Any, operation: str, answer: dict[str, Any], names: tuple[str, ...]
) -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_response(operation, answer, {"RoleName": NAME})
        stub.add_client_error(operation, "NoSuchEntity")
        assert read(iam, NAME) == names
        assert read(iam, NAME) == ()


@pytest.mark.parametrize(
    ("read", "operation"),
    [
        (venue_state.read_role, "get_role"),
        (venue_state.read_policy, "get_role_policy"),
        *((read, operation) for read, operation, *_rest in HANGING),
    ],
)
def test_absent_is_none_and_denied_is_an_error(read: Any, operation: str) -> None:
    with stubbed("iam") as (iam, stub):
        stub.add_client_error(operation, "NoSuchEntity")
        assert not read(iam, NAME)
        stub.add_client_error(operation, "AccessDenied")
        with pytest.raises(AwsRefused):
            read(iam, NAME)


def test_a_key_that_cannot_decrypt_the_parameter_is_an_error_too() -> None:
    with stubbed("ssm") as (ssm, stub):
        stub.add_client_error(
            "get_parameters", "AccessDeniedException", "The ciphertext refers to a key you may not use"
        )
        with pytest.raises(AwsRefused, match="could not read /a in SSM"):
            venue_state.read_parameters(ssm, ["/a"])
