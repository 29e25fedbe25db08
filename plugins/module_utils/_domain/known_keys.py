# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys that a recipient's last token was sealed to, so that another key is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from .receipts import CLOCK_TOLERANCE, Receipt


class KnownKeys(NamedTuple):
    """The fingerprints that a token of a user was sealed to, and when the token was requested.

    :param fingerprints: none if no receipt was found, although there may be one.
    :param unread_reason: why there may be one, as a clause; '' if one was found.
    """

    requested_at: datetime
    fingerprints: tuple[str, ...]
    unread_reason: str = ""


def known_keys(receipts: Iterable[Receipt], user: str, now: datetime) -> KnownKeys | None:
    """The keys that the latest token of a user was sealed to; None if there was none.

    The order is that of the requests: a bundle that is sent again makes no earlier key the latest one. A receipt from
    the future is skipped: it would be the latest one for as long as its writer likes.
    """
    latest = max(
        (
            one
            for one in receipts
            if one.recipient == user
            and (one.handoff or {}).get("sealed_to")
            and one.requested_at <= now + CLOCK_TOLERANCE
        ),
        key=lambda one: (one.requested_at, one.recorded_at),
        default=None,
    )
    return KnownKeys(latest.requested_at, tuple(latest.handoff["sealed_to"])) if latest and latest.handoff else None
