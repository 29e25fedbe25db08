# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who requested and who approved, from the responses of AWX about a workflow job. They are checked, not trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import InvalidInput, VenueError

# What the surveys of requests call the user of the tokens.
RECIPIENTS = ("issue_user", "lease_user")


class SamePerson(VenueError):
    """The requester has approved the request."""


class NotApproved(VenueError):
    """A job that needs an approval has none."""


class UnknownRequester(VenueError):
    """A request that somebody approved, of which nobody knows who made it."""


class UnreadableAnswer(VenueError):
    """AWX answered something else than its API's documentation says."""


@dataclass(frozen=True)
class AwxUser:
    """A user of AWX."""

    number: int
    name: str


@dataclass(frozen=True)
class Waiting:
    """A request that waits for approval.

    :param workflow: the number of its workflow job.
    :param target: the venues that it is for, as the requester chose them.
    """

    workflow: int
    requester: str
    target: str

    def to_json(self) -> dict[str, Any]:
        """Return it as results have it."""
        return {"workflow": self.workflow, "requester": self.requester, "target": self.target}


def api_address(url: str) -> str:
    """Return the address of the API, from that of AWX or of its API, or of a page of it that is open in a browser.

    :param url: such as ``https://awx.example.org``, or ``https://HOST/api/controller`` with a platform gateway.
    :raises InvalidInput: it is no address, or has a password in it, which messages would show.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        raise InvalidInput("url", "must be the address of AWX, such as https://awx.example.org, without a login.")
    path = parts.path.rstrip("/").removesuffix("/v2")
    path = path if path.endswith(("/api", "/api/controller")) else f"{path}/api"
    return f"{parts.scheme}://{parts.netloc}{path}/v2"


def workflows_of(approvals: Any) -> list[int]:
    """Return the numbers of the workflow jobs that a list of approvals belongs to.

    :raises UnreadableAnswer: the answer is no list of approvals.
    """
    results = approvals.get("results") if isinstance(approvals, Mapping) else None
    if not isinstance(results, list):
        raise _unreadable("the approvals that wait")
    jobs = [_mapping(_mapping(one, "summary_fields"), "source_workflow_job") for one in results]
    return list(dict.fromkeys(_number(job) for job in jobs if job))


def waiting_for(user: str, workflow_job: Any) -> Waiting | None:
    """Return a workflow job that requests a token or a lease for a user, or None if it is no such request.

    :raises UnreadableAnswer: the answer does not say.
    """
    answers = workflow_job.get("extra_vars") if isinstance(workflow_job, Mapping) else None
    try:
        given = json.loads(answers) if isinstance(answers, str) and answers.strip() else {}
    except (ValueError, RecursionError):
        raise _unreadable("the answers of a request") from None
    if not isinstance(given, dict) or user not in {str(given.get(name, "")).strip() for name in RECIPIENTS}:
        return None
    requester, target = requester_of(workflow_job), given.get("target")
    is_shown = isinstance(target, str) and target.isprintable() and len(target) <= 256
    return Waiting(_number(workflow_job), requester.name if requester else "", str(target) if is_shown else "")


def requester_of(workflow_job: Any) -> AwxUser | None:
    """Return who launched a workflow job, or None if it was no person, such as a schedule.

    :raises UnreadableAnswer: the answer does not say.
    """
    launched_by = _mapping(workflow_job, "launched_by")
    if launched_by.get("type") != "user":
        return None
    return _person(launched_by, "name")


def schedule_of(workflow_job: Any) -> int | None:
    """Return the number of the schedule that launched a workflow job, or None if none did.

    :raises UnreadableAnswer: the answer does not say.
    """
    launched_by = _mapping(workflow_job, "launched_by")
    return _number(launched_by) if launched_by.get("type") == "schedule" else None


def authors_of(schedule: Any) -> list[AwxUser]:
    """Return who has given a schedule its answers: who changed it last, and who made it.

    :raises UnreadableAnswer: the answer does not say.
    """
    fields = _mapping(schedule, "summary_fields")
    found = [_mapping(fields, name) for name in ("modified_by", "created_by")]
    return list(dict.fromkeys(_person(one, "username") for one in found if one))


def approvals_of(nodes: Any) -> list[int]:
    """Return the numbers of the approvals among the nodes of a workflow job.

    :raises UnreadableAnswer: the answer is no list of nodes.
    """
    results = nodes.get("results") if isinstance(nodes, Mapping) else None
    if not isinstance(results, list):
        raise _unreadable("the nodes of the workflow job")
    jobs = [_mapping(_mapping(node, "summary_fields"), "job") for node in results]
    return [_number(job) for job in jobs if job.get("type") == "workflow_approval"]


def approver_of(approval: Any) -> AwxUser | None:
    """Return who approved, or None if the approval was not given.

    :raises UnreadableAnswer: it was given, and the answer does not say by whom.
    """
    if not isinstance(approval, Mapping):
        raise _unreadable("an approval")
    if approval.get("status") != "successful":
        return None
    return _person(_mapping(_mapping(approval, "summary_fields"), "approved_or_denied_by"), "username")


def check_two_people(requesters: list[AwxUser], approvers: list[AwxUser]) -> None:
    """Make sure that somebody else than the requester has approved.

    :param requesters: who made the request; with a schedule, it may be several.
    :raises NotApproved: nobody has.
    :raises UnknownRequester: nobody knows who made the request, so it may be one of the approvers.
    :raises SamePerson: the requester has.
    """
    if not approvers:
        raise NotApproved(
            "This workflow has no approval step, so nothing was issued. Run the playbook awx_setup again: it "
            "restores the steps of the workflow."
        )
    if not requesters:
        raise UnknownRequester(
            "AWX does not say which person made this request, so nothing was issued: it may be the person who "
            "approved it. Launch the workflow manually, or by a schedule whose author still has an AWX user."
        )
    numbers = {one.number for one in approvers}
    for requester in requesters:
        if requester.number in numbers:
            raise SamePerson(
                f"{requester.name} made this request and approved it, so nothing was issued. Somebody else must "
                "approve: make the request again."
            )


def _person(found: Mapping[str, Any], key: str) -> AwxUser:
    name = found.get(key)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 256:
        raise _unreadable("a user")
    return AwxUser(_number(found), name)


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
        f"The response of AWX about {what} does not match its documented API, so it cannot be used. Check the "
        "address in the credential MDPS AWX reader."
    )
