# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The armored text in the task's result, for AWX and other places without a disk or a mail server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .channel import Channel, Parcel


@dataclass(frozen=True)
class OutputChannel(Channel):
    """Nothing to set, nothing to do: the caller puts the sealed text into its result."""

    NAME = "output"

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> OutputChannel:
        """No options."""
        return cls()

    def deliver(self, parcel: Parcel) -> str:
        """Always there."""
        return "the result of this task"
