# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands of docs/incident.md, in their order and as they are written, on an emulator that enforces policies.

CloudTrail's answers come from the test double. ministack's simulation ignores the session, so a proxy says what IAM
would; test_revoked_tokens.py lets iam-simulate judge the policies.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing
from botocore.exceptions import ClientError

from tests.conftest import ROOT
from tests.support import world
from tests.support.cloudtrail import CloudTrail, issue_event, use_event
from tests.support.documentation import blocks
from tests.support.fault_proxy import Answer, Call, in_front_of
from tests.support.ministack import HOME, Ministack
from tests.support.operations import perform

pytestmark = pytest.mark.skipif(
    not HOME.exists(), reason="ministack is not installed: python3 tools/environment.py ministack"
)
VENUE = {"project": "sbg", "venue": "dev"}
OTHER = {"project": "emit", "venue": "ops"}
ROLE, BUCKET = "unity-sbg-dev-sts", "sbg-dev-unity-data"
PARAMETER = "/unity/sbg/dev/cs/sts/role/external-id"
INVENTORY = """
venues:
  hosts:
    sbg-dev: {project: sbg, venue: dev}
    emit-ops: {project: emit, venue: ops}
"""


def simulates_sessions(call: Call) -> Answer:
    """The proxy's rule: a role with a revocation refuses the session that is asked for."""
    answer = call.forward()
    if call.action == "iam:SimulatePrincipalPolicy":
        return replace(answer, body=re.sub(b"<EvalDecision>[a-zA-Z]+<", b"<EvalDecision>explicitDeny<", answer.body))
    return answer


@dataclass
class Officer:
    """Somebody who follows the page in a shell."""

    server: Ministack
    home: pathlib.Path
    url: str
    values: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> str:
        """Run a command, or keep the variables that it exports, as the shell would."""
        if command.startswith("export "):
            return ""  # the test knows the key and the venue
        env = {**os.environ, **self.server.environment(), "AWS_URL": self.url, "HOME": str(self.home), **self.values}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.home, env={**env, "PWD": str(self.home), "ANSIBLE_NOCOLOR": "1"}, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def works(self, keys: dict[str, Any]) -> bool:
        """Whether a token lists the bucket."""
        names = {"access_key": "aws_access_key_id", "secret_key": "aws_secret_access_key",
                 "session_token": "aws_session_token"}  # fmt: skip
        try:
            client = self.server.client("s3", **{name: keys[key] for key, name in names.items()})
            client.list_objects_v2(Bucket=BUCKET)
        except ClientError:
            return False
        return True

    def lets_in(self, external_id: str) -> bool:
        """Whether the external ID leads into the role."""
        arn = f"arn:aws:iam::000000000000:role/{ROLE}"
        try:
            self.server.client("sts").assume_role(RoleArn=arn, RoleSessionName="direct", ExternalId=external_id)
        except ClientError:
            return False
        return True

    def external_id(self) -> str:
        return str(self.server.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"])


def events(server: Ministack, receipt: dict[str, Any]) -> list[dict[str, Any]]:
    """What CloudTrail has of a token: its issue, and one call."""
    role_id = server.client("iam").get_role(RoleName=ROLE)["Role"]["RoleId"]
    key, session, at = receipt["access_key_id"], receipt["session_name"], receipt["issued_at"]
    asked = {"roleArn": receipt["role_arn"], "roleSessionName": session, "durationSeconds": 3600}
    made = issue_event(session, key, at, requestParameters={**asked, "externalId": "nobody-may-see-this"})
    made["responseElements"]["assumedRoleUser"]["assumedRoleId"] = f"{role_id}:{session}"
    who = {"principalId": f"{role_id}:{session}", "arn": f"arn:aws:sts::1:assumed-role/{ROLE}/{session}"}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [made, use_event(key, now, userIdentity={**who, "accessKeyId": key})]


def publish_boundary(server: Ministack) -> None:
    """The account's boundary, under the name that the policy for revokers knows."""
    name, document = "mcp-tenantOperator-AMI-APIG", json.dumps(world.BOUNDARY_POLICY)
    server.client("iam").create_policy(PolicyName=name, PolicyDocument=document)
    parameter = "/unity/cs/account/privilegedpolicyname"
    server.client("ssm").put_parameter(Name=parameter, Value=name, Type="String")


@pytest.fixture
def officer(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Officer, Any, Any]]:
    """The one who found jdoe's key; jdoe's token and jane's."""
    with Ministack(tmp_path / "log") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        publish_boundary(server)
        for venue in (VENUE, OTHER):
            server.publish(**venue)
            assert "failed" not in perform(role.OPERATION, **venue)
        jdoe, jane = (perform(issuing.OPERATION, **VENUE, user=user) for user in ("jdoe", "jane"))
        kept = tmp_path / ".mdps"
        kept.mkdir(mode=0o700)
        receipts = [json.dumps(one["receipt"]) for one in (jdoe, jane)]
        (kept / "receipts.jsonl").write_text("".join(f"{one}\n" for one in receipts))
        (tmp_path / "inventory.yml").write_text(INVENTORY)
        with in_front_of(server.url) as proxy:
            proxy.set(simulates_sessions)
            with CloudTrail(proxy.url, events(server, jdoe["receipt"])) as trail:
                values = {
                    "KEY": jdoe["receipt"]["access_key_id"],
                    "RECIPIENT": "jdoe",
                    "PROJECT": "sbg",
                    "VENUE": "dev",
                }
                yield Officer(server, tmp_path, trail.url, values), jdoe["sts_creds"], jane["sts_creds"]


def found_file(folder: pathlib.Path, keys: dict[str, str]) -> None:
    file = folder / "found.txt"
    file.touch(mode=0o600)
    names = {"ACCESS_KEY_ID": "access_key", "SECRET_ACCESS_KEY": "secret_key", "SESSION_TOKEN": "session_token"}
    file.write_text("".join(f"AWS_{name}={keys[key]}\n" for name, key in names.items()))


def test_the_runbook_in_its_order(officer: tuple[Officer, Any, Any]) -> None:
    one, jdoe, jane = officer
    commands = [command for block in blocks(ROOT / "docs" / "incident.md") for command in block.commands()]
    _set, identify, _known, end, prove, remove, user, lock, rotate, retire, unlock = commands
    leaked = one.external_id()
    assert one.works(jdoe) and one.works(jane) and one.lets_in(leaked)

    shown = one.run(identify)
    assert all(part in shown for part in ("RECIPIENT     jdoe", "sbg / dev", "VALID until", "CloudTrail and a receipt"))
    assert "ecr:DescribeRepositories (1)" in shown and "nobody-may-see" not in shown
    assert one.works(jdoe) and (one.home / "incident.html").exists() and (one.home / "incident.json").exists()

    assert "VERIFIED" in one.run(end)
    assert (one.works(jdoe), one.works(jane)) == (False, True)

    found_file(one.home, jdoe)
    assert "AWS refuses the credentials" in one.run(prove)
    one.run(remove)
    assert not (one.home / "found.txt").exists()

    table = one.run(user)
    assert "sbg-dev" in table and "emit-ops" in table and "FAILED" not in table
    assert one.works(jane)

    assert "LOCKED, no new token" in one.run(lock)
    assert (one.works(jane), one.lets_in(leaked)) == (False, False)

    one.run(rotate)
    one.run(retire)
    new = one.external_id()
    assert new != leaked and not one.lets_in(new)

    one.run(unlock)
    assert (one.lets_in(new), one.lets_in(leaked), one.works(jdoe), one.works(jane)) == (True, False, False, False)
