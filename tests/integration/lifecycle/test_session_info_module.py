# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_session_info`` against moto, with a CloudTrail in front of it, through both front ends."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role, session_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing

from tests.support.cloudtrail import CloudTrail, issue_event
from tests.support.operations import perform
from tests.support.playbook import run_tasks
from tests.support.receipts import ago, recent, requested
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
ROLE = "unity-sbg-dev-sts"
OTHER_ROLE = "arn:aws:iam::123456789012:role/somebody-elses"


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_tokens_of_a_venue_and_of_the_account(venue: Moto, tmp_path: pathlib.Path, shipped: bool) -> None:
    issued = perform(issuing.OPERATION, **VENUE, user="jdoe")["receipt"]
    (tmp_path / "receipts").write_text(json.dumps(issued) + "\n")
    perform(revocation.OPERATION, **VENUE, session_name="jane-1", before=ago(minutes=20))
    here = {"role_id": venue.client("iam").get_role(RoleName=ROLE)["Role"]["RoleId"]}
    events = [
        issue_event(issued["session_name"], issued["access_key_id"], issued["issued_at"], **here),
        issue_event("jane-1", "ASIAEXAMPLEEXAMPLE02", ago(minutes=30), **here),
        issue_event("late-1", "ASIAEXAMPLEEXAMPLE03", ago(minutes=90), **here),
        issue_event("denied", "", ago(minutes=10), errorCode="AccessDenied"),
        issue_event("elsewhere", "ASIAEXAMPLEEXAMPLE04", ago(minutes=10), OTHER_ROLE),
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
    # Two events a page: the venue's four, then the account's five, then no sign-ins with assertions or web identities.
    assert names == [
        ("ResourceName", False),
        ("ResourceName", True),
        *[("EventName", False), ("EventName", True), ("EventName", True)],
        *[("EventName", False), ("EventName", False)],
    ]
    assert "nobody-may-see" not in json.dumps([one, every, kept])


def write(folder: pathlib.Path, *lines: Receipt | str) -> str:
    text = "".join((one if isinstance(one, str) else one.to_line()) + "\n" for one in lines)
    (folder / "receipts").write_text(text)
    return str(folder / "receipts")


def test_gaps_are_warned_of(venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, recent(30))
    warned: list[str] = []
    runtime = Runtime(warn=warned.append, sleep=lambda _seconds: None)
    with CloudTrail(
        venue.url, [issue_event(f"jane-{number}", f"ASIA{number:016}", ago(minutes=5)) for number in range(3)]
    ) as trail:
        monkeypatch.setenv("AWS_URL", trail.url)
        perform(session_info.OPERATION, runtime, **VENUE, receipts_file=file)
        result = perform(session_info.OPERATION, runtime, **VENUE, receipts_file=file, max_pages=1)
    assert result["truncated"]
    assert ["has no event for" in warned[0], "max_pages" in warned[1]] == [True, True]


def only_receipts(file: str, **options: Any) -> dict[str, Any]:
    return perform(session_info.OPERATION, cloudtrail=False, receipts_file=file, **options)


def test_states_come_from_the_role_that_the_receipt_names(venue: Moto, tmp_path: pathlib.Path) -> None:
    perform(role.OPERATION, **VENUE, role_name="legacy-sts")
    found = {name: venue.client("iam").get_role(RoleName=name)["Role"] for name in ("legacy-sts", ROLE)}
    ids = {name: one["RoleId"] for name, one in found.items()}
    legacy, usual = (
        replace(one, assumed_role_id=f"{ids[one.role_name]}:{one.session_name}")
        for one in (recent(30, role_arn=found["legacy-sts"]["Arn"]), recent(30, number=2))
    )
    unknown = requested(number=3, at=recent(30).requested_at)
    again, gone = recent(30, number=4), recent(30, number=5, role_arn="arn:aws:iam::123456789012:role/gone-sts")
    file = write(tmp_path, legacy, usual, unknown, again, gone)
    perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=file)

    def states() -> dict[str, str]:
        result = only_receipts(file, **VENUE)
        assert {(one["project"], one["venue"]) for one in result["sessions"]} == {("sbg", "dev")}
        return {one["session_name"][-1]: one["state"] for one in result["sessions"]}

    assert states() == {"1": "revoked", "2": "revoked", "3": "revoked", "4": "role_gone", "5": "role_gone"}
    iam = venue.client("iam")
    for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]:
        if name.startswith("revoked-"):
            harmless = [{"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}]
            emptied = json.dumps({"Version": "2012-10-17", "Statement": harmless})
            iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=emptied)
    assert states() == {"1": "revoked", "2": "live", "3": "unknown", "4": "role_gone", "5": "role_gone"}


def test_receipts_of_other_accounts(venue: Moto, tmp_path: pathlib.Path) -> None:
    other = "210987654321"
    foreign = recent(30, number=2, account_id=other, role_arn=f"arn:aws:iam::{other}:role/{ROLE}")
    file = write(tmp_path, foreign)
    assert only_receipts(file)["sessions"] == []
    refused = only_receipts(file, **VENUE)
    assert (refused["error"], refused["expected_account_id"]) == ("AccountMismatch", other)
    both = only_receipts(write(tmp_path, foreign, recent(30)), **VENUE)
    assert [one["access_key_id"] for one in both["sessions"]] == [recent(30).access_key_id]


def test_hostile_lines_and_the_default_file(
    venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert perform(session_info.OPERATION, cloudtrail=False)["sessions"] == []
    (tmp_path / ".mdps").mkdir()
    write(tmp_path, '{"schema": 2}', recent(30), "\x1b[2J", '{"duration_seconds": 1' + "0" * 30)
    (tmp_path / "receipts").rename(tmp_path / ".mdps" / "receipts.jsonl")
    result = perform(session_info.OPERATION, cloudtrail=False)
    assert (len(result["sessions"]), result["unreadable"]) == (1, 3)


def test_an_external_id_in_an_event_is_never_shown(
    venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentinel = "an-external-id-that-cloudtrail-holds-in-clear"
    event = issue_event("jane-1", "ASIAEXAMPLEEXAMPLE02", ago(minutes=5))
    event["requestParameters"]["externalId"] = sentinel
    broken = {**event, "eventTime": sentinel, "additionalEventData": {"externalId": sentinel}}
    warned: list[str] = []
    with CloudTrail(venue.url, [event, broken]) as trail:
        monkeypatch.setenv("AWS_URL", trail.url)
        result = perform(session_info.OPERATION, Runtime(warn=warned.append), **VENUE)
    assert [one["session_name"] for one in result["sessions"]] == ["jane-1"]
    assert sentinel not in json.dumps([result, warned])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"project": "sbg"}, "required together"),
        ({"role_name": "x"}, "Also set project and venue"),
        ({"project": "", "venue": ""}, "must not be empty"),
        ({"expected_account_id": " "}, "must not be empty"),
        ({"receipts_file": ""}, "must not be empty"),
        ({"since": "2026-11-22"}, "not a time"),
        ({"since": "2020-01-01T00:00:00Z"}, "90 days"),
        ({"since": "2026-11-22T09:00:00Z", "until": "2026-11-22T08:00:00Z"}, "earlier"),
        ({"max_pages": 0}, "max_pages"),
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
