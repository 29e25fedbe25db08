# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``venue_sts_renewal``: the next token for each lease of a venue whose last token ends soon.

It may run at any time, twice at once, and after an outage. A lease that fails does not stop the others. Each renewal is
an issue like any other: the same checks, the same receipts, the same pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ..module_utils._aws.calls import apply, run_concurrently
from ..module_utils._aws.clients import Clients
from ..module_utils._aws.leases import write
from ..module_utils._aws.venue_state import read_caller, read_inline_names, read_parameters
from ..module_utils._domain.errors import InvalidInput, IssueInterrupted, LeaseRefused, RenewalFailed, VenueError
from ..module_utils._domain.lease_history import reason_ended
from ..module_utils._domain.lease_names import lease_path, parameter_name, renewal_name
from ..module_utils._domain.lease_parameters import FoundLeases, find_leases, plan_end
from ..module_utils._domain.leases import MAXIMUM_DAYS, MOST_DAYS, RENEW_BEFORE, Lease, Renewal, StoredLease, check_days
from ..module_utils._domain.names import check_range
from ..module_utils._domain.permissions import RenewalFolder
from ..module_utils._domain.revocation import Revocation, found_in
from ..module_utils._domain.times import iso, parse_time, stamp
from ..module_utils._domain.token_request import LONGEST, SHORTEST
from ..module_utils._domain.untrusted import safe_text
from ..module_utils._domain.users import check_user, is_session_of
from ..module_utils._files import check_append_file
from ..module_utils._handoff_options import HANDOFF
from ..module_utils._operations._operation import Operation, Params, Result, Runtime, filled_in, unexpected
from ..module_utils._operations.accounts import check_account
from ..module_utils._operations.issue.authorize import VenueReadings, authorize_found, check_unlocked, read
from ..module_utils._operations.issue.options import TokenOptions
from ..module_utils._operations.issue.parts import Authorized, Issued
from ..module_utils._operations.issue.pipeline import Pipeline
from ..module_utils._operations.leases import read_leases
from ..module_utils._receipt_store import RECORDING, ReceiptStores
from . import _lease_venue as lease_venue
from ._channels import registry
from ._channels.channel import Channel
from ._channels.s3 import S3Channel
from ._handoff import Handoff, HandoffOptions, find_person
from ._key_directory import Holder, check_fingerprints
from ._lease_record import LOG, read_record, record
from ._lease_signing import check_signature, check_signers
from ._renewal_place import RenewalPlace

NAME = "venue_sts_renewal"
CLAIM_BYTES = 4
ROW = (
    *("user", "id", "result", "state", "ends_at", "token_until", "next_renewal"),
    *("problem", "receipt", "delivery"),
)
ARGUMENT_SPEC: dict[str, Any] = {
    **lease_venue.VENUE_SPEC,
    "lease_path": {"type": "str"},
    "user": {"type": "str"},
    "by_hand": {"type": "bool", "default": False},
    "renew_before": {"type": "int", "default": RENEW_BEFORE},
    "maximum_days": {"type": "int", "default": MAXIMUM_DAYS},
    "lease_signers": {"type": "list", "elements": "str"},
    "handoff": {"type": "dict", "options": HANDOFF},
    "leases_file": {"type": "path", "default": LOG},
    **RECORDING,
}


@dataclass(frozen=True)
class RenewalOptions:
    """What to renew, and how.

    :param user: renew the lease of this user alone, at once; '' for every lease that is due.
    :param by_hand: the channel of the option ``handoff``, to deliver by it and not by that of the lease.
    :param maximum_days: a lease that lasts longer is refused: this collection did not approve it.
    :param https: the channel of this name, for leases that deliver by it; None if its options are not set.
    """

    venue: lease_venue.LeaseVenue
    path: str
    user: str
    by_hand: Channel | None = field(repr=False)
    renew_before: int
    maximum_days: int
    signers: tuple[str, ...]
    https: Channel | None = field(repr=False)
    handoff: HandoffOptions
    stores: ReceiptStores
    leases_file: str


@dataclass(frozen=True)
class VenueNow:
    """What was read of the venue once for all of its leases.

    :param revocations: those of its role, as their names say.
    """

    found: VenueReadings
    revocations: Sequence[Revocation]


def _parse(params: Params, _clients: Clients, runtime: Runtime) -> RenewalOptions:
    venue = lease_venue.LeaseVenue.parse(params)
    if params["by_hand"] and params["user"] is None:
        raise InvalidInput("by_hand", "is for one lease. Also set user.")
    given = lease_venue.given_handoff(params)
    handoff = HandoffOptions.parse(given)
    lease_venue.check_unsealed(handoff)
    stores = ReceiptStores.from_options(params)
    stores.check(create=not runtime.check_mode)
    check_append_file("leases_file", params["leases_file"], create=not runtime.check_mode)
    return RenewalOptions(
        venue=venue,
        path=lease_path(venue.venue, params["lease_path"]),
        user=check_user("user", params["user"]) if params["user"] is not None else "",
        by_hand=registry.choose(given) if params["by_hand"] else None,
        renew_before=check_range("renew_before", params["renew_before"], 60, LONGEST),
        maximum_days=check_days("maximum_days", params["maximum_days"], MOST_DAYS),
        signers=check_signers("lease_signers", params["lease_signers"] or ()),
        https=registry.choose({**given, "channel": "https"}) if given["https"] else None,
        handoff=handoff,
        stores=stores,
        leases_file=params["leases_file"],
    )


def _execute(options: RenewalOptions, clients: Clients, runtime: Runtime) -> Result:
    return Run(options, clients, runtime).result()


class Run:
    """One run over the leases of a venue."""

    def __init__(self, options: RenewalOptions, clients: Clients, runtime: Runtime) -> None:
        self._options, self._clients, self._runtime = options, clients, runtime
        self._ssm = clients.client("ssm")
        self._venue: VenueNow | None = None
        self._record: list[str] | None = None
        self._rows: list[dict[str, Any]] = []
        self._interrupted: IssueInterrupted | None = None

    def result(self) -> Result:
        """Renew, and return what happened to each lease.

        :raises RenewalFailed: at least one lease failed; the facts have all rows.
        """
        sts = self._clients.client("sts")
        caller, found = run_concurrently(
            lambda: read_caller(sts), lambda: read_leases(self._ssm, self._options.venue.venue, self._options.path)
        )
        check_account(caller, self._options.venue.account)
        self._rows += self._damaged(found)
        for stored in self._chosen(found):
            self._rows.append(self._handle(stored))
            if self._interrupted:
                break
        changed = any(row["result"] in ("renewed", "ended") or row["asked"] for row in self._rows)
        rows = [{key: value for key, value in row.items() if key != "asked"} for row in self._rows]
        facts = {"changed": changed, "leases": rows, "account_id": caller.account_id}
        failed = [row for row in rows if row["result"] == "failed"]
        if failed:
            names = "; ".join(f"{row['user']}: {row['problem']}" for row in failed)
            raise RenewalFailed(f"{len(failed)} of {len(rows)} leases were not renewed. {names}", **facts)
        return facts

    def _damaged(self, found: FoundLeases) -> list[dict[str, Any]]:
        """Return a failed row for each parameter that is no lease: somebody may wait for their token."""
        path, user = self._options.path, self._options.user
        wanted = {name: why for name, why in found.damaged.items() if not user or name == parameter_name(path, user)}
        empty = dict.fromkeys(ROW)
        return [
            {
                **empty,
                "user": safe_text(name.removeprefix(f"{path}/")),
                "result": "failed",
                "problem": why,
                "asked": False,
            }
            for name, why in wanted.items()
        ]

    def _chosen(self, found: FoundLeases) -> Sequence[StoredLease]:
        if not self._options.user:
            return found.stored
        one = found.of(self._options.user)
        if one is None and parameter_name(self._options.path, self._options.user) in found.damaged:
            return ()
        if one is None:
            raise LeaseRefused(
                f"{self._options.user} has no lease below {self._options.path}. It has ended, or was never approved."
            )
        return [one]

    def _handle(self, stored: StoredLease) -> dict[str, Any]:
        action = self._action(stored)
        if action in ("end", "renew"):
            return self._guarded(stored, lambda: self._act(stored))
        return self._row(stored, {"wait": "waiting"}.get(action, action))

    def _action(self, stored: StoredLease) -> str:
        now = self._runtime.now()
        action = stored.action(now, self._options.renew_before)
        if self._options.user and action == "wait" and stored.lease.state(now) == "active":
            return "renew" if stored.seconds_left(now) >= SHORTEST else "wait"
        return action

    def _act(self, stored: StoredLease) -> dict[str, Any]:
        """Read one lease again, and do what is due now.

        The leases before it can take minutes, in which an admin may approve it again and another run may renew it.
        """
        path, user = self._options.path, stored.lease.user
        names = [parameter_name(path, user), renewal_name(path, user)]
        found = find_leases(read_parameters(self._ssm, names), path, self._options.venue.venue)
        if found.unreadable:
            raise LeaseRefused(found.unreadable[0])
        current = found.of(user)
        if current is None:
            return self._row(stored, "ended", problem="it was ended during this run")
        action = self._action(current)
        if action == "end":
            return self._end(current, found, "it has reached its end")
        if action == "renew":
            return self._renew_or_end(current, found)
        return self._row(current, {"wait": "waiting"}.get(action, action))

    def _guarded(self, stored: StoredLease, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do the work for one lease. Whatever it raises does not stop the other leases, except for a signal."""
        try:
            return work()
        except VenueError as error:
            problem = error
        except Exception as error:  # a fault with one lease must not keep the others from their tokens
            problem = unexpected(error, NAME)
        if isinstance(problem, IssueInterrupted):
            self._interrupted = problem
        return self._row(stored, "failed", problem=problem.message, receipt=problem.facts.get("receipt"))

    def _end(self, stored: StoredLease, found: FoundLeases, why: str) -> dict[str, Any]:
        """Record that a lease has ended, and remove it."""
        if not self._runtime.check_mode:
            record(self._options.leases_file, stored.lease, "ended", why, self._runtime)
            apply(self._clients.client, plan_end(found, self._options.path, stored.lease.user), [])
        return self._row(stored, "ended", problem=why)

    def _renew_or_end(self, stored: StoredLease, found: FoundLeases) -> dict[str, Any]:
        lease, last = stored.lease, stored.credible(self._runtime.now())
        if self._options.signers:
            check_signature(lease, self._options.signers)
        self._check_length(lease)
        token = lease_venue.for_lease(
            self._options.venue.token(lease.user, lease.request, self._clients, self._runtime),
            lease,
            stored.seconds_left(self._runtime.now()),
        )
        venue = self._read_venue(token)
        check_unlocked(venue.found.role)  # a lock pauses renewals, and ends no lease
        ended_by = _revocation_of(last, venue.revocations)
        if ended_by:
            return self._end(stored, found, f"its last token was revoked ({ended_by.policy_name})")
        ended_by = _later_revocation(lease, venue.revocations)
        if ended_by:
            return self._end(stored, found, f"tokens were revoked after it was approved ({ended_by.policy_name})")
        self._check_record(lease)  # last: the record also has an end whose removal failed
        return self._renew(stored, token, venue.found)

    def _check_length(self, lease: Lease) -> None:
        """:raises LeaseRefused: the lease lasts longer than a lease may."""
        most = self._options.maximum_days
        if lease.ends_at - lease.starts_at > timedelta(days=most):
            raise LeaseRefused(
                f"the lease lasts from {iso(lease.starts_at)} to {iso(lease.ends_at)}, but a lease may last at most "
                f"{most} days (lease_maximum_days). Approve it again."
            )

    def _check_record(self, lease: Lease) -> None:
        """:raises LeaseRefused: this machine has ended or replaced the lease, and it was restored afterwards."""
        if self._record is None:
            self._record = read_record(self._options.leases_file)
        why = reason_ended(lease, self._record)
        if why:
            raise LeaseRefused(
                f"by the record of leases ({self._options.leases_file}) {why}, and it was restored afterwards. "
                "Nothing was issued. Find out who (CloudTrail, PutParameter), and end it or approve it again."
            )

    def _read_venue(self, token: TokenOptions) -> VenueNow:
        """Read role, parameters and revocations once for all leases."""
        if self._venue is None:
            iam = self._clients.client("iam")
            for service in ("ssm", "sts"):
                self._clients.client(service)
            found, names = run_concurrently(
                lambda: read(token, self._clients), lambda: read_inline_names(iam, token.role_name)
            )
            self._venue = VenueNow(found, found_in(names))
        return self._venue

    def _renew(self, stored: StoredLease, token: TokenOptions, found: VenueReadings) -> dict[str, Any]:
        lease = stored.lease
        where = lease_venue.folder(lease.channel, token, found)
        delivery = self._delivery(stored, where)
        authorized = authorize_found(token, found, self._clients, self._runtime, where)
        if lease.account_id != found.caller.account_id:
            raise LeaseRefused(f"the lease was approved for account {lease.account_id}. Approve it again.")
        if self._runtime.check_mode:
            return self._row(stored, "renewed", receipt=authorized.receipt.to_json())
        claim = self._claim(stored)
        if claim is None:
            return self._row(stored, "claimed")
        return self._issue(stored, claim, delivery, authorized)

    def _delivery(self, stored: StoredLease, where: RenewalFolder | None) -> Handoff:
        """Return the prepared hand-off, to the key that was approved and confirmed, and the place that was approved."""
        options, lease = self._options, stored.lease
        person = options.handoff.keys.find(lease.user, self._runtime.now())
        lease_venue.check_keys(person, lease)
        check_fingerprints(person, (), options.handoff.fingerprints)
        standing = lease_venue.channel_of(options.https, where, person, self._clients)
        if standing.place != lease.place:
            raise LeaseRefused(
                f"the lease delivers to {lease.place}, but the venue's place is now {standing.place}. Approve it again."
            )
        channel = options.by_hand or standing
        channel.check_alone(self._runtime.hosts)
        return self._prepared(channel, person, standing)

    def _prepared(self, channel: Channel, person: Holder, standing: Channel) -> Handoff:
        options = self._options.handoff
        find_person(options, person.user, channel, self._runtime)
        options.check_places(channel, person, self._options.venue.venue, create=not self._runtime.check_mode)
        place = RenewalPlace(None, None)
        if isinstance(standing, S3Channel):
            place = RenewalPlace(standing.bucket, standing.key)
        return Handoff(options, channel, person, key_changed=False, renewals=place)

    def _claim(self, stored: StoredLease) -> Renewal | None:
        """Claim the renewal, or return None if another run was faster: only one write follows what was read."""
        last = stored.credible(self._runtime.now())
        claim = Renewal(
            lease_id=stored.lease.id,
            attempted_at=self._runtime.now().replace(microsecond=0),
            claim=self._runtime.token_hex(CLAIM_BYTES),
            issued_at=last.issued_at if last else None,
            expires_at=last.expires_at if last else None,
            session_name=last.session_name if last else None,
        )
        return claim if self._write(claim, stored.lease.user) == stored.version + 1 else None

    def _write(self, renewal: Renewal, user: str) -> int:
        name = renewal_name(self._options.path, user)
        return write(self._ssm, name, renewal.to_line(), f"record the renewal in {name}")

    def _issue(self, stored: StoredLease, claim: Renewal, delivery: Handoff, authorized: Authorized) -> dict[str, Any]:
        """Run the pipeline, and record what it did."""

        def verify(issued: Issued) -> None:
            self._check_still_there(stored)
            authorized.verify(issued)

        stores, clients = self._options.stores, self._clients
        pipeline = Pipeline(NAME, delivery, lambda receipt: stores.record(receipt, clients), self._runtime)
        try:
            result = pipeline.issue(replace(authorized, verify=verify))
        except VenueError as error:
            self._note(stored, replace(claim, claim=None, problem=safe_text(error.message)))
            raise
        receipt: Mapping[str, Any] = result["receipt"]
        done = replace(
            claim,
            claim=None,
            issued_at=parse_time("receipt", receipt["issued_at"]),
            expires_at=parse_time("receipt", receipt["expires_at"]),
            session_name=receipt["session_name"],
        )
        self._note(stored, done)
        row = self._row(replace(stored, renewal=done), "renewed", receipt=dict(receipt))
        return {**row, "delivery": {name: result[name] for name in result if name not in ("changed", "receipt")}}

    def _note(self, stored: StoredLease, renewal: Renewal) -> None:
        """Record the outcome. If that fails, the next run renews once more, which loses nothing."""
        try:
            self._write(renewal, stored.lease.user)
        except VenueError as error:
            self._runtime.warn(f"{stored.lease.user}: {error.message}")

    def _check_still_there(self, stored: StoredLease) -> None:
        """Look at the lease once more before the new token is delivered: an admin may have ended it meanwhile.

        :raises LeaseRefused: it has gone, or is another one.
        """
        path, user = self._options.path, stored.lease.user
        name = parameter_name(path, user)
        now = find_leases(read_parameters(self._ssm, [name]), path, self._options.venue.venue).of(user)
        if now is None or now.lease != stored.lease:
            raise LeaseRefused("the lease was ended or approved again while its token was being issued.")

    def _row(
        self, stored: StoredLease, result: str, problem: str = "", receipt: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return one line of the table.

        :param result: ``renewed``, ``waiting``, ``claimed`` (another run is renewing it), ``ended`` or ``failed``.
        """
        now, lease = self._runtime.now(), stored.lease
        last = stored.credible(now)
        next_one = stored.next_renewal(self._options.renew_before, now) if result != "ended" else None
        return {
            "user": lease.user,
            "id": lease.id,
            "result": result,
            "state": lease.state(now),
            "ends_at": iso(lease.ends_at),
            "token_until": iso(last.expires_at) if last and last.expires_at else None,
            "next_renewal": iso(next_one) if next_one else None,
            "problem": problem or None,
            "receipt": dict(receipt) if receipt else None,
            "delivery": None,
            "asked": bool(receipt and receipt["state"] != "requested") and not self._runtime.check_mode,
        }


def _revocation_of(last: Renewal | None, revocations: Sequence[Revocation]) -> Revocation | None:
    """Return the revocation that was meant for the last token of a lease, or None.

    One of every token is none: revoking everything ends the leases itself, and locking a venue must not.
    """
    if not last or not last.session_name or not last.issued_at:
        return None
    meant = (one for one in revocations if one.kind != "all")
    return next((one for one in meant if one.refuses(last.session_name, None, last.issued_at)), None)


def _later_revocation(lease: Lease, revocations: Sequence[Revocation]) -> Revocation | None:
    """Return a revocation of the user, or of a token that the user got since the approval of the lease, or None.

    It has ended the lease, so one that is there without a record of its token was restored.
    """

    def is_meant(one: Revocation) -> bool:
        if one.kind == "session" and is_session_of(lease.user, one.value):
            return one.value.split("-")[-2] >= stamp(lease.approved_at)
        # It refuses what was issued up to the second before its moment.
        of_user = (one.kind, one.value) == ("user", lease.user)
        return of_user and lease.approved_at + timedelta(seconds=1) < one.before

    return next((one for one in revocations if is_meant(one)), None)


OPERATION: Operation[RenewalOptions] = Operation(
    name=NAME,
    argument_spec=ARGUMENT_SPEC,
    parse=_parse,
    execute=_execute,
    services=("iam", "s3", "ssm", "sts"),
    narrowing=filled_in(ARGUMENT_SPEC, but=("handoff",)) | {f"handoff.{name}" for name in filled_in(HANDOFF)},
)
