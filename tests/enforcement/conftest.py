# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes the shared code of the tests and the collection importable, and one enforcing AWS for all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The environment that runs the tests has the collections beside it (tools/environment.py).
for place in (ROOT / "tests", ROOT / "tests" / "enforcement", Path(sys.prefix) / "collections"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from support import emulators, venues, world  # noqa: E402 - only now importable


@pytest.fixture(scope="session")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that enforces policies."""
    with emulators.ministack(tmp_path_factory.mktemp("ministack") / "log") as url:
        yield url


@pytest.fixture(scope="session")
def home(enforcing: str) -> world.Account:
    """The venues' account, with an admin who comes through a role as Kion's users do."""
    return world.make_account(enforcing, world.HOME)


@pytest.fixture(scope="session")
def tokens(home: world.Account, tmp_path_factory: pytest.TempPathFactory) -> dict[str, venues.Token]:
    """Three venues provisioned and eleven kinds of tokens issued, by the real playbooks, run by the admin."""
    return venues.issue_all(home, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="session")
def permissive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that lets everything through."""
    with emulators.moto(tmp_path_factory.mktemp("moto") / "log") as url:
        yield url
