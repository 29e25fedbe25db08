# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a task returns: its result, hidden or not, how it was called, and nothing that a module has left behind."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils.basic import env_fallback
from ansible_collections.mdps.venue_sts.plugins.module_utils import _masking
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Operation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _action as action

from tests.support.actions import Situation, make_action

SPEC = {
    "project": {"type": "str"},
    "venue": {"type": "str", "choices": ["dev"]},
    "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PASSWORD"])},
}
MAIL = {"type": "dict", "options": {"file": {"type": "path"}}}
SECRET = "hunter22-hunter22"
CRASHED = {"module_stdout": SECRET, "module_stderr": SECRET, "exception": SECRET}
KEYS = {"Credentials": {"SecretAccessKey": "a-secret-access-key", "SessionToken": "a-session-token"}}


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The secrets that ansible-core was told, if it masks them; by default it does not."""
    told: list[str] = []
    monkeypatch.setattr(_masking, "_known", set())
    monkeypatch.setattr(_masking, "NATIVE", False)
    monkeypatch.setattr(_masking, "register_secrets", told.extend, raising=False)
    return told


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(action, "Display", lambda: SimpleNamespace(warning=shown.append))
    return shown


def plugin(execute: Callable[..., dict[str, Any]] = lambda *_arguments: {}, **fields: Any) -> type[action.VenueAction]:
    class Action(action.VenueAction):
        OPERATION: Operation[Any] = Operation(
            name="venue_sts_profile",
            parse=lambda params, _clients, _runtime: params,
            execute=execute,
            **{"argument_spec": SPEC, "services": (), **fields},
        )

    return Action


def run(made: type[action.VenueAction], situation: Situation | None = None, **options: Any) -> dict[str, Any]:
    situation = situation or Situation()
    return dict(make_action(made, "venue_sts_profile", situation, **options).run(task_vars=situation.variables))


class Shipped:
    """A shipped task: what ansible-core was asked to do, for which the module returns a given result."""

    def __init__(self, result: dict[str, Any], situation: Situation, native_async: bool = False, **fields: Any) -> None:
        self.made = make_action(plugin(**fields), "venue_sts_profile", situation)
        self.made._execute_module = self._execute_module
        self.made._connection.has_native_async = native_async
        self.answer, self.asked = result, {}
        self.result = self.made.run(task_vars=situation.variables)
        self.unlogged = self.made._connection._play_context.no_log

    def _execute_module(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return self.answer


AWAY = Situation(connection="ssh")
ASYNC = Situation(keywords={"async": 10})


def refuse(*_arguments: Any) -> dict[str, Any]:
    raise InvalidInput("venue", f"must not be {SECRET}.")


def own(result: dict[str, Any]) -> dict[str, Any]:
    """What a result says without how the task was called, which cores before 2.21 always add."""
    return {name: value for name, value in result.items() if name != "invocation"}


def test_a_success_has_not_changed_anything_unless_it_says_so() -> None:
    assert own(run(plugin(), project="sbg")) == {"changed": False}
    assert own(run(plugin(lambda *_arguments: {"changed": True, "role": "x"}))) == {"changed": True, "role": "x"}


def test_a_task_needs_no_variables() -> None:
    made = make_action(
        plugin(lambda _params, _clients, runtime: {"hosts": runtime.hosts}), "venue_sts_profile", Situation()
    )
    assert own(made.run()) == {"changed": False, "hosts": 1}


def test_a_failure_is_one_and_shows_no_secret() -> None:
    result = run(plugin(refuse), password=SECRET)
    assert result["failed"] is True and "changed" not in result
    assert "must not be ********." in result["msg"]


def test_wrong_options_are_refused_before_the_operation_begins() -> None:
    begun: list[Any] = []
    result = run(plugin(lambda *arguments: {"begun": begun.append(arguments)}), venue=SECRET, password=SECRET)
    assert result == {"failed": True, "msg": "value of venue must be one of: dev, got: ********"}
    assert begun == []


HOSTILE = ("\x1b]0;owned\x07", "\x1b[2J", "ok: [host]\r\nok", "\u202egnp", "\u200f", "\x9b2J", "\x00")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_an_error_of_an_option_does_not_reach_a_terminal_as_it_is(text: str) -> None:
    """The value or the name of an option may come from a survey or from another system."""
    for options in ({"venue": text}, {f"x{text}": "y"}):
        result = run(plugin(), **options)
        assert (result["failed"], result["msg"].isprintable()) == (True, True), ascii(result["msg"])
        assert ascii(text)[1:-1] in result["msg"]


@pytest.mark.parametrize(
    ("constraints", "options", "message"),
    [
        ({"mutually_exclusive": [("project", "venue")]}, {"project": "sbg", "venue": "dev"}, "mutually exclusive"),
        ({"required_together": [("project", "venue")]}, {"project": "sbg"}, "required together: project, venue"),
        ({"required_one_of": [("project", "venue")]}, {}, "one of the following is required: project, venue"),
        ({"required_if": [("venue", "dev", ("project",))]}, {"venue": "dev"}, "venue is dev but all of the following"),
        ({"required_by": {"venue": ["project"]}}, {"venue": "dev"}, "required by 'venue': project"),
    ],
    ids=str,
)
def test_options_that_do_not_go_together_are_refused_before_the_operation_begins(
    constraints: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    begun: list[Any] = []

    def execute(*arguments: Any) -> dict[str, Any]:
        begun.append(arguments)
        return {}

    result = run(plugin(execute, constraints=constraints), **options)
    assert (result.get("failed"), begun) == (True, []) and message in result["msg"]
    run(plugin(execute), **options)
    assert len(begun) == 1, "it is the constraint that refuses them"


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        ({"narrowing": frozenset({"password"})}, {"password": " "}, "password: must not be empty"),
        ({"services": ("sts",)}, {"region": ""}, "region: must not be empty"),
        ({"argument_spec": {**SPEC, "mail": MAIL}}, {"mail": ["x"]}, "mail: must be a dictionary"),
    ],
    ids=["a blank option", "a blank connection option", "not a dictionary"],
)
@pytest.mark.parametrize("situation", [Situation(), Situation(connection="ssh")], ids=["here", "shipped"])
def test_a_refused_option_is_named_with_its_venue(
    fields: dict[str, Any], options: dict[str, Any], message: str, situation: Situation
) -> None:
    """In a loop over an inventory, the message has to say which venue it is about."""
    begun: list[Any] = []
    made = plugin(lambda *arguments: {"begun": begun.append(arguments)}, **fields)
    result = run(made, situation, project="sbg", venue="dev", **options)
    assert result["msg"].startswith(f"Venue sbg-dev: {message}")
    assert (result["failed"], result["error"], begun) == (True, "InvalidInput", [])
    assert run(made, situation, venue="dev", **options)["msg"].startswith(message), "it has no project"


def test_a_secret_from_the_environment_is_registered_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", SECRET)
    result = run(plugin(lambda params, *_rest: {"text": f"it is {params['password']}"}))
    assert result["text"] == "it is ********"


def configure(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    asked = action.C.config.get_config_value
    monkeypatch.setattr(
        action.C.config,
        "get_config_value",
        lambda name, **more: settings[name] if name in settings else asked(name, **more),
    )


@pytest.mark.parametrize(
    ("known", "setting", "wanted"),
    [(False, False, True), (True, True, True), (True, False, False)],
    ids=["core before 2.21", "on", "off"],
)
def test_how_a_task_was_called_is_in_its_result_where_it_is_wanted(
    known: bool, setting: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(action.C.config, "get_configuration_definition", lambda name: {} if known else None)
    configure(monkeypatch, INJECT_INVOCATION=setting)
    result = run(plugin(), project=f"of {SECRET}", password=SECRET)
    called = {"module_args": {"project": "of ********", "venue": None, "password": _masking.HIDDEN}}
    assert result.get("invocation") == (called if wanted else None)


@pytest.mark.parametrize("secret", [True, False])
def test_a_result_with_keys_is_hidden_as_a_whole_and_its_warnings_are_shown(secret: bool, warnings: list[str]) -> None:
    summary = SimpleNamespace(event=SimpleNamespace(msg="of a module"))
    answer = {"token": KEYS, "warnings": ["as a text", summary]}
    shipped = Shipped(dict(answer), AWAY, secret_result=secret)
    if secret:
        assert shipped.result == {"token": KEYS, "_ansible_no_log": True}
        assert warnings == ["as a text", "of a module"]
    else:
        assert (shipped.result, warnings) == (answer, [])


@pytest.mark.parametrize("changed", [{"changed": True}, {"changed": False}, {}], ids=str)
@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("here", [True, False], ids=["here", "shipped"])
def test_a_result_with_keys_is_hidden_wherever_the_task_ran_and_whatever_it_changed(
    changed: dict[str, bool], secret: bool, here: bool
) -> None:
    answer = {"token": KEYS, **changed}
    if here:
        result = run(plugin(lambda *_arguments: dict(answer), secret_result=secret))
    else:
        result = Shipped(dict(answer), AWAY, secret_result=secret).result
    assert result["token"] == KEYS
    assert result.get("_ansible_no_log", False) is secret


def test_where_the_core_masks_keys_those_of_a_task_that_ran_here_are_registered(
    registered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_masking, "NATIVE", True)
    result = run(plugin(lambda *_arguments: {"token": KEYS}, secret_result=True))
    assert own(result) == {"token": KEYS, "changed": False}
    assert {"a-secret-access-key", "a-session-token"} <= set(registered)


def test_where_the_core_masks_keys_they_are_registered_and_the_result_stays_readable(
    registered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_masking, "NATIVE", True)
    shipped = Shipped({"token": KEYS, "warnings": ["a text"]}, AWAY, secret_result=True)
    assert shipped.result == {"token": KEYS, "warnings": ["a text"]}
    assert {"a-secret-access-key", "a-session-token"} <= set(registered)


@pytest.mark.parametrize("native", [True, False])
def test_the_raw_output_of_a_module_that_crashed_is_not_kept(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_masking, "NATIVE", native)
    monkeypatch.setattr(_masking, "register_result", lambda result: pytest.fail("a failure has no keys"))
    crashed = {"failed": True, "msg": "MODULE FAILURE", "rc": 1, **CRASHED}
    assert Shipped(dict(crashed), AWAY, secret_result=True).result == {"failed": True, "msg": "MODULE FAILURE", "rc": 1}


def test_the_output_of_a_module_without_keys_is_kept() -> None:
    crashed = {"failed": True, "msg": "MODULE FAILURE", **CRASHED}
    assert Shipped(dict(crashed), AWAY).result == crashed


@pytest.mark.parametrize(
    ("secret", "native", "unlogged"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_the_connection_logs_nothing_of_a_result_with_keys_unless_the_core_masks_it(
    secret: bool, native: bool, unlogged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_masking, "NATIVE", native)
    assert bool(Shipped({}, AWAY, secret_result=secret).unlogged) is unlogged


@pytest.mark.parametrize(
    ("situation", "native_async", "wrapped"), [(AWAY, False, False), (ASYNC, False, True), (ASYNC, True, False)]
)
def test_an_asynchronous_task_is_wrapped_unless_the_connection_does_that(
    situation: Situation, native_async: bool, wrapped: bool
) -> None:
    shipped = Shipped({"rc": 0}, situation, native_async)
    assert shipped.asked == {"task_vars": situation.variables, "wrap_async": wrapped}
    assert shipped.result["rc"] == 0


def test_a_task_with_keys_is_never_asynchronous_for_async_status_hides_nothing() -> None:
    with pytest.raises(AnsibleActionFail, match="does not support async"):
        Shipped({}, ASYNC, secret_result=True)


@pytest.mark.parametrize("check", [True, False])
def test_an_operation_knows_of_check_mode(check: bool) -> None:
    made = plugin(lambda _params, _clients, runtime: {"check": runtime.check_mode})
    assert own(run(made, Situation(keywords={"check_mode": check}))) == {"changed": False, "check": check}


def test_warnings_of_an_operation_are_shown(warnings: list[str]) -> None:
    def execute(_params: Any, _clients: Any, runtime: Any) -> dict[str, Any]:
        runtime.warn("one")
        return {}

    run(plugin(execute))
    assert warnings == ["one"]


@pytest.mark.parametrize("deleted", [True, False])
def test_the_collector_rests_while_an_operation_runs_unless_speed_is_deleted(
    deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (action.speed is not None) is Path(action.__file__).with_name("_speed.py").exists()
    if deleted:
        monkeypatch.setattr(action, "speed", None)
    result = run(plugin(lambda *_arguments: {"collects": gc.isenabled()}))
    assert (result["collects"], gc.isenabled()) == (action.speed is None, True)


def test_a_plugin_has_its_services_prepared_when_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[tuple[str, ...]] = []
    monkeypatch.setattr(action, "speed", SimpleNamespace(prepare=prepared.append))
    plugin(services=["iam", "sts"])
    assert prepared == [("iam", "sts")]


def test_options_with_another_type_than_a_path_or_without_a_text_stay_as_they_are() -> None:
    spec = {"file": {"type": "path"}, "mail": MAIL}
    options = {"file": " ", "mail": "file=x", "other": "x"}
    assert action.absolute_paths(spec, options) == options
    assert action.absolute_paths(spec, {"file": ["x"], "mail": None}) == {"file": ["x"], "mail": None}


def test_the_interpreter_of_the_configuration_counts_where_the_host_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, INTERPRETER_PYTHON="/usr/bin/other-python")
    assert Shipped({"where": "shipped"}, Situation(variables={})).result["where"] == "shipped"


ITEMS = {
    "a known secret": f"the password is {SECRET}",
    "a short secret": "hunter2",
    "in a dictionary": {"venue": "dev", "password": SECRET},
    "in a list in a dictionary": {"users": [{"password": SECRET}]},
}


@pytest.mark.parametrize("execute", [lambda *_arguments: {}, refuse], ids=["success", "failure"])
@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_the_item_of_a_loop_shows_no_secret(item: Any, execute: Callable[..., dict[str, Any]]) -> None:
    """ansible-core adds the item to the result, and shows all of it with a failure, also beside a label."""
    password = "hunter2" if item == "hunter2" else SECRET
    variables = {**Situation().variables, "ansible_loop_var": "one", "one": item}
    looped = Situation(variables, {"loop": [item]})
    assert "_ansible_no_log" not in run(plugin(execute), looped, password="another-password")
    assert run(plugin(execute), looped, password=password)["_ansible_no_log"] is True
    assert "_ansible_no_log" not in run(plugin(execute), Situation(variables), password=password), "of an outer loop"


@pytest.mark.parametrize(
    "options", [{"secret_word": "hunter2"}, {"project": "https://me:hunter2@x.example.org"}], ids=["unknown", "address"]
)
def test_the_item_of_a_loop_shows_no_secret_of_a_wrong_option(options: dict[str, str]) -> None:
    item = {"any": next(iter(options.values()))}
    variables = {**Situation().variables, "ansible_loop_var": "item", "item": item}
    assert run(plugin(), Situation(variables, {"loop": [item]}), **options)["_ansible_no_log"] is True


def test_ansible_core_masks_the_item_of_a_loop_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_masking, "NATIVE", True)
    variables = {**Situation().variables, "ansible_loop_var": "item", "item": SECRET}
    assert "_ansible_no_log" not in run(plugin(), Situation(variables, {"loop": [SECRET]}), password=SECRET)
