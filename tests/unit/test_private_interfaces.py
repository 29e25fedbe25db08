# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/internals/private-apis.md names what the plugins use of other projects, and nothing else."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

from tests.conftest import ROOT

FILES = {path: ast.parse(path.read_text()) for path in sorted((ROOT / "plugins").rglob("*.py"))}
PAGE = (ROOT / "docs/internals/private-apis.md").read_text()
NAMED_TUPLES = {"_replace", "_asdict", "_fields", "_field_defaults"}  # documented, in spite of their names


def words(text: str) -> set[str]:
    """Every identifier in the code spans of a text."""
    return {word for span in re.findall(r"`([^`]+)`", text) for word in re.findall(r"[A-Za-z_]\w*", span)}


def is_foreign(module: str) -> bool:
    parts = module.split(".")
    return parts[0] in ("ansible", "botocore") or parts[:2] == ["ansible_collections", "amazon"]


def imports() -> Iterator[tuple[pathlib.Path, str]]:
    """Every name that is imported from another project."""
    for path, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and not node.level and is_foreign(node.module or ""):
                yield from ((path, one.name) for one in node.names)
            elif isinstance(node, ast.Import):
                yield from ((path, one.name.rpartition(".")[2]) for one in node.names if is_foreign(one.name))


def own_names(tree: ast.Module) -> set[str]:
    """The attributes with a leading underscore that the classes of a file define."""
    stored = [one for one in ast.walk(tree) if isinstance(getattr(one, "ctx", None), ast.Store)]
    return {one.id for one in stored if isinstance(one, ast.Name)} | {
        one.attr for one in stored if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "self"
    }


def private_attributes() -> Iterator[tuple[pathlib.Path, str]]:
    """Every attribute with a leading underscore that no file of the collection defines."""
    methods = {one.name for tree in FILES.values() for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}
    for path, tree in FILES.items():
        known = methods | NAMED_TUPLES | own_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr) and node.attr not in known:
                yield path, node.attr


def missing(found: Iterator[tuple[pathlib.Path, str]]) -> list[str]:
    return sorted({f"{path.relative_to(ROOT)}: {name}" for path, name in found if name not in words(PAGE)})


def test_each_import_from_another_project_is_listed() -> None:
    assert missing(imports()) == []


def test_each_private_attribute_of_another_project_is_listed() -> None:
    assert {name for _path, name in private_attributes()} >= {"_task", "_connection", "_play_context", "_prompter"}
    assert missing(private_attributes()) == []


def test_the_page_lists_nothing_that_the_plugins_do_not_use() -> None:
    rows = re.findall(r"^\| (?!Interface|---)(.*?) \|", PAGE, re.MULTILINE)
    code = "\n".join(path.read_text() for path in FILES)
    listed = {word for row in rows for word in words(row)}
    assert sorted(word for word in listed if not re.search(rf"\b{word}\b", code)) == []
