# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where leases and what they deliver are: names of parameters, and folders of a bucket."""

from __future__ import annotations

import re

from .access import RENEWALS
from .errors import InvalidInput
from .names import Venue, check_parameter_name
from .token_files import person_part

RENEWAL = "renewal"  # the last part of the name of what renewals record
_ESCAPED = re.compile(r"[^A-Za-z0-9_-]")


def lease_path(venue: Venue, option: str | None) -> str:
    """Return the path that the leases of a venue are below.

    :param option: the option ``lease_path``; None for the conventional one.
    :raises InvalidInput: it is not a path of parameters.
    """
    if option is None:
        return f"/unity/{venue.project}/{venue.venue}/cs/sts/leases"
    path = check_parameter_name("lease_path", option.rstrip("/"))
    if not path.startswith("/"):
        raise InvalidInput("lease_path", f"'{option}' must begin with '/', such as /unity/sbg/dev/cs/sts/leases.")
    return path


def parameter_name(path: str, user: str) -> str:
    """Return the name of a user's lease. It can be read back in one way only: a full stop begins an escape."""
    return f"{path}/{_ESCAPED.sub(lambda one: f'.{ord(one[0]):02x}', user)}"


def renewal_name(path: str, user: str) -> str:
    """Return the name of what renewals of a user's lease record."""
    return f"{parameter_name(path, user)}/{RENEWAL}"


def renewal_folder(venue: Venue, user: str) -> str:
    """Return the folder of a bucket that holds what a user's renewals deliver, with its slash.

    It is below the prefix that no token may write. Several venues may share a bucket.
    """
    return f"{RENEWALS}{venue.project}/{venue.venue}/{person_part(user)}/"
