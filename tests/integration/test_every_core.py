# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `make matrix` runs with every ansible-core, Python, amazon.aws and boto3: the main job, in process and shipped."""

from __future__ import annotations

import pathlib

import pytest

from tests.support.playbook import ansible_playbook, run_tasks
from tests.support.servers import Moto

pytestmark = pytest.mark.matrix


@pytest.mark.parametrize("shipped", [False, True], ids=["in process", "shipped"])
def test_a_venue_is_provisioned_a_token_issued_and_all_is_taken_away(
    moto: Moto, tmp_path: pathlib.Path, shipped: bool
) -> None:
    moto.publish("sbg", "dev")
    venue = {"project": "sbg", "venue": "dev"}
    tasks = [
        {"mdps.venue_sts.venue_sts_role": venue},
        {"mdps.venue_sts.venue_sts_role": venue},
        {"mdps.venue_sts.venue_sts_token": {**venue, "user": "jdoe", "access": ["s3_read"], "verify": True}},
        {"mdps.venue_sts.venue_sts_role": {**venue, "state": "absent"}},
    ]
    made, again, issued, removed = run_tasks(tasks, env=moto.environment(), cwd=tmp_path, shipped=shipped)
    assert made["changed"], made
    assert again["changed"] is False, again
    assert issued["token"]["AssumedRoleUser"]["Arn"].startswith(
        "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe-"
    ), issued.get("msg")
    assert [step["action"] for step in removed["steps"]][-1] == "ssm:DeleteParameter", removed


def test_the_playbooks_show_a_receipt_and_no_key(moto: Moto, tmp_path: pathlib.Path) -> None:
    moto.publish("sbg", "dev")
    one = ("-e", "project=sbg", "-e", "venue=dev")
    ansible_playbook("mdps.venue_sts.provision", *one, env=moto.environment(), cwd=tmp_path).expect()
    run = ansible_playbook(
        "mdps.venue_sts.issue",
        *one,
        "-e",
        "user=jdoe",
        "-e",
        "dest=tokens/",
        "-vvv",
        env=moto.environment(),
        cwd=tmp_path,
    ).expect()
    text = next((tmp_path / "tokens").iterdir()).read_text()
    assert '"session_name": "jdoe-' in run.output
    assert text.split('"SecretAccessKey": "')[1].split('"')[0] not in run.output


def test_without_a_place_for_it_the_token_is_to_be_sealed(moto: Moto, tmp_path: pathlib.Path) -> None:
    moto.publish("sbg", "dev")
    one = ("-e", "project=sbg", "-e", "venue=dev")
    ansible_playbook("mdps.venue_sts.provision", *one, env=moto.environment(), cwd=tmp_path).expect()
    keys = ("-e", "user=jdoe", "-e", f"handoff_key_directory={tmp_path}/nobody")
    run = ansible_playbook("mdps.venue_sts.issue", *one, *keys, env=moto.environment(), cwd=tmp_path).expect(2)
    assert f"there is no folder '{tmp_path}/nobody'" in run.output
