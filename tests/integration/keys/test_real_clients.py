# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The texts of a token and the profile, used by the real AWS CLI and boto3."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._formats import token_files

from tests.support.playbook import ansible_playbook
from tests.support.programs import require_shell

PROFILE = "123456789012-sbg-dev"
ARN = "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/unityuser12252025"
BOTO3 = [sys.executable, "-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"]


@pytest.fixture
def token(moto):
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = moto.client("iam").create_role(RoleName="unity-sbg-dev-sts", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    answer = moto.client("sts").assume_role(RoleArn=role, RoleSessionName="unityuser12252025")
    keys = answer["Credentials"]
    keys["Expiration"] = keys["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"AssumedRoleUser": answer["AssumedRoleUser"], "Credentials": keys}


@pytest.fixture
def clean(moto, tmp_path):
    """An environment with nothing of AWS in it but where it is, and stale settings that new keys must win over."""
    stale = {"AWS_SECURITY_TOKEN": "stale", "AWS_PROFILE": "stale", "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z"}
    home = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return {**home, "AWS_ENDPOINT_URL": moto.url}, stale


def who(command, env):
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def clients(aws_cli, *options):
    return [[str(aws_cli / "aws"), "sts", "get-caller-identity", "--query", "Arn", "--output", "text", *options], BOTO3]


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", "env.sh"), ("zsh", "env.sh"), ("fish", "env.fish"), ("pwsh", "env.ps1")]
)
def test_the_environment_lines_work_for_both(token, clean, aws_cli, tmp_path, shell, name):
    require_shell(shell)
    (tmp_path / name).write_text(token_files(token)[name])
    for command in clients(aws_cli):
        line = f". {tmp_path / name}; {'& ' if shell == 'pwsh' else ''}{shlex.join(command)}"
        assert who([shell, "-c", line], {**clean[0], **clean[1]}) == ARN


@pytest.mark.parametrize("name", ["credentials", "credential_process.json"])
def test_the_texts_for_files_work_for_both(token, clean, aws_cli, tmp_path, name):
    text = tmp_path / name
    text.write_text(token_files(token)[name])
    text.chmod(0o600)
    env = {**clean[0], "AWS_PROFILE": PROFILE}
    if name == "credentials":
        env["AWS_SHARED_CREDENTIALS_FILE"] = str(text)
    else:
        (tmp_path / "config").write_text(f"[profile {PROFILE}]\nregion = us-west-2\ncredential_process = cat {text}\n")
    for command in clients(aws_cli):
        assert who(command, env) == ARN


def write(tmp_path, token, *options, **more):
    module = {
        "project": "sbg",
        "venue": "dev",
        "token": token,
        "region": "us-west-2",
        "credentials_file": str(tmp_path / ".aws/credentials"),
        **more,
    }
    task = {"mdps.venue_sts.venue_sts_profile": module, "register": "kept"}
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [task],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    run = ansible_playbook("play.yml", "-vvvvv", "--diff", *options, env={}, cwd=tmp_path).expect()
    for name in ("SecretAccessKey", "SessionToken"):
        assert token["Credentials"][name] not in run.output
    return run


@pytest.mark.parametrize("shipped", [False, True])
def test_the_written_profile_works_for_both(token, clean, aws_cli, tmp_path, shipped):
    options = ("-e", f"ansible_python_interpreter={Path(sys.executable).parent}/python3") if shipped else ()
    answer = {**token, "SessionTokenSize": 1200, "SessionTokenUtilization": 30}  # what STS returns beside the keys
    run = write(tmp_path, answer, *options)
    assert ("AnsiballZ_venue_sts_profile" in run.output) is shipped
    assert "keys: hidden" in run.output and "changed=1" in run.output
    assert "changed=0" in write(tmp_path, token, *options).output
    for command in clients(aws_cli):
        assert who(command, {**clean[0], "AWS_PROFILE": PROFILE}) == ARN


def test_new_keys_win_over_a_forgotten_security_token(token, clean, aws_cli, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        f"[{PROFILE}]\naws_access_key_id = old\naws_security_token = forgotten\noutput = json\n"
    )
    write(tmp_path, token, adopt=True)
    assert "forgotten" not in (tmp_path / ".aws/credentials").read_text()
    for command in clients(aws_cli):
        assert who(command, {**clean[0], "AWS_PROFILE": PROFILE}) == ARN


def test_the_cli_keeps_our_mark_and_we_keep_what_the_cli_wrote(token, clean, aws_cli, tmp_path):
    write(tmp_path, token)
    who([str(aws_cli / "aws"), "configure", "set", "aws_access_key_id", "AKIAMINE", "--profile", "mine"], clean[0])
    assert "changed=0" in write(tmp_path, token).output
    text = (tmp_path / ".aws/credentials").read_text()
    assert "AKIAMINE" in text and "# mdps.venue_sts: venue sbg/dev in account 123456789012" in text


def test_the_filter_takes_a_registered_token_and_shows_nothing_hidden(token, tmp_path):
    files = "{{ token | mdps.venue_sts.token_files(region='us-gov-west-1', profile='mine') }}"
    tasks = [
        {
            "ansible.builtin.assert": {
                "that": [
                    "files | length == 9",
                    "'[mine]' in files['credentials']",
                    "'us-gov-west-1' in files['env.cmd']",
                ],
                "quiet": True,
            }
        },
        {"ansible.builtin.assert": {"that": "(files['token.json'] | from_json) == token", "quiet": True}},
        {"ansible.builtin.debug": {"msg": "{{ {} | mdps.venue_sts.token_files }}"}},
    ]
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"files": files, "token": token},
            "tasks": tasks,
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    run = ansible_playbook("play.yml", "-vvvvv", env={}, cwd=tmp_path).expect(2)
    assert "token_files: token: this is not the document" in run.output and "ok=2" in run.output
    assert token["Credentials"]["SecretAccessKey"] not in run.output
