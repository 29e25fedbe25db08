# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The leases of venues, read for a report, and shown in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_names import parameter_name, renewal_name
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.leases import Renewal
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role_info import OPERATION
from moto import mock_aws

from tests.support.account import Account, Runner, refuse
from tests.support.leases import lease, renewed
from tests.support.report import HOSTILE, NOW, page, venue

PATH = "/unity/sbg/dev/cs/sts/leases"
OTHER = "/unity/sbg/ops/approved"
VENUES = [
    {"project": "sbg", "venue": "dev"},
    {"project": "sbg", "venue": "ops", "lease_path": OTHER},
]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
    with mock_aws():
        yield Account()


@pytest.fixture
def info(account: Account) -> Runner:
    return Runner(OPERATION, account)


def put(account: Account, name: str, value: str) -> None:
    account.ssm.put_parameter(Name=name, Value=value, Type="String")


def test_leases_are_read_only_if_they_are_asked_for(info: Runner, account: Account) -> None:
    put(account, parameter_name(PATH, "jdoe"), lease().to_line())
    found = info.execute(venues=VENUES)["venues"]
    assert [one for one in found if "leases" in one] == []
    assert "ssm:GetParametersByPath" not in account.calls


def test_each_venue_has_its_leases_and_what_is_none_is_named(info: Runner, account: Account) -> None:
    put(account, parameter_name(PATH, "jdoe"), lease().to_line())
    put(account, renewal_name(PATH, "jdoe"), renewed(0, 60).to_line())
    put(account, f"{OTHER}/x", "not JSON")
    dev, ops = info.execute(venues=VENUES, leases=True)["venues"]
    (found,) = dev["leases"]
    assert (found["user"], found["reason"], found["approver"]) == ("jdoe", "calibrate the archive", "admin")
    assert (dev["lease_problems"], ops["leases"]) == ([], [])
    assert re.fullmatch(rf"{OTHER}/x is not a lease and is not renewed: .*", ops["lease_problems"][0])
    assert account.calls.count("ssm:GetParametersByPath") == len(VENUES)


def test_a_renewal_that_delivered_nothing_yet_has_its_problem_and_no_times(info: Runner, account: Account) -> None:
    failed = Renewal(lease_id=lease().id, attempted_at=NOW, problem="AWS refused.")
    put(account, parameter_name(PATH, "jdoe"), lease().to_line())
    put(account, renewal_name(PATH, "jdoe"), failed.to_line())
    (found,) = info.execute(**VENUES[0], leases=True)["venues"][0]["leases"]
    assert {name: found[name] for name in ("last_renewal", "token_until", "problem")} == {
        "last_renewal": None,
        "token_until": None,
        "problem": "AWS refused.",
    }


def test_leases_that_may_not_be_read_do_not_stop_the_rest(info: Runner, account: Account) -> None:
    account.before("ssm:GetParametersByPath", refuse("AccessDeniedException"))
    found = info.execute(venues=VENUES[:1], leases=True)["venues"]
    assert found[0]["leases"] == []
    assert "ssm:GetParametersByPath" in found[0]["lease_problems"][0]


def test_more_venues_than_are_read_side_by_side(info: Runner, account: Account) -> None:
    many = [{"project": "sbg", "venue": f"v{number}"} for number in range(23)]
    found = info.execute(venues=many, leases=True)["venues"]
    assert [one["leases"] for one in found] == [[]] * 23


def shown(**changed: Any) -> dict[str, Any]:
    facts = {**lease().to_json(), "state": "active", "last_renewal": None, "next_renewal": None, "problem": None}
    return {**facts, **changed}


def reported(*leases: dict[str, Any], problems: tuple[str, ...] = ()) -> dict[str, Any]:
    held = venue(1, "ok", leases=list(leases), lease_problems=list(problems))
    return report.facts([{"venues": [held]}], [], NOW)


def test_the_page_lists_leases_and_escapes_what_others_wrote() -> None:
    text = page(reported(shown(reason=HOSTILE, next_renewal="2026-11-22T12:20:00Z")))
    assert '<h2 id="leases-title">Leases</h2>' in text
    for word in ("jdoe", "SBG-17", "admin", "2026-11-22T12:20:00Z"):
        assert f">{word}</td>" in text
    assert HOSTILE not in text
    assert "leases-title" not in page(reported())


def test_the_terminal_lists_leases_with_who_approved_them_and_why() -> None:
    lines = report.table(reported(shown(), shown(user="jane", ticket=None, last_renewal="2026-11-22T11:20:00Z")))
    until = lease().to_json()["ends_at"]
    assert lines[2].split() == [word for title, _width in report.LEASE_COLUMNS for word in title.split()] + [
        *("APPROVED", "BY,", "REASON")
    ]
    assert re.split(r" +", lines[3], maxsplit=7) == [
        *("p0", "/", "v1", "jdoe", until, "-", "-", "admin: calibrate the archive (SBG-17)")
    ]
    assert lines[4].endswith(f"{until} 2026-11-22T11:20:00Z -                    admin: calibrate the archive")
    assert not any("LEASES" in line for line in report.table(reported()))


def test_a_renewal_that_fails_is_a_remark_until_the_lease_ends() -> None:
    failing, ended = shown(problem="the venue is locked."), shown(problem="the venue is locked.", state="ended")
    (told,) = reported(failing, ended, problems=("they could not be read.",))["venues"]
    until = lease().to_json()["ends_at"]
    assert report.remarks(told)[:2] == [
        "leases: they could not be read.",
        f"lease of jdoe until {until}: the venue is locked.",
    ]
    assert "lease of jdoe" in "\n".join(report.table(reported(failing)))
