# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The collection's modules are compiled once, and not in each run as ansible-core does it."""

from __future__ import annotations

import ast
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
OWN = "ansible_collections.mdps.venue_sts.plugins."
PROGRAM = """
import importlib, os, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
if sys.argv[3:]:
    os.geteuid = lambda: int(sys.argv[3])
importlib.import_module(sys.argv[1] + "action." + sys.argv[2])
own = {name[len(sys.argv[1]):]: module for name, module in sys.modules.items() if name.startswith(sys.argv[1])}
for name, module in own.items():
    print(name, type(module.__loader__).__name__, getattr(module, "MARK", 0))
"""
# What is imported before there is a way to import the rest.
FIRST = {
    "action",
    "action.venue_sts_token",
    "module_utils",
    "plugin_utils",
    "plugin_utils._action",
    "plugin_utils._speed",
}


@pytest.fixture
def collection(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the collection that nobody has used, beside the others."""
    tree = tmp_path / "collections" / "ansible_collections"
    copy = tree / "mdps" / "venue_sts"
    for folder in ("plugins", "meta"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    if not (copy / "plugins/plugin_utils/_speed.py").exists():
        pytest.skip("plugins/plugin_utils/_speed.py is deleted")
    (tree / "amazon").symlink_to(
        pathlib.Path(os.environ["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections" / "amazon"
    )
    return copy


def load(collection: pathlib.Path, *user: str) -> dict[str, tuple[str, str]]:
    """Load the plugin of venue_sts_token; return how each module was loaded, and its MARK."""
    path = {"ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2])}
    env = {**{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}, **path}
    command = [sys.executable, "-c", PROGRAM, OWN, "venue_sts_token", *user]
    done = subprocess.run(command, env=env, cwd=collection, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    return {name: (loader, mark) for name, loader, mark in lines}


def test_compiled_code_is_kept_and_a_changed_module_is_compiled_again(collection: pathlib.Path) -> None:
    loaded = load(collection)
    assert {name for name, (loader, _mark) in loaded.items() if loader != "CompiledModule"} <= FIRST
    assert loaded["module_utils._domain.names"] == ("CompiledModule", "0")
    names = collection / "plugins/module_utils/_domain/names.py"
    assert list(names.parent.glob("__pycache__/names.*.pyc"))
    assert not list(collection.glob("plugins/action/__pycache__/*"))
    names.write_text(f"{names.read_text()}\nMARK = 1\n")
    assert load(collection)["module_utils._domain.names"] == ("CompiledModule", "1")


def test_a_user_who_does_not_own_the_collection_leaves_no_file_in_it(collection: pathlib.Path) -> None:
    assert load(collection, str(os.geteuid() + 1))["module_utils._domain.names"] == ("CompiledModule", "0")
    assert not list(collection.rglob("*.pyc"))


@pytest.mark.parametrize("plugin", sorted((ROOT / "plugins/action").glob("*.py")), ids=lambda path: path.stem)
def test_an_action_plugin_imports_the_front_end_first(plugin: pathlib.Path) -> None:
    imported = [one.module for one in ast.parse(plugin.read_text()).body if isinstance(one, ast.ImportFrom)]
    own = [one.removeprefix(OWN) for one in imported if one and one.startswith(OWN)]
    assert own[0] == "plugin_utils._action" or "plugin_utils._action" not in own
