# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file on the controller, ready to be uploaded to LFT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils._files import create_private
from ...module_utils._operations.issue.parts import Delivered
from .. import destinations
from ..signing import SIGNATURE_SUFFIX
from .channel import Channel, Parcel


@dataclass(frozen=True)
class FileChannel(Channel):
    """Write the parcel to a file.

    :param dest: a folder (it exists, or ends with a slash) or the file itself.
    """

    NAME = "file"
    TAKES_UNSEALED = True
    dest: str

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> FileChannel:
        """Read the option ``dest``."""
        return cls(options["dest"])

    def check(self, *, create: bool) -> None:
        """Check that the file can be created safely."""
        destinations.check("dest", self.dest, create=create)

    def deliver(self, parcel: Parcel) -> Delivered:
        """Create the file. An existing one is never overwritten."""
        path = destinations.write("dest", self.dest, parcel.name, parcel.body)
        if not parcel.signature:
            return Delivered(path, {"path": path})
        beside = create_private("dest", f"{path}{SIGNATURE_SUFFIX}", parcel.signature.encode())
        return Delivered(path, {"path": path, "signature_path": str(beside)})
