#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_lease_info
short_description: Gather information about the leases of a venue
version_added: 1.0.0
description:
  - Lists the leases of a venue, with the user, the reason, the end, the approver, and when the next token is due.
  - Parameters below O(lease_path) that are not valid leases are listed in a warning and in RV(unreadable).
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  renew_before:
    description:
      - The option of the same name of M(mdps.venue_sts.venue_sts_renewal), to calculate when the next token is due.
    type: int
    default: 1200
  expected_account_id:
    description:
      - The ID of the AWS account that the venue is in, 12 digits. If the credentials are for another account, the task
        fails.
    type: str
extends_documentation_fragment:
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.lease_path
  - mdps.venue_sts.venue.info_attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error.
  - Needs ssm:GetParametersByPath below O(lease_path).
seealso:
  - module: mdps.venue_sts.venue_sts_lease
"""

EXAMPLES = r"""
- name: Gather information about the leases of a venue
  mdps.venue_sts.venue_sts_lease_info:
    project: sbg
    venue: dev
    region: us-west-2
"""

RETURN = r"""
leases:
  description: The leases, by user. docs/lease.schema.json describes the other fields.
  returned: success
  type: list
  elements: dict
  contains:
    state:
      description: V(pending), V(active) or V(ended).
      type: str
      sample: active
    last_renewal:
      description: When the last token was issued; null before the first.
      type: str
      sample: "2026-11-22T09:30:15Z"
    token_until:
      description: When the last token expires.
      type: str
      sample: "2026-11-22T10:30:15Z"
    next_renewal:
      description: When the next token is due; null if there will be none.
      type: str
      sample: "2026-11-22T10:10:15Z"
    problem:
      description: Why the last renewal failed; null if it did not.
      type: str
account_id:
  description: The AWS account of the credentials.
  returned: success
  type: str
  sample: "123456789012"
unreadable:
  description: A sentence for each parameter that is not a valid lease.
  returned: success
  type: list
  elements: str
error:
  description: The kind of failure; docs/errors.md lists them.
  returned: failure
  type: str
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.lease_info import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
