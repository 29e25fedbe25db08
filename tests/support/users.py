# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another user for a moment: for root, no folder is read-only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

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
