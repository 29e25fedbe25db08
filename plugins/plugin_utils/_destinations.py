# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option ``dest``: a folder, or the file itself. Files are created once and never overwritten."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ..module_utils._files import (
    absolute,
    check_existing_folder,
    check_name_lengths,
    check_new_file,
    check_writable,
    create_private,
    prepare_folder,
)


def is_folder(dest: str) -> bool:
    """Whether ``dest`` names a folder: it ends with a slash, or is one."""
    return dest.endswith(os.sep) or os.path.isdir(os.path.expanduser(dest))  # noqa: PTH111, PTH112 - never raise


def check(option: str, dest: str, name: str, suffixes: Sequence[str] = ("",), *, create: bool) -> None:
    """Check that files can be created safely, before there is a token to put into them.

    :param name: the name of the file in a folder, or, before it is known, one of the same length.
    :param suffixes: those of all files that will be created: one of each with this suffix.
    :param create: create missing folders, and try whether a file can be created; if not, check those that exist.
    :raises VenueError: it cannot; the message names the option, the folder and the reason.
    """
    target = absolute(option, dest)
    folder = target if is_folder(dest) else target.parent
    files = [f"{path_of(option, dest, name)}{suffix}" for suffix in suffixes]
    check_name_lengths(option, [Path(one).name for one in files])
    if create:
        prepare_folder(option, folder)
        check_writable(option, folder)
    elif not check_existing_folder(option, folder):
        return
    for one in files:
        check_new_file(option, one)


def path_of(option: str, dest: str, name: str) -> str:
    """Return the path of a file: the name in ``dest`` if that is a folder, else ``dest`` itself."""
    found = absolute(option, dest)
    return str(found / name if is_folder(dest) else found)


def write(option: str, target: str, data: bytes, extra_files: Mapping[str, bytes] = MappingProxyType({})) -> str:
    """Create a file with mode 0600, after those that belong to it, and return its path. All are created, or none.

    :param target: the path; see `path_of`.
    :param extra_files: the contents of files with the same name and a suffix, such as a signature, by suffix.
    :raises VenueError: nothing was written.
    """
    with contextlib.ExitStack() as undo:
        for suffix, content in extra_files.items():
            made = create_private(option, f"{target}{suffix}", content)
            undo.callback(made.unlink, missing_ok=True)
        path = create_private(option, target, data)
        undo.pop_all()
    return str(path)
