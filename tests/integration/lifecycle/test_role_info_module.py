# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_role_info`` against moto, through both front ends."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from tests.support.playbook import run_tasks
from tests.support.servers import Moto

ROLE = "mdps.venue_sts.venue_sts_role"
INFO = "mdps.venue_sts.venue_sts_role_info"
VENUES = (("sbg", "dev"), ("emit", "ops"))


@pytest.fixture
def provisioned(moto: Moto, tmp_path: pathlib.Path) -> Moto:
    for project, venue in VENUES:
        moto.publish(project, venue)
    tasks: list[dict[str, Any]] = [{ROLE: {"project": project, "venue": venue}} for project, venue in VENUES]
    for result in run_tasks(tasks, env=moto.environment(), cwd=tmp_path):
        assert result["changed"], result
    return moto


def calls(moto: Moto) -> int:
    return moto._log.read_text().count('"POST / ')


def tell(moto: Moto, cwd: pathlib.Path, *options: dict[str, Any], shipped: bool = False) -> list[dict[str, Any]]:
    return run_tasks([{INFO: one} for one in options], env=moto.environment(), cwd=cwd, shipped=shipped)


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_one_a_list_and_all(provisioned: Moto, tmp_path: pathlib.Path, shipped: bool) -> None:
    listed = {
        "venues": [{"project": "sbg", "venue": "dev", "allow_delete": True}, {"project": "asips", "venue": "test"}]
    }
    one, some, every = tell(provisioned, tmp_path, {"project": "sbg", "venue": "dev"}, listed, {}, shipped=shipped)
    assert [(seen["role_name"], seen["status"], seen["external_id"]["state"]) for seen in one["venues"]] == [
        ("unity-sbg-dev-sts", "ok", "equal")
    ]
    assert [(seen["project"], seen["status"], seen["drift"]) for seen in some["venues"]] == [
        ("asips", "absent", []),
        ("sbg", "drifted", ["lacks s3:DeleteObject"]),
    ]
    assert [(seen["project"], seen["status"]) for seen in every["venues"]] == [("emit", "ok"), ("sbg", "ok")]
    assert not any(result["changed"] for result in (one, some, every))
    value = provisioned.client("ssm").get_parameter(Name="/unity/sbg/dev/cs/sts/role/external-id")["Parameter"]["Value"]
    assert value not in json.dumps([one, some, every])


def test_what_went_wrong_is_found(provisioned: Moto, tmp_path: pathlib.Path) -> None:
    iam, ssm = provisioned.client("iam"), provisioned.client("ssm")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "AROAEXAMPLEEXAMPLEEX"}, "Action": "sts:AssumeRole"}]
    }
    iam.update_assume_role_policy(
        RoleName="unity-sbg-dev-sts", PolicyDocument=json.dumps({"Version": "2012-10-17", **trust})
    )
    iam.create_role(
        RoleName="unity-unity-sbg-dev-sts",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}),
    )
    ssm.delete_parameter(Name="/unity/emit/ops/cs/sts/role/external-id")
    seen = {one["role_name"]: one for one in tell(provisioned, tmp_path, {})[0]["venues"]}
    assert seen["unity-sbg-dev-sts"]["dead_principals"] == ["AROAEXAMPLEEXAMPLEEX"]
    assert seen["unity-sbg-dev-sts"]["external_id"]["state"] == "missing_in_trust_policy"
    assert seen["unity-emit-ops-sts"]["external_id"]["state"] == "missing_in_ssm"
    assert seen["unity-unity-sbg-dev-sts"]["name_also_reads_as"] == ["unity + sbg-dev", "unity-sbg + dev"]
    assert "adopt" in seen["unity-unity-sbg-dev-sts"]["problem"]
    assert {one["status"] for one in seen.values()} == {"broken"}


def test_two_venues_of_one_role_name_are_both_named(provisioned: Moto, tmp_path: pathlib.Path) -> None:
    venues = [{"project": "unity", "venue": "sbg-dev"}, {"project": "unity-sbg", "venue": "dev"}]
    first, second = tell(provisioned, tmp_path, {"venues": venues})[0]["venues"]
    assert "unity-sbg-dev" in first["problem"]
    assert "unity-sbg-dev" in second["problem"]


BAD = [
    ({"project": "sbg"}, "required together"),
    ({"project": "sbg", "venue": "dev", "venues": [{"project": "sbg", "venue": "ops"}]}, "mutually exclusive"),
    ({"role_name": "x"}, "also set project and venue"),
    ({"project": "S!", "venue": "dev"}, "is not a name"),
    (
        {"venues": [{"project": "sbg", "venue": "dev", "external_id": "not-to-be-shown"}]},
        "external_id is not an option",
    ),
    ({"venues": [{"project": "sbg", "venue": "dev", "colour": "red"}]}, "colour is not an option"),
    ({"venues": [{"project": "sbg"}]}, "venue"),
    ({"expected_account_id": "1"}, "12 digits"),
]


def test_bad_input_is_told_before_any_call(moto: Moto, tmp_path: pathlib.Path) -> None:
    before = calls(moto)
    for result, (options, message) in zip(
        tell(moto, tmp_path, *(options for options, _message in BAD)), BAD, strict=True
    ):
        assert result["failed"], options
        assert message in result["msg"]
    assert calls(moto) == before


def test_another_account_is_refused(moto: Moto, tmp_path: pathlib.Path) -> None:
    assert tell(moto, tmp_path, {"expected_account_id": "999999999999"})[0]["error"] == "AccountMismatch"


def test_calls_grow_with_pages_not_with_venues(provisioned: Moto, tmp_path: pathlib.Path) -> None:
    venues = [{"project": "sbg", "venue": f"v{number}"} for number in range(50)] + [{"project": "sbg", "venue": "dev"}]
    before = calls(provisioned)
    told = {one["venue"]: one["status"] for one in tell(provisioned, tmp_path, {"venues": venues})[0]["venues"]}
    # The caller, two listings of roles, and ten parameters a call: two a venue and the boundary's.
    assert calls(provisioned) - before == 3 + 11
    assert len(told) == 51
    assert told["dev"] == "ok", "whose parameters came last"
