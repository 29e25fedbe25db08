# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run playbooks as an admin does, and read what came of each task."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook."""

    code: int
    output: str

    def expect(self, code: int = 0) -> Run:
        """Give back the run, if it ended as expected."""
        assert self.code == code, self.output
        return self


def ansible_playbook(*arguments: str, env: dict[str, str], cwd: pathlib.Path) -> Run:
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
    program = pathlib.Path(sys.prefix) / "bin" / "ansible-playbook"
    done = subprocess.run(
        [program, *arguments],
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
    cwd: pathlib.Path,
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
        # "rescue" keeps the play going without hiding anything: the result is registered all the same.
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
