# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ending a person who comes with web identity tokens: a Deny in the trust policy, on the subject of the tokens.

Revoking sessions is not enough: whoever holds a web identity token gets a new session from STS at once. The policy has
one statement for each issuer, with all subjects that are refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .errors import InvalidInput
from .oidc import LONGEST_CLAIM
from .policies import compact
from .revocation import QuotaReached
from .roles import Role
from .steps import Plan, Step
from .trust import TRUST_POLICY_LENGTH, length
from .trust_reader import WEB_IDENTITY, denied_subjects, is_denial, read_statements

# Issuer -> the subjects that are refused.
Subjects = Mapping[str, Sequence[str]]


def check_subject(option: str, text: str) -> str:
    """A subject, as the ``sub`` claim has it.

    :raises InvalidInput: longer than any, or with a policy variable.
    """
    if len(text) > LONGEST_CLAIM or not text.isascii() or not text.isprintable() or "${" in text:
        raise InvalidInput(option, f"must be 1 to {LONGEST_CLAIM} printable ASCII characters, as the claim 'sub' has.")
    return text


def denials(refused: Subjects) -> Iterator[dict[str, Any]]:
    """The statements that refuse subjects."""
    for issuer, subjects in sorted(refused.items()):
        if subjects:
            yield {
                "Sid": f"MdpsSubjectsRevoked{hashlib.sha256(issuer.encode()).hexdigest()[:8]}",
                "Effect": "Deny",
                "Principal": "*",
                "Action": WEB_IDENTITY,
                "Condition": {"StringEquals": {f"{issuer}:sub": sorted(set(subjects))}},
            }


def with_subject(plan: Plan, role: Role, issuer: str, subject: str) -> Plan:
    """A plan that also refuses a subject, before anything else.

    :raises QuotaReached: it does not fit into the trust policy.
    """
    refused = denied_subjects(role.trust)
    wanted = {**refused, issuer: sorted({*refused.get(issuer, ()), subject})}
    return _with(plan, role, wanted, "refuse a subject")


def without_subject(plan: Plan, role: Role, issuer: str, subject: str) -> Plan:
    """A plan that also lets a subject in again."""
    refused = denied_subjects(role.trust)
    wanted = {**refused, issuer: [one for one in refused.get(issuer, ()) if one != subject]}
    return _with(plan, role, wanted, "allow a subject again")


def without_subjects(plan: Plan, role: Role) -> Plan:
    """A plan that also lets every subject in again."""
    return _with(plan, role, {}, "allow every subject again")


def _with(plan: Plan, role: Role, wanted: Subjects, summary: str) -> Plan:
    before, after = _plain(denied_subjects(role.trust)), _plain(wanted)
    others = [one.content for one in read_statements(role.trust) if not is_denial(one)]
    policy = {**role.trust, "Statement": [*others, *denials(after)]}
    steps = []
    if after != before:
        if length(policy) > TRUST_POLICY_LENGTH:
            raise QuotaReached(
                f"the trust policy of the role {role.name} would have {length(policy)} characters, and IAM allows "
                f"{TRUST_POLICY_LENGTH}. Nothing was changed. Remove the subject from oidc_providers and provision, or "
                "lock the venue.",
                used=length(policy),
                quota=TRUST_POLICY_LENGTH,
            )
        arguments = {"RoleName": role.name, "PolicyDocument": compact(policy)}
        steps = [Step("iam", "update_assume_role_policy", role.name, summary, arguments)]
    return replace(
        plan,
        steps=[*steps, *plan.steps],
        before={**plan.before, "revoked_subjects": before},
        after={**plan.after, "revoked_subjects": after},
    )


def _plain(refused: Subjects) -> dict[str, list[str]]:
    return {issuer: list(subjects) for issuer, subjects in refused.items() if subjects}


def shown(refused: Subjects) -> list[dict[str, Any]]:
    """The subjects that are refused, as results list them among the revocations."""
    return [
        {
            "kind": "web_identity_subject",
            "value": subject,
            "before": None,
            "needed_until": None,
            "policy_name": None,
            "summary": f"subject {subject} of {issuer}, until it is lifted",
        }
        for issuer, subjects in sorted(refused.items())
        for subject in subjects
    ]
