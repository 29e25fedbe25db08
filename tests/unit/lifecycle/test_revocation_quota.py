# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""More sessions than fit on a role: no number of invented ones keeps a true one alive, or later revocations out."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.policies import size
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import (
    Revocation,
    from_name,
    plan_revoke,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation_quota import (
    MOST_TRIED,
    exceeds_quota,
    fitting,
    for_user,
    missing,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import INLINE_POLICY_LENGTH
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.users import session_name, session_pattern
from hypothesis import given
from hypothesis import strategies as some

from tests.support.described_roles import POLICY, ROLE_ID
from tests.support.receipts import NOW

ROLE = "unity-sbg-dev-sts"
USERS = some.from_regex(r"[A-Za-z0-9_+=,@][A-Za-z0-9_+=,.@-]{0,63}", fullmatch=True)
TRUE = Revocation("session", session_name("jdoe", NOW, "3fa91c"), NOW)
BY_HAND = Revocation("session", "nightly-job-of-jdoe", NOW)


def invented(count: int, prefix: str = "invented") -> list[Revocation]:
    return [Revocation("session", f"{prefix}-{number:05}", NOW) for number in range(count)]


def generated(count: int) -> list[Revocation]:
    return [
        Revocation("session", session_name("jdoe", NOW - timedelta(seconds=number), "000000"), NOW)
        for number in range(count)
    ]


def applied(inline: dict[str, Any], *wanted: Revocation) -> dict[str, Any]:
    plan = plan_revoke(ROLE, ROLE_ID, inline, wanted, NOW)
    others = {name: policy for name, policy in inline.items() if not from_name(name)}
    return {**others, **plan.after["revocations"]}


def used(inline: dict[str, Any]) -> int:
    return sum(map(size, inline.values()))


@given(USERS, USERS, some.from_regex(r"[0-9a-f]{6}", fullmatch=True))
def test_the_pattern_of_a_user_fits_the_sessions_of_no_other(user: str, other: str, suffix: str) -> None:
    assert fnmatchcase(session_name(user, NOW, suffix), session_pattern(user))
    assert fnmatchcase(session_name(other, NOW, suffix), session_pattern(user)) == (user == other)


@pytest.mark.parametrize("user", ["jdoe", "j", "a=b,c.d@e+f_g-h" * 4 + "1234"])
def test_the_revocation_of_a_user_covers_the_sessions_that_it_names(user: str) -> None:
    one = Revocation("user", user, NOW)
    name = session_name(user, NOW, "3fa91c")
    before = NOW - timedelta(seconds=1)
    assert from_name(one.policy_name) == one
    (statement,) = one.policy(ROLE_ID)["Statement"]
    assert statement["Condition"]["StringLike"] == {"aws:userid": f"{ROLE_ID}:{session_pattern(user)}"}
    assert one.refuses(name, None, before)
    assert not one.refuses(name, None, NOW)
    assert not one.refuses(f"{user}-2", None, before)
    assert one.covers(Revocation("session", name, NOW))
    assert not one.covers(Revocation("session", name, NOW + timedelta(seconds=1)))
    assert not one.covers(Revocation("session", f"{user}-2", NOW))
    assert not one.covers(Revocation("source_identity", name, NOW))
    simulated = one.newest(ROLE_ID)["aws:userid"][0].removeprefix(f"{ROLE_ID}:")
    assert one.refuses(simulated, None, before)
    assert session_pattern(user) in one.shown()["summary"]


@pytest.mark.parametrize("count", [40, 5000])
def test_any_number_of_generated_names_is_one_statement(count: int) -> None:
    inline = {"venue-access": POLICY}
    asked = [*generated(count), TRUE]
    assert exceeds_quota(ROLE_ID, inline, asked, NOW)
    after = applied(inline, *fitting(ROLE_ID, inline, for_user(asked, "jdoe"), (), NOW))
    assert [one for one in map(from_name, after) if one] == [Revocation("user", "jdoe", NOW)]
    assert missing(after, asked, NOW) == []
    assert not exceeds_quota(ROLE_ID, after, asked, NOW)  # a second run finds nothing to do


def test_the_latest_time_counts_for_all() -> None:
    later = TRUE._replace(before=NOW + timedelta(minutes=5))
    assert for_user([TRUE, later, BY_HAND], "jdoe") == [Revocation("user", "jdoe", later.before), BY_HAND]
    assert for_user([BY_HAND], "jdoe") == [BY_HAND]


@pytest.mark.parametrize("count", [40, 5000])
def test_what_is_confirmed_comes_before_what_is_invented(count: int) -> None:
    inline = {"venue-access": POLICY}
    asked = [*invented(count), BY_HAND]
    assert BY_HAND not in fitting(ROLE_ID, inline, asked, (), NOW)
    chosen = fitting(ROLE_ID, inline, asked, {BY_HAND.value}, NOW)
    after = applied(inline, *chosen)
    assert chosen[0] == BY_HAND
    assert len(chosen) > 10
    assert missing(after, [BY_HAND], NOW) == []
    assert len(missing(after, asked, NOW)) == len(asked) - len(chosen)


def test_invented_sessions_leave_room_for_true_ones() -> None:
    inline = {"venue-access": POLICY}
    for run in range(5):
        asked = invented(50, f"run{run}")
        assert exceeds_quota(ROLE_ID, inline, asked, NOW)
        inline = applied(inline, *fitting(ROLE_ID, inline, asked, (), NOW))
    after = applied(inline, *fitting(ROLE_ID, inline, for_user([TRUE, BY_HAND], "jdoe"), {BY_HAND.value}, NOW))
    assert missing(after, [TRUE, BY_HAND], NOW) == []
    assert INLINE_POLICY_LENGTH - used(after) > 1000
    everything = Revocation("all", "", NOW)
    assert [one for one in map(from_name, applied(after, everything)) if one] == [everything]


def test_a_few_sessions_fit_into_the_quota() -> None:
    assert not exceeds_quota(ROLE_ID, {"venue-access": POLICY}, [TRUE, BY_HAND], NOW)


def test_a_role_without_room_takes_nothing_and_says_so() -> None:
    full = {"venue-access": {"Statement": "x" * INLINE_POLICY_LENGTH}}
    assert fitting(ROLE_ID, full, [TRUE], {TRUE.value}, NOW) == []
    assert missing(full, [TRUE], NOW) == [TRUE]


def test_more_is_tried_than_can_fit() -> None:
    shortest = size(Revocation("session", "xx", NOW).policy(ROLE_ID))
    assert MOST_TRIED * shortest > 2 * INLINE_POLICY_LENGTH
