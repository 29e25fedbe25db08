# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue's names: its role, its parameters, its tags. The conventions are those of MDPS (once called Unity)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .arns import IAM_PATH, NAME_CHARACTERS, ROLE_NAME, SESSION_NAME
from .errors import InvalidInput

ROLE_NAME_LENGTH = 64  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
CHECK_SESSION = "mdps-venue-sts-check"  # the session by which provisioning proves that the role can be assumed
CAPABILITY = "sts"  # what MDPS calls this part of it
CAPABILITY_VERSION = "1.0"  # of the layout of role, policies and parameters, not of this release
BOUNDARY_PARAMETER = "/unity/cs/account/privilegedpolicyname"

# What role names, SSM parameter names and tag values all allow.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
_PARAMETER_NAME = re.compile(r"(?!/?(?:aws|ssm))(?:(?:/[\w.-]+)+|[\w.-]+)", re.ASCII | re.IGNORECASE)
_PARAMETER_NAME_LENGTH, _PARAMETER_LEVELS = 1011, 15
_EXTERNAL_ID = re.compile(rf"[:/{NAME_CHARACTERS}]{{2,1224}}")
_PATH = re.compile(IAM_PATH)


class Venue(NamedTuple):
    """A project's deployment in one AWS account. The names keep the spelling that the admin gave them."""

    project: str
    venue: str

    def __str__(self) -> str:
        return f"{self.project}-{self.venue}"

    @property
    def key(self) -> tuple[str, str]:
        """The two names without case, to compare venues: IAM role names have no case either."""
        return self.project.lower(), self.venue.lower()

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
                f"the role name '{name}' has {len(name)} characters and IAM allows {ROLE_NAME_LENGTH}: shorten "
                "project or venue, or set role_name.",
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
            "Capability": CAPABILITY,
            "CapVersion": CAPABILITY_VERSION,
            "Component": component,
            "Stack": component,
        }


def make_venue(project: str, venue: str) -> Venue:
    """A venue from its two names, in the spelling given.

    :raises InvalidInput: a name with characters that role names, SSM parameters or tags refuse.
    """
    for option, text in (("project", project), ("venue", venue)):
        if not _NAME.fullmatch(text):
            raise InvalidInput(
                option,
                f"'{text}' is not a name: use letters, digits, '-', '_' and '.', and begin with a letter or a digit "
                "(such as 'sbg', 'DEV' or 'sbg-dev'). IAM and SSM allow no others.",
            )
    return Venue(project, venue)


class ParameterNames(NamedTuple):
    """The SSM parameters of a venue: its external ID, its data bucket and the account's permissions boundary."""

    external_id: str
    bucket: str
    boundary: str


def parameter_names(venue: Venue, options: Mapping[str, Any]) -> ParameterNames:
    """The names of a venue's SSM parameters: the conventional ones, except where an option names another.

    :param options: may hold ``external_id_parameter``, ``bucket_parameter`` and ``boundary_parameter``.
    :raises InvalidInput: an option is not the name of an SSM parameter.
    """
    conventional = {
        "external_id_parameter": venue.external_id_parameter,
        "bucket_parameter": venue.bucket_parameter,
        "boundary_parameter": BOUNDARY_PARAMETER,
    }
    return ParameterNames(
        *(
            usual if options.get(option) is None else check_parameter_name(option, options[option])
            for option, usual in conventional.items()
        )
    )


def chosen_role_name(venue: Venue, options: Mapping[str, Any]) -> str:
    """The name of a venue's role: that of the option ``role_name``, or the conventional one.

    :param options: has ``role_name`` and ``name_prefix``.
    :raises InvalidInput: IAM allows no such name.
    """
    if options["role_name"] is not None:
        return check_role_name("role_name", options["role_name"])
    return venue.role_name(options["name_prefix"])


def check_parameter_name(option: str, name: str) -> str:
    """The name of an SSM parameter: with a path it begins with ``/``, and has no version or label.

    :raises InvalidInput: anything else.
    """
    fits = len(name) <= _PARAMETER_NAME_LENGTH and name.count("/") <= _PARAMETER_LEVELS
    if not fits or not _PARAMETER_NAME.fullmatch(name):
        raise InvalidInput(
            option,
            f"'{name}' is not the name of an SSM parameter: a path begins with '/' (such as "
            "'/unity/sbg/dev/cs/sts/role/external-id'), letters, digits and _.- are allowed, and no name begins with "
            "'aws' or 'ssm'.",
        )
    return name


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
    if not ROLE_NAME.fullmatch(name):
        raise InvalidInput(option, f"'{name}' is not a role name: 1 to 64 letters, digits and _+=,.@- are allowed.")
    return name


def check_path(path: str) -> str:
    """An IAM path: ``/``, or a text that begins and ends with one, at most 512 characters.

    :raises InvalidInput: anything else.
    """
    if not _PATH.fullmatch(path):
        raise InvalidInput("path", f"'{path}' must begin and end with '/', without spaces, in at most 512 characters.")
    return path


def is_session_name(name: str) -> bool:
    """Whether AWS accepts a text as a session name or source identity."""
    return bool(SESSION_NAME.fullmatch(name))


def check_session_name(option: str, name: str) -> str:
    """A session name or source identity: 2 to 64 of ``[A-Za-z0-9_+=,.@-]``.

    :raises InvalidInput: anything else.
    """
    if not is_session_name(name):
        raise InvalidInput(
            option, f"'{name}' must be 2 to 64 letters, digits and _+=,.@- without spaces (STS allows no others)."
        )
    return name


def check_external_id(option: str, value: str) -> str:
    """An external ID: 2 to 1,224 of ``[A-Za-z0-9_+=,.@:/-]``. The message never quotes it.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html

    :raises InvalidInput: anything else.
    """
    if not is_external_id(value):
        raise InvalidInput(
            option, "must be 2 to 1,224 letters, digits and _+=,.@:/- without spaces (the value is not shown)."
        )
    return value


def is_external_id(value: str) -> bool:
    """Whether STS accepts a text as an external ID."""
    return bool(_EXTERNAL_ID.fullmatch(value))
