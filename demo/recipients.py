# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A recipient of the drill: an age key, an inbox, and what is in the bundle that arrives there."""

from __future__ import annotations

import io
import json
import pathlib
import zipfile

import pyrage


class Recipient:
    """Somebody whose public key is in the key directory.

    :param folder: the folder of the drill; the key directory is ``recipients`` in it.
    """

    def __init__(self, name: str, folder: pathlib.Path) -> None:
        self.name = name
        self.inbox = folder / f"for-{name}"
        self._identity = pyrage.x25519.Identity.generate()
        (folder / "recipients" / f"{name}.age").write_text(f"{self._identity.to_public()}\n")

    def _credentials(self) -> dict[str, str]:
        sealed = next(self.inbox.iterdir()).read_bytes()
        with zipfile.ZipFile(io.BytesIO(pyrage.decrypt(sealed, [self._identity]))) as bundle:
            file = next(name for name in bundle.namelist() if pathlib.PurePath(name).name == "token.json")
            return dict(json.loads(bundle.read(file))["Credentials"])

    @property
    def access_key_id(self) -> str:
        """The id of the key in the bundle."""
        return self._credentials()["AccessKeyId"]

    def keys(self) -> dict[str, str]:
        """The credentials in the bundle, as boto3 accepts them."""
        found = self._credentials()
        return {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }
