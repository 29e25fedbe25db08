# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Planning revocations: what is put, what is cleared away, and what no longer fits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.policies import size
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import (
    QuotaReached,
    Revocation,
    altered,
    cutoff,
    found_in,
    from_name,
    plan_lift,
    plan_revoke,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import INLINE_POLICY_LENGTH
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.token_request import LONGEST_SESSION

from tests.support.described_roles import POLICY, ROLE_ID
from tests.support.described_roles import inline as standing
from tests.support.receipts import NOW

ROLE = "unity-sbg-dev-sts"
ALL = Revocation("all", "", NOW)
JDOE = Revocation("session", "jdoe-20261122T091500Z", NOW)
SOURCE = Revocation("source_identity", "jane@example.org", NOW)


def steps(inline: dict[str, Any], *wanted: Revocation, now: datetime = NOW) -> list[tuple[str, str]]:
    return [
        (step.operation.split("_")[0], step.target) for step in plan_revoke(ROLE, ROLE_ID, inline, wanted, now).steps
    ]


@pytest.mark.parametrize("one", [ALL, JDOE, SOURCE, Revocation("session", "a=b,c.d@e+f_g-h" * 4 + "1234", NOW)])
def test_the_name_says_all_that_the_document_does(one: Revocation) -> None:
    assert from_name(one.policy_name) == one
    assert len(one.policy_name) <= 128


@pytest.mark.parametrize(
    "name",
    [
        "venue-access",
        "AWSRevokeOlderSessions",
        "revoked-20261122T093015Z-other",
        "revoked-20269922T093015Z-all",
        "xrevoked-20261122T093015Z-all",
    ],
)
def test_other_policies_are_not_ours(name: str) -> None:
    assert from_name(name) is None


def test_documents() -> None:
    older = {"DateLessThan": {"aws:TokenIssueTime": "2026-11-22T09:30:15Z"}}

    def condition(one: Revocation) -> Any:
        (statement,) = one.policy(ROLE_ID)["Statement"]
        assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "*", "*")
        return statement["Condition"]

    assert condition(ALL) == older
    assert condition(JDOE) == {"StringEquals": {"aws:userid": f"{ROLE_ID}:{JDOE.value}"}, **older}
    assert condition(SOURCE) == {"StringEquals": {"aws:SourceIdentity": "jane@example.org"}, **older}


def test_a_token_of_the_same_second_is_older_than_the_cutoff() -> None:
    moment = NOW + timedelta(microseconds=999_999)
    assert moment.replace(microsecond=0) < cutoff(moment) <= moment + timedelta(seconds=1)


def test_whom_a_revocation_refuses() -> None:
    before, after = NOW - timedelta(seconds=1), NOW
    assert ALL.refuses("anyone", None, before)
    assert not ALL.refuses("anyone", None, after)
    assert JDOE.refuses(JDOE.value, None, before)
    assert not JDOE.refuses("other", None, before)
    assert SOURCE.refuses("x", SOURCE.value, before)
    assert not SOURCE.refuses("x", None, before)


def test_what_stands_is_not_put_again() -> None:
    assert steps(standing(), JDOE) == [("put", JDOE.policy_name)]
    assert steps(standing(JDOE), JDOE) == []
    assert steps(standing(ALL), JDOE) == []
    assert steps(standing(JDOE), SOURCE) == [("put", SOURCE.policy_name)]


def test_a_later_cutoff_replaces_the_earlier_one_and_is_put_first() -> None:
    later = JDOE._replace(before=NOW + timedelta(minutes=1))
    assert steps(standing(JDOE), later) == [("put", later.policy_name), ("delete", JDOE.policy_name)]
    assert steps(standing(later), JDOE) == []


def test_everything_covers_the_single_ones() -> None:
    assert steps(standing(JDOE, SOURCE), ALL) == [
        ("put", ALL.policy_name),
        ("delete", JDOE.policy_name),
        ("delete", SOURCE.policy_name),
    ]
    later = JDOE._replace(before=NOW + timedelta(seconds=1))
    assert ("delete", later.policy_name) not in steps(standing(later), ALL)


def test_a_revocation_goes_when_no_token_can_be_valid_and_not_before() -> None:
    end = NOW + LONGEST_SESSION
    assert steps(standing(JDOE), now=end - timedelta(seconds=1)) == []
    assert steps(standing(JDOE), now=end) == [("delete", JDOE.policy_name)]
    assert steps(standing(), JDOE, now=end) == []


def test_one_that_was_altered_is_written_again() -> None:
    inline = {**standing(JDOE), JDOE.policy_name: POLICY}
    assert altered(inline, ROLE_ID) == [JDOE.policy_name]
    assert steps(inline, SOURCE) == [("put", SOURCE.policy_name), ("put", JDOE.policy_name)]
    assert steps(inline, JDOE) == [("put", JDOE.policy_name)]


def test_the_quota_is_kept_and_room_for_revoking_everything() -> None:
    fitting: list[Revocation] = []
    with pytest.raises(QuotaReached, match="It is not written") as reached:
        for number in range(200):
            one = Revocation("session", f"user{number:04}-20261122T091500Z", NOW)
            assert steps(standing(*fitting), one)
            fitting.append(one)
    assert reached.value.facts["quota"] == INLINE_POLICY_LENGTH
    assert len(fitting) > 30
    # Everything can still be revoked, and revoked again, and that makes room.
    again = ALL._replace(before=NOW + timedelta(seconds=1))
    for inline, wanted in ((standing(*fitting), ALL), (standing(*fitting, ALL), again)):
        assert steps(inline, wanted)[0] == ("put", wanted.policy_name)
        assert sum(map(size, {**inline, wanted.policy_name: wanted.policy(ROLE_ID)}.values())) <= INLINE_POLICY_LENGTH
    assert steps(standing(ALL), fitting[0]._replace(before=again.before))


def test_the_plan_tells_before_and_after() -> None:
    plan = plan_revoke(ROLE, ROLE_ID, standing(JDOE), [ALL], NOW)
    assert list(plan.before["revocations"]) == [JDOE.policy_name]
    assert list(plan.after["revocations"]) == [ALL.policy_name]
    assert plan_revoke(ROLE, ROLE_ID, standing(JDOE), [JDOE], NOW).diff() == {"before": {}, "after": {}}


def test_lifting() -> None:
    def lifted(*targets: tuple[str, str]) -> list[str]:
        return [step.target for step in plan_lift(ROLE, standing(JDOE, SOURCE), targets).steps]

    assert lifted(("session", JDOE.value)) == [JDOE.policy_name]
    assert lifted(("source_identity", JDOE.value)) == []
    assert sorted(lifted(("all", ""))) == sorted([JDOE.policy_name, SOURCE.policy_name])


def test_order_of_what_is_found() -> None:
    early = SOURCE._replace(before=NOW - timedelta(hours=1))
    assert found_in(standing(JDOE, ALL, early)) == [early, ALL, JDOE]
