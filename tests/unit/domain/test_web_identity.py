# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Web identity tokens: every reason for which AWS would refuse one has a message of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import hypothesis
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.oidc import GITHUB, OidcProvider
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.web_identity import (
    LONGEST,
    WebIdentityProblem,
    check_accepted,
    check_fresh,
    read_token,
)
from hypothesis import strategies as st

from tests.support.oidc import part, token, unsigned

ISSUER = "https://login.example.org/realm"
PROVIDER = OidcProvider("login.example.org/realm", "", ("emit", "sbg"), ("jdoe", "team:*"))
WORKFLOWS = OidcProvider(GITHUB, "", ("sts.amazonaws.com",), ("repo:unity-sds/sbg:*",))
NOW = datetime.now(UTC)
HEADER = part({"alg": "RS256"})


def test_a_good_token() -> None:
    found = read_token(f" {token(ISSUER)}\n")
    assert (found.issuer, found.audiences, found.subject) == ("login.example.org/realm", ("sbg",), "jdoe")
    check_fresh(found, NOW)
    check_accepted(found, [WORKFLOWS, PROVIDER])
    assert found.context == {"web_identity_issuer": "login.example.org/realm", "web_identity_subject": "jdoe"}
    assert found.encoded not in repr(found)


def test_one_of_several_audiences_is_enough() -> None:
    check_accepted(read_token(token(ISSUER, aud=["other", "sbg"], sub="team:a")), [PROVIDER])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n", "is empty"),
        ("eyJ.eyJ", "has three parts with dots between"),
        ("a.b.c.d.e", "is encrypted"),
        ("a" * (LONGEST + 1), "and STS accepts 20000"),
        ("é.b.c", "not JSON in base64url"),
        (f"{HEADER}.x.c", "not JSON in base64url"),
        (f"{HEADER}..c", "not JSON in base64url"),
        (f"{HEADER}.{part([1])}.c", "not JSON objects"),
        (f"{HEADER}.{part([[[[1]]]] * 300)}.c", "not JSON in base64url"),
        (unsigned(ISSUER), r"is not signed (alg: none)"),
        (f"{part({'alg': 'NONE'})}.{part({})}.c", r"is not signed (alg: none)"),
        (f"{part({})}.{part({})}.c", r"is not signed (alg: none)"),
        (f"{HEADER}.{part({})}.", r"is not signed (alg: none)"),
        (f"{part({'alg': 'HS256'})}.{part({})}.c", "is signed with HS256. AWS accepts RS256"),
        (token(ISSUER, iss=None), "no string claim 'iss'"),
        (token("http://login.example.org"), "is not an https address"),
        (token(ISSUER, sub=None), "no string claim 'sub'"),
        (token(ISSUER, sub=""), "no string claim 'sub'"),
        (token(ISSUER, sub="a\x1b[2J"), "no string claim 'sub'"),
        (token(ISSUER, sub=7), "no string claim 'sub'"),
        (token(ISSUER, aud=None), "no string claim 'aud'"),
        (token(ISSUER, aud=[]), "no string claim 'aud'"),
        (token(ISSUER, aud=[7]), "no string claim 'aud'"),
        (token(ISSUER, aud="a\x1b[2J"), "no string claim 'aud'"),
        (token(ISSUER, aud=["sbg", "a\nb"]), "no string claim 'aud'"),
        (token(ISSUER, aud=None, token_use="access"), "access token of Cognito"),
        (token(ISSUER, exp=None), "no claim 'exp'"),
        (token(ISSUER, exp=True), "no claim 'exp'"),
        (token(ISSUER, exp="1"), "no claim 'exp'"),
        (token(ISSUER, exp=10**300), "no claim 'exp'"),
        (token(ISSUER, exp=7258118400), "no claim 'exp'"),  # 2200-01-01
        (token(ISSUER, exp=float("nan")), "no claim 'exp'"),
        (token(ISSUER, nbf="x"), "no claim 'nbf'"),
    ],
)
def test_what_is_no_token_that_sts_takes(text: str, message: str) -> None:
    with pytest.raises(WebIdentityProblem) as caught:
        read_token(text)
    assert message in caught.value.message
    assert len(text) < 20 or text.strip() not in caught.value.message


def at(moment: datetime) -> int:
    return int(moment.timestamp())


def test_an_expired_token_is_refused_once_aws_would_refuse_it() -> None:
    expired = read_token(token(ISSUER, exp=at(NOW)))
    check_fresh(expired, NOW + timedelta(minutes=4))
    with pytest.raises(WebIdentityProblem, match=r"expired at .*Get a new one from login\.example\.org/realm"):
        check_fresh(expired, NOW + timedelta(minutes=6))


def test_a_token_of_the_future_is_refused() -> None:
    check_fresh(read_token(token(ISSUER, nbf=at(NOW + timedelta(seconds=50)))), NOW)
    with pytest.raises(WebIdentityProblem, match="is not valid before"):
        check_fresh(read_token(token(ISSUER, nbf=at(NOW + timedelta(minutes=5)))), NOW)


NEW_FORM = "repo:unity-sds@12/sbg@4711:ref:refs/heads/main"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (token("https://evil.example.org"), "was issued by 'evil.example.org', which the venue does not trust"),
        (token(ISSUER, aud="other"), "is for the audience 'other', and the venue accepts emit, sbg"),
        (token(ISSUER, sub="eve"), "is about the subject 'eve', and the venue accepts jdoe, team:*"),
        (token(ISSUER, sub=NEW_FORM), f"is about the subject '{NEW_FORM}', and the venue accepts jdoe, team:*"),
        (token(f"https://{GITHUB}", aud="sts.amazonaws.com", sub=NEW_FORM), "after 15 July 2026: write the subject"),
    ],
)
def test_what_the_venue_does_not_accept(given: str, message: str) -> None:
    with pytest.raises(WebIdentityProblem) as caught:
        check_accepted(read_token(given), [PROVIDER, WORKFLOWS])
    assert message in caught.value.message
    assert ("GitHub" in caught.value.message) is (NEW_FORM in caught.value.message and GITHUB in caught.value.message)


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "token_use"])


@hypothesis.settings(max_examples=300, deadline=None, derandomize=True, database=None)
@hypothesis.given(st.dictionaries(NAMES, JSON), st.sampled_from(["RS256", "none", 7, None]))
def test_hostile_tokens_are_read_or_refused(changes: dict[str, Any], algorithm: Any) -> None:
    claims = {"iss": ISSUER, "aud": "sbg", "sub": "jdoe", "exp": 2**31, **changes}
    try:
        check_fresh(read_token(f"{part({'alg': algorithm})}.{part(claims)}.c2ln"), NOW)
    except WebIdentityProblem as problem:
        assert problem.message.isprintable()
