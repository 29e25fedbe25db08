# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The private files of the collection are loaded like any Python package, and only these."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import json
import marshal
import os
import pathlib
import subprocess
import sys

import pytest

speed = pytest.importorskip(
    "ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed", reason="speed.py is not there"
)

OWN = "ansible_collections.mdps.venue_sts.plugins"
ACTIONS = sorted((pathlib.Path(speed.__file__).parents[1] / "action").glob("[!_]*.py"))
# What a fresh process says about a package of two files, which it finds as this collection's.
PROGRAM = """
import json, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
import ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed as speed
import ansible_collections.mdps.venue_sts.plugins.module_utils as parent
parent.__path__.insert(0, sys.argv[1])
import ansible_collections.mdps.venue_sts.plugins.module_utils._invented as invented
json.dump([invented.VALUE, type(invented.__loader__).__name__, invented.__file__], sys.stdout)
"""


def value_of(folder: pathlib.Path) -> object:
    """What a new process finds in the invented file."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(folder / "kept")  # and nothing in the collection
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value, loader, file = json.loads(done.stdout)
    assert (loader, file) == ("UndamagedBytecode", str(folder / "_invented.py"))
    return value


def test_bytecode_is_kept_and_used_until_the_source_changes(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "_invented.py"
    source.write_text("VALUE = 'first'\n")
    assert value_of(tmp_path) == "first"
    kept = list((tmp_path / "kept").rglob("_invented.*.pyc"))
    assert len(kept) == 1
    # The bytecode is what is used: with another text in it, of the same length, that text is found.
    kept[0].write_bytes(kept[0].read_bytes().replace(b"first", b"other"))
    assert value_of(tmp_path) == "other"
    source.write_text("VALUE = 'changed'\n")
    assert value_of(tmp_path) == "changed"


def test_a_folder_that_cannot_be_written_changes_nothing(tmp_path: pathlib.Path) -> None:
    (tmp_path / "_invented.py").write_text("VALUE = 1\n")
    (tmp_path / "kept").write_text("not a folder")
    assert value_of(tmp_path) == 1


HEADER = 16  # of a .pyc file: the version of Python, flags, time and size of the source
DAMAGES = {
    "empty": lambda kept: b"",
    "cut in the header": lambda kept: kept[:7],
    "cut after the header": lambda kept: kept[:HEADER],
    "cut in the code": lambda kept: kept[:-9],
    "zeros": lambda kept: kept[:HEADER] + bytes(len(kept) - HEADER),
    "another type": lambda kept: kept[:HEADER] + b"?" + kept[HEADER + 1 :],
    "no code": lambda kept: kept[:HEADER] + marshal.dumps("text"),
}


@pytest.fixture
def source(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A file whose bytecode is kept beside it."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    written = tmp_path / "_invented.py"
    written.write_text("VALUE = 'first'\n")
    return written


def code_of(source: pathlib.Path) -> tuple[str, bool]:
    """From which file its code was compiled, and whether it is that code."""
    code = speed.UndamagedBytecode("_invented", str(source)).get_code("_invented")
    return code.co_filename, "first" in code.co_consts


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_of_bytecode_changes_nothing_and_the_next_run_writes_it_again(
    damage: str, source: pathlib.Path
) -> None:
    assert code_of(source) == (str(source), True)
    kept = pathlib.Path(importlib.util.cache_from_source(source))
    whole = kept.read_bytes()
    kept.write_bytes(DAMAGES[damage](whole))
    assert code_of(source) == (str(source), True)
    assert code_of(source) == (str(source), True)
    assert kept.read_bytes() == whole


def test_damaged_bytecode_that_cannot_be_removed_changes_nothing(
    source: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: pathlib.Path) -> None:
        raise PermissionError

    code_of(source)
    kept = pathlib.Path(importlib.util.cache_from_source(source))
    kept.write_bytes(kept.read_bytes()[:-9])
    monkeypatch.setattr(pathlib.Path, "unlink", refuse)
    assert code_of(source) == (str(source), True)
    assert kept.exists()


def test_a_run_with_damaged_bytecode_ends_as_any_other(tmp_path: pathlib.Path) -> None:
    (tmp_path / "_invented.py").write_text("VALUE = 'first'\n")
    assert value_of(tmp_path) == "first"
    for kept in (tmp_path / "kept").rglob("_invented.*.pyc"):
        kept.write_bytes(kept.read_bytes()[:-9])
    assert value_of(tmp_path) == "first"


def test_an_error_in_the_source_is_reported_as_python_reports_it(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "_invented.py"
    source.write_text("VALUE = (\n")
    loader = speed.UndamagedBytecode("_invented", str(source))
    with pytest.raises(SyntaxError, match="never closed"):
        loader.get_code("_invented")
    with pytest.raises(ImportError):
        loader.get_code("_another")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (f"{OWN}.module_utils._masking", True),
        (f"{OWN}.module_utils._domain", True),
        (f"{OWN}.plugin_utils._channels", True),
        (f"{OWN}.module_utils._invented", False),
        (f"{OWN}.module_utils", False),
        (f"{OWN}.modules.venue_sts_token", False),
        (f"{OWN}.action.venue_sts_token", False),
        ("ansible_collections.mdps.venue_sts_2.plugins.module_utils._masking", False),
        ("ansible_collections.amazon.aws.plugins.module_utils.modules", False),
        ("json.decoder", False),
    ],
)
def test_only_private_files_are_found(name: str, found: bool) -> None:
    parent = importlib.import_module(name.rpartition(".")[0]) if "venue_sts_2" not in name else None
    spec = speed.KeptBytecode().find_spec(name, list(parent.__path__) if parent else ["/nonexistent"])
    assert (spec is not None) is found


@pytest.mark.parametrize("file", ACTIONS, ids=lambda file: file.stem)
def test_each_action_imports_the_finder_before_what_it_finds(file: pathlib.Path) -> None:
    imports = [node.module or "" for node in ast.parse(file.read_text()).body if isinstance(node, ast.ImportFrom)]
    own = [name for name in imports if name.startswith(OWN)]
    assert own[0] == f"{OWN}.plugin_utils._action" or f"{OWN}.plugin_utils._action" not in own


def test_a_folder_without_init_is_left_to_ansible_core(tmp_path: pathlib.Path) -> None:
    (tmp_path / "_invented").mkdir()
    assert speed.KeptBytecode().find_spec(f"{OWN}.module_utils._invented", [str(tmp_path)]) is None


def test_a_folder_hides_a_file_of_the_same_name_as_for_ansible_core(tmp_path: pathlib.Path) -> None:
    (tmp_path / "_invented" / "__pycache__").mkdir(parents=True)  # what is left of a package that became a file
    (tmp_path / "_invented.py").write_text("VALUE = 1\n")
    assert speed.KeptBytecode().find_spec(f"{OWN}.module_utils._invented", [str(tmp_path)]) is None


def test_the_finder_comes_right_before_that_of_ansible_core(monkeypatch: pytest.MonkeyPatch) -> None:
    restriction = importlib.machinery.BuiltinImporter  # ansible-test puts its own first, and wants it to stay there
    theirs = speed.AnsibleCollectionConfig.collection_finder
    others = [finder for finder in sys.meta_path if not isinstance(finder, speed.KeptBytecode)]
    monkeypatch.setattr(sys, "meta_path", [restriction, *others])
    for _twice in range(2):
        speed._keep_bytecode()
    assert sys.meta_path[0] is restriction
    ours = [place for place, finder in enumerate(sys.meta_path) if isinstance(finder, speed.KeptBytecode)]
    assert [place + 1 for place in ours] == [sys.meta_path.index(theirs)]


def test_without_the_finder_of_ansible_core_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [importlib.machinery.PathFinder])
    speed._keep_bytecode()
    assert sys.meta_path == [importlib.machinery.PathFinder]
