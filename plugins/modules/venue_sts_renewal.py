#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_renewal
short_description: Renew the leases of a venue
version_added: 1.0.0
description:
  - Issues the next token of every lease of a venue whose last token expires soon, seals it to the user's public key and
    delivers it. M(mdps.venue_sts.venue_sts_lease) approves leases.
  - Run it every five minutes. It can run at any time, also concurrently and after an outage. A failed lease does not
    stop the others; the task fails at its end.
  - Each renewal has the checks, the receipts and the hand-off of M(mdps.venue_sts.venue_sts_token). A lease is not
    renewed if the key is missing, has changed or is not one of C(fingerprints) in O(handoff), the venue is locked, the
    request exceeds O(limits), the lease is longer than O(maximum_days) or was changed, or the place of delivery is no
    longer the approved one. RV(leases[].problem) shows the reason.
  - A lease that has reached its end, or whose last token was revoked by session or by user, is recorded in
    O(leases_file) and removed. While a venue is locked, renewals are paused.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  user:
    description:
      - Renew only the lease of this user, even if it is not due.
    type: str
  by_hand:
    description:
      - Deliver through the channel in C(handoff), not through that of the lease, for example for the first token, or
        after the user's last token has expired. Requires O(user).
    type: bool
    default: false
  renew_before:
    description:
      - How many seconds before the expiration of a token the next one is issued, at least 60. A token is renewed when a
        third of its lifetime is left, if that is later.
    type: int
    default: 1200
  lease_signers:
    description:
      - Public ssh keys. A lease that is not signed with one of them is refused. Without this option, signatures are not
        checked.
    type: list
    elements: str
  maximum_days:
    description:
      - The maximum number of days for a lease. A longer lease is refused, even if it was approved.
    type: int
    default: 7
  limits:
    description:
      - The most that tokens of the venue may allow, set in the inventory. The suboptions are those of the option of the
        same name of M(mdps.venue_sts.venue_sts_token). They apply to every renewal, whatever the lease says.
    type: dict
  handoff:
    description:
      - How tokens are sealed and, with O(by_hand), how they are delivered. Its channel is used only with O(by_hand).
        The tokens of a lease are always sealed.
      - The suboptions are those of the option of the same name of M(mdps.venue_sts.venue_sts_token).
    type: dict
  leases_file:
    description:
      - The file on the controller to which endings of leases are added, as lines of JSON without secrets.
    type: path
    default: ~/.mdps/leases.jsonl
  receipts_file:
    description:
      - The file on the controller to which receipts are added, as lines of JSON without secrets.
    type: path
    default: ~/.mdps/receipts.jsonl
  receipts_s3:
    description:
      - Also store receipts below this prefix, V(s3://bucket/prefix).
    type: str
  receipts_ssm_path:
    description:
      - Also store receipts as parameters below this path.
    type: str
extends_documentation_fragment:
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.parameters
  - mdps.venue_sts.venue.lease_path
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    description: In C(check_mode), everything is checked and compared, and nothing is issued or removed.
  diff_mode:
    support: none
    description: Not applicable.
  idempotent:
    support: full
    description: In a second run, no lease is due.
  action:
    support: full
    description: Runs on the controller as the user of ansible-playbook, whatever the connection or C(become), because
      the keys are there.
notes:
  - Needs the permissions for issuing a token, iam:ListRolePolicies on the role, s3:PutObject below
    C(mdps-venue-sts/renewals/) of the bucket, and ssm:GetParametersByPath, ssm:PutParameter and ssm:DeleteParameters
    below O(lease_path).
seealso:
  - module: mdps.venue_sts.venue_sts_lease
  - module: mdps.venue_sts.venue_sts_token
"""

EXAMPLES = r"""
- name: Renew what is due
  mdps.venue_sts.venue_sts_renewal:
    project: sbg
    venue: dev
    region: us-west-2

- name: Deliver a new token to a user whose last token has expired
  mdps.venue_sts.venue_sts_renewal:
    project: sbg
    venue: dev
    region: us-west-2
    user: jdoe
    by_hand: true
"""

RETURN = r"""
leases:
  description: The result for each lease. A parameter below O(lease_path) that is not a valid lease is also listed, with
    the last part of its name as C(user), and fails the task.
  returned: always, unless the leases could not be read
  type: list
  elements: dict
  contains:
    user:
      description: The user of the lease.
      type: str
      sample: jdoe
    id:
      description: The ID of the approval.
      type: str
      sample: l-20261122T093015Z-3fa91c07
    result:
      description: V(renewed), V(waiting) (nothing is due), V(claimed) (another run is renewing it), V(ended) or
        V(failed).
      type: str
      sample: renewed
    state:
      description: V(pending), V(active) or V(ended).
      type: str
      sample: active
    ends_at:
      description: When the lease ends.
      type: str
      sample: "2026-11-29T09:30:15Z"
    token_until:
      description: When the last token expires; null before the first.
      type: str
      sample: "2026-11-22T10:30:15Z"
    next_renewal:
      description: When the next token is due; null if there will be none.
      type: str
      sample: "2026-11-22T10:10:15Z"
    problem:
      description: Why it failed or ended.
      type: str
    receipt:
      description: The receipt of the new token. docs/receipt.schema.json describes it.
      type: dict
    delivery:
      description: Where the new token is, as M(mdps.venue_sts.venue_sts_token) returns it.
      type: dict
account_id:
  description: The AWS account of the credentials.
  returned: always, unless the leases could not be read
  type: str
  sample: "123456789012"
error:
  description: The kind of failure, such as V(RenewalFailed); docs/errors.md lists them.
  returned: failure
  type: str
"""
