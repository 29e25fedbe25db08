# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Times as text: the one form that is written, and the forms that are read."""

from __future__ import annotations

from datetime import UTC, datetime

from .errors import InvalidInput

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def iso(moment: datetime) -> str:
    """A time as the AWS CLI's JSON has it: ``2016-03-15T00:05:07Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(moment: datetime) -> str:
    """A time as names have it: ``20160315T000507Z``."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def parse_time(option: str, text: str) -> datetime:
    """A time in ISO 8601 with its zone, such as ``2026-11-22T09:30:15Z``, between the years 2000 and 2200.

    :raises InvalidInput: anything else. A time without a zone could mean two moments.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or not EARLIEST <= moment < LATEST:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            option, f"'{text[:64]}' is not a time with its zone, such as 2026-11-22T09:30:15Z."
        ) from None
