# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens to the statements that others wrote, of the lock, and of external IDs in places that do not count."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ExternalIdMismatch, InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.external_id import ExternalIdRequest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import (
    Current,
    Parameter,
    Role,
    plan_present,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.steps import Plan
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import TRUST_POLICY_LENGTH, Trust, length
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import is_locked, read_trust

from tests.support.described_roles import EXTERNAL_ID, current, desired, role
from tests.support.trust_documents import LOCK, PARTNER_ROOT, ROOT, allow, deny, is_

LEAKED = "a-leaked-external-id"
INCIDENT = deny(is_("StringEquals", LEAKED), Sid="IncidentOf20261122")
BACKDOOR = allow(is_("StringEquals", LEAKED), Sid="Backdoor", Principal={"AWS": PARTNER_ROOT})
OWN = Trust([ROOT], EXTERNAL_ID)


def with_statements(*statements: Any, **changes: Any) -> Current:
    """The venue's role with further statements in its trust policy."""
    return current(role=role(trust=OWN.policy("aws", statements), **changes))


def by_hand(*statements: Any) -> Role:
    return role(trust={"Version": "2012-10-17", "Statement": list(statements)})


def plan(now: Current, **changes: Any) -> Plan:
    return plan_present(now, desired(**changes), "a-fresh-external-id-of-forty-characters-")


def written(made: Plan) -> dict[str, Any]:
    """The trust policy that a plan writes."""
    (step,) = [step for step in made.steps if step.operation == "update_assume_role_policy"]
    return dict(json.loads(step.arguments["PolicyDocument"]))


def names(policy: dict[str, Any]) -> list[str]:
    return [statement.get("Sid", "") for statement in policy["Statement"]]


ROTATE, RETIRE = {"external_id": ExternalIdRequest(rotate=True)}, {"external_id": ExternalIdRequest(retire=True)}


def test_a_foreign_deny_stays_and_is_named() -> None:
    made = plan(with_statements(INCIDENT))
    assert made.steps == []
    assert made.diff() == {"before": {}, "after": {}}
    assert made.notes == [
        "The trust policy has the Deny statement 'IncidentOf20261122', which this collection did not write. It stays, "
        "unless remove_foreign_statements is true."
    ]


@pytest.mark.parametrize(
    "changes", [ROTATE, {"trust": Trust([ROOT, PARTNER_ROOT], "")}], ids=["rotation", "principals"]
)
def test_a_foreign_deny_stays_when_the_policy_is_written(changes: dict[str, Any]) -> None:
    made = plan(with_statements(INCIDENT), **changes)
    assert INCIDENT in written(made)["Statement"]
    (summary,) = [step.summary for step in made.steps if step.operation == "update_assume_role_policy"]
    assert summary == "set the trust policy, keeping the Deny statement 'IncidentOf20261122'"


def test_a_foreign_deny_goes_if_that_is_asked_for() -> None:
    made = plan(with_statements(INCIDENT), remove_foreign=True)
    assert names(written(made)) == ["AssumeWithExternalId", "NameSession"]
    assert made.steps[0].summary == "set the trust policy, removing the Deny statement 'IncidentOf20261122'"
    assert "IncidentOf20261122" in str(made.diff()["before"])


def test_a_foreign_allow_is_named_and_removed() -> None:
    made = plan(with_statements(BACKDOOR))
    assert names(written(made)) == ["AssumeWithExternalId", "NameSession"]
    assert made.steps[0].summary == "set the trust policy, removing the Allow statement 'Backdoor'"
    assert "Backdoor" in str(made.diff()["before"])
    assert "Backdoor" not in str(made.diff()["after"])
    assert LEAKED not in json.dumps([made.diff(), list(made.notes), [step.shown() for step in made.steps]])


def test_the_external_id_of_a_foreign_allow_is_not_taken_over() -> None:
    policy = written(plan(with_statements(BACKDOOR)))
    assert read_trust(policy).external_ids == (EXTERNAL_ID,)
    policy = written(plan(with_statements(BACKDOOR), **ROTATE))
    assert LEAKED not in read_trust(policy).external_ids


@pytest.mark.parametrize("parameter", [None, Parameter(EXTERNAL_ID)], ids=["nothing in SSM", "another in SSM"])
@pytest.mark.parametrize("conflict", ["fail", "use_parameter", "use_trust_policy"])
@pytest.mark.parametrize(
    "statements",
    [
        [allow(), deny(is_("StringEquals", LEAKED))],
        [allow(), deny(is_("StringNotEquals", LEAKED))],
        [allow(is_("StringNotEquals", LEAKED))],
        [allow(is_("StringNotLike", LEAKED))],
        [allow(is_("StringNotEqualsIfExists", LEAKED))],
        [allow(is_("StringEquals", LEAKED)), deny(is_("StringEquals", LEAKED))],
        [allow(is_("StringEquals", LEAKED), Action="sts:TagSession")],
        [allow(is_("StringEquals", LEAKED, key="aws:PrincipalTag/x"))],
    ],
    ids=range(8),
)
def test_an_external_id_below_a_deny_or_a_negated_operator_is_never_adopted(
    statements: list[Any], conflict: str, parameter: Parameter | None
) -> None:
    now = Current(by_hand(*statements), None, parameter)
    made = plan(now, external_id=ExternalIdRequest(on_conflict=conflict))
    own = next(one for one in written(made)["Statement"] if one["Sid"].startswith("AssumeWith"))
    assert LEAKED not in json.dumps(own)
    values = [step.arguments["Value"] for step in made.steps if step.operation == "put_parameter"]
    assert LEAKED not in values


def test_a_leaked_value_stays_denied_after_recovery_from_a_lost_parameter() -> None:
    now = dataclasses.replace(with_statements(INCIDENT), parameter=None)
    made = plan(now)
    assert [step.operation for step in made.steps] == ["put_parameter"]
    assert made.steps[0].arguments["Value"] == EXTERNAL_ID


@pytest.mark.parametrize(
    "order", [("aa-old-external-id", "zz-new-external-id"), ("zz-new-external-id", "aa-old-external-id")]
)
def test_the_order_of_values_in_a_hand_made_policy_makes_no_difference(order: tuple[str, str]) -> None:
    now = Current(by_hand(allow(is_("StringEquals", *order))), None, Parameter("zz-new-external-id"))
    reading = read_trust(written(plan(now)))
    assert (reading.current, set(reading.external_ids)) == ("zz-new-external-id", set(order))


def test_several_values_without_one_in_ssm_are_not_guessed_about() -> None:
    now = Current(by_hand(allow(is_("StringEquals", "aa-external-id", "bb-external-id"))), None, None)
    with pytest.raises(ExternalIdMismatch, match="accepts 2 external IDs"):
        plan(now)
    given = plan(now, external_id=ExternalIdRequest(given="bb-external-id"))
    assert read_trust(written(given)).current == "bb-external-id"


# The lock.


@pytest.mark.parametrize("changes", [{}, ROTATE, RETIRE, {"remove_foreign": True}], ids=str)
def test_the_lock_survives_every_run_and_is_reported(changes: dict[str, Any]) -> None:
    made = plan(with_statements(LOCK), **changes)
    assert made.locked
    assert made.notes[0].startswith("The venue is locked")
    for step in made.steps:
        if step.operation == "update_assume_role_policy":
            assert is_locked(json.loads(step.arguments["PolicyDocument"]))


def test_a_lock_survives_when_everything_else_has_changed() -> None:
    now = current(role=by_hand(allow(), BACKDOOR, INCIDENT, LOCK))
    policy = written(plan(now))
    assert policy["Statement"][-2:] == [LOCK, INCIDENT]
    assert names(policy) == ["AssumeWithExternalId", "NameSession", "MdpsVenueLocked", "IncidentOf20261122"]


def test_a_weakened_lock_is_a_foreign_deny() -> None:
    weak = {**LOCK, "Condition": is_("StringEquals", "x" * 20)}
    made = plan(with_statements(weak), **ROTATE)
    assert not made.locked
    assert weak in written(made)["Statement"]


def test_no_sid_stands_twice() -> None:
    for sid in ("NameSession", "AssumeWithExternalId"):
        taken = deny(is_("StringEquals", LEAKED), Sid=sid)
        now = current(role=by_hand(allow(is_("StringEquals", EXTERNAL_ID), Sid="X"), taken))
        policy = written(plan(now))
        sids = [one for one in names(policy) if one]
        assert len(sids) == len(set(sids))
        assert {key: value for key, value in taken.items() if key != "Sid"} in policy["Statement"]
        after = current(role=role(trust=policy))
        assert plan(after).steps == []


# Room in the quota.


def partner_roles(number: int) -> tuple[str, ...]:
    return tuple(f"arn:aws:iam::123456789012:role/a-role-of-a-partner-{n:04}" for n in range(number))


def test_ten_ordinary_principals_fit_for_a_rotation_and_a_lock() -> None:
    locked = Trust(partner_roles(10), "n" * 40, ("p" * 40,)).policy("aws", [LOCK])
    assert length(locked) <= TRUST_POLICY_LENGTH
    made = plan_present(Current(), desired(trust=Trust(partner_roles(10), "")), "n" * 40)
    assert made.steps


def test_what_leaves_no_room_for_a_rotation_or_a_lock_is_refused_before_it_is_written() -> None:
    number = next(
        n for n in range(40) if length(Trust(partner_roles(n + 1), "n" * 40).policy("aws")) > TRUST_POLICY_LENGTH
    )
    with pytest.raises(InvalidInput, match="a rotation or an incident lock does not fit"):
        plan_present(Current(), desired(trust=Trust(partner_roles(number), "")), "n" * 40)
    with pytest.raises(InvalidInput, match="a rotation or an incident lock does not fit"):
        plan(current(), trust=Trust(partner_roles(number), ""))


def test_a_foreign_deny_takes_room_too() -> None:
    large = deny(is_("StringEquals", *(f"{LEAKED}-{n:03}" for n in range(60))))
    with pytest.raises(InvalidInput, match="IAM allows 2048"):
        plan(with_statements(large), trust=Trust([ROOT, PARTNER_ROOT], ""))


def test_a_tight_policy_that_is_there_already_is_a_warning_and_can_be_rotated() -> None:
    trust = next(
        Trust(partner_roles(n), EXTERNAL_ID)
        for n in range(40)
        if length(Trust(partner_roles(n), EXTERNAL_ID).policy("aws")) > TRUST_POLICY_LENGTH - 180
    )
    now = current(role=role(trust=trust.policy("aws")))
    made = plan(now, trust=trust)
    assert made.steps == []
    assert "a rotation or an incident lock does not fit" in made.notes[-1]
    assert plan(now, trust=trust, **ROTATE).steps


def test_tags_of_others_count() -> None:
    mine = desired().tags
    theirs = {f"theirs-{n}": "x" for n in range(50 - len(mine))}
    assert plan(current(role=role(tags={**mine, **theirs}))).steps == []
    with pytest.raises(InvalidInput, match="tags: with those that the role has already, it would have 51 tags"):
        plan(current(role=role(tags={**mine, **theirs})), tags={**mine, "One": "more"})


def test_tags_whose_keys_differ_in_case_only_are_the_same_tag() -> None:
    lower = {key.lower(): value for key, value in desired().tags.items()}
    assert plan(current(role=role(tags=lower))).steps == []


# Weak external IDs.


def test_a_weak_external_id_is_kept_with_a_warning_and_refused_for_a_new_venue() -> None:
    now = current(role=role("short"), parameter=Parameter("short"))
    made = plan(now)
    assert made.steps == []
    assert made.notes == ["The external ID of the venue has fewer than 16 characters, so it can be guessed. Rotate it."]
    assert plan(now, external_id=ExternalIdRequest(given="short")).steps == []
    for weak in ("short", "unity-sbg-dev-sts", "sbg-dev-cs-sts-role"):
        with pytest.raises(InvalidInput, match=r"external_id: .* so it can be guessed"):
            plan_present(Current(), desired(external_id=ExternalIdRequest(given=weak)), "x" * 40)
        with pytest.raises(InvalidInput, match=r"external_id: .* so it can be guessed"):
            plan(current(), external_id=ExternalIdRequest(given=weak, rotate=True))
