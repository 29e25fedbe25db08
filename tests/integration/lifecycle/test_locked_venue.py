# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a lock means for runs that do not lock: no role of a locked venue comes into being that is not locked."""

from __future__ import annotations

import json
import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import ASSUME_ACTIONS
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import preflight, role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import state

from tests.support.operations import perform
from tests.support.receipts import issued
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
MAIN, OTHER = "unity-sbg-dev-sts", "legacy-sts"


def names(moto: Moto) -> set[str]:
    return {one["RoleName"] for one in moto.client("iam").list_roles()["Roles"]}


@pytest.fixture
def locked(venue: Moto) -> Moto:
    assert perform(revocation.OPERATION, **VENUE, state="locked")["locked"]
    return venue


@pytest.mark.parametrize("check", [False, True], ids=["apply", "check mode"])
@pytest.mark.parametrize("options", [{"role_name": OTHER}, {"name_prefix": "other"}], ids=str)
def test_a_locked_venue_gets_no_role_of_another_name(locked: Moto, options: dict[str, Any], check: bool) -> None:
    before = names(locked)
    result = perform(role.OPERATION, Runtime(check_mode=check), **VENUE, **options)
    assert (result["error"], result["steps"], names(locked)) == ("VenueLocked", [], before)
    assert f"role {MAIN} in account 123456789012" in result["msg"]


def test_a_role_that_was_removed_is_not_made_again_while_another_is_locked(venue: Moto) -> None:
    assert "failed" not in perform(role.OPERATION, **VENUE, role_name=OTHER)
    assert perform(revocation.OPERATION, **VENUE, state="locked")["locked"]
    venue.client("iam").delete_role_policy(RoleName=MAIN, PolicyName="venue-access")
    for name in venue.client("iam").list_role_policies(RoleName=MAIN)["PolicyNames"]:
        venue.client("iam").delete_role_policy(RoleName=MAIN, PolicyName=name)
    venue.client("iam").delete_role(RoleName=MAIN)
    assert perform(role.OPERATION, **VENUE)["error"] == "VenueLocked"
    assert "failed" not in perform(revocation.OPERATION, **VENUE, state="unlocked", role_name=OTHER)
    assert "failed" not in perform(role.OPERATION, **VENUE)


@pytest.mark.parametrize("itself", [False, True], ids=["open", "locked as well"])
def test_a_role_of_nobody_is_not_adopted_while_the_venue_is_locked(locked: Moto, itself: bool) -> None:
    iam, everybody = locked.client("iam"), {"Effect": "Deny", "Principal": "*", "Action": list(ASSUME_ACTIONS)}
    trust = {"Version": "2012-10-17", "Statement": [everybody] if itself else []}
    iam.create_role(RoleName=OTHER, AssumeRolePolicyDocument=json.dumps(trust))
    result = perform(role.OPERATION, **VENUE, role_name=OTHER, adopt=True)
    assert result.get("error") == (None if itself else "VenueLocked"), result
    assert bool(iam.list_role_tags(RoleName=OTHER)["Tags"]) is itself


def test_another_venue_and_a_role_that_exists_are_not_concerned(locked: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    locked.publish(project="emit", venue="dev")
    assert "failed" not in perform(role.OPERATION, project="emit", venue="dev")

    def not_asked(*_arguments: Any) -> Any:
        raise AssertionError("a run that creates no role lists no roles")

    monkeypatch.setattr(preflight, "roles_of", not_asked)
    for changes in ({}, {"max_session_duration": 7200}):
        result = perform(role.OPERATION, **VENUE, **changes)
        assert (result["locked"], result["changed"]) == (True, bool(changes))


def test_without_the_permission_to_look_a_warning_says_so(locked: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: Any) -> Any:
        raise AwsRefused("no", operation="iam:GetAccountAuthorizationDetails", code="AccessDenied")

    monkeypatch.setattr(preflight, "roles_of", refused)
    said: list[str] = []
    assert "failed" not in perform(role.OPERATION, Runtime(warn=said.append), **VENUE, role_name=OTHER)
    assert any("the caller needs iam:GetAccountAuthorizationDetails" in one for one in said)


def test_a_removal_says_that_the_lock_goes_with_the_role(locked: Moto) -> None:
    for check in (True, False):
        said: list[str] = []
        result = perform(role.OPERATION, Runtime(check_mode=check, warn=said.append), **VENUE, state="absent")
        assert "failed" not in result and result["notes"] == said
        assert [f"The role {MAIN} is locked, and the lock goes with the role" in one for one in said] == [True]
    again = perform(role.OPERATION, **VENUE, state="absent")
    assert (again["notes"], again["changed"]) == ([], False)


def test_locking_again_ends_a_token_that_was_issued_since(
    locked: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as after somebody has removed the lock manually for a while."""
    asked_aws, later = state.read_caller_and_time, datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    file = tmp_path / "receipts"
    file.write_text(issued(at=later - timedelta(minutes=10)).to_line() + "\n")
    monkeypatch.setattr(state, "read_caller_and_time", lambda sts: (asked_aws(sts)[0], later))
    again = perform(revocation.OPERATION, Runtime(now=lambda: later), **VENUE, state="locked")
    assert not again["changed"]
    asked = {**VENUE, "state": "locked", "receipts_file": str(file)}
    shown = perform(revocation.OPERATION, Runtime(now=lambda: later), **asked)
    assert shown["changed"] and shown["locked"]
    (every,) = shown["revocations"]
    assert every["before"] > (later + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert not perform(revocation.OPERATION, Runtime(now=lambda: later), **asked)["changed"]
