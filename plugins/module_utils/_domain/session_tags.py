# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Session tags made from the context of a request, so that CloudTrail shows why a token was issued."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

TAGGED = ("reason", "ticket", "requester")
LONGEST_VALUE = 256
# https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html: letters, digits, spaces and these.
_ILLEGAL = re.compile(r"[^\w .:/=+\-@]")


def context_tags(context: Mapping[str, str]) -> dict[str, str]:
    """Return the session tags of a context: reason, ticket and requester, in characters that AWS accepts.

    A character that AWS does not accept becomes a space, and a value is cut at 256 characters. The receipt has the
    whole text.
    """
    return {name.capitalize(): _legal(context[name]) for name in TAGGED if context.get(name)}


def _legal(text: str) -> str:
    return " ".join(_ILLEGAL.sub(" ", unicodedata.normalize("NFC", text)).split())[:LONGEST_VALUE].strip()
