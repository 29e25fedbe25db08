# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every operation does alike: parse, execute, and no exception beyond the edge."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Operation, Params, Runtime

from tests.conftest import ROOT

SECRET = "sentinel-8f3a-secret"


@dataclass(frozen=True)
class Options:
    venue: str


def parse(params: Params, _clients: Clients, _runtime: Runtime) -> Options:
    return Options(params["venue"])


def operation(execute: Callable[..., dict[str, Any]], **fields: Any) -> Operation[Any]:
    fields.setdefault("parse", lambda params, _clients, _runtime: params)
    return Operation(name="venue_sts_test", argument_spec={}, execute=execute, **fields)


def failing(error: BaseException) -> Callable[..., dict[str, Any]]:
    def execute(*_arguments: Any) -> dict[str, Any]:
        raise error

    return execute


def test_the_work_gets_the_parsed_options() -> None:
    found = operation(lambda options, _clients, _runtime: {"venue": options.venue}, parse=parse).run(
        {"venue": "dev"}, Runtime()
    )
    assert found == (True, {"venue": "dev"})


def test_without_a_parser_the_work_gets_the_parameters() -> None:
    found = operation(lambda params, _clients, _runtime: {"venue": params["venue"]}).run({"venue": "dev"}, Runtime())
    assert found == (True, {"venue": "dev"})


def test_an_expected_failure_names_the_venue() -> None:
    succeeded, result = operation(failing(InvalidInput("user", "is not right."))).run(
        {"project": "sbg", "venue": "dev"}, Runtime()
    )
    assert (succeeded, result["msg"]) == (False, "Venue sbg-dev: user: is not right.")


def test_a_module_runs_on_one_host() -> None:
    assert Runtime().hosts == 1


@pytest.mark.parametrize("where", ["parse", "execute"])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError(SECRET), "KeyError"),
        (ValueError(f"Invalid header value b'{SECRET}\\n'"), "ValueError"),
        (UnicodeEncodeError("ascii", SECRET, 0, 1, "ordinal not in range"), "UnicodeEncodeError"),
        (OSError(errno.ENAMETOOLONG, "File name too long", f"/tmp/{SECRET}"), "OSError (File name too long)"),
        (OSError(SECRET), "OSError"),
        (MemoryError(), "MemoryError"),
        (RecursionError(SECRET), "RecursionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_unexpected_exception_is_named_without_its_text(where: str, error: Exception, kind: str) -> None:
    bad = failing(error)
    broken = operation(bad) if where == "execute" else operation(lambda *_arguments: {}, parse=bad)
    succeeded, result = broken.run({"project": "sbg", "venue": "dev"}, Runtime())
    assert not succeeded
    assert result["error"] == "UnexpectedError"
    assert result["msg"].startswith(
        f"Venue sbg-dev: venue_sts_test stopped because of an unexpected {kind} at _operation.py:"
    )
    assert SECRET not in repr(result)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interruption_is_no_failure_of_the_operation(error: BaseException) -> None:
    with pytest.raises(type(error)):
        operation(failing(error)).run({}, Runtime())


@pytest.mark.parametrize("blank", ["", "  ", "\n", [], {}, [""], ["s3_read", " "], [[]]], ids=repr)
def test_an_option_that_narrows_is_never_empty(blank: Any) -> None:
    narrow = operation(lambda *_arguments: {}, narrowing=frozenset({"access"}))
    succeeded, result = narrow.run({"access": blank}, Runtime())
    assert (succeeded, result["error"], result["option"]) == (False, "InvalidInput", "access")
    assert result["msg"] == "access: must not be empty. Set a value, or omit the option."


@pytest.mark.parametrize("value", [None, "x", ["x"], {"a": ""}, 0, False], ids=repr)
def test_an_option_that_narrows_may_be_absent_or_have_a_value(value: Any) -> None:
    narrow = operation(lambda *_arguments: {}, narrowing=frozenset({"access"}))
    assert narrow.run({"access": value}, Runtime()) == (True, {})
    assert narrow.run({}, Runtime()) == (True, {})


PLUGINS = ROOT / "plugins"
WITH_OPERATION = [
    ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
    for path in sorted(PLUGINS.rglob("*.py"))
    if re.search(r"^OPERATION\b", path.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("name", WITH_OPERATION)
def test_what_runs_gets_parsed_options_and_no_parameters(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.mdps.venue_sts.plugins.{name}")
    execute = module.OPERATION.execute
    options = typing.get_type_hints(execute)[next(iter(inspect.signature(execute).parameters))]
    assert dataclasses.is_dataclass(options), options
    assert options.__dataclass_params__.frozen
