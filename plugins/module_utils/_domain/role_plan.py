# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the state of a venue's role to the steps that make it what it shall be. Pure: the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import external_id as ids
from .errors import InvalidInput
from .names import Venue
from .policies import compact, masked, same, size
from .steps import Plan, Step
from .tags import check_ownership
from .trust import TRUST_POLICY_LENGTH, Trust, external_ids

POLICY_NAME = "venue-access"
INLINE_POLICY_LENGTH = 10240  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
KNOWN, PREVIOUS, NEW, TRUSTED = (
    "(the venue's external ID)",
    "(the previous external ID)",
    "(a new external ID)",
    "(the trust policy's external ID)",
)


@dataclass(frozen=True)
class Role:
    """A role as IAM describes it."""

    arn: str
    name: str
    role_id: str
    path: str
    trust: Mapping[str, Any] = field(repr=False)
    description: str = ""
    max_session_duration: int = 3600
    boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter as SSM describes it."""

    value: str = field(repr=False)
    type: str = "String"
    version: int = 1
    modified: datetime | None = None


@dataclass(frozen=True)
class Current:
    """What is there: the role, its inline policy, the parameter; and, for a removal, what hangs on the role."""

    role: Role | None = None
    policy: Mapping[str, Any] | None = None
    parameter: Parameter | None = None
    inline_policies: tuple[str, ...] = ()
    attached_policies: tuple[str, ...] = ()
    instance_profiles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desired:
    """What shall be there."""

    venue: Venue
    role_name: str
    path: str
    description: str
    max_session_duration: int
    boundary: str
    tags: Mapping[str, str]
    trust: Trust
    policy: Mapping[str, Any]
    partition: str
    parameter_type: str = ""
    kms_key_id: str = ""
    adopt: bool = False
    external_id: ids.Request = field(default=ids.Request(), repr=False)


def plan_present(current: Current, desired: Desired, candidate: str) -> Plan:
    """The steps from the current to the desired state; none if they are the same.

    :param candidate: a fresh random external ID, in case one is needed.
    :raises VenueError: another's role, unequal external IDs, a policy over its quota.
    """
    role = current.role
    if role:
        check_ownership(desired.venue, role.name, role.tags, adopt=desired.adopt)
        if role.path != desired.path:
            raise InvalidInput(
                "path", f"the role exists with path '{role.path}', and IAM cannot move a role to '{desired.path}'."
            )
    known = current.parameter.value if current.parameter else ""
    trusted = ids.ExternalIds(*external_ids(role.trust if role else None))
    settled = ids.settle(known, trusted, desired.external_id, candidate)
    trust = desired.trust._replace(external_id=settled.current, previous_external_id=settled.previous).policy(
        desired.partition
    )
    _check_sizes(trust, desired.policy)

    parameter_steps = list(
        _parameter_steps(current.parameter, desired, settled, recovered=settled.current == trusted.current)
    )
    trust_steps = list(_trust_steps(role, trust, desired)) if role else [_create_role(trust, desired)]
    first, second = parameter_steps, trust_steps
    # A change of type leaves SSM empty for a moment: by then the role must hold the value, lest it be lost with that
    # run.
    if len(parameter_steps) > 1 or not ids.parameter_first(known, trusted, settled):
        first, second = second, first
    steps = [
        *first,
        *second,
        *_boundary_steps(role, desired),
        *_policy_steps(current.policy, desired),
        *_setting_steps(role, desired),
    ]
    labels = {trusted.previous: PREVIOUS, known: KNOWN}
    labels.setdefault(trusted.current, TRUSTED if known else KNOWN)
    labels.setdefault(settled.current, NEW)
    after = _desired_state(desired, trust, settled.current, current, labels)
    return Plan(steps, _current_state(current, labels), after)


def plan_absent(current: Current, venue: Venue, role_name: str, *, adopt: bool) -> Plan:
    """The steps that remove role, policies and parameter. The role goes first: access ends before its record does.

    :raises OwnershipConflict: the role is another venue's, or nobody's and not to be adopted.
    """
    steps: list[Step] = []
    if current.role:
        check_ownership(venue, current.role.name, current.role.tags, adopt=adopt)
        name = {"RoleName": role_name}
        for arn in current.attached_policies:
            steps.append(
                Step("iam", "detach_role_policy", arn, "detach the managed policy", {**name, "PolicyArn": arn})
            )
        # What we grant goes before what others deny: should the run die here, no revoked token comes back to life.
        for policy in sorted(current.inline_policies, key=lambda one: one != POLICY_NAME):
            steps.append(
                Step("iam", "delete_role_policy", policy, "remove the inline policy", {**name, "PolicyName": policy})
            )
        for profile in current.instance_profiles:
            arguments = {**name, "InstanceProfileName": profile}
            steps.append(
                Step(
                    "iam",
                    "remove_role_from_instance_profile",
                    profile,
                    "take the role out of the instance profile",
                    arguments,
                )
            )
        steps.append(Step("iam", "delete_role", role_name, "delete the role", name))
    if current.parameter:
        path = venue.external_id_parameter
        steps.append(Step("ssm", "delete_parameter", path, "delete the external ID", {"Name": path}))
    labels = {current.parameter.value: KNOWN} if current.parameter else {}
    return Plan(steps, _current_state(current, labels), {})


def _check_sizes(trust: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    for what, document, limit in (
        ("trusted_principals", trust, TRUST_POLICY_LENGTH),
        ("buckets", policy, INLINE_POLICY_LENGTH),
    ):
        if size(document) > limit:
            kind = "trust" if document is trust else "permission"
            raise InvalidInput(
                what,
                f"the {kind} policy would have {size(document)} characters and IAM allows {limit}: name fewer or shorter ones.",
            )


def _parameter_steps(
    parameter: Parameter | None, desired: Desired, settled: ids.ExternalIds, *, recovered: bool
) -> Iterator[Step]:
    path = desired.venue.external_id_parameter
    kind = desired.parameter_type or (parameter.type if parameter else "String")
    key = {"KeyId": desired.kms_key_id} if kind == "SecureString" and desired.kms_key_id else {}
    arguments = {"Name": path, "Value": settled.current, "Type": kind, **key}
    if parameter and parameter.type != kind:
        # Parameter Store cannot change a type:
        # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
        yield Step(
            "ssm", "delete_parameter", path, f"remove the {parameter.type}, to store it as {kind}", {"Name": path}
        )
        parameter, recovered = None, True
    if not parameter:
        tags = [{"Key": k, "Value": v} for k, v in {**desired.tags, **desired.venue.tags("external-id")}.items()]
        summary = (
            f"store the external ID that the role has, as {kind}"
            if recovered
            else f"store a new external ID, as {kind}"
        )
        description = f"External ID of the role {desired.role_name}. Written by mdps.venue_sts."
        # Without Overwrite, the first of several runs wins and the others adopt its value.
        yield Step(
            "ssm",
            "put_parameter",
            path,
            summary,
            {**arguments, "Description": description, "Tags": tags, "Overwrite": False},
        )
    elif parameter.value != settled.current:
        yield Step(
            "ssm",
            "put_parameter",
            path,
            "replace the external ID",
            {**arguments, "Overwrite": True},
            version=parameter.version + 1,
        )


def _create_role(trust: Mapping[str, Any], desired: Desired) -> Step:
    boundary = {"PermissionsBoundary": desired.boundary} if desired.boundary else {}
    arguments = {
        "RoleName": desired.role_name,
        "Path": desired.path,
        "AssumeRolePolicyDocument": compact(trust),
        "Description": desired.description,
        "MaxSessionDuration": desired.max_session_duration,
        "Tags": [{"Key": key, "Value": value} for key, value in desired.tags.items()],
        **boundary,
    }
    return Step("iam", "create_role", desired.role_name, "create the role", arguments)


def _trust_steps(role: Role, trust: Mapping[str, Any], desired: Desired) -> Iterator[Step]:
    if not same(role.trust, trust):
        arguments = {"RoleName": desired.role_name, "PolicyDocument": compact(trust)}
        yield Step("iam", "update_assume_role_policy", desired.role_name, "set the trust policy", arguments)


def _boundary_steps(role: Role | None, desired: Desired) -> Iterator[Step]:
    if not role or role.boundary == desired.boundary:
        return
    name = {"RoleName": desired.role_name}
    if desired.boundary:
        arguments = {**name, "PermissionsBoundary": desired.boundary}
        yield Step("iam", "put_role_permissions_boundary", desired.role_name, "set the permissions boundary", arguments)
    else:
        yield Step(
            "iam", "delete_role_permissions_boundary", desired.role_name, "remove the permissions boundary", name
        )


def _policy_steps(policy: Mapping[str, Any] | None, desired: Desired) -> Iterator[Step]:
    if not same(policy, desired.policy):
        arguments = {
            "RoleName": desired.role_name,
            "PolicyName": POLICY_NAME,
            "PolicyDocument": compact(desired.policy),
        }
        yield Step("iam", "put_role_policy", f"{desired.role_name}/{POLICY_NAME}", "set the permissions", arguments)


def _setting_steps(role: Role | None, desired: Desired) -> Iterator[Step]:
    if not role:
        return
    name = {"RoleName": desired.role_name}
    if (role.description, role.max_session_duration) != (desired.description, desired.max_session_duration):
        arguments = {**name, "Description": desired.description, "MaxSessionDuration": desired.max_session_duration}
        yield Step("iam", "update_role", desired.role_name, "set description and longest session", arguments)
    missing = {key: value for key, value in desired.tags.items() if role.tags.get(key) != value}
    if missing:
        tags = [{"Key": key, "Value": value} for key, value in missing.items()]
        yield Step("iam", "tag_role", desired.role_name, f"set the tags {', '.join(missing)}", {**name, "Tags": tags})


def _current_state(current: Current, labels: Mapping[str, str]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    if current.parameter:
        state["external_id_parameter"] = {"type": current.parameter.type, "value": labels[current.parameter.value]}
    if current.role:
        role = current.role
        state["role"] = _role_state(role.name, role, role.tags)
        state["trust_policy"] = masked(role.trust, labels)
    if current.policy:
        state["permissions"] = current.policy
    return state


def _desired_state(
    desired: Desired, trust: Mapping[str, Any], value: str, current: Current, labels: Mapping[str, str]
) -> dict[str, Any]:
    role, parameter = current.role, current.parameter
    tags = {**(role.tags if role else {}), **desired.tags}
    trusted = masked(role.trust if role and same(role.trust, trust) else trust, labels)
    return {
        "external_id_parameter": {
            "type": desired.parameter_type or (parameter.type if parameter else "String"),
            "value": labels[value],
        },
        "role": _role_state(desired.role_name, desired, tags),
        "trust_policy": trusted,
        "permissions": current.policy if same(current.policy, desired.policy) else desired.policy,
    }


def _role_state(name: str, settings: Role | Desired, tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "path": settings.path,
        "description": settings.description,
        "max_session_duration": settings.max_session_duration,
        "permissions_boundary": settings.boundary or None,
        "tags": dict(sorted(tags.items())),
    }
