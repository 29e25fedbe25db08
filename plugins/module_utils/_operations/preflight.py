# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of what a plan refers to, before its first write: boundary, KMS key, principals, quotas.

A plan without steps needs none of these calls. Where the caller may not make one, the run says so and goes on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .._aws import references
from .._aws.account import roles_of
from .._aws.calls import DENIED, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import read_inline_names, read_policies
from .._domain.errors import AwsRefused, InvalidInput, MissingReference, VenueLocked
from .._domain.missing import missing_reference
from .._domain.oidc import OidcProvider
from .._domain.oidc_plan import missing_audiences
from .._domain.policies import compact, size
from .._domain.role_facts import owner
from .._domain.role_plan import Desired
from .._domain.roles import INLINE_POLICY_LENGTH, POLICY_NAME
from .._domain.simulation import expected_permissions, findings, unconditional
from .._domain.steps import Plan
from .._domain.trust_reader import is_locked, principals
from .._domain.words import first_of
from ._operation import Runtime
from .role_state import Discovered, FoundRole

BOUNDARY_STEPS = ("create_role", "put_role_permissions_boundary")
TRUST_STEPS = ("create_role", "update_assume_role_policy")
ANALYZER = "accessanalyzer"
USABLE_KEYS = ("Enabled", "Updating")

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True)
class Preflight:
    """What a plan is checked against.

    :param simulate: whether IAM also evaluates the permissions below the boundary.
    :param analyze: whether IAM Access Analyzer also checks the documents that the plan writes.
    """

    plan: Plan
    desired: Desired
    found: FoundRole
    discovered: Discovered
    clients: Clients
    runtime: Runtime
    simulate: bool = False
    analyze: bool = False

    def run(self) -> list[str]:
        """Check everything at once.

        :returns: what the simulation and Access Analyzer found, one sentence each.
        :raises MissingReference: something does not exist.
        :raises InvalidInput: a quota is not enough.
        :raises VenueLocked: another role of the venue is locked, and the plan adds one that is not.
        """
        operations = {step.operation for step in self.plan.steps}
        checks: list[Callable[[], list[str]]] = []
        relevant = {*BOUNDARY_STEPS, *(("put_role_policy",) if self.simulate else ())}
        if self._adds_a_role(operations):
            checks.append(self._check_lock)
        if self.desired.boundary and operations & relevant:
            checks.append(self._check_boundary)
        if any("KeyId" in step.arguments for step in self.plan.steps):
            checks.append(self._check_key)
        if operations.intersection(TRUST_STEPS):
            checks += [functools.partial(self._check_principal, arn) for arn in self._new_principals()]
            providers = self.desired.trust.oidc_providers
            checks += [functools.partial(self._check_provider, one) for one in providers if not one.create]
            checks += [functools.partial(self._check_saml_provider, arn) for arn in self.desired.trust.saml_providers]
        if self.found.current.role and "put_role_policy" in operations:
            checks.append(self._check_inline_quota)
        if self.analyze:
            checks += [functools.partial(self._analyze, *written) for written in self._written(operations)]
        services = {"kms": self._check_key in checks, ANALYZER: self.analyze, "iam": True}
        for service in (name for name, is_needed in services.items() if is_needed):
            self.clients.client(service)  # before the threads start
        return [sentence for found in run_concurrently(*checks) for sentence in found]

    def _adds_a_role(self, operations: set[str]) -> bool:
        """Whether the plan creates a role, or adopts one of nobody that a lock of the venue did not find.

        A venue without an external ID has had no role yet: nothing of it can be locked, and 50 new venues need not read
        all roles of the account each.
        """
        role = self.found.current.role
        if not self.found.current.parameter:
            return False
        adopts = role is not None and owner(role.tags) is None and "tag_role" in operations
        return "create_role" in operations or (adopts and not self.plan.locked)

    def _check_lock(self) -> list[str]:
        """Check that no other role of the venue is locked: nobody may get tokens from a new one meanwhile."""
        iam, venue = self.clients.client("iam"), self.desired.venue
        roles, _may = self._ask("iam:GetAccountAuthorizationDetails", lambda: roles_of(iam, venue))
        locked = [role.name for role in roles or () if is_locked(role.trust)]
        if locked:
            account = self.found.caller.account_id
            raise VenueLocked(
                f"the venue is locked (role {first_of(locked)} in account {account}), and {self.desired.role_name} "
                "would become a further role of it that is not locked. Nothing was changed. Ask who locked the venue, "
                "and why. Unlock it first."
            )
        return []

    def _check_boundary(self) -> list[str]:
        iam, arn = self.clients.client("iam"), self.desired.boundary
        policy, may_read = self._ask("iam:GetPolicy", lambda: references.read_boundary(iam, arn))
        if not may_read:
            return []
        if policy is None:
            raise self._missing_boundary(iam)
        if not self.simulate:
            return []
        version = str(policy["DefaultVersionId"])
        found, _may = self._ask(
            "iam:GetPolicyVersion and iam:SimulateCustomPolicy", lambda: self._simulate(iam, version)
        )
        return found or []

    def _missing_boundary(self, iam: Any) -> MissingReference:
        known, may_list = self._ask("iam:ListPolicies", lambda: references.read_boundaries(iam))
        listed = ", ".join(known or ["none"]) if may_list else "unknown, since they could not be listed"
        source, region = self.discovered.boundary_source, self.found.region
        named = "" if source == "permissions_boundary" else f"The SSM parameter {source} in region {region} names it. "
        return missing_reference(
            "permissions boundary",
            self.desired.boundary,
            self.found.caller.account_id,
            f"{named}Policies of the account named *{references.BOUNDARY_SUFFIX}: {listed}. Set permissions_boundary "
            "to the one of this account.",
        )

    def _simulate(self, iam: Any, version: str) -> list[str]:
        boundary = references.read_document(iam, self.desired.boundary, version)
        policy, account = unconditional(self.desired.policy), self.found.caller.account_id
        known = {
            "aws:RequestedRegion": self.found.region,
            "aws:PrincipalAccount": account,
            "aws:SecureTransport": "true",
        }
        simulated = references.Simulated(compact(policy), compact(boundary), known)
        evaluations = [
            one
            for actions, resources in expected_permissions(policy)
            for one in references.simulate(iam, simulated, actions, resources)
        ]
        return findings(self.desired.boundary, evaluations)

    def _written(self, operations: set[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The documents that the plan writes, with external IDs masked: Access Analyzer has no use for them."""
        if operations.intersection(TRUST_STEPS):
            yield references.TRUST, self.plan.after["trust_policy"]
        if "put_role_policy" in operations:
            yield references.PERMISSIONS, self.desired.policy

    def _analyze(self, kind: str, document: Mapping[str, Any]) -> list[str]:
        client = self.clients.client(ANALYZER)
        found, _may = self._ask(
            "access-analyzer:ValidatePolicy", lambda: list(references.validate(client, kind, document))
        )
        return found or []

    def _check_key(self) -> list[str]:
        kms, key = self.clients.client("kms"), self.desired.kms_key_id
        found, may_read = self._ask("kms:DescribeKey", lambda: references.read_key(kms, key))
        if not may_read:
            return []
        advice = "Set kms_key_id to a key of this account and region."
        if found is None:
            where = f"{self.found.caller.account_id}, region {self.found.region}"
            raise missing_reference("KMS key", key, where, advice)
        if found.state not in USABLE_KEYS or found.spec != "SYMMETRIC_DEFAULT":
            problem = f"in the state {found.state}" if found.state not in USABLE_KEYS else f"of the kind {found.spec}"
            raise MissingReference(
                f"the KMS key {key} cannot encrypt the external ID: it is {problem}. Nothing was changed. Ask its "
                f"administrator to enable it, or choose another one. {advice}"
            )
        return []

    def _new_principals(self) -> Iterator[str]:
        """The roles and users of the account that the role does not trust yet; others cannot be looked up."""
        role, account = self.found.current.role, self.found.caller.account_id
        trusted = principals(role.trust) if role else ()
        for arn in self.desired.trust.principals:
            if arn not in trusted and arn.split(":")[4] == account and not arn.endswith(":root"):
                yield arn

    def _check_principal(self, arn: str) -> list[str]:
        iam = self.clients.client("iam")
        found, _may = self._ask("iam:GetRole and iam:GetUser", lambda: references.exists(iam, arn))
        if found is False:
            account = self.found.caller.account_id
            advice = "Correct trusted_principals; the ARN of a role includes its path."
            raise missing_reference("trusted principal", arn, account, advice)
        return []

    def _check_saml_provider(self, arn: str) -> list[str]:
        """Check that the account has a SAML provider: IAM accepts any name, and nobody could log in through it."""
        iam, account = self.clients.client("iam"), self.found.caller.account_id

        def is_here() -> bool:
            return arn.split(":")[4] == account and references.saml_provider_exists(iam, arn)

        found, _may = self._ask("iam:GetSAMLProvider", is_here)
        if found is False:
            advice = "Correct saml_provider_arns: a role can only trust providers of its own account."
            raise missing_reference("SAML provider", arn, account, advice)
        return []

    def _check_provider(self, provider: OidcProvider) -> list[str]:
        """Check that IAM knows an OIDC provider, and that it accepts the audiences."""
        iam, arn = self.clients.client("iam"), provider.arn(self.desired.partition)
        found, may_read = self._ask("iam:GetOpenIDConnectProvider", lambda: references.read_audiences(iam, arn))
        if not may_read:
            return []
        if found is None:
            advice = "Set create: true in its item of oidc_providers, to create it."
            raise missing_reference("OIDC provider", arn, self.found.caller.account_id, advice)
        missing = missing_audiences(provider, found)
        if missing:
            raise MissingReference(
                f"the OIDC provider {arn} does not accept the audience {', '.join(missing)}, so STS would refuse every "
                "token for it. Set create: true in its item of oidc_providers, to add it."
            )
        return []

    def _check_inline_quota(self) -> list[str]:
        iam, name = self.clients.client("iam"), self.desired.role_name

        def read() -> int:
            names = [one for one in read_inline_names(iam, name) if one != POLICY_NAME]
            return sum(size(policy) for policy in read_policies(iam, name, names).values())

        others, _may = self._ask("iam:ListRolePolicies and iam:GetRolePolicy", read)
        total = (others or 0) + size(self.desired.policy)
        if total > INLINE_POLICY_LENGTH:
            raise InvalidInput(
                "buckets",
                f"with the other inline policies of the role, its permissions have {total} characters, and IAM allows "
                f"{INLINE_POLICY_LENGTH}. Remove inline policies of others or expired revocations, or specify fewer "
                "buckets, prefixes and repositories.",
            )
        return []

    def _ask(self, action: str, ask: Callable[[], AnswerT]) -> tuple[AnswerT | None, bool]:
        """An answer of AWS, and whether the caller may ask; if not, None and a warning."""
        try:
            return ask(), True
        except AwsRefused as error:
            if error.code not in DENIED:
                raise
            self.runtime.warn(
                f"The preflight could not check everything: the caller needs {action}. The run continues."
            )
            return None, False
