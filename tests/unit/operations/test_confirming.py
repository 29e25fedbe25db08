# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which sessions CloudTrail confirms: those of the role, with the key, that may still be valid."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.confirming import issued_sessions
from botocore.exceptions import ClientError

from tests.support.cloudtrail import issue_event
from tests.support.described_roles import role
from tests.support.receipts import NOW
from tests.support.stubs import plain_client

KEY, OTHER_KEY = "ASIAEXAMPLEEXAMPLE01", "ASIAEXAMPLEEXAMPLE02"
OWN = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"
ROLE = replace(role(), arn=OWN)


def ago(**length: int) -> str:
    return iso(NOW - timedelta(**length))


class Trail:
    """CloudTrail's client, and the clients that have it: an event for each answer, or a refusal."""

    meta = plain_client("cloudtrail").meta

    def __init__(self, *events: dict[str, Any], refuses: bool = False) -> None:
        self.events, self.refuses, self.asked = events, refuses, []

    def client(self, service: str) -> Trail:
        assert service == "cloudtrail"
        return self

    def get_paginator(self, operation: str) -> Trail:
        assert operation == "lookup_events"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "LookupEvents")
        yield {"Events": [{"CloudTrailEvent": json.dumps(one)} for one in self.events]}


ALIVE = issue_event("nightly", KEY, ago(minutes=30))
SKIPPED = {
    "another action": {**ALIVE, "eventName": "GetCallerIdentity"},
    "a refusal": {**ALIVE, "errorCode": "AccessDenied"},
    "another role": issue_event("nightly", KEY, ago(minutes=30), f"{OWN}-2"),
    "no session": issue_event("", KEY, ago(minutes=30), responseElements=None),
    "one that has ended": issue_event("nightly", KEY, ago(hours=2)),
}


def confirmed(trail: Trail, key: str = "", roles: Any = (ROLE,), **runtime: Any) -> list[tuple[str, str]]:
    found = issued_sessions(roles, key, trail, NOW, Runtime(**runtime))  # type: ignore[arg-type]
    return [(one.session_name, one.access_key_id) for one in found]


@pytest.mark.parametrize("name", SKIPPED)
def test_only_valid_sessions_of_the_role_are_confirmed(name: str) -> None:
    assert confirmed(Trail(SKIPPED[name], ALIVE)) == [("nightly", KEY)]


@pytest.mark.parametrize(("key", "found"), [("", [KEY, OTHER_KEY]), (KEY, [KEY]), (OTHER_KEY, [OTHER_KEY])])
def test_of_one_key_only_its_own_session_is_confirmed(key: str, found: list[str]) -> None:
    trail = Trail(ALIVE, issue_event("nightly", OTHER_KEY, ago(minutes=5)))
    assert [one for _session, one in confirmed(trail, key)] == found
    (asked,) = trail.asked
    assert asked["LookupAttributes"] == [{"AttributeKey": "ResourceName", "AttributeValue": key or OWN}]
    assert asked["StartTime"] <= NOW - timedelta(hours=12) and asked["EndTime"] > NOW


def test_several_roles_are_asked_for_at_cloudtrails_pace() -> None:
    naps: list[float] = []
    trail = Trail(ALIVE)
    others = [replace(ROLE, arn=f"{OWN}-{number}") for number in (2, 3)]
    assert confirmed(trail, roles=[*others, ROLE], sleep=naps.append) == [("nightly", KEY)]
    assert (naps, len(trail.asked)) == ([0.5, 0.5], 3)


def test_a_refusal_confirms_nothing_more_and_is_said() -> None:
    warned: list[str] = []
    assert confirmed(Trail(refuses=True), roles=[ROLE, ROLE], warn=warned.append) == []
    assert len(warned) == 1 and "cloudtrail:LookupEvents" in warned[0]
