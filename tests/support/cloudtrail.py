# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""CloudTrail's LookupEvents in front of another server: neither emulator records what STS answered."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.serving import Serving

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


def use_event(key: str, at: str, action: str = "DescribeRepositories", **changes: Any) -> dict[str, Any]:
    """A call that was signed with a token's key, shaped as AWS documents it."""
    event = {
        "eventVersion": "1.08",
        "eventID": f"{key}-{at}-{action}",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEEXAMPLEEX:jdoe-1",
            "arn": "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe-1",
            "accessKeyId": key,
        },
        "eventTime": at,
        "eventSource": "ecr.amazonaws.com",
        "eventName": action,
        "awsRegion": "us-west-2",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": "aws-cli/2.9.19",
        "requestParameters": {"externalId": "an-external-id-that-nobody-may-see"},
    }
    return {**event, **changes}


def derive_event(parent: str, key: str, at: str, **changes: Any) -> dict[str, Any]:
    """A GetScopedCredentials event: one key made from another."""
    made = {"responseElements": {"credentials": {"accessKeyId": key, "sessionToken": "nobody-may-see-this"}}}
    return use_event(parent, at, "GetScopedCredentials", eventSource="sts.amazonaws.com", **{**made, **changes})


def resources(event: dict[str, Any]) -> set[str]:
    """What LookupEvents finds an event by as ResourceName."""
    asked, given = event.get("requestParameters") or {}, event.get("responseElements") or {}
    keys, user = given.get("credentials") or {}, given.get("assumedRoleUser") or {}
    named = [asked.get("roleArn"), asked.get("roleSessionName"), keys.get("accessKeyId"), *user.values()]
    return {one for one in named if one}


def fits(event: dict[str, Any], key: str, value: str) -> bool:
    """Whether LookupEvents would give the event for an attribute."""
    who = event.get("userIdentity") or {}
    if key == "ResourceName":
        return value in resources(event)
    found = {
        "EventName": event.get("eventName"),
        "AccessKeyId": who.get("accessKeyId"),
        "Username": str(who.get("arn", "")).rpartition("/")[2],
    }
    return found[key] == value


class CloudTrail(Serving):
    """Answers LookupEvents from a list and passes everything else on. Events that name a region are in that one only.

    :param page: how many events an answer has.
    :param per_second: how many requests it answers in a second; it throttles the others. 0 for any number.
    :param refuse: the error with which it answers every request; '' for none.
    """

    def __init__(
        self, behind: str, events: list[dict[str, Any]], *, page: int = PAGE, per_second: int = 0, refuse: str = ""
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.regions: list[str] = []
        self.throttled = 0
        self._page, self._per_second, self._refuse = page, per_second, refuse
        self._times: list[float] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(behind, events))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _problem(self) -> str:
        if self._refuse:
            return self._refuse
        now = time.monotonic()
        self._times = [one for one in self._times if now - one < 1.0]
        if self._per_second and len(self._times) >= self._per_second:
            self.throttled += 1
            return "ThrottlingException"
        self._times.append(now)
        return ""

    def _look_up(self, asked: dict[str, Any], region: str, events: list[dict[str, Any]]) -> dict[str, Any]:
        self.asked.append(asked)
        self.regions.append(region)
        (attribute,) = asked["LookupAttributes"]
        fitting = [
            one
            for one in events
            if one.get("awsRegion", region) == region
            and fits(one, attribute["AttributeKey"], attribute["AttributeValue"])
        ]
        start = int(asked.get("NextToken", 0))
        more = {"NextToken": str(start + self._page)} if start + self._page < len(fitting) else {}
        return {
            "Events": [
                {"EventName": one["eventName"], "CloudTrailEvent": json.dumps(one)}
                for one in fitting[start : start + self._page]
            ],
            **more,
        }

    def _handler(self, behind: str, events: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("X-Amz-Target", "").endswith(".LookupEvents"):
                    self._answer_lookup(json.loads(body))
                    return
                request = urllib.request.Request(
                    behind + self.path, data=body, headers=dict(self.headers), method="POST"
                )
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        self._answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
                except urllib.error.HTTPError as error:
                    self._answer(error.code, error.headers.get("Content-Type", ""), error.read())

            def _answer_lookup(self, asked: dict[str, Any]) -> None:
                problem, kind = outer._problem(), "application/x-amz-json-1.1"
                if problem:
                    self._answer(400, kind, json.dumps({"__type": problem, "message": "Rate exceeded"}).encode())
                    return
                scope = re.search(r"Credential=[^/]+/[0-9]+/([^/]+)/", self.headers.get("Authorization", ""))
                answer = outer._look_up(asked, scope[1] if scope else "", events)
                self._answer(200, kind, json.dumps(answer).encode())

            def _answer(self, code: int, kind: str, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Keep the test's output clean."""

        return Handler
