# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another user: for root, no folder is read-only. And what lets another user write."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

NOBODY = 65534


@contextlib.contextmanager
def somebody_else() -> Iterator[None]:
    """Be nobody if this is root."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def folder_of_somebody_else() -> Iterator[Path]:
    """Make a folder for that user, with a way to it. It is removed at the end, whatever its mode is then."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, -1)
        try:
            yield Path(name)
        finally:
            Path(name).chmod(0o700)


def let_somebody_write(place: Path) -> None:
    """Give another user, but not the group, all rights, as ``setfacl -m u:4321:rwx`` does."""
    none = 0xFFFFFFFF  # the ID of entries that are not about a named user or group
    entries = [(1, 7, none), (2, 7, 4321), (4, 0, none), (16, 7, none), (32, 0, none)]
    version = struct.pack("<I", 2)
    try:
        os.setxattr(place, "system.posix_acl_access", version + b"".join(struct.pack("<HHI", *one) for one in entries))
    except OSError as error:
        pytest.skip(f"the file system of {place} has no access control lists: {error}")
