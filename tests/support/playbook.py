# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run playbooks as an admin does, and read the result of each task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.prefix) / "bin"
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
TIMEOUT = 600


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    code: int
    output: str

    def expect(self, code: int = 0) -> Run:
        """Give back the run, if it ended as expected."""
        assert self.code == code, self.output
        return self


def ansible_playbook(*arguments: str, env: dict[str, str], cwd: Path) -> Run:
    """Run ansible-playbook with an environment of its own; standard output and error together."""
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(("AWS_", "ANSIBLE_"))}
    given = {
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    quiet = {
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
    }
    done = subprocess.run(
        [BIN / "ansible-playbook", *arguments],
        env={**kept, **given, **quiet, "PWD": str(cwd), **env},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def run_tasks(
    tasks: list[dict[str, Any]],
    *,
    env: dict[str, str],
    cwd: Path,
    options: tuple[str, ...] = (),
    shipped: bool = False,
) -> list[dict[str, Any]]:
    """Run tasks on localhost and return their registered results, in process or shipped as modules.

    A task that fails does not end the play: its result says ``failed``.
    """
    results = cwd / "results.json"
    ship = {"environment": {"SHIPPED": "yes"}} if shipped else {}
    body: list[dict[str, Any]] = []
    for number, task in enumerate(tasks):
        # "rescue" keeps the play going without hiding anything: the result is registered anyway.
        body.append(
            {"block": [{**task, **ship, "register": f"result_{number}"}], "rescue": [{"ansible.builtin.meta": "noop"}]}
        )
    collected = ", ".join(f"result_{number}" for number in range(len(tasks)))
    body.append(
        {
            "ansible.builtin.copy": {
                "content": f"{{{{ [{collected}] | to_json }}}}",
                "dest": str(results),
                "mode": "0600",
            },
            "check_mode": False,
            "diff": False,
        }
    )
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": body,
        }
    ]
    (cwd / "play.yml").write_text(json.dumps(play))
    ansible_playbook("play.yml", *options, env=env, cwd=cwd).expect()
    return list(json.loads(results.read_text()))


def isolated_environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
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


def command_line(playbook: str, *arguments: str, inventory: Path | None = None) -> list[str]:
    """The command line for a playbook."""
    return [str(BIN / "ansible-playbook"), *(["-i", str(inventory)] if inventory else []), playbook, *arguments]


def run_isolated(
    playbook: str, home: Path, more: Mapping[str, str], *arguments: str, inventory: Path | None = None
) -> Run:
    """Run a playbook to its end with a home of its own; the output has standard error in it."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        command_line(playbook, *arguments, inventory=inventory),
        env=isolated_environment(home, more),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Run(done.returncode, done.stdout)


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
