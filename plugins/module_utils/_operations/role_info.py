# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather information about the venue roles of an account: one venue, a list of venues, or all of them."""

from __future__ import annotations

import functools
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
from .._domain.drift import differences, unmanaged
from .._domain.errors import AwsRefused, InvalidInput, VenueError
from .._domain.lease_names import lease_path
from .._domain.leases import RENEW_BEFORE
from .._domain.names import Venue
from .._domain.role_facts import Observed
from .._domain.role_plan import Current, plan_present
from .._domain.roles import POLICY_NAME, Parameter, Role
from ._operation import Operation, Params, Result, Runtime, check_not_blank, check_types, filled_in
from .accounts import check_account, check_expected_account
from .leases import lease_facts, read_leases
from .role_options import ARGUMENT_SPEC as ROLE_SPEC
from .role_options import NARROWING as ROLE_NARROWING
from .role_options import RoleOptions, parse_role
from .role_state import FoundRole, desired_state, discover, wanted_parameters

_OF_ONE_VENUE = ("role_name", "external_id_parameter", "bucket_parameter")
ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str"},
    "venue": {"type": "str"},
    "venues": {"type": "list", "elements": "dict"},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "external_id_parameter": {"type": "str"},
    "bucket_parameter": {"type": "str"},
    "boundary_parameter": {"type": "str"},
    "leases": {"type": "bool", "default": False},
    "expected_account_id": {"type": "str"},
}
VENUES_A_ROUND = 10  # venues whose leases are read side by side
UNUSED = "unused-external-id-of-a-plan"  # stands for a new external ID in a plan that is never applied


@dataclass(frozen=True)
class Asked:
    """A venue to describe.

    :param name_prefix: of its role name.
    :param options: what its role should be.
    :param lease_path: the parameters that its leases are below.
    """

    name_prefix: str
    options: RoleOptions
    lease_path: str


@dataclass(frozen=True)
class InfoOptions:
    """What the options say.

    :param asked: the venues to describe; None for every one of the account.
    :param defaults: the options of ``venue_sts_role`` that hold for every venue.
    """

    asked: Sequence[Asked] | None
    defaults: Mapping[str, Any]
    leases: bool
    expected_account_id: str
    partition: str

    @property
    def name_prefix(self) -> str:
        """What conventional role names begin with."""
        return str(self.defaults["name_prefix"])


@dataclass(frozen=True)
class AccountFacts:
    """What one round of reads brought; ``parameters`` are added while the facts are made."""

    caller: Caller
    roles: Mapping[str, Observed]
    parameters: dict[str, Parameter]
    region: str
    claims: Mapping[str, Sequence[Venue]]
    shared: Mapping[str, Sequence[Role]]


def parse(params: Params, clients: Clients, _runtime: Runtime) -> InfoOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    single = [option for option in _OF_ONE_VENUE if params[option] is not None]
    if single and params["project"] is None:
        raise InvalidInput(single[0], "belongs to one venue: also set project and venue.")
    given: Sequence[Mapping[str, Any]] | None = params["venues"]
    if params["project"] is not None:
        given = [{name: params[name] for name in ("project", "venue", *_OF_ONE_VENUE) if params[name] is not None}]
    shared = ("name_prefix", "boundary_parameter")
    defaults = {name: params[name] for name in shared if params[name] is not None}
    partition = clients.partition
    return InfoOptions(
        asked=None if given is None else [_parse_venue({**defaults, **one}, partition) for one in given],
        defaults=defaults,
        leases=params["leases"],
        expected_account_id=check_expected_account(params["expected_account_id"]),
        partition=partition,
    )


def _parse_venue(given: Mapping[str, Any], partition: str) -> Asked:
    """A venue with the options of ``venue_sts_role`` that describe its role.

    :raises InvalidInput: an unknown option, or one that cannot be right.
    """
    given = dict(given)
    path = given.pop("lease_path", None)
    refused = sorted(set(given) - set(ROLE_SPEC).difference(role_facts.NOT_DESCRIBING) - {"resource_tags"})
    if refused:
        raise InvalidInput(
            "venues", f"{', '.join(refused)} is not an option of venue_sts_role that describes a role: omit it."
        )
    check_not_blank(ROLE_SPEC, ROLE_NARROWING, given, given=True)
    name = f"{given.get('project')}-{given.get('venue')}"
    try:
        check_types(ROLE_SPEC, given)
    except InvalidInput as error:
        raise InvalidInput("venues", f"{name}: {error.message}") from None
    checked = ArgumentSpecValidator(ROLE_SPEC).validate(given)
    if checked.error_messages:
        raise InvalidInput("venues", f"{name}: {checked.error_messages[0]}.")
    params = checked.validated_parameters
    options = parse_role({**params, "on_external_id_conflict": "use_parameter"}, partition)
    return Asked(params["name_prefix"], options, lease_path(options.venue, path))


def gather(options: InfoOptions, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_role_info``.

    :raises VenueError: see ``_domain/errors.py``. What is wrong with one venue is in its facts, not raised.
    """
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    caller, roles = run_concurrently(lambda: read_caller(sts), lambda: read_roles(iam))
    check_account(caller, options.expected_account_id)
    venue_roles = [one for one in roles if role_facts.is_venue_role(one.role, options.name_prefix)]
    asked, unclaimed = options.asked, list[Observed]()
    if asked is None:
        asked = [_discovered(one, options) for one in venue_roles if role_facts.owner(one.role.tags)]
        unclaimed = [one for one in venue_roles if not role_facts.owner(one.role.tags)]
    claims: dict[str, list[Venue]] = {}
    for one in asked:
        claims.setdefault(one.options.role_name.lower(), []).append(one.options.venue)
    # Without regard to case, as IAM compares role names.
    by_name = {one.role.name.lower(): one for one in roles}
    account = AccountFacts(caller, by_name, {}, clients.region, claims, role_facts.holders(venue_roles))
    leases = _read_leases(asked, ssm, runtime) if options.leases else [{}] * len(asked)
    facts = [
        *({**one, **more} for one, more in zip(_all_facts(asked, account, ssm, runtime), leases, strict=True)),
        *(_unclaimed(one, options.name_prefix, runtime) for one in unclaimed),
    ]
    return {
        "changed": False,
        "venues": sorted(facts, key=lambda one: (one["project"] or "", one["venue"], one["role_name"])),
    }


def _discovered(observed: Observed, options: InfoOptions) -> Asked:
    role, venue = observed.role, role_facts.owner(observed.role.tags)
    project, name = venue or ("", "")
    own = {"description": role.description} if role.description else {}
    given = {"project": project, "venue": name, "role_name": role.name, "path": role.path, **own}
    return _parse_venue({**options.defaults, **given}, options.partition)


def _read_leases(asked: Sequence[Asked], ssm: Any, runtime: Runtime) -> list[dict[str, Any]]:
    """The leases of each venue, ten venues at a time."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(asked), VENUES_A_ROUND):
        part = asked[start : start + VENUES_A_ROUND]
        found += run_concurrently(*[functools.partial(_leases_of, one, ssm, runtime) for one in part])
    return found


def _leases_of(one: Asked, ssm: Any, runtime: Runtime) -> dict[str, Any]:
    try:
        found = read_leases(ssm, one.options.venue, one.lease_path)
    except AwsRefused as error:
        return {"leases": [], "lease_problems": [error.message]}
    return {"leases": lease_facts(found, RENEW_BEFORE, runtime.now()), "lease_problems": list(found.unreadable)}


def _names(asked: Sequence[Asked]) -> list[str]:
    return [name for one in asked for name in wanted_parameters(one.options)]


def _all_facts(asked: Sequence[Asked], account: AccountFacts, ssm: Any, runtime: Runtime) -> Iterator[dict[str, Any]]:
    """The facts of each venue, as soon as its parameters have been read."""
    waiting, read = deque(asked), set[str]()
    for names, found in read_many_parameters(ssm, _names(asked)):
        read.update(names)
        account.parameters.update(found)
        while waiting and read.issuperset(_names([waiting[0]])):
            yield _facts(waiting.popleft(), account, runtime)


def _facts(one: Asked, account: AccountFacts, runtime: Runtime) -> dict[str, Any]:
    options = one.options
    venue, role_name = options.venue, options.role_name
    observed = account.roles.get(role_name.lower())
    parameter = account.parameters.get(options.parameters.external_id)
    rivals = [str(other) for other in account.claims[role_name.lower()] if other != venue]
    facts = {
        **_identity(venue, role_name, account),
        **role_facts.role_facts(observed, runtime.now()),
        "external_id": role_facts.external_id_facts(
            options.parameters.external_id, parameter, observed.role if observed else None, account.shared
        ),
        "name_also_reads_as": [
            f"{other.project} + {other.venue}"
            for other in role_facts.readings(role_name, one.name_prefix)
            if other.key != venue.key
        ],
        **_drift(options, observed, parameter, account),
    }
    if rivals:
        facts["problem"] = (
            f"the role name is also that of {', '.join(rivals)}: set a different role_name for one of them."
        )
    return {**facts, "status": role_facts.status(facts)}


def _identity(venue: Venue | None, role_name: str, account: AccountFacts | None) -> dict[str, Any]:
    return {
        "project": venue.project if venue else None,
        "venue": venue.venue if venue else None,
        "account_id": account.caller.account_id if account else None,
        "region": account.region if account else None,
        "role_name": role_name,
    }


def _drift(
    options: RoleOptions, observed: Observed | None, parameter: Parameter | None, account: AccountFacts
) -> dict[str, Any]:
    """What differs from the desired state, and what keeps that from being found out."""
    expected = options.expected_account_id
    if expected and expected != account.caller.account_id:
        return {
            "drift": [],
            "problem": f"the credentials are for account {account.caller.account_id}, but the venue is in account "
            f"{expected}.",
        }
    if not observed:
        return {"drift": [], "problem": None}
    current = Current(observed.role, observed.inline.get(POLICY_NAME), parameter)
    found = FoundRole(account.caller, current, account.parameters, account.region)
    try:
        plan = plan_present(current, desired_state(options, found, discover(options, found)), UNUSED)
        return {"drift": [*differences(plan, observed.role), *unmanaged(observed)], "problem": None}
    except VenueError as error:
        return {"drift": unmanaged(observed), "problem": error.message}


def _unclaimed(observed: Observed, prefix: str, runtime: Runtime) -> dict[str, Any]:
    """A role that is named like a venue's, but whose tags do not say whose it is."""
    possible = [f"{one.project} + {one.venue}" for one in role_facts.readings(observed.role.name, prefix)]
    return {
        **_identity(None, observed.role.name, None),
        **role_facts.role_facts(observed, runtime.now()),
        "account_id": observed.role.arn.split(":")[4],
        "external_id": None,
        "name_also_reads_as": possible,
        "drift": unmanaged(observed),
        "problem": "its tags do not say whose it is (Proj, Venue, Capability); provision the venue with adopt: true "
        "to adopt it.",
        "status": "broken",
    }


OPERATION = Operation(
    name="venue_sts_role_info",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=gather,
    narrowing=filled_in(ARGUMENT_SPEC),
    constraints={
        "required_together": [("project", "venue")],
        "mutually_exclusive": [("project", "venues"), ("role_name", "venues")],
    },
)
