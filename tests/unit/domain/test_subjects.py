# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Refusing a subject: what is written, what provisioning keeps, and what is no statement of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import subjects
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.oidc import OidcProvider
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import QuotaReached
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import plan_present
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Role
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.steps import Plan
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import Trust, lock_statement
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import (
    denied_subjects,
    foreign_statements,
    is_locked,
)

from tests.support.described_roles import EXTERNAL_ID, ROOT, current, desired, role

ISSUER = "cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01"
OTHER = "login.example.org"
TRUST = Trust([ROOT], EXTERNAL_ID, oidc_providers=[OidcProvider(ISSUER, "123456789012", ("sbg",), ("jdoe", "eve"))])
NOTHING = Plan([], {}, {})


def now(*more: Any) -> Role:
    return role(trust=TRUST.policy("aws", more))


def written(plan: Plan) -> dict[str, Any]:
    (step,) = plan.steps
    assert step.operation == "update_assume_role_policy"
    return dict(json.loads(step.arguments["PolicyDocument"]))


def refusing(**refused: list[str]) -> list[dict[str, Any]]:
    return list(subjects.denials({ISSUER: refused.get("issuer", []), OTHER: refused.get("other", [])}))


def test_a_subject_is_refused_in_one_statement_for_its_issuer() -> None:
    plan = subjects.with_subject(NOTHING, now(*refusing(issuer=["jdoe"], other=["x"])), ISSUER, "eve")
    policy = written(plan)
    assert denied_subjects(policy) == {ISSUER: ["eve", "jdoe"], OTHER: ["x"]}
    (statement,) = [one for one in policy["Statement"] if f"{ISSUER}:sub" in str(one) and one["Effect"] == "Deny"]
    assert {key: value for key, value in statement.items() if key != "Sid"} == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{ISSUER}:sub": ["eve", "jdoe"]}},
    }
    assert plan.after["revoked_subjects"] == {ISSUER: ["eve", "jdoe"], OTHER: ["x"]}
    assert foreign_statements(policy) == ()
    assert not is_locked(policy)


def test_what_is_refused_already_is_not_written_again() -> None:
    plan = subjects.with_subject(NOTHING, now(*refusing(issuer=["eve"])), ISSUER, "eve")
    assert (plan.steps, plan.diff()) == ([], {"before": {}, "after": {}})


def test_a_subject_is_let_in_again_and_others_stay_out() -> None:
    before = now(*refusing(issuer=["eve", "jdoe"], other=["eve"]), lock_statement())
    policy = written(subjects.without_subject(NOTHING, before, ISSUER, "eve"))
    assert denied_subjects(policy) == {ISSUER: ["jdoe"], OTHER: ["eve"]}
    assert is_locked(policy)
    every = written(subjects.without_subjects(NOTHING, before))
    assert denied_subjects(every) == {}
    assert len(every["Statement"]) == len(TRUST.policy("aws")["Statement"]) + 1
    assert subjects.without_subject(NOTHING, now(), ISSUER, "eve").steps == []


def test_the_statements_are_shown() -> None:
    assert [one["summary"] for one in subjects.shown({OTHER: ["x"], ISSUER: ["eve"]})] == [
        f"subject eve of {ISSUER}, until it is lifted",
        f"subject x of {OTHER}, until it is lifted",
    ]


def test_provisioning_keeps_and_names_them() -> None:
    trust = TRUST._replace(external_id="")
    plan = plan_present(current(role=now(*refusing(issuer=["eve"]))), desired(trust=trust), "fresh")
    assert plan.steps == []
    assert f"Revoked: the trust policy refuses 1 subjects of {ISSUER}." in plan.notes
    changed = desired(trust=trust._replace(oidc_providers=()), remove_foreign=True)
    policy = written(plan_present(current(role=now(*refusing(issuer=["eve"]))), changed, "fresh"))
    assert denied_subjects(policy) == {ISSUER: ["eve"]}


def test_too_many_subjects_are_refused() -> None:
    many = now(*refusing(issuer=[f"{number:036d}" for number in range(20)]))
    with pytest.raises(QuotaReached, match="IAM allows 2048"):
        subjects.with_subject(NOTHING, many, ISSUER, "eve" * 80)


(OURS,) = refusing(issuer=["eve"])
SUB = f"{ISSUER}:sub"


@pytest.mark.parametrize(
    "altered",
    [
        {"Sid": "Other"},
        {"Effect": "Allow"},
        {"Principal": {"AWS": ROOT}},
        {"Action": "sts:AssumeRole"},
        {"Action": ["sts:AssumeRoleWithWebIdentity"]},
        {"Condition": {}},
        {"Condition": "x"},
        {"Condition": {"StringEquals": "x"}},
        {"Condition": {"StringEquals": {}}},
        {"Condition": {"StringEquals": {SUB: "eve", "aws:x": "y"}}},
        {"Condition": {"StringEquals": {SUB: "eve"}, "Bool": {}}},
        {"Condition": {"StringNotEquals": {SUB: "eve"}}},
        {"Condition": {"StringEquals": {f"{ISSUER}:aud": "eve"}}},
        {"Condition": {"StringEquals": {":sub": "eve"}}},
    ],
)
def test_an_altered_statement_is_not_ours(altered: dict[str, Any]) -> None:
    policy = {"Version": "2012-10-17", "Statement": [{**OURS, **altered}]}
    assert denied_subjects(policy) == {}
    assert [one.effect for one in foreign_statements(policy)] == [altered.get("Effect", "Deny")]


def test_principals_are_inverted_in_no_statement_of_ours() -> None:
    inverted = {key: value for key, value in OURS.items() if key != "Principal"} | {"NotPrincipal": "*"}
    assert denied_subjects({"Statement": [inverted]}) == {}


@pytest.mark.parametrize("text", ["a" * 256, "é", "a\nb", "${aws:userid}"])
def test_what_is_no_subject(text: str) -> None:
    with pytest.raises(InvalidInput, match="as the claim 'sub' has"):
        subjects.check_subject("web_identity_subject", text)
    for good in ("repo:a/b:ref:x", "a" * 255):
        assert subjects.check_subject("web_identity_subject", good) == good
