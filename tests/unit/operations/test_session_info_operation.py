# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds tokens: what CloudTrail is asked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.sessions import EVENTS
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.session_info import OPERATION

from tests.support.account import MOTO_ACCOUNT, Account, Runner, answer

ARN = f"arn:aws:iam::{MOTO_ACCOUNT}:role/unity-sbg-dev-sts"
VENUE = {"project": "sbg", "venue": "dev"}


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (VENUE, [("ResourceName", ARN)]),
        ({}, [("EventName", name) for name in EVENTS]),
        ({**VENUE, "cloudtrail": False}, []),
    ],
    ids=["a venue", "an account", "not asked"],
)
def test_a_venue_is_looked_up_by_its_role_and_an_account_by_the_names_of_the_events(
    account: Account, options: dict[str, Any], asked: list[tuple[str, str]]
) -> None:
    Runner(role.OPERATION, account, **VENUE).execute()
    account.before("cloudtrail:LookupEvents", *[answer({"Events": []})] * 9)  # moto does not know it
    result = Runner(OPERATION, account).execute(**options)
    given = [one["LookupAttributes"][0] for call, one in account.arguments if call == "cloudtrail:LookupEvents"]
    assert [(one["AttributeKey"], one["AttributeValue"]) for one in given] == asked
    assert (result["sessions"], result["changed"]) == ([], False)
