# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""User names and session names: legal, injective, and never a letter less than was written."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import users
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
LETTERS = string.ascii_letters + string.digits + "_+=,.@-"
USERS = st.text(LETTERS, min_size=1, max_size=64).filter(lambda text: text[0] not in ".-")
SUFFIXES = st.text("0123456789abcdef", min_size=6, max_size=6)
MOMENTS = st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("user", ["x", "jdoe", "jane.doe@example.org", "a+b=c,d_e-f", "@home", "0", "u" * 64])
def test_a_legal_user_is_returned_unchanged(user: str) -> None:
    assert users.check_user("user", user) == user


REFUSED = [
    *(
        "",
        " ",
        ".",
        "..",
        ".jdoe",
        "-jdoe",
        "u" * 65,
        "a b",
        "jdoe\n",
        "jdoe\x00",
        "a/b",
        "../jdoe",
        "jdoë",
        "林",
        "a*",
    ),
    *("jdoe;id", "$(id)", "{{ x }}", "jdoe\x1b[2J", "jdoe\u202e", "%41", "a:b", "a\\b", "~root"),
]


@pytest.mark.parametrize("user", REFUSED)
def test_anything_else_is_refused(user: str) -> None:
    with pytest.raises(InvalidInput, match="who: is not a user name") as caught:
        users.check_user("who", user)
    assert caught.value.facts == {"option": "who"}


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("José Núñez", "jose.nunez"),
        ("Jose\u0301 Nu\u0301n\u0303ez", "jose.nunez"),
        ("Łukasz Żółć", "lukasz.zolc"),
        ("Søren Ærø", "soren.aero"),
        ("Þórður Sigurðsson", "thordur.sigurdsson"),
        ("Jürgen Groß", "jurgen.gross"),
        ("O'Brien, Pat", "obrien.pat"),
        ("O\u2019Brien", "obrien"),
        ("Jane Doe", "jane.doe"),
        ("jörg@example.org", "jorg@example.org"),
        ("Işıl Çağlar", "isil.caglar"),
        ("林", ""),
        ("Иван", ""),
        ("José 林", ""),
        ("", ""),
    ],
)
def test_suggestions(name: str, suggestion: str) -> None:
    assert users.suggest_user(name) == suggestion
    if suggestion:
        with pytest.raises(InvalidInput, match=f"Use '{re.escape(suggestion)}', for example"):
            users.check_user("user", name)


@pytest.mark.parametrize(
    "secret", ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FQoGZXIvYXdz" + "A" * 300, '{"SecretAccessKey": "abcdef"}']
)
def test_a_secret_in_the_wrong_place_is_not_quoted(secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        users.check_user("user", secret)
    assert not any(part in caught.value.message.lower() for part in re.findall(r"[a-z]{6,}", secret.lower()))


@settings(deadline=None)
@given(st.text(max_size=70))
def test_a_suggestion_is_legal_and_loses_no_letter(text: str) -> None:
    suggestion = users.suggest_user(text)
    if suggestion:
        assert users.check_user("user", suggestion) == suggestion
        letters = sum(one.isalnum() for one in text)
        assert sum(one.isalnum() for one in suggestion) >= letters


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("x", "x-20261122T093015Z-3fa91c"),
        ("jane.doe@example.org", "jane.doe@example.org-20261122T093015Z-3fa91c"),
        ("a" * 39, "a" * 39 + "-20261122T093015Z-3fa91c"),
        ("a" * 40, "a" * 30 + "=e33cdf9c-20261122T093015Z-3fa91c"),
        ("a" * 30 + "=0123abcd", "a" * 30 + "=c2a2d3ae-20261122T093015Z-3fa91c"),
    ],
)
def test_session_names(user: str, name: str) -> None:
    assert users.session_name(user, NOON, "3fa91c") == name


@settings(deadline=None)
@given(USERS, MOMENTS, SUFFIXES)
def test_a_session_name_is_legal_and_says_who_and_when(user: str, now: datetime, suffix: str) -> None:
    name = users.session_name(user, now, suffix)
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", name)
    assert name.startswith(user[:30])
    assert name.endswith(f"-{now:%Y%m%dT%H%M%SZ}-{suffix}")


ISSUES = st.tuples(st.sampled_from(["jdoe", "jdoe-20261122T093015Z-3fa91c"]) | USERS, MOMENTS, SUFFIXES)


@settings(deadline=None, max_examples=500)
@given(ISSUES, ISSUES)
def test_different_issues_have_different_names(one: tuple[str, datetime, str], two: tuple[str, datetime, str]) -> None:
    assert (users.session_name(*one) == users.session_name(*two)) == (one == two)


@settings(deadline=None)
@given(USERS.filter(lambda user: len(user) > 39))
def test_nobody_is_called_what_another_is_shortened_to(user: str) -> None:
    shortened = users.session_name(user, NOON, "000000").removesuffix("-20261122T093015Z-000000")
    assert users.session_name(shortened, NOON, "000000") != users.session_name(user, NOON, "000000")


@pytest.mark.parametrize("suffix", ["", "3fa91", "3FA91C", "3fa91c0", "../../"])
def test_a_suffix_is_six_digits(suffix: str) -> None:
    with pytest.raises(ValueError, match="six hexadecimal digits"):
        users.session_name("jdoe", NOON, suffix)


@given(USERS, USERS)
def test_a_session_is_told_to_be_of_its_own_user_only(user: str, other: str) -> None:
    assert users.is_session_of(user, users.session_name(user, NOON, "3fa91c"))
    assert users.is_session_of(other, users.session_name(user, NOON, "3fa91c")) is (user == other)


@pytest.mark.parametrize(
    ("user", "found"),
    [("jdoe", "jdoe"), ("jdoe-20261122T093015Z-3fa91c", "jdoe-20261122T093015Z-3fa91c"), ("x" * 40, ""), (None, "")],
)
def test_the_user_of_a_session_name(user: str | None, found: str) -> None:
    name = users.session_name(user, NOON, "3fa91c") if user else "a-name-by-hand"
    assert users.user_of(name) == found
