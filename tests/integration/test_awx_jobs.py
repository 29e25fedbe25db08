# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every job template of awx_setup, run as AWX runs it, on an emulated AWS. A template joins by a row in ROWS."""

from __future__ import annotations

import base64
import datetime
import http.server
import io
import json
import pathlib
import re
import subprocess
import textwrap
import zipfile
from dataclasses import dataclass
from typing import Any

import pyrage
import pytest
import yaml

from tests.support import kion as kion_support
from tests.support.awx_job import (
    COLOUR,
    ROOT,
    STORED_RECEIPTS,
    TEMPLATES,
    Credential,
    Inventory,
    Job,
    answered,
    aws_credential,
    custom_credential,
    install_project,
    survey,
)
from tests.support.awx_server import TOKEN, Awx, AwxServer
from tests.support.kion import Kion
from tests.support.programs import require
from tests.support.servers import free_port
from tests.support.serving import serving

pytest.importorskip("signxml", reason="signxml is not installed in this environment")

from tests.support import saml

KEYS = aws_credential("testing", "testing-secret-key", "testing-session-token")
VENUES = {
    name: dict(zip(("project", "venue"), name.split("-"), strict=True)) for name in ("emit-ops", "sbg-dev", "sbg-test")
}
RECIPIENT = pyrage.x25519.Identity.generate()
COMMON = {
    **{f"{role}_region": "us-west-2" for role in ("provision", "issue", "handoff", "revoke", "lease", "renew")},
    "handoff_public_keys": {"jdoe": str(RECIPIENT.to_public())},
}
REASON = {"request_reason": "Reprocessing of May", "request_ticket": "MDPS-123"}
RECEIPTS_PATH = "/unity/sbg/dev/cs/sts/receipts"
RECEIPTS = {"handoff_receipts_ssm_path": STORED_RECEIPTS.replace("PATH", RECEIPTS_PATH)}
INVENTORY = Inventory({**VENUES, "sbg-dev": {**VENUES["sbg-dev"], **RECEIPTS}}, COMMON)


@dataclass(frozen=True)
class Row:
    """How a template is tried: answers to its survey, what must show in the job's output, and what ran before."""

    answers: dict[str, Any]
    shown: tuple[str, ...]
    after: str = ""


TOKEN_ANSWERS = {
    "target": "sbg-dev",
    "issue_user": "jdoe",
    "issue_access": ["s3_read", "ecr_pull"],
    "issue_duration_seconds": 900,
    **REASON,
}
LEASE_ANSWERS = {
    "target": "sbg-dev",
    "lease_user": "jdoe",
    "lease_days": 3,
    "lease_reason": "Reprocessing of May",
    "lease_ticket": "MDPS-123",
    "lease_access": ["s3_read"],
}
ROWS = {
    "Provision venue": Row(
        {"provision_wait": "yes"}, ("unity-emit-ops-sts", "unity-sbg-dev-sts", "unity-sbg-test-sts")
    ),
    "Check request": Row(TOKEN_ANSWERS, ("Recipient:   jdoe", "until 15 minutes after the issue")),
    "Issue token": Row(TOKEN_ANSWERS, ("Recipient:   jdoe", "until ", "Sealed to:", "BEGIN AGE ENCRYPTED FILE")),
    "Revoke": Row({"target": "sbg-dev", "revoke_all": "yes"}, ("REVOKED NOW", "issued before")),
    "Rotate external ID": Row({"target": "sbg-dev"}, ("the old one is still accepted",)),
    "Report": Row({"target": ["sbg-dev"]}, ("sbg / dev",)),
    "Check lease": Row(LEASE_ANSWERS, ("the lease of jdoe until", "would be approved")),
    "Grant lease": Row(LEASE_ANSWERS, ("is approved", "renewed", "BEGIN AGE ENCRYPTED FILE")),
    "Deliver lease token": Row(
        {"target": "sbg-dev", "renew_user": "jdoe"}, ("renewed", "BEGIN AGE ENCRYPTED FILE"), "Grant lease"
    ),
    "Renew leases": Row({}, ("jdoe                 waiting", "no lease"), "Grant lease"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A checkout with its collections installed, as one project update leaves it for many jobs."""
    place = tmp_path_factory.mktemp("project")
    install_project(place)
    return place


@pytest.fixture
def job(project, moto, tmp_path):
    """Makes jobs, each in a folder of its own."""
    numbers = iter(range(1000))

    def make(
        template: str, answers: dict[str, Any] | None = None, inventory: Inventory = INVENTORY, **more: Any
    ) -> Job:
        more.setdefault("credentials", (KEYS,))
        place = tmp_path / f"job{next(numbers)}"
        where = {"AWS_URL": moto.url, "AWS_EC2_METADATA_DISABLED": "true"}
        return Job(place, project, template, inventory, answers, where=where, **more)

    return make


@pytest.fixture
def provisioned(moto, job):
    """Three venues with their roles, made by a job that is long gone."""
    publish(moto)
    job("Provision venue").run().expect()


def publish(moto) -> None:
    for one in VENUES.values():
        moto.publish(**one)


def external_ids(moto) -> set[str]:
    """The external IDs of all venues."""
    found = moto.client("ssm").get_parameters_by_path(Path="/unity", Recursive=True)["Parameters"]
    return {one["Value"] for one in found if one["Name"].endswith("/external-id")}


def assert_keeps_no_secret(job: Job, secrets: set[str]) -> None:
    kept = job.kept()
    assert {secret for secret in secrets if secret in kept} == set()
    # Whatever looks like an external ID, a secret key or a session token of AWS, known to this test or not.
    assert (
        re.findall(
            r"\"(?:SecretAccessKey|SessionToken|secret_key|session_token)\": *\"(?!\*|VALUE_SPECIFIED)[^\"]", kept
        )
        == []
    )


def roles(moto) -> list[str]:
    return [one["RoleName"] for one in moto.client("iam").list_roles()["Roles"]]


def test_every_template_is_tried():
    assert {*ROWS, "Issue token with SAML"} == set(TEMPLATES)


@pytest.mark.parametrize("name", ROWS)
def test_a_template_does_its_work_and_keeps_no_secret(name, job, moto, provisioned):
    row = ROWS[name]
    before = external_ids(moto)
    if row.after:
        job(row.after, ROWS[row.after].answers).run().expect()
    done = job(name, row.answers).run().expect()
    for words in row.shown:
        assert words in done.output
    assert_keeps_no_secret(done, {*before, *external_ids(moto), "testing-secret-key", "testing-session-token"})


ARMOR = re.compile(r"-----BEGIN AGE ENCRYPTED FILE-----\n(.*?)\n-----END AGE ENCRYPTED FILE-----", re.DOTALL)


def opened(shown: str) -> dict[str, str]:
    """The keys in the sealed text on a page or in a download, cut out and opened as its recipient would."""
    (armor,) = ARMOR.findall(COLOUR.sub("", shown).replace("\r\n", "\n"))
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(base64.b64decode(armor), [RECIPIENT]))) as bundle:
        documents = [json.loads(bundle.read(name)) for name in bundle.namelist() if name.endswith(".json")]
    (token,) = [one for one in documents if "Credentials" in one]
    return token["Credentials"]


def receipts(moto) -> list[dict[str, Any]]:
    """The receipts in the account of the venue."""
    found = moto.client("ssm").get_parameters_by_path(Path=RECEIPTS_PATH, Recursive=True)["Parameters"]
    return [json.loads(one["Value"]) for one in found]


def test_a_token_leaves_the_job_sealed_and_its_receipt_in_the_venues_account(job, moto, provisioned):
    answers = {**TOKEN_ANSWERS, "issue_bucket_prefixes": "in,out"}
    done = job("Issue token", answers).run().expect()
    keys = opened(done.page)
    assert opened(done.download) == keys, "what the requester downloads opens as well"
    assert_keeps_no_secret(done, {*external_ids(moto), keys["SecretAccessKey"], keys["SessionToken"]})
    (receipt,) = receipts(moto)
    assert receipt["access_key_id"] == keys["AccessKeyId"]


def test_the_recipient_opens_the_download_with_age(job, moto, provisioned, tmp_path):
    require("age")
    done = job("Issue token", TOKEN_ANSWERS).run().expect()
    (tmp_path / "job_7.txt").write_text(done.download)
    (tmp_path / "key.txt").write_text(str(RECIPIENT))
    command = "sed -n '/BEGIN AGE/,/END AGE/p' job_7.txt | age --decrypt --identity key.txt"
    zipped = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True).stdout
    assert zipfile.is_zipfile(io.BytesIO(zipped))


def test_a_check_of_a_request_issues_nothing(job, moto, provisioned):
    job("Check request", TOKEN_ANSWERS).run().expect()
    assert receipts(moto) == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"issue_user": "nobody"}, "nobody"),
        ({"issue_user": "José Núñez"}, "jose.nunez"),
        ({"issue_bucket_prefixes": " "}, "bucket_prefixes"),
        ({"request_reason": "  "}, "The request has no reason."),
        ({"request_ticket": "  "}, "The request has no ticket."),
        # Ansible reads them as 7, as 202401, as a date, as false and as nothing.
        ({"issue_bucket_prefixes": "007"}, "with a slash at the end"),
        ({"issue_bucket_prefixes": "2024_01"}, "with a slash at the end"),
        ({"issue_bucket_prefixes": "2026-11-29"}, "with a slash at the end"),
        ({"request_reason": "no"}, "the answer to Reason"),
        ({"request_ticket": "null"}, "the answer to Ticket"),
    ],
)
def test_a_request_that_cannot_succeed_fails_before_anybody_is_asked(answers, said, job, provisioned):
    more = {"more": {"request_ticket_required": True}}
    done = job("Check request", {**TOKEN_ANSWERS, **answers}, **more).run().expect("failed")
    assert said in " ".join(done.page.split()), "the requester reads the reason"


def test_answers_are_kept_as_they_were_typed(job, moto, provisioned):
    reason = '{{ 7 * 7 }} Überprüfung "von" 数据 🙂: # !unsafe'
    answers = {"request_reason": reason, "request_ticket": "12345", "issue_bucket_prefixes": "2024_01/"}
    job("Issue token", {**TOKEN_ANSWERS, **answers}).run().expect()
    (receipt,) = receipts(moto)
    assert (receipt["context"]["reason"], receipt["context"]["ticket"]) == (reason, "12345")
    assert "2024_01" in json.dumps(receipt["allows"])


def test_a_reader_that_cannot_read_stops_a_request_before_anybody_is_asked(job, moto, provisioned, awx, tmp_path):
    reader = custom_credential("MDPS AWX reader", {"host": awx.url, "token": "expired"}, tmp_path)
    workflow = next(iter(awx.items["workflow_jobs"]))
    done = job("Check request", TOKEN_ANSWERS, workflow=workflow, credentials=(KEYS, reader)).run().expect("failed")
    assert "is wrong or has expired" in " ".join(done.page.split())


@pytest.fixture
def awx():
    """An AWX with one request that jane has made and that waits for approval."""
    awx = Awx([])
    awx.acting = {"id": 21, "username": "jane"}
    template = awx.add("workflow_job_templates", {"name": "Request a token"})
    approval = awx.add("workflow_approval_templates", {"name": "Approve a token"})
    node = {"identifier": "approve", "workflow_job_template": template["id"], "unified_job_template": approval["id"]}
    awx.add("workflow_job_template_nodes", node)
    awx.answer("POST", awx.address("workflow_job_templates", template) + "launch/", {}, {})
    with AwxServer(awx) as server:
        awx.url = server.url
        yield awx


def approve(awx: Awx, number: int, name: str) -> int:
    """Approve the request as somebody, and return the number of the workflow job."""
    awx.acting = {"id": number, "username": name}
    (approval,) = awx.items["workflow_approvals"].values()
    awx.answer("POST", awx.address("workflow_approvals", approval) + "approve/", {}, {})
    return next(iter(awx.items["workflow_jobs"]))


def test_the_receipt_says_who_requested_and_who_approved(job, moto, provisioned, awx, tmp_path):
    workflow = approve(awx, 22, "joe")
    reader = custom_credential("MDPS AWX reader", {"host": awx.url, "token": TOKEN}, tmp_path)
    more = {"workflow": workflow, "user": "jane", "credentials": (KEYS, reader)}
    done = job("Issue token", TOKEN_ANSWERS, **more).run().expect()
    assert TOKEN not in done.kept()
    context = receipts(moto)[-1]["context"]
    expected = {"reason": "Reprocessing of May", "ticket": "MDPS-123", "requester": "jane", "approver": "joe"}
    expected |= {"job": "7", "workflow": str(workflow)}
    assert {name: value for name, value in context.items() if value} == expected
    assert receipts(moto)[-1]["source_identity"] == "jane", "so CloudTrail says who requested"


def test_nobody_approves_their_own_request(job, moto, provisioned, awx, tmp_path):
    workflow = approve(awx, 21, "jane")
    reader = custom_credential("MDPS AWX reader", {"host": awx.url, "token": TOKEN}, tmp_path)
    more = {"workflow": workflow, "user": "jane", "credentials": (KEYS, reader)}
    done = job("Issue token", TOKEN_ANSWERS, **more).run().expect("failed")
    assert "jane made this request and approved it" in done.page
    assert receipts(moto) == []


def test_without_the_reader_the_job_says_that_it_could_not_check(job, moto, provisioned, tmp_path):
    unfilled = custom_credential("MDPS AWX reader", {}, tmp_path)
    done = job("Issue token", TOKEN_ANSWERS, workflow=3, credentials=(KEYS, unfilled)).run().expect()
    assert "It was not checked that requester and approver are two people" in " ".join(done.page.split())


def leases(moto) -> dict[str, dict[str, Any]]:
    """The leases of the venue sbg-dev and what renewals record of them, by the last part of their names."""
    path = "/unity/sbg/dev/cs/sts/leases/"
    found = moto.client("ssm").get_parameters_by_path(Path=path, Recursive=True)["Parameters"]
    return {one["Name"].removeprefix(path): json.loads(one["Value"]) for one in found}


def lease_reader(awx: Awx, place: pathlib.Path) -> Credential:
    return custom_credential("MDPS AWX reader", {"host": awx.url, "token": TOKEN}, place)


def test_a_lease_is_granted_by_its_approver_renewed_reported_and_ended_with_its_tokens(
    job, moto, provisioned, awx, tmp_path
):
    workflow = approve(awx, 22, "joe")
    more = {"workflow": workflow, "user": "jane", "credentials": (KEYS, lease_reader(awx, tmp_path))}
    granted = job("Grant lease", LEASE_ANSWERS, **more).run().expect()
    first = opened(granted.download)
    assert opened(granted.page) == first, "the page shows the whole sealed text"
    assert_keeps_no_secret(granted, {*external_ids(moto), first["SecretAccessKey"], first["SessionToken"], TOKEN})
    lease = leases(moto)["jdoe"]
    assert (lease["approver"], lease["reason"], lease["ticket"]) == ("joe", "Reprocessing of May", "MDPS-123")
    assert lease["request"]["access"] == ["s3_read"]

    moto.client("ssm").delete_parameter(Name="/unity/sbg/dev/cs/sts/leases/jdoe/renewal")  # so the next one is due
    assert "sbg-dev              jdoe                 renewed" in job("Renew leases").run().expect().output
    renewals = moto.client("s3").list_objects_v2(Bucket="sbg-dev-unity-data")["Contents"]
    assert [one["Key"] for one in renewals] == ["mdps-venue-sts/renewals/sbg/dev/jdoe/token.zip.age"]
    assert {one["context"]["approver"] for one in receipts(moto)} == {"joe"}

    shown = [line.split() for line in job("Report", {"target": ["sbg-dev"]}).run().expect().page.splitlines()]
    (row,) = [line for line in shown if "jdoe" in line and lease["ends_at"] in line]
    assert row[-5:] == ["joe:", "Reprocessing", "of", "May", "(MDPS-123)"]

    again = job("Deliver lease token", {"target": "sbg-dev", "renew_user": "jdoe"}).run().expect()
    assert opened(again.download) != first
    revoke = {"target": "sbg-dev", "revoke_user": "jdoe"}
    credentials = (KEYS, lease_reader(awx, tmp_path))
    checked = job("Revoke", revoke, credentials=credentials, options=("--check",)).run().expect()
    assert "the lease of jdoe would end" in checked.page
    assert "jdoe" in leases(moto)
    ended = job("Revoke", revoke, credentials=credentials).run().expect()
    assert "the lease of jdoe has ended" in ended.page
    assert leases(moto) == {}
    role = moto.client("iam").list_role_policies(RoleName="unity-sbg-dev-sts")["PolicyNames"]
    revoked = sorted(name.split("-")[2].partition("=")[0] for name in role if name.startswith("revoked-"))
    assert revoked == ["session", "session", "session", "user"], role
    late = job("Deliver lease token", {"target": "sbg-dev", "renew_user": "jdoe"}).run().expect("failed")
    assert "jdoe has no lease" in " ".join(late.page.split())


def test_nobody_approves_their_own_lease(job, moto, provisioned, awx, tmp_path):
    workflow = approve(awx, 21, "jane")
    more = {"workflow": workflow, "user": "jane", "credentials": (KEYS, lease_reader(awx, tmp_path))}
    done = job("Grant lease", LEASE_ANSWERS, **more).run().expect("failed")
    assert "jane made this request and approved it" in done.page
    assert leases(moto) == {}


def test_an_operator_who_grants_a_lease_is_its_approver(job, moto, provisioned, tmp_path):
    unfilled = custom_credential("MDPS AWX reader", {}, tmp_path)
    job("Grant lease", LEASE_ANSWERS, user="olga", credentials=(KEYS, unfilled)).run().expect()
    assert leases(moto)["jdoe"]["approver"] == "olga"


def test_a_lease_whose_approver_could_not_be_read_is_refused_before_anybody_is_asked(job, moto, provisioned, tmp_path):
    unfilled = custom_credential("MDPS AWX reader", {}, tmp_path)
    done = job("Check lease", LEASE_ANSWERS, workflow=3, credentials=(KEYS, unfilled)).run().expect("failed")
    assert "fill in the credential MDPS AWX reader" in " ".join(done.page.split())


def test_a_lease_is_signed_with_the_key_of_its_credential(project, moto, provisioned, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    known = {**COMMON, "lease_signers": [(tmp_path / "key.pub").read_text()]}
    where = {"AWS_URL": moto.url, "AWS_EC2_METADATA_DISABLED": "true"}

    def granted(place: pathlib.Path, **inputs: str) -> Job:
        stored = custom_credential("MDPS lease signer", inputs, place)
        more = {"credentials": (KEYS, stored), "where": where}
        return Job(place, project, "Grant lease", Inventory(INVENTORY.hosts, known), LEASE_ANSWERS, **more).run()

    refused = granted(tmp_path / "unfilled").expect("failed")
    assert "fill in the credential MDPS lease signer" in " ".join(refused.page.split())
    assert leases(moto) == {}
    done = granted(tmp_path / "filled", lease_key=(tmp_path / "key").read_text().strip()).expect()
    assert leases(moto)["jdoe"]["signature"]
    assert_keeps_no_secret(done, {(tmp_path / "key").read_text().splitlines()[1]})
    assert opened(done.download)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"lease_user": "nobody"}, "nobody"),
        ({"lease_days": None}, "end, days"),
        ({"lease_days": None, "lease_end": "2026-11-29"}, "2026-11-29"),
        ({"lease_end": "2099-11-29T00:00:00Z"}, "mutually exclusive"),
        ({"lease_access": ["s3_write"]}, "outside the limits"),
        ({"lease_reason": "  "}, "reason"),
        ({"lease_reason": "yes"}, "the answer to Reason"),
        ({"lease_bucket_prefixes": "007"}, "with a slash at the end"),
    ],
)
def test_a_lease_that_cannot_be_granted_fails_before_anybody_is_asked(answers, said, job, moto, provisioned):
    limited = Inventory(INVENTORY.hosts, {**COMMON, "issue_limits": {"access": ["s3_read"]}})
    given = {name: value for name, value in {**LEASE_ANSWERS, **answers}.items() if value is not None}
    done = job("Check lease", given, inventory=limited).run().expect("failed")
    assert said in " ".join(done.page.split()), "the requester reads the reason"
    assert leases(moto) == {}


def test_a_token_is_issued_with_an_assertion_while_kion_cannot_be_reached(project, moto, provisioned, tmp_path):
    venue = {**VENUES["sbg-dev"], **RECEIPTS, "broker_account": "123456789012", "issue_buckets": ["sbg-dev-data"]}
    inventory = Inventory({"sbg-dev": venue}, {**COMMON, "broker_cloud_access_role": "Operator"})
    inputs = {"assertion": saml.signed(issued=datetime.datetime.now(datetime.UTC)), "provider_arn": saml.PROVIDER}
    stored = custom_credential("MDPS SAML assertion", inputs, tmp_path / "job")
    nowhere = f"https://127.0.0.1:{free_port()}"
    where = {"AWS_URL": moto.url, "AWS_EC2_METADATA_DISABLED": "true", "KION_URL": nowhere, "KION_API_KEY": "x"}
    answers = {**TOKEN_ANSWERS, "issue_duration_seconds": 1800}
    more = {"credentials": (stored,), "where": where}
    done = Job(tmp_path / "job", project, "Issue token with SAML", inventory, answers, **more).run().expect()
    keys = opened(done.download)
    assert_keeps_no_secret(done, {inputs["assertion"], keys["SecretAccessKey"], keys["SessionToken"]})
    assert keys["AccessKeyId"] in done.page, "AWX keeps the receipt"
    assert receipts(moto) == []


def test_a_survey_left_alone_gives_what_the_inventory_says(job, moto):
    publish(moto)
    hosts = {**VENUES, "sbg-dev": {**VENUES["sbg-dev"], "provision_max_session_duration": 7200}}
    job("Provision venue", inventory=Inventory(hosts, COMMON)).run().expect()
    durations = {one["RoleName"]: one["MaxSessionDuration"] for one in moto.client("iam").list_roles()["Roles"]}
    assert durations == {"unity-emit-ops-sts": 3600, "unity-sbg-dev-sts": 7200, "unity-sbg-test-sts": 3600}


def test_venues_may_be_chosen_and_limited(job, moto):
    publish(moto)
    job("Provision venue", {"target": ["sbg-dev", "sbg-test"]}, options=("-l", "sbg-test")).run().expect()
    assert roles(moto) == ["unity-sbg-test-sts"]


def test_a_check_changes_nothing(job, moto):
    publish(moto)
    done = job("Provision venue", options=("--check", "--diff")).run().expect()
    assert "would change" in done.output
    assert roles(moto) == []


def test_a_slice_that_gets_no_venue_ends_well(job, moto):
    publish(moto)
    for number in (1, 2, 3):
        job("Provision venue", {"target": ["sbg-dev"]}, slice_number=number, slice_count=3).run().expect()
    assert roles(moto) == ["unity-sbg-dev-sts"]
    job("Provision venue", slice_number=4, slice_count=4).run().expect()
    assert roles(moto) == ["unity-sbg-dev-sts"]


def test_two_jobs_on_one_venue_do_not_fight(job, moto):
    publish(moto)
    both = [job("Provision venue", {"target": ["sbg-dev"]}).start() for _number in range(2)]
    for one in both:
        one.finish().expect()
    (external_id,) = external_ids(moto)
    trust = moto.client("iam").get_role(RoleName="unity-sbg-dev-sts")["Role"]["AssumeRolePolicyDocument"]
    assert external_id in json.dumps(trust)
    third = job("Provision venue", {"target": ["sbg-dev"]}).run().expect()
    assert "changed=0" in third.output


def test_keys_are_made_inside_the_job_from_a_kion_api_key(job, moto, tmp_path):
    publish(moto)
    with Kion(tmp_path) as kion:
        known = {**COMMON, "broker_cloud_access_role": "Operator", "broker_ca_path": str(kion.ca)}
        inventory = Inventory({"sbg-dev": {**VENUES["sbg-dev"], "broker_account": "123456789012"}}, known)
        stored = custom_credential("MDPS Kion API key", {"url": kion.url, "api_key": kion_support.API_KEY}, tmp_path)
        done = job("Provision venue", inventory=inventory, credentials=(stored,)).run().expect()
        assert ("POST", "/api/v3/temporary-credentials/cloud-access-role") in {request[:2] for request in kion.seen}
    assert roles(moto) == ["unity-sbg-dev-sts"]
    assert "ASIAFAKEFROMKION0001" in done.output, "the receipt says which keys"
    assert_keeps_no_secret(
        done,
        {
            *external_ids(moto),
            kion_support.API_KEY,
            kion_support.KEYS["secret_access_key"],
            kion_support.KEYS["session_token"],
        },
    )


def test_one_report_covers_all_accounts_and_names_the_one_that_cannot_be_read(job, moto, provisioned, tmp_path):
    with Kion(tmp_path) as kion:
        known = {**COMMON, "broker_cloud_access_role": "Operator", "broker_ca_path": str(kion.ca)}
        accounts = {"sbg-dev": "123456789012", "sbg-test": "123456789012", "emit-ops": "210987654321"}
        hosts = {name: {**VENUES[name], "broker_account": account} for name, account in accounts.items()}
        inputs = {"url": kion.url, "api_key": kion_support.API_KEY}
        stored = custom_credential("MDPS Kion API key", inputs, tmp_path)
        more = {"inventory": Inventory(hosts, known), "credentials": (stored,)}
        done = job("Report", **more).run().expect("failed")
    rows = {line[:28].strip(): line for line in done.page.splitlines() if " / " in line[:28]}
    assert set(rows) == {"emit / ops", "sbg / dev", "sbg / test"}
    assert "The account could not be read:" in rows["emit / ops"]
    assert "210987654321" in rows["emit / ops"]
    assert [" ok " in rows[name] for name in ("sbg / dev", "sbg / test")] == [True, True]
    assert "Accounts that could not be read: 210987654321." in " ".join(done.page.split())
    assert_keeps_no_secret(done, {*external_ids(moto), kion_support.API_KEY, *list(kion_support.KEYS.values())[1:]})


def test_the_example_of_the_documentation_works_as_it_is(job, moto, tmp_path):
    publish(moto)
    block = re.search(r"<!-- file: awx.yml -->\s*```yaml\n(.*?)```", (ROOT / "docs/awx.md").read_text(), re.DOTALL)
    example = yaml.safe_load(textwrap.dedent(block[1])) if block else {}
    known = example["awx_setup_inventory_variables"] | {"handoff_public_keys": COMMON["handoff_public_keys"]}
    with Kion(tmp_path) as kion:
        inputs = {"url": kion.url, "api_key": kion_support.API_KEY}
        stored = custom_credential("MDPS Kion API key", inputs, tmp_path)
        inventory = Inventory(example["awx_setup_venues"], {**known, "broker_ca_path": str(kion.ca)})
        more = {"inventory": inventory, "credentials": (stored,)}
        job("Provision venue", {"target": ["sbg-dev"]}, **more).run().expect()
        assert opened(job("Issue token", TOKEN_ANSWERS, **more).run().expect().page)
        report = job("Report", **more).run().expect("failed")
    rows = {line[:28].strip(): line for line in report.page.splitlines() if " / " in line[:28]}
    assert " ok " in rows["sbg / dev"]
    assert "210987654321" in rows["emit / ops"], "the account that Kion does not give"


class Expired(http.server.BaseHTTPRequestHandler):
    """What AWS says to keys whose time is over: IAM and STS in XML, SSM in JSON."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        words = "The security token included in the request is expired"
        error = f"<Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>{words}</Message></Error>"
        text = f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
        if "json" in self.headers["Content-Type"]:
            text = json.dumps({"__type": "ExpiredTokenException", "message": words})
        self.send_response(403 if text.startswith("<") else 400)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("name", ROWS)
def test_an_expired_aws_credential_gives_one_clear_sentence(name, project, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Expired)
    where = {"AWS_URL": f"http://127.0.0.1:{server.server_address[1]}", "AWS_EC2_METADATA_DISABLED": "true"}
    inventory = Inventory({"sbg-dev": VENUES["sbg-dev"]}, COMMON)
    with serving(server):
        done = (
            Job(tmp_path / "job", project, name, inventory, ROWS[name].answers, credentials=(KEYS,), where=where)
            .run()
            .expect("failed")
        )
    failed = [
        (event["event"], event["event_data"]["res"]["msg"])
        for event in done.events()
        if event["event"].endswith("on_failed")
    ]
    said = [words for kind, words in failed if kind == "runner_item_on_failed"] or [words for _kind, words in failed]
    assert said
    for words in said:
        assert "The AWS credentials have expired." in words
        assert "Kion" in words
    assert "Traceback" not in done.output


def test_what_awx_would_refuse_is_refused_here_too():
    spec = survey("issue", list(VENUES))
    for answers in (
        {},
        {"target": "sbg-dev"},
        {"target": "nowhere", "issue_user": "x"},
        {"target": "sbg-dev", "issue_user": "x", "issue_duration_seconds": 899},
    ):
        with pytest.raises(ValueError, match=r"missing|expected to be one of|too small"):
            answered(spec, answers)


def test_a_saml_assertion_reaches_the_job_as_a_file_alone(tmp_path):
    stored = custom_credential(
        "MDPS SAML assertion",
        {"assertion": "PHNhbWw+", "provider_arn": "arn:aws:iam::123456789012:saml-provider/X"},
        tmp_path,
    )
    assert stored == Credential(
        {},
        {
            "issue_method": "saml",
            "issue_saml_assertion_file": f"{tmp_path}/env/credential",
            "issue_saml_provider_arn": "arn:aws:iam::123456789012:saml-provider/X",
        },
        {f"{tmp_path}/env/credential": "PHNhbWw+"},
    )
    assert pathlib.Path(tmp_path / "env").exists() is False


@pytest.mark.parametrize("ca", ["", "-----BEGIN CERTIFICATE-----"])
def test_the_reader_trusts_the_ca_that_its_credential_has(ca, tmp_path):
    stored = custom_credential("MDPS AWX reader", {"host": "https://awx.example.org", "token": "t", "ca": ca}, tmp_path)
    file = stored.env["MDPS_AWX_CA_FILE"]
    assert stored.files.get(file, "").strip() == ca
    assert bool(file) is bool(ca)
