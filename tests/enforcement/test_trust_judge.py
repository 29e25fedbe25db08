# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reader of trust policies and iam-simulate give the same answer to every request, document by document."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.conditions import Context
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import (
    ASSUME,
    decide,
    external_ids,
    read_trust,
)

from tests.support import oracles
from tests.support.trust_documents import ACCOUNT, CALLER, DOCUMENTS, SENT

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
VENUE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/unity-sbg-dev-sts"
# What iam-simulate refuses to read although IAM's grammar has it, or does not know.
NOT_JUDGED = {
    "no statement": "a policy without statements",
    "a number": "a value that is no text",
    "all actions but this one": "an Action element that is null",
    "all actions but another one": "an Action element that is null",
    "everybody but a partner": "a Principal element that is null",
}


def context(sent: str | None) -> dict[str, str]:
    """The condition keys of a request, all of them."""
    own = {"aws:username": "nobody", "aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/mcp-tenantOperator"}
    return own if sent is None else {**own, "sts:ExternalId": sent}


def requests() -> dict[tuple[str, str | None], dict[str, Any]]:
    return {
        (name, sent): oracles.request(
            CALLER,
            ASSUME,
            VENUE_ROLE,
            [EVERYTHING],
            context=context(sent),
            resource_policy=document.policy,
            account=ACCOUNT,
        )
        for name, document in DOCUMENTS.items()
        if name not in NOT_JUDGED
        for sent in SENT
    }


def test_the_reader_and_the_judge_agree(capsys: pytest.CaptureFixture[str]) -> None:
    asked = requests()
    judged = dict(zip(asked, oracles.simulate(list(asked.values())), strict=True))
    decided: dict[tuple[str, str | None], bool] = {}
    for name, sent in asked:
        keys = {key.lower(): value for key, value in context(sent).items()}
        answer = decide(DOCUMENTS[name].policy, CALLER, ASSUME, Context(keys, complete=True))
        if answer is not None:
            decided[name, sent] = answer
    with capsys.disabled():
        print(f"\niam-simulate: {len(decided)} of {len(asked)} answers compared, in {len(DOCUMENTS)} documents")
    assert {cell: (answer, judged[cell]) for cell, answer in decided.items() if answer != judged[cell]} == {}
    assert len(decided) > 0.9 * len(asked), "the reader leaves too much undecided"


def test_whoever_gets_in_sent_what_the_reader_says() -> None:
    """What is concluded from the statements holds for the judge as well."""
    asked = requests()
    judged = dict(zip(asked, oracles.simulate(list(asked.values())), strict=True))
    for name in dict.fromkeys(name for name, _sent in asked):
        reading = read_trust(DOCUMENTS[name].policy)
        admitted = {sent for sent in SENT if judged[name, sent]}
        if reading.demands_external_id and not reading.undecided:
            folded = {one.lower() for one in external_ids(DOCUMENTS[name].policy)}
            assert {str(one).lower() for one in admitted} <= folded, name
        if reading.locked:
            assert not admitted, name
