# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The names of files with tokens: different for every venue, user and token, also where a file system ignores case."""

from __future__ import annotations

import re

from .names import Venue

_UPPER = re.compile("[A-Z]")


def token_stem(venue: Venue, user: str, receipt_id: str) -> str:
    """Return the file name of a token without its suffixes, such as ``sbg_dev_jdoe_20261122T093015Z-3fa91c07``.

    It can be read back in one way only: project and venue contain no underscore, and the part after the last one is
    that of the receipt. A capital letter of the user is written as ``~`` and the small letter.

    :param user: a checked user name.
    :param receipt_id: the id of the receipt, such as ``r-20261122T093015Z-3fa91c07``.
    """
    return f"{venue.project}_{venue.venue}_{person_part(user)}_{receipt_id.removeprefix('r-')}"


def person_part(user: str) -> str:
    """Return a user name as part of a file name, injective also where a file system ignores case."""
    return _UPPER.sub(lambda letter: f"~{letter[0].lower()}", user)
