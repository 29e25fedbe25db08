# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell what the venue roles of an account are like: one venue, a list of venues, or every one there is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._aws.account import read_many_parameters, read_roles
from .._aws.calls import run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import Caller, read_caller
from .._domain import role_facts
from .._domain.arns import check_account_id
from .._domain.drift import beside, in_words
from .._domain.errors import InvalidInput, VenueError
from .._domain.names import BOUNDARY_PARAMETER, Venue
from .._domain.role_facts import Observed
from .._domain.role_plan import POLICY_NAME, Current, Parameter, plan_present
from ._operation import Operation, Params, Result, Runtime, filled_in
from .role import ARGUMENT_SPEC as ROLE_SPEC
from .role import OPERATION as ROLE
from .role import Found, Wish, check_account, desire, parse

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str"},
    "venue": {"type": "str"},
    "venues": {"type": "list", "elements": "dict"},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "expected_account_id": {"type": "str"},
}
UNUSED = "unused"  # stands for a new external ID in a plan that is not applied
SETTLED = {"on_external_id_conflict": "use_parameter"}


@dataclass(frozen=True)
class Asked:
    """A venue to tell about: what it shall be."""

    params: Mapping[str, Any]
    wish: Wish


@dataclass(frozen=True)
class Account:
    """What one round of reads brought; ``parameters`` come bit by bit."""

    caller: Caller
    roles: Mapping[str, Observed]
    parameters: dict[str, Parameter]
    region: str
    claims: Mapping[str, Sequence[Venue]]
    shared: Mapping[str, Sequence[str]]


def parse_venue(given: Mapping[str, Any], partition: str) -> Asked:
    """A venue with the options of ``venue_sts_role`` that describe its role.

    :raises InvalidInput: an unknown option, or one that cannot be right.
    """
    refused = sorted(set(given) - set(ROLE_SPEC).difference(role_facts.NOT_DESCRIBING) - {"resource_tags"})
    if refused:
        raise InvalidInput(
            "venues", f"{', '.join(refused)} is no option of venue_sts_role that describes a role: leave it out."
        )
    ROLE.check_not_blank(given, given=True)
    checked = ArgumentSpecValidator(ROLE_SPEC).validate(dict(given))
    if checked.error_messages:
        raise InvalidInput("venues", f"{given.get('project')}-{given.get('venue')}: {checked.error_messages[0]}.")
    params = {**checked.validated_parameters, **SETTLED}
    return Asked(params, parse(params, partition))


def parse_all(params: Params, partition: str) -> list[Asked]:
    """The venues that the options name; none for all of the account."""
    given: Sequence[Mapping[str, Any]] = params["venues"] or []
    if params["project"]:
        named = ("project", "venue", "name_prefix", "role_name")
        given = [{key: params[key] for key in named if params[key]}]
    elif params["role_name"]:
        raise InvalidInput("role_name", "belongs to one venue: give project and venue too.")
    return [parse_venue({"name_prefix": params["name_prefix"], **one}, partition) for one in given]


def tell(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_role_info``.

    :raises VenueError: see ``_domain/errors.py``. What is wrong with one venue is told in its facts, not raised.
    """
    asked = parse_all(params, clients.partition)
    if params["expected_account_id"]:
        check_account_id("expected_account_id", params["expected_account_id"])
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    caller, roles = run_concurrently(lambda: read_caller(sts), lambda: read_roles(iam))
    check_account(caller, params["expected_account_id"])
    venue_roles = [one for one in roles if role_facts.is_venue_role(one.role, params["name_prefix"])]
    unclaimed: list[Observed] = []
    if params["venues"] is None and not params["project"]:
        owned = [one for one in venue_roles if role_facts.owner(one.role.tags)]
        unclaimed = [one for one in venue_roles if not role_facts.owner(one.role.tags)]
        asked = [_discovered(one, params, clients.partition) for one in owned]
    claims: dict[str, list[Venue]] = {}
    for one in asked:
        claims.setdefault(one.wish.role_name.lower(), []).append(one.wish.venue)
    # Without regard to case, as IAM takes role names.
    by_name = {one.role.name.lower(): one for one in roles}
    account = Account(caller, by_name, {}, clients.region, claims, role_facts.holders(venue_roles))
    told = [*_all_facts(asked, account, ssm, runtime)] + [
        _unclaimed(one, params["name_prefix"], runtime) for one in unclaimed
    ]
    return {
        "changed": False,
        "venues": sorted(told, key=lambda one: (one["project"] or "", one["venue"] or "", one["role_name"])),
    }


def _discovered(observed: Observed, params: Params, partition: str) -> Asked:
    role, venue = observed.role, role_facts.owner(observed.role.tags)
    project, name = venue if venue else ("", "")
    own = {"description": role.description} if role.description else {}
    return parse_venue({"project": project, "venue": name, "role_name": role.name, "path": role.path, **own}, partition)


def _names(asked: Sequence[Asked]) -> list[str]:
    names = [BOUNDARY_PARAMETER] if any(one.wish.boundary is None for one in asked) else []
    for one in asked:
        names.append(one.wish.venue.external_id_parameter)
        if one.wish.buckets is None:
            names.append(one.wish.venue.bucket_parameter)
    return names


def _all_facts(asked: Sequence[Asked], account: Account, ssm: Any, runtime: Runtime) -> Iterator[dict[str, Any]]:
    """Tell of each venue as soon as its parameters have come."""
    waiting, read = deque(asked), set[str]()
    for names, found in read_many_parameters(ssm, _names(asked)):
        read.update(names)
        account.parameters.update(found)
        while waiting and read.issuperset(_names([waiting[0]])):
            yield _facts(waiting.popleft(), account, runtime)


def _facts(one: Asked, account: Account, runtime: Runtime) -> dict[str, Any]:
    wish, observed = one.wish, account.roles.get(one.wish.role_name.lower())
    parameter = account.parameters.get(wish.venue.external_id_parameter)
    rivals = [str(other) for other in account.claims[wish.role_name.lower()] if other != wish.venue]
    facts = {
        **_identity(wish.venue, wish.role_name, account),
        **role_facts.role_facts(observed, runtime.now()),
        "external_id": role_facts.external_id_facts(
            wish.venue, parameter, observed.role if observed else None, account.shared
        ),
        "name_also_reads_as": [
            f"{other.project} + {other.venue}"
            for other in role_facts.readings(wish.role_name, one.params["name_prefix"])
            if other != wish.venue
        ],
        **_drift(one, observed, parameter, account),
    }
    if rivals:
        facts["problem"] = (
            f"the role name is also that of {', '.join(rivals)}: give one of them a role_name of its own."
        )
    return {**facts, "status": role_facts.status(facts)}


def _identity(venue: Venue | None, role_name: str, account: Account | None) -> dict[str, Any]:
    return {
        "project": venue.project if venue else None,
        "venue": venue.venue if venue else None,
        "account_id": account.caller.account_id if account else None,
        "region": account.region if account else None,
        "role_name": role_name,
    }


def _drift(one: Asked, observed: Observed | None, parameter: Parameter | None, account: Account) -> dict[str, Any]:
    """What differs from the desired state, and what keeps that from being told."""
    expected = one.params["expected_account_id"]
    if expected and expected != account.caller.account_id:
        return {
            "drift": [],
            "problem": f"the credentials are for account {account.caller.account_id}, but the venue is in account {expected}.",
        }
    if not observed:
        return {"drift": [], "problem": None}
    current = Current(observed.role, observed.inline.get(POLICY_NAME), parameter)
    try:
        desired, _discovered_from = desire(
            one.params, one.wish, Found(account.caller, current, account.parameters), account.region
        )
        return {"drift": [*in_words(plan_present(current, desired, UNUSED)), *beside(observed)], "problem": None}
    except VenueError as error:
        return {"drift": beside(observed), "problem": error.message}


def _unclaimed(observed: Observed, prefix: str, runtime: Runtime) -> dict[str, Any]:
    """A role that is named like a venue's, but whose tags do not say whose it is."""
    possible = [f"{one.project} + {one.venue}" for one in role_facts.readings(observed.role.name, prefix)]
    return {
        **_identity(None, observed.role.name, None),
        **role_facts.role_facts(observed, runtime.now()),
        "account_id": observed.role.arn.split(":")[4],
        "external_id": None,
        "name_also_reads_as": possible,
        "drift": beside(observed),
        "problem": "its tags do not say whose it is (Proj and Venue); provision the venue with adopt: true to take it over.",
        "status": "broken",
    }


OPERATION = Operation(
    name="venue_sts_role_info",
    argument_spec=ARGUMENT_SPEC,
    execute=tell,
    narrowing=filled_in(ARGUMENT_SPEC),
    constraints={
        "required_together": [("project", "venue")],
        "mutually_exclusive": [("project", "venues"), ("role_name", "venues")],
    },
)
