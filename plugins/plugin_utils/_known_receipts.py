# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What earlier receipts say about a recipient's keys and about a sealed file.

A receipts file may have many thousand lines, so only those that contain the text in question are parsed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.known_keys import KnownKeys, known_keys
from ..module_utils._domain.receipt_log import LONGEST_LINE
from ..module_utils._domain.receipts import Receipt, parse_receipt
from ..module_utils._domain.times import parse_time
from ..module_utils._files import absolute
from ..module_utils._receipt_store import lines_of


def last_keys(file: str | None, user: str) -> KnownKeys | None:
    """Return the keys that the latest token of a user was sealed to; None if there was none.

    The latest lines are read as receipts first, since most users have one line for each token they ever got.
    """
    path = _existing(file)
    if path is None:
        return None
    with path.open("rb") as stream:
        for _requested_at, place in sorted(_requests(stream, user), reverse=True):
            stream.seek(place)
            receipt = _parse(stream.readline(LONGEST_LINE))
            if receipt and (keys := known_keys([receipt], user, receipt.recorded_at)):
                return keys
    return None


def _requests(stream: BinaryIO, user: str) -> Iterator[tuple[datetime, int]]:
    """Return when each token of a user was requested, and where in the file its line begins."""
    wanted = json.dumps(user).encode()
    for line in lines_of(stream):
        if b'"sealed_to"' in line and wanted in line and len(line) <= LONGEST_LINE:
            with contextlib.suppress(ValueError, RecursionError, LookupError, TypeError, InvalidInput):  # no receipt
                yield parse_time("receipts_file", json.loads(line)["requested_at"]), stream.tell() - len(line)


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
    path = _existing(file)
    if path is None:
        return
    wanted = text.encode()
    with path.open("rb") as stream:
        for line in lines_of(stream):
            if wanted in line and len(line) <= LONGEST_LINE and (receipt := _parse(line)):
                yield receipt


def _existing(file: str | None) -> Path | None:
    path = absolute("receipts_file", file) if file else None
    # Unlike Path.is_file, it does not fail where a path is too long, which the store reports.
    return path if path and os.path.isfile(path) else None  # noqa: PTH113


def _parse(line: bytes) -> Receipt | None:
    try:
        return parse_receipt("receipts_file", json.loads(line))
    except (ValueError, RecursionError, InvalidInput):
        return None
