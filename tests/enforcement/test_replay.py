# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What MDPS's tools and common clients do with a token works, or is refused, as the table of replay.py says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import replay
from boto3.exceptions import Boto3Error
from botocore.exceptions import ClientError

from tests.conftest import ROOT
from tests.support import world
from tests.support.programs import required

VENUES: dict[str, dict[str, Any]] = {
    "ops": {"ecr_repositories": ["unity/*", "tropess/*"]},
    "test": {"allow_delete": True},
}
TOKENS: dict[str, tuple[str, dict[str, Any]]] = {
    "full": ("ops", {}),
    "folder": ("ops", {"bucket_prefixes": ["incoming"]}),
    "delete": ("test", {}),
}
# Tools that start a process for each step, which is slow: each time, the CLI with the narrowest token stands for them.
CLI, SCIENCE = {"aws s3", "aws s3api"}, {"s3fs", "zarr"}
QUICK = {one.tool for one in replay.STEPS} - CLI - SCIENCE
NEEDS_CLI = required(replay.AWS_CLI)
RUNS = [
    *[pytest.param(name, QUICK, id=f"{name}-boto3") for name in TOKENS],
    pytest.param("folder", CLI, id="folder-cli", marks=NEEDS_CLI),
    *[pytest.param(name, CLI, id=f"{name}-cli", marks=[NEEDS_CLI, pytest.mark.clients]) for name in ("full", "delete")],
    *[pytest.param(name, SCIENCE, id=f"{name}-s3fs", marks=pytest.mark.clients) for name in TOKENS],
]


@pytest.fixture(scope="module")
def sessions(home: world.Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, replay.Session]:
    """One session for each token, of two venues of the project ``unity``, as the admin provisions and issues them."""
    buckets = {venue: _provision(home, venue, options) for venue, options in VENUES.items()}
    home.need_repositories("unity/app", "other/app")
    kms_key = home.as_root("kms").create_key()["KeyMetadata"]["Arn"]
    made = {}
    for name, (venue, options) in TOKENS.items():
        succeeded, issued = home.run("token", project="unity", venue=venue, user=name, **options)
        assert succeeded, issued
        made[name] = replay.Session(
            name,
            home.url,
            issued["token"]["Credentials"],
            buckets[venue],
            "unity",
            kms_key,
            tmp_path_factory.mktemp(name),
        )
    return made


def _provision(home: world.Account, venue: str, options: dict[str, Any]) -> str:
    bucket, s3 = home.publish_venue("unity", venue), home.as_root("s3")
    for key in ("incoming/a.dat", "private/b.dat", "incoming-private/c.dat", "mdps-venue-sts/receipt.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"data")
    for key, tags in (("incoming/big.dat", ""), ("incoming/tagged.dat", "level=1")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * replay.BIG, Tagging=tags)
    succeeded, result = home.run("role", project="unity", venue=venue, **options)
    assert succeeded, result
    return bucket


def test_the_cli_is_version_2() -> None:
    assert Path(replay.AWS_CLI).exists(), "Debian's package awscli is needed: apt-get install awscli"
    said = subprocess.run([replay.AWS_CLI, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("aws-cli/2."), said


@pytest.mark.parametrize(("name", "tools"), RUNS)
def test_every_step_of_every_tool(
    sessions: dict[str, replay.Session], name: str, tools: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    seen, failed = {}, {}
    for one in (step for step in replay.STEPS if step.tool in tools):
        try:
            seen[one] = one.allowed(sessions[name])
        except (AssertionError, ClientError, Boto3Error) as error:
            failed[one.tool, one.what] = str(error)[-1000:]
    with capsys.disabled():
        print(f"\nreplay with the token {name}: {len(seen)} steps, {sum(seen.values())} allowed")
    expected = replay.expected()
    different = {
        (one.tool, one.what): answer
        for one, answer in seen.items()
        if answer != (expected[one.tool, one.what, name] == "A")
    }
    assert (different, failed) == ({}, {}), "otherwise than expected, or neither allowed nor refused"


def test_the_page_has_the_table_that_is_tested() -> None:
    assert replay.TABLE.strip("\n") in (ROOT / "docs" / "enforcement.md").read_text(encoding="utf-8")
