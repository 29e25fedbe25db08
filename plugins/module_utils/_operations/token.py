# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Issue a token: check, ask STS, say what was issued."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from .._aws.calls import DENIED, call, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import Caller, read_caller, read_history, read_parameters, read_role
from .._domain import permissions
from .._domain import token_request as request
from .._domain.access import ACCESS, check_access, check_buckets, check_prefixes, check_repositories
from .._domain.arns import check_account_id, parse_arn, session_role_name
from .._domain.errors import (
    AccountMismatch,
    AwsRefused,
    ExternalIdMismatch,
    InvalidInput,
    NotAssumable,
    NotProvisioned,
    ReceiptNotKept,
    VenueError,
)
from .._domain.external_id import agree, replaced_at, retired
from .._domain.names import (
    Venue,
    check_external_id,
    check_range,
    check_role_name,
    check_session_name,
    make_venue,
)
from .._domain.policies import compact
from .._domain.role_plan import Parameter, Role
from .._domain.tags import check_ownership, check_tags
from .._domain.times import iso
from .._domain.trust_reader import external_ids
from .._domain.users import SUFFIX_BYTES, check_user, session_name
from .._files import private_file, write_synced
from . import _receipts, _reuse, _saml
from ._operation import Operation, Params, Result, Runtime, filled_in
from ._prove import FRESH, LONGEST_WAIT, diagnose
from .accounts import check_account
from .patience import Patience, role_may_be_new

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "session_name": {"type": "str"},
    "method": {"type": "str", "choices": ["assume_role", "saml"], "default": "assume_role"},
    "saml_assertion": {"type": "str", "no_log": True},
    "saml_assertion_file": {"type": "path"},
    "saml_provider_arn": {"type": "str"},
    "duration_seconds": {"type": "int"},
    "on_duration_cap": {"type": "str", "choices": ["cap", "fail"], "default": "cap"},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "role_arn": {"type": "str"},
    "expected_account_id": {"type": "str"},
    "external_id": {"type": "str", "no_log": True},
    "require_requester_external_id": {"type": "bool", "default": False},
    "access": {"type": "list", "elements": "str"},
    "buckets": {"type": "list", "elements": "str"},
    "bucket_prefixes": {"type": "list", "elements": "str"},
    "ecr_repositories": {"type": "list", "elements": "str"},
    "session_policy": {"type": "json"},
    "policy_arns": {"type": "list", "elements": "str"},
    "tags": {"type": "dict", "default": {}},
    "transitive_tag_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "source_identity": {"type": "str"},
    "mfa_serial_number": {"type": "str"},
    "mfa_token": {"type": "str", "no_log": True},
    "verify": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 60},
    "dest": {"type": "path"},
    **_reuse.ARGUMENT_SPEC,
    **_receipts.ARGUMENT_SPEC,
}
DURATIONS = {"assume_role": 3600, "saml": 1800}  # as the two procedures have it
NARROWING = ("access", "buckets", "bucket_prefixes", "ecr_repositories")
ANY_ACCOUNT = "000000000000"  # as long as every account id, to count with before the account is known


class Wish(NamedTuple):
    """The options, checked as far as that goes without asking AWS."""

    venue: Venue
    role_name: str
    role_account: str
    session_name: str
    duration: int
    grant: permissions.Grant | None
    session_policy: dict[str, Any] | None
    extras: dict[str, Any]
    partition: str
    region: str


# The receipt as far as it is known, and the call that is still to be made.
Prepared = tuple[dict[str, Any], Callable[[], dict[str, Any]]]


class Issuable(NamedTuple):
    """Everything is checked; this is what STS is to be asked, and on whose behalf."""

    caller: Caller
    role: Role
    parameter: Parameter
    duration: int
    bucket: str | None
    arguments: dict[str, Any]


def parse(params: Params, clients: Clients, runtime: Runtime) -> Wish:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    _saml.check_options(params)
    venue = make_venue(params["project"], params["venue"])
    partition, region = clients.partition, clients.region
    role_name, role_account = _check_role(params, venue, partition)
    user, chosen = check_user("user", params["user"]), params["session_name"]
    session = (
        check_session_name("session_name", chosen)
        if chosen
        else session_name(user, runtime.now(), runtime.token_hex(SUFFIX_BYTES))
    )
    check_range("wait_timeout", params["wait_timeout"], 0, LONGEST_WAIT)
    if params["external_id"] is not None:
        check_external_id("external_id", params["external_id"])
    elif params["require_requester_external_id"]:
        raise InvalidInput(
            "external_id",
            "is required here (require_requester_external_id): ask the requester for the venue's external ID.",
        )
    wanted = DURATIONS[params["method"]] if params["duration_seconds"] is None else params["duration_seconds"]
    wish = Wish(
        venue=venue,
        role_name=role_name,
        role_account=role_account,
        session_name=session,
        duration=check_range("duration_seconds", wanted, request.SHORTEST, request.LONGEST),
        grant=_check_grant(params, venue),
        session_policy=request.check_session_policy(params["session_policy"]) if params["session_policy"] else None,
        extras=_check_extras(params, partition),
        partition=partition,
        region=region,
    )
    if wish.grant and wish.grant.buckets:
        _narrowed(wish, wish.grant, ANY_ACCOUNT)
    return wish


def _check_role(params: Params, venue: Venue, partition: str) -> tuple[str, str]:
    """The role's name and, if an option tells it, its account."""
    account = (
        check_account_id("expected_account_id", params["expected_account_id"]) if params["expected_account_id"] else ""
    )
    if params["role_arn"]:
        kind = {"service": "iam", "resource": r"role/[\w+=,.@/-]+", "example": "role/NAME"}
        arn = parse_arn("role_arn", params["role_arn"], **kind, partition=partition, account_id=account)
        return check_role_name("role_arn", arn.resource.rsplit("/", 1)[1]), arn.account_id
    if params["role_name"]:
        return check_role_name("role_name", params["role_name"]), account
    return venue.role_name(params["name_prefix"]), account


def _check_grant(params: Params, venue: Venue) -> permissions.Grant | None:
    """What the token is narrowed to; None for all that the role may do."""
    if all(params[option] is None for option in NARROWING):
        return None
    if params["session_policy"]:
        raise InvalidInput("session_policy", f"replaces what {', '.join(NARROWING)} would say: give one or the other.")
    repositories = params["ecr_repositories"]
    return permissions.Grant(
        buckets=() if params["buckets"] is None else check_buckets("buckets", params["buckets"]),
        # A session policy only takes away: a star, and the permission to delete, mean "as far as the role goes".
        repositories=("*",) if repositories is None else check_repositories(venue, repositories),
        bucket_prefixes=check_prefixes(params["bucket_prefixes"] or ()),
        kms_keys=("*",),
        access=check_access(ACCESS if params["access"] is None else params["access"]),
        delete=True,
    )


def _check_extras(params: Params, partition: str) -> dict[str, Any]:
    """The optional parameters of AssumeRole that do not depend on the venue's state."""
    tags = check_tags("tags", params["tags"])
    extras: dict[str, Any] = request.check_mfa(params["mfa_serial_number"], params["mfa_token"])
    policies = request.check_policy_arns(params["policy_arns"] or (), partition)
    if policies:
        extras["PolicyArns"] = [{"arn": arn} for arn in policies]
    if tags:
        extras["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if params["transitive_tag_keys"]:
        extras["TransitiveTagKeys"] = list(request.check_transitive(params["transitive_tag_keys"], tags))
    if params["source_identity"]:
        extras["SourceIdentity"] = check_session_name("source_identity", params["source_identity"])
    return extras


def _narrowed(wish: Wish, grant: permissions.Grant, account: str) -> dict[str, Any]:
    policy = permissions.policy(grant, permissions.Place(wish.partition, wish.region, account))
    return request.check_policy_size("access", policy)


def issue_token(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``venue_sts_token``.

    :raises VenueError: see ``_domain/errors.py``. Once STS has issued a token, the error's facts hold its receipt.
    """
    places = _receipts.places(params)
    wish = parse(params, clients, runtime)
    places.check()
    dest = request.token_file(params["dest"], *wish.venue, params["user"]) if params["dest"] else None
    receipt, ask = (_prepare_saml if params["method"] == "saml" else _prepare)(params, wish, clients, runtime)
    told = {"changed": bool(dest or any(places)), **({"dest": dest} if dest else {})}
    if runtime.check_mode:
        receipt = _receipts.not_handed_over(receipt, runtime.now(), dest) if any(places) else receipt
        return {**told, "token": None, "sts_creds": None, "receipt": receipt}
    try:
        with private_file("dest", dest) if dest else contextlib.nullcontext() as place:
            answer = ask()
            token = request.token_document(answer)
            if crowded := request.nearly_full(answer):
                runtime.warn(crowded)
            receipt |= _issued(answer, token, runtime)
            if params["verify"]:
                _verify(clients, token)
            if place:
                write_synced(place, json.dumps(token, indent=4) + "\n")
    except VenueError as error:
        if "access_key_id" in receipt:
            error.facts["receipt"] = _record_unsaved(places, receipt, error, clients, runtime)
        raise
    receipt = _record(places, receipt, clients, runtime, dest)
    keys = token["Credentials"]
    sts_creds = {
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
        "session_token": keys["SessionToken"],
        "expiration": keys["Expiration"],
    }
    return {**told, "token": token, "sts_creds": sts_creds, "receipt": receipt}


def _record(
    places: _receipts.Places, receipt: dict[str, Any], clients: Clients, runtime: Runtime, target: str | None
) -> dict[str, Any]:
    """Keep the receipt, if it is to be kept.

    :raises ReceiptNotKept: the facts hold it, but no keys: who cannot say who had access gives none.
    """
    if any(places):
        receipt = _receipts.not_handed_over(receipt, runtime.now(), target)
        try:
            places.keep(receipt, clients)
        except ReceiptNotKept as error:
            error.facts |= {"receipt": receipt, "changed": bool(target)}
            raise
    return receipt


def _record_unsaved(
    places: _receipts.Places, receipt: dict[str, Any], problem: VenueError, clients: Clients, runtime: Runtime
) -> dict[str, Any]:
    """A token that was issued is recorded, even if nothing could be done with it."""
    if any(places):
        receipt = _receipts.not_handed_over(receipt, runtime.now(), None, problem.message)
        try:
            places.keep(receipt, clients)
        except ReceiptNotKept as error:
            runtime.warn(error.message)
    return receipt


def _prepare(params: Params, wish: Wish, clients: Clients, runtime: Runtime) -> Prepared:
    checked = check(params, wish, clients, runtime)
    receipt = _receipt(params, wish, checked.caller.account_id, checked.role.arn, checked.duration) | {
        "issuer_arn": checked.caller.arn,
        "session_name": wish.session_name,
        "bucket": checked.bucket,
        "external_id_source": "parameter+requester" if params["external_id"] else "parameter",
    }
    return receipt, lambda: _assume(clients, runtime, checked, params["wait_timeout"])


def _prepare_saml(params: Params, wish: Wish, clients: Clients, runtime: Runtime) -> Prepared:
    """The same without credentials: nothing of the venue can be looked up, and STS judges all."""
    response = _saml.read_assertion(params)
    pair = _saml.settle_pair(
        params,
        response,
        runtime.now(),
        role_name=wish.role_name,
        account_id=wish.role_account,
        partition=wish.partition,
    )
    account = pair.role_arn.split(":")[4]
    arguments: dict[str, Any] = {"DurationSeconds": wish.duration, **wish.extras}
    policy = wish.session_policy
    if wish.grant:
        if not wish.grant.buckets and {"s3_read", "s3_write"} & set(wish.grant.access):
            raise InvalidInput(
                "buckets",
                "must be named with method saml: without AWS credentials the published one cannot be looked up.",
            )
        policy = _narrowed(wish, wish.grant, account)
    if policy:
        arguments["Policy"] = compact(policy)
    receipt = _receipt(params, wish, account, pair.role_arn, wish.duration) | {"saml_provider_arn": pair.provider_arn}
    return receipt, lambda: _saml.assume(clients, response, pair, arguments)


def check(params: Params, wish: Wish, clients: Clients, runtime: Runtime) -> Issuable:
    """Compare accounts and external IDs, settle the duration: all that can be known before STS is asked.

    :raises AccountMismatch: the caller is in another account than the venue.
    :raises NotProvisioned: no role, no external ID or no published bucket.
    :raises OwnershipConflict: the role is another venue's.
    :raises ExternalIdMismatch: as said.
    """
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    names = [wish.venue.external_id_parameter, wish.venue.bucket_parameter]
    needs_bucket = (
        wish.grant is not None and not wish.grant.buckets and {"s3_read", "s3_write"} & set(wish.grant.access)
    )
    caller, role, parameters = run_concurrently(
        lambda: read_caller(sts), lambda: read_role(iam, wish.role_name), lambda: read_parameters(ssm, names)
    )
    check_account(caller, params["expected_account_id"] or wish.role_account or None)
    role, parameter = _provisioned(
        wish, role, parameters.get(wish.venue.external_id_parameter), caller, params["role_arn"]
    )
    warning = _compare(wish, ssm, role, parameter, params["external_id"] or "")
    if warning:
        runtime.warn(warning)
    policy = wish.session_policy
    if wish.grant:
        grant = wish.grant
        if needs_bucket:
            grant = grant._replace(buckets=_published_bucket(wish.venue, parameters))
        policy = _narrowed(wish, grant, caller.account_id)
    duration = _settle_duration(params, wish, caller, role, runtime)
    arguments = {
        "RoleArn": role.arn,
        "RoleSessionName": wish.session_name,
        "DurationSeconds": duration,
        "ExternalId": parameter.value,
        **wish.extras,
    }
    if policy:
        arguments["Policy"] = compact(policy)
    published = parameters.get(wish.venue.bucket_parameter)
    bucket = params["buckets"][0] if params["buckets"] else published.value if published else None
    return Issuable(caller, role, parameter, duration, bucket, arguments)


def _compare(wish: Wish, ssm: Any, role: Role, parameter: Parameter, requester: str) -> str:
    """Compare the external IDs of SSM, trust policy and requester; a warning, or ''.

    :raises ExternalIdMismatch: they differ; if the requester's is an old one of this venue, with when that was rotated.
    """
    rotated = f"on {iso(parameter.modified)}" if parameter.modified else "lately"
    try:
        return agree(parameter.value, external_ids(role.trust), requester, rotated)
    except ExternalIdMismatch as mismatch:
        if "requester" in mismatch.facts["places"]:
            _explain_retired(ssm, wish.venue.external_id_parameter, requester)
        raise


def _explain_retired(ssm: Any, name: str, requester: str) -> None:
    try:
        history = read_history(ssm, name)
    except AwsRefused as refusal:
        if refusal.code in DENIED:
            return  # the plain message stands: not being allowed to look into the past does not change it
        raise
    rotated = replaced_at(
        [(one.value, iso(one.modified) if one.modified else "an unknown day") for one in history], requester
    )
    if rotated:
        raise retired(rotated)


def _provisioned(
    wish: Wish, role: Role | None, parameter: Parameter | None, caller: Caller, role_arn: str | None
) -> tuple[Role, Parameter]:
    advice = "Run the provision playbook for this venue first."
    if not role:
        raise NotProvisioned(f"there is no role {wish.role_name} in account {caller.account_id}. {advice}")
    if role_arn and role.arn != role_arn:
        raise InvalidInput("role_arn", f"'{role_arn}' does not exist; the role of that name is {role.arn}.")
    # A role made by hand carries no tags; one of another venue does.
    check_ownership(wish.venue, role.name, role.tags, adopt=True)
    if not parameter:
        raise NotProvisioned(f"there is no external ID in SSM at {wish.venue.external_id_parameter}. {advice}")
    return role, parameter


def _published_bucket(venue: Venue, parameters: dict[str, Parameter]) -> tuple[str, ...]:
    name = venue.bucket_parameter
    if name not in parameters:
        raise NotProvisioned(f"the SSM parameter {name} does not exist: name the bucket with the option buckets.")
    return check_buckets(name, [parameters[name].value])


def _settle_duration(params: Params, wish: Wish, caller: Caller, role: Role, runtime: Runtime) -> int:
    settled = request.cap_duration(
        wish.duration, role.max_session_duration, chained=bool(session_role_name(caller.arn))
    )
    if settled.capped_by:
        message = f"{wish.duration} seconds cannot be had: {settled.capped_by}"
        if params["on_duration_cap"] == "fail":
            raise InvalidInput(
                "duration_seconds", f"{message}. Ask for at most {settled.seconds}, or set on_duration_cap to cap."
            )
        runtime.warn(f"duration_seconds: {message}. The token will live {settled.seconds} seconds.")
    return settled.seconds


def _assume(clients: Clients, runtime: Runtime, checked: Issuable, wait_timeout: int) -> dict[str, Any]:
    """AssumeRole; again while it is refused and the venue is so new that AWS may still be spreading the news."""
    started = runtime.now()
    touched = [moment for moment in (checked.role.created, checked.parameter.modified) if moment]
    fresh = any(started - moment < FRESH for moment in touched)
    patience = Patience(runtime, wait_timeout if fresh else 0, role_may_be_new)
    while True:
        try:
            return call(
                clients.client("sts"), "assume_role", f"assume the role {checked.role.name}", **checked.arguments
            )
        except AwsRefused as error:
            if error.code not in DENIED:
                raise
            if not patience.again(error):
                reason = diagnose(checked.role, checked.parameter, checked.caller, runtime)
                raise NotAssumable(f"{error.message} {reason}", **error.facts) from None


def _verify(clients: Clients, token: dict[str, Any]) -> None:
    keys = token["Credentials"]
    client = clients.client_with_keys("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    caller = read_caller(client)
    if caller.arn != token["AssumedRoleUser"]["Arn"]:
        raise AccountMismatch(
            f"the new keys answer as {caller.arn}, not as {token['AssumedRoleUser']['Arn']}. Do not hand them over."
        )


def _receipt(params: Params, wish: Wish, account: str, role_arn: str, duration: int) -> dict[str, Any]:
    """What is known before STS answers: enough to say, in check mode, what would be issued. No secret is in it."""
    return {
        "schema": 1,
        "recipient": params["user"],
        "project": wish.venue.project,
        "venue": wish.venue.venue,
        "account_id": account,
        "region": wish.region,
        "issuer_arn": None,
        "role_arn": role_arn,
        "session_name": None,
        "duration_requested": wish.duration,
        "duration_seconds": duration,
        "external_id_source": None,
        "bucket": None,
        "access": list(wish.grant.access) if wish.grant else None,
        "bucket_prefixes": list(wish.grant.bucket_prefixes) if wish.grant else [],
        "ecr_repositories": params["ecr_repositories"],
        "source_identity": params["source_identity"],
        "method": params["method"],
    }


def _issued(answer: dict[str, Any], token: dict[str, Any], runtime: Runtime) -> dict[str, Any]:
    # With SAML, the identity provider names session and subject.
    by_provider = (
        {"saml_subject": answer["Subject"], "saml_issuer": answer.get("Issuer")} if "Subject" in answer else {}
    )
    return {
        "session_name": token["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1],
        "assumed_role_id": token["AssumedRoleUser"]["AssumedRoleId"],
        "access_key_id": token["Credentials"]["AccessKeyId"],
        "issued_at": iso(runtime.now()),
        "expires_at": token["Credentials"]["Expiration"],
        **by_provider,
    }


OPERATION = Operation(
    name="venue_sts_token",
    argument_spec=ARGUMENT_SPEC,
    execute=issue_token,
    secret_result=True,
    narrowing=filled_in(ARGUMENT_SPEC, but=("tags", "transitive_tag_keys")),
    constraints={
        "required_together": [("mfa_serial_number", "mfa_token")],
        "mutually_exclusive": [("saml_assertion", "saml_assertion_file")],
    },
)
