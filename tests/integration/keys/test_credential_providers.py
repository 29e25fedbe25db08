# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every credential provider of botocore, with amazon.aws and with both front ends: all use the same keys.

docs/credentials.md has this table.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import pty
import shutil

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.calls import call
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.credential_servers import (
    MFA,
    SECRET,
    SESSION,
    START_URL,
    CredentialServer,
    cli_session,
    helper,
    process_keys,
    sso_token,
    stamp,
    write_cache,
)
from tests.support.playbook import run_tasks

ROLE = "arn:aws:iam::123456789012:role/Work"
LOGIN = "arn:aws:iam::123456789012:user/jdoe"
CONFIG = f"""
[sso-session mdps]
sso_region = us-west-2
sso_start_url = {START_URL}
sso_registration_scopes = sso:account:access
[sso-session renewed]
sso_region = us-west-2
sso_start_url = {START_URL}
[profile keys]
aws_access_key_id = AKIAKEYS
aws_secret_access_key = fake
[profile sso]
sso_session = mdps
sso_account_id = 123456789012
sso_role_name = sso
[profile sso-renewed]
sso_session = renewed
sso_account_id = 123456789012
sso_role_name = renewed
[profile sso-legacy]
sso_start_url = {START_URL}
sso_region = us-west-2
sso_account_id = 123456789012
sso_role_name = legacy
[profile process]
credential_process = HOME/helper
[profile web-identity]
role_arn = {ROLE}
web_identity_token_file = HOME/jwt
[profile role]
role_arn = {ROLE}
source_profile = keys
[profile role-of-sso]
role_arn = {ROLE}
source_profile = sso
[profile role-of-process]
role_arn = {ROLE}
source_profile = process
[profile mfa]
role_arn = {ROLE}
source_profile = keys
mfa_serial = {MFA}
[profile login]
login_session = {LOGIN}
"""
# What the profile's keys must be.
PROFILES = {
    "keys": "AKIAKEYS",
    "sso": "ASIASSO",
    "sso-renewed": "ASIARENEWED",
    "sso-legacy": "ASIALEGACY",
    "process": "ASIAPROCESS",
    "web-identity": "ASIAWEBIDENTITY",
    "role": "ASIAROLEOFAKIAKEYS",
    "role-of-sso": "ASIAROLEOFASIASSO",
    "role-of-process": "ASIAROLEOFASIAPROCESS",
    "mfa": "ASIAMFA",
}
HAS_CRT = importlib.util.find_spec("awscrt") is not None
# What is set in the environment instead of a profile.
ENVIRONMENTS = {
    "container": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "URL/container"}, "ASIACONTAINER"),
    "instance": (
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "URL/", "AWS_EC2_METADATA_DISABLED": "false"},
        "ASIAINSTANCE",
    ),
    "web identity": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "HOME/jwt", "AWS_ROLE_ARN": ROLE}, "ASIAWEBIDENTITY"),
    "profile": ({"AWS_PROFILE": "sso"}, "ASIASSO"),
}


@pytest.fixture
def stub(tmp_path):
    """The servers, and a home folder in which somebody has signed in everywhere."""
    with CredentialServer() as server:
        (tmp_path / ".aws").mkdir()
        (tmp_path / ".aws/config").write_text(CONFIG.replace("HOME", str(tmp_path)))
        (tmp_path / "jwt").write_text("the-jwt")
        helper(tmp_path / "helper", process_keys("ASIAPROCESS"))
        write_cache(tmp_path, "sso", START_URL, sso_token())
        write_cache(tmp_path, "sso", "mdps", sso_token())
        registered = {"clientId": "c", "clientSecret": "s", "registrationExpiresAt": stamp(86400)}
        write_cache(tmp_path, "sso", "renewed", sso_token(60, refreshToken="r", **registered))
        key = json.dumps({"RoleArn": ROLE, "SerialNumber": MFA}, sort_keys=True)
        write_cache(tmp_path, "cli", key, cli_session("ASIAMFA"))
        _log_in(tmp_path)
        yield server


def _log_in(home):
    """What ``aws login`` leaves behind."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    keys = {"accessKeyId": "ASIALOGIN", "secretAccessKey": SECRET, "sessionToken": SESSION, "accountId": "123456789012"}
    token = {"accessToken": {**keys, "expiresAt": stamp(3600)}, "refreshToken": "r", "clientId": "c"}
    # The AWS CLI names this file after the SHA-256 of the session.
    path = write_cache(home, "login", LOGIN, {**token, "dpopKey": key.decode(), "tokenType": "x"})
    path.rename(path.with_name(f"{hashlib.sha256(LOGIN.encode()).hexdigest()}.json"))


def used(stub, tmp_path, env, profiles, *, shipped):
    """The key ids that amazon.aws and a module of ours sign with, for each profile."""
    tasks = []
    for profile in profiles:
        chosen = {"profile": profile} if profile else {}
        tasks.append({"amazon.aws.aws_caller_info": dict(chosen)})
        tasks.append({"mdps.venue_sts.venue_sts_role_info": {"project": "sbg", "venue": "dev", **chosen}})
    results = run_tasks(tasks, env={**stub.environment(tmp_path), **env}, cwd=tmp_path, shipped=shipped)
    theirs = [result["arn"].split("/")[1] if "arn" in result else result["msg"] for result in results[::2]]
    for result in results[1::2]:
        assert result["error"] == "AwsRefused", result  # the stub allows nothing: what counts is who asked
        assert SECRET not in json.dumps(result) and SESSION not in json.dumps(result)
    ours = [one for one in stub.signed_by if one]
    return theirs, set(ours)


@pytest.mark.parametrize("shipped", [False, True])
def test_every_kind_of_profile_works_as_with_amazon_aws(stub, tmp_path, shipped):
    said, seen = used(stub, tmp_path, {}, PROFILES, shipped=shipped)
    theirs = dict(zip(PROFILES, said, strict=True))
    theirs.pop("mfa")  # amazon.aws asks for the code, and nobody answers
    assert theirs == {profile: key for profile, key in PROFILES.items() if profile != "mfa"}
    # amazon.aws asks GetCallerIdentity once; what is more is ours.
    for profile, key in PROFILES.items():
        assert stub.signed_by.count(key) > (profile in theirs), (key, stub.signed_by)
    assert seen == set(PROFILES.values())


@pytest.mark.skipif(not HAS_CRT, reason="awscrt is not installed here: pip install 'botocore[crt]'")
@pytest.mark.parametrize("shipped", [False, True])
def test_a_login_session_works_as_with_amazon_aws(stub, tmp_path, shipped):
    theirs, seen = used(stub, tmp_path, {}, ["login"], shipped=shipped)
    assert theirs == ["ASIALOGIN"] and seen == {"ASIALOGIN"} and stub.signed_by.count("ASIALOGIN") > 1


def test_the_session_that_the_real_aws_cli_started_with_a_code_is_used(stub, tmp_path, aws_cli, monkeypatch):
    shutil.rmtree(tmp_path / ".aws/cli")
    env = {**os.environ, **stub.environment(tmp_path), "AWS_ENDPOINT_URL": stub.url, "AWS_DEFAULT_REGION": "us-west-2"}
    child, terminal = pty.fork()
    if not child:
        os.execve(aws_cli / "aws", ["aws", "sts", "get-caller-identity", "--profile", "mfa"], env)
    seen = b""
    while b"MFA code" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"123456\n")
    with contextlib.suppress(OSError):  # the AWS CLI has ended
        while more := os.read(terminal, 1024):
            seen += more
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"ASIAROLEOFAKIAKEYS" in seen, seen
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    stub.asked.clear()
    monkeypatch.setattr(stub, "refuse", {"AssumeRole": (403, "nobody may ask again")})
    names = ("access_key", "secret_key", "session_token", "aws_ca_bundle", "aws_config", "debug_botocore_endpoint_logs")
    options = {**dict.fromkeys(names), "profile": "mfa", "region": "us-west-2", "validate_certs": True}
    call(Clients({**options, "endpoint_url": stub.url}).client("sts"), "get_caller_identity", "ask")
    assert stub.signed_by[-1] == "ASIAROLEOFAKIAKEYS"


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("shipped", [False, True])
def test_every_kind_of_environment_works_as_with_amazon_aws(stub, tmp_path, name, shipped):
    settings, key = ENVIRONMENTS[name]
    env = {one: value.replace("URL", stub.url).replace("HOME", str(tmp_path)) for one, value in settings.items()}
    theirs, seen = used(stub, tmp_path, env, [None], shipped=shipped)
    assert theirs == [key] and seen == {key} and stub.signed_by.count(key) > 1


def test_a_task_that_needs_an_mfa_code_fails_immediately(stub, tmp_path):
    (tmp_path / ".aws/cli/cache").rename(tmp_path / ".aws/cli/gone")
    task = {"mdps.venue_sts.venue_sts_role_info": {"project": "sbg", "venue": "dev", "profile": "mfa"}}
    for shipped in (False, True):
        (result,) = run_tasks([task], env=stub.environment(tmp_path), cwd=tmp_path, shipped=shipped)
        assert result["error"] == "CredentialsProblem" and "needs an MFA code" in result["msg"]
