# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One measurement: run a command, see what it took, and whether it did the job."""

from __future__ import annotations

import contextlib
import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench import plan, prepare
from tests.bench.contenders import HERE, Contender, Job, contenders
from tests.bench.field import Field
from tests.bench.guarded import guarded

READS = ("Get", "List", "Describe")
SEALED = (
    *(b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n"),
    *(b"-----BEGIN PGP MESSAGE-----", b"-----BEGIN PKCS7-----"),
)


@dataclass(frozen=True)
class Sample:
    """One measurement: seconds, MiB and counts.

    :param latency: seconds that each API call took longer.
    :param turn: what names the turn that it belongs to.
    :param cpu: user and system time of the contender's processes, all together.
    :param emulator_cpu: the same of moto server and proxies, which share the machine.
    :param memory: of the largest process.
    :param lines: that the command printed.
    :param depth: the longest chain of API calls that waited for one another; 0 where it was not told.
    :param kion_asked: how often Kion was asked for keys.
    :param kion_at_once: how often at the same time.
    """

    contender: str
    step: str
    venues: int
    latency: float
    tls: str
    forks: int
    turn: str
    wall: float
    cpu: float
    emulator_cpu: float
    memory: float
    calls: dict[str, int]
    connections: int
    depth: int
    lines: int
    kion_asked: int
    kion_at_once: int


def take_turn(field: Field, turn: plan.Turn) -> Iterator[Sample]:
    """Measure the steps of a row that a contender knows."""
    row, contender = turn.row, contenders()[turn.contender]
    prepare.fresh(field, contender, row.venues)
    steps = [step for step in row.steps if step in contender.steps]
    if "create" not in steps and contender.prepared:
        prepare.peers_roles(field, row.venues)
    for step in steps:
        job = Job(step, row.venues, field.folder, row.forks, contender.key_kind)
        prepare.for_step(field, job)
        yield measure(field, contender, job, turn)


def measure(field: Field, contender: Contender, job: Job, turn: plan.Turn) -> Sample:
    """Run one command to its end."""
    row, endpoint = turn.row, field.endpoint(turn.row.tls)
    endpoint.books(row.latency / 1000)
    field.kion.books()
    before = field.emulator_cpu()
    taken, output = field.folder / "taken.json", field.folder / "output"
    status = run(
        [*contender.command(job)], taken, output, field, {**field.environment(row.tls), **contender.environment}
    )
    after = field.emulator_cpu()
    books, printed = endpoint.books(0), output.read_text(errors="replace")
    where = f"{contender.name}, {job.step}, {job.venues} venues"
    if status:
        failures = [line[:1000] for line in printed.splitlines() if line.startswith("fatal:")]
        raise SystemExit("\n".join([f"{where} failed:", *failures, printed[-4000:]]))
    if problem := not_done(field, contender, job, books["calls"]):
        raise SystemExit(f"{where}: {problem}\n{printed[-4000:]}")
    return Sample(
        contender.name,
        job.step,
        job.venues,
        row.latency / 1000,
        row.tls,
        job.forks,
        str(turn),
        **json.loads(taken.read_text()),
        emulator_cpu=after - before,
        lines=printed.count("\n"),
        **books,
        **field.kion.books(),
    )


def run(
    command: list[str], taken: pathlib.Path, output: pathlib.Path, field: Field, environment: dict[str, str]
) -> int:
    """Run a command, which ends when this process does, and return its status."""
    launch = [sys.executable, "-I", "-S", str(HERE / "launch.py"), str(taken), *command]
    with output.open("wb") as log:
        process = subprocess.Popen(
            guarded(launch, signal.SIGTERM),
            env=environment,
            cwd=field.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    with contextlib.ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.terminate)  # does nothing to one that has ended
        return process.wait()


def not_done(field: Field, contender: Contender, job: Job, calls: dict[str, int]) -> str:
    """What is wrong: a contender that did not do the job must not be praised for its speed."""
    done = job.venues
    if job.step == "issue":
        done = sum(1 for _file in pathlib.Path(job.dest).iterdir())
    elif job.step == "seal":
        sealed = [file for file in pathlib.Path(job.sealed).iterdir() if file.read_bytes().startswith(SEALED)]
        sessions = {line for line in job.receipts.read_text().splitlines() if "access_key_id" in line}
        done = min(len(sealed), len(sessions))
    elif job.step == "renew":
        done = prepare.renewed(field, job.venues, SEALED)
    elif not contender.name.startswith(plan.ALONE):
        done = field.roles(job.venues, contender.accounts(job.venues))
    if done != job.venues:
        return f"{done} of {job.venues} venues were done"
    wrote = any(not name.startswith(READS) for name in calls)
    if job.step == "no_change" and wrote and contender.name.startswith("ours"):
        return f"it wrote although nothing had changed: {calls}"
    return "nothing was revoked" if job.step == "revoke_receipts" and not wrote else ""
