# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The zip file for a recipient: the credentials in several formats and instructions. It is made in memory."""

from __future__ import annotations

import contextlib
import functools
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.profiles import check_profile_name
from ..module_utils._domain.times import parse_time
from ..module_utils._files import open_regular
from ._command_words import word
from ._formats import OTHER_KEYS, profile_name, token_files
from ._readme_facts import readme_facts

TEMPLATE = Path(__file__).parent / "_recipient_readme.txt.j2"
CLIENTS = Path(__file__).parent / "_recipient_clients.txt.j2"
FILES = Path(__file__).parent / "_recipient_files"
CONSOLE_LINK = ("console_link.py", "console_link.ps1")
# What a template can raise: Jinja's own errors, and those of the expressions in it.
BROKEN_TEMPLATE = (TemplateError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
README = "README.txt"
RENEW_SH, RENEW_PS1 = "renew.sh", "renew.ps1"
DEFAULT_CONTACT = "the MDPS admin who sent you this"
# A token and its receipt, to try everything with before there is one. The credentials are those of AWS's documentation.
EXAMPLE_TOKEN = {
    "Credentials": {
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "SessionToken": "EXAMPLE" * 64,
        "Expiration": "2026-11-22T10:30:15+00:00",
    },
    "AssumedRoleUser": {
        "AssumedRoleId": "AROACLKWSDQRAOEXAMPLE:jdoe",
        "Arn": "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe",
    },
}
_EXAMPLE = {
    "recipient": "jdoe",
    "project": "sbg",
    "venue": "dev",
    "account_id": "123456789012",
    "region": "us-west-2",
    "role_arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
    "session_name": "jdoe-20261122T093015Z-3fa91c",
    "issued_at": "2026-11-22T09:30:15Z",
    "expires_at": "2026-11-22T10:30:15Z",
    "allows": {"access": ["s3_read"], "buckets": ["bucket"], "bucket_prefixes": [], "ecr_repositories": []},
}


@dataclass(frozen=True)
class Bundle:
    """A zip file that is not sealed.

    :param texts: its files by name. Of a token that does not exist, they are only tried, so they are packed later.
    :param made_at: the time stamp of all files, aware.
    :param stem: the file name without its suffixes.
    :param subject: one line that says what it is, without a secret.
    :param note: what the recipient compares with the sender, by telephone or in person.
    """

    texts: Mapping[str, str] = field(repr=False)
    made_at: datetime
    stem: str
    subject: str
    note: str = ""

    @functools.cached_property
    def zip(self) -> bytes:
        """The zip file. The same bundle gives the same bytes: the README is first, the others are sorted."""
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(self.texts, key=lambda name: (name != README, name)):
                entry = zipfile.ZipInfo(name, self.made_at.timetuple()[:6])
                entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
                archive.writestr(entry, self.texts[name].encode())
        return memory.getvalue()


@dataclass(frozen=True)
class BundleSettings:
    """What the admin decides about bundles.

    :param time_zone: the IANA name of the zone in which the README states the end.
    :param contact: whom the README names for questions.
    :param profile_name: the name of the AWS profile; '' for ``{account}-{project}-{venue}``.
    :param readme_template: a Jinja template of the site's own.
    :param console_link: add scripts with which the recipient makes a link to the AWS console.
    """

    time_zone: str = "America/Los_Angeles"
    contact: str = DEFAULT_CONTACT
    profile_name: str = ""
    readme_template: Path = TEMPLATE
    console_link: bool = False

    def example(self) -> Bundle:
        """Return the bundle of a token that does not exist, so that what cannot work is found before there is one.

        :raises InvalidInput: the profile name or the time zone cannot be right, a text is not one line, or the template
            does not work.
        """
        if not self.contact.isprintable():
            raise InvalidInput("contact", "contains a line break or another control character.")
        if self.profile_name:
            check_profile_name(self.profile_name, "profile_name")
        return build_bundle(_EXAMPLE, EXAMPLE_TOKEN, self, "example")


def renewal_scripts() -> dict[str, str]:
    """Return the helper for ``credential_process`` that fetches the next tokens of a lease, in two languages."""
    return {
        RENEW_SH: (FILES / RENEW_SH).read_text(encoding="utf-8"),
        RENEW_PS1: _crlf((FILES / RENEW_PS1).read_text(encoding="utf-8")),
    }


def build_bundle(
    receipt: Mapping[str, Any],
    token: Mapping[str, Any],
    settings: BundleSettings,
    stem: str,
    verify: Sequence[str] = (),
    *,
    more: Mapping[str, str] | None = None,
) -> Bundle:
    """Return the bundle of a token.

    :param receipt: the receipt of the issued token as JSON.
    :param stem: the file name without its suffixes; Windows extracts the zip file into a folder of this name.
    :param verify: commands with which the recipient verifies the sender's signature; none if it is not signed.
    :param more: further files, by name.
    :raises InvalidInput: the token or the settings cannot be right.
    """
    profile = settings.profile_name or profile_name(token)
    texts = token_files(token, receipt["region"], profile)
    if settings.console_link:
        texts |= {name: _crlf((FILES / name).read_text(encoding="utf-8")) for name in CONSOLE_LINK}
    texts |= more or {}
    own = {"folder": stem, "profile": profile, "verify": list(verify), "renewal": RENEW_SH in texts}
    facts = _facts(receipt, settings, own)
    texts["CLIENTS.txt"] = _render(CLIENTS, facts)
    texts[README] = _render(settings.readme_template, {**facts, "files": sorted(texts)})
    until = f"{parse_time('receipt', receipt['expires_at']):%Y-%m-%d %H:%M} UTC"
    subject = f"Your access to the MDPS venue {receipt['project']}-{receipt['venue']} until {until}"
    note = (
        f"Before you use it, ask the sender by telephone or in person for the AWS account ({receipt['account_id']}) "
        f"and the expiration ({until}). If they do not match, do not use it."
    )
    return Bundle(texts, parse_time("receipt", receipt["issued_at"]), stem, subject, note)


def _facts(receipt: Mapping[str, Any], settings: BundleSettings, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the texts may say: facts of the receipt and the settings, none of the credentials."""
    ends = parse_time("receipt", receipt["expires_at"])
    return {
        **readme_facts(receipt),
        "ends_local": f"{ends.astimezone(zone(settings.time_zone)):%A %d %B %Y, %H:%M %Z}",
        "ends_utc": f"{ends:%Y-%m-%d %H:%M} UTC",
        "contact": settings.contact,
        "console_link": settings.console_link,
        "rivals": OTHER_KEYS,
        **more,
    }


def zone(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    :raises InvalidInput: this machine does not know it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "time_zone", f"{name!r} is not a time zone known here. Use an IANA name such as America/Los_Angeles."
        ) from None


def _render(template: Path, facts: Mapping[str, Any]) -> str:
    """Render a template for somebody with a Windows laptop, with the line ends of Notepad.

    Sandboxed and strict: a site's own template gets texts only, and a misspelt name is an error, not a gap.
    """
    try:
        with open(template, encoding="utf-8", opener=open_regular) as stream:
            text = _compiled(stream.read()).render(facts)
    except BROKEN_TEMPLATE as error:
        # Of an error in an expression only the type is shown: its text may quote any value.
        said = str(error) if isinstance(error, (TemplateError, OSError, UnicodeDecodeError)) else type(error).__name__
        raise InvalidInput("readme_template", f"{template} does not work ({said.rstrip('.')}).") from None
    return _crlf(text)


@functools.lru_cache(maxsize=8)
def _compiled(text: str) -> Template:
    environment = SandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["word"] = word
    return environment.from_string(text)


def prepare() -> None:
    """Compile the collection's own templates and read the usual time zone, so that processes forked later find both."""
    for template in (TEMPLATE, CLIENTS):
        _compiled(template.read_text(encoding="utf-8"))
    with contextlib.suppress(InvalidInput):  # the time zone is checked for each bundle
        zone(BundleSettings.time_zone)


def _crlf(text: str) -> str:
    return "\r\n".join([*text.splitlines(), ""])
