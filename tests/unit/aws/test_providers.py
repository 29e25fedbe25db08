# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each way that a credential provider can fail is one sentence that says what to do, and quotes no secret."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import botocore.credentials
import botocore.tokens
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import providers
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.calls import call
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    ConnectionProblem,
    CredentialsProblem,
    MissingDependency,
    VenueError,
)

from tests.support.credential_servers import (
    MFA,
    SECRET,
    SESSION,
    START_URL,
    CredentialServer,
    cli_session,
    helper,
    metadata_keys,
    process_keys,
    sso_token,
    stamp,
    sts_error,
    write_cache,
)
from tests.support.servers import free_port

ROLE = "arn:aws:iam::123456789012:role/Work"
SSO = f"sso_account_id = 123456789012\nsso_role_name = Work\nsso_region = us-west-2\nsso_start_url = {START_URL}\n"
SSO_SESSION = (
    "sso_session = mdps\nsso_account_id = 123456789012\nsso_role_name = Work\n"
    f"[sso-session mdps]\nsso_region = us-west-2\nsso_start_url = {START_URL}\nsso_registration_scopes = x\n"
)
SOURCE = "[profile source]\naws_access_key_id = AKIASOURCE\naws_secret_access_key = fake\n"
FOREIGN = {"Version": 1, "AccessKeyId": "ASIAX"}


@pytest.fixture(scope="module")
def stub():
    with CredentialServer() as server:
        yield server


@pytest.fixture
def home(stub, tmp_path, monkeypatch):
    stub.refuse.clear()
    stub.signed_by.clear()
    for name, value in stub.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    sso = str(tmp_path / ".aws/sso/cache")
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", sso)
    monkeypatch.setattr(botocore.tokens.SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", sso)
    (tmp_path / ".aws").mkdir()
    return tmp_path


def configure(home: pathlib.Path, profile: str) -> None:
    """Write the settings of the profile ``p``; HOME stands for the home folder."""
    (home / ".aws/config").write_text(f"[profile p]\n{profile}".replace("HOME", str(home)))


def clients(home: pathlib.Path, **options: Any) -> Clients:
    names = ("access_key", "secret_key", "session_token", "aws_ca_bundle", "aws_config", "debug_botocore_endpoint_logs")
    given = {"region": "us-west-2", "profile": "p", "endpoint_url": None, "validate_certs": True, **options}
    return Clients({**dict.fromkeys(names), **given})


def problem(home: pathlib.Path, **options: Any) -> VenueError:
    with pytest.raises(VenueError) as caught:
        clients(home, **options).client("sts")
    assert SECRET not in str(caught.value) and SESSION not in str(caught.value)
    assert "connection failed" not in str(caught.value).lower() and str(caught.value).endswith((".", '"'))
    return caught.value


FAILURES = {
    "helper missing": ("credential_process = HOME/gone", None, r"cannot be started: '.*/gone' \(No such file"),
    "helper not executable": (
        "credential_process = HOME/helper",
        lambda home: helper(home / "helper", "{}").chmod(0o600),
        r"cannot be started: '.*/helper' \(Permission denied\)",
    ),
    "helper of another format": (
        "credential_process = HOME/helper",
        lambda home: (home / "helper").write_bytes(b"\x7fELFnothing") and (home / "helper").chmod(0o700),
        r"cannot be started: '.*/helper' \(Exec format error\)",
    ),
    "helper fails": (
        "credential_process = HOME/helper",
        lambda home: helper(home / "helper", "", 3, f"token {SECRET} refused"),
        "ended with an error. Run it in a shell to see why",
    ),
    **{
        f"helper prints {name}": (
            "credential_process = HOME/helper",
            lambda home, output=output: helper(home / "helper", output),
            "did not print credentials in the format that AWS tools read",
        )
        for name, output in {
            "nothing": "",
            "text": f"keys: {SECRET}",
            "a list": [SECRET],
            "another version": {**process_keys("A"), "Version": 2},
            "no version": {"SecretAccessKey": SECRET},
            "half a pair": FOREIGN,
            "no time": {**process_keys("A"), "Expiration": "soon"},
            "a number": 5,
        }.items()
    },
    "helper without a program": ("credential_process = ''", None, r"cannot be started: '' \("),
    "helper prints expired keys": (
        "credential_process = HOME/helper",
        lambda home: helper(home / "helper", process_keys("ASIAOLD", -60)),
        "profile 'p' have expired, and getting new ones returned expired ones again",
    ),
    "not signed in (legacy)": (SSO, None, "not signed in to IAM Identity Center .* Run 'aws sso login --profile p'"),
    "not signed in": (SSO_SESSION, None, "not signed in to IAM Identity Center .* Run 'aws sso login --profile p'"),
    "sign-in expired (legacy)": (
        SSO,
        lambda home: write_cache(home, "sso", START_URL, sso_token(-60)),
        "not signed in to IAM Identity Center",
    ),
    "sign-in expired": (
        SSO_SESSION,
        lambda home: write_cache(home, "sso", "mdps", sso_token(-60)),
        "not signed in to IAM Identity Center",
    ),
    "sign-in rejected": (
        SSO,
        lambda home: write_cache(home, "sso", START_URL, sso_token() | {"accessToken": "another"}),
        "not signed in to IAM Identity Center",
    ),
    "sign-in damaged": (
        SSO_SESSION,
        lambda home: write_cache(home, "sso", "mdps", {"accessToken": 5}),
        "not signed in to IAM Identity Center",
    ),
    "SSO half configured": ("sso_account_id = 123456789012", None, "is configured to use SSO but is missing"),
    "token file missing": (
        f"role_arn = {ROLE}\nweb_identity_token_file = HOME/jwt",
        None,
        r"web identity token file '.*/jwt' cannot be read \(No such file or directory\)",
    ),
    "token file is a folder": (
        f"role_arn = {ROLE}\nweb_identity_token_file = HOME/jwt",
        lambda home: (home / "jwt").mkdir(),
        r"web identity token file '.*/jwt' cannot be read \(Is a directory\)",
    ),
    "token file is not text": (
        f"role_arn = {ROLE}\nweb_identity_token_file = HOME/jwt",
        lambda home: (home / "jwt").write_bytes(b"\xff\xfe\x00"),
        "The web identity token file does not contain a token",
    ),
    **{
        f"token file has {name}": (
            f"role_arn = {ROLE}\nweb_identity_token_file = HOME/jwt",
            lambda home, text=text: (home / "jwt").write_text(text),
            "The web identity token file does not contain a token. Write a fresh token to it",
        )
        for name, text in {"nothing": "", "a line end": "\n", "too little": "x"}.items()
    },
    **{
        f"{name} of another profile": (
            f"role_arn = {ROLE}\nsource_profile = q\n[profile q]\n{profile}",
            None,
            words,
        )
        for name, (profile, words) in {
            "not signed in (legacy)": (SSO, "profile 'q', or .* Run 'aws sso login --profile q'"),
            "not signed in": (SSO_SESSION, "profile 'q', or .* Run 'aws sso login --profile q'"),
            "helper missing": ("credential_process = HOME/gone", r"of the profile 'q' cannot be started: '.*/gone'"),
            "helper not set": ("credential_process =", "of the profile 'q' cannot be started: the setting is empty"),
        }.items()
    },
    "helper not set": ("credential_process =", None, "cannot be started: the setting is empty"),
    "MFA": (
        f"role_arn = {ROLE}\nsource_profile = source\nmfa_serial = {MFA}\n{SOURCE}",
        None,
        "needs an MFA code, and a task cannot ask you for one. Run 'aws sts get-caller-identity --profile p' first",
    ),
    "source profile missing": (
        f"role_arn = {ROLE}\nsource_profile = gone",
        None,
        'source_profile "gone" referenced in the profile "p" does not exist',
    ),
    "source profile without keys": (
        f"role_arn = {ROLE}\nsource_profile = source\n[profile source]\nregion = x",
        None,
        'The source profile "source" must have credentials',
    ),
    "no source": (f"role_arn = {ROLE}", None, "are not complete: source_profile or credential_source is missing"),
    "half a pair": ("aws_access_key_id = AKIAHALF", None, "are not complete: aws_secret_access_key is missing"),
    "not logged in": ("login_session = arn:aws:iam::1:user/x", None, "aws login --profile p|botocore.crt"),
    "unreadable file": ("[broken", None, "Unable to parse config file"),
    "nothing": ("region = us-west-2", None, "No AWS credentials found. Get credentials for an hour from Kion"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_sentence(home, name):
    profile, prepare, words = FAILURES[name]
    configure(home, profile)
    if prepare:
        prepare(home)
    error = problem(home)
    assert isinstance(error, (CredentialsProblem, MissingDependency, ConnectionProblem))
    assert re.search(words, str(error)), str(error)


REFUSALS = [
    (
        f"role_arn = {ROLE}\nsource_profile = source\nexternal_id = the-external-id\n{SOURCE}",
        {"AssumeRole": (403, sts_error("AccessDenied", "User x is not authorized"))},
        "come from a role that could not be assumed: "
        'AWS said "User x is not authorized" (AccessDenied). Check role_arn',
    ),
    (
        f"role_arn = {ROLE}\nsource_profile = source\nexternal_id = the-external-id\n{SOURCE}",
        {"AssumeRole": (400, sts_error("ValidationError", "the-external-id is not valid"))},
        "AWS said ValidationError. Check role_arn",
    ),
    (
        f"role_arn = {ROLE}\nweb_identity_token_file = HOME/jwt",
        {"AssumeRoleWithWebIdentity": (400, sts_error("ExpiredTokenException", "Token expired: the-jwt"))},
        "come from a web identity token that AWS did not accept: AWS said ExpiredTokenException. Write a fresh token",
    ),
    (
        f"role_arn = {ROLE}\nsource_profile = source\n{SOURCE}",
        {"AssumeRole": (403, sts_error("RegionDisabledException", "STS is not activated in this region"))},
        "AWS said RegionDisabledException. STS is not activated in this region for the account.",
    ),
    (
        f"role_arn = {ROLE}\nsource_profile = source\nduration_seconds = 43200\n{SOURCE}",
        {"AssumeRole": (400, sts_error("ValidationError", "The requested DurationSeconds exceeds the 1 hour session"))},
        "AWS said ValidationError. The profile asks for a longer session than the role allows",
    ),
    (
        f"role_arn = {ROLE}\nsource_profile = source\n{SOURCE}",
        {"AssumeRole": (403, sts_error("SignatureDoesNotMatch", "x"))},
        "AWS said SignatureDoesNotMatch. Either the secret key does not belong to the access key ID",
    ),
    (
        SSO,
        {"/federation/credentials": (403, json.dumps({"__type": "ForbiddenException", "message": "No access"}))},
        'IAM Identity Center: AWS said "No access" (ForbiddenException). Check that sso_account_id',
    ),
]


@pytest.mark.parametrize(("profile", "refuse", "words"), REFUSALS)
def test_a_refusal_says_which_provider_was_refused(home, stub, profile, refuse, words):
    configure(home, profile)
    (home / "jwt").write_text("the-jwt")
    write_cache(home, "sso", START_URL, sso_token())
    stub.refuse.update(refuse)
    error = problem(home)
    assert words in str(error) and "the-external-id" not in str(error) and "the-jwt" not in str(error)


@pytest.mark.parametrize(
    ("profile", "service"),
    [
        (f"role_arn = {ROLE}\nsource_profile = source\n{SOURCE}", "STS"),
        (f"role_arn = {ROLE}\nweb_identity_token_file = HOME/jwt", "STS"),
        (SSO, "SSO"),
    ],
)
def test_a_provider_that_cannot_be_reached_is_a_failed_connection(home, monkeypatch, profile, service):
    configure(home, profile)
    (home / "jwt").write_text("the-jwt")
    write_cache(home, "sso", START_URL, sso_token())
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", address)
    with pytest.raises(ConnectionProblem, match=f"could not be fetched: the connection to {address}.* failed"):
        clients(home).client("sts")


@pytest.mark.parametrize(
    "answer", [(500, "oops"), (200, "text"), (200, "[]"), (200, "{}"), (403, json.dumps(metadata_keys("A")))]
)
def test_a_container_without_keys_is_named(home, stub, monkeypatch, answer):
    configure(home, "region = us-west-2")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{stub.url}/container")
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    stub.refuse["/container"] = answer
    assert "The container credentials endpoint" in str(problem(home))


def test_the_token_file_of_a_container_is_named(home, stub, monkeypatch):
    configure(home, "region = us-west-2")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{stub.url}/container")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(home / "gone"))
    assert "gone' (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) cannot be read (No such file" in str(problem(home))
    (home / "gone").write_text(f"{SECRET}\n")
    assert "The container credentials endpoint" in str(problem(home))


def test_a_session_that_the_aws_cli_started_with_an_mfa_code_is_used_and_not_written(home, stub):
    configure(home, f"role_arn = {ROLE}\nsource_profile = source\nmfa_serial = {MFA}\n{SOURCE}")
    key = json.dumps({"RoleArn": ROLE, "SerialNumber": MFA}, sort_keys=True)
    path = write_cache(home, "cli", key, cli_session("ASIAMFA"))
    before = path.read_text()
    call(clients(home).client("sts"), "get_caller_identity", "ask")
    assert stub.signed_by == ["ASIAMFA"] and path.read_text() == before
    write_cache(home, "cli", key, cli_session("ASIAMFA", 600))
    assert "needs an MFA code" in str(problem(home))
    path.write_text("{")
    assert "needs an MFA code" in str(problem(home))


def test_sessions_of_roles_are_not_written_to_disk(home, stub):
    configure(home, f"role_arn = {ROLE}\nsource_profile = source\n{SOURCE}")
    call(clients(home).client("sts"), "get_caller_identity", "ask")
    assert stub.signed_by == ["ASIAROLEOFAKIASOURCE"]
    assert not (home / ".aws/cli").exists()


def test_the_role_is_assumed_in_the_region_of_the_option(home, stub, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    configure(home, f"role_arn = {ROLE}\nsource_profile = source\n{SOURCE}")
    assert clients(home).client("sts").meta.region_name == "us-west-2"


def test_a_refresh_that_fails_later_is_not_taken_for_the_call_itself(home, stub):
    configure(home, "credential_process = HOME/helper")
    helper(home / "helper", process_keys("ASIASHORT", 3600))
    client = clients(home).client("sts")
    client._request_signer._credentials._expiry_time = botocore.credentials.parse(stamp(60))
    helper(home / "helper", "", 1)
    with pytest.raises(CredentialsProblem, match="could not ask: botocore did not send the request"):
        call(client, "get_caller_identity", "ask")


def test_botocore_still_has_what_is_replaced():
    provider = botocore.credentials.AssumeRoleProvider(dict, None, {}, "p")
    assert hasattr(provider, "cache") and hasattr(provider, "_prompter")
    assert providers.CLI_CACHE == "~/.aws/cli/cache"
