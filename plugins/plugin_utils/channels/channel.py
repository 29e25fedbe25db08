# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a channel is: a way to bring a sealed bundle to a person."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...module_utils._domain.errors import InvalidInput
from .. import sealing
from ..sealers.recipient import Recipient

# The procedure's own words.
REASON = (
    'The procedure says: the entire JSON "should be sent to a user via LFT or some other secure, encrypted email service. '
    'Do not send this via slack or email, as it is sensitive information."'
)
SECONDS = 60
# Media types of what travels.
SEALED_ZIP, MAIL, OPEN_ZIP = "application/octet-stream", "message/rfc822", "application/zip"


@dataclass(frozen=True)
class Bundle:
    """The zip, unsealed, and what to call it. Never written anywhere by itself.

    :param stem: the file name without its ends, such as ``sbg-dev-jdoe-20261122T230000Z``.
    :param subject: one line that says what it is, without a secret.
    """

    zip: bytes
    stem: str
    subject: str


@dataclass(frozen=True)
class Parcel:
    """What travels: a file that may lie anywhere, since it is sealed (or the admin insisted that it is not).

    :param kind: the kind of key that opens it, or nothing where it is not sealed.
    """

    name: str
    body: bytes
    media_type: str
    kind: str = ""
    fingerprints: tuple[str, ...] = ()


class Channel(ABC):
    """One way to hand off. Made from the options, which it checks before anything is issued."""

    NAME: ClassVar[str]
    KINDS: ClassVar[Sequence[str]] = tuple(sealing.SUFFIXES)
    CARRIES: ClassVar[Sequence[str]] = (SEALED_ZIP, MAIL)

    @classmethod
    @abstractmethod
    def from_options(cls, options: Mapping[str, Any]) -> Channel:
        """:raises InvalidInput: the options cannot work, or would send the token in clear."""

    def check_keys(self, keys: Sequence[Recipient]) -> None:
        """:raises InvalidInput: nobody could open what came by this channel with keys of this kind."""
        kind = sealing.one_kind(keys)
        if kind not in self.KINDS:
            raise InvalidInput(
                "recipients",
                f"{self.NAME} needs a key of the kind {' or '.join(self.KINDS)}, and this is of the kind {kind}: use another channel.",
            )

    def check_resend(self, parcel: Parcel) -> None:
        """:raises InvalidInput: what was sealed for another channel cannot go by this one."""
        if parcel.media_type not in self.CARRIES:
            raise InvalidInput(
                "resend",
                f"{parcel.name} was not sealed for {self.NAME}, and cannot be sealed anew: use another channel.",
            )

    def seal(self, bundle: Bundle, keys: Sequence[Recipient], to: str) -> Parcel:
        """Seal the zip to the recipient's keys.

        :param to: the recipient's address, for the channel that needs one.
        """
        sealed = sealing.seal(bundle.zip, keys)
        name = f"{bundle.stem}.zip{sealing.SUFFIXES[sealed.kind]}"
        return Parcel(name, sealed.text.encode(), SEALED_ZIP, sealed.kind, sealed.fingerprints)

    @abstractmethod
    def deliver(self, parcel: Parcel) -> str:
        """Bring it there.

        :returns: where it went, fit to be shown.
        :raises DeliveryFailed: it did not get there. Says why; never quotes a password or header.
        """
