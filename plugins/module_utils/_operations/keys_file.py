# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option keys_file: a file with the credentials of a token."""

from __future__ import annotations

import codecs
import os

from .. import _masking
from .._domain.errors import InvalidInput
from .._domain.found_keys import FoundKeys, parse_keys
from .._files import absolute_file, open_regular

LONGEST_FILE = 65536


def read_keys_file(path: str, access_key_id: str | None) -> FoundKeys:
    """Read the credentials of a token from a file, and register them for masking.

    :param access_key_id: of the token that they must be of; None for any.
    :raises InvalidInput: the file has no credentials, or those of another token.
    """
    place = absolute_file("keys_file", path)
    try:
        with open(place, "rb", opener=open_regular) as stream:
            content = stream.read(LONGEST_FILE)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no such path"
        raise InvalidInput("keys_file", f"'{place}' cannot be read ({reason}).") from None
    # PowerShell's > writes UTF-16.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    keys = parse_keys("keys_file", content.decode("utf-16" if is_wide else "utf-8-sig", errors="replace"))
    _masking.register(keys.secret_access_key, keys.session_token)
    if access_key_id not in (None, keys.access_key_id):
        raise InvalidInput("keys_file", f"has the credentials of {keys.access_key_id}, not of {access_key_id}.")
    return keys
