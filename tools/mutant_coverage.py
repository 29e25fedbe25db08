# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plugin of pytest: which lines of the plugins each test executes, and how long it takes. For tools/mutants.py.

pytest-cov writes to its database within a test, which fails where the test acts as another user. Here everything stays
in memory until the end. Each process writes a file of its own into the folder that MUTANTS_EXECUTED names.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Generator
from typing import Any

import coverage
import pytest

PLUGINS = pathlib.Path(__file__).resolve().parent.parent / "plugins"


def pytest_configure(config: pytest.Config) -> None:
    """Measure in the processes that run tests, not in the one that distributes them."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Measurement())


class Measurement:
    """What one process executes."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(data_file=None, config_file=False, source=[str(PLUGINS)])
        self.coverage.start()
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """A test with its fixtures."""
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.coverage.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After each part of a test."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write ``tests`` with the seconds of each, and for each line of a file the numbers of tests in that order."""
        self.coverage.stop()
        data = self.coverage.get_data()
        numbers = {test: number for number, test in enumerate(self.seconds)}
        lines: dict[str, dict[int, list[int]]] = {}
        for file in data.measured_files():
            path = str(pathlib.Path(file).resolve().relative_to(PLUGINS.parent))
            for line, contexts in data.contexts_by_lineno(file).items():
                lines.setdefault(path, {})[line] = sorted(numbers[one] for one in contexts if one in numbers)
        written = pathlib.Path(os.environ["MUTANTS_EXECUTED"], f"{os.getpid()}.json")
        written.write_text(json.dumps({"tests": self.seconds, "lines": lines}))
