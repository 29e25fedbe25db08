#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_role
short_description: Manage the IAM role of an MDPS venue
version_added: 1.0.0
description:
  - Ensures the IAM role C(unity-<project>-<venue>-sts) with its trust policy, permissions boundary, tags and one inline
    policy, and its external ID in the SSM parameter C(/unity/<project>/<venue>/cs/sts/role/external-id).
  - The policy allows tokens to read and write the venue's data bucket, and to create, pull from and push to the venue's
    ECR repositories, and nothing else.
  - Drift is repaired. Only differences are written. All reads are made in parallel, so a run without changes takes one
    round trip.
  - The next run completes an interrupted one, and concurrent runs use the same external ID.
  - Other tags and inline policies of the role, such as those that revoke tokens, are kept.
  - Other statements of the trust policy are listed in the result. C(Allow) statements are removed, C(Deny) statements
    are kept. The lock of an incident (the statement C(MdpsVenueLocked)) is always kept.
  - While a role of the venue is locked, another role for it is not created or adopted, because it would not be locked
    (iam:GetAccountAuthorizationDetails). If a locked role is removed, a warning says that this removes the lock.
  - Before anything is created, and before a boundary changes, the module checks that the boundary, the KMS key, and the
    trusted principals and OIDC providers of the account exist, also in check mode. If the caller does not have
    permission to read them, a warning says so and the module continues.
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
      - Tags for the role and the parameter, in addition to the ten tags of every MDPS resource (Name, Proj, Venue, Env,
        ServiceArea, CreatedBy, Capability, CapVersion, Component, Stack). Proj, Venue and Capability identify the owner
        of the role and cannot be changed.
    type: dict
    default: {}
    aliases: [resource_tags]
  max_session_duration:
    description:
      - The maximum duration of a session of the role, 3600 to 43200 seconds. With credentials from Kion, AWS allows at
        most 3600 (role chaining).
    type: int
    default: 3600
  trusted_principals:
    description:
      - The principals that may assume the role with the external ID. ARNs of roles, users or account roots, or account
        IDs.
      - The default is the caller's account, so that the IAM policies in that account decide.
    type: list
    elements: str
  trusted_principal_patterns:
    description:
      - ARN patterns of roles and users that may assume the role, with C(*) and C(?) in the name, such as
        C(arn:aws:iam::123456789012:role/mcp-*). Use them instead of O(trusted_principals), to replace a long list.
      - The trust policy then names the accounts in the patterns, with the condition C(ArnLike aws:PrincipalArn). The
        callers need C(sts:AssumeRole) in their own policies.
      - Roles that are created later and match a pattern are also trusted.
    type: list
    elements: str
  remove_foreign_statements:
    description:
      - Also remove C(Deny) statements of others from the trust policy. Without this option, they are kept and listed.
    type: bool
    default: false
  saml_provider_arns:
    description:
      - ARNs of SAML identity providers whose users may assume the role with an assertion instead of AWS credentials.
    type: list
    elements: str
    default: []
  saml_audiences:
    description:
      - The accepted sign-in endpoints of assertions (C(SAML:aud)). The identity provider uses them as C(Recipient).
        Needed for another region than that of the venue, and for a provider with encrypted assertions, which has its
        own address below C(/saml/acs/).
      - The default is the global endpoint and that of the region, such as
        V(https://us-west-2.signin.aws.amazon.com/saml). This option replaces both.
    type: list
    elements: str
  oidc_providers:
    description:
      - OpenID Connect providers whose users may assume the role with a web identity token instead of AWS credentials,
        such as a Cognito user pool, GitHub Actions, or Ansible Automation Platform. See docs/web-identity.md.
      - Whoever holds such a token can call STS without this collection, and choose the session name and session policy.
        So only the role limits them. If the venue's role allows more than they should have, create a separate role for
        them with O(role_name).
    type: list
    elements: dict
    default: []
    suboptions:
      provider:
        description:
          - The address of the issuer, as in the C(iss) claim of its tokens (V(https://HOST/PATH)), or the ARN of the
            OIDC provider in IAM, which must be in the account of the role.
        type: str
        required: true
      audiences:
        description:
          - The accepted audiences (C(aud) claims). Wildcards are not allowed.
        type: list
        elements: str
        required: true
      subjects:
        description:
          - The accepted subjects (C(sub) claims). C(*) and C(?) are wildcards, but must not be the first character.
          - For issuers where anyone can get a token, such as GitHub, the part that identifies the owner of the token
            must not contain a wildcard (V(repo:OWNER/REPOSITORY:ref:refs/heads/main)). Repositories that were created,
            renamed or moved after 15 July 2026 send V(repo:OWNER@ID/REPOSITORY@ID:ref:refs/heads/main).
        type: list
        elements: str
      any_subject:
        description:
          - Accept every subject, with a warning. Use it for a user pool with a dedicated app client. It is refused for
            issuers where anyone can get a token.
        type: bool
        default: false
      create:
        description:
          - Also create the OIDC provider in IAM, or add missing audiences to it. The provider belongs to the account,
            so neither the provider nor other audiences are removed.
        type: bool
        default: false
  require_mfa:
    description:
      - Whether callers must have used MFA. Role sessions, such as those of Kion, have no MFA information and are then
        refused.
    type: bool
    default: false
  buckets:
    description:
      - The buckets that tokens may use. The default is the bucket in O(bucket_parameter).
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
      - ARNs of the KMS keys that encrypt the buckets, if they do not use S3 managed keys. Tokens can use them only
        through S3.
    type: list
    elements: str
    default: []
  ecr_repositories:
    description:
      - ECR repositories that tokens may create and use, by name or pattern. A pattern must begin with a namespace and a
        slash, such as V(tropess/*). A warning is shown for other namespaces than C(<project>/) and
        C(<project>-<venue>/).
      - The default depends on O(ecr_scope).
    type: list
    elements: str
  ecr_scope:
    description:
      - The default of O(ecr_repositories). V(project) is C(<project>/*), the convention of MDPS, in which repository
        names do not contain the venue. So venues of one project in one account share repositories, and a token of one
        venue can overwrite the image that another venue runs.
      - V(venue) is C(<project>-<venue>/*), which separates the venues.
      - The default is V(project). It cannot be combined with O(ecr_repositories).
    type: str
    choices: [project, venue]
  permissions_boundary:
    description:
      - The permissions boundary, by name or ARN. V(none) means that the role has no boundary.
      - The default is the boundary in O(boundary_parameter). AWS managed policies are refused.
    type: str
  boundary_parameter:
    description:
      - The SSM parameter that publishes the permissions boundary.
      - The default is C(/unity/cs/account/privilegedpolicyname).
    type: str
  confirm_changes:
    description:
      - Changes of an existing role that come from an SSM parameter or the region, not from an option, and that you
        confirm. V(buckets) and V(permissions_boundary), if the parameter has changed, or if the role's policy
        C(venue-access) names no bucket; V(region), if the role's permissions are for another region than this run.
      - No confirmation is needed for a new role, for a role without C(venue-access), and to add a boundary to a role
        without one, because this only restricts the role.
      - Without confirmation, such a change is an error, because whoever can write an SSM parameter could cause it.
    type: list
    elements: str
    choices: [buckets, permissions_boundary, region]
    default: []
  preflight:
    description:
      - V(references) checks that the resources that the role refers to exist. V(simulate) also simulates the
        permissions with the boundary, and shows a warning for each action that the boundary does not allow.
      - Needs iam:GetPolicy and iam:ListPolicies, and V(simulate) iam:GetPolicyVersion and iam:SimulateCustomPolicy.
    type: str
    choices: [references, simulate]
    default: references
  access_analyzer:
    description:
      - Validate the trust policy and the permissions with IAM Access Analyzer before they are written, and show its
        findings as warnings. External IDs are masked in the requests.
      - Needs access-analyzer:ValidatePolicy, which AWS does not charge for.
    type: bool
    default: false
  external_id:
    description:
      - The external ID to use. It needs at least 16 characters, not counting names in it such as that of the role, and
        must not be a part of such a name. By default, an external ID of 160 random bits is generated once and then
        kept.
    type: str
  external_id_type:
    description:
      - The type of the SSM parameter of the external ID. The default is C(String) for a new parameter, and the current
        type for an existing one.
    type: str
    choices: [String, SecureString]
  kms_key_id:
    description:
      - The KMS key for a V(SecureString), used when it is written. The default is the AWS managed key for SSM.
      - It is an error if the external ID is stored as V(String).
    type: str
  on_external_id_conflict:
    description:
      - What to do if SSM and the trust policy have different external IDs.
    type: str
    choices: [fail, use_parameter, use_trust_policy]
    default: fail
  rotate_external_id:
    description:
      - Create a new external ID. The old one stays valid until a second run with this option or with
        O(retire_previous_external_id).
    type: bool
    default: false
  retire_previous_external_id:
    description:
      - Stop accepting the previous external ID.
    type: bool
    default: false
  adopt:
    description:
      - Adopt an existing role of that name whose tags do not name a venue. A role of another venue is never adopted.
    type: bool
    default: false
  wait:
    description:
      - Assume the role for 900 seconds to verify that it can be assumed, and discard the credentials. This is skipped
        while the venue is locked.
    type: bool
    default: false
  wait_timeout:
    description:
      - For how many seconds O(wait) retries. A new role takes 10 to 30 seconds to propagate.
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
  - An option that is set must have a value. An empty string, list or mapping is an error, except for
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
      description: Its unique ID, which CloudTrail and revocations use; null if the role does not exist yet.
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
  description: The buckets, and the option or the SSM parameter that they come from.
  returned: success, with O(state=present)
  type: dict
  sample: {"names": ["sbg-dev-unity-data"], "source": "/unity/sbg/dev/ds/datastore-bucket"}
ecr_repositories:
  description: The ECR repositories that tokens may use, and the option that they come from.
  returned: success, with O(state=present)
  type: dict
  sample: {"patterns": ["sbg/*"], "source": "ecr_scope"}
permissions_boundary:
  description: The permissions boundary, and the option or the SSM parameter that it comes from.
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
  description: Whether a C(Deny) statement in the trust policy prevents everyone from assuming the role.
  returned: success, with O(state=present)
  type: bool
  sample: false
notes:
  description: Notes for the admin, one sentence each; also shown as warnings. For example, other statements of the
    trust policy, a weak external ID, or actions that the boundary does not allow.
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
    IDs masked.
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
