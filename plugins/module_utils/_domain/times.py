# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Times as text: the one form that is written, and the forms that are read."""

from __future__ import annotations

from datetime import UTC, datetime

from .errors import InvalidInput

_ISO, _STAMP = "%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ"
STAMP = r"[0-9]{8}T[0-9]{6}Z"  # a regular expression for what ``stamp`` writes
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def iso(moment: datetime) -> str:
    """A time as the AWS CLI's JSON has it: ``2016-03-15T00:05:07Z``."""
    return moment.astimezone(UTC).strftime(_ISO)


def stamp(moment: datetime) -> str:
    """A time as names have it: ``20160315T000507Z``."""
    return moment.astimezone(UTC).strftime(_STAMP)


def parse_stamp(text: str) -> datetime:
    """Return the time that ``stamp`` wrote, aware, in UTC.

    :raises ValueError: it is not such a text, or no time.
    """
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


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
            option, f"'{text[:64]}' is not a time with a time zone, such as 2026-11-22T09:30:15Z."
        ) from None
