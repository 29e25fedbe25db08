# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking into CloudTrail, at the pace it allows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .calls import pages

PAGE = 50  # the most that LookupEvents returns at once
# Two requests a second, per account and region:
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
SECONDS_A_REQUEST = 0.5
KEPT = timedelta(days=90)  # how long CloudTrail keeps events
DELAY = timedelta(minutes=15)  # until CloudTrail shows an event


class Lookup(NamedTuple):
    """Events as their own JSON texts, newest first, and whether there are more than were fetched."""

    events: list[str]
    truncated: bool


def look_up(
    cloudtrail: Any,
    attribute: tuple[str, str],
    window: tuple[datetime, datetime],
    *,
    most_pages: int,
    sleep: Callable[[float], None],
) -> Lookup:
    """The events of an attribute within a window of time (cloudtrail:LookupEvents).

    :param attribute: such as ``("EventName", "AssumeRole")``.
    :param window: from, to; CloudTrail keeps 90 days, and shows an event some minutes after it happened.
    :param sleep: waits between requests.
    """
    start, end = window
    key, value = attribute
    asked = {
        "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
        "StartTime": start,
        "EndTime": end,
        "MaxResults": PAGE,
    }
    found: list[str] = []
    for number, answer in enumerate(pages(cloudtrail, "lookup_events", f"look up {value} in CloudTrail", **asked), 1):
        found += [str(one.get("CloudTrailEvent", "")) for one in answer.get("Events", [])]
        if answer.get("NextToken"):
            if number == most_pages:
                return Lookup(found, truncated=True)
            sleep(SECONDS_A_REQUEST)
    return Lookup(found, truncated=False)
