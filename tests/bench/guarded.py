# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a command that gets a signal when its parent ends, however that ends: guarded.py SIGNAL PARENT COMMAND...

Linux sends it. The command runs in this process, so its process id is known from the beginning.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def guarded(command: list[str], number: signal.Signals) -> list[str]:
    """The command line for a command that is to get this signal when this process ends."""
    return [sys.executable, "-I", "-S", __file__, number.name, str(os.getpid()), *command]


if __name__ == "__main__":
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.Signals[sys.argv[1]]):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(sys.argv[2]):
        sys.exit("the parent has ended already")
    os.execvp(sys.argv[3], sys.argv[3:])
