# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Describing the roles of venues: which options describe one, and that nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_facts import NOT_DESCRIBING
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role_info import OPERATION

from tests.support.account import Account, Runner

VENUE = {"project": "sbg", "venue": "dev"}


@pytest.fixture
def info(account: Account) -> Runner:
    Runner(role.OPERATION, account, **VENUE).execute()
    account.calls.clear()
    return Runner(OPERATION, account)


@pytest.mark.parametrize("option", [*sorted(NOT_DESCRIBING), "colour"])
def test_an_option_that_does_not_describe_a_role_is_refused_without_its_value(
    info: Runner, account: Account, option: str
) -> None:
    with pytest.raises(InvalidInput, match=rf"venues: {option} is no option of venue_sts_role") as refused:
        info.execute(venues=[{**VENUE, option: "not-to-be-shown"}])
    assert "not-to-be-shown" not in str(refused.value.message)
    assert account.calls == []


@pytest.mark.parametrize("asked", [VENUE, {"venues": [{**VENUE, "resource_tags": {}}]}, {}], ids=str)
def test_one_venue_a_list_and_an_account_are_described_and_stay_as_they_are(
    info: Runner, account: Account, asked: dict[str, Any]
) -> None:
    result = info.execute(**asked)
    (found,) = result["venues"]
    assert (found["role_name"], found["status"], found["drift"]) == ("unity-sbg-dev-sts", "ok", [])
    assert (result["changed"], account.writes) == (False, [])
