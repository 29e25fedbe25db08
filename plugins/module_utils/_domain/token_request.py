# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What may be asked of STS for one token: the options checked, and what follows from them.

Limits: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from .arns import NAME_CHARACTERS, POLICY, parse_arn
from .errors import InvalidInput
from .policies import compact
from .times import iso

SHORTEST, LONGEST, CHAINED = 900, 43200, 3600
LONGEST_SESSION = timedelta(seconds=LONGEST)  # no role allows longer sessions
SESSION_POLICY_LENGTH, MOST_POLICY_ARNS = 2048, 10
_MFA_SERIAL = re.compile(rf"[:/{NAME_CHARACTERS}]{{9,256}}")
MOST_USED = 80  # per cent


class Duration(NamedTuple):
    """How long a token lives, and why that is less than was requested ('' if it is not)."""

    seconds: int
    capped_by: str = ""


def cap_duration(asked: int, role_maximum: int, *, chained: bool) -> Duration:
    """What STS grants: at most what the role allows, and at most an hour if the caller is the session of a role.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use.html
    """
    if chained and min(asked, role_maximum) > CHAINED:
        return Duration(
            CHAINED,
            "AWS gives at most 1 hour to a caller that is itself the session of a role, as with credentials from Kion "
            "(role chaining)",
        )
    if asked > role_maximum:
        return Duration(role_maximum, "the role's max_session_duration is shorter")
    return Duration(asked)


def check_session_policy(text: str) -> dict[str, Any]:
    """A session policy given as JSON text.

    :raises InvalidInput: no JSON object with a Statement, or more than 2,048 characters without white space.
    """
    try:
        policy = json.loads(text)
    except ValueError as error:
        raise InvalidInput("session_policy", f"is not JSON: {error}.") from None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise InvalidInput("session_policy", "is not a policy: a JSON object with Version and Statement is required.")
    return check_policy_size("session_policy", policy)


def check_policy_size(option: str, policy: dict[str, Any]) -> dict[str, Any]:
    """Hold a session policy to STS's limit in plain characters.

    AWS packs it too; that limit shows only in its answer.

    :raises InvalidInput: more than 2,048 characters.
    """
    length = len(compact(policy))
    if length > SESSION_POLICY_LENGTH:
        raise InvalidInput(
            option,
            f"the session policy has {length} characters and STS accepts {SESSION_POLICY_LENGTH}: specify fewer or "
            "shorter ones.",
        )
    return policy


def check_policy_arns(arns: Sequence[str], partition: str) -> tuple[str, ...]:
    """Managed policies that narrow a session.

    :raises InvalidInput: more than ten, or not the ARN of a policy in this partition.
    """
    if len(arns) > MOST_POLICY_ARNS:
        raise InvalidInput("policy_arns", f"names {len(arns)} policies and STS accepts {MOST_POLICY_ARNS}.")
    return tuple(
        str(
            parse_arn(
                "policy_arns",
                arn,
                service="iam",
                resource=POLICY,
                example="policy/NAME",
                partition=partition,
            )
        )
        for arn in arns
    )


def check_transitive(keys: Sequence[str], tags: Mapping[str, str]) -> tuple[str, ...]:
    """Keys of session tags that pass on along a chain of roles.

    :raises InvalidInput: a key that is not among the tags.
    """
    unknown = [key for key in keys if key not in tags]
    if unknown:
        raise InvalidInput("transitive_tag_keys", f"{', '.join(unknown)} is not among the tags.")
    return tuple(keys)


def check_mfa(serial: str | None, code: str | None) -> dict[str, str]:
    """An MFA device and its present code, as AssumeRole takes them.

    :raises InvalidInput: a serial number or code that no device has.
    """
    if not serial:
        return {}
    if not _MFA_SERIAL.fullmatch(serial):
        raise InvalidInput("mfa_serial_number", f"'{serial}' is neither a device's ARN nor its serial number.")
    if not re.fullmatch(r"[0-9]{6}", code or ""):
        raise InvalidInput("mfa_token", "must be the six digits that the device shows now.")
    return {"SerialNumber": serial, "TokenCode": code or ""}


def token_document(answer: Mapping[str, Any]) -> dict[str, Any]:
    """STS's answer as the JSON document of the procedure, field for field."""
    user, keys = answer["AssumedRoleUser"], answer["Credentials"]
    return {
        "AssumedRoleUser": {"AssumedRoleId": user["AssumedRoleId"], "Arn": user["Arn"]},
        "Credentials": {
            "SecretAccessKey": keys["SecretAccessKey"],
            "SessionToken": keys["SessionToken"],
            "Expiration": iso(keys["Expiration"]),
            "AccessKeyId": keys["AccessKeyId"],
        },
    }


def nearly_full(answer: Mapping[str, Any]) -> str:
    """Return a warning if policies and tags take most of what fits into a token, or an empty text.

    :param answer: the answer of AssumeRole. Newer ones say how full the token is, all say how full the request was.
    """
    used = answer.get("SessionTokenUtilization", answer.get("PackedPolicySize"))
    if not isinstance(used, int) or used <= MOST_USED:
        return ""
    return (
        f"Session policy, policy ARNs and session tags take {used} % of what STS accepts. A longer request will be "
        "refused: limit the role instead, or specify fewer folders, repositories or tags."
    )
