#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_lease
short_description: Approve or end a lease of a venue's tokens
version_added: 1.0.0
description:
  - Approves a lease, that is tokens of a venue for one user until a date, or ends it.
    M(mdps.venue_sts.venue_sts_renewal) issues the tokens, each sealed to the same person.
  - A lease is a parameter in the venue's account, below O(lease_path). It contains no secret. docs/lease.schema.json
    describes it.
  - Leases are not trusted by themselves, because whoever can write parameters there could forge one. Public keys come
    from the key directory, and the lease contains their fingerprints for comparison. Limits come from the inventory.
    With O(sign_with) here and O(mdps.venue_sts.venue_sts_renewal#module:lease_signers) there, a lease that is not
    signed or was changed is refused.
  - Anything that would prevent a token from being issued is an error when the lease is approved.
  - A second run with the same terms changes nothing, and O(days) are counted from the start of the existing lease. A
    run with other terms is a new approval, which replaces the existing lease.
  - Ending a lease does not revoke tokens. M(mdps.venue_sts.venue_sts_revocation) with
    O(mdps.venue_sts.venue_sts_revocation#module:user) ends the lease and revokes the tokens.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - V(present) approves a lease, V(absent) ends it.
    type: str
    choices: [present, absent]
    default: present
  user:
    description:
      - The user name of the recipient. Each user has at most one lease for a venue.
    type: str
    required: true
  access:
    description:
      - What the tokens allow, a list of V(s3_read), V(s3_write), V(ecr_create), V(ecr_pull) and V(ecr_push). The
        default is everything that O(limits) allow.
    type: list
    elements: str
  buckets:
    description:
      - Limit the tokens to these buckets.
    type: list
    elements: str
  bucket_prefixes:
    description:
      - Limit the tokens to these folders of the buckets.
    type: list
    elements: str
  ecr_repositories:
    description:
      - Limit the tokens to these repositories.
    type: list
    elements: str
  duration_seconds:
    description:
      - How long each token lasts, 900 to 43200 seconds. The default is one hour, or the limit. With credentials from
        Kion, AWS allows at most one hour (role chaining).
    type: int
  limits:
    description:
      - The most that tokens of the venue may allow, set in the inventory. The suboptions are those of the option of the
        same name of M(mdps.venue_sts.venue_sts_token). They apply to every renewal, whatever the lease says.
    type: dict
  start:
    description:
      - When the lease begins, in ISO 8601 with its zone. The default is now.
    type: str
  end:
    description:
      - When the lease ends, such as V(2026-11-29T09:30:00Z). No token lasts longer.
    type: str
  days:
    description:
      - How many days the lease lasts, instead of O(end). At most O(maximum_days).
    type: int
  maximum_days:
    description:
      - The maximum number of days for a lease.
    type: int
    default: 7
  reason:
    description:
      - Why the lease is needed. Receipts and the report show it. Required to approve a lease.
    type: str
  ticket:
    description:
      - The ticket of the request.
    type: str
  approver:
    description:
      - Who approved the lease. Required to approve a lease.
    type: str
  channel:
    description:
      - How renewals are delivered. V(s3) replaces an object in the venue's bucket, below a prefix that no token can
        write to. The user's client reads it with the current token, and supports age, ssh and OpenPGP keys. V(https)
        uploads to the transfer service in C(handoff), for every kind of key.
    type: str
    choices: [s3, https]
    default: s3
  handoff:
    description:
      - Where the public keys are (C(key_directory), C(public_keys), C(fingerprints)), and for O(channel=https), the
        transfer service (C(https)).
      - The suboptions are those of the option of the same name of M(mdps.venue_sts.venue_sts_token).
    type: dict
  sign_with:
    description:
      - The path of an ssh private key that signs the lease.
    type: str
  signers:
    description:
      - The public ssh keys that renewal accepts for signatures
        (O(mdps.venue_sts.venue_sts_renewal#module:lease_signers)). If set, an approval that is not signed by one of
        them is refused.
    type: list
    elements: str
  leases_file:
    description:
      - The file on the controller to which approvals and endings are added, as lines of JSON without secrets.
    type: path
    default: ~/.mdps/leases.jsonl
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
    description: Can run in C(check_mode) and return what would change, without changing it.
  diff_mode:
    support: full
    description: Returns the lease before and after.
  idempotent:
    support: full
    description: A second run with the same options changes nothing.
  action:
    support: full
    description: Runs on the controller as the user of ansible-playbook, whatever the connection or C(become), because
      the keys are there.
notes:
  - Needs the permissions for issuing a token, and ssm:GetParametersByPath, ssm:PutParameter and ssm:DeleteParameters
    below O(lease_path).
seealso:
  - module: mdps.venue_sts.venue_sts_renewal
  - module: mdps.venue_sts.venue_sts_lease_info
"""

EXAMPLES = r"""
- name: Approve three days of reading one folder
  mdps.venue_sts.venue_sts_lease:
    project: sbg
    venue: dev
    region: us-west-2
    user: jdoe
    access: [s3_read]
    bucket_prefixes: [products]
    days: 3
    reason: reprocess collection 7
    approver: asmith

- name: End it
  mdps.venue_sts.venue_sts_lease:
    project: sbg
    venue: dev
    region: us-west-2
    user: jdoe
    state: absent
"""

RETURN = r"""
lease:
  description: The lease. docs/lease.schema.json describes it. Null if it has ended.
  returned: success
  type: dict
lease_state:
  description: V(pending), V(active) or V(absent).
  returned: success
  type: str
  sample: active
steps:
  description: What was changed; in check mode, what would be.
  returned: success
  type: list
  elements: dict
  sample: [{"action": "ssm:PutParameter", "target": "/unity/sbg/dev/cs/sts/leases/jdoe",
    "summary": "approve the lease of jdoe"}]
diff:
  description: The lease before and after.
  returned: success
  type: dict
error:
  description: The kind of failure, such as V(LimitExceeded) or V(NoRecipientKey); docs/errors.md lists them.
  returned: failure
  type: str
"""
