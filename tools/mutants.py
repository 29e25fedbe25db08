# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Change the code in one place at a time, and see whether a test fails: a measure of what the tests would notice.

Usage: mutants.py [--sample N] [--seed N] [PACKAGE ...]     PACKAGE is a key of PACKAGES; the default is all

Each mutant runs against the unit tests that execute its line, which coverage knows. It is *killed* if one of them fails
or does not end. Mutants that cannot change a result are listed, with the reason, in tools/mutants_equivalent.txt.
Prints those that survived, and a table. Exits with 1 if a package is below its target.
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import checkout
from coverage.numbits import numbits_to_nums

ROOT = checkout.ROOT
PACKAGES = {
    "_domain": ("plugins/module_utils/_domain", 92),
    "_operations": ("plugins/module_utils/_operations", 92),
    "_aws": ("plugins/module_utils/_aws", 0),
    "plugin_utils": ("plugins/plugin_utils", 0),
    "dispatch": ("plugins/plugin_utils/action.py", 95),
}
EQUIVALENT = ROOT / "tools/mutants_equivalent.txt"
SECONDS, MOST_TESTS = 120, 40
COMPARISONS = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip


class Mutant(NamedTuple):
    """One change: the text between two offsets of a file is replaced."""

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {' '.join(self.old.split())[:60]!r} -> {self.new[:60]!r}"


def mutants_of(file: pathlib.Path) -> Iterator[Mutant]:
    """Every mutant of a file."""
    text = file.read_text()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    raw = text.encode()

    def at(node: ast.expr | ast.stmt, new: str) -> Mutant:
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        return Mutant(str(file.relative_to(ROOT)), node.lineno, start, end, raw[start:end].decode(), new)

    for node in ast.walk(ast.parse(text)):
        for old, new in changes(node):
            yield at(old, new)


def changes(node: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What to replace in a node, and by what."""
    match node:
        case ast.Compare(left=left, ops=[one], comparators=[right]) if type(one) in COMPARISONS:
            yield node, f"{ast.unparse(left)} {COMPARISONS[type(one)]} {ast.unparse(right)}"
        case ast.BoolOp(op=op, values=values):
            other = " or " if isinstance(op, ast.And) else " and "
            yield node, "(" + other.join(f"({ast.unparse(one)})" for one in values) + ")"
            for index in range(len(values)):
                rest = [ast.unparse(one) for number, one in enumerate(values) if number != index]
                yield (
                    node,
                    "(" + (" and " if isinstance(op, ast.And) else " or ").join(f"({one})" for one in rest) + ")",
                )
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.If(test=test) | ast.IfExp(test=test):
            yield test, f"(not ({ast.unparse(test)}))"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield value, "None"
        case ast.Raise():
            yield node, "pass"
        case ast.Expr(value=ast.Call()):
            yield node, "pass"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() as value):
            yield node, str(value + 1)


def coverage_of_tests(folder: pathlib.Path) -> pathlib.Path:
    """Run the unit tests once and return the database that says which test executes which line."""
    data = folder / "coverage"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--cov=plugins",
        "--cov-context=test",
        "--cov-report=",
        "tests/unit",
    ]
    env = {**os.environ, "COVERAGE_FILE": str(data)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The unit tests fail without any change:\n{done.stdout[-3000:]}")
    return data


def tests_by_line(data: pathlib.Path) -> dict[tuple[str, int], list[str]]:
    """The tests that execute each line."""
    query = (
        "select file.path, context.context, line_bits.numbits from line_bits "
        "join file on file.id = line_bits.file_id join context on context.id = line_bits.context_id"
    )
    arcs = (
        "select file.path, context.context, arc.fromno, arc.tono from arc "
        "join file on file.id = arc.file_id join context on context.id = arc.context_id"
    )
    found: dict[tuple[str, int], set[str]] = {}
    with sqlite3.connect(data) as database:
        rows = [(path, name, numbits_to_nums(bits)) for path, name, bits in database.execute(query)]
        rows += [(path, name, [abs(a), abs(b)]) for path, name, a, b in database.execute(arcs)]
    for path, name, lines in rows:
        if name:
            relative = path[path.index("plugins/") :]
            for line in lines:
                found.setdefault((relative, line), set()).add(name.partition("|")[0])
    return {place: sorted(names) for place, names in found.items()}


def run(mutant: Mutant, tests: list[str], worker: pathlib.Path) -> bool:
    """Whether a test notices the mutant."""
    tree = worker / "collections/ansible_collections/mdps/venue_sts"
    target = tree / mutant.file
    original = target.read_bytes()
    target.write_bytes(original[: mutant.start] + mutant.new.encode() + original[mutant.end :])
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    env = {**os.environ, "VENUE_STS_COLLECTIONS": str(worker / "collections"), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=env, capture_output=True, timeout=SECONDS, check=False)
        return done.returncode == 1
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_bytes(original)


def make_worker(folder: pathlib.Path, number: int) -> pathlib.Path:
    """A copy of the checkout beside the other collections."""
    worker = folder / f"worker{number}"
    own = worker / "collections/ansible_collections"
    checkout.copy_to(own / "mdps/venue_sts")
    others = pathlib.Path(sys.prefix) / "collections/ansible_collections"
    for other in others.iterdir():
        if other.name != "mdps":
            (own / other.name).symlink_to(other)
    return worker


def equivalents() -> set[str]:
    """The mutants that cannot change a result: the text before ``  #``, without the line number."""
    lines = EQUIVALENT.read_text().splitlines() if EQUIVALENT.exists() else []
    return {line.partition("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")}


def key(mutant: Mutant) -> str:
    """How the list of equivalents names a mutant."""
    return f"{mutant.file}: {' '.join(mutant.old.split())} -> {mutant.new}"


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", choices=[[], *PACKAGES], metavar="PACKAGE")
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    below = []
    with tempfile.TemporaryDirectory(prefix="venue_sts_mutants.") as name:
        folder = pathlib.Path(name)
        lines = tests_by_line(coverage_of_tests(folder))
        workers = [make_worker(folder, number) for number in range(os.cpu_count() or 1)]
        for package in options.packages or PACKAGES:
            score = measure(package, options, lines, workers)
            if score < PACKAGES[package][1]:
                below.append(package)
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if below else 0


def measure(
    package: str, options: argparse.Namespace, lines: dict[tuple[str, int], list[str]], workers: list[pathlib.Path]
) -> float:
    """Run a sample of one package's mutants, print what survived, and return the percentage that was killed."""
    place = ROOT / PACKAGES[package][0]
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    excluded = equivalents()
    every = [one for file in files for one in mutants_of(file) if key(one) not in excluded]
    drawn = random.Random(options.seed).sample(every, min(options.sample, len(every)))
    shares: list[list[Mutant]] = [drawn[number :: len(workers)] for number in range(len(workers))]

    def work(number: int) -> list[tuple[Mutant, bool]]:
        found = []
        for one in shares[number]:
            tests = lines.get((one.file, one.line), [])
            chosen = random.Random(options.seed).sample(tests, min(MOST_TESTS, len(tests)))
            found.append((one, bool(chosen) and run(one, chosen, workers[number])))
        return found

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        results = [one for part in pool.map(work, range(len(workers))) for one in part]
    killed = sum(noticed for _mutant, noticed in results)
    for mutant, noticed in sorted(results):
        if not noticed:
            print(f"survived: {mutant}")
    score = 100 * killed / max(len(results), 1)
    print(
        f"{package:14} {killed:4} of {len(results):4} killed: {score:5.1f} % (target {PACKAGES[package][1]})",
        flush=True,
    )
    return score


if __name__ == "__main__":
    sys.exit(main())
