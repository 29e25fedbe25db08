# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWX knows of requests: who made and approved the one that a job belongs to, and which ones wait for a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from .._aws.clients import Clients
from .._controller.client import Controller
from .._domain.awx_request import (
    AwxUser,
    api_address,
    approvals_of,
    approver_of,
    authors_of,
    check_two_people,
    requester_of,
    schedule_of,
    waiting_for,
    workflows_of,
)
from .._domain.errors import InvalidInput, VenueError
from ._operation import Operation, Params, Result, Runtime, filled_in

ARGUMENT_SPEC: dict[str, Any] = {
    "url": {"type": "str", "fallback": (env_fallback, ["MDPS_AWX_URL"])},
    "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["MDPS_AWX_TOKEN"])},
    "ca_path": {"type": "path", "fallback": (env_fallback, ["MDPS_AWX_CA_FILE"])},
    "job_id": {"type": "str"},
    "workflow_job_id": {"type": "str"},
    "launched_by": {"type": "str"},
    "approved": {"type": "bool", "default": True},
    "waiting_for": {"type": "str"},
}
UNCHECKED = (
    "It was not checked that requester and approver are two people: the credential MDPS AWX reader has no address "
    "and token of AWX, or the template does not use it."
)
UNKNOWN = "Which requests wait for approval in AWX is not known."


@dataclass(frozen=True)
class RequestOptions:
    """The options, checked."""

    server: Controller | None
    job: str
    workflow: str
    launched_by: str
    approved: bool
    waiting_for: str


def parse(params: Params, _clients: Clients, runtime: Runtime) -> RequestOptions:
    """Check the options.

    :raises InvalidInput: an id is no number, only one of address and token is given, or the address is none.
    """
    for option in ("job_id", "workflow_job_id"):
        if params[option] and not (params[option].isascii() and params[option].isdigit()):
            raise InvalidInput(option, "is not the ID of a job. AWX passes it to each job as a variable.")
    try:
        server = _server(params)
    except InvalidInput as error:
        if not params["waiting_for"]:
            raise
        runtime.warn(f"{UNKNOWN} {error.message}")
        server = None
    workflow = params["workflow_job_id"] or ""
    return RequestOptions(
        server,
        params["job_id"] or "",
        workflow,
        params["launched_by"] or "",
        params["approved"],
        params["waiting_for"] or "",
    )


def _server(params: Params) -> Controller | None:
    """Return the AWX that the credential names, or None if it is empty.

    :raises InvalidInput: only one of address and token is given, or one of them cannot be right.
    """
    url, token = ((params[option] or "").strip() for option in ("url", "token"))
    if bool(url) != bool(token):
        missing = "token" if url else "url"
        raise InvalidInput(missing, "is missing, but the other is set. Fill in both in the credential MDPS AWX reader.")
    if not (token.isascii() and token.isprintable()):
        raise InvalidInput("token", "contains characters that are not valid in a token.")
    return Controller(api_address(url), token, params["ca_path"] or None) if url else None


def read_request(options: RequestOptions, _clients: Clients, runtime: Runtime) -> Result:
    """Read requester and approver. It changes nothing, so it does the same in check mode.

    :raises VenueError: AWX cannot be read, nobody has approved, the requester has, or nobody knows who that is.
    """
    if options.waiting_for:
        return {"changed": False, "waiting": _waiting(options, runtime)}
    context = {"job": options.job, "workflow": options.workflow, "requester": options.launched_by}
    checked = False
    if options.workflow and options.server:
        requesters = _requesters(options.server, options.workflow)
        context["requester"] = requesters[0].name if requesters else ""
        if options.approved:
            nodes = options.server.get(f"/workflow_jobs/{options.workflow}/workflow_nodes/?page_size=200")
            approvals = [options.server.get(f"/workflow_approvals/{one}/") for one in approvals_of(nodes)]
            approvers = [one for one in map(approver_of, approvals) if one]
            check_two_people(requesters, approvers)
            context["approver"] = ", ".join(one.name for one in approvers)
            checked = True
    elif options.workflow and options.approved:
        runtime.warn(UNCHECKED)
    return {"changed": False, "checked": checked, "context": {key: value for key, value in context.items() if value}}


def _requesters(server: Controller, workflow: str) -> list[AwxUser]:
    """Who made a request: who launched it, or whose schedule did."""
    job = server.get(f"/workflow_jobs/{workflow}/")
    schedule = schedule_of(job)
    if schedule is not None:
        return authors_of(server.get(f"/schedules/{schedule}/"))
    requester = requester_of(job)
    return [requester] if requester else []


def _waiting(options: RequestOptions, runtime: Runtime) -> list[dict[str, Any]] | None:
    """The requests for a user that nobody has decided about; None if AWX cannot say.

    That is a warning, not an error: it is asked after a revocation, which has succeeded.
    """
    if not options.server:
        return None
    try:
        pending = workflows_of(options.server.get("/workflow_approvals/?status=pending&page_size=200"))
        jobs = [options.server.get(f"/workflow_jobs/{number}/") for number in pending]
        found = [waiting_for(options.waiting_for, job) for job in jobs]
    except VenueError as error:
        runtime.warn(f"{UNKNOWN} {error.message}")
        return None
    return [one.to_json() for one in found if one]


OPERATION = Operation(
    name="awx_request_info",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=read_request,
    services=(),
    # A credential that nobody has filled in yet gives empty texts; the result says what was not checked.
    narrowing=filled_in(ARGUMENT_SPEC, but=("url", "token", "ca_path")),
)
