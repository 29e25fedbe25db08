# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Time that passes when somebody sleeps, so that no test waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime


class Clock:
    """A clock that moves only when somebody sleeps.

    :param start: the time that it shows at first; the current time if it is not given.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime.now(UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move on, and note it."""
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def runtime(self, **more: Any) -> Runtime:
        """A runtime with this clock, whose random pauses are as long as they can be."""
        return Runtime(now=self.now, sleep=self.sleep, jitter=lambda most: most, **more)
