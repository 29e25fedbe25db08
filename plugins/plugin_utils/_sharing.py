# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Share the result of one task with the other hosts of the same run that make exactly the same request.

ansible-playbook runs the task of each host in a worker of its own. The first worker makes the request; the others wait
and use its result, so Kion is asked once for each account, and different accounts are asked at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import secrets
import struct
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ._reuse import digest, lives, request_of_task, requested, seconds_wanted, settings_of

# More than the credentials of 3,000 accounts. Memory that is not written to is not used.
SIZE = 16 * 2**20
LENGTH = struct.Struct("!Q")


class SharedResults:
    """Results in memory that the workers of a run have in common: they are never written to a file.

    Made before ansible-playbook forks. A worker that makes another one shares nothing.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._memory = mmap.mmap(-1, size)
        # An empty file without a name, open as long as the run. A lock ends with the worker that holds it.
        self._locks, path = tempfile.mkstemp()
        Path(path).unlink()

    @contextlib.contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Wait until no other worker has the turn for this key.

        :param key: a digest in hexadecimal.
        """
        with self._locked(1 + int(key[:15], 16)):
            yield

    def find(self, key: str) -> dict[str, Any] | None:
        """Return the latest result for a key."""
        with self._locked(0):
            end, prefix = self._end(), f"\n{key} ".encode()
            begin = self._memory.rfind(prefix, LENGTH.size, end)
            found = self._memory[begin + len(prefix) : end] if begin >= 0 else b""
        return json.loads(found.partition(b"\n")[0]) if found else None

    def add(self, key: str, result: Mapping[str, Any]) -> None:
        """Add a result, if there is room: otherwise each host makes its own request."""
        line = f"\n{key} {json.dumps(result, default=str)}".encode()
        with self._locked(0):
            end = self._end()
            if end + len(line) <= len(self._memory):
                self._memory[end : end + len(line)] = line
                self._memory[: LENGTH.size] = LENGTH.pack(end + len(line))

    def _end(self) -> int:
        (end,) = LENGTH.unpack(self._memory[: LENGTH.size])
        return int(end) or LENGTH.size

    @contextlib.contextmanager
    def _locked(self, place: int) -> Iterator[None]:
        fcntl.lockf(self._locks, fcntl.LOCK_EX, 1, place)
        try:
            yield
        finally:
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, place)


RESULTS = SharedResults()


class Share:
    """For an action plugin, in front of ``VenueAction``: the options ``share`` and ``renew_before``."""

    def _run(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the same request in this run, or make the request."""
        this: Any = self
        # Anything but a boolean is refused with the options.
        if not boolean(this._task.args.get("share", False), strict=False):
            return requested(super()._run(tmp, task_vars))  # type: ignore[misc]  # VenueAction's
        request = request_of_task(self, task_vars)
        with RESULTS.turn(request):
            return self._first_or_shared(request, tmp, task_vars)

    def _first_or_shared(self, request: str, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        this: Any = self
        args, host = this._task.args, task_vars.get("inventory_hostname")
        seconds, previous = seconds_wanted(args), RESULTS.find(request)
        if seconds is not None and previous and _serves(previous, host, settings_of(args), seconds):
            return dict(this.hide({**previous["result"], "changed": False, "reused": True}))
        # A request may have failed because its credentials would end too early.
        refused = digest([request, str(args.get("minimum_seconds"))])
        known_here = digest([refused, host])
        failure = RESULTS.find(refused)
        # For the other hosts of this task, and once: a later task, or another attempt of a host, asks again.
        if failure and failure["task"] == this._task._uuid and RESULTS.find(known_here) != {"id": failure["id"]}:
            RESULTS.add(known_here, {"id": failure["id"]})
            msg = f"{failure['result'].get('msg')} (requested once, by {failure['host']})"
            return {**failure["result"], "msg": msg}
        result = requested(super()._run(tmp, task_vars))  # type: ignore[misc]
        if result.get("failed"):
            result = {**result, "request": refused}
            known = {"id": secrets.token_hex(8), "host": host, "task": this._task._uuid, "result": result}
            RESULTS.add(refused, known)
            RESULTS.add(known_here, {"id": known["id"]})
            return result
        result = {**result, "request": request}
        # The files as they are now: with a new API key, if the task has replaced it.
        RESULTS.add(request, {"host": host, "settings": settings_of(args), "result": result})
        return result


def _serves(previous: Mapping[str, Any], host: Any, settings: list[str], seconds: int) -> bool:
    """Whether a result can be used.

    :param host: the host of this task. Another one may have found another API key in Kion's file, which a third one
        has replaced.
    """
    first = 0 if previous["host"] == host else 1
    same = previous["settings"][first:] == settings[first:]
    return same and lives(previous["result"], seconds, datetime.now(UTC))
