# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets as people and files deliver them: with line ends, byte order marks, and damage. No message quotes one."""

from __future__ import annotations

import re

from .errors import InvalidInput

# A key is sent in an HTTP header: printable ASCII without blanks.
_KEY = re.compile(r"[\x21-\x7e]+")
# An access key id; it is no secret. https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html
ACCESS_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")
AROUND = " \t\r\n\v\f\0\ufeff"  # a vault block and a file end in a line break, and editors write byte order marks


def is_key(text: object) -> bool:
    """Return whether this can be a key or a token: printable ASCII without blanks."""
    return isinstance(text, str) and bool(_KEY.fullmatch(text))


def check_key(option: str, text: object) -> str:
    """Return a key without the white space around it.

    :raises InvalidInput: it is no text, it is empty, or it has characters that no key has.
    """
    key = str(text).strip(AROUND) if isinstance(text, str) else ""
    if is_key(key):
        return key
    raise InvalidInput(option, _problem(text, key, "a key contains only printable ASCII characters and no spaces"))


def check_password(option: str, text: object) -> str:
    """Return a password without the white space around it.

    :raises InvalidInput: it is no text, it is empty, or it has control characters.
    """
    password = str(text).strip(AROUND) if isinstance(text, str) else ""
    if password and password.isprintable():
        return password
    raise InvalidInput(option, _problem(text, password, "a password has no line breaks and no control characters"))


def _problem(text: object, stripped: str, rule: str) -> str:
    if not isinstance(text, str):
        return "is not a string. Put it in quotation marks."
    if not stripped:
        return "must not be empty. Set a value, or omit the option."
    return f"cannot be right: {rule}. It was probably damaged when it was copied. Copy it again."


def without(text: str, *secrets: str) -> str:
    """Return what somebody else wrote as one line of printable text, with these secrets replaced by ``***``."""
    for line in (lambda line: line, lambda line: " ".join(line.split())):
        text = line(text)
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = text.replace(secret, "***")
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
