# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens without AWS credentials: the proof of an identity provider takes their place, by SAML or OpenID Connect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..._aws.clients import Clients
from ..._domain.errors import InvalidInput
from ..._domain.policies import compact
from ..._domain.saml import Response, RolePair
from ..._domain.web_identity import WebIdentity
from .. import _saml, _web_identity
from .._operation import Runtime
from .assume import read_answer, verify
from .options import TokenOptions
from .parts import Authorized, Issued
from .request import ReceiptFacts, make_receipt, session_policy, what_it_allows


@dataclass(frozen=True)
class SamlQuestion:
    """What AssumeRoleWithSAML is asked."""

    response: Response
    pair: RolePair
    arguments: dict[str, Any]


@dataclass(frozen=True)
class WebIdentityQuestion:
    """What AssumeRoleWithWebIdentity is asked."""

    token: WebIdentity
    role_arn: str
    arguments: dict[str, Any]


def authorize_saml(options: TokenOptions, saml: _saml.SamlOptions, clients: Clients, runtime: Runtime) -> Authorized:
    """Check what can be known without credentials. Nothing of the venue can be read, and STS decides.

    :raises SamlProblem: the response is not one that STS could accept.
    :raises InvalidInput: a file cannot be read, or the session or the bucket is not known.
    """
    response = _saml.read_assertion(saml)
    pair = _saml.check_pair(
        saml,
        response,
        runtime.now(),
        role_name=options.role_name,
        account_id=options.role_account,
        partition=options.partition,
    )
    session = _saml.check_session(response, options.session_name)
    account = pair.role_arn.split(":")[4]
    question = SamlQuestion(response, pair, _unsigned_arguments(options, account))
    facts = _facts_without_keys(options, account, pair.role_arn, session)
    return Authorized(
        receipt=make_receipt(options, facts, runtime),
        assume=lambda: _assume_with_saml(question, clients, runtime),
        verify=lambda issued: verify(issued, clients) if options.verify else None,
    )


def authorize_web_identity(
    options: TokenOptions, web_identity: _web_identity.WebIdentityOptions, clients: Clients, runtime: Runtime
) -> Authorized:
    """Check what can be known without credentials. The session is named here, and not by the identity provider.

    :raises WebIdentityProblem: the token is not one that STS could accept.
    :raises InvalidInput: there is no token, or the account or the bucket is not known.
    """
    token = _web_identity.read(web_identity, runtime.now())
    account = _web_identity.role_account_of(web_identity, options.role_account)
    role_arn = options.role_arn or f"arn:{options.partition}:iam::{account}:role/{options.role_name}"
    arguments = {"RoleSessionName": options.session_name, **_unsigned_arguments(options, account)}
    question = WebIdentityQuestion(token, role_arn, arguments)
    facts = _facts_without_keys(options, account, role_arn, options.session_name)
    return Authorized(
        receipt=make_receipt(options, replace(facts, context=token.context), runtime),
        assume=lambda: _assume_with_web_identity(question, clients, runtime),
        verify=lambda issued: verify(issued, clients) if options.verify else None,
    )


def _unsigned_arguments(options: TokenOptions, account: str) -> dict[str, Any]:
    """The arguments of a call that needs no credentials, besides the proof.

    :raises InvalidInput: the request needs a bucket, and names none.
    """
    request = options.request
    if request.narrows and request.uses_s3 and not request.buckets:
        raise InvalidInput(
            "buckets",
            f"is required with method {options.method}: without AWS credentials the published bucket cannot be read.",
        )
    policy = options.session_policy or (session_policy(options, request, account) if request.narrows else None)
    return {
        "DurationSeconds": options.duration,
        **options.extras,
        **({"Policy": compact(policy)} if policy else {}),
    }


def _facts_without_keys(options: TokenOptions, account: str, role_arn: str, session_name: str) -> ReceiptFacts:
    return ReceiptFacts(
        account_id=account,
        role_arn=role_arn,
        session_name=session_name,
        duration=options.duration,
        allows=what_it_allows(options, None, options.request),
    )


def _assume_with_saml(question: SamlQuestion, clients: Clients, runtime: Runtime) -> Issued:
    """Call AssumeRoleWithSAML.

    :raises SamlProblem: STS refuses the response.
    """
    return read_answer(_saml.assume(clients, question.response, question.pair, question.arguments), runtime)


def _assume_with_web_identity(question: WebIdentityQuestion, clients: Clients, runtime: Runtime) -> Issued:
    """Call AssumeRoleWithWebIdentity.

    :raises WebIdentityProblem: STS refuses the token.
    """
    return read_answer(_web_identity.assume(clients, question.token, question.role_arn, question.arguments), runtime)
