# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso, parse_time, stamp


def test_times_are_utc_to_the_second() -> None:
    west = timezone(timedelta(hours=-8))
    moment = datetime(2016, 3, 14, 16, 5, 7, 999999, tzinfo=west)
    assert (iso(moment), stamp(moment)) == ("2016-03-15T00:05:07Z", "20160315T000507Z")


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2026-11-22", "2026-11-22T09:30:15", "", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
     "1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z"],
)  # fmt: skip
def test_what_is_no_single_time_of_this_era(text: str) -> None:
    with pytest.raises(InvalidInput, match="before"):
        parse_time("before", text)


def test_zones_are_converted() -> None:
    assert parse_time("before", "2026-11-22T01:30:15-08:00") == datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
