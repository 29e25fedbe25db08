# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A refusal names the action that is missing, which is not always the call's own."""

from __future__ import annotations

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.calls import call
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from botocore.stub import Stubber

ARN = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        (
            f"User: x is not authorized to perform: iam:TagRole on resource: {ARN} because no identity-based policy "
            "allows it",
            "iam:TagRole",
        ),
        ("Access denied", "iam:CreateRole"),
    ],
)
def test_the_action_that_aws_names_counts(said: str, needed: str) -> None:
    client = boto3.client("iam", aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="example")
    with Stubber(client) as stub:
        stub.add_client_error("create_role", "AccessDenied", said)
        with pytest.raises(AwsRefused, match=f"The caller needs {needed} "):
            call(client, "create_role", "create the role", RoleName="unity-sbg-dev-sts", AssumeRolePolicyDocument="{}")
