# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The recipient of a lease: programs that run across renewals, with short tokens on a server that lets them expire."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import renewal_clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _bundle as bundle
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _sealing as sealing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._renewal_place import RenewalPlace
from workstations import environment_of

from tests.conftest import free_port
from tests.support import connections, people, world

pytestmark = pytest.mark.clients

BUCKET, PREFIX = "sbg-dev-unity-data", "mdps-venue-sts/renewals/sbg/dev/jdoe/"
LIFE = 120  # seconds of each token; in the last third, and at the latest in its second half, the next one is fetched
DEBIAN_CLI, DEBIAN_RCLONE = Path("/usr/bin/aws"), Path("/usr/bin/rclone")


@dataclass
class Lease:
    """A lease of a person with an age key, and the issuer that renews it while the test runs."""

    account: world.Account
    role_arn: str
    person: people.AgePerson
    life: int = LIFE
    issued: list[dict[str, Any]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def renew(self) -> bytes:
        """Issue a token, put its sealed bundle into the bucket, and return the zip file."""
        now = datetime.now(UTC)
        sts = connections.client("sts", self.account.url, self.account.root)
        answer = sts.assume_role(RoleArn=self.role_arn, RoleSessionName="jdoe", DurationSeconds=self.life)
        keys = {**answer["Credentials"], "Expiration": iso(answer["Credentials"]["Expiration"])}
        token = {"AssumedRoleUser": answer["AssumedRoleUser"], "Credentials": keys}
        receipt = {
            **{"recipient": "jdoe", "project": "sbg", "venue": "dev", "account_id": world.HOME, "region": "us-west-2"},
            **{"role_arn": self.role_arn, "session_name": "jdoe", "allows": None},
            **{"issued_at": iso(now), "expires_at": keys["Expiration"]},
        }
        key = f"{PREFIX}token.zip.age"
        more = RenewalPlace(BUCKET, key).files(receipt)
        made = bundle.build_bundle(receipt, token, bundle.BundleSettings(), "lease", more=more)
        usable = sealing.read_keys(self.person.public, now).usable
        sealed = sealing.seal(made.zip, usable, sealing.SealOptions())
        self.account.as_root("s3").put_object(Bucket=BUCKET, Key=key, Body=sealed.text.encode())
        self.issued.append(keys)
        return made.zip

    def keep_renewing(self) -> None:
        """Issue the next token when a third of the last one's life is left, until it is stopped."""
        while not self._stop.wait(max(0, self._due() - time.time())):
            self.renew()

    def _due(self) -> float:
        ends = datetime.fromisoformat(self.issued[-1]["Expiration"]).timestamp()
        return ends - self.life / 3

    def stop(self) -> None:
        self._stop.set()


@pytest.fixture
def lease(home: world.Account, tmp_path: Path) -> Lease:
    iam, s3 = home.as_root("iam"), home.as_root("s3")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.HOME}:root"}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    name = f"unity-sbg-{uuid.uuid4().hex}-sts"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]
    document["Statement"] = [allow]
    iam.put_role_policy(RoleName=name, PolicyName="sts", PolicyDocument=json.dumps(document))
    if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_object(Bucket=BUCKET, Key="pub.dat", Body=b"data")
    return Lease(home, role["Arn"], people.age_person(tmp_path))


@dataclass
class Laptop:
    """A folder with an extracted bundle, and ``~/.aws/config`` as the README says."""

    home: Path
    environment: Mapping[str, str]

    @classmethod
    def make(cls, parent: Path, lease: Lease, bundle_zip: bytes, aws: Path, url: str) -> Laptop:
        """Set one up.

        :param aws: the AWS CLI that renew.sh finds.
        """
        home = parent / "José & co"
        folder, programs = home / "my lease", home / "bin"
        for one in (folder, programs, home / ".aws"):
            one.mkdir(parents=True)
        zipfile.ZipFile(io.BytesIO(bundle_zip)).extractall(folder)
        (programs / "aws").write_text(f'#!/bin/sh\nexec {aws} --endpoint-url {url} "$@"\n')
        (programs / "aws").chmod(0o755)
        lines = (folder / "README.txt").read_text().splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith("    [profile "))
        config = "\n".join(line.strip() for line in lines[start : start + 3]) + "\n"
        config = config.replace("FOLDER", str(folder)).replace("KEY-FILE", str(lease.person.identity))
        (home / ".aws" / "config").write_text(config)
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(home),
            "AWS_PROFILE": config.partition("[profile ")[2].partition("]")[0],
            "AWS_CONFIG_FILE": str(home / ".aws/config"),
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "S3_ENDPOINT_URL": url,  # as s5cmd calls it
        }
        return cls(home, environment)

    @property
    def folder(self) -> Path:
        return self.home / "my lease"

    def start(self, code: str, python: Path, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Start a program of renewal_clients."""
        command = [str(python), "-W", "ignore", "-c", code, *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=self.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False)


def version_2() -> list[Path]:
    """Debian's AWS CLI, if it is installed."""
    return [DEBIAN_CLI] if DEBIAN_CLI.exists() else []


Program = tuple[Path, str, list[str]]  # the AWS CLI that renew.sh finds, the code, and its arguments


def python_programs(cli: Path, of_file: list[str]) -> dict[str, Program]:
    """boto3, s3fs and both versions of the AWS CLI."""
    programs = {
        "boto3": (cli, renewal_clients.BOTO3, of_file),
        "s3fs": (cli, renewal_clients.S3FS, of_file),
        "AWS CLI 1": (cli, renewal_clients.CLI, ["aws", *of_file]),
    }
    for debian in version_2():
        programs["AWS CLI 2"] = (debian, renewal_clients.CLI, ["aws", *of_file])
    return programs


def go_programs(cli: Path, of_file: list[str], url: str) -> dict[str, Program]:
    """Rclone and s5cmd, which ask for new keys only after the end that they were told."""
    clients = environment_of("clients")
    programs = {"s5cmd": (cli, renewal_clients.S5CMD, [str(clients / "bin/s5cmd"), *of_file])}
    for name, rclone in (("rclone", clients / "bin/rclone"), ("rclone of Debian", DEBIAN_RCLONE)):
        if rclone.exists():
            programs[name] = (cli, renewal_clients.RCLONE, [str(rclone), str(free_port()), url, *of_file])
    return programs


@pytest.mark.parametrize("kind", ["python", "go"])
def test_programs_run_across_three_renewals_without_a_restart(
    lease: Lease, cli_home: Path, enforcing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """The programs of Python share a folder, but for version 2 of the AWS CLI."""
    cli = cli_home / "bin/aws"
    of_file = [BUCKET, "pub.dat", str(3.5 * LIFE * 2 / 3)]
    programs = python_programs(cli, of_file) if kind == "python" else go_programs(cli, of_file, enforcing)
    first = lease.renew()
    issuer = threading.Thread(target=lease.keep_renewing)
    issuer.start()
    shared = Laptop.make(tmp_path / "shared", lease, first, cli, enforcing)
    laptops = {
        name: shared
        if name in ("boto3", "s3fs", "AWS CLI 1")
        else Laptop.make(tmp_path / name, lease, first, programs[name][0], enforcing)
        for name in programs
    }
    python = environment_of("clients") / "bin/python"
    running = {name: laptops[name].start(code, python, words) for name, (_program, code, words) in programs.items()}
    answers = {name: one.communicate(timeout=900) for name, one in running.items()}
    lease.stop()
    issuer.join()

    numbers = {one["AccessKeyId"]: number for number, one in enumerate(lease.issued)}
    table = []
    for name, one in running.items():
        out, problem = answers[name]
        assert one.returncode == 0, f"{name}: {problem[:2000]}"
        held = (laptops[name].folder / "keys").read_text()
        last = max(number for key, number in numbers.items() if f'"{key}"' in held)
        # s5cmd ends with an error if one of its readings failed, and prints no line for each.
        assert last >= 3 and (name == "s5cmd" or len(out.split()) > 3), (name, problem)
        table.append(f"{name:22} {len(out.split()):4} readings, renewals: {last}")
        folder = laptops[name].folder
        assert (folder / "keys").stat().st_mode & 0o777 == 0o600 and not list(folder.glob("renewing*"))
    if kind == "python":
        seen = set(answers["boto3"][0].split())
        assert seen <= set(numbers) and len(seen) >= 4, "boto3 did not take the new keys"
    with capsys.disabled():
        print("", *table, sep="\n")


def refusal(command: Sequence[str], laptop: Laptop, way: Mapping[str, str]) -> str:
    """What a command says once AWS refuses the keys, which may be a moment after their end by this machine's clock."""
    environment, deadline = {**laptop.environment, **way}, time.monotonic() + 30
    while True:
        done = subprocess.run(command, env=environment, cwd=laptop.home, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr
        assert time.monotonic() < deadline


def check_messages(laptop: Laptop) -> None:
    """After the end, the AWS CLI says what the README of the bundle quotes, whichever way it has the keys."""
    part = (
        (laptop.folder / "README.txt")
        .read_text()
        .partition("When it ends")[2]
        .partition("the credentials have expired")[0]
    )
    quoted = [" ".join(one.split()) for one in re.findall(r'"([^"]+)"', part)]
    assert len(quoted) == 4
    profile = re.findall(r"^\[(.*)\]$", (laptop.folder / "credentials").read_text(), re.MULTILINE)[0]
    config = laptop.home / "process"
    config.write_text(
        f"[profile p]\nregion = us-west-2\ncredential_process = cat '{laptop.folder}/credential_process.json'\n"
    )
    ways = [
        {"AWS_SHARED_CREDENTIALS_FILE": str(laptop.folder / "credentials"), "AWS_PROFILE": profile},
        {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "p"},
    ]
    command = ["aws", "s3api", "get-object", "--bucket", BUCKET, "--key", "pub.dat", "got"]
    said = [refusal(command, laptop, way) for way in ways]
    assert quoted[0] in said[0] and quoted[2] in said[0]
    assert quoted[3] in said[1]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_laptop_that_slept_past_the_end(
    lease: Lease, cli_home: Path, enforcing: str, tmp_path: Path, version: str
) -> None:
    if version == "2" and not version_2():
        pytest.skip("not installed: version 2 of the AWS CLI at /usr/bin/aws (Debian: awscli)")
    aws = DEBIAN_CLI if version == "2" else cli_home / "bin/aws"
    lease.life = 3
    laptop = Laptop.make(tmp_path / "one", lease, lease.renew(), aws, enforcing)
    ends = lease.issued[-1]["Expiration"]
    helper = ("sh", str(laptop.folder / "renew.sh"), str(lease.person.identity))
    deadline = time.monotonic() + 30
    while laptop.run(*helper).returncode == 0:
        assert time.monotonic() < deadline
    check_messages(laptop)
    lease.life = 60
    again = lease.renew()
    done = laptop.run("aws", "s3", "cp", f"s3://{BUCKET}/pub.dat", "-")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert f"the credentials expired at {ends} before new ones were fetched" in done.stderr
    assert f"extract it here: {laptop.folder}" in done.stderr
    zipfile.ZipFile(io.BytesIO(again)).extractall(laptop.folder)
    assert laptop.run("aws", "s3", "cp", f"s3://{BUCKET}/pub.dat", "-").stdout == "data"


@pytest.mark.parametrize("name", ["renew.ps1", "console_link.ps1"])
def test_a_grammar_of_powershell_finds_no_error(name: str) -> None:
    """PowerShell itself is not among the packages of PyPI, npm or Debian."""
    code = """
import sys, tree_sitter, tree_sitter_powershell
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
text = open(sys.argv[1], "rb").read()
assert not parser.parse(text).root_node.has_error
assert parser.parse(text + b"if (").root_node.has_error, "the grammar finds no error at all"
"""
    python = environment_of("clients") / "bin/python"
    subprocess.run([python, "-c", code, bundle.FILES / name], check=True)
