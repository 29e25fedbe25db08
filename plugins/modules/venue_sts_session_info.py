#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_session_info
short_description: Gather information about the tokens of MDPS venues
version_added: 1.0.0
description:
  - Looks up in CloudTrail which tokens were issued for a venue, or for all venues of an account, joins them with
    receipts, and returns whether each token is live, expired or revoked. Nothing is changed.
  - If CloudTrail and a receipt differ, CloudTrail takes precedence. Receipts of other accounts, and receipts that are
    dated in the future, are ignored.
  - A request without a recorded access key ID may have been issued (V(unknown)), even if a receipt says that it failed.
    It is V(failed) only if it failed before STS was called.
  - A revocation policy whose content was changed manually is not a revocation.
  - CloudTrail shows an event up to 15 minutes later, and keeps the events of the region where STS was called for 90
    days. Receipts are available immediately.
  - CloudTrail allows two requests a second, each for 50 events. The module does not exceed this rate. A venue is looked
    up by the ARN of each of its roles. A whole account is looked up by the event name, so other assumed roles in the
    account also take time.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  project:
    description:
      - The project of the one venue to list. Without it, all venues of the account.
    type: str
  venue:
    description:
      - The one venue to list.
    type: str
  since:
    description:
      - List tokens that were issued after this time, in ISO 8601 with time zone. The default is 12 hours ago, the
        maximum lifetime of a token.
    type: str
  until:
    description:
      - List tokens that were issued before this time. The default is now.
    type: str
  cloudtrail:
    description:
      - Whether to search CloudTrail. Otherwise, only tokens that have receipts are listed.
    type: bool
    default: true
  max_pages:
    description:
      - The maximum number of requests to CloudTrail, of 50 events each. If there are more events, a warning says so and
        RV(truncated) is true.
    type: int
    default: 200
extends_documentation_fragment:
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.receipts
  - mdps.venue_sts.venue.info_attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error.
  - Needs cloudtrail:LookupEvents, iam:GetAccountAuthorizationDetails and iam:ListRoles.
seealso:
  - module: mdps.venue_sts.venue_sts_revocation
  - module: mdps.venue_sts.venue_sts_role_info
"""

EXAMPLES = r"""
- name: See who holds tokens of a venue
  mdps.venue_sts.venue_sts_session_info:
    project: sbg
    venue: dev
    region: us-west-2
  register: held

- name: Show those that are valid
  ansible.builtin.debug:
    msg: "{{ held.sessions | selectattr('state', 'eq', 'live') | map(attribute='session_name') }}"

- name: See what was issued in the account during November
  mdps.venue_sts.venue_sts_session_info:
    region: us-west-2
    since: "2026-11-01T00:00:00Z"
    until: "2026-12-01T00:00:00Z"
"""

RETURN = r"""
sessions:
  description: One entry for each token, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    project:
      description: The project, from the role's tags or else from the receipt; null if neither says.
      type: str
      sample: sbg
    venue:
      description: The venue, from the role's tags or else from the receipt; null if neither says.
      type: str
      sample: dev
    recipient:
      description: Who the token is for, from the receipt; null if there is none.
      type: str
      sample: jdoe
    session_name:
      description: The session name.
      type: str
      sample: jdoe-20261122T093015Z-3fa91c
    access_key_id:
      description: The access key ID of the token, which is not a secret.
      type: str
      sample: ASIAEXAMPLEEXAMPLE01
    issuer_arn:
      description: The principal that issued the token.
      type: str
      sample: arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/admin
    web_identity_subject:
      description: The subject of the web identity token that it was issued for; null for other methods.
      type: str
      sample: 11111111-2222-3333-4444-555555555555
    web_identity_issuer:
      description: The issuer of that token; null for other methods.
      type: str
      sample: cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01
    source_identity:
      description: The source identity, if one was set.
      type: str
    role_name:
      description: The role.
      type: str
      sample: unity-sbg-dev-sts
    role_arn:
      description: The role's ARN, from CloudTrail or the receipt.
      type: str
      sample: arn:aws:iam::123456789012:role/unity-sbg-dev-sts
    issued_at:
      description: When it was issued, or when it was requested if the response was not recorded.
      type: str
      sample: "2026-11-22T09:30:15Z"
    expires_at:
      description: When it expires.
      type: str
      sample: "2026-11-22T10:30:15Z"
    state:
      description:
        - V(live), V(expired) or V(revoked). V(unknown) is a request whose response was not recorded, or not
          reliably, so the token may have been issued; V(failed) is a request that failed.
        - V(role_gone) means that the role was deleted, or deleted and created again, so the token no longer works.
      type: str
      sample: live
    sources:
      description: Where it is recorded, V(cloudtrail), V(receipt) or both.
      type: list
      elements: str
      sample: [cloudtrail, receipt]
truncated:
  description: Whether CloudTrail has more events than O(max_pages) allowed for.
  returned: success
  type: bool
account_id:
  description: The AWS account that was searched.
  returned: success
  type: str
  sample: "123456789012"
unreadable:
  description: The number of receipts that were skipped because they could not be read or are not valid.
  returned: success
  type: int
since:
  description: The beginning of the searched period.
  returned: success
  type: str
until:
  description: The end of the searched period.
  returned: success
  type: str
error:
  description: The kind of failure, such as V(InvalidInput) or V(NotProvisioned); docs/errors.md lists them.
  returned: failure
  type: str
  sample: NotProvisioned
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.session_info import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
