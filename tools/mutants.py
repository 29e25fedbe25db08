# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Change the code in one place at a time, and see whether a test fails: a measure of what the tests would notice.

Usage: mutants.py [--sample N] [--seed N] [--executed FILE] [PACKAGE ...]     PACKAGE is a key of PACKAGES; default: all

tools/mutators.py makes the changes, tools/mutant_tests.py chooses the tests. A mutant is *killed* if one of them fails,
if they cannot be loaded any more, or if they do not end. One that no test executes has *survived*. Of each package 150
mutants are sampled, of the roles and playbooks 40: their tests run ansible-playbook and take seconds each.
Mutants that cannot change a result are listed, with the reason, in tools/mutants_equivalent.txt.
Prints those that survived, and a table. Exits with 1 if a package is below its target.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import checkout
from mutant_tests import Executed, of_playbooks
from mutators import Mutant, in_python, in_yaml

ROOT = checkout.ROOT


class Package(NamedTuple):
    """A part of the collection."""

    places: tuple[str, ...]
    target: int = 0
    most: int = 150


PACKAGES = {
    "_domain": Package(("plugins/module_utils/_domain/**/*.py",), 92),
    "_operations": Package(("plugins/module_utils/_operations/**/*.py",), 92),
    "_aws": Package(("plugins/module_utils/_aws/**/*.py",)),
    "plugin_utils": Package(("plugins/plugin_utils/**/*.py",)),
    "dispatch": Package(("plugins/plugin_utils/_action.py",), 95),
    "roles": Package(("roles/*/tasks/*.yml", "playbooks/*.yml", "playbooks/tasks/*.yml"), most=40),
}
EQUIVALENT = ROOT / "tools/mutants_equivalent.txt"
# The tests that run operations in their own process, so that coverage sees what they execute.
IN_PROCESS = (
    "tests/unit",
    "tests/integration/leases/test_leases.py",
    "tests/integration/lifecycle",
    "tests/integration/keys/test_saml_token.py",
    "tests/integration/keys/test_web_identity_token.py",
)
# Most mutants die by the first tests. Those that do not are tried against the others as well.
FIRST, MOST, SECONDS_OF_TESTS = 40, 400, 60.0
SECONDS, SECONDS_OF_ALL = {".py": 180, ".yml": 400}, 3600
OPTIONS = ("-q", "--assert=plain", "--hypothesis-seed=1", "-p", "no:cacheprovider", "-p", "no:randomly")
FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)  # the function, whatever its parameters
PASSED, NOT_FOUND, NOTHING_LEFT = 0, 4, 5


class Worker:
    """A copy of the checkout beside the other collections, and a run of tests in it."""

    def __init__(self, folder: pathlib.Path, number: int) -> None:
        self.collections = folder / f"worker{number}/collections"
        self.tree = checkout.beside_other_collections(self.collections)
        self.sound: dict[str, bool] = {}
        self.server: subprocess.Popen[str] | None = None

    def pytest(self, *arguments: str, seconds: float = SECONDS_OF_ALL) -> tuple[int, str]:
        """Run pytest; return its exit status, or -1 if it did not end, and its output."""
        if not self.server:
            env = {**os.environ, "VENUE_STS_COLLECTIONS": str(self.collections), "PYTHONDONTWRITEBYTECODE": "1"}
            env |= {"ANSIBLE_COLLECTIONS_PATH": str(self.collections)}
            command = [sys.executable, str(ROOT / "tools/mutant_server.py")]
            self.server = subprocess.Popen(
                command, cwd=self.tree, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        output = self.tree.parents[3] / "output"
        asked = {"arguments": [*OPTIONS, *arguments], "output": str(output), "seconds": seconds}
        to, answers = self.server.stdin, self.server.stdout
        if not to or not answers:
            raise RuntimeError("the process that runs the tests has no pipes")
        to.write(json.dumps(asked) + "\n")
        to.flush()
        code = int(answers.readline())
        return code, output.read_text(errors="replace")

    def end(self) -> None:
        """End the process that runs the tests."""
        if self.server:
            self.server.communicate()

    def notices(self, mutant: Mutant, tests: Sequence[str]) -> bool:
        """Whether one of the tests fails with the mutant and passes without it."""
        target, skipped = self.tree / mutant.file, list[str]()
        original, seconds = target.read_bytes(), SECONDS[target.suffix]
        while True:
            target.write_text(mutant.text)
            try:
                options = ["-x", "-rfE", *(f"--deselect={test}" for test in skipped)]
                code, output = self.pytest(*options, *tests, seconds=seconds)
                if code == NOT_FOUND and "not found:" in output:  # the tests' names come from what was changed
                    files = sorted({test.partition("::")[0] for test in tests})
                    code, output = self.pytest(*options, *files, seconds=seconds)
            finally:
                target.write_bytes(original)
            failed = FAILED.search(output)
            # Those of the first run are known to pass without any change.
            if code != 1 or not failed or target.suffix == ".py" or self.is_sound(failed[1]):
                return code not in (PASSED, NOTHING_LEFT)
            skipped.append(failed[1])

    def is_sound(self, test: str) -> bool:
        """Whether a test passes without any change."""
        if test not in self.sound:
            self.sound[test] = self.pytest(test)[0] == 0
            if not self.sound[test]:
                print(f"skipped, because it fails without any change: {test}", flush=True)
        return self.sound[test]


def execute(kept: pathlib.Path) -> Executed:
    """Run the tests once, unless that was done before, and return what they execute."""
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            tools = os.pathsep.join([str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")])
            env = {**os.environ, "MUTANTS_EXECUTED": folder, "PYTHONPATH": tools.rstrip(os.pathsep)}
            processes = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile")
            command = [sys.executable, "-m", "pytest", "-q", *processes, "-p", "mutant_coverage"]
            done = subprocess.run(
                [*command, *IN_PROCESS], cwd=ROOT, env=env, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"The tests fail without any change:\n{done.stdout[-3000:]}")
            parts = [json.loads(one.read_text()) for one in sorted(pathlib.Path(folder).iterdir())]
            kept.write_text(json.dumps(parts))
    return Executed(json.loads(kept.read_text()))


def equivalents() -> set[str]:
    """The mutants that cannot change a result: the text before ``  #``."""
    lines = EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else []
    return {line.partition("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")}


def mutants_of(package: Package) -> Iterator[Mutant]:
    """Every mutant of a package that can change a result."""
    excluded = equivalents()
    for file in sorted({path for place in package.places for path in ROOT.glob(place)}):
        for mutant in in_python(file, ROOT) if file.suffix == ".py" else in_yaml(file, ROOT):
            if mutant.key not in excluded:
                yield mutant


def survives(mutant: Mutant, executed: Executed | None, worker: Worker) -> bool:
    """Whether no test notices a mutant."""
    if not executed or not mutant.file.endswith(".py"):
        return not worker.notices(mutant, of_playbooks(mutant.file))
    tests, rest, seconds = executed.of(mutant), [], 0.0
    for test in tests[FIRST:MOST]:
        seconds += executed.seconds[test]
        if seconds < SECONDS_OF_TESTS:
            rest.append(test)
    return not any(worker.notices(mutant, part) for part in (tests[:FIRST], rest) if part)


def measure(name: str, sample: Sequence[Mutant], executed: Executed | None, workers: Sequence[Worker]) -> float:
    """Run mutants of a package, print what survived, and return the percentage that was killed."""
    start, waiting = time.monotonic(), queue.SimpleQueue[Mutant]()
    for mutant in sample:
        waiting.put(mutant)
    survivors: list[Mutant] = []
    lock = threading.Lock()

    def work(worker: Worker) -> None:
        while True:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            if survives(mutant, executed, worker):
                with lock:
                    survivors.append(mutant)
                    print(f"survived: {mutant}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        list(pool.map(work, workers))
    killed = len(sample) - len(survivors)
    score = 100 * killed / max(len(sample), 1)
    target = f"target {PACKAGES[name].target} %" if PACKAGES[name].target else "no target"
    minutes = (time.monotonic() - start) / 60
    print(
        f"{name:14} {killed:4} of {len(sample):4} killed: {score:5.1f} % ({target}), {minutes:.0f} minutes", flush=True
    )
    return score


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE")
    parser.add_argument("--sample", type=int, help="how many mutants of a package")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executed", type=pathlib.Path, help="where to keep what the tests execute, for the next run")
    options = parser.parse_args()
    if unknown := set(options.packages) - set(PACKAGES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}")
    below = []
    with tempfile.TemporaryDirectory(prefix="venue_sts_mutants.") as folder:
        workers = [Worker(pathlib.Path(folder), number) for number in range(os.cpu_count() or 1)]
        executed = None
        for name in options.packages or PACKAGES:
            every = list(mutants_of(PACKAGES[name]))
            sample = random.Random(options.seed).sample(every, min(options.sample or PACKAGES[name].most, len(every)))
            if not executed and any(one.file.endswith(".py") for one in sample):
                executed = execute(options.executed or pathlib.Path(folder, "executed.json"))
            if measure(name, sample, executed, workers) < PACKAGES[name].target:
                below.append(name)
        for worker in workers:
            worker.end()
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
