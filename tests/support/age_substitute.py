# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A program that opens age files as ``age --decrypt`` does, for machines that have the library pyrage but not age."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path


def provide(folder: Path) -> None:
    """Put this program on PATH as ``age``, unless age is installed."""
    if shutil.which("age"):
        return
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"age.{os.getpid()}"
    made.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" "$@"\n')
    made.chmod(0o755)
    made.replace(folder / "age")  # several processes of one test run do this at the same time
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def main() -> None:
    """Decrypt a file, or standard input, into a file or to standard output."""
    import pyrage  # noqa: PLC0415 - only the program needs it

    parser = argparse.ArgumentParser(prog="age")
    parser.add_argument("-d", "--decrypt", action="store_true", required=True)
    parser.add_argument("-i", "--identity", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("sealed", type=Path, nargs="?")
    options = parser.parse_args()
    text = options.identity.read_text()
    lines = [one for one in text.splitlines() if one.startswith("AGE-SECRET-KEY-")]
    keys = [pyrage.x25519.Identity.from_str(one) for one in lines] or [pyrage.ssh.Identity.from_buffer(text.encode())]
    try:
        opened = pyrage.decrypt(options.sealed.read_bytes() if options.sealed else sys.stdin.buffer.read(), keys)
    except pyrage.DecryptError as error:
        sys.exit(f"age: error: {error}")
    if options.output:
        options.output.write_bytes(opened)
    else:
        sys.stdout.buffer.write(opened)


if __name__ == "__main__":
    main()
