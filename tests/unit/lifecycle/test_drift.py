# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift in sentences that name what differs, and never an external ID."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.drift import differences, unmanaged
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_facts import Observed
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import Current, plan_present
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Parameter
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import Trust

from tests.support.described_roles import EXTERNAL_ID, POLICY, ROOT, current, desired, role

OTHER = "arn:aws:iam::999999999999:role/old"
WIDE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": ["arn:aws:s3:::other/*"]}
    ],
}
CONDITIONAL = {
    "Version": "2012-10-17",
    "Statement": [{**POLICY["Statement"][0], "Condition": {"Bool": {"aws:SecureTransport": "true"}}}],
}

OPEN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}],
}

CASES: dict[str, tuple[Current, dict[str, Any], list[str]]] = {
    "nothing": (current(), {}, []),
    "no role": (current(role=None), {}, ["the role does not exist"]),
    "duration": (
        current(role=role(max_session_duration=7200)),
        {},
        ["max_session_duration is 7200 and should be 3600"],
    ),
    "boundary": (
        current(role=role(boundary="")),
        {},
        ["permissions boundary is none and should be 'arn:aws:iam::123456789012:policy/boundary'"],
    ),
    "tag": (current(role=role(tags={**role().tags, "Env": "x"})), {}, ["tag Env is 'x' and should be 'dev'"]),
    "missing tag": (
        current(role=role(tags={"Proj": "sbg", "Venue": "dev", "Capability": "sts"})),
        {"tags": {"Env": "dev"}},
        ["tag Env is missing and should be 'dev'"],
    ),
    "somebody else trusted": (
        current(role=role(trust=Trust([ROOT, OTHER], EXTERNAL_ID).policy("aws"))),
        {},
        [f"trusts {OTHER}, which it should not"],
    ),
    "somebody not trusted": (current(), {"trust": Trust([ROOT, OTHER], "")}, [f"does not trust {OTHER}"]),
    "no external ID asked": (
        current(role=role(trust=OPEN)),
        {},
        ["requires no external ID: every trusted principal can assume the role"],
    ),
    "mfa": (
        current(),
        {"trust": Trust([ROOT], "", require_mfa=True)},
        ["the trust policy has unexpected conditions or actions"],
    ),
    "no policy": (current(policy=None), {}, ["grants nothing: the policy venue-access is missing"]),
    "wide policy": (
        current(policy=WIDE),
        {},
        [
            "allows s3:DeleteObject, which it should not",
            "reaches arn:aws:s3:::other/*, which it should not",
            "lacks arn:aws:s3:::sbg-dev-unity-data/*",
        ],
    ),
    "conditions": (
        current(policy=CONDITIONAL),
        {},
        ["the permissions have unexpected combinations of actions, resources or conditions"],
    ),
    "kind of parameter": (
        current(),
        {"parameter_type": "SecureString"},
        ["the external ID is stored as String and should be SecureString"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_difference_has_its_words(name: str) -> None:
    found, wanted, words = CASES[name]
    assert differences(plan_present(found, desired(**wanted), "unused"), found.role) == words


def test_an_external_id_is_never_shown() -> None:
    found = current(
        role=role("one-secret-value", "previous-secret-value"), parameter=Parameter("one-secret-value", "SecureString")
    )
    assert "secret-value" not in str(
        differences(plan_present(found, desired(parameter_type="String", tags={"x": "y"}), "unused"), found.role)
    )


def test_other_policies_are_named_and_revocations_are_not() -> None:
    revoked = "revoked-20261122T093015Z-all"
    seen = Observed(
        role(), {"venue-access": POLICY, "extra": POLICY, revoked: POLICY}, ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    )
    sentences = unmanaged(seen)
    assert sentences[0].startswith("has another policy, extra,")
    assert sentences[1].startswith("has another policy, arn:aws:iam::aws:policy/ReadOnlyAccess,")
    assert sentences[2] == f"the revocation {revoked} was changed and may not deny anything"
