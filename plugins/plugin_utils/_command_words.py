# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names in command lines that recipients type, in cmd, PowerShell or a shell of macOS or Linux."""

from __future__ import annotations

import re
from pathlib import PurePath

# What none of the shells interprets, wherever it stands but at the beginning. Letters of other languages are harmless.
_PLAIN = re.compile(r"[\w./][\w./:@+=-]*")
# What shells interpret in double quotes, or what ends them: ! is an earlier command, %NAME% a variable of Windows. In
# PowerShell, typographic quotation marks end them too.
_ACTIVE = re.compile(r"[\"$`\\!%\u201c-\u201e]")


def is_safe(text: str) -> bool:
    """Whether `word` returns a text of which no shell runs a part as a command."""
    return not _ACTIVE.search(text)


def word(text: str) -> str:
    """Return a name as one word of a command line: in double quotes, which all shells know, where it needs them."""
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def opened_name(sealed: str) -> str:
    """Return a name for what is in a sealed file. It ends in ``.zip``, whatever the admin has called the sealed one."""
    name = PurePath(sealed).stem.removesuffix(".zip") + ".zip"
    return name if name != sealed else f"opened-{name}"
