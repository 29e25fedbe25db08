# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens as CloudTrail and receipts tell of them, and what became of each."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.cloudtrail import SECONDS_A_REQUEST, look_up
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import Revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.sessions import (
    CHECK_SESSION,
    from_event,
    from_receipt,
    join,
)
from botocore.stub import Stubber

from tests.support.cloudtrail import issue_event
from tests.support.receipts import issued

ISSUED = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
AT = "2026-11-22T09:30:15Z"


def event(**changes: Any) -> str:
    return json.dumps(issue_event("jdoe-1", "ASIAEXAMPLEEXAMPLE01", AT, **changes))


def test_an_event_of_an_issue() -> None:
    session = from_event(event())
    assert session
    assert (session.role_name, session.session_name, session.access_key_id) == (
        "unity-sbg-dev-sts",
        "jdoe-1",
        "ASIAEXAMPLEEXAMPLE01",
    )
    assert (session.issued_at, session.expires_at) == (ISSUED, ISSUED + timedelta(hours=1))
    assert session.issuer_arn.endswith("mcp-tenantOperator/admin")
    assert "nobody-shall-see" not in str(session.shown([], ISSUED))


@pytest.mark.parametrize(
    "expiration",
    ["Nov 22, 2026, 9:45:15 AM", "Nov 22, 2026 9:45:15 AM", "Nov 22, 2026, 9:45:15\u202fAM", "2026-11-22T09:45:15Z"],
)
def test_the_end_that_the_answer_tells_counts(expiration: str) -> None:
    session = from_event(event(responseElements={"credentials": {"accessKeyId": "A", "expiration": expiration}}))
    assert session
    assert session.expires_at == ISSUED + timedelta(minutes=15)


def test_without_a_duration_it_is_an_hour() -> None:
    session = from_event(
        event(
            requestParameters={
                "roleArn": "arn:aws:iam::123456789012:role/path/unity-sbg-dev-sts",
                "roleSessionName": "x",
            }
        )
    )
    assert session
    assert (session.role_name, session.expires_at) == ("unity-sbg-dev-sts", ISSUED + timedelta(hours=1))


def test_an_assertion_names_the_session_in_the_answer_only() -> None:
    session = from_event(
        event(
            eventName="AssumeRoleWithSAML",
            requestParameters={"roleArn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"},
        )
    )
    assert session
    assert session.session_name == "jdoe-1"


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        event(errorCode="AccessDenied"),
        event(eventName="GetCallerIdentity"),
        event(requestParameters=None),
        event(eventTime="?"),
        event(responseElements=None, requestParameters={"roleArn": "arn:aws:iam::123456789012:role/x"}),
    ],
)
def test_what_tells_of_no_token_is_passed_over(text: str) -> None:
    assert from_event(text) is None


def test_a_check_by_provisioning_is_told_as_one() -> None:
    session = from_event(json.dumps(issue_event(CHECK_SESSION, "A", AT)))
    assert session
    assert "provisioning" in session.recipient


def test_states() -> None:
    session = from_event(event())
    assert session
    everything = Revocation("all", "", ISSUED + timedelta(seconds=1))
    earlier = Revocation("all", "", ISSUED)
    other = Revocation("session", "jane", ISSUED + timedelta(hours=1))
    assert session.state([], ISSUED) == "live"
    assert session.state([earlier, other], ISSUED) == "live"
    assert session.state([earlier, everything], ISSUED) == "revoked"
    assert session.state([everything], ISSUED + timedelta(hours=1)) == "expired"


def test_events_and_receipts_of_one_token_are_joined() -> None:
    first = from_event(event())
    second = from_event(json.dumps(issue_event("other", "ASIAEXAMPLEEXAMPLE02", "2026-11-22T09:31:00Z")))
    assert first
    assert second
    receipts = [
        from_receipt(replace(issued(session_name="jdoe-1"), access_key_id=f"ASIAEXAMPLEEXAMPLE{number}"))
        for number in ("01", "03")
    ]
    told = [(one.access_key_id[-2:], one.recipient, one.sources) for one in join([first, second, first], receipts)]
    assert told == [
        ("02", "", ("cloudtrail",)),
        ("01", "jdoe", ("cloudtrail", "receipt")),
        ("03", "jdoe", ("receipt",)),
    ]


def test_pages_are_fetched_at_cloudtrails_pace_and_no_further_than_allowed() -> None:
    client = boto3.client(
        "cloudtrail", region_name="us-west-2", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    asked = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}],
        "StartTime": ISSUED,
        "EndTime": ISSUED,
        "MaxResults": 50,
    }
    slept: list[float] = []
    with Stubber(client) as stub:
        stub.add_response("lookup_events", {"Events": [{"CloudTrailEvent": "one"}], "NextToken": "more"}, asked)
        stub.add_response(
            "lookup_events",
            {"Events": [{"CloudTrailEvent": "two"}], "NextToken": "more"},
            {**asked, "NextToken": "more"},
        )
        found = look_up(client, ("EventName", "AssumeRole"), (ISSUED, ISSUED), most_pages=2, sleep=slept.append)
        stub.assert_no_pending_responses()
    assert found == (["one", "two"], True)
    assert slept == [SECONDS_A_REQUEST]
