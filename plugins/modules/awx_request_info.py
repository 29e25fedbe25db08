#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: awx_request_info
short_description: Gather information about the AWX request that a job belongs to
version_added: 1.0.0
description:
  - Reads who requested and who approved the current workflow job, and fails if they are the same person. AWX has no
    setting for this.
  - If a schedule has launched the workflow job, the requester is the user who last changed the schedule; neither this
    user nor the creator of the schedule may approve the request. An approved request is also refused if AWX does not
    name the requester.
  - Outside a workflow, it returns the values of the variables that AWX sets for the job. Outside AWX, it returns
    nothing.
  - Without an address and a token, a warning says that nothing was checked.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  url:
    description:
      - The address of AWX, such as V(https://awx.example.org), or of its API, such as
        V(https://aap.example.org/api/controller). If not set, E(MDPS_AWX_URL) is used.
    type: str
  token:
    description:
      - A token with the scope Read, of a user with the role Auditor in the organization. If not set, E(MDPS_AWX_TOKEN)
        is used.
    type: str
  ca_path:
    description:
      - A file with the CA certificates to trust instead of the system's. If not set, E(MDPS_AWX_CA_FILE) is used.
    type: path
  job_id:
    description:
      - The ID of the job, which AWX passes to it as C(awx_job_id).
    type: str
  workflow_job_id:
    description:
      - The ID of the workflow job, which AWX passes to its jobs as C(awx_workflow_job_id).
    type: str
  launched_by:
    description:
      - The user who launched the job, which AWX passes to it as C(awx_user_name). If AWX can be read, its response
        takes precedence.
    type: str
  approved:
    description:
      - Whether the request must already be approved. Set it to V(false) in a step before the approval.
    type: bool
    default: true
  waiting_for:
    description:
      - A recipient of tokens. If set, only RV(waiting) is returned, with the requests for this recipient that are
        neither approved nor denied.
    type: str
extends_documentation_fragment:
  - mdps.venue_sts.venue.info_attributes
"""

EXAMPLES = r"""
- name: Read who requested and who approved
  mdps.venue_sts.awx_request_info:
    job_id: "{{ awx_job_id }}"
    workflow_job_id: "{{ awx_workflow_job_id }}"
    launched_by: "{{ awx_user_name }}"
  register: request
"""

RETURN = r"""
checked:
  description: Whether it was checked that requester and approver are different users.
  type: bool
  returned: if O(waiting_for) is not given
waiting:
  description: The requests for O(waiting_for) that wait for approval, at most 200. Null if AWX cannot be read.
  type: list
  elements: dict
  returned: if O(waiting_for) is given
  contains:
    workflow:
      description: The number of the workflow job.
      type: int
    requester:
      description: The AWX user who made the request.
      type: str
    target:
      description: The venues of the request.
      type: str
context:
  description: Facts about the request, for the context of a receipt. Unknown facts are omitted.
  type: dict
  returned: success
  contains:
    requester:
      description: The user who launched the workflow job or the job, or who last changed the schedule that did.
      type: str
      returned: if known
    approver:
      description: The user who approved.
      type: str
      returned: if checked
    job:
      description: The number of the job.
      type: str
      returned: in AWX
    workflow:
      description: The number of the workflow job.
      type: str
      returned: in a workflow
error:
  description: What kind of failure it was, for C(rescue) blocks.
  type: str
  returned: failure
  sample: SamePerson
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.awx_request import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
