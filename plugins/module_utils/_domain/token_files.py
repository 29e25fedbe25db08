# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The names of files with tokens: different for every venue, user and token, also where a file system ignores case."""

from __future__ import annotations

import re

from .names import Venue

_UPPER = re.compile("[A-Z]")
_EXAMPLE_ID = "r-20261122T093015Z-3fa91c07"  # every id of a receipt has this length


def token_stem(venue: Venue, user: str, receipt_id: str) -> str:
    """Return the file name of a token without its suffixes, such as ``sbg_dev_jdoe_20261122T093015Z-3fa91c07``.

    It can be read back in one way only, also if case is ignored: in the parts of project and venue is no underscore,
    and the part after the last one is that of the receipt.

    :param user: a checked user name.
    :param receipt_id: the id of the receipt, such as ``r-20261122T093015Z-3fa91c07``.
    """
    venue_part = f"{_name_part(venue.project)}_{_name_part(venue.venue)}"
    return f"{venue_part}_{person_part(user)}_{receipt_id.removeprefix('r-')}"


def example_stem(venue: Venue, user: str) -> str:
    """Return a stem as long as those of all tokens of a user. What it names can be checked before there is a token.

    :param user: a checked user name.
    """
    return token_stem(venue, user, _EXAMPLE_ID)


def person_part(user: str) -> str:
    """Return a user name as part of a file name, injective also where a file system ignores case.

    A capital letter is written as ``~`` and the small letter.
    """
    return _UPPER.sub(lambda letter: f"~{letter[0].lower()}", user)


def _name_part(name: str) -> str:
    """Return the name of a project or venue without underscores, injective also where a file system ignores case.

    A capital letter is written as the small one and ``~``, an underscore as ``-~``. No name contains ``~``. The name of
    a file begins with this part, and a shell would take a ``~`` at its beginning for a home folder.
    """
    return _UPPER.sub(lambda letter: f"{letter[0].lower()}~", name.replace("_", "-~"))
