# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sealed text in the task's result, for AWX and other places without a disk or a mail server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils._domain.errors import InvalidInput
from ...module_utils._operations.issue.parts import Delivered
from .channel import Channel, Parcel


@dataclass(frozen=True)
class OutputChannel(Channel):
    """Return the sealed text."""

    NAME = "output"
    CARRIES_SIGNATURE = True

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> OutputChannel:
        """Return the channel. It has no options."""
        return cls()

    def check_alone(self, hosts: int) -> None:
        """Check that no other host prints at the same time: the lines of their texts would be mixed."""
        if hosts > 1:
            raise InvalidInput(
                "channel",
                f"output prints the sealed text, but this play runs on {hosts} hosts at the same time, whose texts "
                "would be mixed. Use another channel, or run it for one host at a time (--limit).",
            )

    def deliver(self, parcel: Parcel) -> Delivered:
        """Put the sealed text into the result."""
        signature = {"signature": parcel.signature} if parcel.signature else {}
        return Delivered("the result of this task", {"sealed": parcel.body.decode(), **signature}, in_result=True)
