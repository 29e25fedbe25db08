# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the stored policies of a role allow a session, and how AWS responds to the credentials of the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._domain.errors import AwsRefused, ConnectionProblem
from .._domain.simulation import Decision
from .calls import DENIED, EXPIRED, UNKNOWN_KEYS, call, pages


def simulate_session(
    iam: Any, role_arn: str, actions: Sequence[str], context: Mapping[str, tuple[str, str]]
) -> list[Decision]:
    """What the stored policies of a role decide about a session of it (iam:SimulatePrincipalPolicy).

    Trust policies, session policies and what has not spread yet are not part of it.

    :param context: condition keys, each with its value and its type, such as ``date``.
    """
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": kind}
        for key, (value, kind) in context.items()
    ]
    answers = pages(
        iam,
        "simulate_principal_policy",
        f"simulate a session of {role_arn}",
        PolicySourceArn=role_arn,
        ActionNames=list(actions),
        ContextEntries=entries,
    )
    return [
        Decision(one["EvalActionName"], one["EvalDecision"], tuple(one.get("MissingContextValues", [])))
        for answer in answers
        for one in answer["EvaluationResults"]
    ]


def try_keys(ecr: Any) -> str:
    """Ask for something harmless with a token's own credentials (ecr:DescribeRepositories, in the venue's region).

    :param ecr: a client that has these credentials.
    :returns: why AWS refuses, or '' if it does not.
    """
    try:
        call(ecr, "describe_repositories", "use the credentials", maxResults=1)
    except AwsRefused as refusal:
        if refusal.code not in DENIED:
            raise
        return refusal.said or refusal.code
    except ConnectionProblem as problem:
        code = str(problem.facts.get("error_code", ""))
        if code not in EXPIRED | UNKNOWN_KEYS:
            raise
        return code
    return ""
