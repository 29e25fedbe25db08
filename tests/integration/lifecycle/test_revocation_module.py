# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_revocation``, the role and the playbook around it, against moto."""

from __future__ import annotations

import json
import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import revocation, role_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime

from tests.support.operations import perform
from tests.support.playbook import ansible_playbook, run_tasks
from tests.support.servers import Moto

MODULE = "mdps.venue_sts.venue_sts_revocation"
VENUE = {"project": "sbg", "venue": "dev"}
ROLE = "unity-sbg-dev-sts"
BEFORE = "2026-01-01T00:00:00Z"


def policies(moto: Moto) -> list[str]:
    names = moto.client("iam").list_role_policies(RoleName=ROLE)["PolicyNames"]
    return sorted(name for name in names if name != "venue-access")


def ago(**length: int) -> str:
    return (datetime.now(UTC) - timedelta(**length)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_revoke_again_and_lift(venue: Moto, tmp_path: pathlib.Path, shipped: bool) -> None:
    one, everything = {**VENUE, "session_name": "jdoe", "before": ago(hours=1)}, {**VENUE, "before": ago(minutes=5)}
    asked: list[dict[str, Any]] = [
        one,
        one,
        everything,
        {**one, "state": "absent"},
        {**VENUE, "state": "absent"},
        {**VENUE, "state": "absent"},
    ]
    results = run_tasks(
        [{MODULE: options} for options in asked], env=venue.environment(), cwd=tmp_path, shipped=shipped
    )
    assert [result["changed"] for result in results] == [True, False, True, False, True, False]
    assert [[step["action"] for step in result["steps"]] for result in results[:3]] == [
        ["iam:PutRolePolicy"],
        [],
        ["iam:PutRolePolicy", "iam:DeleteRolePolicy"],
    ]
    assert [one["kind"] for one in results[2]["revocations"]] == ["all"]
    assert policies(venue) == []


def test_a_receipt_names_the_same_moment_whenever_it_is_used(venue: Moto) -> None:
    times = {"issued_at": ago(minutes=0), "expires_at": ago(minutes=-60), "duration_seconds": 3600}
    receipt = {**VENUE, "recipient": "jdoe", "session_name": "jdoe-1", "access_key_id": "ASIAEXAMPLEEXAMPLE01", **times}
    assert perform(revocation.OPERATION, **VENUE, receipt=receipt)["changed"]
    (name,) = policies(venue)
    venue.client("iam").delete_role_policy(RoleName=ROLE, PolicyName=name)
    perform(
        revocation.OPERATION, Runtime(now=lambda: datetime.now(UTC) + timedelta(minutes=30)), **VENUE, receipt=receipt
    )
    assert policies(venue) == [name]


def test_check_mode_tells_and_does_nothing(venue: Moto) -> None:
    result = perform(revocation.OPERATION, Runtime(check_mode=True), **VENUE)
    assert result["changed"]
    assert list(result["diff"]["after"]["revocations"]) == [result["revocations"][0]["policy_name"]]
    assert policies(venue) == []


def test_two_admins_at_once_lose_nothing(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second writes between the first one's read and write."""
    read, other = revocation.read, []

    def read_then_overtaken(*arguments: Any) -> Any:
        found = read(*arguments)
        if not other:
            other.append(True)
            other.append(perform(revocation.OPERATION, **VENUE, session_name="jane", before=ago(minutes=1)))
        return found

    monkeypatch.setattr(revocation, "read", read_then_overtaken)
    perform(revocation.OPERATION, **VENUE, session_name="jdoe", before=ago(minutes=1))
    assert sorted(name.rsplit("=")[-1] for name in policies(venue)) == ["jane", "jdoe"]


def test_somebody_else_clearing_away_the_same_is_no_failure(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    perform(revocation.OPERATION, **VENUE, session_name="jdoe", before=ago(hours=1))
    iam, read, seen = venue.client("iam"), revocation.read, []

    def read_then_cleared(*arguments: Any) -> Any:
        found = read(*arguments)
        if not seen:
            seen.append(True)
            iam.delete_role_policy(RoleName=ROLE, PolicyName=policies(venue)[0])
        return found

    monkeypatch.setattr(revocation, "read", read_then_cleared)
    result = perform(revocation.OPERATION, Runtime(sleep=lambda _seconds: None), **VENUE, state="absent")
    assert "failed" not in result, result
    assert policies(venue) == []


def test_info_shows_what_stands_and_what_was_altered(venue: Moto) -> None:
    perform(revocation.OPERATION, **VENUE, source_identity="jdoe", before=ago(minutes=5))
    (seen,) = perform(role_info.OPERATION, **VENUE)["venues"]
    assert ([one["value"] for one in seen["revocations"]], seen["status"]) == (["jdoe"], "ok")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    venue.client("iam").put_role_policy(RoleName=ROLE, PolicyName=policies(venue)[0], PolicyDocument=json.dumps(allow))
    (seen,) = perform(role_info.OPERATION, **VENUE)["venues"]
    assert ["altered" in words for words in seen["drift"]] == [True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"before": "yesterday"}, "not a time"),
        ({"before": "2999-01-01T00:00:00Z"}, "future"),
        ({"session_name": "has space"}, "session_name"),
        ({"source_identity": "x"}, "source_identity"),
        ({"session_name": "jdoe", "source_identity": "jdoe"}, "mutually exclusive"),
        ({"user": "jdoe"}, "receipts_file"),
        ({"user": "jdoe", "receipts_file": "/nonexistent/receipts"}, "cannot be read"),
        ({"receipt": {"recipient": "jdoe"}}, "session_name"),
        ({"expected_account_id": "1"}, "12 digits"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    # No server is there: whatever passed would be told as a connection problem.
    result = perform(revocation.OPERATION, **VENUE, **options)
    assert result["failed"]
    assert message in result["msg"]


def test_no_role_and_no_fitting_receipt(venue: Moto, tmp_path: pathlib.Path) -> None:
    assert perform(revocation.OPERATION, project="emit", venue="ops")["error"] == "NotProvisioned"
    assert perform(revocation.OPERATION, **VENUE, expected_account_id="999999999999")["error"] == "AccountMismatch"
    times = {"issued_at": ago(hours=3), "expires_at": ago(hours=2)}
    ended = {**VENUE, "recipient": "jdoe", "session_name": "jdoe-1", "access_key_id": "ASIAEXAMPLEEXAMPLE01", **times}
    (tmp_path / "receipts").write_text(json.dumps(ended) + "\n")
    told: list[str] = []
    result = perform(
        revocation.OPERATION, Runtime(warn=told.append), **VENUE, user="jdoe", receipts_file=str(tmp_path / "receipts")
    )
    assert (result["changed"], len(told)) == (False, 1)
    nobody = perform(revocation.OPERATION, **VENUE, user="nobody", receipts_file=str(tmp_path / "receipts"))
    assert "no receipt" in nobody["msg"]
    other = perform(revocation.OPERATION, **VENUE, receipt={**ended, "venue": "ops"})
    assert "not for sbg-dev" in other["msg"]


def test_the_playbook(venue: Moto, tmp_path: pathlib.Path) -> None:
    def play(*options: str) -> str:
        return (
            ansible_playbook(
                "mdps.venue_sts.revoke",
                "-e",
                "project=sbg",
                "-e",
                "venue=dev",
                *options,
                env=venue.environment(),
                cwd=tmp_path,
            )
            .expect()
            .output
        )

    assert "session jdoe, issued before" in play("-e", "session_name=jdoe")
    assert "nothing" in play("-e", "lift=true")
    assert policies(venue) == []
    hosts = {
        "all": {"children": {"venues": {"hosts": {"sbg-dev": VENUE, "emit-ops": {"project": "emit", "venue": "ops"}}}}}
    }
    (tmp_path / "inventory.json").write_text(json.dumps(hosts))
    refused = ansible_playbook(
        "mdps.venue_sts.revoke", "-i", "inventory.json", env=venue.environment(), cwd=tmp_path
    ).expect(2)
    assert "confirm=all" in refused.output
    assert policies(venue) == []
