# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading all venue roles of an account at once: the number of calls grows with pages, not with venues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._domain.names import Venue
from .._domain.role_facts import Observed, owner
from .._domain.roles import Parameter, Role
from .calls import pages, run_concurrently
from .venue_state import read_parameters, role_from

PAGE = 1000  # the most that IAM lists in one answer
NAMES_A_CALL = 10  # the most that ssm:GetParameters takes
# SSM allows about 40 of these calls a second in an account; two at a time stay below that.
READERS = 2


def read_roles(iam: Any) -> list[Observed]:
    """Every role of the account, with trust policy, inline policies, boundary, tags and last use.

    iam:GetAccountAuthorizationDetails leaves out description and longest session, which iam:ListRoles tells.
    """
    details, listed = run_concurrently(
        lambda: _all_of(iam, "get_account_authorization_details", "RoleDetailList", Filter=["Role"]),
        lambda: _all_of(iam, "list_roles", "Roles"),
    )
    settings = {one["RoleName"]: one for one in listed}
    return [_observed({**settings.get(one["RoleName"], {}), **one}) for one in details]


def roles_of(iam: Any, venue: Venue) -> list[Role]:
    """The roles of the account that belong to a venue by their tags.

    iam:GetAccountAuthorizationDetails is the only call that tells the tags of several roles.
    """
    roles = map(role_from, _all_of(iam, "get_account_authorization_details", "RoleDetailList", Filter=["Role"]))
    return [role for role in roles if (found := owner(role.tags)) and found.key == venue.key]


def other_spellings(iam: Any, role_name: str) -> list[str]:
    """The names of the roles of the account that differ from a name in upper and lower case only (iam:ListRoles)."""
    names = [str(one["RoleName"]) for one in _all_of(iam, "list_roles", "Roles")]
    return [one for one in names if one != role_name and one.lower() == role_name.lower()]


def _observed(described: dict[str, Any]) -> Observed:
    used = described.get("RoleLastUsed", {})
    return Observed(
        role=role_from(described),
        inline={one["PolicyName"]: one["PolicyDocument"] for one in described.get("RolePolicyList", [])},
        attached=tuple(one["PolicyArn"] for one in described.get("AttachedManagedPolicies", [])),
        last_used=used.get("LastUsedDate"),
        last_used_region=used.get("Region", ""),
    )


def _all_of(iam: Any, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    answers = pages(iam, operation, "list the roles of the account", MaxItems=PAGE, **arguments)
    return [one for answer in answers for one in answer[key]]


def read_many_parameters(ssm: Any, names: Sequence[str]) -> Iterator[tuple[list[str], dict[str, Parameter]]]:
    """Ten names a call, and those parameters of them that exist, in the order of the names.

    While the caller works on one answer, the next is read.

    ssm:GetParametersByPath would bring ten a call too, but of everything that is published below the path.
    """
    wanted = list(dict.fromkeys(names))
    parts = [wanted[start : start + NAMES_A_CALL] for start in range(0, len(wanted), NAMES_A_CALL)]
    with ThreadPoolExecutor(max_workers=READERS) as pool:
        yield from zip(parts, pool.map(lambda part: read_parameters(ssm, part), parts), strict=True)
