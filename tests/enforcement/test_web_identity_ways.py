# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The three ways of docs/web-identity.md, against an issuer on 127.0.0.1 and a server that enforces trust policies.

ministack checks issuer, audience and subject of a token, but neither its end nor its signature.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
import yaml

from tests.support import connections, oidc, operations, oracles, world
from tests.support.playbook import ansible_playbook

PAGE = (world.ROOT / "docs" / "web-identity.md").read_text()
POOL = "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01"
CLIENT, PERSON = "3examplesclientofsbgdev", "11111111-2222-3333-4444-555555555555"
GITHUB = "https://token.actions.githubusercontent.com"
MAIN = "repo:unity-sds/sbg:ref:refs/heads/main"
AAP = "https://aap.example.org/o"
JOB = "workload_type:aap_controller_automation_job:organization:MDPS:job_template:Issue token"
PROVIDERS = [
    {"provider": POOL, "audiences": [CLIENT], "subjects": [PERSON], "create": True},
    {"provider": GITHUB, "audiences": ["sts.amazonaws.com"], "subjects": [MAIN], "create": True},
]
ROLE = f"arn:aws:iam::{world.HOME}:role/unity-webid-dev-sts"


def block(language: str, containing: str) -> str:
    """A block of the page."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (text,) = [one for one in found if containing in one]
    return str(text).replace("111122223333", world.HOME).replace("unity-sbg-dev-sts", "unity-webid-dev-sts")


@pytest.fixture(scope="module")
def venue(home: world.Account) -> Iterator[world.Account]:
    """A venue that trusts the user pool and the workflow."""
    home.publish_venue("webid", "dev")
    home.need_repositories("sbg/app")
    options: dict[str, Any] = {"project": "webid", "venue": "dev", "ecr_repositories": ["sbg/*"]}
    succeeded, result = home.run("role", **options, oidc_providers=PROVIDERS, max_session_duration=43200)
    assert succeeded, result
    yield home


def assume(account: world.Account, token: str) -> Any:
    """What whoever holds a token does without this collection."""
    sts = connections.client("sts", account.url, {"AccessKeyId": "nobody", "SecretAccessKey": "nothing"})
    return sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="jdoe", WebIdentityToken=token)


def of_pool(**changes: Any) -> str:
    return oidc.token(POOL, **{"aud": CLIENT, "sub": PERSON, "token_use": "id", **changes})


def surroundings(account: world.Account, home: Path, **more: str) -> dict[str, str]:
    """An environment without any AWS key."""
    return {"AWS_ENDPOINT_URL": account.url, "AWS_REGION": connections.REGION, "HOME": str(home), **more}


# A recipient -------------------------------------------------------------------------------------------------------


def test_a_recipient_uses_the_profile_of_the_page(
    venue: world.Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "id-token"
    file.write_text(of_pool())
    (tmp_path / "config").write_text(block("ini", "[profile sbg-dev]").replace("/home/jdoe/.mdps/id-token", str(file)))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", venue.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    session = botocore.session.Session(profile="sbg-dev")
    assert session.create_client("sts").get_caller_identity()["Arn"].endswith("unity-webid-dev-sts/jdoe")
    s3 = session.create_client("s3")
    s3.put_object(Bucket="webid-dev-unity-data", Key="incoming/x", Body=b"x")
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        session.create_client("iam").list_users()


def issue(account: world.Account, folder: Path, token: str, **more: Any) -> Any:
    """The command of the page."""
    (folder / "id-token").write_text(token)
    command = block("shell", "issue_method=web_identity").replace("\\\n", " ").split()
    arguments = [one.replace("project=sbg", "project=webid") for one in command[1:]]
    extra = ("-e", json.dumps(more)) if more else ()
    return ansible_playbook(*arguments, *extra, env=surroundings(account, folder), cwd=folder)


def test_a_recipients_token_is_issued_with_a_receipt(venue: world.Account, tmp_path: Path) -> None:
    done = issue(venue, tmp_path, of_pool(), issue_duration_seconds=43200, issue_oidc_providers=PROVIDERS)
    done.expect(0)
    (file,) = (tmp_path / "tokens").iterdir()
    keys = json.loads(file.read_text())["Credentials"]
    arn = connections.client("sts", venue.url, keys).get_caller_identity()["Arn"]
    *_lines, last = (tmp_path / ".mdps" / "receipts.jsonl").read_text().splitlines()
    receipt = json.loads(last)
    assert arn.endswith(f"unity-webid-dev-sts/{receipt['session_name']}")
    assert (receipt["method"], receipt["duration_seconds"]) == ("web_identity", 43200)
    assert receipt["context"]["web_identity_subject"] == PERSON
    assert "not complete" in receipt["note"]
    assert of_pool().split(".")[1] not in done.output


REFUSED = {
    "wrong audience": (of_pool(aud="another-client"), "is for the audience 'another-client'", True),
    "wrong subject": (of_pool(sub="eve"), "is about the subject 'eve'", True),
    "wrong issuer": (oidc.token("https://evil.example.org", aud=CLIENT, sub=PERSON), "which the venue does not", True),
    "expired": (of_pool(exp=1), "expired at 1970-01-01", False),
    "unsigned": (oidc.unsigned(POOL, aud=CLIENT, sub=PERSON), "is not signed (alg: none)", False),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_token_that_is_refused_has_its_message_and_no_receipt(
    venue: world.Account, tmp_path: Path, case: str
) -> None:
    token, message, judged = REFUSED[case]
    done = issue(venue, tmp_path, token, issue_oidc_providers=PROVIDERS)
    assert done.code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / ".mdps" / "receipts.jsonl").exists()
    if judged:  # the rest is for AWS alone to judge
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            assume(venue, token)


def test_what_only_sts_knows_to_be_wrong_is_explained(venue: world.Account, tmp_path: Path) -> None:
    done = issue(venue, tmp_path, of_pool(sub="eve"))
    assert done.code == 2
    assert f"The token is from {POOL.removeprefix('https://')}, for {CLIENT}, about eve." in " ".join(
        done.output.split()
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subjects": ["repo:unity-sds/*"]}, "matches subjects of other owners"),
        ({"subjects": None, "any_subject": True}, "any_subject is refused"),
    ],
)
def test_a_subject_that_is_too_wide_is_refused(venue: world.Account, change: dict[str, Any], message: str) -> None:
    given = {name: value for name, value in {**PROVIDERS[1], **change}.items() if value is not None}
    succeeded, result = venue.run("role", project="webid", venue="dev", oidc_providers=[given])
    assert not succeeded
    assert message in result["msg"]


def test_a_person_is_ended_and_let_in_again(venue: world.Account) -> None:
    options = {"project": "webid", "venue": "dev", "web_identity_issuer": POOL, "web_identity_subject": PERSON}
    assert assume(venue, of_pool())
    connection = connections.connection(venue.url, venue.admin)
    succeeded, result = operations.run("revocation", connection | options)
    assert succeeded, result
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        assume(venue, of_pool())
    workflow = oidc.token(GITHUB, aud="sts.amazonaws.com", sub=MAIN)
    assert assume(venue, workflow), "others are not refused"
    policy = venue.as_root("iam").get_role(RoleName=ROLE.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    assert judged(policy, POOL, CLIENT, PERSON, GITHUB, MAIN) == [False, True]
    assert operations.run("revocation", connection | options | {"state": "absent"})[0]
    assert assume(venue, of_pool())


def judged(policy: Any, issuer: str, audience: str, subject: str, other: str, other_subject: str) -> list[bool]:
    """What iam-simulate says about two tokens. It knows the keys of one issuer, so each is judged by itself."""
    asked = []
    for who, aud, sub in ((issuer, audience, subject), (other, "sts.amazonaws.com", other_subject)):
        host = who.removeprefix("https://")
        context = oracles.as_known_issuer({f"{host}:aud": aud, f"{host}:sub": sub}, host)
        principal = f"arn:aws:iam::{world.HOME}:oidc-provider/{host}"
        trust = oracles.as_known_issuer(policy, host)
        more = {"context": context, "resource_policy": trust, "account": world.HOME}
        asked.append(oracles.request(principal, "sts:AssumeRoleWithWebIdentity", ROLE, [], **more))
    return oracles.simulate(asked)


# A workflow --------------------------------------------------------------------------------------------------------

DOCKER = """#!/bin/sh
echo "$*" >> "$DOCKER_LOG"
[ "$1" != login ] || { read -r password; [ -n "$password" ]; }
"""


def test_the_steps_of_the_workflow(venue: world.Account, tmp_path: Path) -> None:
    workflow = yaml.safe_load(block("yaml", "Push the container"))
    assert workflow["permissions"]["id-token"] == "write"
    programs, log = tmp_path / "bin", tmp_path / "docker.log"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    cli = Path(sys.prefix).parent / "awscli" / "bin"
    subprocess.run([sys.executable, world.ROOT / "tools" / "environment.py", "awscli"], check=True, capture_output=True)
    with oidc.issuer_at(GITHUB, sub=MAIN) as address:
        environment = {
            **surroundings(venue, tmp_path),
            **{name: str(value) for name, value in workflow["env"].items()},
            "AWS_ROLE_SESSION_NAME": "github-4711",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "web-identity-token"),
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token-for-tests",
            "GITHUB_SHA": "0123abcd",
            "DOCKER_LOG": str(log),
            "PATH": f"{programs}:{cli}:{os.environ['PATH']}",
        }
        for step in [one for one in workflow["jobs"]["push"]["steps"] if "run" in one]:
            done = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", step["run"]],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{step['name']}: {done.stderr}"
    registry = f"{world.HOME}.dkr.ecr.us-west-2.amazonaws.com"
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["login", "build", "push"]
    assert f"push {registry}/sbg/app:0123abcd" in log.read_text()
    # What docker would do with the login, as the session that the token brings.
    keys = assume(venue, (tmp_path / "web-identity-token").read_text().strip())["Credentials"]
    ecr = connections.client("ecr", venue.url, keys)
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{'0' * 64}"}, "layers": []})
    pushed = ecr.put_image(repositoryName="sbg/app", imageManifest=manifest, imageTag="0123abcd")
    assert pushed["image"]["imageId"]["imageTag"] == "0123abcd"
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        ecr.create_repository(repositoryName="emit/app")


def test_a_fork_of_the_workflow_gets_nothing(venue: world.Account) -> None:
    for subject in ("repo:eve/sbg:ref:refs/heads/main", "repo:unity-sds/sbg:pull_request"):
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            assume(venue, oidc.token(GITHUB, aud="sts.amazonaws.com", sub=subject))


# A job -------------------------------------------------------------------------------------------------------------


def test_a_job_issues_a_token_without_a_stored_key(venue: world.Account, tmp_path: Path) -> None:
    iam = venue.as_root("iam")
    trust = block("json", "aap.example.org")
    role = iam.create_role(RoleName="mdps-awx-issuer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = world.for_emulator(world.POLICIES["issuer"], venue.account_id)
    iam.put_role_policy(RoleName="mdps-awx-issuer", PolicyName="issuer", PolicyDocument=json.dumps(policy))
    injectors = yaml.safe_load(block("yaml", "injectors:").replace("!unsafe ", ""))["injectors"]["env"]
    file = tmp_path / "token-of-the-job"
    values = {"tower.filename": str(file), "role_arn": role, "session_name": "job-7"}
    environment = {name: values[text.strip("{} ")] for name, text in injectors.items()}
    for subject, code in ((JOB, 0), (JOB.replace("Issue token", "Other"), 2)):
        file.write_text(oidc.token(AAP, aud="https://sts.amazonaws.com", sub=subject))
        done = ansible_playbook(
            *("mdps.venue_sts.issue", "-e", "project=webid", "-e", "venue=dev", "-e", "user=jdoe"),
            *("-e", f"dest={tmp_path}/tokens/"),
            env=surroundings(venue, tmp_path, **environment),
            cwd=tmp_path,
        )
        assert done.code == code, done.output
    (issued,) = (tmp_path / "tokens").iterdir()
    assert json.loads(issued.read_text())["AssumedRoleUser"]["Arn"].startswith("arn:aws:sts::")
    *_lines, last = (tmp_path / ".mdps" / "receipts.jsonl").read_text().splitlines()
    assert json.loads(last)["issuer_arn"].endswith("assumed-role/mdps-awx-issuer/job-7")
