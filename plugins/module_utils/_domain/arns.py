# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Amazon Resource Names, and what of them an option may name.

Format: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import InvalidInput

DNS_SUFFIX = {"aws-cn": "amazonaws.com.cn"}  # every other partition that MDPS may be in ends in amazonaws.com
# Where people sign in to the console of each partition; regions have names of their own below these.
SIGN_IN_HOSTS = {
    "aws": "signin.aws.amazon.com",
    "aws-us-gov": "signin.amazonaws-us-gov.com",
    "aws-cn": "signin.amazonaws.cn",
}
# What names of roles, users, policies, sessions and source identities may contain, inside the brackets of a pattern.
NAME_CHARACTERS = "A-Za-z0-9_+=,.@-"
ROLE_NAME = re.compile(rf"[{NAME_CHARACTERS}]{{1,64}}")
SESSION_NAME = re.compile(rf"[{NAME_CHARACTERS}]{{2,64}}")  # and a source identity
# The resource part of the ARN of a role or of a managed policy, as an option may give it.
ROLE = rf"role/[/{NAME_CHARACTERS}]+"
POLICY = rf"policy/[/{NAME_CHARACTERS}]+"
SAML_PROVIDER = r"saml-provider/[A-Za-z0-9._-]{1,128}"
IAM_PATH = r"/(?:[\x21-\x7e]{1,510}/)?"
_PARTITION, _ACCOUNT = "aws[a-z-]*", "[0-9]{12}"
ACCOUNT_ID = re.compile(_ACCOUNT)
_ARN = re.compile(rf"arn:({_PARTITION}):([a-z0-9-]+):([a-z0-9-]*):({_ACCOUNT}|aws|):(\S+)")


def iam_arn(resource: str) -> re.Pattern[str]:
    """Return a pattern for ARNs of IAM. Its first two groups are partition and account.

    :param resource: a regular expression for the resource part.
    """
    return re.compile(rf"arn:({_PARTITION}):iam::({_ACCOUNT}):{resource}")


ROLE_ARN = iam_arn(rf"role{IAM_PATH}({ROLE_NAME.pattern})")  # groups: partition, account, name
# Groups: partition, account, role name, session name. Those of AWS's own services have names of other forms.
SESSION_ARN = re.compile(rf"arn:({_PARTITION}):sts::({_ACCOUNT}):assumed-role/([^/]+)/(.*)")
_ROOT_ARN = iam_arn("root")


class Arn(NamedTuple):
    """The parts of an ARN."""

    partition: str
    service: str
    region: str
    account_id: str
    resource: str

    def __str__(self) -> str:
        return ":".join(("arn", *self))


def dns_suffix(partition: str) -> str:
    """What the host names of a partition's services end in."""
    return DNS_SUFFIX.get(partition, "amazonaws.com")


def sign_in_host(partition: str) -> str:
    """The host at which a partition's users sign in to the console, and to which SAML assertions go."""
    return SIGN_IN_HOSTS.get(partition, SIGN_IN_HOSTS["aws"])


def parse_arn(
    option: str, text: str, *, service: str, resource: str, example: str, partition: str = "", account_id: str = ""
) -> Arn:
    """Parse an ARN and hold it to what an option may name.

    :param option: the option's name, for the message.
    :param service: the service it must belong to, such as ``iam``.
    :param resource: a regular expression for the resource part, such as ``role/.+``.
    :param example: the resource part as the message shows it, such as ``role/NAME``.
    :param partition: the partition it must be in, if known.
    :param account_id: the account it must belong to, if known.
    :raises InvalidInput: it is no ARN, or one of something else, of another partition or account.
    """
    found = _ARN.fullmatch(text)
    arn = Arn(*found.groups()) if found else None
    if not arn or arn.service != service or not re.fullmatch(resource, arn.resource):
        region = "" if service == "iam" else "REGION"
        shape = f"arn:{partition or 'aws'}:{service}:{region}:ACCOUNT:{example}"
        hint = (
            " (an IAM ARN has no region, but keeps the colon: two before the account)"
            if re.match(rf"arn:{_PARTITION}:iam:[0-9]", text)
            else ""
        )
        raise InvalidInput(option, f"'{text}' is not an ARN of the form {shape}{hint}.")
    if partition and arn.partition != partition:
        raise InvalidInput(
            option, f"'{text}' is in partition {arn.partition}, but the region is in partition {partition}."
        )
    if account_id and arn.account_id != account_id:
        raise InvalidInput(option, f"'{text}' belongs to account {arn.account_id}, not to {account_id}.")
    return arn


def check_account_id(option: str, text: str) -> str:
    """An AWS account id: twelve digits, kept as text so that leading zeros stay.

    :raises InvalidInput: anything else.
    """
    if not ACCOUNT_ID.fullmatch(text):
        raise InvalidInput(
            option, f"'{text}' is not an AWS account ID (12 digits; quote it in YAML, so that leading zeros are kept)."
        )
    return text


def session_role_name(caller_arn: str) -> str:
    """The role whose session a caller is, or '' for a user or the account root.

    Credentials of a role session (Kion's are) make AssumeRole "role chaining", which AWS limits to one hour:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
    """
    found = SESSION_ARN.fullmatch(caller_arn)
    return found[3] if found else ""


def trusted_account(principal: str) -> str:
    """Return the account that a principal of a policy stands for, as its ID or as its root's ARN, or ''."""
    root = _ROOT_ARN.fullmatch(principal)
    return root[2] if root else principal if ACCOUNT_ID.fullmatch(principal) else ""
