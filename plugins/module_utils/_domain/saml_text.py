# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A SAML response as people paste it: from the developer tools of a browser, a file, or the page itself.

The result is the base64 text that the browser sends, and that STS accepts. No message quotes any of it.
"""

from __future__ import annotations

import codecs
import html
import itertools
import json
import quopri
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from .errors import VenueError

LONGEST = 100_000  # characters, https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html
LONGEST_PASTE = 10 * LONGEST
# A terminal passes at most so many characters of one pasted line.
TERMINAL_LINE = 4095
FRESH_ONE = "Log in to the identity provider again and copy the complete new SAMLResponse."
FIELD = "SAMLResponse"
MOST_FIELDS = 50  # places of its name that are looked at

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_INPUT = re.compile(rf"<input\b[^>]*\bname\s*=\s*[\"']?{FIELD}\b[^>]*>", re.IGNORECASE)
_VALUE = re.compile(r"\bvalue\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
# The field before its value, as forms, tables and copied commands have it; what follows belongs to other fields.
_LABEL = re.compile(rf"{FIELD}[\"']?\s*[=:]?\s*[\"']?")
_BASE64 = re.compile(r"[A-Za-z0-9+/=%_\s-]*")
# The next field of a form, or of a list with a field in each line. A line of base64 has neither colon nor tab.
_NEXT_FIELD = re.compile(r"\bRelayState\b|\n[ \t]*[\w.-]+[ ]*[:\t]")


class SamlProblem(VenueError):
    """The SAML response cannot be used, or not for this role. No part of it is quoted but ARNs, addresses and times."""


def decode_file(content: bytes) -> str:
    """Return the text of a file, which an editor may have saved in an encoding of its own.

    :raises SamlProblem: it is no text, or it has characters that no SAML response has.
    """
    mark = next((one for one in _MARKS if content.startswith(one)), b"")
    try:
        return content.removeprefix(mark).decode(_MARKS.get(mark, "utf-8"))
    except UnicodeDecodeError:
        raise SamlProblem(
            "The file does not contain text. Save the SAML response as plain text, in UTF-8 or ASCII."
        ) from None


def extract(text: str) -> str:
    """Return the base64 text of a response from what was pasted.

    :raises SamlProblem: there is none, or it is too long, or it is something else. The message says what.
    """
    if len(text) > LONGEST_PASTE:
        raise SamlProblem(f"This text has {len(text)} characters, more than any SAML response. {FRESH_ONE}")
    bare = _value(_unwrapped(text.replace("\ufeff", "")).strip())
    if "%" in bare:
        bare = unquote(bare)
    bare = "".join(bare.split())
    if not bare:
        raise SamlProblem(f"The SAML assertion is empty. {FRESH_ONE}")
    if bare.startswith("<"):
        raise SamlProblem(
            "This is the decoded XML; AWS requires the base64 text of SAMLResponse, as the browser sends it."
        )
    _check_characters(bare)
    if len(bare) > LONGEST:
        raise SamlProblem(f"The SAML assertion has {len(bare)} characters, and AWS accepts {LONGEST}.")
    return bare


def _unwrapped(text: str) -> str:
    """Return a text without what the shell of Windows (``copy as cURL (cmd)``) or a mail has put into it."""
    if '^"' in text or "^%" in text:
        text = text.replace("^", "")
    if "=3D" in text:  # the equals sign in quoted-printable, in which mail and saved pages (.eml, .mhtml) are
        text = quopri.decodestring(text.encode()).decode(errors="replace")
    return text


def _value(text: str) -> str:
    """Return the value of the field in JSON, in HTML, or in a form; else the text itself, without quotation marks."""
    if text[:1] in ("{", "["):
        return _in_json(text)
    tag = _INPUT.search(text)
    if tag:
        value = _VALUE.search(tag[0])
        return html.unescape(value[1] or value[2] or "") if value else ""
    labelled = [_first_value(text[one.end() :]) for one in itertools.islice(_LABEL.finditer(text), MOST_FIELDS)]
    if labelled:
        return max(labelled, key=len)  # the name may stand in another field as well, such as RelayState
    if "SAMLRequest" in text:
        raise SamlProblem("This is the SAMLRequest, the question of AWS. Copy the SAMLResponse, the answer to it.")
    return re.sub(r"^['\"]|['\"]$", "", text).partition("&")[0]


def _first_value(text: str) -> str:
    """Return the base64 text at the beginning, without the name of the next field."""
    found = _BASE64.match(_NEXT_FIELD.split(text, maxsplit=1)[0])
    return found[0] if found else ""


def _in_json(text: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise SamlProblem(f"This looks like JSON, but it was cut off in copying. {FRESH_ONE}") from None
    found = _search(content)
    if found is None:
        found = next((value for one in _texts(content) if (value := _value(one))), None)
    if found is None:
        raise SamlProblem(f"This is JSON without a field {FIELD}. {FRESH_ONE}")
    return found


def _search(content: Any) -> str | None:
    """Return the field's value, also from ``{"name": "SAMLResponse", "value": …}`` and from lists of values."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            value = one.get(FIELD, one.get("value") if one.get("name") == FIELD else None)
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, str):
                return value
            waiting += one.values()
    return None


def _texts(content: Any) -> Iterator[str]:
    """Yield the texts that name the field, the last one first: form data and pages, as HTTP archives have them."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (list, dict)):
            waiting += one.values() if isinstance(one, dict) else one
        elif isinstance(one, str) and FIELD in one and one.strip()[:1] not in ("{", "["):
            yield one


def _check_characters(bare: str) -> None:
    foreign = next((place for place, one in enumerate(bare) if not "!" <= one <= "~"), None)
    if foreign is None:
        return
    raise SamlProblem(
        f"Character {foreign + 1} of the SAML assertion is not ASCII, so it was changed when it was copied: by a word "
        f"processor, an email program, or a chat. {FRESH_ONE}"
    )


def cut_off(encoded: str) -> SamlProblem:
    """Return what to say about a response that is not whole."""
    if TERMINAL_LINE - 16 <= len(encoded) <= TERMINAL_LINE + 1:
        return SamlProblem(
            f"The SAML assertion was cut off after {len(encoded)} characters: a terminal accepts no more in one pasted "
            "line. Save it to a file from the clipboard or with an editor (docs/saml.md says how)."
        )
    return SamlProblem(
        f"The SAML assertion is not base64, or was cut off in copying ({len(encoded)} characters). {FRESH_ONE}"
    )
