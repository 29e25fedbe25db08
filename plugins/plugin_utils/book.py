# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The recipients book: whose public key is whose, so that the admin types a user name only."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..module_utils._domain.errors import InvalidInput, NoRecipientKey
from ..module_utils._domain.users import check_user
from . import sealing
from .sealers.recipient import Recipient

SUFFIXES = ("", ".age", ".pub", ".asc", ".gpg", ".pem", ".crt", ".cer", ".txt")
ADDRESS = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+")
HOW_TO_MAKE_ONE = (
    "ask them to run 'age-keygen -o key.txt' and send the public line (age1...), or 'gpg --armor --export THEIR-ADDRESS', "
    "or to send the key management certificate of their PIV card (.cer); never the private key"
)


@dataclass(frozen=True)
class Person:
    """Somebody in the book.

    :param keys: public keys, all of them checked and of one kind.
    :param email: where mail for them goes, or nothing.
    """

    user: str
    keys: tuple[Recipient, ...]
    email: str = ""


def find(book: str | Mapping[str, Any], user: str, now: datetime) -> Person:
    """Look somebody up.

    :param book: a folder with a file ``USER.age`` (``.pub``, ``.asc``, ``.pem``, ...) each, or a mapping of users to a
        key, a list
        of keys, or ``{"key" or "keys", "email"}``.
    :raises NoRecipientKey: they are not in it; says how they make a key.
    :raises InvalidInput: a key is not fit, or the book is not readable.
    """
    check_user("user", user)
    if isinstance(book, Mapping):
        materials, email = _entry(book.get(user), user)
        where = "the variable"
    else:
        materials, email = _files(Path(book).expanduser(), user) if book else [], ""
        where = book or "the book (no folder or variable is set)"
    if not materials:
        raise NoRecipientKey(f"No public key of {user} is in {where}: {HOW_TO_MAKE_ONE}.", user=user)
    try:
        keys = tuple(one for material in materials for one in sealing.read_keys(material, now).usable)
        sealing.one_kind(keys)
    except InvalidInput as error:
        raise InvalidInput(
            "recipients", f"the key of {user} is not fit: {error.message.removeprefix('recipients: ')}"
        ) from None
    return Person(user, keys, email or (user if ADDRESS.fullmatch(user) else ""))


def _entry(entry: Any, user: str) -> tuple[list[str | bytes], str]:
    details = entry if isinstance(entry, Mapping) else {"keys": entry}
    keys = details.get("keys") or details.get("key") or []
    keys = [keys] if isinstance(keys, str) else keys
    unknown = set(details) - {"key", "keys", "email"}
    if unknown or not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
        raise InvalidInput(
            "recipients",
            f"the entry of {user} must be a key, a list of keys, or a dictionary of key or keys, and email.",
        )
    return list(keys), str(details.get("email") or "")


def _files(folder: Path, user: str) -> list[str | bytes]:
    files = [file for suffix in SUFFIXES if (file := folder / f"{user}{suffix}").is_file()]
    if not folder.is_dir():
        raise InvalidInput(
            "recipients",
            f"there is no folder {folder}: make it, and put each user's public key there, as USER.age (.pub, .asc, .pem).",
        )
    try:
        for place in (folder, *files):
            if place.stat().st_mode & stat.S_IWOTH:
                raise InvalidInput(
                    "recipients",
                    f"everybody on this machine may write to {place}, so anybody could swap a key: chmod o-w it.",
                )
        return [file.read_bytes() for file in files]
    except OSError as error:
        raise InvalidInput("recipients", f"{error.filename} cannot be read: {error.strerror}.") from None


def check_fingerprints(person: Person, wanted: Sequence[str]) -> None:
    """Hold the book to fingerprints that the owner gave by another way; none wanted, none checked.

    :raises InvalidInput: a key in the book has another one.
    """
    known = {_plain(one) for one in wanted}
    strange = [one.fingerprint for one in person.keys if known and _plain(one.fingerprint) not in known]
    if strange:
        raise InvalidInput(
            "fingerprints",
            f"the book has a key of {person.user} with the fingerprint {strange[0]}, which is not among those wanted.",
        )


def _plain(fingerprint: str) -> str:
    bare = re.sub(r"[\s:]", "", fingerprint)
    return bare.upper() if re.fullmatch(r"[0-9A-Fa-f]+", bare) else bare
