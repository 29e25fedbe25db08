# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWX knows about the request that a job belongs to, and whether two people were involved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from .._aws.clients import Clients
from .._controller.client import Controller
from .._domain.awx_request import approvals_of, approver_of, check_two_people, requester_of
from .._domain.errors import InvalidInput
from ._operation import Operation, Params, Result, Runtime, filled_in

ARGUMENT_SPEC: dict[str, Any] = {
    "url": {"type": "str", "fallback": (env_fallback, ["MDPS_AWX_URL"])},
    "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["MDPS_AWX_TOKEN"])},
    "ca_path": {"type": "path"},
    "job_id": {"type": "str"},
    "workflow_job_id": {"type": "str"},
    "launched_by": {"type": "str"},
    "approved": {"type": "bool", "default": True},
}
UNCHECKED = (
    "It was not checked that requester and approver are two people: the credential MDPS AWX reader holds no address "
    "and token of AWX, or the template does not use it."
)


@dataclass(frozen=True)
class RequestOptions:
    """The options, checked."""

    server: Controller | None
    job: str
    workflow: str
    launched_by: str
    approved: bool


def parse(params: Params, _clients: Clients, _runtime: Runtime) -> RequestOptions:
    """Check the options.

    :raises InvalidInput: an id is no number, or only one of address and token is given.
    """
    for option in ("job_id", "workflow_job_id"):
        if params[option] and not (params[option].isascii() and params[option].isdigit()):
            raise InvalidInput(option, "is not the number of a job. AWX gives it to each job as a variable.")
    url, token = ((params[option] or "").strip() for option in ("url", "token"))
    if bool(url) != bool(token):
        missing = "token" if url else "url"
        raise InvalidInput(
            missing, "is missing, while the other is given. Fill both in the credential MDPS AWX reader."
        )
    if not (token.isascii() and token.isprintable()):
        raise InvalidInput("token", "holds characters that no token has.")
    server = Controller(url, token, params["ca_path"]) if url else None
    workflow = params["workflow_job_id"] or ""
    return RequestOptions(server, params["job_id"] or "", workflow, params["launched_by"] or "", params["approved"])


def read_request(options: RequestOptions, _clients: Clients, runtime: Runtime) -> Result:
    """Read requester and approver. It changes nothing, so it does the same in check mode.

    :raises VenueError: AWX cannot be read, nobody has approved, or the requester has.
    """
    context = {"job": options.job, "workflow": options.workflow, "requester": options.launched_by}
    checked = False
    if options.workflow and options.server:
        workflow = options.server.get(f"/workflow_jobs/{options.workflow}/")
        requester = requester_of(workflow)
        context["requester"] = requester.name if requester else ""
        if options.approved:
            nodes = options.server.get(f"/workflow_jobs/{options.workflow}/workflow_nodes/?page_size=200")
            approvals = [options.server.get(f"/workflow_approvals/{one}/") for one in approvals_of(nodes)]
            approvers = [one for one in map(approver_of, approvals) if one]
            check_two_people(requester, approvers)
            context["approver"] = ", ".join(one.name for one in approvers)
            checked = True
    elif options.workflow and options.approved:
        runtime.warn(UNCHECKED)
    return {"changed": False, "checked": checked, "context": {key: value for key, value in context.items() if value}}


OPERATION = Operation(
    name="awx_request_info",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=read_request,
    services=(),
    # A credential that nobody has filled in yet gives an empty address and token; the result says what was not checked.
    narrowing=filled_in(ARGUMENT_SPEC, but=("url", "token")),
)
