# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recipients with tokens of every kind: their folders with an extracted bundle, and how they type commands there."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import permissions
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _bundle as bundle

from tests.conftest import ROOT
from tests.support import world
from tests.support.aws_cli_server import AwsCli, Done

BUCKET, PLACE = "sbg-dev-unity-data", permissions.Location("aws", "us-west-2", world.HOME)
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.HOME}:root"}, "Action": "sts:AssumeRole"}
    ],
}


@dataclass(frozen=True)
class Kind:
    """A kind of token: what the role grants, what is asked for, and a session policy that the admin wrote."""

    role: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    by_hand: dict[str, Any] | None = None


BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/pub/*"}],
}


def narrowed(*statements: dict[str, Any]) -> Kind:
    """A kind of token with a session policy that the admin wrote."""
    return Kind(by_hand={"Version": "2012-10-17", "Statement": list(statements)})


def says(action: str | list[str], *resources: str, effect: str = "Allow") -> dict[str, Any]:
    """A statement about objects or repositories."""
    arns = [f"{REPOSITORIES}{one[4:]}" if one.startswith("ecr:") else f"arn:aws:s3:::{one}" for one in resources]
    return {"Effect": effect, "Action": action, "Resource": arns or "*"}


REPOSITORIES = f"arn:aws:ecr:us-west-2:{world.HOME}:repository/"
LOGIN = says("ecr:GetAuthorizationToken")
KINDS = {
    "full": Kind(),
    "read": Kind(request={"access": ("s3_read",)}),
    "write": Kind(request={"access": ("s3_write",)}),
    "pull": Kind(request={"access": ("ecr_pull",)}),
    "push": Kind(request={"access": ("ecr_push",)}),
    "create": Kind(request={"access": ("ecr_create",)}),
    "folder": Kind(request={"bucket_prefixes": ("pub",)}),
    "folders to read": Kind(request={"bucket_prefixes": ("pub", "incoming/jdoe"), "access": ("s3_read",)}),
    "folders of the role": Kind(role={"bucket_prefixes": ("pub", "products")}),
    "folder in a folder": Kind(role={"bucket_prefixes": ("pub",)}, request={"bucket_prefixes": ("pub/deep",)}),
    "deleting": Kind(role={"delete": True, "buckets": (f"{BUCKET}-3",)}),
    "reader of a role that deletes": Kind(role={"delete": True}, request={"access": ("s3_read",)}),
    "by hand": Kind(by_hand=BY_HAND),
    "read here, write there": narrowed(
        says("s3:GetObject", f"{BUCKET}/pub/*"), says("s3:PutObject", f"{BUCKET}/products/*")
    ),
    "write in a folder of what is read": narrowed(
        says("s3:GetObject", f"{BUCKET}/*"), says("s3:PutObject", f"{BUCKET}/products/*"), says("s3:ListBucket", BUCKET)
    ),
    "beginning of names": narrowed(says("s3:GetObject", f"{BUCKET}/pub*")),
    "denied manually": narrowed(
        says("*"), says("s3:Put*", effect="Deny"), says(["ecr:PutImage", "ecr:Initiate*"], effect="Deny")
    ),
    "denied in part": narrowed(says("*"), says("s3:*", f"{BUCKET}/private/*", effect="Deny")),
    "containers apart": narrowed(
        LOGIN,
        says(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "ecr:sbg/app"),
        says("ecr:Create*", "ecr:sbg/n*"),
    ),
    "two buckets": Kind(role={"buckets": (BUCKET, f"{BUCKET}-2")}),
    "names with a beginning": Kind(request={"repositories": ("sbg/pre*",)}),
    "one repository": Kind(request={"repositories": ("sbg/app",), "access": ("ecr_pull", "ecr_push")}),
}


BLOCKS = {"fish": "fish", "tcsh": "tcsh"}  # every other shell has the lines of bash


def environment_of(name: str) -> Path:
    """The folder of an environment, which is made if it is not there."""
    command = [sys.executable, ROOT / "tools" / "environment.py", name]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


@dataclass(frozen=True)
class Workstation:
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
        setting = f"{block(self.readme, BLOCKS.get(shell, 'bash'))}\n{command}"
        return self.type(setting, shell)

    def type(
        self, lines: str, shell: str = "bash", environment: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """Type lines into a shell in the folder."""
        given = {**self.environment, **environment}
        return subprocess.run(
            [shell, "-c", lines], cwd=self.folder, env=given, capture_output=True, text=True, check=False
        )

    @property
    def commands(self) -> list[str]:
        """The command lines of the README, each on a line of its own with four blanks in front."""
        lines = re.findall(r"^    ((?:aws|docker) .*)$", self.readme, re.MULTILINE)
        return [fill(line) for line in lines]


def fill(line: str) -> str:
    """Put names in place of what stands for names."""
    line = line.replace("BUCKET", BUCKET).replace("FOLDER", "folder-1").replace(":TAG", ":v1").replace("IMAGE", "mine")
    return line.replace("NAME", "name-1")


def block(readme: str, shell: str) -> str:
    """The two lines that a shell needs."""
    part = re.search(rf"^ {shell}\b.*:\n((?:    .*\n)+)", readme, re.MULTILINE)
    assert part
    lines = [line.strip() for line in part[1].splitlines()]
    assert len(lines) == 3 and lines[2] == "aws sts get-caller-identity"
    return "\n".join(lines[:2])


def remover(readme: str, shell: str) -> str:
    """The line that removes other keys from a window."""
    part = re.search(rf"^ \* {shell}\b.*:\n    (.*)\n", readme, re.MULTILINE)
    assert part
    return part[1]


def grant(**more: Any) -> permissions.Grant:
    given = {"buckets": (BUCKET,), "repositories": ("sbg/*",), **more}
    return permissions.Grant(**given)


def assume(account: world.Account, role: str, policy: dict[str, Any], narrowed: dict[str, Any] | None) -> Any:
    iam = account.as_root("iam")
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="sts", PolicyDocument=json.dumps(policy))
    more = {"Policy": json.dumps(narrowed)} if narrowed else {}
    answer = account.as_root("sts").assume_role(RoleArn=arn, RoleSessionName="jdoe", **more)
    keys = {**answer["Credentials"], "Expiration": answer["Credentials"]["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"AssumedRoleUser": answer["AssumedRoleUser"], "Credentials": keys}


def extract(
    parent: Path, token: dict[str, Any], allows: dict[str, Any], command_line: Path, cli: AwsCli
) -> Workstation:
    receipt = {
        "recipient": "jdoe",
        "project": "sbg",
        "venue": "dev",
        "account_id": world.HOME,
        "region": "us-west-2",
        "role_arn": f"arn:aws:iam::{world.HOME}:role/unity-sbg-dev-sts",
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
    return Workstation(folder, environment, (folder / "README.txt").read_text(encoding="utf-8"), cli)
