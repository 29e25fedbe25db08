# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Kion to ask for keys, over TLS on loopback: the API as its own CLI uses it, in old and new versions."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import pathlib
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.serving import Serving

API_KEY = "app_fakeKionApiKey0123456789"
ROTATED = "app_fakeKionApiKeyRotated01234"
PASSWORD = "fake-kion-password-1"
SESSION = "fake-kion-session-token-0123456789"
KEYS = {
    "access_key": "ASIAFAKEFROMKION0001",
    "secret_access_key": "fakeSecretFromKion/0123456789abcdefghij",
    "session_token": "fakeSessionTokenFromKion//////////wEaoAK1wv==",
}
NEW = ("api_keys", "identity_systems", "api_key")
NEVER = {"Time": "0001-01-01T00:00:00Z", "Valid": False}


def role(name: str, number: str = "123456789012", iam: str = "mcp-tenantOperator", **more: Any) -> dict[str, Any]:
    """A cloud access role, as Kion lists it."""
    base = {
        "name": name,
        "account_number": number,
        "account_alias": "sbg-dev",
        "account_name": "SBG Dev",
        "aws_iam_role_name": iam,
    }
    return {**base, "short_term_access_keys": True, "web_access": True, "deleted_at": NEVER, **more}


@dataclass
class Kion(Serving):
    """A server; change its fields to change what it does. ``seen`` lists the requests that came."""

    folder: pathlib.Path
    version: str = "3.14.3"
    duration: int | None = 3600
    setting: int | None = 60  # minutes; None: the user may not read it
    keys: dict[str, str] = field(default_factory=lambda: dict(KEYS))
    roles: list[dict[str, Any]] = field(default_factory=lambda: [role("Operator")])
    script: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)  # answers to give before the real ones
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    api_keys: list[dict[str, Any]] | None = None  # None: the user may not list them
    identity_systems: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": 2, "idms_type_id": 1, "name": "Internal"},
            {"id": 3, "idms_type_id": 4, "name": "SAML"},
        ]
    )
    api_key: str = API_KEY
    _barrier: threading.Barrier | None = None

    def __enter__(self) -> Kion:
        self.ca = self.folder / "ca.pem"
        key = self.folder / "server.pem"
        _certificate(self.ca, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(key)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.kion = self
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        return super().__enter__()

    def reset(self) -> None:
        """As it was made."""
        fresh = Kion(self.folder)
        for name in ("version", "duration", "setting", "keys", "roles", "script", "seen", *NEW):
            setattr(self, name, getattr(fresh, name))

    def asked(self) -> list[str]:
        """The paths of the requests, without that for the list of API keys, which follows every success."""
        return [path for _method, path, _body in self.seen if path != "/api/v3/app-api-key"]

    def wait_for(self, requests: int) -> None:
        """Answer no request before so many have come."""
        self._barrier = threading.Barrier(requests, timeout=60)

    def environment(self) -> dict[str, str]:
        """What an admin would set."""
        return {"KION_URL": self.url, "KION_API_KEY": API_KEY}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, bearer: str) -> tuple[int, Any]:
        """The answer's status and its ``data``, or its message where the status is an error's."""
        if (method, path) == ("GET", "/api/version"):
            return 200, self.version
        if (method, path) == ("POST", "/api/v3/token"):
            good = body == {"idms": 2, "username": "jdoe", "password": PASSWORD}
            return (
                (200, {"access": {"token": SESSION, "expiry": "2099-01-01T00:00:00Z"}})
                if good
                else (400, "Invalid credentials.")
            )
        if (method, path) == ("GET", "/api/v2/idms"):
            return 200, self.identity_systems
        if bearer not in (self.api_key, SESSION):
            return 401, "App API key is expired."
        if (method, path) == ("GET", "/api/v3/app-api-key"):
            return (403, "You do not have permission.") if self.api_keys is None else (200, self.api_keys)
        if (method, path) == ("POST", "/api/v3/app-api-key/rotate"):
            assert body == {"key": self.api_key}
            self.api_key = ROTATED
            return 201, {"id": 7, "key": ROTATED}
        if (method, path) == ("GET", "/api/v3/app-config/aws-access"):
            return (
                (200, {"aws_temporary_credentials_duration": self.setting})
                if self.setting
                else (403, "You do not have permission.")
            )
        if (method, path) == ("GET", "/api/v3/me/cloud-access-role"):
            alias = query.get("account_alias", [""])[0]
            return 200, [one for one in self.roles if alias in ("", one["account_alias"])]
        if (method, path) == ("POST", "/api/v3/temporary-credentials/cloud-access-role"):
            assert set(body) == {"account_number", "account_alias", "cloud_access_role_name"}
            return self._keys("name", body["cloud_access_role_name"], body["account_number"], body["account_alias"])
        if (method, path) == ("POST", "/api/v3/temporary-credentials"):
            assert set(body) == {"account_number", "iam_role_name"}
            return self._keys("aws_iam_role_name", body["iam_role_name"], body["account_number"], "")
        return 404, "Not found."

    def _keys(self, by: str, name: str, number: str, alias: str) -> tuple[int, Any]:
        old = tuple(map(int, self.version.split(".")[:3])) < (3, 9, 9)
        if old or not alias:
            alias = "\0"
        live = [one for one in self.roles if one["deleted_at"] == NEVER and one["short_term_access_keys"]]
        if not any(
            one[by] == name and (one["account_number"] == number or one["account_alias"] == alias) for one in live
        ):
            return 400, "Unable to find the cloud access role."
        return 200, {**self.keys, **({} if self.duration is None else {"duration": self.duration})}


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    kion: Kion

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, as one that does not trust the certificate does, is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        kion = self.server.kion
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        parts = urlsplit(self.path)
        kion.seen.append((method, self.path, body))
        if kion._barrier:
            kion._barrier.wait()
        if kion.script:
            status, text, headers = kion.script.pop(0)
        else:
            bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, data = kion.answer(method, parts.path, parse_qs(parts.query), body, bearer)
            envelope = {"status": status, "data": data} if status < 300 else {"status": status, "message": data}
            text, headers = json.dumps(envelope), {"Content-Type": "application/json"}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def _certificate(ca: pathlib.Path, server: pathlib.Path) -> None:
    """A certificate for 127.0.0.1, good for a day, and the key with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kion for tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    ca.write_bytes(pem)
    server.touch(mode=0o600)
    server.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem
    )
