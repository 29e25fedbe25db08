# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many lines: which tokens they are about, and that no later line hides one."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import receipt_log
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.known_keys import known_keys
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import (
    LONGEST_LINE,
    ReceiptLog,
    Stored,
    read_log,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.untrusted import MOST_ITEMS
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.receipts import NOW, WITHOUT_ANSWER, issued, lies_about, requested

DELIVERED = {"delivered": True, "channel": "file", "sealed_to": ["age1example"]}


def read(*receipts: Receipt | str | bytes) -> ReceiptLog:
    return read_log(one.to_line() if isinstance(one, Receipt) else one for one in receipts)


def changed(receipt: Receipt, **changes: Any) -> str:
    return json.dumps({**receipt.to_json(), **changes})


def test_the_lines_of_one_issue_are_one_token() -> None:
    token = issued()
    delivered = token.with_handoff(DELIVERED, NOW)
    assert read(requested(), token, delivered).tokens == [delivered]
    assert read(delivered, token, requested()).tokens[0].state == "issued"
    assert read(requested()).tokens == [requested()]


def test_two_issues_are_two_tokens_even_with_one_session_name() -> None:
    first, second = issued(number=1, session_name="jdoe"), issued(number=2, session_name="jdoe")
    assert read(first, second).tokens == [first, second]


def test_a_failure_after_the_issue_keeps_what_is_known_of_the_token() -> None:
    (token,) = read(requested(), issued(), issued().failed("No space left.", NOW)).tokens
    assert (token.state, token.access_key_id, token.problem) == ("failed", "ASIAEXAMPLE000000001", "No space left.")


FORGED = [
    changed(requested(), state="failed"),
    changed(issued(), recipient="eve"),
    changed(issued(), access_key_id=None, assumed_role_id=None, issued_at=None, expires_at=None, state="failed"),
    changed(issued(), access_key_id="ASIAFORGEDFORGED0001"),
    changed(issued(), expires_at="2026-11-22T09:30:16Z"),
    changed(issued(), duration_seconds=1, issue_until="2026-11-22T09:30:15Z"),
    changed(issued(), access_key_id="ASIAFORGEDFORGED0001", expires_at="2026-11-22T09:30:16Z", duration_seconds=1),
    changed(issued(), requested_at="2026-11-20T09:30:15Z", issue_until="2026-11-20T09:30:15Z",
            issued_at="2026-11-20T09:30:15Z", expires_at="2026-11-20T10:30:15Z"),
    changed(issued(), venue="ops"),
    changed(issued(), id="r-20261122T093015Z-ffffffff", recipient="eve"),
    changed(issued(), handoff=None),
    changed(requested(), duration_seconds=43200),
    changed(requested(), duration_seconds=43200, method="saml"),
]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize(
    "known", [[requested()], [issued()], [requested(), issued()]], ids=["requested", "issued", "both"]
)
def test_no_later_line_hides_a_token_or_shortens_its_life(known: list[Receipt], forged: str) -> None:
    (token,) = read(*known).tokens
    found = [
        one
        for one in read(*known, forged).tokens
        if (one.recipient, one.venue, one.identity) == (token.recipient, token.venue, token.identity)
    ]
    assert any(one.ends_by >= token.ends_by for one in found)
    assert any(one.issue_until >= token.issue_until for one in found)
    if token.access_key_id:
        assert said(token) in map(said, found)


def said(receipt: Receipt) -> Receipt:
    """What a receipt says of its token. A forged line may change what is said of the delivery and the permissions."""
    return replace(receipt, state="issued", recorded_at=NOW, handoff=None, problem=None, allows=None)


def later(minutes: int) -> str:
    return iso(NOW + timedelta(minutes=minutes))


LIES = lies_about(NOW)


@st.composite
def lies(draw: st.DrawFn, genuine: list[Receipt]) -> str:
    """A genuine line with other values in some of its fields, perhaps as if STS had not answered."""
    known = draw(st.sampled_from(genuine)).to_json()
    names = draw(st.lists(st.sampled_from(sorted(LIES)), max_size=4, unique=True))
    told = {**known, **{name: draw(st.sampled_from(LIES[name])) for name in names}}
    return json.dumps({**told, **(WITHOUT_ANSWER if draw(st.booleans()) else {})})


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_line_changes_what_the_lines_of_a_token_say(data: st.DataObject) -> None:
    states = [requested(), issued(), issued().with_handoff(DELIVERED, NOW)]
    killed, other = requested(number=2), issued("asmith", number=3)
    shown = data.draw(st.sampled_from([[states[0]], [states[1]], [states[2]], states[:2], states]))
    genuine = [*shown, killed, other]
    lines = [one.to_line() for one in genuine]
    lines.insert(data.draw(st.integers(0, len(lines))), data.draw(lies(genuine)))
    found = read(*lines).tokens
    for token in read(*genuine).tokens:
        answers = [one for one in found if one.id == token.id and one.recipient == token.recipient]
        if token.access_key_id:
            assert said(token) in map(said, answers)
        else:  # an answer that fits takes its place
            assert any(one.issued_at is None or NOW <= one.issued_at <= one.issue_until for one in answers)
            assert any(one.ends_by >= token.ends_by for one in answers)


@pytest.mark.parametrize(
    "changes",
    [
        {"issued_at": later(119), "expires_at": later(179)},
        {"issued_at": later(-1), "expires_at": later(59)},
        {"access_key_id": "ASIAFORGEDFORGED0001", "issued_at": later(7), "expires_at": later(67)},
    ],
)
def test_an_answer_at_another_time_than_that_of_the_request_does_not_take_its_place(changes: dict[str, str]) -> None:
    log = read(requested(), changed(issued(), **changes))
    assert (requested() in log.tokens, len(log.tokens), log.unreadable) == (True, 2, 0)
    assert read(requested(), issued(), changed(issued(), **changes)).tokens[0] == issued()


@pytest.mark.parametrize(
    "forged",
    [
        changed(requested(), duration_seconds=43200, duration_requested=43200),
        changed(issued(), access_key_id="ASIAFORGEDFORGED0001", duration_seconds=43200, expires_at=later(720)),
        changed(issued(), assumed_role_id="AROAFAKEFAKEFAKEFAKE:jdoe-1"),
        changed(requested(), context={"web_identity_subject": "mallory"}),
    ],
)
def test_a_line_that_is_read_first_displaces_none_that_contradicts_it(forged: str) -> None:
    log = read(forged, issued())
    assert issued() in log.tokens
    assert (len(log.tokens), log.unreadable, log.conflicts) == (2, 0, (issued().id,))


def test_what_an_identity_provider_says_with_the_answer_is_no_contradiction() -> None:
    claims = {"ticket": "MDPS-1", "saml_subject": "jdoe@example.org", "saml_issuer": "https://login.example.org"}
    answered = replace(issued(method="saml"), context=claims)
    log = read(requested(method="saml"), answered)
    assert (log.tokens, log.conflicts) == ([answered], ())


@pytest.mark.parametrize(
    "forged", [changed(requested(), source_identity="eve"), changed(issued(), source_identity="eve")]
)
def test_no_later_line_adds_what_the_request_left_open(forged: str) -> None:
    # A revocation of that source identity would make the valid token look revoked.
    assert [one.source_identity for one in read(requested(), issued(), forged).tokens] == [None]


def test_a_source_identity_counts_only_if_request_and_answer_have_it() -> None:
    # AWS may have refused it, and the token was issued without it: revoking it does not reach that token.
    asked = changed(requested(), source_identity="jane")
    for lines in ((asked, issued()), (issued(), asked)):
        (token,) = read(*lines).tokens
        assert (token.source_identity, token.access_key_id) == (None, "ASIAEXAMPLE000000001")
    (token,) = read(asked, changed(issued(), source_identity="jane")).tokens
    assert token.source_identity == "jane"


@pytest.mark.parametrize("year", ["2027", "2199"])
def test_no_later_line_makes_a_token_live_for_years(year: str) -> None:
    far = {name: f"{year}-01-01T00:00:00Z" for name in ("requested_at", "issue_until", "issued_at")}
    forged = changed(issued(), **far, expires_at=f"{year}-01-01T01:00:00Z")
    assert read(requested(), issued(), forged)[:2] == ([issued()], 1)


def test_a_token_that_ends_earlier_than_the_request_allows_is_not_its_outcome() -> None:
    early = changed(issued(), access_key_id="ASIAFORGEDFORGED0001", expires_at="2026-11-22T09:45:15Z")
    assert read(requested(), early)[:2] == ([requested()], 1)
    assert read(requested(), early, issued())[:2] == ([issued()], 1)


def test_failed_takes_nothing_back_that_was_requested() -> None:
    failed = requested().failed("AWS refused.", NOW)
    for lines in ((requested(), failed), (failed, requested())):
        (token,) = read(*lines).tokens
        assert (token.state, token.access_key_id) == ("requested", None)
    assert [one.state for one in read(failed).tokens] == ["failed"]  # nothing was requested of STS
    assert [one.state for one in read(requested(), issued(), failed).tokens] == ["issued"]


def another(value: Any) -> Any:
    """A value of the same type, or one where there was none."""
    if isinstance(value, datetime):
        return value + timedelta(seconds=1)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, dict):
        return {**value, "another": "one"}
    return f"{value}x"


def variants() -> list[Receipt]:
    """Receipts of one token in each state, at two moments, and each of them with another value in one field."""
    states = [requested(), issued(), issued().with_handoff(DELIVERED, NOW), issued().failed("No space left.", NOW)]
    found = states + [replace(one, recorded_at=NOW + timedelta(seconds=9)) for one in states]
    for one in states:
        found += [replace(one, **{field.name: another(getattr(one, field.name))}) for field in fields(Receipt)]
        found += [replace(one, **{field.name: None}) for field in fields(Receipt) if field.default is None]
    return [one for one in found if not isinstance(one.venue, str)]


def test_a_line_that_says_all_of_the_earlier_one_is_what_both_say(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = list(itertools.product(variants(), repeat=2))
    short = [receipt_log._says_all(*pair) for pair in pairs]
    token = issued()
    lines = [requested(), token, token.with_handoff(DELIVERED, NOW)]
    assert [receipt_log._says_all(*pair) for pair in itertools.pairwise(lines)] == [True, True]
    monkeypatch.setattr(receipt_log, "_says_all", lambda _first, _later: False)
    assert [
        pair
        for pair, all_of_it in zip(pairs, short, strict=True)
        if all_of_it and receipt_log._joined(*pair) != pair[1]
    ] == []


def test_the_state_is_the_latest_one_in_whatever_order_the_lines_come() -> None:
    delivered = issued().with_handoff(DELIVERED, NOW + timedelta(seconds=5))
    for lines in itertools.permutations([requested(), issued(), delivered]):
        assert [(one.state, one.handoff) for one in read(*lines).tokens] == [("delivered", delivered.handoff)]


def test_receipts_of_one_id_that_name_two_holders_are_two_tokens_and_reported() -> None:
    for forged in (
        changed(issued(), recipient="eve"),
        changed(issued(), venue="ops"),
        changed(issued(), session_name="x-1"),
    ):
        log = read(forged, issued())
        assert (issued() in log.tokens, len(log.tokens), log.conflicts) == (True, 2, (issued().id,))
    assert read(requested(method="saml"), issued(method="saml", session_name="idp-name")).conflicts == ()


@pytest.mark.parametrize(("name", "kept"), [(issued().id, 1), ("", 1), ("r-20261122T093015Z-ffffffff", 0)])
def test_a_receipt_under_the_name_of_another_one_is_none(name: str, kept: int) -> None:
    log = read_log([Stored(issued().to_line().encode(), name)])
    assert (len(log.tokens), log.unreadable) == (kept, 1 - kept)
    assert read_log([Stored(b"", name)]).unreadable == bool(name)


@given(st.data())
def test_without_details_a_log_says_the_same_of_every_token(data: st.DataObject) -> None:
    token = issued(allows={"bucket_prefixes": ["a"] * MOST_ITEMS})
    known = [requested(), token, token.with_handoff(DELIVERED, NOW), issued().failed("No space left.", NOW)]
    lines: list[Receipt | str] = [*known, *FORGED, changed(token, allows={"buckets": ["x"] * (MOST_ITEMS + 1)})]
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=6))
    texts = [one.to_line() if isinstance(one, Receipt) else one for one in chosen]
    complete, log = read_log(texts), read_log(texts, details=False)
    assert log == complete._replace(tokens=[replace(one, allows=None, handoff=None) for one in complete.tokens])


def test_the_known_keys_are_those_of_the_latest_token() -> None:
    def sealed(minutes: int, *keys: str, user: str = "jdoe") -> Receipt:
        at = NOW + timedelta(minutes=minutes)
        return issued(user, at=at).with_handoff({**DELIVERED, "sealed_to": list(keys)}, at)

    later = NOW + timedelta(hours=1)
    receipts = [sealed(2, "b"), sealed(1, "a"), sealed(3, "c", user="eve"), sealed(600, "future"), sealed(4), issued()]
    assert known_keys(receipts, "jdoe", later) == (NOW + timedelta(minutes=2), ("b",), "")
    assert known_keys([sealed(64, "b")], "jdoe", later) is not None, "the writer's clock may be ahead a little"
    assert known_keys(receipts, "nobody", later) is None


HOSTILE: list[str | bytes] = [
    "",
    "   \n",
    issued().to_line()[:-20],
    "[]",
    "null",
    "1" * 5000,
    "1e999",
    "NaN",
    "[" * 20000,
    '{"a":' * 9000,
    json.dumps({"schema": 2, "handoff": None}),
    changed(issued(), duration_seconds=10**30),
    b"\xff\xfe" + issued().to_line().encode("utf-16-le"),
    b"\x00" * 100,
    b'{"schema": 2, "recipient": "\xff"}',
    "{" + " " * LONGEST_LINE + "}",
]


def test_lines_that_are_no_receipts_are_counted_and_skipped() -> None:
    log = read(*HOSTILE, issued(), *HOSTILE)
    assert log.tokens == [issued()]
    assert log.unreadable == 2 * (len(HOSTILE) - 2)  # blank lines are not counted


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=200) | st.text(max_size=200), max_size=5))
def test_any_bytes_and_any_text(lines: list[bytes | str]) -> None:
    log = read_log([issued().to_line(), *lines])
    assert log.tokens == [issued()]
    assert log.unreadable == sum(bool(line.strip()) for line in lines)


@settings(max_examples=200, deadline=None)
@given(st.integers())
def test_the_order_of_lines_hides_nothing(seed: int) -> None:
    lines = [one.to_line() for number in range(4) for one in (requested(number=number), issued(number=number))]
    random.Random(seed).shuffle(lines)
    assert {one.access_key_id for one in read(*lines).tokens} == {
        issued(number=number).access_key_id for number in range(4)
    }


def test_what_has_surely_ended_can_be_left_out() -> None:
    old = issued(number=2, at=NOW - timedelta(hours=2))
    lines = [one.to_line() for one in (old, issued())]
    assert read_log(lines, since=NOW).tokens == [issued()]
    assert read_log(lines, since=old.ends_by - timedelta(seconds=1)).tokens == [old, issued()]


@pytest.mark.parametrize("hours", range(0, 40, 3))
def test_what_is_left_out_is_what_has_ended(hours: int) -> None:
    longest = requested(
        number=2, duration_requested=43200, duration_seconds=43200, issue_until=NOW + timedelta(hours=2)
    )
    lines = [one.to_line() for one in (issued(), requested(number=3), longest)]
    since = NOW + timedelta(hours=hours)
    assert read_log(lines, since=since).tokens == [one for one in read_log(lines).tokens if one.ends_by > since]
