# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option ``dest``: a folder, or the file itself. Files are created once and never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from ..module_utils._files import check_existing_folder, check_new_file, create_private, prepare_folder


def is_folder(dest: str) -> bool:
    """Whether ``dest`` names a folder: it ends with a slash, or is one."""
    return dest.endswith(os.sep) or Path(dest).expanduser().is_dir()


def check(option: str, dest: str, *, create: bool) -> None:
    """Check that a file can be created safely.

    :param create: create missing folders; if not, check those that exist.
    :raises VenueError: it cannot; the message names the option, the folder and the reason.
    """
    path = Path(dest).expanduser()
    folder = path if is_folder(dest) else path.parent
    if not create and not check_existing_folder(option, folder.absolute()):
        return
    if folder == path:
        prepare_folder(option, folder.absolute())
    else:
        check_new_file(option, path)


def path(dest: str, name: str) -> str:
    """Return the path of a file: the name in ``dest`` if that is a folder, else ``dest`` itself."""
    found = Path(dest).expanduser()
    return str(found / name if is_folder(dest) else found)


def write(option: str, dest: str, name: str, data: bytes) -> str:
    """Create the file with mode 0600 and return its path.

    :raises VenueError: nothing was written.
    """
    return str(create_private(option, path(dest, name), data))
