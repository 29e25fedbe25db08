# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who does the job, and with which commands."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"
ROOT = HERE.parent.parent
BIN = pathlib.Path(sys.prefix) / "bin"
STEPS = ("create", "no_change", "info", "issue", "seal")
# What each contender does for its venues; info is one look at the whole account.
CHANGES = ("create", "no_change", "issue", "seal")
USER = "unityuser"


@dataclass(frozen=True)
class Job:
    """One step for so many venues.

    ``issue`` writes tokens to files, ``seal`` seals them to the user's public key and keeps receipts.

    :param folder: holds the inventory and all that the steps read and write.
    :param forks: how many venues ansible-playbook, or xargs, works on at once.
    """

    step: str
    venues: int
    folder: pathlib.Path
    forks: int

    @property
    def inventory(self) -> pathlib.Path:
        """The inventory, one host a venue."""
        return self.folder / "inventory.json"

    @property
    def dest(self) -> str:
        """The folder for tokens that are not sealed, with a slash at the end."""
        return f"{self.folder}/tokens/"

    @property
    def sealed(self) -> str:
        """The folder for sealed tokens, with a slash at the end."""
        return f"{self.folder}/sealed/"

    @property
    def keys(self) -> pathlib.Path:
        """The key directory."""
        return self.folder / "keys"

    @property
    def key(self) -> pathlib.Path:
        """The user's public key, an age recipient."""
        return self.keys / f"{USER}.age"

    @property
    def receipts(self) -> pathlib.Path:
        """The file of receipts, one JSON object a line."""
        return self.folder / "receipts.jsonl"

    @property
    def issues(self) -> bool:
        """Whether the step issues tokens."""
        return self.step in ("issue", "seal")


def venue_name(number: int) -> tuple[str, str]:
    """Project and venue of the nth venue."""
    return f"proj{number // 4:03}", ("dev", "test", "ops", "sbg-dev")[number % 4]


def write_inventory(path: pathlib.Path, venues: int) -> None:
    """An inventory of so many venues."""
    named = [venue_name(number) for number in range(venues)]
    hosts = {f"{project}-{venue}": {"project": project, "venue": venue} for project, venue in named}
    path.write_text(json.dumps({"venues": {"hosts": hosts}}))


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    :param command: the command for a step.
    :param steps: the steps it knows.
    :param most: the most venues it is worth waiting for.
    """

    name: str
    command: Callable[[Job], list[str]]
    steps: tuple[str, ...] = CHANGES
    most: int = 1000
    environment: dict[str, str] = field(default_factory=dict)


def _playbook(job: Job, playbook: str) -> list[str]:
    variables = {"user": USER, "handoff_receipts_file": job.receipts} if job.issues else {}
    if job.step == "issue":
        variables["dest"] = job.dest
    elif job.step == "seal":
        variables |= {"handoff_key_directory": job.keys, "handoff_dest": job.sealed}
    extra = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    return [str(BIN / "ansible-playbook"), playbook, "-i", str(job.inventory), "--forks", str(job.forks), *extra]


def _ours(job: Job) -> list[str]:
    if job.step == "info":
        return [*_playbook(job, str(PEERS / "info.yml")), "-e", f"venues={job.venues}"]
    return _playbook(job, "mdps.venue_sts.issue" if job.issues else "mdps.venue_sts.provision")


def _ad_hoc(job: Job) -> list[str]:
    project, venue = venue_name(0)
    options: dict[str, Any] = {"project": project, "venue": venue}
    if job.issues:
        options |= {"user": USER, "receipts_file": str(job.receipts)}
    if job.step == "issue":
        options["dest"] = job.dest
    elif job.step == "seal":
        options["handoff"] = {"key_directory": str(job.keys), "dest": job.sealed}
    module = "venue_sts_token" if job.issues else "venue_sts_role"
    return [str(BIN / "ansible"), "localhost", "-m", f"mdps.venue_sts.{module}", "-a", json.dumps(options)]


def _peer(prefix: str) -> Callable[[Job], list[str]]:
    return lambda job: _playbook(job, str(PEERS / f"{prefix}_{'issue' if job.issues else 'provision'}.yml"))


def _cli(job: Job) -> list[str]:
    named = "\n".join(" ".join(venue_name(number)) for number in range(job.venues))
    paths = f"{job.dest} {job.sealed} {job.key} {job.receipts}"
    each = f'xargs -P {job.forks} -L 1 sh -c \'{PEERS}/cli.sh {job.step} "$0" "$1" {USER} {paths}\''
    return ["bash", "-c", f"printf '%s\\n' '{named}' | {each}"]


def _boto3(job: Job) -> list[str]:
    paths = [job.dest, job.sealed, str(job.key), str(job.receipts)]
    return [sys.executable, str(PEERS / "concurrent_boto3.py"), job.step, str(job.inventory), USER, *paths]


def contenders() -> dict[str, Contender]:
    """All contenders by name. The AWS CLI lives in an environment of its own, beside the one this runs in."""
    cli = {"PATH": f"{pathlib.Path(sys.prefix).parent / 'awscli' / 'bin'}:/usr/bin:/bin"}
    everyone = [
        Contender("ours", _ours, steps=STEPS),
        Contender(
            "ours, strategy free",
            _ours,
            steps=("create", "no_change"),
            most=200,
            environment={"ANSIBLE_STRATEGY": "free"},
        ),
        Contender("ours, one command", _ad_hoc, most=1),
        Contender("ours, shipped", _peer("shipped"), most=200),
        Contender("amazon.aws", _peer("amazon_aws"), most=200),
        Contender("aws CLI", _cli, most=200, environment=cli),
        Contender("boto3 script", _boto3, steps=STEPS),
        Contender("ansible-core alone", lambda job: _playbook(job, str(PEERS / "nothing.yml")), steps=("no_change",)),
    ]
    return {one.name: one for one in everyone}
