# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was done with a key, as CloudTrail's events say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.uses import (
    MOST_LISTED,
    Use,
    derived_keys,
    distinct,
    queries,
    summary,
    use_from,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cloudtrail import derive_event, use_event

KEY, CHILD, GRANDCHILD = "ASIAEXAMPLEEXAMPLE01", "ASIAEXAMPLEEXAMPLE0C", "ASIAEXAMPLEEXAMPLE0G"


def at(minute: int) -> str:
    return f"2026-11-22T09:{minute:02}:00Z"


def use(minute: int, key: str = KEY, **changes: Any) -> Use:
    found = use_from(json.dumps(use_event(key, at(minute), **changes)))
    assert found
    return found


def derivation(minute: int, parent: str, child: str) -> Use:
    found = use_from(json.dumps(derive_event(parent, child, at(minute))))
    assert found
    return found


def test_a_call_and_nothing_but_what_is_named() -> None:
    found = use(35)
    assert (found.service, found.action, found.region, found.address) == (
        "ecr", "DescribeRepositories", "us-west-2", "192.0.2.10",
    )  # fmt: skip
    assert found.shown() == {
        "at": at(35),
        "action": "ecr:DescribeRepositories",
        "region": "us-west-2",
        "address": "192.0.2.10",
        "access_key_id": KEY,
        "error": None,
    }
    assert "nobody-may-see" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps(use_event(KEY, "yesterday")),
        json.dumps(use_event(KEY, at(1), eventName=7)),
        json.dumps(use_event(KEY, at(1), userIdentity={"type": "AWSService"})),
        json.dumps(use_event(KEY, at(1), userIdentity=[])),
    ],
)
def test_what_is_no_call_with_a_key(text: str) -> None:
    assert use_from(text) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(["userIdentity", "eventTime", "accessKeyId", "eventName", "responseElements", "credentials"]), one
)))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_no_event_is_fatal(event: Any) -> None:
    use_from(json.dumps(event))


def test_control_characters_reach_no_terminal() -> None:
    found = use(1, userAgent="a\x1b[2Jb", sourceIPAddress="10.0.0.1\nforged")
    assert (found.agent, found.address) == ("a [2Jb", "10.0.0.1 forged")


def test_each_event_counts_once_newest_first() -> None:
    one, two = use(1), use(2)
    assert distinct([one, two, one]) == [two, one]
    unnamed = use_event(KEY, at(3))
    del unnamed["eventID"]
    same = [use_from(json.dumps(unnamed)) for _time in range(2)]
    other = use_from(json.dumps({**unnamed, "eventName": "PutObject"}))
    assert len(distinct(found for found in [*same, other] if found)) == 2


def test_keys_that_were_derived_from_derived_keys() -> None:
    found = [derivation(3, CHILD, GRANDCHILD), derivation(2, KEY, CHILD), derivation(4, GRANDCHILD, KEY)]
    assert derived_keys(found, KEY) == (CHILD, GRANDCHILD)
    assert derived_keys(found, "ASIAEXAMPLEEXAMPLE0X") == ()
    assert derived_keys([use(1), derivation(2, KEY, CHILD), derivation(3, KEY, CHILD)], KEY) == (CHILD,)
    circle = [derivation(2, KEY, CHILD), derivation(3, CHILD, GRANDCHILD), derivation(4, GRANDCHILD, CHILD)]
    assert derived_keys(circle, KEY) == (CHILD, GRANDCHILD)


def test_the_summary() -> None:
    denied = {"eventSource": "iam.amazonaws.com", "errorCode": "AccessDenied"}
    found = distinct(
        [
            use(1),
            use(2),
            use(3, action="ListUsers", **denied, sourceIPAddress="198.51.100.7", awsRegion="us-east-1"),
            use(4, action="BatchGetImage", errorCode="ImageNotFound"),
            use(5, action="RunInstances", eventSource="ec2.amazonaws.com", errorCode="Client.UnauthorizedOperation"),
        ]
    )
    seen = summary(found)
    assert (seen["events"], seen["first_at"], seen["last_at"], seen["denied"]) == (5, at(1), at(5), 2)
    assert seen["addresses"] == [{"value": "192.0.2.10", "count": 4}, {"value": "198.51.100.7", "count": 1}]
    assert seen["actions"][0] == {"value": "ecr:DescribeRepositories", "count": 2}
    assert [one["value"] for one in seen["denied_actions"]] == ["ec2:RunInstances", "iam:ListUsers"]
    assert [one["value"] for one in seen["regions"]] == ["us-west-2", "us-east-1"]
    assert sum(one["count"] for one in seen["errors"]) == 3


def test_a_summary_of_nothing_and_of_very_much() -> None:
    assert (summary([])["events"], summary([])["first_at"]) == (0, None)
    many = summary([use(1, sourceIPAddress=f"192.0.2.{number}") for number in range(MOST_LISTED + 5)])
    assert (many["events"], len(many["addresses"])) == (MOST_LISTED + 5, MOST_LISTED)


def test_queries_name_every_key_and_the_start() -> None:
    made = queries([KEY, CHILD], datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    assert f"IN ('{KEY}', '{CHILD}') AND eventTime >= '2026-11-22 09:30:00'" in made["cloudtrail_lake"]
    assert f"IN ('{KEY}', '{CHILD}') AND eventtime >= '2026-11-22T09:30:00Z'" in made["athena"]
