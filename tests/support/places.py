# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where bundles are delivered in the tests.

A mail server that demands STARTTLS, and an upload server with TLS, both on loopback.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import people
from tests.support.servers import free_port
from tests.support.serving import serving

PASSWORD = "FAKE-mail-password"
HOST = "127.0.0.1"
NOW = datetime.datetime.now(datetime.UTC)  # of the machine, which is what TLS goes by


class Authority:
    """A certificate authority of one test, and the certificates it gives to servers."""

    def __init__(self, folder: Path, subject: str = "Some Body") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = people.certificate(
            self.key,
            authority=True,
            usage="key_cert_sign",
            start=NOW - people.DAY,
            end=NOW + people.DAY,
            subject=subject,
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, name: str = HOST) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
        )
        builder = (
            builder.serial_number(x509.random_serial_number())
            .not_valid_before(NOW - people.DAY)
            .not_valid_after(NOW + people.DAY)
        )
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        issued = builder.sign(self.key, hashes.SHA256())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        file = people.private_file(
            self.folder / f"{name}.server", pem + issued.public_bytes(serialization.Encoding.PEM).decode()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class Mailbox:
    """Takes what the mail server hears."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.recipients: list[str] = []
        self.refuse = ""

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse
        assert server.transport.get_extra_info("ssl_object"), "the message came without TLS"
        self.messages.append(envelope.content)
        self.recipients += envelope.rcpt_tos
        return "250 taken"


@contextlib.contextmanager
def mail_server(context: ssl.SSLContext | None, *, implicit: bool = False):
    def login(server, session, envelope, mechanism, data):
        return AuthResult(success=isinstance(data, LoginPassword) and data.password == PASSWORD.encode(), handled=False)

    box = Mailbox()
    settings = {"tls_context": context, "require_starttls": True} if context and not implicit else {}
    settings |= {"ssl_context": context, "auth_require_tls": False} if implicit else {}
    settings |= {"authenticator": login, "auth_required": not implicit} if context else {}
    controller = Controller(box, hostname=HOST, port=free_port(), **settings)
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


class Upload(BaseHTTPRequestHandler):
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.uploads.append((self.command, self.path, dict(self.headers), body))
        self.send_response(self.server.answer)
        if self.server.answer == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET = do_PUT

    def log_message(self, *words):
        """Quiet."""


@contextlib.contextmanager
def upload_server(context: ssl.SSLContext, answer: int = 201):
    server = ThreadingHTTPServer((HOST, 0), Upload)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.uploads, server.answer = [], answer
    server.handle_error = lambda *_: None  # a client that hangs up on a wrong certificate
    with serving(server):
        yield server
