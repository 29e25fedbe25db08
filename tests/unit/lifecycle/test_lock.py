# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Planning the incident lock and its end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lock import (
    PROPAGATION,
    has_lock,
    plan_lock,
    plan_unlock,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import Revocation, cutoff
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Role
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.steps import Plan
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import lock_statement

from tests.support.described_roles import ROOT, inline, role
from tests.support.receipts import NOW

AHEAD = Revocation("all", "", cutoff(NOW + PROPAGATION))
UNTIL_NOW = Revocation("all", "", cutoff(NOW))
DENY = {"Sid": "Incident", "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
WEAK = {**lock_statement(), "Condition": {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}}


def with_statements(*statements: dict[str, Any]) -> Role:
    trust = role().trust
    return role(trust={**trust, "Id": "kept", "Statement": [*trust["Statement"], *statements]})


def steps(plan: Plan) -> list[tuple[str, str]]:
    return [(step.operation, step.target) for step in plan.steps]


def trust_after(plan: Plan) -> dict[str, Any]:
    (written,) = [step for step in plan.steps if step.operation == "update_assume_role_policy"]
    return dict(json.loads(written.arguments["PolicyDocument"]))


def test_tokens_are_revoked_before_the_role_is_locked_and_those_of_the_next_minutes_too() -> None:
    made = plan_lock(role(), inline(), NOW)
    assert steps(made) == [
        ("put_role_policy", AHEAD.policy_name),
        ("update_assume_role_policy", "unity-sbg-dev-sts"),
    ]
    assert made.locked
    assert timedelta(minutes=5) < AHEAD.before - NOW
    assert (made.before["locked"], made.after["locked"]) == (False, True)


def test_nothing_else_of_the_trust_policy_changes() -> None:
    before = with_statements(DENY)
    assert trust_after(plan_lock(before, inline(), NOW)) == {
        **before.trust,
        "Statement": [*before.trust["Statement"], lock_statement()],
    }
    after = role(trust=trust_after(plan_lock(before, inline(), NOW)))
    assert has_lock(after)
    assert trust_after(plan_unlock(after, inline(), NOW)) == before.trust


def test_a_policy_with_one_statement_that_is_no_list_is_locked_too() -> None:
    allow = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
    made = plan_lock(role(trust={"Version": "2012-10-17", "Statement": allow}), inline(), NOW)
    assert trust_after(made)["Statement"] == [allow, lock_statement()]


def test_a_second_run_changes_nothing_also_later() -> None:
    locked = with_statements(lock_statement())
    for later in (timedelta(0), timedelta(hours=11)):
        assert steps(plan_lock(locked, inline(AHEAD), NOW + later)) == []


def test_what_is_missing_of_a_lock_is_put_again() -> None:
    assert steps(plan_lock(with_statements(lock_statement()), inline(), NOW)) == [
        ("put_role_policy", AHEAD.policy_name)
    ]
    assert steps(plan_lock(role(), inline(AHEAD), NOW)) == [("update_assume_role_policy", "unity-sbg-dev-sts")]
    assert steps(plan_lock(role(), inline(UNTIL_NOW), NOW))[0] == ("put_role_policy", AHEAD.policy_name)


def test_a_token_that_was_issued_under_the_lock_is_revoked_by_locking_again() -> None:
    locked, old = with_statements(lock_statement()), Revocation("all", "", cutoff(NOW - timedelta(hours=1)))
    for newest, needed in (
        (None, False),
        (old.before - timedelta(seconds=1), False),
        (old.before, True),
        (NOW + timedelta(days=400), True),
    ):
        made = plan_lock(locked, inline(old), NOW, newest=newest)
        assert [one for one, _target in steps(made)] == ["put_role_policy", "delete_role_policy"] * needed
    # A receipt from the future needs nothing that is not there yet.
    assert steps(plan_lock(locked, inline(AHEAD), NOW, newest=NOW + timedelta(days=400))) == []


def test_an_altered_lock_is_replaced() -> None:
    made = plan_lock(with_statements(WEAK), inline(AHEAD), NOW)
    assert trust_after(made)["Statement"][-1] == lock_statement()
    assert WEAK not in trust_after(made)["Statement"]


def test_unlocking_keeps_old_tokens_revoked_and_no_later_ones() -> None:
    locked = with_statements(lock_statement())
    soon = plan_unlock(locked, inline(AHEAD), NOW)
    assert steps(soon) == [
        ("put_role_policy", UNTIL_NOW.policy_name),
        ("delete_role_policy", AHEAD.policy_name),
        ("update_assume_role_policy", "unity-sbg-dev-sts"),
    ]
    assert list(soon.before["revocations"]) == [AHEAD.policy_name]
    assert list(soon.after["revocations"]) == [UNTIL_NOW.policy_name]
    later = plan_unlock(locked, inline(AHEAD), NOW + timedelta(hours=1))
    assert steps(later) == [("update_assume_role_policy", "unity-sbg-dev-sts")]
    assert list(later.after["revocations"]) == [AHEAD.policy_name]
    assert steps(plan_unlock(role(), inline(), NOW)) == []


def test_a_deny_of_somebody_else_stays_and_is_named() -> None:
    made = plan_unlock(with_statements(DENY, lock_statement()), inline(), NOW)
    assert trust_after(made)["Statement"][-1] == DENY
    assert made.locked
    assert made.notes == [
        "The trust policy of the role unity-sbg-dev-sts has the Deny statement 'Incident', which this collection did "
        "not write. It stays."
    ]


def test_unlocking_keeps_the_revocation_of_one_user_whatever_its_time() -> None:
    of_user = Revocation("user", "jdoe", cutoff(NOW + PROPAGATION))
    made = plan_unlock(with_statements(lock_statement()), inline(AHEAD, of_user), NOW)
    assert ("delete_role_policy", AHEAD.policy_name) in steps(made)
    assert of_user.policy_name not in [target for _operation, target in steps(made)]
