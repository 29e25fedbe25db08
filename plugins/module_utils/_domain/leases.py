# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leases: approvals to hold tokens for a venue until a date. What they contain, and when they are renewed.

A lease is a parameter of the venue's account, below ``lease_path``. It never changes; a new approval is a new lease.
What renewals record is a second parameter, below the first, so that a renewal cannot restore a lease that somebody
has ended. Whoever may write parameters there can forge both: every field is checked, and a lease alone is no authority.
docs/lease.schema.json describes the JSON of a lease, and a test compares the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .access import REQUEST, Request, parse_request
from .arns import ACCOUNT_ID, SESSION_NAME
from .errors import InvalidInput
from .names import Venue, make_venue
from .receipts import CLOCK_TOLERANCE
from .times import STAMP, iso, parse_stamp, stamp
from .token_request import LONGEST_SESSION, SHORTEST
from .untrusted import BadValue, an_object, aware_time, checked, matching, one_line, one_of, or_null, safe_text
from .untrusted import text_list as texts
from .users import check_user

SCHEMA = 1
CHANNELS = ("s3", "https")
STATES = ("pending", "active", "ended")
ACTIONS = ("wait", "renew", "claimed", "end")
MAXIMUM_DAYS = 7
RENEW_BEFORE = 1200  # seconds
# A run that was killed keeps others from renewing for this long.
CLAIM = timedelta(seconds=120)
# A token that ends less than this before its lease is the last one.
END_TOLERANCE = timedelta(seconds=60)
LONGEST_VALUE = 8192  # bytes; the most that Parameter Store accepts
MOST_BRACKETS = 64
MOST_DAYS = 366  # limits how long a forged lease can last

_ID = re.compile(rf"l-{STAMP}-[0-9a-f]{{8}}")
_CLAIM = re.compile(r"[0-9a-f]{8}")
_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{16,4096}={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """An approval to hold tokens for a venue until a date. It contains no secret.

    :param request: what every token of the lease is limited to; it must be within the venue's limits.
    :param approver: who approved it, as the admin or AWX says.
    :param key_fingerprints: the public keys that tokens are sealed to. The keys themselves are not part of a lease.
    :param place: where renewals are delivered: ``s3://bucket/key`` or the address without its query.
    :param signature: the base64 text of an ssh signature of ``signed_text``; None if it is not signed.
    """

    id: str
    user: str
    venue: Venue
    account_id: str
    request: Request
    starts_at: datetime
    ends_at: datetime
    reason: str
    ticket: str | None
    approver: str
    key_fingerprints: tuple[str, ...]
    channel: str
    place: str
    signature: str | None = None

    @classmethod
    def approved(cls, *, unique: str, at: datetime, **known: Any) -> Lease:
        """Return a new lease.

        :param unique: eight random hexadecimal digits (``runtime.token_hex(4)``).
        :param at: the time of the approval, aware.
        :param known: the other fields, from ``user`` to ``place``.
        :raises InvalidInput: a field that could not be read back.
        """
        values = dict(known)
        for name in ("starts_at", "ends_at"):
            values[name] = values[name].replace(microsecond=0)
        for name in ("reason", "approver"):
            values[name] = safe_text(values[name])
        values["ticket"] = safe_text(values["ticket"]) if values.get("ticket") else None
        lease = cls(id=f"l-{stamp(at)}-{unique}", **values)  # pylint: disable=missing-kwoa
        return parse_lease(lease.to_json())

    def state(self, now: datetime) -> str:
        """Return ``pending``, ``active`` or ``ended``."""
        return "pending" if now < self.starts_at else "active" if now < self.ends_at else "ended"

    @property
    def approved_at(self) -> datetime:
        """When it was approved, by the clock of whoever approved it, as its id says."""
        return _approval_time(self.id)

    @property
    def terms(self) -> dict[str, Any]:
        """What was approved, without times and names of the approval itself: equal terms need no new lease."""
        fields = self.to_json()
        return {name: fields[name] for name in fields if name not in ("id", "starts_at", "ends_at", "signature")}

    def to_json(self) -> dict[str, Any]:
        """Return the lease as results and the parameter have it."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "user": self.user,
            "project": self.venue.project,
            "venue": self.venue.venue,
            "account_id": self.account_id,
            "request": _request_to_json(self.request),
            "starts_at": iso(self.starts_at),
            "ends_at": iso(self.ends_at),
            "reason": self.reason,
            "ticket": self.ticket,
            "approver": self.approver,
            "key_fingerprints": list(self.key_fingerprints),
            "channel": self.channel,
            "place": self.place,
            "signature": self.signature,
        }

    def to_line(self) -> str:
        """Return the lease as the value of its parameter."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    @property
    def signed_text(self) -> bytes:
        """What a signature is about: every field but the signature, in one form only."""
        return json.dumps(replace(self, signature=None).to_json(), sort_keys=True, separators=(",", ":")).encode()


def check_days(option: str, days: int, most: int) -> int:
    """Return a number of days.

    :raises InvalidInput: it is not 1 to ``most``.
    """
    if not 1 <= days <= most:
        raise InvalidInput(option, f"{days} must be 1 to {most} days.")
    return days


def _request_to_json(request: Request) -> dict[str, Any]:
    fields = {"ecr_repositories": "repositories"}
    values = {name: getattr(request, fields.get(name, name)) for name in REQUEST}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What the last renewal of a lease recorded.

    :param lease_id: the lease that it is about. A record of another one is ignored.
    :param attempted_at: when the last attempt began.
    :param claim: eight random digits of the run that is renewing; None if none is.
    :param issued_at: of the last token that was delivered, as the three fields below; None before the first.
    :param session_name: the name of its session.
    :param problem: why the last attempt failed; None if it did not.
    """

    lease_id: str
    attempted_at: datetime
    claim: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    session_name: str | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the record as results and the parameter have it."""
        return {
            "schema": SCHEMA,
            "lease_id": self.lease_id,
            "attempted_at": iso(self.attempted_at),
            "claim": self.claim,
            "issued_at": iso(self.issued_at) if self.issued_at else None,
            "expires_at": iso(self.expires_at) if self.expires_at else None,
            "session_name": self.session_name,
            "problem": self.problem,
        }

    def to_line(self) -> str:
        """Return the record as the value of its parameter."""
        return json.dumps(self.to_json(), separators=(",", ":"))

    def due_at(self, renew_before: int) -> datetime | None:
        """Return when the next token is due: ``renew_before`` seconds before the end, at most a third of its life."""
        if self.issued_at is None or self.expires_at is None:
            return None
        life = self.expires_at - self.issued_at
        return self.expires_at - min(timedelta(seconds=renew_before), life / 3)


@dataclass(frozen=True, slots=True)
class StoredLease:
    """A lease with what renewals recorded.

    :param renewal: None if there is no record of this lease.
    :param version: of the record's parameter; 0 if there is none.
    """

    lease: Lease
    renewal: Renewal | None = None
    version: int = 0

    def action(self, now: datetime, renew_before: int) -> str:
        """Return what a renewal does with it now: one of ``ACTIONS``.

        The last token of a lease is one that lasts until its end, or that leaves less than the 900 seconds that STS
        takes.
        """
        state = self.lease.state(now)
        if state != "active":
            return "end" if state == "ended" else "wait"
        renewal = self.credible(now)
        if renewal and renewal.claim and now < renewal.attempted_at + CLAIM:
            return "claimed"
        next_one = self.next_renewal(renew_before, now)
        return "renew" if next_one and now >= next_one else "wait"

    def credible(self, now: datetime) -> Renewal | None:
        """Return the record of the last renewal, unless it is in the future: a forged one must not stop renewals."""
        moments = (self.renewal.attempted_at, self.renewal.issued_at) if self.renewal else ()
        return None if any(one and one > now + CLOCK_TOLERANCE for one in moments) else self.renewal

    def seconds_left(self, now: datetime) -> int:
        """Return how long a token may last: it never ends after its lease."""
        return int((self.lease.ends_at - now).total_seconds())

    def next_renewal(self, renew_before: int, now: datetime) -> datetime | None:
        """Return when the next token is due; None if there will be none."""
        renewal = self.credible(now)
        is_last = renewal and renewal.expires_at and renewal.expires_at >= self.lease.ends_at - END_TOLERANCE
        if is_last or self.seconds_left(now) < SHORTEST:
            return None
        return (renewal.due_at(renew_before) if renewal else None) or max(self.lease.starts_at, now)


def parse_lease(given: Any) -> Lease:
    """Return a lease from its JSON.

    :raises InvalidInput: it is not a lease that this collection can have written.
    """
    try:
        if not isinstance(given, dict):
            raise BadValue("a JSON object is required.")
        _check_schema(given)
        values = checked(_CHECKS, {key: given.get(key) for key in _CHECKS})
        venue = make_venue(values.pop("project"), values.pop("venue"))
        asked = {key: value for key, value in values.pop("request").items() if value is not None}
        lease = Lease(venue=venue, request=parse_request(asked, venue), **values)  # pylint: disable=missing-kwoa
        _check_sense(lease)
    except (BadValue, InvalidInput) as error:
        raise InvalidInput("lease", f"is not a lease: {error}") from None
    return lease


def stored_text(lease: Lease) -> str:
    """Return the value of a lease's parameter.

    :raises InvalidInput: it could not be stored, or not be read back.
    """
    text = lease.to_line()
    try:
        decode_value(text)
    except BadValue:
        raise InvalidInput(
            "reason",
            f"makes the lease too long to be stored: it would have {len(text)} of the {LONGEST_VALUE} characters that "
            f"Parameter Store accepts, or more than {MOST_BRACKETS} brackets. Non-ASCII characters count as six. "
            "Shorten the reason, or specify fewer folders.",
        ) from None
    return text


def read_renewal(text: str, lease: Lease) -> Renewal | None:
    """Return what a renewal recorded, or None if it is about another lease or cannot be right.

    A record that is ignored only makes the next renewal come early.
    """
    try:
        given = decode_value(text)
        if not isinstance(given, dict):
            return None
        _check_schema(given)
        values = checked(_RENEWAL_CHECKS, {key: given.get(key) for key in _RENEWAL_CHECKS})
        renewal = Renewal(**values)  # pylint: disable=missing-kwoa
    except (ValueError, RecursionError):
        return None
    token = (renewal.issued_at, renewal.expires_at, renewal.session_name)
    if renewal.lease_id != lease.id or (any(token) and not all(token)):
        return None
    if renewal.issued_at and renewal.expires_at:
        life = renewal.expires_at - renewal.issued_at
        if not timedelta(0) < life <= LONGEST_SESSION + 2 * CLOCK_TOLERANCE:
            return None
        if renewal.issued_at > renewal.attempted_at + CLOCK_TOLERANCE + timedelta(hours=1):
            return None
    return renewal


def decode_value(text: str) -> Any:
    """Return what the value of a parameter says, which may be anything.

    :raises ValueError: too long or not JSON.
    :raises RecursionError: nested too deeply.
    """
    if len(text) > LONGEST_VALUE or text.count("{") + text.count("[") > MOST_BRACKETS:
        raise BadValue("it is too long.")
    try:
        return json.loads(text)
    except ValueError:
        raise BadValue("it is not JSON.") from None  # the library's text would quote it


def _check_schema(given: Mapping[str, Any]) -> None:
    if given.get("schema") != SCHEMA or isinstance(given.get("schema"), bool):
        raise BadValue(f"schema must be {SCHEMA}.")


def _approval_time(lease_id: str) -> datetime:
    """:raises ValueError: the id has digits that are no time."""
    return parse_stamp(lease_id.split("-")[1])


def _check_sense(lease: Lease) -> None:
    """:raises BadValue: fields that contradict each other."""
    if not timedelta(0) < lease.ends_at - lease.starts_at <= timedelta(days=MOST_DAYS):
        raise BadValue(f"ends_at must be within {MOST_DAYS} days after starts_at.")
    if not lease.key_fingerprints:
        raise BadValue("key_fingerprints names no key.")
    try:
        _approval_time(lease.id)
    except ValueError:
        raise BadValue("id names no time.") from None


def _user(value: Any) -> str:
    return check_user("user", one_line(value))


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadValue("must be a number of seconds.")
    return int(value)


def _tuple(value: Any) -> tuple[str, ...]:
    return tuple(texts(value))


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "id": matching(_ID),
    "user": _user,
    "project": one_line,
    "venue": one_line,
    "account_id": matching(ACCOUNT_ID),
    "request": an_object(
        {name: or_null(_seconds if name == "duration_seconds" else texts) for name in REQUEST},
    ),
    "starts_at": aware_time,
    "ends_at": aware_time,
    "reason": one_line,
    "ticket": or_null(one_line),
    "approver": one_line,
    "key_fingerprints": _tuple,
    "channel": one_of(*CHANNELS),
    "place": one_line,
    "signature": or_null(matching(_SIGNATURE)),
}
_RENEWAL_CHECKS: dict[str, Callable[[Any], Any]] = {
    "lease_id": matching(_ID),
    "attempted_at": aware_time,
    "claim": or_null(matching(_CLAIM)),
    "issued_at": or_null(aware_time),
    "expires_at": or_null(aware_time),
    "session_name": or_null(matching(SESSION_NAME)),
    "problem": or_null(one_line),
}
