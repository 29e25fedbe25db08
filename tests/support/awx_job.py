# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run jobs as AWX does: ansible-runner on a private data folder that is new for each job and gone after it.

The layout, the environment and the order of variables are those of AWX 24.6: ``env/envvars`` from credential injectors,
``env/extravars`` from template, survey and injectors (as texts that Ansible must not template), ``inventory/hosts`` as
a script that prints JSON, of which a slice gets every n-th host, ``project`` as a checkout,
``requirements_collections`` as the project update has installed it.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import jinja2
import yaml

from tests.support.awx_runs import survey_defaults, survey_problems

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ROLE = ROOT / "roles/awx_setup"
BIN = pathlib.Path(sys.prefix) / "bin"
COLLECTIONS = pathlib.Path(sys.prefix) / "collections"
PAGE_BYTES = 1024  # EVENT_STDOUT_MAX_BYTES_DISPLAY
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class _Loader(yaml.SafeLoader):
    """Reads ``!unsafe`` as what it says."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
_VARS: dict[str, Any] = yaml.load((ROLE / "vars/main.yml").read_text(), _Loader)
_DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
TEMPLATES: dict[str, dict[str, Any]] = {row["name"]: row for row in _VARS["__awx_setup_templates"]}
WORKFLOWS: list[dict[str, Any]] = _VARS["__awx_setup_workflows"]
STORED_RECEIPTS: str = _VARS["__awx_setup_receipts"]
CREDENTIAL_TYPES: dict[str, dict[str, Any]] = {row["name"]: row for row in _VARS["__awx_setup_credential_types"]}


def survey(name: str, venues: list[str], **required: bool) -> dict[str, Any]:
    """A survey as awx_setup sends it."""
    spec: dict[str, Any] = yaml.safe_load((ROLE / f"files/surveys/{name}.yml").read_text())
    spec["spec"][0]["choices"] = venues
    for item in spec["spec"]:
        item["required"] = required.get(item["variable"], item["required"])
    return spec


def answered(spec: dict[str, Any], answers: dict[str, Any]) -> dict[str, Any]:
    """Return the variables that a filled survey becomes. The form leaves out what is left alone; defaults come first.

    :raises ValueError: an answer that AWX would not take.
    """
    unknown = set(answers) - {item["variable"] for item in spec["spec"]}
    wrong = [problem for item in spec["spec"] for problem in survey_problems(item, answers)]
    if unknown or wrong:
        raise ValueError(f"not asked for: {unknown}" if unknown else "; ".join(wrong))
    return {**survey_defaults(spec), **answers}


@dataclass(frozen=True)
class Credential:
    """What a credential puts into a job."""

    env: dict[str, str] = field(default_factory=dict)
    extra_vars: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


def aws_credential(access_key: str, secret_key: str, session_token: str = "") -> Credential:
    """AWX's own type Amazon Web Services. It names neither region nor role."""
    env = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    return Credential(
        {**env, **({"AWS_SECURITY_TOKEN": session_token, "AWS_SESSION_TOKEN": session_token} if session_token else {})}
    )


def custom_credential(name: str, inputs: dict[str, str], folder: pathlib.Path) -> Credential:
    """One of the types that awx_setup makes, with its injectors rendered as AWX does."""
    injectors = CREDENTIAL_TYPES[name]["injectors"]
    file = str(folder / "env/credential")
    values = {**inputs, "tower": {"filename": file}}

    def rendered(part: str) -> dict[str, str]:
        return {
            key: jinja2.Template(text, undefined=jinja2.StrictUndefined).render(values)
            for key, text in injectors.get(part, {}).items()
        }

    files = rendered("file")
    return Credential(rendered("env"), rendered("extra_vars"), {file: files["template"]} if files else {})


@dataclass
class Inventory:
    """Hosts by name with their variables, all in the group ``venues``, and variables of all."""

    hosts: dict[str, dict[str, Any]]
    variables: dict[str, Any] = field(default_factory=dict)

    def script(self, number: int, count: int) -> str:
        """AWX's inventory script for one slice."""
        names = sorted(self.hosts)[number - 1 :: count]
        data: dict[str, Any] = {
            "all": {"hosts": [], "vars": self.variables, "children": ["venues"]},
            "_meta": {"hostvars": {}},
        }
        if names:
            data["venues"] = {"hosts": names}
        for name in names:
            data["_meta"]["hostvars"][name] = {**self.hosts[name], "remote_tower_enabled": "true", "remote_tower_id": 1}
        return f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(data)!r})\n"


def install_project(place: pathlib.Path) -> None:
    """A checkout of this project, and what its update installs from ``collections/requirements.yml``.

    amazon.aws is there already, as it is in the execution environment: nothing can be downloaded here.
    """
    names = ["playbooks", "plugins", "roles", "meta", "collections", "galaxy.yml", "README.md", "LICENSE"]
    for name in names:
        source, target = ROOT / name, place / "project" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    installed = place / "requirements_collections"
    shutil.copytree(COLLECTIONS / "ansible_collections/amazon", installed / "ansible_collections/amazon")
    command = [
        BIN / "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "-r",
        place / "project/collections/requirements.yml",
    ]
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(place), "ANSIBLE_COLLECTIONS_PATH": str(installed)}
    subprocess.run(command, cwd=place / "project", env=env, check=True, capture_output=True)


class Job:
    """One job, from its private data folder to its artifacts.

    :param place: an empty folder for this job alone.
    :param project: where ``install_project`` was.
    :param template: the name of a job template.
    :param answers: what was filled into its survey; the rest is left alone.
    :param more: extra variables that the template's administrator set.
    :param options: further options of ansible-playbook that AWX sets, such as ``-l``.
    :param where: the environment of the execution environment itself.
    :param workflow: the number of the workflow job that it is a step of.
    :param user: who launched it.
    """

    def __init__(
        self,
        place: pathlib.Path,
        project: pathlib.Path,
        template: str,
        inventory: Inventory,
        answers: dict[str, Any] | None = None,
        *,
        credentials: tuple[Credential, ...] = (),
        more: dict[str, Any] | None = None,
        options: tuple[str, ...] = (),
        slice_number: int = 1,
        slice_count: int = 1,
        where: dict[str, str] | None = None,
        workflow: int | None = None,
        user: str = "admin",
    ) -> None:
        row = TEMPLATES[template]
        self.place, self.playbook = place, f"playbooks/{row['playbook']}.yml"
        for name in ("env", "inventory", "home"):
            (place / name).mkdir(parents=True, mode=0o700)
        for name in ("project", "requirements_collections"):
            (place / name).symlink_to(project / name, target_is_directory=True)
        own = {name: jinja2.Template(text).render(_DEFAULTS) for name, text in row.get("extra_vars", {}).items()}
        values = {**own, **(more or {}), **answered(survey(row["survey"], list(inventory.hosts)), answers or {})}
        for credential in credentials:
            values.update(credential.extra_vars)
            for file, text in credential.files.items():
                self._write(file, text)
        values |= {"awx_job_id": 7, "tower_job_id": 7, "awx_user_name": user, "awx_job_template_name": template}
        if workflow:
            values["awx_workflow_job_id"] = workflow
        env = {
            "JOB_ID": "7",
            "INVENTORY_ID": "1",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "MAX_EVENT_RES": "700000",
            "AWX_HOST": "https://awx.example.org",
        }
        env |= {"ANSIBLE_COLLECTIONS_PATH": f"{place}/requirements_collections", **(where or {})}
        for credential in credentials:
            env.update(credential.env)
        self._write("env/envvars", json.dumps(env))
        self._write(
            "env/extravars", "".join(f"{json.dumps(name)}: {_unsafe(value)}\n" for name, value in values.items())
        )
        check = ["--check"] if row.get("job_type") == "check" else []
        self._write("env/cmdline", shlex.join(["-u", "root", *check, *options]))
        self._write("env/settings", json.dumps({"suppress_ansible_output": True}))
        self._write("inventory/hosts", inventory.script(slice_number, slice_count), 0o700)

    def _write(self, name: str, text: str, mode: int = 0o600) -> None:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def start(self) -> Job:
        """Start it; ``finish`` waits for it."""
        env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.place / "home"), "LANG": "C.UTF-8"}
        command = [BIN / "ansible-runner", "run", "--ident", "7", "-p", self.playbook, self.place]
        self._process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return self

    def finish(self) -> Job:
        """Wait for its end, and remove what goes with the container.

        So does ansible-runner's own note of the environment, which AWX masks.
        """
        self.said, _nothing = self._process.communicate(timeout=300)
        for name in ("env", "inventory", "home"):
            shutil.rmtree(self.place / name)
        (self.place / "artifacts/7/command").unlink(missing_ok=True)
        return self

    def run(self) -> Job:
        """Start it and wait for its end."""
        return self.start().finish()

    @property
    def status(self) -> str:
        """``successful`` or ``failed``."""
        return self._artifact("status")

    @property
    def output(self) -> str:
        """Everything that the job printed."""
        return self._artifact("stdout")

    @property
    def page(self) -> str:
        """The job's output page: of each event, AWX shows 1,024 characters at most."""
        texts = [event["stdout"] for event in self.events()]
        return "\n".join(text if len(text) <= PAGE_BYTES else text[: PAGE_BYTES - 1] + "\u2026" for text in texts)

    @property
    def download(self) -> str:
        """The file that the page's download button gives: the whole output, without colours."""
        return COLOUR.sub("", "\n".join(event["stdout"] for event in self.events() if event["stdout"]))

    def _artifact(self, name: str) -> str:
        path = self.place / "artifacts/7" / name
        assert path.exists(), self.said
        return path.read_text()

    def events(self) -> list[dict[str, Any]]:
        """The job events, in order."""
        files = (self.place / "artifacts/7/job_events").glob("*.json")
        return sorted((json.loads(file.read_text()) for file in files), key=lambda event: event["counter"])

    def kept(self) -> str:
        """Everything that AWX keeps of the job, as one text."""
        return (
            "\n".join(
                path.read_text(errors="replace")
                for path in sorted((self.place / "artifacts").rglob("*"))
                if path.is_file()
            )
            + self.said
        )

    def expect(self, status: str = "successful") -> Job:
        """Make sure that it ended as expected."""
        assert self.status == status, self.output
        return self


def _unsafe(value: Any) -> str:
    """YAML that keeps Ansible from templating any text inside, as AWX writes variables."""
    if isinstance(value, str):
        return f"!unsafe {json.dumps(value, ensure_ascii=False)}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_unsafe, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_unsafe(one)}" for name, one in value.items()) + "}"
    return json.dumps(value)
