# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files with keys in them: readable by their owner alone, and either the old text or the new, never half of one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ._domain.errors import InvalidInput, VenueError


class FileNotWritten(VenueError):
    """A file with keys could not be written; what was there before is still there."""


@contextlib.contextmanager
def private_file(option: str, path: str) -> Iterator[Path]:
    """A place to write what shall become ``path``: mode 0600, in the same folder, moved there in one step at the end.

    Missing folders are made with mode 0700. The place is made before the keys are fetched, so that a path that cannot
    be
    written is found out in time; it is removed again if anything fails.

    :param option: the option that names the path, for the message.
    :raises InvalidInput: the path is a folder.
    :raises FileNotWritten: no permission, no space.
    """
    target = Path(path)
    if target.is_dir():
        raise InvalidInput(option, f"'{path}' is a folder; name a file in it.")
    try:
        make_folders(target.parent)
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
    """Write a text and wait until the disk has it. Bytes that were read as surrogates come out as they went in."""
    with place.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def make_folders(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for its owner alone (0700)."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(target: Path, sleep: Callable[[float], None], patience: float = 30.0) -> Iterator[None]:
    """Keep other runs of this collection from changing a file meanwhile.

    The lock is a file of its own beside it, since the target is replaced; it stays there, since removing it would let
    two in.

    :param patience: how long to wait for another run, in seconds.
    :raises FileNotWritten: the folder cannot be written to, or the other run does not end.
    """
    place = target.with_name(f".{target.name}.lock")
    try:
        make_folders(target.parent)
        handle = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise FileNotWritten(
            f"'{target}' cannot be changed: its folder is not writable for this user ({error.strerror})."
        ) from None
    try:
        while not _take(handle):
            if patience <= 0:
                raise FileNotWritten(
                    f"'{target}' is being changed by another run that does not end ('{place}' is locked)."
                )
            sleep(0.2)
            patience -= 0.2
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
