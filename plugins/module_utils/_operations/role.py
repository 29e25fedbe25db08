# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make a venue's STS role what it shall be, or remove it."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .._aws.calls import apply, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import (
    Caller,
    read_attached,
    read_caller,
    read_inline_names,
    read_instance_profiles,
    read_parameters,
    read_policy,
    read_role,
)
from .._domain import permissions, trust
from .._domain.access import check_buckets, check_prefixes, check_repositories
from .._domain.arns import check_account_id, parse_arn
from .._domain.errors import AccountMismatch, ConcurrentChange, InvalidInput, NotProvisioned, VenueError
from .._domain.external_id import CONFLICT_CHOICES, Request
from .._domain.names import (
    BOUNDARY_PARAMETER,
    Venue,
    check_external_id,
    check_path,
    check_range,
    check_role_name,
    make_venue,
)
from .._domain.role_plan import Current, Desired, Parameter, plan_absent, plan_present
from .._domain.steps import Plan, Step
from .._domain.tags import OWNERSHIP, check_tags
from ._operation import Operation, Params, Result, Runtime, filled_in
from ._prove import prove_assumable

ATTEMPTS = 8  # at reading and planning again because somebody else changed the venue meanwhile
LONGEST_WAIT = 3600
EXTERNAL_ID_BYTES = 20  # 160 bits, as 40 hexadecimal digits

ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "path": {"type": "str", "default": "/"},
    "description": {"type": "str"},
    "tags": {"type": "dict", "default": {}, "aliases": ["resource_tags"]},
    "max_session_duration": {"type": "int", "default": 3600},
    "trusted_principals": {"type": "list", "elements": "str"},
    "saml_provider_arns": {"type": "list", "elements": "str", "default": []},
    "require_mfa": {"type": "bool", "default": False},
    "buckets": {"type": "list", "elements": "str"},
    "bucket_prefixes": {"type": "list", "elements": "str"},
    "allow_delete": {"type": "bool", "default": False},
    "kms_key_arns": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "ecr_repositories": {"type": "list", "elements": "str"},
    "permissions_boundary": {"type": "str"},
    "external_id": {"type": "str", "no_log": True},
    "external_id_type": {"type": "str", "choices": ["String", "SecureString"]},
    "kms_key_id": {"type": "str", "no_log": False},
    "on_external_id_conflict": {"type": "str", "choices": list(CONFLICT_CHOICES), "default": "fail"},
    "rotate_external_id": {"type": "bool", "default": False},
    "retire_previous_external_id": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
    "expected_account_id": {"type": "str"},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}


class Wish(NamedTuple):
    """The options, checked as far as that goes without asking AWS. None: to be found out."""

    venue: Venue
    role_name: str
    path: str
    description: str
    tags: dict[str, str]
    max_session_duration: int
    trusted_principals: tuple[str, ...]
    saml_providers: tuple[str, ...]
    require_mfa: bool
    buckets: tuple[str, ...] | None
    grant: permissions.Grant
    boundary: str | None
    external_id: Request
    partition: str


class Found(NamedTuple):
    """What one round of reads brought."""

    caller: Caller
    current: Current
    parameters: dict[str, Parameter]


def parse(params: Params, partition: str) -> Wish:
    """Check the options.

    :param partition: the partition of the region in use.
    :raises InvalidInput: an option cannot be right.
    """
    venue = make_venue(params["project"], params["venue"])
    role_name = (
        check_role_name("role_name", params["role_name"])
        if params["role_name"]
        else venue.role_name(params["name_prefix"])
    )
    buckets = None if params["buckets"] is None else check_buckets("buckets", params["buckets"])
    check_range("wait_timeout", params["wait_timeout"], 0, LONGEST_WAIT)
    repositories = [f"{venue.project}/*"] if params["ecr_repositories"] is None else params["ecr_repositories"]
    return Wish(
        venue=venue,
        role_name=role_name,
        path=check_path(params["path"]),
        description=_check_description(
            params["description"] or f"Short-term access to the MDPS venue {venue}. Managed by mdps.venue_sts."
        ),
        tags=_check_role_tags(venue, params["tags"]),
        max_session_duration=check_range("max_session_duration", params["max_session_duration"], 3600, 43200),
        trusted_principals=trust.check_principals(params["trusted_principals"] or [], partition),
        saml_providers=trust.check_saml_providers(params["saml_provider_arns"], partition),
        require_mfa=params["require_mfa"],
        buckets=buckets,
        grant=permissions.Grant(
            buckets=buckets or (),
            repositories=check_repositories(venue, repositories),
            bucket_prefixes=check_prefixes(params["bucket_prefixes"] or ()),
            kms_keys=permissions.check_kms_keys(params["kms_key_arns"], partition),
            delete=params["allow_delete"],
        ),
        boundary=_check_boundary("permissions_boundary", params["permissions_boundary"], partition),
        external_id=_check_external_id_options(params),
        partition=partition,
    )


def _check_description(text: str) -> str:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    if len(text) > 1000 or not all(c in "\t\n\r" or " " <= c <= "~" or "¡" <= c <= "ÿ" for c in text):
        raise InvalidInput("description", "must be at most 1,000 characters of Latin-1 text.")
    return text


def _check_role_tags(venue: Venue, given: dict[str, Any]) -> dict[str, str]:
    own = venue.tags("role")
    changed = [key for key in OWNERSHIP if key in given and str(given[key]) != own[key]]
    if changed:
        raise InvalidInput("tags", f"{changed[0]} says whose the role is and cannot be set to something else.")
    return check_tags("tags", {**own, **given})


def _check_boundary(option: str, text: str | None, partition: str) -> str | None:
    """A boundary's ARN or name; '' for none; None to find it out."""
    if text is None:
        return None
    if text == "none":
        return ""
    if text.startswith("arn:"):
        return str(
            parse_arn(
                option, text, service="iam", resource=r"policy/[\w+=,.@/-]+", example="policy/NAME", partition=partition
            )
        )
    if not re.fullmatch(r"[\w+=,.@-]{1,128}", text, re.ASCII):
        raise InvalidInput(option, f"'{text}' is neither the ARN nor the name of a managed policy, nor 'none'.")
    return text


def _check_external_id_options(params: Params) -> Request:
    given = check_external_id("external_id", params["external_id"]) if params["external_id"] is not None else ""
    if params["kms_key_id"] and params["external_id_type"] == "String":
        raise InvalidInput(
            "kms_key_id", "encrypts a SecureString: set external_id_type to SecureString, or leave the key out."
        )
    return Request(
        given, params["on_external_id_conflict"], params["rotate_external_id"], params["retire_previous_external_id"]
    )


def read(wish: Wish, clients: Clients, *, for_removal: bool) -> Found:
    """Read everything that a plan needs, side by side."""
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    names = [wish.venue.external_id_parameter]
    if not for_removal:
        names += [wish.venue.bucket_parameter] if wish.buckets is None else []
        names += [BOUNDARY_PARAMETER] if wish.boundary is None else []
    reads: list[Any] = [
        lambda: read_caller(sts),
        lambda: read_role(iam, wish.role_name),
        lambda: read_parameters(ssm, names),
    ]
    if for_removal:
        hanging = (read_inline_names, read_attached, read_instance_profiles)
        reads += [lambda list_=list_: list_(iam, wish.role_name) for list_ in hanging]
    else:
        reads += [lambda: read_policy(iam, wish.role_name)]
    caller, role, parameters, *more = run_concurrently(*reads)
    parameter = parameters.get(wish.venue.external_id_parameter)
    current = Current(role, None, parameter, *more) if for_removal else Current(role, more[0], parameter)
    return Found(caller, current, parameters)


def check_account(caller: Caller, expected: str | None) -> None:
    """Refuse to work in another account than the one meant.

    :raises AccountMismatch: as said.
    """
    if expected and caller.account_id != check_account_id("expected_account_id", expected):
        raise AccountMismatch(
            f"the credentials are for account {caller.account_id} ({caller.arn}), but the venue is in account {expected}. "
            "Nothing was done. Get keys for the venue's account.",
            account_id=caller.account_id,
            expected_account_id=expected,
        )


def desire(params: Params, wish: Wish, found: Found, region: str) -> tuple[Desired, dict[str, Any]]:
    """The desired state, and where its discovered parts came from.

    :raises NotProvisioned: bucket or boundary are neither given nor published.
    """
    account = found.caller.account_id
    buckets, bucket_source = wish.buckets, "buckets"
    if buckets is None:
        bucket_source = wish.venue.bucket_parameter
        buckets = check_buckets(bucket_source, [_published(found, bucket_source, "buckets")])
    boundary, boundary_source = wish.boundary, "permissions_boundary"
    if boundary is None:
        boundary_source = BOUNDARY_PARAMETER
        boundary = _check_boundary(
            boundary_source, _published(found, boundary_source, "permissions_boundary"), wish.partition
        )
    if boundary and not boundary.startswith("arn:"):
        boundary = f"arn:{wish.partition}:iam::{account}:policy/{boundary}"
    principals = wish.trusted_principals or (f"arn:{wish.partition}:iam::{account}:root",)
    desired = Desired(
        venue=wish.venue,
        role_name=wish.role_name,
        path=wish.path,
        description=wish.description,
        max_session_duration=wish.max_session_duration,
        boundary=boundary or "",
        tags=wish.tags,
        trust=trust.Trust(principals, "", "", wish.saml_providers, wish.require_mfa),
        policy=permissions.policy(
            wish.grant._replace(buckets=buckets), permissions.Place(wish.partition, region, account)
        ),
        partition=wish.partition,
        parameter_type=params["external_id_type"] or "",
        kms_key_id=params["kms_key_id"] or "",
        adopt=params["adopt"],
        external_id=wish.external_id,
    )
    discovered = {
        "buckets": {"names": list(buckets), "source": bucket_source},
        "permissions_boundary": {"arn": boundary or None, "source": boundary_source},
    }
    return desired, discovered


def _published(found: Found, name: str, option: str) -> str:
    if name not in found.parameters:
        alternative = "name the bucket" if option == "buckets" else "name one, or set it to 'none' to do without"
        raise NotProvisioned(
            f"the SSM parameter {name} does not exist, so {option} cannot be discovered: {alternative} with the option {option}."
        )
    return found.parameters[name].value


def ensure_role(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_role``.

    :raises VenueError: see ``_domain/errors.py``; ``steps`` then lists what had been done before.
    """
    done: list[tuple[Step, dict[str, Any]]] = []
    try:
        wish = parse(params, clients.partition)
        if params["expected_account_id"]:
            check_account_id("expected_account_id", params["expected_account_id"])
        plan, result = _converge(params, wish, clients, runtime, done)
        if params["wait"] and params["state"] == "present" and not runtime.check_mode:
            prove_assumable(clients, runtime, wish.role_name, wish.venue.external_id_parameter, params["wait_timeout"])
            result["assumable"] = True
    except VenueError as error:
        error.facts.setdefault("steps", [step.shown() for step, _answer in done])
        raise
    steps = plan.steps if runtime.check_mode else [step for step, _answer in done]
    return {**result, "changed": bool(steps), "steps": [step.shown() for step in steps], "diff": plan.diff()}


def _converge(
    params: Params, wish: Wish, clients: Clients, runtime: Runtime, done: list[tuple[Step, dict[str, Any]]]
) -> tuple[Plan, Result]:
    """Read, plan, apply; again from the start if somebody else came between. The first plan is the one to show."""
    plans: list[Plan] = []
    discovered: dict[str, Any] = {}
    candidate = runtime.token_hex(EXTERNAL_ID_BYTES)
    for attempt in range(ATTEMPTS):
        found = read(wish, clients, for_removal=params["state"] == "absent")
        check_account(found.caller, params["expected_account_id"])
        if params["state"] == "absent":
            plan = plan_absent(found.current, wish.venue, wish.role_name, adopt=params["adopt"])
        else:
            desired, discovered = desire(params, wish, found, clients.region)
            plan = plan_present(found.current, desired, candidate)
        plans.append(plan)
        try:
            if not runtime.check_mode:
                apply(clients.client, plan.steps, done)
        except ConcurrentChange:
            if attempt == ATTEMPTS - 1:
                raise
            runtime.sleep(runtime.jitter(0.2 * 2**attempt))
            # Whoever wrote the parameter last has decided; a rotation must not start a second time.
            settled = Request(wish.external_id.given, "use_parameter", False, wish.external_id.retire)
            wish = wish._replace(external_id=settled)
        else:
            break
    return plans[0], {**_identity(wish, found, done), **discovered}


def _identity(wish: Wish, found: Found, done: list[tuple[Step, dict[str, Any]]]) -> Result:
    role, account = found.current.role, found.caller.account_id
    created = next((answer["Role"] for step, answer in done if step.operation == "create_role"), None)
    return {
        "role": {
            "arn": role.arn if role else f"arn:{wish.partition}:iam::{account}:role{wish.path}{wish.role_name}",
            "name": wish.role_name,
            "role_id": role.role_id if role else created["RoleId"] if created else None,
            "account_id": account,
            "partition": wish.partition,
        },
        "external_id_parameter": wish.venue.external_id_parameter,
    }


OPERATION = Operation(
    name="venue_sts_role",
    argument_spec=ARGUMENT_SPEC,
    execute=ensure_role,
    # No identity provider and no key are less than one.
    narrowing=filled_in(ARGUMENT_SPEC, but=("description", "tags", "saml_provider_arns", "kms_key_arns")),
)
