# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run playbooks as an admin does: the real ansible-playbook, in a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BIN = Path(sys.prefix) / "bin"
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
TIMEOUT = 600


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """An environment with nothing in it but what is needed; Ansible keeps all its files below ``home``."""
    kept = {key: os.environ[key] for key in KEPT if key in os.environ}
    return {
        **kept,
        "PATH": f"{BIN}:{kept['PATH']}",
        "HOME": str(home),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(Path(sys.prefix) / "collections"),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


def command(playbook: str, *arguments: str, inventory: Path | None = None) -> list[str]:
    """The command line for a playbook."""
    return [str(BIN / "ansible-playbook"), *(["-i", str(inventory)] if inventory else []), playbook, *arguments]


def run(
    playbook: str, home: Path, more: Mapping[str, str], *arguments: str, inventory: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end; the output has standard error in it."""
    home.mkdir(exist_ok=True)
    return subprocess.run(
        command(playbook, *arguments, inventory=inventory),
        env=environment(home, more),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def write_inventory(path: Path, hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]]) -> Path:
    """An inventory as JSON, which is YAML too."""
    children = {name: {"hosts": {host: {} for host in members}} for name, members in groups.items()}
    path.write_text(json.dumps({"all": {"hosts": hosts, "children": children}}))
    return path


def other_python() -> str:
    """A name of the Python in use that ansible-playbook does not run by.

    Asking for it makes tasks ship their modules.
    """
    own = (BIN / "ansible-playbook").read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").strip()
    return next(str(BIN / name) for name in ("python3", "python") if str(BIN / name) != own)
