# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An option that narrows or checks and is empty is an error, and so is a value of another type.

Every option, every module, both front ends.
"""

from __future__ import annotations

import importlib
import math
import pathlib
from datetime import UTC, date, datetime
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import absolute_paths
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import (
    Operation,
    Runtime,
    check_types,
)

from tests.support.actions import Situation, make_action

PACKAGE = "ansible_collections.mdps.venue_sts.plugins"
PLUGINS = pathlib.Path(__file__).resolve().parents[3] / "plugins"
NAMES = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))
OPERATIONS: dict[str, Operation[Any]] = {
    name: operation
    for name in NAMES
    if (operation := getattr(importlib.import_module(f"{PACKAGE}.modules.{name}"), "OPERATION", None))
}
# Options for which empty is a value: it neither widens what is allowed nor skips a check.
MAY_BE_EMPTY = {
    ("awx_request_info", "url"),  # a credential that nobody has filled in yet
    ("awx_request_info", "token"),
    ("awx_request_info", "ca_path"),  # the CAs of the system
    ("venue_sts_role", "confirm_changes"),  # no change is confirmed
    ("venue_sts_role", "description"),
    ("venue_sts_role", "tags"),
    ("venue_sts_role", "saml_provider_arns"),  # no identity provider is trusted
    ("venue_sts_role", "oidc_providers"),  # no web identity is trusted
    ("venue_sts_role", "kms_key_arns"),  # no key may be used
    ("venue_sts_token", "tags"),
    ("venue_sts_token", "transitive_tag_keys"),
    ("venue_sts_token", "context"),
    ("venue_sts_token", "handoff"),  # with every default
    ("venue_sts_token", "_phase"),  # set by the action plugin
    ("venue_sts_token", "_receipt"),
}
BLANK = {
    "str": ["", " ", "\n"],
    "path": ["", " "],
    "list": [[], [""], ["x", " "]],
    "dict": [{}],
    "json": ["", "{}", {}],
}
OPTIONS = [
    (name, option, kind)
    for name, operation in OPERATIONS.items()
    for option, spec in operation.argument_spec.items()
    if (kind := spec["type"]) in BLANK
]
NARROWING = [(name, option, kind) for name, option, kind in OPTIONS if (name, option) not in MAY_BE_EMPTY]


def every_option(spec: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every option and suboption, as the names that lead to it."""
    found = []
    for name, option in spec.items():
        if name.startswith("_"):  # set by the action plugin, which refuses it in a task
            continue
        found += [(*above, name), *every_option(option.get("options", {}), (*above, name))]
    return found


EVERY = [(name, path) for name, operation in OPERATIONS.items() for path in every_option(dict(operation.argument_spec))]
SITUATIONS = {"in process": Situation(), "shipped": Situation(keywords={"environment": [{"X": "y"}]})}


def refusal(option: str) -> str:
    return f"{option}: must not be empty. Set a value, or omit the option."


def test_every_option_that_can_be_empty_is_decided_about() -> None:
    declared = {(name, option) for name, operation in OPERATIONS.items() for option in operation.narrowing}
    assert {(name, option) for name, option, _kind in NARROWING} == {one for one in declared if "." not in one[1]}
    assert len(NARROWING) > 60


@pytest.mark.parametrize(("name", "option", "kind"), NARROWING, ids=lambda value: value)
def test_no_module_takes_a_blank_option(name: str, option: str, kind: str) -> None:
    for blank in BLANK[kind]:
        succeeded, result = OPERATIONS[name].run({option: blank}, Runtime())
        assert (succeeded, result["error"], result["msg"]) == (False, "InvalidInput", refusal(option)), repr(blank)


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize(("name", "option", "kind"), NARROWING, ids=lambda value: value)
def test_no_task_takes_a_blank_option(name: str, option: str, kind: str, where: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.action.{name}").ActionModule
    for blank in [*BLANK[kind], None]:  # YAML reads "option:" as None
        action = make_action(plugin, name, SITUATIONS[where], **{option: blank})
        result = action.run(task_vars=SITUATIONS[where].variables)
        assert (result["failed"], result.get("error"), result["msg"]) == (True, "InvalidInput", refusal(option)), repr(
            blank
        )


CONNECTION = [one for name, option in aws_argument_spec().items() for one in (name, *option.get("aliases", ()))]


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize("option", CONNECTION)
def test_no_task_takes_a_blank_connection_option(option: str, where: str) -> None:
    # The task would use whatever credentials there are: of another account, perhaps.
    plugin = importlib.import_module(f"{PACKAGE}.action.venue_sts_role_info").ActionModule
    for blank in ("", " ", "\n", "\u00a0", None):
        action = make_action(plugin, "venue_sts_role_info", SITUATIONS[where], **{option: blank})
        result = action.run(task_vars=SITUATIONS[where].variables)
        assert (result["failed"], result.get("error"), result["msg"]) == (True, "InvalidInput", refusal(option))


def test_a_blank_path_stays_blank_and_does_not_become_a_file_called_blank() -> None:
    spec = {"dest": {"type": "path"}, "handoff": {"type": "dict", "options": {"dest": {"type": "path"}}}}
    for blank in BLANK["path"]:
        options = {"dest": blank, "handoff": {"dest": blank}}
        assert absolute_paths(spec, options) == options


@pytest.mark.parametrize(
    ("name", "path"), EVERY, ids=lambda value: value if isinstance(value, str) else ".".join(value)
)
def test_no_task_takes_an_option_without_a_value(name: str, path: tuple[str, ...]) -> None:
    # Whatever its type: "handoff:" would return the keys, and "duration_seconds:" in limits lift a limit.
    options: Any = None
    for part in reversed(path):
        options = {part: options}
    plugin = importlib.import_module(f"{PACKAGE}.action.{name}").ActionModule
    result = make_action(plugin, name, SITUATIONS["in process"], **options).run(task_vars={})
    assert (result["failed"], result["error"], result["msg"]) == (True, "InvalidInput", refusal(".".join(path)))


DATES = (date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC))
NUMBERS = (math.inf, -math.inf, math.nan, 900.5, "Infinity", "-inf", "NaN", "900.5", "x", "1 2", True, False)
# By the type of an option, and of the items of a list: what it is not, and how the message says so.
OTHER_TYPES: dict[tuple[str, str], tuple[list[Any], str]] = {
    ("int", ""): ([*NUMBERS, [900], {"a": 1}, *DATES], "must be an integer."),
    ("bool", ""): (["x", 7, math.inf, [True], {"a": True}, *DATES], "must be true or false."),
    ("dict", ""): (["x", "{x", 7, True, ["x"], *DATES], "must be a dictionary."),
    ("json", ""): ([7, 0.5, True, *DATES], "must be a dictionary or JSON text."),
    ("list", "str"): (
        [True, False, [True], ["x", False], [{"a": "b"}], [["x"]], {"a": "b"}, *DATES, [DATES[0]], [DATES[1]]],
        "must be a list of strings.",
    ),
    ("list", "dict"): ([True, 7, "x", ["x"], [7], [DATES[0]], {"a": "b"}, "x,y"], "must be a list of dictionaries."),
}
# Beside those of BLANK, which other tests use: empty, and of another type.
ALSO_BLANK: dict[str, list[Any]] = {
    "int": ["", "  ", [], {}, [""]],
    "bool": ["", "  ", [], {}, [""]],
    "dict": ["", "  ", [], [None]],
    "json": [],
    "list": ["", "  ", {}],
}


def spec_of(spec: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """The argument spec of an option or suboption."""
    found: dict[str, Any] = spec[path[0]]
    return spec_of(found["options"], path[1:]) if path[1:] else found


def options_with(spec: Any, path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Options of a task in which one option or suboption has this value."""
    if not path[1:]:
        return {path[0]: value}
    inner = options_with(spec[path[0]]["options"], path[1:], value)
    return {path[0]: [inner] if spec[path[0]]["type"] == "list" else inner}


def refused(name: str, path: tuple[str, ...], value: Any, where: str) -> tuple[Any, ...]:
    """How a task is refused in which one option has this value."""
    plugin = importlib.import_module(f"{PACKAGE}.action.{name}").ActionModule
    options = options_with(OPERATIONS[name].argument_spec, path, value)
    result = make_action(plugin, name, SITUATIONS[where], **options).run(task_vars=SITUATIONS[where].variables)
    return result["failed"], result.get("error"), result["msg"], result.get("option")


TYPED = [
    (name, path, kind, option.get("elements", ""))
    for name, path in EVERY
    if (kind := (option := spec_of(OPERATIONS[name].argument_spec, path))["type"]) in ALSO_BLANK
]


def test_every_type_has_a_row() -> None:
    assert {(kind, elements) for _name, _path, kind, elements in TYPED} == set(OTHER_TYPES)
    assert len([kind for _name, path, kind, _elements in TYPED if kind == "int" and len(path) > 1]) > 1


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize(("name", "path", "kind", "elements"), TYPED, ids=str)
def test_a_value_of_another_type_is_refused_with_the_name_of_the_option(
    name: str, path: tuple[str, ...], kind: str, elements: str, where: str
) -> None:
    values, words = OTHER_TYPES[kind, elements]
    option = ".".join(path)
    for value in values:
        assert refused(name, path, value, where) == (True, "InvalidInput", f"{option}: {words}", option), repr(value)


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize(("name", "path", "kind", "elements"), TYPED, ids=str)
def test_an_empty_value_is_refused_as_such_whatever_the_type_of_the_option(
    name: str, path: tuple[str, ...], kind: str, elements: str, where: str
) -> None:
    option = ".".join(path)
    for value in ALSO_BLANK[kind]:
        assert refused(name, path, value, where) == (True, "InvalidInput", refusal(option), option), repr(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("int", value) for value in (900, 900.0, "900", " 900 ", 0, -1)),
        *(("bool", value) for value in (True, False, "yes", "no", 1, 0)),
        *(("dict", value) for value in ({}, {"a": math.inf}, "a=b", '{"a": 1}')),
        *(("json", value) for value in ("{}", {}, [], "x")),
        *(("list", value) for value in ([], ["1", 1, 0.5], "x,y", "1", 123, ("x",))),
        *((kind, value) for kind in ("str", "path", "raw") for value in ("x", 123, DATES[0])),
    ],
    ids=repr,
)
def test_what_ansible_core_converts_stays_possible(kind: str, value: Any) -> None:
    check_types({"x": {"type": kind, **({"elements": "str"} if kind == "list" else {})}}, {"x": value})


@pytest.mark.parametrize("kind", ["str", "path"])
def test_a_name_that_yaml_reads_as_a_boolean_does_not_become_another_name(kind: str) -> None:
    with pytest.raises(InvalidInput, match=r"^user: must be a string. Put words such as no, .* in quotation marks"):
        check_types({"user": {"type": kind}}, {"user": False})


def test_an_option_without_a_type_is_a_text_and_an_alias_is_named_as_it_was_given() -> None:
    check_types({"x": {}}, {"x": "y"})
    with pytest.raises(InvalidInput, match=r"^y: must be an integer"):
        check_types({"x": {"type": "int", "aliases": ["y"]}}, {"y": math.inf})


def test_a_venue_of_a_list_is_named_with_its_option_of_another_type() -> None:
    venue = {"project": "sbg", "venue": "dev", "max_session_duration": math.inf}
    succeeded, result = OPERATIONS["venue_sts_role_info"].run(
        dict.fromkeys(OPERATIONS["venue_sts_role_info"].argument_spec) | {"venues": [venue], "region": "us-west-2"},
        Runtime(),
    )
    assert (succeeded, result["msg"]) == (False, "venues: sbg-dev: max_session_duration: must be an integer.")


@pytest.mark.parametrize("where", SITUATIONS)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("context", [None]), ("context", False), ("context", "sbg"), ("limits", 7), ("handoff", ["x"]),
        ("handoff", {"email": [None]}), ("handoff", {"https": "x"}),
    ],
)  # fmt: skip
def test_something_else_in_place_of_suboptions_is_an_error(option: str, value: Any, where: str) -> None:
    plugin = importlib.import_module(f"{PACKAGE}.action.venue_sts_token").ActionModule
    action = make_action(plugin, "venue_sts_token", SITUATIONS[where], **{option: value})
    result = action.run(task_vars=SITUATIONS[where].variables)
    assert (result["failed"], result["error"]) == (True, "InvalidInput")
    assert option in result["msg"]
