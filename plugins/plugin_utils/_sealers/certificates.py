# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealing to S/MIME certificates, such as that of a PIV card, as CMS enveloped data with AES-256.

RSA keys are sealed to by cryptography, which knows no other key transport; EC keys by ``openssl cms``.
The chain of the certificate is not verified. The key directory and the fingerprint tie it to its owner.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ...module_utils._domain.errors import InvalidInput, MissingDependency
from . import program
from .recipient import Recipient, RecipientKeys
from .smime import KIND

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.ciphers import algorithms
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    # Early versions know only the AES-128 that is not wanted here.
    HAS_CRYPTOGRAPHY = hasattr(pkcs7.PKCS7EnvelopeBuilder, "set_content_encryption_algorithm")
    # What the library raises for parts of a certificate, which it reads only when they are asked for.
    UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
except (ImportError, AttributeError):
    HAS_CRYPTOGRAPHY = False


def read(material: bytes, now: datetime) -> RecipientKeys:
    """Return the one certificate of a person, after every check.

    The file may hold others as well: those of authorities, as Windows exports them (``.p7b``), and those of the same
    card that are for other purposes or have expired. They are named.

    :raises InvalidInput: not a certificate, not within its validity, weak (RSA under 2048 bits), not for encryption, or
        of several people.
    :raises MissingDependency: cryptography is missing or old.
    """
    if not HAS_CRYPTOGRAPHY:
        raise MissingDependency(
            "cryptography is not installed for the Python that runs Ansible, or is too old. "
            "Run: pip install --upgrade cryptography"
        )
    found = list(dict.fromkeys(_certificates(material)))
    problems = {one: _problem(one, now) for one in found}
    fit = [one for one, problem in problems.items() if not problem]
    others = {one.subject for one in found if not _is_authority(one)}
    if len(fit) > 1 or len(others) > 1:
        raise InvalidInput("recipients", f"the file holds {len(found)} certificates: keep only the person's own.")
    if not fit:
        said = " ".join(f"The certificate of {_name(one)} {problem}." for one, problem in problems.items())
        raise InvalidInput("recipients", f"{said[0].lower()}{said[1:]}" if said else "there is no certificate in it.")
    fingerprint = fit[0].fingerprint(hashes.SHA256()).hex(":").upper()
    unusable = tuple(
        f"The certificate of {_name(one)} cannot be sealed to, because it {problem}."
        for one, problem in problems.items()
        if problem and not _is_authority(one)
    )
    return RecipientKeys((Recipient(KIND, fit[0].public_bytes(Encoding.PEM), fingerprint, _name(fit[0])),), unusable)


def _certificates(material: bytes) -> list[x509.Certificate]:
    """Read certificates in PEM or DER form, also those of a PKCS #7 file."""
    plain = material.replace(b" X509 CERTIFICATE-----", b" CERTIFICATE-----")
    try:
        if b"-----BEGIN CERTIFICATE-----" in plain:
            return x509.load_pem_x509_certificates(plain)
        if b"-----BEGIN" in plain:
            return pkcs7.load_pem_pkcs7_certificates(plain)
        try:
            return [x509.load_der_x509_certificate(material)]
        except ValueError:
            return pkcs7.load_der_pkcs7_certificates(material)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInput("recipients", "this is not a complete certificate in PEM or DER format.") from None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = [one.value for one in certificate.extensions if isinstance(one.value, x509.BasicConstraints)]
    except UNREADABLE:
        return False
    return any(one.ca for one in found)


def _problem(certificate: x509.Certificate, now: datetime) -> str:
    """Return why nothing can be sealed to a certificate, or '' if it can. It may be damaged below its first layer."""
    try:
        return _validity(certificate, now) or _strength(certificate) or _purpose(certificate)
    except UNREADABLE:
        return "is damaged, or has a key or an extension of an unknown kind"


def _validity(certificate: x509.Certificate, now: datetime) -> str:
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if now > certificate.not_valid_after_utc:
        return f"expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: ask its owner for the current one"
    return ""


def _strength(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if certificate.public_key_algorithm_oid != x509.oid.PublicKeyAlgorithmOID.RSAES_PKCS1_v1_5:
            return "has a key that can only sign (RSASSA-PSS)"
        return f"is too weak (RSA {key.key_size} bits; at least 2048)" if key.key_size < 2048 else ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"is too weak (EC {key.key_size} bits; at least 256)" if key.key_size < 256 else ""
    return "has a key that cannot be encrypted to (neither RSA nor EC)"


def _purpose(certificate: x509.Certificate) -> str:
    """Return what forbids encryption by RFC 8550, section 4.4. What a certificate does not restrict, it allows."""
    rule = {type(extension.value): extension.value for extension in certificate.extensions}
    usage, extended = (rule.get(name) for name in (x509.KeyUsage, x509.ExtendedKeyUsage))
    if _is_authority(certificate):
        return "is that of a certificate authority, not of a person"
    is_ec = isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    if usage is not None and not (usage.key_agreement if is_ec else usage.key_encipherment):
        return "is not for encryption (a PIV card has several: take the one for key management)"
    for_mail = (x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION, x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if extended is not None and not any(purpose in extended for purpose in for_mail):
        return "is not for email protection (its extended key usage is different)"
    return ""


def fingerprint_of(pem: str) -> str:
    """Return the SHA-256 fingerprint of the first certificate of a PEM text.

    :raises InvalidInput: it is not a whole certificate.
    """
    if not HAS_CRYPTOGRAPHY:
        raise MissingDependency("cryptography is not installed, or is too old. Run: pip install --upgrade cryptography")
    try:
        return x509.load_pem_x509_certificates(pem.encode())[0].fingerprint(hashes.SHA256()).hex(":").upper()
    except (ValueError, IndexError):
        raise InvalidInput("sign_with", "the certificate is incomplete.") from None


def seal(data: bytes, recipients: Sequence[Recipient], *, authenticated: bool = False) -> str:
    """Encrypt to all of them, armored (``openssl cms -decrypt -inform PEM`` opens it).

    :param authenticated: AES-256-GCM (AuthEnvelopedData, RFC 5083), which no card's own software and no gpgsm opens.
    :raises SealingFailed: openssl refuses a key.
    """
    certificates = [x509.load_pem_x509_certificate(one.key) for one in recipients]
    if authenticated or not all(isinstance(certificate.public_key(), rsa.RSAPublicKey) for certificate in certificates):
        return _seal_by_openssl(data, recipients, certificates, "-aes-256-gcm" if authenticated else "-aes-256-cbc")
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(data).set_content_encryption_algorithm(algorithms.AES256)
    for certificate in certificates:
        builder = builder.add_recipient(certificate)
    return builder.encrypt(Encoding.PEM, [pkcs7.PKCS7Options.Binary]).decode()


def _seal_by_openssl(
    data: bytes, recipients: Sequence[Recipient], certificates: Sequence[x509.Certificate], cipher: str
) -> str:
    command = ["openssl", "cms", "-encrypt", "-binary", cipher, "-outform", "PEM"]
    with tempfile.TemporaryDirectory(prefix="venue_sts_") as folder:
        for number, (one, certificate) in enumerate(zip(recipients, certificates, strict=True)):
            file = Path(folder, f"{number}.pem")
            file.write_bytes(one.key)
            command += ["-recip", str(file)]
            if isinstance(certificate.public_key(), ec.EllipticCurvePublicKey):
                command += ["-keyopt", "ecdh_kdf_md:sha256"]  # openssl's own choice is still SHA-1
        return program.run(command, data).decode()
