# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One API call, several at once, and what their failures mean to the user."""

from __future__ import annotations

import contextlib
import contextvars
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._domain.errors import (
    AwsRefused,
    ConcurrentChange,
    ConnectionProblem,
    CredentialsProblem,
    MissingReference,
    VenueError,
)
from .._domain.steps import Step
from .._domain.trust_reader import named_external_ids
from .._masking import register_result
from .advice import ADVICE
from .authorities import certificate_refused, unusable_bundle
from .clients import KEYS_ADVICE

with contextlib.suppress(ImportError):  # Clients says so, before any call is made
    from botocore import exceptions as botocore_errors
    from botocore.parsers import ResponseParserError

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_KEYS = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
SERVER_ERROR = 500
SIDE_BY_SIDE = 8  # calls at once; botocore keeps ten connections, and IAM limits the rate
MISSING = {"NoSuchEntity", "ParameterNotFound"}
# Somebody created, deleted or changed it since it was read.
OVERTAKEN = {
    *MISSING,
    "EntityAlreadyExists",
    "ParameterAlreadyExists",
    "ConcurrentModification",
    "TooManyUpdates",
    "DeleteConflict",
}
# AWS may quote these parameters in an error message; trust policies hold external IDs.
SECRET_ARGUMENTS = ("ExternalId", "Value", "SAMLAssertion", "WebIdentityToken", "TokenCode")
TRUST_POLICIES = ("AssumeRolePolicyDocument", "PolicyDocument")
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")


def iam_action(client: Any, operation: str) -> str:
    """The IAM action of a botocore method: ``iam:GetRole`` for ``get_role``."""
    return f"{client.meta.service_model.endpoint_prefix}:{client.meta.method_to_api_mapping[operation]}"


def call(client: Any, operation: str, purpose: str, **arguments: Any) -> dict[str, Any]:
    """Make one API call.

    :param operation: botocore's method, such as ``get_role``.
    :param purpose: what it is for, to go after "could not": ``read the role unity-sbg-dev-sts``.
    :raises AwsRefused: AWS answered with an error.
    :raises ConnectionProblem: there was no response, or the credentials are not valid.
    """
    with _explained(client, operation, purpose, arguments):
        answer = dict(getattr(client, operation)(**arguments))
    if "Credentials" in answer:
        register_result(answer)
    return answer


def pages(client: Any, operation: str, purpose: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Make an API call that lists something: yield the answer, and then that of a further call for each further page.

    The parameters are those of :func:`call`. A page is requested when the caller asks for it.

    :raises VenueError: as :func:`call` does.
    """
    answers = iter(client.get_paginator(operation).paginate(**arguments))
    while True:
        with _explained(client, operation, purpose, arguments):
            answer = next(answers, None)
        if answer is None:
            return
        yield answer


@contextlib.contextmanager
def _explained(client: Any, operation: str, purpose: str, arguments: dict[str, Any]) -> Iterator[None]:
    """Say what the errors of botocore mean to the user."""
    try:
        yield
    except botocore_errors.ClientError as error:
        if error.operation_name != client.meta.method_to_api_mapping[operation]:
            raise refresh_refused(error, purpose) from None
        raise _refusal(error, iam_action(client, operation), purpose, arguments) from None
    except botocore_errors.PaginationError:
        where = client.meta.endpoint_url
        raise ConnectionProblem(f"could not {purpose}: {where} returned the same page twice. Run again.") from None
    except botocore_errors.BotoCoreError as error:
        raise _no_answer(error, client, purpose) from None
    except ResponseParserError:  # quotes the whole response, credentials included
        raise damaged_answer(client, purpose) from None


@contextlib.contextmanager
def noting_lost_answers(client: Any, operation: str) -> Iterator[None]:
    """Note in an error's facts, as ``answer_lost``, that AWS may have done what was asked before it refused to.

    botocore silently repeats a call whose answer did not arrive or was a server error. The last answer may be a
    refusal although an earlier attempt succeeded.

    :param operation: botocore's method, such as ``assume_role``.
    """
    lost = []

    def note(response_dict: dict[str, Any] | None, exception: object = None, **_rest: Any) -> None:
        if certificate_refused(exception):
            return
        if response_dict is None or response_dict["status_code"] >= SERVER_ERROR:
            lost.append(response_dict)

    service = client.meta.service_model.service_id.hyphenize()
    event = f"response-received.{service}.{client.meta.method_to_api_mapping[operation]}"
    client.meta.events.register(event, note)
    try:
        yield
    except VenueError as error:
        if lost:
            error.facts["answer_lost"] = True
        raise
    finally:
        client.meta.events.unregister(event, note)


def refresh_refused(error: Any, purpose: str) -> CredentialsProblem:
    """Explain that AWS refused the call by which botocore refreshes the credentials, not the call itself."""
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    return CredentialsProblem(
        f"could not {purpose}: the AWS credentials could not be refreshed ({error.operation_name}: {code}). "
        "Run again; the message then says why.",
        error_code=code,
    )


def damaged_answer(client: Any, purpose: str) -> ConnectionProblem:
    """What to say about an answer that is not whole. A change may have been made; the next run finds out."""
    return ConnectionProblem(
        f"could not {purpose}: the response from {client.meta.endpoint_url} was damaged in transit. Run again. If the "
        "error persists, check proxies."
    )


def call_or_none(client: Any, operation: str, purpose: str, **arguments: Any) -> dict[str, Any] | None:
    """Make one API call that may find nothing: None then. Being refused is not finding nothing."""
    try:
        return call(client, operation, purpose, **arguments)
    except AwsRefused as error:
        if error.code in MISSING:
            return None
        raise


def apply(
    client_for: Callable[[str], Any],
    steps: Sequence[Step],
    done: list[tuple[Step, dict[str, Any]]],
    again: Callable[[AwsRefused], bool] = lambda refusal: False,
) -> None:
    """Apply the steps of a plan in order, without decisions.

    :param client_for: gives the client of a service.
    :param done: the steps that were applied, with AWS's answers, are added here, also when a later one fails.
    :param again: whether to try a refused step again; waits before it says so.
    :raises ConcurrentChange: somebody else changed the venue since it was read.
    :raises MissingReference: something that a step refers to does not exist.
    """
    for step in steps:
        try:
            answer = _apply_one(client_for(step.service), step, again)
        except AwsRefused as error:
            if error.code in MISSING and not step.is_about_target(error.said):
                raise MissingReference(f"{error.message} {', '.join(step.references)} does not exist.") from None
            if error.code in OVERTAKEN:
                raise ConcurrentChange(
                    f"{step.target} is repeatedly changed by somebody else: {error.message}"
                ) from None
            raise
        done.append((step, answer))
        if step.version and answer.get("Version") != step.version:
            raise ConcurrentChange(f"{step.target} was changed by somebody else at the same time.")


def _apply_one(client: Any, step: Step, again: Callable[[AwsRefused], bool]) -> dict[str, Any]:
    while True:
        try:
            return call(client, step.operation, f"{step.summary} ({step.target})", **step.arguments)
        except AwsRefused as error:
            if not again(error):
                raise


def run_concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Run reads side by side, at most SIDE_BY_SIDE at once; results come in the order of the calls.

    A few take one round trip's time. There may be many, since receipts and options of others say what to read. Each has
    the context of the caller: by that, ansible-core finds the task whose result a warning belongs to.

    :raises VenueError: that of the first call, in this order, that failed.
    """
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        running = [pool.submit(contextvars.copy_context().run, one) for one in calls]
    return [one.result() for one in running]


def _refusal(error: Any, action: str, purpose: str, arguments: dict[str, Any]) -> VenueError:
    details = error.response.get("Error", {})
    code, said = str(details.get("Code", "Unknown")), str(details.get("Message", "")).strip().rstrip(".")
    said = _scrubbed(said, arguments)
    request_id = str(error.response.get("ResponseMetadata", {}).get("RequestId", ""))
    answer = f'could not {purpose}: AWS said "{said}" ({code}{", request " + request_id if request_id else ""}).'
    if code in EXPIRED:
        return ConnectionProblem(
            f"{answer} The AWS credentials have expired. {KEYS_ADVICE}", error_code=code, request_id=request_id
        )
    if code in UNKNOWN_KEYS:
        return ConnectionProblem(
            f"{answer} AWS does not know these credentials. {KEYS_ADVICE}", error_code=code, request_id=request_id
        )
    return AwsRefused(
        f"{answer}{_advice(code, action, said)}", operation=action, code=code, request_id=request_id, said=said
    )


def _scrubbed(said: str, arguments: dict[str, Any]) -> str:
    secrets = {name: [str(arguments[name])] for name in SECRET_ARGUMENTS if name in arguments}
    for name in TRUST_POLICIES:
        secrets.setdefault("ExternalId", []).extend(named_external_ids(json.loads(arguments.get(name, "{}"))))
    for name, values in secrets.items():
        for value in filter(None, values):
            said = said.replace(value, f"(the {name})")
    return said


def _advice(code: str, action: str, said: str) -> str:
    if code in DENIED:
        # A call can need a second action, such as iam:TagRole to create a role with tags: AWS names the missing one.
        named = _NOT_AUTHORIZED.search(said)
        action = named.group(1) if named else action
        return (
            f" The caller needs {action} (docs/policies lists what each task needs), and no boundary or "
            "organization policy may deny it."
        )
    if code == "MalformedPolicyDocument" and action not in ("iam:CreateRole", "iam:UpdateAssumeRolePolicy"):
        return ""
    return ADVICE.get(code, "")


def _no_answer(error: Any, client: Any, purpose: str) -> VenueError:
    where = client.meta.endpoint_url
    if isinstance(error, botocore_errors.NoCredentialsError):
        return ConnectionProblem(f"could not {purpose}: no AWS credentials found. {KEYS_ADVICE}")
    if isinstance(error, (botocore_errors.EndpointConnectionError, botocore_errors.ConnectTimeoutError)):
        return ConnectionProblem(
            f"could not {purpose}: {where} cannot be reached. Check network, VPN and proxy, and that the region "
            f"{client.meta.region_name} exists."
        )
    if unusable := unusable_bundle(error):
        return ConnectionProblem(
            f"could not {purpose}: the CA bundle cannot be used ({unusable}). Correct aws_ca_bundle, AWS_CA_BUNDLE, "
            "the profile's ca_bundle or REQUESTS_CA_BUNDLE, whichever is set first."
        )
    if certificate_refused(error):
        whose = where if isinstance(error, botocore_errors.SSLError) else "the HTTPS proxy"
        return ConnectionProblem(
            f"could not {purpose}: the TLS certificate of {whose} could not be verified. Behind an inspecting proxy, "
            "set aws_ca_bundle."
        )
    # ParamValidationError and the like may quote parameters: the class alone is safe to show.
    kind = type(error).__name__
    if isinstance(error, (botocore_errors.HTTPClientError, botocore_errors.ConnectionError)):
        return ConnectionProblem(f"could not {purpose}: the connection to {where} failed ({kind}).")
    return CredentialsProblem(
        f"could not {purpose}: botocore did not send the request, usually because credentials could not be refreshed "
        f"({kind}). Run again; the message then says why."
    )
