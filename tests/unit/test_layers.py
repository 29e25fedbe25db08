# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dependencies point one way, as CONTRIBUTING.md shows, and no further."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
import sys

import pytest

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins"
OWN = "ansible_collections.mdps.venue_sts.plugins."
STANDARD = set(sys.stdlib_module_names)
FORBIDDEN_IN_DOMAIN = {
    "time",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "urllib",
    "http",
    "os",
    "pathlib",
    "tempfile",
    "threading",
}


def layer(module: str) -> str:
    """The layer that a module of ours is in, from its path below plugins/.

    Each package and file of module_utils is one; plugin_utils is one as a whole.
    """
    parts = module.split(".")
    return parts[1] if parts[0] == "module_utils" and len(parts) > 1 else parts[0]


# What the files of a layer may import, besides those of their own. CONTRIBUTING.md has the same table.
ALLOWED = {
    "modules": {"_module", "_operations"},
    "action": {"plugin_utils", "_operations"},
    "filter": {"plugin_utils", "_domain"},
    "lookup": set[str](),
    "doc_fragments": set[str](),
    "_module": {"_operations", "_masking"},
    "plugin_utils": {
        *("_operations", "_aws", "_domain"),
        *("_receipt_store", "_handoff_options", "_files", "_masking"),
    },
    "_operations": {
        *("_aws", "_kion", "_controller", "_domain"),
        *("_receipt_store", "_handoff_options", "_files", "_masking"),
    },
    "_receipt_store": {"_aws", "_domain", "_files"},
    "_handoff_options": set[str](),
    "_files": {"_domain"},
    "_aws": {"_domain", "_masking"},
    "_kion": {"_domain", "_masking"},
    "_controller": {"_domain"},
    "_masking": {"_domain"},
    "_domain": set[str](),
}


def imports(path: pathlib.Path) -> list[str]:
    """Every module that a file imports, absolute, ours shortened to what is below plugins/."""
    here = path.relative_to(PLUGINS).with_suffix("").parts[:-1]
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1]
            target = ".".join([*base, *([node.module] if node.module else [])])
            # "from .._domain import trust" names a module, "from ..._files import x" a name in one.
            found += [
                OWN
                + (
                    target
                    if node.module and (PLUGINS / (target.replace(".", "/") + ".py")).exists()
                    else f"{target}.{alias.name}"
                )
                for alias in node.names
            ]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found


FILES = sorted(path for path in PLUGINS.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGINS)))
def test_imports_point_one_way(path: pathlib.Path) -> None:
    mine = layer(".".join(path.relative_to(PLUGINS).with_suffix("").parts))
    for name in imports(path):
        if name.startswith(OWN):
            target = name.removeprefix(OWN)
            theirs = layer(target)
            assert theirs in {mine, *ALLOWED[mine]}, f"{path.name} ({mine}) imports {target} ({theirs})"
        elif mine == "_domain":
            top = name.split(".")[0]
            assert top in STANDARD, f"{path.name} imports {name}: _domain knows the standard library only"
            assert name == "urllib.parse" or top not in FORBIDDEN_IN_DOMAIN, (
                f"{path.name} imports {name}: _domain has no clock, chance or I/O"
            )
        elif mine == "_operations":
            assert name.split(".")[0] in STANDARD or name.startswith("ansible.module_utils"), (
                f"{path.name} imports {name}: boto3 belongs into _aws"
            )


@functools.cache
def use_case(path: pathlib.Path) -> str:
    """The use case that a file is part of, below plugins/: the file itself, or its package; '' if it is none.

    A use case defines an ``OPERATION``. What several share lies in files that define none.
    """
    own = path.relative_to(PLUGINS)
    unit = PLUGINS.joinpath(*own.parts[:3]) if own.parts[:2] == ("module_utils", "_operations") else path
    files = sorted(unit.rglob("*.py")) if unit.is_dir() else [unit]
    is_one = any(
        "OPERATION" in {ast.unparse(one) for one in (node.targets if isinstance(node, ast.Assign) else [node.target])}
        for file in files
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    )
    return ".".join(unit.relative_to(PLUGINS).with_suffix("").parts) if is_one else ""


def layers_of(text: str) -> set[str]:
    """The names in code quotation marks."""
    return set(re.findall(r"`+([a-z_]+)`+", text))


def test_contributing_shows_what_may_be_imported() -> None:
    text = (PLUGINS.parent / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", text, re.MULTILINE)
    assert {name: layers_of(cell) for name, cell in rows} == ALLOWED


def test_every_arrow_is_needed() -> None:
    used: dict[str, set[str]] = {name: set() for name in ALLOWED}
    for path in FILES:
        mine = layer(".".join(path.relative_to(PLUGINS).with_suffix("").parts))
        theirs = {layer(name.removeprefix(OWN)) for name in imports(path) if name.startswith(OWN)}
        used[mine] |= theirs - {mine, "module_utils"}
    assert used == ALLOWED


PACKAGES = sorted(path.parent for path in PLUGINS.rglob("__init__.py") if path.parent.name != "module_utils")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_each_package_says_what_imports_it(package: pathlib.Path) -> None:
    """The last sentence of its docstring names the layers, its own among them where files beside it do."""
    own = ".".join(package.relative_to(PLUGINS).parts)
    importers = {
        layer(".".join(path.relative_to(PLUGINS).with_suffix("").parts))
        for path in FILES
        if package not in path.parents
        and any(f"{name.removeprefix(OWN)}.".startswith(f"{own}.") for name in imports(path))
    }
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    assert layers_of(text.rpartition("Imported by ")[2]) == importers


ROOMS = ("module_utils/_operations/", "plugin_utils/")


def test_no_use_case_of_a_room_is_imported_by_another_file_of_it() -> None:
    """What runs on the controller may build on an operation: a renewal is an issue like any other."""
    cases = {one for one in map(use_case, FILES) if one}
    assert {"module_utils._operations.issue", "module_utils._operations.role", "plugin_utils._leasing"} <= cases
    wrong = []
    for path in FILES:
        own = path.relative_to(PLUGINS)
        room = next((one for one in ROOMS if str(own).startswith(one)), None)
        if room is None:
            continue
        others = {case for case in cases - {use_case(path)} if case.startswith(room.replace("/", "."))}
        targets = [name.removeprefix(OWN) for name in imports(path)]
        wrong += [f"{own} imports {one}" for one in targets for case in others if f"{one}.".startswith(f"{case}.")]
    assert wrong == []


def test_two_classes_never_share_a_name() -> None:
    """But for those that Ansible looks for by their names."""
    found: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name not in ("ActionModule", "FilterModule"):
                found.setdefault(node.name, []).append(str(path.relative_to(PLUGINS)))
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_every_module_has_its_action_plugin_and_both_run_the_same_operation() -> None:
    modules = {path.stem: path.read_text() for path in (PLUGINS / "modules").glob("*.py")}
    for name, text in modules.items():
        action = (PLUGINS / "action" / f"{name}.py").read_text()
        if "run_module(OPERATION)" not in text:
            continue  # runs on the controller only; its action plugin is the implementation
        if name == "venue_sts_token":
            assert "_operations.issue.phases import OPERATION" in text  # the phases of what issuing.OPERATION runs
            assert "plugin_utils._issuing import OPERATION" in action
            continue
        operation = (
            next(line for line in text.splitlines() if "_operations." in line).split("_operations.")[1].split()[0]
        )
        assert f"_operations.{operation} import OPERATION" in action, name


def test_what_is_private_to_the_collection_says_so_by_its_name() -> None:
    for package in ("module_utils", "plugin_utils"):
        names = {path.name for path in (PLUGINS / package).iterdir() if path.name != "__pycache__"}
        assert {name for name in names if not name.startswith("_")} == set(), package
