#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_handoff
short_description: Send a sealed token again
version_added: 1.0.0
description:
  - Sends a sealed file again that M(mdps.venue_sts.venue_sts_token) could not deliver, without issuing a new token.
  - The channel may differ from that of the first attempt, because the file is sealed. A bundle that was sealed as mail
    (C(.eml)) can be sent through any channel; a sealed zip file cannot be sent as mail.
  - The receipt is found in O(receipts_file) by the file's SHA-256, and the new attempt is added to it. An expired token
    is not sent.
  - The result contains no secret.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  resend:
    description:
      - The sealed file. The error message of the failed task names it.
    type: path
    required: true
  without_receipt:
    description:
      - Send the file even if no receipt has its SHA-256. Without this option, such a file is refused, because it may
        have been damaged or replaced.
      - In this case, the expiration of the token is not checked, and the delivery is not recorded.
    type: bool
    default: false
  channel:
    description:
      - V(file) writes the sealed file to O(dest), ready to be uploaded to LFT.
      - V(email) sends an encrypted message (S/MIME or PGP/MIME) that Outlook and Thunderbird open. It needs the
        recipient's certificate or OpenPGP key.
      - V(https) uploads the sealed file to a site's transfer service, such as LFT.
      - V(output) returns the sealed text as RV(sealed), for AWX and other environments without a persistent disk.
      - With V(output), Ansible and AWX also print the text unchanged, after the name of the file. A play that runs on
        several hosts at the same time is refused before AWS is called, because their texts would be mixed.
      - Anything else, such as Slack or mail that is not encrypted, is refused, as the procedure requires.
    type: str
    default: file
  dest:
    description:
      - Where O(channel=file) writes. If it is an existing folder or ends with a slash, the file is created in this
        folder; otherwise, it is the path of the file.
      - An existing file is never overwritten.
    type: path
    default: ~/.mdps/handoff/
  email:
    description:
      - The mail server, for O(channel=email).
    type: dict
    suboptions:
      host:
        description: The host name of the server. Its certificate must be valid for this name. Required.
        type: str
      port:
        description: The default is 587 for V(starttls) and 465 for V(tls).
        type: int
      tls:
        description: Encryption of the connection, V(starttls) or V(tls). Mail is not sent without it.
        type: str
        default: starttls
      sender:
        description: The address in From. Required.
        type: str
      to:
        description: The recipient's address. The default is the one in the message.
        type: str
      subject:
        description: The subject, which is not encrypted. The default names the venue and the expiration.
        type: str
      username:
        description: The user name, if the server requires a login.
        type: str
      password:
        description: The password of O(email.username).
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
        description: The address, which must begin with https. If a V(PUT) goes to an address that ends with a
          slash, the name of the file is added. Required.
        type: str
      method:
        description: V(PUT) sends the file as it is, V(POST) in a form.
        type: str
        choices: [PUT, POST]
        default: PUT
      headers:
        description: Headers of the request, such as an API key. They are never shown.
        type: dict
      field_name:
        description: The name of the form field for the file.
        type: str
        default: file
      ca_file:
        description: Certificates to trust instead of the system's.
        type: path
  undelivered:
    description:
      - The folder that keeps sealed bundles that could not be delivered.
    type: path
    default: ~/.mdps/undelivered
  receipts_file:
    description:
      - The file on the controller to which the receipt is added, as lines of JSON without secrets.
        docs/receipt.schema.json describes them.
    type: path
    default: ~/.mdps/receipts.jsonl
  receipts_s3:
    description:
      - Also store the receipt below this prefix, V(s3://bucket/prefix), with the connection options of this task.
    type: str
  receipts_ssm_path:
    description:
      - Also store the receipt as a parameter below this path, named after the receipt, with the connection options of
        this task.
    type: str
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
attributes:
  check_mode:
    support: full
    description: In C(check_mode), the file, its receipt and the channel are checked. Nothing is sent or written.
  diff_mode:
    support: none
    description: Not applicable.
  idempotent:
    support: none
    description: Every run sends the file again.
  action:
    support: full
    description: Runs on the controller as the user of ansible-playbook, whatever the connection or C(become), because
      the files are there.
requirements:
  - boto3 and botocore, for O(receipts_s3) and O(receipts_ssm_path)
seealso:
  - module: mdps.venue_sts.venue_sts_token
  - plugin: mdps.venue_sts.seal
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Send again what could not be delivered
  mdps.venue_sts.venue_sts_handoff:
    resend: ~/.mdps/undelivered/sbg_dev_jdoe_20261122T093015Z-3fa91c07.eml
    channel: email
    email:
      host: mail.example.org
      sender: mdps@example.org
"""

RETURN = r"""
delivered:
  description: Whether the file was delivered. V(false) in check mode.
  returned: success
  type: bool
channel:
  description: The channel.
  returned: success
  type: str
recipient_keys:
  description: The public keys that the file is sealed to, according to the receipt.
  returned: success
  type: list
  elements: dict
target:
  description: Where the sealed file was delivered.
  returned: when it was sent
  type: str
path:
  description: The file that was written.
  returned: O(channel=file)
  type: str
sealed:
  description: The sealed text.
  returned: O(channel=output)
  type: str
how_to_open:
  description: The command for the recipient.
  returned: when it was sent
  type: str
  sample: age --decrypt --identity YOUR-PRIVATE-KEY-FILE
    --output sbg_dev_jdoe_20261122T093015Z-3fa91c07.zip sbg_dev_jdoe_20261122T093015Z-3fa91c07.zip.age
how_to_verify:
  description: Commands for the recipient, to check the signature before opening the file.
  returned: when it was sent, and is signed
  type: list
  elements: str
receipt:
  description: The receipt. docs/receipt.schema.json describes it.
  returned: if it was found
  type: dict
kept:
  description: The path of the sealed file.
  returned: when it could not be delivered
  type: str
error:
  description: The kind of failure, such as V(DeliveryFailed) or V(ReceiptNotKept).
  returned: failure
  type: str
"""
