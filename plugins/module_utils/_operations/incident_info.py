# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find out what an access key that somebody found is, and what was done with it. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .._aws.calls import call
from .._aws.clients import Clients
from .._aws.cloudtrail import DELAY, KEPT, SECONDS_A_REQUEST, look_up
from .._aws.leases import read_below
from .._aws.venue_state import Caller, read_caller_and_time, read_inline_names, read_policies, read_role
from .._domain import uses as key_uses
from .._domain.errors import AwsRefused, InvalidInput, VenueError
from .._domain.incident import Identified, gaps, identify, is_of, parent_of, provenance
from .._domain.incident_text import next_step
from .._domain.lease_names import lease_path, renewal_name
from .._domain.lease_parameters import FoundLeases, find_leases
from .._domain.leases import StoredLease
from .._domain.names import Venue
from .._domain.profiles import REGION
from .._domain.receipt_log import ReceiptLog
from .._domain.receipts import Receipt
from .._domain.revocation import standing
from .._domain.role_facts import owner
from .._domain.roles import Role
from .._domain.secret_text import ACCESS_KEY_ID
from .._domain.sessions import Session, from_event
from .._domain.times import iso
from .._domain.trust_reader import denied_subjects, is_locked
from .._domain.users import is_session_of, user_of
from .._domain.uses import MOST_SHOWN, Use, distinct, queries, summary, use_from
from .._receipt_store import READING, ReceiptSources
from ._operation import Operation, Params, Result, Runtime, filled_in
from .keys_file import read_keys_file

ARGUMENT_SPEC: dict[str, Any] = {
    "access_key_id": {"type": "str", "required": True, "no_log": False},
    "keys_file": {"type": "path"},
    **READING,
    "lease_path": {"type": "str"},
    "cloudtrail": {"type": "bool", "default": True},
    "regions": {"type": "list", "elements": "str"},
    "max_pages": {"type": "int", "default": 200},
}
# Where the events of the global STS endpoint and of IAM are, by partition.
GLOBAL_REGIONS = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
LONGEST_CHAIN = 5  # of keys that were made from keys


@dataclass(frozen=True)
class IncidentOptions:
    """What to investigate.

    :param sources: where receipts are; those of ended tokens count as well.
    :param regions: where to ask CloudTrail; None for the usual ones.
    :param cloudtrail: whether to ask it at all.
    :param lease_path: the option of this name; the venue is not known yet.
    """

    access_key_id: str
    sources: ReceiptSources
    lease_path: str | None
    regions: tuple[str, ...] | None
    cloudtrail: bool
    max_pages: int


@dataclass
class Trail:
    """CloudTrail in several regions, asked one request after the other.

    :param now: the time of AWS's clock.
    :param failed: the regions in which it did not answer, each with the reason. They are not asked again.
    """

    clients: Mapping[str, Any]
    now: datetime
    runtime: Runtime
    max_pages: int
    failed: dict[str, str] = field(default_factory=dict)
    truncated: bool = False
    _asked: bool = field(default=False)

    def events(self, attribute: tuple[str, str], since: datetime, *, sample: bool = False) -> list[str]:
        """The events of an attribute in all regions, as their own JSON.

        :param sample: only the newest ones of each region.
        """
        found: list[str] = []
        for region, client in self.clients.items():
            if region in self.failed:
                continue
            if self._asked:
                self.runtime.sleep(SECONDS_A_REQUEST)
            self._asked = True
            try:
                looked = look_up(
                    client,
                    attribute,
                    (since, self.now + timedelta(minutes=1)),
                    most_pages=1 if sample else self.max_pages,
                    sleep=self.runtime.sleep,
                )
            except VenueError as error:
                self.failed[region] = error.message
                continue
            found += looked.events
            self.truncated = self.truncated or (looked.truncated and not sample)
        return found


def parse(params: Params, _clients: Clients, _runtime: Runtime) -> IncidentOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right, or the file with the credentials has others.
    """
    key = params["access_key_id"]
    if not (key.startswith("A") and ACCESS_KEY_ID.fullmatch(key)):
        raise InvalidInput(
            "access_key_id", "is not an access key ID, such as ASIAEXAMPLEEXAMPLE22. Never give the secret key here."
        )
    if params["max_pages"] < 1:
        raise InvalidInput("max_pages", "must be at least 1.")
    for region in params["regions"] or ():
        if not REGION.fullmatch(region):
            raise InvalidInput("regions", f"'{region}' is not a region, such as us-west-2.")
    if params["keys_file"] is not None:
        read_keys_file(params["keys_file"], params["access_key_id"])
    sources = ReceiptSources.from_options(params)
    sources.check()
    return IncidentOptions(
        access_key_id=params["access_key_id"],
        sources=sources,
        lease_path=params["lease_path"],
        regions=None if params["regions"] is None else tuple(dict.fromkeys(params["regions"])),
        cloudtrail=params["cloudtrail"],
        max_pages=params["max_pages"],
    )


def look_into(options: IncidentOptions, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_incident_info``.

    :raises VenueError: see ``_domain/errors.py``.
    """
    result = _within_account(_facts(options, clients, runtime))
    return {**result, "next_step": next_step(result)}


def _facts(options: IncidentOptions, clients: Clients, runtime: Runtime) -> Result:
    sts = clients.client("sts")
    caller, now = read_caller_and_time(sts)
    account = _account_of(sts, options.access_key_id)
    log, unread = _receipts(options, clients, runtime, now)
    result: Result = {
        "changed": False,
        "access_key_id": options.access_key_id,
        "account_id": account,
        "caller_account_id": caller.account_id,
        "in_account": account == caller.account_id if account else None,
        "looked_at": iso(now),
        "unreadable": log.unreadable,
    }
    if result["in_account"] is False:
        found = _elsewhere(options, log.tokens, account or "", caller, now)
    else:
        cloudtrail = {one: clients.client_in("cloudtrail", one) for one in _regions(options, log.tokens, clients)}
        trail = Trail(cloudtrail, now, runtime, options.max_pages)
        found = _here(options, log.tokens, account, clients, trail, caller_account=caller.account_id)
    return {**result, **found, "gaps": [*unread, *found["gaps"]]}


def _within_account(result: Result) -> Result:
    """Compare the account of the token, as far as AWS did not say that of the key."""
    session, caller = result["session"], result["caller_account_id"]
    account = session["role_arn"].split(":")[4] if session else caller
    if result["in_account"] is not None or account == caller:
        return result
    problem = (
        f"The token belongs to account {account}, but the credentials are for account {caller}. Get credentials for "
        f"account {account}, and run again."
    )
    return {**result, "in_account": False, "problems": [problem, *result["problems"]]}


def _receipts(
    options: IncidentOptions, clients: Clients, runtime: Runtime, now: datetime
) -> tuple[ReceiptLog, list[str]]:
    """All receipts that can be read, and what could not be. CloudTrail may know the key without them."""
    log, problems = options.sources.read_available(clients, now - KEPT)
    if log.unreadable:
        runtime.warn(f"{log.unreadable} receipts could not be read or are not receipts. They were skipped.")
    return log, [f"The receipts could not be read: {one.message}" for one in problems]


def _regions(options: IncidentOptions, receipts: Sequence[Receipt], clients: Clients) -> tuple[str, ...]:
    """Where to ask CloudTrail: by option, or the region of the task, that of global endpoints and that of receipts."""
    if not options.cloudtrail:
        return ()
    if options.regions is not None:
        return options.regions
    known = [one.region for one in receipts if one.access_key_id == options.access_key_id]
    usual = [clients.region, GLOBAL_REGIONS.get(clients.partition, clients.region), *known]
    return tuple(dict.fromkeys(usual))


def _here(
    options: IncidentOptions,
    receipts: Sequence[Receipt],
    account: str | None,
    clients: Clients,
    trail: Trail,
    *,
    caller_account: str,
) -> Result:
    """What there is to say about a key of this account, or of one whose account is not known."""
    regions, now = list(trail.clients), trail.now
    parents, found = _identify(options, receipts, trail, account, now)
    session = found.session
    token, unread = _token(found, options.lease_path, clients, now)
    calls, derived, others = _uses(options, trail, session, parents, now)
    known = [options.access_key_id, *parents, *derived]
    asked, cut = bool(regions), trail.truncated
    return {
        **token,
        "venue": token["venue"] or _venue_shown(found.venue(caller_account)),
        "parent_keys": list(parents),
        "signer_arn": found.signer or None,
        "derived_keys": list(derived),
        "other_keys": list(others),
        "ambiguous": found.ambiguous,
        "candidates": _candidates(found),
        "problems": list(found.problems),
        "regions": regions,
        "truncated": cut,
        "gaps": [*unread, *gaps(session, found.receipt, regions, asked=asked, truncated=cut, failed=trail.failed)],
        "use": summary(calls),
        "calls": [one.shown() for one in calls[:MOST_SHOWN]],
        "queries": queries(known, session.issued_at if session else now - KEPT),
    }


def _account_of(sts: Any, access_key_id: str) -> str | None:
    """The account of a key, whosever it is (sts:GetAccessKeyInfo); None if AWS does not know it or does not say."""
    try:
        return str(
            call(sts, "get_access_key_info", "find the account of the key", AccessKeyId=access_key_id)["Account"]
        )
    except AwsRefused:
        return None


def _elsewhere(
    options: IncidentOptions, receipts: Sequence[Receipt], account: str, caller: Caller, now: datetime
) -> Result:
    """What can be said about a key of another account: only what receipts say."""
    found = identify(options.access_key_id, account, (), receipts)
    problem = (
        f"The key belongs to account {account}, but the credentials are for account {caller.account_id} "
        f"({caller.arn}). Get credentials for account {account}, for example from Kion with broker_account: "
        f'"{account}", and run again.'
    )
    session, receipt = found.session, found.receipt
    return {
        "session": {**session.shown([], session.issued_at, ""), "state": "not looked up"} if session else None,
        "provenance": dict(provenance(session, receipt)) if session else None,
        "venue": _venue_shown(receipt.venue if receipt else None),
        "role": None,
        "lease": None,
        "parent_keys": [],
        "signer_arn": None,
        "derived_keys": [],
        "other_keys": [],
        "ambiguous": found.ambiguous,
        "candidates": _candidates(found),
        "problems": [problem, *found.problems],
        "regions": [],
        "truncated": False,
        "gaps": ["Nothing was read in the account of the key."],
        "use": summary([]),
        "calls": [],
        "queries": queries([options.access_key_id], session.issued_at if session else now - KEPT),
    }


def _identify(
    options: IncidentOptions, receipts: Sequence[Receipt], trail: Trail, account: str | None, now: datetime
) -> tuple[tuple[str, ...], Identified]:
    """The keys that the key was made from, nearest first, and the token of the first of them all."""
    key = options.access_key_id
    parents: list[str] = []
    while True:
        events = trail.events(("ResourceName", key), now - KEPT)
        parent = parent_of(events, key)
        if not parent or parent in (options.access_key_id, *parents) or len(parents) == LONGEST_CHAIN:
            if not any(map(from_event, events)):
                events += trail.events(("AccessKeyId", key), now - KEPT, sample=True)
            return tuple(parents), identify(key, account, events, receipts)
        parents.append(parent)
        key = parent


def _uses(
    options: IncidentOptions, trail: Trail, session: Session | None, parents: Sequence[str], now: datetime
) -> tuple[list[Use], tuple[str, ...], tuple[str, ...]]:
    """The calls of a session, the keys that were made from its keys, and its other keys."""
    since = session.issued_at - DELAY if session else now - KEPT
    own = [options.access_key_id, *parents]
    texts = [text for key in own for text in trail.events(("AccessKeyId", key), since)]
    if session:
        texts += trail.events(("Username", session.session_name), since)
    found = distinct(one for one in map(use_from, texts) if one)
    derived = key_uses.derived_keys(found, own[-1])
    if not session:
        return [one for one in found if one.access_key_id in own], derived, ()
    known = {*own, *derived}
    calls = [one for one in found if is_of(one, session, known)]
    others = dict.fromkeys(one.access_key_id for one in calls if one.access_key_id not in known)
    return calls, tuple(one for one in derived if one != options.access_key_id), tuple(others)


def _token(
    found: Identified, lease_option: str | None, clients: Clients, now: datetime
) -> tuple[Result, Sequence[str]]:
    """The token as it is now: its role, its state, its venue, and the lease behind it. And what could not be read."""
    session, receipt = found.session, found.receipt
    if session is None:
        return dict.fromkeys(("session", "provenance", "venue", "role", "lease")), ()
    role, inline, unread = _read_role(clients.client("iam"), session.role_name)
    tagged = owner(role.tags) if role else None
    venue = tagged or (receipt.venue if receipt else None)
    lease = _lease(clients, lease_path(venue, lease_option), venue, found, now) if venue else None
    origin = provenance(session, receipt)
    # A role that nobody has read has not been deleted for that.
    role_id = role.role_id if role else (session.role_id or "unknown") if unread else ""
    unread_role = {"arn": session.role_arn, "name": session.role_name, "role_id": None, "locked": None}
    not_read = {**unread_role, "subject_denied": None, "owned": False}
    return {
        "session": session.shown(standing(inline, role_id), now, role_id, role.created if role else None),
        "provenance": {**origin, "recipient": origin["recipient"] or (lease or {}).get("user")},
        "venue": _venue_shown(venue),
        "role": {**_role_shown(role, session), "owned": tagged is not None} if role else not_read if unread else None,
        "lease": lease,
    }, unread


def _read_role(iam: Any, name: str) -> tuple[Role | None, Mapping[str, Mapping[str, Any]], Sequence[str]]:
    """A role, its inline policies, and what of it could not be read. The key may be of any role of the account."""
    role = None
    try:
        role = read_role(iam, name)
        return role, read_policies(iam, name, read_inline_names(iam, name)) if role else {}, ()
    except AwsRefused as error:
        what = "whether the token is revoked" if role else "whose it is, and whether the token is revoked"
        return role, {}, (f"The role {name} could not be read, so it is not known {what}. {error.message}",)


def _candidates(found: Identified) -> list[dict[str, str]]:
    return [
        {
            **one.venue._asdict(),
            "role_arn": one.role_arn,
            "session_name": one.session_name,
            "recipient": one.recipient,
        }
        for one in found.candidates
    ]


def _venue_shown(venue: Venue | None) -> dict[str, str] | None:
    return {"project": venue.project, "venue": venue.venue} if venue else None


def _role_shown(role: Role, session: Session) -> dict[str, Any]:
    denied = session.subject in denied_subjects(role.trust).get(session.subject_issuer, ())
    facts = {"locked": is_locked(role.trust), "subject_denied": denied}
    return {"arn": role.arn, "name": role.name, "role_id": role.role_id, **facts}


def _lease(clients: Clients, path: str, venue: Venue, found: Identified, now: datetime) -> dict[str, Any] | None:
    """The lease of the recipient in the venue, whichever token it was first for.

    Without a receipt it is the lease of the user for whom the session's name is made.
    """
    receipt, session = found.receipt, found.session
    try:
        leases = find_leases(read_below(clients.client("ssm"), path), path, venue)
    except VenueError as error:
        named = {"id": receipt.context.get("lease"), "user": receipt.recipient} if receipt else {}
        return {"id": None, "user": None, **named, "state": "unknown", "problem": error.message}
    name = session.session_name if session else ""
    stored = leases.of(receipt.recipient) if receipt else _of_session(leases, name)
    if stored is None:
        return _ended_lease(leases, path, receipt.recipient if receipt else user_of(name))
    lease = stored.lease
    return {
        "user": lease.user,
        "id": lease.id,
        "state": lease.state(now),
        "starts_at": iso(lease.starts_at),
        "ends_at": iso(lease.ends_at),
        "approver": lease.approver,
        "problem": None,
    }


def _ended_lease(leases: FoundLeases, path: str, user: str) -> dict[str, Any] | None:
    """A lease of which only what its renewals recorded is left: an earlier run ended it, but not yet its tokens."""
    if not user or renewal_name(path, user) not in leases.names:
        return None
    return {"user": user, "id": None, "state": "ended", "problem": None}


def _of_session(leases: FoundLeases, session_name: str) -> StoredLease | None:
    return next((one for one in leases.stored if is_session_of(one.lease.user, session_name)), None)


OPERATION = Operation(
    name="venue_sts_incident_info",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=look_into,
    services=("iam", "sts", "cloudtrail", "ssm"),
    narrowing=filled_in(ARGUMENT_SPEC),
)
