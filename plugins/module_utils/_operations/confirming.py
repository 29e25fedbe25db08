# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask CloudTrail which of many sessions that receipts name were issued."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .._aws.clients import Clients
from .._aws.cloudtrail import SECONDS_A_REQUEST, look_up
from .._domain.errors import VenueError
from .._domain.receipts import CLOCK_TOLERANCE
from .._domain.roles import Role
from .._domain.sessions import Session, from_event
from .._domain.token_request import LONGEST_SESSION
from ._operation import Runtime

MOST_PAGES = 40  # 2,000 events, and 20 seconds at CloudTrail's pace


def issued_sessions(
    roles: Iterable[Role], access_key_id: str, clients: Clients, now: datetime, runtime: Runtime
) -> list[Session]:
    """The tokens of roles that CloudTrail saw being issued and that may be valid (cloudtrail:LookupEvents).

    CloudTrail is minutes late, and each of its regions knows its own events only. So what is missing is not refuted.

    :param access_key_id: look for the token with this key only; '' for all.
    """
    cloudtrail = clients.client("cloudtrail")
    found: list[Session] = []
    for number, role in enumerate(roles):
        if number:
            runtime.sleep(SECONDS_A_REQUEST)
        try:
            looked = look_up(
                cloudtrail,
                ("ResourceName", access_key_id or role.arn),
                (now - LONGEST_SESSION - CLOCK_TOLERANCE, now + CLOCK_TOLERANCE),
                most_pages=MOST_PAGES,
                sleep=runtime.sleep,
            )
        except VenueError as problem:  # what CloudTrail cannot confirm is revoked as far as it fits
            runtime.warn(f"CloudTrail does not show which of these sessions were issued. {problem.message}")
            return found
        events = [one for one in map(from_event, looked.events) if one and one.role_arn == role.arn]
        found += [one for one in events if access_key_id in ("", one.access_key_id) and one.latest_end > now]
    return found
