# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What IAM's own simulation says: what a boundary leaves of a role's permissions, and whether a session is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .policies import document, statements, values


class Evaluation(NamedTuple):
    """IAM's answer for one action on one resource.

    :param within_boundary: whether the boundary allows it; None if IAM did not say.
    :param missing_keys: condition keys without which IAM could not decide.
    """

    action: str
    resource: str
    within_boundary: bool | None
    missing_keys: tuple[str, ...] = ()


class Decision(NamedTuple):
    """IAM's answer for one action of a session.

    :param decision: ``allowed``, ``explicitDeny`` or ``implicitDeny``.
    :param missing_keys: condition keys without which IAM could not decide.
    """

    action: str
    decision: str
    missing_keys: tuple[str, ...] = ()


def allowed_actions(decisions: Iterable[Decision]) -> list[str]:
    """What the decisions leave open, a few words each; nothing if every action is denied explicitly."""
    return [
        f"{one.action}: undecided without {', '.join(one.missing_keys)}"
        if one.missing_keys
        else f"{one.action}: {one.decision}"
        for one in decisions
        if one.decision != "explicitDeny" or one.missing_keys
    ]


def expected_permissions(policy: Mapping[str, Any]) -> Iterator[tuple[list[str], list[str]]]:
    """What a policy promises: actions and resources, statement by statement. A simulation takes no wildcard actions."""
    for statement in statements(policy):
        actions = [str(one) for one in values(statement.get("Action", [])) if "*" not in str(one)]
        if statement["Effect"] == "Allow" and actions:
            yield actions, [str(one) for one in values(statement.get("Resource", "*"))]


def unconditional(policy: Mapping[str, Any]) -> dict[str, Any]:
    """What a policy promises, without its conditions and without its denials.

    A simulation reports every condition key of the policies for which it has no value, whichever policy it is of. So
    the keys that it reports for this policy below a boundary are those of the boundary.
    """
    allowed = [one for one in statements(policy) if one["Effect"] == "Allow"]
    return document([{key: value for key, value in one.items() if key != "Condition"} for one in allowed])


def findings(boundary: str, evaluations: Iterable[Evaluation]) -> list[str]:
    """What the boundary cuts, and what the simulation leaves open, one sentence each."""
    cut: dict[str, list[str]] = {}
    undecided: dict[str, None] = {}
    for one in evaluations:
        if one.within_boundary is False and not one.missing_keys:
            cut.setdefault(one.resource, []).append(one.action)
        elif one.within_boundary is not True:
            undecided.setdefault(f"{one.action} on {one.resource}")
    sentences = [
        f"The permissions boundary {boundary} does not allow {', '.join(sorted(set(actions)))} on {resource}."
        for resource, actions in cut.items()
    ]
    if undecided:
        sentences.append(f"The simulation could not decide whether the boundary allows {', '.join(undecided)}.")
    return sentences
