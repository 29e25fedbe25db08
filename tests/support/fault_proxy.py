# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A proxy between the collection and an AWS emulator that sees every API call, and can spoil it.

The signature stays valid: the Host header is passed on as it came.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.serving import serving

SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([a-z0-9]+)/")
JSON_SERVICES = ("ssm", "ecr")


@dataclass(frozen=True)
class Call:
    """An API call on its way.

    :param action: as IAM calls it, such as ``iam:CreateRole``.
    :param number: the how manieth call of this action it is, from 1, since the rule was set.
    :param parameters: of the query protocol, or of the JSON protocol.
    """

    action: str
    number: int
    parameters: dict[str, Any] = field(repr=False)
    _forward: Callable[[], Answer] = field(repr=False)

    @property
    def service(self) -> str:
        return self.action.split(":")[0]

    def forward(self) -> Answer:
        """Let the server do it."""
        return self._forward()

    def refuse(self, code: str, message: str, status: int) -> Answer:
        """AWS's way to say no, in the protocol of the service."""
        if self.service in JSON_SERVICES:
            body = json.dumps({"__type": code, "message": message}).encode()
            return Answer(status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "req-1"}, body)
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        text = f"<ErrorResponse>{error}<RequestId>req-1</RequestId></ErrorResponse>"
        return Answer(status, {"Content-Type": "text/xml"}, text.encode())


@dataclass(frozen=True)
class Answer:
    """What the client gets to see.

    :param sent: only so many bytes of the body are sent, then the connection ends; -1 for all of it.
    :param reset: nothing is sent, the connection is reset.
    :param held: nothing is sent until the client gives up or the proxy ends.
    :param pause: the two halves of the body are so many seconds apart.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sent: int = -1
    reset: bool = False
    held: bool = False
    pause: float = 0


Rule = Callable[[Call], Answer]


def passing(call: Call) -> Answer:
    """The rule that spoils nothing."""
    return call.forward()


class FaultProxy:
    """The proxy's memory and its present rule."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.url = ""
        self.ending = threading.Event()
        self.answers: list[tuple[str, bytes]] = []
        self._lock = threading.Lock()
        self.set()

    def set(self, rule: Rule = passing) -> None:
        """Use another rule from now on, and start counting again."""
        with self._lock:
            self._rule, self.calls = rule, []

    def serve(self, action: str, parameters: dict[str, Any], forward: Callable[[], Answer]) -> Answer:
        """Answer a call by the current rule."""
        with self._lock:
            self.calls.append(action)
            rule, number = self._rule, self.calls.count(action)
        answer = rule(Call(action, number, parameters, forward))
        with self._lock:
            self.answers.append((action, answer.body))
        return answer


@contextlib.contextmanager
def in_front_of(upstream: str) -> Iterator[FaultProxy]:
    """A proxy on a free port of 127.0.0.1."""
    proxy = FaultProxy(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = _Server(("127.0.0.1", 0), handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        try:
            yield proxy
        finally:
            proxy.ending.set()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed says no goodbye: nothing to report."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: FaultProxy

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action, parameters = self._recognize(body)
        self._send(self.proxy.serve(action, parameters, lambda: self._forward(body)))

    def _recognize(self, body: bytes) -> tuple[str, dict[str, Any]]:
        scope = SCOPE.search(self.headers.get("Authorization", ""))
        service = scope.group(1) if scope else "sts"
        target = self.headers.get("X-Amz-Target", "")
        if target:
            return f"{service}:{target.rsplit('.', 1)[-1]}", json.loads(body or b"{}")
        parameters = {key: values[0] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}
        return f"{service}:{parameters.get('Action', self.command)}", parameters

    def _forward(self, body: bytes) -> Answer:
        upstream = http.client.HTTPConnection(self.proxy.upstream.hostname or "", self.proxy.upstream.port, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for key, value in self.headers.items():
            if key.lower() != "connection":
                upstream.putheader(key, value)
        upstream.endheaders(body)
        with contextlib.closing(upstream):
            response = upstream.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())

    def _send(self, answer: Answer) -> None:
        if answer.held:
            self._wait_for_goodbye()
        if answer.reset or answer.held:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        skipped = ("connection", "content-length", "transfer-encoding", "date", "server")
        lines = [f"HTTP/1.1 {answer.status} Spoken"]
        lines += [f"{key}: {value}" for key, value in answer.headers.items() if key.lower() not in skipped]
        lines.append(f"Content-Length: {len(answer.body)}")
        whole = answer.body if answer.sent < 0 else answer.body[: answer.sent]
        head, half = "\r\n".join([*lines, "", ""]).encode("latin-1"), len(whole) // 2 if answer.pause else len(whole)
        self.wfile.write(head + whole[:half])
        if answer.pause:
            self.proxy.ending.wait(answer.pause)
            self.wfile.write(whole[half:])
        if answer.sent >= 0:
            self.close_connection = True

    def _wait_for_goodbye(self) -> None:
        self.connection.settimeout(0.05)
        while not self.proxy.ending.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
