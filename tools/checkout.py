# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies of this checkout without what builds and tools leave in it."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


COLLECTION = "ansible_collections/mdps/venue_sts"


def files() -> list[str]:
    """The files that git knows or would take, as paths below the checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in set(listed) if (ROOT / name).is_file())


def copy_to(place: pathlib.Path) -> pathlib.Path:
    """Copy them into a folder, which need not exist; return it."""
    for name in files():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)
    return place


def beside_other_collections(folder: pathlib.Path) -> pathlib.Path:
    """Copy them to their place in a folder of collections, and link the other collections there; return the copy.

    The copy is a repository, as some tests read what git knows.
    """
    tree = copy_to(folder / COLLECTION)
    for command in (("init", "-q"), ("add", "-A")):
        subprocess.run(["git", *command], cwd=tree, check=True)
    for other in (pathlib.Path(sys.prefix) / "collections/ansible_collections").iterdir():
        if other.name != "mdps":
            (tree.parents[1] / other.name).symlink_to(other)
    return tree
