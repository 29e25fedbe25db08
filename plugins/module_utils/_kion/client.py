# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kion's API over HTTPS: JSON in, JSON out, errors in words. It decides nothing."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible.module_utils.urls import ConnectionError as AnsibleConnectionError
from ansible.module_utils.urls import open_url

from .._domain.errors import ConnectionProblem, VenueError
from .._masking import register, register_result

TRIES = 4
LONGEST_PAUSE = 30.0


class KionRefused(VenueError):
    """Kion answered with an error.

    :param status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status=status)
        self.status = status


class Kion:
    """One server, spoken to as one user.

    :param url: its address, without ``/api``.
    :param bearer: an app API key or a session token.
    :param ca_path: a file with the certificates to trust, instead of the system's.
    :param sleep: waits so many seconds.
    :param jitter: a random number of seconds between 0 and its argument.
    """

    def __init__(
        self,
        url: str,
        bearer: str,
        ca_path: str | None,
        sleep: Callable[[float], None],
        jitter: Callable[[float], float],
    ) -> None:
        register(bearer)
        self._url, self._bearer, self._ca_path = url, bearer, ca_path
        self._sleep, self._jitter = sleep, jitter

    def with_bearer(self, bearer: str) -> Kion:
        """The same server, spoken to with other proof."""
        return Kion(self._url, bearer, self._ca_path, self._sleep, self._jitter)

    def get(self, path: str) -> Any:
        """The ``data`` of an answer.

        :param path: below ``/api``, such as ``/version``.
        :raises KionRefused: Kion says no, or still has a failure of its own (5xx, 429) after four tries.
        :raises ConnectionProblem: no connection, or what answers is not Kion.
        """
        return self._ask("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The ``data`` of the answer to a JSON body; see :meth:`get`."""
        return self._ask("POST", path, json.dumps(body))

    def _ask(self, method: str, path: str, body: str | None) -> Any:
        pause = 1.0
        for remaining in reversed(range(TRIES)):
            status, text, retry_after = self._send(method, path, body)
            if not remaining or (status != 429 and status < 500):
                return self._data(status, text, path)
            wanted = float(retry_after) if retry_after.isdigit() else pause / 2 + self._jitter(pause / 2)
            self._sleep(min(wanted, LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("unreachable")  # the last try always returns

    def _send(self, method: str, path: str, body: str | None) -> tuple[int, str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        try:
            answer = open_url(
                f"{self._url}/api{path}",
                data=body,
                headers=headers,
                method=method,
                timeout=30,
                ca_path=self._ca_path,
                http_agent="mdps.venue_sts",
                follow_redirects="no",  # a redirect would carry the API key to wherever it points
                use_netrc=False,  # what ~/.netrc says of the host would replace the API key
            )
            with answer:
                return answer.status, answer.read().decode("utf-8", "replace"), ""
        except HTTPError as error:
            with error:
                return error.code, error.read().decode("utf-8", "replace"), error.headers.get("Retry-After", "")
        except (OSError, AnsibleConnectionError, http.client.HTTPException, ValueError) as error:
            raise ConnectionProblem(self._why(error)) from None

    def _why(self, error: Exception) -> str:
        host = urlsplit(self._url).netloc
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"The certificate of {host} is not trusted ({reason.verify_message}). Name your organisation's CA certificates in ca_path."
        if self._ca_path and isinstance(reason, (FileNotFoundError, PermissionError, ssl.SSLError)):
            return f"Kion at {host} cannot be reached with the certificates in ca_path '{self._ca_path}' ({reason.strerror or reason})."
        return f"Kion at {host} cannot be reached ({getattr(reason, 'strerror', None) or reason}). Check url, the network and the VPN."

    def _data(self, status: int, text: str, path: str) -> Any:
        host = urlsplit(self._url).netloc
        if 300 <= status < 400:
            raise ConnectionProblem(
                f"{host} sends the request elsewhere (HTTP {status}). Give the address that Kion has in the browser after the login."
            )
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if status >= 500 or status == 429:
                raise KionRefused(
                    f"Kion at {host} has a failure of its own (HTTP {status}), also after {TRIES} tries. Try again later.",
                    status,
                )
            what = "a web page" if text.lstrip().startswith("<") else "something else"
            raise ConnectionProblem(
                f"{host} answers {what} where Kion would answer JSON (HTTP {status}, /api{path}). Is url Kion's own address?"
            )
        if status >= 300:
            message = " ".join(str(answer.get("message") or "no reason given").split())[:300]
            if self._bearer:
                message = message.replace(self._bearer, "***")
            raise KionRefused(f"Kion says: {message} (HTTP {status}).", status)
        register_result(answer)
        return answer.get("data")
