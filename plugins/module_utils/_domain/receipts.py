# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipt: the record of one issue. Writing it and reading it.

docs/receipt.schema.json describes its JSON, and a test compares the two. Receipts are data from others: every line is
checked completely, and a line that fails the check is counted and skipped.
"""

from __future__ import annotations

import functools
import json
import marshal
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from .arns import ACCOUNT_ID, ROLE_ARN, SESSION_NAME
from .errors import InvalidInput
from .names import Venue, make_venue
from .secret_text import ACCESS_KEY_ID
from .times import STAMP, iso, stamp
from .token_request import LONGEST_SESSION
from .untrusted import (
    MOST_ITEMS,
    BadValue,
    an_object,
    aware_time,
    checked,
    flag,
    matching,
    one_line,
    one_of,
    or_null,
    safe_text,
    text_list,
)

SCHEMA = 2
STATES = ("requested", "issued", "delivered", "kept", "failed")
METHODS = ("assume_role", "saml", "web_identity")
SEALED_WITH = ("age", "openpgp", "smime")
CONTEXT = (
    *("reason", "ticket", "requester", "approver", "job", "workflow", "lease", "saml_subject", "saml_issuer"),
    *("web_identity_subject", "web_identity_issuer"),
)
# What a receipt says besides, by its method.
NOTES = {
    "web_identity": "Receipts of this method are not complete: whoever holds a web identity token can also get tokens "
    "from STS without this collection. CloudTrail has them all."
}
ALLOWS_LISTS = ("access", "buckets", "bucket_prefixes", "ecr_repositories", "places", "repositories")
ALLOWS_FLAGS = ("delete", "list", "narrowed")
# AWS accepts a request that is signed by a clock which is off by up to this much.
CLOCK_TOLERANCE = timedelta(minutes=5)
LONGEST_ISSUE = timedelta(hours=2)  # more than any wait for a new role, which limits the effect of a forged line
LONGEST_REACH = timedelta(hours=16)  # from issue_until to the end of any token: more than the sum of the above
REMEMBERED_REQUESTS = 128  # as many tokens as may be issued at the same time; each can have a line of 64 KiB
LONGEST_LIFE = LONGEST_ISSUE + LONGEST_REACH  # from requested_at to the end of any token

# Wider than what an option may name: whatever region was configured, its receipts can be read.
_REGION = re.compile(r"[a-z0-9-]{1,32}")
RECEIPT_ID = re.compile(rf"r-{STAMP}-[0-9a-f]{{8}}")
_SESSION_ID = re.compile(rf"[A-Z0-9]{{4,64}}:{SESSION_NAME.pattern}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The record of one issue, from the request to what happened to the token.

    The fields are the keys of the JSON, except that ``venue`` stands for ``project`` and ``venue``.

    :param state: ``requested``, ``issued``, ``delivered``, ``kept`` (sealed or saved, but not delivered) or ``failed``.
    :param issue_until: the latest time at which AWS may have answered the request, on AWS's clock.
    :param allows: what the token really allows; None where that is not known.
    :param handoff: the last attempt to deliver the token; None before there was one.
    """

    id: str
    state: str
    recorded_at: datetime
    recipient: str
    venue: Venue
    account_id: str
    region: str
    role_arn: str
    session_name: str
    method: str
    requested_at: datetime
    issue_until: datetime
    duration_requested: int
    duration_seconds: int
    issuer_arn: str | None = None
    external_id_source: str | None = None
    source_identity: str | None = None
    allows: Mapping[str, Any] | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    access_key_id: str | None = None
    assumed_role_id: str | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    handoff: Mapping[str, Any] | None = None
    problem: str | None = None
    note: str | None = None

    @classmethod
    def requested(cls, *, unique: str, at: datetime, issue_until: datetime, **known: Any) -> Receipt:
        """The receipt of a request that STS has not been asked yet.

        :param unique: eight random hexadecimal digits (``runtime.token_hex(4)``).
        :param issue_until: ``latest_answer`` says when that is.
        :param known: the other fields from ``recipient`` to ``context``.
        :raises InvalidInput: a field that could not be read back, so that the token could not be revoked.
        """
        at = at.replace(microsecond=0)
        context = {key: safe_text(value) for key, value in (known.pop("context", None) or {}).items() if value}
        receipt = cls(
            id=f"r-{stamp(at)}-{unique}",
            state="requested",
            recorded_at=at,
            requested_at=at,
            issue_until=issue_until.replace(microsecond=0),
            context=context,
            note=NOTES.get(known["method"]),
            **known,
        )
        return parse_receipt("receipt", receipt.to_json())

    def with_token(self, *, at: datetime, access_key_id: str, assumed_role_id: str, expires_at: datetime) -> Receipt:
        """The same receipt after STS has answered.

        :param at: the time of this machine's clock.
        :param expires_at: the end of the token, as AWS says it.
        """
        at = at.replace(microsecond=0)
        return replace(
            self,
            state="issued",
            recorded_at=at,
            issued_at=at,
            access_key_id=access_key_id,
            assumed_role_id=assumed_role_id,
            expires_at=expires_at.replace(microsecond=0),
        )

    def with_handoff(self, outcome: Mapping[str, Any], at: datetime) -> Receipt:
        """The same receipt after an attempt to deliver.

        :param outcome: the values of ``handoff``, without ``at``.
        """
        cleaned = {key: safe_text(value) if isinstance(value, str) else value for key, value in outcome.items()}
        state = "delivered" if outcome["delivered"] else "kept"
        return replace(
            self, state=state, recorded_at=at.replace(microsecond=0), handoff={"at": iso(at), **cleaned}, problem=None
        )

    def failed(self, problem: str, at: datetime) -> Receipt:
        """The same receipt after a failure. What is known of the token stays."""
        return replace(self, state="failed", recorded_at=at.replace(microsecond=0), problem=safe_text(problem))

    @property
    def identity(self) -> tuple[str, str, str]:
        """What names the session in AWS: account, role ARN, session name."""
        return self.account_id, self.role_arn, self.session_name

    @property
    def role_name(self) -> str:
        """The role's name, without its path."""
        return self.role_arn.rpartition("/")[2]

    @property
    def role_id(self) -> str:
        """The unique id of the role at the time of the issue; '' before STS has answered."""
        return (self.assumed_role_id or "").partition(":")[0]

    @property
    def ends_by(self) -> datetime:
        """A time at which the token has certainly ended."""
        latest = self.issue_until + timedelta(seconds=self.duration_seconds)
        return max(self.expires_at + CLOCK_TOLERANCE, latest) if self.expires_at else latest

    def to_json(self) -> dict[str, Any]:
        """The receipt as results and files have it."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "state": self.state,
            "recorded_at": iso(self.recorded_at),
            "recipient": self.recipient,
            "project": self.venue.project,
            "venue": self.venue.venue,
            "account_id": self.account_id,
            "region": self.region,
            "role_arn": self.role_arn,
            "session_name": self.session_name,
            "method": self.method,
            "requested_at": iso(self.requested_at),
            "issue_until": iso(self.issue_until),
            "duration_requested": self.duration_requested,
            "duration_seconds": self.duration_seconds,
            "issuer_arn": self.issuer_arn,
            "external_id_source": self.external_id_source,
            "source_identity": self.source_identity,
            "allows": dict(self.allows) if self.allows is not None else None,
            "context": dict(self.context),
            "access_key_id": self.access_key_id,
            "assumed_role_id": self.assumed_role_id,
            "issued_at": iso(self.issued_at) if self.issued_at else None,
            "expires_at": iso(self.expires_at) if self.expires_at else None,
            "handoff": dict(self.handoff) if self.handoff is not None else None,
            "problem": self.problem,
            "note": self.note,
        }

    def to_line(self) -> str:
        """The receipt as one line of a receipts file, without its line break."""
        return json.dumps(self.to_json(), separators=(",", ":"))


def latest_answer(now: datetime, wait: timedelta) -> datetime:
    """The latest time at which AWS may answer a request, on AWS's clock.

    :param now: the time of this machine's clock, which may be off.
    :param wait: how long the request is repeated.
    """
    return now + wait + CLOCK_TOLERANCE


def parse_receipt(option: str, given: Mapping[str, Any]) -> Receipt:
    """A receipt from its JSON.

    :param option: the option that gave it, for the message.
    :raises InvalidInput: it is not a receipt that this collection can have written.
    """
    try:
        return read_receipt(given)
    except (BadValue, InvalidInput) as error:
        raise InvalidInput(option, f"is not the receipt of an issue: {error}") from None


def read_receipt(given: Any, *, details: bool = True) -> Receipt:
    """A receipt from its JSON, without the name of an option in the message.

    :param details: keep what the token allows and how it was delivered, which is most of a receipt. Both are checked
        in any case.
    :raises BadValue, InvalidInput: as for ``parse_receipt``.
    """
    if not isinstance(given, dict):
        raise BadValue("a JSON object is required.")
    if given.get("schema") != SCHEMA:
        raise BadValue(f"schema must be {SCHEMA}.")
    request = _checked_request(_Request(given))
    outcome = checked(_OUTCOME, {key: given.get(key) for key in _OUTCOME})
    if not details:
        request, outcome = {**request, "allows": None}, {**outcome, "handoff": None}
    receipt = Receipt(**request, **outcome)  # pylint: disable=missing-kwoa
    _check_outcome(receipt)
    return receipt


class _Request:
    """What all lines about one token say alike, so that it is checked once."""

    __slots__ = ("_bytes", "values")

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.values = tuple(map(given.get, _REQUEST))
        # Unlike ==, it tells true from 1. Version 2 depends on the values alone.
        self._bytes = marshal.dumps(self.values, 2)

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Request) and self._bytes == other._bytes


@functools.lru_cache(REMEMBERED_REQUESTS)
def _checked_request(request: _Request) -> dict[str, Any]:
    """The checked fields of a request, for receipts of several states: not to be changed.

    :raises BadValue, InvalidInput: one of them fails its check, or they contradict each other.
    """
    values = checked(_REQUEST, dict(zip(_REQUEST, request.values, strict=True)))
    values["venue"] = make_venue(values.pop("project"), values.pop("venue"))
    if values["role_arn"].split(":")[4] != values["account_id"]:
        raise BadValue("role_arn belongs to another account than account_id.")
    if values["id"].split("-")[1] != stamp(values["requested_at"]):
        raise BadValue("id belongs to another time than requested_at.")
    if not timedelta(0) <= values["issue_until"] - values["requested_at"] <= LONGEST_ISSUE:
        raise BadValue("issue_until must be within two hours after requested_at.")
    return values


def _check_outcome(receipt: Receipt) -> None:
    """:raises BadValue: fields that contradict each other."""
    token = (receipt.access_key_id, receipt.assumed_role_id, receipt.issued_at, receipt.expires_at)
    if receipt.issued_at is None or receipt.expires_at is None or None in token:
        if any(token) or receipt.state in ("issued", "delivered", "kept"):
            raise BadValue("access_key_id, assumed_role_id, issued_at and expires_at belong together.")
        return
    if not timedelta(0) < receipt.expires_at - receipt.issued_at <= LONGEST_SESSION + 2 * CLOCK_TOLERANCE:
        raise BadValue("expires_at must be within twelve hours after issued_at.")
    if not -CLOCK_TOLERANCE <= receipt.issued_at - receipt.requested_at <= LONGEST_ISSUE:
        raise BadValue("issued_at must be within two hours after requested_at.")


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LONGEST_SESSION.total_seconds():
        raise BadValue("must be a number of seconds, at most 43,200.")
    return int(value)


_HANDOFF = {
    "at": aware_time,
    "channel": or_null(one_line),
    "delivered": flag,
    **dict.fromkeys(("target", "kept", "problem", "file"), or_null(one_line)),
    "sealed_with": or_null(one_of(*SEALED_WITH)),
    "sealed_to": text_list,
    "sealed_sha256": or_null(matching(_SHA256)),
    "signed_by": or_null(one_line),
    "key_changed": flag,
    "resent": flag,
}


def _handoff(value: Any) -> dict[str, Any]:
    found = an_object(_HANDOFF)(value)
    if "at" not in found or "delivered" not in found:
        raise BadValue("has no at or no delivered.")
    return {**found, "at": str(value["at"])}


def _allows(value: Any) -> dict[str, Any]:
    """Check what a token allows. The inline policy that it comes from has room for some 450 resources."""
    found = _ALLOWS(value)
    if sum(len(one) for one in found.values() if isinstance(one, list)) > MOST_ITEMS:
        raise BadValue(f"has more than {MOST_ITEMS:,} items.")
    return found


_ALLOWS = an_object({**dict.fromkeys(ALLOWS_LISTS, or_null(text_list)), **dict.fromkeys(ALLOWS_FLAGS, or_null(flag))})
_context = an_object(dict.fromkeys(CONTEXT, one_line))
_Checks = dict[str, Callable[[Any], Any]]
_REQUEST: _Checks = {
    "id": matching(RECEIPT_ID),
    "recipient": one_line,
    "project": one_line,
    "venue": one_line,
    "account_id": matching(ACCOUNT_ID),
    "region": matching(_REGION),
    "role_arn": matching(ROLE_ARN),
    "session_name": matching(SESSION_NAME),
    "method": one_of(*METHODS),
    "requested_at": aware_time,
    "issue_until": aware_time,
    "duration_requested": _seconds,
    "duration_seconds": _seconds,
    "issuer_arn": or_null(one_line),
    "external_id_source": or_null(one_line),
    "source_identity": or_null(matching(SESSION_NAME)),
    "allows": or_null(_allows),
    "context": lambda value: {} if value is None else _context(value),
    "note": or_null(one_line),
}
_OUTCOME: _Checks = {
    "state": one_of(*STATES),
    "recorded_at": aware_time,
    "access_key_id": or_null(matching(ACCESS_KEY_ID)),
    "assumed_role_id": or_null(matching(_SESSION_ID)),
    "issued_at": or_null(aware_time),
    "expires_at": or_null(aware_time),
    "handoff": or_null(_handoff),
    "problem": or_null(one_line),
}
