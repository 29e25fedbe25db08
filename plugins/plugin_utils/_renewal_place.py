# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the tokens of a lease will be, and the file in the bundle by which the recipient's client finds them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..module_utils._domain.permissions import RenewalFolder
from . import _sealing as sealing
from ._bundle import renewal_scripts
from ._sealers.recipient import Recipient

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

    def files(self, receipt: Mapping[str, Any], signed: str = "") -> Mapping[str, str]:
        """Return the files for the recipient's client: facts without credentials, and the client if it can renew.

        :param receipt: the receipt of the issued token as JSON.
        :param signed: whose signature the next bundles must have: a public ssh key, a fingerprint, or '' for none.
        """
        same = {name: receipt[name] for name in ("region", "account_id", "role_arn", "issued_at", "expires_at")}
        facts = {
            "schema": 1,
            "bucket": self.bucket,
            "key": self.key,
            **same,
            "user": receipt["recipient"],
            "signed": signed,
        }
        return {FILE: json.dumps(facts, indent=2) + "\n", **(renewal_scripts() if self.key else {})}
