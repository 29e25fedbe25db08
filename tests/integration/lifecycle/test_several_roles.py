# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue with several roles: one that fails keeps no other from being ended, and the failure says what was done."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lock import has_lock
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import found_in
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import state

from tests.support.operations import perform
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
MAIN, OTHER = "unity-sbg-dev-sts", "legacy-sts"
TARGETS = [{"state": "locked"}, {"all": True}]


@pytest.fixture(autouse=True)
def second_role(venue: Moto) -> None:
    """Under a name that does not follow the convention."""
    assert "failed" not in perform(role.OPERATION, **VENUE, role_name=OTHER)


def fill(moto: Moto, name: str) -> None:
    """A policy of somebody else leaves no room for a revocation."""
    iam = moto.client("iam")
    own = iam.get_role_policy(RoleName=name, PolicyName="venue-access")["PolicyDocument"]
    room = 10_240 - len(json.dumps(own, separators=(",", ":"))) - 200
    statement = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": [f"arn:aws:s3:::{'x' * room}"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=name, PolicyName="foreign", PolicyDocument=policy)


def ended(moto: Moto, name: str, options: dict[str, Any]) -> bool:
    """Whether tokens of a role are revoked, and for a lock, whether nobody can assume it."""
    iam = moto.client("iam")
    revoked = bool(found_in(iam.list_role_policies(RoleName=name)["PolicyNames"]))
    return revoked and (options != {"state": "locked"} or has_lock(state.read_role(iam, name)))


@pytest.mark.parametrize("options", TARGETS, ids=str)
@pytest.mark.parametrize("full", [MAIN, OTHER])
def test_a_role_without_room_keeps_no_other_from_being_ended(venue: Moto, options: dict[str, Any], full: str) -> None:
    fill(venue, full)
    result = perform(revocation.OPERATION, **VENUE, **options)
    (other,) = {MAIN, OTHER} - {full}
    assert (result["error"], result["changed"]) == ("QuotaReached", True)
    assert (
        f"1 of the 2 roles of sbg-dev are not {'locked' if 'state' in options else 'revoked'}. {full}: "
        in result["msg"]
    )
    assert ended(venue, other, options) and not ended(venue, full, options)
    assert {one["name"] for one in result["roles"]} == {MAIN, OTHER} and result["steps"] != []
    assert not result["locked"]
    # At least nobody gets a new token.
    assert has_lock(state.read_role(venue.client("iam"), full)) == ("state" in options)


@pytest.mark.parametrize("options", TARGETS, ids=str)
@pytest.mark.parametrize("code", ["AccessDenied", "ServiceFailure"])
@pytest.mark.parametrize("hidden", [MAIN, OTHER])
def test_a_role_that_cannot_be_read_is_a_failure_after_the_others_have_ended(
    venue: Moto, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], code: str, hidden: str
) -> None:
    read_role = state.read_role

    def refused(iam: Any, name: str) -> Any:
        if name == hidden:
            raise AwsRefused("AWS does not show it.", operation="iam:GetRole", code=code)
        return read_role(iam, name)

    with monkeypatch.context() as patched:
        patched.setattr(state, "read_role", refused)
        result = perform(revocation.OPERATION, **VENUE, **options)
    (other,) = {MAIN, OTHER} - {hidden}
    assert f"{hidden}: AWS does not show it." in result["msg"] and result["failed"] and not result["locked"]
    assert ended(venue, other, options)


@pytest.mark.parametrize("error", [AwsRefused, lambda *_a, **_k: state.TooManyReceipts("no")], ids=["refused", "other"])
def test_a_role_that_cannot_be_written_keeps_no_other_from_being_ended(
    venue: Moto, monkeypatch: pytest.MonkeyPatch, error: Callable[..., Exception]
) -> None:
    applied = revocation.apply

    def refused(client_for: Any, steps: Any, done: Any) -> None:
        if any(step.arguments.get("RoleName") == MAIN for step in steps):
            raise error("no", operation="iam:PutRolePolicy", code="AccessDenied")
        applied(client_for, steps, done)

    monkeypatch.setattr(revocation, "apply", refused)
    result = perform(revocation.OPERATION, Runtime(sleep=lambda _seconds: None), **VENUE, state="locked")
    assert result["failed"] and f"{MAIN}: no" in result["msg"]
    assert [(one["name"], one["locked"]) for one in result["roles"]] == [(MAIN, False), (OTHER, True)]
    assert {one["role_name"] for one in result["revocations"]} == {OTHER}


def test_the_conventional_name_of_another_venue_keeps_no_role_from_being_locked(venue: Moto) -> None:
    iam = venue.client("iam")
    owner = [{"Key": "Proj", "Value": "emit"}, {"Key": "Venue", "Value": "dev"}]
    iam.tag_role(RoleName=MAIN, Tags=owner)
    result = perform(revocation.OPERATION, **VENUE, state="locked")
    assert [one["name"] for one in result["roles"]] == [OTHER] and result["locked"]
    assert [one.startswith(f"{MAIN}: ") for one in result["not_reached"]] == [True]
    assert not has_lock(state.read_role(iam, MAIN))
    named = perform(revocation.OPERATION, **VENUE, state="locked", role_name=MAIN)
    assert named["error"] == "OwnershipConflict"
