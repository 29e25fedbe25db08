# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An upload to a site's transfer service, such as LFT, by PUT or as a form."""

from __future__ import annotations

import http.client
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url, prepare_multipart

from ...module_utils._domain.errors import DeliveryFailed, InvalidInput
from .channel import REASON, SECONDS, Channel, Parcel


@dataclass(frozen=True)
class HttpsChannel(Channel):
    """A transfer service.

    :param url: where to; the file's name is added to a PUT whose address ends with a slash.
    :param method: ``PUT``, or ``POST`` for a form with the file in ``field_name``.
    :param headers: sent along, such as an API key. Secret.
    :param ca_file: certificates to trust instead of the system's.
    """

    NAME = "https"
    url: str
    method: str = "PUT"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    field_name: str = "file"
    ca_file: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> HttpsChannel:
        """:raises InvalidInput: no address, not https, or a password in the address, which would be shown."""
        given = options.get("https") or {}
        address = urlsplit(given.get("url") or "")
        if not address.netloc:
            raise InvalidInput("https.url", "the address of the transfer service is missing (https://...).")
        if address.scheme != "https":
            raise InvalidInput("https.url", f"{address.scheme}: is not encrypted on its way. {REASON}")
        if address.username or address.password:
            raise InvalidInput("https.url", "it has a password in it: put that into https.headers.")
        headers = {name: str(value) for name, value in (given.get("headers") or {}).items()}
        return cls(given["url"], given["method"], headers, given["field_name"], given.get("ca_file"))

    def deliver(self, parcel: Parcel) -> str:
        """Upload it. The server must prove its name; nothing is followed elsewhere, since headers may be secret."""
        url, body, media_type = self.url, parcel.body, parcel.media_type
        if self.method == "POST":
            form = {self.field_name: {"filename": parcel.name, "content": body.decode(), "mime_type": media_type}}
            media_type, body = prepare_multipart(form)
        elif urlsplit(url).path.endswith("/"):
            url = urlsplit(url)._replace(path=urlsplit(url).path + parcel.name).geturl()
        # A signed address carries its right to upload behind the question mark.
        shown = urlsplit(url)._replace(query="", fragment="").geturl()
        try:
            open_url(
                url, data=body, method=self.method, headers={"Content-Type": media_type, **self.headers}, ca_path=self.ca_file,
                timeout=SECONDS, http_agent="mdps.venue_sts", follow_redirects="none", use_netrc=False,
            ).close()  # fmt: skip
        except urllib.error.HTTPError as error:
            raise DeliveryFailed(
                f"{shown} answered {error.code} {http.client.responses.get(error.code, '')}."
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeliveryFailed(f"{shown} could not be reached safely: {getattr(error, 'reason', error)}.") from None
        return shown
