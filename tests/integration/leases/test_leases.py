# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Approving leases, renewing and ending them, against moto."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import parse_request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import DeliveryFailed
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.permissions import (
    RENEWALS,
    Location,
    RenewalFolder,
    session_policy,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _renewing as renewing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels import s3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.integration.leases.conftest import BUCKET, LEASES, VENUE, Office
from tests.support import people
from tests.support.operations import perform

Rows = Callable[[dict[str, Any]], dict[str, str]]


def test_a_lease_is_approved_once_and_ended_once(office: Office) -> None:
    checked = office.lease(check_mode=True)
    assert (checked["changed"], office.parameters()) == (True, {}), checked
    first = office.lease()
    assert first["changed"], first
    assert first["lease"]["place"] == f"s3://{BUCKET}/mdps-venue-sts/renewals/sbg/dev/jdoe/token.zip.age"
    assert first["lease"]["key_fingerprints"] == [office.people["jdoe"].public]
    assert json.loads(office.parameters()["jdoe"]) == first["lease"]
    office.later = timedelta(days=2)
    again = office.lease()
    assert (again["changed"], again["lease"]) == (False, first["lease"])
    other = office.lease(access=["s3_read"])
    assert other["changed"]
    assert other["lease"]["id"] != first["lease"]["id"]
    assert other["diff"]["before"]["request"]["access"] is None
    ended = office.lease(state="absent")
    assert (ended["changed"], office.parameters()) == (True, {}), ended
    assert not office.lease(state="absent")["changed"]
    assert office.log() == [("approved", "jdoe"), ("approved", "jdoe"), ("ended", "jdoe")]


def test_an_end_is_the_same_however_often_it_is_approved(office: Office) -> None:
    end = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [office.lease(days=None, end=end)["changed"] for _number in range(2)] == [True, False]


REFUSED = [
    ({"days": 8}, "at most 7 days"),
    ({"days": 0}, "days: 0 must be 1 to 366 days"),
    ({"days": -1}, "days: -1 must be"),
    ({"days": 10**9}, "days: 1000000000 must be"),
    ({"reason": "ü" * 2000}, "reason: makes the lease too long"),
    ({"days": None}, "any of the following"),
    ({"end": "2026-01-01T00:00:00Z"}, "mutually exclusive"),
    ({"days": None, "end": "2026-01-01T00:00:00Z"}, "is not a lease"),
    ({"start": "2026-01-01T00:00:00Z"}, "past"),
    ({"reason": None}, "reason"),
    ({"reason": " "}, "must not be empty"),
    ({"approver": ""}, "must not be empty"),
    ({"access": ["s3_write"], "limits": {"access": ["s3_read"]}}, "outside the limits"),
    ({"duration_seconds": 1800, "limits": {"duration_seconds": 900}}, "longer than the limit"),
    ({"bucket_prefixes": ["mdps-venue-sts/renewals"]}, "reserved"),
    ({"user": "nobody"}, "has no public key"),
    ({"channel": "https"}, "https.url"),
    ({"lease_path": "relative"}, "lease_path"),
    ({"sign_with": "/nonexistent/key"}, "cannot be read"),
    ({"expected_account_id": "999999999999"}, "999999999999"),
    ({"project": "emit"}, "no SSM parameter"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_what_cannot_be_approved(office: Office, options: dict[str, Any], message: str) -> None:
    result = office.lease(**options)
    assert result.get("failed"), result
    assert message in result["msg"]
    assert (office.parameters(), office.log()) == ({}, [])


def test_a_bucket_is_for_keys_that_the_recipients_client_opens(office: Office) -> None:
    now = datetime.now(UTC)
    card = people.card_holder(office.folder, start=now - people.DAY, end=now + people.DAY)
    handoff = {**office.common["handoff"], "public_keys": {"jdoe": card.certificate.read_text()}}
    refused = office.lease(handoff=handoff)
    assert "s3 needs a key of the kind age or openpgp" in refused["msg"]
    https = office.lease(channel="https", handoff={**handoff, "https": {"url": "https://127.0.0.1:9/up"}})
    assert https["changed"], https


def test_a_locked_venue_gets_no_lease_and_renews_none(office: Office, rows: Rows) -> None:
    office.lease()
    assert perform(revocation.OPERATION, **VENUE, state="locked")["changed"]
    assert "the venue is locked" in office.lease("jane")["msg"]
    result = office.renew()
    assert (result["failed"], rows(result)) == (True, {"jdoe": "failed"})
    assert "the venue is locked" in result["msg"]
    assert perform(revocation.OPERATION, **VENUE, state="unlocked")["changed"]
    assert rows(office.renew()) == {"jdoe": "renewed"}


def test_renewals_of_two_users(office: Office, rows: Rows) -> None:
    office.lease(access=["s3_read"], bucket_prefixes=["incoming"], ticket="SBG-17")
    office.lease("jane", days=1)
    checked = office.renew(check_mode=True)
    assert (checked["changed"], rows(checked), office.objects()) == (True, {"jane": "renewed", "jdoe": "renewed"}, [])
    first = office.renew()
    assert rows(first) == {"jane": "renewed", "jdoe": "renewed"}, first
    for user in ("jane", "jdoe"):
        facts = json.loads(office.bundle(user)["renewal.json"])
        assert facts["key"] == f"mdps-venue-sts/renewals/sbg/dev/{user}/token.zip.age"
        assert (facts["bucket"], facts["user"], facts["region"]) == (BUCKET, user, "us-west-2")
    (receipt,) = [one for one in office.receipts() if one["recipient"] == "jdoe" and one["state"] == "delivered"]
    assert receipt["context"]["lease"] == json.loads(office.parameters()["jdoe"])["id"]
    assert (receipt["context"]["ticket"], receipt["allows"]["bucket_prefixes"]) == ("SBG-17", ["incoming"])
    assert receipt["handoff"]["channel"] == "s3"
    second = office.renew()
    assert (second["changed"], rows(second)) == (False, {"jane": "waiting", "jdoe": "waiting"})
    office.later = timedelta(minutes=41)
    assert rows(office.renew()) == {"jane": "renewed", "jdoe": "renewed"}
    assert len(office.objects()) == 2


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"duration_seconds": 900},
        {"access": ["s3_read"], "buckets": [BUCKET]},
        {"access": ["s3_read"], "buckets": [BUCKET], "bucket_prefixes": ["incoming"]},
        {"access": ["ecr_pull"]},
    ],
    ids=str,
)
def test_a_token_of_a_lease_reads_its_own_renewals_and_no_others(
    office: Office, limits: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a session policy, the recipient could read the renewals of every other user in the bucket."""
    asked, call = [], BaseClient._make_api_call

    def note(client: BaseClient, operation: str, arguments: dict[str, Any]) -> Any:
        if operation == "AssumeRole":
            asked.append(arguments)
        return call(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", note)
    for user in ("jane", "jdoe"):
        office.lease(user, **limits)
    assert {row["result"] for row in office.renew()["leases"]} == {"renewed"}
    place = Location("aws", "us-west-2", "123456789012")
    wanted = [
        session_policy(
            parse_request(limits, Venue(**VENUE)), place, RenewalFolder(BUCKET, f"{RENEWALS}sbg/dev/{user}/")
        )
        for user in ("jane", "jdoe")
    ]
    assert [json.loads(arguments.get("Policy", "null")) for arguments in asked] == wanted
    reads = {one.get("Resource") for each in wanted for one in each["Statement"] if one["Action"] == "s3:GetObject"}
    assert reads - {None} == {f"arn:aws:s3:::{BUCKET}/{RENEWALS}sbg/dev/{user}/*" for user in ("jane", "jdoe")}
    assert all(arguments["DurationSeconds"] == limits.get("duration_seconds", 3600) for arguments in asked)


def test_a_lease_that_ended_is_recorded_and_removed(office: Office, rows: Rows) -> None:
    office.lease(days=1)
    office.renew()
    office.later = timedelta(days=1)
    result = office.renew()
    assert (rows(result), office.parameters()) == ({"jdoe": "ended"}, {})
    assert office.log() == [("approved", "jdoe"), ("ended", "jdoe")]
    assert office.renew() == {**result, "changed": False, "leases": []}


def test_the_last_token_ends_with_the_lease(office: Office) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=20)
    office.lease(days=None, end=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    (row,) = office.renew()["leases"]
    assert 900 <= row["receipt"]["duration_seconds"] <= 1200
    assert row["next_renewal"] is None


def test_one_lease_that_fails_does_not_stop_the_others(office: Office, rows: Rows) -> None:
    office.add("alba")
    for user in ("alba", "jane", "jdoe"):
        office.lease(user)
    office.people["alba"] = people.age_person(office.folder, "alba2")
    del office.people["jane"]
    result = office.renew()
    assert rows(result) == {"alba": "failed", "jane": "failed", "jdoe": "renewed"}
    problems = [row["problem"] for row in result["leases"]]
    assert "has changed since the lease was approved" in problems[0]
    assert "has no public key of jane" in problems[1]
    assert (result["error"], result["changed"]) == ("RenewalFailed", True)
    assert "2 of 3 leases were not renewed" in result["msg"]


def test_a_key_that_is_not_confirmed_gets_nothing(office: Office, rows: Rows) -> None:
    office.lease()
    handoff = office.common["handoff"]
    result = office.renew(handoff={**handoff, "fingerprints": ["age1another"]})
    assert (rows(result), office.objects(), office.receipts()) == ({"jdoe": "failed"}, [], [])
    assert "is not one of those in the option" in result["msg"]
    confirmed = [office.people["jdoe"].public]
    assert rows(office.renew(handoff={**handoff, "fingerprints": confirmed})) == {"jdoe": "renewed"}


def test_limits_of_the_inventory_count_and_not_the_lease(office: Office, rows: Rows) -> None:
    office.lease(access=["s3_write"])
    result = office.renew(limits={"access": ["s3_read"]})
    assert (rows(result), office.objects()) == ({"jdoe": "failed"}, [])
    assert "outside the limits of this venue" in result["msg"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"place": "s3://elsewhere/mdps-venue-sts/renewals/sbg/dev/jdoe/token.zip.age"}, "place is now"),
        ({"key_fingerprints": ["age1forged"]}, "has changed since"),
        ({"account_id": "999999999999"}, "was approved for account"),
        ({"request": {"buckets": ["elsewhere"]}}, "buckets"),
        ({"channel": "https", "place": "https://elsewhere.example.org/"}, "https.url"),
    ],
)
def test_a_forged_lease_gets_nothing(office: Office, rows: Rows, changes: dict[str, Any], problem: str) -> None:
    lease = office.lease()["lease"]
    office.moto.client("ssm").put_parameter(
        Name=f"{LEASES}/jdoe", Value=json.dumps({**lease, **changes}), Type="String", Overwrite=True
    )
    result = office.renew()
    assert (rows(result), office.objects(), office.receipts()) == ({"jdoe": "failed"}, [], [])
    assert problem in result["msg"]


def test_a_lease_longer_than_the_inventory_allows_is_not_renewed(office: Office, rows: Rows) -> None:
    lease = office.lease()["lease"]
    start = datetime.fromisoformat(lease["starts_at"])
    forged = {**lease, "ends_at": (start + timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    office.moto.client("ssm").put_parameter(
        Name=f"{LEASES}/jdoe", Value=json.dumps(forged), Type="String", Overwrite=True
    )
    result = office.renew()
    assert (rows(result), office.objects(), office.receipts()) == ({"jdoe": "failed"}, [], [])
    assert "at most 7 days (lease_maximum_days)" in result["msg"]
    assert "maximum_days" in office.renew(maximum_days=367)["msg"]
    assert rows(office.renew(maximum_days=365)) == {"jdoe": "renewed"}


def test_signed_leases(office: Office, rows: Rows) -> None:
    admin = people.ssh_person(office.folder)
    stranger = people.ssh_person(office.folder, "ecdsa", 256)
    signed = office.lease(sign_with=str(admin.identity))["lease"]
    assert signed["signature"]
    assert not office.lease(sign_with=str(admin.identity))["changed"]
    assert rows(office.renew(lease_signers=[admin.public])) == {"jdoe": "renewed"}
    office.later = timedelta(minutes=50)
    for signers in ([stranger.public], ["no key"]):
        assert office.renew(lease_signers=signers)["failed"]
    altered = {**signed, "ends_at": "2027-01-01T00:00:00Z"}
    for forged in (altered, {**signed, "signature": None}, {**signed, "signature": "A" * 300}):
        office.moto.client("ssm").put_parameter(
            Name=f"{LEASES}/jdoe", Value=json.dumps(forged), Type="String", Overwrite=True
        )
        result = office.renew(lease_signers=[admin.public])
        assert "signature" in result["msg"] or "not signed" in result["msg"]
        assert rows(result) == {"jdoe": "failed"}


def put_back(office: Office, lease: dict[str, Any]) -> None:
    """What somebody does who may write parameters, and has kept a copy."""
    value = json.dumps(lease, separators=(",", ":"))
    office.moto.client("ssm").put_parameter(Name=f"{LEASES}/jdoe", Value=value, Type="String", Overwrite=True)


def test_a_lease_does_not_come_back_after_the_user_was_revoked(office: Office, rows: Rows) -> None:
    admin = people.ssh_person(office.folder)
    office.later = timedelta(seconds=-5)  # an approval in the second of the revocation could be after it
    signed = office.lease(sign_with=str(admin.identity))["lease"]
    office.later = timedelta()
    office.renew()
    assert perform(revocation.OPERATION, **VENUE, user="jdoe")["changed"]
    put_back(office, signed)
    (office.folder / "leases.jsonl").unlink()  # another machine renews
    issued = len(office.receipts())
    result = office.renew(lease_signers=[admin.public])
    assert (rows(result), office.parameters(), len(office.receipts())) == ({"jdoe": "ended"}, {}, issued)
    assert "tokens were revoked after it was approved" in result["leases"][0]["problem"]
    office.later = timedelta(seconds=2)
    assert office.lease(sign_with=str(admin.identity))["changed"]
    assert rows(office.renew(lease_signers=[admin.public])) == {"jdoe": "renewed"}


def test_a_lease_does_not_come_back_after_it_was_ended_or_replaced(office: Office, rows: Rows) -> None:
    admin = people.ssh_person(office.folder)
    wide = office.lease(sign_with=str(admin.identity))["lease"]
    narrow = office.lease(sign_with=str(admin.identity), access=["s3_read"])["lease"]
    put_back(office, wide)
    replaced = office.renew(lease_signers=[admin.public])
    assert (rows(replaced), office.receipts()) == ({"jdoe": "failed"}, [])
    assert "it was replaced at" in replaced["msg"]
    put_back(office, narrow)
    assert rows(office.renew(lease_signers=[admin.public])) == {"jdoe": "renewed"}
    assert office.lease(state="absent")["changed"]
    put_back(office, narrow)
    ended = office.renew(lease_signers=[admin.public])
    assert rows(ended) == {"jdoe": "failed"}
    assert "it has ended at" in ended["msg"]


def test_a_signature_that_renewal_would_refuse_is_made_again(office: Office, rows: Rows) -> None:
    before, now = people.ssh_person(office.folder), people.ssh_person(office.folder, "ecdsa", 256)
    office.lease(sign_with=str(before.identity))
    assert "not by one of lease_signers" in office.renew(lease_signers=[now.public])["msg"]
    assert office.lease(sign_with=str(now.identity))["changed"]
    assert not office.lease(sign_with=str(now.identity))["changed"]
    assert rows(office.renew(lease_signers=[now.public])) == {"jdoe": "renewed"}


def test_an_approval_that_renewal_would_refuse_for_its_signature(office: Office) -> None:
    admin = people.ssh_person(office.folder)
    stranger = people.ssh_person(office.folder, "ecdsa", 256)
    assert "sign_with: is required" in office.lease(signers=[admin.public])["msg"]
    other = office.lease(signers=[admin.public], sign_with=str(stranger.identity))
    assert "is not in lease_signers" in other["msg"]
    assert office.parameters() == {}
    assert office.lease(signers=[admin.public], sign_with=str(admin.identity))["changed"]


def test_by_hand_at_any_time(office: Office, rows: Rows) -> None:
    office.lease()
    assert "by_hand" in office.renew(by_hand=True)["msg"]
    result = office.renew(user="jdoe", by_hand=True)
    assert rows(result) == {"jdoe": "renewed"}, result
    sealed = pathlib.Path(result["leases"][0]["delivery"]["path"]).read_text()
    facts = json.loads(office.opened("jdoe", sealed)["renewal.json"])
    assert (facts["bucket"], facts["signed"], office.objects()) == (BUCKET, "", [])
    assert rows(office.renew()) == {"jdoe": "waiting"}
    assert rows(office.renew(user="jdoe", by_hand=True)) == {"jdoe": "renewed"}
    assert "has no lease" in office.renew(user="jane")["msg"]


def test_two_concurrent_runs_issue_once(office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run begins and ends between the first one's read and its claim."""
    office.lease()
    write, second = renewing.write, []

    def write_then_overtaken(*arguments: Any) -> int:
        if not second:
            second.append(True)
            second.append(office.renew())
        return write(*arguments)

    monkeypatch.setattr(renewing, "write", write_then_overtaken)
    assert rows(office.renew()) == {"jdoe": "claimed"}
    assert rows(second[1]) == {"jdoe": "renewed"}
    assert len({one["access_key_id"] for one in office.receipts() if one["state"] == "delivered"}) == 1


def before_the_first_lease(monkeypatch: pytest.MonkeyPatch, happening: Callable[[], Any]) -> None:
    """Let something happen once, after a run has read the leases and before it handles the first."""
    chosen, happened = renewing.Run._chosen, []

    def choose_then_happen(run: renewing.Run, found: Any) -> Any:
        leases = chosen(run, found)
        if not happened:
            happened.append(True)
            happening()
        return leases

    monkeypatch.setattr(renewing.Run, "_chosen", choose_then_happen)


def test_a_lease_that_is_approved_again_during_a_run_is_not_removed(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.lease(days=1)
    office.later = timedelta(days=1)
    before_the_first_lease(monkeypatch, lambda: office.lease(days=2))
    assert rows(office.renew()) == {"jdoe": "renewed"}
    assert office.log() == [("approved", "jdoe"), ("approved", "jdoe")]


def test_what_another_run_recorded_meanwhile_is_kept(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.lease()
    before_the_first_lease(monkeypatch, office.renew)
    assert rows(office.renew()) == {"jdoe": "waiting"}
    recorded = json.loads(office.parameters()["jdoe/renewal"])
    assert (recorded["claim"], recorded["session_name"]) == (None, office.receipts()[-1]["session_name"])


@pytest.mark.parametrize("damage", [True, False])
def test_a_lease_that_is_gone_when_its_turn_comes(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch, damage: bool
) -> None:
    lease = office.lease()["lease"]
    broken = {**lease, "user": "jane"}
    before_the_first_lease(monkeypatch, lambda: put_back(office, broken) if damage else office.lease(state="absent"))
    result = office.renew()
    assert (rows(result), office.receipts()) == ({"jdoe": "failed" if damage else "ended"}, [])
    assert ("another venue or user" if damage else "during this run") in result["leases"][0]["problem"]


def refuse(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """Let AWS refuse a call."""
    call = BaseClient._make_api_call

    def refused(client: BaseClient, name: str, arguments: dict[str, Any]) -> Any:
        if name == operation:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, name)
        return call(client, name, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", refused)


def test_an_approval_that_failed_replaces_no_lease(office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    office.lease()
    with monkeypatch.context() as limited:
        refuse(limited, "PutParameter")
        assert office.lease(access=["s3_read"])["failed"]
    assert rows(office.renew()) == {"jdoe": "renewed"}
    assert office.log() == [("approved", "jdoe")]


def test_a_lease_whose_removal_failed_is_removed_by_the_next_run(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.lease()
    session = office.renew()["leases"][0]["receipt"]["session_name"]
    perform(revocation.OPERATION, **VENUE, session_name=session)
    office.later = timedelta(minutes=45)
    with monkeypatch.context() as limited:
        refuse(limited, "DeleteParameters")
        assert rows(office.renew()) == {"jdoe": "failed"}
    assert (rows(office.renew()), office.parameters()) == ({"jdoe": "ended"}, {})


def test_another_run_that_is_renewing_is_left_alone(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.lease()
    inner: list[dict[str, Any]] = []

    def deliver(self: s3.S3Channel, parcel: Any) -> Any:
        inner.append(office.renew())
        raise DeliveryFailed("no bucket.")

    monkeypatch.setattr(s3.S3Channel, "deliver", deliver)
    failed = office.renew()
    assert (rows(inner[0]), rows(failed)) == ({"jdoe": "claimed"}, {"jdoe": "failed"})
    assert "no bucket" in json.loads(office.parameters()["jdoe/renewal"])["problem"]


def test_a_lease_that_ends_while_its_token_is_issued_is_not_delivered(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.lease()
    write = renewing.write

    def write_then_ended(*arguments: Any) -> int:
        version = write(*arguments)
        office.lease(state="absent")
        return version

    monkeypatch.setattr(renewing, "write", write_then_ended)
    result = office.renew()
    assert (rows(result), office.objects()) == ({"jdoe": "failed"}, [])
    assert "was ended or approved again" in result["msg"]
    assert office.receipts()[-1]["state"] == "failed"
    assert "jdoe" not in office.parameters()


def test_a_revoked_token_ends_its_lease(office: Office, rows: Rows) -> None:
    office.lease()
    receipt = parse_receipt("receipt", office.renew()["leases"][0]["receipt"])
    perform(revocation.OPERATION, **VENUE, session_name=receipt.session_name)
    office.later = timedelta(minutes=45)
    result = office.renew()
    assert (rows(result), office.parameters()) == ({"jdoe": "ended"}, {})
    assert "was revoked" in result["leases"][0]["problem"]


def test_a_lock_pauses_a_lease_whose_token_it_revoked(office: Office, rows: Rows) -> None:
    office.lease()
    office.renew()
    assert perform(revocation.OPERATION, **VENUE, state="locked")["changed"]
    office.later = timedelta(minutes=45)
    locked = office.renew()
    assert (rows(locked), "jdoe" in office.parameters()) == ({"jdoe": "failed"}, True)
    assert "the venue is locked" in locked["msg"]
    assert perform(revocation.OPERATION, **VENUE, state="unlocked")["changed"]
    assert rows(office.renew()) == {"jdoe": "renewed"}
    assert office.log() == [("approved", "jdoe")]


def test_revoking_everything_ends_every_lease_itself(office: Office) -> None:
    office.lease()
    office.renew()
    assert perform(revocation.OPERATION, **VENUE, all=True)["changed"]
    assert office.parameters() == {}


def test_what_is_no_lease_is_named_and_stops_nothing(office: Office, rows: Rows) -> None:
    office.lease()
    office.moto.client("ssm").put_parameter(Name=f"{LEASES}/broken", Value="{}", Type="String")
    result = office.renew()
    assert (rows(result), result["failed"]) == ({"broken": "failed", "jdoe": "renewed"}, True)
    assert "is not a lease" in result["msg"]
    assert len({tuple(row) for row in result["leases"]}) == 1
    assert rows(office.renew(user="jdoe")) == {"jdoe": "renewed"}
    assert rows(office.renew(user="broken")) == {"broken": "failed"}


def test_a_fault_with_one_lease_does_not_stop_the_others(
    office: Office, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("jane", "jdoe"):
        office.lease(user)
    check = renewing.lease_venue.check_keys

    def check_keys(person: Any, lease: Any) -> None:
        if lease.user == "jane":
            raise KeyError("FAKE-secret")
        check(person, lease)

    monkeypatch.setattr(renewing.lease_venue, "check_keys", check_keys)
    result = office.renew()
    assert rows(result) == {"jane": "failed", "jdoe": "renewed"}
    assert "FAKE-secret" not in json.dumps(result)
