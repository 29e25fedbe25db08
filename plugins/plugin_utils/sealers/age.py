# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealing to age recipients and ssh keys, by pyrage (https://age-encryption.org/v1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any

from ...module_utils._domain.errors import InvalidInput, MissingDependency
from .recipient import Recipient

try:
    import pyrage

    HAS_PYRAGE = True
except ImportError:
    HAS_PYRAGE = False

KIND = "age"
SUFFIX = ".age"
HEADER = "-----BEGIN AGE ENCRYPTED FILE-----"
HOW_TO_OPEN = "age --decrypt --identity YOUR-PRIVATE-KEY-FILE --output {opened} {sealed}"
# Of the ssh keys, age defines encryption for these two only.
SSH = ("ssh-ed25519", "ssh-rsa")


def _parse(line: str) -> Any:
    """The library's own recipient. It refuses RSA keys under 2048 bits by itself."""
    if not HAS_PYRAGE:
        raise MissingDependency("pyrage is not installed for the Python that runs Ansible: pip install pyrage")
    make = pyrage.ssh.Recipient if line.startswith(SSH) else pyrage.x25519.Recipient
    try:
        return make.from_str(line)
    except pyrage.RecipientError as error:
        weak = "TooSmall" in str(error)
        problem = (
            "an RSA key under 2048 bits is too weak"
            if weak
            else "not a whole age1… recipient, ssh-ed25519 or ssh-rsa key"
        )
        raise InvalidInput("recipients", f"{problem} (starts with {line[:16]!r}).") from None


def _fingerprint(line: str) -> str:
    """An age recipient is short enough to be its own fingerprint; an ssh key has the one of ``ssh-keygen -l``."""
    if not line.startswith(SSH):
        return line
    try:
        blob = base64.b64decode(line.split()[1], validate=True)
    except binascii.Error:
        raise InvalidInput("recipients", "this ssh key is not base64 throughout: copy it again.") from None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def read(text: str) -> list[Recipient]:
    """The recipients of a text, one a line; blank lines and lines with ``#`` are skipped.

    :raises InvalidInput: a line is no recipient, or its key is weak.
    :raises MissingDependency: pyrage is missing.
    """
    found = []
    for line in (raw.strip() for raw in text.splitlines()):
        if line and not line.startswith("#"):
            _parse(line)
            comment = line.split(maxsplit=2)[2] if line.startswith(SSH) and len(line.split()) > 2 else ""
            found.append(Recipient(KIND, line.encode(), _fingerprint(line), comment))
    return found


def seal(data: bytes, recipients: Sequence[Recipient]) -> str:
    """Encrypt to all of them, armored (``age --decrypt`` opens it)."""
    sealed: bytes = pyrage.encrypt(data, [_parse(one.key.decode()) for one in recipients], armored=True)
    return sealed.decode()
