#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: kion_credentials
short_description: Get temporary AWS access keys from Kion (formerly Cloudtamer)
version_added: 1.0.0
description:
  - Gets the temporary access keys from Kion that its dashboard shows under
    I(Cloud Access Role > Temporary Access Keys).
  - The certificate of the server is always verified, redirects are not followed, and only requests that may succeed
    later (429 and 5xx) are retried.
  - The result is hidden from all output. Register it, use it in the next tasks, and show RV(receipt), which contains no
    secret. The role C(mdps.venue_sts.broker) does this.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  url:
    description:
      - The address of Kion, such as V(https://kion.example.org). A trailing path such as C(/portal) or C(/api/v3) is
        removed. If not set, E(KION_URL) is used, then C(kion.url) in O(config_file).
    type: str
  api_key:
    description:
      - An app API key. If not set, E(KION_API_KEY) is used, then C(kion.api_key) in O(config_file).
      - An API key from any of these sources takes precedence over a user name and password. White space around it is
        removed.
    type: str
  username:
    description:
      - The user name, if there is no API key. If not set, E(KION_USERNAME) is used, then C(kion.username) in
        O(config_file).
    type: str
  password:
    description:
      - The password of O(username). If not set, E(KION_PASSWORD) is used, then C(kion.password) in O(config_file).
    type: str
  idms:
    description:
      - The number of the identity system of O(username). If not set, E(KION_IDMS_ID) is used, then C(kion.idms_id) in
        O(config_file). If Kion has only one identity system, it is found automatically.
    type: int
  config_file:
    description:
      - The settings of the Kion CLI. The file is read only if options and environment do not provide all settings. If
        not set, E(KION_CONFIG) is used.
    type: path
    default: ~/.kion.yml
  config_profile:
    description:
      - The name of a profile in O(config_file) (below C(profiles)), whose settings are used instead.
    type: str
  api_key_days:
    description:
      - For how many days API keys of this Kion are valid. A warning is shown three days before the API key expires.
        Kion does not say which of several API keys of a user is in use, so the newest one is used to calculate the
        expiry.
    type: int
    default: 7
  rotate_api_key:
    description:
      - Whether to replace the API key, in Kion and in O(config_file), after the credentials have been fetched. The old
        API key becomes invalid immediately. Only an API key that comes from O(config_file) can be rotated.
      - V(near_end) rotates it in its last three days (see O(api_key_days)), V(always) in each run.
    type: str
    choices: [never, near_end, always]
    default: never
  account:
    description:
      - The AWS account, by its number of 12 digits or by its alias in Kion. Aliases need Kion 3.9.9 or 3.10.2 and
        later.
    type: str
    required: true
  cloud_access_role:
    description:
      - The name of the cloud access role, as Kion shows it. Give either this or O(iam_role_name).
    type: str
  iam_role_name:
    description:
      - The name of the IAM role behind the cloud access role, such as V(mcp-tenantOperator).
    type: str
  ca_path:
    description:
      - A file with the CA certificates to trust instead of the system's, if a private CA signed the certificate of
        Kion.
    type: path
  minimum_seconds:
    description:
      - For how many seconds the credentials must be valid. Credentials that expire sooner are refused. If Kion does not
        say when they expire, a warning is shown.
    type: int
    default: 0
  share:
    description:
      - Whether the hosts of a run whose tasks make exactly the same request share its result. The first task makes the
        request, the others wait for it, and so do later tasks of the run. Its credentials are used if they are valid
        for at least O(renew_before) and O(minimum_seconds) seconds. If the request fails, it fails for the other hosts
        of the task as well, without another request. Another attempt (C(until)) asks again, once for all hosts.
      - The request consists of the options of the task, including module defaults but without O(share),
        O(renew_before) and O(minimum_seconds), and of where and as whom the task runs, with the keyword
        C(environment). With the local connection, all hosts of the inventory are the same place. If any of these
        differs, or the settings files of the AWS CLI have changed, new credentials are fetched. For the host that made
        the request, a change of O(config_file) counts as well.
      - The credentials are kept in memory, until the run ends.
    type: bool
    default: false
  renew_before:
    description:
      - For how many seconds the credentials must still be valid to be used again.
    type: int
    default: 300
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error.
seealso:
  - module: mdps.venue_sts.venue_sts_profile
  - name: The Kion CLI
    description: The same for a shell. Both read the same settings.
    link: https://github.com/kionsoftware/kion-cli
attributes:
  check_mode:
    support: full
    description: Does the same in C(check_mode), because later tasks need the credentials. The API key is not rotated.
extends_documentation_fragment:
  - mdps.venue_sts.venue.hidden_attributes
"""

EXAMPLES = r"""
- name: Get an hour's keys, with KION_URL and KION_API_KEY from the environment
  mdps.venue_sts.kion_credentials:
    account: "123456789012"
    iam_role_name: mcp-tenantOperator
  register: broker

- name: Show the receipt
  ansible.builtin.debug:
    var: broker.receipt

- name: Use them
  amazon.aws.aws_caller_info:
    access_key: "{{ broker.sts_creds.access_key }}"
    secret_key: "{{ broker.sts_creds.secret_key }}"
    session_token: "{{ broker.sts_creds.session_token }}"
"""

RETURN = r"""
sts_creds:
  description: The credentials, with the names of the options of C(amazon.aws).
  type: dict
  returned: success
  contains:
    access_key:
      description: The access key ID.
      type: str
      returned: success
    secret_key:
      description: The secret access key.
      type: str
      returned: success
    session_token:
      description: The session token.
      type: str
      returned: success
    expiration:
      description: When they expire, or null if Kion does not say.
      type: str
      returned: success
region:
  description: The C(default_region) of O(config_file), or null.
  type: str
  returned: success
token:
  description: The same credentials in the format of the AWS CLI, for M(mdps.venue_sts.venue_sts_profile) and
    P(mdps.venue_sts.token_files#filter). Without C(Expiration) where Kion does not say when they expire.
  type: dict
  returned: success
receipt:
  description: The account, role and lifetime of the credentials, without secrets.
  type: dict
  returned: success
  contains:
    url:
      description: The address of Kion.
      type: str
      returned: success
    account:
      description: The account, as in O(account).
      type: str
      returned: success
    role:
      description: The role, as in the options.
      type: str
      returned: success
    access_key_id:
      description: The access key ID, which CloudTrail shows too.
      type: str
      returned: success
    issued_at:
      description: When the credentials were requested.
      type: str
      returned: success
      sample: '2026-11-22T09:30:15Z'
    expires_at:
      description: When the credentials expire, or null if Kion does not say.
      type: str
      returned: success
      sample: '2026-11-22T10:30:15Z'
    expiry_source:
      description:
        - How RV(receipt.expires_at) is known. V(duration) if Kion returned it with the credentials, V(server_setting)
          if it comes from Kion's global setting (before Kion 3.6.29), V(unknown) if the user may not read this setting.
      type: str
      returned: success
roles:
  description: The roles to choose from.
  type: list
  elements: dict
  returned: failure, if Kion has no such role for the user
reused:
  description: Whether this is the result of another task, because of O(share).
  type: bool
  returned: success
request:
  description: An identifier of the request within this run. It does not disclose the request.
  type: str
  returned: with O(share)
error:
  description: What kind of failure it was, for C(rescue) blocks.
  type: str
  returned: failure
  sample: RoleNotYours
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.kion import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
