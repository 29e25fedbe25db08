# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signals while a token is being issued: the first one ends the work, and none ends the record of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# With it, ansible-core ends a task that has the keyword ``timeout``: by an exception, wherever the task is.
ALARM = signal.SIGALRM


class Interrupted(BaseException):
    """A signal asked this process to end. Not an ``Exception``, so that no ordinary handler takes it."""


class SignalGuard:
    """Within it, the first signal raises ``Interrupted`` in ``run``; others, and those after it, have no effect.

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

    def run(self, work: Callable[[], None]) -> BaseException | None:
        """Do something, and return what it raised. Signals are ignored from then on: what remains is the record."""
        try:
            try:
                work()
            except BaseException as error:
                self._close()
                return error
            self._close()
        except BaseException as late:  # such as a signal that came just before the guard was closed
            self._close()
            return late.__context__ or late
        return None

    def _close(self) -> None:
        self._open = False
        if self._before:
            self._before.setdefault(ALARM, signal.signal(ALARM, signal.SIG_IGN))

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._open:
            self._open = False
            raise Interrupted(signal.strsignal(number) or str(number))
