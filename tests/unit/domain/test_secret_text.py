# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody else wrote is shown without secrets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.secret_text import check_password, without


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


@pytest.mark.parametrize("text", ["", " \n", "a\tb", "a\nb", None, 7, ["a"]])
def test_what_is_no_password(text: Any) -> None:
    with pytest.raises(InvalidInput, match="password"):
        check_password("password", text)


def test_a_password_may_have_blanks_and_any_letters_but_not_at_its_ends() -> None:
    assert check_password("password", " pass wörd\n") == "pass wörd"
