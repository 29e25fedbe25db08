# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How it is said what is measured; the sets themselves are in quick_set.py and long_set.py.

A row is measured from top to bottom for each of its contenders, on an account of its own. Contenders skip the steps
that they do not know.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CORES = os.cpu_count() or 1
# How the contenders reach the emulator. Over HTTPS, each connection's set-up takes the latency once more.
PLAIN = "none"
TLS = "amazon"  # the certificate's authority is one of Amazon's by its name
OTHER = "other"  # it is somebody else's: the collection's short list does not have it
TRANSPORTS = (PLAIN, TLS, OTHER)

ALL = ("create", "no_change", "issue", "seal", "renew")
CHANGES = ("create", "no_change", "issue", "seal")
SEALED = ("create", "no_change", "seal")
READING = ("create", "revoke_reading", "report_reading")
RECEIPTS = (*READING, "revoke_receipts", "report_receipts")
SCRIPT = "boto3 script"
CLI = "aws CLI"
ALONE = "ansible-core alone"
ALONE_COMMAND = "ansible-core alone, one command"
COMMAND = "ours, one command"


@dataclass(frozen=True)
class Row:
    """Contenders that do the same.

    :param latency: milliseconds that each API call takes longer.
    :param forks: venues at once, for ansible-playbook and xargs.
    :param steps: without ``create``, the venues are prepared, which is not measured; not every contender has that.
    :param runs: how often.
    """

    venues: int
    latency: int
    tls: str
    forks: int
    contenders: tuple[str, ...]
    steps: tuple[str, ...]
    runs: int = 1


@dataclass(frozen=True)
class Turn:
    """One contender's turn at a row: its steps, one after the other."""

    row: Row
    contender: str
    run: int

    def __str__(self) -> str:
        """What tells it from other turns, also in another run of the benchmark."""
        row = self.row
        return f"{row.venues} {row.latency} {row.tls} {row.forks} {'+'.join(row.steps)}, {self.contender}, {self.run}"


def turns(plan: Sequence[Row]) -> Iterator[Turn]:
    """Every contender of a row in turn, as often as the row says.

    All first runs come first: a set that is broken off has something of everything.
    """
    taken: set[str] = set()  # with ten cores, "as many as cores" and "ten" are the same
    for run in range(max(row.runs for row in plan)):
        for row in plan:
            for turn in (Turn(row, contender, run) for contender in row.contenders if run < row.runs):
                if str(turn) not in taken:
                    taken.add(str(turn))
                    yield turn
