# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file on the controller, ready to be uploaded to LFT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...module_utils._domain.errors import DeliveryFailed, VenueError
from .. import private_files
from .channel import Channel, Parcel


@dataclass(frozen=True)
class FileChannel(Channel):
    """A place.

    :param dest: a folder (it exists, or ends with a slash) or the file itself.
    """

    NAME = "file"
    dest: str

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> FileChannel:
        """Every path may work."""
        return cls(options["dest"])

    def deliver(self, parcel: Parcel) -> str:
        """Write it: 0600, at once or not at all."""
        path = Path(self.dest).expanduser()
        if self.dest.endswith(os.sep) or path.is_dir():
            path /= parcel.name
        try:
            return str(private_files.write("dest", path, parcel.body))
        except (VenueError, OSError) as error:
            raise DeliveryFailed(str(error)) from None
