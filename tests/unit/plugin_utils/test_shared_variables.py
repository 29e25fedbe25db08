# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A variable that begins with venue_sts_ counts for every role, and a role's own variable takes precedence over it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

speed = pytest.importorskip(
    "ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed", reason="speed.py is not there"
)
FastArguments = speed.FastArguments
ROLES = Path(__file__).resolve().parents[3] / "roles"
PLAYBOOKS = ROLES.parent / "playbooks"
# The modules that take connection options.
CONNECTING = {
    file.stem
    for file in (ROLES.parent / "plugins/modules").glob("*.py")
    if "\n  - amazon.aws.region.modules\n" in file.read_text()
}
DEFAULTS = {
    role: ROLES / role / "defaults/main.yml"
    for role in ("provision", "issue", "assume", "handoff", "revoke", "lease", "renew")
}
CELLS = [
    (role, name.removeprefix(f"{role}_"))
    for role, place in DEFAULTS.items()
    for name, value in yaml.safe_load(place.read_text()).items()
    if "venue_sts_" in str(value)
]


def argument(role: str, option: str) -> str:
    """The template that a task of the role passes the option on with."""
    tasks = [
        task for file in sorted((ROLES / role / "tasks").glob("*.yml")) for task in yaml.safe_load(file.read_text())
    ]
    found = {
        options[option]
        for task in tasks
        for name, options in task.items()
        if name.startswith("mdps.venue_sts.") and option in options
    }
    assert len(found) == 1, (role, option, found)
    return str(found.pop())


def finalized(role: str, option: str, **variables: str) -> Any:
    defaults = yaml.safe_load(DEFAULTS[role].read_text())
    known = {name: trust_as_template(value) if isinstance(value, str) else value for name, value in defaults.items()}
    templar = Templar(loader=DataLoader(), variables={**known, **variables})._engine
    try:
        return FastArguments.finalize_task_arg(option, trust_as_template(argument(role, option)), templar, None)
    except AnsibleValueOmittedError:
        return "omitted"


@pytest.mark.parametrize(("role", "option"), CELLS)
def test_a_variable_for_every_role_counts_unless_the_role_has_its_own(role: str, option: str) -> None:
    shared, own = f"venue_sts_{option}", f"{role}_{option}"
    assert finalized(role, option) == "omitted"
    assert finalized(role, option, **{shared: "theirs"}) == "theirs"
    assert finalized(role, option, **{shared: "theirs", own: "mine"}) == "mine"


def test_each_role_about_a_venue_knows_region_and_profile() -> None:
    for role in DEFAULTS:
        assert {(role, "region"), (role, "profile")} <= set(CELLS)


class _Tolerant(yaml.SafeLoader):
    """Ansible's own tags are texts."""


_Tolerant.add_multi_constructor("!", lambda loader, _tag, node: str(node.value))


@functools.cache
def shared_defaults() -> dict[str, str]:
    """Variables of roles and playbooks whose value refers to a variable for every role."""
    files = [*ROLES.glob("*/defaults/main.yml"), *ROLES.glob("*/vars/main.yml"), *PLAYBOOKS.glob("vars/*.yml")]
    loaded = [yaml.load(file.read_text(), Loader=_Tolerant) or {} for file in files]
    return {name: str(value) for variables in loaded for name, value in variables.items()}


def tasks_of(content: Any) -> Iterator[dict[str, Any]]:
    """Every task of a file of tasks or plays, with those of blocks and handlers."""
    for one in content or []:
        yield one
        for part in ("pre_tasks", "tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks_of(one.get(part))


FILES = sorted([*PLAYBOOKS.rglob("*.yml"), *ROLES.glob("*/tasks/*.yml"), *ROLES.glob("*/handlers/*.yml")])
CONNECTED = [
    pytest.param(module, task[module], id=f"{file.relative_to(ROLES.parent)}: {task['name']}")
    for file in FILES
    if file.parent != PLAYBOOKS / "vars"
    for task in tasks_of(yaml.safe_load(file.read_text()))
    for module in task.keys() & {f"mdps.venue_sts.{name}" for name in CONNECTING}
]


@pytest.mark.parametrize("option", ["region", "profile"])
@pytest.mark.parametrize(("module", "arguments"), CONNECTED)
def test_each_task_that_calls_aws_passes_the_shared_variables_on(
    module: str, arguments: dict[str, str], option: str
) -> None:
    """Otherwise, one task of a playbook uses another account or region than the next one."""
    value, known = str(arguments.get(option)), shared_defaults()
    values = [value, *(known.get(name, "") for name in re.findall(r"\w+", value))]
    assert any(f"venue_sts_{option}" in one for one in values), f"{module} gets {option}={value}"


def test_the_action_group_has_each_module_that_calls_aws() -> None:
    """Keys from Kion are passed on by ``module_defaults`` of this group."""
    groups = yaml.safe_load((ROLES.parent / "meta/runtime.yml").read_text())["action_groups"]
    assert set(groups["venue_sts"]) == CONNECTING
    assert len(CONNECTED) > len(DEFAULTS)
