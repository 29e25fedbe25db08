# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealing to age recipients and ssh keys, by pyrage (https://age-encryption.org/v1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from ...module_utils._domain.errors import InvalidInput, MissingDependency
from .recipient import Recipient, RecipientKeys

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

# What age-keygen and plugins print to the screen, and write as a comment into the file with the private key.
_LABEL = re.compile(r"\s*(?:public key|recipient):\s*", re.IGNORECASE)
_COMMENTED_LABEL = re.compile(r"#\s*(?=(?:public key|recipient):)", re.IGNORECASE)
_INVISIBLE = "\u200b\u2060\ufeff"  # which copying from a web page may bring
# An authorized_keys line may begin with options: words and quoted texts without a blank between them. See sshd(8).
_OPTIONS = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*")+\s+')
_SSH_KEY = re.compile(r"([a-z0-9@.-]+)\s+(AAAA[A-Za-z0-9+/]*={0,3})(?:\s+(.*))?")
# A plugin's recipient names the plugin between "age1" and the last "1", which the data cannot contain.
_PLUGIN = re.compile(r"age1([a-z0-9+._-]+)1[a-z0-9]+")
_NOT_SSH_RECIPIENTS = (
    (re.compile(r".*-cert-v\d+@openssh\.com"), "it is a certificate of an ssh authority, not a key"),
    (re.compile(r"sk-.*|webauthn-.*"), "its private key is in a security key, which can sign but not decrypt"),
    (re.compile(r"ecdsa-.*"), "age defines no encryption to ECDSA keys"),
    (re.compile(r"ssh-dss"), "DSA keys are too weak and cannot be encrypted to"),
)
# The form of RFC 4716, in which PuTTYgen saves public keys.
_SSH2 = re.compile(r"^---- BEGIN SSH2 PUBLIC KEY ----[ \t]*\n((?:(?!----).*\n)*)---- END SSH2 .*$", re.MULTILINE)
LONGEST_LINE = 16_384  # characters; sshd reads no longer one of an authorized_keys file
_ADVICE = "Ask for an age key or an ssh-ed25519 key"


def read(text: str) -> RecipientKeys:
    """Return the recipients of a text, one a line: age recipients, ssh public keys, lines of an authorized_keys file.

    Blank lines and comments are skipped, as age does. If there is nothing else, the comment counts that age-keygen
    writes.

    :raises InvalidInput: a line is no public key, or none of the keys can be sealed to.
    :raises MissingDependency: pyrage is missing.
    """
    usable: list[Recipient] = []
    unusable: list[str] = []
    raws = _SSH2.sub(_from_ssh2, text.replace("\r\n", "\n")).split("\n")  # as age: no other character ends a line
    if not any(_key_of_line(raw) for raw in raws if len(raw) <= LONGEST_LINE):
        raws = [_COMMENTED_LABEL.sub("", raw.strip(), count=1) for raw in raws]
    for number, raw in enumerate(raws, 1):
        if len(raw) > LONGEST_LINE:
            problem = f"line {number} has {len(raw)} characters, and a key has at most {LONGEST_LINE}. Copy it again."
            raise InvalidInput("recipients", problem)
        line = _key_of_line(raw)
        reason = _unusable(line)
        if reason:
            unusable.append(f"{_describe(line)} cannot be sealed to, because {reason}.")
        elif line:
            usable.append(_recipient(line, number))
    if unusable and not usable:
        raise InvalidInput("recipients", f"{' '.join(unusable)} {_ADVICE}.")
    return RecipientKeys(tuple(usable), tuple(unusable))


def _key_of_line(raw: str) -> str:
    """Return the key of a line in its plain form; '' for a blank line or a comment."""
    line = _LABEL.sub("", raw.strip().strip(_INVISIBLE), count=1)
    if not line or line.startswith("#"):
        return ""
    if line.upper().startswith("AGE1") and line == line.upper():
        return line.lower()  # both cases are allowed (BIP 173); libraries write lower case
    if _SSH_KEY.fullmatch(line):
        return " ".join(line.split(None, 2))  # a tab comes from a table
    options = _OPTIONS.match(line)
    rest = line[options.end() :] if options else ""
    if _SSH_KEY.fullmatch(rest):
        is_authority = "cert-authority" in line[: len(line) - len(rest)].strip().split(",")
        return f"cert-authority {rest}" if is_authority else rest
    return line


def _from_ssh2(block: re.Match[str]) -> str:
    """Return a key of RFC 4716 in one line, as OpenSSH has it; the block itself if it is damaged."""
    headers, data, goes_on = "", "", False
    for line in block[1].splitlines():
        if goes_on or ":" in line:  # a header; one that ends in a backslash goes on
            goes_on = line.endswith("\\")
            headers += line.removesuffix("\\") + ("" if goes_on else "\n")
        else:
            data += line.strip()
    comment = re.search(r"^Comment: *\"?([^\"\n]*)", headers, re.MULTILINE | re.IGNORECASE)
    try:
        kind = ssh_text(base64.b64decode(data, validate=True)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return block[0]
    return f"{kind} {data} {comment[1] if comment else ''}".strip()


def ssh_text(data: bytes) -> bytes:
    """Return the text at the beginning of data in the encoding of ssh (RFC 4251, section 5); of a key, its type."""
    return data[4 : 4 + int.from_bytes(data[:4], "big")]


def _unusable(line: str) -> str:
    """Return why a key that is correct cannot be sealed to, or '' if it can."""
    if line.startswith("cert-authority "):
        return "it is the key of an ssh authority, not of a person"
    ssh = _SSH_KEY.fullmatch(line)
    if ssh:
        reasons = [reason for kinds, reason in _NOT_SSH_RECIPIENTS if kinds.fullmatch(ssh[1])]
        return reasons[0] if reasons else "an RSA key under 2048 bits is too weak" if _is_weak(line) else ""
    plugin = _PLUGIN.fullmatch(line)
    if not plugin:
        return ""
    if plugin[1].startswith(("pq", "tagpq")):
        return "it is a post-quantum recipient, which the library pyrage does not support yet"
    return f"it needs the age plugin '{plugin[1]}', which the library pyrage does not support"


def _describe(line: str) -> str:
    """Return a short name of a key: its type and comment, or its beginning."""
    ssh = _SSH_KEY.fullmatch(line.removeprefix("cert-authority "))
    if not ssh:
        return f"The age recipient {line[:16]}..."
    return f"The ssh key {ssh[1]} {ssh[3]}" if ssh[3] else f"The ssh key {ssh[1]} ...{ssh[2][-8:]}"


def _recipient(line: str, number: int) -> Recipient:
    try:
        _parse(line)
    except _Refused:
        # Not quoted: it may be anything, a secret among them.
        problem = (
            f"line {number} is not a complete age1... recipient, ssh-ed25519 or ssh-rsa public key. Copy it again."
        )
        raise InvalidInput("recipients", problem) from None
    ssh = _SSH_KEY.fullmatch(line)
    return Recipient(KIND, line.encode(), fingerprint(line), (ssh[3] or "") if ssh else "")


class _Refused(Exception):
    """The library refuses a key. A type of our own, since the library's does not exist where it is not installed."""


def _parse(line: str) -> Any:
    """Return the library's own recipient.

    :raises _Refused: it is not a key that the library can seal to.
    :raises MissingDependency: pyrage is missing.
    """
    if not HAS_PYRAGE:
        raise MissingDependency("pyrage is not installed for the Python that runs Ansible. Run: pip install pyrage")
    make = pyrage.ssh.Recipient if line.startswith(SSH) else pyrage.x25519.Recipient
    try:
        return make.from_str(line)
    except pyrage.RecipientError as error:
        raise _Refused(str(error)) from None


def _is_weak(line: str) -> bool:
    """Whether the library refuses an RSA key for its length, which is under 2048 bits."""
    try:
        _parse(line)
    except _Refused as error:
        return "TooSmall" in str(error)
    return False


def fingerprint(line: str) -> str:
    """Return an age recipient itself, which is short enough, or the fingerprint that ``ssh-keygen -l`` prints."""
    if not line.startswith(SSH):
        return line
    try:
        blob = base64.b64decode(line.split()[1], validate=True)
    except binascii.Error:
        raise InvalidInput("recipients", "this ssh key is not valid base64. Copy it again.") from None
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def seal(data: bytes, recipients: Sequence[Recipient]) -> str:
    """Encrypt to all of them, armored (``age --decrypt`` opens it)."""
    sealed: bytes = pyrage.encrypt(data, [_parse(one.key.decode()) for one in recipients], armored=True)
    return sealed.decode()
