# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pauses double up to a length, and half of each is random."""

from __future__ import annotations

from itertools import islice

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.pauses import pauses


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, [0.5, 1, 2, 4, 4]), (0.5, [0.75, 1.5, 3, 6, 6]), (1.0, [1, 2, 4, 8, 8])]
)
def test_pauses_double_up_to_the_longest(share: float, expected: list[float]) -> None:
    assert list(islice(pauses(1, 8, lambda most: share * most), 5)) == expected
