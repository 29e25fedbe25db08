# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Session tags and source identity made from the context of a request, so that CloudTrail shows why and for whom."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from .names import is_session_name
from .tags import MOST_TAGS

TAG_SESSION, SET_SOURCE_IDENTITY = "sts:TagSession", "sts:SetSourceIdentity"
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


def context_identity(context: Mapping[str, str]) -> str:
    """Return the requester as a source identity; '' if AWS would not accept the name.

    It is not altered: it could then be the name of somebody else.
    """
    requester = context.get("requester", "")
    return requester if is_session_name(requester) else ""


def session_names(
    context: Mapping[str, str], extras: Mapping[str, Any], allows: Callable[[str], bool]
) -> dict[str, Any]:
    """Return the parameters of AssumeRole that name the session by its request, beside those that were given.

    :param extras: the parameters that were given. Their tags stay, and their source identity is not replaced.
    :param allows: whether the trust policy may allow the caller an action.
    """
    names: dict[str, Any] = {}
    given = list(extras.get("Tags", ()))
    taken = {tag["Key"].lower() for tag in given}
    tags = [{"Key": key, "Value": value} for key, value in context_tags(context).items() if key.lower() not in taken]
    if tags and len(given) + len(tags) <= MOST_TAGS and allows(TAG_SESSION):
        names["Tags"] = given + tags
    identity = context_identity(context)
    if identity and "SourceIdentity" not in extras and allows(SET_SOURCE_IDENTITY):
        names["SourceIdentity"] = identity
    return names


def _legal(text: str) -> str:
    return " ".join(_ILLEGAL.sub(" ", unicodedata.normalize("NFC", text)).split())[:LONGEST_VALUE].strip()
