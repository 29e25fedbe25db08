# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is measured: the sets of ``make bench``.

A row is measured from top to bottom for each of its contenders, on an account of its own. Contenders skip the steps
that they do not know.
"""

from __future__ import annotations

import itertools
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
RECEIPTS = ("create", "revoke_reading", "report_reading", "revoke_receipts", "report_receipts")
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


# Ends within ten minutes on two cores with nothing else to do.
QUICK = (
    # One venue: the common case, and start-up.
    Row(1, 0, PLAIN, CORES, ("ours", COMMAND), CHANGES, 2),
    Row(1, 0, PLAIN, CORES, ("ours",), ("create", "renew")),
    Row(1, 0, PLAIN, CORES, (ALONE, ALONE_COMMAND), ("no_change",), 2),
    Row(1, 0, PLAIN, CORES, (SCRIPT,), CHANGES),
    Row(1, 0, PLAIN, CORES, ("amazon.aws", CLI), CHANGES),
    Row(1, 0, TLS, CORES, ("ours",), ALL),
    Row(1, 0, TLS, CORES, (COMMAND, SCRIPT), CHANGES),
    Row(1, 80, PLAIN, CORES, ("ours", COMMAND), SEALED, 2),
    Row(1, 80, PLAIN, CORES, (CLI,), ("seal",), 2),
    Row(1, 80, PLAIN, CORES, (SCRIPT,), SEALED),
    Row(1, 80, TLS, CORES, ("ours", COMMAND), SEALED, 2),
    Row(1, 80, TLS, CORES, (CLI,), ("seal",), 2),
    Row(1, 80, TLS, CORES, (SCRIPT,), SEALED),
    # Keys of other kinds.
    Row(1, 0, PLAIN, CORES, ("ours, OpenPGP", "ours, S/MIME"), ("create", "seal")),
    Row(10, 0, PLAIN, CORES, ("ours, OpenPGP", "ours, S/MIME"), ("create", "seal")),
    # Several.
    Row(10, 0, PLAIN, CORES, ("ours",), ALL),
    Row(10, 0, PLAIN, CORES, (SCRIPT,), CHANGES),
    Row(10, 0, TLS, CORES, ("ours",), ALL),
    Row(10, 0, TLS, CORES, (SCRIPT,), CHANGES),
    # Many.
    Row(50, 0, PLAIN, CORES, ("ours",), ALL, 2),
    Row(50, 0, PLAIN, CORES, (SCRIPT,), CHANGES, 2),
    Row(50, 0, PLAIN, CORES, (ALONE,), ("no_change",), 2),
    Row(50, 0, TLS, CORES, ("ours",), ALL),
    Row(50, 0, TLS, CORES, (SCRIPT,), CHANGES),
    # Their two minutes to create 50 venues are not measured here.
    Row(50, 0, PLAIN, CORES, ("amazon.aws",), ("no_change", "seal")),
    # Many at once, and far away. How many the script works on at once is its own affair.
    *(Row(50, 80, tls, 10, (SCRIPT, "ours"), SEALED) for tls in (PLAIN, TLS)),
    *(Row(50, 80, tls, 20, ("ours",), SEALED) for tls in (PLAIN, TLS)),
    Row(50, 80, PLAIN, 10, ("ours, account each", "ours, 5 accounts"), ("create", "seal")),
    # The record of many tokens.
    Row(1, 0, PLAIN, CORES, ("ours",), RECEIPTS),
)

PEERS = ("ours, shipped", "amazon.aws", CLI)

LONG = (
    *(Row(1, latency, tls, CORES, ("ours", COMMAND), ALL, 5) for latency in (0, 80) for tls in (PLAIN, TLS)),
    *(Row(1, latency, tls, CORES, PEERS, CHANGES, 3) for latency in (0, 80) for tls in (PLAIN, TLS)),
    *(Row(1, latency, tls, CORES, (SCRIPT,), CHANGES, 3) for latency in (0, 80) for tls in (PLAIN, TLS)),
    *(Row(venues, 0, PLAIN, CORES, (ALONE, ALONE_COMMAND), ("no_change",), 5) for venues in (1, 10, 50)),
    *(Row(venues, 0, PLAIN, CORES, (ALONE,), ("no_change",)) for venues in (200, 1000)),
    *(Row(venues, 0, tls, CORES, ("ours", SCRIPT), ALL, 3) for venues in (10, 50) for tls in (PLAIN, TLS)),
    *(Row(venues, 0, OTHER, CORES, ("ours",), ALL, 3) for venues in (1, 50)),
    *(Row(venues, 0, PLAIN, CORES, ("ours, OpenPGP", "ours, S/MIME"), ("create", "seal"), 3) for venues in (1, 10, 50)),
    *(Row(50, 80, tls, 10, ("ours", SCRIPT), CHANGES, 3) for tls in (PLAIN, TLS)),
    *(Row(50, 80, tls, 20, ("ours",), CHANGES, 3) for tls in (PLAIN, TLS)),
    Row(50, 80, PLAIN, 20, ("ours, strategy free",), ("create", "no_change"), 3),
    Row(50, 80, PLAIN, 10, ("ours, account each", "ours, 5 accounts"), ("create", "no_change", "seal"), 3),
    Row(1, 0, PLAIN, CORES, ("ours",), RECEIPTS, 3),
    *(Row(venues, 0, PLAIN, CORES, ("ours", SCRIPT), ("create", "info")) for venues in (1, 50, 200, 1000)),
    # Growth.
    *(Row(venues, 0, PLAIN, CORES, ("ours",), ALL) for venues in (200, 1000)),
    # The hours of the others.
    *(Row(50, 0, tls, CORES, PEERS, CHANGES) for tls in (PLAIN, TLS)),
    Row(50, 80, PLAIN, 10, PEERS, CHANGES),
    Row(200, 0, PLAIN, CORES, PEERS, CHANGES),
)


def turns(plan: Sequence[Row]) -> Iterator[Turn]:
    """Every contender of a row in turn, as often as the row says.

    All first runs come first: a set that is broken off has something of everything.
    """
    for run in range(max(row.runs for row in plan)):
        for row in plan:
            if run < row.runs:
                for contender in row.contenders:
                    yield Turn(row, contender, run)


def of_options(
    venues: Sequence[int],
    latency: Sequence[int],
    tls: Sequence[str],
    forks: Sequence[int],
    contenders: Sequence[str],
    steps: Sequence[str],
    runs: int,
) -> tuple[Row, ...]:
    """A plan of every combination."""
    mixed = itertools.product(venues, latency, tls, forks)
    return tuple(Row(*one, tuple(contenders), tuple(steps), runs) for one in mixed)
