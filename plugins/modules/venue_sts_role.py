#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_role
short_description: Create, update, or delete the role that the tokens of an MDPS venue are issued for
version_added: 1.0.0
description:
  - Ensures the IAM role C(unity-<project>-<venue>-sts) with its trust policy, permissions boundary, tags and one inline
    policy, and its external ID in the SSM parameter C(/unity/<project>/<venue>/cs/sts/role/external-id).
  - The policy lets a token read and write the venue's data bucket, and create, pull from and push to the venue's ECR
    repositories. Nothing else.
  - Drift is repaired, and what is right is not written. All reads are made at once, so a run that finds nothing to do
    takes one round trip's time.
  - The next run completes one that was interrupted, and runs at the same time agree on one external ID.
  - Tags that others put on the role stay, and so do other inline policies, such as those that revoke tokens.
  - Statements of the trust policy that others wrote are named in the result. An C(Allow) is removed, a C(Deny) stays.
    The lock of an incident (the statement C(MdpsVenueLocked)) always stays.
  - While a role of the venue is locked, no further role of it is created or adopted, since that one would not be locked
    (iam:GetAccountAuthorizationDetails). If a locked role is removed, a warning says that the lock goes with it.
  - Before anything is created, and before a boundary changes, the module checks that the boundary, a KMS key, and the
    trusted principals and OIDC providers of the account exist, in check mode too. Where the caller may not look them
    up, it says so and goes on.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - V(present) creates or repairs the role, V(absent) removes role, policies and external ID.
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
      - Tags for the role and the parameter, in addition to the ten that every MDPS resource carries (Name, Proj, Venue,
        Env, ServiceArea, CreatedBy, Capability, CapVersion, Component, Stack). Proj, Venue and Capability say whose the
        role is and cannot be changed.
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
      - Who may assume the role, provided they send the external ID. ARNs of roles, users or account roots, or account
        ids.
      - The default is the caller's account, which leaves the decision to the IAM policies in that account.
    type: list
    elements: str
  trusted_principal_patterns:
    description:
      - ARN patterns of roles and users that may assume the role, with C(*) and C(?) in the name, such as
        C(arn:aws:iam::123456789012:role/mcp-*). Instead of O(trusted_principals), and shorter than a long list.
      - The trust policy then names the accounts in the patterns, with the condition C(ArnLike aws:PrincipalArn). The
        callers need C(sts:AssumeRole) in policies of their own.
      - A role that is created later and matches a pattern is trusted, too.
    type: list
    elements: str
  remove_foreign_statements:
    description:
      - Also remove each C(Deny) from the trust policy that this collection did not write. Without this, it stays and is
        named.
    type: bool
    default: false
  saml_provider_arns:
    description:
      - ARNs of SAML identity providers whose users may come with an assertion instead of keys.
    type: list
    elements: str
    default: []
  saml_audiences:
    description:
      - The sign-in addresses that assertions may be for. Each is the C(Recipient) that the identity provider writes.
        Needed for another region than that of the venue, and for a provider of encrypted assertions, which has an
        address of its own below C(/saml/acs/).
      - The default is the global address and that of the region, such as
        V(https://us-west-2.signin.aws.amazon.com/saml). Those that are named replace it.
    type: list
    elements: str
  oidc_providers:
    description:
      - OpenID Connect providers whose users may come with a web identity token instead of keys, such as a Cognito user
        pool, GitHub Actions, or Ansible Automation Platform. See docs/web-identity.md.
      - Whoever holds such a token can call STS without this collection, and choose the session name and session policy.
        What limits them must be in the role. Where the venue's role allows more than they may have, give them a role of
        their own with O(role_name).
    type: list
    elements: dict
    default: []
    suboptions:
      provider:
        description:
          - The address of the issuer, as the C(iss) claim of its tokens has it (V(https://HOST/PATH)), or the ARN of
            the OIDC provider in IAM, which must be in the account of the role.
        type: str
        required: true
      audiences:
        description:
          - Audiences (C(aud) claims), of which a token must have one. No wildcards.
        type: list
        elements: str
        required: true
      subjects:
        description:
          - Subjects (C(sub) claims), of which a token must have one. C(*) and C(?) are wildcards, but not in front.
          - For issuers where anybody can get a token, such as GitHub, everything that says whose token it is must be
            there without a wildcard (V(repo:OWNER/REPOSITORY:ref:refs/heads/main)). Repositories that were created,
            renamed or moved after 15 July 2026 send V(repo:OWNER@ID/REPOSITORY@ID:ref:refs/heads/main).
        type: list
        elements: str
      any_subject:
        description:
          - Accept every subject. Meant for a user pool with an app client of its own. It is warned about, and refused
            for issuers where anybody can get a token.
        type: bool
        default: false
      create:
        description:
          - Also create the OIDC provider in IAM, and add audiences that it lacks. It belongs to the account, so it is
            never removed, and other audiences stay.
        type: bool
        default: false
  require_mfa:
    description:
      - Whether callers must have used MFA. Sessions of roles, such as those of Kion, carry no MFA and are then refused.
    type: bool
    default: false
  buckets:
    description:
      - The buckets that tokens may use. The default is the one published in O(bucket_parameter).
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
  bucket_account_id:
    description:
      - The AWS account that owns the buckets. Tokens may use them only as long as that account owns them.
      - The default is the account of the role.
    type: str
  kms_key_arns:
    description:
      - ARNs of the KMS keys that encrypt the buckets, where they are not encrypted with S3's own keys. Usable through
        S3 only.
    type: list
    elements: str
    default: []
  ecr_repositories:
    description:
      - ECR repositories that tokens may create and use, by name or pattern. A pattern must begin with a namespace and a
        slash, such as V(tropess/*). One that reaches into a namespace other than C(<project>/) and
        C(<project>-<venue>/) is warned about.
      - The default depends on O(ecr_scope).
    type: list
    elements: str
  ecr_scope:
    description:
      - Which repositories O(ecr_repositories) stands for if it is not set. V(project) is C(<project>/*), the convention
        of MDPS, which names repositories without the venue. So venues of one project in one account share them, and a
        token of one venue may overwrite the image that another one runs.
      - V(venue) is C(<project>-<venue>/*), which keeps the venues apart.
      - The default is V(project). It cannot be combined with O(ecr_repositories).
    type: str
    choices: [project, venue]
  permissions_boundary:
    description:
      - The permissions boundary, by name or ARN. V(none) does without.
      - The default is the one published in O(boundary_parameter). A policy of AWS itself is refused.
    type: str
  boundary_parameter:
    description:
      - The SSM parameter that publishes the permissions boundary.
      - The default is C(/unity/cs/account/privilegedpolicyname).
    type: str
  confirm_changes:
    description:
      - What may change on a role that exists although no option names it. V(buckets) and V(permissions_boundary), if
        the published value has changed, or if the role's policy C(venue-access) names no bucket; V(region), if the
        role's permissions are for another region than this run.
      - No confirmation is needed for a role that is new or that has no C(venue-access) yet, and for a boundary of a
        role without one, since it only narrows the role.
      - Without this, such a change is an error, because whoever may write an SSM parameter could make it.
    type: list
    elements: str
    choices: [buckets, permissions_boundary, region]
    default: []
  preflight:
    description:
      - V(references) checks that what the role refers to exists. V(simulate) also has IAM evaluate the permissions
        below the boundary, and warns about each action that the boundary does not allow.
      - Needs iam:GetPolicy and iam:ListPolicies, and V(simulate) iam:GetPolicyVersion and iam:SimulateCustomPolicy.
    type: str
    choices: [references, simulate]
    default: references
  access_analyzer:
    description:
      - Have IAM Access Analyzer check the trust policy and the permissions before they are written, and show its
        findings as warnings. External IDs are masked in what it gets.
      - Needs access-analyzer:ValidatePolicy, which AWS does not charge for.
    type: bool
    default: false
  external_id:
    description:
      - The external ID to use, of at least 16 characters that are not part of a name such as that of the role, and at
        least 16 beside such a name if it contains one. By default one of 160 random bits is made once and then kept.
    type: str
  external_id_type:
    description:
      - How the external ID is stored. The default is C(String) for a new one, and what it is for one that exists.
    type: str
    choices: [String, SecureString]
  kms_key_id:
    description:
      - The KMS key for a V(SecureString), used when it is written. The default is the account's key for SSM.
      - An error if the external ID is stored as V(String).
    type: str
  on_external_id_conflict:
    description:
      - What to do if SSM and the trust policy have different external IDs.
    type: str
    choices: [fail, use_parameter, use_trust_policy]
    default: fail
  rotate_external_id:
    description:
      - Makes a new external ID. The old one stays valid until a second run with this option, or with
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
      - Take over a role of that name whose tags do not name a venue. A role of another venue is never taken over.
    type: bool
    default: false
  wait:
    description:
      - Assume the role for 900 seconds to prove that it can be assumed, and discard the keys. Not while the venue is
        locked.
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
  - mdps.venue_sts.venue.parameters
  - mdps.venue_sts.venue.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is given must have a value. An empty text, list or mapping is an error, except for
    O(confirm_changes), O(description), O(kms_key_arns), O(oidc_providers), O(saml_provider_arns) and O(tags).
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
      description: Its unique id, which CloudTrail and revocations name; null if the role does not exist yet.
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
ecr_repositories:
  description: The ECR repositories that tokens may use, and the option that decided it.
  returned: success, with O(state=present)
  type: dict
  sample: {"patterns": ["sbg/*"], "source": "ecr_scope"}
permissions_boundary:
  description: The permissions boundary, and whether the option or an SSM parameter named it.
  returned: success, with O(state=present)
  type: dict
  sample: {"arn": "arn:aws:iam::123456789012:policy/zsmce-tenantOperator-AMI-APIG", "source":
  "/unity/cs/account/privilegedpolicyname"}
assumable:
  description: Whether the role was assumed; V(false) if the venue is locked.
  returned: success, with O(wait=true)
  type: bool
  sample: true
locked:
  description: Whether a C(Deny) in the trust policy keeps everybody from assuming the role.
  returned: success, with O(state=present)
  type: bool
  sample: false
notes:
  description: What the admin needs to know, one sentence each; also shown as warnings. For example statements of the
    trust policy that others wrote, a weak external ID, or what the boundary does not allow.
  returned: success
  type: list
  elements: str
steps:
  description: What was changed, in order; in check mode, what would be. After a failure, what had been changed before.
  returned: success, and failure after AWS was asked
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
