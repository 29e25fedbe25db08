# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs of the system that tests use. A test that lacks one is skipped, and the last line says what to install."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable

import pytest

# The Debian package of each program.
PACKAGES = {
    "age": "age",
    "gpg": "gnupg",
    "openssl": "openssl",
    "ssh-keygen": "openssh-client",
    "fish": "fish",
    "tcsh": "tcsh",
    "zsh": "zsh",
    "/usr/bin/aws": "awscli",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
    "npm": "npm",
    "wine": "wine64",
}


def reason(*programs: str) -> str:
    """Why a test is skipped; an empty text if every program is there."""
    missing = [one for one in programs if not shutil.which(one)]
    packages = ", ".join(PACKAGES[one] for one in missing)
    return f"not installed: {', '.join(missing)} (Debian: {packages})" if missing else ""


def require(*programs: str) -> None:
    """Skip the test that calls this if a program is missing."""
    if text := reason(*programs):
        pytest.skip(text)


def required(*programs: str) -> pytest.MarkDecorator:
    """The mark of a test that is skipped if a program is missing."""
    text = reason(*programs)
    return pytest.mark.skipif(bool(text), reason=text)


def require_shell(shell: str) -> None:
    """Skip the test that calls this if a shell is missing."""
    if shell in PACKAGES:
        require(shell)
    elif not shutil.which(shell):
        pytest.skip(f"not installed: {shell}, of which Debian has no package")


def advice(reasons: Iterable[str]) -> str:
    """One line: how many tests miss a program, and the packages to install; '' if none does."""
    found = [match[1].split(", ") for one in reasons if (match := re.search(r"\(Debian: (.*)\)$", one))]
    packages = " ".join(sorted({name for names in found for name in names}))
    what = "test was" if len(found) == 1 else "tests were"
    return f"{len(found)} {what} skipped because programs are missing. Run: apt-get install {packages}" if found else ""
