# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A process that runs operations in children of its own, which may be killed at any moment.

One JSON line in: a list of runs, ``{"operation", "options", "clock"}``. Lines out: ``{"run", "pid"}`` as each begins,
``{"run", "outcome"}``
as it ends by itself, and ``{"done": true}`` once all children are gone. boto3 is loaded once, before the forks. Retries
do not wait.
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

COLLECTIONS = os.environ.get("VENUE_STS_COLLECTIONS", str(Path(sys.prefix) / "collections"))
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), COLLECTIONS]

import botocore.auth  # noqa: E402 - the path is set above
import botocore.retries.standard  # noqa: E402

from tests.support import operations  # noqa: E402
from tests.support.clock import Clock  # noqa: E402

SPEED = "ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed"


def say(**line: Any) -> None:
    """One line, in one write, so that the lines of several children do not mix."""
    os.write(1, (json.dumps(line, default=str) + "\n").encode())


def skew(seconds: float) -> None:
    """Let botocore sign as if this machine's clock were off."""
    right = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda *arguments: right(*arguments) + datetime.timedelta(seconds=seconds)


def child(number: int, run: dict[str, Any]) -> None:
    """Run one operation and tell the outcome."""
    clock = Clock()
    patient = {} if run.get("clock") == "real" else {"now": clock.now, "sleep": clock.sleep}
    if not patient:
        os.read(int(run["gate"]), 1)  # all start at once
    skew(run.get("skew", 0))
    try:
        succeeded, result = operations.run(run["operation"], run["options"], **patient)
        say(
            run=number,
            outcome={
                "succeeded": succeeded,
                **{key: result[key] for key in ("msg", "error", "changed", "steps") if key in result},
            },
        )
    except Exception:  # whatever it is, the test is to see it
        say(run=number, outcome={"crash": traceback.format_exc()})


def main() -> None:
    """Serve until standard input ends."""
    if importlib.util.find_spec(SPEED):
        importlib.import_module(SPEED).prepare(("iam", "ssm", "sts"))
    botocore.retries.standard.ExponentialBackoff.delay_amount = lambda self, context: 0
    for line in sys.stdin:
        reader, writer = os.pipe()
        pids = []
        for number, run in enumerate(json.loads(line)):
            pid = os.fork()
            if not pid:
                os.close(writer)
                child(number, run | {"gate": reader})
                os._exit(0)
            say(run=number, pid=pid)
            pids.append(pid)
        os.close(writer)  # opens the gate: the children's reads end
        for pid in pids:
            os.waitpid(pid, 0)
        os.close(reader)
        say(done=True)


if __name__ == "__main__":
    main()
