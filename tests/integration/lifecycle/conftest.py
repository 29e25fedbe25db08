# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The venue whose life these tests follow."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role

from tests.support.operations import perform
from tests.support.servers import Moto


@pytest.fixture
def venue(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """An account with the venue sbg-dev provisioned, which this process's environment leads to."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    moto.publish(project="sbg", venue="dev")
    assert "failed" not in perform(role.OPERATION, project="sbg", venue="dev")
    return moto
