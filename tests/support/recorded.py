# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A moto server that writes down every request, so that a test can tell what was asked of AWS, whoever asked."""

from __future__ import annotations

import base64
import json
import pathlib
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.servers import Moto

READS = ("Get", "List", "Describe", "AssumeRole")


class Recorded:
    """A moto server and what was asked of it since ``forget``."""

    def __init__(self, server: Moto, record: pathlib.Path) -> None:
        self.server = server
        self._record = record
        self._seen = 0

    def forget(self) -> None:
        """Look at requests from now on only."""
        self._seen = len(self._lines())

    def calls(self) -> list[str]:
        """Every API call by its name, such as ``GetRole``."""
        return [_name(json.loads(line)) for line in self._lines()[self._seen :]]

    def writes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls() if not call.startswith(READS)]

    def _lines(self) -> list[str]:
        return self._record.read_text().splitlines() if self._record.exists() else []


def _name(request: dict[str, Any]) -> str:
    headers = {key.lower(): value for key, value in request["headers"].items()}
    if "x-amz-target" in headers:
        return str(headers["x-amz-target"].split(".")[-1])
    body = base64.b64decode(request["body"]).decode() if request["body_encoded"] else request["body"]
    fields = urllib.parse.parse_qs(body)
    return (
        fields["Action"][0]
        if "Action" in fields
        else f"{request['method']} {urllib.parse.urlparse(request['url']).path}"
    )


@contextmanager
def recorded_moto(folder: pathlib.Path) -> Iterator[Recorded]:
    """Start such a server; its files go into the folder."""
    record = folder / "requests"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_RECORDER_FILEPATH", str(record))
        patch.setenv("MOTO_ENABLE_RECORDING", "true")
        with Moto(folder / "log") as server:
            yield Recorded(server, record)


_CHANCE = (
    (r"A(RO|SI|ID|KI)A[A-Z0-9]{12,}", r"A\1A..."),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "TIME"),
    (r"\d{8}T\d{6}Z(-[0-9a-f]{6}([0-9a-f]{2})?\b)?", "STAMP"),
    (r"127\.0\.0\.1:\d+", "SERVER"),
    (r"request [A-Za-z0-9-]{20,}", "request ..."),
)
_KEYS = {"SecretAccessKey", "SessionToken", "secret_key", "session_token", "request_id"}


def without_chance(result: Any, folder: pathlib.Path | None = None) -> Any:
    """A result without what differs from run to run: ids, keys, times, and the folder that it ran in."""
    if folder:
        return without_chance(json.loads(json.dumps(result).replace(str(folder), "FOLDER")))
    if isinstance(result, dict):
        return {key: "..." if key in _KEYS and value else without_chance(value) for key, value in result.items()}
    if isinstance(result, list):
        return [without_chance(one) for one in result]
    if isinstance(result, str):
        for pattern, word in _CHANCE:
            result = re.sub(pattern, word, result)
    return result
