# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A SAML response, read to choose the role and to say early and clearly why AWS would refuse it.

The signature is not verified here. A forged response can at most make these messages wrong: STS verifies and decides.

What AWS wants in it: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_saml_assertions.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from .arns import ROLE_ARN, SAML_PROVIDER, SIGN_IN_HOSTS, iam_arn
from .errors import InvalidInput
from .saml_text import FRESH_ONE, SamlProblem, cut_off, decode_file, extract
from .times import iso, parse_time
from .words import first_of

DEEPEST = 64
REDEEM_WITHIN = timedelta(minutes=5)
SKEW = timedelta(seconds=60)  # how far this clock and the identity provider's may be apart

ROLE_ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/Role"
SESSION_ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes/RoleSessionName"
_P, _A = "{urn:oasis:names:tc:SAML:2.0:protocol}", "{urn:oasis:names:tc:SAML:2.0:assertion}"
_PROVIDER_ARN = iam_arn(SAML_PROVIDER)
_SIGN_IN = rf"https://(?:[a-z0-9-]+\.)?(?:{'|'.join(map(re.escape, SIGN_IN_HOSTS.values()))})/saml"
_AUDIENCE = re.compile(rf"{_SIGN_IN}|urn:amazon:webservices(?::[a-z0-9-]+)?")
_RECIPIENT = re.compile(rf"{_SIGN_IN}(?:/acs/\S+)?")
# Lists of what a response is for are cut, since a hostile one can be long.
MOST_SHOWN, LONGEST_SHOWN = 10, 200

__all__ = ["Response", "RolePair", "SamlProblem", "check_fresh", "choose", "decode_file", "find_role", "read_response"]


class RolePair(NamedTuple):
    """A role that the response lets its bearer assume, and the provider that says so."""

    role_arn: str
    provider_arn: str


class Response(NamedTuple):
    """What was read. ``encoded`` is what STS gets. Times are those that bound its use, where it has them."""

    encoded: str
    is_encrypted: bool
    pairs: tuple[RolePair, ...]
    audiences: tuple[str, ...]
    recipients: tuple[str, ...]
    issued: datetime | None
    not_before: datetime | None
    not_on_or_after: datetime | None
    session_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Response(pairs={self.pairs})"  # while it is valid, the assertion is a secret like a key


def read_response(text: str) -> Response:
    """Read a response as it was copied from a browser, in one of the forms that ``saml_text`` knows.

    :raises SamlProblem: empty, cut off, too long, no SAML response, or with a document type, which no identity provider
        sends.
    """
    encoded = extract(text)
    root = _parse(_decode(encoded))
    if root.tag != f"{_P}Response":
        raise SamlProblem(f"This is XML, but not a SAML response. {FRESH_ONE}")
    status = next((code.get("Value", "") for code in root.iter(f"{_P}StatusCode")), "")
    if status and not status.endswith(":Success"):
        raise SamlProblem(f"The identity provider refused the login ({status.rsplit(':', 1)[-1][:LONGEST_SHOWN]}).")
    assertions = list(root.iter(f"{_A}Assertion"))
    is_encrypted = not assertions and next(root.iter(f"{_A}EncryptedAssertion"), None) is not None
    if not assertions and not is_encrypted:
        raise SamlProblem(f"The SAML response has no assertion in it. {FRESH_ONE}")
    conditions = [one for assertion in assertions for one in assertion.iter(f"{_A}Conditions")]
    confirmations = [one for assertion in assertions for one in assertion.iter(f"{_A}SubjectConfirmationData")]
    bounds = [*conditions, *confirmations]
    return Response(
        encoded=encoded,
        is_encrypted=is_encrypted,
        pairs=tuple(dict.fromkeys(_pairs(assertions))),
        audiences=tuple(_texts(one for condition in conditions for one in condition.iter(f"{_A}Audience"))),
        recipients=tuple(one.get("Recipient", "") for one in confirmations if one.get("Recipient")),
        issued=min(_times(assertions or [root], "IssueInstant"), default=None),
        not_before=max(_times(bounds, "NotBefore"), default=None),
        not_on_or_after=min(_times(bounds, "NotOnOrAfter"), default=None),
        session_names=tuple(_attribute_values(assertions, SESSION_ATTRIBUTE)),
    )


def find_role(response: Response, role_name: str, account_id: str = "") -> str:
    """Return the ARN of the role of that name among those the response is for.

    :param account_id: the account it must be in; empty if that is not known.
    :raises SamlProblem: there is none, or one in each of several accounts. The message lists what there is.
    """
    if response.is_encrypted:
        raise SamlProblem(
            "The assertion is encrypted, so only AWS can read which roles it is for. "
            "Set role_arn and saml_provider_arn."
        )
    named = sorted({pair.role_arn for pair in response.pairs if pair.role_arn.rsplit("/", 1)[1] == role_name})
    found = [arn for arn in named if account_id in ("", arn.split(":")[4])]
    if len(found) == 1:
        return found[0]
    if found:
        raise SamlProblem(
            f"The SAML response is for {role_name} in several accounts. "
            f"Set expected_account_id to one of them ({_listed(found)})."
        )
    where = f" in account {account_id}" if account_id else ""
    raise SamlProblem(f"The SAML response is not for the role {role_name}{where}. {_for_which(response)}")


def choose(response: Response, role_arn: str, provider_arn: str = "") -> RolePair:
    """Return the pair to assume the role with.

    :param provider_arn: which provider, where the response names several for the role, or is encrypted.
    :raises SamlProblem: the response is for other roles, or through other providers. The message lists those it is for.
    """
    if response.is_encrypted:
        if not provider_arn:
            raise SamlProblem(
                "The assertion is encrypted, so only AWS can read which provider it is for. Set saml_provider_arn."
            )
        return RolePair(role_arn, provider_arn)
    for_role = [pair for pair in response.pairs if pair.role_arn == role_arn]
    fitting = [pair for pair in for_role if provider_arn in ("", pair.provider_arn)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = _listed(pair.provider_arn for pair in fitting)
        raise SamlProblem(
            f"The SAML response names several providers for {role_arn}. Set saml_provider_arn to one of them ({names})."
        )
    if for_role:
        names = _listed(pair.provider_arn for pair in for_role)
        raise SamlProblem(f"The SAML response is not from the provider {provider_arn}, but from {names}.")
    raise SamlProblem(f"The SAML response is not for the role {role_arn}. {_for_which(response)}")


def _for_which(response: Response) -> str:
    if not response.pairs:
        return (
            f"It is not for an AWS role (it has no attribute {ROLE_ATTRIBUTE}). "
            "It was probably made for another application."
        )
    return f"It is for {_listed(pair.role_arn for pair in response.pairs)}."


def check_fresh(response: Response, now: datetime) -> None:
    """Check that a response is meant for AWS and still valid. Clocks may differ by a minute.

    Of an encrypted one, only the time of the response as a whole can be checked.

    :param now: the current time, aware.
    :raises SamlProblem: made for another service, too old, or not yet good.
    """
    if response.audiences and not any(_AUDIENCE.fullmatch(one) for one in response.audiences):
        raise SamlProblem(
            f"The SAML response was made for {_listed(response.audiences)}, not for AWS. "
            "Choose AWS at the identity provider."
        )
    if response.recipients and not any(_RECIPIENT.fullmatch(one) for one in response.recipients):
        raise SamlProblem(
            f"The SAML response is addressed to {_listed(response.recipients)}, not to AWS. "
            "Choose AWS at the identity provider."
        )
    ends = (
        [(response.issued + REDEEM_WITHIN, "AWS accepts it within 5 minutes of the login")] if response.issued else []
    )
    ends += [(response.not_on_or_after, "so its conditions say")] if response.not_on_or_after else []
    over = min(ends, default=None)
    if over and now >= over[0] + SKEW:
        raise SamlProblem(
            f"The SAML response has expired: it was valid until {iso(over[0])} ({over[1]}), and it is {iso(now)} now. "
            f"{FRESH_ONE}"
        )
    begins = max(filter(None, (response.issued, response.not_before)), default=None)
    if begins and now < begins - SKEW:
        raise SamlProblem(
            f"The SAML response is valid from {iso(begins)} on, and it is {iso(now)} now. "
            "Check the clock of this machine."
        )


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise cut_off(encoded) from None


def _parse(document: bytes) -> Element:
    """Parse without a document type: then there are no entities to expand and nothing outside to fetch."""
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate(namespace_separator="}")

    def qualified(name: str) -> str:
        return "{" + name if "}" in name else name

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise SamlProblem("The XML is nested deeper than any SAML response. It was not read further.")
        builder.start(qualified(name), {qualified(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(qualified(name))

    def refuse(*_: object) -> NoReturn:
        raise SamlProblem("The XML has a document type (DOCTYPE), which no SAML response has. It was not read further.")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, LookupError, ValueError):
        raise SamlProblem(
            f"The SAML assertion is not complete XML. It was probably cut off in copying. {FRESH_ONE}"
        ) from None
    return builder.close()


def _pairs(assertions: Iterable[Element]) -> Iterable[RolePair]:
    for text in _attribute_values(assertions, ROLE_ATTRIBUTE):
        parts = [part.strip() for part in text.split(",")]
        roles, providers = ([part for part in parts if kind.fullmatch(part)] for kind in (ROLE_ARN, _PROVIDER_ARN))
        if len(parts) == 2 and len(roles) == len(providers) == 1:  # in either order, as AWS accepts them
            yield RolePair(roles[0], providers[0])


def _attribute_values(assertions: Iterable[Element], name: str) -> Iterable[str]:
    for assertion in assertions:
        for attribute in assertion.iter(f"{_A}Attribute"):
            if attribute.get("Name") == name:
                yield from _texts(attribute.iter(f"{_A}AttributeValue"))


def _texts(elements: Iterable[Element]) -> list[str]:
    return [text for element in elements if (text := "".join(element.itertext()).strip())]


def _times(elements: Iterable[Element], attribute: str) -> list[datetime]:
    return [_time(element.get(attribute, "")) for element in elements if element.get(attribute)]


def _time(text: str) -> datetime:
    has_zone = bool(re.search(r"(?:Z|[+-]\d\d:?\d\d)$", text))  # SAML's times are in UTC, written or not
    try:
        return parse_time("SAML response", text if has_zone else f"{text}Z")
    except InvalidInput:
        raise SamlProblem("A time in the SAML response is not valid.") from None


def _listed(values: Iterable[str]) -> str:
    return first_of([one[:LONGEST_SHOWN] for one in sorted(set(values))], MOST_SHOWN)
