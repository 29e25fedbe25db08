# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``venue_sts_lease``: approve a lease, or end it. It runs on the controller, where the keys are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..module_utils._aws.calls import apply, run_concurrently
from ..module_utils._aws.clients import Clients
from ..module_utils._aws.venue_state import read_caller
from ..module_utils._domain.access import REQUEST, Request, parse_request
from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.lease_names import lease_path, parameter_name
from ..module_utils._domain.lease_parameters import FoundLeases, plan_end
from ..module_utils._domain.leases import CHANNELS, MAXIMUM_DAYS, MOST_DAYS, Lease, check_days, stored_text
from ..module_utils._domain.names import Venue, make_venue
from ..module_utils._domain.receipts import CLOCK_TOLERANCE
from ..module_utils._domain.steps import Step
from ..module_utils._domain.times import parse_time
from ..module_utils._domain.token_request import SHORTEST
from ..module_utils._domain.users import check_user
from ..module_utils._files import check_append_file
from ..module_utils._handoff_options import HANDOFF
from ..module_utils._operations._operation import Operation, Params, Result, Runtime, filled_in
from ..module_utils._operations.accounts import check_account, check_expected_account
from ..module_utils._operations.issue.authorize import VenueReadings, authorize_found, read
from ..module_utils._operations.issue.options import TokenOptions
from ..module_utils._operations.leases import read_leases
from . import _lease_venue as lease_venue
from ._channels import registry
from ._channels.channel import Channel
from ._channels.s3 import S3Channel
from ._handoff import HandoffOptions, find_person
from ._key_directory import Holder, check_fingerprints
from ._lease_record import LOG, record
from ._lease_signing import check_signer, check_signers, is_signed, read_lease_signer, sign
from ._signing import SshSigner

NAME = "venue_sts_lease"
ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "user": {"type": "str", "required": True},
    **lease_venue.VENUE_SPEC,
    "lease_path": {"type": "str"},
    "access": {"type": "list", "elements": "str"},
    "buckets": {"type": "list", "elements": "str"},
    "bucket_prefixes": {"type": "list", "elements": "str"},
    "ecr_repositories": {"type": "list", "elements": "str"},
    "duration_seconds": {"type": "int"},
    "start": {"type": "str"},
    "end": {"type": "str"},
    "days": {"type": "int"},
    "maximum_days": {"type": "int", "default": MAXIMUM_DAYS},
    "reason": {"type": "str"},
    "ticket": {"type": "str"},
    "approver": {"type": "str"},
    "channel": {"type": "str", "choices": list(CHANNELS), "default": "s3"},
    "handoff": {"type": "dict", "options": HANDOFF},
    "sign_with": {"type": "str"},
    "signers": {"type": "list", "elements": "str"},
    "leases_file": {"type": "path", "default": LOG},
}


@dataclass(frozen=True)
class Approval:
    """What is approved.

    :param token: the options of an issue for this lease.
    :param start: None if it starts at once.
    :param days: the length; None if ``end`` is given.
    :param https: the channel of this name, if the lease has it.
    :param confirmed: the fingerprints that the option ``fingerprints`` names.
    """

    token: TokenOptions
    request: Request
    start: datetime | None
    end: datetime | None
    days: int | None
    maximum_days: int
    reason: str
    ticket: str | None
    approver: str
    channel: str
    person: Holder
    https: Channel | None = field(repr=False)
    confirmed: Sequence[str]
    signer: SshSigner | None


@dataclass(frozen=True)
class LeaseOptions:
    """A lease to approve, or to end.

    :param account: the account that the option expects; '' if it is not set.
    :param approval: None to end it.
    :param file: the record of approvals and endings on the controller.
    """

    venue: Venue
    user: str
    path: str
    account: str
    file: str
    approval: Approval | None


def _parse(params: Params, clients: Clients, runtime: Runtime) -> LeaseOptions:
    venue = make_venue(params["project"], params["venue"])
    user = check_user("user", params["user"])
    check_append_file("leases_file", params["leases_file"], create=not runtime.check_mode)
    approval = _approval(params, venue, user, clients, runtime) if params["state"] == "present" else None
    path = lease_path(venue, params["lease_path"])
    account = check_expected_account(params["expected_account_id"])
    return LeaseOptions(venue, user, path, account, params["leases_file"], approval)


def _approval(params: Params, venue: Venue, user: str, clients: Clients, runtime: Runtime) -> Approval:
    given = lease_venue.given_handoff(params)
    options = HandoffOptions.parse(given)
    lease_venue.check_unsealed(options)
    channel = registry.choose({**given, "channel": params["channel"]}) if params["channel"] != "s3" else None
    person = find_person(options, user, channel or UndeliveredChannel(), runtime)
    check_fingerprints(person, (), options.fingerprints)
    signer = read_lease_signer(params["sign_with"]) if params["sign_with"] is not None else None
    check_signer(signer, check_signers("signers", params["signers"] or ()))
    request = parse_request({name: params[name] for name in REQUEST}, venue)
    return Approval(
        token=lease_venue.LeaseVenue.parse(params).token(user, request, clients, runtime),
        request=request,
        start=parse_time("start", params["start"]) if params["start"] is not None else None,
        end=parse_time("end", params["end"]) if params["end"] is not None else None,
        days=check_days("days", params["days"], MOST_DAYS) if params["days"] is not None else None,
        maximum_days=check_days("maximum_days", params["maximum_days"], MOST_DAYS),
        reason=params["reason"],
        ticket=params["ticket"],
        approver=params["approver"],
        channel=params["channel"],
        person=person,
        https=channel,
        confirmed=options.fingerprints,
        signer=signer,
    )


class UndeliveredChannel(Channel):
    """The venue's bucket, whose name is known only after the venue was read."""

    NAME, KINDS = S3Channel.NAME, S3Channel.KINDS

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Channel:
        """Not made from options."""
        return cls()

    def deliver(self, parcel: Any) -> Any:
        """Deliver nothing: this one only checks recipients."""
        raise ValueError("this channel does not deliver")


def _execute(options: LeaseOptions, clients: Clients, runtime: Runtime) -> Result:
    return (
        _approve(options, options.approval, clients, runtime) if options.approval else _end(options, clients, runtime)
    )


def _end(options: LeaseOptions, clients: Clients, runtime: Runtime) -> Result:
    sts, ssm = clients.client("sts"), clients.client("ssm")
    caller, found = run_concurrently(lambda: read_caller(sts), lambda: read_leases(ssm, options.venue, options.path))
    check_account(caller, options.account)
    stored = found.of(options.user)
    steps = plan_end(found, options.path, options.user)
    if steps and not runtime.check_mode:
        apply(clients.client, steps, [])
        if stored:
            record(options.file, stored.lease, "ended", "ended by an admin", runtime)
    return _result(steps, stored.lease if stored else None, None, runtime)


def _approve(options: LeaseOptions, approval: Approval, clients: Clients, runtime: Runtime) -> Result:
    ssm = clients.client("ssm")
    venue: VenueReadings
    leases: FoundLeases
    venue, leases = run_concurrently(
        lambda: read(approval.token, clients), lambda: read_leases(ssm, options.venue, options.path)
    )
    before = leases.of(options.user)
    where = lease_venue.folder(approval.channel, approval.token, venue)
    channel = lease_venue.channel_of(approval.https, where, approval.person, clients)
    # Whatever would keep a renewal from being issued is an error now.
    authorize_found(approval.token, venue, clients, runtime, where)
    places = {"place": channel.place, "account_id": venue.caller.account_id}
    lease = _wanted(options, approval, before.lease if before else None, places, runtime)
    if before and lease is before.lease:
        return _result([], before.lease, lease, runtime)
    _check_fingerprints_kept(approval, before.lease if before else None)
    if approval.signer:
        lease = sign(lease, approval.signer)
    name = parameter_name(options.path, options.user)
    arguments = {
        "Name": name,
        "Value": stored_text(lease),
        "Type": "String",
        "Tier": "Intelligent-Tiering",
        "Overwrite": True,
    }
    step = Step("ssm", "put_parameter", name, f"approve the lease of {options.user}", arguments)
    if not runtime.check_mode:
        # In this order: an approval that failed must not count as one that has replaced the lease.
        apply(clients.client, [step], [])
        record(options.file, lease, "approved", None, runtime)
    return _result([step], before.lease if before else None, lease, runtime)


def _check_fingerprints_kept(approval: Approval, before: Lease | None) -> None:
    """Refuse a new approval for another key than that of the active lease, unless it is confirmed.

    :raises KeyChanged: the key is another, and the option ``fingerprints`` does not name it.
    """
    if before:
        check_fingerprints(approval.person, before.key_fingerprints, approval.confirmed)


def _wanted(
    options: LeaseOptions, approval: Approval, before: Lease | None, places: Mapping[str, str], runtime: Runtime
) -> Lease:
    """Return the lease to store: the active one, if it is the same."""
    now = runtime.now()
    start = approval.start or now
    end = approval.end or start + timedelta(days=approval.days or 0)
    lease = Lease.approved(
        unique=runtime.token_hex(4),
        at=now,
        user=options.user,
        venue=options.venue,
        request=approval.request,
        starts_at=start,
        ends_at=end,
        reason=approval.reason,
        ticket=approval.ticket,
        approver=approval.approver,
        key_fingerprints=tuple(lease_venue.fingerprints(approval.person)),
        channel=approval.channel,
        **places,
    )
    if before and before.state(now) != "ended" and _is_same(approval, before, lease):
        return before
    _check_times(approval, lease, now)
    return lease


def _is_same(approval: Approval, before: Lease, lease: Lease) -> bool:
    """Whether an active lease is the one that is asked for. Days count from its own start."""
    if before.terms != lease.terms or not _is_signed_alike(approval, before):
        return False
    starts = approval.start is None or before.starts_at == lease.starts_at
    if approval.end is not None:
        return starts and before.ends_at == lease.ends_at
    return starts and before.ends_at - before.starts_at == timedelta(days=approval.days or 0)


def _is_signed_alike(approval: Approval, before: Lease) -> bool:
    """Whether an active lease has the signature that it would get now, or none if it would get none."""
    if approval.signer is None:
        return before.signature is None
    return is_signed(before, [approval.signer.public])


def _check_times(approval: Approval, lease: Lease, now: datetime) -> None:
    longest = timedelta(days=approval.maximum_days)
    if lease.starts_at < now - CLOCK_TOLERANCE:
        raise InvalidInput("start", "is in the past. Omit the option to start now.")
    if lease.ends_at < now + timedelta(seconds=SHORTEST):
        raise InvalidInput("end", f"is too early for a token, which lasts at least {SHORTEST} seconds.")
    if lease.ends_at - lease.starts_at > longest or lease.starts_at > now + longest:
        raise InvalidInput(
            "end" if approval.end else "days",
            f"a lease may last at most {approval.maximum_days} days, and must start within the same time "
            "(maximum_days).",
        )


def _result(steps: Sequence[Step], before: Lease | None, after: Lease | None, runtime: Runtime) -> Result:
    diff = {"before": before.to_json() if before else {}, "after": after.to_json() if after else {}}
    state = after.state(runtime.now()) if after else "absent"
    return {
        "changed": bool(steps),
        "lease": after.to_json() if after else None,
        "lease_state": state,
        "steps": [step.shown() for step in steps],
        "diff": diff,
    }


OPERATION: Operation[LeaseOptions] = Operation(
    name=NAME,
    argument_spec=ARGUMENT_SPEC,
    parse=_parse,
    execute=_execute,
    services=("iam", "s3", "ssm", "sts"),
    narrowing=filled_in(ARGUMENT_SPEC, but=("handoff",)) | {f"handoff.{name}" for name in filled_in(HANDOFF)},
    constraints={
        "required_if": [("state", "present", ("reason", "approver")), ("state", "present", ("end", "days"), True)],
        "mutually_exclusive": [("end", "days")],
    },
)
