# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The venue's own bucket, for the renewals of leases: one object for each user, below the prefix no token may write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._aws.calls import call
from ...module_utils._domain.errors import DeliveryFailed, InvalidInput, VenueError
from ...module_utils._operations.issue.parts import Delivered
from .._sealers import age, openpgp
from .._signing import SIGNATURE_SUFFIX
from .channel import SEALED_ZIP, Channel, Parcel


@dataclass(frozen=True)
class S3Channel(Channel):
    """A bucket, with the credentials of the run. Only renewals use it: to fetch the object, a token is needed.

    :param client: a client of S3.
    :param key: of the object, which each delivery replaces. A signature goes beside it.
    """

    NAME = "s3"
    KINDS = (age.KIND, openpgp.KIND)  # what the recipient's client opens
    CARRIES = (SEALED_ZIP,)
    CARRIES_SIGNATURE = True
    client: Any = field(repr=False)
    bucket: str
    key: str

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> S3Channel:
        """Refuse: a lease says the place.

        :raises InvalidInput: always.
        """
        raise InvalidInput("channel", "s3 is only for the renewals of a lease.")

    @property
    def place(self) -> str:
        """The place as leases and receipts name it."""
        return f"s3://{self.bucket}/{self.key}"

    def deliver(self, parcel: Parcel) -> Delivered:
        """Replace the object. A reader that finds a new signature beside the old object tries again."""
        if parcel.signature:
            self._put(f"{self.key}{SIGNATURE_SUFFIX}", parcel.signature.encode())
        self._put(self.key, parcel.body)
        return Delivered(self.place)

    def _put(self, key: str, body: bytes) -> None:
        try:
            call(
                self.client,
                "put_object",
                f"write s3://{self.bucket}/{key}",
                Bucket=self.bucket,
                Key=key,
                Body=body,
                ContentType=SEALED_ZIP,
            )
        except VenueError as error:
            raise DeliveryFailed(error.message) from None
