#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_revocation
short_description: Revoke tokens of an MDPS venue, or lock the venue
version_added: 1.0.0
description:
  - Revokes tokens of a venue that were issued before now. Tokens issued later work.
  - With O(state=present) and O(state=absent), exactly one option selects the tokens, O(receipt), O(user),
    O(access_key_id), O(session_name), O(source_identity), O(web_identity_subject) or O(all). An empty value is an
    error. A missing or empty option never selects every token.
  - With O(receipt), O(user) and O(access_key_id), the role of the tokens comes from the receipts. If they are of
    another account than the credentials, nothing is changed. A request whose outcome was not recorded is revoked as
    well, because its token may have been issued.
  - With every other option, nothing is changed if all receipts of the venue's tokens that have not expired are of
    another account. O(expected_account_id) overrides false receipts.
  - Each revocation is an inline policy of the role, named C(revoked-<UTC time>-<what>), that denies every action to
    sessions issued before that time. Provisioning keeps these policies, two admins cannot overwrite each other's
    revocations, and deprovisioning removes them with the role. A policy whose content was changed manually is ignored
    and written again.
  - Revocations that are no longer needed, or that a later one covers, are removed. If the next one does not fit into
    IAM's quota of 10,240 characters for all inline policies of a role, nothing is changed and the message says so.
    About 35 single sessions fit. Space for a revocation of every token is always reserved.
  - Receipts can name any number of sessions, including false ones. If they do not fit, one statement covers all
    sessions of O(user) with default names, including those without a receipt. Of the others, those that CloudTrail
    shows are revoked first. If some do not fit, the module fails with V(QuotaReached) after it has revoked the others.
  - With O(user), the lease of the user ends first, so that no new token is issued. With O(all), every lease of the
    venue ends. Lifting a revocation does not restore a lease. If the caller may not read the leases, a warning says
    so, and the tokens are revoked anyway. If AWS does not return them for another reason, the tokens are revoked, and
    then the module fails.
  - A revocation takes up to several minutes to propagate. A docker login to ECR that was created with a token works for
    up to 12 hours.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - V(present) revokes the selected tokens. V(absent) lifts the selected revocations, or all revocations of the
        venue with O(all).
      - With O(user), O(access_key_id) and O(web_identity_subject), a session is not lifted if another receipt, or its
        name as the collection makes it, says that it is somebody else's. A warning has the command that lifts it.
      - V(locked) revokes every token of the venue and prevents new ones until V(unlocked). The trust policy of each of
        the venue's roles, including those for web identity, gets a C(Deny) statement with the Sid C(MdpsVenueLocked)
        for all principals. Tokens that AWS issues while the change propagates, up to five minutes later, are revoked as
        well. Provisioning and rotation keep the lock and report it. A second run changes nothing, unless receipts show
        a token that was issued since then.
      - V(unlocked) removes the lock. Earlier tokens stay revoked.
      - V(locked) and V(unlocked) apply to the whole venue and cannot be combined with options that select tokens.
    type: str
    choices: [present, absent, locked, unlocked]
    default: present
  before:
    description:
      - Revoke tokens that were issued before this time, in ISO 8601 with time zone, such as V(2026-11-22T09:30:15Z).
        The default is now, by the clock of AWS.
      - With this option, a second run changes nothing. Without it, a second run also revokes tokens that were issued in
        between.
      - It cannot be combined with O(receipt), O(user) and O(access_key_id), where the receipt determines the time.
    type: str
  all:
    description:
      - Revoke every token of the venue, of its role and of every other role with the venue's tags or in receipts.
    type: bool
  session_name:
    description:
      - Revoke the tokens of this session name only.
    type: str
  source_identity:
    description:
      - Revoke the tokens of this source identity only.
    type: str
  receipt:
    description:
      - Revoke the token of this receipt of M(mdps.venue_sts.venue_sts_token).
    type: dict
  user:
    description:
      - Revoke all tokens of this recipient that have not expired and that have receipts in O(receipts_file),
        O(receipts_s3) and O(receipts_ssm_path). If the recipient has a lease, also revoke every session that is named
        for the recipient.
      - Receipts that name a role of another account or venue are reported and ignored. If there are no others, this is
        an error.
    type: str
  access_key_id:
    description:
      - Revoke the token with this access key ID. Its receipt must be in one of the places listed for O(user).
    type: str
  web_identity_subject:
    description:
      - Deny new tokens to this subject (C(sub) claim) of O(web_identity_issuer) until this is lifted, with a C(Deny)
        statement in the trust policy of every role of the venue. It is not sufficient to revoke sessions, because
        whoever holds a web identity token can immediately get a new session from STS.
      - Also revokes the tokens of the subject that have receipts. There may be others, which only CloudTrail shows
        (M(mdps.venue_sts.venue_sts_session_info)).
      - Provisioning keeps the statement. With O(state=absent), O(all) lifts it as well.
    type: str
  web_identity_issuer:
    description:
      - The issuer of O(web_identity_subject), as in the C(iss) claim.
    type: str
  verify:
    description:
      - Verify afterwards that AWS refuses the revoked tokens or AssumeRole of a locked venue, and fail if this does not
        succeed within O(wait_timeout). RV(verified) shows what was verified, and how.
      - The IAM policy simulator shows whether the role's policies deny the session. It evaluates neither trust policies
        nor propagation. O(keys_file) verifies that AWS refuses the credentials of the token.
      - A lock is verified if AssumeRole is refused that succeeded before the lock with the same credentials and the
        external ID from SSM. The credentials of this session are discarded and revoked. If the caller cannot assume the
        role even without the lock, the lock cannot be verified.
      - Only with O(state=present) and O(state=locked). Nothing is verified in check mode.
    type: bool
    default: false
  external_id_parameter:
    description:
      - The SSM parameter of the external ID, which O(verify) uses to verify a lock. The default is
        C(/unity/<project>/<venue>/cs/sts/role/external-id).
    type: str
  keys_file:
    description:
      - A file with the credentials of a revoked token, as JSON, XML, a profile of a credentials file, or lines such as
        C(AWS_ACCESS_KEY_ID=...). With O(verify=true), a read-only call (ecr:DescribeRepositories) is repeated with them
        until AWS refuses it because of the revocation. If the credentials are for another role, nothing is changed.
      - There is no option for the credentials themselves, because command lines and job events are visible to others.
    type: path
  wait_timeout:
    description:
      - For how many seconds to retry the verification.
    type: int
    default: 300
extends_documentation_fragment:
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.lease_path
  - mdps.venue_sts.venue.receipts
  - mdps.venue_sts.venue.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error.
  - Needs iam:GetRole, iam:ListRolePolicies, iam:GetRolePolicy, iam:PutRolePolicy and iam:DeleteRolePolicy on the role.
    With O(all=true) and O(web_identity_subject), to lock and to unlock, also iam:GetAccountAuthorizationDetails, to
    find every role of the venue; without it, a warning says so. To lock, to unlock and to refuse a subject, also
    iam:UpdateAssumeRolePolicy. With O(verify=true), also iam:SimulatePrincipalPolicy on the role, and to prove a lock
    ssm:GetParameters on the external ID and sts:AssumeRole on the role.
  - If the sessions in receipts do not fit, cloudtrail:LookupEvents is used. Without this permission, a warning is
    shown.
  - With O(user) and O(all), also needs ssm:GetParametersByPath and ssm:DeleteParameters below O(lease_path).
seealso:
  - module: mdps.venue_sts.venue_sts_session_info
  - module: mdps.venue_sts.venue_sts_role
"""

EXAMPLES = r"""
- name: Revoke every token of the venue
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    all: true

- name: Revoke one session
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    session_name: jdoe-20261122T093015Z-3fa91c

- name: Revoke all tokens of a user
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    user: jdoe

- name: Refuse a person who comes with web identity tokens
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    web_identity_issuer: https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01
    web_identity_subject: 11111111-2222-3333-4444-555555555555

- name: Revoke a token that was found, and verify that AWS refuses its credentials
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    access_key_id: ASIAEXAMPLEEXAMPLE22
    verify: true
    keys_file: ~/found-keys.txt

- name: Lock the venue during an incident
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    state: locked

- name: Unlock the venue
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    state: unlocked

- name: Lift all revocations of the venue
  mdps.venue_sts.venue_sts_revocation:
    project: sbg
    venue: dev
    region: us-west-2
    state: absent
    all: true
"""

RETURN = r"""
account_id:
  description: The AWS account of the credentials.
  returned: success
  type: str
  sample: "123456789012"
roles:
  description: The roles whose tokens were processed.
  returned: success
  type: list
  elements: dict
  sample: [{"arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts", "name": "unity-sbg-dev-sts",
    "role_id": "AROAEXAMPLEEXAMPLEEX", "locked": false}]
locked:
  description: Whether a C(Deny) statement in their trust policies prevents everyone from assuming these roles; in check
    mode, whether it would.
  returned: success
  type: bool
  sample: false
revocations:
  description: The current revocations, oldest first; in check mode, those that there would be.
  returned: success
  type: list
  elements: dict
  contains:
    role_name:
      description: The role that the policy belongs to.
      type: str
      sample: unity-sbg-dev-sts
    kind:
      description:
        - V(all), V(session), V(source_identity), or V(user) for every session of a user with a default name.
      type: str
      sample: session
    value:
      description: The session name, source identity or user name; null for all.
      type: str
      sample: jdoe-20261122T093015Z-3fa91c
    before:
      description: Tokens that were issued before this time are denied.
      type: str
      sample: "2026-11-22T09:40:00Z"
    needed_until:
      description: When the last token that it denies has expired. Later runs then remove the revocation.
      type: str
      sample: "2026-11-22T21:40:00Z"
    policy_name:
      description: The inline policy.
      type: str
      sample: revoked-20261122T094000Z-session=jdoe-20261122T093015Z-3fa91c
    summary:
      description: The same in words.
      type: str
      sample: session jdoe-20261122T093015Z-3fa91c, issued before 2026-11-22T09:40:00Z
sessions:
  description: The tokens in receipts, except those that have certainly expired.
  returned: success
  type: list
  elements: dict
  contains:
    session_name:
      description: The session name.
      type: str
      sample: jdoe-20261122T093015Z-3fa91c
    recipient:
      description: Who the token is for.
      type: str
      sample: jdoe
    access_key_id:
      description: The access key ID; null if the response of STS was not recorded.
      type: str
      sample: ASIAEXAMPLEEXAMPLE01
    role_arn:
      description: The role of the token.
      type: str
      sample: arn:aws:iam::123456789012:role/unity-sbg-dev-sts
    ends_by:
      description: The latest time at which the token expires.
      type: str
      sample: "2026-11-22T10:36:15Z"
    issued:
      description: Whether it is known that the token was issued. Otherwise, it may have been issued.
      type: bool
    role_gone:
      description: Whether the role was deleted, or deleted and created again, so that the token no longer works.
      type: bool
leases:
  description: The leases that ended; in check mode, those that would end.
  returned: success
  type: list
  elements: dict
  sample: [{"user": "jdoe", "id": "l-20261122T093015Z-3fa91c07", "ends_at": "2026-11-29T09:30:15Z"}]
left_out:
  description:
    - The receipts of selected tokens that were not revoked, each with the reason, for example because the role is in
      another account or belongs to another venue.
  returned: success
  type: list
  elements: dict
  sample: []
verified:
  description: What was verified. Empty without O(verify).
  returned: success, or failure with RV(error=NotProven)
  type: list
  elements: dict
  contains:
    subject:
      description: What was to be verified.
      type: str
      sample: session jdoe-20261122T093015Z-3fa91c, issued before 2026-11-22T09:40:00Z, of the role unity-sbg-dev-sts
    method:
      description: V(policies), V(keys) or V(assume_role); V(none) if the verification was not possible.
      type: str
      sample: policies
    proven:
      description: Whether it was verified that AWS refuses access.
      type: bool
      sample: true
    summary:
      description: The result of the verification.
      type: str
      sample: IAM's simulation of the stored policies denies every action it was asked for.
not_reached:
  description: Why other roles were not changed, because they could not be searched or belong to another venue.
    RV(locked) does not include them.
  returned: success
  type: list
  elements: str
  sample: []
unreadable:
  description: The number of receipts that were skipped because they could not be read or are not valid.
  returned: success
  type: int
steps:
  description: What was changed, in order; in check mode, what would be.
  returned: success, or failure after a change
  type: list
  elements: dict
  sample: [{"action": "iam:PutRolePolicy", "target": "revoked-20261122T094000Z-all", "summary": "revoke tokens"}]
diff:
  description: The revocations before and after, and whether the venue is locked.
  returned: success
  type: dict
error:
  description: The kind of failure, such as V(QuotaReached) or V(NotProvisioned); docs/errors.md lists them.
  returned: failure
  type: str
  sample: QuotaReached
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation.operation import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
