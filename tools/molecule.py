# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the molecule scenarios on an embedded AWS that lives as long as this process.

Usage: molecule.py [arguments of molecule; the default is: test --all]
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.embedded_aws import Moto  # noqa: E402 - found through the path above

VENUES = (("sbg", "dev"), ("emit", "ops"), ("asips", "test"))


def main() -> int:
    """Run molecule; the exit status is its own."""
    extensions = pathlib.Path(sys.prefix) / "collections/ansible_collections/mdps/venue_sts/extensions"
    with (
        tempfile.TemporaryDirectory(prefix="venue_sts_molecule.") as name,
        Moto(pathlib.Path(name) / "moto.log") as aws,
    ):
        for project, venue in VENUES:
            aws.publish(project, venue)
        env = {
            **os.environ,
            **aws.environment(),
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }
        return subprocess.run(
            [pathlib.Path(sys.prefix) / "bin/molecule", *(sys.argv[1:] or ["test", "--all"])],
            cwd=extensions,
            env=env,
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
