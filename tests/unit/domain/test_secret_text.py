# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody else wrote is shown without secrets."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.secret_text import without


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        ("the key abcdef", ("abcdef",), "the key ***"),
        ("the key abcdef", ("abc", "abcdef"), "the key ***"),
        ("the key abcdef", ("abcdef", "abc"), "the key ***"),
        ("the key abc\n  def", ("abc def",), "the key ***"),
        ("nothing of it", ("", "x"), "nothing of it"),
        ("a\x1b[2J", (), "a\N{REPLACEMENT CHARACTER}[2J"),
    ],
)
def test_no_part_of_a_secret_is_left(text: str, secrets: tuple[str, ...], shown: str) -> None:
    assert without(text, *secrets) == shown
