# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AssumeRoleWithSAML: a token for a SAML response instead of AWS credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .._aws.calls import call, noting_lost_answers
from .._aws.clients import Clients
from .._domain.arns import SAML_PROVIDER, parse_arn
from .._domain.errors import AwsRefused, ConnectionProblem, InvalidInput
from .._domain.names import check_session_name
from .._domain.saml import Response, RolePair, SamlProblem, check_fresh, choose, decode_file, find_role, read_response
from .._files import absolute, open_regular
from .._masking import register
from ._operation import Params
from .methods import explained

ADVICE = {
    "ExpiredTokenException": "The SAML response has expired: AWS accepts it within 5 minutes of the login. "
    "Log in to the identity provider again.",
    "IDPRejectedClaim": "AWS refuses the response as a whole. Log in again. If that does not help, ask the "
    "administrator of the identity provider.",
    "InvalidIdentityToken": "AWS does not accept the response: the provider's metadata in IAM may be old, or the "
    "response was changed in transit.",
    "AccessDenied": "The role's trust policy must name the provider and the sign-in address that the response is for "
    "(saml_provider_arns and saml_audiences of the provision playbook).",
}


@dataclass(frozen=True)
class SamlOptions:
    """Where the SAML response is, and which of its roles and providers to use.

    :param assertion: the response itself, if it was given as an option. Secret while it is fresh.
    :param file: a file with the response.
    """

    assertion: str = field(repr=False)
    file: str
    provider_arn: str
    role_arn: str


def parse(params: Params) -> SamlOptions:
    """Return the options of the method ``saml``.

    :raises InvalidInput: no response is given.
    """
    if not (params["saml_assertion"] or params["saml_assertion_file"]):
        raise InvalidInput(
            "saml_assertion_file",
            "is required, or saml_assertion: the SAMLResponse of the identity provider, fresh from the login.",
        )
    names = ("saml_assertion", "saml_assertion_file", "saml_provider_arn", "role_arn")
    return SamlOptions(*(params[name] or "" for name in names))


def read_assertion(options: SamlOptions) -> Response:
    """Read the response from the option or the file.

    :raises InvalidInput: the file cannot be read.
    :raises SamlProblem: it is not a SAML response.
    """
    if options.assertion:
        return read_response(options.assertion)
    try:
        with open(absolute("saml_assertion_file", options.file), "rb", opener=open_regular) as file:
            content = file.read()
    except OSError as error:
        raise InvalidInput("saml_assertion_file", f"'{options.file}' cannot be read ({error.strerror}).") from None
    text = decode_file(content)
    register(text)
    return read_response(text)


def check_pair(
    options: SamlOptions, response: Response, now: datetime, *, role_name: str, account_id: str, partition: str
) -> RolePair:
    """Return the role and provider to use, after the response has been checked.

    :raises SamlProblem: it has expired, is for another service, or for other roles.
    """
    if options.provider_arn:
        kind = {"service": "iam", "resource": SAML_PROVIDER, "example": "saml-provider/NAME"}
        parse_arn("saml_provider_arn", options.provider_arn, **kind, partition=partition, account_id=account_id)
    check_fresh(response, now)
    role_arn = options.role_arn or find_role(response, role_name, account_id)
    return choose(response, role_arn, options.provider_arn)


def check_session(response: Response, expected: str) -> str:
    """Return the name of the session, which the identity provider has chosen.

    :param expected: the option ``session_name``, for an encrypted assertion.
    :raises SamlProblem: the assertion names no session.
    :raises InvalidInput: the assertion is encrypted, and the option does not say which name it contains.
    """
    if response.is_encrypted:
        if not expected:
            raise InvalidInput(
                "session_name",
                "is required for an encrypted assertion: the RoleSessionName that the identity provider puts into it. "
                "The receipt needs it, to find and revoke the token.",
            )
        return expected
    names = sorted(set(response.session_names))
    if len(names) != 1:
        raise SamlProblem("The SAML response does not name one session (attribute RoleSessionName).")
    if expected not in ("", names[0]):
        raise InvalidInput("session_name", f"the assertion names the session '{names[0]}'.")
    return check_session_name("saml_assertion", names[0])


def assume(clients: Clients, response: Response, pair: RolePair, arguments: dict[str, Any]) -> dict[str, Any]:
    """AssumeRoleWithSAML, unsigned: the assertion is all the proof there is.

    :raises SamlProblem: STS refuses the response.
    """
    role = pair.role_arn.rsplit("/", 1)[1]
    sent = {"RoleArn": pair.role_arn, "PrincipalArn": pair.provider_arn, "SAMLAssertion": response.encoded, **arguments}
    client, operation = clients.unsigned_client("sts"), "assume_role_with_saml"
    try:
        with noting_lost_answers(client, operation):
            return call(client, operation, f"assume the role {role} with SAML", **sent)
    except (AwsRefused, ConnectionProblem) as error:
        raise explained(error, ADVICE, SamlProblem) from None
