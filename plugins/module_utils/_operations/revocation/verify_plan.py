# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The verification of a plan: what it revokes, whose credentials can prove that, and what a failure says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._aws.clients import Clients
from ..._domain.errors import NotProven
from ..._domain.revocation import Revocation, standing
from ..._domain.steps import Step
from .._operation import Runtime
from . import verification
from .options import RevocationOptions
from .planning import RolePlan, asked_of
from .state import State, has_lease


def prepare_proof(options: RevocationOptions, state: State, clients: Clients, runtime: Runtime) -> verification.Before:
    """Find out before the first change what only then can be found out."""
    if not options.proof or runtime.check_mode:
        return verification.Before()
    keys = options.proof.keys
    accepted = bool(keys and verification.check_owner(keys, clients, _expected(options, state)))
    parameter = options.external_id_parameter
    locked = [one.role for one in state.roles if options.state == "locked"]
    return verification.Before(accepted, [verification.LockProof(clients, one, parameter) for one in locked])


def _expected(options: RevocationOptions, state: State) -> verification.Expected:
    """Whose credentials can prove something. A lease may have given its user tokens whose receipts are elsewhere."""
    names = [one.role.name for one in state.roles]
    receipts = [one for role in state.roles for one in role.receipts]
    if options.target == "session_name":
        receipts = [one for one in receipts if one.session_name == options.value]
        sessions = [options.value]
    elif options.by_receipt and not has_lease(options, state.leases):
        sessions = [one.session_name for one in receipts]
    else:
        return verification.Expected(names)
    key_ids = [one.access_key_id for one in receipts if one.access_key_id]
    return verification.Expected(names, sessions, key_ids if len(key_ids) == len(receipts) else ())


def attempts_of(
    options: RevocationOptions,
    state: State,
    plans: Sequence[RolePlan],
    clients: Clients,
    before: verification.Before,
) -> list[verification.Check]:
    """The proofs that were asked for."""
    revoked = [(one.role, each) for one in plans for each in _to_prove(options, state, one)]
    return list(verification.checks(options.proof, clients, revoked, before)) if options.proof else []


def verify(
    options: RevocationOptions, attempts: Sequence[verification.Check], steps: Sequence[Step], runtime: Runtime
) -> list[dict[str, Any]]:
    """Prove what was asked for.

    :raises NotProven: it did not succeed; ``steps`` says what was changed.
    """
    try:
        return verification.verify(options.proof, attempts, runtime) if options.proof else []
    except NotProven as error:
        made = "the change was made" if steps else "nothing had to be changed"
        error.message = f"{made}, but {error.message}"
        error.facts.update(changed=bool(steps), steps=[step.shown() for step in steps])
        raise


def _to_prove(options: RevocationOptions, state: State, one: RolePlan) -> list[Revocation]:
    """The revocations to prove: those asked for; for a lock, the one of every token, whatever its time."""
    if options.state == "locked":
        every = [each for each in standing(one.plan.after["revocations"], one.role.role_id) if each.kind == "all"]
        return every[-1:]
    asked = [each for each in asked_of(options, state, one.of) if each.live(state.now)]
    of_user = [each for each in standing(one.plan.after["revocations"], one.role.role_id) if each.kind == "user"]
    # One statement may stand for any number of sessions.
    return list(dict.fromkeys(next((more for more in of_user if more.covers(each)), each) for each in asked))
