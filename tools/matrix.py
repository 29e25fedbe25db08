# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Test on every supported ansible-core and Python.

With the oldest and newest amazon.aws and boto3, and print what ran as a table.

Usage: matrix.py [--no-sanity] [ROW ...]     the default is all rows

Each row runs the unit tests and the integration tests marked `matrix`; one row of each ansible-core runs ansible-test
sanity too.
What this machine has no Python for is a line of the table. The exit status is 1 for failures only, and not for those of
the development branch of ansible-core, which may fail for reasons that are not ours: they are reported.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
from typing import NamedTuple

import environment

ROOT = environment.ROOT
LOGS = environment.BUILD / "matrix"
HEADINGS = ("ROW", "CORE", "PYTHON", "AMAZON.AWS", "BOTO3", "UNIT", "INTEGRATION", "SANITY", "SECONDS")


class Row(NamedTuple):
    """One line of the matrix: an environment of tools/environment.py.

    :param sanity: ansible-test sanity runs in it.
    :param may_fail: a failure is reported, and does not change the exit status.
    """

    name: str
    sanity: bool = False
    may_fail: bool = False


ROWS = (
    Row("floor", sanity=True),
    Row("core-2.19-oldest"),
    Row("core-2.20-py3.12", sanity=True),
    Row("core-2.20-py3.13"),
    Row("core-2.21-py3.12"),
    Row("core-2.21-py3.13"),
    Row("dev", sanity=True),
    Row("core-2.22"),
    Row("core-devel", may_fail=True),
)
VERSIONS = """
import importlib.metadata as m, json, sys
print(json.dumps([m.version("ansible-core"), "%d.%d.%d" % sys.version_info[:3], m.version("boto3")]))
"""


def make(row: Row) -> pathlib.Path | str:
    """The folder of a row's environment, or the reason why it is not available.

    :raises subprocess.CalledProcessError: a row that may not fail could not be installed.
    """
    wanted = environment.ENVIRONMENTS[row.name]
    try:
        environment.find_python(wanted.oldest, wanted.newest)
    except SystemExit as error:
        return str(error)
    command = [sys.executable, str(ROOT / "tools/environment.py"), "awscli", row.name]
    made = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=not row.may_fail)
    if made.returncode:
        return "it could not be installed, see above"
    return pathlib.Path(made.stdout.splitlines()[-1])


def run(home: pathlib.Path, log: pathlib.Path, *command: str) -> str:
    """Run a command in an environment, its output into a log; "ok", or where to read on."""
    env = {
        **os.environ,
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
    }
    with log.open("w") as output:
        done = subprocess.run(
            [home / "bin" / command[0], *command[1:]],
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return "ok" if done.returncode == 0 else f"FAILED, see {log.relative_to(ROOT)}"


def run_row(row: Row, *, sanity: bool) -> tuple[str, ...]:
    """Run one row, and give its line."""
    home = make(row)
    if isinstance(home, str):
        return (row.name, f"missing: {home}")
    started = time.monotonic()
    core, python, boto3 = json.loads(
        subprocess.run([home / "bin/python", "-c", VERSIONS], capture_output=True, text=True, check=True).stdout
    )
    manifest = json.loads((home / "collections/ansible_collections/amazon/aws/MANIFEST.json").read_text())
    pytest = ("pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider")
    unit = run(home, LOGS / f"{row.name}.unit.log", *pytest, "tests/unit")
    integration = run(home, LOGS / f"{row.name}.integration.log", *pytest, "-m", "matrix", "tests/integration")
    sane = run(home, LOGS / f"{row.name}.sanity.log", "python", "tools/sanity.py") if sanity and row.sanity else "-"
    return (
        row.name,
        core,
        python,
        manifest["collection_info"]["version"],
        boto3,
        unit,
        integration,
        sane,
        f"{time.monotonic() - started:.0f}",
    )


def table(lines: list[tuple[str, ...]]) -> str:
    """Plain columns; a line with two cells is a sentence."""
    full = [line for line in lines if len(line) == len(HEADINGS)]
    widths = [max(len(line[column]) for line in full) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() for line in lines
    )


def choose(arguments: list[str]) -> list[Row]:
    """The rows that the command line names, or all.

    :raises SystemExit: it names one that does not exist, or an unknown option.
    """
    names = [name for name in arguments if name != "--no-sanity"]
    known = [row.name for row in ROWS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"Unknown: {', '.join(unknown)}. ROW is one of: {', '.join(known)}")
    return [row for row in ROWS if row.name in (names or known)]


def main(arguments: list[str]) -> int:
    """Run the rows asked for, or all."""
    rows = choose(arguments)
    LOGS.mkdir(parents=True, exist_ok=True)
    lines: dict[str, tuple[str, ...]] = {}
    for row in rows:
        print(f"{row.name} ...", file=sys.stderr, flush=True)
        lines[row.name] = run_row(row, sanity="--no-sanity" not in arguments)
    print(table([HEADINGS, *lines.values()]))
    failed = [row for row in rows if any("FAILED" in cell for cell in lines[row.name])]
    for row in failed:
        if row.may_fail:
            print(f"{row.name} may fail: its failures do not change the exit status.")
    return 0 if all(row.may_fail for row in failed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
