# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that only their owner can read, whatever their content."""

from __future__ import annotations

import os
from pathlib import Path

from ..module_utils._files import private_file, sync_folder


def write(option: str, path: Path, data: bytes) -> Path:
    """Write data to a 0600 file that takes the place of ``path`` in one step; a link is followed, not replaced.

    :param option: the option that names the path, for the message.
    :returns: where the file really is.
    :raises VenueError: nothing was written, and a file that was there before is still whole.
    """
    path = path.expanduser().resolve()
    with private_file(option, str(path)) as place, place.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(path.parent)
    return path
