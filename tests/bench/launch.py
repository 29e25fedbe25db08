# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a command and write down what it took: launch.py REPORT COMMAND...

A small program of its own: Linux counts the memory of whoever starts a process as the process's peak, and the benchmark
itself is big. It leads a process group, and passes on a SIGTERM.
"""

import json
import os
import pathlib
import signal
import sys
import time


def stop(*_received: object) -> None:
    """End the command with all that it has started, and this."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, stop)
    begun = time.perf_counter()
    # wait4 instead of wait: it tells what the process, and those it waited for, have used.
    _pid, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
    wall = time.perf_counter() - begun
    taken = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(taken))
    sys.exit(os.waitstatus_to_exitcode(status))
