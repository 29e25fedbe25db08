# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue's role as IAM would describe it, for tests of pure functions."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import Revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import Current, Desired
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Parameter, Role
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import Trust

VENUE = Venue("sbg", "dev")
ROLE_ID = "AROAEXAMPLEEXAMPLEEX"
ROOT = "arn:aws:iam::123456789012:root"
EXTERNAL_ID = "an-external-id-for-tests"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::sbg-dev-unity-data/*"]}],
}


def inline(*revocations: Revocation) -> dict[str, Any]:
    """The inline policies of the role: the venue's own, and one for each revocation."""
    return {"venue-access": POLICY, **{one.policy_name: one.policy(ROLE_ID) for one in revocations}}


def desired(**changes: Any) -> Desired:
    given = {
        "venue": VENUE,
        "role_name": "unity-sbg-dev-sts",
        "path": "/",
        "description": "for tests",
        "max_session_duration": 3600,
        "boundary": "arn:aws:iam::123456789012:policy/boundary",
        "tags": VENUE.tags("role"),
        "trust": Trust([ROOT], ""),
        "policy": POLICY,
        "partition": "aws",
        "external_id_parameter": VENUE.external_id_parameter,
    }
    return Desired(**{**given, **changes})


def role(external_id: str = EXTERNAL_ID, previous: str = "", **changes: Any) -> Role:
    given = {
        "arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
        "name": "unity-sbg-dev-sts",
        "role_id": ROLE_ID,
        "path": "/",
        "trust": Trust([ROOT], external_id, [previous] if previous else []).policy("aws"),
        "description": "for tests",
        "boundary": "arn:aws:iam::123456789012:policy/boundary",
        "tags": VENUE.tags("role"),
    }
    return Role(**{**given, **changes})


def current(**changes: Any) -> Current:
    return Current(**{"role": role(), "policy": POLICY, "parameter": Parameter(EXTERNAL_ID), **changes})
