# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long to wait between the attempts of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def pauses(first: float, longest: float, jitter: Callable[[float], float]) -> Iterator[float]:
    """Yield pauses in seconds: each twice as long as the one before, and half of it random.

    Runs that began at the same time then do not meet again at every attempt.

    :param longest: the length after which they grow no more.
    :param jitter: a random number of seconds between 0 and its argument.
    """
    pause = first
    while True:
        yield pause / 2 + jitter(pause / 2)
        pause = min(2 * pause, longest)
