# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts file, as an option names it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .._domain.errors import InvalidInput
from .._domain.receipts import Receipt, parse_lines


def read_receipts(path: str) -> Iterable[Receipt]:
    """The receipts of a file.

    :raises InvalidInput: there is no such file, or it cannot be read.
    """
    try:
        return parse_lines(Path(path).read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise InvalidInput("receipts_file", f"'{path}' cannot be read ({error.strerror}).") from None
