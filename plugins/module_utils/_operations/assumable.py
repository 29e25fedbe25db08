# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check that a venue's role can be assumed: assume it, and discard the credentials; if refused, say why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from .._aws.calls import DENIED, call, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import Caller, read_caller, read_parameters, read_role
from .._domain.arns import session_role_name
from .._domain.errors import AwsRefused, NotAssumable
from .._domain.names import CHECK_SESSION
from .._domain.roles import Parameter, Role
from .._domain.trust_reader import ASSUME, dead_principals, external_ids, foreign_statements, is_locked, principals
from ._operation import Runtime
from .propagation import PropagationRetry, role_may_be_new

SHORTEST_SESSION = 900
LONGEST_WAIT = 3600
FRESH = timedelta(minutes=5)


def check_assumable(clients: Clients, runtime: Runtime, role_name: str, parameter: str, timeout: int) -> None:
    """Assume the role, and try again while AWS may not know it everywhere yet.

    :param parameter: the SSM path of the external ID.
    :param timeout: for how many seconds to try.
    :raises NotAssumable: it did not work, with the likeliest reason.
    """
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    retry = PropagationRetry(runtime, timeout, role_may_be_new)
    while True:
        caller, role, values = run_concurrently(
            lambda: read_caller(sts), lambda: read_role(iam, role_name), lambda: read_parameters(ssm, [parameter])
        )
        refusal = try_to_assume(sts, role, values.get(parameter)) if role else None
        if role and refusal is None:
            return
        if not (retry.wait_to_retry(refusal) if refusal else retry.wait()):
            reason = diagnose(role, values.get(parameter), caller, runtime)
            said = f" The last answer: {refusal.message}" if refusal else ""
            when = f" within {timeout} seconds" if retry.timed_out else ""
            raise NotAssumable(f"the role {role_name} could not be assumed{when}. {reason}{said}")


def try_to_assume(sts: Any, role: Role, parameter: Parameter | None) -> AwsRefused | None:
    """Assume the role and discard the credentials; the refusal if AWS denies it, and None if it succeeds."""
    external_id = {"ExternalId": parameter.value} if parameter else {}
    try:
        purpose = f"assume the role {role.name}"
        call(
            sts,
            "assume_role",
            purpose,
            RoleArn=role.arn,
            RoleSessionName=CHECK_SESSION,
            DurationSeconds=SHORTEST_SESSION,
            **external_id,
        )
    except AwsRefused as error:
        if error.code not in DENIED:
            raise
        return error
    return None


def diagnose(role: Role | None, parameter: Parameter | None, caller: Caller, runtime: Runtime) -> str:
    """The likeliest reason for AccessDenied at AssumeRole, which AWS does not give."""
    if role is None:
        return "IAM does not show the role yet. Run again in a minute."
    if is_locked(role.trust, ASSUME):
        return "The venue is locked: a Deny statement in the trust policy prevents everyone from assuming the role."
    if not parameter or parameter.value not in external_ids(role.trust):
        return "The external ID in SSM is not one that the trust policy accepts. Run the provision playbook."
    dead = dead_principals(role.trust)
    if dead:
        return (
            f"The trust policy names {', '.join(dead)}, which were deleted. Run the provision playbook for this venue."
        )
    if role.created and runtime.now() - role.created < FRESH:
        return "The role is new, and AWS needs up to a minute to replicate it. Run again."
    return _diagnose_caller(role, caller)


def _diagnose_caller(role: Role, caller: Caller) -> str:
    named, me = principals(role.trust), session_role_name(caller.arn)
    if not any(
        f":{caller.account_id}:root" in who or who == caller.arn or (me and who.endswith(f"/{me}")) for who in named
    ):
        return (
            f"The trust policy does not name the caller {caller.arn}; it trusts {', '.join(named)}. Add the caller's "
            "role to trusted_principals."
        )
    denials = [one.name for one in foreign_statements(role.trust) if one.effect == "Deny"]
    if denials:
        return f"The trust policy has the {', the '.join(denials)}, which may deny access to the caller {caller.arn}."
    return (
        f"Either the caller {caller.arn} lacks sts:AssumeRole on {role.arn} (no boundary or organization policy may "
        "deny it), or it matches none of the patterns in trusted_principal_patterns."
    )
