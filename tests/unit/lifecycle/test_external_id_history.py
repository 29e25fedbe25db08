# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When an external ID was replaced, from what SSM remembers."""

from __future__ import annotations

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.venue_state import read_history
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.external_id import replaced_at, retired
from botocore.stub import Stubber

HISTORY = [("one", "Monday"), ("two", "Tuesday"), ("two", "Wednesday"), ("one", "Thursday"), ("three", "Friday")]


@pytest.mark.parametrize(("value", "at"), [("two", "Thursday"), ("one", "Friday"), ("three", ""), ("never", "")])
def test_the_last_replacement_counts(value: str, at: str) -> None:
    assert replaced_at(HISTORY, value) == at
    assert replaced_at(HISTORY[:1], value) == ""


def test_the_message_says_when_and_not_what() -> None:
    assert "2026-11-22T09:30:15Z" in retired("2026-11-22T09:30:15Z").message
    assert retired("then").facts == {"places": ["requester", "parameter"], "rotated_at": "then"}


def test_the_history_is_read_to_its_end_and_put_in_order() -> None:
    ssm = boto3.client("ssm", region_name="us-west-2", aws_access_key_id="testing", aws_secret_access_key="testing")
    asked = {"Name": "/p", "WithDecryption": True, "MaxResults": 50}
    with Stubber(ssm) as stub:
        stub.add_response(
            "get_parameter_history", {"Parameters": [{"Value": "b", "Version": 2}], "NextToken": "more"}, asked
        )
        stub.add_response(
            "get_parameter_history", {"Parameters": [{"Value": "a", "Version": 1}]}, {**asked, "NextToken": "more"}
        )
        assert [one.value for one in read_history(ssm, "/p")] == ["a", "b"]
