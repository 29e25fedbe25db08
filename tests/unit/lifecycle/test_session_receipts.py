# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts: what is needed of one, and by when AWS had issued its token."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import (
    parse_lines,
    parse_receipt,
    parse_time,
)

RECEIPT = {
    "schema": 1,
    "recipient": "jdoe",
    "project": "sbg",
    "venue": "dev",
    "session_name": "jdoe-20261122T093015Z",
    "access_key_id": "ASIAEXAMPLEEXAMPLE01",
    "duration_seconds": 3600,
    "method": "assume_role",
    "issued_at": "2026-11-22T09:29:15Z",
    "expires_at": "2026-11-22T10:30:15Z",
}


def at(hour: int, minute: int, second: int) -> datetime:
    return datetime(2026, 11, 22, hour, minute, second, tzinfo=UTC)


def test_the_time_of_issue_is_taken_from_the_end_that_aws_told() -> None:
    assert parse_receipt("receipt", RECEIPT).issued_by == at(9, 30, 15)


@pytest.mark.parametrize("changes", [{"method": "saml"}, {"duration_seconds": None}])
def test_otherwise_this_machines_clock_may_be_behind(changes: dict[str, Any]) -> None:
    assert parse_receipt("receipt", {**RECEIPT, **changes}).issued_by == at(9, 34, 15)


@pytest.mark.parametrize("field", ["project", "venue", "session_name", "issued_at", "expires_at"])
def test_what_is_missing_is_named(field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        parse_receipt("receipt", {**RECEIPT, field: None})


@pytest.mark.parametrize("text", ["yesterday", "2026-11-22", "2026-11-22T09:30:15", ""])
def test_times_need_a_zone(text: str) -> None:
    with pytest.raises(InvalidInput, match="before"):
        parse_time("before", text)


def test_zones_are_converted() -> None:
    assert parse_time("before", "2026-11-22T01:30:15-08:00") == at(9, 30, 15)


def test_a_file_with_a_torn_line_a_check_and_a_repeated_receipt() -> None:
    delivered = {**RECEIPT, "recipient": "jane"}
    other = {**RECEIPT, "access_key_id": "ASIAEXAMPLEEXAMPLE02"}
    lines = [
        json.dumps(RECEIPT),
        json.dumps(RECEIPT)[:40],
        "",
        "[]",
        json.dumps({**RECEIPT, "expires_at": None}),
        json.dumps(other),
        json.dumps(delivered),
    ]
    assert [(one.recipient, one.access_key_id[-2:]) for one in parse_lines("\n".join(lines))] == [
        ("jane", "01"),
        ("jdoe", "02"),
    ]
