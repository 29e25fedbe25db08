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
Key = tuple[Any, ...]  # what makes lines be about one request
Answer = tuple[Any, ...]  # what makes them be about one token of it

_NAMES = tuple(one.name for one in fields(Receipt))
# What the answer of STS adds.
_ANSWER = ("access_key_id", "assumed_role_id", "issued_at", "expires_at")
_answer = attrgetter(*_ANSWER)
_NO_ANSWER = (None,) * len(_ANSWER)
# What each line says of its own moment.
_PROGRESS = ("state", "recorded_at", "handoff", "problem")
_lasting = attrgetter(*(name for name in _NAMES if name not in (*_ANSWER, *_PROGRESS)))
# STS may refuse a source identity, and a SAML assertion may name its user only with the answer. What a token allows
# changes neither whose it is nor when it ends.
_OPEN = ("source_identity", "context", "allows")
_ANSWERED_CONTEXT = ("saml_subject", "saml_issuer")
# The name of the session comes first: an identity provider may give another one.
_REQUEST = tuple(name for name in _NAMES if name not in (*_ANSWER, *_PROGRESS, *_OPEN, "session_name"))
_request = attrgetter("session_name", *_REQUEST)


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
    :param unreadable: how many lines were skipped, because they are no receipts or contradict the request.
    :param conflicts: the ids about which lines contradict each other. What each of them says is a token of its own.
    """

    tokens: list[Receipt]
    unreadable: int = 0
    conflicts: tuple[str, ...] = ()


def _read_stored(stored: Stored, oldest: str, *, details: bool) -> Receipt | None:
    """The receipt of a line, or None for an empty line and for a token that ended long ago.

    :raises ValueError: it is not a receipt, or replaces another one.
    """
    if not stored.text.strip() and not stored.receipt_id:
        return None
    given = _decode(stored.text)
    if _is_older(given, oldest):
        return None
    receipt = read_receipt(given, details=details)
    _check_place(receipt, stored)
    return receipt


def read_log(
    lines: Iterable[bytes | str | Stored], since: datetime | None = None, *, details: bool = True
) -> ReceiptLog:
    """Join the lines that are about one token: those that say the same of the request and of the answer of STS.

    A later line adds what it knows, such as the answer. It neither hides a token nor changes one, whatever it says:
    lines that contradict each other are about two tokens, since nothing tells which of them is true. "Failed" takes
    nothing back that was requested: anybody who may write receipts can say so.

    :param since: leave out tokens that had certainly ended by then.
    :param details: as for :func:`read_receipt`. Without them, what a line takes in memory does not grow with the lists
        in it.
    """
    issues: dict[Key, dict[Answer, Receipt]] = {}
    holders: dict[str, Key] = {}
    conflicts: dict[str, None] = {}
    unreadable = 0
    oldest = iso(since - LONGEST_REACH) if since else ""
    for line in lines:
        stored = line if isinstance(line, Stored) else Stored(line, "")
        try:
            receipt = _read_stored(stored, oldest, details=details)
        except (ValueError, RecursionError, InvalidInput):
            unreadable += 1
            continue
        if receipt is None or (since and receipt.ends_by <= since):
            continue
        if stored.overwritten and receipt.state == "failed":
            receipt = replace(receipt, state="requested")
        key = _key(receipt)
        answers, answer = issues.setdefault(key, {}), _answer(receipt)
        answers[answer] = _joined(answers.get(answer), receipt)
        holder = key if receipt.method == "assume_role" else key[1:]
        if holders.setdefault(receipt.id, holder) != holder or len(answers) - (_NO_ANSWER in answers) > 1:
            conflicts[receipt.id] = None
    tokens, refused = _tokens(issues.values())
    return ReceiptLog(tokens, unreadable + refused, tuple(conflicts))


def _key(receipt: Receipt) -> Key:
    """What all lines about one request say alike, whoever it is for and whatever the answer is."""
    said = receipt.context.items()
    if receipt.method == "saml":
        return (*_request(receipt), *(one for one in said if one[0] not in _ANSWERED_CONTEXT))
    return (*_request(receipt), *said)


def _tokens(issues: Iterable[Mapping[Answer, Receipt]]) -> tuple[list[Receipt], int]:
    """The tokens of all requests, in their order, and how many were left out because they contradict theirs."""
    joined: list[Receipt] = []
    left_out = 0
    for answers in issues:
        request = answers.get(_NO_ANSWER)
        if request is None:
            joined += answers.values()
            continue
        found = [one for answer, one in answers.items() if answer != _NO_ANSWER]
        kept = [_joined(request, one) for one in found if not _contradicts(one)]
        left_out += len(found) - len(kept)
        joined += kept if any(map(_is_in_time, kept)) else [request, *kept]
    return joined, left_out


def _check_place(receipt: Receipt, stored: Stored) -> None:
    """:raises BadValue: the store calls the receipt otherwise than it calls itself."""
    if stored.receipt_id not in ("", receipt.id):
        raise BadValue("id is not what the store calls the receipt.")


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


def _contradicts(token: Receipt) -> bool:
    """Whether a token ends earlier than its request allows. Only an identity provider may end one early."""
    least = token.requested_at + timedelta(seconds=token.duration_seconds) - CLOCK_TOLERANCE
    return token.method != "saml" and token.expires_at is not None and token.expires_at < least


def _is_in_time(token: Receipt) -> bool:
    """Whether a token can be the answer to its request. Otherwise the request may have been answered nevertheless."""
    return token.issued_at is not None and token.requested_at <= token.issued_at <= token.issue_until


def _joined(first: Receipt | None, later: Receipt) -> Receipt:
    """What two lines about one token say together, of which at most the first one does not know the answer."""
    if first is None or _says_all(first, later):
        return later
    known = later if first.access_key_id is None else first
    old, new = (later, first) if later.recorded_at < first.recorded_at else (first, later)
    return replace(
        known,
        # One that AWS refused is in the request alone, and revoking it does not reach the token.
        source_identity=first.source_identity if first.source_identity == later.source_identity else None,
        recorded_at=new.recorded_at,
        state=_state(old, new, issued=known.access_key_id is not None),
        handoff=new.handoff or old.handoff,
        problem=new.problem,
    )


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
