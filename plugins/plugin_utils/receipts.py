# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts that were kept before, as handing off looks at them; see also ``_operations/_receipts.py``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._domain.errors import InvalidInput

Receipt = Mapping[str, Any]
NEEDED = (
    "recipient",
    "project",
    "venue",
    "account_id",
    "region",
    "session_name",
    "access_key_id",
    "issued_at",
    "expires_at",
)


def is_complete(receipt: Any) -> bool:
    """Whether this is a receipt of an issue, with all that is needed to find the session and to revoke it."""
    return isinstance(receipt, Mapping) and all(isinstance(receipt.get(name), str) and receipt[name] for name in NEEDED)


def check(receipt: Any) -> None:
    """:raises InvalidInput: this is not what venue_sts_token returns as a receipt."""
    if not is_complete(receipt):
        raise InvalidInput("receipt", f"give the receipt that venue_sts_token returned, with {', '.join(NEEDED)}.")


def read(path: Path) -> Iterator[Receipt]:
    """The receipts of a file, oldest first; none where there is no file. A line torn by a crash is passed over."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                receipt = json.loads(line)
            except ValueError:
                continue
            if isinstance(receipt, Mapping):
                yield receipt


def find_last(path: Path, wanted: Callable[[Receipt], bool]) -> Receipt | None:
    """The latest receipt that fits."""
    found = None
    for receipt in read(path):
        if wanted(receipt):
            found = receipt
    return found


def last_keys(path: Path, user: str) -> Sequence[str]:
    """The fingerprints that the latest token of a user was sealed to; none if there was none."""
    last = find_last(path, lambda one: one.get("recipient") == user and bool(one.get("handoff", {}).get("sealed_to")))
    return tuple(last["handoff"]["sealed_to"]) if last else ()
