# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The last line of a test run, and the list of Debian packages that it and .ci/run go by."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("pyrage", reason="pyrage is not installed")
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _sealing as sealing

from tests.support import age_substitute, people, programs

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "tools/debian.txt"
# Of tests that a person starts, or that take Node.js from where the machine has it.
NOT_INSTALLED_BY_CI = {"npm", "wine64"}


def test_the_last_line_names_each_package_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda _name: None)
    reasons = [programs.reason("zsh"), programs.reason("age", "zsh"), "an environment has no NUL"]
    assert programs.advice(reasons) == (
        "2 tests were skipped because programs are missing. Run: apt-get install age zsh"
    )
    assert programs.advice(reasons[2:]) == ""


def test_a_program_that_is_there_skips_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda name: None if name == "fish" else f"/usr/bin/{name}")
    assert (programs.reason("age", "zsh"), programs.reason("age", "fish")) == ("", "not installed: fish (Debian: fish)")


def test_the_list_of_packages_has_each_that_a_test_asks_for() -> None:
    assert set(LIST.read_text().split()) == set(programs.PACKAGES.values()) - NOT_INSTALLED_BY_CI


def test_a_run_ends_with_the_line(tmp_path: pathlib.Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "import pytest\n@pytest.mark.skip(reason='not installed: zsh (Debian: zsh)')\ndef test_it(): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "tests.conftest", "-c", "/dev/null", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2].endswith("Run: apt-get install zsh")


def test_age_is_replaced_only_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(age_substitute.shutil, "which", lambda _name: "/usr/bin/age")
    age_substitute.provide(tmp_path / "bin")
    assert os.environ["PATH"] == "/usr/bin" and not (tmp_path / "bin").exists()


@pytest.mark.parametrize("kind", ["age", "ssh-ed25519"])
def test_the_substitute_opens_what_age_opens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, kind: str
) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setattr(age_substitute.shutil, "which", lambda _name: None)
    age_substitute.provide(tmp_path / "bin")
    person = people.age_person(tmp_path) if kind == "age" else people.ssh_person(tmp_path)
    sealed = sealing.seal(b"for you", sealing.read_keys(person.public, people.NOW).usable, sealing.SealOptions()).text
    assert person.open(sealed) == b"for you"
    (tmp_path / "sealed").write_text(sealed)
    command = ["age", "--decrypt", "--identity", str(person.identity), "--output", str(tmp_path / "opened")]
    subprocess.run([*command, str(tmp_path / "sealed")], check=True)
    assert (tmp_path / "opened").read_bytes() == b"for you"
