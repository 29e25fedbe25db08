# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making a venue's role: races, wrong accounts, waiting, and what a failure leaves behind."""

from __future__ import annotations

import dataclasses
import json
import secrets
import urllib.parse
from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    AccountMismatch,
    AwsRefused,
    ConcurrentChange,
    ConnectionProblem,
    ExternalIdMismatch,
    InvalidInput,
    MissingReference,
    NotAssumable,
    NotProvisioned,
    OwnershipConflict,
    UnconfirmedChange,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import lock_statement
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.converge import ATTEMPTS
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role import OPERATION

from tests.support.account import MOTO_ACCOUNT, Account, Runner, WatchedClients, answer, options, refuse, trust_of

NAME = "unity-sbg-dev-sts"
PATH = "/unity/sbg/dev/cs/sts/role/external-id"
DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
READS = {"sts:GetCallerIdentity", "iam:GetRole", "iam:GetRolePolicy", "ssm:GetParameters"}


@pytest.fixture
def role(account: Account) -> Runner:
    return Runner(OPERATION, account, project="sbg", venue="dev")


def stored(account: Account) -> str:
    return str(account.ssm.get_parameter(Name=PATH, WithDecryption=True)["Parameter"]["Value"])


def actions(result: dict[str, Any]) -> list[str]:
    return [step["action"] for step in result["steps"]]


def test_a_fresh_account(role: Runner, account: Account) -> None:
    result = role.execute()
    assert actions(result) == account.writes == ["ssm:PutParameter", "iam:CreateRole", "iam:PutRolePolicy"]
    assert set(account.calls[:4]) == READS
    assert len(account.calls) == 8  # at most 10; the preflight looks up the boundary
    assert stored(account) == trust_of(account, NAME).current
    made = account.iam.get_role(RoleName=NAME)["Role"]
    assert result["role"] == {
        "arn": f"arn:aws:iam::{MOTO_ACCOUNT}:role/{NAME}",
        "name": NAME,
        "role_id": made["RoleId"],
        "account_id": MOTO_ACCOUNT,
        "partition": "aws",
    }
    assert result["buckets"] == {"names": ["sbg-dev-unity-data"], "source": "/unity/sbg/dev/ds/datastore-bucket"}
    assert result["permissions_boundary"] == {
        "arn": f"arn:aws:iam::{MOTO_ACCOUNT}:policy/zsmce-tenantOperator-AMI-APIG",
        "source": "/unity/cs/account/privilegedpolicyname",
    }
    assert stored(account) not in json.dumps(result)


def test_the_second_run_reads_four_times_and_writes_nothing(role: Runner, account: Account) -> None:
    role.execute()
    account.calls.clear()
    result = role.execute()
    assert (result["changed"], result["steps"], result["diff"]) == (False, [], {"before": {}, "after": {}})
    assert set(account.calls) == READS
    assert len(account.calls) == 4  # at most 6


def test_check_mode_plans_the_same_and_writes_nothing(role: Runner, account: Account) -> None:
    planned = role.execute(check=True)
    assert account.writes == []
    assert planned["role"]["role_id"] is None
    done = role.execute()
    assert (planned["steps"], planned["diff"], planned["changed"]) == (done["steps"], done["diff"], True)


def test_the_external_id_is_160_bits_of_the_systems_secure_source(role: Runner, account: Account) -> None:
    sizes: list[int] = []
    runtime = dataclasses.replace(role.runtime(), token_hex=lambda size: sizes.append(size) or "x" * 2 * size)
    params = options(OPERATION, project="sbg", venue="dev")
    clients = WatchedClients(params, account)
    OPERATION.execute(OPERATION.parse(params, clients, runtime), clients, runtime)
    assert sizes == [20]
    assert len(stored(account)) == 40
    assert Runtime().token_hex is secrets.token_hex


# Web identity.

ISSUER = "login.example.org/realm"
ADD = "iam:AddClientIDToOpenIDConnectProvider"
PROVIDER = f"arn:aws:iam::{MOTO_ACCOUNT}:oidc-provider/{ISSUER}"
TRUSTED = {"provider": f"https://{ISSUER}", "audiences": ["sbg"], "subjects": ["jdoe"]}


def test_an_oidc_provider_is_created_once_and_audiences_are_added(role: Runner, account: Account) -> None:
    role.execute()
    planned = role.execute(check=True, oidc_providers=[{**TRUSTED, "create": True}])
    done = role.execute(oidc_providers=[{**TRUSTED, "create": True}])
    assert (planned["steps"], planned["diff"]) == (done["steps"], done["diff"])
    assert actions(done) == ["iam:CreateOpenIDConnectProvider", "iam:UpdateAssumeRolePolicy"]
    made = account.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    assert (made["Url"].removeprefix("https://"), made["ClientIDList"]) == (ISSUER, ["sbg"])
    assert role.execute(oidc_providers=[{**TRUSTED, "create": True}])["changed"] is False
    account.before(ADD, answer({}))  # moto does not know it
    more = role.execute(oidc_providers=[{**TRUSTED, "audiences": ["emit", "sbg"], "create": True}])
    assert actions(more)[0] == ADD
    assert (ADD, {"OpenIDConnectProviderArn": PROVIDER, "ClientID": "emit"}) in account.arguments
    without = role.execute()
    assert actions(without) == ["iam:UpdateAssumeRolePolicy"]  # the provider is the account's, and stays


def test_another_run_creates_the_oidc_provider_first(role: Runner, account: Account) -> None:
    role.execute()
    other = {"Url": f"https://{ISSUER}", "ClientIDList": ["emit"]}
    account.before(
        "iam:CreateOpenIDConnectProvider", lambda: account.iam.create_open_id_connect_provider(**other) and None
    )
    account.before(ADD, answer({}))
    done = role.execute(oidc_providers=[{**TRUSTED, "create": True}])
    assert actions(done) == [ADD, "iam:UpdateAssumeRolePolicy"]


def test_an_oidc_provider_that_is_missing_or_lacks_the_audience_is_named(role: Runner, account: Account) -> None:
    with pytest.raises(MissingReference, match=r"OIDC provider .*login.example.org/realm.*create: true"):
        role.execute(oidc_providers=[TRUSTED])
    account.iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["emit"])
    with pytest.raises(MissingReference, match="does not accept the audience sbg"):
        role.execute(oidc_providers=[TRUSTED], check=True)
    assert account.writes == []


def test_an_oidc_provider_that_may_not_be_read_is_warned_about(role: Runner, account: Account) -> None:
    account.before("iam:GetOpenIDConnectProvider", refuse("AccessDenied"))
    done = role.execute(oidc_providers=[TRUSTED])
    assert "iam:CreateRole" in actions(done)
    assert any("iam:GetOpenIDConnectProvider" in one for one in role.warnings)


def test_the_oidc_provider_of_another_account_is_refused(role: Runner) -> None:
    arn = "arn:aws:iam::210987654321:oidc-provider/login.example.org"
    with pytest.raises(InvalidInput, match="is in account 210987654321"):
        role.execute(oidc_providers=[{**TRUSTED, "provider": arn}])


def test_any_subject_is_a_note_of_every_run(role: Runner) -> None:
    every = {"provider": f"https://{ISSUER}", "audiences": ["sbg"], "any_subject": True, "create": True}
    for _run in range(2):
        done = role.execute(oidc_providers=[every])
        assert any("every user of login.example.org/realm" in note for note in done["notes"])


# Races.


def test_the_loser_of_a_race_for_the_parameter_adopts_the_winners_value(role: Runner, account: Account) -> None:
    account.before(
        "ssm:PutParameter", lambda: account.ssm.put_parameter(Name=PATH, Value="the-winners-id", Type="String") and None
    )
    result = role.execute()
    assert stored(account) == trust_of(account, NAME).current == "the-winners-id"
    assert actions(result) == ["iam:CreateRole", "iam:PutRolePolicy"]
    assert account.calls.count("ssm:GetParameters") == 2
    assert len(role.clock.slept) == 1


def test_the_loser_of_a_race_for_the_role_adopts_the_winners_role(role: Runner, account: Account) -> None:
    winner = Runner(OPERATION, account, project="sbg", venue="dev")
    account.before("iam:CreateRole", lambda: winner.execute() and None)
    result = role.execute()
    assert stored(account) == trust_of(account, NAME).current
    assert actions(result)[0] == "ssm:PutParameter"
    assert role.execute()["changed"] is False


def test_two_concurrent_rotations_converge_and_nobody_rotates_twice(role: Runner, account: Account) -> None:
    role.execute()
    before = stored(account)
    other = Runner(OPERATION, account, project="sbg", venue="dev")
    account.before("ssm:PutParameter", lambda: other.execute(rotate_external_id=True) and None)
    role.execute(rotate_external_id=True)
    trusted = trust_of(account, NAME)
    assert stored(account) == trusted.current
    assert before == trusted.previous  # the one that requesters hold still works
    assert role.execute()["changed"] is False


def test_a_parameter_that_somebody_overwrites_at_the_same_moment_is_noticed_by_its_version(
    role: Runner, account: Account
) -> None:
    role.execute()
    before = stored(account)
    account.before(
        "ssm:PutParameter",
        lambda: account.ssm.put_parameter(Name=PATH, Value="by-hand", Type="String", Overwrite=True) and None,
    )
    role.execute(rotate_external_id=True)
    assert stored(account) == trust_of(account, NAME).current
    assert before == trust_of(account, NAME).previous


def test_a_role_that_is_deleted_while_it_is_repaired_is_created_again_with_the_same_id(
    role: Runner, account: Account
) -> None:
    role.execute()
    before = stored(account)

    def delete() -> None:
        account.iam.delete_role_policy(RoleName=NAME, PolicyName="venue-access")
        account.iam.delete_role_permissions_boundary(RoleName=NAME)
        account.iam.delete_role(RoleName=NAME)

    account.before("iam:UpdateRole", delete)
    result = role.execute(description="another")
    assert actions(result) == ["iam:CreateRole", "iam:PutRolePolicy"]
    assert stored(account) == trust_of(account, NAME).current == before


def test_endless_meddling_ends_with_a_named_error_and_the_waits_grow(role: Runner, account: Account) -> None:
    account.before("iam:CreateRole", *[refuse("ConcurrentModification")] * 20)
    with pytest.raises(ConcurrentChange, match="is repeatedly changed by somebody else") as caught:
        role.execute()
    assert account.calls.count("iam:CreateRole") == ATTEMPTS
    assert role.clock.slept == sorted(role.clock.slept)
    assert [step["action"] for step in caught.value.facts["steps"]] == ["ssm:PutParameter"]


# What must be known before anything is done.


def test_another_account_than_expected(role: Runner, account: Account) -> None:
    with pytest.raises(
        AccountMismatch,
        match=rf"credentials are for account {MOTO_ACCOUNT} .* but the venue is in account 210987654321",
    ) as caught:
        role.execute(expected_account_id="210987654321")
    assert caught.value.facts == {"account_id": MOTO_ACCOUNT, "expected_account_id": "210987654321", "steps": []}
    assert account.writes == []
    assert role.execute(expected_account_id=MOTO_ACCOUNT)["changed"]


@pytest.mark.parametrize(
    ("missing", "option", "value", "advice"),
    [
        ("/unity/sbg/dev/ds/datastore-bucket", "buckets", ["mine"], "specify the bucket with the option buckets"),
        (
            "/unity/cs/account/privilegedpolicyname",
            "permissions_boundary",
            "none",
            "or 'none' for a role without a boundary",
        ),
        ("/unity/cs/account/privilegedpolicyname", "permissions_boundary", "by-name", "specify the boundary"),
    ],
)
def test_what_is_not_published_must_be_named(
    role: Runner, account: Account, missing: str, option: str, value: Any, advice: str
) -> None:
    account.ssm.delete_parameter(Name=missing)
    account.iam.create_policy(PolicyName="by-name", PolicyDocument=DENY)
    with pytest.raises(NotProvisioned) as caught:
        role.execute()
    assert f"{missing} in region us-west-2 of account {MOTO_ACCOUNT}" in caught.value.message
    assert advice in caught.value.message
    assert account.writes == []
    assert role.execute(**{option: value})[option]["source"] == option


def test_a_published_name_that_cannot_be_right_is_named_by_its_parameter(role: Runner, account: Account) -> None:
    account.ssm.put_parameter(
        Name="/unity/sbg/dev/ds/datastore-bucket", Value="s3://bucket", Type="String", Overwrite=True
    )
    with pytest.raises(InvalidInput, match="/unity/sbg/dev/ds/datastore-bucket: 's3://bucket' is not a bucket name"):
        role.execute()


@pytest.mark.parametrize(
    ("given", "arn"),
    [
        ("none", None),
        ("team/by-name", "error"),
        ("by-name", f"arn:aws:iam::{MOTO_ACCOUNT}:policy/by-name"),
        (f"arn:aws:iam::{MOTO_ACCOUNT}:policy/by-name", f"arn:aws:iam::{MOTO_ACCOUNT}:policy/by-name"),
    ],
)
def test_boundaries_by_name_and_arn(role: Runner, account: Account, given: str, arn: str | None) -> None:
    account.iam.create_policy(PolicyName="by-name", PolicyDocument=DENY)
    if arn == "error":
        with pytest.raises(InvalidInput, match="permissions_boundary: 'team/by-name' is neither the ARN nor the name"):
            role.execute(permissions_boundary=given)
        return
    assert role.execute(permissions_boundary=given)["permissions_boundary"] == {
        "arn": arn,
        "source": "permissions_boundary",
    }


def test_refused_reads_are_not_taken_for_an_empty_account(role: Runner, account: Account) -> None:
    account.before("iam:GetRole", refuse("AccessDenied"))
    with pytest.raises(AwsRefused, match="The caller needs iam:GetRole"):
        role.execute()
    assert account.writes == []


def test_a_failure_half_way_reports_what_was_done_and_the_next_run_repairs_it(role: Runner, account: Account) -> None:
    account.before("iam:CreateRole", refuse("AccessDenied"))
    with pytest.raises(AwsRefused) as caught:
        role.execute()
    assert [step["action"] for step in caught.value.facts["steps"]] == ["ssm:PutParameter"]
    first = stored(account)
    assert actions(role.execute()) == ["iam:CreateRole", "iam:PutRolePolicy"]
    assert stored(account) == first == trust_of(account, NAME).current


def test_unequal_ids_stop_the_run_before_any_write(role: Runner, account: Account) -> None:
    role.execute()
    account.ssm.put_parameter(Name=PATH, Value="by-hand", Type="String", Overwrite=True)
    account.calls.clear()
    with pytest.raises(ExternalIdMismatch):
        role.execute()
    assert account.writes == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"description": "x" * 1001}, "description: must be at most 1,000"),
        ({"description": "日本"}, "description: must be at most 1,000 characters of Latin-1"),
        ({"tags": {"Venue": "ops"}}, "tags: Venue identifies the owner of the role"),
        ({"tags": {"VENUE": "ops"}}, "tags: Venue identifies the owner of the role"),
        ({"tags": {"capability": "eks"}}, "tags: Capability identifies the owner of the role"),
        ({"tags": {f"t{number}": "x" for number in range(41)}}, "tags: has 51 tags and only 50 fit"),
        ({"wait_timeout": 3601}, "wait_timeout: 3601 must be 0 to 3600"),
        ({"max_session_duration": 3599}, "max_session_duration: 3599 must be 3600 to 43200"),
        ({"expected_account_id": "123"}, "expected_account_id: '123' is not an AWS account ID"),
        ({"kms_key_id": "alias/x", "external_id_type": "String"}, "kms_key_id: encrypts a SecureString"),
        ({"external_id": "with space"}, "external_id: must be 2 to 1,224"),
        ({"external_id": ""}, "external_id: must not be empty"),
        ({"buckets": []}, "buckets: must not be empty"),
        ({"trusted_principals": []}, "trusted_principals: must not be empty"),
        ({"expected_account_id": ""}, "expected_account_id: must not be empty"),
        ({"permissions_boundary": "arn:aws:iam::aws:policy/AdministratorAccess"}, "is an AWS managed policy"),
        ({"ecr_repositories": []}, "ecr_repositories: must not be empty"),
    ],
)
def test_bad_input_costs_no_call(role: Runner, account: Account, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        role.execute(**given)
    assert message in caught.value.message
    assert account.calls == []


def test_the_ownership_tags_may_be_repeated_but_not_changed(role: Runner, account: Account) -> None:
    assert role.execute(tags={"Proj": "sbg", "venue": "dev", "CapVersion": 2})["changed"]
    tags = {one["Key"]: one["Value"] for one in account.iam.list_role_tags(RoleName="unity-sbg-dev-sts")["Tags"]}
    assert (tags["Venue"], tags["CapVersion"], "venue" in tags) == ("dev", "2", False)


# Waiting.


def test_waiting_proves_the_role_with_the_shortest_session_and_returns_no_key(role: Runner, account: Account) -> None:
    result = role.execute(wait=True)
    assert result["assumable"] is True
    asked = account.asked("sts:AssumeRole")
    assert (asked["DurationSeconds"], asked["ExternalId"]) == (900, stored(account))
    assert "SecretAccessKey" not in json.dumps(result)
    assert role.clock.slept == []


def test_nothing_is_assumed_in_check_mode_or_for_a_removal(role: Runner, account: Account) -> None:
    role.execute(wait=True, check=True)
    role.execute(wait=True, state="absent")
    assert "sts:AssumeRole" not in account.calls


def test_propagation_is_waited_for_with_growing_pauses(role: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", *[refuse("AccessDenied")] * 6)
    assert role.execute(wait=True)["assumable"] is True
    assert role.clock.slept == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def never(role: Runner, account: Account, **given: Any) -> str:
    """Wait for a role that AWS never lets anybody assume."""
    account.before("sts:AssumeRole", *[refuse("AccessDenied", "is not authorized")] * 50)
    with pytest.raises(NotAssumable, match="could not be assumed within 120 seconds") as caught:
        role.execute(wait=True, **given)
    assert caught.value.facts["steps"] is not None
    assert sum(role.clock.slept) >= 120
    return caught.value.message


def age(role: Runner) -> None:
    """Let an hour pass."""
    role.clock.time += timedelta(hours=1)


def test_a_new_role_looks_like_propagation(role: Runner, account: Account) -> None:
    message = never(role, account)
    assert "The role is new, and AWS needs up to a minute" in message
    assert 'AWS said "is not authorized" (AccessDenied' in message


def test_a_role_that_iam_does_not_show_looks_like_propagation_too(role: Runner, account: Account) -> None:
    account.before("iam:GetRole", lambda: None, *[refuse("NoSuchEntity")] * 50)
    with pytest.raises(NotAssumable, match="IAM does not show the role yet"):
        role.execute(wait=True)
    assert "sts:AssumeRole" not in account.calls


def test_a_changed_parameter_looks_like_a_wrong_external_id(role: Runner, account: Account) -> None:
    account.before(
        "iam:PutRolePolicy",
        lambda: account.ssm.put_parameter(Name=PATH, Value="by-hand", Type="String", Overwrite=True) and None,
    )
    message = never(role, account)
    assert "The external ID in SSM is not one that the trust policy accepts" in message
    assert "by-hand" not in message


def test_a_deleted_principal_is_named(role: Runner, account: Account) -> None:
    role.execute()
    described = account.iam.get_role(RoleName=NAME)["Role"]
    # moto refuses the unique id that IAM shows in place of a deleted principal, so IAM's answer is given for it.
    policy = json.dumps(described["AssumeRolePolicyDocument"]).replace(
        f"arn:aws:iam::{MOTO_ACCOUNT}:root", "AROAEXAMPLEEXAMPLEEX"
    )
    dead = answer({"Role": {**described, "AssumeRolePolicyDocument": urllib.parse.quote(policy)}})
    account.before("iam:GetRole", lambda: None, *[dead] * 50)
    age(role)
    message = never(role, account)
    assert "The trust policy names AROAEXAMPLEEXAMPLEEX, which were deleted" in message


def test_a_caller_who_is_not_trusted_is_named(role: Runner, account: Account) -> None:
    age(role)
    account.iam.create_role(RoleName="admins", AssumeRolePolicyDocument=DENY)
    message = never(role, account, trusted_principals=["arn:aws:iam::123456789012:role/admins"])
    assert "The trust policy does not name the caller arn:aws:sts::123456789012:user/moto" in message
    assert "it trusts arn:aws:iam::123456789012:role/admins" in message


def test_a_trusted_caller_lacks_permission(role: Runner, account: Account) -> None:
    age(role)
    message = never(role, account)
    assert (
        "Either the caller arn:aws:sts::123456789012:user/moto lacks sts:AssumeRole on "
        f"arn:aws:iam::123456789012:role/{NAME}" in message
    )


def test_other_errors_are_not_waited_for(role: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", refuse("ExpiredToken"))
    with pytest.raises(ConnectionProblem, match="have expired") as caught:
        role.execute(wait=True)
    assert role.clock.slept == []
    assert len(caught.value.facts["steps"]) == 3
    account.before("sts:AssumeRole", refuse("RegionDisabledException"))
    with pytest.raises(AwsRefused, match="RegionDisabledException"):
        role.execute(wait=True)


# Removal.


def test_removal_reads_the_policies_of_the_role_and_removes_all_of_them(role: Runner, account: Account) -> None:
    role.execute()
    account.iam.put_role_policy(RoleName=NAME, PolicyName="AWSRevokeOlderSessions", PolicyDocument=DENY)
    managed = account.iam.create_policy(
        PolicyName="by-hand",
        PolicyDocument=DENY,
    )["Policy"]["Arn"]
    account.iam.attach_role_policy(RoleName=NAME, PolicyArn=managed)
    account.iam.create_instance_profile(InstanceProfileName="by-hand")
    account.iam.add_role_to_instance_profile(InstanceProfileName="by-hand", RoleName=NAME)
    account.calls.clear()
    result = role.execute(state="absent")
    assert account.writes == [
        "iam:DetachRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:DeleteRole",
        "ssm:DeleteParameter",
    ]
    assert result["changed"] is True
    assert "buckets" not in result
    again = role.execute(state="absent")
    assert (again["changed"], again["steps"]) == (False, [])


@pytest.mark.parametrize("check", [True, False])
def test_a_removal_in_another_region_says_that_the_external_id_stays(
    role: Runner, account: Account, check: bool
) -> None:
    role.execute()
    result = role.execute(check=check, state="absent", region="us-east-1")
    assert result["changed"]
    (warning,) = role.warnings
    assert f"no SSM parameter {PATH} in region us-east-1 of account {MOTO_ACCOUNT}" in warning
    assert "it stays there" in warning and result["notes"] == [warning]


def test_a_removal_that_finds_everything_warns_of_nothing(role: Runner, account: Account) -> None:
    role.execute()
    assert role.execute(state="absent")["changed"]
    assert role.execute(state="absent")["changed"] is False
    assert role.warnings == []


def test_a_removal_that_meets_another_one_ends_well(role: Runner, account: Account) -> None:
    role.execute()
    other = Runner(OPERATION, account, project="sbg", venue="dev")
    account.before("iam:DeleteRole", lambda: other.execute(state="absent") and None)
    role.execute(state="absent")
    assert role.execute(state="absent")["changed"] is False


def test_a_removal_that_meets_another_one_still_says_what_stays(role: Runner, account: Account) -> None:
    role.execute()
    other = Runner(OPERATION, account, project="sbg", venue="dev", region="us-east-1")
    account.before("iam:DeleteRole", lambda: other.execute(state="absent") and None)
    role.execute(state="absent", region="us-east-1")
    assert len(role.warnings) == 1 and "it stays there" in role.warnings[0]


def test_a_policy_put_on_the_role_during_its_removal_is_taken_too(role: Runner, account: Account) -> None:
    role.execute()

    def put() -> None:
        account.iam.put_role_policy(RoleName=NAME, PolicyName="late", PolicyDocument=DENY)

    account.before("iam:DeleteRole", put)
    role.execute(state="absent")
    assert role.execute(state="absent")["changed"] is False


def test_an_error_becomes_a_result_that_names_the_venue(account: Account) -> None:
    runtime = Runner(OPERATION, account).runtime()
    succeeded, result = OPERATION.run(options(OPERATION, project="sbg", venue="dev", description="日本"), runtime)
    assert succeeded is False
    assert result["msg"].startswith("Venue sbg-dev: description: must be")
    assert (result["error"], result["option"]) == ("InvalidInput", "description")


@pytest.mark.parametrize(
    ("options", "patterns", "source", "warned"),
    [
        ({}, ["sbg/*"], "ecr_scope", ""),
        ({"ecr_scope": "project"}, ["sbg/*"], "ecr_scope", ""),
        ({"ecr_scope": "venue"}, ["sbg-dev/*"], "ecr_scope", ""),
        (
            {"ecr_repositories": ["sbg/*", "tropess/*"]},
            ["sbg/*", "tropess/*"],
            "ecr_repositories",
            "'tropess/*' includes",
        ),
    ],
)
def test_which_repositories_are_in_force(
    role: Runner, options: dict[str, Any], patterns: list[str], source: str, warned: str
) -> None:
    result = role.execute(check=True, **options)
    assert result["ecr_repositories"] == {"patterns": patterns, "source": source}
    assert f"(ECR repositories: {', '.join(patterns)})" in result["steps"][-1]["summary"]
    assert bool(warned) == bool(role.warnings) and all(warned in one for one in role.warnings)


def test_a_default_and_its_replacement_are_not_both_given(role: Runner, account: Account) -> None:
    with pytest.raises(InvalidInput, match="ecr_scope: chooses a default that ecr_repositories replaces"):
        role.execute(ecr_scope="venue", ecr_repositories=["sbg/*"])
    assert not account.calls


def test_buckets_are_bound_to_the_account_that_owns_them(role: Runner, account: Account) -> None:
    for given, owner in (({}, MOTO_ACCOUNT), ({"bucket_account_id": "210987654321"}, "210987654321")):
        role.execute(**given)
        policy = account.iam.get_role_policy(RoleName=NAME, PolicyName="venue-access")["PolicyDocument"]
        assert policy["Statement"][0]["Condition"]["StringEquals"]["aws:ResourceAccount"] == owner
    with pytest.raises(InvalidInput, match="bucket_account_id: '12' is not an AWS account"):
        role.execute(bucket_account_id="12")


# What a plan refers to.

ELSEWHERE = f"arn:aws:iam::{MOTO_ACCOUNT}:policy/mcp-tenantOperator-AMI-APIG"
HERE = f"arn:aws:iam::{MOTO_ACCOUNT}:policy/zsmce-tenantOperator-AMI-APIG"


def publish(account: Account, name: str, value: str) -> None:
    account.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


@pytest.mark.parametrize("check", [False, True])
def test_a_boundary_that_does_not_exist_stops_the_run_before_anything_is_created(
    role: Runner, account: Account, check: bool
) -> None:
    publish(account, "/unity/cs/account/privilegedpolicyname", "mcp-tenantOperator-AMI-APIG")
    with pytest.raises(MissingReference) as caught:
        role.execute(check=check)
    message = caught.value.message
    assert f"the permissions boundary {ELSEWHERE} does not exist in account {MOTO_ACCOUNT}" in message
    assert "/unity/cs/account/privilegedpolicyname in region us-west-2 names it" in message
    assert f"named *tenantOperator-AMI-APIG: {HERE}." in message
    assert account.writes == []
    assert role.clock.slept == []


def test_a_boundary_that_does_not_exist_is_found_before_it_is_changed(role: Runner, account: Account) -> None:
    role.execute()
    account.calls.clear()
    with pytest.raises(MissingReference, match="no-such-policy does not exist"):
        role.execute(permissions_boundary="no-such-policy")
    assert account.writes == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("iam:CreateRole", f"Scope ARN: {HERE} does not exist or is not attachable."),
        ("iam:CreateRole", "Policy does not exist."),
    ],
)
def test_a_missing_boundary_is_no_concurrent_change(role: Runner, account: Account, call: str, message: str) -> None:
    """The boundary may vanish after the preflight, or be of a kind that cannot be attached."""
    account.before(call, refuse("NoSuchEntity", message))
    with pytest.raises(MissingReference, match="does not exist"):
        role.execute()
    assert account.calls.count(call) == 1
    assert role.clock.slept == []


def test_a_boundary_step_tells_its_target_from_its_reference(role: Runner, account: Account) -> None:
    role.execute()
    account.iam.create_policy(PolicyName="another", PolicyDocument=DENY)
    arn = f"arn:aws:iam::{MOTO_ACCOUNT}:policy/another"
    account.before("iam:PutRolePermissionsBoundary", refuse("NoSuchEntity", f"Scope ARN: {arn} does not exist."))
    with pytest.raises(MissingReference):
        role.execute(permissions_boundary="another")
    account.before(
        "iam:PutRolePermissionsBoundary", refuse("NoSuchEntity", f"The role with name {NAME} cannot be found.")
    )
    assert role.execute(permissions_boundary="another")["changed"]
    assert len(role.clock.slept) == 1


def test_where_the_caller_may_not_look_the_run_says_so_and_goes_on(role: Runner, account: Account) -> None:
    account.before("iam:GetPolicy", refuse("AccessDenied"))
    assert role.execute()["changed"]
    assert role.warnings == [
        "The preflight could not check everything: the caller needs iam:GetPolicy. The run continues."
    ]


def test_where_the_caller_may_not_look_at_the_kms_key_the_run_says_so_and_goes_on(
    role: Runner, account: Account
) -> None:
    account.before("kms:DescribeKey", refuse("AccessDeniedException"))
    result = role.execute(check=True, external_id_type="SecureString", kms_key_id="alias/venues")
    assert result["changed"] and "the caller needs kms:DescribeKey" in role.warnings[0]


def test_boundaries_that_cannot_be_listed_are_not_said_to_be_none(role: Runner, account: Account) -> None:
    account.before("iam:ListPolicies", refuse("AccessDenied"))
    with pytest.raises(MissingReference, match="unknown, since they could not be listed"):
        role.execute(permissions_boundary="no-such-policy")


def test_a_run_without_changes_looks_nothing_up(role: Runner, account: Account) -> None:
    account.iam.create_role(RoleName="admins", AssumeRolePolicyDocument=DENY)
    always = {"trusted_principals": [f"arn:aws:iam::{MOTO_ACCOUNT}:role/admins"], "preflight": "simulate"}
    account.before("iam:SimulateCustomPolicy", answer({"EvaluationResults": []}), answer({"EvaluationResults": []}))
    account.before("iam:SimulateCustomPolicy", *[answer({"EvaluationResults": []})] * 10)
    role.execute(**always)
    account.calls.clear()
    assert role.execute(**always)["changed"] is False
    assert set(account.calls) == READS
    assert len(account.calls) == 4


@pytest.mark.parametrize("kind", ["role", "user"])
def test_a_trusted_principal_of_the_account_must_exist(role: Runner, account: Account, kind: str) -> None:
    arn = f"arn:aws:iam::{MOTO_ACCOUNT}:{kind}/team/jane"
    with pytest.raises(MissingReference, match=rf"the trusted principal {arn} does not exist"):
        role.execute(trusted_principals=[arn])
    assert account.writes == []
    if kind == "role":
        account.iam.create_role(RoleName="jane", Path="/team/", AssumeRolePolicyDocument=DENY)
    else:
        account.iam.create_user(UserName="jane", Path="/team/")
    assert role.execute(trusted_principals=[arn])["changed"]
    with pytest.raises(MissingReference, match="the ARN of a role includes its path"):
        role.execute(trusted_principals=[arn.replace("/team/", "/")])


@pytest.mark.parametrize("check", [False, True])
def test_a_saml_provider_must_exist(role: Runner, account: Account, check: bool) -> None:
    arn = f"arn:aws:iam::{MOTO_ACCOUNT}:saml-provider/MDPS"
    with pytest.raises(MissingReference, match=rf"the SAML provider {arn} does not exist in account"):
        role.execute(check=check, saml_provider_arns=[arn])
    assert account.writes == []
    account.iam.create_saml_provider(Name="MDPS", SAMLMetadataDocument="<x/>" * 300)
    assert role.execute(check=check, saml_provider_arns=[arn])["changed"]


def test_sign_in_addresses_reach_the_trust_policy_and_stay(role: Runner, account: Account) -> None:
    account.iam.create_saml_provider(Name="MDPS", SAMLMetadataDocument="<x/>" * 300)
    address = "https://us-east-1.signin.aws.amazon.com/saml"
    given = {
        "saml_provider_arns": [f"arn:aws:iam::{MOTO_ACCOUNT}:saml-provider/MDPS"],
        "saml_audiences": [address],
    }
    role.execute(**given)
    (statement,) = [
        one
        for one in account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        if one["Sid"] == "AssumeWithSaml"
    ]
    assert statement["Condition"] == {"StringEquals": {"SAML:aud": [address]}}
    assert role.execute(**given)["changed"] is False
    with pytest.raises(InvalidInput, match="saml_audiences: has no meaning without saml_provider_arns"):
        role.execute(saml_audiences=[address])


def test_a_saml_provider_of_another_account_does_not_exist_for_the_role(role: Runner, account: Account) -> None:
    with pytest.raises(MissingReference, match="a role can only trust providers of its own account"):
        role.execute(saml_provider_arns=["arn:aws:iam::210987654321:saml-provider/MDPS"])


def test_a_saml_provider_that_may_not_be_read_is_warned_about(role: Runner, account: Account) -> None:
    account.before("iam:GetSAMLProvider", refuse("AccessDenied"))
    assert role.execute(saml_provider_arns=[f"arn:aws:iam::{MOTO_ACCOUNT}:saml-provider/MDPS"])["changed"]
    assert any("iam:GetSAMLProvider" in one for one in role.warnings)


def test_a_kms_key_must_exist(role: Runner, account: Account) -> None:
    given = {"external_id_type": "SecureString", "kms_key_id": "alias/no-such-key"}
    with pytest.raises(MissingReference, match=r"the KMS key alias/no-such-key does not exist .* region us-west-2"):
        role.execute(**given)
    assert account.writes == []


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"KeyState": "Disabled"}, "in the state Disabled"),
        ({"KeyState": "PendingDeletion"}, "in the state PendingDeletion"),
        ({"KeyState": "Enabled", "KeySpec": "RSA_2048"}, "of the kind RSA_2048"),
    ],
)
def test_a_kms_key_must_be_usable(
    role: Runner, account: Account, metadata: dict[str, str], problem: str, check: bool
) -> None:
    account.before("kms:DescribeKey", answer({"KeyMetadata": {"KeyId": "x", **metadata}}))
    with pytest.raises(MissingReference, match=f"the KMS key alias/venues cannot encrypt .* it is {problem}"):
        role.execute(check=check, external_id_type="SecureString", kms_key_id="alias/venues")
    assert account.writes == []


def test_inline_policies_of_others_count(role: Runner, account: Account) -> None:
    role.execute()
    large = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::" + "x" * 8500}],
    }
    account.iam.put_role_policy(RoleName=NAME, PolicyName="theirs", PolicyDocument=json.dumps(large))
    assert role.execute()["changed"] is False
    account.calls.clear()
    with pytest.raises(InvalidInput, match=r"buckets: with the other inline policies of the role, .* IAM allows 10240"):
        role.execute(buckets=["sbg-dev-unity-data", *(f"bucket-{n:030}" for n in range(9))])
    assert account.writes == []


DATA, OTHER_DATA = "arn:aws:s3:::sbg-dev-unity-data/*", "arn:aws:s3:::sbg-dev-more/*"


def evaluation(action: str, within: dict[str, bool], missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """IAM's answer for one action, as its API reference describes it where resources are named."""
    return {
        "EvalActionName": action,
        "EvalResourceName": next(iter(within)),
        "EvalDecision": "implicitDeny",
        "MissingContextValues": [],
        "ResourceSpecificResults": [
            {
                "EvalResourceName": resource,
                "EvalResourceDecision": "allowed" if allowed else "implicitDeny",
                "MissingContextValues": list(missing),
                "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": allowed},
            }
            for resource, allowed in within.items()
        ],
    }


def test_a_simulation_names_what_the_boundary_cuts(role: Runner, account: Account) -> None:
    on_all = {
        "EvalActionName": "ecr:GetAuthorizationToken",
        "EvalResourceName": "*",
        "EvalDecision": "implicitDeny",
        "MissingContextValues": ["aws:SourceIp"],
        "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False},
    }
    results = [
        evaluation("s3:PutObject", {DATA: True, OTHER_DATA: False}),
        evaluation("s3:GetObject", {DATA: True, OTHER_DATA: True}),
        evaluation("s3:ListBucket", {DATA: False}, missing=("aws:SourceVpc",)),
        on_all,
    ]
    first = answer({"EvaluationResults": results[:1], "IsTruncated": True, "Marker": "m"})
    rest = [answer({"EvaluationResults": results[1:]})] + [answer({"EvaluationResults": []})] * 10
    account.before("iam:SimulateCustomPolicy", first, *rest)
    result = role.execute(preflight="simulate")
    assert result["notes"] == [
        f"The permissions boundary {HERE} does not allow s3:PutObject on {OTHER_DATA}.",
        f"The simulation could not decide whether the boundary allows s3:ListBucket on {DATA}, "
        "ecr:GetAuthorizationToken on *.",
    ]
    assert role.warnings == result["notes"]


def test_a_simulation_asks_about_the_boundary_and_not_about_the_conditions_of_the_role(
    role: Runner, account: Account
) -> None:
    """IAM reports the missing keys of every policy that it is given: those of the role would make all undecided."""
    account.before("iam:SimulateCustomPolicy", *[answer({"EvaluationResults": []})] * 10)
    role.execute(preflight="simulate")
    asked = account.asked("iam:SimulateCustomPolicy")
    assert json.loads(asked["PermissionsBoundaryPolicyInputList"][0])["Statement"][0]["Effect"] == "Allow"
    assert not [action for action in asked["ActionNames"] if "*" in action]
    for policy in map(json.loads, asked["PolicyInputList"]):
        assert {one["Effect"] for one in policy["Statement"]} == {"Allow"}
        assert not [one for one in policy["Statement"] if "Condition" in one]
    known = {one["ContextKeyName"]: one["ContextKeyValues"] for one in asked["ContextEntries"]}
    assert known["aws:RequestedRegion"] == ["us-west-2"]
    assert known["aws:PrincipalAccount"] == [MOTO_ACCOUNT]


def test_a_simulation_that_is_refused_is_said_to_be(role: Runner, account: Account) -> None:
    account.before("iam:SimulateCustomPolicy", refuse("AccessDenied"))
    assert role.execute(preflight="simulate")["changed"]
    assert "the caller needs iam:GetPolicyVersion and iam:SimulateCustomPolicy" in role.warnings[0]


def finding(text: str) -> dict[str, Any]:
    return {
        "findingType": "SECURITY_WARNING",
        "issueCode": "PASS_ROLE_WITH_STAR_IN_RESOURCE",
        "findingDetails": text,
        "learnMoreLink": "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html",
        "locations": [],
    }


def test_access_analyzer_checks_what_is_written_and_sees_no_external_id(role: Runner, account: Account) -> None:
    pages = [
        answer({"findings": [finding("A wildcard is used.")], "nextToken": "more"}),
        answer({"findings": [finding("It allows\nmuch")]}),
        answer({"findings": []}),
    ]
    account.before("access-analyzer:ValidatePolicy", *pages)
    result = role.execute(access_analyzer=True)
    asked = [arguments for call, arguments in account.arguments if call == "access-analyzer:ValidatePolicy"]
    kinds = {(one["policyType"], one.get("validatePolicyResourceType")) for one in asked}
    assert kinds == {("RESOURCE_POLICY", "AWS::IAM::AssumeRolePolicyDocument"), ("IDENTITY_POLICY", None)}
    assert stored(account) not in json.dumps(asked)
    assert len(asked) == 3
    texts = {one.partition("PASS_ROLE_WITH_STAR_IN_RESOURCE): ")[2] for one in result["notes"]}
    assert texts == {"A wildcard is used.", "It allows much."}
    assert role.warnings == result["notes"]
    account.calls.clear()
    assert role.execute(access_analyzer=True)["changed"] is False
    assert set(account.calls) == READS


def test_access_analyzer_that_refuses_does_not_stop_the_run(role: Runner, account: Account) -> None:
    account.before("access-analyzer:ValidatePolicy", *[refuse("AccessDeniedException")] * 2)
    assert role.execute(access_analyzer=True)["changed"]
    assert len(role.warnings) == 2
    assert "the caller needs access-analyzer:ValidatePolicy" in role.warnings[0]


# A lock, ours or created manually, hides nothing from provisioning.

BY_HAND = {"Sid": "Incident42", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}


def lock(account: Account, statement: dict[str, Any]) -> None:
    trust = account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"].append(statement)
    account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(trust))


@pytest.mark.parametrize("statement", [lock_statement(), BY_HAND], ids=["ours", "by hand"])
def test_a_value_in_ssm_that_is_not_that_of_a_locked_role_is_a_conflict(
    role: Runner, account: Account, statement: dict[str, Any]
) -> None:
    role.execute()
    lock(account, statement)
    publish(account, PATH, "attacker-chosen-value-1234")
    with pytest.raises(ExternalIdMismatch):
        role.execute()


@pytest.mark.parametrize("statement", [lock_statement(), BY_HAND], ids=["ours", "by hand"])
def test_a_locked_role_keeps_its_external_id_when_the_parameter_is_gone(
    role: Runner, account: Account, statement: dict[str, Any]
) -> None:
    role.execute()
    before = stored(account)
    lock(account, statement)
    account.ssm.delete_parameter(Name=PATH)
    assert actions(role.execute()) == ["ssm:PutParameter"]
    assert stored(account) == before


@pytest.mark.parametrize("statement", [lock_statement(), BY_HAND], ids=["ours", "by hand"])
def test_a_rotation_under_way_stays_as_it_is_while_the_role_is_locked(
    role: Runner, account: Account, statement: dict[str, Any]
) -> None:
    role.execute()
    old = stored(account)
    role.execute(rotate_external_id=True)
    lock(account, statement)
    assert role.execute()["steps"] == []
    trust = json.dumps(account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"])
    assert old in trust and stored(account) in trust
    new = stored(account)
    role.execute(rotate_external_id=True)  # the second run retires the old one
    trust = json.dumps(account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"])
    assert (old in trust, new in trust, stored(account)) == (False, True, new)


# What SSM says about an existing role.


@pytest.mark.parametrize(
    ("parameter", "value", "what"),
    [
        ("/unity/sbg/dev/ds/datastore-bucket", "another-venues-bucket", "buckets"),
        ("/unity/cs/account/privilegedpolicyname", "allows-everything", "permissions_boundary"),
        ("/unity/cs/account/privilegedpolicyname", "none", "permissions_boundary"),
    ],
)
def test_a_change_that_comes_from_ssm_needs_a_confirmation(
    role: Runner, account: Account, parameter: str, value: str, what: str
) -> None:
    role.execute()
    account.iam.create_policy(PolicyName="allows-everything", PolicyDocument=DENY)
    publish(account, parameter, value)
    account.calls.clear()
    for check in (False, True):
        with pytest.raises(UnconfirmedChange, match=rf"set confirm_changes to \[{what}\]") as caught:
            role.execute(check=check)
        assert f"the SSM parameter {parameter} says" in caught.value.message
        assert caught.value.facts["unconfirmed"] == [what]
    assert account.writes == []
    assert role.execute(confirm_changes=[what])["changed"]
    assert role.execute()["changed"] is False


def put_policy(account: Account, *resources: str) -> None:
    statement = {"Effect": "Allow", "Action": "ecr:PutImage", "Resource": resources}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.iam.put_role_policy(RoleName=NAME, PolicyName="venue-access", PolicyDocument=document)


@pytest.mark.parametrize("resources", [("arn:aws:ecr:us-west-2:123456789012:repository/sbg/*",), ("*",)], ids=str)
def test_a_bucket_for_a_role_that_has_none_needs_a_confirmation(
    role: Runner, account: Account, resources: tuple[str, ...]
) -> None:
    role.execute()
    put_policy(account, *resources)
    publish(account, "/unity/sbg/dev/ds/datastore-bucket", "another-venues-bucket")
    account.calls.clear()
    with pytest.raises(UnconfirmedChange, match="says another-venues-bucket, but the role has none") as caught:
        role.execute()
    assert (caught.value.facts["unconfirmed"], account.writes) == (["buckets"], [])
    assert role.execute(buckets=["sbg-dev-unity-data"])["changed"]
    put_policy(account, *resources)
    assert role.execute(confirm_changes=["buckets"])["changed"]


def test_what_narrows_a_role_or_completes_it_needs_no_confirmation(role: Runner, account: Account) -> None:
    role.execute()
    account.iam.delete_role_permissions_boundary(RoleName=NAME)
    assert actions(role.execute()) == ["iam:PutRolePermissionsBoundary"]
    account.iam.delete_role_policy(RoleName=NAME, PolicyName="venue-access")
    assert actions(role.execute()) == ["iam:PutRolePolicy"]
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    account.iam.put_role_policy(RoleName=NAME, PolicyName="venue-access", PolicyDocument=json.dumps(wide))
    assert actions(role.execute()) == ["iam:PutRolePolicy"]


def test_a_change_that_an_option_names_needs_no_confirmation(role: Runner, account: Account) -> None:
    role.execute()
    account.iam.create_policy(PolicyName="another", PolicyDocument=DENY)
    assert role.execute(buckets=["another-bucket"], permissions_boundary="another")["changed"]


def test_a_published_policy_of_aws_is_no_boundary(role: Runner, account: Account) -> None:
    publish(account, "/unity/cs/account/privilegedpolicyname", "arn:aws:iam::aws:policy/AdministratorAccess")
    with pytest.raises(InvalidInput, match=r"privilegedpolicyname: .* is an AWS managed policy"):
        role.execute()
    publish(account, "/unity/cs/account/privilegedpolicyname", "arn:aws:iam::210987654321:policy/theirs")
    with pytest.raises(InvalidInput, match="belongs to a different account"):
        role.execute()


def test_a_run_for_another_region_does_not_rewrite_the_role(role: Runner, account: Account) -> None:
    role.execute()
    ssm = account.in_region("us-east-1")
    ssm.put_parameter(Name=PATH, Value=stored(account), Type="String")
    account.calls.clear()
    with pytest.raises(
        NotProvisioned, match=r"in region us-east-1 of account .* Check the region and the account first"
    ):
        role.execute(region="us-east-1")
    options = {"region": "us-east-1", "buckets": ["sbg-dev-unity-data"], "permissions_boundary": HERE}
    with pytest.raises(
        UnconfirmedChange, match=r"the region of this run \(us-east-1\) says us-east-1, but .* us-west-2"
    ):
        role.execute(**options)
    assert account.writes == []


def test_what_is_published_may_not_change_between_check_and_write(role: Runner, account: Account) -> None:
    def swap() -> None:
        publish(account, "/unity/sbg/dev/ds/datastore-bucket", "another-venues-bucket")
        return refuse("ConcurrentModification")()

    account.before("iam:PutRolePolicy", swap)
    role.execute()
    document = account.iam.get_role_policy(RoleName=NAME, PolicyName="venue-access")["PolicyDocument"]
    assert "another-venues-bucket" not in json.dumps(document)


# Names of parameters and spellings of venues.


def test_parameters_may_have_other_names(role: Runner, account: Account) -> None:
    for name, value in (("/x/bucket", "their-bucket"), ("/x/boundary", "zsmce-tenantOperator-AMI-APIG")):
        publish(account, name, value)
    always = {
        "external_id_parameter": "/x/external-id",
        "bucket_parameter": "/x/bucket",
        "boundary_parameter": "/x/boundary",
    }
    result = role.execute(**always, wait=True)
    assert (result["external_id_parameter"], result["buckets"]["source"]) == ("/x/external-id", "/x/bucket")
    assert result["permissions_boundary"]["source"] == "/x/boundary"
    value = account.ssm.get_parameter(Name="/x/external-id")["Parameter"]["Value"]
    assert value == trust_of(account, NAME).current
    assert role.execute(**always)["changed"] is False
    removed = role.execute(**always, state="absent")
    assert removed["steps"][-1] == {
        "action": "ssm:DeleteParameter",
        "target": "/x/external-id",
        "summary": "delete the external ID",
    }


def test_a_venue_keeps_its_spelling(account: Account) -> None:
    account.publish_names("SBG", "Dev_1")
    upper = Runner(OPERATION, account, project="SBG", venue="Dev_1")
    result = upper.execute()
    assert result["role"]["name"] == "unity-SBG-Dev_1-sts"
    assert result["external_id_parameter"] == "/unity/SBG/Dev_1/cs/sts/role/external-id"
    tags = {tag["Key"]: tag["Value"] for tag in account.iam.get_role(RoleName="unity-SBG-Dev_1-sts")["Role"]["Tags"]}
    assert (tags["Proj"], tags["Venue"]) == ("SBG", "Dev_1")
    policy = account.iam.get_role_policy(RoleName="unity-SBG-Dev_1-sts", PolicyName="venue-access")["PolicyDocument"]
    assert "repository/sbg/*" in json.dumps(policy)
    assert upper.execute()["changed"] is False
    lower = Runner(OPERATION, account, project="sbg", venue="dev_1", role_name="unity-SBG-Dev_1-sts")
    account.publish_names("sbg", "dev_1")
    with pytest.raises(OwnershipConflict, match="in another spelling"):
        lower.execute()


def test_a_role_in_another_spelling_that_iam_does_not_show_is_named(role: Runner, account: Account) -> None:
    """Emulators tell names apart by their case; IAM refuses to create the second one."""
    account.iam.create_role(RoleName="unity-SBG-dev-sts", AssumeRolePolicyDocument=DENY)
    taken = refuse("EntityAlreadyExists", f"Role with name {NAME} already exists.")
    account.before("iam:CreateRole", *[taken] * ATTEMPTS)
    with pytest.raises(OwnershipConflict, match="has the role unity-SBG-dev-sts, and role names have no case"):
        role.execute()
    assert account.calls.count("iam:CreateRole") == 1


def test_who_may_not_list_roles_is_told_what_iam_says(role: Runner, account: Account) -> None:
    taken = refuse("EntityAlreadyExists", f"Role with name {NAME} already exists.")
    account.before("iam:CreateRole", *[taken] * ATTEMPTS)
    account.before("iam:ListRoles", *[refuse("AccessDenied")] * ATTEMPTS)
    with pytest.raises(ConcurrentChange, match="already exists"):
        role.execute()


# Foreign statements, the lock, and a role under another name.


def statements(account: Account, *more: dict[str, Any]) -> None:
    """Add statements to the role's trust policy."""
    policy = account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
    policy["Statement"] += more
    account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(policy))


def test_foreign_statements_and_the_lock_are_reported(role: Runner, account: Account) -> None:
    role.execute()
    incident = {"Sid": "Incident", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:TagSession"}
    statements(account, lock_statement(), incident)
    result = role.execute(wait=True)
    assert (result["changed"], result["locked"], result["assumable"]) == (False, True, False)
    assert result["notes"][0].startswith("The venue is locked: ")
    assert "Deny statement 'Incident'" in result["notes"][1]
    assert role.warnings == result["notes"]
    rotated = role.execute(rotate_external_id=True)
    assert (rotated["changed"], rotated["locked"]) == (True, True)
    sids = [one["Sid"] for one in json.loads(trust_of(account, NAME).text)["Statement"]]
    assert sids[-2:] == ["MdpsVenueLocked", "Incident"]


def test_one_of_two_roles_of_a_venue_does_not_take_the_external_id_of_the_other_with_it(
    role: Runner, account: Account
) -> None:
    role.execute()
    role.execute(role_name="legacy-sts")
    with pytest.raises(OwnershipConflict, match=rf"Besides the role {NAME} .* legacy-sts belongs to this venue"):
        role.execute(state="absent")
    other = Runner(OPERATION, account, project="emit", venue="ops")
    account.publish_names("emit", "ops")
    other.execute()
    with pytest.raises(OwnershipConflict, match="accepts the external ID in /unity/sbg/dev/cs/sts/role/external-id"):
        other.execute(state="absent", external_id_parameter=PATH)
    assert stored(account)
    assert {"unity-sbg-dev-sts", "legacy-sts"} <= {one["RoleName"] for one in account.iam.list_roles()["Roles"]}


@pytest.mark.parametrize("tagged", [True, False])
def test_the_external_id_of_a_role_under_another_name_is_not_deleted(
    role: Runner, account: Account, tagged: bool
) -> None:
    role.execute(role_name="legacy-sts")
    if not tagged:
        account.iam.untag_role(RoleName="legacy-sts", TagKeys=["Proj", "Venue"])
    account.calls.clear()
    for check in (False, True):
        with pytest.raises(OwnershipConflict, match=f"there is no role {NAME} .* but legacy-sts belongs to this venue"):
            role.execute(state="absent", check=check)
    assert account.writes == []
    assert role.execute(state="absent", role_name="legacy-sts", adopt=True)["changed"]


def test_an_external_id_that_no_role_uses_is_deleted(role: Runner, account: Account) -> None:
    role.execute()
    account.iam.delete_role_policy(RoleName=NAME, PolicyName="venue-access")
    account.iam.delete_role_permissions_boundary(RoleName=NAME)
    account.iam.delete_role(RoleName=NAME)
    assert actions(role.execute(state="absent")) == ["ssm:DeleteParameter"]


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("x" * 1000, True),
        ("x" * 1001, False),
        ("Größe\tin\n°C", True),
        ("a\x07b", False),
        ("中", False),
        ("a\x7fb", False),
    ],
)
def test_what_iam_takes_for_the_description_of_a_role(
    role: Runner, account: Account, text: str, is_right: bool
) -> None:
    if is_right:
        role.execute(description=text)
        assert account.iam.get_role(RoleName=NAME)["Role"]["Description"] == text
    else:
        with pytest.raises(InvalidInput, match="description: must be at most 1,000 characters"):
            role.execute(description=text)
