# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan: ordered API calls, each with its purpose. Pure functions make it, check mode shows it, a loop applies it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

ABBREVIATIONS = {"id": "ID"}  # as IAM writes them in the names of its actions


@dataclass(frozen=True)
class Step:
    """One API call that changes something.

    :param service: botocore's name of the service, such as ``iam``.
    :param operation: botocore's method, such as ``create_role``.
    :param target: what is changed: a name or path.
    :param summary: the change in a few words, without secrets.
    :param arguments: the call's parameters; they may hold the external ID, so they are never shown.
    :param version: the version that a parameter must have after the call; another one means a change by somebody
        else. 0 for any.
    :param references: what else the call needs to exist, as AWS names it: the ARN of a boundary.
    """

    service: str
    operation: str
    target: str
    summary: str
    arguments: Mapping[str, Any] = field(repr=False)
    version: int = 0
    references: Sequence[str] = ()

    def is_about_target(self, said: str) -> bool:
        """Whether AWS's message "does not exist" is about the target of the step, and not about what it refers to."""
        if any(reference in said for reference in self.references):
            return False
        # What is being created cannot be what is missing.
        return not self.references or not self.operation.startswith("create_")

    @property
    def action(self) -> str:
        """The IAM action, as policies and CloudTrail name it: ``iam:CreateRole``."""
        words = (ABBREVIATIONS.get(word, word.capitalize()) for word in self.operation.split("_"))
        return f"{self.service}:{''.join(words)}"

    def shown(self) -> dict[str, str]:
        """The step as the result of a module lists it."""
        return {"action": self.action, "target": self.target, "summary": self.summary}


@dataclass(frozen=True)
class Plan:
    """Steps, and the state before and after them, with external IDs masked.

    :param notes: what the admin needs to know besides, one sentence each.
    :param locked: whether nobody can assume the role after the run.
    """

    steps: Sequence[Step]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    notes: Sequence[str] = ()
    locked: bool = False

    def diff(self) -> dict[str, Any]:
        """Ansible's form of a difference: the parts that change, and nothing of those that stay."""
        parts = [part for part in {**self.before, **self.after} if self.before.get(part) != self.after.get(part)]
        return {
            name: {part: state[part] for part in parts if part in state}
            for name, state in (("before", self.before), ("after", self.after))
        }
