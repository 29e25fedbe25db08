# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The interface of a channel: a way to deliver a sealed bundle to a recipient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ...module_utils._domain.errors import InvalidInput
from ...module_utils._operations.issue.parts import Delivered
from .. import _sealing as sealing
from .. import _signing as signing
from .._bundle import Bundle
from .._sealers.recipient import Recipient
from .._signing import SIGNATURE_SUFFIX

# The words of the written procedure.
REASON = (
    'The procedure says: the entire JSON "should be sent to a user via LFT or some other secure, encrypted email '
    'service. Do not send this via slack or email, as it is sensitive information."'
)
SECONDS = 60
# Media types of what is delivered.
SEALED_ZIP, MAIL, OPEN_ZIP = "application/octet-stream", "message/rfc822", "application/zip"


@dataclass(frozen=True)
class Parcel:
    """A file that may be stored anywhere, because it is sealed (unless the admin asked for a file that is not).

    :param kind: the kind of key that opens it, or an empty text if it is not sealed.
    :param fingerprints: the keys that it is sealed to.
    :param how_to_open: one line for the recipient.
    :param signature: an armored signature that goes beside it, in a file of the same name with ``.sig``.
    :param signed_by: the fingerprint of the key that signed it, inside or beside.
    :param how_to_verify: lines for the recipient, to check the signature before opening.
    """

    name: str
    body: bytes = field(repr=False)
    media_type: str
    kind: str = ""
    fingerprints: tuple[str, ...] = ()
    how_to_open: str = ""
    signature: str = ""
    signed_by: str = ""
    how_to_verify: tuple[str, ...] = ()

    @property
    def extra_files(self) -> dict[str, bytes]:
        """The contents of the files that go beside it, by suffix."""
        return {SIGNATURE_SUFFIX: self.signature.encode()} if self.signature else {}

    def with_fingerprints(self, fingerprints: Sequence[str]) -> Parcel:
        """Return the same parcel with the fingerprints that its receipt names."""
        return replace(self, fingerprints=tuple(fingerprints))


class Channel(ABC):
    """One way to hand off. Created from the options, which it checks before a token is issued."""

    NAME: ClassVar[str]
    KINDS: ClassVar[Sequence[str]] = tuple(sealing.SUFFIXES)
    CARRIES: ClassVar[Sequence[str]] = (SEALED_ZIP, MAIL)
    TAKES_UNSEALED: ClassVar[bool] = False
    CARRIES_SIGNATURE: ClassVar[bool] = False  # ``deliver`` delivers ``Parcel.signature`` as well

    @classmethod
    @abstractmethod
    def from_options(cls, options: Mapping[str, Any]) -> Channel:
        """Read the channel's own options.

        :raises InvalidInput: the options cannot work, or would send the token without encryption.
        """

    @property
    def place(self) -> str:
        """The place as a lease names it; '' for a channel that no lease delivers by."""
        return ""

    def check(  # noqa: B027 - most channels have nothing to check on this machine
        self, name: str, suffixes: Sequence[str], *, create: bool
    ) -> None:
        """Check what can be checked on this machine before a token is issued, such as the folder of a file.

        :param name: the name of the parcel, or one of the same length.
        :param suffixes: an empty text for the parcel, and the suffix of each file beside it.
        :param create: create missing folders; not in check mode.
        :raises VenueError: delivery would fail.
        """

    def check_alone(self, hosts: int) -> None:  # noqa: B027 - most channels deliver to places of their own
        """Check that this channel can be used on so many hosts at the same time.

        :raises InvalidInput: it cannot.
        """

    def check_signature(self) -> None:
        """Check that this channel can carry a signature beside the parcel.

        :raises InvalidInput: it cannot.
        """
        if not self.CARRIES_SIGNATURE:
            raise InvalidInput(
                "channel", f"{self.NAME} cannot deliver a signature, which is a second file. Use another channel."
            )

    def check_recipient(self, keys: Sequence[Recipient], address: str) -> None:
        """Check that this channel can reach the recipient.

        :param address: the recipient's mail address, or an empty text.
        :raises InvalidInput: nobody could open what arrives by this channel with keys of this kind.
        """
        kind = sealing.one_kind(keys)
        if kind not in self.KINDS:
            raise InvalidInput(
                "channel",
                f"{self.NAME} needs a key of the kind {' or '.join(self.KINDS)}, and this one is of the kind {kind}. "
                "Use another channel.",
            )

    def check_resend(self, parcel: Parcel) -> None:
        """Check that this channel can carry a parcel that was sealed before.

        :raises InvalidInput: it was sealed for another channel, or is signed and its signature could not be delivered.
        """
        if parcel.media_type not in self.CARRIES:
            raise InvalidInput(
                "resend",
                f"{parcel.name} was not sealed for the channel {self.NAME} and cannot be sealed again. "
                "Use another channel.",
            )
        if parcel.signature:
            self.check_signature()

    @classmethod
    def recognize(cls, name: str, body: bytes) -> Parcel | None:
        """Return a stored file as a parcel of this channel, or None if it is not sealed in the channel's form."""
        kind = sealing.sealed_kind(body.decode(errors="replace"))
        return Parcel(name, body, SEALED_ZIP, kind, how_to_open=sealing.how_to_open(kind, name)) if kind else None

    def seal(self, bundle: Bundle, keys: Sequence[Recipient], address: str, options: sealing.SealOptions) -> Parcel:
        """Seal the zip file to the recipient's keys.

        :param address: the recipient's mail address, for the channel that needs one.
        """
        sealed = sealing.seal(bundle.zip, keys, options)
        name = self.name_of(bundle.stem, keys)
        return Parcel(
            name,
            sealed.text.encode(),
            SEALED_ZIP,
            sealed.kind,
            sealed.fingerprints,
            sealing.how_to_open(sealed.kind, self.delivered_name(name), sealed.signed_by),
            sealed.signature,
            sealed.signed_by,
            self.how_to_verify(bundle.stem, keys, options),
        )

    @staticmethod
    def name_of(stem: str, keys: Sequence[Recipient]) -> str:
        """Return the name of the sealed file."""
        return f"{stem}.zip{sealing.SUFFIXES[sealing.one_kind(keys)]}"

    def how_to_verify(self, stem: str, keys: Sequence[Recipient], options: sealing.SealOptions) -> tuple[str, ...]:
        """Return lines for the recipient, to check the signature before opening; none if it is not signed."""
        name = self.delivered_name(self.name_of(stem, keys))
        return tuple(options.signer.verify_commands(name)) if options.signer else ()

    def delivered_name(self, name: str) -> str:
        """Return the name of the file that the recipient gets, where the admin may have chosen another one."""
        return name

    def described(self, parcel: Parcel, signed_by: str = "") -> Parcel:
        """Return a parcel that was sealed before, with what the recipient does with it.

        :param signed_by: the fingerprint that its receipt names.
        """
        if not parcel.kind or parcel.media_type != SEALED_ZIP:
            return replace(parcel, signed_by=signed_by)
        name = self.delivered_name(parcel.name)
        return replace(
            parcel,
            signed_by=signed_by,
            how_to_open=sealing.how_to_open(parcel.kind, name, signed_by),
            how_to_verify=tuple(signing.verify_commands(name, signed_by, parcel.signature)),
        )

    @abstractmethod
    def deliver(self, parcel: Parcel) -> Delivered:
        """Deliver a parcel.

        :raises DeliveryFailed: it did not arrive. The message says why and never quotes a password or header.
        """


def unsealed(bundle: Bundle) -> Parcel:
    """Return the zip file as it is, for the admin who asked for that."""
    return Parcel(
        unsealed_name(bundle.stem), bundle.zip, OPEN_ZIP, how_to_open="It is not sealed. Extract the zip file."
    )


def unsealed_name(stem: str) -> str:
    """Return the name of the file that is not sealed."""
    return f"{stem}.zip"
