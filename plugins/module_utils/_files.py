# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files with keys in them: readable by their owner alone, and either the old text or the new, never half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ._domain.errors import InvalidInput, VenueError


class FileNotWritten(VenueError):
    """A file with keys could not be written; what was there before is still there."""


@contextlib.contextmanager
def private_file(option: str, path: str) -> Iterator[Path]:
    """A place to write what shall become ``path``: mode 0600, in the same folder, moved there in one step at the end.

    Missing folders are made with mode 0700. The place is made before the keys are fetched, so that a path that cannot be
    written is found out in time; it is removed again if anything fails.

    :param option: the option that names the path, for the message.
    :raises InvalidInput: the path is a folder.
    :raises FileNotWritten: no permission, no space.
    """
    target = Path(path)
    if target.is_dir():
        raise InvalidInput(option, f"'{path}' is a folder; name a file in it.")
    try:
        _make_folders(target.parent)
        handle, name = tempfile.mkstemp(prefix=".venue_sts.", dir=target.parent)  # mode 0600
        os.close(handle)
    except OSError as error:
        raise FileNotWritten(f"{option}: '{path}' cannot be written ({error.strerror}).") from None
    place = Path(name)
    try:
        yield place
        place.replace(target)
    except OSError as error:
        raise FileNotWritten(f"{option}: '{path}' could not be written ({error.strerror}).") from None
    finally:
        place.unlink(missing_ok=True)


def write_synced(place: Path, text: str) -> None:
    """Write a text and wait until the disk has it."""
    with place.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _make_folders(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
