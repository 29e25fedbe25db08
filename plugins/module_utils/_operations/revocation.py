# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revoke a venue's tokens, all or some, or lift revocations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .._aws.calls import apply, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import Caller, read_caller_and_time, read_inline_names, read_policies, read_role
from .._domain.arns import check_account_id
from .._domain.errors import ConcurrentChange, InvalidInput, NotProvisioned
from .._domain.names import Venue, check_role_name, check_session_name, make_venue
from .._domain.receipts import Receipt, parse_receipt
from .._domain.revocation import Revocation, cutoff, found_in, plan_lift, plan_revoke
from .._domain.role_plan import Role
from .._domain.steps import Plan, Step
from .._domain.tags import check_ownership
from .._domain.times import parse_time
from .._domain.users import check_user
from .._receipt_store import read_file
from ._operation import Operation, Params, Result, Runtime, filled_in
from .accounts import check_account
from .converge import ATTEMPTS

TARGETS = ("session_name", "source_identity", "receipt", "user", "access_key_id")
ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "before": {"type": "str"},
    "session_name": {"type": "str"},
    "source_identity": {"type": "str"},
    "receipt": {"type": "dict"},
    "user": {"type": "str"},
    "access_key_id": {"type": "str", "no_log": False},
    "receipts_file": {"type": "path"},
}
SECOND = timedelta(seconds=1)


class Wish(NamedTuple):
    """The options, checked as far as that goes without asking AWS.

    :param receipts: the tokens to revoke; None where receipts are not what names them.
    """

    venue: Venue
    role_name: str
    before: datetime | None
    session_name: str
    source_identity: str
    receipts: list[Receipt] | None


class Found(NamedTuple):
    """What one round of reads brought; ``now`` is AWS's clock."""

    caller: Caller
    now: datetime
    role: Role
    inline: Mapping[str, Mapping[str, Any]]


def parse(params: Params, runtime: Runtime) -> Wish:
    """Check the options.

    :raises InvalidInput: an option cannot be right, or no receipt fits.
    """
    venue = make_venue(params["project"], params["venue"])
    if params["expected_account_id"]:
        check_account_id("expected_account_id", params["expected_account_id"])
    before = parse_time("before", params["before"]) if params["before"] else None
    if before and before > runtime.now() + timedelta(minutes=5):
        raise InvalidInput("before", "lies in the future: tokens issued from now on would be dead on arrival.")
    return Wish(
        venue=venue,
        role_name=check_role_name("role_name", params["role_name"])
        if params["role_name"]
        else venue.role_name(params["name_prefix"]),
        before=before,
        session_name=check_session_name("session_name", params["session_name"]) if params["session_name"] else "",
        source_identity=check_session_name("source_identity", params["source_identity"])
        if params["source_identity"]
        else "",
        receipts=_receipts(params, venue, runtime),
    )


def _receipts(params: Params, venue: Venue, runtime: Runtime) -> list[Receipt] | None:
    """The receipts that an option names, of this venue."""
    if params["receipt"]:
        receipt = parse_receipt("receipt", params["receipt"])
        if receipt.venue != venue:
            raise InvalidInput("receipt", f"is of a token for {receipt.venue}, not for {venue}.")
        return [receipt]
    if not (params["user"] or params["access_key_id"]):
        return None
    option = "user" if params["user"] else "access_key_id"
    wanted = check_user("user", params["user"]) if params["user"] else params["access_key_id"]
    fitting = [
        one
        for one in read_file(params["receipts_file"]).tokens
        if wanted == (one.recipient if option == "user" else one.access_key_id)
    ]
    if not fitting:
        raise InvalidInput(option, f"no receipt in {params['receipts_file']} is of a token of '{wanted}'.")
    return [one for one in fitting if one.venue == venue and one.ends_by > runtime.now()]


def read(wish: Wish, params: Params, clients: Clients) -> Found:
    """Read the role and its inline policies.

    :raises NotProvisioned: there is no role.
    :raises OwnershipConflict: it is another venue's.
    """
    iam, sts = clients.client("iam"), clients.client("sts")
    (caller, now), role, names = run_concurrently(
        lambda: read_caller_and_time(sts),
        lambda: read_role(iam, wish.role_name),
        lambda: read_inline_names(iam, wish.role_name),
    )
    check_account(caller, params["expected_account_id"])
    if not role:
        raise NotProvisioned(
            f"there is no role {wish.role_name} in account {caller.account_id}, so no token of it can be alive."
        )
    check_ownership(wish.venue, role.name, role.tags, adopt=True)
    return Found(caller, now, role, read_policies(iam, wish.role_name, names))


def wanted(wish: Wish, now: datetime) -> list[Revocation]:
    """What is to be revoked.

    :param now: the present by AWS's clock: this machine's may be behind, and the newest tokens would slip through.
    """
    before = wish.before or cutoff(now)
    if wish.receipts is not None:
        # The time keeps a later token of the same session name alive. It comes from the receipt alone, so that a second
        # run finds nothing to do.
        return [Revocation("session", one.session_name, cutoff(one.issue_until + SECOND)) for one in wish.receipts]
    if wish.session_name:
        return [Revocation("session", wish.session_name, before)]
    if wish.source_identity:
        return [Revocation("source_identity", wish.source_identity, before)]
    return [Revocation("all", "", before)]


def plan(params: Params, wish: Wish, found: Found, now: datetime) -> Plan:
    """The steps that make it so."""
    asked = wanted(wish, now)
    if params["state"] == "present":
        return plan_revoke(wish.role_name, found.role.role_id, found.inline, asked, found.now)
    return plan_lift(wish.role_name, found.inline, [(one.kind, one.value) for one in asked])


def revoke(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_revocation``.

    :raises VenueError: see ``_domain/errors.py``.
    """
    wish = parse(params, runtime)
    found = read(wish, params, clients)
    moment = found.now
    first = current = plan(params, wish, found, moment)
    if wish.receipts == []:
        runtime.warn("No token of this venue that the receipts name is alive any more: there is nothing to revoke.")
    done: list[tuple[Step, dict[str, Any]]] = []
    for attempt in range(ATTEMPTS if not runtime.check_mode else 0):
        try:
            apply(clients.client, current.steps, done)
            break
        except ConcurrentChange:
            if attempt == ATTEMPTS - 1:
                raise
            runtime.sleep(runtime.jitter(0.2 * 2**attempt))
            found = read(wish, params, clients)
            current = plan(params, wish, found, moment)
    steps = current.steps if runtime.check_mode else [step for step, _answer in done]
    return {
        "changed": bool(steps),
        "role": {
            "arn": found.role.arn,
            "name": found.role.name,
            "role_id": found.role.role_id,
            "account_id": found.caller.account_id,
        },
        "revocations": [one.shown() for one in found_in(current.after["revocations"])],
        "sessions": [one.session_name for one in wish.receipts or []],
        "steps": [step.shown() for step in steps],
        "diff": first.diff(),
    }


OPERATION = Operation(
    name="venue_sts_revocation",
    argument_spec=ARGUMENT_SPEC,
    execute=revoke,
    narrowing=filled_in(ARGUMENT_SPEC),
    services=("iam", "sts"),
    constraints={
        "mutually_exclusive": [TARGETS, *[("before", name) for name in TARGETS[2:]]],
        "required_by": {"user": ["receipts_file"], "access_key_id": ["receipts_file"]},
    },
)
