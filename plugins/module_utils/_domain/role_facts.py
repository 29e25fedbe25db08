# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts about a venue's role, from what IAM and SSM say. External IDs never enter the facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import ExternalIdMismatch, InvalidInput
from .external_id import ExternalIds, trusted_ids, weakness
from .names import CAPABILITY, Venue, is_external_id, make_venue
from .revocation import standing
from .roles import Parameter, Role
from .tags import OWNERSHIP, tag_value
from .times import iso
from .trust_reader import dead_principals, foreign_statements, is_locked, principals, read_trust, venue_ids

# Options of venue_sts_role that say what to do, not what the role is; and the external ID, which must not appear among
# the arguments of a module.
NOT_DESCRIBING = frozenset(
    {
        "state",
        "external_id",
        "on_external_id_conflict",
        "rotate_external_id",
        "retire_previous_external_id",
        "wait",
        "wait_timeout",
    }
)


@dataclass(frozen=True)
class Observed:
    """A role with everything attached to it, as a listing of the whole account shows it."""

    role: Role
    inline: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attached: Sequence[str] = ()
    last_used: datetime | None = None
    last_used_region: str = ""


def owner(tags: Mapping[str, str]) -> Venue | None:
    """The venue whose role for tokens a role is, as its tags say, or None."""
    project, venue, capability = (tag_value(tags, key) for key in OWNERSHIP)
    if (capability or "").lower() != CAPABILITY:
        return None
    try:
        return make_venue(project, venue) if project and venue else None
    except InvalidInput:
        return None


def is_venue_role(role: Role, prefix: str) -> bool:
    """Whether a role looks like a venue's: by its tags, or by its name."""
    name = role.name.lower()
    named = name.startswith(f"{prefix.lower()}-") and name.endswith("-sts") and name.count("-") >= 3
    return named or owner(role.tags) is not None


def readings(role_name: str, prefix: str) -> list[Venue]:
    """Every venue that a conventional role name may stand for; hyphens make more than one."""
    conventional = re.fullmatch(rf"{re.escape(prefix)}-(.+)-sts", role_name, re.IGNORECASE)
    words = conventional.group(1).split("-") if conventional else []
    possible = []
    for cut in range(1, len(words)):
        try:
            possible.append(make_venue("-".join(words[:cut]), "-".join(words[cut:])))
        except InvalidInput:
            continue
    return possible


def external_id_state(parameter: str, trusted: ExternalIds) -> str:
    """How SSM and the trust policy agree, in one word, since the values are never shown."""
    if not parameter:
        return "missing_in_ssm" if trusted.current else "missing"
    if not is_external_id(parameter):
        return "invalid"
    if not trusted.current:
        return "missing_in_trust_policy"
    if parameter == trusted.current:
        return "equal"
    return "rotation_unfinished" if parameter in trusted.previous else "different"


def holders(observed: Iterable[Observed]) -> dict[str, list[Role]]:
    """Which roles accept each external ID, to find one that two venues share."""
    found: dict[str, list[Role]] = {}
    for one in observed:
        for value in venue_ids(one.role.trust):
            found.setdefault(value, []).append(one.role)
    return found


def still_using(observed: Iterable[Observed], venue: Venue, external_id: str) -> list[str]:
    """The roles that are a venue's by their tags, or that accept its external ID."""
    return sorted(
        one.role.name
        for one in observed
        if ((found := owner(one.role.tags)) and found.key == venue.key) or external_id in venue_ids(one.role.trust)
    )


def external_id_facts(
    name: str, parameter: Parameter | None, role: Role | None, shared: Mapping[str, Sequence[Role]]
) -> dict[str, Any]:
    """State, age and duplicates of a venue's external ID.

    :param name: of the SSM parameter.
    :param shared: what ``holders`` returns.
    """
    value, trust = parameter.value if parameter else "", role.trust if role else None
    trusted, ambiguous = _trusted(trust, value)
    mine = {value, *venue_ids(trust)} - {""}
    others = {holder.name for one in mine for holder in shared.get(one, ()) if not _same_venue(role, holder)}
    return {
        "parameter": name,
        "state": "different" if ambiguous else external_id_state(value, trusted),
        "type": parameter.type if parameter else None,
        "changed_at": iso(parameter.modified) if parameter and parameter.modified else None,
        "previous_accepted": bool(trusted.previous),
        "weak": bool(value and weakness(value, (name, *([role.arn, *role.tags.values()] if role else [])))),
        "shared_with": sorted(others),
    }


def _same_venue(role: Role | None, other: Role) -> bool:
    """Whether two roles are one, or are of one venue by their tags. The roles of a venue have its external ID."""
    venue = owner(role.tags) if role else None
    theirs = owner(other.tags)
    same_owner = venue is not None and theirs is not None and venue.key == theirs.key
    return same_owner or (role is not None and role.name == other.name)


def _trusted(trust: Mapping[str, Any] | None, parameter: str) -> tuple[ExternalIds, bool]:
    """The external IDs of a trust policy, and whether nothing says which one is the current one."""
    try:
        return trusted_ids(read_trust(trust), parameter), False
    except ExternalIdMismatch:
        return ExternalIds(), True


def role_facts(observed: Observed | None, now: datetime) -> dict[str, Any]:
    """The facts of a role as it is; the same keys, empty, where there is none."""
    role = observed.role if observed else None
    return {
        "role": {"arn": role.arn, "name": role.name, "role_id": role.role_id} if role else None,
        "created_at": iso(role.created) if role and role.created else None,
        "description": role.description if role else None,
        "max_session_duration": role.max_session_duration if role else None,
        "trusted_principals": list(principals(role.trust)) if role else [],
        "dead_principals": list(dead_principals(role.trust)) if role else [],
        "locked": is_locked(role.trust) if role else False,
        "foreign_statements": [one.name for one in foreign_statements(role.trust)] if role else [],
        "permissions_boundary": (role.boundary or None) if role else None,
        "tags": dict(sorted(role.tags.items())) if role else {},
        "inline_policies": sorted(observed.inline) if observed else [],
        "attached_policies": sorted(observed.attached) if observed else [],
        "last_used_at": iso(observed.last_used) if observed and observed.last_used else None,
        "last_used_region": (observed.last_used_region or None) if observed else None,
        "revocations": _revocations(observed, now) if observed else [],
    }


def _revocations(observed: Observed, now: datetime) -> list[dict[str, Any]]:
    in_force = standing(observed.inline, observed.role.role_id)
    return [one.shown() for one in in_force if one.live(now)]


def status(facts: Mapping[str, Any]) -> str:
    """One word for the whole: absent, broken (no token, or not a safe one), drifted, ok."""
    if not facts["role"]:
        return "absent"
    broken = (
        facts["external_id"]["state"] != "equal"
        or facts["external_id"]["shared_with"]
        or facts["dead_principals"]
        or facts["locked"]
        or facts["problem"]
    )
    return "broken" if broken else "drifted" if facts["drift"] else "ok"
