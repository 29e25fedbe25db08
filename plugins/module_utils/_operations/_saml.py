# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A token for who comes with a SAML response instead of AWS credentials."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from .._aws.calls import call
from .._aws.clients import Clients
from .._domain.arns import parse_arn
from .._domain.errors import AwsRefused, ConnectionProblem, InvalidInput
from .._domain.saml import Response, RolePair, SamlProblem, check_fresh, choose, find_role, read_response
from .._masking import register
from ._operation import Params

# AssumeRoleWithSAML takes none of these: what corresponds to them is in the assertion, where the identity provider put
# it.
IN_THE_ASSERTION = (
    "session_name",
    "external_id",
    "tags",
    "transitive_tag_keys",
    "source_identity",
    "mfa_serial_number",
    "mfa_token",
)
SAML_ONLY = ("saml_assertion", "saml_assertion_file", "saml_provider_arn")

ADVICE = {
    "ExpiredTokenException": "The SAML response is stale: AWS wants it redeemed within 5 minutes. Log in at the identity provider again.",
    "IDPRejectedClaim": "The identity provider's response is refused as a whole: log in again; if that does not help, ask who runs the provider.",
    "InvalidIdentityToken": "AWS does not accept the response: the provider's metadata in IAM may be old, or the response was changed on its way.",
    "AccessDenied": "The role's trust policy must name the provider (saml_provider_arns of the provision playbook).",
}


def check_options(params: Params) -> None:
    """Hold the options to the method.

    :raises InvalidInput: an option that has no meaning with it.
    """
    is_saml = params["method"] == "saml"
    for option in IN_THE_ASSERTION if is_saml else SAML_ONLY:
        if params[option]:
            why = (
                "is in the assertion with method saml, and cannot be given" if is_saml else "goes with method saml only"
            )
            raise InvalidInput(option, f"{why}.")
    if is_saml and params["require_requester_external_id"]:
        raise InvalidInput(
            "require_requester_external_id", "cannot be kept with method saml: AWS checks no external ID there."
        )
    if is_saml and not (params["saml_assertion"] or params["saml_assertion_file"]):
        raise InvalidInput(
            "saml_assertion_file",
            "give it, or saml_assertion: the SAMLResponse of the identity provider, fresh from the login.",
        )


def read_assertion(params: Params) -> Response:
    """The response from the option or the file.

    :raises InvalidInput: the file cannot be read.
    :raises SamlProblem: it is not a SAML response.
    """
    if params["saml_assertion"]:
        return read_response(params["saml_assertion"])
    path = params["saml_assertion_file"]
    try:
        text = Path(path).read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise InvalidInput("saml_assertion_file", f"'{path}' is not text that a browser sends.") from None
    except OSError as error:
        raise InvalidInput("saml_assertion_file", f"'{path}' cannot be read ({error.strerror}).") from None
    register(text)
    return read_response(text)


def settle_pair(
    params: Params, response: Response, now: datetime, *, role_name: str, account_id: str, partition: str
) -> RolePair:
    """The role and provider to go with, once the response has been found fit for use.

    :raises SamlProblem: it is stale, for another service, or for other roles.
    """
    provider = params["saml_provider_arn"] or ""
    if provider:
        kind = {"service": "iam", "resource": r"saml-provider/[\w._-]+", "example": "saml-provider/NAME"}
        parse_arn("saml_provider_arn", provider, **kind, partition=partition, account_id=account_id)
    check_fresh(response, now)
    return choose(response, params["role_arn"] or find_role(response, role_name, account_id), provider)


def assume(clients: Clients, response: Response, pair: RolePair, arguments: dict[str, Any]) -> dict[str, Any]:
    """AssumeRoleWithSAML, unsigned: the assertion is all the proof there is.

    :raises SamlProblem: STS refuses the response.
    """
    role = pair.role_arn.rsplit("/", 1)[1]
    sent = {"RoleArn": pair.role_arn, "PrincipalArn": pair.provider_arn, "SAMLAssertion": response.encoded, **arguments}
    try:
        return call(
            clients.unsigned_client("sts"), "assume_role_with_saml", f"assume the role {role} with SAML", **sent
        )
    except (AwsRefused, ConnectionProblem) as error:
        advice = ADVICE.get(str(error.facts.get("error_code")))
        if not advice:
            raise
        words = error.message.split(" The AWS credentials have expired.")[0].split(" The caller needs ")[0]
        raise SamlProblem(f"{words} {advice}", **error.facts) from None
