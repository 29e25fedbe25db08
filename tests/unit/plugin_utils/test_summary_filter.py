# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``issue_summary``: what it is not made for is an error that says what to give."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mdps.venue_sts.plugins.filter.issue_summary import FilterModule

summary = FilterModule().filters()["issue_summary"]


@pytest.mark.parametrize("given", ["abc", "", [], 7, None, {"receipt": 1}, ["abc"], [None], [{"failed": True}], [{}]])
def test_what_is_no_result_is_refused(given: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="pass results of venue_sts_token"):
        summary(given)


def test_a_result_is_described() -> None:
    assert summary([{"target": "/lft/x.zip.age", "channel": "file", "delivered": True}])[0].startswith("Delivered:")
