# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said about a key whose role AWS does not show, or shows in part."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import make_venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import incident_info, role

from tests.support.account import Account, Runner, answer, refuse
from tests.support.cloudtrail import issue_event
from tests.support.receipts import recent

NAME, KEY = "unity-sbg-dev-sts", "ASIAEXAMPLE000000001"
DENIED = refuse("AccessDenied")


@pytest.fixture
def incident(account: Account, tmp_path: pathlib.Path) -> Runner:
    """A key of the venue sbg-dev, of which an event of CloudTrail says when it was issued, but not of which role id."""
    Runner(role.OPERATION, account, project="sbg", venue="dev").execute()
    at = (datetime.now(UTC) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = issue_event("jdoe-1", KEY, at)
    del event["responseElements"]["assumedRoleUser"]
    found, nothing = ({"Events": events} for events in ([{"CloudTrailEvent": json.dumps(event)}], []))
    account.before("cloudtrail:LookupEvents", *map(answer, [found, *[nothing] * 9]))
    (tmp_path / "receipts").touch()
    asked = {"access_key_id": KEY, "receipts_file": str(tmp_path / "receipts"), "regions": ["us-west-2"]}
    return Runner(incident_info.OPERATION, account, **asked)


def shown(result: dict[str, Any]) -> tuple[str, str | None, bool]:
    """The state of the token, the name of its role, and whether the role could not be read."""
    unread = any("could not be read" in one for one in result["gaps"])
    return result["session"]["state"], (result["role"] or {}).get("name"), unread


@pytest.mark.parametrize(
    ("call", "happening", "state", "name"),
    [
        ("iam:GetRole", DENIED, "live", NAME),
        ("iam:GetRole", refuse("NoSuchEntity"), "role_gone", None),
        ("iam:ListRolePolicies", DENIED, "live", NAME),
    ],
)
def test_a_role_that_may_not_be_read_has_not_been_deleted(
    incident: Runner, account: Account, call: str, happening: Any, state: str, name: str | None
) -> None:
    account.before(call, happening)
    result = incident.execute()
    assert shown(result) == (state, name, happening is DENIED)


def test_nothing_is_looked_up_for_a_key_of_another_account(incident: Runner, account: Account) -> None:
    account.before("sts:GetAccessKeyInfo", answer({"Account": "210987654321"}))
    result = incident.execute()
    assert (result["account_id"], result["in_account"], result["session"]) == ("210987654321", False, None)
    assert (result["regions"], result["calls"], result["truncated"]) == ([], [], False)
    assert "cloudtrail:LookupEvents" not in account.calls


def test_a_role_is_a_venues_own_by_its_tags(incident: Runner, account: Account) -> None:
    assert incident.execute()["role"]["owned"] is True


def test_a_role_without_tags_is_nobodys(incident: Runner, account: Account) -> None:
    tags = account.iam.list_role_tags(RoleName=NAME)["Tags"]
    account.iam.untag_role(RoleName=NAME, TagKeys=[one["Key"] for one in tags])
    assert incident.execute()["role"]["owned"] is False


@pytest.mark.parametrize("other_venue", ["dev", "test"])
def test_the_venue_of_a_key_that_receipts_disagree_about(
    account: Account, tmp_path: pathlib.Path, other_venue: str
) -> None:
    """Two tokens cannot have one key, so none of them is believed; but both may be of one venue."""
    one, other = (replace(recent(number=number, session_name=f"jdoe-{number}"), access_key_id=KEY) for number in (1, 2))
    file = tmp_path / "receipts"
    file.write_text(f"{one.to_line()}\n{replace(other, venue=make_venue('sbg', other_venue)).to_line()}\n")
    options = {"access_key_id": KEY, "receipts_file": str(file), "cloudtrail": False}
    result = Runner(incident_info.OPERATION, account, **options).execute()
    assert (result["session"], result["ambiguous"]) == (None, True)
    assert result["venue"] == ({"project": "sbg", "venue": "dev"} if other_venue == "dev" else None)


def test_where_aws_does_not_tell_the_account_of_a_key_its_token_tells_it(incident: Runner, account: Account) -> None:
    account.before("sts:GetAccessKeyInfo", DENIED)
    result = incident.execute()
    assert (result["account_id"], result["in_account"], result["problems"]) == (None, None, [])
