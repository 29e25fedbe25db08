# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever one forged line says: no token that lives is hidden, ended, or said to be another one's only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report, sessions
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import read_log
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cloudtrail import issue_event
from tests.support.receipts import ACCOUNT, NOW, ROLE_ID, WITHOUT_ANSWER, issued, lies_about, requested
from tests.support.report import venue

SOON = NOW + timedelta(minutes=10)
LIES = lies_about(NOW)
ROLE = issued().role_name
VENUE = {"project": "sbg", "venue": "dev", "role_name": ROLE}
KILLED = requested("kim", number=2)
GENUINE = [requested(), issued(), KILLED, issued("asmith", number=3)]


@st.composite
def forged_lines(draw: st.DrawFn) -> str:
    known = draw(st.sampled_from(GENUINE)).to_json()
    names = draw(st.lists(st.sampled_from(sorted(LIES)), max_size=4, unique=True))
    told = {**known, **{name: draw(st.sampled_from(LIES[name])) for name in names}}
    return json.dumps({**told, **(WITHOUT_ANSWER if draw(st.booleans()) else {})})


def listed(stores: Sequence[Iterable[str]], events: Sequence[str]) -> list[dict[str, Any]]:
    """The tokens in the report of an account that is read once with the receipts of each store."""
    held = [one for one in map(sessions.from_event, events) if one]
    results = [
        {
            "account_id": ACCOUNT,
            "sessions": [
                # The role has the tags of the venue.
                {**one.shown([], SOON, ROLE_ID, NOW - timedelta(days=1)), "project": "sbg", "venue": "dev"}
                for one in sessions.join(held, [sessions.from_receipt(each) for each in read_log(lines).tokens])
            ],
        }
        for lines in stores
    ]
    (row,) = report.facts([{"venues": [venue(0, "ok", **VENUE)]}], results, SOON)["venues"]
    return list(row["sessions"])


def entries(found: list[dict[str, Any]], receipt: Receipt) -> list[dict[str, Any]]:
    names = ("recipient", "role_arn", "session_name")
    return [one for one in found if all(one[name] == getattr(receipt, name) for name in names)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_one_forged_line_takes_no_live_token_from_its_recipient(data: st.DataObject) -> None:
    lines = [one.to_line() for one in data.draw(st.sampled_from([GENUINE, GENUINE[1:]]))]
    stores = [lines]
    forged = data.draw(forged_lines())
    if data.draw(st.booleans()):
        lines.insert(data.draw(st.integers(0, len(lines))), forged)
    else:
        stores.insert(data.draw(st.integers(0, 1)), [forged])
    known = data.draw(st.sampled_from([[], [issued()], [issued(), issued("asmith", number=3)]]))
    events = [
        json.dumps(issue_event(one.session_name, one.access_key_id or "", "2026-11-22T09:30:15Z", one.role_arn))
        for one in known
    ]
    found = listed(stores, events)
    for token in (issued(), issued("asmith", number=3)):
        (entry,) = [one for one in entries(found, token) if one["access_key_id"] == token.access_key_id]
        assert entry["state"] == "live"
        assert "cloudtrail" in entry["sources"] or token not in known
    assert {one["state"] for one in entries(found, KILLED)} & set(report.ALIVE)


@settings(max_examples=300, deadline=None)
@given(forged_lines(), st.booleans())
def test_a_revocation_by_key_or_user_finds_a_token_beside_any_forged_line(forged: str, first: bool) -> None:
    lines = [one.to_line() for one in GENUINE]
    log = read_log([forged, *lines] if first else [*lines, forged])
    for token in (issued(), issued("asmith", number=3)):
        of_key = [one for one in log.tokens if one.access_key_id == token.access_key_id]
        assert token.identity in [one.identity for one in of_key if one.recipient == token.recipient]
    assert KILLED.identity in [one.identity for one in log.tokens if one.recipient == KILLED.recipient]
