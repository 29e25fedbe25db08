# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Talk to tests/support/killable_worker.py."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Run = dict[str, Any]


class Runner:
    """Runs operations in processes that may be killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *runs: Run, started: Callable[[int], None] = lambda pid: None) -> list[dict[str, Any] | None]:
        """The outcomes of some runs at once; None for one that was killed.

        :param started: called with each process id, at the latest when it makes its first call.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(runs) + "\n")
        self._process.stdin.flush()
        outcomes: list[dict[str, Any] | None] = [None] * len(runs)
        for line in self._process.stdout:
            said = json.loads(line)
            if "done" in said:
                return outcomes
            if "pid" in said:
                started(said["pid"])
            else:
                outcomes[said["run"]] = said["outcome"]
        raise RuntimeError("the runner has ended")


@contextlib.contextmanager
def runner() -> Iterator[Runner]:
    """A runner, until the block ends."""
    command = [sys.executable, str(Path(__file__).with_name("killable_worker.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Runner(process)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(timeout=60)
