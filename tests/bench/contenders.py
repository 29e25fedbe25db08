# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who does the job, and with which commands."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"
ROOT = HERE.parent.parent
BIN = pathlib.Path(sys.prefix) / "bin"
STEPS = ("create", "no_change", "info", "issue")
CHANGES = (
    "create",
    "no_change",
    "issue",
)  # what each contender does for its venues; info is one look at the whole account
USER = "unityuser"


@dataclass(frozen=True)
class Job:
    """One step for so many venues.

    :param folder: holds the inventory; tokens go to its folder ``tokens``.
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
        """The folder for tokens, with a slash at the end."""
        return f"{self.folder}/tokens/"


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
    issue = ["-e", f"user={USER}", "-e", f"dest={job.dest}"] if job.step == "issue" else []
    return [str(BIN / "ansible-playbook"), playbook, "-i", str(job.inventory), "--forks", str(job.forks), *issue]


def _ours(job: Job) -> list[str]:
    if job.step == "info":
        return [*_playbook(job, str(PEERS / "info.yml")), "-e", f"venues={job.venues}"]
    return _playbook(job, "mdps.venue_sts.issue" if job.step == "issue" else "mdps.venue_sts.provision")


def _ad_hoc(job: Job) -> list[str]:
    project, venue = venue_name(0)
    options = {"project": project, "venue": venue}
    if job.step == "issue":
        options |= {"user": USER, "dest": job.dest, "receipts_file": "~/.mdps/receipts.jsonl"}
    module = "venue_sts_token" if job.step == "issue" else "venue_sts_role"
    return [str(BIN / "ansible"), "localhost", "-m", f"mdps.venue_sts.{module}", "-a", json.dumps(options)]


def _peer(prefix: str) -> Callable[[Job], list[str]]:
    return lambda job: _playbook(job, str(PEERS / f"{prefix}_{'issue' if job.step == 'issue' else 'provision'}.yml"))


def _cli(job: Job) -> list[str]:
    named = "\n".join(" ".join(venue_name(number)) for number in range(job.venues))
    each = f'xargs -P {job.forks} -L 1 sh -c \'{PEERS}/cli.sh {job.step} "$0" "$1" {USER} {job.dest}\''
    return ["bash", "-c", f"printf '%s\\n' '{named}' | {each}"]


def _boto3(job: Job) -> list[str]:
    return [sys.executable, str(PEERS / "concurrent_boto3.py"), job.step, str(job.inventory), USER, job.dest]


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
