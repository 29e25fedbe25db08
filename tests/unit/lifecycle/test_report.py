# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report's facts, its table and where its bars lie."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report

from tests.support.report import NOW, at, facts, page, session, venue


def test_an_inventory_is_grouped_by_credentials_and_says_nothing_secret() -> None:
    hosts = [
        {
            "project": "sbg",
            "venue": "dev",
            "inventory_hostname": "x",
            "provision_allow_delete": True,
            "provision_external_id": "not-to-be-shown",
        },
        {
            "project": "emit",
            "venue": "ops",
            "venue_sts_profile": "every",
            "provision_profile": "emit",
            "venue_sts_region": "us-west-2",
            "provision_result": {},
        },
        {"project": "sbg", "venue": "ops", "provision_wait": True},
    ]
    assert report.accounts(hosts) == [
        {"venues": [{"project": "sbg", "venue": "dev", "allow_delete": True}, {"project": "sbg", "venue": "ops"}]},
        {"profile": "emit", "region": "us-west-2", "venues": [{"project": "emit", "venue": "ops"}]},
    ]


KEYS = {"sts_creds": {"access_key": "ASIAEXAMPLE", "secret_key": "not-to-be-shown", "session_token": "nor-this"}}


def test_each_account_of_kion_is_a_group_that_names_whose_keys_it_uses_or_why_there_are_none() -> None:
    def host(name: str, venue: str, account: str, **more: object) -> dict[str, object]:
        names = {"project": "sbg", "venue": venue, "inventory_hostname": name}
        return {**names, "broker_account": account, **more}

    refused = {"failed": True, "msg": "Kion knows no such role for you."}
    found = report.accounts(
        [
            host("one", "dev", "111122223333", broker_result=refused),
            host("two", "test", "111122223333", broker_result=KEYS),
            host("three", "ops", "444455556666", broker_result=refused),
            host("four", "uat", "777788889999"),
        ]
    )
    assert "not-to-be-shown" not in json.dumps(found)
    assert [{key: one[key] for key in one if key != "venues"} for one in found] == [
        {"account": "111122223333", "key_host": "two"},
        {"account": "444455556666", "problem": "Kion knows no such role for you."},
        {"account": "777788889999", "problem": "There are no credentials from Kion for this account."},
    ]
    assert [len(one["venues"]) for one in found] == [2, 1, 1]


def test_venues_of_one_account_are_read_with_the_credentials_of_their_own_request() -> None:
    def host(name: str, result: dict[str, object]) -> dict[str, object]:
        names = {"project": "sbg", "venue": name, "inventory_hostname": name, "broker_account": "111122223333"}
        return {**names, "broker_result": result}

    refused = {"failed": True, "msg": "Kion knows no such role for you.", "request": "b"}
    found = report.accounts(
        [host("one", {**KEYS, "request": "a"}), host("two", refused), host("three", {**KEYS, "request": "a"}),
         host("four", {**KEYS, "request": "c"})]
    )  # fmt: skip
    assert [(one.get("key_host"), one.get("problem"), len(one["venues"])) for one in found] == [
        ("one", None, 2),
        (None, "Kion knows no such role for you.", 1),
        ("four", None, 1),
    ]


@pytest.mark.parametrize(
    ("variables", "account", "key_host"),
    [
        ({}, None, None),
        ({"broker_result": {"skipped": True}}, None, None),
        ({"broker_account": None}, "not known", None),
        (
            {"broker_account": ""},
            "not known",
            None,
        ),  # blank is not "none": the credentials at hand are of another account
        ({"broker_account": 111122223333}, "111122223333", None),
        ({"broker_result": {**KEYS, "receipt": {"account": "444455556666"}}}, "444455556666", "one"),
        (
            {"broker_account": "111122223333", "broker_result": {**KEYS, "receipt": {"account": "444455556666"}}},
            "444455556666",
            "one",
        ),
        ({"broker_result": {"failed": True, "msg": "Kion knows no such role for you."}}, "not known", None),
    ],
)
def test_only_a_venue_without_kion_is_read_with_the_credentials_at_hand(
    variables: dict[str, Any], account: str | None, key_host: str | None
) -> None:
    (found,) = report.accounts([{"project": "sbg", "venue": "dev", "inventory_hostname": "one", **variables}])
    assert (found.get("account"), found.get("key_host")) == (account, key_host)
    assert ("problem" in found) is (account is not None and key_host is None)


def tokens_of(*results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = [{"account_id": "123456789012", "sessions": held} for held in results]
    (shown,) = report.facts([{"venues": [venue(0, "ok")]}], told, NOW)["venues"]
    return list(shown["sessions"])


def test_a_token_that_several_results_list_is_one_token() -> None:
    receipt = session(0, 0, -60, 60, sources=["receipt"])
    both = session(0, 0, -60.02, 60, sources=["cloudtrail", "receipt"])  # by CloudTrail's clock
    other = session(0, 1, -60, 60, sources=["receipt"])
    for results in ([receipt], [both, other], [receipt]), ([both], [receipt], [other]), ([other, receipt], [both]):
        found = sorted(tokens_of(*results), key=lambda one: one["access_key_id"])
        assert [one["sources"] for one in found] == [["cloudtrail", "receipt"], ["receipt"]]


@pytest.mark.parametrize("changes", [{"recipient": "mallory"}, {"role_arn": "arn:aws:iam::123456789012:role/x"}])
@pytest.mark.parametrize("key", [{}, {"access_key_id": None, "state": "unknown"}])
def test_no_receipt_hides_the_token_of_another_recipient(changes: dict[str, str], key: dict[str, Any]) -> None:
    first, forged = session(0, 0, -60, 60, **key), session(0, 0, -60, 60, **key, **changes)
    for results in ([forged, first],), ([forged], [first]), ([forged, first], [forged, first]):
        assert len(tokens_of(*results)) == 2


def test_two_requests_of_one_session_name_are_two_tokens() -> None:
    requests = [session(0, 0, start, 60, access_key_id=None, state="unknown") for start in (-60, -30)]
    assert len(tokens_of(requests, requests)) == 2
    assert len(tokens_of([requests[0], requests[0]])) == 2  # of one result, each counts


@pytest.mark.parametrize(
    "ended",
    [
        {"state": "role_gone"},
        {"state": "revoked", "sources": ["cloudtrail", "receipt"]},
        {"state": "live", "start": -11 * 60, "end": -10 * 60},
        {"state": "live", "end": 30},
        {"state": "unknown", "end": 90},
    ],
)
@pytest.mark.parametrize("apart", [True, False])
def test_of_entries_about_one_token_the_one_counts_that_may_live(ended: dict[str, Any], apart: bool) -> None:
    told = dict(ended)
    forged = session(0, 0, told.pop("start", -60), told.pop("end", 60), **told)
    genuine = session(0, 0, -60, 60)
    for first, second in ((forged, genuine), (genuine, forged)):
        (found,) = tokens_of([first], [second]) if apart else tokens_of([first, second])
        assert found == genuine


@pytest.mark.parametrize("names", [["jdoe"], ["jdoe", "mallory"]])
@pytest.mark.parametrize("ended", [True, False])
def test_a_token_without_a_recipient_is_that_of_the_same_key(names: list[str], ended: bool) -> None:
    # Only one of two results has the receipts. They may also say that the token has ended.
    nobody = session(0, 0, -60, 60, recipient=None, sources=["cloudtrail"])
    state = {"state": "role_gone", "sources": ["receipt"]} if ended else {"sources": ["cloudtrail", "receipt"]}
    named = [session(0, 0, -60, 60, recipient=name, **state) for name in names]
    for results in ([nobody], named), (named, [nobody]):
        found = tokens_of(*results)
        assert [one["recipient"] for one in found] == names
        assert {(one["state"], *one["sources"]) for one in found} == {("live", "cloudtrail", "receipt")}
    other = {"access_key_id": None}, {"session_name": "jdoe"}, {"role_arn": "arn:aws:iam::123456789012:role/x"}
    assert [len(tokens_of([{**nobody, **changes}], named)) for changes in other] == [len(names) + 1] * 3


def test_each_row_has_the_tokens_of_its_role_and_each_token_is_counted_once() -> None:
    second = "unity-second"
    rows = [venue(0, "ok"), venue(0, "ok", role_name=second), venue(0, "ok", region="us-east-1")]
    told = [session(0, 0, -60, 60), session(0, 1, -60, 5, role_name=second), session(0, 2, -60, 5, role_name="legacy")]
    results = [{"account_id": "123456789012", "sessions": told}] * 3
    document = report.facts([{"venues": [one]} for one in rows], results, NOW)
    held = [[one["session_name"] for one in shown["sessions"]] for shown in document["venues"]]
    assert held == [["jdoe-0", "jdoe-2"], ["jdoe-1", "jdoe-2"], ["jdoe-0", "jdoe-2"]]
    assert (document["totals"]["live_tokens"], document["totals"]["ending_tokens"]) == (3, 2)


def test_only_the_account_whose_sessions_could_not_be_read_says_so() -> None:
    named = [{"project": "p0", "venue": "v0"}]
    items: list[dict[str, Any]] = [{**one, "venues": named} for one in ({"account": "1"}, {"account": "2"}, {})]
    infos = [{"venues": [venue(0, "ok", account_id=str(number))], "item": one} for number, one in enumerate(items)]
    for failed in range(3):
        sessions = [{"failed": True, "msg": "AWS refused.", "item": items[failed]}]
        document = report.facts(infos, sessions, NOW, items)
        assert [one["account_id"] for one in document["venues"] if one["problem"]] == [str(failed)]


def test_an_account_that_cannot_be_read_is_in_the_report_with_the_reason() -> None:
    good = {"account": "111122223333", "venues": [{"project": "p0", "venue": "v0"}]}
    denied = {"account": "444455556666", "venues": [{"project": "emit", "venue": "ops"}]}
    no_keys = {"account": "777788889999", "venues": [{"project": "sbg", "venue": "uat"}], "problem": "No keys."}
    infos = [
        {"venues": [venue(0, "ok")], "item": good},
        {"failed": True, "msg": "AWS refused iam:GetRole.", "item": denied},
    ]
    sessions = [{"failed": True, "msg": "AWS refused cloudtrail:LookupEvents.", "item": good}]
    document = report.facts(infos, sessions, NOW, [good, denied, no_keys])
    problems = {one["name"]: (one["status"], one["problem"]) for one in document["venues"]}
    assert problems == {
        "p0 / v0": ("ok", "Who holds tokens is not known: AWS refused cloudtrail:LookupEvents."),
        "emit / ops": ("broken", "The account could not be read: AWS refused iam:GetRole."),
        "sbg / uat": ("broken", "The account could not be read: No keys."),
    }
    assert {one["account"] for one in document["unread"]} == {"111122223333", "444455556666", "777788889999"}
    shown = "\n".join(report.table(document)) + page(document)
    assert shown.count("The account could not be read: No keys.") == 2
    assert [one["live_tokens"] for one in document["venues"]] == [None] * 3
    assert all(line.split("  ")[-1].strip() and " ? " in line for line in report.table(document)[1:])
    assert "<b>3</b> venues whose tokens are not known" in page(document)
    assert page(document).count(">?</td>") == 3
    json.dumps(document)


def test_what_needs_care_comes_first_and_everything_is_counted() -> None:
    document = facts(8)
    assert [one["status"] for one in document["venues"]] == ["broken"] * 2 + ["drifted"] * 2 + ["absent"] * 2 + [
        "ok"
    ] * 2
    totals = {"venues": 8, "ok": 2, "drifted": 2, "broken": 2, "absent": 2, "live_tokens": 6, "ending_tokens": 3}
    assert document["totals"] == {**totals, "unknown_tokens": 0}
    json.dumps(document)


@pytest.mark.parametrize(
    ("end", "told", "state"),
    [
        (16, "live", "live"),
        (15, "live", "ending"),
        (15, "revoked", "revoked"),
        (0, "live", "ending"),  # the clock of this machine may be ahead of AWS's
        (-4, "live", "ending"),
        (-4, "unknown", "unknown"),
        (-5, "live", "expired"),
        (-5, "unknown", "expired"),
        (-1, "revoked", "expired"),
    ],
)
def test_states_are_told_as_of_now(end: int, told: str, state: str) -> None:
    document = report.facts(
        [{"venues": [venue(0, "ok")]}],
        [{"account_id": "123456789012", "sessions": [session(0, 0, -60, end, state=told)]}],
        NOW,
    )
    (seen,) = document["venues"]
    assert [one["state"] for one in seen["sessions"]] == [state]
    assert seen["live_tokens"] == (1 if state in ("live", "ending", "unknown") else 0)


def test_the_table_has_a_line_a_venue_with_remarks() -> None:
    external = {"state": "different", "shared_with": ["unity-x-y-sts"], "previous_accepted": True}
    odd = venue(
        0,
        "broken",
        external_id=external,
        dead_principals=["AROAEXAMPLE"],
        problem="no bucket.",
        revocations=[{"summary": "every token"}],
    )
    unclaimed = venue(1, "broken", external_id=None, project=None, venue=None, account_id=None)
    lines = report.table(report.facts([{"venues": [odd, unclaimed]}], [], NOW))
    assert lines[0].startswith("VENUE")
    wanted = (
        "no bucket.",
        "external ID: different",
        "shares its external ID with unity-x-y-sts",
        "rotation",
        "AROAEXAMPLE",
        "revoked: every token",
    )
    assert [text for text in wanted if text not in lines[1]] == []
    assert lines[2].startswith("unity-p0-v1-sts")


def test_bars_lie_on_one_timeline() -> None:
    held = [session(0, 0, -60, 60), session(0, 1, 0, 60), session(0, 2, -60 * 100, 60 * 100)]
    document = report.facts([{"venues": [venue(0, "ok")]}], [{"account_id": "123456789012", "sessions": held[:2]}], NOW)
    drawing = report.with_timeline(document)
    assert [(one["x"], one["width"]) for one in drawing["venues"][0]["sessions"]] == [(0, 100), (50, 50)]
    assert drawing["now_x"] == 50
    assert [tick["label"] for tick in drawing["ticks"]] == ["12:00", "13:00"]
    long = report.with_timeline(
        report.facts([{"venues": [venue(0, "ok")]}], [{"account_id": "123456789012", "sessions": held}], NOW)
    )
    assert len(long["ticks"]) <= 9
    assert all(0 <= one["x"] <= 100 and one["x"] + one["width"] <= 100.5 for one in long["venues"][0]["sessions"])


def test_nothing_at_all_can_be_drawn() -> None:
    assert report.with_timeline(report.facts([], [], NOW))["venues"] == []
    assert at(0) == report.facts([], [], NOW)["generated_at"]


def test_tokens_of_another_role_of_the_venue_are_listed_with_the_venue() -> None:
    other = session(0, 0, -60, 60, role_name="legacy-sts")
    results = [{"account_id": account, "sessions": [other]} for account in ("123456789012", "210987654321")]
    document = report.facts([{"venues": [venue(0, "ok")]}], results, NOW)
    assert [one["role_name"] for one in document["venues"][0]["sessions"]] == ["legacy-sts"]


def test_a_request_without_an_answer_counts_as_valid_and_skipped_lines_are_counted() -> None:
    held = session(0, 0, -60, 60, state="unknown")
    warning = "3 receipts could not be read or are not receipts. They were skipped."
    results = [{"account_id": "123456789012", "sessions": [held], "unreadable": 3, "warnings": [warning]}]
    document = report.facts([{"venues": [venue(0, "ok")]}], results, NOW)
    assert document["totals"]["live_tokens"] == 1
    lines = report.table(document)
    assert "may have been issued" in lines[1]
    assert "3 receipts could not be read" in lines[-1]
    assert page(document).count("3 receipts could not be read") == 1
    assert "may be valid" in page(document)


def test_the_stores_of_the_venues_receipts_are_named_once_for_each_account() -> None:
    names = {"project": "sbg", "handoff_receipts_s3": "s3://records/sts"}
    hosts: list[dict[str, Any]] = [
        {**names, "venue": "dev", "handoff_receipts_ssm_path": "/unity/sbg/dev/receipts"},
        {**names, "venue": "ops", "handoff_receipts_ssm_path": ["/unity/sbg/ops/receipts", "/unity/old"]},
        {**names, "venue": "test", "handoff_receipts_ssm_path": "__omit_place_holder__0123"},
        {**names, "venue": "live", "handoff_receipts_ssm_path": object()},  # how newer cores leave an option out
    ]
    (account,) = report.accounts(hosts)
    assert account["receipts_s3"] == ["s3://records/sts"]
    assert account["receipts_ssm_path"] == ["/unity/sbg/dev/receipts", "/unity/sbg/ops/receipts", "/unity/old"]
    assert all("handoff_receipts_s3" not in one for one in account["venues"])


def test_tokens_that_are_known_are_counted_and_listed_also_where_there_may_be_others() -> None:
    account = {"venues": [{"project": "p0", "venue": "v0"}], "unknown_stores": [
        {"project": "p0", "venue": "v0", "problem": "host a: handoff_receipts_s3: 'nope' is undefined"}]}  # fmt: skip
    told = [{"account_id": "123456789012", "sessions": [session(0, 0, -60, 60)], "item": account}]
    document = report.facts([{"venues": [venue(0, "ok"), venue(1, "ok")], "item": account}], told, NOW, [account])
    first, second = document["venues"]
    assert (first["live_tokens"], len(first["sessions"]), first["next_end"]) == (None, 1, at(60))
    assert first["problem"] == "Who holds tokens is not known: host a: handoff_receipts_s3: 'nope' is undefined"
    assert (first["status"], second["live_tokens"], second["problem"]) == ("ok", 0, None)
    assert (document["totals"]["live_tokens"], document["totals"]["unknown_tokens"]) == (1, 1)
    assert [one["problem"] for one in document["unread"]] == ["host a: handoff_receipts_s3: 'nope' is undefined"]


HOST = {"project": "sbg", "venue": "dev", "inventory_hostname": "one"}
NOPE = report.NotKnown("'nope' is undefined")


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"project": NOPE}, "host one", "project: 'nope' is undefined"),
        ({"venue": NOPE}, "host one", "venue: 'nope' is undefined"),
        ({"venue": None, "project": NOPE}, "host one", "project: 'nope' is undefined"),
        ({"provision_role_name": NOPE}, None, "provision_role_name: 'nope' is undefined"),
        ({"venue_sts_region": NOPE}, None, "venue_sts_region: 'nope' is undefined"),
        ({"broker_account": NOPE, "venue_sts_profile": NOPE}, None, "broker_account: 'nope' is undefined; venue_sts_p"),
        ({"venue": "missing"}, "host one", "it has no variable venue"),
    ],
)
def test_a_host_that_is_not_known_is_listed_with_the_reason_beside_the_others(
    changes: dict[str, Any], name: str | None, reason: str
) -> None:
    host = {key: value for key, value in {**HOST, **changes}.items() if value != "missing"}
    known, unknown = report.accounts([{**HOST, "inventory_hostname": "two"}, host])
    assert known == {"venues": [{"project": "sbg", "venue": "dev"}]}
    assert unknown["problem"].startswith(f"host one: {reason}")
    document = report.facts([], [], NOW, [unknown])
    (shown,) = document["venues"]
    assert (shown["name"], shown["account_id"], shown["status"]) == (name or "sbg / dev", "not known", "broken")
    assert document["unread"] == [{"account": "not known", "problem": unknown["problem"]}]


UNDEFINED, TEXTS, TEXT = "'nope' is undefined", "must be a text or a list of texts.", "must be a text."


@pytest.mark.parametrize("name", report.STORES.values())
@pytest.mark.parametrize(
    ("places", "reason", "of_file"),
    [
        (NOPE, UNDEFINED, UNDEFINED),
        (["/a", NOPE], UNDEFINED, TEXT),
        ({"a": 1}, TEXTS, TEXT),
        (5, TEXTS, TEXT),
        (True, TEXTS, TEXT),
        (["/a", 5], TEXTS, TEXT),
        ([["/a"]], TEXTS, TEXT),
        (None, None, None),
        ([], None, TEXT),
        ("/a", None, None),
    ],
)
def test_a_store_that_is_not_known_leaves_open_who_holds_tokens_of_this_venue(
    name: str, places: Any, reason: str | None, of_file: str | None
) -> None:
    (account,) = report.accounts([{**HOST, name: places}])
    words = of_file if name == "handoff_receipts_file" else reason
    wanted = [{"project": "sbg", "venue": "dev", "problem": f"host one: {name}: {words}"}] if words else None
    assert account.get("unknown_stores") == wanted
    option = next(option for option, variable in report.STORES.items() if variable == name)
    (given,) = report.accounts([{**HOST, name: places}], [option])
    assert option not in given and "unknown_stores" not in given


def test_venues_are_read_with_their_own_receipts_file() -> None:
    hosts: list[dict[str, Any]] = [
        {"project": "sbg", "venue": venue, "handoff_receipts_file": file}
        for venue, file in (
            ("dev", "/a"),
            ("ops", "/b"),
            ("test", "/a"),
            ("live", None),
            ("old", "__omit_place_holder__1"),
        )
    ]
    read = {one.get("receipts_file"): [venue["venue"] for venue in one["venues"]] for one in report.accounts(hosts)}
    assert read == {"/a": ["dev", "test"], "/b": ["ops"], None: ["live", "old"]}
    (all_of_them,) = report.accounts(hosts, ["receipts_file"])
    assert len(all_of_them["venues"]) == 5


def test_only_what_the_report_needs_is_evaluated() -> None:
    names = ["project", "provision_external_id", "venue_sts_state", "provision_result", "other", "provision_path"]
    assert report.variables_read(names) == ["project", "provision_path"]


def test_what_the_screen_warned_of_is_in_the_files_once() -> None:
    results = [{"account_id": "1", "sessions": [], "warnings": ["<b>early</b>", "late"]}, {"account_id": "1"}]
    document = report.facts([{"venues": [], "warnings": ["late"]}], results, NOW)
    assert document["warnings"] == ["late", "<b>early</b>"]
    assert "&lt;b&gt;early&lt;/b&gt;</p>" in page(document)


def test_a_blank_account_in_kion_is_never_read_with_a_venue_that_has_none() -> None:
    hosts = [{**HOST, **more} for more in ({}, {"broker_account": " "}, {"broker_account": None}, {})]
    own, blank = report.accounts(hosts)
    assert [len(one["venues"]) for one in (own, blank)] == [2, 2]
    assert "account" not in own and blank["problem"] == "There are no credentials from Kion for this account."
