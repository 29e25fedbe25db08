# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Describing the roles of venues: which options describe one, and that nothing is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_facts import NOT_DESCRIBING
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role_info import OPERATION

from tests.support.account import MOTO_ACCOUNT, Account, Runner

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
    with pytest.raises(InvalidInput, match=rf"venues: {option} is not an option of venue_sts_role") as refused:
        info.execute(venues=[{**VENUE, option: "not-to-be-shown"}])
    assert "not-to-be-shown" not in str(refused.value.message)
    assert account.calls == []


@pytest.mark.parametrize("asked", [VENUE, {"venues": [{**VENUE, "resource_tags": {}}]}, {}], ids=str)
def test_one_venue_a_list_and_an_account_are_described_and_stay_as_they_are(
    info: Runner, account: Account, asked: dict[str, Any]
) -> None:
    result = info.execute(**asked)
    (found,) = result["venues"]
    place = (found["project"], found["venue"], found["account_id"], found["region"])
    assert place == ("sbg", "dev", MOTO_ACCOUNT, "us-west-2")
    assert (found["role_name"], found["status"], found["drift"]) == ("unity-sbg-dev-sts", "ok", [])
    assert found["name_also_reads_as"] == []
    assert (result["changed"], account.writes) == (False, [])


def test_the_options_of_one_venue_need_one(info: Runner, account: Account) -> None:
    with pytest.raises(InvalidInput, match="role_name: belongs to one venue"):
        info.execute(role_name="unity-sbg-dev-sts")
    assert account.calls == []
    (found,) = info.execute(**VENUE, role_name="unity-sbg-dev-sts")["venues"]
    assert (found["status"], found["problem"]) == ("ok", None)


@pytest.mark.parametrize(("expected", "is_right"), [(MOTO_ACCOUNT, True), ("210987654321", False)])
def test_a_venue_of_a_list_may_name_its_account(info: Runner, expected: str, is_right: bool) -> None:
    (found,) = info.execute(venues=[{**VENUE, "expected_account_id": expected}])["venues"]
    assert (found["problem"] or "").endswith("" if is_right else f"but the venue is in account {expected}.")
    assert (found["problem"] is None) is is_right


@pytest.mark.parametrize("option", ["role_name", "max_session_duration"])
def test_an_option_of_a_venue_in_a_list_is_not_given_without_a_value(info: Runner, option: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{option}: must not be empty"):
        info.execute(venues=[{**VENUE, option: None}])


def test_venues_are_in_the_order_of_their_names_and_not_of_their_roles(info: Runner, account: Account) -> None:
    Runner(role.OPERATION, account).execute(project="a", venue="dev", role_name="z-sts", buckets=["a-data"])
    assert [one["project"] for one in info.execute()["venues"]] == ["a", "sbg"]


def test_a_venue_is_described_when_all_of_its_parameters_have_been_read(info: Runner, account: Account) -> None:
    """Twelve venues have more parameters than one call returns."""
    for number in range(11):
        Runner(role.OPERATION, account).execute(project=f"p{number}", venue="dev", buckets=["data"])
    venues = info.execute()["venues"]
    assert [one["external_id"]["state"] for one in venues] == ["equal"] * 12


def test_a_role_that_is_only_named_like_a_venues_is_listed_for_repair(info: Runner, account: Account) -> None:
    trust = account.iam.get_role(RoleName="unity-sbg-dev-sts")["Role"]["AssumeRolePolicyDocument"]
    account.iam.create_role(RoleName="unity-a-b-dev-sts", AssumeRolePolicyDocument=json.dumps(trust))
    (found,) = [one for one in info.execute()["venues"] if one["role_name"] == "unity-a-b-dev-sts"]
    assert (found["project"], found["venue"], found["account_id"]) == (None, None, MOTO_ACCOUNT)
    assert (found["status"], found["external_id"], found["drift"]) == ("broken", None, [])
    assert found["name_also_reads_as"] == ["a + b-dev", "a-b + dev"]
    assert "provision the venue with adopt: true" in found["problem"]


def test_the_other_venues_that_a_role_name_may_be_of_are_named(info: Runner, account: Account) -> None:
    Runner(role.OPERATION, account).execute(project="a", venue="b-dev", buckets=["data"])
    (found,) = info.execute(venues=[{"project": "a", "venue": "b-dev", "buckets": ["data"]}])["venues"]
    assert found["name_also_reads_as"] == ["a-b + dev"]
