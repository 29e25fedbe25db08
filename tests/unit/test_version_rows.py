# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What ``make matrix`` runs, and which failures count."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from tests.conftest import ROOT

sys.path.append(str(ROOT / "tools"))


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/matrix.py, whose rows end at once. By its path, since the enforcement tests have a module of this name."""
    spec = importlib.util.spec_from_file_location("version_matrix", ROOT / "tools/matrix.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def results(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    """Let every row succeed, except for one."""

    def run_row(row: tuple[str, ...], *, sanity: bool) -> tuple[str, ...]:
        return (row[0], *("FAILED, see a log" if row[0] == failing else "ok",) * (len(tool.HEADINGS) - 1))

    monkeypatch.setattr(tool, "run_row", run_row)


@pytest.mark.parametrize("argument", ["nonsense", "--no-sanityy"])
def test_an_unknown_row_is_an_error(tool: ModuleType, argument: str) -> None:
    with pytest.raises(SystemExit, match=rf"Unknown: {argument}\. ROW is one of: floor, .*core-devel"):
        tool.main(["dev", argument])


def test_the_development_branch_runs_by_default(tool: ModuleType) -> None:
    assert [row.name for row in tool.choose(["--no-sanity"])] == [row.name for row in tool.ROWS]
    assert [row.name for row in tool.ROWS if row.may_fail] == ["core-devel"]
    assert [row.name for row in tool.choose(["dev", "floor"])] == ["floor", "dev"]


@pytest.mark.parametrize(("failing", "status"), [("", 0), ("dev", 1), ("core-devel", 0)])
def test_only_the_development_branch_may_fail(
    tool: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failing: str,
    status: int,
) -> None:
    results(tool, monkeypatch, failing)
    assert tool.main([]) == status
    printed = capsys.readouterr().out
    assert printed.count("FAILED, see a log") == (len(tool.HEADINGS) - 1 if failing else 0)
    assert ("core-devel may fail" in printed) is (failing == "core-devel")


def test_a_development_branch_that_cannot_be_installed_stops_no_other_row(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool.environment, "find_python", lambda *_versions: sys.executable)
    monkeypatch.setattr(tool.environment, "ROOT", ROOT / "nowhere")
    monkeypatch.setattr(tool, "ROOT", ROOT / "nowhere")
    assert tool.run_row(tool.Row("core-devel", may_fail=True), sanity=False)[1].startswith("missing: it could not")
    with pytest.raises(tool.subprocess.CalledProcessError):
        tool.run_row(tool.Row("dev"), sanity=False)
