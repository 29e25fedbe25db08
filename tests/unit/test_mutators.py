# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``make mutants`` changes in a file, and what it leaves alone."""

from __future__ import annotations

import ast
import pathlib
import sys

import pytest
import yaml

from tests.conftest import ROOT

sys.path.append(str(ROOT / "tools"))
import mutant_tests
import mutators

PYTHON = {
    "if a == b:\n    c()\n": {"a != b", "pass"},
    "if not a:\n    c = 1\n": {"(a)", "2"},
    "d = a and b\n": {"((a) or (b))", "((b))", "((a))"},
    "def f():\n    raise X\n": {"pass"},
    "def f():\n    return g\n": {"None"},
    "LIMIT = 50\nDEEP: bool = True\n": {"51", "False"},
    # Nothing of these changes a result.
    "if TYPE_CHECKING:\n    LIMIT = 1\n": set(),
    "try:\n    import x\nexcept ImportError:\n    HAS = False\n": set(),
    "@dataclass(frozen=True, slots=True)\nclass A:\n    b: Literal[1]\n": set(),
    'text = f"{name[:40]} {count:3}"\n': set(),
    '"""Text."""\n': set(),
}
TASKS = """
- name: Write it
  become: true
  when:
    - a
    - b
  no_log: true
  x.y.z:
    dest: f
    mode: "0600"
- name: Try
  block:
    - name: Ask
      x.y.w: {}
      delay: 5
"""
EDITS = {
    "task Write it -> nothing",
    "task Try -> nothing",
    "task Ask -> nothing",
    "Write it: become -> left out",
    "Write it: when -> left out",
    "Write it: when: a -> left out",
    "Write it: when: b -> left out",
    "Write it: no_log -> left out",
    "Write it: x.y.z: dest -> left out",
    "Write it: x.y.z: mode -> left out",
    "Write it: become: true -> false",
    "Write it: no_log: true -> false",
}


@pytest.mark.parametrize("text", PYTHON)
def test_changes_of_python_are_python(text: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.py").write_text(text)
    found = list(mutators.in_python(tmp_path / "x.py", tmp_path))
    assert {one.new for one in found} == PYTHON[text]
    assert all(ast.dump(ast.parse(one.text)) != ast.dump(ast.parse(text)) for one in found)


def test_a_change_of_a_function_is_where_its_line_is_and_one_of_its_signature_is_in_all_of_it(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "x.py").write_text("A = 1\ndef f(b=2):\n    c()\n    if b:\n        return b\n")
    scopes = {one.old: one.scope for one in mutators.in_python(tmp_path / "x.py", tmp_path)}
    lines = {old: (list(one.lines), one.body and list(one.body), one.names) for old, one in scopes.items() if one}
    assert lines == {
        "1": ([1], None, ("A",)),
        "2": ([2], [3, 4, 5], ()),
        "c()": ([3], None, ()),
        "b": ([5], None, ()),
    }


def test_changes_of_tasks_are_tasks_and_each_is_one_change(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.yml").write_text(TASKS)
    found = list(mutators.in_yaml(tmp_path / "x.yml", tmp_path))
    assert {f"{one.old} -> {one.new}" for one in found} == EDITS
    read = [yaml.safe_load(one.text) for one in found]
    assert all(one != yaml.safe_load(TASKS) for one in read)
    without_condition = read[[one.old for one in found].index("Write it: when: a")]
    assert (without_condition[0]["when"], without_condition[1:]) == (["b"], yaml.safe_load(TASKS)[1:])


LISTED = [
    line
    for line in (ROOT / "tools/mutants_equivalent.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("line", LISTED)
def test_what_is_listed_as_without_a_result_exists_and_has_a_reason(line: str) -> None:
    key, _mark, reason = line.partition("  # ")
    file = ROOT / key.partition(": ")[0]
    found = mutators.in_python if file.suffix == ".py" else mutators.in_yaml
    assert [one.key for one in found(file, ROOT)].count(key) == 1
    assert reason


def test_a_mutant_of_an_option_is_tried_against_the_tests_of_options() -> None:
    """No test executes an argument spec, which is made at import."""
    file = "plugins/module_utils/_operations/profile.py"
    of_options, other = (
        "tests/unit/test_secret_options.py::test_secret_options[profile]",
        "tests/unit/test_x.py::test_x",
    )
    mutants = list(mutators.in_python(ROOT / file, ROOT))
    function = next(one for one in mutants if one.scope and one.scope.body is None and not one.scope.names)
    option = next(one for one in mutants if one.scope and "TOKEN" in one.scope.names)
    lines = {file: {str(line): [1] for line in function.scope.lines}} if function.scope else {}
    executed = mutant_tests.Executed([{"tests": {of_options: 0.1, other: 0.1}, "lines": lines}])
    assert of_options in executed.of(option)
    assert executed.of(function) == [other]
