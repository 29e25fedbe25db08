# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_incident_info`` and the playbook ``incident``, against moto with a CloudTrail in front of it.

moto's own LookupEvents answers 500, so CloudTrail's answers come from the test double. moto's GetAccessKeyInfo answers
the caller's account for any key.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_names import renewal_name
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import incident_info, role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing

from tests.support.cloudtrail import CloudTrail, derive_event, issue_event, use_event
from tests.support.fault_proxy import Answer, Call, in_front_of
from tests.support.leases import lease, renewed
from tests.support.operations import perform
from tests.support.playbook import ansible_playbook, run_tasks
from tests.support.receipts import ago, issued
from tests.support.servers import Moto

MODULE = "mdps.venue_sts.venue_sts_incident_info"
VENUE = {"project": "sbg", "venue": "dev"}
ROLE = "unity-sbg-dev-sts"
KEY, CHILD = "ASIAEXAMPLE000000001", "ASIAEXAMPLEEXAMPLE0C"
USERS = ("jane", "jdoe")
SECRET = "an-external-id-that-nobody-may-see"


def receipt(**changes: Any) -> Receipt:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    context = {"requester": "jdoe", "approver": "jane", "ticket": "MDPS-7"}
    return issued(**{"at": at, "session_name": "jdoe-1", "context": context, **changes})


@dataclass
class Found:
    """A key of the venue sbg-dev that somebody has found."""

    moto: Moto
    folder: pathlib.Path
    role_id: str
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def receipts(self) -> str:
        return str(self.folder / "receipts.jsonl")

    def write(self, *receipts: Receipt | str) -> None:
        lines = [one if isinstance(one, str) else one.to_line() for one in receipts]
        (self.folder / "receipts.jsonl").write_text("".join(f"{one}\n" for one in lines))

    def issue(self, session: str = "jdoe-1", key: str = KEY, minutes: int = 30, **changes: Any) -> None:
        asked = {
            "roleArn": f"arn:aws:iam::123456789012:role/{ROLE}",
            "roleSessionName": session,
            "durationSeconds": 3600,
            "externalId": SECRET,
        }
        made = issue_event(session, key, ago(minutes=minutes), **{"requestParameters": asked, **changes})
        made["responseElements"]["assumedRoleUser"]["assumedRoleId"] = f"{self.role_id}:{session}"
        self.events.append(made)

    def use(self, minutes: int, action: str = "DescribeRepositories", key: str = KEY, **changes: Any) -> None:
        who = {
            "principalId": f"{self.role_id}:jdoe-1",
            "arn": f"arn:aws:sts::123456789012:assumed-role/{ROLE}/jdoe-1",
            "accessKeyId": key,
        }
        self.events.append(use_event(key, ago(minutes=minutes), action, **{"userIdentity": who, **changes}))

    def look(self, runtime: Runtime | None = None, trail: dict[str, Any] | None = None, **options: Any) -> Any:
        asked = {"access_key_id": KEY, "receipts_file": self.receipts, **options}
        with CloudTrail(self.moto.url, self.events, **(trail or {})) as double, pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_URL", double.url)
            result = perform(incident_info.OPERATION, runtime or QUICK, **asked)
            result["__double"] = double
            return result


QUICK = Runtime(sleep=lambda _seconds: None)


@pytest.fixture
def found(venue: Moto, tmp_path: pathlib.Path) -> Iterator[Found]:
    role_id = venue.client("iam").get_role(RoleName=ROLE)["Role"]["RoleId"]
    one = Found(venue, tmp_path, role_id)
    one.write(receipt())
    one.issue()
    yield one


def test_everything_is_found_from_the_key_alone(found: Found) -> None:
    found.use(20)
    found.use(10, "ListUsers", eventSource="iam.amazonaws.com", errorCode="AccessDenied", awsRegion="us-east-1")
    found.events.append(derive_event(KEY, CHILD, ago(minutes=15), userIdentity=found.events[1]["userIdentity"]))
    found.use(5, key=CHILD, sourceIPAddress="198.51.100.7")
    found.use(4, key="ASIAEXAMPLEEXAMPLE0S")
    result = found.look()
    assert "failed" not in result, result
    assert (result["account_id"], result["in_account"], result["changed"]) == ("123456789012", True, False)
    assert (result["session"]["state"], result["session"]["session_name"]) == ("live", "jdoe-1")
    origin = result["provenance"]
    assert (origin["recipient"], origin["approver"], origin["ticket"]) == ("jdoe", "jane", "MDPS-7")
    assert (result["venue"], result["role"]["locked"]) == (VENUE, False)
    assert (result["derived_keys"], result["other_keys"]) == ([CHILD], ["ASIAEXAMPLEEXAMPLE0S"])
    use = result["use"]
    assert (use["events"], use["denied"], use["last_at"][:10]) == (5, 1, ago(minutes=4)[:10])
    assert {one["value"] for one in use["regions"]} == {"us-west-2", "us-east-1"}
    assert {one["value"] for one in use["addresses"]} == {"192.0.2.10", "198.51.100.7"}
    assert CHILD in result["queries"]["athena"]
    assert "nobody-may-see" not in json.dumps({**result, "__double": None})
    asked = result["__double"]
    assert set(asked.regions) == {"us-west-2", "us-east-1"}


def test_without_receipts_and_without_cloudtrail(found: Found) -> None:
    found.write()
    by_event = found.look()
    assert (by_event["session"]["sources"], by_event["venue"]) == (["cloudtrail"], VENUE)
    assert any("No receipt agrees" in one for one in by_event["gaps"])
    found.write(receipt())
    not_asked = found.look(cloudtrail=False)
    assert (not_asked["session"]["sources"], not_asked["__double"].asked) == (["receipt"], [])
    refused = found.look(trail={"refuse": "AccessDeniedException"})
    assert (refused["session"]["sources"], refused["venue"]) == (["receipt"], VENUE)
    assert any("cloudtrail:LookupEvents" in one for one in refused["gaps"])


def test_a_key_that_was_derived_is_traced_to_its_token(found: Found) -> None:
    found.events.append(derive_event(KEY, CHILD, ago(minutes=15), userIdentity={"accessKeyId": KEY}))
    result = found.look(access_key_id=CHILD)
    # LookupEvents is asked for the key as a resource; the double knows a GetScopedCredentials event by its new key.
    assert (result["parent_keys"], result["session"]["access_key_id"]) == ([KEY], KEY)
    assert result["provenance"]["recipient"] == "jdoe"


def test_forged_receipts_change_nothing(found: Found) -> None:
    stranger = receipt(venue=receipt().venue, role_arn="arn:aws:iam::123456789012:role/Admin")
    elsewhere = receipt(account_id="210987654321", role_arn=f"arn:aws:iam::210987654321:role/{ROLE}")
    found.write("{", stranger, elsewhere, receipt(), '{"schema": 2, "handoff": null}')
    result = found.look()
    assert (result["session"]["role_name"], result["unreadable"]) == (ROLE, 2)
    assert len([one for one in result["problems"] if "is ignored" in one]) == 2
    found.events.clear()
    found.write(stranger, receipt())
    assert found.look()["ambiguous"] is True


def test_a_role_that_was_deleted_and_made_again(found: Found) -> None:
    old = found.role_id
    assert "failed" not in perform(role.OPERATION, **VENUE, state="absent")
    assert "failed" not in perform(role.OPERATION, **VENUE)
    assert found.moto.client("iam").get_role(RoleName=ROLE)["Role"]["RoleId"] != old
    found.use(5, key="ASIAEXAMPLEEXAMPLE0N", userIdentity={
        "principalId": "AROAOFTHENEWROLE0000:jdoe-1", "arn": f"arn:aws:sts::1:assumed-role/{ROLE}/jdoe-1",
        "accessKeyId": "ASIAEXAMPLEEXAMPLE0N",
    })  # fmt: skip
    result = found.look()
    assert (result["session"]["state"], result["other_keys"]) == ("role_gone", [])


def test_a_session_name_of_two_venues(found: Found) -> None:
    found.use(20)
    found.use(10, key="ASIAEXAMPLEEXAMPLE0E", userIdentity={
        "principalId": "AROAOFANOTHERVENUE00:jdoe-1",
        "arn": "arn:aws:sts::123456789012:assumed-role/unity-emit-ops-sts/jdoe-1",
        "accessKeyId": "ASIAEXAMPLEEXAMPLE0E",
    })  # fmt: skip
    result = found.look()
    assert (result["use"]["events"], result["other_keys"]) == (1, [])


def test_a_clock_that_is_wrong(found: Found) -> None:
    off = Runtime(sleep=lambda _seconds: None, now=lambda: datetime.now(UTC) + timedelta(hours=3))
    assert found.look(off)["session"]["state"] == "live"
    found.events.clear()
    found.issue(minutes=10)
    assert any("differs from AWS's by" in one for one in found.look()["problems"])


def test_ten_thousand_events_and_no_faster_than_cloudtrail_allows(found: Found) -> None:
    for number in range(10_000):
        found.use(25, eventID=str(number), sourceIPAddress=f"192.0.2.{number % 7}")
    slept: list[float] = []
    started = time.monotonic()
    result = found.look(Runtime(sleep=slept.append), {"page": 50}, regions=["us-west-2"])
    assert (result["use"]["events"], result["truncated"], len(result["calls"])) == (10_000, False, 1000)
    requests = len(result["__double"].asked)
    assert requests > 400
    assert sum(slept) == pytest.approx((requests - 1) * 0.5)
    assert time.monotonic() - started < 120
    few = found.look(trail={"page": 50}, regions=["us-west-2"], max_pages=3)
    assert (few["truncated"], few["use"]["events"]) == (True, 150)
    assert any("max_pages" in one for one in few["gaps"])


def test_a_cloudtrail_that_throttles(found: Found) -> None:
    """With the real pauses, two requests a second are not exceeded."""
    for minutes in range(6):
        found.use(10 + minutes)
    result = found.look(Runtime(), {"per_second": 2, "page": 2}, regions=["us-west-2"])
    assert (result["use"]["events"], result["gaps"][0][:20]) == (6, "Only events of these")
    assert result["__double"].throttled <= 2


def test_keys_of_another_account(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_info, "_account_of", lambda _sts, _key: "210987654321")
    result = found.look()
    assert (result["in_account"], result["__double"].asked, result["use"]["events"]) == (False, [], 0)
    assert 'broker_account: "210987654321"' in result["problems"][0]
    assert "with credentials for account 210987654321" in result["next_step"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"access_key_id": "secret/with+signs"}, "not an access key ID"),
        ({"access_key_id": ""}, "must not be empty"),
        ({"access_key_id": KEY, "regions": []}, "must not be empty"),
        ({"access_key_id": KEY, "regions": ["../x"]}, "not a region"),
        ({"access_key_id": KEY, "max_pages": 0}, "at least 1"),
        ({"access_key_id": KEY, "receipts_file": "/nonexistent/receipts"}, "cannot be read"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    result = perform(incident_info.OPERATION, **options)
    assert result["failed"]
    assert message in result["msg"]


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_both_front_ends(found: Found, shipped: bool) -> None:
    found.use(20)
    with CloudTrail(found.moto.url, found.events) as double:
        env = {**found.moto.environment(), "AWS_URL": double.url}
        asked = {"access_key_id": KEY, "receipts_file": found.receipts}
        (result,) = run_tasks([{MODULE: asked}], env=env, cwd=found.folder, shipped=shipped)
    assert (result["session"]["recipient"], result["use"]["events"]) == ("jdoe", 1)
    assert "nobody-may-see" not in json.dumps(result)


def test_one_region_of_cloudtrail_that_fails_hides_no_other(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = incident_info.look_up

    def refused(client: Any, *arguments: Any, **options: Any) -> Any:
        if client.meta.region_name == "eu-west-1":
            raise AwsRefused("denied.", operation="cloudtrail:LookupEvents", code="AccessDeniedException")
        return looked(client, *arguments, **options)

    monkeypatch.setattr(incident_info, "look_up", refused)
    found.use(20)
    found.write()
    result = found.look(regions=["eu-west-1", "us-west-2"])
    assert (result["session"]["sources"], result["use"]["events"]) == (["cloudtrail"], 1)
    assert "CloudTrail of eu-west-1 could not be read: denied." in result["gaps"]


def test_a_key_is_known_by_its_calls_where_its_issue_is_in_another_region(found: Found) -> None:
    found.write()
    found.events[0]["awsRegion"] = "eu-west-1"
    who = {
        "principalId": f"{found.role_id}:jdoe-1",
        "arn": f"arn:aws:sts::123456789012:assumed-role/{ROLE}/jdoe-1",
        "accessKeyId": KEY,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::123456789012:role/{ROLE}"},
            "attributes": {"creationDate": ago(minutes=30)},
        },
    }
    for minutes in (20, 10, 5):
        found.use(minutes, userIdentity=who)
    result = found.look(trail={"page": 2})
    assert (result["session"]["state"], result["session"]["session_name"], result["venue"]) == ("live", "jdoe-1", VENUE)
    assert (result["use"]["events"], result["truncated"]) == (3, False)
    assert any("no event of the issue in these regions" in one for one in result["gaps"])


def test_one_store_of_receipts_that_fails_hides_no_other(found: Found) -> None:
    found.events.clear()
    result = found.look(receipts_s3=["s3://no-such-bucket/receipts"], receipts_ssm_path=["/nothing/here"])
    assert (result["session"]["session_name"], result["session"]["sources"]) == ("jdoe-1", ["receipt"])
    assert ["no-such-bucket" in one for one in result["gaps"] if "receipts could not be read" in one] == [True]


def test_without_a_receipt_the_lease_is_found_by_the_name_of_the_session(found: Found) -> None:
    now = datetime.now(UTC)
    held = {one: lease(one, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=2)) for one in USERS}
    for user, one in held.items():
        found.moto.client("ssm").put_parameter(
            Name=f"/unity/sbg/dev/cs/sts/leases/{user}", Value=one.to_line(), Type="String"
        )
    found.write()
    found.events.clear()
    found.issue(session=issued("jdoe").session_name)
    result = found.look()
    assert (result["lease"]["user"], result["lease"]["id"]) == ("jdoe", held["jdoe"].id)
    assert result["provenance"]["recipient"] == "jdoe"
    found.events.clear()
    found.issue(session="somebody")
    assert found.look()["lease"] is None


# The playbook.


def play(
    found: Found, *options: str, code: int = 0, behind: str = "", receipts: str | None = "receipts_file=receipts.jsonl"
) -> str:
    command = ["mdps.venue_sts.incident", *(["-e", receipts] if receipts else []), *options]
    with CloudTrail(behind or found.moto.url, found.events) as double:
        env = {**found.moto.environment(), "AWS_URL": double.url}
        return ansible_playbook(*command, env=env, cwd=found.folder).expect(code).output


def policies(found: Found) -> list[str]:
    names = found.moto.client("iam").list_role_policies(RoleName=ROLE)["PolicyNames"]
    return [one for one in names if one != "venue-access"]


def test_the_playbook_shows_one_screen_and_then_acts(found: Found) -> None:
    token = perform(issuing.OPERATION, **VENUE, user="jdoe")["receipt"]
    found.write(json.dumps(token))
    found.events.clear()
    key = ("-e", f"access_key_id={token['access_key_id']}")
    shown = play(found, *key, "-e", "dest=incident.html", "-e", "json=incident.json")
    assert "RECIPIENT     jdoe" in shown
    assert "STATE         VALID until" in shown
    assert "-e act=true" in shown
    assert policies(found) == []
    page = (found.folder / "incident.html").read_text()
    assert token["access_key_id"] in page
    assert (found.folder / "incident.html").stat().st_mode & 0o777 == 0o600
    assert json.loads((found.folder / "incident.json").read_text())["venue"] == VENUE
    acted = play(found, *key, "-e", "act=true", "-e", "verify=false", "-e", "lock=true")
    assert f"session {token['session_name']}, issued before" in acted
    assert "LOCKED        the venue sbg / dev" in acted
    (name,) = policies(found)
    assert name.endswith("-all")  # the lock covers the single session
    assert "STATE         revoked" in play(found, *key)


def test_receipts_are_read_where_the_venues_of_the_inventory_keep_them(found: Found) -> None:
    found.write(receipt())
    hosts: dict[str, Any] = {
        "sbg-dev": {**VENUE, "handoff_receipts_file": "{{ inventory_dir }}/receipts.jsonl"},
        "sbg-ops": {"project": "sbg", "venue": "ops", "handoff_receipts_file": "not-yet.jsonl"},
        "emit-dev": {"project": "emit", "venue": "dev", "handoff_receipts_s3": "{{ nothing }}"},
    }
    key = ("-e", f"access_key_id={KEY}", "-e", "cloudtrail=false")

    def shown(receipts: str | None = None) -> str:
        (found.folder / "inventory.json").write_text(json.dumps({"venues": {"hosts": hosts}}))
        return play(found, "-i", "inventory.json", *key, receipts=receipts)

    assert "RECIPIENT     jdoe" in shown()
    assert "host emit-dev: handoff_receipts_s3: 'nothing' is undefined" in shown()
    (found.folder / "not-yet.jsonl").touch()
    assert f"The receipts in {found.folder}/not-yet.jsonl are not read." in shown()
    assert "The receipts in" not in shown("receipts_file=receipts.jsonl")
    assert "TOKEN         not known" in shown("receipts_file=not-yet.jsonl")


def test_the_lease_behind_a_token_is_shown_and_ends_first(found: Found) -> None:
    now = datetime.now(UTC)
    held = lease("jdoe", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=2))
    ssm, name = found.moto.client("ssm"), "/unity/sbg/dev/cs/sts/leases/jdoe"
    ssm.put_parameter(Name=name, Value=held.to_line(), Type="String")
    acted = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "verify=false")
    assert f"LEASE         {held.id}, active until" in acted
    assert acted.index("End the lease of the recipient") < acted.index("Revoke the tokens of the session")
    assert ssm.get_parameters(Names=[name])["Parameters"] == []
    assert any("=jdoe-1" in one for one in policies(found))


@pytest.mark.parametrize("known", [True, False], ids=["with a receipt", "without a receipt"])
def test_another_run_ends_the_tokens_of_a_lease_that_an_earlier_one_ended(found: Found, known: bool) -> None:
    """The earlier run could not revoke the user's tokens. Until that is done, the record of renewals stays."""
    ssm, name = found.moto.client("ssm"), renewal_name("/unity/sbg/dev/cs/sts/leases", "jdoe")
    ssm.put_parameter(Name=name, Value=renewed(0, 60).to_line(), Type="String")
    if not known:
        found.write()
        found.events.clear()
        found.issue(session=issued("jdoe").session_name)
    acted = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "verify=false")
    assert "LEASE         not known, ended" in acted
    assert "LEASE         of jdoe: has ended" in acted
    assert any(one.endswith("-user=jdoe") for one in policies(found))
    assert ssm.get_parameters(Names=[name])["Parameters"] == []


def test_the_playbook_acts_on_nothing_that_it_does_not_know(found: Found) -> None:
    found.write()
    found.events.clear()
    refused = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", code=2)
    assert "Nothing was changed" in refused
    assert policies(found) == []


def test_a_key_that_has_ended_is_not_revoked(found: Found) -> None:
    found.events.clear()
    found.issue(minutes=90)
    found.write()
    shown = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true")
    assert "STATE         ended at" in shown
    assert policies(found) == []


def test_a_session_of_web_identity_comes_back_until_its_subject_is_revoked(found: Found) -> None:
    found.events.clear()
    found.write()
    found.issue(eventName="AssumeRoleWithWebIdentity")
    found.events[0]["responseElements"] |= {
        "subjectFromWebIdentityToken": "kim",
        "provider": "arn:aws:iam::123456789012:oidc-provider/login.example.org",
    }
    asked = ("-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "verify=false")
    acted = play(found, *asked)
    assert "SUBJECT       kim, of the issuer login.example.org" in acted
    assert "NOT ENDED     the subject of the session's web identity token" in acted
    person = {"web_identity_issuer": "https://login.example.org", "web_identity_subject": "kim"}
    assert perform(revocation.OPERATION, **VENUE, **person)["changed"]
    assert "NOT ENDED     the subject" not in play(found, *asked)


def trust(found: Found) -> str:
    return json.dumps(found.moto.client("iam").get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"])


def test_a_proof_that_fails_keeps_nobody_from_the_lock(found: Found) -> None:
    """Moto enforces no policy, so no lock is ever proven there."""
    options = ("-e", "act=true", "-e", "lock=true", "-e", "revoke_wait_timeout=0")
    acted = play(found, "-e", f"access_key_id={KEY}", *options, code=2)
    assert "MdpsVenueLocked" in trust(found)
    last = acted[acted.rindex("fatal:") :]
    assert "NOT EVERYTHING SUCCEEDED" in last
    assert "LOCKED        the venue sbg / dev" in last


def test_a_lease_below_another_path_is_found_and_ends(found: Found) -> None:
    now, path = datetime.now(UTC), "/unity/sbg/dev/approved"
    held = lease("jdoe", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=2))
    ssm = found.moto.client("ssm")
    ssm.put_parameter(Name=f"{path}/jdoe", Value=held.to_line(), Type="String")
    key = ("-e", f"access_key_id={KEY}", "-e", f"venue_sts_lease_path={path}")
    acted = play(found, *key, "-e", "act=true", "-e", "verify=false")
    assert "LEASE         of jdoe: has ended" in acted
    assert ssm.get_parameters(Names=[f"{path}/jdoe"])["Parameters"] == []


@pytest.mark.parametrize("mistyped", [("act=ture",), ("act=true", "lock=ture"), ("act=true", "verify=ture")])
def test_a_mistyped_answer_is_an_error_before_anything_else(found: Found, mistyped: tuple[str, ...]) -> None:
    options = [word for one in mistyped for word in ("-e", one)]
    refused = play(found, "-e", f"access_key_id={KEY}", *options, code=2)
    assert f"{mistyped[-1].partition('=')[0]}: 'ture' is neither true nor false" in refused
    assert "Gather information about the key" not in refused
    assert policies(found) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Which key was found? Add -e access_key_id=ID."),
        (("-e", f"access_key_id={KEY}", "-e", "dest="), "dest must be the name of a file. '' is empty or a folder."),
        (("-e", f"access_key_id={KEY}", "-e", "json=."), "json must be the name of a file. '.' is empty or a folder."),
        (("-e", f"access_key_id={KEY}", "-e", "lock="), "lock: '' is neither true nor false"),
    ],
    ids=str,
)
def test_what_is_missing_or_no_file_is_an_error_before_anything_else(
    found: Found, options: tuple[str, ...], said: str
) -> None:
    refused = play(found, *options, "-e", "act=true", code=2)
    assert said in " ".join(refused.split())
    assert "Gather information about the key" not in refused
    assert policies(found) == []


def test_a_role_that_only_a_receipt_says_to_be_the_venues_is_left_alone(found: Found) -> None:
    iam, trust_of_admin = found.moto.client("iam"), json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="Admin", AssumeRolePolicyDocument=trust_of_admin)
    found.events.clear()
    found.write(receipt(role_arn="arn:aws:iam::123456789012:role/Admin"))
    acted = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "lock=true", code=2)
    assert "Nothing was changed" in acted
    assert "do not say that it is a venue's role for tokens" in acted
    assert iam.list_role_policies(RoleName="Admin")["PolicyNames"] == policies(found) == []


def test_receipts_alone_do_not_say_that_a_key_has_ended(found: Found) -> None:
    found.events.clear()
    found.write(json.dumps({**receipt().to_json(), "assumed_role_id": "AROAOTHEROTHEROTHER1:jdoe-1"}))
    acted = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "verify=false")
    assert "ENDED         session jdoe-1" in acted
    assert any("=jdoe-1" in one for one in policies(found))


def test_a_token_of_another_account_is_not_looked_for_here(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_info, "_account_of", lambda *_: None)
    found.events.clear()
    other = "210987654321"
    found.write(receipt(account_id=other, role_arn=f"arn:aws:iam::{other}:role/{ROLE}"))
    result = found.look()
    assert (result["in_account"], other in result["problems"][0]) == (False, True)


def test_a_page_that_cannot_be_written_keeps_no_key_valid(found: Found) -> None:
    options = ("-e", "act=true", "-e", "verify=false", "-e", f"dest={found.folder}/missing/incident.html")
    play(found, "-e", f"access_key_id={KEY}", *options, code=2)
    assert any("=jdoe-1" in one for one in policies(found))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("no keys at all", "keys_file"),
        ("ASIAEXAMPLEEXAMPLE99", "has the credentials of ASIAEXAMPLEEXAMPLE99, not of"),
    ],
)
def test_a_file_of_other_keys_is_noticed_before_anything_ends(found: Found, text: str | None, message: str) -> None:
    place = found.folder / "found.txt"
    if text is not None:
        place.write_text(
            text
            if " " in text
            else f"AWS_ACCESS_KEY_ID={text}\nAWS_SECRET_ACCESS_KEY={'FAKE' * 10}\nAWS_SESSION_TOKEN={'FAKE' * 25}\n"
        )
        place.chmod(0o600)
    acted = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "keys_file=found.txt", code=2)
    assert message in acted
    assert "FAKEFAKE" not in acted
    assert policies(found) == []


@pytest.mark.parametrize("variable", ["keys_file", "revoke_keys_file"])
def test_the_keys_are_used_for_the_proof_only(found: Found, variable: str) -> None:
    """Moto enforces no policy, so nothing is ever proven there."""
    place = found.folder / "found.txt"
    place.write_text(f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={'FAKE' * 10}\nAWS_SESSION_TOKEN={'FAKE' * 25}\n")
    place.chmod(0o600)
    options = ("-e", "act=true", "-e", "revoke_wait_timeout=0", "-e", f"{variable}=found.txt")
    acted = play(found, "-e", f"access_key_id={KEY}", *options, code=2)
    assert any("=jdoe-1" in one for one in policies(found))
    assert "is used only with verify" not in acted


def test_receipts_that_contradict_each_other_keep_nobody_from_the_lock(found: Found) -> None:
    found.events.clear()
    found.write(receipt(), receipt(session_name="jane-1", user="jane"))
    options = ("-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "verify=false")
    refused = play(found, *options, code=2)
    assert "Nothing was changed" in refused and "-e lock=true, which locks the venue" in refused
    assert policies(found) == []
    acted = play(found, *options, "-e", "lock=true", code=2)
    assert "MdpsVenueLocked" in trust(found) and [one[-4:] for one in policies(found)] == ["-all"]
    last = acted[acted.rindex("fatal:") :]
    assert "LOCKED        the venue sbg / dev" in last and "ENDED         the key, before" not in last
    assert "It is not known which of these tokens" in last and "(jane, jdoe)" in last


def test_receipts_that_contradict_each_other_on_the_venue_lock_none(found: Found) -> None:
    found.events.clear()
    emit = Venue("emit", "ops")
    found.write(receipt(), receipt(venue=emit, role_arn="arn:aws:iam::123456789012:role/unity-emit-ops-sts"))
    refused = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "lock=true", code=2)
    assert "Nothing was changed" in refused and "-e project=emit -e venue=ops -e access_key_id" in refused
    assert "MdpsVenueLocked" not in trust(found)


@pytest.mark.parametrize("known", [False, True], ids=["without a receipt", "with a receipt"])
def test_a_role_that_may_not_be_read_hides_nothing_else(found: Found, known: bool) -> None:
    """The policy for revokers shows the roles of venues only, and the key may be of any role of the account."""
    admin = "arn:aws:iam::123456789012:role/Admin"
    found.events.clear()
    found.issue(requestParameters={"roleArn": admin, "roleSessionName": "jdoe-1", "durationSeconds": 3600})
    found.write(*([receipt(role_arn=admin)] if known else []))

    def no_admin(call: Call) -> Answer:
        if call.action == "iam:GetRole" and "Admin" in str(call.parameters):
            return call.refuse("AccessDenied", "not allowed", 403)
        return call.forward()

    with in_front_of(found.moto.url) as proxy:
        proxy.set(no_admin)
        options = ("-e", f"access_key_id={KEY}", "-e", "act=true")
        shown = play(found, *options, code=2, behind=proxy.url)
    assert "STATE         VALID until" in shown and "role Admin (not read)" in shown
    assert "The role Admin could not be read" in shown
    assert "Nothing was changed" in shown[shown.rindex("fatal:") :]


def test_receipts_are_read_where_the_playbook_issue_keeps_them(found: Found) -> None:
    found.events.clear()
    with CloudTrail(found.moto.url, found.events) as double:
        env = {**found.moto.environment(), "AWS_URL": double.url}
        command = [
            "mdps.venue_sts.incident",
            "-e",
            f"access_key_id={KEY}",
            "-e",
            f"handoff_receipts_file={found.receipts}",
        ]
        shown = ansible_playbook(*command, env=env, cwd=found.folder).expect(0).output
    assert "RECIPIENT     jdoe" in shown


def test_the_variables_for_every_role_count_for_the_investigation_too(found: Found) -> None:
    found.events.clear()
    with CloudTrail(found.moto.url, found.events) as double:
        env = {name: value for name, value in found.moto.environment().items() if "REGION" not in name}
        command = ["mdps.venue_sts.incident", "-e", f"access_key_id={KEY}", "-e", "venue_sts_region=us-west-2"]
        command += ["-e", f"receipts_file={found.receipts}"]
        shown = ansible_playbook(*command, env={**env, "AWS_URL": double.url}, cwd=found.folder).expect(0).output
    assert "RECIPIENT     jdoe" in shown


def test_a_lock_without_act_is_an_error(found: Found) -> None:
    refused = play(found, "-e", f"access_key_id={KEY}", "-e", "lock=true", code=2)
    assert "only together with act=true" in refused
    assert "MdpsVenueLocked" not in trust(found)


def test_the_lease_behind_a_key_that_has_ended_ends_and_is_shown(found: Found) -> None:
    found.events.clear()
    found.issue(minutes=90)
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=90)
    found.write(receipt(at=at))
    now = datetime.now(UTC)
    held = lease("jdoe", starts_at=now - timedelta(hours=1), ends_at=now + timedelta(days=2))
    name = "/unity/sbg/dev/cs/sts/leases/jdoe"
    found.moto.client("ssm").put_parameter(Name=name, Value=held.to_line(), Type="String")
    acted = play(found, "-e", f"access_key_id={KEY}", "-e", "act=true")
    assert "LEASE         of jdoe: has ended" in acted
    assert "ENDED         the key, before this run" in acted


def test_leases_that_cannot_be_read_are_on_the_last_screen_and_the_run_fails(found: Found) -> None:
    def no_leases(call: Call) -> Answer:
        if call.action == "ssm:GetParametersByPath":
            return call.refuse("AccessDeniedException", "not allowed", 400)
        return call.forward()

    with in_front_of(found.moto.url) as proxy:
        proxy.set(no_leases)
        options = ("-e", f"access_key_id={KEY}", "-e", "act=true", "-e", "verify=false")
        acted = play(found, *options, code=2, behind=proxy.url)
    last = acted[acted.rindex("fatal:") :]
    assert "NOT EVERYTHING SUCCEEDED" in last
    assert "NOT KNOWN     whether a lease renews such credentials" in last
    assert "ENDED         session jdoe-1" in last
    assert any("=jdoe-1" in one for one in policies(found))
