# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The key directory: recipients' public keys by user name. Whoever may change it decides who can read a token."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..module_utils import _files
from ..module_utils._domain.errors import InvalidInput, KeyChanged, NoRecipientKey
from ..module_utils._domain.users import check_user
from ..module_utils._handoff_options import HANDOFF
from . import _sealing as sealing
from ._sealers.recipient import Recipient

DEFAULT = HANDOFF["key_directory"]["default"]
SUFFIXES = (".age", ".pub", ".keys", ".asc", ".gpg", ".pem", ".crt", ".cer", ".p7b", ".txt")
# The dot-atom of RFC 5322 at a host name of RFC 1123: what every mail server takes, and what is sent as it is written.
# Anything else, such as a trailing dot or a port, the email library may change or leave out.
_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
LONGEST_FILE = 1_000_000  # bytes
HOW_TO_MAKE_ONE = (
    "Ask them to run 'age-keygen -o key.txt' and to send the public key (age1...), or to run "
    "'gpg --armor --export THEIR-ADDRESS', or to send the key management certificate of their PIV card (.cer). "
    "The private key stays with them."
)


@dataclass(frozen=True)
class Holder:
    """A recipient.

    :param keys: public keys, all checked and of one kind.
    :param email: where mail for them goes, or ''.
    :param unusable: a sentence for each key of theirs that cannot be sealed to.
    """

    user: str
    keys: tuple[Recipient, ...]
    email: str = ""
    unusable: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeyDirectory:
    """A folder with one file for each user, or a mapping instead of it.

    :param folder: the folder; each file is called after the user, with one of ``SUFFIXES``.
    :param public_keys: a mapping of users to a key, a list of keys, or ``{"key" or "keys", "email"}``.
    :param shared: several people maintain the folder, as in a checked-out project: other owners and groups may write.
    """

    folder: Path
    public_keys: Mapping[str, Any] | None = None
    shared: bool = False

    @classmethod
    def from_options(cls, key_directory: str, public_keys: Any, *, shared: bool = False) -> KeyDirectory:
        """Read the options of the same names.

        :param public_keys: a mapping, or None to use the folder.
        :raises InvalidInput: ``public_keys`` is not a mapping or is empty, or no folder is named.
        """
        if public_keys is not None and not (isinstance(public_keys, Mapping) and public_keys):
            raise InvalidInput("public_keys", "must be a mapping of user names to public keys, with at least one user.")
        if not key_directory.strip():
            raise InvalidInput("key_directory", "must not be empty. Specify a folder, or omit the option.")
        folder = _files.absolute("key_directory", key_directory)
        if public_keys is not None and (shared or folder != _files.absolute("key_directory", DEFAULT)):
            option = "key_directory_shared" if shared else "key_directory"
            raise InvalidInput(
                option, "has no effect, because public_keys is used instead of a folder. Set only one of them."
            )
        return cls(folder, public_keys, shared)

    def find(self, user: str, now: datetime) -> Holder:
        """Look a user up.

        :param now: the time at which keys must be valid, aware.
        :raises NoRecipientKey: the user has no key here. Says how to make one.
        :raises InvalidInput: a key is not fit, the user has several files, or others may change the keys.
        """
        check_user("user", user)
        if self.public_keys is not None:
            option, (materials, email) = "public_keys", _entry(self.public_keys.get(user), user)
        else:
            option, (materials, email) = "key_directory", ([self._read(user)], "")
        if not materials:
            raise NoRecipientKey(f"public_keys has no public key of {user}. {HOW_TO_MAKE_ONE}", user=user)
        try:
            found = [sealing.read_keys(material, now) for material in materials]
            keys = tuple(key for one in found for key in one.usable)
            sealing.one_kind(keys)
        except InvalidInput as error:
            problem = error.message.removeprefix("recipients: ")
            raise InvalidInput(option, f"the key of {user} cannot be used: {problem}") from None
        unusable = tuple(sentence for one in found for sentence in one.unusable)
        return Holder(user, keys, email or (user if ADDRESS.fullmatch(user) else ""), unusable)

    def _read(self, user: str) -> bytes:
        if not self.folder.is_dir():
            raise InvalidInput(
                "key_directory",
                f"there is no folder '{self.folder}'. Create it with mode 0700, and put each user's public key there "
                "in a file named after the user: USER.age, USER.pub, USER.asc or USER.cer.",
            )
        self._check_folder()
        return self._read_file(self.folder / self._file_name(user))

    def _file_name(self, user: str) -> str:
        """Return the name of the one file of a user, exactly as the folder has it, whatever the file system ignores."""
        try:
            names = sorted(os.listdir(self.folder))  # noqa: PTH208 - names, not paths
        except OSError as error:
            raise InvalidInput("key_directory", f"'{self.folder}' cannot be read: {error.strerror}.") from None
        found = [name for name in names if name in {f"{user}{suffix}" for suffix in SUFFIXES}]
        if len(found) > 1:
            raise InvalidInput(
                "key_directory",
                f"{user} has several files: {' and '.join(found)}. Keep one, so that it is clear who can read the "
                "token. One file may hold several age or ssh keys, one a line.",
            )
        if found:
            return found[0]
        similar = [name for name in names if name.lower() == user.lower() or Path(name).stem.lower() == user.lower()]
        hint = (
            f" ({', '.join(similar)} is not named {user} with one of the suffixes {' '.join(SUFFIXES)}.)"
            if similar
            else ""
        )
        raise NoRecipientKey(f"'{self.folder}' has no public key of {user}.{hint} {HOW_TO_MAKE_ONE}", user=user)

    def _check_folder(self) -> None:
        """Check that only the user, or root, decides what the folder holds; in a shared one, not just anybody."""
        real = _files.real_path(self.folder)
        found = real.stat()
        # Also with the sticky bit: anybody could add a file.
        _files.check_not_for_everybody("key_directory", f"folder '{real}'", found)
        if not self.shared:
            _files.check_folder("key_directory", self.folder, is_destination=False)
            return
        for parent in real.parents:
            found = parent.stat()
            if not found.st_mode & stat.S_ISVTX:
                _files.check_writers("key_directory", f"folder '{parent}'", found, parent, allow_group=True)

    def _read_file(self, path: Path) -> bytes:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            reason = "it is a symbolic link" if path.is_symlink() else error.strerror
            raise InvalidInput("key_directory", f"'{path}' cannot be read: {reason}.") from None
        try:
            self._check_file(path, handle)
            return os.read(handle, LONGEST_FILE)
        finally:
            os.close(handle)

    def _check_file(self, path: Path, handle: int) -> None:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST_FILE:
            raise InvalidInput("key_directory", f"'{path}' is not a file with a public key.")
        if not self.shared and found.st_uid not in (os.geteuid(), 0):
            raise InvalidInput(
                "key_directory",
                f"'{path}' belongs to another user, who could change the key. Copy it to a file that belongs to you.",
            )
        _files.check_writers("key_directory", f"file '{path}'", found, handle, allow_group=self.shared)


def _entry(entry: Any, user: str) -> tuple[list[str | bytes], str]:
    details = entry if isinstance(entry, Mapping) else {"keys": entry}
    if {"key", "keys"} <= set(details):
        raise InvalidInput("public_keys", f"the entry of {user} has both key and keys. Set only one of them.")
    keys = details.get("keys") or details.get("key") or []
    keys = [keys] if isinstance(keys, str) else keys
    unknown = set(details) - {"key", "keys", "email"}
    if unknown or not isinstance(keys, Sequence) or not all(isinstance(key, str) for key in keys):
        raise InvalidInput(
            "public_keys",
            f"the entry of {user} must be a key, a list of keys, or a dictionary of key or keys, and email.",
        )
    email = details.get("email") or ""
    if email and not (isinstance(email, str) and ADDRESS.fullmatch(email)):
        raise InvalidInput("public_keys", f"the email of {user} is not a single email address.")
    return list(keys), email


def check_fingerprints(person: Holder, known: Sequence[str], confirmed: Sequence[str], unread_reason: str = "") -> bool:
    """Compare a recipient's keys with those of their last token, and with fingerprints that the admin confirms.

    :param known: fingerprints that the last token was sealed to; empty if there was none.
    :param confirmed: the option ``fingerprints``; empty if it is not set.
    :param unread_reason: why there may be a receipt of the user that was not read; '' if there is none.
    :returns: whether a key has changed since the last token.
    :raises InvalidInput: a key is not among the confirmed ones.
    :raises KeyChanged: a key is neither known nor confirmed, or receipts that may name another one were not read.
    """
    strange = unlisted(person, confirmed) if confirmed else ""
    if strange:
        raise InvalidInput(
            "fingerprints",
            f"{person.user} has a key with the fingerprint {strange}, which is not one of those in the option.",
        )
    if unread_reason and person.keys and not confirmed:
        listed = ", ".join(f"'{one.fingerprint}'" for one in person.keys)
        raise KeyChanged(
            "fingerprints",
            f"it is not known to which key the last token of {person.user} was sealed: {unread_reason}. No token "
            f"was issued. Ask {person.user}, by telephone or in person, for the fingerprint of the key, and confirm "
            f"it: fingerprints: [{listed}]. Remove receipts of expired tokens.",
        )
    changed = unlisted(person, known) if known else ""
    if changed and not confirmed:
        raise KeyChanged(
            "fingerprints",
            f"the key of {person.user} has changed. It is now {changed}; the last token was sealed to "
            f"{', '.join(known)}. No token was issued. Ask {person.user}, by telephone or in person, for the "
            f"fingerprint of the new key, and confirm it: fingerprints: ['{changed}']",
        )
    return bool(changed)


def unlisted(person: Holder, fingerprints: Sequence[str]) -> str:
    """Return the first fingerprint of a person's keys that a list does not have, or ''."""
    listed = {_plain(one) for one in fingerprints}
    return next((one.fingerprint for one in person.keys if _plain(one.fingerprint) not in listed), "")


def _plain(fingerprint: str) -> str:
    """Return a fingerprint without what tools add for reading: blanks, colons and, in hexadecimal ones, case."""
    bare = re.sub(r"[\s:]", "", fingerprint)
    return bare.upper() if re.fullmatch(r"[0-9A-Fa-f]+", bare) else bare
