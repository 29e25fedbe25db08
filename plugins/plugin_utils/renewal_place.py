# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the tokens of a lease will be, and the file in the bundle by which the recipient's client finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..module_utils._domain.permissions import RenewalFolder
from ..module_utils._domain.receipts import Receipt
from ..module_utils._domain.times import iso
from . import sealing
from .sealers.recipient import Recipient
from .signing import SshSigner

FILE = "renewal.json"
NAME = "token.zip"


def renewal_key(folder: RenewalFolder, keys: Sequence[Recipient]) -> str:
    """Return the key of the object in the bucket that holds the latest sealed bundle. It stays the same."""
    return f"{folder.prefix}{NAME}{sealing.SUFFIXES[sealing.one_kind(keys)]}"


@dataclass(frozen=True)
class RenewalPlace:
    """Where the next token of a lease will be.

    :param bucket: None where renewals are not delivered to a bucket, like ``key``.
    """

    bucket: str | None
    key: str | None

    def files(self, receipt: Receipt, options: sealing.SealOptions) -> Mapping[str, str]:
        """Return the file for the recipient's client: facts, no keys and nothing to run."""
        facts = {
            "schema": 1,
            "bucket": self.bucket,
            "key": self.key,
            "region": receipt.region,
            "account_id": receipt.account_id,
            "role_arn": receipt.role_arn,
            "user": receipt.recipient,
            "issued_at": iso(receipt.issued_at) if receipt.issued_at else None,
            "expires_at": iso(receipt.expires_at) if receipt.expires_at else None,
            "signed": options.signer is not None,
            "signature_beside": isinstance(options.signer, SshSigner),
        }
        return {FILE: json.dumps(facts, indent=2) + "\n"}
