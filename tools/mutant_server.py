# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run pytest again and again for tools/mutants.py, in children that find everything loaded that is not under test.

One line in: ``{"arguments", "output", "seconds"}`` as JSON. One line out: the exit status, or -1 for a run that did not
end in time. Each child loads the collection and the tests itself. It ends with whoever has started this.
"""

from __future__ import annotations

import gc
import json
import os
import pathlib
import signal
import sys
import time

import ansible.cli
import ansible.plugins.loader
import ansible.template
import boto3
import hypothesis
import pytest
import yaml

LOADED = (ansible.cli, ansible.plugins.loader, ansible.template, boto3, yaml)
# One example that fails is enough. The tests' own profile inherits this.
PHASES = [phase for phase in hypothesis.Phase if phase.name not in ("shrink", "explain")]
hypothesis.settings.register_profile("mutants", phases=PHASES, database=None)
hypothesis.settings.load_profile("mutants")


def run(arguments: list[str], output: str) -> None:
    """Run pytest in this process, which ends with it."""
    os.setsid()
    with pathlib.Path(output).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 3
    try:
        code = int(pytest.main(arguments))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float) -> int:
    """Wait for a child; end it, with all that it has started, after so many seconds."""
    last, parent, done = time.monotonic() + seconds, os.getppid(), 0
    try:
        while time.monotonic() < last and os.getppid() == parent:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        return -1
    finally:
        if not done:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        process = os.fork()
        if not process:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            run(asked["arguments"], asked["output"])
        print(wait(process, asked["seconds"]), flush=True)
