# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The README of a bundle is true: each command in it works with the token, and what it says is refused is refused."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from workstations import BLOCKS, BUCKET, KINDS, Workstation, block, remover

from tests.support.programs import required

CLI_2 = Path("/usr/bin/aws")
NO_TCSH = required("tcsh")
# The kinds whose READMEs differ most; together they have almost every sentence. The others are of `make clients`.
QUICK = {
    *("deleting", "write", "folders to read", "by hand", "one repository"),
    *("write in a folder of what is read", "containers apart"),
}
EACH_KIND = [pytest.param(one, marks=[] if one in QUICK else pytest.mark.clients) for one in KINDS]


# The kinds that are tried with version 2 of the AWS CLI as well, which is slower.
WITH_VERSION_2 = ["full", "folders to read", "one repository", "read here, write there"]

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
    "delete data (aws s3 rm s3://...)": [
        f"aws s3 rm s3://{BUCKET}/name-1",
        f"aws s3 rm s3://{BUCKET}/pub/name-1",
    ],
    "list data (aws s3 ls s3://...)": [f"aws s3 ls s3://{BUCKET}/", f"aws s3 ls s3://{BUCKET}/pub/"],
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


# What it says about places of their own: tried at each place that the README does not name with this verb.
PLACES = [f"{BUCKET}/{prefix}" for prefix in ("", "pub/", "products/", "private/")]
AT_PLACE = {
    "read": "aws s3api get-object --bucket {bucket} --key {prefix}name-1 got",
    "write": "aws s3 cp name-1 s3://{bucket}/{prefix}name-2",
    "list": "aws s3 ls s3://{bucket}/{prefix}",
    "delete": "aws s3 rm s3://{bucket}/{prefix}name-1",
}
AT_REPOSITORY = {
    "pull": "aws ecr batch-get-image --repository-name {name} --image-ids imageTag=v1",
    "push": "aws ecr initiate-layer-upload --repository-name {name}",
    "create": "aws ecr create-repository --repository-name {name}-2",
}


def refused_commands(sentence: str) -> list[str]:
    """What a recipient would try of what the README says is refused."""
    if sentence in REFUSED:
        return REFUSED[sentence]
    elsewhere = re.fullmatch(r"(\w+) data elsewhere than in (.*)", sentence)
    if elsewhere:
        allowed = [one.removeprefix("s3://") for one in elsewhere[2].split(", ")]
        others = [one for one in PLACES if not one.startswith(tuple(allowed))]
        assert others
        return [AT_PLACE[elsewhere[1]].format(bucket=BUCKET, prefix=one.partition("/")[2]) for one in others]
    of_images = re.fullmatch(r"(\w+) (?:images of )?(\S+)", sentence)
    assert of_images, sentence
    return [AT_REPOSITORY[of_images[1]].format(name=of_images[2].replace("*", "ame"))]


@pytest.fixture(scope="module")
def cli_2(tmp_path_factory: pytest.TempPathFactory, enforcing: str) -> Path:
    """A folder for PATH: Debian's AWS CLI, sent to the emulator."""
    folder = tmp_path_factory.mktemp("bin2")
    (folder / "aws").write_text(f'#!/bin/sh\nexec {CLI_2} --endpoint-url {enforcing} "$@"\n')
    (folder / "aws").chmod(0o755)
    return folder


@pytest.mark.clients
@required(str(CLI_2))
@pytest.mark.parametrize("kind", WITH_VERSION_2)
def test_the_readme_is_true_with_version_2_of_the_aws_cli(
    issue: Callable[[str], Workstation], cli_2: Path, kind: str
) -> None:
    first = issue(kind)
    environment = {**first.environment, "PATH": f"{cli_2}:{first.environment['PATH']}", "AWS_PAGER": ""}
    workstation = dataclasses.replace(first, environment=environment)
    assert workstation.sh("aws --version").stdout.startswith("aws-cli/2.")
    check_readme(workstation, workstation.sh)


@pytest.mark.parametrize("kind", EACH_KIND)
def test_the_readme_of_each_kind_of_token_is_true(issue: Callable[[str], Workstation], kind: str) -> None:
    workstation = issue(kind)
    check_readme(workstation, workstation.aws)


def check_readme(workstation: Workstation, run: Callable[[str], Any]) -> None:
    """Type every command of the README, and what a recipient would try of what it says is refused."""
    assert len(workstation.commands) > 4
    for command in workstation.commands:
        done = run(command)
        assert done.returncode == 0 or "RepositoryAlreadyExists" in done.stderr, f"{command}: {done.stderr}"
    said = re.findall(
        r"^ \* (.*)$", workstation.readme.partition("they do not:")[2].partition("Use them")[0], re.MULTILINE
    )
    assert said[0] == "list all buckets (aws s3 ls without an address)"
    for command in (one for sentence in said for one in refused_commands(sentence)):
        done = run(command)
        assert done.returncode != 0 and re.search(r"AccessDenied|Forbidden", done.stderr), f"{command}: {done.stderr}"


def test_what_is_allowed_and_refused_is_complete(issue: Callable[[str], Workstation]) -> None:
    """A token that may only read is given no command that writes, and the other way round."""
    reader, writer = issue("read").commands, issue("write").commands
    assert any("s3 cp s3:" in one for one in reader) and any("s3 cp name-1" in one for one in writer)
    assert not any(one.startswith(("aws s3 cp name-1", "aws s3 sync folder-1", "docker", "aws ecr")) for one in reader)
    assert not any(one.startswith(("aws s3 cp s3:", "aws s3 sync s3:", "docker", "aws ecr")) for one in writer)


SHELLS = ["sh", "bash", "zsh", "fish", pytest.param("tcsh", marks=NO_TCSH)]


@pytest.mark.parametrize("shell", SHELLS)
def test_two_lines_are_enough_in_each_shell(issue: Callable[[str], Workstation], shell: str) -> None:
    workstation = issue("read")
    done = workstation.sh("aws sts get-caller-identity", shell)
    assert done.returncode == 0 and "assumed-role/unity-sbg-" in done.stdout, done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_other_keys_in_the_window_are_seen_and_removed(issue: Callable[[str], Workstation], shell: str) -> None:
    """Keys of yesterday, or another account's, win over the profile. The README's line removes them."""
    workstation, name = issue("read"), BLOCKS.get(shell, "bash")
    stale = {"AWS_ACCESS_KEY_ID": "ASIASTALE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "y"}
    elsewhere = {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_SECURITY_TOKEN": "z"}
    elsewhere |= {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/notebooks"}
    elsewhere |= {"AWS_DEFAULT_PROFILE": "own"}
    lines, show = block(workstation.readme, name), "aws sts get-caller-identity"
    before = workstation.type(f"{lines}\n{show}", shell, {**stale, **elsewhere})
    assert "/jdoe" not in before.stdout
    done = workstation.type(
        f"{lines}\n{remover(workstation.readme, name)}\n{lines}\n{show}", shell, {**stale, **elsewhere}
    )
    assert done.returncode == 0 and "assumed-role/unity-sbg-" in done.stdout and '/jdoe"' in done.stdout, done.stderr
    ecr = [one for one in issue("create").commands if one.startswith("aws ecr create-repository")]
    assert ecr and all("--region us-west-2" in one for one in ecr)  # docker does not say that it is the region
    region = workstation.type(
        f"{lines}\n{remover(workstation.readme, name)}\n{lines}\naws configure list", shell, elsewhere
    )
    assert "eu-west-1" not in region.stdout and "us-west-2" in region.stdout
