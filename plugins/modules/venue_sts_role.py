#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_role
short_description: Give an MDPS venue the role that short-lived tokens are issued for
version_added: 1.0.0
description:
  - Makes the IAM role C(unity-<project>-<venue>-sts) with its trust policy, permissions boundary, tags and one inline
    policy, and its external ID
    in the SSM parameter C(/unity/<project>/<venue>/cs/sts/role/external-id).
  - The policy lets a token read and write the venue's data bucket, and create, pull from and push to the venue's ECR
    repositories. Nothing else.
  - What has drifted is repaired. What is right is not written. All reads are made side by side, so a run that finds
    nothing to do takes one round trip's time.
  - A run that dies half-way is healed by the next one, and runs at the same time agree on one external ID.
  - Tags that others put on the role are left alone, and so are other inline policies, such as those that revoke tokens.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - V(present) makes or repairs the role, V(absent) removes role, policies and external ID.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - The IAM path of the role. IAM cannot change it later.
    type: str
    default: /
  description:
    description:
      - The description of the role, at most 1,000 characters. The default names the venue.
    type: str
  tags:
    description:
      - Tags for the role and the parameter, beside the ten that every MDPS resource carries (Name, Proj, Venue, Env,
        ServiceArea, CreatedBy, Capability,
        CapVersion, Component, Stack). Proj and Venue say whose the role is and cannot be changed.
    type: dict
    default: {}
    aliases: [resource_tags]
  max_session_duration:
    description:
      - How long a session of the role may last at most, 3600 to 43200 seconds. (With keys from Kion, AWS never gives
        more than 3600.)
    type: int
    default: 3600
  trusted_principals:
    description:
      - Who may assume the role, provided they know the external ID. ARNs of roles, users or account roots, or account
        ids.
      - The default is the caller's account, which leaves the decision to the IAM policies in that account.
    type: list
    elements: str
  saml_provider_arns:
    description:
      - ARNs of SAML identity providers whose users may come with an assertion instead of keys.
    type: list
    elements: str
    default: []
  require_mfa:
    description:
      - Whether callers must have used MFA. Sessions of roles, such as those of Kion, carry no MFA and are then refused.
    type: bool
    default: false
  buckets:
    description:
      - The buckets that tokens may use. The default is the one published in
        C(/unity/<project>/<venue>/ds/datastore-bucket).
    type: list
    elements: str
  bucket_prefixes:
    description:
      - Folders of the buckets that tokens are limited to. The default is the whole bucket.
    type: list
    elements: str
  allow_delete:
    description:
      - Whether tokens may delete objects.
    type: bool
    default: false
  kms_key_arns:
    description:
      - ARNs of the KMS keys that encrypt the buckets, where they are not encrypted with S3's own keys. Usable through
        S3 only.
    type: list
    elements: str
    default: []
  ecr_repositories:
    description:
      - ECR repositories that tokens may create and use, by name or pattern. A pattern must stay below C(<project>/) or
        C(<project>-<venue>/).
      - The default is C(<project>/*). By convention ECR repositories carry no venue in their names, so venues of one
        project in one account share them.
    type: list
    elements: str
  permissions_boundary:
    description:
      - The permissions boundary, by name or ARN. V(none) does without.
      - The default is the one published in C(/unity/cs/account/privilegedpolicyname).
    type: str
  external_id:
    description:
      - The external ID to use. By default one of 160 random bits is made once and then kept.
    type: str
  external_id_type:
    description:
      - How the external ID is stored. The default is C(String) for a new one, and what it is for one that exists.
    type: str
    choices: [String, SecureString]
  kms_key_id:
    description:
      - The KMS key for a V(SecureString), used when it is written. The default is the account's key for SSM.
    type: str
  on_external_id_conflict:
    description:
      - What to do if SSM and the trust policy have different external IDs.
    type: str
    choices: [fail, use_parameter, use_trust_policy]
    default: fail
  rotate_external_id:
    description:
      - Makes a new external ID. The old one stays valid beside it until a second run with this option, or with
        O(retire_previous_external_id), ends it.
    type: bool
    default: false
  retire_previous_external_id:
    description:
      - Ends the validity of the external ID before the present one.
    type: bool
    default: false
  adopt:
    description:
      - Take over a role of that name whose tags do not say whose it is. A role that another venue owns is never taken
        over.
    type: bool
    default: false
  wait:
    description:
      - Prove that the role can be assumed by assuming it for 900 seconds and throwing the keys away.
    type: bool
    default: false
  wait_timeout:
    description:
      - For how many seconds O(wait) tries. AWS needs 10 to 30 seconds until a new role is known everywhere.
    type: int
    default: 120
extends_documentation_fragment:
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is given must have a value. An empty text, list or mapping is an error, except for O(description),
    O(kms_key_arns), O(saml_provider_arns) and O(tags).
seealso:
  - module: mdps.venue_sts.venue_sts_token
"""

EXAMPLES = r"""
- name: Provision the venue's role, and prove that it can be assumed
  mdps.venue_sts.venue_sts_role:
    project: sbg
    venue: dev
    region: us-west-2
    wait: true

- name: See what a run would change
  mdps.venue_sts.venue_sts_role:
    project: sbg
    venue: dev
    region: us-west-2
  check_mode: true
  diff: true

- name: Limit a venue to two folders, and let its tokens delete there
  mdps.venue_sts.venue_sts_role:
    project: emit
    venue: ops
    region: us-west-2
    bucket_prefixes: [incoming, products/l2]
    allow_delete: true
    expected_account_id: "123456789012"

- name: Remove it
  mdps.venue_sts.venue_sts_role:
    project: sbg
    venue: dev
    region: us-west-2
    state: absent
"""

RETURN = r"""
role:
  description: The role.
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
    role_id:
      description: Its unique id, which CloudTrail and revocations name; null as long as the role does not exist.
      type: str
      sample: AROAEXAMPLEEXAMPLEEX
    account_id:
      description: The account it is in.
      type: str
      sample: "123456789012"
    partition:
      description: The partition it is in.
      type: str
      sample: aws
external_id_parameter:
  description: Where the external ID is in SSM. The external ID itself is never returned.
  returned: success
  type: str
  sample: /unity/sbg/dev/cs/sts/role/external-id
buckets:
  description: The buckets, and whether an option or an SSM parameter named them.
  returned: success, with O(state=present)
  type: dict
  sample: {"names": ["sbg-dev-unity-data"], "source": "/unity/sbg/dev/ds/datastore-bucket"}
permissions_boundary:
  description: The permissions boundary, and whether the option or an SSM parameter named it.
  returned: success, with O(state=present)
  type: dict
  sample: {"arn": "arn:aws:iam::123456789012:policy/zsmce-tenantOperator-AMI-APIG", "source":
  "/unity/cs/account/privilegedpolicyname"}
assumable:
  description: That the role was really assumed.
  returned: success, with O(wait=true)
  type: bool
  sample: true
steps:
  description: What was changed, in order; in check mode, what would be. After a failure, what had been changed before.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: The IAM action.
      type: str
      sample: iam:CreateRole
    target:
      description: What it was applied to.
      type: str
      sample: unity-sbg-dev-sts
    summary:
      description: What it was for.
      type: str
      sample: create the role
diff:
  description: The parts of role, trust policy, permissions and parameter that change, before and after, with external
    ids masked.
  returned: success
  type: dict
error:
  description: The kind of failure, such as V(OwnershipConflict) or V(ExternalIdMismatch); docs/errors.md lists them.
  returned: failure
  type: str
  sample: OwnershipConflict
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
