# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealed files in the folder of what could not be delivered: how they get there, and how they leave it."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.utils.display import Display

from ..module_utils._files import open_regular
from ..module_utils._operations.issue.parts import Delivered
from . import _destinations as destinations
from ._screen import pieces, prints_text
from ._signing import SIGNATURE_SUFFIX

# In a result, until the action plugin has shown it: the file with the same sealed text.
HELD = "held"


def kept_delivery(delivered: Delivered, kept: str) -> Delivered:
    """Return a delivery whose result names the file that is removed as soon as the result was shown.

    :param kept: the file; '' if there is none to be removed.
    """
    return replace(delivered, facts={**delivered.facts, HELD: kept}) if kept else delivered


def keep_once(path: Path, data: bytes, extra_files: Mapping[str, bytes]) -> str:
    """Create a file, and those beside it, unless this run has created them before. Return its path."""
    with contextlib.suppress(OSError), open(path, "rb", opener=open_regular) as stream:
        if stream.read() == data:
            return str(path)
    return destinations.write("undelivered", str(path), data, extra_files)


def remove_bundle(kept: Path, warn: Callable[[str], None]) -> None:
    """Remove a sealed file that was kept and has arrived, and its signature.

    :param warn: called if it cannot be removed: the delivery has succeeded nevertheless.
    """
    try:
        kept.unlink(missing_ok=True)
        kept.with_name(f"{kept.name}{SIGNATURE_SUFFIX}").unlink(missing_ok=True)
    except OSError as error:
        warn(f"The bundle was delivered, but '{kept}' could not be removed ({error.strerror}).")


def show_sealed(result: dict[str, Any], receipt: Mapping[str, Any] | None = None) -> None:
    """Print the sealed text of a result, as it is. It is not secret: only the recipient can open it.

    The file that holds the same text until then is removed, unless the task failed, or ansible-playbook, which shows
    the result, has ended.

    :param result: of an issue or a delivery. ``held``, the name of that file, is taken out.
    :param receipt: names the text.
    """
    sealed, kept = result.get("sealed") or "", result.pop(HELD, "")
    if sealed and prints_text():
        name = ((receipt or {}).get("handoff") or {}).get("file")
        for piece in pieces(f"{name}:\n{sealed}" if name else sealed):
            Display().display(piece)
    parent = multiprocessing.parent_process()
    if kept and not result.get("failed") and (parent is None or parent.is_alive()):
        remove_bundle(Path(kept), Display().warning)
