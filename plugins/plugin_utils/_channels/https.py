# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An upload to a site's transfer service, such as LFT, by PUT or as a form."""

from __future__ import annotations

import http.client
import urllib.error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...module_utils import _masking
from ...module_utils._domain.errors import DeliveryFailed, InvalidInput
from ...module_utils._handoff_options import HTTPS
from ...module_utils._operations.issue.parts import Delivered
from .._signing import SIGNATURE_SUFFIX
from . import settings
from .channel import REASON, SECONDS, Channel, Parcel


@dataclass(frozen=True)
class HttpsChannel(Channel):
    """A transfer service.

    :param url: the address. The name of the file is added to a PUT whose address ends with a slash.
    :param method: ``PUT``, or ``POST`` for a form with the file in ``field_name``.
    :param headers: sent with the request, such as an API key. Secret.
    :param ca_file: certificates to trust instead of the system's.
    """

    NAME = "https"
    CARRIES_SIGNATURE = True
    url: str
    method: str = "PUT"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    field_name: str = "file"
    ca_file: str | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> HttpsChannel:
        """Read the option ``https``.

        :raises InvalidInput: no address, not https, a password in the address, which would be shown, or a header that
            HTTP cannot carry.
        """
        given = options.get("https") or {}
        url = settings.url("https.url", given.get("url") or "")
        address = urlsplit(url)
        if not address.netloc:
            raise InvalidInput("https.url", "the address of the transfer service is missing (https://...).")
        if address.scheme != "https":
            raise InvalidInput("https.url", f"{address.scheme}: does not encrypt what is sent. {REASON}")
        if address.username or address.password:
            raise InvalidInput("https.url", "contains a password. Put it into https.headers.")
        settings.host_name("https.url", address.hostname or "")
        _masking.register(address.query)
        headers = dict(
            settings.header("https.headers", name, value) for name, value in (given.get("headers") or {}).items()
        )
        field_name = settings.line("https.field_name", given["field_name"])
        if given["method"] != "POST" and field_name != HTTPS["field_name"]["default"]:
            raise InvalidInput("https.field_name", "has no effect without method: POST.")
        return cls(url, given["method"], headers, field_name, given.get("ca_file"))

    @property
    def place(self) -> str:
        """The address without its query, which has the right to upload of a signed address."""
        return urlsplit(self.url)._replace(query="", fragment="").geturl()

    def check(self, name: str, suffixes: Sequence[str], *, create: bool) -> None:
        """Check that the file with certificates can be used."""
        settings.tls_context("https.ca_file", self.ca_file)

    def deliver(self, parcel: Parcel) -> Delivered:
        """Upload the parcel, and its signature if there is one."""
        if parcel.signature:
            self._upload(f"{parcel.name}{SIGNATURE_SUFFIX}", parcel.signature.encode(), parcel.media_type)
        return Delivered(self._upload(parcel.name, parcel.body, parcel.media_type))

    def check_signature(self) -> None:
        """Check that two files do not go to one address.

        :raises InvalidInput: a PUT to an address that names the file.
        """
        if self.method == "PUT" and not urlsplit(self.url).path.endswith("/"):
            raise InvalidInput(
                "https.url", "must end with a slash, because the signature is uploaded as a second file."
            )

    def _upload(self, name: str, body: bytes, media_type: str) -> str:
        """Upload a file. The server must prove its name. No redirect is followed, because headers may be secret."""
        from ansible.module_utils import urls  # noqa: PLC0415 - it loads cryptography, and few use this channel

        url = self.url
        if self.method == "POST":
            form = {self.field_name: {"filename": name, "content": body.decode(), "mime_type": media_type}}
            media_type, body = urls.prepare_multipart(form)
        elif urlsplit(url).path.endswith("/"):
            url = urlsplit(url)._replace(path=urlsplit(url).path + name).geturl()
        # A signed address has its right to upload behind the question mark.
        shown = urlsplit(url)._replace(query="", fragment="").geturl()
        try:
            urls.open_url(
                url, data=body, method=self.method, headers={"Content-Type": media_type, **self.headers},
                ca_path=self.ca_file, timeout=SECONDS, http_agent="mdps.venue_sts", follow_redirects="none",
                use_netrc=False,
            ).close()  # fmt: skip
        except urllib.error.HTTPError as error:
            error.close()
            answer = http.client.responses.get(error.code, "")
            raise DeliveryFailed(f"{shown} answered {error.code} {answer}.") from None
        except OSError as error:
            raise DeliveryFailed(
                f"{shown} could not be reached over a verified connection: {settings.reason(error)}."
            ) from None
        except (http.client.HTTPException, ValueError):
            # The texts of these may quote a header, which is secret.
            raise DeliveryFailed(f"{shown} did not answer as an HTTP server does.") from None
        return shown
