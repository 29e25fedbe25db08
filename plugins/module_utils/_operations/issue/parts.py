# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the parts of an issue exchange: a request that was authorized, what STS answered, and a delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ..._domain.receipts import Receipt
from .._operation import Result


@dataclass(frozen=True)
class Issued:
    """What STS answered.

    :param token: the JSON document of the procedure. Secret.
    :param session_name: the name of the session, which an identity provider may have chosen.
    :param context: what the answer adds to the context of the receipt.
    :param source_identity: of the session; None if it has none, or if an identity provider set it.
    """

    token: Mapping[str, Any] = field(repr=False)
    access_key_id: str
    assumed_role_id: str
    session_name: str
    expires_at: datetime
    context: Mapping[str, str] = field(default_factory=dict)
    source_identity: str | None = None


@dataclass(frozen=True)
class Authorized:
    """A request that has passed every check.

    :param receipt: with state ``requested``.
    :param assume: asks STS. Called once.
    :param verify: gets the caller identity with the new credentials, if that was requested.
    """

    receipt: Receipt
    assume: Callable[[], Issued]
    verify: Callable[[Issued], None]


@dataclass(frozen=True)
class Delivered:
    """The result of a delivery.

    :param target: where the token is now; contains no secret. Empty if the task returns the credentials.
    :param facts: what the channel adds to the result of the task.
    :param in_result: the parcel is in the result alone, so it has not arrived before the task ends.
    """

    target: str
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    in_result: bool = False


@dataclass(frozen=True)
class Kept:
    """What was done with a parcel that could not be delivered.

    :param path: the file that it is in, or an empty text.
    :param facts: what is added to the result of the task.
    :param advice: what the admin can do now.
    """

    path: str
    facts: Mapping[str, Any]
    advice: str

    def __bool__(self) -> bool:
        """Whether the parcel is in the file or in the result."""
        return bool(self.path or self.facts)


class Delivery(Protocol):
    """What is done with a token. Everything that can be checked was checked before there was one.

    A *parcel* is what is delivered. Each delivery has its own kind.
    """

    @property
    def returns_keys(self) -> bool:
        """Whether the facts of the delivery are secret."""

    def planned(self, receipt: Receipt) -> Result:
        """Return what the result says in check mode."""

    def check_deliverable(self, receipt: Receipt) -> None:
        """Try what can fail for this request, before STS is asked."""

    def facts(self) -> Result:
        """Return what the result says about the delivery before there is a token."""

    def pack(self, issued: Issued, receipt: Receipt) -> Any:
        """Make the parcel in memory: sealed, unless the admin keeps the token."""

    def deliver(self, parcel: Any) -> Delivered:
        """Deliver the parcel."""

    def describe(self, parcel: Any) -> dict[str, Any] | None:
        """Return what a receipt says about a delivered parcel; None if the task returns the credentials."""

    def keep(self, parcel: Any) -> Kept:
        """Keep a parcel that was not delivered, if it is sealed."""

    def keep_in_result(self, parcel: Any, problem: str) -> Kept:
        """Put a sealed parcel into the result, because it could not be kept."""

    def finish(self, parcel: Any, delivered: Delivered) -> Result:
        """Return what the result says about the delivery."""
