# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revoke a venue's tokens, all or some, lift revocations, or lock and unlock a venue."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._aws.calls import apply
from ..._aws.clients import Clients
from ..._aws.venue_state import read_role
from ..._domain.errors import ConcurrentChange, VenueError
from ..._domain.lease_names import renewal_name
from ..._domain.lease_parameters import FoundLeases, plan_end
from ..._domain.lock import has_lock
from ..._domain.roles import Role
from ..._domain.steps import Step
from ..._domain.trust_reader import denied_subjects
from .._operation import Operation, Result, Runtime, filled_in
from ..converge import converge
from ..leases import end_leases
from .options import ARGUMENT_SPEC, BY_RECEIPT, RevocationOptions, parse
from .planning import Confirmed, RolePlan, plan
from .quota import check_quota, confirm
from .shown import chosen, diff, ended, in_force, sessions, warn
from .state import Known, State, read, read_receipts, too_many_roles
from .verify_plan import attempts_of, prepare_proof, verify

VERBS = {"present": "revoked", "absent": "lifted", "locked": "locked", "unlocked": "unlocked"}


def revoke(options: RevocationOptions, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_revocation``.

    :raises VenueError: see ``_domain/errors.py``. What could be done to other roles is done; ``steps`` says what.
    """
    known = read_receipts(options, clients, runtime)
    run = _Run(options, clients, runtime, known, read(options, known, clients))
    before = prepare_proof(options, run.state, clients, runtime)
    leases, open_leases = _end_leases(options, run.state, clients, runtime)
    if not runtime.check_mode:
        run.apply()
    warn(options, known, run.state, run.plans, runtime)
    steps = [*leases, *run.steps()]
    result = _result(run, steps, leases)
    if failure := run.failure(open_leases):
        failure.facts.update({name: value for name, value in result.items() if name != "diff"})
        failure.facts["changed"] = bool(steps) or open_leases is not None  # some leases may have ended
        raise failure
    attempts = [] if runtime.check_mode else attempts_of(options, run.state, run.plans, clients, before)
    if options.proof and not attempts and not runtime.check_mode:
        runtime.warn("Nothing was verified, because no token had to be revoked.")
    verified = verify(options, attempts, steps, runtime)
    _forget_renewals(options, run.state.leases, clients, runtime)
    return {**result, "verified": verified}


class _Run:
    """Plan and apply, again after a change by somebody else. A role that fails does not stop the others."""

    def __init__(
        self, options: RevocationOptions, clients: Clients, runtime: Runtime, known: Known, state: State
    ) -> None:
        self.options, self.clients, self.runtime, self.known = options, clients, runtime, known
        self.state = state
        self.moment = state.now
        self.confirmed: Confirmed = {}
        self.done: list[tuple[Step, dict[str, Any]]] = []
        self.failed: dict[str, VenueError] = {}
        self.plans = self.first = self._plan()

    def _plan(self) -> list[RolePlan]:
        self.confirmed = {**confirm(self.options, self.state, self.clients, self.runtime), **self.confirmed}
        return plan(self.options, self.state, self.moment, self.confirmed)

    def apply(self) -> None:
        """Apply the plans. After a change by somebody else, read and plan again."""
        try:
            with contextlib.suppress(ConcurrentChange):  # that of the last attempt is among what has failed
                converge(self.runtime, self._attempt)
        except VenueError as error:  # what was done before the roles were read again remains
            self.failed = dict.fromkeys(self.failed, error)

    def _attempt(self, number: int) -> None:
        if number:
            self._read_again()
        self.failed = {}
        self.plans = [self._apply_one(one) for one in self.plans]
        for error in self.failed.values():
            if isinstance(error, ConcurrentChange):
                raise error

    def _read_again(self) -> None:
        again = read(self.options, replace(self.known, found=True), self.clients)
        self.state = replace(again, leases=self.state.leases, unread_leases=self.state.unread_leases)
        self.plans = self._plan()

    def _apply_one(self, one: RolePlan) -> RolePlan:
        already = len(self.done)
        try:
            apply(self.clients.client, one.plan.steps, self.done)
            _check_trust(self.options, one.role, self.clients, self.done)
        except VenueError as error:
            self.failed[one.role.name] = error
            done = [step for step, _answer in self.done[already:]]
            # A trust policy that somebody else has changed since does not have what was written.
            return one.after(step for step in done if not (isinstance(error, ConcurrentChange) and _is_trust(step)))
        return one

    def steps(self) -> list[Step]:
        """What was done; in check mode, what would be."""
        if self.runtime.check_mode:
            return [step for one in self.first for step in one.plan.steps]
        return [step for step, _answer in self.done]

    def failure(self, open_leases: VenueError | None) -> VenueError | None:
        """Return what must be reported as a failure, after what could be done was done."""
        problems = {one.role.name: one.problem for one in self.plans if one.problem}
        problems |= self.failed | dict(self.state.failed)
        unrevoked = check_quota(self.options, self.state, self.plans, self.confirmed, self.runtime)
        too_many = too_many_roles(self.state.skipped_roles) if self.state.skipped_roles else None
        of_roles = _of_roles(self.options, problems, len(self.state.roles) + len(self.state.failed))
        if open_leases:
            but = "Not" if of_roles else "The tokens are revoked, but not"
            it_is = f"{but} every lease has ended" if self.state.leases else "It is not known whether leases remain"
            open_leases.message += f" {it_is}: renewal can issue new ones. Run again."
        unread = _of_receipts(self.known.unread)
        found = [one for one in (of_roles, open_leases, unrevoked, too_many, unread) if one]
        if not found:
            return None
        found[0].message = " ".join(one.message for one in found)
        return found[0]


def _of_roles(options: RevocationOptions, problems: Mapping[str, VenueError], roles: int) -> VenueError | None:
    """The problem of the only role; of several, the first, with a message that names all."""
    if not problems:
        return None
    first = next(iter(problems.values()))
    if roles > 1:
        each = " ".join(f"{name}: {error.message}" for name, error in problems.items())
        first.message = (
            f"{len(problems)} of the {roles} roles of {options.venue} are not {VERBS[options.state]}. {each} "
            "The steps in the result were carried out. Fix the cause and run again."
        )
    return first


def _of_receipts(unread: Sequence[VenueError]) -> VenueError | None:
    """The first of several reasons why receipts could not be read, with a message that has all."""
    if not unread:
        return None
    each = " ".join(one.message for one in unread)
    unread[0].message = f"{each} Tokens that only these receipts name are not revoked. Run again."
    return unread[0]


def _result(run: _Run, steps: Sequence[Step], leases: Sequence[Step]) -> Result:
    state = run.state
    locked = [one.plan.locked and one.problem is None for one in run.plans]
    return {
        "changed": bool(steps),
        "account_id": state.caller.account_id,
        "roles": [
            {"arn": one.role.arn, "name": one.role.name, "role_id": one.role.role_id, "locked": one.plan.locked}
            for one in run.plans
        ],
        "locked": bool(locked) and all(locked) and not run.failed and not state.failed,
        "revocations": [each for one in run.plans for each in in_force(one)],
        "sessions": sessions(run.options, state),
        "leases": [ended(one) for one in chosen(run.options, state.leases, leases)],
        "left_out": [
            {"session_name": one.session_name, "role_arn": one.role_arn, "reason": why} for one, why in state.left_out
        ],
        "not_reached": list(state.not_reached),
        "unreadable": run.known.unreadable,
        "verified": [],
        "steps": [step.shown() for step in steps],
        "diff": diff(run.first),
    }


def _check_trust(
    options: RevocationOptions, role: Role, clients: Clients, done: Sequence[tuple[Step, Mapping[str, Any]]]
) -> None:
    """Read a trust policy that was written: IAM knows no compare-and-set, so another run may undo a refusal.

    :raises ConcurrentChange: a lock or a refused subject is not there.
    """
    written = {step.target for step, _answer in done if _is_trust(step)}
    if options.state not in ("locked", "present") or role.name not in written:
        return
    now = read_role(clients.client("iam"), role.name)
    if now and not _holds(options, now):
        raise ConcurrentChange(
            f"the trust policy of the role {role.name} was changed by somebody else: the lock or the denied subjects "
            "were removed."
        )


def _is_trust(step: Step) -> bool:
    return step.operation == "update_assume_role_policy"


def _holds(options: RevocationOptions, role: Role) -> bool:
    if options.state == "locked":
        return has_lock(role)
    return options.value in denied_subjects(role.trust).get(options.issuer, ())


def _end_leases(
    options: RevocationOptions, state: State, clients: Clients, runtime: Runtime
) -> tuple[Sequence[Step], VenueError | None]:
    """End the leases first, so that no renewal follows. Return the steps, and what failed: tokens are revoked anyway.

    The token of a renewal that is in progress is not delivered: it looks at the lease again.
    """
    leases = state.leases
    if not options.ends_leases or state.unread_leases:
        return (), state.unread_leases
    if leases is None:
        runtime.warn(
            f"The leases below {options.lease_path} could not be read with these credentials, so none was ended. If "
            "the venue has leases, renewal can issue new tokens. The caller needs ssm:GetParametersByPath."
        )
        return (), None
    user = options.value if options.target == "user" else None
    record = renewal_name(options.lease_path, user) if user else None
    leases = replace(leases, names=tuple(name for name in leases.names if name != record))
    if runtime.check_mode:
        return plan_end(leases, options.lease_path, user), None
    done: list[tuple[Step, dict[str, Any]]] = []
    failure = None
    try:
        end_leases(clients, leases, options.lease_path, user, done)
    except VenueError as error:
        failure = error
    return [step for step, _answer in done], failure


def _forget_renewals(
    options: RevocationOptions, leases: FoundLeases | None, clients: Clients, runtime: Runtime
) -> None:
    """Delete what renewals of the user's lease recorded.

    It stays until the tokens are revoked: if that fails, another run knows by it that there are tokens.
    """
    if leases is None or options.target != "user" or not options.ends_leases or runtime.check_mode:
        return
    record = renewal_name(options.lease_path, options.value)
    recorded = replace(leases, names=tuple(name for name in leases.names if name == record))
    try:
        end_leases(clients, recorded, options.lease_path, options.value, [])
    except VenueError as error:
        runtime.warn(f"What renewals of the lease recorded could not be deleted: {error.message}")


OPERATION = Operation(
    name="venue_sts_revocation",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=revoke,
    services=("iam", "ssm", "sts"),
    narrowing=filled_in(ARGUMENT_SPEC),
    constraints={
        "mutually_exclusive": [("before", name) for name in (*BY_RECEIPT, "web_identity_subject")],
        "required_together": [("web_identity_subject", "web_identity_issuer")],
    },
)
