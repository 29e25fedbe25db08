# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The execution environment: what ansible-builder finds in this collection, and the build context it makes."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILDER = pathlib.Path(sys.prefix) / "bin/ansible-builder"
# What comes with ansible-core, or is ansible's own.
WITH_CORE = {"ansible", "ansible_collections", "jinja2", "yaml", "packaging"}
# Whose file of authorities botocore takes where it is installed. Nothing is missing without it.
WITH_BOTOCORE = {"certifi"}

pytestmark = pytest.mark.skipif(not BUILDER.exists(), reason="ansible-builder is not installed in this environment")


def builder(*arguments: object, cwd: pathlib.Path) -> str:
    return subprocess.run([BUILDER, *map(str, arguments)], cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What ansible-builder sees in this collection alone."""
    tree = tmp_path_factory.mktemp("tree")
    place = tree / "ansible_collections/mdps/venue_sts"
    place.parent.mkdir(parents=True)
    place.symlink_to(ROOT, target_is_directory=True)
    return yaml.safe_load(builder("introspect", tree, cwd=tree))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s<>=\[]", one)[0] for one in requirements}


def imported() -> set[str]:
    """The packages that the plugins import, at any level."""
    nodes = [node for path in (ROOT / "plugins").rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    whole = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    parts = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.split(".")[0] for name in [*whole, *parts]} - set(sys.stdlib_module_names) - WITH_CORE - WITH_BOTOCORE


def test_every_package_that_a_plugin_imports_is_in_the_image(found):
    assert imported() - names(found["python"]) == set()


def test_the_programs_that_seal_are_in_the_image(found):
    assert names(found["system"]) == {"gnupg", "gnupg2", "openssl", "openssh-client", "openssh-clients"}


def test_the_build_context_names_all_that_goes_in(tmp_path):
    builder(
        "create",
        "-f",
        ROOT / "execution-environment.yml",
        "-c",
        tmp_path / "context",
        "--output-filename",
        "Containerfile",
        cwd=ROOT,
    )
    text = (tmp_path / "context/Containerfile").read_text()
    assert "ansible-core>=2.19,<2.22" in text
    build = tmp_path / "context/_build"
    assert (build / "requirements.txt").read_text() == (ROOT / "meta/ee-requirements.txt").read_text()
    assert (build / "bindep.txt").read_text() == (ROOT / "meta/ee-bindep.txt").read_text()
    (collection,) = yaml.safe_load((build / "requirements.yml").read_text())["collections"]
    wanted = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]
    assert collection["name"] in wanted
    assert collection["version"].startswith(wanted[collection["name"]])


def test_a_project_update_installs_what_the_collection_depends_on():
    listed = yaml.safe_load((ROOT / "collections/requirements.yml").read_text())["collections"]
    wanted = yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"]
    assert {one["name"]: one["version"] for one in listed if "version" in one} == wanted
