# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One receipt: its states, its JSON, its schema, and what is refused."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import receipts
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt, parse_receipt
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.receipts import NOW, issued, requested

SCHEMA = json.loads((pathlib.Path(__file__).parents[3] / "docs" / "receipt.schema.json").read_text())
OUTCOME = {
    "channel": "file",
    "delivered": True,
    "target": "/home/jdoe/token.zip.age",
    "kept": None,
    "problem": None,
    "file": "token.zip.age",
    "sealed_with": "age",
    "sealed_to": ["age1example"],
    "sealed_sha256": "0" * 64,
    "signed_by": None,
    "key_changed": False,
    "resent": False,
}
FULL = issued(source_identity="jdoe").with_handoff(OUTCOME, NOW)


def states() -> Iterator[Receipt]:
    yield requested()
    yield requested().failed("AWS refused.\nAgain.", NOW)
    yield issued()
    yield issued().failed("No space left.", NOW)
    yield FULL
    yield issued().with_handoff({**OUTCOME, "delivered": False, "problem": "No mail server."}, NOW)
    yield requested(method="saml", issuer_arn=None, external_id_source=None, allows=None, context=None)


@pytest.mark.parametrize("receipt", states(), ids=lambda one: one.state)
def test_each_state_is_read_back_and_fits_the_schema(receipt: Receipt) -> None:
    jsonschema.validate(receipt.to_json(), SCHEMA)
    assert parse_receipt("receipt", json.loads(receipt.to_line())) == receipt
    assert "\n" not in receipt.to_line()


def test_the_schema_and_the_code_have_the_same_keys() -> None:
    keys = list(FULL.to_json())
    assert keys == list(SCHEMA["properties"]) == SCHEMA["required"]
    assert set(keys) == {"schema", *receipts._REQUEST, *receipts._OUTCOME}
    assert set(SCHEMA["properties"]["allows"]["properties"]) == {*receipts.ALLOWS_LISTS, *receipts.ALLOWS_FLAGS}
    assert set(SCHEMA["properties"]["context"]["properties"]) == set(receipts.CONTEXT)
    assert list(SCHEMA["$defs"]["handoff"]["properties"]) == list(receipts._HANDOFF)


def test_the_states() -> None:
    assert [one.state for one in states()][:6] == ["requested", "failed", "issued", "failed", "delivered", "kept"]
    failed = list(states())[1]
    assert failed.problem == "AWS refused. Again."
    assert list(states())[3].access_key_id


def test_a_request_that_could_not_be_read_back_is_refused_before_sts_is_asked() -> None:
    with pytest.raises(InvalidInput, match="session_name"):
        requested(session_name="two words")


BAD: list[tuple[str, Any]] = [
    *[
        (key, value)
        for key in FULL.to_json()
        for value in ({"a": None}, [[[]]], True)
        if not (key in ("allows", "context") and value == {"a": None})
    ],
    *[(key, "") for key in FULL.to_json() if key not in ("allows",)],
    *[(key, 10**30) for key in FULL.to_json()],
    *[(key, "x\x1b[2Jy") for key in FULL.to_json()],
    *[(key, "\ud800") for key in FULL.to_json()],
    *[(key, None) for key in ("schema", "id", "state", "recipient", "project", "venue", "account_id", "role_arn")],
    *[(key, None) for key in ("session_name", "requested_at", "issue_until", "duration_seconds", "access_key_id")],
    *[(key, "0001-01-01T00:00:00+23:59") for key in ("requested_at", "issue_until", "expires_at", "issued_at")],
    *[(key, "9999-12-31T23:59:59-23:59") for key in ("requested_at", "issue_until", "expires_at", "issued_at")],
    *[(key, "2026-11-22T09:30:15") for key in ("requested_at", "issue_until", "expires_at", "issued_at")],
    *[("duration_seconds", value) for value in (0, -1, 43201, 3600.0, float("inf"), float("nan"), "3600", False)],
    *[("schema", value) for value in (0, 3, "2", 2.5, True)],
    ("id", "r-1"),
    ("state", "revoked"),
    ("account_id", "210987654321"),
    ("account_id", "١٢٣٤٥٦٧٨٩٠١٢"),
    ("account_id", "123456789012\n"),
    ("role_arn", "arn:aws:iam::210987654321:role/unity-sbg-dev-sts"),
    ("role_arn", "arn:aws:iam::123456789012:user/x"),
    ("session_name", "x" * 65),
    ("issue_until", "2026-11-22T09:30:14Z"),
    ("issue_until", "2026-11-22T11:30:16Z"),
    ("expires_at", "2026-11-22T09:30:15Z"),
    ("expires_at", "2026-11-23T09:30:15Z"),
    ("issued_at", "2026-11-22T09:00:00Z"),
    ("issued_at", None),
    ("handoff", {}),
    ("handoff", {"at": "2026-11-22T09:30:15Z"}),
    ("handoff", {"at": "2026-11-22T09:30:15Z", "delivered": None}),
    ("handoff", {"at": "2026-11-22T09:30:15Z", "delivered": True, "sealed_to": None}),
    ("handoff", {"at": "2026-11-22T09:30:15Z", "delivered": True, "sealed_with": "rot13"}),
    ("handoff", {"at": "2026-11-22T09:30:15Z", "delivered": True, "target": {"a": "b"}}),
    ("allows", {"access": "s3_read"}),
    ("allows", {"access": [None]}),
    ("allows", {"buckets": ["b"] * 1001}),
    ("allows", {"buckets": ["b"] * 500, "bucket_prefixes": ["p"] * 501}),
    ("context", {"ticket": None}),
    ("context", {"ticket": ["MDPS-1"]}),
]


@pytest.mark.parametrize(("key", "value"), BAD, ids=lambda value: ascii(value)[:40])
def test_what_no_receipt_has_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match="is not the receipt of an issue") as caught:
        parse_receipt("receipt", {**FULL.to_json(), key: value})
    caught.value.message.encode()
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("key", "value", "alike"),
    [
        ("allows", {"delete": True}, {"delete": 1}),
        ("allows", {"delete": True}, {"delete": 1.0}),
        ("allows", {"list": False}, {"list": 0}),
        ("duration_seconds", 3600, 3600.0),
        ("duration_requested", 1, True),
    ],
)
def test_a_value_that_equals_one_of_an_earlier_line_is_checked_nevertheless(key: str, value: Any, alike: Any) -> None:
    assert parse_receipt("receipt", {**FULL.to_json(), key: value})
    with pytest.raises(InvalidInput, match=key):
        parse_receipt("receipt", {**FULL.to_json(), key: alike})


OTHER: dict[str, Any] = {
    **{"id": "r-20261122T093015Z-0000000f", "recipient": "asmith", "project": "unity", "venue": "ops"},
    **{"account_id": "210987654321", "region": "us-east-1", "method": "saml", "note": "Another note."},
    **{"role_arn": "arn:aws:iam::123456789012:role/other", "session_name": "asmith-other", "source_identity": "asmith"},
    **{"requested_at": "2026-11-22T09:30:14Z", "issue_until": "2026-11-22T09:40:15Z", "issuer_arn": None},
    **{"duration_requested": 1800, "duration_seconds": 1800, "external_id_source": None},
    **{"allows": {"list": True}, "context": {"ticket": "MDPS-2"}},
    **{"state": "kept", "recorded_at": "2026-11-22T09:31:15Z", "problem": "Another problem."},
    **{"access_key_id": "ASIAEXAMPLE000000002", "assumed_role_id": "AROAEXAMPLEEXAMPLEEX:other"},
    **{"issued_at": "2026-11-22T09:30:16Z", "expires_at": "2026-11-22T10:00:15Z"},
    "handoff": {"at": "2026-11-22T09:31:15Z", "delivered": False},
}
# What must change with it, or the receipt contradicts itself.
WITH_IT = {
    "account_id": {"role_arn": "arn:aws:iam::210987654321:role/unity-sbg-dev-sts"},
    "requested_at": {"id": "r-20261122T093014Z-00000001"},
}


@pytest.mark.parametrize("key", [*receipts._REQUEST, *receipts._OUTCOME])
def test_no_field_is_taken_from_an_earlier_line(key: str) -> None:
    before = FULL.to_json()
    parse_receipt("receipt", before)
    parsed = parse_receipt("receipt", {**before, **WITH_IT.get(key, {}), key: OTHER[key]})
    assert parsed.to_json()[key] == OTHER[key] != before[key]


def test_a_receipt_holds_as_many_items_as_a_policy_can_have() -> None:
    allows = {"buckets": ["b"] * 500, "bucket_prefixes": ["p"] * 500}
    assert parse_receipt("receipt", {**FULL.to_json(), "allows": allows}).allows == allows


def test_what_a_later_version_may_add_is_ignored() -> None:
    given: dict[str, Any] = {**copy.deepcopy(FULL.to_json()), "new": 1}
    for key in ("allows", "context", "handoff"):
        given[key]["new"] = 10**30
    assert parse_receipt("receipt", given) == FULL


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["2026-11-22T09:30:15Z"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["at", "delivered", "access", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(list(FULL.to_json())), ANYTHING, max_size=4))
def test_any_json_is_a_receipt_or_an_error(changes: dict[str, Any]) -> None:
    try:
        receipt = parse_receipt("receipt", {**FULL.to_json(), **changes})
    except InvalidInput as error:
        assert error.message.isprintable()
        return
    assert parse_receipt("receipt", receipt.to_json()) == receipt
    assert receipt.ends_by > receipt.requested_at


def test_when_a_token_has_surely_ended() -> None:
    assert requested().ends_by == NOW + timedelta(minutes=6) + timedelta(hours=1)
    assert issued().ends_by == requested().ends_by
    assert (issued().role_id, requested().role_id) == ("AROAEXAMPLEEXAMPLEEX", "")
