# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What receipts, leases and AWS say about a venue before its tokens are revoked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ..._aws.account import roles_of
from ..._aws.calls import DENIED, run_concurrently
from ..._aws.clients import Clients
from ..._aws.venue_state import Caller, read_caller_and_time, read_inline_names, read_policies, read_role
from ..._domain.errors import (
    AccountMismatch,
    AwsRefused,
    InvalidInput,
    NotProvisioned,
    OwnershipConflict,
    TooManyReceipts,
    VenueError,
)
from ..._domain.lease_names import parameter_name, renewal_name
from ..._domain.lease_parameters import FoundLeases
from ..._domain.names import Venue
from ..._domain.receipt_log import ReceiptLog
from ..._domain.receipts import Receipt
from ..._domain.roles import Role
from ..._domain.tags import check_ownership
from ..._domain.words import first_of
from .._operation import Runtime
from ..accounts import check_account
from ..leases import read_leases
from .options import RevocationOptions

MOST_ROLES = 100  # of one venue; whoever may write receipts can name any number
SessionKey = tuple[str, str]  # the name of the role in lower case, as IAM compares it, and that of the session


@dataclass(frozen=True)
class Known:
    """What the receipts say.

    :param receipts: the tokens of the venue that are asked for and may be valid.
    :param found: whether there are receipts about the target at all.
    :param disputed: the sessions that may be somebody else's, by receipts.
    :param unread: why some receipts could not be read, where they say what to revoke.
    """

    receipts: tuple[Receipt, ...]
    found: bool = True
    unreadable: int = 0
    disputed: frozenset[SessionKey] = frozenset()
    unread: tuple[VenueError, ...] = ()


class WantedRoles(NamedTuple):
    """The roles to look at.

    :param names: of the roles to read, the venue's own before all others.
    :param further: those of them that only their tags name.
    :param skipped_roles: the names of further roles that receipts name, too many to be read.
    :param not_reached: why roles that only their tags name are not known.
    """

    names: tuple[str, ...]
    further: tuple[str, ...]
    skipped_roles: tuple[str, ...]
    not_reached: tuple[str, ...]


@dataclass(frozen=True)
class RoleState:
    """A role of the venue, and the tokens of it that receipts name."""

    role: Role
    inline: Mapping[str, Mapping[str, Any]]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True, kw_only=True)
class State:
    """What one round of reads found.

    :param now: the time of AWS's clock.
    :param gone: receipts whose role does not exist any more.
    :param leases: the leases of the venue; None if they were not asked for or could not be read.
    :param unread_leases: why they could not be read, unless the caller may not: tokens are revoked anyway.
    :param left_out: receipts that nothing is done about, each with the reason.
    :param not_reached: why other roles of the venue are left as they are.
    :param skipped_roles: the names of further roles that receipts name, too many to be read.
    :param failed: roles that must be dealt with and could not be read, each with the reason.
    :param own_missing: whether the venue's own role was looked for and does not exist.
    :param disputed: as in :class:`Known`.
    """

    caller: Caller
    now: datetime
    roles: tuple[RoleState, ...]
    gone: tuple[Receipt, ...]
    leases: FoundLeases | None
    unread_leases: VenueError | None
    left_out: tuple[tuple[Receipt, str], ...]
    not_reached: tuple[str, ...]
    skipped_roles: tuple[str, ...]
    failed: Mapping[str, VenueError]
    own_missing: bool
    disputed: frozenset[SessionKey]


def has_lease(options: RevocationOptions, leases: FoundLeases | None) -> bool:
    """Whether the user has a lease, or only what its renewals recorded: an earlier run could not revoke the tokens."""
    names = [name(options.lease_path, options.value) for name in (parameter_name, renewal_name)]
    return options.target == "user" and leases is not None and not set(names).isdisjoint(leases.names)


def read_receipts(options: RevocationOptions, clients: Clients, runtime: Runtime) -> Known:
    """Read the receipts, and find those that are asked for and whose tokens may be valid.

    What other places have is revoked where one cannot be read.

    :raises VenueError: the receipts say what to lift, and they cannot be read, or none is about the access key.
        A user may still have a lease.
    """
    now = runtime.now()
    if options.receipt:
        return Known(_living([options.receipt], options.venue, now))
    log, unread = _read_log(options, clients, now)
    for error in () if options.by_receipt else unread:
        runtime.warn(f"{error.message} Tokens of roles that only receipts name are not revoked.")
    if log.unreadable:
        runtime.warn(f"{log.unreadable} receipts could not be read or are not receipts. They were skipped.")
    if log.conflicts:
        runtime.warn(
            "These receipt IDs are used for several tokens, and all of these tokens are processed: "
            f"{first_of(log.conflicts)}."
        )
    found = _asked_for(options, log)
    if not found and options.target == "access_key_id" and not options.sources.services:
        raise unknown(options)
    living, disputed = _living(found, options.venue, now), _disputed(options, log)
    return Known(living, bool(found), log.unreadable, disputed, tuple(unread) if options.by_receipt else ())


def _read_log(options: RevocationOptions, clients: Clients, now: datetime) -> tuple[ReceiptLog, Sequence[VenueError]]:
    """The receipts, and why some of them could not be read.

    :raises VenueError: they say what to lift: those that could not be read may say whose it is. Or the admin named a
        file that cannot be read.
    """
    sources = options.sources
    if options.by_receipt and options.state == "absent":
        return sources.read(clients, now, venue=options.venue), ()
    if sources.file is not None and not options.every_role:
        sources.check()
    return sources.read_available(clients, now, since=None if options.by_receipt else now, venue=options.venue)


def _asked_for(options: RevocationOptions, log: ReceiptLog) -> Sequence[Receipt]:
    """The receipts of a user or an access key; all receipts for other targets."""
    return [one for one in log.tokens if options.concerns(one)] if options.by_receipt else log.tokens


def _disputed(options: RevocationOptions, log: ReceiptLog) -> frozenset[SessionKey]:
    """The sessions that receipts of somebody else name. An access key has one session: of several, none is certain."""
    asked: set[SessionKey] = set()
    others: set[SessionKey] = set()
    for one in log.tokens:
        (asked if options.concerns(one) else others).add((one.role_name.lower(), one.session_name))
    several = options.target == "access_key_id" and len(asked) > 1
    return frozenset(asked | others if several else others)


def unknown(options: RevocationOptions) -> InvalidInput:
    """No store knows the user or the access key. Where stores are a venue's own, that is no mistake."""
    return InvalidInput(options.target, f"no receipt in {options.sources} is about a token of '{options.value}'.")


def _living(receipts: Iterable[Receipt], venue: Venue, now: datetime) -> tuple[Receipt, ...]:
    return tuple(one for one in receipts if one.venue.key == venue.key and one.ends_by > now)


def read(options: RevocationOptions, known: Known, clients: Clients) -> State:
    """Read the roles and their inline policies. The account is compared first.

    :raises AccountMismatch: the credentials are for another account than the receipts.
    :raises NotProvisioned: there is no role.
    :raises OwnershipConflict: it belongs to another venue.
    :raises InvalidInput: neither a receipt nor a lease is about the user.
    """
    iam, sts = clients.client("iam"), clients.client("sts")
    (caller, now), (leases, unread_leases) = _read_caller_and_leases(options, sts, clients)
    check_account(caller, options.expected_account_id)
    receipts, foreign = _by_account(options, known, caller)
    lease = has_lease(options, leases)
    if options.target == "user" and not known.found and not lease and not options.sources.services:
        raise unread_leases or unknown(options)
    wanted = _wanted_roles(options, iam, receipts, lease)
    states, refused = _read_roles(options, iam, wanted)
    roles = _role_states(states, refused, receipts)
    if not options.by_receipt and not roles:
        raise _no_role(options, caller, [refused[name.lower()] for name in wanted.names if name.lower() in refused])
    failed = {one: refused[one.lower()] for one in wanted.names if _is_failure(options, one, refused, wanted.further)}
    reported = {name: refused[name].message for name in refused.keys() - set(map(str.lower, failed))}
    left_out = [(one, reported[one.role_name.lower()]) for one in receipts if one.role_name.lower() in reported]
    own = [one for one in (options.role_name, *wanted.further) if options.every_role and one.lower() in reported]
    there = {role.name.lower() for role, _inline in states} | refused.keys()
    return State(
        caller=caller,
        now=now,
        roles=roles,
        gone=tuple(one for one in receipts if one.role_name.lower() not in there),
        leases=leases,
        unread_leases=unread_leases,
        left_out=(*foreign, *left_out),
        not_reached=(*wanted.not_reached, *(f"{name}: {reported[name.lower()]}" for name in own)),
        skipped_roles=wanted.skipped_roles,
        failed=failed,
        own_missing=not options.by_receipt and options.role_name.lower() not in there,
        disputed=known.disputed,
    )


def _role_states(
    states: Iterable[tuple[Role, Mapping[str, Mapping[str, Any]]]],
    refused: Collection[str],
    receipts: Sequence[Receipt],
) -> tuple[RoleState, ...]:
    """The roles to act on, each with its receipts."""
    return tuple(
        RoleState(role, inline, tuple(one for one in receipts if _is_of(one, role)))
        for role, inline in states
        if role.name.lower() not in refused
    )


def _no_role(options: RevocationOptions, caller: Caller, refused: Sequence[VenueError]) -> VenueError:
    """Why there is no role to act on: the first that could not be read or is another venue's, or there is none."""
    if refused:
        return refused[0]
    return NotProvisioned(
        f"there is no role {options.role_name} in account {caller.account_id}, so no token of it can be valid."
    )


def _asked_roles(options: RevocationOptions, receipts: Iterable[Receipt], lease: bool) -> list[str]:
    """The roles that options, receipts and a lease name; the venue's own before all others."""
    names = list({one.role_name.lower(): one.role_name for one in receipts}.values())  # IAM names have no case
    if not (options.by_receipt and not lease) and options.role_name.lower() not in map(str.lower, names):
        names.insert(0, options.role_name)
    return sorted(names, key=lambda name: name.lower() != options.role_name.lower())


def _wanted_roles(options: RevocationOptions, iam: Any, receipts: Iterable[Receipt], lease: bool) -> WantedRoles:
    """The roles that options, receipts, a lease and their own tags name."""
    asked = _asked_roles(options, receipts, lease)
    asked, rest = asked[:MOST_ROLES], asked[MOST_ROLES:]
    further, not_reached = _further_roles(options, iam, asked)
    skipped_roles = [name for name in rest if name.lower() not in map(str.lower, further)]
    return WantedRoles((*asked, *further), tuple(further), tuple(skipped_roles), tuple(not_reached))


def _read_roles(
    options: RevocationOptions, iam: Any, wanted: WantedRoles
) -> tuple[list[tuple[Role, Mapping[str, Mapping[str, Any]]]], dict[str, VenueError]]:
    """The roles that exist, and why others, by their names in lower case, are not to be acted on.

    :raises VenueError: as for :func:`_raise_if_nothing_else`.
    """
    names = wanted.names
    found = run_concurrently(*[lambda name=name: _read_role(iam, name) for name in names])
    refused = {name.lower(): one for name, one in zip(names, found, strict=True) if isinstance(one, VenueError)}
    states = [one for one in found if isinstance(one, tuple)]
    for role, _inline in states:
        if problem := _foreign_role(options, role):
            refused[role.name.lower()] = problem
    refused.update({name.lower(): too_many_roles(wanted.skipped_roles) for name in wanted.skipped_roles})
    _raise_if_nothing_else(options, refused, names)
    return states, refused


def _is_failure(
    options: RevocationOptions, name: str, refused: Mapping[str, VenueError], further: Collection[str]
) -> bool:
    """Whether a role that could not be read must be reported as a failure, after the others have been dealt with.

    That is so for the venue's own roles, and for every role that AWS fails to show. One that only a receipt names and
    that the caller may not read can be a false receipt's: it is left out with a warning.
    """
    error = refused.get(name.lower())
    if not isinstance(error, AwsRefused):
        return False
    own = options.every_role and (name in further or name.lower() == options.role_name.lower())
    return own or error.code not in DENIED


def _further_roles(options: RevocationOptions, iam: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The venue's roles by their tags that nothing else names, and why they are not known."""
    if not options.every_role:
        return [], []
    try:
        found = [role.name for role in roles_of(iam, options.venue)]
    except VenueError as refusal:
        return [], [f"other roles of the venue were not searched. {refusal.message}"]
    known = {name.lower() for name in names}
    return [name for name in found if name.lower() not in known], []


def too_many_roles(skipped_roles: Sequence[str]) -> TooManyReceipts:
    return TooManyReceipts(
        f"the receipts name more than {MOST_ROLES} roles. Nothing is changed on {len(skipped_roles)} of them: "
        f"{first_of(skipped_roles)}. Remove false receipts, or run again with role_name for each role of the venue.",
        roles=len(skipped_roles),
    )


def _read_caller_and_leases(
    options: RevocationOptions, sts: Any, clients: Clients
) -> tuple[tuple[Caller, datetime], tuple[FoundLeases | None, VenueError | None]]:
    if not options.ends_leases:
        return read_caller_and_time(sts), (None, None)
    ssm = clients.client("ssm")

    def leases() -> tuple[FoundLeases | None, VenueError | None]:
        try:
            return read_leases(ssm, options.venue, options.lease_path), None
        except VenueError as error:
            denied = isinstance(error, AwsRefused) and error.code in DENIED  # a warning says so
            return None, None if denied else error

    caller_and_time, found = run_concurrently(lambda: read_caller_and_time(sts), leases)
    return caller_and_time, found


def _is_of(receipt: Receipt, role: Role) -> bool:
    return receipt.role_name.lower() == role.name.lower()


def _by_account(
    options: RevocationOptions, known: Known, caller: Caller
) -> tuple[list[Receipt], list[tuple[Receipt, str]]]:
    """The receipts of the caller's account, and the others with what to say about them.

    :raises AccountMismatch: all receipts of what is asked for are of other accounts. One such receipt among others
        does not keep the others from being revoked: anybody who may write receipts could add it.
    """
    mine = [one for one in known.receipts if one.account_id == caller.account_id]
    foreign = [one for one in known.receipts if one.account_id != caller.account_id]
    asked = [one for one in known.receipts if options.target == "session_name" and one.session_name == options.value]
    # Where receipts do not say what to revoke, an account that the admin has named takes precedence over them.
    compared = options.by_receipt or not options.expected_account_id
    if compared and foreign and caller.account_id not in [one.account_id for one in asked or known.receipts]:
        raise _other_account(options, asked or foreign, caller)
    return mine, [
        (one, f"the receipt names account {one.account_id}. Run again with credentials for that account.")
        for one in foreign
    ]


def _other_account(options: RevocationOptions, receipts: Iterable[Receipt], caller: Caller) -> AccountMismatch:
    other = sorted({one.account_id for one in receipts})
    advice = "Set expected_account_id and run once for each account. " if len(other) > 1 else ""
    if not options.by_receipt:
        advice += f"If these receipts are false, set expected_account_id to {caller.account_id} and run again."
    return AccountMismatch(
        f"the tokens were issued in account {', '.join(other)}, but the credentials are for account "
        f"{caller.account_id} ({caller.arn}). Nothing was changed. Get credentials for account {', '.join(other)}, for "
        f'example from Kion with broker_account: "{other[0]}". {advice}'.rstrip(),
        account_id=caller.account_id,
        expected_account_id=other[0],
    )


def _read_role(iam: Any, name: str) -> tuple[Role, Mapping[str, Mapping[str, Any]]] | VenueError | None:
    """A role with its inline policies; None if there is none; the error if AWS does not show it."""
    try:
        role = read_role(iam, name)
        return (role, read_policies(iam, name, read_inline_names(iam, name))) if role else None
    except AwsRefused as error:
        return error


def _foreign_role(options: RevocationOptions, role: Role) -> OwnershipConflict | None:
    """Why a role is not one to act on. A receipt alone does not make a role the venue's."""
    named = role.name.lower() == options.role_name.lower()
    try:
        check_ownership(options.venue, role.name, role.tags, adopt=named)
    except OwnershipConflict as error:
        return error
    return None


def _raise_if_nothing_else(options: RevocationOptions, refused: Mapping[str, VenueError], names: Sequence[str]) -> None:
    """A role that is another venue's, or that could not be read, is an error if it is all that was asked for.

    Where there are others, it is reported and left out. ``role_name`` that names another venue's role is a mistake.

    :param names: of all roles that were looked for.
    :raises VenueError: see above.
    """
    own = refused.get(options.role_name.lower())
    if options.by_receipt:
        is_mistake = all(name.lower() in refused for name in names)
    elif options.every_role:
        is_mistake = options.role_given and isinstance(own, OwnershipConflict)
    else:
        is_mistake = own is not None
    if refused and is_mistake:
        raise own or next(refused[name.lower()] for name in names if name.lower() in refused)
