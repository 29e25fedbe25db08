# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run gpg, openssl or ssh-keygen: data by standard input and output, nothing secret on a command line or a disk."""

from __future__ import annotations

import os
import shutil
import subprocess

from ...module_utils._domain.errors import MissingDependency, SealingFailed

SECONDS = 60


def run(command: list[str], data: bytes = b"") -> bytes:
    """Feed data to a program and return what it answers.

    :raises MissingDependency: it is not installed.
    :raises SealingFailed: it refuses, or does not end within a minute. Quotes its last line, never the data.
    """
    program = shutil.which(command[0])
    if program is None:
        raise MissingDependency(
            f"{command[0]} is not installed on the controller. Install it (the package gnupg, openssl or "
            "openssh-client), or use a key of another kind."
        )
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [program, *command[1:]],
            input=data,
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise SealingFailed(f"{command[0]} did not answer within {SECONDS} seconds.") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise SealingFailed(f"{command[0]} refused: {words[-1]}")
    return done.stdout
