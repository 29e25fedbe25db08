# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The long set: hours, most of them those of the other contenders."""

from __future__ import annotations

from tests.bench.plan import (
    ALL,
    ALONE,
    ALONE_COMMAND,
    CHANGES,
    CLI,
    COMMAND,
    CORES,
    OTHER,
    PLAIN,
    RECEIPTS,
    SCRIPT,
    TLS,
    Row,
)

PEERS = ("ours, shipped", "amazon.aws", CLI)

LONG = (
    *(Row(1, latency, tls, CORES, ("ours", COMMAND), ALL, 5) for latency in (0, 80) for tls in (PLAIN, TLS)),
    *(Row(1, latency, tls, CORES, PEERS, CHANGES, 3) for latency in (0, 80) for tls in (PLAIN, TLS)),
    *(Row(1, latency, tls, CORES, (SCRIPT,), CHANGES, 3) for latency in (0, 80) for tls in (PLAIN, TLS)),
    Row(1, 0, PLAIN, CORES, (ALONE_COMMAND,), ("no_change",), 5),
    *(Row(venues, 0, PLAIN, CORES, (ALONE,), ("no_change",), 5) for venues in (1, 10, 50)),
    *(Row(venues, 0, PLAIN, CORES, (ALONE,), ("no_change",)) for venues in (200, 1000)),
    *(Row(venues, 0, tls, CORES, ("ours", SCRIPT), ALL, 3) for venues in (10, 50) for tls in (PLAIN, TLS)),
    *(Row(venues, 0, OTHER, CORES, ("ours",), ALL, 3) for venues in (1, 50)),
    *(Row(venues, 0, PLAIN, CORES, ("ours, OpenPGP", "ours, S/MIME"), ("create", "seal"), 3) for venues in (1, 10, 50)),
    Row(50, 80, PLAIN, CORES, ("ours",), CHANGES, 3),
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
