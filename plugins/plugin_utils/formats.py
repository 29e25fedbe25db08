# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One token in every form its user may need: JSON, shell lines, an INI profile, a credential_process answer.

The texts hold the keys in clear. They are made in memory; writing them anywhere is the caller's decision.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.profiles import (
    check_profile_name,
    check_region,
    credentials_of,
    default_profile_name,
    profile_lines,
    role_arn,
)

# SETX cuts a value off here without an error (its help text: "the limit is 1024 characters").
SETX_LIMIT = 1024

# Left over from other keys, these would win over the new ones: botocore reads AWS_SECURITY_TOKEN before
# AWS_SESSION_TOKEN,
# the JavaScript SDK prefers AWS_PROFILE to keys in the environment.
RIVALS = ("AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")

EXPIRATION = "AWS_CREDENTIAL_EXPIRATION"


def token_files(token: Mapping[str, Any], region: str = "us-west-2", profile: str = "") -> dict[str, str]:
    """The texts of one token, by file name.

    :param token: the JSON document of ``aws sts assume-role``: ``Credentials`` with ``AccessKeyId``,
        ``SecretAccessKey``,
        ``SessionToken`` and, where it is known, ``Expiration`` (ISO 8601); ``AssumedRoleUser`` where there is one.
    :param region: the AWS region written beside the keys.
    :param profile: the profile's name; by default ``{account}-{project}-{venue}``, read from the role's ARN.
    :raises InvalidInput: the token is not one, or holds what no shell could take. No value is quoted.
    """
    plain = _plain(token)
    credentials = credentials_of(plain)
    check_region(region)
    name = check_profile_name(profile or default_profile_name(role_arn(plain)) or "venue-sts")
    variables = _variables(credentials, region)
    unset = (*RIVALS, *(() if EXPIRATION in variables else (EXPIRATION,)))
    until = (
        f"Good until {credentials['Expiration']}." if "Expiration" in credentials else "When it expires is not known."
    )
    return {
        "token.json": _json(plain),
        "env.sh": _sh(variables, unset, until),
        "env.fish": _fish(variables, unset, until),
        "env.cmd": _cmd(variables, unset, until),
        "env-setx.cmd": _setx(variables, until),
        "env.ps1": _powershell(variables, unset, until),
        "credentials": "".join(
            f"{line}\n" for line in (f"# {until}", f"[{name}]", *profile_lines(credentials, region))
        ),
        "credential_process.json": _json({"Version": 1, **credentials}),
    }


def _plain(value: Any) -> Any:
    """The same value in plain types: a template's values are Ansible's own subclasses."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _variables(credentials: Mapping[str, str], region: str) -> dict[str, str]:
    variables = {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if "Expiration" in credentials:
        variables[EXPIRATION] = credentials["Expiration"]
    return variables


def _json(document: Any) -> str:
    return json.dumps(document, indent=4) + "\n"


def _sh(variables: Mapping[str, str], unset: Sequence[str], until: str) -> str:
    # Always quoted: zsh would expand a bare value that starts with "=".
    lines = [f"# For bash, zsh and sh: . ./env.sh   {until}", f"unset {' '.join(unset)}"]
    lines += ["export {}='{}'".format(name, value.replace("'", "'\\''")) for name, value in variables.items()]
    return "\n".join([*lines, ""])


def _fish(variables: Mapping[str, str], unset: Sequence[str], until: str) -> str:
    # --global: a universal variable of that name is the user's own setting for every session, and stays.
    lines = [f"# For fish: source env.fish   {until}", f"set --erase --global {' '.join(unset)}"]
    lines += [
        "set --global --export {} '{}'".format(name, re.sub(r"(['\\])", r"\\\1", value))
        for name, value in variables.items()
    ]
    return "\n".join([*lines, ""])


def _cmd(variables: Mapping[str, str], unset: Sequence[str], until: str) -> str:
    for name, value in variables.items():
        if set(value) & set('%!"'):
            # Doubling the percent sign works in a file, yet not at the prompt, and these lines serve for both.
            raise InvalidInput(
                "token", f'the value for {name} has one of % ! ", which Windows cmd cannot take as they are'
            )
    lines = ["@ECHO OFF", f"REM For the Windows command prompt: call env.cmd   {until}"]
    lines += [f'SET "{name}="' for name in unset]
    lines += [f'SET "{name}={value}"' for name, value in variables.items()]
    return "\r\n".join([*lines, "@ECHO ON", ""])


def _setx(variables: Mapping[str, str], until: str) -> str:
    too_long = [name for name, value in variables.items() if len(value) > SETX_LIMIT or "\\" in value]
    if too_long:
        lines = [
            f"REM SETX cannot keep {', '.join(too_long)} whole (its limit is {SETX_LIMIT} characters, without backslashes).",
            "REM Use env.cmd instead.",
        ]
        return "\r\n".join(["@ECHO OFF", *lines, "@ECHO ON", "EXIT /B 1", ""])
    names = " ".join(variables)
    lines = [
        f"REM For every command prompt opened after this one (run env.cmd for this one)   {until}",
        "REM Take care: SETX stores the keys in clear in the registry, where they stay after they have expired. Remove them with",
        f"REM   FOR %V IN ({names}) DO REG DELETE HKCU\\Environment /V %V /F",
    ]
    return "\r\n".join(
        ["@ECHO OFF", *lines, *(f'SETX {name} "{value}"' for name, value in variables.items()), "@ECHO ON", ""]
    )


def _powershell(variables: Mapping[str, str], unset: Sequence[str], until: str) -> str:
    lines = [f"# For PowerShell: . .\\env.ps1   {until}", *(f"$Env:{name} = $null" for name in unset)]
    lines += ["$Env:{} = '{}'".format(name, value.replace("'", "''")) for name, value in variables.items()]
    return "\n".join([*lines, ""])
