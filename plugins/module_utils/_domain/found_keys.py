# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS credentials in a text of any form in which they are found: JSON, XML, a profile, code, lines of a shell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .errors import InvalidInput
from .secret_text import is_key

_KEYS = r"(?:aws[._-]?)?(access[_-]?key(?:[_-]?id)?|secret[_-]?(?:access[_-]?)?key|(?:session|security)[_-]?token)"
# After a sign, in quotation marks or not, which a log may have escaped. Or after a space, a comma or the end of an XML
# tag, as in `setx NAME VALUE`: a short word there is no value.
_VALUE = r"""[\\"']*(?:\s*(?:=>|[:=])\s*[\\"']*([^\s"'\\,;<]+)|(?:\s*[,>]\s*|\s+)[\\"']*([A-Za-z0-9+/=]{16,}))"""
_NAMED = re.compile(_KEYS + _VALUE, re.IGNORECASE)
# As Terraform and the instance metadata service name it.
_TOKEN = re.compile(r"(?<![a-z0-9_-])(token)" + _VALUE, re.IGNORECASE)
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
    for name, value, spaced in _NAMED.findall(text):
        lowered = name.lower()
        found["a" if lowered[0] == "a" else "st" if "token" in lowered else "se"].add(value or spaced)
    if not found["st"]:
        found["st"] = {value or spaced for _name, value, spaced in _TOKEN.findall(text)}
    for kind, values in found.items():
        if len(values) != 1 or not all(map(is_key, values)):
            problem = "several values" if len(values) > 1 else "no valid value"
            raise InvalidInput(
                option,
                f"the file has {problem} for the {_KINDS[kind]}. It must contain the credentials of one token, "
                "as JSON, as a profile, or as lines like AWS_ACCESS_KEY_ID=…",
            )
    return FoundKeys(*(next(iter(found[kind])) for kind in _KINDS))
