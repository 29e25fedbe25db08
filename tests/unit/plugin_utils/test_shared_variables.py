# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A variable that begins with venue_sts_ counts for every role, and a role's own variable outranks it."""

from __future__ import annotations

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
