# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The quick set: it ends within ten minutes on two cores that have nothing else to do."""

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
    READING,
    SCRIPT,
    SEALED,
    TLS,
    Row,
)

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
    # Several.
    Row(10, 0, PLAIN, CORES, ("ours",), ALL),
    Row(10, 0, PLAIN, CORES, (SCRIPT,), CHANGES),
    Row(10, 0, TLS, CORES, ("ours",), ALL),
    Row(10, 0, TLS, CORES, (SCRIPT,), CHANGES),
    # An authority that the collection's short list does not have.
    Row(10, 0, OTHER, CORES, ("ours",), SEALED),
    # Many.
    Row(50, 0, PLAIN, CORES, ("ours",), ALL),
    Row(50, 0, PLAIN, CORES, (SCRIPT,), CHANGES),
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
    Row(1, 0, PLAIN, CORES, ("ours",), READING),
)
