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
  - The file is sealed, so the channel may be another one than before. What was sealed as mail (C(.eml)) may be sent by
    any channel; a sealed zip file cannot become mail.
  - The receipt is found in O(receipts_file) by the file's SHA-256, and the new attempt is added to it. A token that has
    ended is not sent.
  - The result contains no secret.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  resend:
    description:
      - The sealed file. The failed task has named it.
    type: path
    required: true
  without_receipt:
    description:
      - Send the file although no receipt has its SHA-256. Without this, such a file is refused, because it may have
        been damaged or exchanged.
      - Whether its token has ended is not checked then, and the delivery is not recorded.
    type: bool
    default: false
  channel:
    description:
      - V(file) writes the sealed file to O(dest), ready to be uploaded to LFT.
      - V(email) sends an encrypted message (S/MIME or PGP/MIME) that Outlook and Thunderbird open. It needs the
        recipient's certificate or OpenPGP key.
      - V(https) uploads the sealed file to a site's transfer service, such as LFT.
      - V(output) returns the sealed text as RV(sealed), for AWX and other places without a disk.
      - With V(output), Ansible and AWX also print the text as it is, after the name of the file. A play that runs on
        several hosts at the same time is refused before AWS is asked, because their texts would be mixed.
      - Anything else, such as Slack or mail that is not encrypted, is refused, as the procedure requires.
    type: str
    default: file
  dest:
    description:
      - Where O(channel=file) writes. A folder if it exists or ends with a slash, else the file itself.
      - An existing file is never overwritten.
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
        description: The subject, which is not encrypted. The default names the venue and the end of the token.
        type: str
      username:
        description: The login, if the server requires one.
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
        description: The address, which must begin with https. If a V(PUT) goes to an address that ends with a
          slash, the name of the file is added. Required.
        type: str
      method:
        description: V(PUT) sends the file as it is, V(POST) in a form.
        type: str
        choices: [PUT, POST]
        default: PUT
      headers:
        description: Headers to send with it, such as an API key. They are never shown.
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
    description: In C(check_mode) the file, its receipt and the channel are checked. Nothing is sent or written.
  diff_mode:
    support: none
    description: There is nothing to compare with.
  idempotent:
    support: none
    description: Every run sends the file once more.
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
  description: Whether it reached its place. In check mode false.
  returned: success
  type: bool
channel:
  description: The channel.
  returned: success
  type: str
recipient_keys:
  description: The public keys it is sealed to, as far as the receipt says so.
  returned: success
  type: list
  elements: dict
target:
  description: Where it is.
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
  description: One line for the recipient.
  returned: when it was sent
  type: str
  sample: age --decrypt --identity YOUR-PRIVATE-KEY-FILE
    --output sbg_dev_jdoe_20261122T093015Z-3fa91c07.zip sbg_dev_jdoe_20261122T093015Z-3fa91c07.zip.age
how_to_verify:
  description: Lines for the recipient, to check the signature before opening.
  returned: when it was sent, and is signed
  type: list
  elements: str
receipt:
  description: The receipt. docs/receipt.schema.json describes it.
  returned: if it was found
  type: dict
kept:
  description: Where the sealed file still is.
  returned: when it could not be delivered
  type: str
error:
  description: The kind of failure, such as V(DeliveryFailed) or V(ReceiptNotKept).
  returned: failure
  type: str
"""
