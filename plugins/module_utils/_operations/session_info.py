# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""List who holds tokens: of one venue, or of all in an account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._aws.account import read_roles
from .._aws.calls import run_concurrently
from .._aws.clients import Clients
from .._aws.cloudtrail import DELAY, KEPT, SECONDS_A_REQUEST, Lookup, look_up
from .._aws.venue_state import Caller, read_caller_and_time
from .._domain import role_facts, sessions
from .._domain.errors import AccountMismatch, InvalidInput, NotProvisioned
from .._domain.names import Venue, chosen_role_name, make_venue
from .._domain.receipt_log import ReceiptLog
from .._domain.receipts import CLOCK_TOLERANCE, Receipt
from .._domain.revocation import standing
from .._domain.role_facts import Observed
from .._domain.times import iso, parse_time
from .._domain.token_request import LONGEST_SESSION
from .._receipt_store import READING, ReceiptSources
from ._operation import Operation, Params, Result, Runtime, filled_in
from .accounts import check_account, check_expected_account

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str"},
    "venue": {"type": "str"},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "since": {"type": "str"},
    "until": {"type": "str"},
    **READING,
    "cloudtrail": {"type": "bool", "default": True},
    "max_pages": {"type": "int", "default": 200},
}


@dataclass(frozen=True)
class SessionInfoOptions:
    """What to list.

    :param venue: the one venue; None for all of the account.
    :param role_name: the role of the one venue, where receipts do not name another one.
    :param until: the end of the time that is asked for; None for now, by AWS's clock.
    :param sources: where receipts are.
    :param max_pages: how many requests to CloudTrail at most; 0 if it is not asked.
    """

    venue: Venue | None
    role_name: str
    name_prefix: str
    expected_account_id: str
    since: datetime
    until: datetime | None
    sources: ReceiptSources
    max_pages: int


def parse(params: Params, _clients: Clients, runtime: Runtime) -> SessionInfoOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    venue = make_venue(params["project"], params["venue"]) if params["project"] is not None else None
    since, until = _window(params, runtime)
    if params["max_pages"] < 1:
        raise InvalidInput("max_pages", "must be at least 1.")
    sources = ReceiptSources.from_options(params)
    sources.check()
    return SessionInfoOptions(
        venue=venue,
        role_name=_role_name(params, venue),
        name_prefix=params["name_prefix"],
        expected_account_id=check_expected_account(params["expected_account_id"]),
        since=since,
        until=until,
        sources=sources,
        max_pages=params["max_pages"] if params["cloudtrail"] else 0,
    )


def _role_name(params: Params, venue: Venue | None) -> str:
    if params["role_name"] is not None and venue is None:
        raise InvalidInput("role_name", "is the role of one venue. Also set project and venue.")
    return chosen_role_name(venue, params) if venue else ""


def _window(params: Params, runtime: Runtime) -> tuple[datetime, datetime | None]:
    now = runtime.now()
    since = parse_time("since", params["since"]) if params["since"] is not None else now - LONGEST_SESSION
    until = parse_time("until", params["until"]) if params["until"] is not None else None
    if since >= (until or now) or (params["cloudtrail"] and since < now - KEPT - timedelta(minutes=1)):
        raise InvalidInput("since", "must be earlier than until, and CloudTrail keeps 90 days.")
    return since, until


def list_sessions(options: SessionInfoOptions, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_session_info``.

    :raises VenueError: see ``_domain/errors.py``.
    """
    iam, sts = clients.client("iam"), clients.client("sts")
    (caller, now), observed = run_concurrently(lambda: read_caller_and_time(sts), lambda: read_roles(iam))
    check_account(caller, options.expected_account_id)
    until = options.until or now
    log = options.sources.read(clients, options.since, since=options.since, venue=options.venue)
    roles = {one.role.arn: one for one in observed}
    receipts = _of_account(options, _of_time(options, log, (now, until), runtime), caller, roles, runtime)
    arns = _role_arns(options, roles, receipts, caller)
    looked = _look_up(options, until, clients, runtime, arns) if options.max_pages else Lookup([], truncated=False)
    events = [one for one in map(sessions.from_event, looked.events) if one and one.role_arn in arns]
    held = sessions.join(events, [sessions.from_receipt(one) for one in receipts])
    if options.max_pages:
        _warn_of_gaps(held, options, runtime, now, truncated=looked.truncated)
    return {
        "changed": False,
        "account_id": caller.account_id,
        "sessions": [_shown(one, roles.get(one.role_arn), now) for one in held],
        "truncated": looked.truncated,
        "unreadable": log.unreadable,
        "since": iso(options.since),
        "until": iso(until),
    }


def _of_time(
    options: SessionInfoOptions, log: ReceiptLog, times: tuple[datetime, datetime], runtime: Runtime
) -> list[Receipt]:
    """The receipts of the venue and of the time that is asked for. The clock that dated them may be ahead a little.

    A token may have been issued at any time from its request on. What else a receipt says of the time hides none.

    :param times: the time of AWS's clock, and the end of the time that is asked for.
    """
    now, asked_until = times
    if log.unreadable:
        runtime.warn(f"{log.unreadable} receipts could not be read or are not receipts. They were skipped.")
    if log.conflicts:
        runtime.warn(
            f"{len(log.conflicts)} receipt IDs are used for several tokens, such as {log.conflicts[0]}. Each is listed."
        )
    asked = [one for one in log.tokens if options.venue in (None, one.venue)]
    latest = now + CLOCK_TOLERANCE
    early = [one.session_name for one in asked if one.requested_at > latest]
    if early:
        runtime.warn(
            f"{len(early)} receipts are dated in the future, such as that of {early[0]}. They are not listed. Either "
            "the clock of the machine that issued the token was wrong, or the receipts are forged."
        )
    until = min(latest, asked_until + CLOCK_TOLERANCE)
    return [one for one in asked if one.requested_at <= until and (one.issued_at or one.issue_until) >= options.since]


def _of_account(
    options: SessionInfoOptions,
    receipts: Sequence[Receipt],
    caller: Caller,
    roles: Mapping[str, Observed],
    runtime: Runtime,
) -> list[Receipt]:
    """The receipts of the caller's account.

    :raises AccountMismatch: all receipts of the venue are of other accounts, and nothing else says who holds tokens:
        CloudTrail is not asked, or the venue's role is not in this account.
    """
    mine = [one for one in receipts if one.account_id == caller.account_id]
    other = sorted({one.account_id for one in receipts} - {caller.account_id})
    others_known = bool(options.max_pages and _of_name(options, roles))
    if options.venue and other and not mine and not others_known:
        raise AccountMismatch(
            f"the receipts of this venue are of account {', '.join(other)}, but the credentials are for account "
            f"{caller.account_id} ({caller.arn}). Get credentials for account {other[0]}.",
            account_id=caller.account_id,
            expected_account_id=other[0],
        )
    if options.venue and other:
        runtime.warn(f"Tokens of this venue were also issued in account {', '.join(other)}. They are not listed.")
    return mine


def _of_name(options: SessionInfoOptions, roles: Mapping[str, Observed]) -> set[str]:
    """The ARN of the venue's role, if it is in the account."""
    return {arn for arn, one in roles.items() if one.role.name.lower() == options.role_name.lower()}


def _role_arns(
    options: SessionInfoOptions, roles: Mapping[str, Observed], receipts: Iterable[Receipt], caller: Caller
) -> set[str]:
    """The roles whose tokens are asked for: by option, tag or name, and those that receipts name and that exist.

    CloudTrail answers two requests a second, and receipts may name any number of roles.
    """
    named = {one.role_arn for one in receipts}
    if not options.venue:
        prefix = options.name_prefix
        return named | {arn for arn, one in roles.items() if role_facts.is_venue_role(one.role, prefix)}
    found = _of_name(options, roles) | {arn for arn, one in roles.items() if _is_of_venue(one, options.venue)}
    if not found and not named:
        raise NotProvisioned(
            f"there is no role {options.role_name} in account {caller.account_id}, so it has no tokens."
        )
    return named & roles.keys() | found


def _is_of_venue(observed: Observed, venue: Venue) -> bool:
    """Whether a role is the venue's by its tags: it may have several, and revoking everything ends all their tokens."""
    owner = role_facts.owner(observed.role.tags)
    return owner is not None and owner.key == venue.key


def _look_up(
    options: SessionInfoOptions, until: datetime, clients: Clients, runtime: Runtime, arns: Iterable[str]
) -> Lookup:
    """One venue is looked up by its role's ARN, an account by the names of the events, which other roles share."""
    by_role = [("ResourceName", arn) for arn in sorted(arns)]
    attributes = by_role if options.venue else [("EventName", name) for name in sessions.EVENTS]
    client, window = clients.client("cloudtrail"), (options.since, until)
    found: list[str] = []
    truncated = False
    for number, attribute in enumerate(attributes):
        if number:
            runtime.sleep(SECONDS_A_REQUEST)
        looked = look_up(client, attribute, window, most_pages=options.max_pages, sleep=runtime.sleep)
        found += looked.events
        truncated = truncated or looked.truncated
    return Lookup(found, truncated)


def _warn_of_gaps(
    held: list[sessions.Session], options: SessionInfoOptions, runtime: Runtime, now: datetime, *, truncated: bool
) -> None:
    unseen = [one for one in held if one.sources == ("receipt",) and one.issued_at < now - DELAY]
    unseen = [one for one in unseen if one.outcome == "issued"]
    if truncated:
        runtime.warn(
            f"CloudTrail has more events than max_pages ({options.max_pages}) allows, so tokens are missing. Choose a "
            "shorter period, or a higher max_pages."
        )
    elif unseen:
        runtime.warn(
            f"CloudTrail has no event for {len(unseen)} tokens that have receipts. Check that this is the region where "
            "they were issued."
        )


def _shown(session: sessions.Session, observed: Observed | None, now: datetime) -> dict[str, Any]:
    owner = (role_facts.owner(observed.role.tags) if observed else None) or session.venue
    project, venue = owner or (None, None)
    role_id, created = (observed.role.role_id, observed.role.created) if observed else ("", None)
    in_force = standing(observed.inline, role_id) if observed else []
    return {"project": project, "venue": venue, **session.shown(in_force, now, role_id, created)}


OPERATION = Operation(
    name="venue_sts_session_info",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=list_sessions,
    services=("iam", "sts", "cloudtrail"),
    narrowing=filled_in(ARGUMENT_SPEC),
    constraints={"required_together": [("project", "venue")]},
)
