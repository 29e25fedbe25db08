# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every test may rely on.

The collection importable under its name, servers on loopback, no credentials from outside.
"""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Generator

import hypothesis
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# tools/mutants.py tests copies of the collection.
COLLECTIONS = pathlib.Path(os.environ.get("VENUE_STS_COLLECTIONS", pathlib.Path(sys.prefix) / "collections"))
for place in (COLLECTIONS, ROOT):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from ansible.plugins.loader import init_plugin_loader  # noqa: E402 - needs the path above

from tests.support import age_substitute  # noqa: E402 - needs the path above
from tests.support.programs import advice  # noqa: E402 - needs the path above
from tests.support.servers import Moto, free_port  # noqa: E402 - needs the path above

# As in ansible-playbook, and before anything is imported from a collection: templates with lookups need it.
init_plugin_loader([str(COLLECTIONS)])

__all__ = ["free_port"]
age_substitute.provide(ROOT / ".build/age-substitute")

# A busy machine is no reason for a property to fail.
_SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=_SLOW)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """End with one line, below the list of skipped tests, that says which packages they need."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    if line := advice(one.longrepr[2] for one in skipped if isinstance(one.longrepr, (tuple, list))):
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _no_credentials_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "ANSIBLE_", "KION_"))]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    for name, path in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        monkeypatch.setenv(name, str(home / path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(home))  # receipts, keys of recipients and what could not be delivered are below it
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", str(COLLECTIONS))


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory):
    with Moto(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


@pytest.fixture
def moto(moto_server: Moto) -> Moto:
    """A moto server with nothing in it."""
    moto_server.reset()
    return moto_server
