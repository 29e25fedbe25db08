# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue's names: its role, its parameters, its tags. The conventions are those of MDPS (once called Unity)."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import InvalidInput

ROLE_NAME_LENGTH = 64  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
CAPABILITY_VERSION = "1.0"  # of the layout of role, policies and parameters, not of this release
BOUNDARY_PARAMETER = "/unity/cs/account/privilegedpolicyname"

_WORD = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_PATH = re.compile(r"/|/[\x21-\x7e]{1,510}/")


class Venue(NamedTuple):
    """A project's deployment in one AWS account."""

    project: str
    venue: str

    def __str__(self) -> str:
        return f"{self.project}-{self.venue}"

    @property
    def external_id_parameter(self) -> str:
        """Where the external ID lives in SSM."""
        return f"/unity/{self.project}/{self.venue}/cs/sts/role/external-id"

    @property
    def bucket_parameter(self) -> str:
        """Where the venue's data bucket is published in SSM."""
        return f"/unity/{self.project}/{self.venue}/ds/datastore-bucket"

    def role_name(self, prefix: str = "unity") -> str:
        """The conventional name of the STS role.

        Hyphens make it ambiguous (unity + sbg-dev is also unity-sbg + dev): tags tell venues apart, never this name.

        :raises InvalidInput: longer than IAM's 64 characters, or with characters IAM refuses.
        """
        name = f"{prefix}-{self}-sts"
        if len(name) > ROLE_NAME_LENGTH:
            raise InvalidInput(
                "venue",
                f"the role name '{name}' has {len(name)} characters and IAM allows {ROLE_NAME_LENGTH}: shorten project or venue, or set role_name.",
            )
        return check_role_name("name_prefix", name)

    def tags(self, component: str) -> dict[str, str]:
        """The ten tags that every MDPS resource carries.

        :param component: ``role`` or ``external-id``.
        """
        return {
            "Name": f"{self}-cs-sts-{component}",
            "Proj": self.project,
            "Venue": self.venue,
            "Env": self.venue,
            "ServiceArea": "cs",
            "CreatedBy": "cs",
            "Capability": "sts",
            "CapVersion": CAPABILITY_VERSION,
            "Component": component,
            "Stack": component,
        }


def make_venue(project: str, venue: str) -> Venue:
    """A venue from its two names.

    :raises InvalidInput: a name that is not lower-case letters, digits and single hyphens, starting with a letter.
    """
    for option, text in (("project", project), ("venue", venue)):
        if not _WORD.fullmatch(text):
            raise InvalidInput(
                option,
                f"'{text}' must be lower-case letters and digits with single hyphens, and start with a letter (such as 'sbg' or 'sbg-dev').",
            )
    return Venue(project, venue)


def check_range(option: str, seconds: int, least: int, most: int) -> int:
    """A number of seconds within limits, both included.

    :raises InvalidInput: outside of them.
    """
    if not least <= seconds <= most:
        raise InvalidInput(option, f"{seconds} must be {least} to {most} seconds.")
    return seconds


def check_role_name(option: str, name: str) -> str:
    """A role's name: 1 to 64 of ``[A-Za-z0-9_+=,.@-]``.

    :raises InvalidInput: anything else.
    """
    if not _ROLE_NAME.fullmatch(name):
        raise InvalidInput(option, f"'{name}' is not a role name: 1 to 64 letters, digits and _+=,.@- are allowed.")
    return name


def check_path(path: str) -> str:
    """An IAM path: ``/``, or a text that begins and ends with one, at most 512 characters.

    :raises InvalidInput: anything else.
    """
    if not _PATH.fullmatch(path):
        raise InvalidInput("path", f"'{path}' must begin and end with '/', without spaces, in at most 512 characters.")
    return path


def check_session_name(option: str, name: str) -> str:
    """A session name or source identity: 2 to 64 of ``[A-Za-z0-9_+=,.@-]``.

    :raises InvalidInput: anything else.
    """
    if not _SESSION_NAME.fullmatch(name):
        raise InvalidInput(
            option, f"'{name}' must be 2 to 64 letters, digits and _+=,.@- without spaces (STS allows no others)."
        )
    return name


def check_external_id(option: str, value: str) -> str:
    """An external ID: 2 to 1,224 of ``[A-Za-z0-9_+=,.@:/-]``. The message never quotes it.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    :raises InvalidInput: anything else.
    """
    if not _EXTERNAL_ID.fullmatch(value):
        raise InvalidInput(
            option, "must be 2 to 1,224 letters, digits and _+=,.@:/- without spaces (the value is not shown)."
        )
    return value
