# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps for each role: pure functions of the options and of what was read."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..._domain.errors import (
    InvalidInput,
    VenueError,
)
from ..._domain.lease_names import renewal_name
from ..._domain.lock import has_lock, plan_lock, plan_unlock
from ..._domain.receipts import CLOCK_TOLERANCE, Receipt
from ..._domain.revocation import QuotaReached, Revocation, cutoff, found_in, plan_lift, plan_revoke
from ..._domain.revocation_quota import exceeds_quota, fitting, for_user
from ..._domain.roles import Role
from ..._domain.steps import Plan, Step
from ..._domain.subjects import with_subject, without_subject, without_subjects
from ..._domain.trust_reader import is_locked
from ..._domain.users import is_generated, is_session_of
from .options import RevocationOptions
from .state import RoleState, State

Confirmed = Mapping[str, Collection[str]]  # the names of sessions, by the name of their role


def wanted(options: RevocationOptions, receipts: Iterable[Receipt], now: datetime) -> list[Revocation]:
    """What to revoke of one role.

    :param now: the time of AWS's clock: this machine's may be behind, and the newest tokens would be left out.
    """
    if options.by_receipt:
        # The time keeps a later token of the same session name alive. It comes from the receipt alone, so that a second
        # run finds nothing to do.
        return _sessions_of(receipts, now)
    if options.target == "web_identity_subject":
        return _sessions_of([one for one in receipts if options.concerns(one)], now)
    kind = {"session_name": "session"}.get(options.target, options.target)
    return [Revocation(kind, options.value, options.before or cutoff(now))]


def _sessions_of(receipts: Iterable[Receipt], now: datetime) -> list[Revocation]:
    """The sessions of receipts. A receipt from the future ends nothing that is issued after now."""
    latest = now + CLOCK_TOLERANCE
    ends = [(one.session_name, one.issue_until if one.requested_at <= latest else now) for one in receipts]
    return [Revocation("session", name, cutoff(end)) for name, end in ends]


def _of_lease(options: RevocationOptions, state: State, one: RoleState, now: datetime) -> list[Revocation]:
    """The tokens of the user's lease, whose receipts may be kept elsewhere.

    What renewals record names only the last token, and an earlier one may still be valid. Others can write the record
    and receipts, so neither says that there are no more tokens.
    """
    is_here = one.role.name.lower() == options.role_name.lower()
    is_renewed = state.leases is not None and renewal_name(options.lease_path, options.value) in state.leases.names
    return (
        [Revocation("user", options.value, cutoff(now))] if options.target == "user" and is_here and is_renewed else []
    )


def asked_of(options: RevocationOptions, state: State, one: RoleState) -> list[Revocation]:
    """What is asked for of one role, by receipt, lease or option."""
    return [*wanted(options, one.receipts, state.now), *_of_lease(options, state, one, state.now)]


def is_disputed(options: RevocationOptions, state: State, one: RoleState, asked: Revocation) -> bool:
    """Whether a session may be somebody else's: a receipt of another says so, or its name, as the collection makes it.

    It is revoked with the others, but not lifted: a forged receipt must not make a revoked token valid again.
    """
    of_another = (
        options.target == "user" and is_generated(asked.value) and not is_session_of(options.value, asked.value)
    )
    return asked.kind == "session" and (of_another or (one.role.name.lower(), asked.value) in state.disputed)


def disputed_of(options: RevocationOptions, state: State, one: RoleState) -> list[str]:
    """The names of revoked sessions that a lift leaves as they are."""
    if options.state != "absent":
        return []
    left = {each.value for each in asked_of(options, state, one) if is_disputed(options, state, one, each)}
    return sorted(left & {each.value for each in found_in(one.inline) if each.kind == "session"})


def roles_over_quota(options: RevocationOptions, state: State) -> list[RoleState]:
    """The roles on which not all sessions fit that receipts name."""
    return [
        one
        for one in (state.roles if options.may_exceed_quota else ())
        if exceeds_quota(one.role.role_id, one.inline, asked_of(options, state, one), state.now)
    ]


@dataclass(frozen=True)
class RolePlan:
    """What is to be done to one role.

    :param problem: why not all of it can be done; None if it can.
    """

    of: RoleState
    plan: Plan
    problem: VenueError | None = None

    @property
    def role(self) -> Role:
        """The role as it was read."""
        return self.of.role

    def after(self, done: Iterable[Step]) -> RolePlan:
        """The role as it is where no more than these steps could be carried out."""
        role, inline = self.role, dict(self.of.inline)
        for step in done:
            if step.operation == "delete_role_policy":
                inline.pop(step.target, None)
            elif step.operation == "put_role_policy":
                inline[step.target] = json.loads(step.arguments["PolicyDocument"])
            else:
                role = replace(role, trust=json.loads(step.arguments["PolicyDocument"]))
        of = replace(self.of, role=role, inline=inline)
        return replace(self, of=of, plan=_nothing(of))


def plan(options: RevocationOptions, state: State, now: datetime, confirmed: Confirmed) -> list[RolePlan]:
    """The steps for each role. What does not fit on one role keeps nothing from being done to the others.

    :param confirmed: the sessions that CloudTrail knows, of the roles in :func:`roles_over_quota`.
    :raises InvalidInput: the option is about something that must not be done.
    """
    return [_plan_or_problem(options, one, state, now, confirmed) for one in state.roles]


def _plan_or_problem(
    options: RevocationOptions, one: RoleState, state: State, now: datetime, confirmed: Confirmed
) -> RolePlan:
    try:
        return RolePlan(one, _plan_role(options, one, state, now, confirmed))
    except QuotaReached as problem:
        # Nobody gets a new token at least, where the revocation of the old ones does not fit.
        partly = plan_lock(one.role, one.inline, now, revoke=False) if options.state == "locked" else _nothing(one)
        return RolePlan(one, partly, problem)


def _nothing(one: RoleState) -> Plan:
    return replace(plan_lift(one.role.name, one.inline, []), locked=is_locked(one.role.trust))


def _plan_role(options: RevocationOptions, one: RoleState, state: State, now: datetime, confirmed: Confirmed) -> Plan:
    if options.state == "locked":
        return plan_lock(one.role, one.inline, now, newest=_newest(one.receipts))
    if options.state == "unlocked":
        return plan_unlock(one.role, one.inline, now)
    asked = asked_of(options, state, one)
    locked = is_locked(one.role.trust)
    if options.state == "absent":
        if options.target == "all" and has_lock(one.role):
            raise InvalidInput("all", f"cannot be lifted: the role {one.role.name} is locked. Unlock the venue first.")
        of_user = [("user", options.value)] if options.target == "user" else []
        certain = [(each.kind, each.value) for each in asked if not is_disputed(options, state, one, each)]
        lifted = plan_lift(one.role.name, one.inline, [*certain, *of_user])
        return replace(_lift_subjects(options, one.role, lifted), locked=locked)
    if one.role.name in confirmed:
        known = confirmed[one.role.name]
        asked = fitting(one.role.role_id, one.inline, fewer_of(options, asked, known), known, now)
    planned = plan_revoke(one.role.name, one.role.role_id, one.inline, asked, state.now)
    if options.target == "web_identity_subject":
        planned = with_subject(planned, one.role, options.issuer, options.value)
    return replace(planned, locked=locked)


def _newest(receipts: Iterable[Receipt]) -> datetime | None:
    """When the last token of receipts may have been issued, by AWS's clock; None if there are none."""
    return max((CLOCK_TOLERANCE + (one.issued_at or one.issue_until) for one in receipts), default=None)


def fewer_of(options: RevocationOptions, asked: Sequence[Revocation], known: Collection[str]) -> list[Revocation]:
    """What is to be revoked where not everything fits. An access key has one session. CloudTrail precedes receipts.

    :param known: the names of the sessions that CloudTrail knows.
    """
    if options.target == "access_key_id" and known:
        return [one for one in asked if one.value in known]
    return for_user(asked, options.value) if options.target == "user" else list(asked)


def _lift_subjects(options: RevocationOptions, role: Role, plan: Plan) -> Plan:
    if options.target == "web_identity_subject":
        return without_subject(plan, role, options.issuer, options.value)
    return without_subjects(plan, role) if options.target == "all" else plan
