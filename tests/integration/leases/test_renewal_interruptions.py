# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wherever a renewal is interrupted: every token has a receipt, and the next run delivers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue import authorize

from tests.integration.leases.conftest import Office
from tests.support.interrupter import Interrupter, raising

POINTS = 8  # of each kind; more of them only repeat the same parts of the code
RAISED: tuple[Callable[[], BaseException], ...] = (
    lambda: OSError(28, "No space left on device"),
    lambda: ValueError("FAKE-secret"),
    MemoryError,
    KeyboardInterrupt,
)


def number_of_calls(office: Office) -> int:
    office.renew()  # what is imported and compiled once is not counted
    office.later += timedelta(hours=1)
    with Interrupter(lambda: None, 0, armed=True) as counter:
        office.renew()
    return counter.calls


def check_the_next_run_delivers(office: Office, at: int) -> None:
    """The claim of a killed run lasts two minutes; after that, the next run renews what is due."""
    office.later += timedelta(minutes=3)
    result = office.renew()
    assert {row["result"] for row in result["leases"]} <= {"renewed", "waiting"}, (at, result)
    assert "renewal.json" in office.bundle("jdoe")


@pytest.fixture
def issued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The session names that STS was asked for."""
    asked: list[str] = []
    assume = authorize.assume

    def noting(question: Any, *more: Any) -> Any:
        asked.append(question.arguments["RoleSessionName"])
        return assume(question, *more)

    monkeypatch.setattr(authorize, "assume", noting)
    return asked


def test_whatever_is_raised_no_token_is_without_a_receipt(office: Office, issued: list[str]) -> None:
    office.lease()
    calls, raised = number_of_calls(office), 0
    for number, at in enumerate(range(1, calls, max(calls // POINTS, 1))):
        office.later += timedelta(hours=1)

        try:
            with Interrupter(raising(RAISED[number % len(RAISED)]), at, armed=True):
                raised += "failed" in office.renew()
        except (KeyboardInterrupt, MemoryError, OSError, ValueError):  # before the operation catches anything
            raised += 1
        assert set(issued) <= {one["session_name"] for one in office.receipts()}, at
        check_the_next_run_delivers(office, at)
    assert raised > POINTS // 2


def test_a_killed_renewal_loses_nothing(office: Office) -> None:
    office.lease()
    calls = number_of_calls(office)
    for at in range(1, calls * 9 // 10, calls // POINTS):  # runs differ a little in length
        office.later += timedelta(hours=1)
        before = len(office.receipts())
        child = os.fork()
        if child == 0:
            with Interrupter(lambda: os.kill(os.getpid(), signal.SIGKILL), at, armed=True):
                office.renew()
            os._exit(0)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), at
        lines = office.receipts()[before:]
        assert all(one["state"] in ("requested", "delivered") for one in lines), at
        check_the_next_run_delivers(office, at)
