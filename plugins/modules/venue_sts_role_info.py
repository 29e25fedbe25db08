#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_role_info
short_description: Gather information about the STS roles of MDPS venues
version_added: 1.0.0
description:
  - Describes the role of one venue, of a list of venues, or of every venue of an account. Reports the state of the
    external ID, the drift from the desired state, the last use, and the revocations in force.
  - The roles of the account are read in pages, and parameters ten per call, so few calls are needed for many venues.
    Nothing is changed.
  - Without O(project) and O(venues), it describes all roles that are named C(<name_prefix>-…-sts) or have the tags of a
    venue. They are compared with the default options.
  - A problem of a venue is reported in its facts and does not fail the task. External IDs are compared and never
    returned.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  project:
    description:
      - The project of the one venue to describe.
    type: str
  venue:
    description:
      - The one venue to describe.
    type: str
  venues:
    description:
      - The venues to describe. Each has C(project), C(venue), and those options of M(mdps.venue_sts.venue_sts_role)
        that describe its role and differ from their defaults, such as C(trusted_principals), C(buckets), C(tags) or
        C(role_name).
      - It can have C(lease_path), as in M(mdps.venue_sts.venue_sts_lease_info).
    type: list
    elements: dict
  boundary_parameter:
    description:
      - The SSM parameter that publishes the permissions boundary.
      - The default is C(/unity/cs/account/privilegedpolicyname).
    type: str
  leases:
    description:
      - Also read the leases of each venue, with a call for each venue and for every ten parameters of it.
      - Needs ssm:GetParametersByPath. If the caller does not have this permission, RV(venues[].lease_problems) says so.
    type: bool
    default: false
extends_documentation_fragment:
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.parameters
  - mdps.venue_sts.venue.info_attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error.
  - Needs iam:GetAccountAuthorizationDetails, iam:ListRoles and ssm:GetParameters.
seealso:
  - module: mdps.venue_sts.venue_sts_role
  - module: mdps.venue_sts.venue_sts_session_info
"""

EXAMPLES = r"""
- name: Describe one venue
  mdps.venue_sts.venue_sts_role_info:
    project: sbg
    venue: dev
    region: us-west-2
  register: seen

- name: Describe every venue role of the account
  mdps.venue_sts.venue_sts_role_info:
    region: us-west-2
  register: all_of_them

- name: Fail if one of them has drifted
  ansible.builtin.assert:
    that: all_of_them.venues | rejectattr('status', 'eq', 'ok') | length == 0

- name: Compare two venues with their desired state
  mdps.venue_sts.venue_sts_role_info:
    region: us-west-2
    venues:
      - project: sbg
        venue: dev
      - project: emit
        venue: ops
        bucket_prefixes: [incoming, products/l2]
        allow_delete: true
"""

RETURN = r"""
venues:
  description: One entry for each venue, ordered by project and venue.
  returned: success
  type: list
  elements: dict
  contains:
    project:
      description: The project; null if the role's tags do not say.
      type: str
      sample: sbg
    venue:
      description: The venue; null if the role's tags do not say.
      type: str
      sample: dev
    account_id:
      description: The account.
      type: str
      sample: "123456789012"
    region:
      description: The region of the SSM parameters.
      type: str
      sample: us-west-2
    status:
      description:
        - V(ok), V(drifted) (provisioning would change something), V(broken) (tokens cannot be issued, or not safely) or
          V(absent) (there is no role).
      type: str
      sample: ok
    role_name:
      description: The name of the role, even if it does not exist.
      type: str
      sample: unity-sbg-dev-sts
    role:
      description: Its ARN, name and unique ID; null if it does not exist.
      type: dict
      sample: {"arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts", "name": "unity-sbg-dev-sts", "role_id":
      "AROAEXAMPLEEXAMPLEEX"}
    created_at:
      description: When the role was created.
      type: str
      sample: "2026-11-22T09:30:15Z"
    description:
      description: The role's description.
      type: str
    max_session_duration:
      description: How long its sessions may last, in seconds.
      type: int
      sample: 3600
    trusted_principals:
      description: The principals in the trust policy.
      type: list
      elements: str
      sample: ["arn:aws:iam::123456789012:root"]
    dead_principals:
      description: Trusted principals that were deleted. IAM shows their unique IDs, and does not trust new principals
        of the same names.
      type: list
      elements: str
    external_id:
      description: The external ID; null if the role's tags do not identify the venue. The value is never returned.
      type: dict
      contains:
        parameter:
          description: Its SSM parameter.
          type: str
          sample: /unity/sbg/dev/cs/sts/role/external-id
        state:
          description:
            - The comparison of SSM and the trust policy. V(equal), V(different), V(missing) (in both),
              V(missing_in_ssm), V(missing_in_trust_policy), V(invalid) (STS does not accept the value), or
              V(rotation_unfinished) (a rotation was interrupted; provisioning completes it).
          type: str
          sample: equal
        type:
          description: V(String) or V(SecureString).
          type: str
          sample: String
        changed_at:
          description: When it was last written in SSM.
          type: str
          sample: "2026-11-22T09:30:15Z"
        previous_accepted:
          description: Whether a rotation is in progress, so that the previous external ID is also accepted.
          type: bool
          sample: false
        weak:
          description: Whether it can be guessed, because it is short or part of a name. Rotate it.
          type: bool
          sample: false
        shared_with:
          description: Other venue roles that accept the same external ID. There should be none.
          type: list
          elements: str
    locked:
      description: Whether a C(Deny) statement in the trust policy prevents everyone from assuming the role.
      type: bool
      sample: false
    foreign_statements:
      description: The statements of the trust policy that this collection did not write. Provisioning keeps a C(Deny)
        and removes an C(Allow).
      type: list
      elements: str
      sample: ["Deny statement 'IncidentOf20261122'"]
    permissions_boundary:
      description: The ARN of the permissions boundary.
      type: str
    tags:
      description: The role's tags.
      type: dict
    inline_policies:
      description: The names of its inline policies.
      type: list
      elements: str
      sample: [venue-access]
    attached_policies:
      description: The ARNs of its managed policies. Provisioning attaches none.
      type: list
      elements: str
    last_used_at:
      description: When the role was last used, within the last 400 days.
      type: str
      sample: "2026-11-22T09:30:15Z"
    last_used_region:
      description: The region of the last use.
      type: str
      sample: us-west-2
    revocations:
      description: The revocations in force, as M(mdps.venue_sts.venue_sts_revocation) returns them.
      type: list
      elements: dict
    leases:
      description: The leases of the venue, if O(leases) is set, as M(mdps.venue_sts.venue_sts_lease_info) returns them.
      type: list
      elements: dict
    lease_problems:
      description: A sentence for each parameter that is not a valid lease, or the reason why leases could not be read.
      type: list
      elements: str
    name_also_reads_as:
      description: Other projects and venues whose role would have the same name, because names can contain hyphens.
      type: list
      elements: str
      sample: ["unity-sbg + dev"]
    drift:
      description: Differences from the desired state, one sentence each.
      type: list
      elements: str
      sample: ["tag Env is missing and should be 'dev'"]
    problem:
      description: What prevents its comparison or provisioning, or null.
      type: str
error:
  description: The kind of failure, such as V(InvalidInput) or V(AwsRefused); docs/errors.md lists them.
  returned: failure
  type: str
  sample: InvalidInput
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role_info import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
