# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kion's API over HTTPS: JSON in, JSON out, library errors as VenueErrors. It decides nothing.

What Kion answers is data from outside: any status, any bytes. No text of a library is quoted, since the libraries are
handed the API key.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from ansible.module_utils.urls import ConnectionError as AnsibleConnectionError
from ansible.module_utils.urls import open_url

from .._domain.errors import ConnectionProblem, VenueError
from .._domain.pauses import pauses
from .._domain.secret_text import without
from .._masking import register, register_result

TRIES = 4
LONGEST_PAUSE = 30.0
MOST_BYTES = 8 * 1024 * 1024
MOST_SHOWN = 300


class KionRefused(VenueError):
    """Kion answered with an error.

    :param status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, status=status)
        self.status = status


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes
    retry_after: str = ""


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
        """Return the same server, spoken to with another key."""
        return Kion(self._url, bearer, self._ca_path, self._sleep, self._jitter)

    def get(self, path: str, *, tries: int = TRIES) -> Any:
        """Return the ``data`` of an answer.

        :param path: below ``/api``, such as ``/version``.
        :param tries: how often to ask while Kion returns a server error (5xx, 429).
        :raises KionRefused: Kion answers with an error.
        :raises ConnectionProblem: no connection, or what answers is not Kion.
        """
        return self._ask("GET", path, None, (), tries)

    def post(self, path: str, body: dict[str, Any], *, secrets: tuple[str, ...] = (), tries: int = TRIES) -> Any:
        """Return the ``data`` of the answer to a JSON body; see :meth:`get`.

        :param secrets: texts of the body that no message may repeat.
        """
        return self._ask("POST", path, json.dumps(body), secrets, tries)

    def _ask(self, method: str, path: str, body: str | None, secrets: tuple[str, ...], tries: int) -> Any:
        for remaining, pause in zip(reversed(range(tries)), pauses(1.0, LONGEST_PAUSE, self._jitter), strict=False):
            answer = self._send(method, path, body)
            if not remaining or (answer.status != 429 and answer.status < 500):
                return self._data(answer, path, tries, (self._bearer, *secrets))
            asked = answer.retry_after if answer.retry_after.isascii() else ""
            wanted = float(asked) if asked.isdigit() else pause
            self._sleep(min(wanted, LONGEST_PAUSE))
        raise AssertionError("unreachable")  # the last try always returns

    def _send(self, method: str, path: str, body: str | None) -> Answer:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        try:
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
                    use_netrc=False,  # what ~/.netrc says about the host would replace the API key
                )
            except HTTPError as error:
                with error:
                    return Answer(error.code, error.read(MOST_BYTES), error.headers.get("Retry-After", ""))
            with answer:
                return Answer(answer.status, answer.read(MOST_BYTES))
        except (OSError, AnsibleConnectionError, http.client.HTTPException, ValueError) as error:
            raise ConnectionProblem(self._reason(error)) from None

    def _reason(self, error: Exception) -> str:
        host = urlsplit(self._url).netloc
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {host} is not trusted ({reason.verify_message}). "
                "Set ca_path to a file with your organization's CA certificates."
            )
        # The text of any other exception may repeat a header.
        words = (reason.strerror if isinstance(reason, OSError) else None) or type(reason).__name__
        if self._ca_path and isinstance(reason, (FileNotFoundError, PermissionError, ssl.SSLError)):
            return f"Kion at {host} cannot be reached with the certificates in ca_path '{self._ca_path}' ({words})."
        return f"Kion at {host} cannot be reached ({words}). Check url, the network, the proxy, and the VPN."

    def _data(self, answer: Answer, path: str, tries: int, secrets: tuple[str, ...]) -> Any:
        host = urlsplit(self._url).netloc
        status, text = answer.status, answer.body.decode("utf-8", "replace")
        if 300 <= status < 400:
            raise ConnectionProblem(
                f"{host} redirects the request (HTTP {status}). "
                "Set url to the address that the browser shows after the login."
            )
        content = _parsed(text)
        if not isinstance(content, dict):
            if status >= 500 or status == 429:
                raise KionRefused(
                    f"Kion at {host} returned a server error (HTTP {status}) {tries} times. Try again later.",
                    status,
                )
            what = "a web page" if text.lstrip().startswith("<") else "something else"
            raise ConnectionProblem(
                f"{host} returns {what} where Kion would return JSON (HTTP {status}, /api{path}). "
                "Check that url is Kion's own address."
            )
        if status >= 300:
            message = without(str(content.get("message") or "no reason given"), *secrets)[:MOST_SHOWN]
            raise KionRefused(f"Kion says: {message} (HTTP {status}).", status)
        register_result(content)
        return content.get("data")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
