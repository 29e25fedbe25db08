# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rotation against moto: nobody is cut off at any point, and who is late gets a message that says so."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import read_trust
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue import authorize
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing

from tests.support.operations import perform
from tests.support.playbook import ansible_playbook
from tests.support.servers import REGION, Moto

VENUE = {"project": "sbg", "venue": "dev"}
PARAMETER = "/unity/sbg/dev/cs/sts/role/external-id"
ROLE = "unity-sbg-dev-sts"


def in_ssm(moto: Moto) -> str:
    return str(moto.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"])


def accepted(moto: Moto) -> tuple[str, str]:
    """The current external ID of the trust policy, and the one before it; '' for none."""
    reading = read_trust(moto.client("iam").get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"])
    others = [one for one in reading.external_ids if one != reading.current]
    return reading.current, "".join(others)


def issue(external_id: str, warnings: list[str] | None = None) -> dict[str, Any]:
    runtime = Runtime(warn=(warnings if warnings is not None else []).append)
    return perform(issuing.OPERATION, runtime, **VENUE, user="jdoe", external_id=external_id)


def play(venue: Moto, folder: pathlib.Path, *options: str, code: int = 0) -> str:
    arguments = ("mdps.venue_sts.rotate_external_id", "-e", "project=sbg", "-e", "venue=dev")
    arguments += ("-e", f"venue_sts_region={REGION}", *options)
    # Its own task reads the region as the role does: from the variable for all roles.
    env = {name: value for name, value in venue.environment().items() if "REGION" not in name}
    return ansible_playbook(*arguments, env=env, cwd=folder).expect(code).output


def test_the_playbook_in_three_runs(venue: Moto, tmp_path: pathlib.Path) -> None:
    old = in_ssm(venue)
    first = play(venue, tmp_path)
    new = in_ssm(venue)
    assert old != new
    assert accepted(venue) == (new, old)
    play(venue, tmp_path)  # again, as after a crash: the old one must not be retired, nor a third one made
    assert (in_ssm(venue), accepted(venue)) == (new, (new, old))
    last = play(venue, tmp_path, "-e", "retire=true")
    assert (in_ssm(venue), accepted(venue)) == (new, (new, ""))
    assert "-e retire=true" in first
    assert "no longer accepted" in last
    assert not any(value in text for value in (old, new) for text in (first, last))


def test_the_playbook_stops_where_role_and_parameter_differ(venue: Moto, tmp_path: pathlib.Path) -> None:
    venue.client("ssm").put_parameter(Name=PARAMETER, Value="of-somebody-else", Overwrite=True)
    shown = " ".join(play(venue, tmp_path, code=2).split())
    assert "The external ID of sbg-dev is not consistent (different): provision the venue first." in shown
    assert "of-somebody-else" not in shown


def test_who_sends_the_old_one_is_warned_then_told(venue: Moto) -> None:
    old, warnings = in_ssm(venue), []
    perform(role.OPERATION, **VENUE, rotate_external_id=True)
    assert "failed" not in issue(old, warnings)
    assert ["rotated on 20" in text for text in warnings] == [True]
    perform(role.OPERATION, **VENUE, retire_previous_external_id=True)
    refused = issue(old)
    assert (refused["error"], refused["rotated_at"][:2]) == ("ExternalIdMismatch", "20")
    assert "was rotated on" in refused["msg"]
    assert old not in str(refused)
    stranger = issue("of-another-venue")
    assert stranger["error"] == "ExternalIdMismatch"
    assert "rotated_at" not in stranger
    assert "failed" not in issue(in_ssm(venue))


def test_not_being_allowed_to_see_the_history_leaves_the_plain_message(
    venue: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: Any) -> Any:
        raise AwsRefused("no", operation="ssm:GetParameterHistory", code="AccessDeniedException")

    monkeypatch.setattr(authorize, "read_history", refused)
    assert "is not this venue's" in issue("something-else")["msg"]


@pytest.mark.parametrize("survived", [0, 1])
@pytest.mark.parametrize("step", ["rotate_external_id", "retire_previous_external_id"])
def test_a_crash_after_any_step_is_repaired_and_nobody_is_cut_off(
    venue: Moto, monkeypatch: pytest.MonkeyPatch, step: str, survived: int
) -> None:
    old = in_ssm(venue)
    if step == "retire_previous_external_id":
        perform(role.OPERATION, **VENUE, rotate_external_id=True)
    apply = role.apply

    def dying(client_for: Any, steps: Any, *more: Any, **named: Any) -> None:
        apply(client_for, steps[:survived], *more, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(role, "apply", dying)
        with pytest.raises(KeyboardInterrupt):
            perform(role.OPERATION, **VENUE, **{step: True})
    # What SSM says is accepted, at every point; and who has the old one is served until it is retired.
    assert in_ssm(venue) in accepted(venue)
    if step == "rotate_external_id":
        assert old in accepted(venue)
    perform(
        role.OPERATION,
        **VENUE,
        rotate_external_id=old in accepted(venue) and step == "rotate_external_id" and accepted(venue)[1] == "",
    )
    assert in_ssm(venue) == accepted(venue)[0]
    if step == "rotate_external_id":
        assert accepted(venue)[1] == old
