# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signals while a token is on its way: one ends the work, and none ends the record of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.interruption import (
    ALARM,
    SIGNALS,
    Interrupted,
    SignalGuard,
)

EVERY = (*SIGNALS, ALARM)


class OutOfTimeError(Exception):
    """What ansible-core raises from its handler of SIGALRM, if a task has the keyword ``timeout``."""


def fail() -> None:
    raise ValueError("work failed")


WORKS: dict[str, Callable[[], None]] = {"succeeded": lambda: None, "failed": fail}


@pytest.fixture
def seen() -> Iterator[list[int]]:
    """The signals that reach the handlers from before the guard. That of the alarm raises."""
    caught: list[int] = []

    def note(number: int, _frame: Any) -> None:
        caught.append(number)
        if number == ALARM:
            raise OutOfTimeError

    before = {one: signal.signal(one, note) for one in EVERY}
    yield caught
    for one, handler in before.items():
        signal.signal(one, handler)


def test_the_alarm_of_a_task_and_the_signals_that_end_one_are_known() -> None:
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM} == set(EVERY)


@pytest.mark.parametrize("number", EVERY, ids=lambda one: one.name)
@pytest.mark.parametrize("work", WORKS)
def test_no_signal_ends_the_record_of_the_work(work: str, number: signal.Signals, seen: list[int]) -> None:
    """It is written after the work, within the guard, whether the work has failed or not."""
    with SignalGuard() as guard:
        guard.run(WORKS[work])
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert seen == []
    if number == ALARM:
        with pytest.raises(OutOfTimeError):
            signal.raise_signal(number)
    else:
        signal.raise_signal(number)
    assert seen == [number], "the handler from before is back"


@pytest.mark.parametrize("number", SIGNALS, ids=lambda one: one.name)
def test_the_first_signal_ends_the_work(number: signal.Signals, seen: list[int]) -> None:
    done: list[str] = []

    def work() -> None:
        try:
            signal.raise_signal(number)
            done.append("went on")
        finally:
            signal.raise_signal(number)
            done.append("cleaned up")

    with SignalGuard() as guard:
        error = guard.run(work)
    assert isinstance(error, Interrupted)
    assert str(error) == signal.strsignal(number)
    assert (done, seen) == (["cleaned up"], [])


def test_the_alarm_ends_the_work_as_ansible_core_has_it(seen: list[int]) -> None:
    with SignalGuard() as guard:
        error = guard.run(lambda: signal.raise_signal(ALARM))
        signal.raise_signal(ALARM)
    assert (type(error), seen) == (OutOfTimeError, [ALARM])


def test_what_the_work_raised_is_returned_and_nothing_otherwise(seen: list[int]) -> None:
    with SignalGuard() as guard:
        assert isinstance(guard.run(fail), ValueError)
    with SignalGuard() as guard:
        assert guard.run(lambda: None) is None


def test_in_another_thread_nothing_is_guarded(seen: list[int]) -> None:
    """Signals can only be handled in the main thread. The work is done all the same."""
    found: list[Any] = []

    def run() -> None:
        before = [signal.getsignal(one) for one in EVERY]
        with SignalGuard() as guard:
            found.append(guard.run(fail))
            found.append([signal.getsignal(one) for one in EVERY] == before)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [type(found[0]), found[1]] == [ValueError, True]
