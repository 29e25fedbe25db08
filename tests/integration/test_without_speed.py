# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The main job without plugin_utils/_speed.py: only the time changes."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest

from tests.support.playbook import run_tasks
from tests.support.servers import Moto

ROOT = pathlib.Path(__file__).resolve().parents[2]
VARIES = ("invocation", "diff")
OPTION = "{{{{ lookup('ansible.builtin.vars', '{}', default=omit) }}}}"


@pytest.fixture
def without(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection path with this collection, but without the file."""
    tree = tmp_path / "collections" / "ansible_collections"
    copy = tree / "mdps" / "venue_sts"
    for folder in ("plugins", "meta", "roles"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "galaxy.yml", copy)
    (copy / "plugins/plugin_utils/_speed.py").unlink(missing_ok=True)  # `make test-without-speed` has removed it
    installed = pathlib.Path(os.environ["ANSIBLE_COLLECTIONS_PATH"]) / "ansible_collections"
    (tree / "amazon").symlink_to(installed / "amazon")
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(tree.parent))


def job(moto: Moto, folder: pathlib.Path) -> list[dict[str, object]]:
    """Provision, issue with options as a role passes them, and remove; what differs from run to run is left out."""
    moto.publish("sbg", "dev")
    venue = {"project": "sbg", "venue": "dev"}
    optional = {name: OPTION.format(name) for name in ("access", "buckets", "duration_seconds", "verify")}
    chosen = {
        "vars": {"access": ["s3_read"], "duration_seconds": 900, "verify": "{{ yes_please }}", "yes_please": True}
    }
    tasks = [
        {"mdps.venue_sts.venue_sts_role": venue},
        {"mdps.venue_sts.venue_sts_token": {**venue, "user": "jdoe", **optional}, **chosen},
        {"mdps.venue_sts.venue_sts_role": {**venue, "state": "absent"}},
    ]
    return run_tasks(tasks, env=moto.environment(), cwd=folder)


def outline(value: object) -> object:
    """The names and types of everything in a result."""
    if isinstance(value, dict):
        return {name: outline(item) for name, item in value.items() if name not in VARIES}
    return [outline(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_the_main_job_comes_to_the_same(moto: Moto, tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> None:
    fast, slow = tmp_path / "fast", tmp_path / "slow"
    fast.mkdir()
    slow.mkdir()
    expected = job(moto, fast)
    moto.reset()
    request.getfixturevalue("without")
    found = job(moto, slow)
    assert expected[1]["receipt"]["duration_seconds"] == found[1]["receipt"]["duration_seconds"] == 900
    assert outline(found) == outline(expected)
