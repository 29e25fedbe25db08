# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AssumeRoleWithWebIdentity: a token for the JWT of an OpenID Connect provider instead of AWS credentials."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._aws.calls import call, noting_lost_answers
from .._aws.clients import Clients
from .._aws.providers import WEB_IDENTITY_FILE
from .._domain import web_identity
from .._domain.errors import AwsRefused, ConnectionProblem, InvalidInput
from .._domain.oidc import OidcProvider, check_providers
from .._domain.web_identity import WebIdentity, WebIdentityProblem
from .._files import absolute, open_regular
from .._masking import register
from ._operation import Params
from .methods import explained

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

ADVICE = {
    "InvalidIdentityToken": "AWS does not accept the token. IAM must have the OIDC provider, and the provider the "
    "audience (oidc_providers of the provision playbook, with create: true). Otherwise, the signature is wrong, or AWS "
    "cannot fetch the issuer's keys.",
    "IDPCommunicationError": "AWS could not reach the issuer to fetch its keys. Run again.",
    "ExpiredTokenException": "Get a new token from the issuer.",
    "IDPRejectedClaim": "The issuer says that the token is no longer valid. Get a new one.",
    "AccessDenied": "The role's trust policy must accept the issuer, the audience and the subject of the token "
    "(oidc_providers of the provision playbook), and no revocation may refuse the subject.",
    "ValidationError": "The maximum session duration of the role (max_session_duration) is the longest that "
    "duration_seconds can be.",
}


@dataclass(frozen=True)
class WebIdentityOptions:
    """Where the web identity token is, and what the venue's role accepts.

    :param variable: the name of an environment variable that holds the token; '' where a file does.
    :param providers: empty if they are not known here.
    """

    file: str
    variable: str
    providers: tuple[OidcProvider, ...]

    @property
    def option(self) -> str:
        """The option that says where the token is."""
        return "web_identity_token_file" if self.file else "web_identity_token_variable"


def parse(params: Params, partition: str) -> WebIdentityOptions:
    """Return the options of the method ``web_identity``.

    :raises InvalidInput: no token is given, or a provider is none.
    """
    variable = params["web_identity_token_variable"] or ""
    file = params["web_identity_token_file"] or ("" if variable else os.environ.get(WEB_IDENTITY_FILE, ""))
    if not (file or variable):
        raise InvalidInput(
            "web_identity_token_file",
            f"is required, or web_identity_token_variable, or the environment variable {WEB_IDENTITY_FILE}: where the "
            "token of the issuer is.",
        )
    if variable and not _VARIABLE.fullmatch(variable):
        raise InvalidInput(
            "web_identity_token_variable",
            "must be the name of an environment variable, not the token itself (the value is not shown).",
        )
    providers = check_providers(params["oidc_providers"] or [], partition)
    return WebIdentityOptions(file, variable, providers)


def read(options: WebIdentityOptions, now: datetime) -> WebIdentity:
    """Read and check the token.

    :raises InvalidInput: there is none.
    :raises WebIdentityProblem: STS would refuse it.
    """
    token = web_identity.read_token(_text(options))
    web_identity.check_fresh(token, now)
    if options.providers:
        web_identity.check_accepted(token, options.providers)
    return token


def _text(options: WebIdentityOptions) -> str:
    if options.variable:
        text = os.environ.get(options.variable, "")
        if not text:
            raise InvalidInput(options.option, f"the environment variable {options.variable} is not set or empty.")
    else:
        try:
            with open(absolute(options.option, options.file), "rb", opener=open_regular) as file:
                text = file.read(2 * web_identity.LONGEST).decode("ascii")
        except UnicodeDecodeError:
            raise WebIdentityProblem(
                f"'{options.file}' does not contain a web identity token: it is not ASCII text."
            ) from None
        except OSError as error:
            raise InvalidInput(options.option, f"'{options.file}' cannot be read ({error.strerror}).") from None
    register(text, *text.strip().split("."))
    return text


def role_account_of(options: WebIdentityOptions, role_account: str) -> str:
    """Return the account of the role, which nothing can look up without credentials.

    :param role_account: what other options say; '' if they do not.
    :raises InvalidInput: no option says it.
    """
    named = {one.account_id for one in options.providers if one.account_id}
    account = role_account or (next(iter(named)) if len(named) == 1 else "")
    if not account:
        raise InvalidInput(
            "expected_account_id",
            "is required with method web_identity, or role_arn: without AWS credentials the account is not known.",
        )
    for one in options.providers:
        one.in_account(account)
    return account


def assume(clients: Clients, token: WebIdentity, role_arn: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """AssumeRoleWithWebIdentity, unsigned: the token is all the proof there is.

    :raises WebIdentityProblem: STS refuses the token.
    """
    client, operation = clients.unsigned_client("sts"), "assume_role_with_web_identity"
    purpose = f"assume the role {role_arn.rsplit('/', 1)[1]} with a web identity"
    try:
        with noting_lost_answers(client, operation):
            return call(client, operation, purpose, RoleArn=role_arn, WebIdentityToken=token.encoded, **arguments)
    except (AwsRefused, ConnectionProblem) as error:
        advice = {**ADVICE, "AccessDenied": f"{ADVICE['AccessDenied']}{_claims(token)}"}
        raise explained(error, advice, WebIdentityProblem) from None


def _claims(token: WebIdentity) -> str:
    shown = (token.issuer, ", ".join(token.audiences), token.subject)
    issuer, audiences, subject = (one[: web_identity.LONGEST_SHOWN] for one in shown)
    advice = web_identity.github_advice(token)
    return f" The token is from {issuer}, for {audiences}, about {subject}.{advice}"
