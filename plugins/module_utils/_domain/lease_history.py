# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the record of approvals and endings says about a lease that somebody may have restored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .leases import Lease
from .untrusted import BadValue, safe_text


def reason_ended(lease: Lease, record: Iterable[str]) -> str:
    """Return what the record of approvals and endings says against a lease, or '' if nothing.

    Whoever may write parameters can restore a copy of a lease, with its signature. A lease that was ended, or replaced
    by another approval, gets no token any more.

    :param record: lines of the record, oldest first. A line that is not a record is ignored.
    """
    seen, why = False, ""
    for line in record:
        if lease.user not in line:
            continue
        try:
            entry = _decode_line(line)
        except (ValueError, RecursionError):
            continue
        found, event, at = entry.get("lease"), entry.get("event"), entry.get("at")
        if not isinstance(found, dict) or _whose(found) != (lease.user, lease.venue.project, lease.venue.venue):
            continue
        if found.get("id") == lease.id:
            seen, why = True, why or (f"it has ended at {safe_text(str(at))}" if event == "ended" else "")
        elif seen and event == "approved":
            why = why or f"it was replaced at {safe_text(str(at))}"
    return why


def _decode_line(line: str) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise BadValue("a JSON object is required.")
    return found


def _whose(lease: Mapping[str, Any]) -> tuple[Any, ...]:
    return lease.get("user"), lease.get("project"), lease.get("venue")
