# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 5


def enumerate_words(words: Sequence[str]) -> str:
    """Return one or more words as in a sentence, such as ``read, write and delete``."""
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), words[-1]])


def first_of(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Name the first of many, and say how many more there are: ``a, b, and 7 more``.

    :param names: for a message; receipts may hold thousands.
    :param most: how many are named.
    """
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])
