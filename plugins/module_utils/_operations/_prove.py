# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prove that a venue's role can be assumed, by assuming it; the keys are thrown away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from .._aws.calls import DENIED, call, run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import Caller, read_caller, read_parameters, read_role
from .._domain.arns import session_role_name
from .._domain.errors import AwsRefused, NotAssumable
from .._domain.role_plan import Parameter, Role
from .._domain.trust import dead_principals, external_ids, principals
from ._operation import Runtime

SHORTEST_SESSION = 900
FRESH = timedelta(minutes=5)


def prove_assumable(clients: Clients, runtime: Runtime, role_name: str, parameter: str, timeout: int) -> None:
    """Assume the role, trying again while AWS may still be spreading the news of it.

    :param parameter: the SSM path of the external ID.
    :param timeout: for how many seconds to try.
    :raises NotAssumable: it did not work, with the likeliest reason.
    """
    iam, sts, ssm = clients.client("iam"), clients.client("sts"), clients.client("ssm")
    deadline = runtime.now() + timedelta(seconds=timeout)
    pause = 1.0
    while True:
        caller, role, values = run_concurrently(
            lambda: read_caller(sts), lambda: read_role(iam, role_name), lambda: read_parameters(ssm, [parameter])
        )
        refusal = _try(sts, role, values.get(parameter)) if role else None
        if role and refusal is None:
            return
        if runtime.now() >= deadline:
            reason = diagnose(role, values.get(parameter), caller, runtime)
            said = f" The last answer: {refusal.message}" if refusal else ""
            raise NotAssumable(f"the role {role_name} could not be assumed within {timeout} seconds. {reason}{said}")
        runtime.sleep(pause / 2 + runtime.jitter(pause / 2))
        pause = min(2 * pause, 15.0)


def _try(sts: Any, role: Role, parameter: Parameter | None) -> AwsRefused | None:
    external_id = {"ExternalId": parameter.value} if parameter else {}
    try:
        purpose = f"assume the role {role.name}"
        call(
            sts,
            "assume_role",
            purpose,
            RoleArn=role.arn,
            RoleSessionName="mdps-venue-sts-check",
            DurationSeconds=SHORTEST_SESSION,
            **external_id,
        )
    except AwsRefused as error:
        if error.code not in DENIED:
            raise
        return error
    return None


def diagnose(role: Role | None, parameter: Parameter | None, caller: Caller, runtime: Runtime) -> str:
    """The likeliest reason for AccessDenied at AssumeRole, which AWS does not tell."""
    if role is None:
        return "It looks like propagation: IAM does not show the role yet. Run again in a minute."
    if not parameter or parameter.value not in external_ids(role.trust):
        return "It looks like a wrong external ID: the one in SSM is not the one in the trust policy. Run the provision playbook again."
    dead = dead_principals(role.trust)
    if dead:
        return f"It looks like a dead principal: the trust policy names {', '.join(dead)}, which were deleted. Run the provision playbook again."
    if role.created and runtime.now() - role.created < FRESH:
        return (
            "It looks like propagation: the role is new, and AWS needs up to a minute to know it everywhere. Run again."
        )
    named = principals(role.trust)
    me = session_role_name(caller.arn)
    if not any(
        f":{caller.account_id}:root" in who or who == caller.arn or (me and who.endswith(f"/{me}")) for who in named
    ):
        return f"The trust policy does not name the caller {caller.arn}; it trusts {', '.join(named)}. Add the caller's role to trusted_principals."
    return f"It looks like missing caller permission: {caller.arn} needs sts:AssumeRole on {role.arn}, which no boundary or organization policy may deny."
