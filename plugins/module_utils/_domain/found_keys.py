# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS credentials in a text of any form in which they are found: JSON, a profile, shell or PowerShell lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .errors import InvalidInput
from .secret_text import is_key

_NAMED = re.compile(
    r"""["']?(?:aws_?)?(access_?key(?:_?id)?|secret_?(?:access_?)?key|session_?token)["']?\s*[:=]\s*["']?([^\s"',;]+)""",
    re.IGNORECASE,
)
_KINDS = {"a": "access key id", "se": "secret access key", "st": "session token"}


@dataclass(frozen=True)
class FoundKeys:
    """One set of temporary credentials."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


def parse_keys(option: str, text: str) -> FoundKeys:
    """The keys in a text.

    :param option: the option that names the file, for the message, which quotes nothing of the text.
    :raises InvalidInput: the text has no credentials, a part of them, or those of several tokens.
    """
    found: dict[str, set[str]] = {kind: set() for kind in _KINDS}
    for name, value in _NAMED.findall(text):
        lowered = name.lower()
        found["a" if lowered[0] == "a" else "st" if "token" in lowered else "se"].add(value)
    for kind, values in found.items():
        if len(values) != 1 or not all(map(is_key, values)):
            problem = "several values" if len(values) > 1 else "no valid value"
            raise InvalidInput(
                option,
                f"the file has {problem} for the {_KINDS[kind]}. It must contain the credentials of one token, "
                "as JSON, as a profile, or as lines like AWS_ACCESS_KEY_ID=…",
            )
    return FoundKeys(*(next(iter(found[kind])) for kind in _KINDS))
