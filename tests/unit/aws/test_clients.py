# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection options become clients, or one sentence that says what to do."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import botocore
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import USER_AGENT, Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ConnectionProblem, MissingDependency

KEYS = {"access_key": "AKIAFAKEFAKEFAKEFAKE", "secret_key": "fake-secret", "session_token": "fake-token"}
FAKE = {"aws_access_key_id": "AKIAFAKEFAKEFAKEFAKE", "aws_secret_access_key": "fake-secret"}
NONE = dict.fromkeys(
    ("region", "endpoint_url", "profile", "aws_ca_bundle", "aws_config", "debug_botocore_endpoint_logs", *KEYS)
)


def options(**given: Any) -> dict[str, Any]:
    return {**NONE, "validate_certs": True, **given}


def test_a_client_speaks_to_the_region_with_the_keys_given_and_says_who_it_is() -> None:
    clients = Clients(options(region="us-west-2", **KEYS))
    iam, sts = clients.client("iam"), clients.client("sts")
    assert sts.meta.endpoint_url == "https://sts.us-west-2.amazonaws.com"  # not the global one
    assert iam is clients.client("iam")
    assert USER_AGENT in sts.meta.config.user_agent_extra
    assert sts.meta.config.retries == {"mode": "standard", "total_max_attempts": 6}
    assert iam._request_signer._credentials.access_key == KEYS["access_key"]


@pytest.mark.parametrize(
    ("environment", "profile", "retries"),
    [
        ({}, "", {"mode": "standard", "total_max_attempts": 6}),
        ({"AWS_MAX_ATTEMPTS": "2"}, "", {"mode": "standard", "total_max_attempts": 2}),
        ({"AWS_RETRY_MODE": "adaptive"}, "", {"mode": "adaptive", "total_max_attempts": 6}),
        ({"AWS_RETRY_MODE": "legacy", "AWS_MAX_ATTEMPTS": "9"}, "", {"mode": "legacy", "total_max_attempts": 9}),
        ({}, "max_attempts = 3\nretry_mode = adaptive\n", {"mode": "adaptive", "total_max_attempts": 3}),
        ({"AWS_RETRY_MODE": "standard"}, "retry_mode = adaptive\n", {"mode": "standard", "total_max_attempts": 6}),
    ],
    ids=str,
)
def test_retries_are_those_of_the_environment_or_the_profile(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], profile: str, retries: dict[str, object]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    pathlib.Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[default]\n{profile}")
    assert Clients(options(region="us-west-2", **KEYS)).client("sts").meta.config.retries == retries


def test_the_option_aws_config_decides_about_retries_first() -> None:
    given = {"retries": {"total_max_attempts": 1, "mode": "legacy"}}
    assert (
        Clients(options(region="us-west-2", aws_config=given, **KEYS)).client("sts").meta.config.retries
        == given["retries"]
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AWS_MAX_ATTEMPTS", "AWS_MAX_ATTEMPTS, or max_attempts in the profile, is not a number"),
        ("AWS_RETRY_MODE", '"many" must be one of'),
    ],
)
def test_retry_settings_that_botocore_refuses_are_explained(
    monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv(name, "many")
    with pytest.raises(ConnectionProblem, match=words):
        Clients(options(region="us-west-2", **KEYS)).client("sts")


@pytest.mark.parametrize(
    ("region", "partition"), [("us-west-2", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_the_partition_follows_from_the_region(region: str, partition: str) -> None:
    clients = Clients(options(region=region, **KEYS))
    assert (clients.region, clients.partition) == (region, partition)


def test_an_endpoint_of_ones_own_and_botocore_settings_are_honoured() -> None:
    clients = Clients(
        options(region="us-west-2", endpoint_url="http://127.0.0.1:9", aws_config={"read_timeout": 7}, **KEYS)
    )
    ssm = clients.client("ssm")
    assert ssm.meta.endpoint_url == "http://127.0.0.1:9"
    assert (ssm.meta.config.read_timeout, ssm.meta.config.connect_timeout) == (7, 10)
    assert "mdps.venue_sts" in ssm.meta.config.user_agent_extra


def test_new_keys_speak_to_the_same_place_and_leave_the_old_ones_alone() -> None:
    clients = Clients(options(region="us-west-2", endpoint_url="http://127.0.0.1:9", **KEYS))
    other = clients.client_with_keys("sts", "ASIANEW", "new-secret", "new-token")
    mine = clients.client("sts")
    assert other.meta.endpoint_url == mine.meta.endpoint_url
    assert other._request_signer._credentials.token == "new-token"
    assert mine._request_signer._credentials.token == KEYS["session_token"]


def test_an_unsigned_client_signs_nothing() -> None:
    client = Clients(options(region="us-west-2", **KEYS)).unsigned_client("sts")
    assert client.meta.config.signature_version is botocore.UNSIGNED


def test_no_credentials_anywhere() -> None:
    with pytest.raises(
        ConnectionProblem,
        match=r"No AWS credentials found. Get credentials for an hour from Kion .* or name their profile",
    ):
        Clients(options(region="us-west-2")).client("sts")


def test_no_region_anywhere() -> None:
    clients = Clients(options(**KEYS))
    with pytest.raises(
        ConnectionProblem,
        match=r"No AWS region is set: set the option 'region', AWS_REGION, .* \(MDPS uses us-west-2\)",
    ):
        clients.client("sts")
    with pytest.raises(ConnectionProblem, match="No AWS region"):
        assert clients.partition


def test_a_profile_that_does_not_exist_is_named() -> None:
    with pytest.raises(ConnectionProblem, match="The config profile \\(kion-sbg\\) could not be found"):
        Clients(options(profile="kion-sbg", region="us-west-2")).client("sts")


def test_a_profile_brings_keys_and_region(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile kion]\nregion = us-gov-west-1\naws_access_key_id = AKIAFROMPROFILE\naws_secret_access_key = fake\n"
    )
    config.chmod(0o600)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    clients = Clients(options(profile="kion"))
    assert clients.partition == "aws-us-gov"
    assert clients.client("sts")._request_signer._credentials.access_key == "AKIAFROMPROFILE"


def test_keys_together_with_a_profile_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConnectionProblem, match=r"Unset AWS_ACCESS_KEY_ID, .* or do not name a profile"):
        Clients(options(profile="kion", region="us-west-2", **KEYS)).client("sts")


@pytest.mark.parametrize("given", [{"region": "not a region"}, {"region": "us-west-2", "endpoint_url": "no-url"}])
def test_settings_that_botocore_refuses(given: dict[str, str]) -> None:
    with pytest.raises(ConnectionProblem, match="The AWS connection settings do not work"):
        Clients(options(**given, **KEYS)).client("sts")


@pytest.mark.parametrize("service", ["sso", "sso-oidc", "signin", "ecr"])
def test_the_loader_knows_the_services_of_botocores_credential_providers(service: str) -> None:
    session = Clients(options(region="us-west-2", **KEYS))._connect()[0]
    assert session.create_client(service, region_name="us-west-2", **FAKE).meta.service_model.service_name == service


def test_the_loader_does_not_make_services_up() -> None:
    with pytest.raises(botocore.exceptions.DataNotFoundError):
        Clients(options(region="us-west-2", **KEYS))._connect()[0].create_client("no-such-service", "us-west-2", **FAKE)


WITHOUT_BOTO3 = """
import importlib.util
import sys
sys.path.insert(0, sys.argv[1])

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('boto3', 'botocore'):
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._issuing import OPERATION

speed = 'ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed'
if importlib.util.find_spec(speed):
    importlib.import_module(speed).prepare(OPERATION.services)
params = {name: option.get('default') for name, option in OPERATION.argument_spec.items()}
print(OPERATION.run({**params, 'project': 'sbg', 'venue': 'dev', 'user': 'jdoe'}, Runtime()))
"""


def test_without_boto3_everything_imports_and_the_failure_says_what_to_install(tmp_path: pathlib.Path) -> None:
    collections = next(path for path in sys.path if (pathlib.Path(path) / "ansible_collections" / "mdps").exists())
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTO3, collections], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "boto3 and botocore are not installed for this Python: pip install boto3" in done.stdout
    assert MissingDependency.__name__ in done.stdout
