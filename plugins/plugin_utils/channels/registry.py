# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The channels there are. A new one: a file beside this one, a line here, its options in the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._domain.errors import InvalidInput
from .channel import REASON, Channel
from .email import EmailChannel
from .file import FileChannel
from .https import HttpsChannel
from .output import OutputChannel

CHANNELS: Mapping[str, type[Channel]] = {
    one.NAME: one for one in (FileChannel, EmailChannel, HttpsChannel, OutputChannel)
}


def choose(options: Mapping[str, Any]) -> Channel:
    """The channel that the options ask for, checked.

    :raises InvalidInput: unknown, forbidden by the procedure, or not set up rightly.
    """
    name = options["channel"]
    if name not in CHANNELS:
        raise InvalidInput("channel", f"it must be one of {', '.join(CHANNELS)}. {REASON}")
    if options["unsealed"] and name != FileChannel.NAME:
        raise InvalidInput("unsealed", f"only a file may be left unsealed, never what goes out by {name}. {REASON}")
    return CHANNELS[name].from_options(options)
