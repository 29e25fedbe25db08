# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The README of a bundle is true: each command in it works with the token, and what it says is refused is refused."""

from __future__ import annotations

import functools
import io
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import access, permissions
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import bundle

from tests.conftest import ROOT
from tests.support import world
from tests.support.aws_cli_server import AwsCli, Done

BUCKET, PLACE = "sbg-dev-unity-data", permissions.Place("aws", "us-west-2", world.HOME)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.HOME}:root"}, "Action": "sts:AssumeRole"}
    ],
}


@dataclass(frozen=True)
class Kind:
    """A kind of token: what the role grants, and what is asked for."""

    role: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)


KINDS = {
    "full": Kind(),
    "read": Kind(request={"access": ("s3_read",)}),
    "write": Kind(request={"access": ("s3_write",)}),
    "pull": Kind(request={"access": ("ecr_pull",)}),
    "push": Kind(request={"access": ("ecr_push",)}),
    "create": Kind(request={"access": ("ecr_create",)}),
    "folder": Kind(request={"bucket_prefixes": ("pub",)}),
    "folders to read": Kind(request={"bucket_prefixes": ("pub", "incoming/jdoe"), "access": ("s3_read",)}),
    "folders of the role": Kind(role={"bucket_prefixes": ("pub", "products/")}),
    "folder in a folder": Kind(role={"bucket_prefixes": ("pub",)}, request={"bucket_prefixes": ("pub/deep",)}),
    "two buckets": Kind(role={"buckets": (BUCKET, f"{BUCKET}-2")}),
    "names with a beginning": Kind(request={"repositories": ("sbg/pre*",)}),
    "one repository": Kind(request={"repositories": ("sbg/app",), "access": ("ecr_pull", "ecr_push")}),
}
# The kinds whose READMEs differ most; together they have almost every sentence. The others are of `make clients`.
QUICK = {"full", "write", "folders to read", "one repository"}
EACH_KIND = [pytest.param(one, marks=[] if one in QUICK else pytest.mark.clients) for one in KINDS]


@dataclass(frozen=True)
class Desk:
    """A recipient's folder with an extracted bundle, and a shell in it."""

    folder: Path
    environment: dict[str, str]
    readme: str
    cli: AwsCli

    def aws(self, command: str) -> Done | subprocess.CompletedProcess[str]:
        """Run a command line; one that is not simply of the AWS CLI goes to a shell."""
        words = shlex.split(command)
        if words[0] != "aws" or "|" in words:
            return self.sh(command)
        lines = block(self.readme, "bash").replace("$PWD", str(self.folder)).splitlines()
        setting = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        return self.cli.run(words[1:], self.folder, {**self.environment, **setting})

    def sh(self, command: str, shell: str = "bash") -> subprocess.CompletedProcess[str]:
        setting = f"{block(self.readme, 'fish' if shell == 'fish' else 'bash')}\n{command}"
        return subprocess.run(
            [shell, "-c", setting], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    @property
    def commands(self) -> list[str]:
        """The command lines of the README, each on a line of its own with four blanks in front."""
        lines = re.findall(r"^    ((?:aws|docker) .*)$", self.readme, re.MULTILINE)
        return [fill(line) for line in lines]


def fill(line: str) -> str:
    """Put names in the place of what stands for names."""
    line = line.replace("BUCKET", BUCKET).replace("FOLDER", "folder-1").replace(":TAG", ":v1").replace("IMAGE", "mine")
    return line.replace("NAME", "name-1")


def block(readme: str, shell: str) -> str:
    """The two lines that a shell needs."""
    part = re.search(rf"^ {shell}\b.*:\n((?:    .*\n)+)", readme, re.MULTILINE)
    assert part
    lines = [line.strip() for line in part[1].splitlines()]
    assert len(lines) == 3 and lines[2] == "aws sts get-caller-identity"
    return "\n".join(lines[:2])


def grant(**more: Any) -> permissions.Grant:
    given = {"buckets": (BUCKET,), "repositories": ("sbg/*",), **more}
    return permissions.Grant(**given)


@pytest.fixture(scope="module")
def account(home: world.Account) -> world.Account:
    """The account with data at every place that a token may open, and at places that none does."""
    s3, ecr = home.as_root("s3"), home.as_root("ecr")
    for bucket in (BUCKET, f"{BUCKET}-2"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        for prefix in ("", "pub/", "pub/deep/", "incoming/jdoe/", "products/", "private/"):
            for name in ("name-1", "folder-1/inside"):
                s3.put_object(Bucket=bucket, Key=prefix + name, Body=b"data")
    for repository in ("sbg/app", "other/app"):
        ecr.create_repository(repositoryName=repository)
    return home


@pytest.fixture(scope="module")
def cli_home() -> Path:
    """The environment of the AWS CLI."""
    made = subprocess.run(
        [sys.executable, ROOT / "tools/environment.py", "awscli"], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def cli(cli_home: Path, enforcing: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCli]:
    """The AWS CLI, sent to the emulator."""
    with AwsCli(cli_home, enforcing, tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture(scope="module")
def command_line(tmp_path_factory: pytest.TempPathFactory, cli_home: Path, enforcing: str) -> Path:
    """A folder for PATH: the AWS CLI, sent to the emulator, and a docker that notes what it is asked to do."""
    folder = tmp_path_factory.mktemp("bin")
    for name, script in (
        ("aws", f'exec {cli_home}/bin/aws --endpoint-url {enforcing} "$@"'),
        ("docker", 'echo "$@" >> "$DOCKER_LOG"; case "$*" in *--password-stdin*) test -n "$(cat)";; esac'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def issue(
    account: world.Account, command_line: Path, cli: AwsCli, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Desk]:
    """Issue a token of a kind, and extract its bundle as the recipient does."""

    @functools.cache
    def make(name: str) -> Desk:
        kind = KINDS[name]
        role_policy = permissions.policy(grant(**kind.role), PLACE)
        request = access.Request(**kind.request)
        narrowed = None
        if request.narrows:
            asked = {one: value for one, value in kind.request.items() if value is not None}
            narrowed = permissions.policy(grant(**{"buckets": ("*",), "repositories": ("*",), **asked}), PLACE)
        allows = access.allowed(role_policy, request).to_json()
        keys = assume(account, f"unity-sbg-{name.replace(' ', '-')}-sts", role_policy, narrowed)
        return extract(tmp_path_factory.mktemp("downloads"), keys, allows, command_line, cli)

    return make


def assume(account: world.Account, role: str, policy: dict[str, Any], narrowed: dict[str, Any] | None) -> Any:
    iam = account.as_root("iam")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="sts", PolicyDocument=json.dumps(policy))
    more = {"Policy": json.dumps(narrowed)} if narrowed else {}
    answer = account.as_root("sts").assume_role(RoleArn=arn, RoleSessionName="jdoe", **more)
    keys = {**answer["Credentials"], "Expiration": answer["Credentials"]["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"AssumedRoleUser": answer["AssumedRoleUser"], "Credentials": keys}


def extract(parent: Path, token: dict[str, Any], allows: dict[str, Any], command_line: Path, cli: AwsCli) -> Desk:
    receipt = {
        "recipient": "jdoe",
        "project": "sbg",
        "venue": "dev",
        "account_id": world.HOME,
        "region": "us-west-2",
        "session_name": "jdoe",
        "issued_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires_at": token["Credentials"]["Expiration"],
        "allows": allows,
    }
    made = bundle.build_bundle(receipt, token, bundle.BundleSettings(), "bundle")
    folder = parent / "Users Núñez" / "x & y's"  # as on a laptop: blanks, accents and what shells would interpret
    folder.mkdir(parents=True)
    zipfile.ZipFile(io.BytesIO(made.zip)).extractall(folder)
    (folder / "folder-1").mkdir()
    for name in ("name-1", "folder-1/inside"):
        (folder / name).write_text("data")
    environment = {
        "PATH": f"{command_line}:{os.environ['PATH']}",
        "HOME": str(parent),
        "LC_ALL": "C.UTF-8",
        "DOCKER_LOG": str(parent / "docker.log"),
    }
    return Desk(folder, environment, (folder / "README.txt").read_text(encoding="utf-8"), cli)


# What the README says that a token does not allow, as commands to try.
REFUSED: dict[str, list[str]] = {
    "list all buckets (aws s3 ls without an address)": ["aws s3 ls"],
    "read or write data in Amazon S3": [
        f"aws s3 cp s3://{BUCKET}/name-1 .",
        f"aws s3 cp name-1 s3://{BUCKET}/name-2",
        f"aws s3 ls s3://{BUCKET}/",
    ],
    "write data (aws s3 cp NAME s3://...)": [
        f"aws s3 cp name-1 s3://{BUCKET}/name-2",
        f"aws s3 cp name-1 s3://{BUCKET}/pub/name-2",
    ],
    "read data (aws s3 cp s3://... .)": [
        f"aws s3api get-object --bucket {BUCKET} --key name-1 got",
        f"aws s3api get-object --bucket {BUCKET} --key pub/name-1 got",
    ],
    "read, write or list outside the folders above, the top of the bucket included": [
        f"aws s3 ls s3://{BUCKET}/",
        f"aws s3 ls s3://{BUCKET}/private/",
        f"aws s3api get-object --bucket {BUCKET} --key private/name-1 got",
        f"aws s3api get-object --bucket {BUCKET} --key name-1 got",
        f"aws s3 cp name-1 s3://{BUCKET}/name-2",
        f"aws s3 cp name-1 s3://{BUCKET}/private/name-2",
    ],
    "log docker in, push or pull container images": [
        "aws ecr get-login-password",
        "aws ecr batch-get-image --repository-name sbg/app --image-ids imageTag=v1",
        "aws ecr initiate-layer-upload --repository-name sbg/app",
    ],
    "push container images": ["aws ecr initiate-layer-upload --repository-name sbg/app"],
    "create container repositories": ["aws ecr create-repository --repository-name sbg/new"],
    "use container repositories of other names": [
        "aws ecr create-repository --repository-name other/new",
        "aws ecr batch-get-image --repository-name other/app --image-ids imageTag=v1",
        "aws ecr initiate-layer-upload --repository-name other/app",
    ],
}


@pytest.mark.parametrize("kind", EACH_KIND)
def test_the_readme_of_each_kind_of_token_is_true(issue: Callable[[str], Desk], kind: str) -> None:
    desk = issue(kind)
    assert len(desk.commands) > 4
    for command in desk.commands:
        done = desk.aws(command)
        assert done.returncode == 0 or "RepositoryAlreadyExists" in done.stderr, f"{command}: {done.stderr}"
    said = re.findall(r"^ \* (.*)$", desk.readme.partition("they do not:")[2].partition("Use them")[0], re.MULTILINE)
    assert said[0] == "list all buckets (aws s3 ls without an address)"
    for command in (one for sentence in said for one in REFUSED[sentence]):
        done = desk.aws(command)
        assert done.returncode != 0 and re.search(r"AccessDenied|Forbidden", done.stderr), f"{command}: {done.stderr}"


def test_what_is_allowed_and_refused_is_complete(issue: Callable[[str], Desk]) -> None:
    """A token that may only read is given no command that writes, and the other way round."""
    reader, writer = issue("read").commands, issue("write").commands
    assert any("s3 cp s3:" in one for one in reader) and any("s3 cp name-1" in one for one in writer)
    assert not any(one.startswith(("aws s3 cp name-1", "aws s3 sync folder-1", "docker", "aws ecr")) for one in reader)
    assert not any(one.startswith(("aws s3 cp s3:", "aws s3 sync s3:", "docker", "aws ecr")) for one in writer)


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_two_lines_are_enough_in_each_shell(issue: Callable[[str], Desk], shell: str) -> None:
    desk = issue("read")
    done = desk.sh("aws sts get-caller-identity", shell)
    assert done.returncode == 0 and "assumed-role/unity-sbg-" in done.stdout, done.stderr
