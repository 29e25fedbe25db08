# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lease: its JSON and schema, what is refused, when it is renewed, and how it ends."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import leases
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_history import reason_ended
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_names import (
    RENEWAL,
    lease_path,
    parameter_name,
    renewal_folder,
    renewal_name,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_parameters import (
    FoundLeases,
    find_leases,
    plan_end,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.leases import (
    Renewal,
    StoredLease,
    parse_lease,
    read_renewal,
    stored_text,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.roles import Parameter
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.users import check_user
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.leases import lease_facts
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.leases import NOW, lease, renewed, stored

SCHEMA = json.loads((pathlib.Path(__file__).parents[3] / "docs" / "lease.schema.json").read_text())
PATH = "/unity/sbg/dev/cs/sts/leases"
VENUE = Venue("sbg", "dev")
HOUR = timedelta(hours=1)
USERS = st.from_regex(r"[A-Za-z0-9_+=,@][A-Za-z0-9_+=,.@-]{0,20}", fullmatch=True)


def parameter(text: str, version: int = 1) -> Parameter:
    return Parameter(text, "String", version, None)


def test_a_lease_is_read_back_and_fits_the_schema() -> None:
    for one in (lease(), lease(access=["s3_read"], bucket_prefixes=["incoming"], duration_seconds=900, ticket=None)):
        jsonschema.validate(one.to_json(), SCHEMA)
        assert parse_lease(json.loads(one.to_line())) == one


def test_the_schema_and_the_code_have_the_same_keys() -> None:
    keys = list(lease().to_json())
    assert keys == list(SCHEMA["properties"]) == SCHEMA["required"]
    assert set(keys) == {"schema", *leases._CHECKS}
    assert list(SCHEMA["properties"]["request"]["properties"]) == list(leases.REQUEST)
    assert SCHEMA["properties"]["channel"]["enum"] == list(leases.CHANNELS)


def test_a_new_lease_has_whole_seconds_and_no_control_characters() -> None:
    one = lease(reason="calibrate\nrun 7", starts_at=NOW + timedelta(microseconds=5))
    assert (one.reason, one.starts_at.microsecond) == ("calibrate run 7", 0)


FORGED: list[tuple[str, Any]] = [
    ("schema", 2),
    ("schema", True),
    ("id", "l-1"),
    ("user", "../root"),
    ("user", 7),
    ("project", "a/b"),
    ("account_id", "12345678901"),
    ("request", None),
    ("request", {"access": ["everything"]}),
    ("request", {"access": []}),
    ("request", {"bucket_prefixes": ["mdps-venue-sts/renewals"]}),
    ("request", {"duration_seconds": 10**30}),
    ("request", {"duration_seconds": True}),
    ("request", {"duration_seconds": "3600"}),
    ("request", {"duration_seconds": 3600.5}),
    ("starts_at", "tomorrow"),
    ("ends_at", "2026-11-22T09:30:15"),
    ("ends_at", "2199-01-01T00:00:00Z"),
    ("ends_at", "2026-01-01T00:00:00Z"),
    ("reason", ""),
    ("reason", "a\x1b[2J"),
    ("reason", "x" * 2001),
    ("ticket", 5),
    ("key_fingerprints", []),
    ("key_fingerprints", "age1example"),
    ("channel", "file"),
    ("place", None),
    ("signature", "-----BEGIN"),
]


@pytest.mark.parametrize(("key", "value"), FORGED)
def test_what_no_lease_has_is_refused(key: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match="is not a lease"):
        parse_lease({**lease().to_json(), key: value})


def test_a_request_needs_no_more_than_what_it_limits() -> None:
    read = parse_lease({**lease().to_json(), "request": {"duration_seconds": 3600}})
    assert read.to_json()["request"]["duration_seconds"] == 3600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(lease().to_json())), JSON)
def test_any_value_is_taken_or_refused_with_a_message(key: str, value: Any) -> None:
    changed = {**lease().to_json(), key: value}
    try:
        assert parse_lease(changed).to_json()
    except InvalidInput as error:
        assert "\n" not in error.message


@settings(max_examples=150, deadline=None)
@given(st.text() | JSON.map(json.dumps))
def test_any_text_of_a_parameter_is_a_lease_or_is_reported(text: str) -> None:
    found = find_leases({f"{PATH}/jdoe": parameter(text), f"{PATH}/jdoe/renewal": parameter(text)}, PATH, VENUE)
    assert (len(found.stored), len(found.unreadable)) in ((1, 0), (0, 1))
    assert read_renewal(text, lease()) is None


@pytest.mark.parametrize("text", ["[" * 200, '{"a":' * 80, "x" * 9000, "[]", '"text"'])
def test_a_parameter_that_is_no_lease_is_reported_without_its_text(text: str) -> None:
    found = find_leases({f"{PATH}/jdoe": parameter(text)}, PATH, VENUE)
    assert not found.stored
    assert found.unreadable[0].startswith(f"{PATH}/jdoe is not a lease")
    assert text not in found.unreadable[0]


@pytest.mark.parametrize("reason", ["ü" * 1500, "[" * 70])
def test_a_lease_that_could_not_be_read_back_is_not_stored(reason: str) -> None:
    with pytest.raises(InvalidInput, match="too long to be stored"):
        stored_text(lease(reason=reason))
    assert stored_text(lease(reason="ü" * 900)) == lease(reason="ü" * 900).to_line()


@pytest.mark.parametrize("name", ["jane", "jdoe.2e"])
def test_a_lease_under_another_name_is_not_renewed(name: str) -> None:
    found = find_leases({f"{PATH}/{name}": parameter(lease().to_line())}, PATH, VENUE)
    assert not found.stored
    assert "another venue or user" in found.unreadable[0]


@given(USERS | st.just(RENEWAL))
def test_the_lease_of_every_user_is_found(user: str) -> None:
    parameters = {
        parameter_name(PATH, user): parameter(lease(user).to_line()),
        renewal_name(PATH, user): parameter(renewed(0, 60).to_line()),
    }
    found = find_leases(parameters, PATH, VENUE)
    assert ([one.lease.user for one in found.stored], found.damaged) == ([user], {})


def test_a_lease_of_another_venue_is_not_renewed() -> None:
    assert not find_leases({f"{PATH}/jdoe": parameter(lease().to_line())}, PATH, Venue("sbg", "ops")).stored


@given(USERS, USERS)
def test_names_are_different_for_different_users(one: str, other: str) -> None:
    check_user("user", one)
    assert (parameter_name(PATH, one) == parameter_name(PATH, other)) is (one == other)
    folders = [renewal_folder(VENUE, user).lower() for user in (one, other)]
    assert (folders[0] == folders[1]) is (one == other)
    assert parameter_name(PATH, one) != renewal_name(PATH, other)
    lease_path(VENUE, parameter_name(PATH, one))  # a name that Parameter Store accepts


def test_the_path_of_leases() -> None:
    assert lease_path(VENUE, None) == PATH
    assert lease_path(VENUE, "/legacy/leases/") == "/legacy/leases"
    for wrong in ("leases", "/a b", ""):
        with pytest.raises(InvalidInput, match="lease_path"):
            lease_path(VENUE, wrong)


def at(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


# The lease begins at 0 and ends after three days (4,320 minutes).
ACTIONS = [
    ("it has not begun", None, -1, "wait"),
    ("there was no token yet", None, 0, "renew"),
    ("the token is fresh", renewed(0, 60), 10, "wait"),
    ("20 minutes are left", renewed(0, 60), 40, "renew"),
    ("a short token: a third of its life is left", renewed(0, 15), 9, "wait"),
    ("a short token: a third of its life is left, later", renewed(0, 15), 10, "renew"),
    ("after an outage", renewed(0, 60), 600, "renew"),
    ("another run is renewing", replace(renewed(0, 60), claim="0" * 8, attempted_at=at(40)), 41, "claimed"),
    ("another run was killed", replace(renewed(0, 60), claim="0" * 8, attempted_at=at(40)), 43, "renew"),
    ("another run failed", replace(renewed(0, 60), problem="no"), 45, "renew"),
    ("the first attempt failed", Renewal(lease_id=lease().id, attempted_at=at(0), problem="no"), 5, "renew"),
    ("a record of the future", replace(renewed(600, 660), attempted_at=at(600)), 41, "renew"),
    ("a claim of the future", replace(renewed(0, 60), claim="0" * 8, attempted_at=at(999)), 41, "renew"),
    ("the token lasts until the end", renewed(4265, 4319.5), 4310, "wait"),
    ("less than 15 minutes are left", renewed(4200, 4260), 4306, "wait"),
    ("it has ended", renewed(4260, 4320), 4320, "end"),
    ("it has ended without a token", None, 9999, "end"),
]


@pytest.mark.parametrize(
    ("renewal", "minutes", "action"), [one[1:] for one in ACTIONS], ids=[one[0] for one in ACTIONS]
)
def test_what_a_renewal_does(renewal: Renewal | None, minutes: float, action: str) -> None:
    assert StoredLease(lease(), renewal).action(at(minutes), leases.RENEW_BEFORE) == action


def test_the_state_of_a_lease() -> None:
    assert [lease().state(at(one)) for one in (-1, 0, 4319, 4320)] == ["pending", "active", "active", "ended"]


def test_the_next_renewal() -> None:
    def next_renewal(renewal: Renewal | None, minutes: float) -> Any:
        return StoredLease(lease(), renewal).next_renewal(leases.RENEW_BEFORE, at(minutes))

    assert next_renewal(renewed(0, 60), 5) == at(40)
    assert next_renewal(None, -10) == at(0)
    assert next_renewal(None, 10) == at(10)
    assert next_renewal(renewed(4260, 4320), 4270) is None
    assert next_renewal(None, 4320) is None
    assert next_renewal(None, 4305) == at(4305)  # 15 minutes are left, the shortest session that STS issues
    assert next_renewal(None, 4306) is None


FIRST_FAILED = Renewal(lease_id=lease().id, attempted_at=NOW, problem="no")


@pytest.mark.parametrize(
    ("renewal", "last", "until", "problem"),
    [
        (None, None, None, None),
        (FIRST_FAILED, None, None, "no"),
        (renewed(0, 60), iso(at(0)), iso(at(60)), None),
        (replace(renewed(0, 60), attempted_at=at(40), problem="no"), iso(at(0)), iso(at(60)), "no"),
    ],
    ids=["never renewed", "the first attempt failed", "renewed", "the latest attempt failed"],
)
def test_the_facts_of_a_lease(
    renewal: Renewal | None, last: str | None, until: str | None, problem: str | None
) -> None:
    (facts,) = lease_facts(FoundLeases((stored(renewal),), ()), leases.RENEW_BEFORE, at(50))
    assert (facts["state"], facts["user"]) == ("active", "jdoe")
    assert (facts["last_renewal"], facts["token_until"], facts["problem"]) == (last, until, problem)


BAD_RENEWALS: list[tuple[str, Any]] = [
    ("schema", 2),
    ("lease_id", "l-20261122T093015Z-00000000"),
    ("attempted_at", None),
    ("claim", "x"),
    ("issued_at", None),
    ("expires_at", None),
    ("expires_at", "2026-11-22T09:30:14Z"),
    ("expires_at", "2026-12-22T09:30:14Z"),
    ("attempted_at", "2026-11-20T09:30:14Z"),
    ("session_name", "two words"),
    ("problem", "a\nb"),
]


@pytest.mark.parametrize(("key", "value"), BAD_RENEWALS)
def test_a_record_of_a_renewal_that_cannot_be_right_is_ignored(key: str, value: Any) -> None:
    good = renewed(0, 60).to_json()
    assert read_renewal(json.dumps(good), lease()) == renewed(0, 60)
    assert read_renewal(FIRST_FAILED.to_line(), lease()) == FIRST_FAILED
    assert read_renewal(json.dumps({**good, key: value}), lease()) is None


def test_what_is_found_below_the_path() -> None:
    one = stored(renewed(0, 60), version=4)
    parameters = {
        parameter_name(PATH, "jdoe"): parameter(one.lease.to_line()),
        renewal_name(PATH, "jdoe"): parameter(renewed(0, 60).to_line(), 4),
        f"{PATH}/broken": parameter("{}"),
    }
    found = find_leases(parameters, PATH, VENUE)
    assert found.stored == (one,)
    assert (found.of("jdoe"), found.of("jane")) == (one, None)
    assert found.names == tuple(sorted(parameters))
    assert list(found.damaged) == [f"{PATH}/broken"]
    assert found.unreadable == tuple(found.damaged.values())


def test_ending_the_lease_of_a_user_deletes_the_lease_and_its_record() -> None:
    parameters = {
        name: parameter(lease().to_line())
        for name in (f"{PATH}/jdoe", f"{PATH}/jdoe/renewal", f"{PATH}/jane", f"{PATH}/broken")
    }
    found = find_leases(parameters, PATH, VENUE)
    step = plan_end(found, PATH, "jdoe")[0]
    assert step.arguments == {"Names": [f"{PATH}/jdoe", f"{PATH}/jdoe/renewal"]}
    assert (step.action, step.summary) == ("ssm:DeleteParameters", "end the lease of jdoe")
    assert plan_end(found, PATH, "nobody") == []


def test_ending_every_lease_deletes_what_is_no_lease_as_well_ten_a_call() -> None:
    parameters = {f"{PATH}/user{number:02}": parameter("{}") for number in range(23)}
    steps = plan_end(find_leases(parameters, PATH, VENUE), PATH, None)
    assert [len(step.arguments["Names"]) for step in steps] == [10, 10, 3]
    assert [name for step in steps for name in step.arguments["Names"]] == sorted(parameters)


def test_the_terms_say_whether_a_new_approval_is_needed() -> None:
    assert lease(unique="11111111", ends_at=NOW + 2 * HOUR).terms == lease().terms
    assert lease(reason="another").terms != lease().terms


def test_a_signature_is_about_every_other_field() -> None:
    one = lease()
    assert replace(one, signature="A" * 16).signed_text == one.signed_text
    assert replace(one, ends_at=one.ends_at + HOUR).signed_text != one.signed_text


def entry(event: str, given: Any = None, at: str = "2026-11-23T00:00:00Z") -> str:
    return json.dumps({"event": event, "at": at, "why": None, "lease": lease().to_json() if given is None else given})


LATER = lease(unique="00000001").to_json()


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ([], ""),
        ([entry("approved")], ""),
        ([entry("approved"), entry("ended")], "it has ended at 2026-11-23T00:00:00Z"),
        ([entry("ended")], "it has ended at 2026-11-23T00:00:00Z"),
        ([entry("approved"), entry("approved", LATER)], "it was replaced at 2026-11-23T00:00:00Z"),
        ([entry("approved", LATER)], ""),  # an earlier approval
        ([entry("approved"), entry("ended", LATER)], ""),
        ([entry("ended", lease("jane").to_json())], ""),
        (["jdoe", '["jdoe"]', '{"lease": "jdoe"}', "[" * 100_000 + "jdoe", entry("ended")], "it has ended at "),
        ([entry("ended", at="\u202ejdoe")], "it has ended at "),
    ],
)
def test_what_the_record_says_against_a_lease(record: list[str], why: str) -> None:
    found = reason_ended(lease(), record)
    assert found.startswith(why) and bool(found) == bool(why)
    assert found.isprintable()


def test_an_id_that_names_no_time_is_refused() -> None:
    given = {**lease().to_json(), "id": "l-20269999T999999Z-3fa91c07"}
    with pytest.raises(InvalidInput, match="id names no time"):
        parse_lease(given)
