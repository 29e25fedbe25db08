# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell who holds tokens: of one venue, or of all in an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .._aws.account import read_roles
from .._aws.calls import run_concurrently
from .._aws.clients import Clients
from .._aws.cloudtrail import SECONDS_A_REQUEST, Lookup, look_up
from .._aws.venue_state import Caller, read_caller
from .._domain import role_facts, sessions
from .._domain.arns import check_account_id
from .._domain.errors import InvalidInput, NotProvisioned
from .._domain.names import Venue, check_role_name, make_venue
from .._domain.receipts import Receipt
from .._domain.revocation import found_in
from .._domain.role_facts import Observed
from .._domain.times import iso, parse_time
from .._receipt_store import read_file
from ._operation import Operation, Params, Result, Runtime, filled_in
from .accounts import check_account

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str"},
    "venue": {"type": "str"},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "since": {"type": "str"},
    "until": {"type": "str"},
    "receipts_file": {"type": "path"},
    "cloudtrail": {"type": "bool", "default": True},
    "max_pages": {"type": "int", "default": 200},
}
KEPT = timedelta(days=90)  # by CloudTrail
DELAY = timedelta(minutes=15)  # until CloudTrail shows an event
LONGEST_TOKEN = timedelta(hours=12)


class Wish(NamedTuple):
    """The options, checked as far as that goes without asking AWS. No venue: all of the account."""

    venue: Venue | None
    role_name: str
    since: datetime
    until: datetime
    receipts: list[Receipt]


def parse(params: Params, runtime: Runtime) -> Wish:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    now = runtime.now()
    venue = make_venue(params["project"], params["venue"]) if params["project"] else None
    if params["role_name"] and not venue:
        raise InvalidInput("role_name", "belongs to one venue: give project and venue too.")
    name = (
        check_role_name("role_name", params["role_name"])
        if params["role_name"]
        else venue.role_name(params["name_prefix"])
        if venue
        else ""
    )
    if params["expected_account_id"]:
        check_account_id("expected_account_id", params["expected_account_id"])
    since = parse_time("since", params["since"]) if params["since"] else now - LONGEST_TOKEN
    until = parse_time("until", params["until"]) if params["until"] else now
    if since >= until or (params["cloudtrail"] and since < now - KEPT - timedelta(minutes=1)):
        raise InvalidInput("since", "must be earlier than until, and CloudTrail keeps 90 days.")
    if params["max_pages"] < 1:
        raise InvalidInput("max_pages", "must be at least 1.")
    if not (params["cloudtrail"] or params["receipts_file"]):
        raise InvalidInput("cloudtrail", "is off and there is no receipts_file, so there is nowhere to look.")
    receipts = read_file(params["receipts_file"]).tokens if params["receipts_file"] else []
    return Wish(
        venue, name, since, until, [one for one in receipts if since <= (one.issued_at or one.requested_at) <= until]
    )


def tell(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_session_info``.

    :raises VenueError: see ``_domain/errors.py``.
    """
    wish = parse(params, runtime)
    iam, sts = clients.client("iam"), clients.client("sts")
    caller, roles = run_concurrently(lambda: read_caller(sts), lambda: read_roles(iam))
    check_account(caller, params["expected_account_id"])
    venues = _venues(wish, params, roles, caller)
    looked = _look(wish, params, clients, runtime, venues) if params["cloudtrail"] else Lookup([], truncated=False)
    told = [one for one in map(sessions.from_event, looked.events) if one and one.role_name in venues]
    kept = [_of_receipt(one, wish, params) for one in wish.receipts if wish.venue in (None, one.venue)]
    held = sessions.join(told, [one for one in kept if one.role_name in venues])
    now = runtime.now()
    if params["cloudtrail"]:
        _warn_of_gaps(held, params, runtime, now, truncated=looked.truncated)
    shown = [_shown(one, venues[one.role_name], now) for one in held]
    return {
        "changed": False,
        "sessions": shown,
        "truncated": looked.truncated,
        "since": iso(wish.since),
        "until": iso(wish.until),
    }


def _warn_of_gaps(
    held: list[sessions.Session], params: Params, runtime: Runtime, now: datetime, *, truncated: bool
) -> None:
    unseen = [one for one in held if one.sources == ("receipt",) and one.issued_at < now - DELAY]
    if truncated:
        runtime.warn(
            f"CloudTrail has more events than max_pages ({params['max_pages']}) holds: tokens are missing. Shorten the time, or raise it."
        )
    elif unseen:
        runtime.warn(
            f"CloudTrail tells nothing of {len(unseen)} tokens that receipts tell of. Is this the region where they were issued?"
        )


def _venues(wish: Wish, params: Params, roles: list[Observed], caller: Caller) -> dict[str, Observed]:
    """The roles whose tokens are asked for, by name."""
    if not wish.venue:
        return {one.role.name: one for one in roles if role_facts.is_venue_role(one.role, params["name_prefix"])}
    found = {one.role.name: one for one in roles if one.role.name.lower() == wish.role_name.lower()}
    if not found:
        raise NotProvisioned(f"there is no role {wish.role_name} in account {caller.account_id}, so it has no tokens.")
    return found


def _look(wish: Wish, params: Params, clients: Clients, runtime: Runtime, venues: Mapping[str, Observed]) -> Lookup:
    """One venue is looked up by its role's ARN; all of an account by the names of the events, which are others' too."""
    named = (
        [("ResourceName", one.role.arn) for one in venues.values()]
        if wish.venue
        else [("EventName", name) for name in sessions.EVENTS]
    )
    client, window = clients.client("cloudtrail"), (wish.since, wish.until)
    found: list[str] = []
    truncated = False
    for number, attribute in enumerate(named):
        if number:
            runtime.sleep(SECONDS_A_REQUEST)
        looked = look_up(client, attribute, window, most_pages=params["max_pages"], sleep=runtime.sleep)
        found += looked.events
        truncated = truncated or looked.truncated
    return Lookup(found, truncated)


def _of_receipt(receipt: Receipt, wish: Wish, params: Params) -> sessions.Session:
    return sessions.from_receipt(receipt)


def _shown(session: sessions.Session, observed: Observed, now: datetime) -> dict[str, Any]:
    owner = role_facts.owner(observed.role.tags)
    project, venue = (owner.project, owner.venue) if owner else (None, None)
    return {"project": project, "venue": venue, **session.shown(found_in(observed.inline), now)}


OPERATION = Operation(
    name="venue_sts_session_info",
    argument_spec=ARGUMENT_SPEC,
    execute=tell,
    narrowing=filled_in(ARGUMENT_SPEC),
    services=("iam", "sts", "cloudtrail"),
    constraints={"required_together": [("project", "venue")]},
)
