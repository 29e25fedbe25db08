# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the current and the desired state of a venue's role to a plan. Pure: the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import external_id as ids
from .access import read_policy
from .errors import InvalidInput
from .names import Venue
from .oidc_plan import Found as OidcProviders
from .oidc_plan import provider_steps, provider_tags, state, state_after
from .policies import compact, masked, same, size
from .roles import INLINE_POLICY_LENGTH, POLICY_NAME, Parameter, Role
from .steps import Plan, Step
from .tags import MOST_TAGS, check_ownership, merged, tag_value
from .trust import Trust
from .trust_plan import TrustChange, change_trust, check_length, undecided
from .trust_reader import is_locked, read_trust

KNOWN, PREVIOUS, NEW, TRUSTED = (
    "(the venue's external ID)",
    "(the previous external ID)",
    "(a new external ID)",
    "(the trust policy's external ID)",
)


@dataclass(frozen=True)
class Current:
    """The role, its inline policy and the parameter; for a removal, also what else is attached to the role.

    :param oidc_providers: those that the run may create or extend.
    """

    role: Role | None = None
    policy: Mapping[str, Any] | None = None
    parameter: Parameter | None = None
    inline_policies: tuple[str, ...] = ()
    attached_policies: tuple[str, ...] = ()
    instance_profiles: tuple[str, ...] = ()
    oidc_providers: OidcProviders = field(default_factory=dict)


@dataclass(frozen=True)
class Desired:
    """The desired state of a venue's role.

    :param external_id_parameter: the name of the SSM parameter that holds the external ID.
    :param remove_foreign: whether a foreign Deny is removed from the trust policy.
    """

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
    external_id_parameter: str
    parameter_type: str = ""
    kms_key_id: str = ""
    adopt: bool = False
    remove_foreign: bool = False
    external_id: ids.ExternalIdRequest = field(default=ids.ExternalIdRequest(), repr=False)


def plan_present(current: Current, desired: Desired, candidate: str) -> Plan:
    """The steps from the current to the desired state; none if they are the same.

    :param candidate: a fresh random external ID, in case one is needed.
    :raises VenueError: another's role, unequal external IDs, something over its quota.
    """
    role = current.role
    _check_role(role, desired)
    known = current.parameter.value if current.parameter else ""
    reading = read_trust(role.trust if role else None)
    trusted = ids.trusted_ids(reading, desired.external_id.given or known)
    chosen = ids.choose(known, trusted, desired.external_id, candidate)
    ids.check_given(desired.external_id, (known, *trusted.every), _public_names(desired))
    trust = desired.trust._replace(external_id=chosen.current, previous_external_ids=chosen.previous)
    change = change_trust(role.trust if role else None, trust, desired.partition, remove_foreign=desired.remove_foreign)
    tight = _check_quotas(current, desired, change, trust, candidate)
    recovered = chosen.current == trusted.current
    parameter_steps = list(_parameter_steps(current.parameter, desired, chosen, recovered=recovered))
    trust_steps = list(_trust_steps(change, desired)) if role else [_create_role(change.policy, desired)]
    # A change of type leaves SSM without the value for a moment: the role must hold it by then, or a run that is
    # interrupted there would lose it.
    parameter_first = len(parameter_steps) == 1 and ids.parameter_first(known, trusted, chosen)
    steps = [
        *provider_steps(current.oidc_providers, trust.oidc_providers, desired.partition, provider_tags(desired.venue)),
        *_in_order(
            list(_boundary_steps(role, desired)),
            parameter_steps + trust_steps if parameter_first else trust_steps + parameter_steps,
            bounds=bool(desired.boundary),
        ),
        *_policy_steps(current.policy, desired),
        *_setting_steps(role, desired),
    ]
    labels = _labels(known, trusted, chosen)
    after = _desired_state(desired, change.policy, chosen.current, current, labels)
    after |= state_after(current.oidc_providers, trust.oidc_providers, desired.partition)
    of_providers = [note for one in trust.oidc_providers for note in one.notes()]
    notes = [*change.notes(), *of_providers, *undecided(reading), *_weakness(desired, known, chosen)]
    notes += [tight] if tight else []
    return Plan(steps, _current_state(current, labels), after, notes, change.locked)


def _in_order(boundary: list[Step], others: list[Step], *, bounds: bool) -> list[Step]:
    """The steps of a boundary and those of trust and external ID, in the order in which each is safe.

    A boundary comes before everything that it is to bound, and only who has one may be changed by some callers.

    :param bounds: whether there is to be a boundary.
    """
    return [*boundary, *others] if bounds else [*others, *boundary]


def _check_role(role: Role | None, desired: Desired) -> None:
    """Refuse another's role, and one in another path.

    :raises VenueError: as said.
    """
    if not role:
        return
    check_ownership(desired.venue, role.name, role.tags, adopt=desired.adopt)
    if role.path != desired.path:
        raise InvalidInput(
            "path", f"the role exists with path '{role.path}', and IAM cannot move a role to '{desired.path}'."
        )


def _labels(known: str, trusted: ids.ExternalIds, chosen: ids.ExternalIds) -> dict[str, str]:
    """What the plan shows instead of each external ID."""
    labels = dict.fromkeys(trusted.previous, PREVIOUS)
    labels[known] = KNOWN
    labels.setdefault(trusted.current, TRUSTED if known else KNOWN)
    labels.setdefault(chosen.current, NEW)
    return labels


def _public_names(desired: Desired) -> tuple[str, ...]:
    return (
        desired.role_name,
        desired.external_id_parameter,
        desired.boundary,
        *desired.trust.principals,
        *desired.tags.values(),
    )


def _weakness(desired: Desired, known: str, chosen: ids.ExternalIds) -> Iterator[str]:
    problem = ids.weakness(chosen.current, _public_names(desired)) if chosen.current == known else ""
    if problem:
        yield f"The external ID of the venue {problem}, so it can be guessed. Rotate it."


def plan_absent(current: Current, venue: Venue, role_name: str, parameter_name: str, *, adopt: bool) -> Plan:
    """The steps that remove role, policies and parameter. The role goes first: access ends before its record does.

    :raises OwnershipConflict: the role is another venue's, or has no owner and is not to be adopted.
    """
    steps: list[Step] = []
    notes: list[str] = []
    if current.role:
        check_ownership(venue, current.role.name, current.role.tags, adopt=adopt)
        notes += _lost_lock(current.role)
        steps += _removal_steps(current, current.role.name)
    if current.parameter:
        steps.append(
            Step("ssm", "delete_parameter", parameter_name, "delete the external ID", {"Name": parameter_name})
        )
    labels = {current.parameter.value: KNOWN} if current.parameter else {}
    return Plan(steps, _current_state(current, labels), {}, notes)


def _lost_lock(role: Role) -> Iterator[str]:
    if is_locked(role.trust):
        yield (
            f"The role {role.name} is locked, and the lock goes with the role: if the venue is provisioned again, "
            "tokens can be issued."
        )


def _removal_steps(current: Current, role_name: str) -> Iterator[Step]:
    name = {"RoleName": role_name}
    for arn in current.attached_policies:
        yield Step("iam", "detach_role_policy", arn, "detach the managed policy", {**name, "PolicyArn": arn})
    # What we grant goes before what others deny: if the run is killed here, no revoked token works again.
    for policy in sorted(current.inline_policies, key=lambda one: one != POLICY_NAME):
        yield Step("iam", "delete_role_policy", policy, "remove the inline policy", {**name, "PolicyName": policy})
    for profile in current.instance_profiles:
        arguments = {**name, "InstanceProfileName": profile}
        summary = "take the role out of the instance profile"
        yield Step("iam", "remove_role_from_instance_profile", profile, summary, arguments)
    yield Step("iam", "delete_role", role_name, "delete the role", name)


def _check_quotas(current: Current, desired: Desired, change: TrustChange, trust: Trust, candidate: str) -> str:
    """Refuse what does not fit, before the first write.

    :returns: a warning, or ''.
    :raises InvalidInput: as said.
    """
    if size(desired.policy) > INLINE_POLICY_LENGTH:
        raise InvalidInput(
            "buckets",
            f"the permission policy would have {size(desired.policy)} characters and IAM allows "
            f"{INLINE_POLICY_LENGTH}: specify fewer or shorter ones.",
        )
    tags = merged(current.role.tags if current.role else {}, desired.tags)
    if len(tags) > MOST_TAGS:
        raise InvalidInput(
            "tags", f"with those that the role has already, it would have {len(tags)} tags, and IAM allows {MOST_TAGS}."
        )
    request = desired.external_id
    return check_length(change, trust, candidate, only_ids_change=request.rotate or request.retire)


def _parameter_steps(
    parameter: Parameter | None, desired: Desired, chosen: ids.ExternalIds, *, recovered: bool
) -> Iterator[Step]:
    path = desired.external_id_parameter
    kind = desired.parameter_type or (parameter.type if parameter else "String")
    if desired.kms_key_id and kind != "SecureString":
        raise InvalidInput(
            "kms_key_id",
            f"encrypts a SecureString, but the external ID is stored as {kind}: set external_id_type to SecureString, "
            "or omit kms_key_id.",
        )
    key = {"KeyId": desired.kms_key_id} if kind == "SecureString" and desired.kms_key_id else {}
    arguments = {"Name": path, "Value": chosen.current, "Type": kind, **key}
    if parameter and parameter.type != kind:
        # Parameter Store cannot change a type:
        # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
        yield Step(
            "ssm", "delete_parameter", path, f"remove the {parameter.type}, to store it as {kind}", {"Name": path}
        )
        parameter, recovered = None, True
    if not parameter:
        yield _create_parameter(desired, arguments, recovered=recovered)
    elif parameter.value != chosen.current:
        replaced, version = {**arguments, "Overwrite": True}, parameter.version + 1
        yield Step("ssm", "put_parameter", path, "replace the external ID", replaced, version=version)


def _create_parameter(desired: Desired, arguments: Mapping[str, Any], *, recovered: bool) -> Step:
    tags = [{"Key": k, "Value": v} for k, v in {**desired.tags, **desired.venue.tags("external-id")}.items()]
    which = "the external ID that the role has" if recovered else "a new external ID"
    description = f"External ID of the role {desired.role_name}. Written by mdps.venue_sts."
    # Without Overwrite, the first of several runs wins and the others adopt its value.
    created = {**arguments, "Description": description, "Tags": tags, "Overwrite": False}
    return Step(
        "ssm", "put_parameter", desired.external_id_parameter, f"store {which}, as {arguments['Type']}", created
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
    references = (desired.boundary,) if desired.boundary else ()
    return Step("iam", "create_role", desired.role_name, "create the role", arguments, references=references)


def _trust_steps(change: TrustChange, desired: Desired) -> Iterator[Step]:
    if change.needed:
        arguments = {"RoleName": desired.role_name, "PolicyDocument": compact(change.policy)}
        yield Step("iam", "update_assume_role_policy", desired.role_name, change.summary, arguments)


def _boundary_steps(role: Role | None, desired: Desired) -> Iterator[Step]:
    if not role or role.boundary == desired.boundary:
        return
    name = {"RoleName": desired.role_name}
    if desired.boundary:
        arguments = {**name, "PermissionsBoundary": desired.boundary}
        yield Step(
            "iam",
            "put_role_permissions_boundary",
            desired.role_name,
            "set the permissions boundary",
            arguments,
            references=(desired.boundary,),
        )
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
        repositories = read_policy(desired.policy).repositories or ("none",)
        summary = f"set the permissions (ECR repositories: {', '.join(repositories)})"
        yield Step("iam", "put_role_policy", f"{desired.role_name}/{POLICY_NAME}", summary, arguments)


def _setting_steps(role: Role | None, desired: Desired) -> Iterator[Step]:
    if not role:
        return
    name = {"RoleName": desired.role_name}
    if (role.description, role.max_session_duration) != (desired.description, desired.max_session_duration):
        arguments = {**name, "Description": desired.description, "MaxSessionDuration": desired.max_session_duration}
        yield Step(
            "iam", "update_role", desired.role_name, "set the description and the maximum session duration", arguments
        )
    missing = {key: value for key, value in desired.tags.items() if tag_value(role.tags, key) != value}
    if missing:
        tags = [{"Key": key, "Value": value} for key, value in missing.items()]
        yield Step("iam", "tag_role", desired.role_name, f"set the tags {', '.join(missing)}", {**name, "Tags": tags})


def _current_state(current: Current, labels: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = state(current.oidc_providers)
    if current.parameter:
        found["external_id_parameter"] = {"type": current.parameter.type, "value": labels[current.parameter.value]}
    if current.role:
        role = current.role
        found["role"] = _role_state(role.name, role, role.tags)
        found["trust_policy"] = masked(role.trust, labels)
    if current.policy:
        found["permissions"] = current.policy
    return found


def _desired_state(
    desired: Desired, trust: Mapping[str, Any], value: str, current: Current, labels: Mapping[str, str]
) -> dict[str, Any]:
    role, parameter = current.role, current.parameter
    missing = {key: value for key, value in desired.tags.items() if not role or tag_value(role.tags, key) != value}
    tags = merged(role.tags if role else {}, missing)
    return {
        "external_id_parameter": {
            "type": desired.parameter_type or (parameter.type if parameter else "String"),
            "value": labels[value],
        },
        "role": _role_state(desired.role_name, desired, tags),
        "trust_policy": masked(trust, labels),
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
