# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of what channels are configured with, so that no library refuses it after a token is issued.

No message quotes a secret.
"""

from __future__ import annotations

import http.client
import os
import re
import smtplib
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._domain.errors import InvalidInput
from ...module_utils._files import absolute, open_regular

_WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((socket.gaierror,), "its name cannot be resolved"),
    ((TimeoutError,), "it did not answer in time"),
    ((http.client.RemoteDisconnected, smtplib.SMTPServerDisconnected), "it closed the connection"),
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.1
_OWN_HEADERS = ("connection", "content-length", "host", "transfer-encoding")


def line(option: str, text: str) -> str:
    """Check a text of one line.

    :raises InvalidInput: it contains a line break or another control character.
    """
    if not text.isprintable():
        raise InvalidInput(option, "contains a line break or another control character.")
    return text


def secret(option: str, text: str) -> str:
    """Check a password, a login or the value of a header, and remove white space around it.

    :raises InvalidInput: it contains characters that SMTP and HTTP cannot carry. The message does not quote them.
    """
    text = text.strip()
    if not (text.isascii() and text.isprintable()):
        raise InvalidInput(option, "contains a character that is not printable ASCII (the value is not shown).")
    return text


def header(option: str, name: str, value: Any) -> tuple[str, str]:
    """Check an HTTP header, and return its name and value.

    :raises InvalidInput: HTTP does not allow it, or the upload itself sets it. The message does not quote the value.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise InvalidInput(option, "contains a name that HTTP does not allow for a header.")
    if name.lower() in _OWN_HEADERS:
        raise InvalidInput(option, f"must not contain {name}, which follows from the address and the file.")
    if not isinstance(value, (str, int, float)):
        raise InvalidInput(option, f"has no text as the value of {name} (the value is not shown).")
    return name, secret(option, str(value))


def host_name(option: str, text: str) -> str:
    """Check the name or address of a server.

    :raises InvalidInput: no server can have this name.
    """
    try:
        encoded = text.encode("idna")
    except UnicodeError:
        encoded = b""
    if not encoded or not re.fullmatch(rb"[A-Za-z0-9._:-]+", encoded):
        raise InvalidInput(option, f"{text!r} is not a valid host name.")
    return text


def port(option: str, number: int) -> int:
    """Check the number of a port.

    :raises InvalidInput: it is not 1 to 65535.
    """
    if not 1 <= number <= 65535:
        raise InvalidInput(option, f"{number} must be 1 to 65535.")
    return number


def url(option: str, text: str) -> str:
    """Check that a text is an address in printable ASCII. It is not quoted, since a signed address is a secret.

    :raises InvalidInput: it is not.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = text.isascii() and text.isprintable() and " " not in text and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(option, "is not an address. Encode characters outside ASCII.")
    return text


def tls_context(option: str, ca_file: str | None) -> ssl.SSLContext:
    """Return a TLS context that verifies servers against a file of certificates, or against the system's.

    :raises InvalidInput: the file is not a regular one, cannot be read, or contains no certificate.
    """
    try:
        if ca_file:
            os.close(open_regular(str(absolute(option, ca_file)), os.O_RDONLY))  # the library waits for a FIFO for ever
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is an OSError
        raise InvalidInput(option, f"'{ca_file}' cannot be used ({error.strerror or type(error).__name__}).") from None


def reason(error: Exception) -> str:
    """Describe a failure by what the operating system and the TLS library say, and otherwise by its type alone.

    Other texts may quote what the library was given: a header, a login, a password.
    """
    inner = getattr(error, "reason", None)  # of urllib's URLError; a TLS error has the name of its kind there
    cause = inner if isinstance(inner, Exception) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed ({cause.reason or type(cause).__name__})"
    for kinds, words in _WORDS:
        if isinstance(cause, kinds):
            return words
    if isinstance(cause, OSError) and isinstance(cause.errno, int) and cause.errno > 0:
        return os.strerror(cause.errno)
    return type(cause).__name__
