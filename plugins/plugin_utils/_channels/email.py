# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encrypted mail, by SMTP over TLS: S/MIME (RFC 8551) or PGP/MIME (RFC 3156), which Outlook and Thunderbird open."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy, utils
from email.message import EmailMessage
from typing import Any

from ...module_utils._domain.errors import DeliveryFailed, InvalidInput
from ...module_utils._operations.issue.parts import Delivered
from .. import _sealing as sealing
from .._bundle import Bundle
from .._key_directory import ADDRESS
from .._sealers import openpgp, smime
from .._sealers.recipient import Recipient
from . import settings
from .channel import MAIL, REASON, SECONDS, Channel, Parcel

TEXT = (
    "Your temporary access to an MDPS venue is in the attached zip file.\n"
    "Save it, extract all of it, and start with README.txt.\n\n"
    "The files contain credentials. Please do not forward them, neither by mail nor by Slack.\n"
)
HOW_TO_OPEN = "Open the message in Outlook or Thunderbird."


@dataclass(frozen=True)
class EmailChannel(Channel):
    """A mail server and an address.

    :param tls: ``starttls`` or ``tls``. Nothing else is offered.
    :param sender: the address in From.
    :param to: the address of the recipient. If it is empty, the one of the key directory is used.
    :param ca_file: certificates to trust instead of the system's.
    """

    NAME = "email"
    KINDS = (smime.KIND, openpgp.KIND)  # what mail programs can open
    CARRIES = (MAIL,)
    host: str
    port: int
    tls: str
    sender: str
    to: str = ""
    subject: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> EmailChannel:
        """Read the option ``email``.

        :raises InvalidInput: no server, no sender, an invalid address, no TLS, or a text that SMTP cannot carry.
        """
        given = options.get("email") or {}
        for name in ("host", "sender"):
            if not given.get(name):
                raise InvalidInput(f"email.{name}", "is required to send email.")
        if given["tls"] not in ("starttls", "tls"):
            raise InvalidInput("email.tls", f"must be starttls or tls. Unencrypted email is not sent. {REASON}")
        for name in ("sender", "to"):
            if given.get(name) and not ADDRESS.fullmatch(settings.line(f"email.{name}", given[name])):
                raise InvalidInput(
                    f"email.{name}", f"{given[name]!r} is not a single email address in ASCII characters."
                )
        port = given.get("port")
        channel = cls(
            host=settings.host_name("email.host", given["host"]),
            port=settings.port("email.port", (465 if given["tls"] == "tls" else 587) if port is None else port),
            tls=given["tls"],
            sender=given["sender"],
            to=given.get("to") or "",
            subject=settings.line("email.subject", given.get("subject") or ""),
            username=settings.secret("email.username", given.get("username") or ""),
            password=settings.secret("email.password", given.get("password") or ""),
            ca_file=given.get("ca_file"),
        )
        if channel.password and not channel.username:
            raise InvalidInput("email.password", "has no effect without email.username.")
        return channel

    def check(self, name: str, suffixes: Sequence[str], *, create: bool) -> None:
        """Check that the file with certificates can be used."""
        self._context()

    def check_recipient(self, keys: Sequence[Recipient], address: str) -> None:
        """Check the kind of the keys, and that there is an address."""
        super().check_recipient(keys, address)
        if not (self.to or address):
            raise InvalidInput(
                "email.to", "the recipient has no email address, neither in this option nor in the key directory."
            )

    def check_resend(self, parcel: Parcel) -> None:
        """Check that it is a message, and that it goes to the address in it, which cannot be changed."""
        super().check_resend(parcel)
        to = _recipient(parcel)
        if self.to and self.to != to:
            raise InvalidInput("email.to", f"has no effect: the message is addressed to {to}. Omit the option.")

    @classmethod
    def recognize(cls, name: str, body: bytes) -> Parcel | None:
        """Return a stored message as a parcel, or None if it is not a message that mail programs decrypt."""
        message = message_from_bytes(body, policy=policy.SMTP)
        media_type = message.get_content_type()
        if media_type == "application/pkcs7-mime" and message.get_param("smime-type") == "enveloped-data":
            return Parcel(name, body, MAIL, smime.KIND, how_to_open=HOW_TO_OPEN)
        if media_type == "multipart/encrypted" and message.get_param("protocol") == "application/pgp-encrypted":
            return Parcel(name, body, MAIL, openpgp.KIND, how_to_open=HOW_TO_OPEN)
        return None

    def seal(self, bundle: Bundle, keys: Sequence[Recipient], address: str, options: sealing.SealOptions) -> Parcel:
        """Make a whole message: the zip is an attachment inside what is encrypted, so a mail program shows it."""
        letter = EmailMessage(policy=policy.SMTP)
        letter.set_content(f"{TEXT}\n{bundle.note}\n")
        letter.add_attachment(bundle.zip, maintype="application", subtype="zip", filename=f"{bundle.stem}.zip")
        sealed = sealing.seal(letter.as_bytes(), keys, options, mail=True)
        message = _envelope(sealed)
        message["Subject"] = self.subject or bundle.subject
        message["From"], message["To"] = self.sender, self.to or address
        message["Date"] = utils.localtime()
        message["Message-ID"] = utils.make_msgid(domain=self.sender.partition("@")[2])
        return Parcel(
            self.name_of(bundle.stem, keys),
            message.as_bytes(),
            MAIL,
            sealed.kind,
            sealed.fingerprints,
            HOW_TO_OPEN,
            signed_by=sealed.signed_by,
            how_to_verify=self.how_to_verify(bundle.stem, keys, options),
        )

    @staticmethod
    def name_of(stem: str, keys: Sequence[Recipient]) -> str:
        """Return the name of the message as a file."""
        return f"{stem}.eml"

    def how_to_verify(self, stem: str, keys: Sequence[Recipient], options: sealing.SealOptions) -> tuple[str, ...]:
        """The mail program checks the signature."""
        if not options.signer:
            return ()
        return (
            "Your mail program shows who signed the message. The fingerprint is:",
            f"  {options.signer.fingerprint}",
        )

    def deliver(self, parcel: Parcel) -> Delivered:
        """Send the message. The server must offer TLS and prove its name before it gets a login or the message."""
        to = _recipient(parcel)
        try:
            with contextlib.closing(self._connect()) as server:
                if self.username:
                    server.login(self.username, self.password)
                server.sendmail(self.sender, [to], parcel.body)
                with contextlib.suppress(OSError, smtplib.SMTPException):  # the message was accepted before
                    server.quit()
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryFailed(f"{self.host} rejected the login of {self.username} ({error.smtp_code}).") from None
        except (OSError, smtplib.SMTPException) as error:  # ssl.SSLError is an OSError
            raise DeliveryFailed(f"{self.host}:{self.port} did not accept the message: {_reason(error)}.") from None
        return Delivered(to)

    def _connect(self) -> smtplib.SMTP:
        context = self._context()
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        try:
            server.starttls(context=context)
        except smtplib.SMTPNotSupportedError:
            server.close()
            raise DeliveryFailed(f"{self.host}:{self.port} does not support STARTTLS. Nothing was sent.") from None
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _context(self) -> ssl.SSLContext:
        context = settings.tls_context("email.ca_file", self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _recipient(parcel: Parcel) -> str:
    return str(message_from_bytes(parcel.body, policy=policy.SMTP)["To"])


def _envelope(sealed: sealing.Sealed) -> EmailMessage:
    message = EmailMessage(policy.SMTP)
    if sealed.kind == smime.KIND:
        der = base64.b64decode("".join(line for line in sealed.text.splitlines() if not line.startswith("-----")))
        parameters = {"smime-type": "enveloped-data", "name": "smime.p7m"}
        message.set_content(
            der, "application", "pkcs7-mime", disposition="attachment", filename="smime.p7m", params=parameters
        )
        return message
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = 'multipart/encrypted; protocol="application/pgp-encrypted"'
    version, body = EmailMessage(policy.SMTP), EmailMessage(policy.SMTP)
    version.set_content(b"Version: 1\n", "application", "pgp-encrypted", cte="7bit")
    body.set_content(
        sealed.text.encode(), "application", "octet-stream", cte="7bit", disposition="inline", filename="encrypted.asc"
    )
    message.attach(version)
    message.attach(body)
    return message


def _reason(error: Exception) -> str:
    """Describe a failure without quoting library or server: both were given the password."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refuses the recipient's address"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "it does not support authentication"
    return settings.reason(error)
