# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A web identity token (a JWT), read to say early and clearly why AWS would refuse it.

The signature is not verified here. A forged token can at most make these messages wrong: STS verifies and decides.

Format: https://www.rfc-editor.org/rfc/rfc7519
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .errors import VenueError
from .oidc import GITHUB, OidcProvider, read_issuer
from .times import iso

LONGEST = 20000  # characters of a token, by STS
MOST_BRACKETS = 256  # a token has some tens
LONGEST_SHOWN = 200  # characters of a claim in a message
LATE = timedelta(minutes=5)  # after its end, AWS still takes a token
SKEW = timedelta(seconds=60)  # how far this clock and the issuer's may be apart
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
_PARTS, _ENCRYPTED_PARTS = 3, 5
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_BASE64 = re.compile(r"[A-Za-z0-9_-]+=*")


class WebIdentityProblem(VenueError):
    """The web identity token would be refused, or STS has refused it."""


class WebIdentity(NamedTuple):
    """What was read.

    :param encoded: what STS gets. Secret.
    :param issuer: the ``iss`` claim without ``https://``.
    """

    encoded: str
    issuer: str
    audiences: tuple[str, ...]
    subject: str
    expires: datetime
    not_before: datetime | None = None

    def __repr__(self) -> str:
        return f"WebIdentity(issuer={self.issuer!r}, subject={self.subject!r})"  # the token is a secret like a key

    @property
    def context(self) -> dict[str, str]:
        """What the context of the receipt says about it."""
        return {"web_identity_issuer": self.issuer, "web_identity_subject": self.subject}


def read_token(text: str) -> WebIdentity:
    """Read a token.

    :raises WebIdentityProblem: it is no JWT, is not signed in a way that STS accepts, or lacks a claim that STS needs.
    """
    encoded = text.strip()
    parts = encoded.split(".")
    if not encoded:
        raise WebIdentityProblem("The web identity token is empty.")
    if len(encoded) > LONGEST:
        raise WebIdentityProblem(f"The web identity token has {len(encoded)} characters, and STS accepts {LONGEST}.")
    if len(parts) == _ENCRYPTED_PARTS:
        raise WebIdentityProblem("The web identity token is encrypted (JWE). AWS accepts only signed ones.")
    if len(parts) != _PARTS:
        raise WebIdentityProblem(
            "This is not a web identity token: a JWT has three parts with dots between. It was probably cut off, or is "
            "a token of another kind."
        )
    _check_signed(_decode(parts[0]), parts[2])
    claims = _decode(parts[1])
    return WebIdentity(
        encoded=encoded,
        issuer=_issuer(claims),
        audiences=_audiences(claims),
        subject=_text(claims, "sub"),
        expires=_time(claims, "exp"),
        not_before=_time(claims, "nbf") if "nbf" in claims else None,
    )


def _decode(part: str) -> dict[str, Any]:
    """A part of the token, which anybody can have written."""
    try:
        if not _BASE64.fullmatch(part):
            raise ValueError("not base64url")
        text = base64.urlsafe_b64decode(part.rstrip("=") + "=" * (-len(part.rstrip("=")) % 4)).decode("utf-8")
        if text.count("{") + text.count("[") > MOST_BRACKETS:
            raise ValueError("nested too deeply")
        found = json.loads(text)
    except (ValueError, RecursionError, binascii.Error):
        raise WebIdentityProblem(
            "This is not a web identity token: its parts are not JSON in base64url. It was probably cut off or changed "
            "in copying."
        ) from None
    if not isinstance(found, dict):
        raise WebIdentityProblem("This is not a web identity token: its parts are not JSON objects.")
    return found


def _check_signed(header: Mapping[str, Any], signature: str) -> None:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm.lower() == "none" or not signature:
        raise WebIdentityProblem("The web identity token is not signed (alg: none). AWS accepts only signed ones.")
    if algorithm not in ALGORITHMS:
        raise WebIdentityProblem(
            f"The web identity token is signed with {algorithm[:LONGEST_SHOWN]}. AWS accepts {', '.join(ALGORITHMS)}."
        )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise WebIdentityProblem(f"The web identity token has no string claim '{name}'.")
    return value


def _issuer(claims: Mapping[str, Any]) -> str:
    text = _text(claims, "iss")
    try:
        return read_issuer(text)
    except ValueError:
        raise WebIdentityProblem(
            f"The issuer of the web identity token, '{text[:LONGEST_SHOWN]}', is not an https address that IAM accepts."
        ) from None


def _audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    given = claims.get("aud")
    found = given if isinstance(given, list) else [given]
    if given is None and claims.get("token_use") == "access":
        raise WebIdentityProblem("This is the access token of Cognito, which has no audience. Use the ID token.")
    if not found or not all(isinstance(one, str) and one and one.isprintable() for one in found):
        raise WebIdentityProblem("The web identity token has no string claim 'aud'.")
    return tuple(found)


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < _LATEST:
        raise WebIdentityProblem(f"The web identity token has no claim '{name}' that is a time in seconds.")
    return datetime.fromtimestamp(value, UTC)


def check_fresh(token: WebIdentity, now: datetime) -> None:
    """Check the times of a token.

    :raises WebIdentityProblem: it has expired, or is not yet valid.
    """
    if now >= token.expires + LATE:
        raise WebIdentityProblem(
            f"The web identity token expired at {iso(token.expires)}. Get a new one from {token.issuer}."
        )
    if token.not_before and now < token.not_before - SKEW:
        raise WebIdentityProblem(
            f"The web identity token is not valid before {iso(token.not_before)}. Check the clock of this machine "
            f"({iso(now)})."
        )


def check_accepted(token: WebIdentity, providers: Sequence[OidcProvider]) -> None:
    """Check a token against what the venue's role accepts.

    :raises WebIdentityProblem: wrong issuer, audience or subject.
    """
    provider = next((one for one in providers if one.issuer == token.issuer), None)
    if not provider:
        raise WebIdentityProblem(
            f"The web identity token was issued by {_shown(token.issuer)}, which the venue does not trust. It trusts "
            f"{', '.join(one.issuer for one in providers)} (oidc_providers)."
        )
    if not set(provider.audiences).intersection(token.audiences):
        raise WebIdentityProblem(
            f"The web identity token is for the audience {_shown(', '.join(token.audiences))}, and the venue accepts "
            f"{', '.join(provider.audiences)} from {token.issuer} (oidc_providers)."
        )
    if not provider.accepts(token.subject):
        raise WebIdentityProblem(
            f"The web identity token is about the subject {_shown(token.subject)}, and the venue accepts "
            f"{', '.join(provider.subjects)} from {token.issuer} (oidc_providers).{github_advice(token)}"
        )


def github_advice(token: WebIdentity) -> str:
    """What to say about a subject of GitHub's that has the numbers of owner and repository in it, or ''."""
    if token.issuer != GITHUB or not re.match(r"repo:[^:]+@\d+:", token.subject):
        return ""
    return (
        " GitHub puts the numbers of owner and repository into the subject of repositories that were created, renamed "
        "or moved after 15 July 2026: write the subject in that form."
    )


def _shown(text: str) -> str:
    return f"'{text[:LONGEST_SHOWN]}'"
