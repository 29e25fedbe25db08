# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reuse credentials of the same run, if they were returned for exactly the same request and live long enough.

A request is everything that decides which credentials come back: the options of the task (its module defaults and the
caller's keys among them), where and as whom it runs, and what the files with an assertion and with settings contain.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.times import parse_time
from ..module_utils._files import absolute, open_regular

# Made when ansible-playbook loads the plugin, before it forks. A worker that loads it again has another key: then
# nothing is reused.
_RUN_KEY = secrets.token_bytes(32)
# How to reuse, and proof that is valid once: neither decides which credentials come back.
NOT_THE_REQUEST = frozenset({"reuse", "share", "renew_before", "minimum_seconds", "mfa_token"})
# Options that name a file whose content is part of the request.
FILES = ("saml_assertion_file", "web_identity_token_file")
# Files with settings and keys: an option or an environment variable that names one, and where it is otherwise.
SETTINGS = (
    ("config_file", "KION_CONFIG", "~/.kion.yml"),
    ("", "AWS_CONFIG_FILE", "~/.aws/config"),
    ("", "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
)
# The options that say so, with their defaults. venue_sts_token has no minimum_seconds.
SECONDS = {"renew_before": 300, "minimum_seconds": 0}
MOMENT = 300  # seconds


def digest(request: Any) -> str:
    """Return a value that is equal for equal requests of one run, and from which nothing about them can be learned."""
    text = json.dumps(request, sort_keys=True, default=str)
    return hmac.new(_RUN_KEY, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def request_of(args: Mapping[str, Any], surroundings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies the request of a task.

    :param args: the options, with module defaults.
    :param surroundings: where and as whom the task runs.
    """
    options = {name: value for name, value in args.items() if name not in NOT_THE_REQUEST}
    # An account that YAML reads as a number is the same as its text.
    texts = {name: str(one) for name, one in options.items() if isinstance(one, int) and not isinstance(one, bool)}
    return {"options": {**options, **texts}, "surroundings": dict(surroundings)}


def files_of(args: Mapping[str, Any]) -> str:
    """Return a digest of the files that belong to the request; empty if there are none any more."""
    contents = {}
    for name in FILES:
        if found := _digest_of(str(args.get(name) or "")):
            contents[name] = found
    return digest(contents) if contents else ""


def settings_of(args: Mapping[str, Any]) -> list[str]:
    """Return digests of the files that accounts, profiles and keys are taken from, that of Kion first."""
    found = []
    for option, variable, default in SETTINGS:
        found.append(digest(_digest_of(str(args.get(option) or os.environ.get(variable) or default))))
    return found


def _digest_of(path: str) -> str:
    """Return a digest of a file; empty if it is missing or cannot be read, which the task itself reports."""
    try:
        with open(absolute("reuse", path), "rb", opener=open_regular) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except (OSError, InvalidInput):
        return ""


def is_same(previous: Any, request: str, files: str) -> bool:
    """Return whether an earlier task had the same request.

    :param previous: what the earlier task registered, if anything.
    :param request: the digest of the request.
    :param files: the digest of its files. A file that was removed since does not count as changed.
    """
    if not isinstance(previous, Mapping) or not hmac.compare_digest(str(previous.get("request", "")), request):
        return False
    return not files or files == previous.get("request_files")


def lives(previous: Mapping[str, Any], seconds: int, now: datetime) -> bool:
    """Return whether the credentials of an earlier result are valid for at least so many seconds from now.

    Those without a known expiration count as well if they were fetched a moment ago: new ones would hardly live longer.
    """
    receipt = previous.get("receipt")
    if not isinstance(receipt, Mapping) or not isinstance(previous.get("sts_creds"), Mapping):
        return False
    if receipt.get("expires_at") is None:
        return -_seconds_from(now, receipt.get("issued_at")) <= MOMENT
    return _seconds_from(now, receipt.get("expires_at")) >= seconds


def _seconds_from(now: datetime, text: Any) -> float:
    try:
        return (parse_time("expires_at", str(text)) - now).total_seconds()
    except InvalidInput:
        return float("-inf")


def request_of_task(action: Any, task_vars: Mapping[str, Any]) -> str:
    """Return the digest of what a task requests, and of where and as whom.

    :param action: the action plugin.
    """
    # Plain types, whatever the templates made of the options.
    args = json.loads(json.dumps(action._task.args, default=str))
    return digest(request_of(args, _surroundings(action, task_vars)))


def seconds_wanted(args: Mapping[str, Any]) -> int | None:
    """Return for how many seconds credentials must still be valid; None for what the module itself refuses."""
    texts = [str(args.get(name, default)) for name, default in SECONDS.items()]
    return max(map(int, texts)) if all(map(str.isdecimal, texts)) else None


def requested(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a task that has made its own request."""
    return result if result.get("failed") else {**result, "reused": False}


class Reuse:
    """For an action plugin, in front of ``VenueAction``: the options ``reuse`` and ``renew_before``."""

    def _run(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the earlier result if it serves this request, else run the task."""
        this: Any = self
        args = this._task.args
        if not args.get("reuse"):
            return requested(super()._run(tmp, task_vars))  # type: ignore[misc]  # VenueAction's
        request, files, settings = request_of_task(self, task_vars), files_of(args), settings_of(args)
        previous, seconds = _previous(args["reuse"], task_vars), seconds_wanted(args)
        same = is_same(previous, request, files) and previous.get("request_settings") == settings
        if seconds is not None and same and lives(previous, seconds, datetime.now(UTC)):
            return dict(this.hide({**previous, "changed": False, "reused": True}))
        result = requested(super()._run(tmp, task_vars))  # type: ignore[misc]
        if result.get("failed"):
            return result
        return {**result, "request": request, "request_files": files, "request_settings": settings}


def _previous(variable: str, task_vars: Mapping[str, Any]) -> Any:
    """Return what an earlier task registered, as plain types."""
    return json.loads(json.dumps(task_vars[variable], default=str)) if variable in task_vars else None


def _surroundings(action: Any, task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Return where and as whom a task runs: each of these may have other credentials, or another AWS configuration."""
    become, transport = action._connection.become, action._connection.transport
    return {
        "action": action._task.action,
        "connection": transport,
        # Another machine may have another server of Kion, and other files.
        "machine": task_vars.get("inventory_hostname") if transport != "local" else None,
        "delegate_to": action._task.delegate_to,
        "become": [become.name, become.get_option("become_user")] if become else None,
        "environment": [action._templar.template(one) for one in action._task.environment or ()],
    }
