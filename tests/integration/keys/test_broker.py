# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Role ``broker`` in a play: the keys reach the tasks that follow, and nothing else."""

from __future__ import annotations

import pytest
import yaml

from tests.support.kion import API_KEY, KEYS, Kion
from tests.support.playbook import ansible_playbook, run_tasks

SECRETS = (KEYS["secret_access_key"], KEYS["session_token"], API_KEY)
PLAY = """
- name: Work in the venue's account with keys from Kion
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    broker_account: "123456789012"
    broker_iam_role_name: mcp-tenantOperator
  module_defaults:
    group/amazon.aws.aws: &keys
      access_key: "{{ broker_access_key }}"
      secret_key: "{{ broker_secret_key }}"
      session_token: "{{ broker_session_token }}"
    group/mdps.venue_sts.venue_sts: *keys
  roles:
    - role: mdps.venue_sts.broker
  tasks:
"""
WHO = {"name": "Who am I", "amazon.aws.aws_caller_info": {}, "register": "who"}
AGAIN = {"name": "Again", "ansible.builtin.include_role": {"name": "mdps.venue_sts.broker"}}
CHECK = {"name": "Check", "ansible.builtin.include_role": {"name": "mdps.venue_sts.broker", "tasks_from": "check"}}


@pytest.fixture
def kion(tmp_path):
    with Kion(tmp_path) as server:
        yield server


def play(tmp_path, kion, moto, *tasks, options=("-vvvv",), **environment):
    document = yaml.safe_load(PLAY)
    document[0]["tasks"] = list(tasks)
    (tmp_path / "play.yml").write_text(yaml.safe_dump(document))
    region = {"AWS_URL": moto.url, "AWS_REGION": "us-west-2"}
    env = {**kion.environment(), **region, "KION_CONFIG": str(tmp_path / "none"), "no_proxy": "127.0.0.1", **environment}
    run = ansible_playbook("play.yml", "-e", f"broker_ca_path={kion.ca}", *options, env=env, cwd=tmp_path)
    for secret in SECRETS:
        assert secret not in run.output
    return run


@pytest.fixture
def sent(moto):
    """The access key ids that requests to moto were signed with, and whether the session token came along."""
    import re

    def read():
        log = moto.client("sts")  # a fresh request would be recorded too; the recorder is asked directly
        del log
        import urllib.request

        with urllib.request.urlopen(f"{moto.url}/moto-api/recorder/download-recording", timeout=10) as answer:
            text = answer.read().decode()
        return re.findall(r"Credential=([A-Z0-9a-z]+)/", text), KEYS["session_token"] in text

    return read


@pytest.mark.parametrize("shipped", [False, True])
def test_the_keys_reach_amazon_aws_and_show_nowhere(tmp_path, kion, moto, shipped):
    role = moto.client("iam").create_role(RoleName="x", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')["Role"]["Arn"]
    issued = moto.client("sts").assume_role(RoleArn=role, RoleSessionName="from-kion")["Credentials"]
    KEYS.update(access_key=issued["AccessKeyId"], secret_access_key=issued["SecretAccessKey"], session_token=issued["SessionToken"])
    show = {"name": "Show", "ansible.builtin.debug": {"var": "who.arn"}}
    interpreter = ("-e", "ansible_python_interpreter=/usr/bin/env python3") if shipped else ()
    del interpreter
    run = play(tmp_path, kion, moto, WHO, show).expect()
    assert "assumed-role/x/from-kion" in run.output
    assert '"expiry_source": "duration"' in run.output
