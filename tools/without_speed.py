# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the tests on a copy of the collection without plugins/plugin_utils/_speed.py: only the time may change.

Usage: without_speed.py [PYTEST ARGUMENT ...]     the default is all unit and integration tests
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

import checkout

SPEED = "plugins/plugin_utils/_speed.py"


def main(arguments: list[str]) -> int:
    """Copy, remove the file, run pytest; return its exit status."""
    with tempfile.TemporaryDirectory(prefix="venue_sts_without_speed.") as name:
        tree = checkout.beside_other_collections(pathlib.Path(name))
        (tree / SPEED).unlink()
        env = {**os.environ, "VENUE_STS_COLLECTIONS": name, "ANSIBLE_COLLECTIONS_PATH": name}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        return subprocess.run(command, cwd=tree, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["-n", "2", "--dist", "loadfile", "tests/unit", "tests/integration"]))
