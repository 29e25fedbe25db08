# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Named profiles in the AWS shared credentials file: their names, and the lines they are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .arns import ROLE_ARN, SESSION_ARN
from .errors import InvalidInput
from .secret_text import is_key

# Shell-safe and free of what ends or nests a section header; AWS itself sets no rule.
PROFILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+=,-]{0,127}")
REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]+)+-[0-9]+")
_VENUE_ROLE_NAME = re.compile(r"(?:unity-)?(.+?)-sts")

# The credentials file's names for what AssumeRole returns.
KEY_NAMES = {
    "AccessKeyId": "aws_access_key_id",
    "SecretAccessKey": "aws_secret_access_key",
    "SessionToken": "aws_session_token",
}


def credentials_of(token: Any) -> dict[str, str]:
    """Return the credentials in the output of ``aws sts assume-role``, and their ``Expiration`` if it is known.

    :raises InvalidInput: a key is missing or cannot be one. No value is quoted.
    """
    credentials = token.get("Credentials") if isinstance(token, dict) else None
    if not isinstance(credentials, dict):
        raise InvalidInput("token", "this is not the document that 'aws sts assume-role' prints: it has no Credentials")
    names = [*KEY_NAMES, *(["Expiration"] if credentials.get("Expiration") else [])]
    for name in names:
        value = credentials.get(name)
        if not is_key(value):
            raise InvalidInput(
                "token",
                f"Credentials.{name} is missing, or has characters that are not valid in an AWS key (spaces, line "
                "breaks, non-ASCII)",
            )
    return {name: credentials[name] for name in names}


def role_arn(token: Mapping[str, Any]) -> str:
    """Return the ARN of the session that the token is for; empty if the document has none (credentials of a broker)."""
    assumed = token.get("AssumedRoleUser")
    return str(assumed.get("Arn", "")) if isinstance(assumed, dict) else ""


def check_profile_name(name: str, option: str = "profile") -> str:
    """Return the name, if it can be one.

    :param option: the option that has it, for the message.
    :raises InvalidInput: brackets, line ends, blanks and the like; or ``DEFAULT``, which the file's format reserves.
    """
    if not PROFILE_NAME.fullmatch(name) or name == "DEFAULT":
        raise InvalidInput(
            option, "a profile's name has letters, digits and . _ @ + = , - only, 128 at most, and is not DEFAULT."
        )
    return name


def check_region(region: str) -> str:
    """Return the name of an AWS region, if it can be one. Only the form is checked, since AWS adds regions.

    :raises InvalidInput: it cannot.
    """
    if not REGION.fullmatch(region):
        raise InvalidInput("region", "this is not the name of an AWS region (MDPS uses us-west-2)")
    return region


def default_profile_name(arn: str) -> str:
    """Return ``{account}-{project}-{venue}`` from the ARN of a venue's STS role or session; empty for any other ARN."""
    role = ROLE_ARN.fullmatch(arn) or SESSION_ARN.fullmatch(arn)
    name = _VENUE_ROLE_NAME.fullmatch(role[3]) if role else None
    return f"{role[2]}-{name[1]}" if role and name else ""


def profile_lines(credentials: Mapping[str, str], region: str = "") -> list[str]:
    """Return the key lines of a profile, in the order of the procedure."""
    lines = [f"{name} = {credentials[key]}" for key, name in KEY_NAMES.items()]
    return [*lines, f"region = {region}"] if region else lines
