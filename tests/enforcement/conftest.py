# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One enforcing AWS for all tests of this folder, with an account in which venues live."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import venues
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import access, permissions
from workstations import BUCKET, KINDS, PLACE, Workstation, assume, environment_of, extract, grant

from tests.conftest import ROOT
from tests.support import world
from tests.support.aws_cli_server import AwsCli
from tests.support.ministack import Ministack


@pytest.fixture(scope="session")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that enforces policies."""
    subprocess.run(
        [sys.executable, ROOT / "tools" / "environment.py", "ministack"], check=True, stdout=subprocess.DEVNULL
    )
    folder = tmp_path_factory.mktemp("ministack")
    with Ministack(folder / "log", LOG_LEVEL="WARNING", HOME=str(folder)) as server:
        yield server.url


@pytest.fixture(scope="session")
def home(enforcing: str) -> world.Account:
    """The venues' account, with an admin who comes through a role as Kion's users do."""
    return world.make_account(enforcing, world.HOME)


@pytest.fixture(scope="session")
def tokens(home: world.Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, venues.Token]:
    """Three venues provisioned and eleven kinds of tokens issued, by the real playbooks, run by the admin."""
    return venues.issue_all(home, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="session")
def data_account(home: world.Account) -> world.Account:
    """The account with data at every place that a token may open, and at places that none does."""
    s3 = home.as_root("s3")
    # Other suites have the same account.
    there = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    for bucket in (BUCKET, f"{BUCKET}-2", f"{BUCKET}-3"):
        if bucket not in there:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        for prefix in ("", "pub", "pub/", "pub/deep/", "incoming/jdoe/", "products/", "private/"):
            for name in ("name-1", "folder-1/inside"):
                s3.put_object(Bucket=bucket, Key=prefix + name, Body=b"data")
    home.need_repositories("sbg/app", "other/app")
    return home


@pytest.fixture(scope="session")
def cli_home() -> Path:
    """The environment of the AWS CLI, version 1."""
    return environment_of("awscli")


@pytest.fixture(scope="session")
def clients() -> Path:
    """The environment of the client programs."""
    return environment_of("clients")


@pytest.fixture(scope="session")
def cli(cli_home: Path, enforcing: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCli]:
    """The AWS CLI, sent to the emulator."""
    with AwsCli(cli_home, enforcing, tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def issue(
    data_account: world.Account, command_line: Path, cli: AwsCli, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Workstation]:
    """Issue a token of a kind, and extract its bundle as the recipient does."""

    @functools.cache
    def make(name: str) -> Workstation:
        kind = KINDS[name]
        role_policy = permissions.policy(grant(**kind.role), PLACE)
        request = access.Request(**kind.request)
        narrowed = permissions.session_policy(request, PLACE) if request.narrows else None
        allows = access.allowed(role_policy, request, kind.by_hand).to_json()
        keys = assume(data_account, f"unity-sbg-{name.replace(' ', '-')}-sts", role_policy, kind.by_hand or narrowed)
        return extract(tmp_path_factory.mktemp("downloads"), keys, allows, command_line, cli)

    return make
