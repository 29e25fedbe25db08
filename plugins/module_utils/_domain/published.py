# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes of an existing role that somebody should confirm: its bucket, boundary or region is no longer the one it had.

Whoever may write two SSM parameters would otherwise decide what the tokens of a venue reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import UnconfirmedChange
from .policies import statements, values
from .role_plan import Current, Desired

CONFIRMABLE = ("buckets", "permissions_boundary", "region")


def check_confirmed(current: Current, desired: Desired, sources: Mapping[str, str], confirmed: frozenset[str]) -> None:
    """Refuse a change of an existing role that comes from SSM, or from another region, and is not confirmed.

    :param sources: of ``CONFIRMABLE`` -> the SSM parameter or the region that the new value comes from; without those
        that an option names.
    :param confirmed: of ``CONFIRMABLE``.
    :raises UnconfirmedChange: as said.
    """
    changes = [
        f"{source} says {_listed(after)}, but the role has {_listed(before)}"
        for what, before, after in _changes(current, desired)
        if (source := sources.get(what)) and what not in confirmed
    ]
    names = [what for what, _before, _after in _changes(current, desired) if what in sources and what not in confirmed]
    if changes:
        raise UnconfirmedChange(
            f"the role {desired.role_name} exists and would change: {'; '.join(changes)}. Nothing was changed. If that "
            f"is right, set confirm_changes to [{', '.join(names)}], or name the value with an option.",
            unconfirmed=names,
        )


def _changes(current: Current, desired: Desired) -> Iterator[tuple[str, set[str], set[str]]]:
    """What differs between the role and the desired state: (what, before, after).

    A bucket widens a role whose policy names none. Only a role without that policy gets its first bucket unasked: it is
    new, its provisioning was interrupted, or the admin takes it over with the option for that. A bucket narrows a role
    that reaches every one, and a boundary one that has none. The region is that of the run, not of a parameter.
    """
    role = current.role
    before, after = _named(current.policy, "s3", 5), _named(desired.policy, "s3", 5)
    if current.policy is not None and before != after and not _reaches_every_bucket(current.policy):
        yield "buckets", before, after
    before, after = _named(current.policy, "ecr", 3), _named(desired.policy, "ecr", 3)
    if before and after and before != after:
        yield "region", before, after
    if role and role.boundary and role.boundary != desired.boundary:
        yield "permissions_boundary", {role.boundary}, {desired.boundary} - {""}


def _reaches_every_bucket(policy: Mapping[str, Any]) -> bool:
    return any(
        one.get("Effect") == "Allow"
        and "Condition" not in one
        and "*" in values(one.get("Resource", []))
        and {"*", "s3:*"} & {str(action).lower() for action in values(one.get("Action", []))}
        for one in statements(policy)
    )


def _named(policy: Mapping[str, Any] | None, service: str, part: int) -> set[str]:
    """A part of the ARNs of a service that a policy allows; of S3, the buckets."""
    arns = [
        str(arn).split(":", 5)
        for statement in statements(policy)
        if statement.get("Effect") == "Allow"
        for arn in values(statement.get("Resource", []))
    ]
    return {arn[part].split("/")[0] for arn in arns if len(arn) > part and arn[2] == service} - {"*", ""}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
