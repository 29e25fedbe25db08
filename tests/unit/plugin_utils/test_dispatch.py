# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A task runs in ansible-playbook's own process only where the result is the same as that of a module."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.template import trust_as_template
from ansible_collections.mdps.venue_sts.plugins.module_utils import _masking
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Operation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _action as action

from tests.support.actions import SAME_PYTHON, Situation, make_action

OTHER_PYTHON = {"ansible_python_interpreter": "/usr/bin/other-python"}
MINE, OTHER_MINE = trust_as_template("{{ mine }}"), {"mine": "/usr/bin/other-python"}
SPEC = {
    "project": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "file": {"type": "path"},
    "mail": {"type": "dict", "options": {"ca_file": {"type": "path"}}},
}


def operation(execute: Callable[..., dict[str, Any]], **fields: Any) -> Operation[Any]:
    fields.setdefault("parse", lambda params, _clients, _runtime: params)
    return Operation(name="venue_sts_profile", argument_spec=SPEC, services=(), execute=execute, **fields)


def run(situation: Situation, execute: Callable[..., dict[str, Any]], **options: Any) -> tuple[Any, dict[str, Any]]:
    """The action after its run, and its result; a shipped task returns its arguments."""

    class Action(action.VenueAction):
        OPERATION = operation(execute)

        def run_shipped(self, task_vars: dict[str, Any]) -> dict[str, Any]:
            return {"where": "shipped", "args": dict(self._task.args)}

    made = make_action(Action, "venue_sts_profile", situation, **options)
    return made, made.run(task_vars=situation.variables)


def where(situation: Situation) -> str:
    _made, result = run(situation, lambda *_arguments: {"where": "here"}, project="sbg")
    return str(result["where"])


def delegated(variables: dict[str, Any], own: dict[str, Any] = SAME_PYTHON) -> Situation:
    """A task of a host with this Python or other variables, delegated to a host with the given variables."""
    return Situation(
        variables={**own, "ansible_delegated_vars": {"other": variables}}, keywords={"delegate_to": "other"}
    )


def interpreter(setting: str) -> Situation:
    return Situation(variables={"ansible_python_interpreter": setting})


HERE = {
    "plain": Situation(),
    "interpreter by discovery": Situation(variables={}),
    "interpreter asked for by discovery": interpreter("auto"),
    "interpreter asked for by silent discovery": interpreter("auto_silent"),
    "interpreter by a template": Situation(variables={"ansible_python_interpreter": MINE, "mine": sys.executable}),
    "empty environment": Situation(keywords={"environment": [{}]}),
    "several empty environments": Situation(keywords={"environment": [{}, {}, {}]}),
    "delegated to a host like this one": delegated(SAME_PYTHON),
    "delegated, from a host with another interpreter": delegated(SAME_PYTHON, OTHER_PYTHON),
    "delegated to a host without variables": delegated({}, OTHER_PYTHON),
    "delegated to a host of which nothing is known": Situation(
        variables=dict(OTHER_PYTHON), keywords={"delegate_to": "other"}
    ),
    # ansible-core evaluates the setting of the other host with the variables of the task's host.
    "delegated to a host with a template": delegated(
        {"ansible_python_interpreter": MINE, **OTHER_MINE}, {"mine": sys.executable}
    ),
}
SHIPPED = {
    "connection": Situation(connection="ssh"),
    "become": Situation(become=True),
    "async": Situation(keywords={"async": 10}),
    "environment": Situation(keywords={"environment": [{"AWS_PROFILE": "other"}]}),
    "environment by a template": Situation(keywords={"environment": ["{{ proxies }}"]}),
    "first environment": Situation(keywords={"environment": [{"AWS_PROFILE": "other"}, {}]}),
    "second environment": Situation(keywords={"environment": [{}, {"AWS_PROFILE": "other"}]}),
    "environment in the middle": Situation(keywords={"environment": [{}, {"AWS_PROFILE": "other"}, {}]}),
    "interpreter": Situation(variables=dict(OTHER_PYTHON)),
    "interpreter that begins alike": interpreter(f"{sys.executable}x"),
    "interpreter that ends alike": interpreter(f"/x{sys.executable}"),
    "interpreter of the same name in another folder": interpreter(f"/usr/other/bin/{Path(sys.executable).name}"),
    "interpreter without its folder": interpreter(Path(sys.executable).name),
    "interpreter in a folder with the name of discovery": interpreter("/opt/auto/bin/python3"),
    "interpreter with the name of discovery at its end": interpreter("/usr/bin/python3-auto_silent"),
    "interpreter by a template": Situation(variables={"ansible_python_interpreter": MINE, **OTHER_MINE}),
    "delegated to a host with another interpreter": delegated(OTHER_PYTHON),
    "delegated to a host with a template": delegated(
        {"ansible_python_interpreter": MINE, "mine": sys.executable}, OTHER_MINE
    ),
    "everything": Situation(connection="ssh", become=True, keywords={"async": 10}, variables=dict(OTHER_PYTHON)),
}


@pytest.fixture(params=["with speed.py", "without"])
def _speed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(action, "speed", None)


@pytest.mark.usefixtures("_speed")
@pytest.mark.parametrize("name", HERE)
def test_a_task_runs_here_where_nobody_can_tell(name: str) -> None:
    assert where(HERE[name]) == "here"


@pytest.mark.usefixtures("_speed")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_task_is_shipped_for_each_reason_by_itself(name: str) -> None:
    assert where(SHIPPED[name]) == "shipped"


def test_relative_paths_mean_the_same_file_wherever_the_task_runs(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"file": "a/b/", "mail": {"ca_file": "ca.pem"}, "project": "a/b"}
    wanted = {"file": f"{tmp_path}/a/b/", "mail": {"ca_file": f"{tmp_path}/ca.pem"}, "project": "a/b"}
    _made, here = run(Situation(), lambda params, *_rest: {"args": {name: params[name] for name in wanted}}, **options)
    _made, shipped = run(SHIPPED["environment"], lambda *_arguments: {}, **options)
    assert here["args"] == shipped["args"] == wanted


@pytest.mark.parametrize("path", ["/x", "~/x", "~other/x", "$HOME/x"])
def test_other_paths_are_expanded_where_the_task_runs(path: str) -> None:
    _made, result = run(SHIPPED["environment"], lambda *_arguments: {}, file=path)
    assert result["args"] == {"file": path}


def test_on_another_host_a_relative_path_is_that_hosts_own() -> None:
    _made, result = run(SHIPPED["connection"], lambda *_arguments: {}, file="x")
    assert result["args"] == {"file": "x"}


@pytest.mark.parametrize("situation", [Situation(), SHIPPED["environment"]], ids=["here", "shipped"])
def test_callbacks_find_no_secret_in_the_arguments(situation: Situation) -> None:
    def execute(params: Any, *_rest: Any) -> dict[str, Any]:
        return {"length": len(params["password"])}

    made, result = run(situation, execute, project="sbg", password="hunter22-hunter22")
    assert made._task.args == {"project": "sbg", "password": _masking.HIDDEN}
    assert result.get("length", 0) == 17 or result["args"]["password"] == "hunter22-hunter22"


@pytest.mark.parametrize("error", [ValueError("hunter22-hunter22"), KeyboardInterrupt()], ids=repr)
def test_the_arguments_are_hidden_after_a_failure_too(error: BaseException) -> None:
    class Action(action.VenueAction):
        OPERATION = operation(lambda *_arguments: {})

        def run_local(self, task_vars: dict[str, Any]) -> dict[str, Any]:
            raise error

    made = make_action(Action, "venue_sts_profile", Situation(), password="hunter22-hunter22")
    with pytest.raises(type(error)):
        made.run(task_vars=dict(SAME_PYTHON))
    assert made._task.args == {"password": _masking.HIDDEN}


def test_the_next_attempt_of_a_task_has_its_arguments() -> None:
    seen = []

    def execute(params: Any, *_rest: Any) -> dict[str, Any]:
        seen.append(params["password"])
        return {}

    made, _result = run(Situation(), execute, password="hunter22-hunter22")
    made.run(task_vars=dict(SAME_PYTHON))
    made._task.args = {"password": "another-password"}  # as for the next item of a loop
    made.run(task_vars=dict(SAME_PYTHON))
    assert seen == ["hunter22-hunter22", "hunter22-hunter22", "another-password"]


@pytest.mark.parametrize(
    ("keywords", "hosts"), [({}, 3), ({"run_once": True}, 1), ({"throttle": 1}, 1), ({"throttle": 2}, 3)]
)
def test_an_operation_knows_on_how_many_hosts_it_runs_at_the_same_time(keywords: dict[str, Any], hosts: int) -> None:
    variables = {**SAME_PYTHON, "ansible_play_batch": ["a", "b", "c"]}
    _made, result = run(
        Situation(variables, keywords), lambda _options, _clients, runtime: {"hosts": runtime.hosts}, project="sbg"
    )
    assert result["hosts"] == hosts
