# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbook ``use_token`` with keys from role, profile, and environment; role ``assume`` keeps and renews keys."""

from __future__ import annotations

import json
import os
import re

import pytest

from tests.support.playbook import ansible_playbook

ASSUMED = r"arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe"


MOTO_TOKEN = re.compile(r"FQoGZXIvYXdz[A-Za-z0-9+/=%]{40}")


def moto_token(moto):
    """A session token as moto makes them: what the output is searched for must be what it could contain."""
    role = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"
    return moto.client("sts").assume_role(RoleArn=role, RoleSessionName="x1")["Credentials"]["SessionToken"]


@pytest.fixture
def token(moto, venue):
    """A token for the venue, from plain STS."""
    arn = moto.client("iam").get_role(RoleName="unity-sbg-dev-sts")["Role"]["Arn"]
    return moto.client("sts").assume_role(RoleArn=arn, RoleSessionName="jdoe")["Credentials"]


def use(moto, aws_cli, tmp_path, *options, env):
    paths = {
        "PATH": f"{aws_cli}:{os.environ['PATH']}",
        "AWS_URL": moto.url,
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_REGION": "us-west-2",
    }
    paths["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "credentials")
    return ansible_playbook(
        "mdps.venue_sts.use_token",
        "-vvvvv",
        "--diff",
        "-e",
        "repository=sbg/preprocess",
        *options,
        env={**paths, **env},
        cwd=tmp_path,
    )


def did_it_all(run, moto, bucket):
    run.expect()
    assert re.search(rf'"caller.arn": "{ASSUMED}', run.output)
    body = moto.client("s3").get_object(Bucket=bucket, Key="venue-sts/hello.txt")["Body"].read().decode()
    assert re.fullmatch(rf"Hello from {ASSUMED}\S*", body)
    assert '"venue-sts/hello.txt"' in run.output
    assert [one["repositoryName"] for one in moto.client("ecr").describe_repositories()["repositories"]] == [
        "sbg/preprocess"
    ]
    assert "dkr.ecr.us-west-2.amazonaws.com/sbg/preprocess" in run.output


def test_with_keys_from_the_role(moto, venue, aws_cli, tmp_path):
    image = moto.client("ec2").run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0][
        "InstanceId"
    ]
    mine = moto.client("ec2").create_image(InstanceId=image, Name="mine")["ImageId"]
    told = [
        option
        for name, value in (("project", "sbg"), ("venue", "dev"), ("user", "jdoe"), ("bucket", venue))
        for option in ("-e", f"{name}={value}")
    ]
    run = use(moto, aws_cli, tmp_path, *told, env=moto.environment())
    did_it_all(run, moto, venue)
    assert f'"{mine}"' in run.output
    assert "X-Amz-Security-Token" not in run.output
    # How moto's session tokens begin, also in a URL; the rest of one is at least so long.
    assert MOTO_TOKEN.search(moto_token(moto)) and not MOTO_TOKEN.search(run.output)
    assert not list(tmp_path.rglob("*.venue_sts"))


def test_with_keys_from_a_profile(moto, venue, token, aws_cli, tmp_path):
    (tmp_path / "credentials").write_text(
        "[recipient]\n"
        f"aws_access_key_id = {token['AccessKeyId']}\naws_secret_access_key = {token['SecretAccessKey']}\n"
        f"aws_session_token = {token['SessionToken']}\n"
    )
    run = use(
        moto, aws_cli, tmp_path, "-e", "source=profile", "-e", "profile=recipient", "-e", f"bucket={venue}", env={}
    )
    did_it_all(run, moto, venue)
    assert token["SecretAccessKey"] not in run.output and token["SessionToken"] not in run.output


def test_with_keys_from_the_environment(moto, venue, token, aws_cli, tmp_path):
    keys = {
        "AWS_ACCESS_KEY_ID": token["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": token["SecretAccessKey"],
        "AWS_SESSION_TOKEN": token["SessionToken"],
    }
    options = ("-e", "source=environment", "-e", f"bucket={venue}", "-e", "cleanup=true")
    run = use(moto, aws_cli, tmp_path, *options, env=keys)
    run.expect()
    assert "Contents" not in moto.client("s3").list_objects_v2(Bucket=venue)
    assert token["SecretAccessKey"] not in run.output and token["SessionToken"] not in run.output


@pytest.mark.parametrize(
    "options",
    [(), ("-e", "bucket=x"), ("-e", "bucket=x", "-e", "source=profile"), ("-e", "bucket=x", "-e", "source=other")],
)
def test_what_is_missing_is_said_first(tmp_path, options):
    run = ansible_playbook("mdps.venue_sts.use_token", *options, env={}, cwd=tmp_path).expect(2)
    assert "Set -e bucket=NAME" in run.output


def assume_twice(moto, tmp_path, **options):
    return assume_often(moto, tmp_path, {}, options)


def assume_often(moto, tmp_path, *changes):
    """Include the role with these variables, one after the other, and return the access key ids that it gives."""
    role = {"ansible.builtin.include_role": {"name": "mdps.venue_sts.assume", "public": True}}
    settings = {"assume_project": "sbg", "assume_venue": "dev", "assume_user": "jdoe", "assume_region": "us-west-2"}
    show = {"ansible.builtin.debug": {"msg": "key {{ assume_result.receipt.access_key_id }}"}}
    who = {"amazon.aws.aws_caller_info": {}}
    tasks = [task for change in changes for task in ({**role, "vars": change}, show, who)]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": settings, "tasks": tasks}]
    caller = {"access_key": "{{ caller | default('AKIAADMIN') }}", "secret_key": "testing"}
    play[0]["module_defaults"] = {
        "group/amazon.aws.aws": "{{ assume_keys }}",
        "mdps.venue_sts.venue_sts_token": caller,
    }
    (tmp_path / "play.yml").write_text(json.dumps(play))
    run = ansible_playbook("play.yml", "-vvvvv", env=moto.environment(), cwd=tmp_path).expect()
    return re.findall(r"key (ASIA\w+)", run.output)


def test_the_role_keeps_keys_that_are_good_for_long_enough(moto, venue, tmp_path):
    first, second = assume_twice(moto, tmp_path)
    assert first == second


def test_the_role_does_not_keep_keys_of_another_request(moto, venue, tmp_path):
    changes = [
        {"assume_user": "ann"},
        {"assume_access": ["s3_read"]},
        {"assume_bucket_prefixes": ["incoming"]},
        {"assume_session_policy": {"Version": "2012-10-17", "Statement": []}},
        {"assume_duration_seconds": 900},
        {"assume_role_arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"},
    ]
    keys = assume_often(moto, tmp_path, {}, {}, *changes)
    assert keys[0] == keys[1] and len(set(keys)) == 1 + len(changes)


def test_the_role_does_not_keep_keys_that_another_caller_got(moto, venue, tmp_path):
    keys = assume_often(moto, tmp_path, {"caller": "AKIAONE"}, {"caller": "AKIAONE"}, {"caller": "AKIATWO"})
    assert keys[0] == keys[1] != keys[2]


def test_the_role_renews_keys_when_little_time_is_left(moto, venue, tmp_path):
    first, second = assume_twice(moto, tmp_path, assume_renew_before=3601)
    assert first != second
