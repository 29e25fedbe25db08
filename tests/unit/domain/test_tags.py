# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags: AWS's limits, and whose a role is."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput, OwnershipConflict
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.tags import (
    check_ownership,
    check_tags,
    merged,
    tag_value,
)

SBG_DEV = Venue("unity", "sbg-dev")


def test_values_become_text() -> None:
    assert check_tags("tags", {"CostCenter": 4711, "Contact": "é _.:/=+-@ 1", "Empty": ""}) == {
        "CostCenter": "4711",
        "Contact": "é _.:/=+-@ 1",
        "Empty": "",
    }


def test_fifty_fit_and_no_more() -> None:
    fifty = {f"k{number}": "v" for number in range(50)}
    assert check_tags("tags", fifty) == fifty
    with pytest.raises(InvalidInput, match="tags: has 51 tags and only 50 fit"):
        check_tags("tags", {**fifty, "one": "more"})


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"": "v"}, "keys have 1 to 128 characters"),
        ({"k" * 129: "v"}, "keys have 1 to 128 characters"),
        ({"k": "v" * 257}, "values at most 256"),
        ({"aws:x": "v"}, "the prefix aws: is reserved"),
        ({"AWS:x": "v"}, "the prefix aws: is reserved"),
        ({"k": "a,b"}, "only letters, digits, spaces"),
        ({"k*": "v"}, "only letters, digits, spaces"),
        ({"k": "line\nbreak"}, "only letters, digits, spaces"),
        ({"Owner": "a", "owner": "b"}, "two keys that differ only in upper and lower case"),
    ],
)
def test_tags_that_aws_would_refuse(tags: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_tags("tags", tags)
    assert message in caught.value.message


def test_longest_keys_and_values() -> None:
    assert check_tags("tags", {"k" * 128: "v" * 256})


@pytest.mark.parametrize("adopt", [False, True])
def test_the_venues_own_role_is_its_own(adopt: bool) -> None:
    own = {"Proj": "unity", "Venue": "sbg-dev", "Capability": "sts", "More": "x"}
    check_ownership(SBG_DEV, "unity-unity-sbg-dev-sts", own, adopt=adopt)


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize("capability", ["eks", ""])
def test_another_mdps_role_of_the_venue_is_never_taken(capability: str, adopt: bool) -> None:
    with pytest.raises(OwnershipConflict, match="is not for tokens: it belongs to another part of MDPS"):
        check_ownership(SBG_DEV, "r", {"Proj": "unity", "Venue": "sbg-dev", "capability": capability}, adopt=adopt)


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize(
    "tags",
    [{"Proj": "unity-sbg", "Venue": "dev"}, {"Proj": "unity-sbg"}, {"Venue": "dev"}, {"Proj": "unity", "Venue": "dev"}],
)
def test_another_venues_role_is_never_taken(tags: dict[str, str], adopt: bool) -> None:
    with pytest.raises(OwnershipConflict, match="belongs to another venue") as caught:
        check_ownership(SBG_DEV, "unity-unity-sbg-dev-sts", tags, adopt=adopt)
    assert ", ".join(f"{key}={value}" for key, value in tags.items()) in caught.value.message


@pytest.mark.parametrize(
    "tags", [{}, {"Name": "x"}, {"Proj": "unity"}, {"Venue": "sbg-dev"}, {"Proj": "unity", "Venue": "sbg-dev"}]
)
def test_nobodys_role_needs_adopt(tags: dict[str, str]) -> None:
    with pytest.raises(OwnershipConflict, match="set adopt: true"):
        check_ownership(SBG_DEV, "r", tags, adopt=False)
    check_ownership(SBG_DEV, "r", tags, adopt=True)


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize("tags", [{"proj": "unity-sbg", "venue": "dev"}, {"PROJ": "emit", "VENUE": "sbg-dev"}])
def test_tag_keys_have_no_case(tags: dict[str, str], adopt: bool) -> None:
    with pytest.raises(OwnershipConflict, match="belongs to another venue"):
        check_ownership(SBG_DEV, "r", tags, adopt=adopt)
    check_ownership(SBG_DEV, "r", {"proj": "unity", "VENUE": "sbg-dev", "CAPABILITY": "sts"}, adopt=adopt)


@pytest.mark.parametrize("adopt", [False, True])
@pytest.mark.parametrize("tags", [{"Proj": "Unity", "Venue": "sbg-dev"}, {"proj": "unity", "venue": "SBG-DEV"}])
def test_the_same_venue_in_another_spelling_is_an_error_of_its_own(tags: dict[str, str], adopt: bool) -> None:
    with pytest.raises(OwnershipConflict, match=r"in another spelling .* use the spelling of the tags"):
        check_ownership(SBG_DEV, "r", tags, adopt=adopt)


def test_changes_replace_keys_that_differ_in_case_only() -> None:
    assert merged({"proj": "a", "Other": "x"}, {"Proj": "b"}) == {"Other": "x", "Proj": "b"}
    assert (tag_value({"proj": "a"}, "Proj"), tag_value({}, "Proj")) == ("a", None)
