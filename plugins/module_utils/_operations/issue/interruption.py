# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signals while a token is on its way: the first one ends the work, and none ends the record of it."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this process to end. Not an ``Exception``, so that no ordinary handler takes it."""


class SignalGuard:
    """Within it, the first signal raises ``Interrupted``, until ``close`` is called; others have no effect.

    Signals can only be handled in the main thread. In another one nothing is guarded.
    """

    def __init__(self) -> None:
        self._open = True
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> SignalGuard:
        if threading.current_thread() is threading.main_thread():
            for one in SIGNALS:
                self._before[one] = signal.signal(one, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler if handler is not None else signal.SIG_DFL)

    def close(self) -> None:
        """Ignore signals from now on: what remains to be done is the record."""
        self._open = False

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._open:
            self._open = False
            raise Interrupted(signal.strsignal(number) or str(number))
