# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What earlier receipts say about a recipient's keys and about a sealed file.

A receipts file may have many thousand lines, so only those that contain the text in question are parsed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.receipts import LONGEST_LINE, KnownKeys, Receipt, known_keys, parse_receipt
from ..module_utils._files import absolute
from ..module_utils._receipt_store import lines_of


def last_keys(file: str | None, user: str) -> KnownKeys | None:
    """Return the keys that the latest token of a user was sealed to; None if there was none."""
    found = None
    for receipt in _receipts(file, json.dumps(user)):
        keys = known_keys([receipt], user, receipt.recorded_at)
        if keys and (found is None or keys.requested_at >= found.requested_at):
            found = keys
    return found


def find_sealed(file: str | None, digest: str) -> Receipt | None:
    """Return the latest receipt of the file with a SHA-256, or None."""
    return find_digest(_receipts(file, digest), digest)


def find_digest(receipts: Iterable[Receipt], digest: str) -> Receipt | None:
    """Return the last of some receipts with a SHA-256, or None."""
    found = None
    for receipt in receipts:
        if (receipt.handoff or {}).get("sealed_sha256") == digest:
            found = receipt
    return found


def _receipts(file: str | None, text: str) -> Iterator[Receipt]:
    """Return the receipts of the lines that contain a text.

    Other lines, and those that are no receipts, are skipped.
    """
    path = absolute("receipts_file", file) if file else None
    if path is None or not path.is_file():
        return
    wanted = text.encode()
    with path.open("rb") as stream:
        for line in lines_of(stream):
            if wanted in line and len(line) <= LONGEST_LINE:
                try:
                    yield parse_receipt("receipts_file", json.loads(line))
                except (ValueError, RecursionError, InvalidInput):
                    continue
