# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recipients for the tests: real keys, made by the real tools, and how their owners open what was sealed to them."""

from __future__ import annotations

import datetime
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pyrage
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The time of the tests; keys are made as if in the January before.
NOW = datetime.datetime(2026, 3, 15, 0, 5, 8, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def run(*command: str | Path, data: bytes = b"", **environment: str) -> bytes:
    done = subprocess.run(
        [str(word) for word in command], input=data, capture_output=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def private_file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@dataclass
class AgePerson:
    """Somebody with an age identity or an ssh key, and the program age or its substitute."""

    identity: Path
    public: str

    def open(self, sealed: str) -> bytes:
        return run("age", "--decrypt", "--identity", self.identity, data=sealed.encode())


def age_person(folder: Path, name: str = "age") -> AgePerson:
    identity = pyrage.x25519.Identity.generate()
    return AgePerson(private_file(folder / f"{name}.key", str(identity)), str(identity.to_public()))


def ssh_person(folder: Path, kind: str = "ed25519", bits: int = 2048) -> AgePerson:
    file = folder / f"ssh_{kind}_{bits}"
    run(
        "ssh-keygen",
        "-q",
        "-t",
        kind,
        *(["-b", str(bits)] if kind == "rsa" else []),
        "-N",
        "",
        "-C",
        "somebody@example.org",
        "-f",
        file,
    )
    return AgePerson(file, file.with_suffix(".pub").read_text())


class GpgPerson:
    """Somebody with a GnuPG home of their own. Close it to stop their agent."""

    def __init__(self) -> None:
        # Not below pytest's folder: the agent's socket must have a short path.
        self._folder = tempfile.TemporaryDirectory(prefix="gpg-")
        self.home = self._folder.name

    def gpg(self, *words: str, data: bytes = b"") -> bytes:
        return run(
            "gpg",
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            *words,
            data=data,
            GNUPGHOME=self.home,
        )

    def make(self, *, encryption: str = "rsa2048", expires: str = "never", at: str = "20260101T000000!") -> GpgPerson:
        clock = ["--faked-system-time", at]
        self.gpg(*clock, "--quick-generate-key", "Some Body <body@example.org>", "ed25519", "sign", expires)
        if encryption:
            self.gpg(*clock, "--quick-add-key", self.fingerprint, encryption, "encrypt", expires)
        return self

    @property
    def fingerprint(self) -> str:
        listing = self.gpg("--with-colons", "--list-keys").decode().splitlines()
        return next(line.split(":")[9] for line in listing if line.startswith("fpr"))

    @property
    def public(self) -> str:
        return self.gpg("--armor", "--export").decode()

    @property
    def private(self) -> str:
        return self.gpg("--armor", "--export-secret-keys").decode()

    def open(self, sealed: str) -> bytes:
        return self.gpg("--decrypt", data=sealed.encode())

    def close(self) -> None:
        run("gpgconf", "--kill", "all", GNUPGHOME=self.home)
        self._folder.cleanup()


@dataclass
class CardHolder:
    """Somebody with a certificate and its key, and openssl."""

    key: Path
    certificate: Path

    @property
    def public(self) -> str:
        return self.certificate.read_text()

    def open(self, sealed: str) -> bytes:
        return run(
            "openssl",
            "cms",
            "-decrypt",
            "-binary",
            "-inform",
            "PEM",
            "-inkey",
            self.key,
            "-recip",
            self.certificate,
            data=sealed.encode(),
        )

    def open_mail(self, message: bytes) -> bytes:
        return run("openssl", "cms", "-decrypt", "-inkey", self.key, "-recip", self.certificate, data=message)


USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def certificate(
    key,
    *,
    usage: str | None = None,
    purpose=None,
    authority: bool | None = None,
    start=NOW - DAY,
    end=NOW + DAY,
    subject="Some Body",
):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
    )
    builder = builder.not_valid_before(start).not_valid_after(end)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if usage:
        builder = builder.add_extension(x509.KeyUsage(**{one: one == usage for one in USAGES}), critical=True)
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def card_holder(folder: Path, key=None, name: str = "card", **facts) -> CardHolder:
    key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
    is_ec = isinstance(key, ec.EllipticCurvePrivateKey)
    facts = {
        "usage": "key_agreement" if is_ec else "key_encipherment",
        "purpose": ExtendedKeyUsageOID.EMAIL_PROTECTION,
        **facts,
    }
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    issued = certificate(key, **facts).public_bytes(serialization.Encoding.PEM).decode()
    (folder / f"{name}.pem").write_text(issued)
    return CardHolder(private_file(folder / f"{name}.key", pem), folder / f"{name}.pem")
