#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_token
short_description: Issue a short-lived token for an MDPS venue
version_added: 1.0.0
description:
  - Assumes the venue's role C(unity-<project>-<venue>-sts) on behalf of a user and returns the keys, as the JSON
    document that the AWS CLI prints.
  - Before STS is asked, the external IDs in SSM, in the trust policy and, if given, from the requester are compared,
    and so are the caller's account and
    the expected one. If any two differ, no token is issued, and the message says which, without naming a value.
  - The result is hidden from all output. Register it, use it in the next tasks, and show RV(receipt), which holds no
    secret.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  user:
    description:
      - Who the token is for, by user name. It goes into the session name, which is all that CloudTrail's data events
        show of a recipient.
      - 1 to 64 letters A to Z and a to z, digits and C(_+=,.@-), and no full stop or hyphen in front. Anything else is
        refused, with a suggestion where possible (V(jose.nunez) for V(José Núñez)).
    type: str
    required: true
  session_name:
    description:
      - The session name, 2 to 64 letters, digits and C(_+=,.@-). The default is the user, the UTC time to
        the second and six random digits, such as C(jdoe-20261122T093015Z-3fa91c). Of a user name of more than 39
        characters it has the first 30, V(=) and 8 digits of its SHA-256.
    type: str
  method:
    description:
      - How to get the token. V(assume_role) needs AWS credentials that may assume the role.
      - V(saml) needs none, but a fresh SAML response of an identity provider that the role trusts
        (O(mdps.venue_sts.venue_sts_role#module:saml_provider_arns)).
        External IDs are not compared then, since AWS takes none there.
    type: str
    choices: [assume_role, saml]
    default: assume_role
  saml_assertion:
    description:
      - The SAML response, base64 as the browser sends it. White space and URL-encoding do no harm. AWS wants it within
        5 minutes of the login.
      - Do not give it on the command line, where every user of the machine can see it; O(saml_assertion_file) or a
        prompt will do.
    type: str
  saml_assertion_file:
    description:
      - A file with the SAML response.
    type: path
  saml_provider_arn:
    description:
      - The ARN of the identity provider. Needed only if the response names several for the role, or is encrypted.
    type: str
  duration_seconds:
    description:
      - How long the token shall live, 900 to 43200 seconds. The default is 3600, with O(method=saml) 1800.
      - AWS gives at most 3600 to callers whose own keys are a role's session, as with Kion.
    type: int
  on_duration_cap:
    description:
      - What to do if AWS cannot give O(duration_seconds). V(cap) warns and asks for what can be had, V(fail) issues
        nothing.
    type: str
    choices: [cap, fail]
    default: cap
  role_arn:
    description:
      - The role's ARN, where it does not follow the convention. It must be in the caller's account.
    type: str
  external_id:
    description:
      - The external ID that the requester sent, to be compared. It is never shown.
    type: str
  require_requester_external_id:
    description:
      - Refuse to issue without O(external_id).
    type: bool
    default: false
  access:
    description:
      - What the token may do, of V(s3_read), V(s3_write), V(ecr_create), V(ecr_pull), V(ecr_push). The default is all
        that the role may do.
    type: list
    elements: str
  buckets:
    description:
      - The buckets that O(access) and O(bucket_prefixes) are about. The default is the one published in
        C(/unity/<project>/<venue>/ds/datastore-bucket).
    type: list
    elements: str
  bucket_prefixes:
    description:
      - Folders of the buckets that the token is limited to.
    type: list
    elements: str
  ecr_repositories:
    description:
      - ECR repositories that the token is limited to, by name or pattern. A pattern must stay below C(<project>/) or
        C(<project>-<venue>/).
    type: list
    elements: str
  session_policy:
    description:
      - A session policy of one's own, instead of the one made from O(access), O(buckets), O(bucket_prefixes) and
        O(ecr_repositories).
        At most 2,048 characters without white space.
    type: json
  policy_arns:
    description:
      - At most 10 managed policies that limit the token further.
    type: list
    elements: str
  tags:
    description:
      - Session tags, at most 50.
    type: dict
    default: {}
  transitive_tag_keys:
    description:
      - Keys of O(tags) that stay on the session when it assumes another role.
    type: list
    elements: str
    default: []
  source_identity:
    description:
      - A source identity, 2 to 64 letters, digits and C(_+=,.@-). It stays on the session when it assumes another role,
        and cannot be changed there.
    type: str
  mfa_serial_number:
    description:
      - The ARN or serial number of the caller's MFA device, where the role asks for MFA.
    type: str
  mfa_token:
    description:
      - The six digits that the MFA device shows now.
    type: str
  verify:
    description:
      - Ask AWS with the new keys who they are, before they are returned.
    type: bool
    default: false
  wait_timeout:
    description:
      - For how many seconds to try again while the role or its external ID is less than five minutes old and AWS may
        not know it everywhere yet.
    type: int
    default: 60
  dest:
    description:
      - Also write the token's JSON to this file, in one step, with mode 0600. Missing folders are made with mode 0700.
      - With a slash at the end it names a folder, and the file is called C(<project>-<venue>-<user>.json).
    type: path
  receipts_file:
    description:
      - Add the receipt to this file, as one line of JSON without secrets, which docs/receipt.schema.json describes. The
        file is on the host of the task.
        For a token that stays with who issued it; M(mdps.venue_sts.venue_sts_handoff) keeps the receipt of one that is
        handed off.
      - If the receipt cannot be kept, here or in one of the places below, the task fails, and the failed result has the
        receipt but no keys.
    type: path
  receipts_s3:
    description:
      - Store the receipt below this prefix, V(s3://bucket/prefix).
    type: str
  receipts_ssm_path:
    description:
      - Store the receipt as a parameter below this path, named after the access key id.
    type: str
extends_documentation_fragment:
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.reuse
  - mdps.venue_sts.venue.hidden_attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is given must have a value. An empty text, list or mapping is an error, except for O(tags) and
    O(transitive_tag_keys).
  - With C(ANSIBLE_DEBUG=1), ansible-core itself prints what modules return. In process there is no module; shipped to a
    host there is, so do not set it there.
seealso:
  - module: mdps.venue_sts.venue_sts_role
  - module: amazon.aws.sts_assume_role
"""

EXAMPLES = r"""
- name: Issue a token and write it to a file
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
    region: us-west-2
    dest: ~/tokens/jdoe.json
    receipts_file: ~/.mdps/receipts.jsonl
  register: issued

- name: Show what was issued
  ansible.builtin.debug:
    var: issued.receipt

- name: Issue a token that can only read one folder, for half an hour
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jane.doe@example.org
    region: us-west-2
    access: [s3_read]
    bucket_prefixes: [products/l2]
    duration_seconds: 1800
    verify: true
  register: reader

- name: Issue a token without AWS credentials, from the SAML response of a login a moment ago
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
    region: us-west-2
    method: saml
    saml_assertion_file: ~/saml-response.txt
  register: from_saml

- name: Use the reader's token in the same play
  amazon.aws.s3_object:
    mode: list
    bucket: sbg-dev-unity-data
    prefix: products/l2/
    region: us-west-2
    access_key: "{{ reader.sts_creds.access_key }}"
    secret_key: "{{ reader.sts_creds.secret_key }}"
    session_token: "{{ reader.sts_creds.session_token }}"
"""

RETURN = r"""
token:
  description: The JSON document of the procedure, as C(aws sts assume-role) prints it. Null in check mode.
  returned: success
  type: dict
  contains:
    AssumedRoleUser:
      description: Who the keys act as.
      type: dict
      sample: {"AssumedRoleId": "AROAEXAMPLEEXAMPLEEX:jdoe-20261122T093015Z-3fa91c",
        "Arn": "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe-20261122T093015Z-3fa91c"}
    Credentials:
      description: The keys, with C(SecretAccessKey), C(SessionToken), C(Expiration) and C(AccessKeyId).
      type: dict
sts_creds:
  description: The same keys, with the names that amazon.aws uses. Null in check mode.
  returned: success
  type: dict
  contains:
    access_key:
      description: The access key id.
      type: str
    secret_key:
      description: The secret access key.
      type: str
    session_token:
      description: The session token.
      type: str
    expiration:
      description: When the keys end, in UTC.
      type: str
      sample: "2026-11-22T10:30:15Z"
receipt:
  description: What was issued, without secrets, to be shown and kept. docs/receipt.md describes the fields.
  returned: success; after a failure, if a token had been issued
  type: dict
  sample: {"schema": 1, "recipient": "jdoe", "project": "sbg", "venue": "dev", "account_id": "123456789012",
  "session_name": "jdoe-20261122T093015Z-3fa91c",
    "expires_at": "2026-11-22T10:30:15Z"}
dest:
  description: The file that was written, or would be in check mode.
  returned: success, with O(dest)
  type: str
changed:
  description: Whether a file was written or a receipt kept. Issuing changes nothing in the account.
  returned: always
  type: bool
reused:
  description: Whether the result of an earlier task was returned again.
  type: bool
  returned: success
request:
  description: What identifies the request within this run, and tells nothing about it. For O(reuse).
  type: str
  returned: always
request_files:
  description: The same for files that belong to the request, such as O(saml_assertion_file). Empty if there are none.
  type: str
  returned: always
error:
  description: The kind of failure, such as V(ExternalIdMismatch) or V(NotProvisioned); docs/errors.md lists them.
  returned: failure
  type: str
  sample: ExternalIdMismatch
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.token import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
