# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Texts of records that others can write: what could forge a line on the screen is refused, or a space."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_parameters import find_leases
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.untrusted import (
    LONGEST_TEXT,
    MOST_ITEMS,
    BadValue,
    one_line,
    safe_text,
    text_list,
)

from tests.support.leases import VENUE, lease
from tests.support.receipts import issued
from tests.unit.leases.test_lease import PATH, parameter

# The first and the last character of each class.
UNSAFE = {
    "control characters": (0x00, 0x1F),
    "delete and the second set of control characters": (0x7F, 0x9F),
    "the Arabic direction mark": (0x061C, 0x061C),
    "characters without width and direction marks": (0x200B, 0x200F),
    "line separators and direction marks around a text": (0x2028, 0x202E),
    "joiners, invisible operators and isolates": (0x2060, 0x206F),
    "lone surrogates": (0xD800, 0xDFFF),
    "the byte order mark": (0xFEFF, 0xFEFF),
}
HARMLESS = " ~\u00a1\u0100\u061b\u061d\u2010\u2027\u2030\u205e\u2070\ufefc\ufe70\ufffd\ue000\U0001f680ßéж中"


@pytest.mark.parametrize("name", UNSAFE)
def test_no_record_has_a_character_that_could_forge_output(name: str) -> None:
    first, last = UNSAFE[name]
    for code in range(first, last + 1):
        text = f"a{chr(code)}b"
        with pytest.raises(BadValue):
            one_line(text)
        with pytest.raises(BadValue):
            text_list(["a", text])
        assert safe_text(text) == "a b"


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("end", [0, 1], ids=["first", "last"])
def test_a_receipt_with_such_a_character_is_refused_and_a_lease_is_not_renewed(name: str, end: int) -> None:
    hostile = f"SBG{chr(UNSAFE[name][end])}17"
    receipt = {**issued().to_json(), "context": {"ticket": hostile}}
    with pytest.raises(InvalidInput) as refused:
        parse_receipt("receipt", json.loads(json.dumps(receipt)))
    assert refused.value.message.isprintable()
    line = json.dumps({**lease().to_json(), "ticket": hostile})
    found = find_leases({f"{PATH}/jdoe": parameter(line)}, PATH, VENUE)
    assert (found.stored, list(found.damaged)) == ((), [f"{PATH}/jdoe"])
    assert found.unreadable[0].isprintable()


def test_a_record_may_have_any_other_character() -> None:
    """Those next to the classes above as well: a receipt that is refused is not revoked."""
    assert one_line(HARMLESS) == HARMLESS
    receipt = {**issued().to_json(), "context": {"ticket": HARMLESS}}
    assert parse_receipt("receipt", receipt).context == {"ticket": HARMLESS}


# The property Bidi_Control of Unicode: characters that are not shown and change the order of those that are.
DIRECTION_MARKS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))


@pytest.mark.parametrize("code", DIRECTION_MARKS, ids=hex)
def test_every_direction_mark_of_unicode_is_refused(code: int) -> None:
    with pytest.raises(BadValue):
        one_line(f"token of {chr(code)}eodj")


@pytest.mark.parametrize("value", ["", "x" * (LONGEST_TEXT + 1), None, 7, ["x"], b"x"])
def test_what_is_no_text_on_one_line(value: Any) -> None:
    with pytest.raises(BadValue):
        one_line(value)


@pytest.mark.parametrize(
    "value", ["", "x" * (LONGEST_TEXT + 1), 7, None, True, b"a", ["a"], "a\tb", "a\x7fb", HARMLESS]
)
@pytest.mark.parametrize("others", [0, 1, 999])
def test_a_list_takes_what_a_text_may_be(value: Any, others: int) -> None:
    try:
        one_line(value)
    except BadValue:
        with pytest.raises(BadValue):
            text_list([*["a"] * others, value])
    else:
        assert text_list([*["a"] * others, value]) == [*["a"] * others, value]


def test_a_list_has_at_most_a_thousand_texts() -> None:
    assert len(text_list(["x"] * MOST_ITEMS)) == MOST_ITEMS
    for value in (["x"] * (MOST_ITEMS + 1), "x", None, {"x": "y"}):
        with pytest.raises(BadValue):
            text_list(value)


def test_a_text_is_cut_before_it_is_shown() -> None:
    assert safe_text("x" * LONGEST_TEXT + "y") == one_line("x" * LONGEST_TEXT)


def test_the_longest_text_and_the_longest_list() -> None:
    assert (LONGEST_TEXT, MOST_ITEMS) == (2000, 1000)  # docs/receipt.schema.json names both
    assert one_line("a" * 2000)
    assert len(text_list(["a"] * 1000)) == 1000
    with pytest.raises(BadValue):
        one_line("a" * 2001)
    with pytest.raises(BadValue):
        text_list(["a"] * 1001)
