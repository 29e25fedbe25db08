# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds tokens: what CloudTrail is asked."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AccountMismatch, InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.sessions import EVENTS
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role, session_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.session_info import OPERATION

from tests.support.account import MOTO_ACCOUNT, Account, Runner, answer
from tests.support.cloudtrail import issue_event
from tests.support.receipts import WITHOUT_ANSWER, ago, issued, lies_about, requested

ARN = f"arn:aws:iam::{MOTO_ACCOUNT}:role/unity-sbg-dev-sts"
OTHER = "210987654321"
VENUE = {"project": "sbg", "venue": "dev"}


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (VENUE, [("ResourceName", ARN)]),
        ({}, [("EventName", name) for name in EVENTS]),
        ({**VENUE, "cloudtrail": False}, []),
    ],
    ids=["a venue", "an account", "not asked"],
)
def test_a_venue_is_looked_up_by_its_role_and_an_account_by_the_names_of_the_events(
    account: Account, options: dict[str, Any], asked: list[tuple[str, str]]
) -> None:
    Runner(role.OPERATION, account, **VENUE).execute()
    account.before("cloudtrail:LookupEvents", *[answer({"Events": []})] * 9)  # moto does not know it
    result = Runner(OPERATION, account).execute(**options)
    given = [one["LookupAttributes"][0] for call, one in account.arguments if call == "cloudtrail:LookupEvents"]
    assert [(one["AttributeKey"], one["AttributeValue"]) for one in given] == asked
    assert (result["sessions"], result["changed"]) == ([], False)


def test_every_role_of_a_venue_is_looked_up(account: Account) -> None:
    """Revoking everything ends the tokens of all of them. Some have no receipt."""
    Runner(role.OPERATION, account, **VENUE).execute()
    second = {"role_name": "legacy-sts", "external_id_parameter": "/unity/sbg/dev/legacy/external-id"}
    Runner(role.OPERATION, account, **VENUE, **second).execute()
    others = {"project": "sbg", "venue": "ops"}
    account.publish_names(**others)
    Runner(role.OPERATION, account, **others).execute()
    arn = ARN.replace("unity-sbg-dev-sts", "legacy-sts")
    event = issue_event("jdoe-1", "ASIAEXAMPLE000000001", ago(minutes=5), arn)
    found = answer({"Events": [{"CloudTrailEvent": json.dumps(event)}]})
    account.before("cloudtrail:LookupEvents", found, answer({"Events": []}))
    held = Runner(OPERATION, account).execute(**VENUE)["sessions"]
    given = [one["LookupAttributes"][0] for call, one in account.arguments if call == "cloudtrail:LookupEvents"]
    assert [one["AttributeValue"] for one in given] == [arn, ARN]
    assert [(one["role_name"], one["venue"]) for one in held] == [("legacy-sts", "dev")]


def test_a_venue_whose_receipts_are_of_another_account_may_still_have_sessions_in_this_one(
    account: Account, tmp_path: pathlib.Path
) -> None:
    Runner(role.OPERATION, account, **VENUE).execute()
    foreign = issued(
        at=datetime.now(UTC) - timedelta(minutes=10), account_id=OTHER, role_arn=ARN.replace(MOTO_ACCOUNT, OTHER)
    )
    file = tmp_path / "receipts"
    file.write_text(f"{foreign.to_line()}\n")
    sessions = Runner(OPERATION, account, **VENUE, receipts_file=str(file))
    account.before("cloudtrail:LookupEvents", answer({"Events": []}))
    assert sessions.execute()["sessions"] == []
    assert sessions.warnings == [f"Tokens of this venue were also issued in account {OTHER}. They are not listed."]
    with pytest.raises(AccountMismatch, match=f"Get credentials for account {OTHER}"):
        sessions.execute(cloudtrail=False)


@pytest.mark.parametrize(("earlier", "is_kept"), [(59, True), (62, False)])
def test_cloudtrail_is_not_asked_for_what_it_does_not_keep(account: Account, earlier: int, is_kept: bool) -> None:
    """A minute more than 90 days is the time between the admin's calculation and this one."""
    Runner(role.OPERATION, account, **VENUE).execute()
    sessions = Runner(OPERATION, account, **VENUE)
    since = (sessions.clock.time - timedelta(days=90, seconds=earlier)).strftime("%Y-%m-%dT%H:%M:%SZ")
    if is_kept:
        account.before("cloudtrail:LookupEvents", answer({"Events": []}))
        assert sessions.execute(since=since)["sessions"] == []
    else:
        with pytest.raises(InvalidInput, match="CloudTrail keeps 90 days"):
            sessions.execute(since=since)
        assert sessions.execute(since=since, cloudtrail=False)["sessions"] == []


def test_a_token_counts_from_its_issue_and_one_of_which_nothing_is_known_from_its_request(
    account: Account, tmp_path: pathlib.Path
) -> None:
    Runner(role.OPERATION, account, **VENUE).execute()
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    at = long_ago + timedelta(minutes=60)
    waited = replace(issued(number=1, at=long_ago), issued_at=at, expires_at=at + timedelta(hours=1))
    lost = requested(number=2, at=long_ago)
    file = tmp_path / "receipts"
    file.write_text(f"{waited.to_line()}\n{lost.to_line()}\n")
    since = (long_ago + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    options = {**VENUE, "receipts_file": str(file), "cloudtrail": False}
    assert len(Runner(OPERATION, account, **options).execute(since=since)["sessions"]) == 1
    assert len(Runner(OPERATION, account, **options).execute()["sessions"]) == 2


def test_no_forged_line_hides_or_ends_a_token(account: Account, tmp_path: pathlib.Path) -> None:
    role_id = Runner(role.OPERATION, account, **VENUE).execute()["role"]["role_id"]
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=4)
    token, killed = issued(at=at, role_arn=ARN), requested("kim", 2, at=at, role_arn=ARN)
    token = replace(token, assumed_role_id=f"{role_id}:{token.session_name}")
    answered = {name: token.to_json()[name] for name in WITHOUT_ANSWER} | {"state": "issued"}
    file = tmp_path / "receipts"
    bogus = {"access_key_id": "ASIAFORGEDFORGED0001"}
    for field in ("state", "recipient", "role_arn", "duration_seconds", "issued_at", "expires_at", "assumed_role_id"):
        lies = [{field: value} for value in lies_about(at)[field]]
        forged = [{**token.to_json(), **lie} for lie in lies]
        forged += [{**killed.to_json(), **answered, **bogus, **lie} for lie in lies]
        file.write_text("\n".join([*map(json.dumps, forged), token.to_line(), killed.to_line()]))
        listed = Runner(OPERATION, account, **VENUE, receipts_file=str(file), cloudtrail=False).execute()
        states = {(one["recipient"], one["session_name"], one["state"]) for one in listed["sessions"]}
        assert ("jdoe", token.session_name, "live") in states, field
        assert states & {("kim", killed.session_name, state) for state in ("live", "unknown")}, field


def test_what_is_dated_in_the_future_is_named(account: Account, tmp_path: pathlib.Path) -> None:
    Runner(role.OPERATION, account, **VENUE).execute()
    at = datetime.now(UTC).replace(microsecond=0)
    ahead = issued(number=1, at=at + timedelta(minutes=6), role_arn=ARN)
    # Only what the request says of the time can make a token one of the future.
    answered = issued(number=2, at=at, role_arn=ARN)
    late = replace(answered, issued_at=at + timedelta(minutes=119), expires_at=at + timedelta(minutes=179))
    file = tmp_path / "receipts"
    file.write_text(f"{ahead.to_line()}\n{late.to_line()}\n")
    listing = Runner(OPERATION, account, **VENUE, receipts_file=str(file), cloudtrail=False)
    assert [one["session_name"] for one in listing.execute()["sessions"]] == [late.session_name]
    assert [ahead.session_name in one for one in listing.warnings] == [True]
    earlier = {name: (at - timedelta(minutes=ago)).isoformat() for name, ago in (("since", 60), ("until", 30))}
    assert listing.execute(**earlier)["sessions"] == []


@pytest.mark.parametrize(("name", "number"), [("unity-sbg-dev-sts", 1), ("somebody-elses", 0)])
def test_events_of_roles_that_are_no_venues_are_left_out(account: Account, name: str, number: int) -> None:
    Runner(role.OPERATION, account, **VENUE).execute()
    at = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = issue_event("jdoe-1", "ASIAEXAMPLE000000001", at, ARN.replace("unity-sbg-dev-sts", name))
    events = {"Events": [{"CloudTrailEvent": json.dumps(event)}]}
    account.before("cloudtrail:LookupEvents", *[answer(events)] * len(EVENTS))
    assert len(Runner(OPERATION, account).execute()["sessions"]) == number


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_time_that_has_no_length_is_refused(account: Account, seconds: int) -> None:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    times = {"since": since.isoformat(), "until": (since + timedelta(seconds=seconds)).isoformat()}
    with pytest.raises(InvalidInput, match="since: must be earlier than until"):
        Runner(OPERATION, account, **VENUE).execute(**times)


@pytest.mark.parametrize("minutes", [-4, 4], ids=["behind", "ahead"])
def test_states_are_as_of_the_clock_of_aws(
    account: Account, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    """A clock that is ahead does not end a token early, and one that is behind hides none."""
    Runner(role.OPERATION, account, **VENUE).execute()
    now = datetime.now(UTC).replace(microsecond=0)
    asked_aws = session_info.read_caller_and_time
    monkeypatch.setattr(session_info, "read_caller_and_time", lambda sts: (asked_aws(sts)[0], now))
    file = tmp_path / "receipts"
    role_id = account.iam.get_role(RoleName="unity-sbg-dev-sts")["Role"]["RoleId"]
    ending = replace(issued(at=now - timedelta(minutes=58)), assumed_role_id=f"{role_id}:jdoe")
    elsewhere = requested("jane", 2, at=now + timedelta(minutes=4))  # by a clock that is ahead
    file.write_text(f"{ending.to_line()}\n{elsewhere.to_line()}\n")
    sessions = Runner(OPERATION, account, **VENUE, receipts_file=str(file), cloudtrail=False)
    sessions.clock.time = now + timedelta(minutes=minutes)
    held = sessions.execute()["sessions"]
    assert [(one["session_name"], one["state"]) for one in held] == [
        (elsewhere.session_name, "unknown"),
        (ending.session_name, "live"),
    ]
    assert sessions.warnings == []
