#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_handoff
short_description: Hand a token over so that only its recipient can read it
version_added: 1.0.0
description:
  - Makes a zip file of a token (the JSON of the procedure, the same keys for every shell, and a leaflet for people who
    do not know AWS), seals it to the
    recipient's public key, delivers it, and adds a receipt to a file.
  - The zip is made and sealed in memory. No plaintext touches a disk, a log or a job's output, unless O(unsealed=true)
    asks for a file.
  - The result holds no secret. The sealed text may be shown to anybody.
  - In check mode the recipient's key and the channel are checked, and nothing is sent. Do this before a token is
    issued; no O(token) is needed for it.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  token:
    description:
      - The token, as C(venue_sts_token) returned it. Needed unless O(resend) or check mode is used.
    type: raw
  receipt:
    description:
      - The receipt of this token, as C(venue_sts_token) returned it. Needed unless O(resend) or check mode is used.
    type: dict
  user:
    description:
      - Who the token is for. The default is the recipient of the O(receipt); where both are given they must agree.
    type: str
  channel:
    description:
      - V(file) writes the sealed file to O(dest), ready for an upload to LFT.
      - V(email) sends an encrypted message (S/MIME or PGP/MIME) that Outlook and Thunderbird open. It needs the
        recipient's certificate or OpenPGP key.
      - V(https) uploads the sealed file to a site's transfer service, such as LFT.
      - V(output) returns the sealed text as C(sealed), for AWX and other places without a disk.
      - Anything else, such as Slack or mail that is not encrypted, is refused, as the procedure demands.
    type: str
    default: file
  recipients:
    description:
      - The recipients book. Either a folder with a file for each user, named after the user with the ending C(.age),
        C(.pub), C(.asc), C(.gpg), C(.pem),
        C(.crt), C(.cer) or C(.txt), or a dictionary of users.
      - In a dictionary, a user's value is a public key as text, a list of them, or a dictionary with C(key) or C(keys)
        and C(email).
      - Keys are age recipients, ssh-ed25519 or ssh-rsa keys, OpenPGP public keys, or S/MIME certificates; all keys of a
        user must be of one kind.
      - A key that is private, expired, not yet valid, weak (RSA under 2048 bits) or not for encryption is refused.
    type: raw
    default: ~/.mdps/recipients
  fingerprints:
    description:
      - Seal only to keys with these fingerprints, which the recipient gave by another way, such as the telephone.
      - Without it, a key that is not the one of the user's last receipt in O(receipts_file) is warned about.
    type: list
    elements: str
    default: []
  unsealed:
    description:
      - Write the zip as it is, with the keys in clear, readable by its owner alone. Only for O(channel=file).
    type: bool
    default: false
  dest:
    description:
      - Where O(channel=file) writes. A folder if it exists or ends with a slash, else the file itself.
    type: path
    default: ~/.mdps/handoff/
  email:
    description:
      - The mail server, for O(channel=email).
    type: dict
    suboptions:
      host:
        description: Its name, which its certificate must prove. Required.
        type: str
      port:
        description: The default is 587 for V(starttls) and 465 for V(tls).
        type: int
      tls:
        description: Encryption on the way, V(starttls) or V(tls). There is no mail without.
        type: str
        default: starttls
      sender:
        description: The address in From. Required.
        type: str
      to:
        description: The recipient's address. The default is the one in the book, or the user, if that is an address.
        type: str
      subject:
        description: The subject, which is not encrypted. The default names the venue and the end of the token.
        type: str
      username:
        description: The login, if the server wants one.
        type: str
      password:
        description: Its password.
        type: str
      ca_file:
        description: Certificates to trust instead of the system's.
        type: path
  https:
    description:
      - The transfer service, for O(channel=https).
    type: dict
    suboptions:
      url:
        description: The address, which must begin with https. If a V(PUT) goes to an address that ends with a slash,
          the file's name is added. Required.
        type: str
      method:
        description: V(PUT) sends the file as it is, V(POST) in a form.
        type: str
        choices: [PUT, POST]
        default: PUT
      headers:
        description: Headers to send along, such as an API key. They are never shown.
        type: dict
      field_name:
        description: The name of the form's field that the file goes into.
        type: str
        default: file
      ca_file:
        description: Certificates to trust instead of the system's.
        type: path
  resend:
    description:
      - A sealed file that was kept because it could not be delivered, to be sent again. Neither O(token) nor
        O(recipients) is needed.
      - Its receipt is found in O(receipts_file) by the file's SHA-256, and another one is added.
    type: path
  undelivered:
    description:
      - The folder that keeps what could not be delivered. It is sealed.
    type: path
    default: ~/.mdps/undelivered
  receipts_file:
    description:
      - The file that gets one line of JSON for each hand-off, without secrets. docs/receipt.schema.json describes it.
    type: path
    default: ~/.mdps/receipts.jsonl
  receipts_s3:
    description:
      - Also store the receipt below this prefix, V(s3://bucket/prefix), with the connection options of this task.
    type: str
    default: ""
  receipts_ssm_path:
    description:
      - Also store the receipt as a parameter below this path, named after the access key id, with the connection
        options of this task.
    type: str
    default: ""
  bucket:
    description:
      - The name of the venue's bucket, for the leaflet.
    type: str
    default: ""
  contact:
    description:
      - Whom the recipient may ask, for the leaflet.
    type: str
    default: the MDPS admin who sent you this
  time_zone:
    description:
      - The time zone of the recipient, for the leaflet, by its IANA name.
    type: str
    default: America/Los_Angeles
  profile_name:
    description:
      - The name of the profile in the bundle's credentials file. The default names account, project and venue.
    type: str
    default: ""
  readme_template:
    description:
      - A Jinja template to use for the leaflet instead of the collection's own.
    type: path
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
attributes:
  check_mode:
    support: full
    description: In C(check_mode) keys, channel and options are checked; nothing is sealed, sent or written.
  diff_mode:
    support: none
    description: There is nothing to compare with.
  idempotent:
    support: none
    description: Every run hands over once more.
  action:
    support: full
    description: Runs on the controller alone, as the user of ansible-playbook, whatever the connection or C(become), so
      that keys do not travel.
requirements:
  - pyrage, for age and ssh keys
  - cryptography, for certificates
  - gpg 2.2 or later, for OpenPGP keys
  - openssl, for certificates with EC keys
  - boto3 and botocore, for O(receipts_s3) and O(receipts_ssm_path)
seealso:
  - module: mdps.venue_sts.venue_sts_token
  - plugin: mdps.venue_sts.seal
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See whether it can be handed off, before a token is issued
  mdps.venue_sts.venue_sts_handoff:
    user: jdoe
    recipients: ~/mdps-keys
  check_mode: true

- name: Issue a token
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
    region: us-west-2
  register: issued

- name: Seal it to a file for LFT
  mdps.venue_sts.venue_sts_handoff:
    token: "{{ issued.token }}"
    receipt: "{{ issued.receipt }}"
    recipients: ~/mdps-keys
    dest: ~/for-lft/
    contact: mdps-help@example.org

- name: Or send it as encrypted mail
  mdps.venue_sts.venue_sts_handoff:
    token: "{{ issued.token }}"
    receipt: "{{ issued.receipt }}"
    channel: email
    recipients:
      jdoe:
        key: "{{ lookup('ansible.builtin.file', 'keys/jdoe.asc') }}"
        email: jdoe@example.org
    email:
      host: mail.example.org
      sender: mdps@example.org
      username: mdps
      password: "{{ vault_mail_password }}"

- name: Send again what could not be delivered, without issuing again
  mdps.venue_sts.venue_sts_handoff:
    resend: ~/.mdps/undelivered/sbg-dev-jdoe-20261122T093015Z.eml
    channel: email
    email:
      host: mail.example.org
      sender: mdps@example.org
"""

RETURN = r"""
delivered:
  description: Whether it reached its place. In check mode false.
  returned: always, unless the options were wrong
  type: bool
user:
  description: Who it is for.
  returned: unless a file was resent whose receipt was not found
  type: str
channel:
  description: The channel.
  returned: success
  type: str
recipient_keys:
  description: The public keys it was sealed to, or would be in check mode, to be compared with their owner.
  returned: success
  type: list
  elements: dict
  sample: [{"kind": "openpgp", "fingerprint": "0F1E2D3C4B5A69788796A5B4C3D2E1F00F1E2D3C", "name": "J. Doe
  <jdoe@example.org>"}]
target:
  description: Where it went.
  returned: when it was sent
  type: str
path:
  description: The file that was written.
  returned: O(channel=file)
  type: str
sealed:
  description: The sealed text. Also when nothing could be delivered and nothing be kept on disk.
  returned: O(channel=output)
  type: str
how_to_open:
  description: One line for the recipient.
  returned: when it was sent
  type: str
  sample: age --decrypt --identity YOUR-PRIVATE-KEY-FILE --output sbg-dev-jdoe-20261122T093015Z.zip
  sbg-dev-jdoe-20261122T093015Z.zip.age
receipt:
  description: The receipt as it was kept. docs/receipt.schema.json describes it.
  returned: when it was sent, and on failures after a token was issued
  type: dict
kept:
  description: Where the sealed bundle is, to be sent again with O(resend).
  returned: when it could not be delivered
  type: str
error:
  description: The kind of failure, such as V(DeliveryFailed), V(NoRecipientKey) or V(ReceiptNotKept).
  returned: failure
  type: str
"""
