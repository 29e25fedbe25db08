# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of records that others can write: receipts, leases. Each returns the value, or says what is wrong with it."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from .errors import InvalidInput
from .times import parse_time

Checked = TypeVar("Checked")

LONGEST_TEXT = 2000
MOST_ITEMS = 1000
REMEMBERED = 1024  # checked texts: the lines of one receipt, and its neighbours, have most of them in common

# What must not reach a terminal or a log: control characters, line separators, direction marks, lone surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")


class BadValue(ValueError):
    """A value that no record has. Its text ends a sentence that begins with the key."""


def safe_text(text: str) -> str:
    """A text on one line, without characters that could forge output, at most 2,000 characters long."""
    shown = text[:LONGEST_TEXT]
    return shown if shown.isprintable() else "".join(one if one.isprintable() else " " for one in shown)


def checked(checks: Mapping[str, Callable[[Any], Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    """The known keys of an object, each checked.

    :raises BadValue: one of them fails its check. The text names it.
    """
    values = {}
    key = ""
    try:
        for key, check in checks.items():
            if key in given:
                values[key] = check(given[key])
    except (BadValue, InvalidInput) as error:
        raise BadValue(f"{key} {error}") from None
    return values


def _of_text(check: Callable[[str], Checked]) -> Callable[[Any], Checked]:
    """Return a check of any value from one of a text."""

    @functools.wraps(check)
    def checked_text(value: Any) -> Checked:
        if not isinstance(value, str):
            raise BadValue("must be a string.")
        return check(value)

    return checked_text


def matching(pattern: re.Pattern[str]) -> Callable[[Any], str]:
    """Return a check for a text that fits a pattern as a whole."""

    @_of_text
    @functools.lru_cache(REMEMBERED)
    def match(text: str) -> str:
        if not pattern.fullmatch(text):
            raise BadValue("has an invalid format.")
        return sys.intern(str(text))

    return match


def one_of(*choices: str) -> Callable[[Any], str]:
    """Return a check for one of some texts."""
    known = {choice: choice for choice in choices}

    def check(value: Any) -> str:
        found = known.get(value) if isinstance(value, str) else None
        if found is None:
            raise BadValue(f"must be one of {', '.join(choices)}.")
        return found

    return check


@_of_text
@functools.lru_cache(REMEMBERED)
def one_line(text: str) -> str:
    """Check a text on one line, of 1 to 2,000 characters, none of which could forge output."""
    if not text or len(text) > LONGEST_TEXT or _UNSAFE.search(text):
        raise BadValue(f"must be a string on one line, of 1 to {LONGEST_TEXT} characters.")
    return str(text)


@_of_text
@functools.lru_cache(REMEMBERED)
def aware_time(text: str) -> datetime:
    """Check a time in ISO 8601 with its zone."""
    return parse_time("", text)


def flag(value: Any) -> bool:
    """Check true or false."""
    if not isinstance(value, bool):
        raise BadValue("must be true or false.")
    return value


def text_list(value: Any) -> list[str]:
    """Check a list of at most 1,000 texts, as :func:`one_line` checks each."""
    if not isinstance(value, list) or len(value) > MOST_ITEMS:
        raise BadValue("must be a list of strings.")
    return list(value) if _are_plain(value) else [one_line(one) for one in value]


def _are_plain(values: list[Any]) -> bool:
    """Whether all are texts of printable ASCII, as most are. For a long list, this is many times as fast."""
    if not all(isinstance(one, str) and one for one in values):
        return False
    text = "".join(values)
    return text.isascii() and text.isprintable() and max(map(len, values), default=0) <= LONGEST_TEXT


def or_null(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a check that also takes null."""
    return lambda value: None if value is None else check(value)


def an_object(checks: Mapping[str, Callable[[Any], Any]]) -> Callable[[Any], dict[str, Any]]:
    """An object of which the known keys are kept, those that are not null. Later versions may add keys."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadValue("must be an object.")
        return checked(checks, value)

    return check
