# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What receipts say together: the lines that are about one token, joined. Others can write lines: none is trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from .errors import InvalidInput
from .receipts import CLOCK_TOLERANCE, LONGEST_REACH, Receipt, read_receipt
from .times import iso
from .untrusted import BadValue

LONGEST_LINE = 65536  # bytes; a receipt has about 2,000
MOST_BRACKETS = 256  # a receipt has ten, and those in its texts
_WRITTEN_TIME = re.compile(r"2[01][0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z")
Key = tuple[str, ...]  # what makes lines be about one issue

_NAMES = tuple(one.name for one in fields(Receipt))
_values = attrgetter(*_NAMES)
# What the answer of STS adds. Of everything else, the request says all, and what it leaves open stays so: a source
# identity that a later line brings in could make a valid token look revoked.
_ANSWER = ("access_key_id", "assumed_role_id", "issued_at", "expires_at")
_answer = attrgetter(*_ANSWER)
_NO_ANSWER = (None,) * len(_ANSWER)
# What each line says of its own moment.
_PROGRESS = ("state", "recorded_at", "handoff", "problem")
_lasting = attrgetter(*(name for name in _NAMES if name not in (*_ANSWER, *_PROGRESS)))


class Stored(NamedTuple):
    """A receipt as a store has it that names each of its receipts.

    :param text: its JSON.
    :param receipt_id: what the store calls it. A receipt with another id is none.
    :param overwritten: it stands in place of an earlier state, which is not known any more.
    """

    text: bytes | str
    receipt_id: str
    overwritten: bool = False


class ReceiptLog(NamedTuple):
    """What receipts say.

    :param tokens: one receipt for each token, in the order of the requests. A request without an outcome is among
        them, since its token may have been issued.
    :param unreadable: how many lines were skipped, because they are no receipts or contradict an earlier one.
    :param conflicts: the ids that are given to several sessions or recipients. Each of them counts.
    """

    tokens: list[Receipt]
    unreadable: int = 0
    conflicts: tuple[str, ...] = ()


def _read_stored(stored: Stored, oldest: str) -> Receipt | None:
    """The receipt of a line, or None for an empty line and for a token that ended long ago.

    :raises ValueError: it is not a receipt, or replaces another one.
    """
    if not stored.text.strip() and not stored.receipt_id:
        return None
    given = _decode(stored.text)
    if _is_older(given, oldest):
        return None
    receipt = read_receipt(given)
    _check_place(receipt, stored)
    return receipt


def read_log(lines: Iterable[bytes | str | Stored], since: datetime | None = None) -> ReceiptLog:
    """Join the lines that are about one token: same account, role ARN, session, receipt id, recipient and venue.

    A later line adds what it knows. It neither hides a token nor shortens its life, whatever it says: two access keys
    are two tokens, and so are two recipients. "Failed" takes nothing back that was requested:
    anybody who may write receipts can say so.

    :param since: leave out tokens that had certainly ended by then.
    """
    requests: dict[Key, Receipt | None] = {}
    durations: dict[Key, int] = {}
    issued: dict[Key, dict[str, Receipt]] = {}
    holders: dict[str, tuple[Any, ...]] = {}
    conflicts: dict[str, None] = {}
    unreadable = 0
    oldest = iso(since - LONGEST_REACH) if since else ""
    for line in lines:
        stored = line if isinstance(line, Stored) else Stored(line, "")
        try:
            receipt = _read_stored(stored, oldest)
        except (ValueError, RecursionError, InvalidInput):
            unreadable += 1
            continue
        if receipt is None or (since and receipt.ends_by <= since):
            continue
        if holders.setdefault(receipt.id, holder := _holder(receipt)) != holder:
            conflicts[receipt.id] = None
        if stored.overwritten and receipt.state == "failed":
            receipt = replace(receipt, state="requested")
        key: Key = (*receipt.identity, receipt.id, receipt.recipient, *receipt.venue)
        before = requests.setdefault(key, None)
        durations.setdefault(key, receipt.duration_seconds)
        if receipt.access_key_id:
            tokens = issued.setdefault(key, {})
            tokens[receipt.access_key_id] = _joined(tokens.get(receipt.access_key_id), receipt)
        else:
            requests[key] = _joined(before, receipt)
    joined, refused = _tokens(requests, durations, issued)
    return ReceiptLog(joined, unreadable + refused, tuple(conflicts))


def _tokens(
    requests: Mapping[Key, Receipt | None],
    durations: Mapping[Key, int],
    issued: Mapping[Key, Mapping[str, Receipt]],
) -> tuple[list[Receipt], int]:
    """The tokens of all receipt ids, in the order of the requests, and how many were left out."""
    joined: list[Receipt] = []
    left_out = 0
    for key, request in requests.items():
        kept, refused = _with_request(request, durations.get(key, 0), issued.get(key, {}).values())
        left_out += refused
        joined += kept
    return joined, left_out


def _check_place(receipt: Receipt, stored: Stored) -> None:
    """:raises BadValue: the store calls the receipt otherwise than it calls itself."""
    if stored.receipt_id not in ("", receipt.id):
        raise BadValue("id is not what the store calls the receipt.")


def _holder(receipt: Receipt) -> tuple[Any, ...]:
    """What a receipt id stands for. The session may get another name from an identity provider."""
    session = receipt.session_name if receipt.method == "assume_role" else ""
    return receipt.account_id, receipt.role_arn, session, receipt.recipient, receipt.venue


def _is_older(given: Any, oldest: str) -> bool:
    """Whether a line is about a token that has ended long ago, so that it does not need the complete check."""
    until = given.get("issue_until") if oldest and isinstance(given, dict) else None
    return isinstance(until, str) and bool(_WRITTEN_TIME.fullmatch(until)) and until < oldest


def _decode(line: bytes | str) -> Any:
    """:raises ValueError: too long, not UTF-8 or not JSON; RecursionError: nested too deeply."""
    if len(line) > LONGEST_LINE:
        raise BadValue("is too long.")
    text = line.decode("utf-8") if isinstance(line, bytes) else line
    # Deep nesting takes the parser fifty times as long as a receipt.
    if text.count("{") + text.count("[") > MOST_BRACKETS:
        raise BadValue("is nested too deeply.")
    return json.loads(text)


def _with_request(request: Receipt | None, duration: int, tokens: Iterable[Receipt]) -> tuple[list[Receipt], int]:
    """The tokens of one receipt id, and how many were left out because they contradict the request.

    :param duration: the seconds that the first line names. A later one could make every token
        contradict it.
    """
    found = list(tokens)
    if request is None:
        return found, 0
    kept = [_joined(request, one) for one in found if not _contradicts(request, duration, one)]
    return kept or [request], len(found) - len(kept)


def _contradicts(request: Receipt, duration: int, token: Receipt) -> bool:
    """Whether a token ends earlier than the request allows. Only an identity provider may end one early."""
    least = request.requested_at + timedelta(seconds=duration) - CLOCK_TOLERANCE
    return request.method != "saml" and token.expires_at is not None and token.expires_at < least


def _joined(first: Receipt | None, later: Receipt) -> Receipt:
    """What two lines about one token say together."""
    if first is None or _says_all(first, later):
        return later
    values = dict(zip(_NAMES, _values(first), strict=True))
    for name in _ANSWER:
        values[name] = getattr(later, name) if values[name] is None else values[name]
    # One that AWS refused is in the request alone, and revoking it does not reach the token.
    if first.source_identity != later.source_identity:
        values["source_identity"] = None
    for name in ("issue_until", "expires_at", "issued_at", "recorded_at", "duration_seconds"):
        values[name] = _latest(getattr(first, name), getattr(later, name))
    old, new = (later, first) if later.recorded_at < first.recorded_at else (first, later)
    values["state"] = _state(old, new, issued=values["access_key_id"] is not None)
    values["handoff"] = new.handoff or old.handoff
    values["problem"] = new.problem
    return Receipt(**values)  # pylint: disable=missing-kwoa


def _says_all(first: Receipt, later: Receipt) -> bool:
    """Whether the later of two lines about an issued token says everything that the first one says, as most do."""
    return (
        later.recorded_at >= first.recorded_at
        and later.access_key_id is not None
        and later.state != "requested"
        and (later.handoff is not None or first.handoff is None)
        and _answer(first) in (_NO_ANSWER, _answer(later))
        and _lasting(first) == _lasting(later)
    )


def _state(old: Receipt, new: Receipt, *, issued: bool) -> str:
    """The state of a token. A request whose token is not known may have been answered, whatever a line says."""
    states = (old.state, new.state)
    if not issued:
        return "requested" if "requested" in states else new.state
    return new.state if new.state != "requested" else old.state


def _latest(one: Any, other: Any) -> Any:
    """The greater of two values; the other one if one of them is None."""
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)
