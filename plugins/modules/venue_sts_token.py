#!/usr/bin/python
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: venue_sts_token
short_description: Issue a short-lived token for an MDPS venue
version_added: 1.0.0
description:
  - Assumes the venue's role C(unity-<project>-<venue>-sts) on behalf of a user.
  - With O(handoff), the token is sealed to the user's public key and delivered. With O(dest), it is written to a file
    of the admin. In both cases, the result is the receipt, contains no credentials, and is not hidden.
  - Without them, the result contains the credentials, as the JSON document that the AWS CLI prints. It is hidden from
    all output. Register it for the next tasks.
  - Before STS is called, the external IDs in SSM, in the trust policy and, if given, from the requester are compared,
    as well as the caller's account and the expected one. If any of them differ, no token is issued, and the message
    says which ones, without showing a value.
  - The receipt is recorded before STS is called, and completed afterwards. Even if the task is interrupted in between,
    the receipt is sufficient to revoke the token.
  - Empty values for options that narrow or check a token are errors and are never ignored.
author:
  - The mdps.venue_sts contributors (@unity-sds)
options:
  user:
    description:
      - The user name of the recipient. It is part of the session name, which identifies the recipient in CloudTrail's
        data events.
      - 1 to 64 letters A to Z and a to z, digits and C(_+=,.@-). It must not begin with a period or hyphen. Anything
        else is refused, with a suggestion if possible (V(jose.nunez) for V(José Núñez)).
    type: str
    required: true
  session_name:
    description:
      - The session name, 2 to 64 letters, digits and C(_+=,.@-). The default is the user, the UTC time to the second
        and six random digits, such as C(jdoe-20261122T093015Z-3fa91c). If the user name has more than 39 characters,
        its first 30 characters, V(=) and 8 digits of its SHA-256 are used.
    type: str
  method:
    description:
      - How to get the token. V(assume_role) needs AWS credentials that may assume the role.
      - V(saml) needs no AWS credentials, but a new SAML response of an identity provider that the role trusts
        (O(mdps.venue_sts.venue_sts_role#module:saml_provider_arns)). External IDs are not compared, because AWS does
        not support them with SAML.
      - V(web_identity) needs no AWS credentials, but a token (JWT) of an OpenID Connect provider that the role trusts
        (O(mdps.venue_sts.venue_sts_role#module:oidc_providers)). See docs/web-identity.md. The session can last as long
        as the role allows.
    type: str
    choices: [assume_role, saml, web_identity]
    default: assume_role
  saml_assertion:
    description:
      - The SAML response in base64, as the browser sends it, or form data, JSON, or HTML that contains it. AWS accepts
        it within 5 minutes of the login.
      - Do not pass it on the command line, where every user of the machine can see it, or at a prompt, because a
        terminal cuts it off after 4,095 characters. O(saml_assertion_file) avoids both.
    type: str
  saml_assertion_file:
    description:
      - A file with the SAML response, in UTF-8 or UTF-16. docs/saml.md describes how to save it.
    type: path
  saml_provider_arn:
    description:
      - The ARN of the identity provider. Needed only if the response names several for the role, or is encrypted.
    type: str
  web_identity_token_file:
    description:
      - A file with the web identity token, on the host where the task runs. Without it and
        O(web_identity_token_variable), the environment variable E(AWS_WEB_IDENTITY_TOKEN_FILE) names the file, as for
        the AWS CLI.
    type: path
  web_identity_token_variable:
    description:
      - The name of an environment variable that holds the web identity token, where the task runs.
      - There is no option for the token itself, so that no command line, log or callback shows it.
    type: str
  oidc_providers:
    description:
      - The providers that the venue's role trusts, as in O(mdps.venue_sts.venue_sts_role#module:oidc_providers). If
        set, a wrong issuer, audience or subject is detected before STS is called, with a message that says which one is
        wrong. Signatures are not checked by the module, but by STS.
    type: list
    elements: dict
    suboptions:
      provider:
        description:
          - The address of the issuer, as in the C(iss) claim of its tokens (V(https://HOST/PATH)), or the ARN of the
            OIDC provider in IAM, which must be in the account of the role.
        type: str
        required: true
      audiences:
        description:
          - The accepted audiences (C(aud) claims). Wildcards are not allowed.
        type: list
        elements: str
        required: true
      subjects:
        description:
          - The accepted subjects (C(sub) claims). C(*) and C(?) are wildcards, but must not be the first character.
          - For issuers where anyone can get a token, such as GitHub, the part that identifies the owner of the token
            must not contain a wildcard (V(repo:OWNER/REPOSITORY:ref:refs/heads/main)). Repositories that were created,
            renamed or moved after 15 July 2026 send V(repo:OWNER@ID/REPOSITORY@ID:ref:refs/heads/main).
        type: list
        elements: str
      any_subject:
        description:
          - Accept every subject, with a warning. Use it for a user pool with a dedicated app client. It is refused for
            issuers where anyone can get a token.
        type: bool
        default: false
      create:
        description:
          - For provisioning only. It has no effect here.
        type: bool
        default: false
  duration_seconds:
    description:
      - For how long the token is valid, 900 to 43200 seconds. The default is 3600, with O(method=saml) 1800.
      - AWS allows at most 3600 if the caller's own credentials belong to a role session (role chaining), as with Kion.
    type: int
  on_duration_cap:
    description:
      - What to do if AWS does not allow O(duration_seconds). V(cap) requests the maximum and shows a warning, V(fail)
        issues nothing.
    type: str
    choices: [cap, fail]
    default: cap
  role_arn:
    description:
      - The ARN of the role, if it does not follow the convention. It must be in the caller's account.
    type: str
  external_id:
    description:
      - The external ID that the requester sent. It is compared with those in SSM and in the trust policy, and never
        shown.
    type: str
  require_requester_external_id:
    description:
      - Refuse to issue without O(external_id).
    type: bool
    default: false
  access:
    description:
      - What the token allows, a list of V(s3_read), V(s3_write), V(ecr_create), V(ecr_pull) and V(ecr_push). The
        default is everything that the role and O(limits) allow.
    type: list
    elements: str
  buckets:
    description:
      - The buckets that O(access) and O(bucket_prefixes) apply to. The default is the buckets of the role; for a role
        that was not provisioned by this collection, it is the bucket in the SSM parameter
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
      - ECR repositories that the token is limited to, by name or pattern. A pattern must begin with a
        namespace and a slash, such as V(sbg/*).
    type: list
    elements: str
  limits:
    description:
      - The most that a token may allow, set by the admin in the inventory. A request for more is an error. If a request
        does not set an option, the limit applies.
    type: dict
    suboptions:
      access:
        description: As O(access).
        type: list
        elements: str
      buckets:
        description: As O(buckets).
        type: list
        elements: str
      bucket_prefixes:
        description: As O(bucket_prefixes).
        type: list
        elements: str
      ecr_repositories:
        description: As O(ecr_repositories).
        type: list
        elements: str
      duration_seconds:
        description: As O(duration_seconds).
        type: int
  session_policy:
    description:
      - A custom session policy, instead of the one that is generated from O(access), O(buckets), O(bucket_prefixes),
        O(ecr_repositories) and O(limits). At most 2,048 characters without white space.
    type: json
  policy_arns:
    description:
      - At most 10 managed policies that limit the token. They cannot be combined with O(access), O(buckets),
        O(bucket_prefixes), O(ecr_repositories), limits on these, or O(session_policy), because STS allows what any of
        the session policies allows.
      - They are not read, so the receipt shows the most that the token may allow.
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
        and cannot be changed there. The default is O(context.requester), as described for O(tag_session).
    type: str
  mfa_serial_number:
    description:
      - The ARN or serial number of the caller's MFA device, if the role requires MFA.
    type: str
  mfa_token:
    description:
      - The current six-digit code of the MFA device.
    type: str
  context:
    description:
      - Why and for whom the token is issued, in short texts, for the receipt.
    type: dict
    suboptions:
      reason:
        description: Why the token is needed.
        type: str
      ticket:
        description: The ticket of the request.
        type: str
      requester:
        description: Who asked for the token.
        type: str
      approver:
        description: Who approved it.
        type: str
      job:
        description: The job that issues it.
        type: str
      workflow:
        description: The workflow that the job belongs to.
        type: str
  tag_session:
    description:
      - Also set O(context.reason), O(context.ticket) and O(context.requester) as the session tags C(Reason), C(Ticket)
        and C(Requester), and O(context.requester) as the source identity. CloudTrail shows both. The role's trust
        policy and the caller's policy must allow C(sts:TagSession) and C(sts:SetSourceIdentity).
      - By default, they are set if the role's trust policy may allow it. If AWS refuses them, the token is issued
        without them, with a warning. With V(true), this is an error. With V(false), neither is set.
      - Characters that AWS does not accept in a tag are replaced by spaces. O(tags) take precedence. If the name of the
        requester is not a valid source identity, none is set.
    type: bool
  verify:
    description:
      - Call GetCallerIdentity with the new credentials before they are returned.
    type: bool
    default: false
  wait_timeout:
    description:
      - For how many seconds to retry while the role or its external ID is less than five minutes old and may not have
        propagated.
    type: int
    default: 60
  _phase:
    description: Internal. The action plugin sets it when it runs the module on another host.
    type: str
    choices: [authorize, known_keys, assume, record]
  _receipt:
    description: Internal, as O(_phase).
    type: dict
  dest:
    description:
      - Write the token's JSON to this file on the controller, with mode 0600. Missing folders are created with mode
        0700.
      - If it is an existing folder or ends with a slash, the file is created in this folder with the name
        C(<project>_<venue>_<user>_<time>-<digits>.json). An uppercase letter in the user name is written as C(~) and
        the lowercase letter, in project and venue as the lowercase letter and C(~), and an underscore there as C(-~).
      - An existing file is never overwritten. The folder must belong to the user, and nobody else may write to it.
    type: path
  handoff:
    description:
      - Seal the token to the recipient's public key and hand it off. With V({}), all suboptions have their defaults.
      - The credentials never leave the memory of the task, and the result is the receipt, which is not hidden.
      - The recipient's keys, the channel and the folders are checked before AWS is called. If the delivery fails after
        that, the sealed bundle is kept, and M(mdps.venue_sts.venue_sts_handoff) can send it again.
      - All of this is done on the controller, as the user of ansible-playbook, wherever the task runs.
    type: dict
    suboptions:
      channel:
        description:
          - V(file) writes the sealed file to O(handoff.dest), ready to be uploaded to LFT.
          - V(email) sends an encrypted message (S/MIME or PGP/MIME) that Outlook and Thunderbird open. It needs the
            recipient's certificate or OpenPGP key.
          - V(https) uploads the sealed file to a site's transfer service, such as LFT.
          - V(output) returns the sealed text as RV(sealed), for AWX and other environments without a persistent disk.
          - With V(output), Ansible and AWX also print the text unchanged, after the name of the file. A play that runs
            on several hosts at the same time is refused before AWS is called, because their texts would be mixed.
          - Anything else, such as Slack or mail that is not encrypted, is refused, as the procedure requires.
        type: str
        default: file
      dest:
        description:
          - Where O(handoff.channel=file) writes. If it is an existing folder or ends with a slash, the file is created
            in this folder; otherwise, it is the path of the file.
          - An existing file is never overwritten.
        type: path
        default: ~/.mdps/handoff/
      email:
        description:
          - The mail server, for O(handoff.channel=email).
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
            description: The recipient's address. The default is the one of O(handoff.public_keys), or the user name, if
              that is an address.
            type: str
          subject:
            description: The subject, which is not encrypted. The default names the venue and the expiration.
            type: str
          username:
            description: The user name, if the server requires a login.
            type: str
          password:
            description: The password of O(handoff.email.username).
            type: str
          ca_file:
            description: Certificates to trust instead of the system's.
            type: path
      https:
        description:
          - The transfer service, for O(handoff.channel=https).
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
      key_directory:
        description:
          - The folder with the public keys of the recipients. Each has one file, named after the user with the ending
            C(.age), C(.pub), C(.keys), C(.asc), C(.gpg), C(.pem), C(.crt), C(.cer), C(.p7b) or C(.txt).
          - Keys are age recipients, ssh-ed25519 or ssh-rsa keys, OpenPGP public keys, or S/MIME certificates. All keys
            of a user must be of one kind.
          - The folder, the folders above it and its files must belong to the user or root, and nobody else may write to
            them.
        type: path
        default: ~/.mdps/recipients
      key_directory_shared:
        description:
          - Accept a O(handoff.key_directory) that several people maintain, such as a checked-out project. Other owners
            and groups can then write to it, but it must not be world-writable.
        type: bool
        default: false
      public_keys:
        description:
          - Public keys by user name, instead of the O(handoff.key_directory). A user's value is a key as text, a list
            of them, or a dictionary with C(key) or C(keys), and C(email).
        type: dict
      fingerprints:
        description:
          - Seal only to keys with these fingerprints, which the recipient has confirmed through another channel, such
            as the telephone.
          - Without it, a key that differs from the key of the user's last token in O(receipts_file), O(receipts_s3) and
            O(receipts_ssm_path) is refused.
        type: list
        elements: str
      unsealed:
        description:
          - Write the zip file without sealing it, readable by its owner alone. Only for O(handoff.channel=file).
        type: bool
        default: false
      undelivered:
        description:
          - The folder that keeps sealed bundles that could not be delivered.
        type: path
        default: ~/.mdps/undelivered
      bucket:
        description:
          - The name of the venue's bucket for the README, if it is not known otherwise.
        type: str
      contact:
        description:
          - The contact for the recipient, for the README.
        type: str
        default: the MDPS admin who sent you this
      time_zone:
        description:
          - The time zone of the recipient by its IANA name, for the README.
        type: str
        default: America/Los_Angeles
      profile_name:
        description:
          - The name of the profile in the bundle's credentials file. The default names account, project and venue.
        type: str
      readme_template:
        description:
          - A Jinja template to use for the README instead of the collection's own.
        type: path
      console_link:
        description:
          - Add two scripts to the bundle that create a link to the AWS console for S3, valid for 15 minutes. The
            session in the browser has the permissions of the token, and ends with it.
        type: bool
        default: false
      sign_with:
        description:
          - Your private key, to sign the sealed content, so that the recipient can check who sent it. Without it,
            anyone who knows the recipient's public key could have created the file.
          - The path of an ssh private key signs the sealed file, for every kind of recipient's key. The signature is a
            second file, with the extension C(.sig). It cannot be used with the channel V(email).
          - The fingerprint of your OpenPGP key signs content that is sealed to OpenPGP keys. The path of a PEM file
            with certificate and private key signs content that is sealed to certificates. Mail programs show both.
          - The key must work without a prompt; use an agent for a key with a passphrase.
        type: str
      smime_authenticated:
        description:
          - Seal to certificates with AES-GCM (AuthEnvelopedData), so that modifications are detected. C(openssl) can
            open it; Outlook and C(gpgsm) 2.2 cannot. Only for files.
        type: bool
        default: false
  receipts_file:
    description:
      - The file on the controller to which the receipt is added, as lines of JSON without secrets.
        docs/receipt.schema.json describes them. One line is written before STS is called, and one with the outcome.
      - If the first line cannot be written, here or in one of the places below, no token is issued.
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
  - mdps.venue_sts.venue
  - mdps.venue_sts.venue.role_name
  - mdps.venue_sts.venue.parameters
  - mdps.venue_sts.venue.reuse
  - mdps.venue_sts.venue.hidden_attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
notes:
  - An option that is set must have a value. An empty string, list or mapping is an error, except for O(context),
    O(handoff), O(tags) and O(transitive_tag_keys).
  - If the module runs on a host (C(become), C(ssh), another Python, C(environment)), only the AWS calls are made there.
    The module runs once to check the request and once to assume the role, so that the receipt is recorded on the
    controller in between. The credentials are sealed on the controller as soon as they arrive.
  - With C(ANSIBLE_DEBUG=1), ansible-core itself prints what modules return from a host, so the task is refused if the
    module would run on a host.
seealso:
  - module: mdps.venue_sts.venue_sts_role
  - module: amazon.aws.sts_assume_role
"""

EXAMPLES = r"""
- name: Issue a token and hand it off, sealed, as a file for LFT
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
    region: us-west-2
    handoff:
      key_directory: ~/mdps-keys
      dest: ~/for-lft/
      contact: mdps-help@example.org
    context:
      ticket: MDPS-1234
  register: issued

- name: Show what was issued
  ansible.builtin.debug:
    msg: "{{ [issued] | mdps.venue_sts.issue_summary }}"

- name: Issue a token and send it as encrypted mail
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
    region: us-west-2
    handoff:
      channel: email
      public_keys:
        jdoe:
          key: "{{ lookup('ansible.builtin.file', 'keys/jdoe.asc') }}"
          email: jdoe@example.org
      email:
        host: mail.example.org
        sender: mdps@example.org
        username: mdps
        password: "{{ vault_mail_password }}"

- name: Issue a token and keep it in a file
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: jdoe
    region: us-west-2
    dest: ~/tokens/

- name: Issue a token for the next tasks, that can only read one folder, for half an hour
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

- name: Issue a token without AWS credentials, for a web identity token that AWX put into the environment of the job
  mdps.venue_sts.venue_sts_token:
    project: sbg
    venue: dev
    user: nightly-job
    region: us-west-2
    method: web_identity
    web_identity_token_variable: MDPS_WEB_IDENTITY_TOKEN
    expected_account_id: "123456789012"
  register: from_web_identity

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
receipt:
  description:
    - The receipt, without secrets. docs/receipt.md describes the fields. In check mode, the token that would be issued.
  returned: success; after a failure, if STS was called
  type: dict
  sample: {"schema": 2, "id": "r-20261122T093015Z-3fa91c07", "state": "delivered", "recipient": "jdoe",
    "project": "sbg", "venue": "dev", "account_id": "123456789012", "session_name": "jdoe-20261122T093015Z-3fa91c",
    "expires_at": "2026-11-22T10:30:15Z"}
delivered:
  description: Whether the token was delivered. V(false) in check mode.
  returned: O(handoff)
  type: bool
channel:
  description: The channel.
  returned: O(handoff)
  type: str
recipient_keys:
  description: The public keys that the token was sealed to, or would be in check mode. Compare them with their owner.
  returned: O(handoff)
  type: list
  elements: dict
  sample: [{"kind": "openpgp", "fingerprint": "0F1E2D3C4B5A69788796A5B4C3D2E1F00F1E2D3C", "name": "J. Doe
  <jdoe@example.org>"}]
target:
  description: Where the sealed token is.
  returned: O(handoff), when it was delivered
  type: str
path:
  description: The file that was written.
  returned: O(handoff.channel=file)
  type: str
sealed:
  description: The sealed text. Also returned if it could neither be delivered nor stored on disk.
  returned: O(handoff.channel=output)
  type: str
how_to_open:
  description: The command for the recipient.
  returned: O(handoff), when it was delivered
  type: str
  sample: age --decrypt --identity YOUR-PRIVATE-KEY-FILE
    --output sbg_dev_jdoe_20261122T093015Z-3fa91c07.zip sbg_dev_jdoe_20261122T093015Z-3fa91c07.zip.age
signature:
  description: The armored signature of RV(sealed).
  returned: O(handoff.channel=output) and O(handoff.sign_with) with an ssh key
  type: str
signature_path:
  description: The file with the signature, in the same folder as RV(path).
  returned: O(handoff.channel=file) and O(handoff.sign_with) with an ssh key
  type: str
how_to_verify:
  description: Commands for the recipient, to check the signature before opening the file.
  returned: O(handoff.sign_with), when it was delivered
  type: list
  elements: str
kept:
  description: The path of the sealed bundle. Send it again with M(mdps.venue_sts.venue_sts_handoff).
  returned: when it could not be delivered
  type: str
token:
  description: The JSON document of the procedure, as C(aws sts assume-role) prints it. Null in check mode.
  returned: success, without O(handoff) and O(dest)
  type: dict
  contains:
    AssumedRoleUser:
      description: The role session of the credentials.
      type: dict
      sample: {"AssumedRoleId": "AROAEXAMPLEEXAMPLEEX:jdoe-20261122T093015Z-3fa91c",
        "Arn": "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe-20261122T093015Z-3fa91c"}
    Credentials:
      description: The credentials, with C(AccessKeyId), C(SecretAccessKey), C(SessionToken) and C(Expiration).
      type: dict
sts_creds:
  description: The same credentials, with the names that amazon.aws uses. Null in check mode.
  returned: success, without O(handoff) and O(dest)
  type: dict
  contains:
    access_key:
      description: The access key ID.
      type: str
    secret_key:
      description: The secret access key.
      type: str
    session_token:
      description: The session token.
      type: str
    expiration:
      description: When the credentials expire, in UTC.
      type: str
      sample: "2026-11-22T10:30:15Z"
dest:
  description: The file that was written, or would be in check mode.
  returned: success, with O(dest)
  type: str
changed:
  description: Whether a token was requested. Issuing changes nothing in the account.
  returned: always
  type: bool
reused:
  description: Whether the result of an earlier task was returned again.
  type: bool
  returned: success
request:
  description: An identifier of the request within this run, for O(reuse). It does not disclose the request.
  type: str
  returned: with O(reuse)
request_files:
  description: The same for files that belong to the request, such as O(saml_assertion_file). Empty if there are none.
  type: str
  returned: with O(reuse)
request_settings:
  description: The same for the settings files of the AWS CLI and of Kion.
  type: list
  elements: str
  returned: success, with O(reuse)
error:
  description: The kind of failure, such as V(ExternalIdMismatch) or V(NotProvisioned); docs/errors.md lists them.
  returned: failure
  type: str
  sample: ExternalIdMismatch
"""

from ansible_collections.mdps.venue_sts.plugins.module_utils._module import run_module
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.phases import OPERATION


def main() -> None:
    run_module(OPERATION)


if __name__ == "__main__":
    main()
