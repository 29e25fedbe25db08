#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_profile
short_description: Manage a venue's profile in the AWS credentials file
version_added: 1.0.0
description:
  - Writes the credentials of a token to a named profile of the AWS shared credentials file, where the AWS CLI, boto3
    and C(amazon.aws) find them, or removes the profile.
  - The file is replaced atomically under a lock, so that neither a full disk nor a second run can leave an incomplete
    file. A symbolic link of the user or of root is followed. The file gets mode 0600, a missing folder mode 0700. All
    other profiles, comments and settings stay unchanged.
  - A profile that this module did not write, or that it wrote for another venue, is not changed unless O(adopt=true).
    The module recognizes its profiles by a comment below the profile's name.
  - Runs on POSIX hosts. On Windows, the file is C(%USERPROFILE%\.aws\credentials). Write the text V(credentials) of
    P(mdps.venue_sts.token_files#filter) to it, or set O(credentials_file) in WSL.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - Whether the profile must exist.
    type: str
    choices: [present, absent]
    default: present
  token:
    description:
      - The credentials, as the JSON document that C(aws sts assume-role) prints and that
        M(mdps.venue_sts.venue_sts_token) and M(mdps.venue_sts.kion_credentials) return.
      - Required with O(state=present). Other fields of the document are ignored.
    type: dict
    suboptions:
      Credentials:
        description: The credentials.
        type: dict
        required: true
        suboptions:
          AccessKeyId:
            description: The access key ID.
            type: str
            required: true
          SecretAccessKey:
            description: The secret access key.
            type: str
            required: true
          SessionToken:
            description: The session token.
            type: str
            required: true
          Expiration:
            description: When the credentials expire. The comment below the profile's name shows it.
            type: str
      AssumedRoleUser:
        description: The role session. Its account is part of the default name of the profile.
        type: dict
  account_id:
    description:
      - The AWS account, 12 digits, if O(token) does not contain it or there is no token.
    type: str
  profile:
    description:
      - The name of the profile. The default is C(<account>-<project>-<venue>), so that two venues never share one.
    type: str
  region:
    description:
      - The region to set in the profile. By default, an existing region is kept, and none is added.
    type: str
  credentials_file:
    description:
      - The AWS shared credentials file.
    type: path
    default: ~/.aws/credentials
  adopt:
    description:
      - Replace or remove a profile that this module did not write for this venue.
    type: bool
    default: false
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error.
  - If O(credentials_file) is not set, E(AWS_SHARED_CREDENTIALS_FILE) is used, as in the AWS CLI.
  - The lock is an empty file C(.credentials.lock) in the same folder. It is not removed.
seealso:
  - module: mdps.venue_sts.venue_sts_token
  - plugin: mdps.venue_sts.token_files
    plugin_type: filter
extends_documentation_fragment:
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.attributes
"""

EXAMPLES = r"""
- name: Issue a token
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
  register: issued

- name: Keep it as a profile
  mdps.venue_sts.venue_sts_profile:
    project: sbg
    venue: dev
    token: "{{ issued.token }}"
    region: us-west-2

- name: Remove the profile when the work is done
  mdps.venue_sts.venue_sts_profile:
    project: sbg
    venue: dev
    account_id: "123456789012"
    state: absent
"""

RETURN = r"""
profile:
  description: The name of the profile.
  type: str
  returned: success
  sample: 123456789012-sbg-dev
credentials_file:
  description: The file, with symbolic links followed.
  type: str
  returned: success
  sample: /home/admin/.aws/credentials
expiration:
  description: When the credentials expire, if O(token) contains that.
  type: str
  returned: success
  sample: '2026-11-22T10:30:15Z'
diff:
  description: The profile before and after. For the credentials, it only shows whether they exist and whether they
    change.
  type: dict
  returned: success
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.profile import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
