# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A proxy between the contenders and the emulator that makes every API call as slow as asked.

And counts and names the calls.

A program of its own, so that its work is not on the account of whoever measures: ``python -m tests.bench.proxy PORT
TARGET_PORT [CERTIFICATE KEY]``.
It listens on 127.0.0.1 only. With a certificate it speaks TLS, and then the set-up of each connection costs the latency
once more.
``GET /__bench__?seconds=0.08`` sets the latency of the calls to come; its answer is what was seen since the last such
request.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import sys
import time

ACTION_HEADER = re.compile(rb"\r\nx-amz-target: *\w+\.(\w+)", re.IGNORECASE)
ACTION_FIELD = re.compile(rb"(?:^|&)Action=(\w+)")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
HOP_BY_HOP = re.compile(rb"\r\n(?:connection|keep-alive|transfer-encoding|content-length|expect):[^\r]*", re.IGNORECASE)
# moto looks for a role among those that its other threads create. Then a few calls in a hundred thousand fail, before
# they have changed anything.
FAILED = re.compile(rb"HTTP/1\.\d 500 ")
CONTROL = re.compile(rb"GET /__bench__\?seconds=([\d.]+) ")


def depth(spans: list[tuple[float, float]]) -> int:
    """How many calls had to wait for one another.

    The longest chain of calls that each began after the one before had ended.
    """
    deepest: list[int] = []
    ordered = sorted(spans)
    for number, (begun, _ended) in enumerate(ordered):
        deepest.append(1 + max((deepest[other] for other in range(number) if ordered[other][1] <= begun), default=0))
    return max(deepest, default=0)


class Proxy:
    """Forwards requests one by one and keeps the books."""

    def __init__(self, target: int, setup: bool) -> None:
        self._target, self._setup, self._seconds = target, setup, 0.0
        self._forget()

    def _forget(self) -> None:
        self._calls: dict[str, int] = {}
        self._spans: list[tuple[float, float]] = []
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, kept open as AWS does."""
        try:
            first = True
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if EXPECTS.search(head):  # S3's clients wait for this, or for a second
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await request_body(head, reader)
                control = CONTROL.match(head)
                writer.write(self._report(float(control[1])) if control else await self._forward(head, body, first))
                await writer.drain()
                first = first and bool(control)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    def _report(self, seconds: float) -> bytes:
        # The chain is quadratic to find and means little for many venues at once.
        chain = depth(self._spans) if len(self._spans) < 100 else 0
        text = json.dumps({"calls": self._calls, "connections": self._connections, "depth": chain}).encode()
        self._seconds = seconds
        self._forget()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)

    async def _forward(self, head: bytes, body: bytes, first: bool) -> bytes:
        name = ACTION_HEADER.search(head) or ACTION_FIELD.search(body)
        action = name[1].decode() if name else f"S3 {head.split(b' ', 1)[0].decode()}"
        self._calls[action] = self._calls.get(action, 0) + 1
        begun = time.monotonic()
        self._connections += first
        await asyncio.sleep(self._seconds * (2 if first and self._setup else 1))
        answer = await self._ask(head, body)
        if FAILED.match(answer):
            answer = await self._ask(head, body)
        top, _gap, rest = answer.partition(b"\r\n\r\n")
        self._spans.append((begun, time.monotonic()))
        status, _end, headers = top.partition(b"\r\n")
        kept = HOP_BY_HOP.sub(b"", b"\r\n" + headers)
        return b"HTTP/1.1" + status[8:] + kept + b"\r\nContent-Length: %d\r\n\r\n" % len(rest) + rest

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        """The emulator's answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            # HTTP/1.0 upstream: the answer ends with the connection, so nothing is to be unchunked.
            writer.write(
                HOP_BY_HOP.sub(b"", head[:-4]).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
                + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )
            return await reader.read()
        finally:
            writer.close()


async def request_body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """A request's body, put together if it comes in chunks."""
    if not CHUNKED.search(head):
        length = LENGTH.search(head)
        return await reader.readexactly(int(length[1])) if length else b""
    chunks = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # what may follow the last chunk
    return b"".join(chunks)


async def main(port: int, target: int, *certificate: str) -> None:
    """Serve until terminated."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    server = await asyncio.start_server(
        Proxy(target, bool(certificate)).serve, "127.0.0.1", port, ssl=context, backlog=512
    )
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
