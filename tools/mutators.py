# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The changes that tools/mutants.py makes: in Python an expression or a statement, in a playbook a keyword or a task.

Not sampled are places where a change means nothing: annotations, imports and what stands in for them, numbers that only
shape a message, names, tags, labels and pauses, and whether a dataclass could be changed by code that nobody wrote.
"""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

COMPARISONS = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
EXACT = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)
ANNOTATIONS = ("annotation", "returns", "type_params")
PLAYS_TASKS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
# Keywords without a result of their own, and those without which a file is no playbook.
SKIPPED = ("name", "tags", "loop_control", "delay", "quiet", "fail_msg", "success_msg", "verbosity", "hosts")
KEYWORDS = (
    "become", "become_user", "changed_when", "check_mode", "connection", "delegate_to", "diff", "environment",
    "failed_when", "force_handlers", "ignore_errors", "loop", "module_defaults", "no_log", "register", "retries",
    "run_once", "strategy", "until", "vars", "vars_files", "when",
)  # fmt: skip


class Mutant(NamedTuple):
    """One change of a file."""

    file: str
    line: int
    old: str
    new: str
    text: str
    scope: Scope | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {one_line(self.old)} -> {one_line(self.new)}"

    @property
    def key(self) -> str:
        """How the list of equivalents names it: without the number of the line."""
        return f"{self.file}: {one_line(self.old)} -> {one_line(self.new)}"


class Scope(NamedTuple):
    """Where a change of Python code is, to find the tests that execute it."""

    lines: range
    statement: range
    body: range | None  # of the function, if the change is in its signature
    names: tuple[str, ...]  # that the statement assigns, if it runs at import


def one_line(text: str) -> str:
    """A text without line breaks."""
    return " ".join(text.split())


def in_python(file: pathlib.Path, root: pathlib.Path) -> Iterator[Mutant]:
    """Every mutant of a Python file."""
    text = file.read_text()
    raw, starts = text.encode(), [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    seen = set()
    for place, parents in nodes(ast.parse(text), ()):
        for node, new in changes(place, parents):
            start = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
            if (start, end, new) not in seen:
                seen.add((start, end, new))
                changed = (raw[:start] + new.encode() + raw[end:]).decode()
                old = raw[start:end].decode()
                where = scope(node, parents if node is place else (*parents, place))
                yield Mutant(str(file.relative_to(root)), node.lineno, old, new, changed, where)


def nodes(node: ast.AST, parents: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Every node whose change can have a meaning, with what it is in, the outermost first."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Try) and any("ImportError" in ast.unparse(one.type) for one in node.handlers if one.type):
        return
    if isinstance(node, ast.keyword) and node.arg in ("frozen", "slots"):
        return
    yield node, parents
    for field, value in ast.iter_fields(node):
        if field not in ANNOTATIONS:
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from nodes(child, (*parents, node))


def changes(node: ast.AST, parents: Sequence[ast.AST]) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """What to replace, and by what."""
    match node:
        case ast.Compare(left=left, ops=[one], comparators=[right]) if type(one) in COMPARISONS:
            yield node, f"{ast.unparse(left)} {COMPARISONS[type(one)]} {ast.unparse(right)}"
        case ast.BoolOp():
            yield from ((node, one) for one in other_conditions(node))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield node, f"({ast.unparse(operand)})"
        case ast.If(test=test) | ast.IfExp(test=test):
            exact = isinstance(test, ast.Compare) and isinstance(test.ops[0], EXACT)
            if not exact and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)):
                yield test, f"(not ({ast.unparse(test)}))"
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield value, "None"
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield node, "pass"
        case ast.Constant(value=bool() as value):
            yield node, str(not value)
        case ast.Constant(value=int() as value) if not any(isinstance(one, ast.JoinedStr) for one in parents):
            yield node, str(value + 1)


def other_conditions(node: ast.BoolOp) -> Iterator[str]:
    """The condition with the other connective, and without each part."""
    values = [f"({ast.unparse(one)})" for one in node.values]
    own, other = (" and ", " or ") if isinstance(node.op, ast.And) else (" or ", " and ")
    yield "(" + other.join(values) + ")"
    for index in range(len(values)):
        yield "(" + own.join(values[:index] + values[index + 1 :]) + ")"


def scope(node: ast.AST, parents: Sequence[ast.AST]) -> Scope:
    """Where a node is."""
    path = (*parents, node)
    statements = [one for one in path if isinstance(one, ast.stmt)]
    inner = statements[-1]
    functions = [one for one in path if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    body = None
    if functions and inner is functions[-1]:
        body = range(inner.body[0].lineno, (inner.end_lineno or inner.lineno) + 1)
    names: list[str] = []
    if not functions or body:
        targets = [inner.target] if isinstance(inner, ast.AnnAssign) else getattr(inner, "targets", [])
        names = [getattr(one, "id", getattr(one, "attr", "")) for target in targets for one in ast.walk(target)]
    own = getattr(inner, "body", None)
    last = own[0].lineno - 1 if own and isinstance(own, list) else inner.end_lineno or inner.lineno
    lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)  # type: ignore[attr-defined]
    return Scope(lines, range(inner.lineno, max(last, inner.lineno) + 1), body, tuple(filter(None, names)))


def in_yaml(file: pathlib.Path, root: pathlib.Path) -> Iterator[Mutant]:
    """Every mutant of a file of plays or tasks."""
    tree = yaml.compose(file.read_text(), Loader=yaml.SafeLoader)
    if not isinstance(tree, yaml.SequenceNode):
        return
    for line, old, new in edits(tree):
        # The tree is changed while the generator pauses.
        yield Mutant(str(file.relative_to(root)), line, old, new, "---\n" + yaml.serialize(tree, width=1000))


def edits(tasks: yaml.SequenceNode) -> Iterator[tuple[int, str, str]]:
    """Change a list of plays or tasks in one place after the other, and put it back each time."""
    for index, task in enumerate(tasks.value):
        name = next((value.value for key, value in task.value if key.value == "name"), "?")
        line = task.start_mark.line + 1
        nothing = yaml.compose("ansible.builtin.meta: noop", Loader=yaml.SafeLoader)
        if not any(
            key.value in ("hosts", "import_playbook", "ansible.builtin.import_playbook") for key, _value in task.value
        ):
            tasks.value[index] = nothing
            yield line, f"task {name}", "nothing"
            tasks.value[index] = task
        yield from without_keywords(task, name)
        yield from other_booleans(task, name)
        for key, value in task.value:
            if key.value in PLAYS_TASKS:
                yield from edits(value)


def without_keywords(task: yaml.MappingNode, name: str) -> Iterator[tuple[int, str, str]]:
    """Leave out a keyword, an item of a condition, or one option of the module."""
    for key, value in list(task.value):
        at = f"{name}: {key.value}"
        if key.value in KEYWORDS:
            yield from without(task, (key, value), at)
        if key.value in ("when", "failed_when", "until", "that") and isinstance(value, yaml.SequenceNode):
            for item in list(value.value) if len(value.value) > 1 else []:
                yield from without(value, item, f"{at}: {getattr(item, 'value', '')}")
        module = key.value not in (*KEYWORDS, *PLAYS_TASKS, *SKIPPED) or key.value in ("vars", "environment")
        if module and isinstance(value, yaml.MappingNode):
            for pair in list(value.value):
                if pair[0].value not in SKIPPED and len(value.value) > 1:
                    yield from without(value, pair, f"{at}: {pair[0].value}")


def without(parent: yaml.CollectionNode, part: object, what: str) -> Iterator[tuple[int, str, str]]:
    """Leave out one part of a mapping or a list."""
    index = parent.value.index(part)
    node: Any = part[0] if isinstance(part, tuple) else part
    del parent.value[index]
    yield node.start_mark.line + 1, what, "left out"
    parent.value.insert(index, part)


def other_booleans(task: yaml.MappingNode, name: str) -> Iterator[tuple[int, str, str]]:
    """Change true to false and the other way round."""
    waiting = [(key, value) for key, value in task.value if key.value not in PLAYS_TASKS]
    while waiting:
        key, node = waiting.pop(0)
        if key.value in SKIPPED:
            continue
        if isinstance(node, yaml.MappingNode):
            waiting += node.value
        elif node.tag == "tag:yaml.org,2002:bool":
            old, node.value = node.value, "false" if node.value == "true" else "true"
            yield node.start_mark.line + 1, f"{name}: {key.value}: {old}", node.value
            node.value = old
