# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hand-over's tests need of the machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # people.py and places.py, helpers of these tests alone

pytest.importorskip("pyrage", reason="pyrage is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")

import people

TOOLS = ("age", "gpg", "openssl", "ssh-keygen")


def pytest_collection_modifyitems(items):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)} (tools/debian.txt)"))


@pytest.fixture(scope="session")
def gpg_person():
    person = people.GpgPerson().make()
    yield person
    person.close()


@pytest.fixture
def new_gpg_person():
    made = []

    def make(**facts):
        made.append(people.GpgPerson())
        return made[-1].make(**facts)

    yield make
    for person in made:
        person.close()
