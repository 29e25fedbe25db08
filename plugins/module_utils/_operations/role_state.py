# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a venue's role: the current one as AWS has it, and the desired one as options and SSM say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._aws.calls import run_concurrently
from .._aws.clients import Clients
from .._aws.references import read_audiences
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
from .._domain import permissions
from .._domain.access import check_buckets
from .._domain.errors import InvalidInput
from .._domain.missing import missing_parameter
from .._domain.role_plan import Current, Desired
from .._domain.roles import Parameter
from .._domain.trust import Trust
from .role_options import RoleOptions, check_boundary


@dataclass(frozen=True)
class FoundRole:
    """What one round of reads brought."""

    caller: Caller
    current: Current
    parameters: dict[str, Parameter]
    region: str


@dataclass(frozen=True)
class Discovered:
    """Where the buckets, the boundary and the repositories of the desired state come from: an option or a parameter.

    :param boundary: its ARN; '' for none.
    """

    buckets: tuple[str, ...]
    bucket_source: str
    boundary: str
    boundary_source: str
    repositories: tuple[str, ...]
    repository_source: str

    def to_json(self) -> dict[str, Any]:
        """The values and their sources, as the result of the module shows them."""
        return {
            "buckets": {"names": list(self.buckets), "source": self.bucket_source},
            "permissions_boundary": {"arn": self.boundary or None, "source": self.boundary_source},
            "ecr_repositories": {"patterns": list(self.repositories), "source": self.repository_source},
        }


def wanted_parameters(options: RoleOptions) -> list[str]:
    """The SSM parameters that the desired state is read from."""
    names = [options.parameters.external_id]
    names += [options.parameters.bucket] if options.buckets is None else []
    names += [options.parameters.boundary] if options.boundary is None else []
    return names


def read(options: RoleOptions, clients: Clients) -> FoundRole:
    """Read everything that a plan needs, at once."""
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    names = wanted_parameters(options) if options.present else [options.parameters.external_id]
    reads: list[Any] = [
        lambda: read_caller(sts),
        lambda: read_role(iam, options.role_name),
        lambda: read_parameters(ssm, names),
    ]
    if options.present:
        reads += [lambda: read_policy(iam, options.role_name)]
    else:
        attached = (read_inline_names, read_attached, read_instance_profiles)
        reads += [lambda list_=list_: list_(iam, options.role_name) for list_ in attached]
    caller, role, parameters, *more = run_concurrently(*reads)
    parameter = parameters.get(options.parameters.external_id)
    current = Current(role, more[0], parameter) if options.present else Current(role, None, parameter, *more)
    return FoundRole(caller, current, parameters, clients.region)


def read_providers(desired: Desired, clients: Clients) -> dict[str, list[str] | None]:
    """Read the OIDC providers that the run may create or extend (iam:GetOpenIDConnectProvider)."""
    arns = [one.arn(desired.partition) for one in desired.trust.oidc_providers if one.create]
    iam = clients.client("iam")
    found = run_concurrently(*[lambda arn=arn: read_audiences(iam, arn) for arn in arns])
    return dict(zip(arns, found, strict=True))


def discover(options: RoleOptions, found: FoundRole) -> Discovered:
    """Find the buckets and the boundary.

    :raises NotProvisioned: one is neither given nor published.
    :raises InvalidInput: SSM holds something that is neither a bucket nor a boundary.
    """
    buckets, bucket_source = options.buckets, "buckets"
    if buckets is None:
        bucket_source = options.parameters.bucket
        value = _published(found, bucket_source, "specify the bucket with the option buckets.")
        buckets = check_buckets(bucket_source, [value])
    boundary, boundary_source = options.boundary, "permissions_boundary"
    if boundary is None:
        boundary_source = options.parameters.boundary
        advice = "specify the boundary with the option permissions_boundary, or 'none' for a role without a boundary."
        boundary = check_boundary(boundary_source, _published(found, boundary_source, advice), options.partition)
    arn = _boundary_arn(boundary or "", boundary_source, options.partition, found.caller.account_id)
    grant, repository_source = options.grant, options.repository_source
    return Discovered(buckets, bucket_source, arn, boundary_source, tuple(grant.repositories), repository_source)


def _boundary_arn(boundary: str, source: str, partition: str, account: str) -> str:
    if not boundary:
        return ""
    if not boundary.startswith("arn:"):
        return f"arn:{partition}:iam::{account}:policy/{boundary}"
    if boundary.split(":")[4] != account:
        raise InvalidInput(source, f"'{boundary}' belongs to a different account than the role ({account}).")
    return boundary


def _published(found: FoundRole, name: str, advice: str) -> str:
    if name not in found.parameters:
        raise missing_parameter(name, found.region, found.caller.account_id, advice)
    return found.parameters[name].value


def desired_state(options: RoleOptions, found: FoundRole, discovered: Discovered) -> Desired:
    """The desired state, with what was discovered."""
    account = found.caller.account_id
    principals = options.trusted_principals or (f"arn:{options.partition}:iam::{account}:root",)
    providers = [one.in_account(account) for one in options.oidc_providers]
    place = permissions.Location(options.partition, found.region, account)
    return Desired(
        venue=options.venue,
        role_name=options.role_name,
        path=options.path,
        description=options.description,
        max_session_duration=options.max_session_duration,
        boundary=discovered.boundary,
        tags=options.tags,
        trust=Trust(
            principals,
            "",
            saml_providers=options.saml_providers,
            audiences=options.saml_audiences,
            require_mfa=options.require_mfa,
            patterns=options.patterns,
            region=found.region,
            oidc_providers=providers,
        ),
        policy=permissions.policy(options.grant._replace(buckets=discovered.buckets), place),
        partition=options.partition,
        external_id_parameter=options.parameters.external_id,
        parameter_type=options.external_id_type,
        kms_key_id=options.kms_key_id,
        adopt=options.adopt,
        remove_foreign=options.remove_foreign,
        external_id=options.external_id,
    )
