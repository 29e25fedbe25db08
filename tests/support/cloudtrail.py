# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudTrail's LookupEvents in front of another server: neither emulator records what STS answered."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

PAGE = 2


def issue_event(
    session: str,
    key: str,
    at: str,
    role: str = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
    *,
    role_id: str = "AROAEXAMPLEEXAMPLEEX",
    **changes: Any,
) -> dict[str, Any]:
    """An AssumeRole event, shaped as AWS documents it."""
    event = {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/admin",
        },
        "eventTime": at,
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "requestParameters": {
            "roleArn": role,
            "roleSessionName": session,
            "durationSeconds": 3600,
            "externalId": "HIDDEN_DUE_TO_SECURITY_REASONS",
        },
        "responseElements": {
            "credentials": {"accessKeyId": key, "sessionToken": "a-session-token-that-nobody-may-see"},
            "assumedRoleUser": {
                "assumedRoleId": f"{role_id}:{session}",
                "arn": f"arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/{session}",
            },
        },
    }
    return {**event, **changes}


class CloudTrail:
    """Answers LookupEvents from a list, two events a page, and passes everything else on."""

    def __init__(self, behind: str, events: list[dict[str, Any]]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(behind, events))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> CloudTrail:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _look_up(self, asked: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
        self.asked.append(asked)
        (attribute,) = asked["LookupAttributes"]
        by_name = attribute["AttributeKey"] == "EventName"
        fitting = [
            one
            for one in events
            if attribute["AttributeValue"] in (one["eventName"] if by_name else one["requestParameters"]["roleArn"])
        ]
        start = int(asked.get("NextToken", 0))
        more = {"NextToken": str(start + PAGE)} if start + PAGE < len(fitting) else {}
        return {
            "Events": [
                {"EventName": one["eventName"], "CloudTrailEvent": json.dumps(one)}
                for one in fitting[start : start + PAGE]
            ],
            **more,
        }

    def _handler(self, behind: str, events: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("X-Amz-Target", "").endswith(".LookupEvents"):
                    self._answer(
                        200, "application/x-amz-json-1.1", json.dumps(outer._look_up(json.loads(body), events)).encode()
                    )
                    return
                request = urllib.request.Request(
                    behind + self.path, data=body, headers=dict(self.headers), method="POST"
                )
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        self._answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
                except urllib.error.HTTPError as error:
                    self._answer(error.code, error.headers.get("Content-Type", ""), error.read())

            def _answer(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Keep the test's output clean."""

        return Handler
