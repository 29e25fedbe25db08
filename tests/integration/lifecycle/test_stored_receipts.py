# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts that are in S3 and SSM alone are enough for whatever acts on a token, through both front ends."""

from __future__ import annotations

import json
import pathlib
from datetime import UTC, datetime
from typing import Any

import pyrage
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import LONGEST_LINE
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import stamp
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import session_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation

from tests.support.operations import perform
from tests.support.playbook import ansible_playbook, run_tasks
from tests.support.receipts import issued
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
ROLE = "unity-sbg-dev-sts"
PATH = "/unity/sbg/dev/cs/sts/receipts"
STORES = {"s3": {"receipts_s3": "s3://records/mdps-venue-sts/receipts"}, "ssm": {"receipts_ssm_path": PATH}}
MODULE = "mdps.venue_sts.venue_sts_token"


@pytest.fixture
def account(venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """A venue with a bucket for receipts, and an admin whose own receipts file does not exist."""
    venue.client("s3").create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    monkeypatch.setenv("HOME", str(tmp_path))
    return venue


def token(account: Moto, folder: pathlib.Path, *keys: str, shipped: bool, **options: Any) -> list[dict[str, Any]]:
    """Issue a token to each key of jdoe, one after the other, from machines whose own file of receipts is lost."""
    tasks = [
        {
            MODULE: {
                **VENUE,
                "user": "jdoe",
                "receipts_file": str(folder / f"lost-{number}-{key[:12]}"),
                "handoff": {"public_keys": {"jdoe": key}, "channel": "output", "undelivered": str(folder / "kept")},
                **options,
            }
        }
        for number, key in enumerate(keys)
    ]
    environment = {**account.environment(), "HOME": str(folder)}
    return run_tasks(tasks, env=environment, cwd=folder, shipped=shipped)


def key() -> str:
    return str(pyrage.x25519.Identity.generate().to_public())


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
@pytest.mark.parametrize("store", STORES)
def test_a_changed_key_is_refused_by_what_the_venue_stores(
    account: Moto, tmp_path: pathlib.Path, store: str, shipped: bool
) -> None:
    first, second = key(), key()
    same, again, changed = token(account, tmp_path, first, first, second, shipped=shipped, **STORES[store])
    assert [same.get("delivered"), again.get("delivered")] == [True, True], (same, again)
    assert changed["error"] == "KeyChanged", changed
    assert f"fingerprints: ['{second}']" in changed["msg"]


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_a_receipt_that_cannot_be_read_may_be_that_of_a_changed_key(
    account: Moto, tmp_path: pathlib.Path, shipped: bool
) -> None:
    """The answer of a shipped task crosses to the controller, where the key is."""
    at = stamp(datetime.now(UTC))
    name = f"mdps-venue-sts/receipts/sbg/dev/r-{at}-00000001/{at}-delivered.json"
    account.client("s3").put_object(Bucket="records", Key=name, Body=b"x" * (LONGEST_LINE + 1))
    (hidden,) = token(account, tmp_path, key(), shipped=shipped, **STORES["s3"])
    assert hidden["error"] == "KeyChanged", hidden
    assert "1 receipts in s3://records/mdps-venue-sts/receipts/sbg/dev/ could not be read" in hidden["msg"]


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
@pytest.mark.parametrize("store", STORES)
def test_what_a_store_has_is_listed_and_revoked(
    account: Moto, tmp_path: pathlib.Path, store: str, shipped: bool
) -> None:
    (known,) = token(account, tmp_path, key(), shipped=shipped, **STORES[store])
    places = {name: [value] for name, value in STORES[store].items()}
    session = known["receipt"]["session_name"]
    environment = {**account.environment(), "HOME": str(tmp_path)}
    listing = {"cloudtrail": False, **places}
    listed, venues, revoked, after = run_tasks(
        [
            {"mdps.venue_sts.venue_sts_session_info": listing},
            {"mdps.venue_sts.venue_sts_session_info": {**VENUE, **listing}},
            {"mdps.venue_sts.venue_sts_revocation": {**VENUE, "user": "jdoe", **places}},
            {"mdps.venue_sts.venue_sts_session_info": listing},
        ],
        env=environment,
        cwd=tmp_path,
        shipped=shipped,
    )
    for result in (listed, venues):
        assert [(one["session_name"], one["recipient"], one["state"]) for one in result["sessions"]] == [
            (session, "jdoe", "live")
        ]
    assert [one["value"] for one in revoked["revocations"]] == [session], revoked
    assert [one["state"] for one in after["sessions"]] == ["revoked"]


def test_the_playbooks_know_the_stores_of_the_inventory(account: Moto, tmp_path: pathlib.Path) -> None:
    token(account, tmp_path, key(), shipped=False, **STORES["ssm"])
    token(account, tmp_path, key(), shipped=False, **STORES["s3"])
    stores = {
        "handoff_receipts_ssm_path": PATH,
        "handoff_receipts_s3": STORES["s3"]["receipts_s3"],
    }
    inventory = {"venues": {"hosts": {"sbg-dev": {**VENUE, **stores}}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    environment = {**account.environment(), "HOME": str(tmp_path)}

    def play(*words: str) -> str:
        return ansible_playbook(*words, "-i", "inventory.json", env=environment, cwd=tmp_path).expect().output

    play("mdps.venue_sts.report", "-e", f"json={tmp_path}/report.json")
    (reported,) = json.loads((tmp_path / "report.json").read_text())["venues"]
    assert (reported["live_tokens"], [one["recipient"] for one in reported["sessions"]]) == (2, ["jdoe", "jdoe"])
    shown = play("mdps.venue_sts.revoke", "-e", "user=jdoe")
    assert "changed" in shown
    names = account.client("iam").list_role_policies(RoleName=ROLE)["PolicyNames"]
    assert len([name for name in names if name.startswith("revoked-")]) == 2
    nobody = play("mdps.venue_sts.revoke", "-e", "user=nobody")
    assert "is about a token of 'nobody'" in " ".join(nobody.split())


def test_a_store_that_cannot_be_read_stops_what_needs_it_and_nothing_else(
    account: Moto, tmp_path: pathlib.Path
) -> None:
    lost = {"receipts_s3": ["s3://missing/mdps-venue-sts"]}
    warned: list[str] = []
    refused = perform(revocation.OPERATION, **VENUE, user="jdoe", **lost)
    assert "s3://missing/mdps-venue-sts" in refused["msg"]
    everything = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, all=True, **lost)
    assert everything["changed"], everything
    assert any("s3://missing" in one for one in warned)
    assert "s3://missing" in perform(session_info.OPERATION, **VENUE, cloudtrail=False, **lost)["msg"]


def test_forged_receipts_in_a_store_hide_nothing(account: Moto, tmp_path: pathlib.Path) -> None:
    (known,) = token(account, tmp_path, key(), shipped=False, **STORES["s3"])
    receipt = known["receipt"]
    now = datetime.now(UTC)
    forged = {**receipt, "state": "failed", **dict.fromkeys(("access_key_id", "assumed_role_id", "issued_at"))}
    forged |= {"expires_at": None, "handoff": None, "source_identity": "eve", "recipient": "eve"}
    far = issued(at=now.replace(microsecond=0, year=now.year + 5)).to_json()
    folder = f"mdps-venue-sts/receipts/sbg/dev/{receipt['id']}"
    for name, content in {
        f"{folder}/20200101T000000Z-requested.json": {**forged, "state": "requested"},
        f"{folder}/29990101T000000Z-failed.json": forged,
        f"mdps-venue-sts/receipts/sbg/dev/{far['id']}/29990101T000000Z-issued.json": far,
    }.items():
        account.client("s3").put_object(Bucket="records", Key=name, Body=json.dumps(content))
    warned: list[str] = []
    listed = perform(
        session_info.OPERATION,
        Runtime(warn=warned.append),
        **VENUE,
        cloudtrail=False,
        receipts_s3=[STORES["s3"]["receipts_s3"]],
    )
    assert ("jdoe", "live") in [(one["recipient"], one["state"]) for one in listed["sessions"]]
    assert [any(word in one for one in warned) for word in ("several tokens", "in the future")] == [True, True]
