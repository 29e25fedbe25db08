# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a policy is asked of IAM's simulation."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.simulation import (
    expected_permissions,
    unconditional,
)

ALLOW = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:Put*"], "Resource": "arn:aws:s3:::b/*"}


@pytest.mark.parametrize(
    ("statement", "asked"),
    [
        (ALLOW, [(["s3:GetObject"], ["arn:aws:s3:::b/*"])]),
        ({**ALLOW, "Action": "s3:*"}, []),  # a simulation takes no wildcard actions
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, []),
        ({**ALLOW, "Effect": "Deny"}, []),
        ({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken"}, [(["ecr:GetAuthorizationToken"], ["*"])]),
    ],
)
def test_what_a_policy_promises(statement: dict[str, Any], asked: list[Any]) -> None:
    assert list(expected_permissions({"Statement": [statement]})) == asked


def test_conditions_and_denials_are_left_out() -> None:
    policy = {
        "Statement": [{**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, {**ALLOW, "Effect": "Deny"}]
    }
    assert unconditional(policy)["Statement"] == [ALLOW]
