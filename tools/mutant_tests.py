# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tests tools/mutants.py runs for a mutant.

For Python the tests that execute the place, as coverage recorded it. A value that is set at import (a constant, a
default) is executed by no test, so the tests count that execute a line which names it, in its file or in one that
imports that, or else those of the file. Those of every module's options count for options as well. For roles and
playbooks the unit tests that read them, then the integration tests that run the role or a playbook that uses it, as the
tests' own code says.
"""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import checkout
import yaml
from mutators import Mutant, Scope

ROOT = checkout.ROOT
# The tests that read the YAML of every role and playbook.
READERS = (
    "tests/unit/plugin_utils/test_shared_variables.py",
    "tests/unit/plugin_utils/test_typing_errors.py",
    "tests/unit/test_habits.py::test_a_role_passes_every_option_on",
    "tests/unit/test_habits.py::test_no_undefined_variable_is_taken_for_an_option_that_nobody_set",
    "tests/unit/test_issue_destination.py",
)
# The tests of the options of every module.
OF_OPTIONS = (
    "tests/unit/test_secret_options.py::",
    "tests/unit/test_habits.py::test_the_options_of_a_module_are_documented_as_they_are",
)
# Playbooks that tests name in data of their own.
ALSO = {
    "awx_issue": ("tests/integration/test_awx_jobs.py",),
    "awx_lease": ("tests/integration/test_awx_jobs.py",),
    "report": (
        "tests/integration/test_awx_jobs.py::test_one_report_covers_all_accounts_and_names_the_one_that_cannot_be_read",
    ),
}
SLOW = 0.5  # seconds
MOST_SPECIFIC = 15
MOST_FILES, MOST_OF_A_FILE = 3, 25


class Executed:
    """What tools/mutant_coverage.py has written: the tests of each line, and how long each test takes."""

    def __init__(self, parts: Iterable[Mapping[str, Any]]) -> None:
        self.seconds: dict[str, float] = {}
        self.tests: dict[str, dict[int, set[str]]] = {}
        self.executes: dict[str, int] = {}
        for part in parts:
            names = list(part["tests"])
            self.seconds |= part["tests"]
            for path, lines in part["lines"].items():
                own = self.tests.setdefault(path, {})
                for line, numbers in lines.items():
                    tests = {names[number] for number in numbers}
                    own.setdefault(int(line), set()).update(tests)
                    for test in tests:
                        self.executes[test] = self.executes.get(test, 0) + 1
        self.named = _named()

    def of(self, mutant: Mutant) -> list[str]:
        """The tests to run for a mutant: the most specific ones, then the first of each function before the others."""
        ranked = sorted(self._of(mutant.file, mutant.scope), key=self._cost)
        turns: dict[str, int] = {}
        order: list[tuple[int, int, str]] = []
        for test in ranked[MOST_SPECIFIC:]:
            function = test.partition("[")[0]
            turns[function] = turns.get(function, 0) + 1
            order.append((turns[function], len(order), test))
        return ranked[:MOST_SPECIFIC] + [test for _turn, _index, test in sorted(order)]

    def _cost(self, test: str) -> tuple[bool, int, str]:
        """By which tests are ordered: slow ones last, else those first that execute the least."""
        return self.seconds[test] > SLOW, self.executes.get(test, 0), test

    def _of(self, file: str, scope: Scope | None) -> set[str]:
        """The tests that execute a place; those of the whole file if it is not known."""
        lines = self.tests.get(file, {})
        if scope is None:
            return set().union(*lines.values())
        for place in filter(None, (scope.body, scope.lines, scope.statement)):
            if found := set().union(*(lines.get(line, ()) for line in place)):
                return found
        users = [(user, line) for name in scope.names for user, line in self.named.get(name, ()) if _uses(user, file)]
        found = set().union(*(self.tests.get(user, {}).get(line, set()) for user, line in users))
        options = {test for test in self.seconds if test.startswith(OF_OPTIONS) and _describes_options(file, scope)}
        return (found or set().union(*lines.values())) | options


def _describes_options(file: str, scope: Scope) -> bool:
    """Whether a statement is an argument spec or a part of one."""
    lines = (ROOT / file).read_text().splitlines()
    return any('"type": ' in lines[number - 1] for number in scope.statement)


@functools.cache
def _uses(user: str, file: str) -> bool:
    """Whether a file is another one, or names it, as what imports it does."""
    path = pathlib.PurePath(file)
    module = path.parent.name if path.stem == "__init__" else path.stem
    return user == file or bool(re.search(rf"\b{module}\b", (ROOT / user).read_text()))


def _named() -> dict[str, list[tuple[str, int]]]:
    """Where the plugins name what."""
    found: dict[str, list[tuple[str, int]]] = {}
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "arg", None)
            if isinstance(name, str) and hasattr(node, "lineno"):
                found.setdefault(name, []).append((str(path.relative_to(ROOT)), node.lineno))
    return found


def names_of(file: str) -> tuple[set[str], set[str]]:
    """The roles and playbooks that a file of tasks or plays belongs to: itself, and what uses it."""
    parts = pathlib.PurePath(file).parts
    own = {parts[1]} if parts[0] == "roles" else {parts[-1].removesuffix(".yml")}
    texts = {path.stem: path.read_text() for path in (ROOT / "playbooks").glob("*.yml")}
    uses = rf"mdps\.venue_sts\.{parts[1]}\b" if parts[0] == "roles" else rf"(^|[ /]){re.escape(parts[-1])}\b"
    users = {name for name, text in texts.items() if re.search(uses, _code(text), re.MULTILINE)}
    around = {name for name, text in texts.items() for one in users if re.search(rf"\b{one}\.yml\b", _code(text))}
    return own, (users | around) - own


def _code(text: str) -> str:
    """A playbook without its comments."""
    return yaml.serialize(yaml.compose(text, Loader=yaml.SafeLoader), width=1000)


@functools.cache
def of_playbooks(file: str) -> list[str]:
    """The tests to run for a mutant of a role or a playbook, in their order."""
    own, users = names_of(file)
    places = [path for name in sorted(own | users) for path in ALSO.get(name, ())]
    ranked = []
    for path in sorted((ROOT / "tests/integration").rglob("test_*.py")):
        for test, mentioned in _mentions(path).items():
            if mentioned & (own | users):
                ranked.append((not mentioned & own, len(mentioned), str(path.relative_to(ROOT)), test))
    chosen: dict[str, list[str]] = {path: [path] for path in places}
    for _other, _number, file_name, test in sorted(ranked):
        if file_name not in places and (file_name in chosen or len(chosen) < MOST_FILES):
            chosen.setdefault(file_name, []).append(f"{file_name}::{test}")
    return [*READERS, *(test for tests in chosen.values() for test in tests[:MOST_OF_A_FILE])]


@functools.cache
def _mentions(path: pathlib.Path) -> dict[str, set[str]]:
    """The roles and playbooks that each test function of a file names, itself or through what it uses of the file."""
    trees = [ast.parse(one.read_text()) for one in (path.parent / "conftest.py", path) if one.exists()]
    parts: dict[str, ast.stmt] = {}
    for statement in (one for tree in trees for one in tree.body):
        for name in _defined(statement):
            parts[name] = statement
    found = {}
    for name in [name for name in parts if name.startswith("test_")]:
        reached, waiting = {name}, [name]
        while waiting:
            used = {getattr(one, "id", getattr(one, "arg", "")) for one in ast.walk(parts[waiting.pop()])}
            waiting += sorted((used & parts.keys()) - reached)
            reached |= used & parts.keys()
        found[name] = {one for part in reached for one in _run(parts[part])}
    return found


def _defined(statement: ast.stmt) -> Iterable[str]:
    """The names that a statement of a file defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
    return [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]


def _run(statement: ast.stmt) -> Iterator[str]:
    """The roles and playbooks that it names: by their full names, or as an argument of a call."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"mdps\.venue_sts\.([a-z_]+)", node.value)
        elif isinstance(node, ast.Call):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str))
