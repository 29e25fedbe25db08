# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The AWS CLI (version 1), imported once and forked for each command, which takes a tenth of the time of a new process.

Run as a script by the Python of the CLI's environment, it reads one job a line from standard input and answers each
with a line. ``AwsCli`` is the side of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple


class Done(NamedTuple):
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


class AwsCli:
    """A running CLI. Commands are sent to ``url``."""

    def __init__(self, home: Path, url: str, folder: Path) -> None:
        self._url, self._folder = url, folder
        self._process = subprocess.Popen(
            [home / "bin/python", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Done:
        """Run ``aws`` with arguments, a folder and an environment of its own."""
        outputs = {name: str(self._folder / name) for name in ("stdout", "stderr")}
        argv = ["--endpoint-url", self._url, *arguments]
        job = {"argv": argv, "cwd": str(cwd), "environment": dict(environment), **outputs}
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(job), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        return Done(status, *(Path(name).read_text(encoding="utf-8") for name in outputs.values()))

    def __enter__(self) -> AwsCli:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)  # closes its input, which ends it


def _serve() -> None:
    import awscli.clidriver  # noqa: PLC0415 - exists only in the environment of the CLI
    import awscli.customizations.ecr  # noqa: PLC0415
    import awscli.customizations.s3.s3  # noqa: PLC0415

    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(job, awscli.clidriver.main)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(job: Mapping[str, object], main: object) -> None:
    os.chdir(str(job["cwd"]))
    own = os.environ["AWS_DATA_PATH"]  # which awscli has set when it was imported
    os.environ.clear()
    os.environ.update({**job["environment"], "AWS_DATA_PATH": own})  # type: ignore[dict-item]
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(str(job[name]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["aws", *job["argv"]]  # type: ignore[misc]
    status = main()  # type: ignore[operator]
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve()
