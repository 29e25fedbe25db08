# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wildcard patterns as IAM reads them: ``*`` stands for any text, slashes included, and ``?`` for one character.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# One or more wildcards in a row.
WILDCARDS = re.compile(r"[*?]+")


def has_wildcard(text: str) -> bool:
    """Whether a text is a pattern and not a plain name."""
    return "*" in text or "?" in text


def within(inner: str, outer: str) -> bool:
    """Whether everything that ``inner`` matches is matched by ``outer`` as well.

    ``inner`` is read like a text in which a ``*`` is covered only by a ``*`` of ``outer``, a ``?`` by ``?`` or ``*``.
    """
    inner, outer = _normal(inner), _normal(outer)
    places = _over_stars(outer, {0})
    for one in inner:
        stay = {place for place in places if outer[place : place + 1] == "*"}
        step = {
            place + 1
            for place in places
            if outer[place : place + 1] == one != "*" or (outer[place : place + 1] == "?" and one != "*")
        }
        places = _over_stars(outer, stay | step)
    return len(outer) in places


def _over_stars(pattern: str, places: set[int]) -> set[int]:
    """The places of a pattern that can be reached without reading anything: a ``*`` may stand for nothing."""
    reached = set(places)
    for place in sorted(places):
        following = place
        while pattern[following : following + 1] == "*":
            following += 1
            reached.add(following)
    return reached


def overlap(left: str, right: str) -> bool:
    """Whether some text is matched by both patterns."""
    left, right = _normal(left), _normal(right)
    # meet[i, j]: whether the rests of left from i on and of right from j on have a text in common
    meet: dict[tuple[int, int], bool] = {}
    for i in range(len(left), -1, -1):
        for j in range(len(right), -1, -1):
            one, other = left[i : i + 1], right[j : j + 1]
            if one == "*":
                meet[i, j] = meet[i + 1, j] or (bool(other) and meet[i, j + 1])
            elif other == "*":
                meet[i, j] = meet[i, j + 1] or (bool(one) and meet[i + 1, j])
            elif one and other:
                meet[i, j] = (one == other or "?" in (one, other)) and meet[i + 1, j + 1]
            else:
                meet[i, j] = not one and not other
    return meet[0, 0]


def within_any(inner: str, outer: Iterable[str]) -> bool:
    """Whether one of the patterns contains ``inner``."""
    return any(within(inner, one) for one in outer)


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches a plain text."""
    if not has_wildcard(pattern):  # nearly all of a role's actions
        return pattern == text
    parts = (".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _normal(pattern: str) -> str:
    """The same pattern with each run of wildcards in one order: ``*?*`` becomes ``?*``."""

    def ordered(run: re.Match[str]) -> str:
        return "?" * run.group().count("?") + ("*" if "*" in run.group() else "")

    return WILDCARDS.sub(ordered, pattern)
