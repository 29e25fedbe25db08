# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which token a key is of, where receipts and CloudTrail agree, contradict each other, or are silent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.incident import (
    gaps,
    identify,
    is_of,
    parent_of,
    provenance,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.incident_text import lines, next_step
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.sessions import from_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.uses import queries, summary, use_from

from tests.support.cloudtrail import derive_event, issue_event, use_event
from tests.support.receipts import ACCOUNT, NOW, ROLE_ID, issued

KEY, CHILD = "ASIAEXAMPLE000000001", "ASIAEXAMPLEEXAMPLE0C"
AT = "2026-11-22T09:30:15Z"
REGIONS = ["us-west-2", "us-east-1"]
OTHER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/unity-emit-ops-sts"


def event(session: str = "", at: str = AT, **changes: Any) -> str:
    return json.dumps(issue_event(session or issued().session_name, KEY, at, **changes))


def test_receipt_and_event_agree() -> None:
    found = identify(KEY, ACCOUNT, [event()], [issued(), issued(number=2)])
    assert found.session
    assert found.session.sources == ("cloudtrail", "receipt")
    assert (found.receipt, found.problems, found.ambiguous) == (issued(), (), False)
    assert provenance(found.session, found.receipt)["recipient"] == "jdoe"
    assert provenance(found.session, found.receipt)["ticket"] == "MDPS-1"


def test_each_alone_is_enough() -> None:
    by_event = identify(KEY, None, [event()], [])
    by_receipt = identify(KEY, None, [], [issued()])
    assert by_event.session
    assert by_receipt.session
    assert (by_event.receipt, by_receipt.receipt) == (None, issued())
    assert by_event.session.session_name == by_receipt.session.session_name
    assert provenance(by_event.session, None)["recipient"] is None
    assert identify(KEY, ACCOUNT, [], []).session is None


def test_a_forged_receipt_is_named_and_not_believed() -> None:
    forged = issued(number=1, session_name="somebody-else")
    found = identify(KEY, ACCOUNT, [event()], [forged])
    assert found.session
    assert (found.session.session_name, found.receipt) == (issued().session_name, None)
    assert "The receipt is ignored" in found.problems[0]
    both = identify(KEY, ACCOUNT, [event()], [forged, issued()])
    assert (both.receipt, len(both.problems)) == (issued(), 1)


def test_a_receipt_of_another_account_than_aws_says_is_not_believed() -> None:
    found = identify(KEY, "210987654321", [], [issued()])
    assert found.session is None
    assert f"names account {ACCOUNT} for the key, but AWS says 210987654321" in found.problems[0]


@pytest.mark.parametrize("events", [[event()], []], ids=["with CloudTrail", "receipts alone"])
def test_a_receipt_that_gives_a_session_to_somebody_else_is_not_believed(events: list[str]) -> None:
    forged = issued(recipient="jane")
    assert forged.session_name == issued().session_name
    alone = identify(KEY, ACCOUNT, events, [forged])
    assert (alone.receipt, bool(alone.session)) == (None, bool(events))
    assert "the name is that of another user. The receipt is ignored." in alone.problems[0]
    for receipts in ([forged, issued()], [issued(), forged]):
        assert identify(KEY, ACCOUNT, events, receipts).receipt == issued()


def test_a_session_that_an_identity_provider_named_may_be_of_any_recipient() -> None:
    named = issued(session_name="jane@example.org")
    assert identify(KEY, ACCOUNT, [], [named]).receipt == named


@pytest.mark.parametrize("forged_first", [True, False])
def test_of_receipts_that_contradict_each_other_the_one_counts_that_ends_last(forged_first: bool) -> None:
    at = NOW + timedelta(minutes=1)
    ended = replace(issued(), duration_seconds=60, issued_at=at, expires_at=at + timedelta(seconds=60))
    found = identify(KEY, ACCOUNT, [], [ended, issued()] if forged_first else [issued(), ended])
    assert (found.session, found.ambiguous) == (from_receipt(issued()), False)


def test_receipts_that_contradict_each_other_are_not_chosen_from() -> None:
    found = identify(KEY, ACCOUNT, [], [issued(), issued(role_arn=OTHER_ROLE)])
    assert (found.session, found.ambiguous) == (None, True)
    assert "unity-emit-ops-sts" in found.problems[0]


def used(**changes: Any) -> str:
    session = issued().session_name
    who = {
        "type": "AssumedRole",
        "principalId": f"{ROLE_ID}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/unity-sbg-dev-sts/{session}",
        "accessKeyId": KEY,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": issued().role_arn},
            "attributes": {"creationDate": AT},
        },
    }
    return json.dumps(use_event(KEY, AT, userIdentity={**who, **changes}))


def test_a_call_says_what_the_key_is_where_its_issue_was_not_seen() -> None:
    found = identify(KEY, ACCOUNT, ["{", "[]", used()], [])
    assert found.session
    assert (found.session.session_name, found.session.role_id) == (issued().session_name, ROLE_ID)
    assert (found.session.issued_at, found.session.expires_at) == (NOW, NOW + timedelta(hours=12))
    said = gaps(found.session, None, REGIONS, asked=True, truncated=False, failed={})
    assert any("The calls with the key identify it" in one for one in said)
    # The event of the issue knows more.
    both = identify(KEY, ACCOUNT, [used(), event()], []).session
    assert both and both.issuer_arn and both.expires_at < NOW + timedelta(hours=12)


@pytest.mark.parametrize("kind", ["user/jdoe", "federated-user/jdoe"])
def test_a_key_of_a_user_is_said_to_be_that(kind: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:{kind}"
    found = identify(KEY, ACCOUNT, ["{", "[]", used(arn=arn, sessionContext={})], [])
    assert (found.session, found.signer) == (None, arn)
    assert identify(KEY, ACCOUNT, [used(arn=arn, accessKeyId=CHILD)], []).signer == ""
    assert identify(KEY, ACCOUNT, [used(sessionContext=None)], []).signer == ""
    shown = " ".join(screen(session=None, venue=None, role=None, signer_arn=arn).split())
    assert f"TOKEN {arn}" in shown
    assert "set the user's keys to Inactive" in shown and "lock the venue" not in shown


@pytest.mark.parametrize(
    "changes",
    [{"accessKeyId": CHILD}, {"sessionContext": None}, {"arn": f"arn:aws:iam::{ACCOUNT}:user/jdoe"}],
    ids=str,
)
def test_a_call_of_another_key_or_of_no_role_says_nothing(changes: dict[str, Any]) -> None:
    assert identify(KEY, ACCOUNT, [used(**changes)], []).session is None


def test_a_call_decides_where_receipts_disagree() -> None:
    found = identify(KEY, ACCOUNT, [used()], [issued(role_arn=OTHER_ROLE), issued()])
    assert (found.ambiguous, found.receipt) == (False, issued())
    assert any("unity-emit-ops-sts" in one and "is ignored" in one for one in found.problems)


SUBJECT, POOL = "11111111-2222-3333-4444-555555555555", "cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{POOL}"


@pytest.mark.parametrize(
    ("provider", "issuer"), [(PROVIDER, POOL), ("accounts.google.com", "accounts.google.com"), (None, "")]
)
def test_the_subject_of_web_identity_is_known_from_the_event(provider: str | None, issuer: str) -> None:
    given = issue_event(issued().session_name, KEY, AT)["responseElements"]
    given = {**given, "subjectFromWebIdentityToken": SUBJECT, "provider": provider}
    session = identify(KEY, ACCOUNT, [event(eventName="AssumeRoleWithWebIdentity", responseElements=given)], []).session
    assert session
    assert (session.subject, session.subject_issuer) == (SUBJECT, issuer)


def test_the_issuer_of_web_identity_is_known_from_a_call_and_the_rest_from_the_receipt() -> None:
    context = {
        "sessionIssuer": {"type": "Role", "arn": issued().role_arn},
        "attributes": {"creationDate": AT},
        "webIdFederationData": {"federatedProvider": PROVIDER, "attributes": {}},
    }
    alone = identify(KEY, ACCOUNT, [used(sessionContext=context)], []).session
    assert alone
    assert (alone.subject, alone.subject_issuer) == ("", POOL)
    claims = {"web_identity_subject": SUBJECT, "web_identity_issuer": POOL}
    receipt = issued(method="web_identity", context=claims)
    for events in ([used(sessionContext=context)], []):
        session = identify(KEY, ACCOUNT, events, [receipt]).session
        assert session
        assert (session.subject, session.subject_issuer) == (SUBJECT, POOL)


def test_clocks_that_differ_change_nothing_but_are_reported() -> None:
    late = "2026-11-22T09:45:15Z"
    found = identify(KEY, ACCOUNT, [event(at=late)], [issued()])
    assert found.session
    assert found.session.issued_at == NOW + timedelta(minutes=15)
    assert "differs from AWS's by 15 minutes" in found.problems[0]


def test_events_of_other_keys_and_failed_calls_say_nothing() -> None:
    other = json.dumps(issue_event("x", CHILD, AT))
    assert identify(KEY, ACCOUNT, [other, event(errorCode="AccessDenied"), "{}"], []).session is None


def test_the_key_from_which_a_key_was_made() -> None:
    made = json.dumps(derive_event(KEY, CHILD, AT))
    assert parent_of([event(), made], CHILD) == KEY
    assert parent_of([made], KEY) == ""


def test_a_session_name_alone_is_no_session() -> None:
    session = from_receipt(issued())
    name = session.session_name

    def used(role_id: str) -> Any:
        who = {"accessKeyId": CHILD, "principalId": f"{role_id}:{name}"}
        return use_from(json.dumps(use_event(CHILD, AT, userIdentity=who)))

    assert is_of(used(ROLE_ID), session, [KEY])
    assert not is_of(used("AROAOFANOTHERVENUE00"), session, [KEY])
    assert is_of(used("AROAOFANOTHERVENUE00"), session, [CHILD])


SEEN: dict[str, Any] = {"asked": True, "truncated": False, "failed": {}}


@pytest.mark.parametrize(
    ("with_event", "with_receipt", "changes", "sentence"),
    [
        (True, True, {}, "reading, writing and deleting of S3 objects is not among them"),
        (True, True, {}, "Only events of these regions were read: us-west-2, us-east-1"),
        (True, True, {"truncated": True}, "more events than max_pages"),
        (True, False, {}, "No receipt agrees"),
        (False, True, {}, "CloudTrail has no event of the issue"),
        (False, False, {}, "Neither a receipt nor an event"),
        (False, True, {"asked": False}, "CloudTrail was not searched"),
        (False, True, {"failed": dict.fromkeys(REGIONS, "denied.")}, "only receipts are known: denied."),
        (True, True, {"failed": {"us-east-1": "denied."}}, "CloudTrail of us-east-1 could not be read: denied."),
        (True, True, {"failed": {"us-east-1": "denied."}}, "of these regions were read: us-west-2. Specify"),
    ],
)
def test_what_could_not_be_seen_is_said(
    with_event: bool, with_receipt: bool, changes: dict[str, Any], sentence: str
) -> None:
    found = identify(KEY, ACCOUNT, [event()] if with_event else [], [issued()] if with_receipt else [])
    said = gaps(found.session, found.receipt, REGIONS, **{**SEEN, **changes})
    assert sentence in " ".join(said)
    if "failed" in changes:  # nobody knows whether there is an event
        assert "no event of the issue" not in " ".join(said)


def info(**changes: Any) -> dict[str, Any]:
    """A result of the module."""
    found = identify(KEY, ACCOUNT, [event()], [issued()])
    assert found.session
    uses = [one for one in [use_from(json.dumps(use_event(KEY, AT, errorCode="AccessDenied")))] if one]
    result = {
        "access_key_id": KEY,
        "account_id": ACCOUNT,
        "caller_account_id": ACCOUNT,
        "in_account": True,
        "session": found.session.shown([], NOW, ROLE_ID),
        "provenance": dict(provenance(found.session, found.receipt)),
        "venue": {"project": "sbg", "venue": "dev"},
        "role": {"arn": "a", "name": "unity-sbg-dev-sts", "role_id": ROLE_ID, "locked": False},
        "lease": None,
        "parent_keys": [],
        "derived_keys": [],
        "other_keys": [],
        "signer_arn": None,
        "ambiguous": False,
        "problems": [],
        "gaps": [],
        "use": summary(uses),
        "calls": [],
        "queries": queries([KEY], NOW),
        **changes,
    }
    return {**result, "next_step": next_step(result)}


def screen(**changes: Any) -> str:
    shown = lines(info(**changes))
    assert all(len(one) <= 120 for one in shown)
    assert len(shown) < 40
    return "\n".join(shown)


def test_the_screen_says_what_matters() -> None:
    shown = screen()
    assert "STATE         VALID until 2026-11-22T10:30:15Z" in shown
    assert "VENUE         sbg / dev, role unity-sbg-dev-sts (not locked)" in shown
    assert "RECIPIENT     jdoe" in shown
    assert "ticket MDPS-1" in shown
    assert "USED          1 calls, 2026-11-22T09:30:15Z to 2026-11-22T09:30:15Z, 1 of them denied" in shown
    assert "repeat the command with -e act=true" in shown


def test_the_screen_with_everything() -> None:
    many = summary([])
    many |= {"events": 9, "addresses": [{"value": f"192.0.2.{one}", "count": 1} for one in range(9)]}
    lease = {
        "id": "l-20261122T093015Z-0a1b2c3d",
        "state": "active",
        "ends_at": "2026-11-29T00:00:00Z",
        "approver": "jane",
    }
    shown = screen(
        derived_keys=[CHILD], lease=lease, use=many, problems=["A long problem. " * 20], gaps=["A gap."],
        role=None, venue=None, account_id=None, in_account=None,
    )  # fmt: skip
    assert f"DERIVED KEYS  {CHILD}" in shown
    assert "LEASE         l-20261122T093015Z-0a1b2c3d, active until 2026-11-29T00:00:00Z, approved by jane" in shown
    assert "192.0.2.3 (1), and 5 more" in shown
    assert "AWS does not return it" in shown
    assert "does not belong to a venue" in shown
    unknown = {"id": None, "state": "unknown", "problem": "denied"}
    assert "LEASE         not known, unknown" in screen(lease=unknown)
    nobody = dict.fromkeys(info()["provenance"]) | {"issued_at": AT}
    assert "RECIPIENT     not known" in screen(provenance=nobody)
    assert "REQUEST" not in screen(provenance=nobody)
    locked = screen(role={"locked": True}, use=summary([]))
    assert "(LOCKED)" in locked
    assert "no calls found" in locked


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"in_account": False, "account_id": "210987654321"}, "with credentials for account 210987654321"),
        (
            {"ambiguous": True, "session": None, "candidates": []},
            "with -e act=true -e lock=true, which locks the venue",
        ),
        ({"ambiguous": True, "session": None, "candidates": []}, f"-e access_key_id={KEY}"),
        (
            {"ambiguous": True, "session": None, "venue": None, "candidates": [{"project": "a", "venue": "b"}]},
            "-e project=a -e venue=b",
        ),
        ({"session": None, "access_key_id": "AKIAEXAMPLEEXAMPLE22"}, "get-access-key-last-used --access-key-id AKIA"),
        ({"session": None}, "mdps.venue_sts.lock -e project=… -e venue=…"),
    ],
)
def test_what_to_do_next(changes: dict[str, Any], words: str) -> None:
    assert words in " ".join(screen(**changes).split())


def test_a_role_that_was_not_read_is_not_said_to_be_gone_or_no_venues() -> None:
    role = {"arn": "a", "name": "Admin", "role_id": None, "locked": None, "owned": False}
    shown = screen(role=role, venue=None)
    assert "VENUE         not known, role unity-sbg-dev-sts (not read)" in shown
    assert "(iam:GetRole)" in shown and "does not belong to a venue" not in shown
    gone = screen(role=None, venue=None, session={**info()["session"], "state": "role_gone"})
    assert "(does not exist)" in gone and "no longer valid" in gone and "does not belong to a venue" not in gone


@pytest.mark.parametrize(
    ("changes", "venue"),
    [
        ({}, ("sbg", "dev")),
        ({"venue": Venue("emit", "ops")}, None),
        ({"account_id": "210987654321", "role_arn": OTHER_ROLE.replace(ACCOUNT, "210987654321")}, None),
    ],
    ids=["same venue", "another venue", "another account"],
)
def test_receipts_that_contradict_each_other_may_agree_on_the_venue(
    changes: dict[str, Any], venue: tuple[str, str] | None
) -> None:
    found = identify(KEY, None, [], [issued(), issued(**{"role_arn": OTHER_ROLE, **changes})])
    assert (found.session, found.ambiguous, found.venue(ACCOUNT)) == (None, True, venue)


@pytest.mark.parametrize(
    ("state", "words"), [("revoked", "To verify it"), ("expired", "no longer valid"), ("unknown", "act=true")]
)
def test_what_to_do_next_in_each_state(state: str, words: str) -> None:
    assert words in screen(session={**info()["session"], "state": state})


@pytest.mark.parametrize(
    ("state", "role", "named"),
    [
        ("live", {}, True),
        ("revoked", {}, True),
        ("live", {"subject_denied": True}, False),
        ("live", {"locked": True}, False),
        ("expired", {}, False),
    ],
)
def test_whoever_has_a_web_identity_token_gets_new_credentials(state: str, role: dict[str, Any], named: bool) -> None:
    claims = {"web_identity_subject": SUBJECT, "web_identity_issuer": POOL}
    session = {**info()["session"], "state": state, **claims}
    shown = " ".join(screen(session=session, role={"locked": False, "subject_denied": False, **role}).split())
    assert f"SUBJECT {SUBJECT}, of the issuer {POOL}" in shown
    assert ("also revoke the subject" in shown) is named


@pytest.mark.parametrize(("state", "named"), [("active", True), ("pending", True), ("ended", False), (None, False)])
def test_the_next_step_names_a_lease_that_is_active(state: str | None, named: bool) -> None:
    info = {
        "in_account": True,
        "ambiguous": False,
        "session": {"state": "expired"},
        "venue": {"project": "sbg", "venue": "dev"},
        "lease": {"state": state, "id": "l-1"} if state else None,
    }
    assert ("lease of the recipient is active" in next_step(info)) is named


def test_the_next_step_names_a_lease_whose_tokens_may_be_left() -> None:
    info = {
        "in_account": True,
        "ambiguous": False,
        "session": {"state": "expired"},
        "venue": {"project": "sbg", "venue": "dev"},
        "lease": {"state": "ended", "id": None, "user": "jdoe"},
    }
    assert "an earlier run did not revoke all of its tokens: -e act=true does that" in next_step(info)
