# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Something that happens inside the collection's own functions: an exception, a signal, the end of the process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

OWN = "mdps/venue_sts/plugins/"

# When the guard of signals is left, everything is recorded. What a generator expression raises while Python disposes
# of it reaches nobody.
SKIPPED = ("__exit__", "<genexpr>")


class Interrupter:
    """Does something at the Nth call of a function of the collection."""

    def __init__(self, act: Callable[[], None], at: int, armed: bool = False) -> None:
        self.act, self.at, self.calls, self.armed = act, at, 0, armed
        self.place = ""

    def arm(self) -> None:
        self.armed = True

    def trace(self, frame: FrameType, event: str, _argument: Any) -> None:
        if self.armed and event == "call" and OWN in frame.f_code.co_filename:
            self.called(frame.f_code)

    def called(self, code: CodeType) -> None:
        if code.co_name in SKIPPED:
            return
        self.calls += 1
        if self.calls == self.at:
            self.place = f"{code.co_qualname} ({code.co_filename.rpartition('/')[2]})"
            self.armed = False
            self.act()

    def __enter__(self) -> Interrupter:
        self.former = sys.gettrace()  # the measurement of coverage, which must go on after this
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.former)


class AtStep(Interrupter):
    """Does something at the first call of one function. Python ends the tracing with what is raised there."""

    def __init__(self, act: Callable[[], None], name: str, armed: bool = False) -> None:
        super().__init__(act, 0, armed)
        self.name = name

    def called(self, code: CodeType) -> None:
        if code.co_name == self.name:
            self.place, self.armed = self.name, False
            self.act()


def raising(exception: Callable[[], BaseException]) -> Callable[[], None]:
    def act() -> None:
        raise exception()

    return act
