# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An AWS account within the process for each test."""

from __future__ import annotations

import pytest
from moto import mock_aws

from tests.support.account import Account


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch):
    """An account in which one venue's bucket and boundary are published."""
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    with mock_aws():
        made = Account()
        made.publish()
        yield made
