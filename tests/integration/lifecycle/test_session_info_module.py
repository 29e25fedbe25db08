# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_session_info`` against moto, with a CloudTrail in front of it, through both front ends."""

from __future__ import annotations

import json
import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import revocation, session_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import issuing

from tests.support.cloudtrail import CloudTrail, issue_event
from tests.support.operations import perform
from tests.support.playbook import run_tasks
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
OTHER_ROLE = "arn:aws:iam::123456789012:role/somebody-elses"


def ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_tokens_of_a_venue_and_of_the_account(venue: Moto, tmp_path: pathlib.Path, shipped: bool) -> None:
    issued = perform(issuing.OPERATION, **VENUE, user="jdoe")["receipt"]
    (tmp_path / "receipts").write_text(json.dumps(issued) + "\n")
    perform(revocation.OPERATION, **VENUE, session_name="jane-1", before=ago(20))
    events = [
        issue_event(issued["session_name"], issued["access_key_id"], issued["issued_at"]),
        issue_event("jane-1", "ASIAEXAMPLEEXAMPLE02", ago(30)),
        issue_event("late-1", "ASIAEXAMPLEEXAMPLE03", ago(90)),
        issue_event("denied", "", ago(10), errorCode="AccessDenied"),
        issue_event("elsewhere", "ASIAEXAMPLEEXAMPLE04", ago(10), OTHER_ROLE),
    ]
    asked: list[dict[str, Any]] = [
        {**VENUE, "receipts_file": str(tmp_path / "receipts")},
        {},
        {"cloudtrail": False, "receipts_file": str(tmp_path / "receipts")},
    ]
    with CloudTrail(venue.url, events) as trail:
        environment = {**venue.environment(), "AWS_URL": trail.url}
        one, every, kept = run_tasks(
            [{"mdps.venue_sts.venue_sts_session_info": options} for options in asked],
            env=environment,
            cwd=tmp_path,
            shipped=shipped,
        )
    states = {"jdoe": "live", "jane": "revoked", "late": "expired"}
    for result in (one, every):
        assert {seen["session_name"].split("-")[0]: seen["state"] for seen in result["sessions"]} == states
        assert {(seen["project"], seen["venue"]) for seen in result["sessions"]} == {("sbg", "dev")}
    assert [(seen["recipient"], seen["sources"]) for seen in one["sessions"] if seen["recipient"]] == [
        ("jdoe", ["cloudtrail", "receipt"])
    ]
    assert [(seen["recipient"], seen["sources"]) for seen in kept["sessions"]] == [("jdoe", ["receipt"])]
    names = [(question["LookupAttributes"][0]["AttributeKey"], "NextToken" in question) for question in trail.asked]
    # Two events a page: the venue's four, then the account's five, then no sign-ins with assertions.
    assert (
        names
        == [
            ("ResourceName", False),
            ("ResourceName", True),
            *[("EventName", False), ("EventName", True), ("EventName", True)],
            ("EventName", False),
        ][: len(names)]
    )
    assert "nobody-shall-see" not in json.dumps([one, every, kept])


def test_gaps_are_warned_of(venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {
        **VENUE,
        "recipient": "jdoe",
        "session_name": "jdoe-1",
        "access_key_id": "ASIAEXAMPLEEXAMPLE01",
        "issued_at": ago(30),
        "expires_at": ago(-30),
    }
    (tmp_path / "receipts").write_text(json.dumps(old) + "\n")
    told: list[str] = []
    runtime = Runtime(warn=told.append, sleep=lambda _seconds: None)
    with CloudTrail(
        venue.url, [issue_event(f"jane-{number}", f"ASIA{number}", ago(5)) for number in range(3)]
    ) as trail:
        monkeypatch.setenv("AWS_URL", trail.url)
        perform(session_info.OPERATION, runtime, **VENUE, receipts_file=str(tmp_path / "receipts"))
        result = perform(session_info.OPERATION, runtime, **VENUE, max_pages=1)
    assert result["truncated"]
    assert ["receipts tell of" in told[0], "max_pages" in told[1]] == [True, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": "sbg"}, "required together"),
        ({"role_name": "x"}, "give project and venue too"),
        ({"since": "2026-11-22"}, "not a time"),
        ({"since": "2020-01-01T00:00:00Z"}, "90 days"),
        ({"since": "2026-11-22T09:00:00Z", "until": "2026-11-22T08:00:00Z"}, "earlier"),
        ({"max_pages": 0}, "max_pages"),
        ({"cloudtrail": False}, "nowhere to look"),
        ({"receipts_file": "/nonexistent/receipts"}, "cannot be read"),
        ({"expected_account_id": "1"}, "12 digits"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    result = perform(session_info.OPERATION, **options)
    assert result["failed"]
    assert message in result["msg"]


def test_no_role(venue: Moto) -> None:
    assert perform(session_info.OPERATION, project="emit", venue="ops")["error"] == "NotProvisioned"
