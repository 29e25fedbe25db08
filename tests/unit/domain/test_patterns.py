# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wildcard patterns: what lies within what, and what meets; held against all short texts."""

from __future__ import annotations

import itertools

import hypothesis
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import patterns
from hypothesis import strategies as st

# Patterns use a and b, texts have a third letter: so no pattern matches every text by listing the letters.
TEXTS = ["".join(letters) for size in range(5) for letters in itertools.product("abc", repeat=size)]
PATTERN = st.text(st.sampled_from("ab*?"), max_size=4)
SETTINGS = hypothesis.settings(max_examples=100, deadline=None, derandomize=True, database=None)


@SETTINGS
@hypothesis.given(PATTERN, PATTERN)
def test_within_and_overlap_never_contradict_matching(left: str, right: str) -> None:
    of_left = {text for text in TEXTS if patterns.matches(left, text)}
    of_right = {text for text in TEXTS if patterns.matches(right, text)}
    if patterns.within(left, right):
        assert of_left <= of_right
    elif not patterns.has_wildcard(left) or right == f"{left}*":
        assert not of_left <= of_right
    if of_left & of_right:
        assert patterns.overlap(left, right)
    assert len({patterns.overlap(*pair) for pair in ((left, right), (right, left))}) == 1


@pytest.mark.parametrize(
    ("inner", "outer", "inside"),
    [
        ("sbg/*", "sbg/*", True),
        ("sbg/pre*", "sbg/*", True),
        ("sbg/a/b", "sbg/*", True),
        ("sbg-dev/*", "sbg/*", False),
        ("sbg/*", "sbg/pre*", False),
        ("SBG/*", "sbg/*", False),
        ("*?", "?*", True),
        ("**", "*", True),
        ("a**?", "a?*", True),
        ("?", "", False),
        ("", "", True),
        ("*", "", False),
        ("a", "a?", False),
    ],
)
def test_within(inner: str, outer: str, inside: bool) -> None:
    assert patterns.within(inner, outer) is inside
    assert patterns.within_any(inner, ["other", outer]) is inside


@pytest.mark.parametrize(
    ("left", "right", "meet"),
    [
        ("sbg/a*", "sbg/*b", True),
        ("sbg/a*", "sbg/b*", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("*", "", True),
        ("a*b*c", "c*b*a", False),
        ("*" * 200 + "a", "?" * 200, True),
    ],
)
def test_overlap(left: str, right: str, meet: bool) -> None:
    assert {patterns.overlap(*pair) for pair in ((left, right), (right, left))} == {meet}


def test_a_line_break_is_a_character_like_others() -> None:
    assert patterns.matches("a*b", "a\nb") and patterns.matches("a?b", "a\nb") and not patterns.matches("a", "a\n")
