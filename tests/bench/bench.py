# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure this collection beside the other ways to do the same job.

Every contender provisions venues, provisions them again (no change) and issues tokens, as files and sealed with age,
and some look at all venues of the account, against the same moto server in the same session, through a proxy that adds
latency and counts the API calls. Contenders take turns; each starts from an empty account. Results go to
docs/performance/: results.json, table.md, wall.svg. Run it in the development environment:

    python tests/bench/bench.py                 # a few minutes
    python tests/bench/bench.py --full          # 1 to 1,000 venues, several runs: an afternoon
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import platform
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import pyrage

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from tests.bench import report  # noqa: E402 - needs the path above
from tests.bench.certificate import make_certificate  # noqa: E402
from tests.bench.contenders import STEPS, Contender, Job, contenders, venue_name, write_inventory  # noqa: E402
from tests.support.servers import ANYTHING, Moto, free_port, stop, wait_until_it_answers  # noqa: E402

BOUNDARY = "zsmce-tenantOperator-AMI-APIG"
READS = ("Get", "List", "Describe")
SEALED = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n")


@dataclass(frozen=True)
class Sample:
    """One measurement: seconds, MiB and counts.

    :param cpu: user and system time of the contender's processes, all together.
    :param emulator_cpu: the same of moto server and proxy, which share the machine.
    :param memory: of the largest process.
    :param lines: that the command printed.
    :param depth: the longest chain of API calls that waited for one another; 0 where it was not told.
    """

    contender: str
    step: str
    venues: int
    latency: float
    tls: bool
    forks: int
    wall: float
    cpu: float
    emulator_cpu: float
    memory: float
    calls: dict[str, int]
    connections: int
    depth: int
    lines: int


class Field:
    """The emulator with the proxy before it, and the folder that a contender works in."""

    def __init__(self, folder: pathlib.Path, tls: bool) -> None:
        self.folder = folder
        self._tls = tls
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Field:
        self.moto = self._stack.enter_context(Moto(self.folder / "moto.log"))
        port, log = free_port(), self.folder / "proxy.log"
        certificate = make_certificate(self.folder) if self._tls else ()
        (self.folder / "ansible.cfg").touch()
        command = [sys.executable, "-m", "tests.bench.proxy", str(port), str(self.moto.port), *map(str, certificate)]
        with log.open("wb") as output:
            self.proxy = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        self._stack.callback(stop, self.proxy)
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        self._context = None
        if certificate:
            self._context = ssl.create_default_context(cafile=str(certificate[0]))
        else:
            wait_until_it_answers(f"{self.url}/__bench__?seconds=0", self.proxy, log)
        # The first request of a service is slow, and would be whoever comes first to blame for.
        self.moto.client("iam").list_roles()
        self.moto.client("sts").get_caller_identity()
        self.environment = {
            **{
                name: os.environ[name]
                for name in os.environ
                if not name.startswith(("AWS_", "ANSIBLE_", "SSL_", "PYTHON"))
            },
            **self.moto.environment(),
            "HOME": str(self.folder),
            "AWS_URL": self.url,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(
                [str(pathlib.Path(sys.prefix) / "collections"), str(ROOT / ".build" / "bench" / "collections")]
            ),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "ansible"),
            **({"AWS_CA_BUNDLE": str(certificate[0])} if certificate else {}),
        }
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def fresh(self, venues: int) -> None:
        """An empty account in which so many venues publish bucket and boundary."""
        self.moto.reset()
        ssm = self.moto.client("ssm")
        ssm.put_parameter(Name="/unity/cs/account/privilegedpolicyname", Value=BOUNDARY, Type="String")
        self.moto.client("iam").create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(ANYTHING))
        for project, venue in map(venue_name, range(venues)):
            ssm.put_parameter(
                Name=f"/unity/{project}/{venue}/ds/datastore-bucket",
                Value=f"{project}-{venue}-unity-data",
                Type="String",
            )
        write_inventory(self.folder / "inventory.json", venues)
        job = Job("seal", venues, self.folder, 1)
        for folder in map(pathlib.Path, (job.dest, job.sealed)):
            folder.mkdir(mode=0o700, exist_ok=True)
            for token in folder.iterdir():
                token.unlink()
        job.receipts.unlink(missing_ok=True)
        job.keys.mkdir(mode=0o700, exist_ok=True)
        job.key.touch(mode=0o600)
        job.key.write_text(f"{pyrage.x25519.Identity.generate().to_public()}\n")

    def books(self, latency: float) -> dict[str, Any]:
        """What the proxy has counted; the next calls take so many seconds more."""
        with urllib.request.urlopen(
            f"{self.url}/__bench__?seconds={latency}", timeout=30, context=self._context
        ) as answer:
            return dict(json.load(answer))

    def emulator_cpu(self) -> float:
        """Seconds that moto server and proxy have worked."""
        ticks = 0
        for process in (self.moto.process_id, self.proxy.pid):
            fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def measure(field: Field, contender: Contender, job: Job, latency: float, tls: bool) -> Sample:
    """Run one command to its end."""
    field.books(latency)
    before = field.emulator_cpu()
    taken, output = field.folder / "taken.json", field.folder / "output"
    command = [sys.executable, "-I", "-S", str(HERE / "launch.py"), str(taken), *contender.command(job)]
    with output.open("wb") as log:
        done = subprocess.run(
            command,
            env={**field.environment, **contender.environment},
            cwd=field.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    after = field.emulator_cpu()
    books = field.books(0)
    if done.returncode:
        raise SystemExit(
            f"{contender.name}, {job.step}, {job.venues} venues failed:\n{output.read_text(errors='replace')[-4000:]}"
        )
    check(field, contender, job, books["calls"])
    return Sample(
        contender.name,
        job.step,
        job.venues,
        latency,
        tls,
        job.forks,
        **json.loads(taken.read_text()),
        emulator_cpu=after - before,
        lines=output.read_bytes().count(b"\n"),
        **books,
    )


def check(field: Field, contender: Contender, job: Job, calls: dict[str, int]) -> None:
    """A contender that did not do the job must not be praised for its speed."""
    if contender.name == "ansible-core alone":
        return
    if job.step == "issue":
        done = sum(1 for _file in pathlib.Path(job.dest).iterdir())
    elif job.step == "seal":
        sealed = [file for file in pathlib.Path(job.sealed).iterdir() if file.read_bytes().startswith(SEALED)]
        sessions = {line for line in job.receipts.read_text().splitlines() if "access_key_id" in line}
        done = min(len(sealed), len(sessions))
    else:
        pages = field.moto.client("iam").get_paginator("list_roles").paginate()
        done = sum(len(page["Roles"]) for page in pages)
    if done != job.venues:
        raise SystemExit(f"{contender.name}, {job.step}: {done} of {job.venues} venues were done")
    if (
        contender.name.startswith("ours")
        and job.step == "no_change"
        and any(not name.startswith(READS) for name in calls)
    ):
        raise SystemExit(f"{contender.name} wrote although nothing had changed: {calls}")


def tournament(field: Field, wanted: list[Contender], options: argparse.Namespace) -> Iterator[Sample]:
    """Every contender in turn, as often as asked."""
    for venues, latency, run in itertools.product(options.venues, options.latency, range(options.runs)):
        for contender in wanted:
            if venues > contender.most or (venues > options.once_from and run):
                continue
            field.fresh(venues)
            for step in options.steps:
                if step in contender.steps:
                    sample = measure(
                        field, contender, Job(step, venues, field.folder, options.forks), latency / 1000, options.tls
                    )
                    print(
                        f"{venues:5} venues {latency:4} ms  {contender.name:20} {step:10} {sample.wall:7.2f} s  cpu "
                        f"{sample.cpu:7.2f} s",
                        flush=True,
                    )
                    yield sample


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    versions = [
        sys.executable,
        "-c",
        "import ansible, boto3, moto; print(ansible.__version__, boto3.__version__, moto.__version__)",
    ]
    core, boto3, moto = subprocess.run(versions, capture_output=True, text=True, check=True).stdout.split()
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "ansible-core": core,
        "boto3": boto3,
        "moto": moto,
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venues", type=int, nargs="+", help="how many venues (1 5)")
    parser.add_argument("--latency", type=int, nargs="+", help="milliseconds that each API call takes longer (0 80)")
    parser.add_argument("--runs", type=int, help="how often (2; with --full 3)")
    parser.add_argument("--once-from", type=int, help="more venues than this are measured once (5; with --full 100)")
    parser.add_argument(
        "--forks",
        type=int,
        default=os.cpu_count(),
        help="venues at once, for ansible-playbook and xargs (the number of cores)",
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=list(contenders()),
        metavar="NAME",
        help=f"some of: {', '.join(contenders())}",
    )
    parser.add_argument(
        "--steps", nargs="+", choices=STEPS, default=list(STEPS), help="all; the others need what create makes"
    )
    parser.add_argument(
        "--tls", action="store_true", help="HTTPS, each connection's set-up taking the latency once more"
    )
    parser.add_argument(
        "--full", action="store_true", help="1 10 50 200 1000 venues: hours, most of them of the other contenders"
    )
    parser.add_argument("--append", action="store_true", help="keep what results.json holds already")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs" / "performance")
    options = parser.parse_args()
    options.venues = options.venues or ([1, 10, 50, 200, 1000] if options.full else [1, 5])
    options.latency = [0, 80] if options.latency is None else options.latency
    options.runs = options.runs or (3 if options.full else 2)
    options.once_from = options.once_from or (100 if options.full else 5)
    if "seal" in options.steps and not shutil.which("age", path="/usr/bin:/bin"):
        parser.error("the other contenders seal with age. Install it (Debian: age), or leave out the step seal.")
    wanted = [contenders()[name] for name in options.contenders or contenders()]
    peers_collections()
    kept = options.output / "results.json"
    samples: list[dict[str, Any]] = json.loads(kept.read_text())["samples"] if options.append else []
    about = machine()
    signal.signal(signal.SIGTERM, lambda *_received: sys.exit("stopped"))  # so that the servers are stopped too
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Field(pathlib.Path(folder), options.tls) as field:
        for sample in tournament(field, wanted, options):
            samples.append(asdict(sample))
            # After each measurement: a long run that is broken off keeps what it has.
            report.write(options.output, {"machine": about, "samples": samples})
    print((options.output / "table.md").read_text())


def peers_collections() -> None:
    """community.aws, which alone has a module that writes SSM parameters: from the wheel that amazon.aws came in."""
    tree = ROOT / ".build" / "bench" / "collections"
    if (tree / "ansible_collections" / "community" / "aws" / "MANIFEST.json").exists():
        return
    wheel = max(
        (ROOT / ".build" / "wheels").glob("*/ansible-*.whl"),
        key=lambda path: [int(part) for part in path.parent.name.split(".")],
    )
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(
            tree, [name for name in archive.namelist() if name.startswith("ansible_collections/community/aws/")]
        )


if __name__ == "__main__":
    main()
