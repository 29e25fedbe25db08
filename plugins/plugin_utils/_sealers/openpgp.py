# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealing to OpenPGP keys, by gpg with a temporary home folder: no keyring is read or changed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ...module_utils._domain.errors import InvalidInput, SealingFailed
from . import program
from .recipient import PRIVATE_KEY, Recipient, RecipientKeys

KIND = "openpgp"
SUFFIX = ".asc"
HEADER = "-----BEGIN PGP MESSAGE-----"
HOW_TO_OPEN = "gpg --output {opened} --decrypt {sealed}"
# RFC 9580, section 9.1: the algorithms whose strength is their length, as gpg counts bits.
BY_LENGTH = {"1": "RSA", "2": "RSA", "16": "Elgamal", "20": "Elgamal"}
STATES = {"e": "has expired", "r": "is revoked", "i": "is invalid", "d": "is disabled"}


@contextmanager
def _gpg(*keys: bytes) -> Iterator[tuple[list[str], list[str]]]:
    """Yield a gpg command line with a home folder of its own, and the names of files with the keys."""
    with tempfile.TemporaryDirectory(prefix="venue_sts_") as folder:
        home = Path(folder, "home")
        home.mkdir(mode=0o700)
        files = [Path(folder, f"{number}.key") for number, _key in enumerate(keys)]
        for file, key in zip(files, keys, strict=True):
            file.write_bytes(key)
        yield (
            ["gpg", "--homedir", str(home), "--no-options", "--no-autostart", "--batch", "--no-tty", "--quiet"],
            [str(file) for file in files],
        )


def read(key: bytes, now: datetime) -> RecipientKeys:
    """Return the one key of a file, armored or binary, after every check.

    :raises InvalidInput: private, expired, revoked, not yet valid, weak (under 2048 bits) or not for encryption.
    """
    with _gpg(key) as (gpg, files):
        try:
            records = _listed(gpg, files)
        except SealingFailed as error:
            raise InvalidInput("recipients", f"this is not an OpenPGP public key ({error.message})") from None
        _check_single(records)
        key = _imported(gpg, files) or key
    with _gpg(key) as (gpg, files):
        records = _listed(gpg, files)
    fingerprint = next(record[9] for record in records if record[0] == "fpr")
    _check(records, fingerprint, now)
    name = next((record[9] for record in records if record[0] == "uid"), "")
    return RecipientKeys((Recipient(KIND, key, fingerprint, name),))


def _listed(gpg: list[str], files: list[str]) -> list[list[str]]:
    """Return what gpg finds in a file, as records of fields."""
    answer = program.run([*gpg, "--with-colons", "--fixed-list-mode", "--show-keys", *files])
    return [line.split(":") for line in answer.decode(errors="replace").splitlines()]


def _check_single(records: list[list[str]]) -> None:
    """Check that a file has one key, which is public and not preceded by a certificate that revokes it."""
    if any(record[0] in ("sec", "ssb") for record in records):
        raise InvalidInput("recipients", PRIVATE_KEY)
    if sum(record[0] == "pub" for record in records) != 1:
        raise InvalidInput(
            "recipients",
            "an OpenPGP key file must hold exactly one person's key: export it with gpg --armor --export ADDRESS.",
        )
    if any(record[0] == "rvs" for record in records):
        raise InvalidInput("recipients", "the OpenPGP key is revoked: ask its owner for a current one.")


def _imported(gpg: list[str], files: list[str]) -> bytes:
    """Return the key of a file with all that belongs to it; nothing if gpg does not import it.

    A revocation certificate after the key counts when gpg imports the file, but not when it lists it or encrypts to it.
    """
    try:
        program.run([*gpg, "--import", *files])
    except SealingFailed:
        return b""
    return program.run([*gpg, "--export"])


def _check(records: list[list[str]], fingerprint: str, now: datetime) -> None:
    """Check validity, purpose and strength.

    Fields as in GnuPG's doc/DETAILS: 2 validity, 3 length, 4 algorithm, 6 creation, 12 capabilities (capitals: of the
    key as a whole).
    """
    primary = next(record for record in records if record[0] == "pub")
    problem = STATES.get(primary[1], "")
    if int(primary[5] or 0) > now.timestamp():
        problem = "is not valid yet (check the clock of this machine)"
    fit = [
        record for record in records if record[0] in ("pub", "sub") and "e" in record[11] and record[1] not in STATES
    ]
    if not problem and ("E" not in primary[11] or not fit):
        problem = "has no valid subkey for encryption"
    # gpg picks the subkey by itself, so each one that it may pick must be strong.
    weak = [f"{BY_LENGTH[record[3]]} {record[2]}" for record in fit if record[3] in BY_LENGTH and int(record[2]) < 2048]
    if not problem and weak:
        problem = f"is too weak ({weak[0]} bits; at least 2048)"
    if problem:
        raise InvalidInput("recipients", f"the OpenPGP key {fingerprint} {problem}: ask its owner for a current one.")


def seal(data: bytes, recipients: Sequence[Recipient], signer: str = "") -> str:
    """Encrypt to all of them, armored (``gpg --decrypt`` opens it).

    :param signer: the admin's own key, as `secret_key` returns it, to sign as well; '' for no signature.
    :raises SealingFailed: gpg refuses a key.
    """
    with _gpg(*(one.key for one in recipients)) as (gpg, files):
        chosen = [word for file in files for word in ("--recipient-file", file)]
        start = [*_own_gpg(signer), "--sign"] if signer else gpg
        return program.run([*start, "--armor", "--cipher-algo", "AES256", "--encrypt", *chosen], data).decode()


def _own_gpg(key: str) -> list[str]:
    """Return the command line of gpg with the keys of the user who runs it."""
    return ["gpg", "--no-options", "--batch", "--no-tty", "--quiet", "--local-user", key]


def sign(data: bytes, key: str) -> bytes:
    """Return signed data.

    :param key: as `secret_key` returns it.
    :raises SealingFailed: gpg has no such private key, or it asks for a passphrase.
    """
    return program.run([*_own_gpg(key), "--sign"], data)


def secret_key(fingerprint: str) -> tuple[str, tuple[str, ...]]:
    """Find a private key of the user's that can sign.

    A primary key may be kept elsewhere. gpg then signs with a subkey of it, and shows that one's fingerprint.

    :param fingerprint: of a primary key, for which gpg chooses among it and its subkeys; or of a subkey.
    :returns: how to name it to gpg, and the fingerprints of which gpg shows one with a signature.
    :raises InvalidInput: gpg has none.
    """
    listing = ["gpg", "--no-options", "--batch", "--no-tty", "--with-colons", "--list-secret-keys", fingerprint]
    try:
        answer = program.run(listing)
    except SealingFailed as error:
        raise InvalidInput("sign_with", f"gpg has no private key {fingerprint} ({error.message})") from None
    records = [line.split(":") for line in answer.decode(errors="replace").splitlines()]
    keys = [
        (record, next(later[9] for later in records[number:] if later[0] == "fpr"))
        for number, record in enumerate(records)
        if record[0] in ("sec", "ssb")
    ]
    if keys[0][1] != fingerprint:
        return f"{fingerprint}!", (fingerprint,)
    # Fields as in GnuPG's doc/DETAILS: 2 validity, 12 capabilities (small letters: its own), 15 '#' without the secret.
    able = [one for record, one in keys if "s" in record[11] and record[1] not in STATES and record[14] != "#"]
    return fingerprint, tuple(dict.fromkeys([*able, fingerprint]))
