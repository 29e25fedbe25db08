# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read a file of receipts as the playbooks do, and nothing else: read_receipts.py revoke|report FILE COLLECTIONS."""

from __future__ import annotations

import gc
import sys
from datetime import UTC, datetime, timedelta

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[3])
    from ansible_collections.mdps.venue_sts.plugins.module_utils._receipt_store import ReceiptSources

    sources, now = ReceiptSources(sys.argv[2]), datetime.now(UTC)
    gc.disable()  # as the worker of ansible-playbook does while it runs an operation
    # A file needs no clients.
    clients = None
    # A revocation wants the tokens that have not expired, a report those of the last 12 hours.
    since = now if sys.argv[1] == "revoke" else now - timedelta(hours=12)
    log = sources.read(clients, since, since=since)  # type: ignore[arg-type]
    print(f"{len(log.tokens)} tokens, {log.unreadable} lines that are no receipts")
