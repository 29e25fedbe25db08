# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run ``ansible-test sanity`` as Ansible's own CI does.

On a copy of the tracked files, without Docker and without GitHub.

Usage: sanity.py [options of ansible-test sanity]

ansible-test wants the collection in a folder ansible_collections/NAMESPACE/NAME with its dependency beside it, and
fetches a pip
of its own unless it finds one in its cache: Python's ensurepip serves.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig

from checkout import ROOT, copy_to

BUILD = ROOT / ".build" / "sanity"


def copy_of_checkout() -> pathlib.Path:
    """The files that git knows or would take, where ansible-test wants them, beside amazon.aws."""
    place = BUILD / "ansible_collections" / "mdps" / "venue_sts"
    shutil.rmtree(BUILD / "ansible_collections", ignore_errors=True)
    copy_to(place)
    amazon = pathlib.Path(sys.prefix) / "collections/ansible_collections/amazon"
    (BUILD / "ansible_collections" / "amazon").symlink_to(amazon)
    # Below a checkout that ignores .build, ansible-test would find no files at all.
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=place, check=True)
    return place


def provide_pip(home: pathlib.Path) -> None:
    """Put a pip bootstrap for every version that this ansible-test may ask for into its cache."""
    requirements = pathlib.Path(sysconfig.get_path("purelib")) / "ansible_test/_internal/python_requirements.py"
    versions = set(re.findall(r"""['"](\d+\.\d+(?:\.\d+)?)['"]""", requirements.read_text()))
    cache = home / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text("import ensurepip\n\nensurepip.bootstrap()\n")


def main() -> int:
    """Run it in the current environment; the exit status is ansible-test's."""
    place = copy_of_checkout()
    home = BUILD / f"home-{pathlib.Path(sys.prefix).name}"
    provide_pip(home)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    program = pathlib.Path(sys.prefix) / "bin/ansible-test"
    command: list[str | pathlib.Path] = [
        program,
        "sanity",
        "--venv",
        "--requirements",
        "--python",
        python,
        "--color",
        "no",
        *sys.argv[1:],
    ]
    return subprocess.run(
        command, cwd=place, env={**os.environ, "HOME": str(home), "PWD": str(place)}, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
