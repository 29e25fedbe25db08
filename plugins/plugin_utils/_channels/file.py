# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A file on the controller, ready to be uploaded to LFT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...module_utils._operations.issue.parts import Delivered
from .. import _destinations as destinations
from .._signing import SIGNATURE_SUFFIX
from .channel import Channel, Parcel


@dataclass(frozen=True)
class FileChannel(Channel):
    """Write the parcel to a file.

    :param dest: a folder (it exists, or ends with a slash) or the file itself.
    """

    NAME = "file"
    TAKES_UNSEALED = True
    CARRIES_SIGNATURE = True
    dest: str

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> FileChannel:
        """Read the option ``dest``."""
        return cls(options["dest"])

    def check(self, name: str, suffixes: Sequence[str], *, create: bool) -> None:
        """Check that the files can be created safely."""
        destinations.check("dest", self.dest, name, suffixes, create=create)

    def delivered_name(self, name: str) -> str:
        """Return the last part of ``dest``, where that is the file itself."""
        return Path(destinations.path_of("dest", self.dest, name)).name

    def deliver(self, parcel: Parcel) -> Delivered:
        """Create the file, and its signature beside it. Existing ones are never overwritten."""
        target = destinations.path_of("dest", self.dest, parcel.name)
        path = destinations.write("dest", target, parcel.body, parcel.extra_files)
        signature = {"signature_path": f"{path}{SIGNATURE_SUFFIX}"} if parcel.signature else {}
        return Delivered(path, {"path": path, **signature})
