# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The incident lock of a venue: no token of its role works, and nobody gets a new one, until the venue is unlocked.

A Deny statement in the trust policy refuses every new token, and a revocation ends those that were issued before.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from .policies import compact
from .revocation import Revocation, cutoff, plan_revoke, standing
from .roles import Role
from .steps import Plan, Step
from .trust import lock_statement
from .trust_reader import LOCK_SID, foreign_statements, is_lock, is_locked, read_statements

# How long AWS may go on issuing tokens after the trust policy has changed. Those tokens are refused as well.
PROPAGATION = timedelta(minutes=5)


def has_lock(role: Role) -> bool:
    """Whether the role has this collection's lock, unaltered."""
    return any(is_lock(one) for one in read_statements(role.trust))


def plan_lock(
    role: Role,
    inline: Mapping[str, Mapping[str, Any]],
    now: datetime,
    *,
    revoke: bool = True,
    newest: datetime | None = None,
) -> Plan:
    """The steps that lock a role.

    The revocation is written before the lock, so a role with the lock needs no second revocation, and a second run
    changes nothing, unless a token is known that was issued anyway.

    :param inline: all inline policies of the role, by name.
    :param now: the time of AWS's clock.
    :param revoke: whether tokens issued before are revoked as well.
    :param newest: when the last token may have been issued that is known; None if none is.
    :raises QuotaReached: the revocation does not fit on the role.
    """
    everything = Revocation("all", "", cutoff(now + PROPAGATION))
    ended = any(
        one.kind == "all" and one.live(now) and (newest is None or one.before > min(newest, now))
        for one in standing(inline, role.role_id)
    )
    locked = has_lock(role)
    revoked = plan_revoke(
        role.name, role.role_id, inline, [] if not revoke or (locked and ended) else [everything], now
    )
    others = [one.content for one in read_statements(role.trust) if one.sid != LOCK_SID]
    policy = _with_statements(role.trust, [*others, lock_statement()])
    steps = [] if locked else [_write(role, policy, "lock the venue")]
    return _plan([*revoked.steps, *steps], revoked, role, policy)


def plan_unlock(role: Role, inline: Mapping[str, Mapping[str, Any]], now: datetime) -> Plan:
    """The steps that let a role be assumed again. Tokens issued before stay revoked.

    :param now: the time of AWS's clock.
    """
    ahead = [one for one in standing(inline, role.role_id) if one.kind == "all" and one.before > cutoff(now)]
    until_now = Revocation("all", "", cutoff(now))
    kept = {name: policy for name, policy in inline.items() if name not in {one.policy_name for one in ahead}}
    revoked = plan_revoke(role.name, role.role_id, kept, [until_now] if ahead else [], now)
    removed = [_delete(role, one) for one in ahead]
    before = {
        "revocations": {**revoked.before["revocations"], **{one.policy_name: inline[one.policy_name] for one in ahead}}
    }
    statements = read_statements(role.trust)
    policy = _with_statements(role.trust, [one.content for one in statements if one.sid != LOCK_SID])
    steps = [_write(role, policy, "unlock the venue")] if any(one.sid == LOCK_SID for one in statements) else []
    return _plan([*revoked.steps, *removed, *steps], Plan([], before, revoked.after), role, policy)


def _plan(steps: Iterable[Step], revoked: Plan, role: Role, policy: Mapping[str, Any]) -> Plan:
    before, after = (
        {**state, "locked": is_locked(trust)}
        for state, trust in ((revoked.before, role.trust), (revoked.after, policy))
    )
    denials = [one.name for one in foreign_statements(policy) if one.effect == "Deny"]
    notes = [
        f"The trust policy of the role {role.name} has the {name}, which this collection did not write. It stays."
        for name in denials
    ]
    return Plan(list(steps), before, after, notes, is_locked(policy))


def _with_statements(policy: Mapping[str, Any], statements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    rest = {key: value for key, value in policy.items() if key.lower() != "statement"}
    return {**rest, "Statement": list(statements)}


def _write(role: Role, policy: Mapping[str, Any], summary: str) -> Step:
    arguments = {"RoleName": role.name, "PolicyDocument": compact(policy)}
    return Step("iam", "update_assume_role_policy", role.name, summary, arguments)


def _delete(role: Role, revocation: Revocation) -> Step:
    name = revocation.policy_name
    summary = "replace a revocation that reaches beyond the present"
    return Step("iam", "delete_role_policy", name, summary, {"RoleName": role.name, "PolicyName": name})
