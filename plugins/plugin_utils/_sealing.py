# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Seal a secret to people's public keys, in memory. All cryptography is that of age, gpg, cryptography and openssl."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..module_utils._domain.errors import InvalidInput
from . import _signing as signing
from ._command_words import opened_name, word
from ._sealers import age, openpgp, smime
from ._sealers.recipient import PRIVATE_KEY, Recipient, RecipientKeys

SUFFIXES = {age.KIND: age.SUFFIX, openpgp.KIND: openpgp.SUFFIX, smime.KIND: smime.SUFFIX}
_HOW_TO_OPEN = {age.KIND: age.HOW_TO_OPEN, openpgp.KIND: openpgp.HOW_TO_OPEN, smime.KIND: smime.HOW_TO_OPEN}
HEADERS = {age.HEADER: age.KIND, openpgp.HEADER: openpgp.KIND, **dict.fromkeys(smime.HEADERS, smime.KIND)}
PRIVATE_MARKS = ("AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY-----", "PRIVATE KEY BLOCK-----", "PuTTY-User-Key-File")


@dataclass(frozen=True)
class Sealed:
    """A sealed text: armored, not secret, with the fingerprints of the keys that open it.

    :param signature: an armored signature of the text, to be kept in a file beside it; '' if there is none.
    :param signed_by: the fingerprint of the key that signed, whether inside or beside.
    """

    kind: str
    text: str
    fingerprints: tuple[str, ...]
    signature: str = ""
    signed_by: str = ""


@dataclass(frozen=True)
class SealOptions:
    """How to seal.

    :param signer: the admin's key; None for no signature.
    :param authenticated: S/MIME with AES-GCM, which cards' own programs and gpgsm cannot open.
    """

    signer: signing.Signer | None = None
    authenticated: bool = False

    def check(self, recipients: Sequence[Recipient], *, mail: bool) -> None:
        """Check that it works for these recipients, before there is anything to seal.

        :raises InvalidInput: it does not.
        """
        kind = one_kind(recipients)
        if self.signer:
            self.signer.check(kind, mail=mail)
        if self.authenticated and (kind != smime.KIND or mail):
            raise InvalidInput(
                "smime_authenticated", f"is only for files that are sealed to certificates, not for {kind} or mail."
            )


def read_keys(material: str | bytes, now: datetime) -> RecipientKeys:
    """Return the public keys of a text or file: age or ssh keys (one a line), an OpenPGP key, or a certificate.

    :param now: the time at which they must be valid, aware.
    :raises InvalidInput: a private key, or no key that can be sealed to. Never quotes a private key.
    :raises MissingDependency: the library or program for this kind is missing.
    """
    raw = material.encode() if isinstance(material, str) else material
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what PowerShell's > writes
        raw = raw.decode("utf-16", errors="replace").encode()
    raw = raw.removeprefix(codecs.BOM_UTF8)
    text = raw.decode(errors="replace")
    if any(mark in text for mark in PRIVATE_MARKS):
        raise InvalidInput("recipients", PRIVATE_KEY)
    if "-----BEGIN PGP PUBLIC KEY BLOCK-----" in text or _is_packet(raw):
        return openpgp.read(raw, now)
    if any(header in text for header in smime.PUBLIC_HEADERS) or raw[:1] == b"\x30":
        from ._sealers import certificates  # noqa: PLC0415 - see smime.py

        return certificates.read(raw, now)  # ASN.1: a sequence; also the digit 0, which starts no key
    found = age.read(text)
    if not found.usable:
        raise InvalidInput(
            "recipients",
            "there is no key in it. An age recipient, an ssh key, an OpenPGP public key or a certificate is needed.",
        )
    return found


def _is_packet(raw: bytes) -> bool:
    """Whether data may be OpenPGP packets, whose first bit is set (RFC 9580, section 4.2), and is not text."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw[0] >= 0x80
    return False


def one_kind(recipients: Iterable[Recipient]) -> str:
    """Return the kind that all recipients share.

    :raises InvalidInput: there is none, or they are of several kinds.
    """
    kinds = sorted({one.kind for one in recipients})
    if not kinds:
        raise InvalidInput("recipients", "no public key is specified.")
    if len(kinds) > 1:
        raise InvalidInput(
            "recipients",
            f"keys of several kinds ({', '.join(kinds)}) cannot be used for one sealed text. Keep keys of one kind.",
        )
    return kinds[0]


def seal(
    data: bytes,
    recipients: Sequence[Recipient],
    options: SealOptions,
    *,
    mail: bool = False,
) -> Sealed:
    """Encrypt data so that each recipient alone can open it, and sign it.

    :param data: the plaintext; it stays in memory and goes to gpg or openssl by a pipe.
    :param mail: data is a MIME entity, and a mail program opens the result.
    :raises InvalidInput: no recipient, or several kinds of key.
    :raises SealingFailed: gpg or openssl refuses.
    """
    kind, signer = one_kind(recipients), options.signer
    distinct = list({one.fingerprint: one for one in recipients}.values())
    if kind == smime.KIND:
        from ._sealers import certificates  # noqa: PLC0415 - see smime.py

        signed = signer.sign(data, mail=mail) if isinstance(signer, signing.SmimeSigner) else data
        text = certificates.seal(signed, distinct, authenticated=options.authenticated)
    elif kind == openpgp.KIND:
        by = signer.key if isinstance(signer, signing.OpenPgpSigner) else ""
        text = openpgp.seal(data, distinct, by)
    else:
        text = age.seal(data, distinct)
    signature = signer.sign(text.encode()) if isinstance(signer, signing.SshSigner) else ""
    fingerprints = tuple(one.fingerprint for one in distinct)
    return Sealed(kind, text, fingerprints, signature, signer.fingerprint if signer else "")


def how_to_open(kind: str, name: str, signed_by: str = "") -> str:
    """Return one line for the recipient.

    :param name: the name of the sealed file, as the recipient gets it.
    :param signed_by: the fingerprint of the key that signed it. Below what a certificate signed is signed data first.
    """
    opened = opened_name(name) + (signing.SIGNED_SUFFIX if signing.is_certificate(signed_by) else "")
    return _HOW_TO_OPEN[kind].format(sealed=word(name), opened=word(opened))


def sealed_kind(text: str) -> str | None:
    """Return the kind of key that opens an armored text, or None if it is not sealed."""
    return next((kind for header, kind in HEADERS.items() if text.lstrip().startswith(header)), None)
