# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Kion's answers mean, in the forms that old and new versions give them."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import kion

from tests.support.receipts import NOW


@pytest.mark.parametrize(
    ("deleted_at", "listed"),
    [
        (None, True),
        ("", True),
        ("2026-01-01T00:00:00Z", False),
        ({}, True),
        ({"Time": "0001-01-01T00:00:00Z", "Valid": False}, True),
        ({"Time": "2026-01-01T00:00:00Z"}, False),
        ({"Time": "0001-01-01T00:00:00Z", "Valid": True}, False),
    ],
)
def test_deleted_roles_are_left_out(deleted_at, listed):
    assert bool(kion.read_roles([{"name": "x", "deleted_at": deleted_at}])) is listed


@pytest.mark.parametrize(("item", "has_keys"), [({}, True), ({"short_term_access_keys": False}, False)])
def test_a_role_has_keys_unless_kion_says_otherwise(item, has_keys):
    (role,) = kion.read_roles([{"name": "x", **item}])
    assert role.has_keys is has_keys


@pytest.mark.parametrize("data", [None, "text", {}, [None, "text"]])
def test_a_list_that_is_none_has_no_roles(data):
    assert kion.read_roles(data) == []


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("3.9.8", False),
        ("3.9.9", True),
        ("3.10.0", False),
        ("3.10.1", False),
        ("3.10.2", True),
        ("4.0.0-dev", True),
        ("", True),
    ],
)
def test_versions_that_know_aliases(version, known):
    assert kion.knows_aliases(version) is known


@pytest.mark.parametrize("duration", [None, 0, -5, True, "3600", 1.5, 10**30])
def test_no_expiry_is_made_up(duration):
    assert kion.expiry(NOW, {"duration": duration}) is None
    assert kion.expiry_by_setting(NOW, {"aws_temporary_credentials_duration": duration}) is None
    assert kion.expiry_by_setting(NOW, None) is None


def test_a_long_list_is_cut():
    roles = kion.read_roles([{"name": f"Role {number:03}", "account_number": "123456789012"} for number in range(40)])
    problem = kion.explain_refusal(roles, kion.make_account("123456789012"), "Mine", by_iam_name=False)
    assert (
        "'Role 024'" in problem.message
        and "'Role 025'" not in problem.message
        and problem.message.endswith("and 15 more.")
    )
    assert len(problem.facts["roles"]) == 40
