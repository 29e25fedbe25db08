#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_profile
short_description: Keep a venue's keys as a named profile in the AWS credentials file
version_added: 1.0.0
description:
  - Writes a token's keys to a named profile of the AWS shared credentials file, where the AWS CLI, boto3 and
    C(amazon.aws) find them, or removes the profile.
  - The file is replaced in one step under a lock, so that neither a full disk nor a second run can leave half of it. A
    symbolic link is followed. The file gets mode 0600, a missing folder 0700. All other profiles, comments and settings
    stay unchanged, to the byte.
  - A profile that this module did not write, or that it wrote for another venue, is not changed unless O(adopt=true).
    The module recognizes its profiles by a comment below the profile's name.
  - Runs on POSIX hosts. On Windows the file is C(%USERPROFILE%\.aws\credentials); put the text V(credentials) of
    P(mdps.venue_sts.token_files#filter) there, or, from WSL, name the file in O(credentials_file).
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  state:
    description:
      - Whether the profile must be there.
    type: str
    choices: [present, absent]
    default: present
  token:
    description:
      - The keys, as the JSON document that C(aws sts assume-role) prints and M(mdps.venue_sts.venue_sts_token) and
        M(mdps.venue_sts.kion_credentials) return.
      - Required with O(state=present). Other fields of the document are ignored, so that it may have any that STS
        returns now or later.
    type: dict
    suboptions:
      Credentials:
        description: The keys themselves.
        type: dict
        required: true
        suboptions:
          AccessKeyId:
            description: The access key id.
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
            description: When the keys expire. It is noted in the comment below the profile's name.
            type: str
      AssumedRoleUser:
        description: Whose session it is. Its account is part of the default name of the profile.
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
      - A region to set in the profile. By default an existing region stays, and none is added.
    type: str
  credentials_file:
    description:
      - The AWS shared credentials file.
    type: path
    default: ~/.aws/credentials
  adopt:
    description:
      - Take over, or remove, a profile that this module did not write for this venue.
    type: bool
    default: false
notes:
  - An option that is given must have a value. An empty text, list or mapping is an error.
  - If O(credentials_file) is not set, E(AWS_SHARED_CREDENTIALS_FILE) is looked at, as AWS's own tools do.
  - The lock is a file beside the credentials file, called C(.credentials.lock). It stays there, empty.
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
  description: When the keys expire, if O(token) contains that.
  type: str
  returned: success
  sample: '2026-11-22T10:30:15Z'
diff:
  description: The profile before and after. Instead of the keys it says whether there are any and whether they are new.
  type: dict
  returned: success
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.profile import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
