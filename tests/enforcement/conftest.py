# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One enforcing AWS for all tests of this folder, with an account in which venues live."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import venues

from tests.conftest import ROOT
from tests.support import world
from tests.support.ministack import Ministack


@pytest.fixture(scope="session")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that enforces policies."""
    subprocess.run(
        [sys.executable, ROOT / "tools" / "environment.py", "ministack"], check=True, stdout=subprocess.DEVNULL
    )
    folder = tmp_path_factory.mktemp("ministack")
    with Ministack(folder / "log", LOG_LEVEL="WARNING", HOME=str(folder)) as server:
        yield server.url


@pytest.fixture(scope="session")
def home(enforcing: str) -> world.Account:
    """The venues' account, with an admin who comes through a role as Kion's users do."""
    return world.make_account(enforcing, world.HOME)


@pytest.fixture(scope="session")
def tokens(home: world.Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, venues.Token]:
    """Three venues provisioned and eleven kinds of tokens issued, by the real playbooks, run by the admin."""
    return venues.issue_all(home, tmp_path_factory.mktemp("tokens"))
