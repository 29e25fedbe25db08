# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_revocation``, the role and the playbook around it, against moto."""

from __future__ import annotations

import json
import pathlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.venue_state import read_role
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_names import parameter_name, renewal_name
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.leases import Renewal
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lock import has_lock
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import parse_time
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import lock_statement
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role, role_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import state, verification
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation.options import TARGETS
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing

from tests.support.leases import lease, renewed
from tests.support.operations import perform
from tests.support.playbook import ansible_playbook, run_tasks
from tests.support.receipts import ago, issued, recent, requested
from tests.support.servers import Moto

MODULE = "mdps.venue_sts.venue_sts_revocation"
VENUE = {"project": "sbg", "venue": "dev"}
ROLE = "unity-sbg-dev-sts"
LEASES = "/unity/sbg/dev/cs/sts/leases"
BEFORE = "2026-01-01T00:00:00Z"


def policies(moto: Moto, role_name: str = ROLE) -> list[str]:
    names = moto.client("iam").list_role_policies(RoleName=role_name)["PolicyNames"]
    return sorted(name for name in names if name != "venue-access")


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_revoke_again_and_lift(venue: Moto, tmp_path: pathlib.Path, shipped: bool) -> None:
    one, everything = (
        {**VENUE, "session_name": "jdoe", "before": ago(hours=1)},
        {**VENUE, "all": True, "before": ago(minutes=5)},
    )
    asked: list[dict[str, Any]] = [
        one,
        one,
        everything,
        {**one, "state": "absent"},
        {**VENUE, "state": "absent", "all": True},
        {**VENUE, "state": "absent", "all": True},
    ]
    results = run_tasks(
        [{MODULE: options} for options in asked], env=venue.environment(), cwd=tmp_path, shipped=shipped
    )
    assert [result["changed"] for result in results] == [True, False, True, False, True, False]
    assert [[step["action"] for step in result["steps"]] for result in results[:3]] == [
        ["iam:PutRolePolicy"],
        [],
        ["iam:PutRolePolicy", "iam:DeleteRolePolicy"],
    ]
    assert [one["kind"] for one in results[2]["revocations"]] == ["all"]
    assert policies(venue) == []


WEB = {**VENUE, "web_identity_issuer": "https://login.example.org/realm", "web_identity_subject": "jdoe"}


def test_a_person_with_web_identity_tokens_is_refused_and_let_in_again(venue: Moto, tmp_path: pathlib.Path) -> None:
    person = {"web_identity_issuer": "login.example.org/realm", "web_identity_subject": "jdoe"}
    mine = recent(method="web_identity", context=person, session_name="jdoe-1")
    other = recent(
        number=2, method="web_identity", context={**person, "web_identity_subject": "eve"}, session_name="eve-1"
    )
    given = {**WEB, "receipts_file": write(tmp_path / "receipts", mine, other)}
    planned = perform(revocation.OPERATION, Runtime(check_mode=True), **given)
    warnings: list[str] = []
    done = perform(revocation.OPERATION, Runtime(warn=warnings.append), **given)
    assert planned["steps"] == done["steps"]
    assert [step["action"] for step in done["steps"]] == ["iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy"]
    assert [one["summary"].split(",")[0] for one in done["revocations"]] == [
        "session jdoe-1",
        "subject jdoe of login.example.org/realm",
    ]
    assert any("CloudTrail has them" in one for one in warnings)
    assert perform(revocation.OPERATION, **given)["changed"] is False
    perform(role.OPERATION, **VENUE)  # provisioning keeps it
    assert perform(revocation.OPERATION, **given)["changed"] is False
    lifted = perform(revocation.OPERATION, **given, state="absent")
    assert (lifted["changed"], lifted["revocations"]) == (True, [])
    assert perform(revocation.OPERATION, **given, state="absent")["changed"] is False


def test_a_revoked_user_who_can_log_in_again_is_named(venue: Moto, tmp_path: pathlib.Path) -> None:
    person = {"web_identity_issuer": "login.example.org/realm", "web_identity_subject": "jdoe"}
    receipts = [
        recent(method="web_identity", context=person, session_name="jdoe-1"),
        recent(number=2, method="saml", context={"saml_subject": "jdoe@example.org"}, session_name="jdoe-2"),
        recent(number=3, session_name="jdoe-3"),
    ]
    given = {**VENUE, "user": "jdoe", "receipts_file": write(tmp_path / "receipts", *receipts)}
    warnings: list[str] = []
    runtime = Runtime(warn=warnings.append)
    assert len(perform(revocation.OPERATION, runtime, **given)["sessions"]) == 3
    assert [any(words in one for one in warnings) for words in ("jdoe of login.example.org/realm", "SAML again")] == [
        True,
        True,
    ]
    assert any("jdoe@example.org" in one for one in warnings)
    perform(revocation.OPERATION, **WEB)
    warnings.clear()
    perform(revocation.OPERATION, runtime, **given)
    assert not any("web identity token" in one for one in warnings)


def test_a_subject_is_refused_by_every_role_of_the_venue(venue: Moto) -> None:
    legacy(venue)
    done = perform(revocation.OPERATION, **WEB)
    assert [one["name"] for one in done["roles"]] == [ROLE, "legacy-sts"]
    trust = venue.client("iam").get_role(RoleName="legacy-sts")["Role"]["AssumeRolePolicyDocument"]
    assert WEB["web_identity_subject"] in json.dumps([one for one in trust["Statement"] if one["Effect"] == "Deny"])
    assert perform(revocation.OPERATION, **WEB, state="absent")["changed"]
    trust = venue.client("iam").get_role(RoleName="legacy-sts")["Role"]["AssumeRolePolicyDocument"]
    assert [one for one in trust["Statement"] if one["Effect"] == "Deny"] == []


def test_lifting_all_lets_every_subject_in_again(venue: Moto) -> None:
    perform(revocation.OPERATION, **WEB)
    assert perform(revocation.OPERATION, **VENUE, state="absent", all=True)["revocations"] == []


def test_a_refusal_that_another_run_overwrites_is_written_again(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    original, overwritten = revocation.apply, []

    def apply_then_overwritten(*arguments: Any) -> None:
        iam = venue.client("iam")
        before = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
        original(*arguments)
        if not overwritten:
            overwritten.append(True)
            iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(before))

    monkeypatch.setattr(revocation, "apply", apply_then_overwritten)
    done = perform(revocation.OPERATION, **WEB)
    assert [step["action"] for step in done["steps"]] == ["iam:UpdateAssumeRolePolicy"] * 2
    assert "MdpsSubjectsRevoked" in str(venue.client("iam").get_role(RoleName=ROLE)["Role"])


@pytest.mark.parametrize("issuer", ["http://x", "a b", "https://x:1"])
def test_an_issuer_that_is_none_is_refused(venue: Moto, issuer: str) -> None:
    succeeded, result = revocation.OPERATION.run(
        {**dict.fromkeys(revocation.ARGUMENT_SPEC), **WEB, "state": "present", "name_prefix": "unity"}
        | {"web_identity_issuer": issuer},
        Runtime(),
    )
    assert (succeeded, result["error"], result["option"]) == (False, "InvalidInput", "web_identity_issuer")


def test_check_mode_tells_and_does_nothing(venue: Moto) -> None:
    result = perform(revocation.OPERATION, Runtime(check_mode=True), **VENUE, all=True)
    assert result["changed"]
    assert list(result["diff"]["after"]["revocations"]) == [result["revocations"][0]["policy_name"]]
    assert policies(venue) == []


def test_two_concurrent_admins_lose_nothing(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second writes between the first one's read and write."""
    read, other = revocation.read, []

    def read_then_overtaken(*arguments: Any) -> Any:
        found = read(*arguments)
        if not other:
            other.append(True)
            other.append(perform(revocation.OPERATION, **VENUE, session_name="jane", before=ago(minutes=1)))
        return found

    monkeypatch.setattr(revocation, "read", read_then_overtaken)
    perform(revocation.OPERATION, **VENUE, session_name="jdoe", before=ago(minutes=1))
    assert sorted(name.rsplit("=")[-1] for name in policies(venue)) == ["jane", "jdoe"]


def test_somebody_else_clearing_away_the_same_is_no_failure(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    perform(revocation.OPERATION, **VENUE, session_name="jdoe", before=ago(hours=1))
    iam, read, seen = venue.client("iam"), revocation.read, []

    def read_then_cleared(*arguments: Any) -> Any:
        found = read(*arguments)
        if not seen:
            seen.append(True)
            iam.delete_role_policy(RoleName=ROLE, PolicyName=policies(venue)[0])
        return found

    monkeypatch.setattr(revocation, "read", read_then_cleared)
    result = perform(revocation.OPERATION, Runtime(sleep=lambda _seconds: None), **VENUE, state="absent", all=True)
    assert "failed" not in result, result
    assert policies(venue) == []


def test_info_shows_what_stands_and_what_was_altered(venue: Moto) -> None:
    perform(revocation.OPERATION, **VENUE, source_identity="jdoe", before=ago(minutes=5))
    (seen,) = perform(role_info.OPERATION, **VENUE)["venues"]
    assert ([one["value"] for one in seen["revocations"]], seen["status"]) == (["jdoe"], "ok")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    venue.client("iam").put_role_policy(RoleName=ROLE, PolicyName=policies(venue)[0], PolicyDocument=json.dumps(allow))
    (seen,) = perform(role_info.OPERATION, **VENUE)["venues"]
    assert ["was changed and may not deny anything" in words for words in seen["drift"]] == [True]


def legacy(venue: Moto) -> str:
    """The venue's role under a name that does not follow the convention, as `role_name` allows it."""
    assert "failed" not in perform(role.OPERATION, **VENUE, role_name="legacy-sts")
    return str(venue.client("iam").get_role(RoleName="legacy-sts")["Role"]["Arn"])


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def write(file: pathlib.Path, *receipts: Receipt | str) -> str:
    file.write_text("".join((one if isinstance(one, str) else one.to_line()) + "\n" for one in receipts))
    return str(file)


def test_the_receipt_says_which_role_and_not_the_name_of_the_venue(venue: Moto, tmp_path: pathlib.Path) -> None:
    arn = legacy(venue)
    file = write(tmp_path / "receipts", recent(role_arn=arn), recent(number=2))
    result = perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=file)
    assert result["changed"], result
    assert sorted(one["role_name"] for one in result["revocations"]) == ["legacy-sts", ROLE]
    assert [policies(venue, name) != [] for name in ("legacy-sts", ROLE)] == [True, True]
    assert not perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=file)["changed"]


def test_everything_means_the_roles_that_receipts_name_as_well(venue: Moto, tmp_path: pathlib.Path) -> None:
    iam = venue.client("iam")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="Admin", AssumeRolePolicyDocument=trust)
    stranger = iam.get_role(RoleName="Admin")["Role"]["Arn"]
    file = write(tmp_path / "receipts", recent(role_arn=legacy(venue)), recent(number=2, role_arn=stranger))
    result = perform(revocation.OPERATION, **VENUE, all=True, receipts_file=file)
    assert sorted(one["role_name"] for one in result["revocations"]) == ["legacy-sts", ROLE]
    assert iam.list_role_policies(RoleName="Admin")["PolicyNames"] == []


def test_names_of_roles_have_no_case(venue: Moto) -> None:
    upper = recent(role_arn=f"arn:aws:iam::123456789012:role/{ROLE.upper()}").to_json()
    venue_role = read_role(venue.client("iam"), ROLE)
    with pytest.MonkeyPatch.context() as patch:  # moto compares the case of names
        patch.setattr(state, "read_role", lambda _iam, name: venue_role if name.lower() == ROLE else None)
        patch.setattr(state, "read_inline_names", lambda _iam, _name: [])
        result = perform(revocation.OPERATION, Runtime(check_mode=True), **VENUE, receipt=upper)
    assert [one["role_name"] for one in result["revocations"]] == [ROLE]
    assert result["changed"]


def test_a_role_that_does_not_exist_is_named_even_if_receipts_name_others(venue: Moto, tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    file = write(tmp_path / "receipts", recent())
    result = perform(
        revocation.OPERATION, Runtime(warn=said.append), **VENUE, all=True, role_name="legcy-sts", receipts_file=file
    )
    assert [one["role_name"] for one in result["revocations"]] == [ROLE]
    assert any("There is no role legcy-sts in account" in one for one in said)


def test_a_receipt_says_the_same_time_whenever_it_is_used(venue: Moto) -> None:
    receipt = recent().to_json()
    assert perform(revocation.OPERATION, **VENUE, receipt=receipt)["changed"]
    (name,) = policies(venue)
    venue.client("iam").delete_role_policy(RoleName=ROLE, PolicyName=name)
    later = Runtime(now=lambda: datetime.now(UTC) + timedelta(minutes=30))
    perform(revocation.OPERATION, later, **VENUE, receipt=receipt)
    assert policies(venue) == [name]


def test_a_request_without_an_outcome_is_revoked(venue: Moto, tmp_path: pathlib.Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    unknown, failed = requested(at=now), requested(number=2, at=now).failed("AWS refused.", now)
    file = write(tmp_path / "receipts", unknown, failed)
    result = perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=file)
    assert [one["issued"] for one in result["sessions"]] == [False, False]
    assert {one["value"] for one in result["revocations"]} == {unknown.session_name, failed.session_name}
    assert all(parse_time("before", one["before"]) > unknown.issue_until for one in result["revocations"])


def test_keys_of_another_account_change_nothing(venue: Moto, tmp_path: pathlib.Path) -> None:
    other = "210987654321"
    foreign = recent(account_id=other, role_arn=f"arn:aws:iam::{other}:role/{ROLE}")
    for options in (
        {"receipt": foreign.to_json()},
        {"user": "jdoe", "receipts_file": write(tmp_path / "one", foreign)},
    ):
        result = perform(revocation.OPERATION, **VENUE, **options)
        assert (result["error"], result["expected_account_id"]) == ("AccountMismatch", other), result
        assert f'broker_account: "{other}"' in result["msg"]
        assert policies(venue) == []


@pytest.mark.parametrize(
    "options",
    [
        {"state": "locked"},
        {"state": "unlocked"},
        {"all": True},
        {"session_name": "jdoe-1"},
        {"source_identity": "jdoe"},
    ],
    ids=str,
)
def test_what_receipts_do_not_name_is_not_changed_in_another_account_than_theirs(
    venue: Moto, tmp_path: pathlib.Path, options: dict[str, Any]
) -> None:
    other, mine = "210987654321", "123456789012"
    foreign = recent(account_id=other, role_arn=f"arn:aws:iam::{other}:role/{ROLE}", session_name="jdoe-1")
    asked = {**VENUE, **options, "receipts_file": write(tmp_path / "receipts", foreign)}
    refused = perform(revocation.OPERATION, **asked)
    assert (refused["error"], refused["expected_account_id"]) == ("AccountMismatch", other), refused
    assert f'broker_account: "{other}"' in refused["msg"] and f"set expected_account_id to {mine}" in refused["msg"]
    assert policies(venue) == [] and not has_lock(read_role(venue.client("iam"), ROLE))
    # False receipts keep nobody from it who names the account; nor do they beside a receipt of this account.
    assert "failed" not in perform(revocation.OPERATION, **asked, expected_account_id=mine)
    both = write(tmp_path / "both", foreign, recent(number=2))
    beside = perform(revocation.OPERATION, **{**asked, "receipts_file": both})
    assert beside.get("error") == ("AccountMismatch" if "session_name" in options else None)


def test_receipts_that_cannot_be_followed_stop_no_other_revocation(venue: Moto, tmp_path: pathlib.Path) -> None:
    other, now = "210987654321", datetime.now(UTC).replace(microsecond=0)
    venue.client("iam").create_role(
        RoleName="unity-emit-ops-sts",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
        Tags=tags(Proj="emit", Venue="ops", Capability="sts"),
    )
    foreign = recent(number=2, account_id=other, role_arn=f"arn:aws:iam::{other}:role/{ROLE}")
    of_another = recent(number=3, role_arn="arn:aws:iam::123456789012:role/unity-emit-ops-sts")
    future = requested(number=4, at=now + timedelta(days=400))
    usual = recent()
    file = write(tmp_path / "receipts", foreign, of_another, future, usual)
    warned: list[str] = []
    mine = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, user="jdoe", receipts_file=file)
    assert not mine.get("failed"), mine
    assert {one["value"] for one in mine["revocations"]} == {usual.session_name, future.session_name}
    assert all(parse_time("before", one["before"]) < now + timedelta(minutes=5) for one in mine["revocations"])
    assert {one["session_name"] for one in mine["left_out"]} == {foreign.session_name, of_another.session_name}
    assert [any(word in one for one in warned) for word in (other, "emit", "future")] == [True] * 3
    (only,) = (perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=write(tmp_path / "one", of_another)),)
    assert only["error"] == "OwnershipConflict"


def test_a_role_that_was_deleted_or_created_again_is_named(venue: Moto, tmp_path: pathlib.Path) -> None:
    here, gone = recent(), recent(number=2, role_arn="arn:aws:iam::123456789012:role/gone-sts")
    file = write(tmp_path / "receipts", here, gone)
    warned: list[str] = []
    result = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, user="jdoe", receipts_file=file)
    assert [one["role_gone"] for one in result["sessions"]] == [True, True]  # moto gives the role another id than ours
    assert ["no longer exists" in warned[0], "created again" in warned[1]] == [True, True]
    assert [one["value"] for one in result["revocations"]] == [here.session_name]


def put_lease(venue: Moto, user: str, renewal: Renewal | None = None) -> str:
    """A live lease as it is stored; its name."""
    now = datetime.now(UTC)
    one = lease(user, starts_at=now, ends_at=now + timedelta(days=1))
    ssm, name = venue.client("ssm"), parameter_name(LEASES, user)
    ssm.put_parameter(Name=name, Value=one.to_line(), Type="String")
    if renewal:
        line = replace(renewal, lease_id=one.id).to_line()
        ssm.put_parameter(Name=renewal_name(LEASES, user), Value=line, Type="String")
    return name


def leases_left(venue: Moto) -> list[str]:
    answer = venue.client("ssm").get_parameters_by_path(Path=LEASES, Recursive=True)
    return sorted(one["Name"].removeprefix(f"{LEASES}/") for one in answer["Parameters"])


def test_a_user_loses_the_lease_first_and_then_the_tokens(
    venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_lease(venue, "jdoe", renewed(0, 60))
    put_lease(venue, "jane")
    receipt = recent()
    options = {**VENUE, "user": "jdoe", "receipts_file": write(tmp_path / "receipts", receipt)}
    checked = perform(revocation.OPERATION, Runtime(check_mode=True), **options)
    assert (checked["changed"], checked["steps"][0]["action"]) == (True, "ssm:DeleteParameters")
    assert leases_left(venue) == ["jane", "jdoe", "jdoe/renewal"]
    applied = revocation.apply

    def apply_later(*arguments: Any) -> None:
        assert leases_left(venue) == ["jane", "jdoe/renewal"]
        applied(*arguments)

    monkeypatch.setattr(revocation, "apply", apply_later)
    result = perform(revocation.OPERATION, **options)
    assert [one["user"] for one in result["leases"]] == ["jdoe"], result
    assert [step["action"] for step in result["steps"]] == ["ssm:DeleteParameters", *["iam:PutRolePolicy"] * 2]
    assert {one["value"] for one in result["revocations"]} == {receipt.session_name, "jdoe"}
    assert leases_left(venue) == ["jane"]
    monkeypatch.setattr(revocation, "apply", applied)
    assert not perform(revocation.OPERATION, **options)["changed"]


def test_a_lease_whose_receipts_are_elsewhere_ends_with_all_of_its_tokens(venue: Moto, tmp_path: pathlib.Path) -> None:
    put_lease(venue, "jdoe", renewed(0, 60))
    result = perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=write(tmp_path / "none"))
    assert [(one["kind"], one["value"]) for one in result["revocations"]] == [("user", "jdoe")], result
    assert leases_left(venue) == []
    assert "no receipt" in perform(revocation.OPERATION, **VENUE, user="jdoe")["msg"]


def test_a_forged_renewal_revokes_nobody_else(venue: Moto, tmp_path: pathlib.Path) -> None:
    put_lease(venue, "jdoe", replace(renewed(0, 60), session_name="jane-20261122T093015Z-3fa91c"))
    result = perform(revocation.OPERATION, **VENUE, user="jdoe", receipts_file=write(tmp_path / "none"))
    assert [(one["kind"], one["value"]) for one in result["revocations"]] == [("user", "jdoe")], result
    assert leases_left(venue) == []


def test_everything_ends_every_lease_and_lifting_brings_none_back(venue: Moto) -> None:
    for user in ("jdoe", "jane"):
        put_lease(venue, user)
    venue.client("ssm").put_parameter(Name=f"{LEASES}/forged", Value="{}", Type="String")
    put_lease(venue, "j.o@example.org")
    result = perform(revocation.OPERATION, **VENUE, all=True)
    assert [one["user"] for one in result["leases"]] == ["j.o@example.org", "jane", "jdoe"], result
    assert leases_left(venue) == []
    assert perform(revocation.OPERATION, **VENUE, state="absent", all=True)["leases"] == []


def test_one_session_and_lifting_end_no_lease(venue: Moto) -> None:
    put_lease(venue, "jdoe")
    for options in ({"session_name": "jdoe"}, {"state": "absent", "all": True}):
        assert perform(revocation.OPERATION, **VENUE, **options)["leases"] == []
    assert leases_left(venue) == ["jdoe"]


@pytest.mark.parametrize("call", ["read_leases", "end_leases"])
def test_tokens_are_revoked_also_if_a_lease_cannot_be_ended(
    venue: Moto, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    put_lease(venue, "jdoe")

    def refuse(*_arguments: Any) -> None:
        raise AwsRefused("AWS said no.", operation="ssm:Some", code="AccessDeniedException")

    monkeypatch.setattr(state if call == "read_leases" else revocation, call, refuse)
    warned: list[str] = []
    result = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, all=True)
    assert policies(venue) != []
    if call == "read_leases":
        assert "none was ended" in warned[0]
    else:
        assert "The tokens are revoked, but not every lease has ended" in result["msg"]


def test_hostile_lines_are_counted_and_stop_nothing(venue: Moto, tmp_path: pathlib.Path) -> None:
    hostile = ['{"schema": 2, "handoff": null}', recent().to_line().replace("3600", "1" + "0" * 30), "[" * 9000, "\0"]
    file = write(tmp_path / "receipts", *hostile, recent(), *hostile)
    warned: list[str] = []
    result = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, user="jdoe", receipts_file=file)
    assert (result["changed"], result["unreadable"]) == (True, 8), result
    assert "8 receipts" in warned[0]


def test_the_default_file_is_known(venue: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".mdps").mkdir()
    write(tmp_path / ".mdps" / "receipts.jsonl", recent())
    key = perform(revocation.OPERATION, **VENUE, access_key_id=recent().access_key_id)
    assert [one["recipient"] for one in key["sessions"]] == ["jdoe"], key


BLANKS = ("", " ", "\t\n")
FILE = {"receipts_file": "/nonexistent/receipts"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of"),
        ({"all": False}, "exactly one of"),
        *[({name: blank}, "must not be empty") for name in TARGETS[:2] for blank in BLANKS],
        *[
            ({name: blank, "all": True}, "must not be empty")
            for name in (*TARGETS[:2], *TARGETS[3:5])
            for blank in BLANKS
        ],
        *[({name: blank}, "must not be empty") for name in TARGETS[3:5] for blank in BLANKS],
        ({"receipt": {}}, "must not be empty"),
        ({"all": True, "user": "jdoe"}, "exactly one of"),
        ({"all": True, "expected_account_id": ""}, "must not be empty"),
        ({"all": True, "before": ""}, "must not be empty"),
        ({"all": True, "role_name": ""}, "must not be empty"),
        ({"all": True, "receipts_file": ""}, "must not be empty"),
        ({"all": True, "before": "yesterday"}, "not a time"),
        ({"all": True, "before": "2199-01-01T00:00:00Z"}, "future"),
        ({"session_name": "has space"}, "session_name"),
        ({"source_identity": "x"}, "source_identity"),
        ({"session_name": "jdoe", "source_identity": "jdoe"}, "exactly one of"),
        ({"user": "jdoe", "before": "2026-01-01T00:00:00Z"}, "mutually exclusive"),
        ({"user": "jdoe", **FILE}, "cannot be read"),
        ({"user": "José", **FILE}, "is not a user name"),
        ({"receipt": {"recipient": "jdoe"}}, "is not the receipt"),
        ({"receipt": {**recent().to_json(), "venue": "ops"}}, "not for sbg-dev"),
        ({"all": True, "expected_account_id": "1"}, "12 digits"),
    ],
)  # fmt: skip
def test_bad_input(options: dict[str, Any], message: str) -> None:
    # No server is there: whatever passed would end as a connection problem.
    result = perform(revocation.OPERATION, **VENUE, **options)
    assert result["failed"]
    assert message in result["msg"]


def test_no_role_and_no_fitting_receipt(venue: Moto, tmp_path: pathlib.Path) -> None:
    assert perform(revocation.OPERATION, project="emit", venue="ops", all=True)["error"] == "NotProvisioned"
    result = perform(revocation.OPERATION, **VENUE, all=True, expected_account_id="999999999999")
    assert result["error"] == "AccountMismatch"
    file = write(tmp_path / "receipts", issued())
    warned: list[str] = []
    result = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, user="jdoe", receipts_file=file)
    assert (result["changed"], len(warned)) == (False, 1)
    nobody = perform(revocation.OPERATION, **VENUE, user="nobody", receipts_file=file)
    assert "no receipt" in nobody["msg"]


def play(venue: Moto, folder: pathlib.Path, *options: str, code: int = 0) -> str:
    command = ["mdps.venue_sts.revoke", *options]
    return ansible_playbook(*command, env=venue.environment(), cwd=folder).expect(code).output


def test_the_playbook(venue: Moto, tmp_path: pathlib.Path) -> None:
    one = ("-e", "project=sbg", "-e", "venue=dev")
    for blank in ((), ("-e", "user="), ("-e", 'user=""'), ("-e", "all=false")):
        refused = play(venue, tmp_path, *one, *blank, code=2)
        assert "exactly one of" in refused or "must not be empty" in refused
        assert policies(venue) == []
    assert "session jdoe, issued before" in play(venue, tmp_path, *one, "-e", "session_name=jdoe")
    assert "nothing" in play(venue, tmp_path, *one, "-e", "lift=true", "-e", "all=true")
    assert policies(venue) == []


def test_a_user_in_every_venue_of_an_inventory(venue: Moto, tmp_path: pathlib.Path) -> None:
    missing = "arn:aws:iam::123456789012:role/unity-emit-ops-sts"
    other = "arn:aws:iam::210987654321:role/unity-emit-test-sts"
    write(
        tmp_path / "receipts.jsonl",
        recent(),
        recent(number=2, venue=Venue("emit", "ops"), role_arn=missing),
        recent(number=3, venue=Venue("emit", "test"), role_arn=other, account_id="210987654321"),
    )
    hosts = {f"{project}-{name}": {"project": project, "venue": name} for project, name in
             (("sbg", "dev"), ("emit", "ops"), ("emit", "test"))}  # fmt: skip
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"children": {"venues": {"hosts": hosts}}}}))
    output = play(
        venue, tmp_path, "-i", "inventory.json", "-e", "user=jdoe", "-e", "receipts_file=receipts.jsonl", code=2
    )
    rows = [line.strip(' "') for line in output.splitlines()]
    found = {
        row.split()[0]: row.split()[1:3] for row in rows if re.match(r"(sbg|emit)-\w+   .* (changed|ok|FAILED) ", row)
    }
    assert found == {
        "sbg-dev": ["123456789012", "changed"],
        "emit-ops": ["123456789012", "ok"],
        "emit-test": ["123456789012", "FAILED"],
    }
    assert "--limit 'emit-test'" in output
    assert policies(venue) != []


def statements(moto: Moto) -> list[dict[str, Any]]:
    trust = moto.client("iam").get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    return list(trust["Statement"])


def test_lock_again_provision_rotate_and_unlock(venue: Moto) -> None:
    before = statements(venue)
    locked = perform(revocation.OPERATION, **VENUE, state="locked")
    assert [step["action"] for step in locked["steps"]] == ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]
    assert (locked["locked"], locked["roles"][0]["locked"]) == (True, True)
    assert (locked["diff"]["before"]["locked"], locked["diff"]["after"]["locked"]) == (False, True)
    assert statements(venue) == [*before, lock_statement()]
    again = perform(revocation.OPERATION, **VENUE, state="locked")
    assert (again["changed"], again["locked"], len(again["revocations"])) == (False, True, 1)
    assert "locked" in perform(role.OPERATION, **VENUE)["notes"][0]
    assert "failed" not in perform(role.OPERATION, **VENUE, rotate_external_id=True)
    assert statements(venue)[-1] == lock_statement()
    assert perform(issuing.OPERATION, **VENUE, user="jdoe")["error"] == "NotAssumable"
    unlocked = perform(revocation.OPERATION, **VENUE, state="unlocked")
    assert (unlocked["changed"], unlocked["locked"]) == (True, False)
    assert lock_statement() not in statements(venue)
    assert [one["kind"] for one in unlocked["revocations"]] == ["all"]
    assert not perform(revocation.OPERATION, **VENUE, state="unlocked")["changed"]


def test_a_lock_also_ends_tokens_that_are_issued_while_it_spreads_and_none_after_unlocking(venue: Moto) -> None:
    (during,) = perform(revocation.OPERATION, **VENUE, state="locked")["revocations"]
    assert parse_time("before", during["before"]) > datetime.now(UTC) + timedelta(minutes=4)
    (after,) = perform(revocation.OPERATION, **VENUE, state="unlocked")["revocations"]
    assert parse_time("before", after["before"]) <= datetime.now(UTC) + timedelta(seconds=2)


def test_a_run_that_overwrites_the_lock_is_noticed(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisioning read the trust policy before the lock was there, and writes it after."""
    iam, before, applied = venue.client("iam"), statements(venue), revocation.apply
    overwritten = []

    def apply_then_overwritten(*arguments: Any) -> None:
        applied(*arguments)
        if not overwritten:
            overwritten.append(True)
            document = json.dumps({"Version": "2012-10-17", "Statement": before})
            iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=document)

    monkeypatch.setattr(revocation, "apply", apply_then_overwritten)
    result = perform(revocation.OPERATION, Runtime(sleep=lambda _seconds: None), **VENUE, state="locked")
    assert (overwritten, result["locked"]) == ([True], True)
    assert statements(venue)[-1] == lock_statement()


def test_a_lock_that_is_overwritten_each_time_is_given_up_with_growing_pauses(
    venue: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements(venue)})
    applied, naps = revocation.apply, list[float]()

    def apply_then_overwritten(*arguments: Any) -> None:
        applied(*arguments)
        venue.client("iam").update_assume_role_policy(RoleName=ROLE, PolicyDocument=document)

    monkeypatch.setattr(revocation, "apply", apply_then_overwritten)
    runtime = Runtime(sleep=naps.append, jitter=lambda most: most)
    result = perform(revocation.OPERATION, runtime, **VENUE, state="locked")
    assert (result["error"], naps) == ("ConcurrentChange", [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8])


def test_tokens_of_a_role_that_was_made_again_are_said_to_have_ended(venue: Moto, tmp_path: pathlib.Path) -> None:
    one = recent()
    file = write(tmp_path / "receipts", replace(one, assumed_role_id=f"AROAFORMERFORMERFORM:{one.session_name}"))
    said: list[list[str]] = []
    for asked in ({"user": "jdoe"}, {"all": True}):
        said.append([])
        assert perform(revocation.OPERATION, Runtime(warn=said[-1].append), **VENUE, **asked, receipts_file=file)[
            "changed"
        ]
    about = ["was deleted and created again" in " ".join(warned) for warned in said]
    assert about == [True, False], said


def test_every_role_of_the_venue_is_locked(venue: Moto, tmp_path: pathlib.Path) -> None:
    """By a receipt, or by the tags of the role. Roles of other venues and of other parts of MDPS stay as they are."""
    iam, nothing = venue.client("iam"), json.dumps({"Version": "2012-10-17", "Statement": []})
    for name, (project, capability) in {"eks": ("sbg", "eks"), "other": ("emit", "sts")}.items():
        owner = tags(Proj=project, Venue="dev", Capability=capability)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=nothing, Tags=owner)
    in_receipts = {"receipts_file": write(tmp_path / "receipts", recent(role_arn=legacy(venue)))}
    for file in (in_receipts, {}):
        result = perform(revocation.OPERATION, **VENUE, state="locked", **file)
        assert [(one["name"], one["locked"]) for one in result["roles"]] == [(ROLE, True), ("legacy-sts", True)]
        opened = perform(revocation.OPERATION, **VENUE, state="unlocked", **file)
        assert [(one["name"], one["locked"]) for one in opened["roles"]] == [(ROLE, False), ("legacy-sts", False)]
    ended = perform(revocation.OPERATION, **VENUE, all=True, role_name="legacy-sts")
    assert {one["name"] for one in ended["roles"]} == {ROLE, "legacy-sts"}
    for name in ("eks", "other"):
        assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"] == []
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []


def test_a_revoker_who_may_not_look_for_other_roles_is_told_so(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: Any) -> list[str]:
        raise AwsRefused("not allowed", operation="iam:GetAccountAuthorizationDetails", code="AccessDenied")

    monkeypatch.setattr(state, "roles_of", denied)
    warned: list[str] = []
    result = perform(revocation.OPERATION, Runtime(warn=warned.append), **VENUE, state="locked", **FILE)
    assert result["locked"]
    assert [any(said in one for one in warned) for said in ("not searched", "cannot be read")] == [True, True]
    assert ["not searched" in one for one in result["not_reached"]] == [True]


def test_a_receipt_of_another_mdps_role_of_the_venue_is_left_out(venue: Moto, tmp_path: pathlib.Path) -> None:
    iam = venue.client("iam")
    owner = tags(Proj="sbg", Venue="dev", Capability="eks")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="eks", AssumeRolePolicyDocument=trust, Tags=owner)
    forged = recent(number=2, role_arn="arn:aws:iam::123456789012:role/eks")
    result = perform(
        revocation.OPERATION, **VENUE, user="jdoe", receipts_file=write(tmp_path / "receipts", forged, recent())
    )
    assert [one["session_name"] for one in result["left_out"]] == [forged.session_name]
    assert iam.list_role_policies(RoleName="eks")["PolicyNames"] == []


@pytest.mark.parametrize("state", ["locked", "unlocked"])
@pytest.mark.parametrize("option", [{"all": True}, {"user": "jdoe"}, {"before": BEFORE}], ids=str)
def test_a_lock_is_about_the_whole_venue(state: str, option: dict[str, Any]) -> None:
    result = perform(revocation.OPERATION, **VENUE, state=state, **option)
    assert f"cannot be used with state {state}" in result["msg"]


def test_what_a_proof_needs_keeps_nothing_from_being_locked(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_arguments: Any) -> dict[str, Any]:
        raise AwsRefused("The caller needs ssm:GetParameters.", operation="ssm:GetParameters", code="AccessDenied")

    monkeypatch.setattr(verification, "read_parameters", denied)
    result = perform(revocation.OPERATION, **VENUE, state="locked", verify=True, wait_timeout=0)
    assert (result["error"], result["changed"]) == ("NotProven", True)
    assert "It could not be tried before the lock" in result["msg"]
    assert lock_statement() in statements(venue)


@pytest.mark.parametrize("mistyped", ["lift=ture", "lift="])
def test_a_mistyped_answer_revokes_nothing(venue: Moto, tmp_path: pathlib.Path, mistyped: str) -> None:
    command = ("mdps.venue_sts.revoke", "-e", "project=sbg", "-e", "venue=dev", "-e", "all=true", "-e", mistyped)
    output = ansible_playbook(*command, env=venue.environment(), cwd=tmp_path).expect(2).output
    assert "is neither true nor false" in output
    assert policies(venue) == []


def test_the_playbooks_lock_and_unlock(venue: Moto, tmp_path: pathlib.Path) -> None:
    one = ("-e", "project=sbg", "-e", "venue=dev")
    run = {"env": venue.environment(), "cwd": tmp_path}
    assert "LOCKED" in ansible_playbook("mdps.venue_sts.lock", *one, "--check", **run).expect(0).output
    assert lock_statement() not in statements(venue)
    assert "LOCKED, no new token; every token" in ansible_playbook("mdps.venue_sts.lock", *one, **run).expect(0).output
    assert lock_statement() in statements(venue)
    assert "LOCKED" not in ansible_playbook("mdps.venue_sts.unlock", *one, **run).expect(0).output
    assert lock_statement() not in statements(venue)


def test_nothing_is_lifted_under_a_lock(venue: Moto) -> None:
    perform(revocation.OPERATION, **VENUE, state="locked")
    before = policies(venue)
    refused = perform(revocation.OPERATION, **VENUE, state="absent", all=True)
    assert (refused["error"], policies(venue)) == ("InvalidInput", before)
    assert "Unlock the venue first" in refused["msg"]


def test_a_proof_that_fails_says_whether_anything_was_changed(venue: Moto) -> None:
    """Moto enforces no policy, so no lock is ever proven there."""
    options = {"state": "locked", "verify": True, "wait_timeout": 0}
    first, second = (perform(revocation.OPERATION, **VENUE, **options) for _more in range(2))
    assert (first["error"], first["changed"], second["changed"]) == ("NotProven", True, False)
    assert "the change was made, but it could not be verified" in first["msg"]
    assert "nothing had to be changed, but it could not be verified" in second["msg"]


@pytest.mark.parametrize(("typed", "warned"), [("jdoe", 1), ("", 0)])
def test_a_session_that_no_receipt_names_may_be_mistyped(
    venue: Moto, tmp_path: pathlib.Path, typed: str, warned: int
) -> None:
    said: list[str] = []
    known = recent()
    options = {**VENUE, "session_name": typed or known.session_name, "receipts_file": write(tmp_path / "known", known)}
    result = perform(revocation.OPERATION, Runtime(warn=said.append), **options)
    assert result["changed"]
    assert len([one for one in said if "Check that the name is spelled" in one]) == warned


def test_a_proof_of_nothing_is_said_to_be_none(venue: Moto, tmp_path: pathlib.Path) -> None:
    said: list[str] = []
    over = issued(at=datetime.now(UTC) - timedelta(days=2))
    options = {**VENUE, "user": "jdoe", "receipts_file": write(tmp_path / "over", over), "verify": True}
    result = perform(revocation.OPERATION, Runtime(warn=said.append), **options)
    assert (result["verified"], result["changed"]) == ([], False)
    assert any("Nothing was verified" in one for one in said)


@pytest.mark.parametrize("option", [{}, {"external_id_parameter": "/mdps/sbg/external-id"}], ids=["default", "named"])
def test_a_lock_is_tried_with_the_external_id_of_the_parameter_that_is_named(
    venue: Moto, monkeypatch: pytest.MonkeyPatch, option: dict[str, str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(verification, "try_to_assume", lambda _sts, _role, value: asked.append(value))
    ssm = venue.client("ssm")
    ssm.put_parameter(Name="/mdps/sbg/external-id", Value="an-external-id-for-tests", Type="String")
    conventional = ssm.get_parameter(Name="/unity/sbg/dev/cs/sts/role/external-id")["Parameter"]["Value"]
    perform(revocation.OPERATION, **VENUE, state="locked", verify=True, wait_timeout=0, **option)
    assert {str(getattr(one, "value", one)) for one in asked} == {
        "an-external-id-for-tests" if option else conventional
    }


def test_venues_that_failed_are_listed_in_the_order_of_the_inventory(tmp_path: pathlib.Path) -> None:
    names = [f"sbg-{venue}" for venue in ("z", "a", "y", "b", "x", "c", "w", "d")]
    hosts = {name: {"project": "sbg", "venue": name[-1]} for name in names}
    (tmp_path / "inventory.yml").write_text(json.dumps({"venues": {"hosts": hosts}}))
    # Refused before AWS is asked.
    run = ansible_playbook("mdps.venue_sts.revoke", "-i", "inventory.yml", "-e", "user=", env={}, cwd=tmp_path)
    run.expect(2)
    assert f"Failed, see the messages above: {', '.join(names)}. To repeat" in run.output
    assert f"--limit '{','.join(names)}'" in run.output


def test_the_table_shows_what_is_revoked_of_a_venue_that_failed(venue: Moto, tmp_path: pathlib.Path) -> None:
    """The sessions that fit are revoked; the others are the failure."""
    many = [recent(number=number, session_name=f"by-hand-{number:056}") for number in range(60)]
    one = ("-e", "project=sbg", "-e", "venue=dev", "-e", "user=jdoe")
    output = play(venue, tmp_path, *one, "-e", f"receipts_file={write(tmp_path / 'many', *many)}", code=2)
    assert re.search(r"sbg-dev +123456789012 +FAILED +session by-hand-0.*; and [0-9]+ more", output)
    assert policies(venue) != []


def test_the_table_is_shown_also_if_every_venue_failed(venue: Moto, tmp_path: pathlib.Path) -> None:
    command = ("mdps.venue_sts.revoke", "-e", "project=sbg", "-e", "venue=dev", "-e", "user=nobody")
    run = {"env": venue.environment(), "cwd": tmp_path}
    output = ansible_playbook(*command, "-e", f"receipts_file={write(tmp_path / 'none')}", **run).expect(2).output
    assert re.search(r"sbg-dev +- +FAILED", output)
    assert "Failed, see the messages above: localhost" in output
    assert output.rindex("about a token of 'nobody'") > output.index("Failed, see the messages")
