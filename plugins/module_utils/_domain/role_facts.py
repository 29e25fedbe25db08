# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a venue's role is like, from what IAM and SSM say: for people who look after many. External IDs never enter the facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import InvalidInput
from .external_id import ExternalIds
from .names import Venue, make_venue
from .revocation import standing
from .role_plan import Parameter, Role
from .tags import OWNERSHIP
from .times import iso
from .trust import dead_principals, external_ids, principals

# Options of venue_sts_role that tell it what to do, not what the role shall be; an external ID would be shown among a
# module's arguments.
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
    """A role with all that hangs on it, as a listing of the whole account shows it."""

    role: Role
    inline: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attached: Sequence[str] = ()
    last_used: datetime | None = None
    last_used_region: str = ""


def owner(tags: Mapping[str, str]) -> Venue | None:
    """The venue that a role's tags name, or None."""
    if not all(tags.get(key) for key in OWNERSHIP):
        return None
    try:
        return make_venue(tags["Proj"], tags["Venue"])
    except InvalidInput:
        return None


def is_venue_role(role: Role, prefix: str) -> bool:
    """Whether a role looks like a venue's: by its tags, or by its name."""
    named = role.name.startswith(f"{prefix}-") and role.name.endswith("-sts") and role.name.count("-") >= 3
    return named or (role.tags.get("Capability") == "sts" and owner(role.tags) is not None)


def readings(role_name: str, prefix: str) -> list[Venue]:
    """Every venue that a conventional role name may stand for; hyphens make more than one."""
    words = role_name.removeprefix(f"{prefix}-").removesuffix("-sts").split("-")
    possible = []
    for cut in range(1, len(words)):
        try:
            possible.append(make_venue("-".join(words[:cut]), "-".join(words[cut:])))
        except InvalidInput:
            continue
    return possible if role_name == f"{prefix}-{'-'.join(words)}-sts" else []


def external_id_state(parameter: str, trusted: ExternalIds) -> str:
    """How SSM and the trust policy agree: one word, since the values are not to be told."""
    if not parameter:
        return "missing_in_ssm" if trusted.current else "missing"
    if not trusted.current:
        return "missing_in_trust_policy"
    if parameter == trusted.current:
        return "equal"
    return "rotation_unfinished" if parameter == trusted.previous else "different"


def holders(observed: Iterable[Observed]) -> dict[str, list[str]]:
    """Which roles accept each external ID, to find one that two venues share."""
    found: dict[str, list[str]] = {}
    for one in observed:
        for value in {*external_ids(one.role.trust)} - {""}:
            found.setdefault(value, []).append(one.role.name)
    return found


def external_id_facts(
    venue: Venue, parameter: Parameter | None, role: Role | None, shared: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """State, age and duplicates of a venue's external ID.

    :param shared: what ``holders`` gives.
    """
    trusted = ExternalIds(*external_ids(role.trust if role else None))
    mine = {parameter.value if parameter else "", *trusted} - {""}
    others = {name for value in mine for name in shared.get(value, ()) if not role or name != role.name}
    return {
        "parameter": venue.external_id_parameter,
        "state": external_id_state(parameter.value if parameter else "", trusted),
        "type": parameter.type if parameter else None,
        "changed_at": iso(parameter.modified) if parameter and parameter.modified else None,
        "previous_accepted": bool(trusted.previous),
        "shared_with": sorted(others),
    }


def role_facts(observed: Observed | None, now: datetime) -> dict[str, Any]:
    """What is to be told of a role as it is; the same keys, empty, where there is none."""
    role = observed.role if observed else None
    return {
        "role": {"arn": role.arn, "name": role.name, "role_id": role.role_id} if role else None,
        "created_at": iso(role.created) if role and role.created else None,
        "description": role.description if role else None,
        "max_session_duration": role.max_session_duration if role else None,
        "trusted_principals": list(principals(role.trust)) if role else [],
        "dead_principals": list(dead_principals(role.trust)) if role else [],
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
        or facts["problem"]
    )
    return "broken" if broken else "drifted" if facts["drift"] else "ok"
