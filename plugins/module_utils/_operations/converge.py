# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Repetition of read, plan and apply when somebody else changes the venue at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .._domain.errors import ConcurrentChange
from .._domain.pauses import pauses
from ._operation import Runtime

ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 12.8

ResultT = TypeVar("ResultT")


def converge(runtime: Runtime, attempt: Callable[[int], ResultT]) -> ResultT:
    """Call ``attempt`` with 0, 1, ... until nobody else has changed the venue between its reads and its writes.

    :raises ConcurrentChange: that of the last attempt.
    """
    for number, pause in zip(range(ATTEMPTS - 1), pauses(FIRST_PAUSE, LONGEST_PAUSE, runtime.jitter), strict=False):
        try:
            return attempt(number)
        except ConcurrentChange:
            runtime.sleep(pause)
    return attempt(ATTEMPTS - 1)
