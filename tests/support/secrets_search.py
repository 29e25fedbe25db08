# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find secrets in bytes, however they were dressed up."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from urllib.parse import quote, quote_plus

SLICE = 16


def slices(secrets: Iterable[str]) -> dict[bytes, str]:
    """Every slice of 16 characters of every form of the secrets -> the secret's beginning."""
    found: dict[bytes, str] = {}
    for secret in secrets:
        for form in _forms(secret):
            for start in range(len(form) - SLICE + 1):
                found[form[start : start + SLICE]] = secret[:6]
    return found


def _forms(secret: str) -> Iterator[bytes]:
    plain = secret.encode()
    yield from (
        plain,
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        json.dumps(secret)[1:-1].encode(),
        plain.hex().encode(),
    )
    yield json.dumps(secret).replace("/", "\\/").encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):  # where it begins in a longer text
            # The characters at both ends depend on the neighbours.
            yield encode(b"x" * shift + plain)[2 * (shift > 0) + 2 :][:-4]


def hits(blob: bytes, wanted: dict[bytes, str]) -> set[str]:
    """Which secrets have a slice in a text, with what stands around it."""
    return {
        f"{wanted[blob[at : at + SLICE]]}... in {blob[max(0, at - 120) : at]!r}"
        for at in range(len(blob) - SLICE + 1)
        if blob[at : at + SLICE] in wanted
    }


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """All files of a folder with their content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


class ProcessList:
    """Samples all command lines of the machine while the block runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> ProcessList:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(place.read_bytes())
                except OSError:  # it has ended meanwhile
                    continue
