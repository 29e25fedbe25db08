# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading the receipts of issued tokens: which session a receipt is of, when it began, when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .errors import InvalidInput
from .names import Venue

NEEDED = ("project", "venue", "session_name", "issued_at", "expires_at")
# Signatures are accepted from clocks that are off by up to this much.
CLOCK_TOLERANCE = timedelta(minutes=5)


class Receipt(NamedTuple):
    """What of a receipt tells one session from others.

    :param issued_by: a moment by which AWS had surely issued the token.
    """

    venue: Venue
    issued_at: datetime
    expires_at: datetime
    issued_by: datetime
    recipient: str
    session_name: str
    access_key_id: str
    role_arn: str
    issuer_arn: str
    source_identity: str


def parse_time(option: str, text: str) -> datetime:
    """A moment in ISO 8601 with its zone, such as ``2026-11-22T09:30:15Z``.

    :raises InvalidInput: anything else; a time without a zone could mean two moments.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise InvalidInput(option, f"'{text}' is not a time with its zone, such as 2026-11-22T09:30:15Z.")
    return moment.astimezone(UTC)


def parse_receipt(option: str, given: Mapping[str, Any]) -> Receipt:
    """A receipt as ``venue_sts_token`` returns it.

    :raises InvalidInput: something that is needed is missing, or no time.
    """
    missing = [name for name in NEEDED if not isinstance(given.get(name), str) or not given[name]]
    if missing:
        raise InvalidInput(option, f"is not the receipt of an issued token: it has no {', '.join(missing)}.")
    issued, expires = parse_time(option, given["issued_at"]), parse_time(option, given["expires_at"])
    texts = {
        name: str(given.get(name) or "")
        for name in ("recipient", "session_name", "access_key_id", "role_arn", "issuer_arn", "source_identity")
    }
    return Receipt(
        Venue(given["project"], given["venue"]), issued, expires, _issued_by(given, issued, expires), **texts
    )


def _issued_by(given: Mapping[str, Any], issued: datetime, expires: datetime) -> datetime:
    """A moment by which AWS had issued the token, on AWS's clock.

    The end of the token is AWS's word; its beginning is this machine's, unless the duration tells it.
    """
    if given.get("method", "assume_role") == "assume_role" and isinstance(given.get("duration_seconds"), int):
        return expires - timedelta(seconds=given["duration_seconds"])
    return issued + CLOCK_TOLERANCE


def parse_lines(text: str) -> Iterable[Receipt]:
    """The receipts of a receipts file, one a line, the later of two for the same token; lines torn by a crash are passed over."""
    found: dict[tuple[str, str], Receipt] = {}
    for line in text.splitlines():
        try:
            given = json.loads(line)
            receipt = parse_receipt("receipts_file", given) if isinstance(given, dict) else None
        except (ValueError, InvalidInput):
            continue
        if receipt:
            found[(receipt.access_key_id, receipt.session_name)] = receipt
    return found.values()
