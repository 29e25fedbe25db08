# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User names: the one rule for tokens, hand-offs, key directories and surveys, and the session names made from them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import datetime

from .arns import NAME_CHARACTERS
from .errors import InvalidInput
from .times import STAMP, stamp

# The characters of a role session name, so that a user name goes into one as it is. None of them leaves a folder.
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_USER = re.compile(rf"(?![.-])[{NAME_CHARACTERS}]{{1,64}}")
_SUFFIX = re.compile(r"[0-9a-f]{6}")
_ENDING = rf"-{STAMP}-{_SUFFIX.pattern}"  # of a session name, after the user name
SUFFIX_BYTES = 3

_WHOLE_USER = 39  # with two hyphens, 16 characters of time and 6 of suffix: 63 of the 64 that STS accepts
_SHORTENED_USER = re.compile(r".{30}=[0-9a-f]{8}")

# Letters that Unicode does not decompose into an ASCII letter and an accent.
_LETTERS = str.maketrans(
    {
        "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe",
        "ı": "i", "ħ": "h", "ŧ": "t", "ŋ": "ng", "ĸ": "k",
        "'": "", "\N{RIGHT SINGLE QUOTATION MARK}": "", "\N{MODIFIER LETTER APOSTROPHE}": "",
    }
)  # fmt: skip
_NAME_LIKE = re.compile(r"(?:\w{1,24}(?:[ .,'\N{RIGHT SINGLE QUOTATION MARK}@-]+|$)){1,6}")


def check_user(option: str, text: str) -> str:
    """Return a user name: 1 to 64 of ``[A-Za-z0-9_+=,.@-]``, not beginning with ``.`` or ``-``.

    The message quotes nothing but a suggestion for text that looks like a person's name: anything else may be a secret
    that was given to the wrong option.

    :raises InvalidInput: anything else. A name is never changed silently.
    """
    if _USER.fullmatch(text):
        return text
    suggestion = suggest_user(text)
    advice = f"Use '{suggestion}', for example." if suggestion else "Choose a name of such characters."
    raise InvalidInput(
        option,
        "is not a user name. A user name has 1 to 64 of the letters A to Z and a to z, digits and _+=,.@- "
        f"and does not begin with a full stop or a hyphen. {advice}",
    )


def suggest_user(text: str) -> str:
    """Return a legal user name for a name (``José Núñez``: ``jose.nunez``), or '' where letters would be lost."""
    name = unicodedata.normalize("NFC", text).strip()
    if not _NAME_LIKE.fullmatch(name):
        return ""
    parts = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS))
    letters = "".join(one for one in parts if not unicodedata.combining(one))
    if not letters.isascii():
        return ""
    plain = re.sub(r"[^a-z0-9_@-]+", ".", letters).strip(".-")
    return plain if _USER.fullmatch(plain) else ""


def session_name(user: str, now: datetime, suffix: str) -> str:
    """Return the session name of a token, ``jdoe-20261122T093015Z-3fa91c``. S3 data events show nothing else of a user.

    Different arguments give different names. A user name that does not fit is shortened to its first 30 characters and
    a digest of the whole.

    :param user: a checked user name.
    :param now: the time of the issue, aware, in UTC.
    :param suffix: six hexadecimal digits, so that two tokens of one second differ.
    """
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError("the suffix of a session name must be six hexadecimal digits")
    return f"{_fit(user)}-{stamp(now)}-{suffix}"


def is_session_of(user: str, name: str) -> bool:
    """Whether a session name is one that ``session_name`` makes for a user."""
    return bool(re.fullmatch(rf"{re.escape(_fit(user))}{_ENDING}", name))


def is_generated(name: str) -> bool:
    """Whether a session name is one that ``session_name`` makes for somebody."""
    return bool(re.fullmatch(rf".+{_ENDING}", name))


def user_of(name: str) -> str:
    """Return the user for whom ``session_name`` makes a name; '' if it is none of its, or the user is shortened."""
    found = re.fullmatch(rf"(.+){_ENDING}", name)
    return found[1] if found and is_session_of(found[1], name) else ""


def session_pattern(user: str) -> str:
    """Return IAM's pattern for the names that ``session_name`` makes for a user. It makes none of them for another.

    A user name has none of the characters that have a meaning in it. What follows the name is always as long.
    """
    return f"{_fit(user)}-????????T??????Z-??????"


def _fit(user: str) -> str:
    """Return a user name, or its shortened form. A name that looks like a shortened form is shortened as well."""
    if len(user) <= _WHOLE_USER and not _SHORTENED_USER.fullmatch(user):
        return user
    return f"{user[:30]}={hashlib.sha256(user.encode()).hexdigest()[:8]}"
