# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift: how a venue's role differs from the desired state, one sentence per difference, without external IDs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import revocation
from .policies import size, statements, values
from .role_facts import Observed
from .roles import POLICY_NAME, Role
from .steps import Plan
from .tags import tag_value
from .trust_reader import foreign_statements, principals, read_trust

SETTINGS = {
    "description": "description",
    "max_session_duration": "max_session_duration",
    "permissions_boundary": "permissions boundary",
}


def differences(plan: Plan, role: Role | None) -> list[str]:
    """What applying a plan would change.

    :param plan: that of ``plan_present``; external IDs are masked in its states.
    :param role: the role as it is.
    """
    before, after = plan.before, plan.after
    if role is None:
        return ["the role does not exist"]
    return [
        *_settings(before["role"], after["role"]),
        *_trust(role, before["trust_policy"], after["trust_policy"]),
        *_permissions(before.get("permissions"), after["permissions"]),
        *_parameter(before.get("external_id_parameter"), after["external_id_parameter"]),
    ]


def unmanaged(observed: Observed) -> list[str]:
    """What is attached to a role besides what this collection writes."""
    inline = [name for name in observed.inline if name != POLICY_NAME and not revocation.from_name(name)]
    altered = revocation.altered(observed.inline, observed.role.role_id)
    return [
        *(f"has another policy, {name}, which may change what tokens may do" for name in sorted(inline)),
        *(f"has another policy, {name}, which may change what tokens may do" for name in sorted(observed.attached)),
        *(f"the revocation {name} was changed and may not deny anything" for name in altered),
        *(
            f"the trust policy has the {one.name}, which this collection did not write; "
            f"provisioning {'keeps' if one.effect == 'Deny' else 'removes'} it"
            for one in foreign_statements(observed.role.trust)
        ),
        *(f"the trust policy is unclear: {sentence}" for sentence in read_trust(observed.role.trust).undecided),
    ]


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key, words in SETTINGS.items():
        if before[key] != after[key]:
            yield f"{words} is {_quoted(before[key])} and should be {_quoted(after[key])}"
    for key, wanted in after["tags"].items():
        found = tag_value(before["tags"], key)
        if found is None:
            yield f"tag {key} is missing and should be {_quoted(wanted)}"
        elif found != wanted:
            yield f"tag {key} is {_quoted(found)} and should be {_quoted(wanted)}"


def _quoted(value: Any) -> str:
    return "none" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def _trust(role: Role, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before == after:
        return
    found, wanted = principals(before), principals(after)
    sentences = [f"trusts {who}, which it should not" for who in found if who not in wanted]
    sentences += [f"does not trust {who}" for who in wanted if who not in found]
    if not read_trust(role.trust).demands_external_id:
        sentences.append("requires no external ID: every trusted principal can assume the role")
    yield from sentences or ["the trust policy has unexpected conditions or actions"]


def _permissions(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[str]:
    if before == after:
        return
    if not before or not size(before):
        yield "grants nothing: the policy venue-access is missing"
        return
    sentences = []
    for key, verb in (("Action", "allows"), ("Resource", "reaches")):
        found, wanted = _allowed(before, key), _allowed(after, key)
        sentences += [f"{verb} {one}, which it should not" for one in sorted(found - wanted)]
        sentences += [f"lacks {one}" for one in sorted(wanted - found)]
    sentences += [f"does not have the Deny statement {sid}" for sid in _denied(after) if sid not in _denied(before)]
    yield from sentences or ["the permissions have unexpected combinations of actions, resources or conditions"]


def _allowed(policy: Mapping[str, Any], key: str) -> set[str]:
    allows = [one for one in statements(policy) if one.get("Effect") == "Allow"]
    return {str(value) for statement in allows for value in values(statement.get(key, []))}


def _denied(policy: Mapping[str, Any]) -> list[str]:
    return [str(one.get("Sid", "")) for one in statements(policy) if one.get("Effect") == "Deny"]


def _parameter(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[str]:
    if before and before["type"] != after["type"]:
        yield f"the external ID is stored as {before['type']} and should be {after['type']}"
