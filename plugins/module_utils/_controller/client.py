# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The API of AWX and Automation Controller: reads JSON with a token, names failures. It decides nothing."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from ansible.module_utils.urls import ConnectionError as AnsibleConnectionError
from ansible.module_utils.urls import open_url

from .._domain.errors import ConnectionProblem

FAILURES = (OSError, AnsibleConnectionError, http.client.HTTPException, ValueError)


class Controller:
    """One server, read as one user.

    :param url: the address of its API, such as ``https://HOST/api/v2``.
    :param token: an OAuth token with the scope Read.
    :param ca_path: a file with the certificates to trust, instead of the system's.
    """

    def __init__(self, url: str, token: str, ca_path: str | None) -> None:
        self._url, self._token, self._ca_path = url, token, ca_path

    def get(self, path: str) -> Any:
        """Return the JSON of an answer.

        :param path: below ``/api/v2``, such as ``/workflow_jobs/7/``.
        :raises ConnectionProblem: no connection, a refusal, or an answer that is not JSON.
        """
        host = urlsplit(self._url).netloc
        try:
            with open_url(
                f"{self._url}{path}",
                headers={"Accept": "application/json", "Authorization": f"Bearer {self._token}"},
                method="GET",
                timeout=30,
                ca_path=self._ca_path,
                http_agent="mdps.venue_sts",
                follow_redirects="no",  # a redirect would carry the token to wherever it points
                use_netrc=False,
            ) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            with error:
                raise ConnectionProblem(self._refusal(error.code, path)) from None
        except FAILURES as error:  # their text may quote the request, and the token with it
            raise ConnectionProblem(
                f"AWX at {host} cannot be read ({type(error).__name__}). Check the address in the credential MDPS AWX "
                "reader and the network between the jobs and AWX."
            ) from None

    def _refusal(self, status: int, path: str) -> str:
        host = urlsplit(self._url).netloc
        reasons = {
            401: "The token in the credential MDPS AWX reader is wrong or has expired: create a new one.",
            403: "The user of the token may not read it: grant the role Auditor of the organization.",
            404: "The user of the token cannot see it: grant the role Auditor of the organization.",
        }
        reason = reasons.get(status, "Try again later.")
        return f"AWX at {host} did not return {path} (HTTP {status}). {reason}"
