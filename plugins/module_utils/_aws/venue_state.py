# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a venue's state: botocore's answers in, domain values out. Nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from .._domain.roles import POLICY_NAME, Parameter, Role
from .._domain.trust_reader import named_external_ids
from .._masking import register_external_id
from .calls import call, call_or_none, damaged_answer, pages, run_concurrently

READERS = 8  # so that a role with many revocations does not run into IAM's rate


class Caller(NamedTuple):
    """Whose credentials these are."""

    arn: str
    account_id: str


def read_caller(sts: Any) -> Caller:
    """The caller's ARN and account (sts:GetCallerIdentity, which nothing can deny)."""
    answer = call(sts, "get_caller_identity", "find out whose credentials these are")
    return Caller(str(answer["Arn"]), str(answer["Account"]))


def read_caller_and_time(sts: Any) -> tuple[Caller, datetime]:
    """The caller, and what time it is by AWS's clock."""
    answer = call(sts, "get_caller_identity", "find out whose credentials these are")
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return Caller(str(answer["Arn"]), str(answer["Account"])), _time_of(said) if said else datetime.now(UTC)


def _time_of(header: str) -> datetime:
    """The time of a Date header. One without a zone, as some proxies write it, is in UTC (RFC 9110, section 5.6.7)."""
    said = parsedate_to_datetime(header)
    return said if said.tzinfo else said.replace(tzinfo=UTC)


def read_role(iam: Any, name: str) -> Role | None:
    """A role with its trust policy, boundary and tags (iam:GetRole), or None."""
    answer = call_or_none(iam, "get_role", f"read the role {name}", RoleName=name)
    return role_from(answer["Role"]) if answer else None


def role_from(described: Mapping[str, Any]) -> Role:
    """A role from IAM's description of it; botocore has decoded its documents."""
    created = described.get("CreateDate")
    trust = described.get("AssumeRolePolicyDocument", {})
    register_external_id(*named_external_ids(trust))
    return Role(
        arn=described["Arn"],
        name=described["RoleName"],
        role_id=described["RoleId"],
        path=described["Path"],
        trust=trust,
        description=described.get("Description", ""),
        max_session_duration=described.get("MaxSessionDuration", 3600),
        boundary=described.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        tags={tag["Key"]: tag["Value"] for tag in described.get("Tags", [])},
        created=created if isinstance(created, datetime) else None,
    )


def read_policy(iam: Any, role_name: str) -> dict[str, Any] | None:
    """The venue's inline policy (iam:GetRolePolicy), or None."""
    purpose = f"read the permissions of the role {role_name}"
    answer = call_or_none(iam, "get_role_policy", purpose, RoleName=role_name, PolicyName=POLICY_NAME)
    return dict(answer["PolicyDocument"]) if answer else None


def read_policies(iam: Any, role_name: str, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those inline policies of a role that exist, by name, one call each (iam:GetRolePolicy), a few at a time."""
    purpose = f"read the permissions of the role {role_name}"
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(names), READERS):
        part = names[start : start + READERS]
        reads = [
            lambda name=name: call_or_none(iam, "get_role_policy", purpose, RoleName=role_name, PolicyName=name)
            for name in part
        ]
        found |= {
            name: dict(answer["PolicyDocument"])
            for name, answer in zip(part, run_concurrently(*reads), strict=True)
            if answer
        }
    return found


def read_parameters(ssm: Any, names: Sequence[str]) -> dict[str, Parameter]:
    """Those of at most ten parameters that exist, decrypted, by name (ssm:GetParameters)."""
    purpose = f"read {', '.join(names)} in SSM"
    answer = call(ssm, "get_parameters", purpose, Names=list(names), WithDecryption=True)
    if "Parameters" not in answer:  # botocore parses a truncated JSON response as an empty one
        raise damaged_answer(ssm, purpose)
    return {one["Name"]: parameter_from(one) for one in answer["Parameters"]}


def parameter_from(described: Mapping[str, Any]) -> Parameter:
    """A parameter from SSM's description of it. Any value of a SecureString counts as a secret."""
    if described.get("Type") == "SecureString" or str(described.get("Name", "")).endswith("/external-id"):
        register_external_id(described["Value"])
    return Parameter(
        described["Value"],
        described.get("Type", "String"),
        described.get("Version", 1),
        described.get("LastModifiedDate"),
    )


def read_history(ssm: Any, name: str) -> list[Parameter]:
    """All that a parameter has held, oldest first, decrypted (ssm:GetParameterHistory); SSM keeps the last hundred."""
    asked = {"Name": name, "WithDecryption": True, "MaxResults": 50}
    answers = pages(ssm, "get_parameter_history", f"read the history of {name} in SSM", **asked)
    found = [parameter_from(one) for answer in answers for one in answer["Parameters"]]
    return sorted(found, key=lambda one: one.version)


def read_inline_names(iam: Any, role_name: str) -> tuple[str, ...]:
    """The names of all inline policies of a role (iam:ListRolePolicies)."""
    return _names(iam, "list_role_policies", "PolicyNames", None, role_name)


def read_attached(iam: Any, role_name: str) -> tuple[str, ...]:
    """The ARNs of all managed policies of a role (iam:ListAttachedRolePolicies)."""
    return _names(iam, "list_attached_role_policies", "AttachedPolicies", "PolicyArn", role_name)


def read_instance_profiles(iam: Any, role_name: str) -> tuple[str, ...]:
    """The names of the instance profiles that a role is in (iam:ListInstanceProfilesForRole)."""
    return _names(iam, "list_instance_profiles_for_role", "InstanceProfiles", "InstanceProfileName", role_name)


def _names(iam: Any, operation: str, key: str, field: str | None, role_name: str) -> tuple[str, ...]:
    # What fits on a role is less than a page of 100.
    answer = call_or_none(iam, operation, f"list what is attached to the role {role_name}", RoleName=role_name)
    return tuple(one[field] if field else one for one in (answer or {}).get(key, []))
