# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls that issue a token, and the check of its credentials. Nothing else asks STS on behalf of a recipient."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ..._aws.calls import DENIED, call, noting_lost_answers
from ..._aws.clients import Clients
from ..._aws.venue_state import Caller, read_caller
from ..._domain.errors import AccountMismatch, AwsRefused, NotAssumable
from ..._domain.roles import Parameter, Role
from ..._domain.times import parse_time
from ..._domain.token_request import nearly_full, token_document
from .._operation import Runtime
from ..assumable import FRESH, diagnose
from ..propagation import PropagationRetry, role_may_be_new
from .parts import Issued

TOO_LARGE = "PackedPolicyTooLarge"  # session tags take some of the space of session policies
UNNAMED = (
    "AWS refused ({code}) to name the session by its request, so the token has neither session tags nor a source "
    "identity from the context. The receipt has the context. The role's trust policy and the caller's policy must "
    "allow sts:TagSession and sts:SetSourceIdentity, and the caller's own session must have no other source identity."
)


@dataclass(frozen=True)
class Question:
    """What AssumeRole is asked.

    :param arguments: of the call; the external ID is among them.
    :param names: further arguments, which name the session by its request. Left out if AWS refuses them.
    """

    caller: Caller
    role: Role
    parameter: Parameter = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)
    wait_timeout: int
    names: dict[str, Any] = field(default_factory=dict)


def assume(question: Question, clients: Clients, runtime: Runtime) -> Issued:
    """Call AssumeRole, and repeat it while it is refused and the venue is so new that AWS may not know it everywhere.

    :raises NotAssumable: it was refused.
    """
    client = clients.client("sts")
    with noting_lost_answers(client, "assume_role"):
        return _assume(question, client, runtime)


def _assume(question: Question, client: Any, runtime: Runtime) -> Issued:
    started = runtime.now()
    touched = [moment for moment in (question.role.created, question.parameter.modified) if moment]
    fresh = any(started - moment < FRESH for moment in touched)
    retry = PropagationRetry(runtime, question.wait_timeout if fresh else 0, role_may_be_new)
    while True:
        try:
            answer, arguments = _ask(question, client, runtime)
            break
        except AwsRefused as error:
            if error.code not in DENIED:
                raise
            if not retry.wait_to_retry(error):
                reason = diagnose(question.role, question.parameter, question.caller, runtime)
                raise NotAssumable(f"{error.message} {reason}", **error.facts) from None
    return replace(read_answer(answer, runtime), source_identity=arguments.get("SourceIdentity"))


def _ask(question: Question, client: Any, runtime: Runtime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask once, and again without the names of the session if they may be why AWS refuses.

    :return: the answer, and the arguments that it was given for.
    """
    purpose = f"assume the role {question.role.name}"
    named = {**question.arguments, **question.names}
    try:
        return call(client, "assume_role", purpose, **named), named
    except AwsRefused as error:
        if not question.names or error.code not in (*DENIED, TOO_LARGE):
            raise
        code = error.code
    answer = call(client, "assume_role", purpose, **question.arguments)
    runtime.warn(UNNAMED.format(code=code))
    return answer, question.arguments


def read_answer(answer: dict[str, Any], runtime: Runtime) -> Issued:
    """Return the token of an answer of STS, with what the answer says about the session."""
    if warning := nearly_full(answer):
        runtime.warn(warning)
    token = token_document(answer)
    # With SAML, the identity provider names session and subject.
    claims = {"saml_subject": answer.get("Subject"), "saml_issuer": answer.get("Issuer")}
    return Issued(
        token=token,
        access_key_id=token["Credentials"]["AccessKeyId"],
        assumed_role_id=token["AssumedRoleUser"]["AssumedRoleId"],
        session_name=token["AssumedRoleUser"]["Arn"].rsplit("/", 1)[1],
        expires_at=parse_time("Expiration", token["Credentials"]["Expiration"]),
        context={name: str(value) for name, value in claims.items() if value},
    )


def verify(issued: Issued, clients: Clients) -> None:
    """Get the caller identity with the new credentials.

    :raises AccountMismatch: somebody else than the session that was issued.
    """
    keys = issued.token["Credentials"]
    client = clients.client_with_keys("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    caller = read_caller(client)
    if caller.arn != issued.token["AssumedRoleUser"]["Arn"]:
        raise AccountMismatch(
            f"the new credentials belong to {caller.arn}, not to {issued.token['AssumedRoleUser']['Arn']}. "
            "Do not deliver them."
        )
