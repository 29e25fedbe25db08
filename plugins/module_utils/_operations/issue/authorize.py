# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that is checked before STS is asked: accounts, external IDs, ownership, limits, duration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..._aws.calls import DENIED, run_concurrently
from ..._aws.clients import Clients
from ..._aws.venue_state import Caller, read_caller, read_history, read_parameters, read_policy, read_role
from ..._domain import permissions, token_request
from ..._domain.access import Access, Request, check_buckets, check_usable
from ..._domain.access import read_policy as read_access
from ..._domain.arns import session_role_name
from ..._domain.conditions import Context
from ..._domain.errors import AwsRefused, ExternalIdMismatch, InvalidInput, NotAssumable, NotProvisioned
from ..._domain.external_id import common_external_id, replaced_at, retired
from ..._domain.missing import missing_parameter
from ..._domain.policies import compact
from ..._domain.roles import Parameter, Role
from ..._domain.session_tags import session_names
from ..._domain.tags import check_ownership
from ..._domain.times import iso
from ..._domain.trust_reader import ASSUME, decide, external_ids, is_locked
from .._operation import Runtime
from ..accounts import check_account
from .assume import Question, assume, verify
from .options import TokenOptions
from .parts import Authorized
from .request import ReceiptFacts, make_receipt, session_policy, what_it_allows

ANY_ACCOUNT = "000000000000"  # as long as every account ID, to check the size of a policy before the account is known


@dataclass(frozen=True)
class VenueReadings:
    """What was read of a venue. It serves every request to the same role.

    :param parameters: those of the external ID and the bucket that exist, by name.
    """

    caller: Caller
    role: Role | None
    role_policy: Mapping[str, Any] | None
    parameters: Mapping[str, Parameter] = field(repr=False)


def authorize(options: TokenOptions, clients: Clients, runtime: Runtime) -> Authorized:
    """Check everything that can be known before STS is asked.

    :raises AccountMismatch: the caller is in another account than the venue.
    :raises NotProvisioned: no role, no external ID or no published bucket.
    :raises OwnershipConflict: the role belongs to another venue.
    :raises ExternalIdMismatch: two of the external IDs differ.
    :raises InvalidInput: a duration or a policy that STS would refuse.
    """
    check_policy_size(options)
    if options.saml:
        from .unsigned import authorize_saml  # noqa: PLC0415 - most tokens are issued with AWS credentials

        return authorize_saml(options, options.saml, clients, runtime)
    if options.web_identity:
        from .unsigned import authorize_web_identity  # noqa: PLC0415 - as above

        return authorize_web_identity(options, options.web_identity, clients, runtime)
    return authorize_found(options, read(options, clients), clients, runtime)


def check_policy_size(options: TokenOptions) -> None:
    """Check the size of the session policy as far as it is known without an AWS call.

    :raises InvalidInput: it is too long for STS.
    """
    if options.request.buckets:
        session_policy(options, options.request, ANY_ACCOUNT)


def read(options: TokenOptions, clients: Clients) -> VenueReadings:
    """Read the venue, all at once."""
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    names = [options.parameters.external_id, options.parameters.bucket]
    return VenueReadings(
        *run_concurrently(
            lambda: read_caller(sts),
            lambda: read_role(iam, options.role_name),
            lambda: _read_policy(iam, options.role_name),
            lambda: read_parameters(ssm, names),
        )
    )


def authorize_found(
    options: TokenOptions,
    found: VenueReadings,
    clients: Clients,
    runtime: Runtime,
    renewals: permissions.RenewalFolder | None = None,
) -> Authorized:
    """Check a request against what was read.

    :param renewals: for a token of a lease: what it may read besides. It gets a session policy in any case.
    :raises VenueError: as for ``authorize``.
    """
    caller, parameters, role_policy = found.caller, found.parameters, found.role_policy
    check_account(caller, options.role_account)
    role, parameter = _provisioned(options, found.role, parameters.get(options.parameters.external_id), caller)
    request = _with_buckets(options, role_policy, parameters, caller)
    allows = what_it_allows(options, role_policy, request)
    compared = _compare(options, clients.client("ssm"), role, parameter)
    for warning in filter(None, (compared, *check_usable(role_policy, request), _useless(options, allows))):
        runtime.warn(warning)
    duration = _decide_duration(options, caller, role, runtime)
    arguments = _arguments(options, role, duration, parameter, _policy(options, request, caller, renewals))
    names = _names(options, role, caller)
    question = Question(caller, role, parameter, arguments, options.wait_timeout, names)
    facts = ReceiptFacts(
        account_id=caller.account_id,
        role_arn=role.arn,
        session_name=options.session_name,
        duration=duration,
        allows=allows,
        issuer_arn=caller.arn,
        external_id_source="parameter+requester" if options.external_id else "parameter",
        source_identity={**arguments, **names}.get("SourceIdentity"),
    )
    return Authorized(
        receipt=make_receipt(options, facts, runtime),
        assume=lambda: assume(question, clients, runtime),
        verify=lambda issued: verify(issued, clients) if options.verify else None,
    )


def _policy(
    options: TokenOptions, request: Request, caller: Caller, renewals: permissions.RenewalFolder | None
) -> Mapping[str, Any] | None:
    """Return the session policy; None for a token that may do all that the role may."""
    if options.session_policy or not (request.narrows or renewals):
        return options.session_policy
    return session_policy(options, request, caller.account_id, renewals)


def _arguments(
    options: TokenOptions, role: Role, duration: int, parameter: Parameter, policy: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the arguments of AssumeRole."""
    return {
        "RoleArn": role.arn,
        "RoleSessionName": options.session_name,
        "DurationSeconds": duration,
        "ExternalId": parameter.value,
        **options.extras,
        **({"Policy": compact(policy)} if policy else {}),
    }


def _useless(options: TokenOptions, allows: Access) -> str:
    """Return a warning about a session policy that leaves nothing of the role's policy, or an empty text."""
    if not options.session_policy or allows.access != ():
        return ""
    return (
        "session_policy: the policy that provisioning gave the role allows nothing of it. The token can only be used "
        "if somebody has added another policy to the role."
    )


def _names(options: TokenOptions, role: Role, caller: Caller) -> dict[str, Any]:
    """Return what names the session by its request, as far as the trust policy may allow it."""
    if options.tag_session is not None:
        return {}

    def allows(action: str) -> bool:
        return decide(role.trust, caller.arn, action, Context()) is not False

    return session_names(options.context, options.extras, allows)


def _read_policy(iam: Any, role_name: str) -> dict[str, Any] | None:
    """Return the role's policy, or None if the caller may not read it: the receipt then says less."""
    try:
        return read_policy(iam, role_name)
    except AwsRefused as refusal:
        if refusal.code in DENIED:
            return None
        raise


def _provisioned(
    options: TokenOptions, role: Role | None, parameter: Parameter | None, caller: Caller
) -> tuple[Role, Parameter]:
    advice = "Run the provision playbook for this venue first."
    if not role:
        raise NotProvisioned(f"there is no role {options.role_name} in account {caller.account_id}. {advice}")
    if options.role_arn and role.arn != options.role_arn:
        raise InvalidInput("role_arn", f"'{options.role_arn}' does not exist. The role of that name is {role.arn}.")
    # A role created manually has no tags; one of another venue does.
    check_ownership(options.venue, role.name, role.tags, adopt=True)
    if not parameter:
        raise missing_parameter(
            options.parameters.external_id,
            options.region,
            caller.account_id,
            f"it contains the external ID of the role {role.name}, which exists. {advice}",
        )
    check_unlocked(role)
    return role, parameter


def check_unlocked(role: Role | None) -> None:
    """Refuse a token of a locked venue.

    :raises NotAssumable: the venue is locked.
    """
    if role and is_locked(role.trust, ASSUME):
        raise NotAssumable(
            f"the venue is locked: a Deny statement in the trust policy of the role {role.name} prevents everyone from "
            "assuming it. No token was issued. Ask who locked it, and why."
        )


def _compare(options: TokenOptions, ssm: Any, role: Role, parameter: Parameter) -> str:
    """Compare the external IDs of SSM, trust policy and requester. Return a warning, or an empty text.

    :raises ExternalIdMismatch: they differ. If the requester's is an old one of this venue, it says when that changed.
    """
    rotated = f"on {iso(parameter.modified)}" if parameter.modified else "recently"
    try:
        return common_external_id(parameter.value, external_ids(role.trust), options.external_id, rotated)
    except ExternalIdMismatch as mismatch:
        if "requester" in mismatch.facts["places"]:
            _explain_retired(ssm, options.parameters.external_id, options.external_id)
        raise


def _explain_retired(ssm: Any, name: str, requester: str) -> None:
    try:
        history = read_history(ssm, name)
    except AwsRefused as refusal:
        if refusal.code in DENIED:
            return  # the plain message stands: a caller who may not read the history gets no explanation
        raise
    rotated = replaced_at(
        [(one.value, iso(one.modified) if one.modified else "an unknown day") for one in history], requester
    )
    if rotated:
        raise retired(rotated)


def _with_buckets(
    options: TokenOptions,
    role_policy: Mapping[str, Any] | None,
    parameters: Mapping[str, Parameter],
    caller: Caller,
) -> Request:
    """Return the request with the buckets of the role or else the published one, if it names none and needs one."""
    request, name = options.request, options.parameters.bucket
    if not request.narrows or request.buckets or not request.uses_s3:
        return request
    buckets = read_access(role_policy).buckets
    if buckets:
        return replace(request, buckets=buckets)
    if name not in parameters:
        advice = "specify the bucket with the option buckets."
        raise missing_parameter(name, options.region, caller.account_id, advice)
    return replace(request, buckets=check_buckets(name, [parameters[name].value]))


def _decide_duration(options: TokenOptions, caller: Caller, role: Role, runtime: Runtime) -> int:
    granted = token_request.cap_duration(
        options.duration, role.max_session_duration, chained=bool(session_role_name(caller.arn))
    )
    if granted.capped_by:
        message = f"{options.duration} seconds cannot be granted: {granted.capped_by}"
        if options.on_duration_cap == "fail":
            raise InvalidInput(
                "duration_seconds", f"{message}. Request at most {granted.seconds}, or set on_duration_cap to cap."
            )
        runtime.warn(f"duration_seconds: {message}. The token is valid for {granted.seconds} seconds.")
    return granted.seconds
