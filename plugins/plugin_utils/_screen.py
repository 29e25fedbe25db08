# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text for the screen, cut so that AWX shows all of it."""

from __future__ import annotations

from collections.abc import Iterator

from ansible import constants as C
from ansible.plugins.loader import callback_loader

# AWX's output page shows 1,024 characters of each event (EVENT_STDOUT_MAX_BYTES_DISPLAY), line ends of two included.
MOST = 900
DEFAULT_CALLBACK = "ansible.plugins.callback.default"


def pieces(text: str) -> Iterator[str]:
    """Yield the text in pieces of whole lines, each short enough for AWX's output page.

    A line that is longer than a piece is cut. Control characters, which could change the screen, are left out.
    """
    held: list[str] = []
    for line in _short_lines(text):
        if held and sum(len(one) + 2 for one in held) + len(line) > MOST:
            yield "\n".join(held)
            held = []
        held.append(line)
    if held:
        yield "\n".join(held)


def _short_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        clean = "".join(one for one in line if one.isprintable())
        yield from (clean[start : start + MOST] for start in range(0, max(len(clean), 1), MOST))


def prints_text() -> bool:
    """Whether text may be printed beside the results of tasks.

    Ansible's default callback, and those that extend it (AWX has one), print no result of a task that succeeded. Any
    other prints results itself; that of ``ansible.posix.json`` prints one document, which other text would break.
    """
    callback = callback_loader.get(C.DEFAULT_STDOUT_CALLBACK, class_only=True)
    return any(one.__module__ == DEFAULT_CALLBACK for one in getattr(callback, "__mro__", ()))
