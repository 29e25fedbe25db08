# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Policies as values: what counts as the same, how long they are, and that shown ones hold no external ID."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import policies
from hypothesis import given, settings
from hypothesis import strategies as st

STATEMENT = {
    "Sid": "One",
    "Effect": "Allow",
    "Principal": {"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/a"]},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Condition": {"StringEquals": {"sts:ExternalId": ["x", "y"]}, "Bool": {"aws:MultiFactorAuthPresent": "true"}},
}
OTHER = {"Sid": "Two", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return policies.document(statements)


def changed(**parts: Any) -> dict[str, Any]:
    return policy({**STATEMENT, **parts}, OTHER)


def test_a_document_names_the_current_policy_language() -> None:
    assert policy(OTHER) == {"Version": "2012-10-17", "Statement": [OTHER]}


def test_compact_has_no_space_and_loses_nothing() -> None:
    text = policies.compact(policy(OTHER))
    assert " " not in text
    assert json.loads(text) == policy(OTHER)


def test_size_counts_no_white_space() -> None:
    spaced = {"Version": "2012-10-17", "Statement": [{"Sid": "a b\tc"}]}
    assert policies.size(spaced) == len(policies.compact(spaced)) - 1  # the space; the tab is written as \t


@pytest.mark.parametrize(
    "right",
    [
        policy(STATEMENT, OTHER),
        policy(OTHER, STATEMENT),
        changed(Action=["sts:TagSession", "STS:AssumeRole"]),
        changed(Principal={"AWS": list(reversed(STATEMENT["Principal"]["AWS"]))}),
        changed(
            Condition={"Bool": {"aws:multifactorauthpresent": ["true"]}, "StringEquals": {"STS:externalid": ["y", "x"]}}
        ),
        changed(
            Condition={
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "StringEquals": {"sts:ExternalId": ["x", "y", "x"]},
            }
        ),
    ],
)
def test_the_same(right: dict[str, Any]) -> None:
    assert policies.same(policy(STATEMENT, OTHER), right)


@pytest.mark.parametrize(
    "right",
    [
        None,
        policy(STATEMENT),
        policy(STATEMENT, OTHER, OTHER),
        {**policy(STATEMENT, OTHER), "Version": "2008-10-17"},
        changed(Effect="Deny"),
        changed(Action=["sts:AssumeRole"]),
        changed(Action=None),
        changed(Principal={"AWS": ["arn:aws:iam::123456789012:root"]}),
        changed(Principal={"Federated": STATEMENT["Principal"]["AWS"]}),
        changed(Principal="*"),
        changed(Condition={"StringEquals": {"sts:ExternalId": ["x"]}, "Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        changed(
            Condition={"StringLike": {"sts:ExternalId": ["x", "y"]}, "Bool": {"aws:MultiFactorAuthPresent": "true"}}
        ),
        # Values of external IDs and names of resources do have case.
        changed(
            Condition={"StringEquals": {"sts:ExternalId": ["X", "y"]}, "Bool": {"aws:MultiFactorAuthPresent": "true"}}
        ),
        policy(STATEMENT, {**OTHER, "Resource": ["arn:aws:s3:::B/*"]}),
    ],
)
def test_not_the_same(right: dict[str, Any] | None) -> None:
    if right and right["Statement"][0].get("Action") is None:
        right = policy({key: value for key, value in STATEMENT.items() if key != "Action"}, OTHER)
    assert not policies.same(policy(STATEMENT, OTHER), right)
    assert not policies.same(right, policy(STATEMENT, OTHER))


def test_nothing_is_the_same_as_nothing_only() -> None:
    assert policies.same(None, None)
    assert policies.same({}, {})
    assert not policies.same({}, None)


def test_a_single_statement_and_single_values_are_lists_of_one() -> None:
    assert policies.same(
        {"Version": "2012-10-17", "Statement": {**OTHER, "Action": "s3:getobject", "Resource": "arn:aws:s3:::b/*"}},
        policy(OTHER),
    )


def test_masking_says_what_each_id_is_and_keeps_the_rest() -> None:
    secret = policy(
        {**STATEMENT, "Condition": {"StringEquals": {"sts:ExternalId": "current"}}},
        {**STATEMENT, "Condition": {"StringLike": {"STS:EXTERNALID": ["old", "stranger"]}}},
    )
    before = copy.deepcopy(secret)
    shown = policies.masked(secret, {"current": "(the venue's external ID)", "old": "(the previous external ID)"})
    assert secret == before
    assert shown["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "(the venue's external ID)"}}
    assert shown["Statement"][1]["Condition"] == {
        "StringLike": {"STS:EXTERNALID": ["(the previous external ID)", "(another external ID)"]}
    }
    assert shown["Statement"][0]["Principal"] == STATEMENT["Principal"]


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Statement", "Condition", "StringEquals", "sts:ExternalId", "STS:externalID"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    )
)
def test_wherever_an_external_id_stands_it_is_masked(shape: Any) -> None:
    secret = {"Statement": shape, "sts:ExternalId": "top-secret-id", "inner": [{"STS:ExternalId": ["top-secret-id"]}]}
    assert "top-secret-id" not in json.dumps(policies.masked(secret, {}))
