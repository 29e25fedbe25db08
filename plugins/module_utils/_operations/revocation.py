# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revoke a venue's tokens, all or some, lift revocations, or lock and unlock a venue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .._aws.account import names_of_roles
from .._aws.calls import DENIED, apply, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import Caller, read_caller_and_time, read_inline_names, read_policies, read_role
from .._domain.arns import check_account_id
from .._domain.crowd import fitting, for_user, is_crowded, missing
from .._domain.errors import (
    AccountMismatch,
    AwsRefused,
    ConcurrentChange,
    InvalidInput,
    NotProven,
    NotProvisioned,
    OwnershipConflict,
    TooManyReceipts,
    VenueError,
)
from .._domain.leases import FoundLeases, StoredLease, lease_path, plan_end
from .._domain.lock import has_lock, plan_lock, plan_unlock
from .._domain.names import Venue, check_role_name, check_session_name, make_venue
from .._domain.oidc import read_issuer
from .._domain.receipts import CLOCK_TOLERANCE, Receipt, ReceiptLog, parse_receipt
from .._domain.revocation import QuotaReached, Revocation, cutoff, plan_lift, plan_revoke, standing
from .._domain.role_plan import INLINE_POLICY_LENGTH, Role
from .._domain.steps import Plan, Step
from .._domain.subjects import check_subject, with_subject, without_subject, without_subjects
from .._domain.subjects import shown as subjects_shown
from .._domain.tags import check_ownership
from .._domain.times import iso, parse_time
from .._domain.trust_reader import denied_subjects, is_locked
from .._domain.users import check_user, is_session_of
from .._receipt_store import READING, ReceiptSources
from . import verification
from ._operation import Operation, Params, Result, Runtime, filled_in
from .accounts import check_account
from .confirming import issued_sessions
from .converge import ATTEMPTS
from .leases import end_leases, read_leases

TARGETS = ("session_name", "source_identity", "receipt", "user", "access_key_id", "web_identity_subject", "all")
MOST_NAMED = 5  # sessions in a message
MOST_ROLES = 100  # of one venue; whoever may write receipts can name any number
BY_RECEIPT = ("receipt", "user", "access_key_id")
Confirmed = Mapping[str, Collection[str]]  # the names of sessions, by the name of their role
LOCKING = ("locked", "unlocked")
ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent", *LOCKING], "default": "present"},
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "before": {"type": "str"},
    "all": {"type": "bool"},
    "session_name": {"type": "str"},
    "source_identity": {"type": "str"},
    "receipt": {"type": "dict"},
    "user": {"type": "str"},
    "access_key_id": {"type": "str", "no_log": False},
    "web_identity_subject": {"type": "str"},
    "web_identity_issuer": {"type": "str"},
    **READING,
    "lease_path": {"type": "str"},
    **verification.ARGUMENT_SPEC,
}


@dataclass(frozen=True)
class RevocationOptions:
    """What to revoke, to lift, to lock or to unlock.

    :param state: ``present``, ``absent``, ``locked`` or ``unlocked``.
    :param target: the one option of ``TARGETS`` that is given.
    :param value: the session name, source identity, user, access key id or subject; '' for the other targets.
    :param issuer: of the subject, without ``https://``; '' for the other targets.
    :param role_name: the venue's role, where receipts do not name one.
    :param lease_path: where the venue's leases are.
    :param receipt: the one that is given, if it is the target.
    :param sources: where the other receipts are. Where receipts are not the target, they name further roles that the
        venue's tokens may be of.
    :param proof: what is to be proven afterwards; None for nothing.
    """

    state: str
    venue: Venue
    target: str
    value: str
    issuer: str
    role_name: str
    expected_account_id: str | None
    before: datetime | None
    lease_path: str
    receipt: Receipt | None
    sources: ReceiptSources
    proof: verification.Wanted | None

    @property
    def ends_leases(self) -> bool:
        """Whether leases end as well, so that nothing renews what is revoked."""
        return self.state == "present" and self.target in ("user", "all")

    @property
    def every_role(self) -> bool:
        """Whether it is about every role of the venue: every token, or a person whom several roles may let in."""
        return self.target in ("all", "web_identity_subject")

    @property
    def by_receipt(self) -> bool:
        """Whether receipts say what to revoke."""
        return self.target in BY_RECEIPT

    @property
    def may_be_crowded(self) -> bool:
        """Whether any number of receipts may name sessions to revoke."""
        return self.state == "present" and self.target in ("user", "access_key_id", "web_identity_subject")


@dataclass(frozen=True)
class Known:
    """What the receipts say.

    :param receipts: the tokens of the venue that are asked for and may be alive.
    :param found: whether there are receipts about the target at all.
    """

    receipts: tuple[Receipt, ...]
    found: bool = True
    unreadable: int = 0


@dataclass(frozen=True)
class RoleState:
    """A role of the venue, and the tokens of it that receipts name."""

    role: Role
    inline: Mapping[str, Mapping[str, Any]]
    receipts: tuple[Receipt, ...]


@dataclass(frozen=True)
class State:
    """What one round of reads found.

    :param now: the time of AWS's clock.
    :param gone: receipts whose role does not exist any more.
    :param leases: the leases of the venue; None if they were not asked for or may not be read.
    :param left_out: receipts that nothing is done about, each with the reason.
    :param not_reached: why other roles of the venue are left as they are.
    :param passed_over: the names of further roles that receipts name, too many to be read.
    """

    caller: Caller
    now: datetime
    roles: tuple[RoleState, ...]
    gone: tuple[Receipt, ...]
    leases: FoundLeases | None = None
    left_out: tuple[tuple[Receipt, str], ...] = ()
    not_reached: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()

    def lease_of(self, user: str) -> StoredLease | None:
        """Return the lease of a user, or None."""
        return self.leases.of(user) if self.leases else None


# Parse --------------------------------------------------------------------------------------------------------------


def parse(params: Params, _clients: Clients, runtime: Runtime) -> RevocationOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    venue = make_venue(params["project"], params["venue"])
    target = _target(params)
    if params["expected_account_id"] is not None:
        check_account_id("expected_account_id", params["expected_account_id"])
    sources = ReceiptSources.from_options(params)
    value = _value(params, target)
    if target in ("user", "access_key_id"):
        sources.check()
    return RevocationOptions(
        state=params["state"],
        venue=venue,
        target=target,
        value=value,
        issuer=_issuer(params),
        role_name=_role_name(params, venue),
        expected_account_id=params["expected_account_id"],
        before=_before(params["before"], runtime),
        lease_path=lease_path(venue, params["lease_path"]),
        receipt=_receipt(params["receipt"], venue) if target == "receipt" else None,
        sources=sources,
        proof=verification.parse(params),
    )


def _value(params: Params, target: str) -> str:
    if target in ("session_name", "source_identity"):
        return check_session_name(target, params[target])
    if target == "user":
        return check_user("user", params["user"])
    if target == "web_identity_subject":
        return check_subject(target, params[target])
    return str(params[target]) if target == "access_key_id" else ""


def _receipt(given: Mapping[str, Any], venue: Venue) -> Receipt:
    receipt = parse_receipt("receipt", given)
    if receipt.venue != venue:
        raise InvalidInput("receipt", f"is about a token for {receipt.venue}, not for {venue}.")
    return receipt


def _target(params: Params) -> str:
    """The one option that says what to revoke. Nothing that is empty means everything.

    :raises InvalidInput: none is given, or more than one; or one together with a lock, which is about every token.
    """
    given = [name for name in TARGETS if params[name] is not None and params[name] is not False]
    if params["state"] in LOCKING:
        for name in [*given, *(["before"] if params["before"] is not None else [])]:
            raise InvalidInput(name, f"cannot be used with state {params['state']}, which is about the whole venue.")
        return "all"
    if len(given) != 1:
        found = f"{' and '.join(given)} are given" if given else "nothing says what to revoke"
        raise InvalidInput(
            given[0] if given else "all",
            f"{found}. Give exactly one of {', '.join(TARGETS)}. To revoke every token of the venue, set all to true.",
        )
    return given[0]


def _issuer(params: Params) -> str:
    text = params["web_identity_issuer"]
    if text is None:
        return ""
    try:
        return read_issuer(text if "://" in text else f"https://{text}")
    except ValueError:
        raise InvalidInput("web_identity_issuer", f"'{text}' is not an issuer, such as https://HOST/PATH.") from None


def _role_name(params: Params, venue: Venue) -> str:
    if params["role_name"] is not None:
        return check_role_name("role_name", params["role_name"])
    return venue.role_name(params["name_prefix"])


def _before(text: str | None, runtime: Runtime) -> datetime | None:
    moment = parse_time("before", text) if text is not None else None
    if moment and moment > runtime.now() + CLOCK_TOLERANCE:
        raise InvalidInput("before", "lies in the future. Tokens issued from now on would be refused.")
    return moment


# Read ---------------------------------------------------------------------------------------------------------------


def read_receipts(options: RevocationOptions, clients: Clients, runtime: Runtime) -> Known:
    """Read the receipts, and find those that are asked for and whose tokens may be alive.

    :raises VenueError: the receipts say what to revoke, and they cannot be read, or none is about the access key.
        A user may still have a lease.
    """
    now = runtime.now()
    if options.receipt:
        return Known(_living([options.receipt], options.venue, now))
    try:
        log = options.sources.read(clients, now, since=None if options.by_receipt else now, venue=options.venue)
    except VenueError as error:
        mistyped = isinstance(error, InvalidInput) and options.sources.file is not None
        if options.by_receipt or (mistyped and not options.every_role):
            raise
        runtime.warn(f"{error.message} Tokens of roles that only receipts name are not revoked.")
        return Known(())
    if log.unreadable:
        runtime.warn(f"{log.unreadable} receipts could not be read or are no receipts. They were skipped.")
    if log.conflicts:
        runtime.warn(f"These receipt ids are given to several tokens, and each of them counts: {_few(log.conflicts)}.")
    found = _asked_for(options, log)
    if not found and options.target == "access_key_id" and not options.sources.services:
        raise _unknown(options)
    return Known(_living(found, options.venue, now), bool(found), log.unreadable)


def _asked_for(options: RevocationOptions, log: ReceiptLog) -> Sequence[Receipt]:
    """The receipts of a user or an access key; all receipts for other targets."""
    if not options.by_receipt:
        return log.tokens
    of_user = options.target == "user"
    return [one for one in log.tokens if options.value == (one.recipient if of_user else one.access_key_id)]


def _unknown(options: RevocationOptions) -> InvalidInput:
    """Nobody has heard of the user or the access key. Where stores are a venue's own, that is no mistake."""
    return InvalidInput(options.target, f"no receipt in {options.sources} is about a token of '{options.value}'.")


def _living(receipts: Iterable[Receipt], venue: Venue, now: datetime) -> tuple[Receipt, ...]:
    return tuple(one for one in receipts if one.venue.key == venue.key and one.ends_by > now)


def read(options: RevocationOptions, known: Known, clients: Clients) -> State:
    """Read the roles and their inline policies. The account is compared first.

    :raises AccountMismatch: the keys are for another account than the receipts.
    :raises NotProvisioned: there is no role.
    :raises OwnershipConflict: it belongs to another venue.
    :raises InvalidInput: neither a receipt nor a lease is about the user.
    """
    iam, sts = clients.client("iam"), clients.client("sts")
    (caller, now), leases = _read_caller_and_leases(options, sts, clients)
    check_account(caller, options.expected_account_id)
    receipts, foreign = _by_account(options, known, caller)
    lease = leases.of(options.value) if leases else None
    if options.target == "user" and not known.found and not lease and not options.sources.services:
        raise _unknown(options)
    names = list({one.role_name.lower(): one.role_name for one in receipts}.values())  # IAM names have no case
    if not (options.by_receipt and not lease) and options.role_name.lower() not in map(str.lower, names):
        names.insert(0, options.role_name)
    names.sort(key=lambda name: name.lower() != options.role_name.lower())  # the venue's own before all others
    names, rest = names[:MOST_ROLES], names[MOST_ROLES:]
    further, not_reached = _further_roles(options, iam, names)
    names += further
    passed_over = [name for name in rest if name.lower() not in map(str.lower, further)]
    found = run_concurrently(*[lambda name=name: _read_role(iam, name) for name in names])
    refused = {name.lower(): one for name, one in zip(names, found, strict=True) if isinstance(one, VenueError)}
    refused.update({name.lower(): _too_many_roles(passed_over) for name in passed_over})
    states = [one for one in found if isinstance(one, tuple)]
    for role, _inline in states:
        if problem := _foreign_role(options, role):
            refused[role.name.lower()] = problem
    _raise_if_nothing_else(options, refused, names)
    roles = tuple(
        RoleState(role, inline, tuple(one for one in receipts if _is_of(one, role)))
        for role, inline in states
        if role.name.lower() not in refused
    )
    if not options.by_receipt and not roles:
        raise NotProvisioned(
            f"there is no role {options.role_name} in account {caller.account_id}, so no token of it can be alive."
        )
    left_out = [(one, refused[one.role_name.lower()].message) for one in receipts if one.role_name.lower() in refused]
    gone = [one for one in receipts if not any(_is_of(one, role) for role, _inline in states)]
    gone = [one for one in gone if one.role_name.lower() not in refused]
    unread = [f"{name}: {refused[name.lower()].message}" for name in further if name.lower() in refused]
    reasons = (*not_reached, *unread)
    return State(caller, now, roles, tuple(gone), leases, (*foreign, *left_out), reasons, tuple(passed_over))


def _further_roles(options: RevocationOptions, iam: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The venue's roles by their tags that nothing else names, and why they are not known."""
    if not options.every_role:
        return [], []
    try:
        found = names_of_roles(iam, options.venue)
    except VenueError as refusal:
        return [], [f"roles that are not named were not looked for. {refusal.message}"]
    known = {name.lower() for name in names}
    return [name for name in found if name.lower() not in known], []


def _too_many_roles(passed_over: Sequence[str]) -> TooManyReceipts:
    return TooManyReceipts(
        f"the receipts name more than {MOST_ROLES} roles. Nothing is changed on {len(passed_over)} of them: "
        f"{_few(passed_over)}. Remove false receipts, or run again with role_name for each role of the venue.",
        roles=len(passed_over),
    )


def _read_caller_and_leases(
    options: RevocationOptions, sts: Any, clients: Clients
) -> tuple[tuple[Caller, datetime], FoundLeases | None]:
    if not options.ends_leases:
        return read_caller_and_time(sts), None
    ssm = clients.client("ssm")

    def leases() -> FoundLeases | None:
        try:
            return read_leases(ssm, options.venue, options.lease_path)
        except AwsRefused as refusal:
            if refusal.code in DENIED:
                return None  # a warning says so: tokens must be revoked all the same
            raise

    caller_and_time, found = run_concurrently(lambda: read_caller_and_time(sts), leases)
    return caller_and_time, found


def _is_of(receipt: Receipt, role: Role) -> bool:
    return receipt.role_name.lower() == role.name.lower()


def _by_account(
    options: RevocationOptions, known: Known, caller: Caller
) -> tuple[list[Receipt], list[tuple[Receipt, str]]]:
    """The receipts of the caller's account, and the others with what to say of them.

    :raises AccountMismatch: all receipts that say what to revoke are of other accounts. One such receipt among others
        does not keep the others from being revoked: anybody who may write receipts could add it.
    """
    mine = [one for one in known.receipts if one.account_id == caller.account_id]
    other = sorted({one.account_id for one in known.receipts} - {caller.account_id})
    if other and options.by_receipt and not mine:
        advice = "Set expected_account_id and run once for each account." if len(other) > 1 else ""
        raise AccountMismatch(
            f"the tokens were issued in account {', '.join(other)}, but the credentials are for account "
            f"{caller.account_id} ({caller.arn}). Nothing was changed. Get keys for account {', '.join(other)}, for "
            f'example from Kion with broker_account: "{other[0]}". {advice}'.rstrip(),
            account_id=caller.account_id,
            expected_account_id=other[0],
        )
    foreign = [one for one in known.receipts if one.account_id != caller.account_id]
    return mine, [
        (one, f"the receipt is of account {one.account_id}. Run again with keys of that account.") for one in foreign
    ]


def _read_role(iam: Any, name: str) -> tuple[Role, Mapping[str, Mapping[str, Any]]] | VenueError | None:
    """A role with its inline policies; None if there is none; the refusal if the caller may not read it."""
    try:
        role = read_role(iam, name)
        return (role, read_policies(iam, name, read_inline_names(iam, name))) if role else None
    except AwsRefused as error:
        if error.code in DENIED:
            return error
        raise


def _foreign_role(options: RevocationOptions, role: Role) -> OwnershipConflict | None:
    """Why a role is not one to act on. A receipt alone does not make a role the venue's."""
    named = role.name.lower() == options.role_name.lower()
    try:
        check_ownership(options.venue, role.name, role.tags, adopt=named)
    except OwnershipConflict as error:
        return error
    return None


def _raise_if_nothing_else(options: RevocationOptions, refused: Mapping[str, VenueError], names: Sequence[str]) -> None:
    """A role that is another venue's, or that may not be read, is an error if it is the one that was asked for.

    Among several that receipts name, it is reported and left out.

    :raises VenueError: see above.
    """
    asked = {name.lower() for name in names} if options.by_receipt else {options.role_name.lower()}
    if refused and asked <= refused.keys():
        raise next(refused[name.lower()] for name in names if name.lower() in asked)


# Plan ---------------------------------------------------------------------------------------------------------------


def wanted(options: RevocationOptions, receipts: Iterable[Receipt], now: datetime) -> list[Revocation]:
    """What to revoke of one role.

    :param now: the time of AWS's clock: this machine's may be behind, and the newest tokens would be left out.
    """
    if options.by_receipt:
        # The time keeps a later token of the same session name alive. It comes from the receipt alone, so that a second
        # run finds nothing to do.
        return _sessions_of(receipts, now)
    if options.target == "web_identity_subject":
        person = {"web_identity_issuer": options.issuer, "web_identity_subject": options.value}
        return _sessions_of([one for one in receipts if person.items() <= one.context.items()], now)
    kind = {"session_name": "session"}.get(options.target, options.target)
    return [Revocation(kind, options.value, options.before or cutoff(now))]


def _sessions_of(receipts: Iterable[Receipt], now: datetime) -> list[Revocation]:
    """The sessions of receipts. A receipt from the future ends nothing that is issued after now."""
    latest = now + CLOCK_TOLERANCE
    ends = [(one.session_name, one.issue_until if one.requested_at <= latest else now) for one in receipts]
    return [Revocation("session", name, cutoff(end)) for name, end in ends]


def _of_lease(options: RevocationOptions, state: State, one: RoleState, now: datetime) -> list[Revocation]:
    """The last token of the user's lease, where its receipt is kept elsewhere. Others can write what a lease says."""
    lease = state.lease_of(options.value) if options.target == "user" else None
    session = (lease.renewal.session_name if lease and lease.renewal else None) or ""
    is_here = one.role.name.lower() == options.role_name.lower()
    if not is_here or not is_session_of(options.value, session) or session in [it.session_name for it in one.receipts]:
        return []
    return [Revocation("session", session, cutoff(now))]


def asked_of(options: RevocationOptions, state: State, one: RoleState) -> list[Revocation]:
    """What is asked for of one role, by receipt, lease or option."""
    return [*wanted(options, one.receipts, state.now), *_of_lease(options, state, one, state.now)]


def _crowded(options: RevocationOptions, state: State) -> list[RoleState]:
    """The roles on which not all sessions fit that receipts name."""
    return [
        one
        for one in (state.roles if options.may_be_crowded else ())
        if is_crowded(one.role.role_id, one.inline, asked_of(options, state, one), state.now)
    ]


def plan(options: RevocationOptions, state: State, now: datetime, confirmed: Confirmed) -> list[Plan]:
    """The steps for each role.

    :param confirmed: the sessions that CloudTrail knows, of the roles that are crowded.
    """
    return [_plan_role(options, one, state, now, confirmed) for one in state.roles]


def _plan_role(options: RevocationOptions, one: RoleState, state: State, now: datetime, confirmed: Confirmed) -> Plan:
    if options.state in LOCKING:
        return (plan_lock if options.state == "locked" else plan_unlock)(one.role, one.inline, now)
    asked = asked_of(options, state, one)
    locked = is_locked(one.role.trust)
    if options.state == "absent":
        if options.target == "all" and has_lock(one.role):
            raise InvalidInput("all", f"cannot be lifted: the role {one.role.name} is locked. Unlock the venue first.")
        of_user = [("user", options.value)] if options.target == "user" else []
        lifted = plan_lift(one.role.name, one.inline, [*[(each.kind, each.value) for each in asked], *of_user])
        return replace(_lift_subjects(options, one.role, lifted), locked=locked)
    if one.role.name in confirmed:
        known = confirmed[one.role.name]
        asked = fitting(one.role.role_id, one.inline, _fewer(options, asked, known), known, now)
    planned = plan_revoke(one.role.name, one.role.role_id, one.inline, asked, state.now)
    if options.target == "web_identity_subject":
        planned = with_subject(planned, one.role, options.issuer, options.value)
    return replace(planned, locked=locked)


def _fewer(options: RevocationOptions, asked: Sequence[Revocation], known: Collection[str]) -> list[Revocation]:
    """What is to be revoked where not everything fits. An access key has one session, and CloudTrail outranks receipts.

    :param known: the names of the sessions that CloudTrail knows.
    """
    if options.target == "access_key_id" and known:
        return [one for one in asked if one.value in known]
    return for_user(asked, options.value) if options.target == "user" else list(asked)


def _lift_subjects(options: RevocationOptions, role: Role, plan: Plan) -> Plan:
    if options.target == "web_identity_subject":
        return without_subject(plan, role, options.issuer, options.value)
    return without_subjects(plan, role) if options.target == "all" else plan


# Apply --------------------------------------------------------------------------------------------------------------


def revoke(options: RevocationOptions, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_revocation``.

    :raises VenueError: see ``_domain/errors.py``.
    """
    known = read_receipts(options, clients, runtime)
    state = read(options, known, clients)
    moment = state.now
    confirmed = _confirm(options, state, clients, runtime)
    first = plans = plan(options, state, moment, confirmed)
    before = _prepare_proof(options, state, clients, runtime)
    leases = state.leases
    ended, problem = _end_leases(options, leases, clients, runtime)
    done: list[tuple[Step, dict[str, Any]]] = []
    for attempt in range(ATTEMPTS if not runtime.check_mode else 0):
        try:
            apply(clients.client, [step for one in plans for step in one.steps], done)
            _check_lock(options, state, clients, done)
            break
        except ConcurrentChange:
            if attempt == ATTEMPTS - 1:
                raise
            runtime.sleep(runtime.jitter(0.2 * 2**attempt))
            state = replace(read(options, replace(known, found=True), clients), leases=leases)
            confirmed = {**_confirm(options, state, clients, runtime), **confirmed}
            plans = plan(options, state, moment, confirmed)
    if problem:
        raise _with_open_leases(problem)
    _warn(options, known, state, plans, runtime)
    planned = [step for one in first for step in one.steps]
    steps = [*ended, *(planned if runtime.check_mode else [step for step, _answer in done])]
    crowd = _check_crowd(options, state, plans, confirmed, runtime)
    if incomplete := crowd or (_too_many_roles(state.passed_over) if state.passed_over else None):
        incomplete.facts.update(changed=bool(steps), steps=[step.shown() for step in steps])
        raise incomplete
    attempts = [] if runtime.check_mode else _attempts(options, state, plans, clients, before)
    verified = _verify(options, attempts, steps, runtime)
    return {
        "changed": bool(steps),
        "account_id": state.caller.account_id,
        "roles": [
            {"arn": one.role.arn, "name": one.role.name, "role_id": one.role.role_id, "locked": after.locked}
            for one, after in zip(state.roles, plans, strict=True)
        ],
        "locked": bool(plans) and all(one.locked for one in plans),
        "revocations": [each for one, after in zip(state.roles, plans, strict=True) for each in _in_force(one, after)],
        "sessions": _sessions(options, state),
        "leases": [_ended(one) for one in _chosen(options, leases)],
        "left_out": [
            {"session_name": one.session_name, "role_arn": one.role_arn, "reason": why} for one, why in state.left_out
        ],
        "not_reached": list(state.not_reached),
        "unreadable": known.unreadable,
        "verified": verified,
        "steps": [step.shown() for step in steps],
        "diff": _diff(state.roles, first),
    }


def _confirm(options: RevocationOptions, state: State, clients: Clients, runtime: Runtime) -> Confirmed:
    """The sessions that CloudTrail knows, of each role on which not all fit that receipts name."""
    crowded = [one.role for one in _crowded(options, state)]
    if not crowded:
        return {}
    key = options.value if options.target == "access_key_id" else ""
    known = issued_sessions(crowded, key, clients, state.now, runtime)
    return {role.name: {one.session_name for one in known if one.role_arn == role.arn} for role in crowded}


def _check_crowd(
    options: RevocationOptions, state: State, plans: Sequence[Plan], confirmed: Confirmed, runtime: Runtime
) -> QuotaReached | None:
    """Report sessions that did not fit one by one. Return the failure if some are not revoked."""
    still_open: list[str] = []
    for one, after in zip(state.roles, plans, strict=True):
        if one.role.name not in confirmed:
            continue
        known = confirmed[one.role.name]
        asked = asked_of(options, state, one)
        fewer = _fewer(options, asked, known)
        still_open += [each.value for each in missing(after.after["revocations"], fewer, state.now)]
        runtime.warn(
            f"The receipts name {len(asked)} sessions of the role {one.role.name}, more than IAM has room for. Either "
            f"somebody has written false receipts, or there are many tokens. CloudTrail knows {len(known)} of them. "
            f"{_instead(options, fewer)}".rstrip()
        )
    if not still_open:
        return None
    return QuotaReached(
        f"{len(still_open)} sessions that only receipts name are not revoked, because they do not fit on the role: "
        f"{_few(still_open)}. What fits is revoked. If any of them may be a true one, end every token of the venue: "
        f"ansible-playbook mdps.venue_sts.revoke -e project={options.venue.project} -e venue={options.venue.venue} "
        "-e all=true (or all: true), with the same receipts_* options.",
        quota=INLINE_POLICY_LENGTH,
    )


def _instead(options: RevocationOptions, fewer: Sequence[Revocation]) -> str:
    """What one statement for a user does besides."""
    of_user = [one for one in fewer if one.kind == "user"]
    if not of_user:
        return ""
    return (
        f"Every session of {options.value} whose name the collection makes is revoked by one statement, also without a "
        f"receipt; new ones are refused until {iso(of_user[0].before)}."
    )


def _prepare_proof(options: RevocationOptions, state: State, clients: Clients, runtime: Runtime) -> verification.Before:
    """Find out before the first change what only then can be found out."""
    if not options.proof or runtime.check_mode:
        return verification.Before()
    accepted = verification.check_owner(options.proof, clients, _expected(options, state))
    parameter = options.venue.external_id_parameter
    locked = [one.role for one in state.roles if options.state == "locked"]
    return verification.Before(accepted, [verification.LockProof(clients, one, parameter) for one in locked])


def _expected(options: RevocationOptions, state: State) -> verification.Expected:
    """Whose keys can prove something. A lease may have given its user tokens whose receipts are elsewhere."""
    names = [one.role.name for one in state.roles]
    receipts = [one for role in state.roles for one in role.receipts]
    if options.target == "session_name":
        receipts = [one for one in receipts if one.session_name == options.value]
        sessions = [options.value]
    elif options.by_receipt and not state.lease_of(options.value):
        sessions = [one.session_name for one in receipts]
    else:
        return verification.Expected(names)
    key_ids = [one.access_key_id for one in receipts if one.access_key_id]
    return verification.Expected(names, sessions, key_ids if len(key_ids) == len(receipts) else ())


def _attempts(
    options: RevocationOptions,
    state: State,
    plans: Sequence[Plan],
    clients: Clients,
    before: verification.Before,
) -> list[verification.Check]:
    """The proofs that were asked for."""
    if not options.proof:
        return []
    revoked = [
        (one.role, each)
        for one, after in zip(state.roles, plans, strict=True)
        for each in _to_prove(options, state, one, after)
    ]
    return list(verification.checks(options.proof, clients, revoked, before))


def _verify(
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


def _to_prove(options: RevocationOptions, state: State, one: RoleState, after: Plan) -> list[Revocation]:
    """The revocations to prove: those asked for; for a lock, the one of every token, whatever its time."""
    if options.state == "locked":
        every = [each for each in standing(after.after["revocations"], one.role.role_id) if each.kind == "all"]
        return every[-1:]
    asked = [each for each in asked_of(options, state, one) if each.live(state.now)]
    of_user = [each for each in standing(after.after["revocations"], one.role.role_id) if each.kind == "user"]
    # One statement may stand for any number of sessions.
    return list(dict.fromkeys(next((more for more in of_user if more.covers(each)), each) for each in asked))


def _check_lock(
    options: RevocationOptions, state: State, clients: Clients, done: Sequence[tuple[Step, Mapping[str, Any]]]
) -> None:
    """Read the trust policies that were written: IAM knows no compare-and-set, so another run may undo a refusal.

    :raises ConcurrentChange: a lock or a refused subject is not there.
    """
    written = {step.target for step, _answer in done if step.operation == "update_assume_role_policy"}
    if options.state not in ("locked", "present") or not written:
        return
    iam = clients.client("iam")
    for name in (one.role.name for one in state.roles if one.role.name in written):
        role = read_role(iam, name)
        if role and not _holds(options, role):
            raise ConcurrentChange(
                f"the trust policy of the role {name} was written by somebody else: the lock or the refusal is gone."
            )


def _holds(options: RevocationOptions, role: Role) -> bool:
    if options.state == "locked":
        return has_lock(role)
    return options.value in denied_subjects(role.trust).get(options.issuer, ())


def _end_leases(
    options: RevocationOptions, leases: FoundLeases | None, clients: Clients, runtime: Runtime
) -> tuple[Sequence[Step], VenueError | None]:
    """End the leases first, so that no renewal follows. Return the steps, and what went wrong: tokens end all the same.

    The token of a renewal that is on its way is not delivered: it looks at the lease again.
    """
    if not options.ends_leases:
        return (), None
    if leases is None:
        runtime.warn(
            f"The leases below {options.lease_path} may not be read with these credentials, so none was ended. If the "
            "venue has leases, renewal can issue new tokens. The caller needs ssm:GetParametersByPath."
        )
        return (), None
    user = options.value if options.target == "user" else None
    if runtime.check_mode:
        return plan_end(leases, options.lease_path, user), None
    try:
        return end_leases(clients, leases, options.lease_path, user), None
    except VenueError as error:
        return (), error


def _with_open_leases(error: VenueError) -> VenueError:
    error.message = (
        f"{error.message} The tokens are revoked, but not every lease has ended: renewal can issue new ones. Run again."
    )
    error.facts["changed"] = True
    return error


def _chosen(options: RevocationOptions, leases: FoundLeases | None) -> Sequence[StoredLease]:
    found = leases.stored if leases else ()
    return found if options.target == "all" else [one for one in found if one.lease.user == options.value]


def _ended(one: StoredLease) -> dict[str, Any]:
    return {"user": one.lease.user, "id": one.lease.id, "ends_at": iso(one.lease.ends_at)}


def _warn(options: RevocationOptions, known: Known, state: State, plans: Sequence[Plan], runtime: Runtime) -> None:
    for note in [note for one in plans for note in one.notes]:
        runtime.warn(note)
    if options.target == "web_identity_subject" and options.state == "present":
        runtime.warn(
            "Sessions of this subject that have no receipt are not ended by this, since their names are not known. "
            "CloudTrail has them (venue_sts_session_info): revoke them by session_name, or revoke all."
        )
    if options.state == "unlocked" and any(one.locked for one in plans):
        runtime.warn("The venue stays locked: another Deny statement keeps everybody from assuming the role.")
    if options.by_receipt and not known.found and not state.lease_of(options.value):
        runtime.warn(f"{_unknown(options).message} Is the name spelled as at the issue?")
    elif options.by_receipt and not known.receipts and not state.lease_of(options.value):
        runtime.warn("No token of this venue that the receipts name is alive any more. There is nothing to revoke.")
    if not options.by_receipt and not any(one.role.name.lower() == options.role_name.lower() for one in state.roles):
        runtime.warn(
            f"There is no role {options.role_name} in account {state.caller.account_id}. Only tokens of the venue's "
            "other roles were revoked. If the venue's role has another name, set role_name."
        )
    for reason in state.not_reached:
        runtime.warn(f"The venue may have other roles, and these are left as they are: {reason}")
    for reason in dict.fromkeys(why for _one, why in state.left_out):
        names = [one.session_name for one, why in state.left_out if why == reason]
        done = "lifted" if options.state == "absent" else "revoked"
        runtime.warn(f"Not {done}: {_few(names)}. Either the receipt is false, or somebody else must do it: {reason}")
    early = [one.session_name for one in known.receipts if one.requested_at > state.now + CLOCK_TOLERANCE]
    if early:
        runtime.warn(
            f"Receipts are dated in the future: {_few(early)}. Either the clock of the machine that issued the token "
            "was wrong, or somebody else has written them. What was issued until now is revoked."
        )
    ended = [one.session_name for one in state.gone]
    if ended:
        runtime.warn(f"The role of these sessions does not exist any more, so they have ended: {_few(ended)}.")
    replaced = [one.session_name for role in state.roles for one in role.receipts if _is_replaced(role.role, one)]
    if replaced and options.by_receipt:
        runtime.warn(
            "The role of these sessions was deleted and created again, so they ended with the old role: "
            f"{_few(replaced)}. They are revoked for the new role as well."
        )


def _few(names: Sequence[str]) -> str:
    """Names for a message, which receipts may hold by the thousand."""
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*names[:MOST_NAMED], *more])


def _is_replaced(role: Role, receipt: Receipt) -> bool:
    """Whether the role is another one of the same name than the one that the token is of."""
    return bool(receipt.role_id) and receipt.role_id != role.role_id


def _in_force(state: RoleState, plan: Plan) -> list[dict[str, Any]]:
    in_force = [one.shown() for one in standing(plan.after["revocations"], state.role.role_id)]
    refused = plan.after.get("revoked_subjects", denied_subjects(state.role.trust))
    return [{"role_name": state.role.name, **one} for one in [*in_force, *subjects_shown(refused)]]


def _sessions(options: RevocationOptions, state: State) -> list[dict[str, Any]]:
    """The tokens that receipts named, and what their role is like now."""
    if not options.by_receipt:
        return []
    living = [(one, _is_replaced(role.role, one)) for role in state.roles for one in role.receipts]
    return [
        {
            "session_name": one.session_name,
            "recipient": one.recipient,
            "access_key_id": one.access_key_id,
            "role_arn": one.role_arn,
            "ends_by": iso(one.ends_by),
            "issued": bool(one.access_key_id),
            "role_gone": gone,
        }
        for one, gone in [*living, *[(one, True) for one in state.gone]]
    ]


def _diff(roles: Sequence[RoleState], plans: Sequence[Plan]) -> dict[str, Any]:
    """Before and after, of the only role or of each by its name."""
    parts = {one.role.name: each.diff() for one, each in zip(roles, plans, strict=True)}
    if len(parts) == 1:
        return next(iter(parts.values()))
    return {side: {name: part[side] for name, part in parts.items()} for side in ("before", "after")}


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
