# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was done with an access key: CloudTrail's events of it, and their summary.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
Of an event, only the fields named here are read. Every other one, such as the external ID in requestParameters, is left
out, so that it cannot be shown.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .sessions import key_id, part, time_of, words
from .times import iso

DERIVE = "GetScopedCredentials"
# Nothing here runs them. People copy them and put in where their events are.
_LAKE = (
    "SELECT eventTime, eventSource, eventName, awsRegion, sourceIPAddress, errorCode, "
    "element_at(requestParameters, 'bucketName') AS bucket, element_at(requestParameters, 'key') AS object "
    "FROM EVENT_DATA_STORE_ID WHERE userIdentity.accessKeyId IN (KEYS) AND eventTime >= 'START' ORDER BY eventTime"
)
_ATHENA = (
    "SELECT eventtime, eventsource, eventname, awsregion, sourceipaddress, errorcode, "
    "json_extract_scalar(requestparameters, '$.bucketName') AS bucket, "
    "json_extract_scalar(requestparameters, '$.key') AS object "
    "FROM CLOUDTRAIL_TABLE WHERE useridentity.accesskeyid IN (KEYS) AND eventtime >= 'START' ORDER BY eventtime"
)
_DENIED = ("AccessDenied", "Unauthorized", "Forbidden")
MOST_LISTED = 20  # of each kind in a summary: the counts go on
MOST_SHOWN = 1000  # events, newest first


@dataclass(frozen=True)
class Use:
    """One call that was signed with a key.

    :param principal_id: ``ROLE_ID:SESSION_NAME``; '' if the event does not say it.
    :param derived_key: the access key that the call made from its own; '' for every other call.
    """

    event_id: str
    at: datetime
    service: str
    action: str
    region: str
    address: str
    agent: str
    error: str
    access_key_id: str
    principal_id: str
    derived_key: str = ""

    @property
    def is_denied(self) -> bool:
        """Whether AWS refused it because a permission is missing."""
        return any(word in self.error for word in _DENIED)

    def shown(self) -> dict[str, Any]:
        """The call as results list it."""
        return {
            "at": iso(self.at),
            "action": f"{self.service}:{self.action}",
            "region": self.region,
            "address": self.address,
            "access_key_id": self.access_key_id,
            "error": self.error or None,
        }


def use_from(text: str) -> Use | None:
    """The call that a CloudTrail event is about; None if the event cannot be read, or was not signed with a key.

    :param text: the event's own JSON.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    who, at = part(event, "userIdentity"), time_of(event.get("eventTime"))
    access_key_id, action = key_id(who.get("accessKeyId")), words(event, "eventName")
    if not at or not access_key_id or not action:
        return None
    made = part(part(event, "responseElements"), "credentials") if action == DERIVE else {}
    return Use(
        event_id=words(event, "eventID") or text,
        at=at,
        service=words(event, "eventSource").removesuffix(".amazonaws.com"),
        action=action,
        region=words(event, "awsRegion"),
        address=words(event, "sourceIPAddress"),
        agent=words(event, "userAgent"),
        error=words(event, "errorCode"),
        access_key_id=access_key_id,
        principal_id=words(who, "principalId"),
        derived_key=key_id(made.get("accessKeyId")),
    )


def distinct(uses: Iterable[Use]) -> list[Use]:
    """Each event once, newest first: lookups overlap, and two regions may have the same event."""
    return sorted({one.event_id: one for one in uses}.values(), key=lambda one: (one.at, one.event_id), reverse=True)


def derived_keys(uses: Iterable[Use], access_key_id: str) -> tuple[str, ...]:
    """The keys that were made from a key, and from those, oldest first."""
    children: dict[str, list[str]] = {}
    for one in sorted(uses, key=lambda one: one.at):
        if one.derived_key:
            children.setdefault(one.access_key_id, []).append(one.derived_key)
    found: dict[str, None] = {}
    pending = [access_key_id]
    while pending:
        for child in children.get(pending.pop(0), []):
            if child not in found and child != access_key_id:
                found[child] = None
                pending.append(child)
    return tuple(found)


def summary(uses: Sequence[Use]) -> dict[str, Any]:
    """First and last use, and how often what was used from where.

    :param uses: newest first.
    """
    denied = [one for one in uses if one.is_denied]
    return {
        "events": len(uses),
        "first_at": iso(uses[-1].at) if uses else None,
        "last_at": iso(uses[0].at) if uses else None,
        "addresses": _counted(one.address for one in uses),
        "regions": _counted(one.region for one in uses),
        "services": _counted(one.service for one in uses),
        "actions": _counted(f"{one.service}:{one.action}" for one in uses),
        "agents": _counted(one.agent for one in uses),
        "errors": _counted(one.error for one in uses),
        "denied": len(denied),
        "denied_actions": _counted(f"{one.service}:{one.action}" for one in denied),
    }


def _counted(values: Iterable[str]) -> list[dict[str, Any]]:
    """The values that occur, the most frequent first."""
    counts = Counter(value for value in values if value)
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return [{"value": value, "count": count} for value, count in ordered[:MOST_LISTED]]


def queries(access_key_ids: Sequence[str], since: datetime) -> Mapping[str, str]:
    """The queries to run where a trail or CloudTrail Lake has what LookupEvents does not show, S3 objects first of all.

    :param access_key_ids: checked, so that they cannot end the text in which they stand.
    """
    keys, start = ", ".join(f"'{one}'" for one in access_key_ids), since.strftime("%Y-%m-%d %H:%M:%S")
    return {
        "cloudtrail_lake": _LAKE.replace("KEYS", keys).replace("START", start),
        "athena": _ATHENA.replace("KEYS", keys).replace("START", iso(since)),
    }
