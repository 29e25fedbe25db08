# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run ``ansible-test sanity`` as Ansible's own CI does, on a copy of the tracked files, without Docker and without GitHub.

Usage: sanity.py [options of ansible-test sanity]

ansible-test wants the collection in a folder ansible_collections/NAMESPACE/NAME with its dependency beside it, and fetches a pip
of its own unless it finds one in its cache: Python's ensurepip serves.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build" / "sanity"


def copy_of_checkout() -> pathlib.Path:
    """The files that git knows or would take, where ansible-test wants them, beside amazon.aws."""
    place = BUILD / "ansible_collections" / "mdps" / "venue_sts"
    shutil.rmtree(BUILD / "ansible_collections", ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    amazon = pathlib.Path(sys.prefix) / "collections/ansible_collections/amazon"
    (BUILD / "ansible_collections" / "amazon").symlink_to(amazon)
    # Below a checkout that ignores .build, ansible-test would find no files at all.
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=place, check=True)
    return place


def provide_pip(home: pathlib.Path) -> None:
    """Put a pip bootstrap for every version that this ansible-test may ask for into its cache."""
    import ansible_test  # noqa: PLC0415 - only there in the environments that this runs in

    requirements = pathlib.Path(ansible_test.__file__).parent / "_internal/python_requirements.py"
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
    command = [pathlib.Path(sys.prefix) / "bin/ansible-test", "sanity", "--venv", "--requirements", "--python", python, "--color", "no", *sys.argv[1:]]
    return subprocess.run(command, cwd=place, env={**os.environ, "HOME": str(home), "PWD": str(place)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
