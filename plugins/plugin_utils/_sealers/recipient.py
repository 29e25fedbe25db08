# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A public key to seal to, read and checked."""

from __future__ import annotations

from dataclasses import dataclass

PRIVATE_KEY = (
    "this is a private key. Only the public key may be here. Treat the private key as exposed. "
    "Ask its owner to create a new pair and to send only the public key."
)


@dataclass(frozen=True)
class Recipient:
    """One public key that is fit to be encrypted to.

    :param kind: ``age``, ``openpgp`` or ``smime``. What is sealed together must be of one kind.
    :param key: the key as its kind's library reads it; nothing secret.
    :param fingerprint: what the owner can compare, in the notation of the owner's own tool.
    :param name: who the key says it belongs to, as far as it says so. A claim, not a proof.
    """

    kind: str
    key: bytes
    fingerprint: str
    name: str = ""


@dataclass(frozen=True)
class RecipientKeys:
    """The public keys of one text or file.

    :param usable: the keys that can be sealed to.
    :param unusable: a sentence for each other key: which one it is, and why it cannot be sealed to.
    """

    usable: tuple[Recipient, ...]
    unusable: tuple[str, ...] = ()
