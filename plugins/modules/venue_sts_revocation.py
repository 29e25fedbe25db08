#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_revocation
short_description: Revoke tokens of an MDPS venue before they end, or lock the venue
version_added: 1.0.0
description:
  - Revokes tokens of a venue that were issued before now. Tokens issued later work.
  - With O(state=present) and O(state=absent), exactly one option says which tokens, O(receipt), O(user),
    O(access_key_id), O(session_name), O(source_identity) or O(all). An empty value is an error. Nothing that is left
    out or empty means every token.
  - With O(receipt), O(user) and O(access_key_id), the receipts say which role the tokens are of, whatever its name. If
    they are of another account than the credentials, nothing is changed. A request whose answer was never recorded is
    revoked as well, since its token may have been issued.
  - With every other option, nothing is changed either if all receipts of living tokens of the venue are of another
    account. O(expected_account_id) overrides receipts that are false.
  - Each revocation is an inline policy of the role, named C(revoked-<UTC time>-<what>), that denies everything to
    sessions issued before that time. Provisioning leaves them alone, two admins at once cannot undo each other's, and
    deprovisioning removes them with the role. A policy whose content was changed by hand does not count and is written
    again.
  - Revocations that no living token needs, or that a later one covers, are removed. If the next one does not fit into
    IAM's 10,240 characters for all inline policies of a role, nothing is changed and the message says so. About 35
    single sessions fit. Room for revoking everything is always kept.
  - Receipts may name any number of sessions, also false ones. If they do not fit, one statement stands for all sessions
    of O(user) whose names the collection makes, also for those without a receipt. Of the others, those that CloudTrail
    knows come first. If some remain, what fits is revoked, and the module fails with V(QuotaReached).
  - With O(user), the lease of the user ends first, so that no new token is issued. With O(all), every lease of the
    venue ends. Lifting a revocation brings no lease back. If the leases cannot be read, a warning says so, and the
    tokens are revoked all the same.
  - AWS needs up to some minutes until a revocation holds everywhere. A docker login to ECR that was made with a token
    works for up to 12 hours all the same.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - V(present) revokes. V(absent) lifts the revocations of what is named, or every one of the venue with O(all).
      - V(locked) ends every token of the venue and lets nobody get a new one, whoever asks and with whatever external
        ID, until V(unlocked). The trust policy of each of the venue's roles, also of those for web identity, gets a
        C(Deny) statement with the Sid C(MdpsVenueLocked) for everybody, and every token is revoked. Tokens that AWS
        issues while the change spreads, up to five minutes later, are revoked as well. Provisioning and rotation keep
        the lock and report it. A second run changes nothing, unless receipts show a token that was issued since.
      - V(unlocked) removes the lock. The tokens of before stay revoked.
      - V(locked) and V(unlocked) are about the whole venue, so no option says which tokens.
    type: str
    choices: [present, absent, locked, unlocked]
    default: present
  before:
    description:
      - Revoke what was issued before this time, in ISO 8601 with its zone, such as V(2026-11-22T09:30:15Z). The default
        is now, by AWS's clock.
      - With it, a second run changes nothing. Without it, a second run also revokes what was issued in between.
      - Not with O(receipt), O(user) and O(access_key_id), where the receipt says the time.
    type: str
  all:
    description:
      - Revoke every token of the venue, those of its role and of every other role that is the venue's by its tags, or
        that receipts name.
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
      - Revoke the one token that this receipt of M(mdps.venue_sts.venue_sts_token) is about.
    type: dict
  user:
    description:
      - Revoke all tokens of this recipient that have not ended, as far as O(receipts_file), O(receipts_s3) and
        O(receipts_ssm_path) have receipts of them, and the last token of the recipient's lease.
      - Receipts that name a role of another account, or one that is another venue's, are reported and left out. If
        there are no others, that is an error.
    type: str
  access_key_id:
    description:
      - Revoke the token with this access key id, of which there is a receipt in the places that are named for O(user).
    type: str
  web_identity_subject:
    description:
      - Refuse this subject (C(sub) claim) of O(web_identity_issuer) every new token, until this is lifted, with a
        C(Deny) statement in the trust policy of every role of the venue. Ending sessions alone is not enough, since
        whoever holds a web identity token gets a new session from STS at once.
      - Also revokes the tokens of the subject that receipts know. There may be others, which only CloudTrail
        has (M(mdps.venue_sts.venue_sts_session_info)).
      - Provisioning keeps the statement. With O(state=absent), O(all) lifts it as well.
    type: str
  web_identity_issuer:
    description:
      - The issuer of O(web_identity_subject), as the C(iss) claim has it.
    type: str
  verify:
    description:
      - Prove afterwards that AWS refuses what was revoked or locked, and fail if that does not succeed within
        O(wait_timeout). RV(verified) says what was proven, and how.
      - IAM's simulation shows whether the stored policies of the role refuse such a session. It shows neither trust
        policies nor whether the change has reached every place. O(keys_file) shows that AWS refuses the keys
        themselves.
      - A lock is proven by an AssumeRole that is refused, with the external ID from SSM, although it succeeded before
        the lock with the same credentials. Its keys are discarded and revoked. If the credentials may not assume the
        role anyway, nothing is proven.
      - Only with O(state=present) and O(state=locked). Nothing is proven in check mode.
    type: bool
    default: false
  external_id_parameter:
    description:
      - The SSM parameter of the external ID, with which O(verify) tries a lock. The default is
        C(/unity/<project>/<venue>/cs/sts/role/external-id).
    type: str
  keys_file:
    description:
      - A file with the keys of a revoked token, as JSON, as a profile of a credentials file, or as lines such as
        C(AWS_ACCESS_KEY_ID=...). With O(verify=true), they are used for one harmless call (ecr:DescribeRepositories)
        until AWS refuses it because of the revocation. If the keys are of another role, nothing is changed.
      - There is no option for the keys themselves, since command lines and job events are visible to others.
    type: path
  wait_timeout:
    description:
      - For how many seconds to repeat an attempt to prove something.
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
  - An option that is given must have a value. An empty text, list or mapping is an error.
  - Needs iam:GetRole, iam:ListRolePolicies, iam:GetRolePolicy, iam:PutRolePolicy and iam:DeleteRolePolicy on the role.
    With O(all=true) and O(web_identity_subject), to lock and to unlock, also iam:GetAccountAuthorizationDetails, to
    find every role of the venue; without it, a warning says so. To lock, to unlock and to refuse a subject, also
    iam:UpdateAssumeRolePolicy. With O(verify=true), also iam:SimulatePrincipalPolicy on the role, and to prove a lock
    ssm:GetParameters on the external ID and sts:AssumeRole on the role.
  - If the sessions that receipts name do not fit, cloudtrail:LookupEvents is used. Without it, a warning says so.
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

- name: Revoke a token that was found, and prove that AWS refuses its keys
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
  description: The roles whose tokens were looked at.
  returned: success
  type: list
  elements: dict
  sample: [{"arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts", "name": "unity-sbg-dev-sts",
    "role_id": "AROAEXAMPLEEXAMPLEEX", "locked": false}]
locked:
  description: Whether nobody can assume any of these roles, because of a C(Deny) statement in their trust policies; in
    check mode, whether that would be so.
  returned: success
  type: bool
  sample: false
revocations:
  description: What is revoked now, oldest first; in check mode, what would be.
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
        - V(all), V(session), V(source_identity), or V(user) for every session whose name the collection makes for a
          user.
      type: str
      sample: session
    value:
      description: The session name, source identity or user name; null for all.
      type: str
      sample: jdoe-20261122T093015Z-3fa91c
    before:
      description: Tokens issued before this are refused.
      type: str
      sample: "2026-11-22T09:40:00Z"
    needed_until:
      description: When the last token that it can refuse has ended by itself. Later runs then remove it.
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
  description: The tokens that receipts named, those that have surely ended left out.
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
      description: The access key id; null if the answer of STS was not recorded.
      type: str
      sample: ASIAEXAMPLEEXAMPLE01
    role_arn:
      description: The role that the token is of.
      type: str
      sample: arn:aws:iam::123456789012:role/unity-sbg-dev-sts
    ends_by:
      description: When the token has surely ended by itself.
      type: str
      sample: "2026-11-22T10:36:15Z"
    issued:
      description: Whether it is known that the token was issued. Otherwise it may have been.
      type: bool
    role_gone:
      description: Whether the role was deleted, or deleted and created again, so that the token has ended with it.
      type: bool
leases:
  description: The leases that ended; in check mode, those that would end.
  returned: success
  type: list
  elements: dict
  sample: [{"user": "jdoe", "id": "l-20261122T093015Z-3fa91c07", "ends_at": "2026-11-29T09:30:15Z"}]
left_out:
  description:
    - The receipts of the tokens that were asked for and that nothing was done about, each with the reason, such as that
      its role is in another account or is another venue's.
  returned: success
  type: list
  elements: dict
  sample: []
verified:
  description: What was proven. Empty without O(verify).
  returned: success, or failure with RV(error=NotProven)
  type: list
  elements: dict
  contains:
    subject:
      description: What the proof is about.
      type: str
      sample: session jdoe-20261122T093015Z-3fa91c, issued before 2026-11-22T09:40:00Z, of the role unity-sbg-dev-sts
    method:
      description: V(policies), V(keys) or V(assume_role); V(none) for an attempt that was not possible.
      type: str
      sample: policies
    proven:
      description: Whether it was proven that AWS refuses.
      type: bool
      sample: true
    summary:
      description: What was seen.
      type: str
      sample: IAM's simulation of the stored policies denies every action it was asked for.
not_reached:
  description: Why other roles of the venue could not be looked for or are another venue's, and so are left as they are.
    RV(locked) says nothing about them.
  returned: success
  type: list
  elements: str
  sample: []
unreadable:
  description: How many receipts could not be read, or are no receipts, and were skipped.
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
