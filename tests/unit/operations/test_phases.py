# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The AWS calls of an issue whose module is shipped to another host, phase by phase."""

from __future__ import annotations

import json

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ConcurrentChange, InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.phases import OPERATION, from_result

from tests.support.account import MOTO_ACCOUNT, Account, Runner

VENUE = {"project": "sbg", "venue": "dev"}


@pytest.fixture
def phase(account: Account) -> Runner:
    Runner(role.OPERATION, account, **VENUE).execute()
    account.calls.clear()
    return Runner(OPERATION, account, **VENUE, user="jdoe")


def test_the_receipt_of_the_first_phase_is_that_of_the_token(phase: Runner, account: Account) -> None:
    receipt = phase.execute(_phase="authorize")["receipt"]
    assert "sts:AssumeRole" not in account.calls
    asked = parse_receipt("receipt", receipt)
    assert (asked.state, asked.account_id, asked.recipient) == ("requested", MOTO_ACCOUNT, "jdoe")
    issued = from_result(phase.execute(_phase="assume", _receipt=receipt))
    assert issued.session_name == asked.session_name
    assert account.asked("sts:AssumeRole")["RoleSessionName"] == asked.session_name


def test_what_changed_between_the_phases_stops_the_issue(phase: Runner, account: Account) -> None:
    receipt = phase.execute(_phase="authorize")["receipt"]
    with pytest.raises(ConcurrentChange, match=r"^duration_seconds changed between the check and the issue"):
        phase.execute(_phase="assume", _receipt=receipt, duration_seconds=900)
    assert "sts:AssumeRole" not in account.calls


@pytest.mark.parametrize(
    ("given", "message"), [({}, "_phase: is set by"), ({"_phase": "assume"}, "_receipt: is required")]
)
def test_the_module_alone_issues_nothing(phase: Runner, account: Account, given: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{message}"):
        phase.execute(**given)
    assert account.calls == []


def test_the_phase_that_records_returns_nothing_but_that_it_has_not_failed(phase: Runner, account: Account) -> None:
    receipt = phase.execute(_phase="authorize")["receipt"]
    assert phase.execute(_phase="record", _receipt=receipt, receipts_ssm_path="/unity/sbg/dev/receipts") == {}
    (stored,) = account.ssm.get_parameters_by_path(Path="/unity/sbg/dev/receipts", Recursive=True)["Parameters"]
    assert parse_receipt("receipt", json.loads(stored["Value"])).to_json() == receipt
