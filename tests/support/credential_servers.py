# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What credential providers talk to, as one stub on loopback: the IAM Identity Center portal, STS, sign-in, metadata.

Each provider gets an access key id of its own, and GetCallerIdentity answers with the key id that signed the request.
So a test can see which provider was used. Everything else that is asked is refused.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import pathlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.serving import Serving

ACCOUNT = "123456789012"
SECRET = "fakeSecretOfAProvider/0123456789abcdefgh"
SESSION = "fakeSessionTokenOfAProvider//////////wEaoAK1wv=="
SSO_TOKEN = "fake-sso-access-token-0123456789"
START_URL = "https://example.awsapps.com/start"
MFA = "arn:aws:iam::123456789012:mfa/jdoe"


def stamp(seconds: float) -> str:
    """A time so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class CredentialServer(Serving):
    """The stub. ``signed_by`` lists the key ids of the requests to AWS services; ``refuse`` maps paths to answers."""

    signed_by: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)

    def __enter__(self) -> CredentialServer:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.stub = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return super().__enter__()

    def environment(self, home: pathlib.Path) -> dict[str, str]:
        """Where AWS is, without any credentials."""
        addresses = {f"AWS_ENDPOINT_URL_{name}": self.url for name in ("SSO", "SSO_OIDC", "STS", "SIGNIN")}
        files = {"AWS_CONFIG_FILE": str(home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "none")}
        return {**addresses, **files, "AWS_URL": self.url, "AWS_REGION": "us-west-2", "HOME": str(home)}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: str, headers: Any) -> tuple[int, Any]:
        """The status and the answer: text or JSON."""
        self.asked.append(f"{method} {path}")
        if path in self.refuse:
            return self.refuse[path]
        if path == "/federation/credentials":
            if headers.get("x-amz-sso_bearer_token") != SSO_TOKEN:
                return 401, {"message": "Session token not found or invalid", "__type": "UnauthorizedException"}
            ends = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
            keys = {"accessKeyId": f"ASIA{query['role_name'][0].upper()}", "secretAccessKey": SECRET}
            return 200, {"roleCredentials": {**keys, "sessionToken": SESSION, "expiration": ends}}
        if path == "/token":
            return 200, {"accessToken": SSO_TOKEN, "tokenType": "Bearer", "expiresIn": 3600}
        if path == "/container":
            return 200, metadata_keys("ASIACONTAINER")
        if path == "/latest/api/token":
            return 200, "metadata-token"
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, "instance-role"
        if path == "/latest/meta-data/iam/security-credentials/instance-role":
            return 200, {**metadata_keys("ASIAINSTANCE"), "Code": "Success", "Type": "AWS-HMAC"}
        return self._service(parse_qs(body), headers)

    def _service(self, form: dict[str, list[str]], headers: Any) -> tuple[int, str]:
        action = form.get("Action", [""])[0]
        if action in self.refuse:
            return self.refuse[action]
        if action == "AssumeRoleWithWebIdentity":
            return 200, _assumed(action, "ASIAWEBIDENTITY")
        signer = (headers.get("Authorization") or "").partition("Credential=")[2].partition("/")[0]
        if action == "AssumeRole":
            return 200, _assumed(action, f"ASIAROLEOF{signer}")
        self.signed_by.append(signer)
        if action != "GetCallerIdentity":
            return 403, sts_error("AccessDenied", "User: x is not authorized to perform: iam:GetRole")
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{signer}/x"
        inner = f"<Arn>{arn}</Arn><UserId>AROA:x</UserId><Account>{ACCOUNT}</Account>"
        return 200, _xml(action, inner)


def metadata_keys(access_key: str, seconds: float = 3600) -> dict[str, str]:
    """Keys as the metadata services of containers and instances give them."""
    keys = {"AccessKeyId": access_key, "SecretAccessKey": SECRET, "Token": SESSION, "RoleArn": "x"}
    return {**keys, "Expiration": stamp(seconds), "LastUpdated": stamp(0)}


def sts_error(code: str, message: str) -> str:
    """An error as STS writes it."""
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


def _assumed(action: str, access_key: str) -> str:
    keys = {
        "AccessKeyId": access_key,
        "SecretAccessKey": SECRET,
        "SessionToken": SESSION,
        "Expiration": stamp(3600),
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in keys.items())
    who = f"<AssumedRoleUser><Arn>arn:aws:sts::{ACCOUNT}:assumed-role/r/s</Arn></AssumedRoleUser>"
    return _xml(action, f"<Credentials>{inner}</Credentials>{who}")


def _xml(action: str, inner: str) -> str:
    return f"<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parts = urlsplit(self.path)
        stub: CredentialServer = self.server.stub  # type: ignore[attr-defined]
        status, answer = stub.answer(method, parts.path, parse_qs(parts.query), body, self.headers)
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml" if data.startswith(b"<") else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def write_cache(home: pathlib.Path, kind: str, key: str, content: dict[str, Any]) -> pathlib.Path:
    """A file in a cache of the AWS CLI (``sso`` or ``cli``), named after the hash of its key."""
    path = home / ".aws" / kind / "cache" / f"{hashlib.sha1(key.encode()).hexdigest()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def sso_token(seconds: float = 3600, **more: Any) -> dict[str, Any]:
    """What ``aws sso login`` leaves behind."""
    return {"startUrl": START_URL, "region": "us-west-2", "accessToken": SSO_TOKEN, "expiresAt": stamp(seconds), **more}


def cli_session(access_key: str, seconds: float = 3600) -> dict[str, Any]:
    """What the AWS CLI keeps of a role that it assumed with an MFA code."""
    keys = {"AccessKeyId": access_key, "SecretAccessKey": SECRET, "SessionToken": SESSION}
    return {"Credentials": {**keys, "Expiration": stamp(seconds)}}


def helper(path: pathlib.Path, output: Any, code: int = 0, error: str = "") -> pathlib.Path:
    """A program for ``credential_process``."""
    text = output if isinstance(output, str) else json.dumps(output)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\necho '{error}' >&2\nexit {code}\n")
    path.chmod(0o700)
    return path


def process_keys(access_key: str, seconds: float = 3600) -> dict[str, Any]:
    """What such a program prints."""
    keys = {"AccessKeyId": access_key, "SecretAccessKey": SECRET, "SessionToken": SESSION}
    return {"Version": 1, **keys, "Expiration": stamp(seconds)}
