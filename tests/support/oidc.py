# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An OpenID Connect issuer for tests: it signs web identity tokens, and serves its keys on 127.0.0.1."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.serving import serving

KEY_ID = "issuer-for-tests"


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    """The issuer's key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64(data: bytes) -> str:
    """Base64url without padding, as in a JWT."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(content: Any) -> str:
    """A part of a JWT."""
    return b64(json.dumps(content).encode())


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """The claims of a token that is valid for an hour; None leaves one out."""
    now = datetime.now(UTC)
    given = {
        "iss": issuer,
        "aud": "sbg",
        "sub": "jdoe",
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(hours=1)).timestamp()),
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def token(issuer: str, **changes: Any) -> str:
    """A signed token."""
    signed = f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': KEY_ID})}.{part(claims(issuer, **changes))}"
    return f"{signed}.{b64(signing_key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def unsigned(issuer: str, **changes: Any) -> str:
    """A token with ``alg: none``."""
    return f"{part({'alg': 'none'})}.{part(claims(issuer, **changes))}."


def key_set() -> dict[str, Any]:
    """The public key, as an issuer publishes it."""
    numbers = signing_key().public_key().public_numbers()
    n, e = (b64(one.to_bytes((one.bit_length() + 7) // 8)) for one in (numbers.n, numbers.e))
    return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": n, "e": e}]}


class _Handler(BaseHTTPRequestHandler):
    """Serves what an issuer publishes, and gives a token to whoever asks as GitHub's runners do."""

    def do_GET(self) -> None:
        """Answer a request."""
        server: Any = self.server
        answers = {
            "/.well-known/openid-configuration": {"issuer": server.issuer, "jwks_uri": f"{server.address}/jwks"},
            "/jwks": key_set(),
        }
        path, _mark, query = self.path.partition("?")
        if path == "/token" and self.headers.get("Authorization") == "bearer request-token-for-tests":
            audience = query.partition("audience=")[2]
            answers["/token"] = {"value": token(server.issuer, **{**server.given, "aud": audience})}
        body = json.dumps(answers.get(path, {})).encode()
        self.send_response(200 if path in answers else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Print nothing."""


@contextmanager
def issuer_at(issuer: str, **given: Any) -> Iterator[str]:
    """Run an issuer, and give its address on 127.0.0.1.

    :param issuer: what its tokens say.
    :param given: further claims of the tokens that it gives at ``/token``.
    """
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.issuer, server.given = issuer, given
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        yield server.address
