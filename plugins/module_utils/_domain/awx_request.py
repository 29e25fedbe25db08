# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who requested and who approved, read from what AWX says of a workflow job. Its answers are checked, not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import VenueError


class SamePerson(VenueError):
    """The requester has approved the request."""


class NotApproved(VenueError):
    """A job that needs an approval has none."""


class UnreadableAnswer(VenueError):
    """AWX answered something else than its API's documentation says."""


@dataclass(frozen=True)
class Person:
    """A user of AWX."""

    number: int
    name: str


def requester_of(workflow_job: Any) -> Person | None:
    """Return who launched a workflow job, or None if it was no person, such as a schedule.

    :raises UnreadableAnswer: the answer does not say.
    """
    launched_by = _mapping(workflow_job, "launched_by")
    if launched_by.get("type") != "user":
        return None
    return _person(launched_by, "name")


def approvals_of(nodes: Any) -> list[int]:
    """Return the numbers of the approvals among the nodes of a workflow job.

    :raises UnreadableAnswer: the answer is no list of nodes.
    """
    results = nodes.get("results") if isinstance(nodes, Mapping) else None
    if not isinstance(results, list):
        raise _unreadable("the nodes of the workflow job")
    jobs = [_mapping(_mapping(node, "summary_fields"), "job") for node in results]
    return [_number(job) for job in jobs if job.get("type") == "workflow_approval"]


def approver_of(approval: Any) -> Person | None:
    """Return who approved, or None if the approval was not given.

    :raises UnreadableAnswer: it was given, and the answer does not say by whom.
    """
    if not isinstance(approval, Mapping):
        raise _unreadable("an approval")
    if approval.get("status") != "successful":
        return None
    return _person(_mapping(_mapping(approval, "summary_fields"), "approved_or_denied_by"), "username")


def check_two_people(requester: Person | None, approvers: list[Person]) -> None:
    """Make sure that somebody else than the requester has approved.

    :raises NotApproved: nobody has.
    :raises SamePerson: the requester has.
    """
    if not approvers:
        raise NotApproved(
            "This workflow asked nobody for approval, so nothing was issued. Run the playbook awx_setup again: it "
            "restores the steps of the workflow."
        )
    if requester and requester.number in {one.number for one in approvers}:
        raise SamePerson(
            f"{requester.name} requested the token and approved the request, so nothing was issued. Somebody else must "
            "approve: request the token again."
        )


def _person(found: Mapping[str, Any], key: str) -> Person:
    name = found.get(key)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 256:
        raise _unreadable("a user")
    return Person(_number(found), name)


def _number(found: Mapping[str, Any]) -> int:
    number = found.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise _unreadable("an id")
    return number


def _mapping(found: Any, key: str) -> Mapping[str, Any]:
    value = found.get(key) if isinstance(found, Mapping) else None
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _unreadable(key)
    return value


def _unreadable(what: str) -> UnreadableAnswer:
    return UnreadableAnswer(
        f"AWX's answer about {what} is not what its API promises, so requester and approver cannot be compared. "
        "Nothing was issued. Check the address in the credential MDPS AWX reader."
    )
