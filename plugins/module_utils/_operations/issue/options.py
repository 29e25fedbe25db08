# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of an issue: what ``venue_sts_token`` accepts, parsed once and checked without any AWS call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..._aws.clients import Clients
from ..._domain import token_request
from ..._domain.access import Limits, Request, authorize, parse_limits, parse_request
from ..._domain.arns import ROLE, parse_arn
from ..._domain.errors import InvalidInput
from ..._domain.names import (
    ParameterNames,
    Venue,
    check_external_id,
    check_range,
    check_role_name,
    check_session_name,
    chosen_role_name,
    make_venue,
    parameter_names,
)
from ..._domain.session_tags import context_identity, context_tags
from ..._domain.tags import check_tags
from ..._domain.users import SUFFIX_BYTES, check_user, session_name
from ..._handoff_options import HANDOFF
from ..._receipt_store import RECORDING
from .._oidc_options import OIDC_PROVIDERS
from .._operation import Params, Runtime, filled_in
from ..accounts import check_expected_account
from ..assumable import LONGEST_WAIT
from ..methods import check_method

if TYPE_CHECKING:
    from .._saml import SamlOptions
    from .._web_identity import WebIdentityOptions

CONTEXT = ("reason", "ticket", "requester", "approver", "job", "workflow")
LIMITS: dict[str, Any] = {
    "access": {"type": "list", "elements": "str"},
    "buckets": {"type": "list", "elements": "str"},
    "bucket_prefixes": {"type": "list", "elements": "str"},
    "ecr_repositories": {"type": "list", "elements": "str"},
    "duration_seconds": {"type": "int"},
}
ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "session_name": {"type": "str"},
    "method": {"type": "str", "choices": ["assume_role", "saml", "web_identity"], "default": "assume_role"},
    "saml_assertion": {"type": "str", "no_log": True},
    "saml_assertion_file": {"type": "path"},
    "saml_provider_arn": {"type": "str"},
    "web_identity_token_file": {"type": "path"},
    "web_identity_token_variable": {"type": "str", "no_log": False},
    "oidc_providers": OIDC_PROVIDERS,
    "duration_seconds": {"type": "int"},
    "on_duration_cap": {"type": "str", "choices": ["cap", "fail"], "default": "cap"},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "role_arn": {"type": "str"},
    "external_id_parameter": {"type": "str"},
    "bucket_parameter": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "external_id": {"type": "str", "no_log": True},
    "require_requester_external_id": {"type": "bool", "default": False},
    "access": {"type": "list", "elements": "str"},
    "buckets": {"type": "list", "elements": "str"},
    "bucket_prefixes": {"type": "list", "elements": "str"},
    "ecr_repositories": {"type": "list", "elements": "str"},
    "limits": {"type": "dict", "options": LIMITS},
    "session_policy": {"type": "json"},
    "policy_arns": {"type": "list", "elements": "str"},
    "tags": {"type": "dict", "default": {}},
    "transitive_tag_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "source_identity": {"type": "str"},
    "mfa_serial_number": {"type": "str"},
    "mfa_token": {"type": "str", "no_log": True},
    "context": {"type": "dict", "options": {name: {"type": "str"} for name in CONTEXT}},
    "tag_session": {"type": "bool"},
    "verify": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 60},
    "dest": {"type": "path"},
    "handoff": {"type": "dict", "options": HANDOFF},
    # The action plugin acts on these.
    "reuse": {"type": "str"},
    "renew_before": {"type": "int", "default": 300},
    **RECORDING,
}
CONSTRAINTS: Mapping[str, Any] = {
    "required_together": [("mfa_serial_number", "mfa_token")],
    "mutually_exclusive": [
        ("saml_assertion", "saml_assertion_file"),
        ("web_identity_token_file", "web_identity_token_variable"),
        ("dest", "handoff", "reuse"),
    ],
}
# An empty value of these is an error.
NARROWING = (
    filled_in(ARGUMENT_SPEC, but=("context", "handoff", "tags", "transitive_tag_keys"))
    | {f"limits.{name}" for name in filled_in(LIMITS)}
    | {f"handoff.{name}" for name in filled_in(HANDOFF)}
)
# The first two are those of the written procedures.
DURATIONS = {"assume_role": 3600, "saml": 1800, "web_identity": 3600}


@dataclass(frozen=True)
class TokenOptions:
    """The options of one issue, checked as far as that is possible without an AWS call.

    :param role_account: the account that an option names, or an empty text.
    :param request: what the token is limited to, with the limits filled in where the request sets no option.
    :param session_policy: a custom session policy.
    :param extras: the parameters of AssumeRole that do not depend on the state of the venue.
    :param tag_session: whether the context names the session; None to do so where AWS allows it.
    :param session_name: the name of the session; with SAML, the name that an encrypted assertion should contain.
    """

    venue: Venue
    parameters: ParameterNames
    user: str
    role_name: str
    role_arn: str | None
    role_account: str
    session_name: str
    duration: int
    on_duration_cap: str
    external_id: str = field(repr=False)
    request: Request
    session_policy: dict[str, Any] | None
    extras: dict[str, Any] = field(repr=False)
    context: dict[str, str]
    tag_session: bool | None
    partition: str
    region: str
    verify: bool
    wait_timeout: int
    method: str
    saml: SamlOptions | None
    web_identity: WebIdentityOptions | None


def parse(params: Params, clients: Clients, runtime: Runtime) -> TokenOptions:
    """Parse and check the options.

    :raises InvalidInput: an option that cannot be right.
    :raises LimitExceeded: a request for more than the limits allow.
    """
    saml_options, web_identity_options = _parse_proof(params, clients.partition)
    venue = make_venue(params["project"], params["venue"])
    user = check_user("user", params["user"])
    role_name, role_account = _parse_role(params, venue, clients.partition)
    limits = given_limits(params["limits"], venue)
    request = within_limits(parse_request(params, venue), limits, params["method"])
    context = {name: str(value) for name, value in (params["context"] or {}).items() if value}
    return TokenOptions(
        venue=venue,
        parameters=parameter_names(venue, params),
        user=user,
        role_name=role_name,
        role_arn=params["role_arn"],
        role_account=role_account,
        session_name=_parse_session_name(params, user, runtime),
        duration=request.duration_seconds or DURATIONS[params["method"]],
        on_duration_cap=params["on_duration_cap"],
        external_id=_parse_external_id(params),
        request=request,
        session_policy=_parse_session_policy(params, request),
        extras=_parse_extras(params, request, context, clients.partition),
        context=context,
        tag_session=params["tag_session"],
        partition=clients.partition,
        region=clients.region,
        verify=params["verify"],
        wait_timeout=check_range("wait_timeout", params["wait_timeout"], 0, LONGEST_WAIT),
        method=params["method"],
        saml=saml_options,
        web_identity=web_identity_options,
    )


def usual_options(
    *,
    venue: Venue,
    role_name: str,
    parameters: ParameterNames,
    role_account: str,
    user: str,
    request: Request,
    clients: Clients,
    runtime: Runtime,
) -> TokenOptions:
    """Return the options of an issue with AWS credentials where every other option has its default.

    :param request: within the limits, with a duration.
    """
    usual = {name: ARGUMENT_SPEC[name].get("default") for name in ("on_duration_cap", "verify", "wait_timeout")}
    return TokenOptions(
        venue=venue,
        parameters=parameters,
        user=user,
        role_name=role_name,
        role_arn=None,
        role_account=role_account,
        session_name=session_name(user, runtime.now(), runtime.token_hex(SUFFIX_BYTES)),
        duration=request.duration_seconds or DURATIONS["assume_role"],
        external_id="",
        request=request,
        session_policy=None,
        extras={},
        context={},
        tag_session=None,
        partition=clients.partition,
        region=clients.region,
        method="assume_role",
        saml=None,
        web_identity=None,
        **usual,
    )


def _parse_proof(params: Params, partition: str) -> tuple[SamlOptions | None, WebIdentityOptions | None]:
    """Return the options of the method that takes the place of AWS credentials, if there is one."""
    method = check_method(params)
    if method == "saml":
        from .. import _saml  # noqa: PLC0415 - most tokens are issued with AWS credentials

        return _saml.parse(params), None
    if method == "web_identity":
        from .. import _web_identity  # noqa: PLC0415 - as above

        return None, _web_identity.parse(params, partition)
    return None, None


def _parse_role(params: Params, venue: Venue, partition: str) -> tuple[str, str]:
    """Return the name of the role and, if an option names it, its account."""
    account = check_expected_account(params["expected_account_id"])
    if params["role_arn"]:
        kind = {"service": "iam", "resource": ROLE, "example": "role/NAME"}
        arn = parse_arn("role_arn", params["role_arn"], **kind, partition=partition, account_id=account)
        return check_role_name("role_arn", arn.resource.rsplit("/", 1)[1]), arn.account_id
    return chosen_role_name(venue, params), account


def _parse_session_name(params: Params, user: str, runtime: Runtime) -> str:
    if params["session_name"]:
        return check_session_name("session_name", params["session_name"])
    if params["method"] == "saml":
        return ""
    return session_name(user, runtime.now(), runtime.token_hex(SUFFIX_BYTES))


def _parse_external_id(params: Params) -> str:
    if params["external_id"] is not None:
        return check_external_id("external_id", params["external_id"])
    if params["require_requester_external_id"]:
        raise InvalidInput(
            "external_id",
            "is required here (require_requester_external_id). Ask the requester for the venue's external ID.",
        )
    return ""


def given_limits(options: Mapping[str, Any] | None, venue: Venue) -> Limits:
    """Return the limits of the option ``limits``, of which only the suboptions count that are set.

    :raises InvalidInput: one cannot be right, or none is set.
    """
    given = None if options is None else {name: value for name, value in options.items() if value is not None}
    return parse_limits("limits", given, venue)


def within_limits(request: Request, limits: Limits, method: str) -> Request:
    """Return the request within the limits. A request without a duration gets the usual one, or the limit.

    :raises LimitExceeded: it is for more than the limits allow.
    """
    if request.duration_seconds is None:
        request = replace(request, duration_seconds=_usual_duration(method, limits))
    return authorize(request, limits)


def _usual_duration(method: str, limits: Limits) -> int:
    return min(DURATIONS[method], limits.duration_seconds or token_request.LONGEST)


def _parse_session_policy(params: Params, request: Request) -> dict[str, Any] | None:
    if not params["session_policy"]:
        return None
    if request.narrows:
        raise InvalidInput(
            "session_policy",
            "replaces what access, buckets, bucket_prefixes, ecr_repositories and limits would allow. Give one or the "
            "other.",
        )
    return token_request.check_session_policy(params["session_policy"])


def _parse_policy_arns(params: Params, request: Request, partition: str) -> tuple[str, ...]:
    """Return the managed policies that narrow the session.

    :raises InvalidInput: something else narrows it as well: the policies would add to each other.
    """
    arns = token_request.check_policy_arns(params["policy_arns"] or [], partition)
    if arns and (request.narrows or params["session_policy"]):
        raise InvalidInput(
            "policy_arns",
            "STS allows what any of the session policies allows, so they cannot be combined with session_policy, "
            "access, buckets, bucket_prefixes, ecr_repositories or limits on these. Set only one of them.",
        )
    return arns


def _parse_extras(params: Params, request: Request, context: Mapping[str, str], partition: str) -> dict[str, Any]:
    """Return the optional parameters of AssumeRole that do not depend on the state of the venue."""
    tags = check_tags("tags", {**(context_tags(context) if params["tag_session"] else {}), **params["tags"]})
    extras: dict[str, Any] = token_request.check_mfa(params["mfa_serial_number"], params["mfa_token"])
    policies = _parse_policy_arns(params, request, partition)
    if policies:
        extras["PolicyArns"] = [{"arn": arn} for arn in policies]
    if tags:
        extras["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if params["transitive_tag_keys"]:
        extras["TransitiveTagKeys"] = list(token_request.check_transitive(params["transitive_tag_keys"], tags))
    identity = params["source_identity"] or (context_identity(context) if params["tag_session"] else "")
    if identity:
        extras["SourceIdentity"] = check_session_name("source_identity", identity)
    return extras
