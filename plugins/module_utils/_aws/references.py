# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading what a plan refers to: boundaries, keys, principals. Botocore's answers in, domain values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._domain.errors import AwsRefused
from .._domain.policies import compact
from .._domain.simulation import Evaluation
from .calls import call, call_or_none, pages

TRUST, PERMISSIONS = "trust policy", "permissions"
# https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_ValidatePolicy.html
VALIDATED_AS = {
    TRUST: {"policyType": "RESOURCE_POLICY", "validatePolicyResourceType": "AWS::IAM::AssumeRolePolicyDocument"},
    PERMISSIONS: {"policyType": "IDENTITY_POLICY"},
}
BOUNDARY_SUFFIX = "tenantOperator-AMI-APIG"  # how MDPS's accounts call their boundary; what is before it varies


def read_boundary(iam: Any, arn: str) -> dict[str, Any] | None:
    """A managed policy (iam:GetPolicy), or None."""
    answer = call_or_none(iam, "get_policy", f"check the permissions boundary {arn}", PolicyArn=arn)
    return dict(answer["Policy"]) if answer else None


def read_document(iam: Any, arn: str, version: str) -> dict[str, Any]:
    """The document of a managed policy (iam:GetPolicyVersion)."""
    purpose = f"read the permissions boundary {arn}"
    answer = call(iam, "get_policy_version", purpose, PolicyArn=arn, VersionId=version)
    return dict(answer["PolicyVersion"]["Document"])


def read_boundaries(iam: Any) -> list[str]:
    """The policies of the account that are named like a boundary of MDPS (iam:ListPolicies)."""
    answers = pages(iam, "list_policies", "list the permissions boundaries of the account", Scope="Local")
    policies = [one for answer in answers for one in answer["Policies"]]
    return sorted(one["Arn"] for one in policies if one["PolicyName"].endswith(BOUNDARY_SUFFIX))


def exists(iam: Any, principal_arn: str) -> bool:
    """Whether a role or user of the account exists (iam:GetRole, iam:GetUser)."""
    kind, _slash, path = principal_arn.split(":", 5)[5].partition("/")
    name = path.rsplit("/", 1)[-1]
    operation, argument = ("get_role", "RoleName") if kind == "role" else ("get_user", "UserName")
    answer = call_or_none(iam, operation, f"check the trusted principal {principal_arn}", **{argument: name})
    return answer is not None and answer[kind.capitalize()]["Arn"] == principal_arn


def read_audiences(iam: Any, provider_arn: str) -> list[str] | None:
    """The audiences (client ids) of an OIDC provider of the account (iam:GetOpenIDConnectProvider), or None."""
    purpose = f"read the OIDC provider {provider_arn}"
    answer = call_or_none(iam, "get_open_id_connect_provider", purpose, OpenIDConnectProviderArn=provider_arn)
    return None if answer is None else list(answer.get("ClientIDList", []))


def saml_provider_exists(iam: Any, arn: str) -> bool:
    """Whether a SAML identity provider of the account exists (iam:GetSAMLProvider)."""
    return call_or_none(iam, "get_saml_provider", f"check the SAML provider {arn}", SAMLProviderArn=arn) is not None


class Key(NamedTuple):
    """A KMS key.

    :param state: ``Enabled``, or why it cannot be used.
    :param spec: ``SYMMETRIC_DEFAULT``, or that of a key with which SSM cannot encrypt.
    """

    state: str
    spec: str


def read_key(kms: Any, key_id: str) -> Key | None:
    """A KMS key (kms:DescribeKey), or None."""
    try:
        found = call(kms, "describe_key", f"check the KMS key {key_id}", KeyId=key_id)["KeyMetadata"]
    except AwsRefused as error:
        if error.code == "NotFoundException":
            return None
        raise
    return Key(str(found.get("KeyState", "Enabled")), str(found.get("KeySpec", "SYMMETRIC_DEFAULT")))


class Simulated(NamedTuple):
    """Two policies, as text, that IAM evaluates together, and what is known of every request.

    :param context: condition keys and their values.
    """

    policy: str
    boundary: str
    context: Mapping[str, str]


def simulate(iam: Any, simulated: Simulated, actions: Sequence[str], resources: Sequence[str]) -> Iterator[Evaluation]:
    """What a policy below a boundary allows (iam:SimulateCustomPolicy)."""
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in simulated.context.items()
    ]
    answers = pages(
        iam,
        "simulate_custom_policy",
        "evaluate the permissions below the boundary",
        PolicyInputList=[simulated.policy],
        PermissionsBoundaryPolicyInputList=[simulated.boundary],
        ActionNames=list(actions),
        ResourceArns=list(resources),
        ContextEntries=entries,
    )
    for answer in answers:
        for one in answer["EvaluationResults"]:
            yield from _evaluations(one)


def _evaluations(result: Mapping[str, Any]) -> Iterator[Evaluation]:
    """The answers about one action: one for each resource.

    Where resources are named, IAM gives the missing condition keys with each of them, and not with the action:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """
    for one in result.get("ResourceSpecificResults") or [result]:
        detail = one.get("PermissionsBoundaryDecisionDetail", {})
        yield Evaluation(
            action=result["EvalActionName"],
            resource=one.get("EvalResourceName", "*"),
            within_boundary=detail.get("AllowedByPermissionsBoundary"),
            missing_keys=tuple(one.get("MissingContextValues", [])),
        )


def validate(analyzer: Any, kind: str, document: Mapping[str, Any]) -> Iterator[str]:
    """What IAM Access Analyzer finds in a policy (access-analyzer:ValidatePolicy), one sentence each.

    :param kind: ``TRUST`` or ``PERMISSIONS``.
    :param document: the policy, without external IDs: a finding may quote it.
    """
    asked = {"policyDocument": compact(document), **VALIDATED_AS[kind]}
    for answer in pages(analyzer, "validate_policy", f"check the {kind}", **asked):
        for one in answer["findings"]:
            text = " ".join(str(one["findingDetails"]).split()).rstrip(".")
            yield f"Access Analyzer on the {kind} ({one['findingType']}, {one['issueCode']}): {text}."
