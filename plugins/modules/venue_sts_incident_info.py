#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_incident_info
short_description: Find out what an access key that was found is, and what was done with it
version_added: 1.0.0
description:
  - From an access key id alone, finds the account of the key, the venue, role and session that it is of, for whom and
    by whom it was issued, who requested and approved it, when it ends, and the lease of its recipient. Nothing is
    changed.
  - The account comes from AWS, the rest from receipts and from CloudTrail. Each is enough, and RV(gaps) says what could
    not be seen. Where they contradict each other, CloudTrail counts, and RV(problems) says so.
  - CloudTrail's event of the issue says what the token is. Where that is not found, because it is in a region that was
    not asked, for example, the calls with the key say so.
  - Sums up the calls that were made with the key, with every key that was derived from it by C(GetScopedCredentials),
    and by its session. A session is known by the id of its role and its name together, since two venues may have
    sessions of one name.
  - CloudTrail allows two requests a second in each region, each for 50 events, and this module keeps to that.
  - CloudTrail's events hold external IDs in clear. This module reads the fields that it shows, and no other.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  access_key_id:
    description:
      - The id of the key that was found, such as V(ASIAEXAMPLEEXAMPLE22). Never the secret key.
    type: str
    required: true
  keys_file:
    description:
      - A file with the keys, in one of the forms that O(mdps.venue_sts.venue_sts_revocation#module:keys_file) takes, if
        they are to be used for a proof after the revocation. They are not used here. If the file cannot be read or has
        other keys, that is an error, so that this is known before anything is revoked.
    type: path
  cloudtrail:
    description:
      - Whether to ask CloudTrail. Without it, only receipts are known.
    type: bool
    default: true
  regions:
    description:
      - The regions in which to ask CloudTrail. Events of a regional STS endpoint are in its region, those of the global
        endpoint and of IAM in V(us-east-1). A call is in the region that it was sent to.
      - The default is the region of the task, V(us-east-1) and the region that a receipt names.
    type: list
    elements: str
  max_pages:
    description:
      - How many requests at most for each lookup and region, of 50 events each. If that does not suffice, RV(gaps) says
        so and RV(truncated) is true.
    type: int
    default: 200
extends_documentation_fragment:
  - mdps.venue_sts.venue.receipts
  - mdps.venue_sts.venue.lease_path
  - mdps.venue_sts.venue.info_attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is given must have a value. An empty text, list or mapping is an error.
  - Needs cloudtrail:LookupEvents, iam:GetRole, iam:ListRolePolicies, iam:GetRolePolicy, sts:GetAccessKeyInfo and
    ssm:GetParametersByPath. Without any of them it goes on, and says what is not known.
seealso:
  - module: mdps.venue_sts.venue_sts_revocation
  - module: mdps.venue_sts.venue_sts_session_info
"""

EXAMPLES = r"""
- name: Find out what a key is that was found
  mdps.venue_sts.venue_sts_incident_info:
    access_key_id: ASIAEXAMPLEEXAMPLE22
    region: us-west-2
    regions: [us-west-2, us-east-1, us-east-2]
"""

RETURN = r"""
access_key_id:
  description: The key.
  returned: success
  type: str
  sample: ASIAEXAMPLEEXAMPLE22
account_id:
  description: The account of the key, as AWS says it; null if AWS does not know the key.
  returned: success
  type: str
  sample: "123456789012"
caller_account_id:
  description: The account of the credentials.
  returned: success
  type: str
  sample: "123456789012"
in_account:
  description: Whether both are the same; null if the account of the key is not known. If they differ, nothing else was
    read from AWS.
  returned: success
  type: bool
  sample: true
looked_at:
  description: When that was, by AWS's clock.
  returned: success
  type: str
  sample: "2026-11-22T09:40:00Z"
session:
  description: The token that the key is of, as RV(mdps.venue_sts.venue_sts_session_info#module:sessions) has it; null
    if it is not known. If the key was derived from another one, the token of that one.
  returned: success
  type: dict
provenance:
  description: The recipient, the issuer, the requester, the approver, the reason, the ticket, the AWX job and the lease
    that the receipt names, and when the token was issued and ends.
  returned: success
  type: dict
venue:
  description: Project and venue, as the tags of the role or else the receipt say.
  returned: success
  type: dict
  sample: {"project": "sbg", "venue": "dev"}
role:
  description: The role as it is now, with RV(role.locked); null if it does not exist. If it may not be read, RV(gaps)
    says so.
  returned: success
  type: dict
  contains:
    arn:
      description: Its ARN.
      type: str
      sample: arn:aws:iam::123456789012:role/unity-sbg-dev-sts
    name:
      description: Its name.
      type: str
      sample: unity-sbg-dev-sts
    owned:
      description: Whether its tags say that it is a venue's role for tokens. Otherwise only a receipt says so.
      type: bool
      sample: true
    role_id:
      description: Its unique id; null if the role may not be read.
      type: str
      sample: AROAEXAMPLEEXAMPLEEX
    locked:
      description: Whether nobody can assume it; null if the role may not be read.
      type: bool
      sample: false
lease:
  description: The recipient's lease in the venue; null if there is none. Without a receipt, the lease of the user for
    whom the name of the session is made. The state V(unknown) means that the leases could not be read.
  returned: success
  type: dict
parent_keys:
  description: The keys that the key was derived from, nearest first.
  returned: success
  type: list
  elements: str
derived_keys:
  description: The keys that were derived from the token.
  returned: success
  type: list
  elements: str
other_keys:
  description: Further keys of the same session of the same role, such as those of another token of that session name.
  returned: success
  type: list
  elements: str
ambiguous:
  description: Whether receipts name several tokens with this key, and CloudTrail does not say which it is.
  returned: success
  type: bool
candidates:
  description: The tokens that the receipts then name, with project, venue, role, session and recipient. If they agree
    on the venue, RV(venue) has it.
  returned: success
  type: list
  elements: dict
  sample: []
problems:
  description: What contradicts itself, one sentence each.
  returned: success
  type: list
  elements: str
gaps:
  description: What could not be seen, one sentence each.
  returned: success
  type: list
  elements: str
regions:
  description: The regions in which CloudTrail was asked.
  returned: success
  type: list
  elements: str
truncated:
  description: Whether there are more events than were read.
  returned: success
  type: bool
use:
  description: The calls in numbers, with first and last time, addresses, regions, services, actions, user agents,
    errors and denied calls. Of each kind, the 20 most frequent values.
  returned: success
  type: dict
calls:
  description: The newest 1,000 calls.
  returned: success
  type: list
  elements: dict
  sample: [{"at": "2026-11-22T09:35:00Z", "action": "ecr:GetAuthorizationToken", "region": "us-west-2",
    "address": "192.0.2.10", "access_key_id": "ASIAEXAMPLEEXAMPLE22", "error": null}]
queries:
  description: What to run in CloudTrail Lake or Athena for what LookupEvents does not show, such as reading S3 objects.
  returned: success
  type: dict
  contains:
    cloudtrail_lake:
      description: For CloudTrail Lake. Put in the id of the event data store.
      type: str
    athena:
      description: For Athena over a trail in S3. Put in the name of the table.
      type: str
next_step:
  description: What to do now, in one sentence.
  returned: success
  type: str
  sample: The key has ended. Find out how it got out, and what was done with it.
unreadable:
  description: How many receipts could not be read, or are no receipts, and were skipped.
  returned: success
  type: int
error:
  description: The kind of failure, such as V(InvalidInput); docs/errors.md lists them.
  returned: failure
  type: str
  sample: InvalidInput
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.incident_info import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
