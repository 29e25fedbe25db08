# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sign what is sealed, so that the recipient can check who sent it before opening it.

Whoever knows a public key can seal something to it: sealing says nothing about the sender. An ssh key signs the sealed
file, in a second file beside it. An OpenPGP key and an S/MIME certificate sign inside what is sealed, as mail programs
and gpg expect it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..module_utils._domain.errors import InvalidInput, SealingFailed
from ..module_utils._files import absolute, open_regular
from ._command_words import opened_name, word
from ._sealers import age, openpgp, program, smime

NAMESPACE, SIGNER = "mdps-venue-sts", "mdps-admin"
SIGNATURE_SUFFIX = ".sig"
SIGNED_SUFFIX = ".p7s"  # of what is below the encryption, where a certificate signed
_OPENPGP = re.compile(r"(?:[0-9A-F]{4}\s*){10}|[0-9A-F]{64}", re.IGNORECASE)
_CERTIFICATE = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")
_ADVICE = (
    "Give the path of an ssh private key, the fingerprint of an OpenPGP key, or a PEM file with certificate and key."
)


@dataclass(frozen=True)
class Signer(ABC):
    """A private key of the admin's.

    :param fingerprint: what the recipient compares, in the notation of the key's own tool.
    """

    KINDS: ClassVar[Sequence[str]]  # of recipients' keys
    fingerprint: str

    def check(self, kind: str, *, mail: bool) -> None:
        """Check that this key can sign for a recipient, by a signature that is thrown away.

        :param kind: the kind of the recipient's keys.
        :param mail: the parcel is a mail message.
        :raises InvalidInput: it cannot, or needs a passphrase that nobody enters.
        """
        if kind not in self.KINDS:
            raise InvalidInput(
                "sign_with", f"this key cannot sign what is sealed to a key of the kind {kind}. Use an ssh key."
            )
        try:
            self._try()
        except SealingFailed as error:
            raise InvalidInput(
                "sign_with", f"the key cannot be used without a passphrase prompt: {error.message}"
            ) from None

    @property
    def identity(self) -> str:
        """By what a program recognizes the signature: the public key where it is an ssh key, else the fingerprint."""
        return self.fingerprint

    @abstractmethod
    def _try(self) -> None:
        """Make a signature that is thrown away."""

    @abstractmethod
    def verify_commands(self, sealed: str) -> list[str]:
        """Return lines for the recipient: how to check the signature before opening the file.

        :param sealed: the name of the sealed file.
        """


@dataclass(frozen=True)
class SshSigner(Signer):
    """An ssh key, or the public half of one that an ssh agent holds."""

    KINDS = (age.KIND, openpgp.KIND, smime.KIND)
    key: Path
    public: str

    @property
    def identity(self) -> str:
        """The public key, in one line."""
        return self.public

    def check(self, kind: str, *, mail: bool) -> None:
        """Refuse mail: a second file beside a message would not be looked at."""
        if mail:
            raise InvalidInput("sign_with", "an ssh key cannot sign mail. Use an OpenPGP key or a certificate.")
        super().check(kind, mail=mail)

    def sign(self, data: bytes, namespace: str = NAMESPACE) -> str:
        """Return an armored signature of data, which counts for one purpose only."""
        return program.run(["ssh-keygen", "-q", "-Y", "sign", "-f", str(self.key), "-n", namespace], data).decode()

    def _try(self) -> None:
        self.sign(b"")

    def verify_commands(self, sealed: str) -> list[str]:
        """Lines for cmd and for shells; PowerShell knows no ``<``."""
        return _verify_ssh(self.public, sealed)


@dataclass(frozen=True)
class OpenPgpSigner(Signer):
    """A key of the admin's own gpg. It signs and encrypts in one step.

    :param key: the key as gpg's option ``--local-user`` has it.
    :param shown: the fingerprints of which gpg shows one with a signature: of the key and of its signing subkeys.
    """

    KINDS = (openpgp.KIND,)
    key: str
    shown: tuple[str, ...]

    def _try(self) -> None:
        openpgp.sign(b"", self.key)

    def verify_commands(self, sealed: str) -> list[str]:
        """The check is part of the decryption."""
        return _verify_openpgp(self.shown, sealed)


@dataclass(frozen=True)
class SmimeSigner(Signer):
    """A PEM file with the admin's certificate and private key. It signs, and what is signed is encrypted."""

    KINDS = (smime.KIND,)
    file: Path

    def sign(self, data: bytes, *, mail: bool) -> bytes:
        """Return data with a signature: a MIME entity for mail, else CMS signed data (DER)."""
        form = ["-outform", "SMIME"] if mail else ["-binary", "-nodetach", "-outform", "DER"]
        keys = ["-signer", str(self.file), "-inkey", str(self.file), "-passin", "pass:", "-md", "sha256"]
        return program.run(["openssl", "cms", "-sign", *form, *keys], data)

    def _try(self) -> None:
        self.sign(b"", mail=False)

    def verify_commands(self, sealed: str) -> list[str]:
        """Decrypting gives signed data, and verifying them gives the zip file."""
        return _verify_smime(self.fingerprint, sealed)


def is_certificate(fingerprint: str) -> bool:
    """Whether this is the fingerprint of a certificate, as ``signed_by`` has it."""
    return _CERTIFICATE.fullmatch(fingerprint) is not None


def verify_commands(sealed: str, signed_by: str, signature: str = "") -> list[str]:
    """Return the lines of ``Signer.verify_commands`` for what was signed before; none if it is not known how.

    :param signed_by: the fingerprint of the key that signed.
    :param signature: the armored signature of an ssh key, which has the public key in it.
    """
    if is_certificate(signed_by):
        return _verify_smime(signed_by, sealed)
    if _OPENPGP.fullmatch(signed_by):
        return _verify_openpgp([signed_by], sealed)
    public = _public_key_of(signature) if signed_by else ""
    return _verify_ssh(public, sealed) if public and age.fingerprint(public) == signed_by else []


def _verify_ssh(public: str, sealed: str) -> list[str]:
    signature = word(f"{sealed}{SIGNATURE_SUFFIX}")
    return [
        "Once: save the sender's key, which you received through another channel, as signers.txt. It is one line:",
        f"  {SIGNER} {public}",
        "In cmd or bash, with this file and its .sig in the same folder:",
        f"  ssh-keygen -Y verify -f signers.txt -I {SIGNER} -n {NAMESPACE} -s {signature} < {word(sealed)}",
        f'It must print: Good "{NAMESPACE}" signature for {SIGNER}',
    ]


def _verify_openpgp(shown: Sequence[str], sealed: str) -> list[str]:
    return [
        f"gpg --output {word(opened_name(sealed))} --decrypt {word(sealed)}",
        'It must print: Good signature, and with it (after "key" or "fingerprint")',
        f"  {' or '.join(shown)}",
    ]


def _verify_smime(fingerprint: str, sealed: str) -> list[str]:
    opened = opened_name(sealed)
    opened, signed, sealed = word(opened), word(f"{opened}{SIGNED_SUFFIX}"), word(sealed)
    return [
        "Open it with a PIV card (on Windows, see the guide for recipients), or with a key in a file:",
        f"  gpgsm --output {signed} --decrypt {sealed}",
        f"  openssl cms -decrypt -binary -inform PEM -inkey YOUR-PRIVATE-KEY-FILE -in {sealed} -out {signed}",
        "With the sender's certificate, which you received through another channel, as sender.pem:",
        f"  openssl cms -verify -binary -inform DER -in {signed} -nointern -noverify -certfile sender.pem "
        f"-out {opened}",
        "It must print: CMS Verification successful. The certificate has the SHA-256 fingerprint",
        f"  {fingerprint}",
    ]


def _public_key_of(signature: str) -> str:
    """Return the public key in an armored ssh signature (PROTOCOL.sshsig of OpenSSH), or '' if it is not one."""
    try:
        data = base64.b64decode("".join(signature.split("-----")[2].split()), validate=True)
    except (IndexError, binascii.Error):
        return ""
    start = len(b"SSHSIG") + 4
    blob = age.ssh_text(data[start:])
    kind = age.ssh_text(blob).decode(errors="replace")
    return f"{kind} {base64.b64encode(blob).decode()}" if data.startswith(b"SSHSIG") and kind.isprintable() else ""


def read_signer(text: str) -> Signer:
    """Return the key that an option names.

    :raises InvalidInput: it is not a key, or others may read its file.
    """
    if _OPENPGP.fullmatch(text.strip()):
        fingerprint = "".join(text.split()).upper()
        return OpenPgpSigner(fingerprint, *openpgp.secret_key(fingerprint))
    path = absolute("sign_with", text)
    try:
        with open(path, encoding="utf-8", errors="replace", opener=open_regular) as stream:
            content, mode = stream.read(), os.fstat(stream.fileno()).st_mode
    except OSError as error:
        raise InvalidInput("sign_with", f"'{path}' cannot be read: {error.strerror}. {_ADVICE}") from None
    if "PRIVATE KEY-----" in content and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidInput("sign_with", f"other users can read the private key '{path}'. Run: chmod 600 '{path}'")
    if "-----BEGIN CERTIFICATE-----" in content and "PRIVATE KEY-----" in content:
        from ._sealers import certificates  # noqa: PLC0415 - see smime.py

        return SmimeSigner(certificates.fingerprint_of(content), path)
    if "PRIVATE KEY-----" in content or content.startswith(("ssh-", "ecdsa-", "sk-")):  # also PEM, as older ssh-keygen
        return _read_ssh(path, content)
    raise InvalidInput("sign_with", f"'{path}' is not a key that can sign. {_ADVICE}")


def _read_ssh(path: Path, content: str) -> SshSigner:
    try:
        derive = ["ssh-keygen", "-y", "-P", "", "-f", str(path)]
        public = program.run(derive).decode() if "PRIVATE KEY" in content else content
    except SealingFailed:
        beside = path.with_name(f"{path.name}.pub")
        if not beside.is_file():
            raise InvalidInput(
                "sign_with", f"'{path}' has a passphrase. Use an ssh agent, and name {beside}."
            ) from None
        public, path = beside.read_text(encoding="utf-8"), beside
    with tempfile.NamedTemporaryFile("w", prefix="venue_sts_", suffix=".pub", encoding="utf-8") as file:
        file.write(public)
        file.flush()
        fingerprint = program.run(["ssh-keygen", "-l", "-f", file.name]).decode().split()[1]
    return SshSigner(fingerprint, path, " ".join(public.split()[:2]))
