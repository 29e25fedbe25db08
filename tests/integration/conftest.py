# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks may also be run by fixtures that serve a whole file: the collections are found from there too."""

from __future__ import annotations

import pytest

from tests.conftest import COLLECTIONS


@pytest.fixture(scope="session", autouse=True)
def _collections_for_every_scope():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", str(COLLECTIONS))
        yield
