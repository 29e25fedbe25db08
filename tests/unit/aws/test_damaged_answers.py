# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Half an answer of AWS is an error in plain words, with nothing of the answer in it: AssumeRole's has keys."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.calls import call
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.venue_state import read_parameters
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ConnectionProblem
from botocore.awsrequest import AWSResponse

SECRET = "secretExampleKey0123456789"


def answering(service: str, body: str) -> Any:
    """A client whose every call is answered with this body."""
    client = boto3.client(
        service, region_name="us-west-2", aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="example"
    )
    answer = AWSResponse("https://example.org", 200, {}, None)
    answer._content = body.encode()
    client.meta.events.register("before-send", lambda **_request: answer)
    return client


def test_half_an_xml_answer() -> None:
    sts = answering("sts", f"<AssumeRoleResponse><AssumeRoleResult><Credentials><SecretAccessKey>{SECRET}</Secret")
    with pytest.raises(ConnectionProblem, match=r"could not assume it: the response from .* was damaged") as failure:
        call(sts, "assume_role", "assume it", RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="jdoe")
    assert SECRET not in str(failure.value) and failure.value.__cause__ is None and failure.value.__suppress_context__


def test_half_a_json_answer_is_not_an_empty_one() -> None:
    with pytest.raises(ConnectionProblem, match="damaged"):
        read_parameters(
            answering("ssm", '{"Parameters": [{"Name": "/unity/sbg'), ["/unity/sbg/dev/cs/sts/role/external-id"]
        )
