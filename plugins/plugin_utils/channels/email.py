# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Encrypted mail, by SMTP over TLS: S/MIME (RFC 8551) or PGP/MIME (RFC 3156), which Outlook and Thunderbird open."""

from __future__ import annotations

import base64
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy, utils
from email.message import EmailMessage
from typing import Any

from ...module_utils._domain.errors import DeliveryFailed, InvalidInput
from .. import sealing
from ..book import ADDRESS
from ..sealers import openpgp, smime
from ..sealers.recipient import Recipient
from .channel import MAIL, REASON, SECONDS, Bundle, Channel, Parcel

TEXT = (
    "Your temporary access to an MDPS venue is in the attached zip file.\n"
    "Save it, extract all of it, and start with README.txt.\n\n"
    "The files are keys: please do not forward them, neither by mail nor by Slack.\n"
)


@dataclass(frozen=True)
class EmailChannel(Channel):
    """A mail server and an address.

    :param tls: ``starttls`` or ``tls``. There is no third way.
    :param sender: the address in From.
    :param to: the address of the recipient; the book's is used where it is empty.
    :param ca_file: certificates to trust instead of the system's.
    """

    NAME = "email"
    KINDS = (smime.KIND, openpgp.KIND)  # what mail programs know
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
        """:raises InvalidInput: no server, no sender, an address that is none, or no TLS."""
        given = options.get("email") or {}
        for name in ("host", "sender"):
            if not given.get(name):
                raise InvalidInput(f"email.{name}", "needed to send mail.")
        if given["tls"] not in ("starttls", "tls"):
            raise InvalidInput(
                "email.tls", f"starttls or tls; there is no mail without encryption on the way. {REASON}"
            )
        for name in ("sender", "to"):
            if given.get(name) and not ADDRESS.fullmatch(given[name]):
                raise InvalidInput(f"email.{name}", f"{given[name]!r} is not one mail address.")
        port = given.get("port") or (465 if given["tls"] == "tls" else 587)
        texts = {name: given.get(name) or "" for name in ("sender", "to", "subject", "username", "password")}
        return cls(given["host"], port, given["tls"], ca_file=given.get("ca_file"), **texts)

    def seal(self, bundle: Bundle, keys: Sequence[Recipient], to: str) -> Parcel:
        """A whole message: the zip is an attachment of what is encrypted, so a mail program shows it by itself."""
        to = self.to or to
        if not to:
            raise InvalidInput("email.to", "the address of the recipient is neither there nor in the book.")
        letter = EmailMessage(policy.SMTP)
        letter.set_content(TEXT)
        letter.add_attachment(bundle.zip, maintype="application", subtype="zip", filename=f"{bundle.stem}.zip")
        sealed = sealing.seal(letter.as_bytes(), keys)
        message = _envelope(sealed)
        message["Subject"] = self.subject or bundle.subject
        message["From"], message["To"] = self.sender, to
        message["Date"] = utils.localtime()
        message["Message-ID"] = utils.make_msgid(domain=self.sender.partition("@")[2])
        return Parcel(f"{bundle.stem}.eml", message.as_bytes(), MAIL, sealed.kind, sealed.fingerprints)

    def deliver(self, parcel: Parcel) -> str:
        """Send it. The server must offer TLS and prove its name before it hears a login or the message."""
        headers = message_from_bytes(parcel.body, policy=policy.SMTP)
        try:
            with self._connect() as server:
                if self.username:
                    server.login(self.username, self.password)
                server.sendmail(self.sender, [str(headers["To"])], parcel.body)
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryFailed(f"{self.host} refused the login of {self.username} ({error.smtp_code}).") from None
        except (OSError, smtplib.SMTPException) as error:  # ssl.SSLError is an OSError
            raise DeliveryFailed(f"{self.host}:{self.port} did not take the message: {_words(error)}.") from None
        return str(headers["To"])

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.tls == "tls":
            return smtplib.SMTP_SSL(self.host, self.port, timeout=SECONDS, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=SECONDS)
        try:
            server.starttls(context=context)
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server


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


def is_sealed(body: bytes) -> bool:
    """Whether a file is a message that mail programs decrypt."""
    message = message_from_bytes(body, policy=policy.SMTP)
    kind = message.get_content_type()
    enveloped = kind == "application/pkcs7-mime" and message.get_param("smime-type") == "enveloped-data"
    return enveloped or (kind == "multipart/encrypted" and message.get_param("protocol") == "application/pgp-encrypted")


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refuses the recipient's address"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {error.smtp_error!r}"
    return str(error)
