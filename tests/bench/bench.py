# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure this collection beside the other ways to do the same job.

Every contender provisions venues, provisions them again (no change) and issues tokens, as files and sealed, against the
same moto server in the same session, through a proxy that adds latency, speaks HTTPS where asked, and counts the API
calls. Contenders take turns; each starts from an empty account. Results go to docs/performance/ after each turn:
results.json, table.md with the targets, wall.svg. Run it in the development environment:

    python tests/bench/bench.py                 # the quick set: less than ten minutes
    python tests/bench/bench.py --full          # the long set: hours
    python tests/bench/bench.py --full --resume # what of it results.json does not have yet

With --venues, --contenders or --steps it measures every combination of those options instead of a set.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NoReturn

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(pathlib.Path(sys.prefix) / "collections")]

from tests.bench import plan, report  # noqa: E402 - needs the paths above
from tests.bench.contenders import STEPS, contenders  # noqa: E402
from tests.bench.field import Field  # noqa: E402
from tests.bench.long_set import LONG  # noqa: E402
from tests.bench.measure import take_turn  # noqa: E402
from tests.bench.quick_set import QUICK  # noqa: E402

ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
MEASURED = ("plugins", "roles", "playbooks", "tests/bench")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    versions = "import ansible, boto3, moto; print(ansible.__version__, boto3.__version__, moto.__version__)"
    told = subprocess.run([sys.executable, "-c", versions], capture_output=True, text=True, check=True)
    core, boto3, moto = told.stdout.split()
    python = platform.python_version()
    return {"cores": str(os.cpu_count()), "python": python, "ansible-core": core, "boto3": boto3, "moto": moto}


def tree() -> str:
    """What names the state of the files that are measured and that measure."""
    found = hashlib.sha256()
    for file in sorted(file for name in MEASURED for file in (ROOT / name).rglob("*") if file.is_file()):
        if "__pycache__" not in file.parts:
            found.update(f"{file.relative_to(ROOT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:12]


def parse(arguments: Sequence[str] | None = None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the long set")
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="leave out what results.json has of the same files")
    earlier.add_argument("--append", action="store_true", help="keep what results.json has of the same files")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "docs" / "performance")
    own = parser.add_argument_group("instead of a set")
    own.add_argument("--venues", type=int, nargs="+", help="how many venues (1)")
    own.add_argument("--contenders", nargs="+", choices=contenders(), metavar="NAME", help=", ".join(contenders()))
    own.add_argument("--steps", nargs="+", choices=STEPS, help="all but those with receipts, which read 100,000")
    own.add_argument("--latency", type=int, nargs="+", help="milliseconds that each API call takes longer (0)")
    own.add_argument(
        "--tls",
        nargs="+",
        choices=plan.TRANSPORTS,
        help="HTTPS, with an authority of Amazon's by its name, or another; none is without (the default)",
    )
    own.add_argument("--forks", type=int, nargs="+", help="venues at once (the number of cores)")
    own.add_argument("--runs", type=int, help="how often (1)")
    options = parser.parse_args(arguments)
    selects = options.venues or options.contenders or options.steps
    if not selects and (options.latency or options.tls or options.forks or options.runs is not None):
        parser.error("--latency, --tls, --forks and --runs need --venues, --contenders or --steps.")
    counts = [*(options.venues or ()), *(options.forks or ()), 1 if options.runs is None else options.runs]
    if min(counts) < 1 or min(options.latency or [0]) < 0:
        parser.error("--venues, --forks and --runs must be at least 1, --latency at least 0.")
    if selects and not any(row.contenders for row in wanted(options)):
        parser.error("none of these contenders works on so many venues.")
    return parser, options


def wanted(options: argparse.Namespace) -> tuple[plan.Row, ...]:
    """The plan that the options name."""
    if not (options.venues or options.contenders or options.steps):
        return LONG if options.full else QUICK
    steps = tuple(options.steps or [step for step in STEPS if step not in plan.RECEIPTS[1:]])
    names = options.contenders or list(contenders())
    transports, forks = options.tls or [plan.PLAIN], options.forks or [plan.CORES]
    return tuple(
        plan.Row(
            *one,
            tuple(name for name in names if one[0] == 1 or not contenders()[name].single),
            steps,
            options.runs or 1,
        )
        for one in itertools.product(options.venues or [1], options.latency or [0], transports, forks)
    )


def kept(parser: argparse.ArgumentParser, options: argparse.Namespace, about: dict[str, str]) -> dict[str, Any]:
    """The results to begin with: those that stay, without turns that were broken off."""
    nothing: dict[str, Any] = {"machine": about, "turns": [], "samples": []}
    file = options.output / "results.json"
    if not file.exists():
        return nothing
    try:
        results = json.loads(file.read_text())
        whole = [one for one in results["samples"] if one["turn"] in results["turns"]]
        others = whole and results["machine"] != about
    except (ValueError, TypeError, KeyError):
        if options.append or options.resume:
            parser.error(f"{file} has no results that can be continued. Start without --append and --resume.")
        return nothing
    if not (options.append or options.resume):
        if results.get("unfinished"):
            parser.error(f"{file} has a part of the long set. Continue it with --full --resume, or remove it.")
        return nothing
    if others:
        differ = ", ".join(key for key in about if results["machine"].get(key) != about[key])
        parser.error(f"{file} was measured with other: {differ}. Start without --append and --resume, or remove it.")
    return {**results, "machine": about, "samples": whole}


def end(number: int, _frame: object) -> NoReturn:
    """End this by way of its ``with`` blocks, so that the servers end too. Further signals do not disturb that."""
    for one in ENDINGS:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(f"ended by {signal.Signals(number).name}")


def main() -> None:
    """Measure and report."""
    for one in ENDINGS:
        if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN:  # nohup ignores it
            signal.signal(one, end)
    parser, options = parse()
    rows = wanted(options)
    if not {"amazon.aws", plan.CLI}.isdisjoint(name for row in rows for name in row.contenders):
        if not shutil.which("age", path="/usr/bin:/bin"):
            parser.error("amazon.aws and the AWS CLI seal with age. Install it (Debian: age).")
        peers_collections()
    results = kept(parser, options, {**machine(), "files": tree()})
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Field(pathlib.Path(folder)) as field:
        measure_all(field, rows, options, results)
    print((options.output / "table.md").read_text())


def measure_all(field: Field, rows: tuple[plan.Row, ...], options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Take all turns, but with ``--resume`` those that the results have. Each measurement is written at once."""
    begun = time.monotonic()
    if rows == LONG:
        results["unfinished"] = True
    for turn in plan.turns(rows):
        if options.resume and str(turn) in results["turns"]:
            continue
        while str(turn) in results["turns"]:  # --append: a run of its own, which may be broken off
            turn = replace(turn, run=turn.run + 1)  # noqa: PLW2901 - the same turn under another number
        for one in take_turn(field, turn):
            results["samples"].append(asdict(one))
            report.write(options.output, results)
            where = f"{one.venues:5} venues {one.latency * 1000:3.0f} ms {one.tls:6} forks {one.forks:2}"
            figures = f"{one.wall:7.2f} s  cpu {one.cpu:7.2f} s  at {time.monotonic() - begun:5.0f} s"
            print(f"{where}  {one.contender:22} {one.step:15} {figures}", flush=True)
        results["turns"].append(str(turn))
        report.write(options.output, results)
    if rows == LONG and results.pop("unfinished", False):
        report.write(options.output, results)


def peers_collections() -> None:
    """community.aws, which alone has a module that writes SSM parameters: from the wheel that amazon.aws came in."""
    tree_of_peers = ROOT / ".build" / "bench" / "collections"
    if (tree_of_peers / "ansible_collections" / "community" / "aws" / "MANIFEST.json").exists():
        return
    wheel = max(
        (ROOT / ".build" / "wheels").glob("*/ansible-*.whl"),
        key=lambda path: [int(part) for part in path.parent.name.split(".")],
    )
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("ansible_collections/community/aws/")]
        archive.extractall(tree_of_peers, names)


if __name__ == "__main__":
    main()
