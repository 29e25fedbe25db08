#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_incident_info
short_description: Gather information about an exposed access key of an MDPS venue
version_added: 1.0.0
description:
  - From an access key ID, finds the account, venue, role and session of the key, its recipient and issuer, who
    requested and approved it, when it expires, and the lease of the recipient. Nothing is changed.
  - The account comes from AWS, the rest from receipts and from CloudTrail. One of them is sufficient, and RV(gaps)
    lists what could not be determined. If they contradict each other, CloudTrail takes precedence, and RV(problems)
    says so.
  - CloudTrail's event of the issue identifies the token. If this event is not found, for example because it is in
    another region, the calls that were made with the key identify it.
  - Summarizes the calls that were made with the key, with keys that were derived from it by C(GetScopedCredentials),
    and by its session. A session is identified by the ID of its role and its name, because sessions of two venues can
    have the same name.
  - CloudTrail allows two requests a second in each region, each for 50 events. The module does not exceed this rate.
  - CloudTrail events contain external IDs in plain text. The module reads only the fields that it returns.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  access_key_id:
    description:
      - The access key ID, such as V(ASIAEXAMPLEEXAMPLE22). Never use the secret access key.
    type: str
    required: true
  keys_file:
    description:
      - A file with the credentials, in one of the formats of O(mdps.venue_sts.venue_sts_revocation#module:keys_file),
        if you want to verify the revocation with them later. This module does not use them, but fails if the file
        cannot be read or has other credentials, so that you know this before the revocation.
    type: path
  cloudtrail:
    description:
      - Whether to search CloudTrail. Otherwise, only receipts are used.
    type: bool
    default: true
  regions:
    description:
      - The regions in which to search CloudTrail. Events of a regional STS endpoint are in its region, those of the
        global endpoint and of IAM in V(us-east-1). Other calls are in the region that they were sent to.
      - The default is the region of the task, V(us-east-1) and the region in the receipt.
    type: list
    elements: str
  max_pages:
    description:
      - The maximum number of requests for each lookup and region, of 50 events each. If there are more events, RV(gaps)
        says so and RV(truncated) is true.
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
  - An option that is set must have a value. An empty string, list or mapping is an error.
  - Needs cloudtrail:LookupEvents, iam:GetRole, iam:ListRolePolicies, iam:GetRolePolicy, sts:GetAccessKeyInfo and
    ssm:GetParametersByPath. Without some of them, the module continues, and RV(gaps) lists what is not known.
seealso:
  - module: mdps.venue_sts.venue_sts_revocation
  - module: mdps.venue_sts.venue_sts_session_info
"""

EXAMPLES = r"""
- name: Gather information about an exposed access key
  mdps.venue_sts.venue_sts_incident_info:
    access_key_id: ASIAEXAMPLEEXAMPLE22
    region: us-west-2
    regions: [us-west-2, us-east-1, us-east-2]
"""

RETURN = r"""
access_key_id:
  description: The access key ID.
  returned: success
  type: str
  sample: ASIAEXAMPLEEXAMPLE22
account_id:
  description: The account of the key according to AWS; null if AWS does not know the key.
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
  description: The time of the lookup, by the clock of AWS.
  returned: success
  type: str
  sample: "2026-11-22T09:40:00Z"
session:
  description: The token that the key belongs to, as in RV(mdps.venue_sts.venue_sts_session_info#module:sessions); null
    if it is not known. For a derived key, the token of the original key.
  returned: success
  type: dict
provenance:
  description: The recipient, the issuer, the requester, the approver, the reason, the ticket, the AWX job and the lease
    that the receipt names, and when the token was issued and ends.
  returned: success
  type: dict
venue:
  description: Project and venue, from the tags of the role, or else from the receipt.
  returned: success
  type: dict
  sample: {"project": "sbg", "venue": "dev"}
role:
  description: The current state of the role; null if it does not exist. If the caller may not read it, RV(gaps) says
    so.
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
      description: Whether its tags identify it as a venue's role for tokens. Otherwise, only a receipt does.
      type: bool
      sample: true
    role_id:
      description: Its unique ID; null if the caller may not read the role.
      type: str
      sample: AROAEXAMPLEEXAMPLEEX
    locked:
      description: Whether nobody can assume it; null if the caller may not read the role.
      type: bool
      sample: false
    subject_denied:
      description: Whether its trust policy refuses the subject of the token's web identity; null if the caller may not
        read the role.
      type: bool
      sample: false
lease:
  description: The recipient's lease for the venue; null if there is none. Without a receipt, the user is derived from
    the session name. The state V(unknown) means that the leases could not be read. With V(ended) and without an ID, an
    earlier run ended the lease, but did not revoke all of its tokens.
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
signer_arn:
  description: The IAM user or other principal that signed calls with the key, if it is not a session of a role.
  returned: success
  type: str
  sample: arn:aws:iam::123456789012:user/jdoe
other_keys:
  description: Further keys of the same session of the same role, such as those of another token of that session name.
  returned: success
  type: list
  elements: str
ambiguous:
  description: Whether receipts name several tokens with this key, and CloudTrail does not identify one of them.
  returned: success
  type: bool
candidates:
  description: The tokens that the receipts name in this case, with project, venue, role, session and recipient. If all
    have the same venue, it is in RV(venue).
  returned: success
  type: list
  elements: dict
  sample: []
problems:
  description: Contradictions, one sentence each.
  returned: success
  type: list
  elements: str
gaps:
  description: What could not be determined, one sentence each.
  returned: success
  type: list
  elements: str
regions:
  description: The regions in which CloudTrail was searched.
  returned: success
  type: list
  elements: str
truncated:
  description: Whether there are more events than were read.
  returned: success
  type: bool
use:
  description: Statistics of the calls, with first and last time, and the 20 most frequent addresses, regions, services,
    actions, user agents, errors and denied calls.
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
  description: Queries for CloudTrail Lake and Athena, for events that LookupEvents does not return, such as reads of S3
    objects.
  returned: success
  type: dict
  contains:
    cloudtrail_lake:
      description: For CloudTrail Lake. Insert the ID of the event data store.
      type: str
    athena:
      description: For Athena with a trail in S3. Insert the name of the table.
      type: str
next_step:
  description: What to do next, in one sentence.
  returned: success
  type: str
  sample: The key is no longer valid. Find out how it was exposed, and what was done with it.
unreadable:
  description: How many receipts could not be read, or are not receipts, and were skipped.
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
