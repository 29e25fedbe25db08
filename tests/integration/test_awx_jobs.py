# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every job template of awx_setup, run as AWX runs it, on an emulated AWS. A template joins by a row in ROWS."""

from __future__ import annotations

import base64
import http.server
import io
import json
import pathlib
import re
import threading
import zipfile
from dataclasses import dataclass
from typing import Any

import pyrage
import pytest

from tests.support import kion as kion_support
from tests.support.awx_job import (
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
from tests.support.kion import Kion

KEYS = aws_credential("testing", "testing-secret-key", "testing-session-token")
VENUES = {
    name: dict(zip(("project", "venue"), name.split("-"), strict=True)) for name in ("emit-ops", "sbg-dev", "sbg-test")
}
RECIPIENT = pyrage.x25519.Identity.generate()
COMMON = {
    **{f"{role}_region": "us-west-2" for role in ("provision", "issue", "handoff", "revoke")},
    "handoff_recipients": {"jdoe": str(RECIPIENT.to_public())},
}
RECEIPTS = {"handoff_receipts_ssm_path": "/unity/sbg/dev/cs/sts/receipts"}
INVENTORY = Inventory({**VENUES, "sbg-dev": {**VENUES["sbg-dev"], **RECEIPTS}}, COMMON)


@dataclass(frozen=True)
class Row:
    """How a template is tried: answers to its survey, and what must show in the job's output."""

    answers: dict[str, Any]
    shown: tuple[str, ...]


ROWS = {
    "Provision venue": Row(
        {"provision_wait": "yes"}, ("unity-emit-ops-sts", "unity-sbg-dev-sts", "unity-sbg-test-sts")
    ),
    "Issue token": Row(
        {
            "target": "sbg-dev",
            "issue_user": "jdoe",
            "issue_access": ["s3_read", "ecr_pull"],
            "issue_duration_seconds": 900,
        },
        ("unity-sbg-dev-sts", "jdoe-20", "expires", "BEGIN AGE ENCRYPTED FILE"),
    ),
    "Revoke": Row({"target": "sbg-dev"}, ("Revoked is now",)),
    "Rotate external ID": Row({"target": "sbg-dev"}, ("the old one is still accepted",)),
    "Report": Row({"target": ["sbg-dev"]}, ("sbg / dev",)),
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
    assert set(ROWS) == set(TEMPLATES)


@pytest.mark.parametrize("name", ROWS)
def test_a_template_does_its_work_and_keeps_no_secret(name, job, moto, provisioned):
    row = ROWS[name]
    before = external_ids(moto)
    done = job(name, row.answers).run().expect()
    for words in row.shown:
        assert words in done.output
    assert_keeps_no_secret(done, {*before, *external_ids(moto), "testing-secret-key", "testing-session-token"})


def opened(job: Job) -> dict[str, str]:
    """The keys in the sealed text that a job shows, opened as its recipient would."""
    shown = [
        event["event_data"]["res"]["msg"]
        for event in job.events()
        if event["event"] == "runner_on_ok" and "msg" in event["event_data"]["res"]
    ]
    (sealed,) = [text for text in shown if "BEGIN AGE ENCRYPTED FILE" in str(text)]
    armor = "".join(line for line in sealed.splitlines() if not line.startswith("-----"))
    with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(base64.b64decode(armor), [RECIPIENT]))) as bundle:
        documents = [json.loads(bundle.read(name)) for name in bundle.namelist() if name.endswith(".json")]
    (token,) = [one for one in documents if "Credentials" in one]
    return token["Credentials"]


def test_a_token_leaves_the_job_sealed_and_its_receipt_in_the_venues_account(job, moto, provisioned):
    answers = {**ROWS["Issue token"].answers, "issue_bucket_prefixes": "in,out", "issue_external_id": ""}
    done = job("Issue token", answers).run().expect()
    keys = opened(done)
    assert_keeps_no_secret(done, {*external_ids(moto), keys["SecretAccessKey"], keys["SessionToken"]})
    (receipt,) = moto.client("ssm").get_parameters_by_path(Path=RECEIPTS["handoff_receipts_ssm_path"], Recursive=True)[
        "Parameters"
    ]
    assert json.loads(receipt["Value"])["access_key_id"] == keys["AccessKeyId"]
    assert json.loads(receipt["Value"])["bucket_prefixes"] == ["in", "out"]


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


class Expired(http.server.BaseHTTPRequestHandler):
    """What AWS says to keys whose time is over: IAM and STS in XML, SSM in JSON."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        words = "The security token included in the request is expired"
        text = f"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>{words}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
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
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = {"AWS_URL": f"http://127.0.0.1:{server.server_address[1]}", "AWS_EC2_METADATA_DISABLED": "true"}
    inventory = Inventory({"sbg-dev": VENUES["sbg-dev"]}, COMMON)
    try:
        done = (
            Job(tmp_path / "job", project, name, inventory, ROWS[name].answers, credentials=(KEYS,), where=where)
            .run()
            .expect("failed")
        )
    finally:
        server.shutdown()
        server.server_close()
    failed = [
        (event["event"], event["event_data"]["res"]["msg"])
        for event in done.events()
        if event["event"].endswith("on_failed")
    ]
    (said,) = [words for kind, words in failed if kind == "runner_item_on_failed"] or [words for _kind, words in failed]
    assert "The AWS credentials have expired." in said
    assert "Kion" in said
    assert "Traceback" not in done.output


def test_what_awx_would_refuse_is_refused_here_too():
    spec = survey("issue", list(VENUES))
    for answers in (
        {},
        {"target": "sbg-dev"},
        {"target": "nowhere", "issue_user": "x"},
        {"target": "sbg-dev", "issue_user": "x", "issue_duration_seconds": 899},
    ):
        with pytest.raises(ValueError, match=r"needed|not one of|not within"):
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
