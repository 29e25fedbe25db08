# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Drift in words: how a venue's role differs from what it shall be. External IDs are never named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import revocation
from .external_id import ExternalIds
from .policies import size, statements, values
from .role_facts import Observed
from .role_plan import POLICY_NAME
from .steps import Plan
from .trust import external_ids, principals

SETTINGS = {
    "description": "description",
    "max_session_duration": "max_session_duration",
    "permissions_boundary": "permissions boundary",
}


def in_words(plan: Plan) -> list[str]:
    """What applying a plan would change, one sentence a difference, for people who read a report.

    :param plan: that of ``plan_present``; its states have external IDs masked already.
    """
    before, after = plan.before, plan.after
    if "role" not in before:
        return ["the role does not exist"]
    return [
        *_settings(before["role"], after["role"]),
        *_trust(before["trust_policy"], after["trust_policy"]),
        *_permissions(before.get("permissions"), after["permissions"]),
        *_parameter(before.get("external_id_parameter"), after["external_id_parameter"]),
    ]


def beside(observed: Observed) -> list[str]:
    """What hangs on a role that provisioning does not look after, one sentence each."""
    inline = [name for name in observed.inline if name != POLICY_NAME and not revocation.from_name(name)]
    told = [
        f"has the policy {name} beside its own, which may change what tokens may do"
        for name in [*sorted(inline), *sorted(observed.attached)]
    ]
    changed = revocation.altered(observed.inline, observed.role.role_id)
    return [*told, *(f"the revocation {name} was altered and may refuse nothing" for name in changed)]


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key, words in SETTINGS.items():
        if before[key] != after[key]:
            yield f"{words} is {_shown(before[key])} and should be {_shown(after[key])}"
    for key, wanted in after["tags"].items():
        found = before["tags"].get(key)
        if found is None:
            yield f"tag {key} is missing and should be {_shown(wanted)}"
        elif found != wanted:
            yield f"tag {key} is {_shown(found)} and should be {_shown(wanted)}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


def _trust(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before == after:
        return
    found, wanted = principals(before), principals(after)
    told = [f"trusts {who}, which it should not" for who in found if who not in wanted]
    told += [f"does not trust {who}" for who in wanted if who not in found]
    if not ExternalIds(*external_ids(before)).current:
        told.append("asks for no external ID: whoever is trusted may assume the role")
    yield from told or ["the trust policy has other conditions or actions than it should"]


def _permissions(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[str]:
    if before == after:
        return
    if not before or not size(before):
        yield "grants nothing: the policy venue-access is missing"
        return
    told = []
    for key, verb in (("Action", "allows"), ("Resource", "reaches")):
        found, wanted = _named(before, key), _named(after, key)
        told += [f"{verb} {one}, which it should not" for one in sorted(found - wanted)]
        told += [f"lacks {one}" for one in sorted(wanted - found)]
    yield from told or ["the permissions combine actions, resources or conditions otherwise than they should"]


def _named(policy: Mapping[str, Any], key: str) -> set[str]:
    return {str(value) for statement in statements(policy) for value in values(statement.get(key, []))}


def _parameter(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[str]:
    if before and before["type"] != after["type"]:
        yield f"the external ID is stored as {before['type']} and should be {after['type']}"
