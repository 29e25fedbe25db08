# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens as CloudTrail and receipts describe them, and the state of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.cloudtrail import SECONDS_A_REQUEST, look_up
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import CHECK_SESSION, Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import Revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.sessions import (
    from_event,
    from_receipt,
    join,
)
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cloudtrail import issue_event
from tests.support.receipts import ROLE_ID, issued, requested

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
    assert "nobody-may-see" not in str(session.shown([], ISSUED, ROLE_ID))


def test_an_event_of_a_web_identity_names_the_subject() -> None:
    """Whoever holds a web identity token gets sessions without a receipt: CloudTrail has them."""
    who = {"type": "WebIdentityUser", "principalId": "login.example.org:sbg:jdoe", "userName": "jdoe"}
    session = from_event(event(eventName="AssumeRoleWithWebIdentity", userIdentity=who))
    assert session
    assert (session.subject, session.issuer_arn) == ("jdoe", "login.example.org:sbg:jdoe")
    assert session.shown([], ISSUED, ROLE_ID)["web_identity_subject"] == "jdoe"
    from_keys = from_event(event(userIdentity={"type": "IAMUser", "userName": "jdoe", "arn": "x"}))
    assert from_keys
    assert from_keys.subject == ""


def test_a_receipt_of_a_web_identity_names_the_subject() -> None:
    assert from_receipt(requested(context={"web_identity_subject": "jdoe"})).subject == "jdoe"


@pytest.mark.parametrize(
    "expiration",
    ["Nov 22, 2026, 9:45:15 AM", "Nov 22, 2026 9:45:15 AM", "Nov 22, 2026, 9:45:15\u202fAM", "2026-11-22T09:45:15Z"],
)
def test_the_end_that_the_answer_tells_counts(expiration: str) -> None:
    session = from_event(event(responseElements={"credentials": {"accessKeyId": "A" * 20, "expiration": expiration}}))
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
def test_an_event_without_a_token_is_ignored(text: str) -> None:
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
    assert session.state([], ISSUED, ROLE_ID) == "live"
    assert session.state([earlier, other], ISSUED, ROLE_ID) == "live"
    assert session.state([earlier, everything], ISSUED, ROLE_ID) == "revoked"
    assert session.state([everything], ISSUED + timedelta(hours=1), ROLE_ID) == "expired"
    assert session.state([], ISSUED, "AROAMADEAGAIN") == "role_gone"
    assert session.state([], ISSUED, "") == "role_gone"


@pytest.mark.parametrize(
    ("role_id", "created", "state"),
    [
        (ROLE_ID, None, "live"),
        (ROLE_ID, timedelta(hours=1), "live"),
        ("AROAFAKEFAKEFAKEFAKE", timedelta(0), "unknown"),
        ("AROAFAKEFAKEFAKEFAKE", timedelta(minutes=5), "unknown"),  # the clock of the issuer may have been behind
        ("AROAFAKEFAKEFAKEFAKE", timedelta(minutes=5, seconds=1), "role_gone"),
        ("AROAFAKEFAKEFAKEFAKE", None, "unknown"),
    ],
)
def test_a_receipt_names_an_earlier_role_only_if_the_role_was_created_since(
    role_id: str, created: timedelta | None, state: str
) -> None:
    told = from_receipt(replace(issued(), assumed_role_id=f"{role_id}:jdoe-1"))
    role_created = None if created is None else ISSUED + created
    assert told.state([], ISSUED, ROLE_ID, role_created) == state
    assert told.state([], ISSUED, "", role_created) == "role_gone"
    assert told.state([], told.expires_at, ROLE_ID, role_created) == "expired"
    everything = Revocation("all", "", ISSUED + timedelta(seconds=1))
    assert told.state([everything], ISSUED, ROLE_ID, role_created) in ("revoked", "role_gone")


@pytest.mark.parametrize("minutes", [-4, 4], ids=["behind", "ahead"])
@pytest.mark.parametrize("method", ["assume_role", "saml"])
def test_a_clock_that_is_off_does_not_make_a_valid_token_seem_revoked(minutes: int, method: str) -> None:
    """A receipt has the time of the machine that wrote it, a revocation and the end of a token that of AWS."""
    asked = requested(at=ISSUED + timedelta(minutes=minutes), method=method)
    told = from_receipt(
        asked.with_token(
            at=asked.requested_at,
            access_key_id="ASIAEXAMPLE000000001",
            assumed_role_id=f"{ROLE_ID}:{asked.session_name}",
            expires_at=ISSUED + timedelta(hours=1),
        )
    )
    before, after = (Revocation("all", "", ISSUED + timedelta(minutes=one)) for one in (0, 10))
    assert [told.state([one], ISSUED, ROLE_ID) for one in (before, after)] == ["live", "revoked"]


def test_the_source_identity_of_a_request_may_not_be_that_of_its_token() -> None:
    """AWS may have refused it, so that a revocation of it does not reach the token."""
    late = Revocation("source_identity", "jdoe", ISSUED + timedelta(hours=1))
    told = [from_receipt(one(source_identity="jdoe")) for one in (requested, issued)]
    assert [one.state([late], ISSUED, ROLE_ID) for one in told] == ["unknown", "revoked"]


def test_states_of_requests() -> None:
    unknown, failed = from_receipt(requested()), from_receipt(requested().failed("AWS refused.", ISSUED))
    assert (unknown.state([], ISSUED, ROLE_ID), failed.state([], ISSUED, ROLE_ID)) == ("unknown", "failed")
    # AWS may answer the request after a revocation.
    until = requested().issue_until
    early, late = (Revocation("all", "", at + timedelta(seconds=1)) for at in (until - timedelta(seconds=1), until))
    assert [unknown.state([one], ISSUED, ROLE_ID) for one in (early, late)] == ["unknown", "revoked"]
    assert unknown.state([], requested().ends_by, ROLE_ID) == "expired"


def test_events_and_receipts_of_one_token_are_joined() -> None:
    first = from_event(event())
    second = from_event(json.dumps(issue_event("other", "ASIAEXAMPLEEXAMPLE02", "2026-11-22T09:31:00Z")))
    assert first
    assert second
    receipts = [
        from_receipt(replace(issued(session_name="jdoe-1"), access_key_id=f"ASIAEXAMPLEEXAMPLE{number}"))
        for number in ("01", "03")
    ]
    joined = [(one.access_key_id[-2:], one.recipient, one.sources) for one in join([first, second, first], receipts)]
    assert joined == [
        ("02", "", ("cloudtrail",)),
        ("01", "jdoe", ("cloudtrail", "receipt")),
        ("03", "jdoe", ("receipt",)),
    ]


def test_an_event_answers_what_the_receipt_does_not_know() -> None:
    request = from_receipt(requested(session_name="jdoe-1"))
    answered = from_event(event())
    assert answered
    (one,) = join([answered], [request])
    assert (one.access_key_id, one.recipient, one.outcome) == ("ASIAEXAMPLEEXAMPLE01", "jdoe", "issued")
    later = replace(answered, issued_at=ISSUED + timedelta(hours=3))
    assert len(join([later], [request])) == 2


def test_cloudtrail_outranks_a_receipt() -> None:
    forged = from_receipt(replace(issued(session_name="jdoe-1"), access_key_id="ASIAEXAMPLEEXAMPLE01"))
    shorter = replace(forged, expires_at=ISSUED + timedelta(seconds=1), issuer_arn="arn:aws:iam::123456789012:user/eve")
    answered = from_event(event())
    assert answered
    (one,) = join([answered], [shorter])
    assert (one.expires_at, one.issuer_arn) == (answered.expires_at, answered.issuer_arn)
    (one,) = join([answered], [replace(forged, source_identity="eve")])
    assert one.source_identity == ""  # a revocation of eve's tokens does not reach it
    elsewhere = replace(forged, role_arn="arn:aws:iam::123456789012:role/other")
    assert len(join([answered], [elsewhere])) == 2


@pytest.mark.parametrize("forged_first", [True, False])
@pytest.mark.parametrize("about", [issued, requested], ids=["issued", "requested"])
@pytest.mark.parametrize("changes", [{"recipient": "mallory"}, {"venue": Venue("emit", "ops")}])
def test_an_event_is_no_evidence_for_one_of_several_recipients(
    about: Callable[..., Receipt], changes: dict[str, Any], forged_first: bool
) -> None:
    answered = from_event(event())
    assert answered
    key = {"access_key_id": answered.access_key_id} if about is issued else {}
    genuine = replace(about(session_name="jdoe-1"), **key)
    forged = replace(genuine, **changes)
    receipts = [from_receipt(one) for one in ([forged, genuine] if forged_first else [genuine, forged])]
    joined = join([answered], receipts)
    assert {(one.recipient, one.venue) for one in joined} == {(one.recipient, one.venue) for one in (genuine, forged)}
    assert [(one.sources, one.outcome) for one in joined] == [(("cloudtrail", "receipt"), "issued")] * 2
    assert len(join([answered], [receipts[0], receipts[0]])) == (1 if about is issued else 2)


def test_two_requests_of_one_session_name_are_two_entries() -> None:
    requests = [from_receipt(requested(session_name="jdoe-1", number=number)) for number in (1, 2)]
    assert len(join([], requests)) == 2


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from([AT, 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["credentials", "arn", "roleArn"]), inner)
    ),
    max_leaves=6,
)
PARTS = ["eventName", "eventTime", "errorCode", "requestParameters", "responseElements", "userIdentity"]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(PARTS), ANYTHING, max_size=3), st.sampled_from(PARTS), st.text(), ANYTHING)
def test_any_event_is_read_or_skipped(changes: dict[str, Any], part: str, key: str, value: Any) -> None:
    whole = json.loads(event(**changes))
    if isinstance(whole.get(part), dict):
        whole[part] = {
            **whole[part],
            key: value,
            "expiration": value,
            "durationSeconds": value,
            "sourceIdentity": value,
        }
    session = from_event(json.dumps(whole))
    if session:
        shown = session.shown([], ISSUED, ROLE_ID)
        assert all(text.isprintable() for text in shown.values() if isinstance(text, str))
        assert session.issued_at < session.expires_at <= session.issued_at + timedelta(hours=13)
        assert "HIDDEN_DUE_TO_SECURITY_REASONS" not in str(session)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_no_event(text: str) -> None:
    assert from_event(text) is None


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


def test_the_source_identity_is_that_of_the_answer_or_of_the_request() -> None:
    usual = json.loads(event())
    for request, answer, expected in (
        ({"sourceIdentity": "asked"}, {}, "asked"),
        ({}, {"sourceIdentity": "given"}, "given"),
        ({"sourceIdentity": "asked"}, {"sourceIdentity": "given"}, "given"),
        ({}, {}, None),
    ):
        asked = {**usual["requestParameters"], "sourceIdentity": None, **request}
        session = from_event(event(requestParameters=asked, responseElements={**usual["responseElements"], **answer}))
        assert session
        assert (session.source_identity or None) == expected
