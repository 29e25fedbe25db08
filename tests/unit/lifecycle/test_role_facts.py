# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about roles: whose they are, what their names may mean, and whether external IDs are in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import role_facts
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.external_id import ExternalIds
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import Revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Parameter

from tests.support.described_roles import EXTERNAL_ID, ROLE_ID, VENUE, role
from tests.support.trust_documents import A, B, allow, is_


@pytest.mark.parametrize(
    ("parameter", "trusted", "state"),
    [
        ("aa", ExternalIds("aa"), "equal"),
        ("aa", ExternalIds("aa", ("bb",)), "equal"),
        ("bb", ExternalIds("aa", ("bb",)), "rotation_unfinished"),
        ("cc", ExternalIds("aa", ("bb",)), "different"),
        ("", ExternalIds("aa"), "missing_in_ssm"),
        ("aa", ExternalIds(""), "missing_in_trust_policy"),
        ("", ExternalIds(""), "missing"),
        ("two words", ExternalIds("aa"), "invalid"),
    ],
)
def test_state_of_the_external_id(parameter: str, trusted: ExternalIds, state: str) -> None:
    assert role_facts.external_id_state(parameter, trusted) == state


def test_names_with_hyphens_read_in_several_ways() -> None:
    assert role_facts.readings("unity-unity-sbg-dev-sts", "unity") == [
        Venue("unity", "sbg-dev"),
        Venue("unity-sbg", "dev"),
    ]
    assert role_facts.readings("unity-sbg-dev-sts", "unity") == [Venue("sbg", "dev")]
    assert role_facts.readings("something-else", "unity") == []
    assert role_facts.readings("UNITY-SBG-dev-STS", "unity") == [Venue("SBG", "dev")]
    assert role_facts.readings("unity-sbg-_x-dev-sts", "unity") == [Venue("sbg-_x", "dev")]  # no name begins with _


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("unity-sbg-dev-sts", True),
        ("UNITY-SBG-DEV-STS", True),
        ("unity-sbg-dev-east-sts", True),
        ("unity-dev-sts", False),  # of no project
        ("unity-sbg-dev-app", False),
        ("other-sbg-dev-sts", False),
        ("unity2-sbg-dev-sts", False),
    ],
)
def test_a_role_is_a_venues_by_its_name_or_by_its_tags(name: str, is_one: bool) -> None:
    untagged = replace(role(), name=name, tags={})
    assert role_facts.is_venue_role(untagged, "unity") is is_one
    assert role_facts.is_venue_role(replace(untagged, tags=role().tags), "Unity")


@pytest.mark.parametrize("left_out", ["proj", "venue", "capability"])
def test_a_role_without_one_of_the_three_tags_is_nobodys(left_out: str) -> None:
    tags = {name: value for name, value in role().tags.items() if not name.lower().endswith(left_out)}
    assert len(tags) == len(role().tags) - 1
    assert (role_facts.owner(role().tags), role_facts.owner(tags)) == (VENUE, None)


ALL = Revocation("all", "", datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC))


def test_a_role_and_no_role_have_the_same_keys_and_an_emptied_revocation_does_not_count() -> None:
    now = ALL.before
    seen = role_facts.Observed(
        role(created=now, boundary=""),
        {"venue-access": {}, ALL.policy_name: ALL.policy(ROLE_ID), "revoked-20261122T093016Z-all": {}},
        last_used=now,
        last_used_region="us-west-2",
    )
    there, nothing = role_facts.role_facts(seen, now), role_facts.role_facts(None, now)
    assert there.keys() == nothing.keys()
    assert (there["created_at"], there["last_used_at"], there["last_used_region"]) == (
        "2026-11-22T09:30:15Z",
        "2026-11-22T09:30:15Z",
        "us-west-2",
    )
    assert there["permissions_boundary"] is None
    assert [one["summary"] for one in there["revocations"]] == ["every token, issued before 2026-11-22T09:30:15Z"]
    assert not any(nothing.values())
    assert role_facts.role_facts(seen, now + timedelta(hours=12))["revocations"] == []
    unused = role_facts.role_facts(replace(seen, last_used=None, last_used_region=""), now)
    assert (unused["last_used_at"], unused["last_used_region"]) == (None, None)


@pytest.mark.parametrize(
    ("name", "tags", "expected"),
    [
        ("unity-sbg-dev-sts", {}, True),
        ("unity-sts", {}, False),
        ("other-sbg-dev-sts", {}, False),
        ("custom", {"Capability": "sts", "Proj": "sbg", "Venue": "dev"}, True),
        ("custom", {"Capability": "sts"}, False),
        ("custom", {"Capability": "sts", "Proj": "S B G", "Venue": "dev"}, False),
        ("custom", {"Capability": "other", "Proj": "sbg", "Venue": "dev"}, False),
    ],
)
def test_which_roles_are_taken_for_venue_roles(name: str, tags: dict[str, str], expected: bool) -> None:
    assert role_facts.is_venue_role(role(name=name, tags=tags), "unity") is expected


OTHER_VENUE = {"Capability": "sts", "Proj": "emit", "Venue": "ops"}
SAME_VENUE = {"Capability": "sts", "Proj": "sbg", "Venue": "dev"}


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (SAME_VENUE, OTHER_VENUE, ["another"]),
        (SAME_VENUE, {}, ["another"]),
        ({}, {}, ["another"]),
        (None, SAME_VENUE, ["another"]),
        (SAME_VENUE, SAME_VENUE, []),
    ],
)
def test_an_external_id_that_another_venue_has_is_found_without_being_told(
    mine: dict[str, str] | None, theirs: dict[str, str], expected: list[str]
) -> None:
    """Two roles of one venue have its external ID."""
    own = None if mine is None else role(tags=mine)
    observed = [role_facts.Observed(one) for one in (own, role(name="another", tags=theirs)) if one]
    shared = role_facts.holders(observed)
    facts = role_facts.external_id_facts(VENUE.external_id_parameter, Parameter(EXTERNAL_ID), own, shared)
    assert facts["shared_with"] == expected
    assert EXTERNAL_ID not in str(facts)


def test_two_external_ids_of_which_neither_is_the_current_one_differ_from_the_parameter() -> None:
    trust = {"Statement": [allow(is_("StringEquals", A, B))]}
    facts = role_facts.external_id_facts("/a", Parameter(EXTERNAL_ID), role(trust=trust), {})
    assert (facts["state"], facts["previous_accepted"]) == ("different", False)


def test_a_role_still_uses_an_external_id_by_its_tags_or_by_its_trust_policy() -> None:
    by_tags = role(name="tagged", external_id="of-nobody-else-0001")
    by_trust, other = role(name="trusting", tags={}), role(name="other", tags={}, external_id="of-nobody-else-0002")
    observed = [role_facts.Observed(one) for one in (other, by_trust, by_tags)]
    assert role_facts.still_using(observed, VENUE, EXTERNAL_ID) == ["tagged", "trusting"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "ok"),
        ({"drift": ["x"]}, "drifted"),
        ({"problem": "x", "drift": ["x"]}, "broken"),
        ({"dead_principals": ["AROAEXAMPLE"]}, "broken"),
        ({"external_id": {"state": "different", "shared_with": []}}, "broken"),
        ({"external_id": {"state": "equal", "shared_with": ["other"]}}, "broken"),
        ({"locked": True}, "broken"),
        ({"role": None, "problem": "x"}, "absent"),
    ],
)
def test_status(changes: dict[str, object], expected: str) -> None:
    facts = {
        "role": {"name": "unity-sbg-dev-sts"},
        "external_id": {"state": "equal", "shared_with": []},
        "dead_principals": [],
        "locked": False,
        "problem": None,
        "drift": [],
    }
    assert role_facts.status({**facts, **changes}) == expected


def test_an_external_id_that_is_a_name_of_the_role_is_weak() -> None:
    for described, weak in ((role(tags={"Owner": "a-name-of-the-team"}), True), (role(), False), (None, False)):
        facts = role_facts.external_id_facts("/p", Parameter("a-name-of-the-team"), described, {})
        assert facts["weak"] is weak
