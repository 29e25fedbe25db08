# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One token in the forms that programs read: profile, JSON documents, lines for shells.

The texts contain the credentials in clear text. They are made in memory. The caller decides whether
and where they are written.
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

# Left over from other keys, these would win over the new ones: botocore reads AWS_SECURITY_TOKEN before
# AWS_SESSION_TOKEN, the JavaScript SDK prefers AWS_PROFILE to keys in the environment, and an AWS_CREDENTIAL_EXPIRATION
# that has passed makes botocore refuse valid keys. For that reason no file here sets AWS_CREDENTIAL_EXPIRATION.
RIVALS = ("AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CREDENTIAL_EXPIRATION")
# Set in a window, or in a notebook that runs on a cluster (EKS), these win over the profile that AWS_PROFILE names, and
# over its region. botocore and the AWS CLI 1 read AWS_DEFAULT_PROFILE first.
OTHER_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
)
PROFILE_FILE = "credentials"
NOTICE = "MDPS_VENUE_STS"  # a variable that is set and removed, for SETX to tell the desktop of a change


def token_files(token: Mapping[str, Any], region: str = "us-west-2", profile: str = "") -> dict[str, str]:
    """Return the texts of one token by file name.

    :param token: the JSON document of ``aws sts assume-role``: ``Credentials`` with ``AccessKeyId``,
        ``SecretAccessKey``, ``SessionToken`` and, where it is known, ``Expiration`` (ISO 8601); ``AssumedRoleUser``
        where there is one.
    :param region: the AWS region written beside the credentials.
    :param profile: the profile's name. The default is what ``profile_name`` returns.
    :raises InvalidInput: this is not a token, or it holds what no shell could take. No value is quoted.
    """
    plain = _plain(token)
    credentials = credentials_of(plain)
    check_region(region)
    name = check_profile_name(profile or profile_name(plain))
    variables = _variables(credentials, region)
    until = (
        f"Valid until {credentials['Expiration']}." if "Expiration" in credentials else "Its expiration is not known."
    )
    lines = (f"# {until}", f"[{name}]", *profile_lines(credentials, region))
    return {
        PROFILE_FILE: "".join(f"{line}\n" for line in lines),
        "token.json": _json(plain),
        "s3credentials.json": _json(_earthdata(credentials)),
        "credential_process.json": _json({"Version": 1, **credentials}),
        "env.sh": _sh(variables, until),
        "env.fish": _fish(variables, until),
        "env.cmd": _cmd(variables, until),
        "env.ps1": _powershell(variables, until),
        "desktop.cmd": _desktop(name, region, until),
    }


def profile_name(token: Mapping[str, Any]) -> str:
    """Return the default name of a profile: ``{account}-{project}-{venue}``, or ``venue-sts`` for other keys."""
    return default_profile_name(role_arn(_plain(token))) or "venue-sts"


def _plain(value: Any) -> Any:
    """The same value in plain types: a template's values are Ansible's own subclasses."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _variables(credentials: Mapping[str, str], region: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def _json(document: Any) -> str:
    return json.dumps(document, indent=4) + "\n"


def _earthdata(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the answer of NASA Earthdata's ``/s3credentials``, down to its form of the time."""
    names = {"accessKeyId": "AccessKeyId", "secretAccessKey": "SecretAccessKey", "sessionToken": "SessionToken"}
    document = {name: credentials[key] for name, key in names.items()}
    if "Expiration" in credentials:
        document["expiration"] = credentials["Expiration"].replace("T", " ").replace("Z", "+00:00")
    return document


def _sh(variables: Mapping[str, str], until: str) -> str:
    # Always quoted: zsh would expand a bare value that starts with "=".
    lines = [f"# For bash, zsh and sh: . ./env.sh   {until}", f"unset {' '.join(RIVALS)}"]
    lines += ["export {}='{}'".format(name, value.replace("'", "'\\''")) for name, value in variables.items()]
    return "\n".join([*lines, ""])


def _fish(variables: Mapping[str, str], until: str) -> str:
    # --global: a universal variable of that name is the user's own setting for every session, and stays.
    lines = [f"# For fish: source env.fish   {until}", f"set --erase --global {' '.join(RIVALS)}"]
    lines += [
        "set --global --export {} '{}'".format(name, re.sub(r"(['\\])", r"\\\1", value))
        for name, value in variables.items()
    ]
    return "\n".join([*lines, ""])


def _cmd(variables: Mapping[str, str], until: str) -> str:
    for name, value in variables.items():
        if set(value) & set('%!"'):
            # Doubling the percent sign works in a file, but not at the prompt, and these lines serve for both.
            raise InvalidInput(
                "token",
                f'the value for {name} contains one of % ! ", which the Windows command prompt would interpret.',
            )
    # "@" hides each line and leaves ECHO as the caller has it.
    lines = [f"@REM For the Windows command prompt: call env.cmd   {until}"]
    lines += [f'@SET "{name}="' for name in RIVALS]
    lines += [f'@SET "{name}={value}"' for name, value in variables.items()]
    return _crlf(lines)


def _desktop(profile: str, region: str, until: str) -> str:
    """Return a Windows command file for programs that are not started from a prompt.

    SETX keeps variables in the registry. It gets the path of the profile file and no key: keys would stay there in
    clear, SETX cuts long values off, and it takes a value that begins with a slash for an option of its own. REG DELETE
    removes them, but tells no program of it, so that the desktop would start programs with them until the user logs
    off. SETX tells: so undo sets another variable last.
    """
    variables = {
        "AWS_SHARED_CREDENTIALS_FILE": f"%~dp0{PROFILE_FILE}",
        "CPL_AWS_CREDENTIALS_FILE": f"%~dp0{PROFILE_FILE}",
        "AWS_PROFILE": profile,
        "AWS_REGION": region,
    }
    lines = [
        f"@REM For programs started from the desktop, and prompts opened after this. {until}",
        '@IF "%~1"=="undo" GOTO undo',
        f'@IF NOT EXIST "%~dp0{PROFILE_FILE}" (ECHO Extract the whole zip file first.& EXIT /B 1)',
        *(f'@IF DEFINED {name} ECHO Replaced, and not restored by undo: "{name}=%{name}%"' for name in variables),
        *(f'@SETX {name} "{value}"' for name, value in variables.items()),
        "@ECHO To end it, run: desktop.cmd undo",
        "@EXIT /B 0",
        ":undo",
        *(f"@REG DELETE HKCU\\Environment /V {name} /F" for name in variables),
        f"@SETX {NOTICE} ended",
        f"@REG DELETE HKCU\\Environment /V {NOTICE} /F",
    ]
    return _crlf(lines)


def _powershell(variables: Mapping[str, str], until: str) -> str:
    lines = [f"# For PowerShell: . .\\env.ps1   {until}", *(f"$Env:{name} = $null" for name in RIVALS)]
    lines += ["$Env:{} = '{}'".format(name, value.replace("'", "''")) for name, value in variables.items()]
    return _crlf(lines)


def _crlf(lines: Sequence[str]) -> str:
    return "\r\n".join([*lines, ""])
