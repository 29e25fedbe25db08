# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of channels. A new one needs a file beside this one, a line here, and its options in the documentation."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...module_utils._domain.errors import InvalidInput
from ...module_utils._files import open_regular
from .._signing import SIGNATURE_SUFFIX
from .channel import REASON, Channel, Parcel
from .file import FileChannel

# The class of each channel, in the file of the channel's name. Only the default one is loaded before it is used.
CHANNELS = {
    FileChannel.NAME: FileChannel.__name__,
    "email": "EmailChannel",
    "https": "HttpsChannel",
    "output": "OutputChannel",
}


def load(name: str) -> type[Channel]:
    """Return a channel by its name, one of ``CHANNELS``."""
    channel: type[Channel] = getattr(importlib.import_module(f"{__package__}.{name}"), CHANNELS[name])
    return channel


def choose(options: Mapping[str, Any], *, unsealed: bool = False) -> Channel:
    """Return the channel that the options ask for, checked.

    :raises InvalidInput: unknown, forbidden by the procedure, or with options that cannot work.
    """
    name = options["channel"]
    if name not in CHANNELS:
        # Not quoted: it may be a token that was given to the wrong option.
        raise InvalidInput("channel", f"must be one of {', '.join(CHANNELS)}. {REASON}")
    channel = load(name)
    if unsealed and not channel.TAKES_UNSEALED:
        raise InvalidInput("unsealed", f"only a file may be left unsealed, never what is sent by {name}. {REASON}")
    return channel.from_options(options)


def _read_signature(path: Path) -> str:
    signature = path.with_name(f"{path.name}{SIGNATURE_SUFFIX}")
    return signature.read_text(encoding="utf-8", errors="replace") if signature.is_file() else ""


def read_parcel(path: Path) -> Parcel:
    """Read a sealed file that was kept.

    :raises InvalidInput: it cannot be read, or it is not sealed.
    """
    try:
        with open(path, "rb", opener=open_regular) as stream:
            body = stream.read()
    except OSError as error:
        raise InvalidInput("resend", f"{path} cannot be read: {error.strerror}.") from None
    for channel in map(load, CHANNELS):
        parcel = channel.recognize(path.name, body)
        if parcel:
            return replace(parcel, signature=_read_signature(path))
    raise InvalidInput("resend", f"{path} is not sealed. {REASON}")
