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

from tests.bench import plan

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / "peers"
ROOT = HERE.parent.parent
BIN = pathlib.Path(sys.prefix) / "bin"
# info is one look at the whole account.
STEPS = (*("create", "no_change", "info", "issue", "seal", "renew"), *plan.RECEIPTS[1:])
USER = "unityuser"
ACCOUNT = "123456789012"
# The kinds of key, and what the user's file in the key directory ends with.
SUFFIXES = {"age": ".age", "OpenPGP": ".asc", "S/MIME": ".pem"}


@dataclass(frozen=True)
class Job:
    """One step for so many venues.

    ``issue`` writes tokens to files, ``seal`` seals them to the user's public key and keeps receipts, ``renew`` renews
    a lease of each venue. The steps with receipts read a long file of them.

    :param folder: holds the inventory and all that the steps read and write.
    :param forks: how many venues ansible-playbook, or xargs, works on at once.
    :param key_kind: of the user's key, one of ``SUFFIXES``.
    """

    step: str
    venues: int
    folder: pathlib.Path
    forks: int
    key_kind: str = "age"

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
        """The folder for sealed tokens, with a slash at the end: our default."""
        return f"{self.folder}/.mdps/handoff/"

    @property
    def keys(self) -> pathlib.Path:
        """The key directory."""
        return self.folder / f"keys{SUFFIXES[self.key_kind]}"

    @property
    def key(self) -> pathlib.Path:
        """The user's public key."""
        return self.keys / f"{USER}{SUFFIXES[self.key_kind]}"

    @property
    def receipts(self) -> pathlib.Path:
        """The file of receipts, one JSON object a line."""
        return self.folder / "receipts.jsonl"

    @property
    def many_receipts(self) -> pathlib.Path:
        """The file of receipts that is only read."""
        return self.folder / "many-receipts.jsonl"

    @property
    def issues(self) -> bool:
        """Whether the step issues tokens."""
        return self.step in ("issue", "seal")


def venue_name(number: int) -> tuple[str, str]:
    """Project and venue of the nth venue."""
    return f"proj{number // 4:03}", ("dev", "test", "ops", "sbg-dev")[number % 4]


def account_of(number: int, accounts: int) -> str:
    """The account of the nth venue, where venues are in so many accounts: 0 for the one at hand."""
    return f"{111100000000 + number % accounts}" if accounts else ACCOUNT


def write_inventory(path: pathlib.Path, venues: int, accounts: int = 0, **variables: str) -> None:
    """An inventory of so many venues.

    :param accounts: in so many accounts whose keys are from Kion, if it is not 0.
    """
    hosts = {}
    for number in range(venues):
        project, venue = venue_name(number)
        of_kion = {"broker_account": account_of(number, accounts)} if accounts else {}
        hosts[f"{project}-{venue}"] = {"project": project, "venue": venue, **of_kion}
    path.write_text(json.dumps({"venues": {"hosts": hosts, "vars": variables}}))


@dataclass(frozen=True)
class Contender:
    """One way to do the job.

    :param command: the command for a step.
    :param steps: the steps it knows.
    :param key_kind: of the key that it seals to.
    :param accounts: how many accounts the venues are in, for so many venues; 0 for the one at hand.
    :param single: whether it is for one venue only.
    :param prepared: whether its venues can be prepared, instead of created by itself.
    """

    name: str
    command: Callable[[Job], list[str]]
    steps: tuple[str, ...] = plan.CHANGES
    environment: dict[str, str] = field(default_factory=dict)
    key_kind: str = "age"
    accounts: Callable[[int], int] = lambda _venues: 0
    single: bool = False
    prepared: bool = False


def _playbook(job: Job, playbook: str) -> list[str]:
    variables: dict[str, Any] = {}
    if job.issues or job.step == "renew":
        variables |= {"handoff_receipts_file": job.receipts}
    if job.issues:
        variables |= {"user": USER}
    if job.step == "issue":
        variables |= {"dest": job.dest}
    if job.step == "seal" and playbook.startswith(str(PEERS)):
        variables |= {"handoff_dest": job.sealed}
    if job.step in ("seal", "renew"):
        variables |= {"handoff_key_directory": job.keys}
    extra = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    return [str(BIN / "ansible-playbook"), playbook, "-i", str(job.inventory), "--forks", str(job.forks), *extra]


def _ours(job: Job) -> list[str]:
    if job.step == "info":
        return [*_playbook(job, str(PEERS / "info.yml")), "-e", f"venues={job.venues}"]
    if job.step.endswith("_reading"):
        program, what = str(HERE / "read_receipts.py"), job.step.partition("_")[0]
        return [sys.executable, program, what, str(job.many_receipts), str(pathlib.Path(sys.prefix) / "collections")]
    if job.step.endswith("_receipts"):
        command = _playbook(job, f"mdps.venue_sts.{job.step.partition('_')[0]}")
        of_user = ["-e", f"user={USER}"] if job.step == "revoke_receipts" else []
        return [*command, *of_user, "-e", f"receipts_file={job.many_receipts}"]
    return _playbook(
        job, f"mdps.venue_sts.{'issue' if job.issues else 'renew' if job.step == 'renew' else 'provision'}"
    )


def _ad_hoc(job: Job) -> list[str]:
    project, venue = venue_name(0)
    options: dict[str, Any] = {"project": project, "venue": venue}
    if job.issues:
        options |= {"user": USER, "receipts_file": str(job.receipts)}
    if job.step == "issue":
        options["dest"] = job.dest
    elif job.step == "seal":
        options["handoff"] = {"key_directory": str(job.keys)}
    module = "venue_sts_token" if job.issues else "venue_sts_role"
    return [str(BIN / "ansible"), "localhost", "-m", f"mdps.venue_sts.{module}", "-a", json.dumps(options)]


def _nothing_ad_hoc(_job: Job) -> list[str]:
    return [str(BIN / "ansible"), "localhost", "-m", "nothing", "-a", json.dumps({"project": "a", "venue": "b"})]


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
    actions = {"ANSIBLE_ACTION_PLUGINS": str(PEERS / "action_plugins")}
    of_kion = ("create", "no_change", "seal")
    everyone = [
        Contender("ours", _ours, STEPS),
        Contender("ours, OpenPGP", _ours, ("create", "seal"), key_kind="OpenPGP"),
        Contender("ours, S/MIME", _ours, ("create", "seal"), key_kind="S/MIME"),
        Contender("ours, account each", _ours, of_kion, accounts=lambda venues: venues),
        Contender("ours, 5 accounts", _ours, of_kion, accounts=lambda venues: min(venues, 5)),
        Contender("ours, strategy free", _ours, ("create", "no_change"), {"ANSIBLE_STRATEGY": "free"}),
        Contender(plan.COMMAND, _ad_hoc, single=True),
        Contender("ours, shipped", _peer("shipped")),
        Contender("amazon.aws", _peer("amazon_aws"), prepared=True),
        Contender(plan.CLI, _cli, environment=cli, prepared=True),
        Contender(plan.SCRIPT, _boto3, (*plan.CHANGES, "info"), prepared=True),
        Contender(plan.ALONE, lambda job: _playbook(job, str(PEERS / "nothing.yml")), ("no_change",)),
        Contender(plan.ALONE_COMMAND, _nothing_ad_hoc, ("no_change",), actions, single=True),
    ]
    return {one.name: one for one in everyone}
