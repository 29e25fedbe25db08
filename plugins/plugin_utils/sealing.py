# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Seal a secret to people's public keys, in memory. All cryptography is that of age, gpg, cryptography and openssl."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..module_utils._domain.errors import InvalidInput
from .sealers import age, openpgp, smime
from .sealers.recipient import PRIVATE_KEY, Keys, Recipient

SUFFIXES = {age.KIND: age.SUFFIX, openpgp.KIND: openpgp.SUFFIX, smime.KIND: smime.SUFFIX}
HOW_TO_OPEN = {age.KIND: age.HOW_TO_OPEN, openpgp.KIND: openpgp.HOW_TO_OPEN, smime.KIND: smime.HOW_TO_OPEN}
HEADERS = {age.HEADER: age.KIND, openpgp.HEADER: openpgp.KIND, **dict.fromkeys(smime.HEADERS, smime.KIND)}
PRIVATE_MARKS = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "PuTTY-User-Key-File")


@dataclass(frozen=True)
class Sealed:
    """A sealed text: armored, not secret, with the fingerprints of the keys that open it."""

    kind: str
    text: str
    fingerprints: tuple[str, ...]


def read_keys(material: str | bytes, now: datetime) -> Keys:
    """Return the public keys of a text or file: age or ssh keys (one a line), an OpenPGP key, or a certificate.

    :param now: the time at which they must be valid, aware.
    :raises InvalidInput: a private key, or no key that can be sealed to. Never quotes a private key.
    :raises MissingDependency: the library or program for this kind is missing.
    """
    raw = material.encode() if isinstance(material, str) else material
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell's > writes
        raw = raw.decode("utf-16").encode()
    raw = raw.removeprefix(codecs.BOM_UTF8)
    text = raw.decode(errors="replace")
    if any(mark in text for mark in PRIVATE_MARKS):
        raise InvalidInput("recipients", PRIVATE_KEY)
    if (
        "-----BEGIN PGP PUBLIC KEY BLOCK-----" in text or raw[:1] >= b"\x80"
    ):  # RFC 9580, section 4.2: a packet's first bit is set
        return openpgp.read(raw, now)
    if (
        "-----BEGIN CERTIFICATE-----" in text or raw[:1] == b"\x30"
    ):  # ASN.1: a sequence; also the digit 0, which starts no key
        return smime.read(raw, now)
    found = age.read(text)
    if not found.usable:
        raise InvalidInput(
            "recipients",
            "there is no key in it. An age recipient, an ssh key, an OpenPGP public key or a certificate is needed.",
        )
    return found


def one_kind(recipients: Iterable[Recipient]) -> str:
    """Return the kind that all recipients share.

    :raises InvalidInput: there is none, or they are of several kinds.
    """
    kinds = sorted({one.kind for one in recipients})
    if not kinds:
        raise InvalidInput("recipients", "no public key is given to seal to.")
    if len(kinds) > 1:
        raise InvalidInput(
            "recipients",
            f"keys of several kinds ({', '.join(kinds)}) cannot open one sealed text. Keep keys of one kind.",
        )
    return kinds[0]


def seal(data: bytes, recipients: Sequence[Recipient]) -> Sealed:
    """Encrypt data so that each recipient alone can open it.

    :param data: the plaintext; it stays in memory and goes to gpg or openssl by a pipe.
    :raises InvalidInput: no recipient, or several kinds of key.
    :raises SealingFailed: gpg or openssl refuses.
    """
    kind = one_kind(recipients)
    distinct = list({one.fingerprint: one for one in recipients}.values())
    sealer = {age.KIND: age.seal, openpgp.KIND: openpgp.seal, smime.KIND: smime.seal}[kind]
    return Sealed(kind, sealer(data, distinct), tuple(one.fingerprint for one in distinct))


def sealed_kind(text: str) -> str | None:
    """Return the kind of key that opens an armored text, or None if it is not sealed."""
    return next((kind for header, kind in HEADERS.items() if text.lstrip().startswith(header)), None)
