# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two ways to keep a token that is not handed off: in a file of the admin, or in the hidden result of the task."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..module_utils._domain.names import Venue
from ..module_utils._domain.receipts import Receipt
from ..module_utils._domain.token_files import example_stem, token_stem
from ..module_utils._operations._operation import Result, Runtime
from ..module_utils._operations.issue.parts import Delivered, Issued, Kept
from . import _destinations as destinations

NOT_KEPT = "An unsealed bundle is not kept."


@dataclass(frozen=True)
class TokenText:
    """The JSON document of a token, and the name of its file."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class TokenFile:
    """Write the token's JSON to a file of the admin (the option ``dest``)."""

    dest: str
    returns_keys = False

    @classmethod
    def prepare(cls, dest: str, venue: Venue, user: str, runtime: Runtime) -> TokenFile:
        """Check that the file can be created safely.

        :param user: a checked user name.
        :raises VenueError: it cannot.
        """
        destinations.check("dest", dest, f"{example_stem(venue, user)}.json", create=not runtime.check_mode)
        return cls(dest)

    def planned(self, receipt: Receipt) -> Result:
        """Return what check mode says."""
        return {"dest": destinations.path_of("dest", self.dest, _name(receipt))}

    def check_deliverable(self, receipt: Receipt) -> None:
        """Do nothing: no text depends on the request."""

    def facts(self) -> Result:
        """Return nothing: where the token is belongs to the outcome."""
        return {}

    def pack(self, issued: Issued, receipt: Receipt) -> TokenText:
        """Return the document, as the AWS CLI prints it."""
        return TokenText(_name(receipt), (json.dumps(issued.token, indent=4) + "\n").encode())

    def deliver(self, parcel: TokenText) -> Delivered:
        """Create the file."""
        path = destinations.write("dest", destinations.path_of("dest", self.dest, parcel.name), parcel.data)
        return Delivered(path, {"dest": path})

    def describe(self, parcel: TokenText) -> dict[str, Any]:
        """Return what the receipt says: the token is with the admin."""
        return {"channel": "none", "delivered": False, "file": parcel.name, "sealed_to": []}

    def keep(self, parcel: TokenText) -> Kept:
        """Keep nothing: what is not sealed is stored nowhere else."""
        return Kept("", {}, NOT_KEPT)

    def keep_in_result(self, parcel: TokenText, problem: str) -> Kept:
        """Keep nothing."""
        return Kept("", {}, NOT_KEPT)

    def finish(self, parcel: TokenText, delivered: Delivered) -> Result:
        """Return the path of the file."""
        return dict(delivered.facts)


@dataclass(frozen=True)
class ReturnedKeys:
    """Return the credentials in the result of the task, which the action plugin hides."""

    returns_keys = True

    def planned(self, receipt: Receipt) -> Result:
        """Return what check mode says."""
        return {"token": None, "sts_creds": None}

    def check_deliverable(self, receipt: Receipt) -> None:
        """Do nothing: no text depends on the request."""

    def facts(self) -> Result:
        """Return nothing."""
        return {}

    def pack(self, issued: Issued, receipt: Receipt) -> Issued:
        """Return the token as it is."""
        return issued

    def deliver(self, parcel: Issued) -> Delivered:
        """Put the credentials into the result, also under the names that amazon.aws uses."""
        keys = parcel.token["Credentials"]
        sts_creds = {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "session_token": keys["SessionToken"],
            "expiration": keys["Expiration"],
        }
        return Delivered("", {"token": dict(parcel.token), "sts_creds": sts_creds})

    def describe(self, parcel: Issued) -> None:
        """Return nothing: there is no hand-off."""

    def keep(self, parcel: Issued) -> Kept:
        """Keep nothing."""
        return Kept("", {}, NOT_KEPT)

    def keep_in_result(self, parcel: Issued, problem: str) -> Kept:
        """Keep nothing."""
        return Kept("", {}, NOT_KEPT)

    def finish(self, parcel: Issued, delivered: Delivered) -> Result:
        """Return the credentials."""
        return dict(delivered.facts)


def _name(receipt: Receipt) -> str:
    return f"{token_stem(receipt.venue, receipt.recipient, receipt.id)}.json"
