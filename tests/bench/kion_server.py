# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Kion that gives keys for many accounts and counts how often, and how often at once, it is asked for them."""

from __future__ import annotations

import pathlib
import threading
import time
from typing import Any

from tests.support.kion import Kion, role

SECONDS = 0.1  # that keys take: time for requests to overlap


class BenchKion(Kion):
    """A Kion in threads of this process: it ends with it."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self._lock = threading.Lock()
        self._keys_of: dict[str, dict[str, str]] = {}
        self._forget()

    def serve_keys(self, keys: dict[str, dict[str, str]]) -> None:
        """Give these keys, by account, as boto3's clients take them."""
        self._keys_of = {
            account: {
                "access_key": one["aws_access_key_id"],
                "secret_access_key": one["aws_secret_access_key"],
                "session_token": one["aws_session_token"],
            }
            for account, one in keys.items()
        }
        self.roles = [
            role("Operator", number=account, account_alias=f"alias-{account}", account_name=account) for account in keys
        ]
        self._forget()

    def _forget(self) -> None:
        self._asked = self._now = self._most = 0

    def books(self) -> dict[str, int]:
        """How often keys were asked for since the last such question, and how often at once."""
        with self._lock:
            told = {"kion_asked": self._asked, "kion_at_once": self._most}
            self._forget()
        return told

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, bearer: str) -> tuple[int, Any]:
        """As the other, after a while, and with keys of the account."""
        if not path.startswith("/api/v3/temporary-credentials"):
            return super().answer(method, path, query, body, bearer)
        with self._lock:
            self._asked += 1
            self._now += 1
            self._most = max(self._most, self._now)
        time.sleep(SECONDS)
        status, data = super().answer(method, path, query, body, bearer)
        with self._lock:
            self._now -= 1
        return status, {**data, **self._keys_of[body["account_number"]]} if status == 200 else data
