# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Issuing a token: what is compared before, asked of STS, checked after, and written."""

from __future__ import annotations

import json
import os
import pathlib
import re
import stat
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    AccountMismatch,
    AwsRefused,
    ConnectionProblem,
    ExternalIdMismatch,
    InvalidInput,
    NotAssumable,
    NotProvisioned,
    OwnershipConflict,
    ReceiptNotKept,
    VenueError,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import lock_statement
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue import unsigned
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing

from tests.support.account import MOTO_ACCOUNT, Account, Runner, answer, refuse, trust_of

NAME = "unity-sbg-dev-sts"
ARN = f"arn:aws:iam::{MOTO_ACCOUNT}:role/{NAME}"
PATH = "/unity/sbg/dev/cs/sts/role/external-id"
CHAINED = f"arn:aws:sts::{MOTO_ACCOUNT}:assumed-role/mcp-tenantOperator/admin"


@pytest.fixture
def provisioned(account: Account) -> Account:
    """The account with the venue's role, calls forgotten."""
    Runner(role.OPERATION, account, project="sbg", venue="dev").execute()
    account.calls.clear()
    return account


@pytest.fixture
def issue(provisioned: Account) -> Runner:
    return Runner(issuing.OPERATION, provisioned, project="sbg", venue="dev", user="jdoe")


def receipts() -> list[dict[str, Any]]:
    """The lines of the default receipts file."""
    return lines(pathlib.Path("~/.mdps/receipts.jsonl").expanduser())


def stored(account: Account) -> str:
    return str(account.ssm.get_parameter(Name=PATH)["Parameter"]["Value"])


def as_caller(account: Account, arn: str, times: int = 1) -> None:
    """Let AWS say that the credentials are somebody's."""
    account.before(
        "sts:GetCallerIdentity", *[answer({"Account": arn.split(":")[4], "Arn": arn, "UserId": "u"})] * times
    )


def secrets_in(result: dict[str, Any]) -> set[str]:
    """The keys of a token."""
    keys = result["token"]["Credentials"]
    return {keys["SecretAccessKey"], keys["SessionToken"]}


def test_a_token_is_the_procedures_document_and_what_amazon_aws_takes(issue: Runner, account: Account) -> None:
    issue.clock.time = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
    result = issue.execute()
    document = result["token"]
    assert list(document) == ["AssumedRoleUser", "Credentials"]
    assert list(document["AssumedRoleUser"]) == ["AssumedRoleId", "Arn"]
    assert list(document["Credentials"]) == ["SecretAccessKey", "SessionToken", "Expiration", "AccessKeyId"]
    assert (
        document["AssumedRoleUser"]["Arn"]
        == f"arn:aws:sts::{MOTO_ACCOUNT}:assumed-role/{NAME}/jdoe-20261122T093015Z-000003"
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["Credentials"]["Expiration"])
    keys = document["Credentials"]
    assert result["sts_creds"] == {
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
        "session_token": keys["SessionToken"],
        "expiration": keys["Expiration"],
    }
    assert result["changed"] is True
    assert [one["state"] for one in receipts()] == ["requested", "issued"]
    assert sorted(account.calls) == [
        "iam:GetRole",
        "iam:GetRolePolicy",
        "ssm:GetParameters",
        "sts:AssumeRole",
        "sts:GetCallerIdentity",
    ]
    assert issue.warnings == []


def test_sts_is_asked_for_exactly_this(issue: Runner, account: Account) -> None:
    issue.clock.time = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
    issue.execute()
    assert account.asked("sts:AssumeRole") == {
        "RoleArn": ARN,
        "RoleSessionName": "jdoe-20261122T093015Z-000003",
        "DurationSeconds": 3600,
        "ExternalId": stored(account),
    }


def test_every_option_reaches_sts(issue: Runner, account: Account) -> None:
    issue.execute(
        session_name="unityuser12252025",
        duration_seconds=900,
        policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        tags={"Ticket": 4711, "Proj": "sbg"},
        transitive_tag_keys=["Proj"],
        source_identity="jdoe@example.org",
        mfa_serial_number=f"arn:aws:iam::{MOTO_ACCOUNT}:mfa/admin",
        mfa_token="012345",
    )
    assert account.asked("sts:AssumeRole") == {
        "RoleArn": ARN,
        "RoleSessionName": "unityuser12252025",
        "DurationSeconds": 900,
        "ExternalId": stored(account),
        "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        "Tags": [{"Key": "Ticket", "Value": "4711"}, {"Key": "Proj", "Value": "sbg"}],
        "TransitiveTagKeys": ["Proj"],
        "SourceIdentity": "jdoe@example.org",
        "SerialNumber": f"arn:aws:iam::{MOTO_ACCOUNT}:mfa/admin",
        "TokenCode": "012345",
    }


def test_a_session_policy_reaches_sts_without_white_space(issue: Runner, account: Account) -> None:
    issue.execute(session_policy='{"Version": "2012-10-17", "Statement": []}')
    assert account.asked("sts:AssumeRole")["Policy"] == '{"Version":"2012-10-17","Statement":[]}'


def test_the_receipt_says_what_other_policies_leave(issue: Runner, account: Account) -> None:
    managed = issue.execute(policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"])["receipt"]["allows"]
    assert managed["narrowed"] is True and "places" not in managed
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::*/out/*"}
    by_hand = issue.execute(session_policy=json.dumps({"Statement": statement}))["receipt"]["allows"]
    assert [one.split("/", 1) for one in by_hand["places"]] == [[f"write {by_hand['buckets'][0]}", "out/"]]
    assert "narrowed" not in by_hand and "narrowed" not in issue.execute()["receipt"]["allows"]


def test_the_receipt_says_everything_but_secrets(issue: Runner, account: Account) -> None:
    result = issue.execute(
        access=["s3_read", "ecr_pull"],
        bucket_prefixes=["incoming/"],
        ecr_repositories=["sbg/app"],
        source_identity="jdoe",
        context={"ticket": "MDPS-1", "reason": "Reprocess (April): #7", "job": None},
    )
    receipt = result["receipt"]
    user = result["token"]["AssumedRoleUser"]
    moment = issue.clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert receipt == {
        "schema": 2,
        "id": f"r-{issue.clock.time:%Y%m%dT%H%M%SZ}-00000004",
        "state": "issued",
        "recorded_at": moment,
        "recipient": "jdoe",
        "project": "sbg",
        "venue": "dev",
        "account_id": MOTO_ACCOUNT,
        "region": "us-west-2",
        "role_arn": ARN,
        "session_name": user["Arn"].rsplit("/", 1)[1],
        "method": "assume_role",
        "requested_at": moment,
        "issue_until": (issue.clock.time + timedelta(minutes=7)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_requested": 3600,
        "duration_seconds": 3600,
        "issuer_arn": f"arn:aws:sts::{MOTO_ACCOUNT}:user/moto",
        "external_id_source": "parameter",
        "source_identity": "jdoe",
        "allows": {
            "access": ["s3_read", "ecr_pull"],
            "buckets": ["sbg-dev-unity-data"],
            "bucket_prefixes": ["incoming"],
            "ecr_repositories": ["sbg/app"],
            "delete": False,
            "list": True,
        },
        "context": {"ticket": "MDPS-1", "reason": "Reprocess (April): #7"},
        "access_key_id": result["token"]["Credentials"]["AccessKeyId"],
        "assumed_role_id": user["AssumedRoleId"],
        "issued_at": moment,
        "expires_at": result["token"]["Credentials"]["Expiration"],
        "handoff": None,
        "problem": None,
        "note": None,
    }
    assert not [secret for secret in {*secrets_in(result), stored(account)} if secret in json.dumps(receipt)]


def test_check_mode_compares_everything_and_issues_nothing(
    issue: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    result = issue.execute(check=True, dest=str(tmp_path / "new" / "token.json"))
    assert (result["dest"], result["changed"]) == (str(tmp_path / "new" / "token.json"), True)
    assert result["receipt"]["session_name"].startswith("jdoe-")
    assert (result["receipt"]["state"], result["receipt"]["access_key_id"]) == ("requested", None)
    assert "sts:AssumeRole" not in account.calls
    assert list(tmp_path.iterdir()) == [] and not pathlib.Path("~/.mdps").expanduser().exists()
    result = issue.execute(check=True)
    assert (result["token"], result["sts_creds"], result["changed"]) == (None, None, True)
    account.ssm.put_parameter(Name=PATH, Value="by-hand", Type="String", Overwrite=True)
    with pytest.raises(ExternalIdMismatch):
        issue.execute(check=True)


# What names the session by its request.

CONTEXT = {"requester": "jane", "reason": "Reprocessing, again", "ticket": "MDPS-1"}
NAMES = {
    "Tags": [
        {"Key": "Reason", "Value": "Reprocessing again"},
        {"Key": "Ticket", "Value": "MDPS-1"},
        {"Key": "Requester", "Value": "jane"},
    ],
    "SourceIdentity": "jane",
}


def named(account: Account) -> list[dict[str, Any]]:
    """What named the session in each call of AssumeRole."""
    asked = [given for call, given in account.arguments if call == "sts:AssumeRole"]
    return [{name: given[name] for name in ("Tags", "SourceIdentity") if name in given} for given in asked]


def test_the_request_names_the_session_and_the_receipt_says_so(issue: Runner, account: Account) -> None:
    receipt = issue.execute(context=CONTEXT)["receipt"]
    assert named(account) == [NAMES]
    assert receipt["source_identity"] == "jane"
    assert [one["source_identity"] for one in receipts()] == ["jane", "jane"]
    assert issue.warnings == []


@pytest.mark.parametrize("code", ["AccessDenied", "PackedPolicyTooLarge"])
def test_a_token_is_issued_without_names_if_aws_refuses_them(code: str, issue: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", refuse(code))
    result = issue.execute(context=CONTEXT)
    assert named(account) == [NAMES, {}]
    assert result["receipt"]["source_identity"] is None, "a revocation of it would not reach the token"
    assert result["receipt"]["context"] == CONTEXT
    assert len(issue.warnings) == 1
    assert f"AWS refused ({code}) to name the session by its request" in issue.warnings[0]


def test_a_refusal_that_is_not_about_names_is_what_it_was(issue: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", refuse("RegionDisabledException"))
    with pytest.raises(AwsRefused, match="RegionDisabled"):
        issue.execute(context=CONTEXT)
    assert named(account) == [NAMES]
    account.before("sts:AssumeRole", *[refuse("AccessDenied")] * 2)
    with pytest.raises(NotAssumable):
        issue.execute(context=CONTEXT, wait_timeout=0)
    assert named(account)[1:] == [NAMES, {}]
    assert issue.warnings == []


def test_names_are_required_or_left_out_if_somebody_says_so(issue: Runner, account: Account) -> None:
    issue.execute(context=CONTEXT, tag_session=False)
    assert named(account) == [{}]
    issue.execute(context=CONTEXT, tag_session=True)
    assert named(account)[1:] == [NAMES]
    account.before("sts:AssumeRole", refuse("AccessDenied"))
    with pytest.raises(NotAssumable):
        issue.execute(context=CONTEXT, tag_session=True, wait_timeout=0)
    assert named(account)[2:] == [NAMES]


def test_what_the_trust_policy_does_not_allow_is_not_tried(issue: Runner, account: Account) -> None:
    policy = account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
    (statement,) = [one for one in policy["Statement"] if one["Sid"] == "NameSession"]
    statement["Action"] = "sts:TagSession"
    account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(policy))
    assert issue.execute(context=CONTEXT)["receipt"]["source_identity"] is None
    policy["Statement"].remove(statement)
    account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(policy))
    issue.execute(context=CONTEXT)
    assert named(account) == [{"Tags": NAMES["Tags"]}, {}]


def test_what_was_given_is_not_replaced(issue: Runner, account: Account) -> None:
    issue.execute(context=CONTEXT, source_identity="jdoe", tags={"reason": "mine", "Proj": "sbg"})
    given = [{"Key": "reason", "Value": "mine"}, {"Key": "Proj", "Value": "sbg"}]
    assert named(account) == [{"SourceIdentity": "jdoe", "Tags": given + list(NAMES["Tags"])[1:]}]
    issue.execute(context=CONTEXT, tags={f"k{number}": "v" for number in range(48)})
    assert len(named(account)[1]["Tags"]) == 48, "AWS accepts 50"


@pytest.mark.parametrize("requester", ["José", "j", "jane doe", "x" * 65])
def test_a_requester_is_not_altered_to_be_a_source_identity(requester: str, issue: Runner, account: Account) -> None:
    issue.execute(context={"requester": requester})
    issue.execute(context={"requester": requester}, tag_session=True)
    assert [list(one) for one in named(account)] == [["Tags"], ["Tags"]]


# The three external IDs and the two accounts.


def test_the_requesters_id_is_compared_and_not_echoed(issue: Runner, account: Account) -> None:
    result = issue.execute(external_id=stored(account), require_requester_external_id=True)
    assert result["receipt"]["external_id_source"] == "parameter+requester"
    with pytest.raises(
        ExternalIdMismatch, match=r"the requester sent is not this venue's. No token was issued"
    ) as caught:
        issue.execute(external_id="the-id-of-another-venue")
    assert "the-id-of-another-venue" not in str(caught.value.to_result())
    assert account.calls.count("sts:AssumeRole") == 1


def test_a_requester_may_be_obliged_to_send_one(issue: Runner, account: Account) -> None:
    with pytest.raises(InvalidInput, match=r"external_id: is required here .* Ask the requester"):
        issue.execute(require_requester_external_id=True)
    assert account.calls == []


def test_ssm_and_trust_policy_differ(issue: Runner, account: Account) -> None:
    account.ssm.put_parameter(Name=PATH, Value="by-hand", Type="String", Overwrite=True)
    with pytest.raises(ExternalIdMismatch) as caught:
        issue.execute()
    assert caught.value.facts["places"] == ["parameter", "trust_policy"]
    assert "sts:AssumeRole" not in account.calls


def test_during_a_rotation_the_previous_id_is_served_with_a_warning(issue: Runner, account: Account) -> None:
    old = stored(account)
    Runner(role.OPERATION, account, project="sbg", venue="dev").execute(rotate_external_id=True)
    result = issue.execute(external_id=trust_of(account, NAME).previous)
    assert old == trust_of(account, NAME).previous
    assert result["token"]
    assert len(issue.warnings) == 1
    assert re.search(r"The requester sent the previous external ID. It was rotated on \d{4}-", issue.warnings[0])
    assert old not in issue.warnings[0]


def test_another_account(issue: Runner, account: Account) -> None:
    with pytest.raises(AccountMismatch):
        issue.execute(expected_account_id="210987654321")
    # The role's ARN tells the account too.
    with pytest.raises(AccountMismatch, match="but the venue is in account 210987654321"):
        issue.execute(role_arn="arn:aws:iam::210987654321:role/unity-sbg-dev-sts")
    assert "sts:AssumeRole" not in account.calls
    assert issue.execute(expected_account_id=MOTO_ACCOUNT, role_arn=ARN)["token"]


def test_a_role_arn_must_be_the_roles_own_to_the_path(issue: Runner, account: Account) -> None:
    with pytest.raises(InvalidInput, match=rf"role_arn: .* does not exist. The role of that name is {ARN}"):
        issue.execute(role_arn=f"arn:aws:iam::{MOTO_ACCOUNT}:role/mdps/{NAME}")
    with pytest.raises(InvalidInput, match=r"role_arn: .* two before the account"):
        issue.execute(role_arn=f"arn:aws:iam:{MOTO_ACCOUNT}:role/{NAME}")


def test_what_is_not_provisioned(issue: Runner, account: Account) -> None:
    with pytest.raises(
        NotProvisioned,
        match=rf"there is no role unity-sbg-ops-sts in account {MOTO_ACCOUNT}. Run the provision playbook",
    ):
        issue.execute(venue="ops")
    account.ssm.delete_parameter(Name=PATH)
    with pytest.raises(
        NotProvisioned, match=rf"there is no SSM parameter {PATH} in region us-west-2 of account {MOTO_ACCOUNT}"
    ):
        issue.execute()


def test_another_venues_role_issues_nothing(issue: Runner, account: Account) -> None:
    account.iam.tag_role(RoleName=NAME, Tags=[{"Key": "Proj", "Value": "emit"}])
    with pytest.raises(OwnershipConflict, match="Proj=emit"):
        issue.execute()
    assert "sts:AssumeRole" not in account.calls


def test_a_role_made_by_hand_without_tags_will_do(issue: Runner, account: Account) -> None:
    account.iam.untag_role(RoleName=NAME, TagKeys=["Proj", "Venue"])
    assert issue.execute()["token"]


# Durations.


def test_a_chained_caller_is_capped_with_a_warning_or_refused(issue: Runner, account: Account) -> None:
    account.iam.update_role(RoleName=NAME, MaxSessionDuration=43200)
    as_caller(account, CHAINED)
    result = issue.execute(duration_seconds=7200)
    assert account.asked("sts:AssumeRole")["DurationSeconds"] == result["receipt"]["duration_seconds"] == 3600
    assert result["receipt"]["duration_requested"] == 7200
    assert issue.warnings == [
        "duration_seconds: 7200 seconds cannot be granted: AWS gives at most 1 hour to a caller that is itself the "
        "session of a role, "
        "as with credentials from Kion (role chaining). The token is valid for 3600 seconds."
    ]
    as_caller(account, CHAINED)
    with pytest.raises(InvalidInput, match="Request at most 3600, or set on_duration_cap to cap"):
        issue.execute(duration_seconds=7200, on_duration_cap="fail")
    as_caller(account, CHAINED)
    assert issue.execute(duration_seconds=3600, on_duration_cap="fail")["token"]


def test_a_user_gets_as_long_as_the_role_allows(issue: Runner, account: Account) -> None:
    account.iam.update_role(RoleName=NAME, MaxSessionDuration=7200)
    assert issue.execute(duration_seconds=7200, on_duration_cap="fail")["receipt"]["duration_seconds"] == 7200
    assert issue.execute(duration_seconds=43200)["receipt"]["duration_seconds"] == 7200
    assert "the role's max_session_duration is shorter" in issue.warnings[0]


# Narrowing.


def statements(account: Account) -> dict[str, Any]:
    policy = json.loads(account.asked("sts:AssumeRole")["Policy"])
    return {one["Action"][0]: one for one in policy["Statement"]}


def test_access_and_prefixes_become_a_session_policy_on_the_published_bucket(issue: Runner, account: Account) -> None:
    issue.execute(access=["s3_read"], bucket_prefixes=["products/l2"])
    narrowed = statements(account)
    assert narrowed["s3:GetObject"]["Resource"] == ["arn:aws:s3:::sbg-dev-unity-data/products/l2/*"]
    assert narrowed["s3:GetObject"]["Action"] == ["s3:GetObject", "s3:GetObjectTagging"]
    assert not [action for action in narrowed if action.startswith("ecr:")]


def test_a_role_made_by_hand_needs_the_published_bucket(issue: Runner, account: Account) -> None:
    account.iam.delete_role_policy(RoleName="unity-sbg-dev-sts", PolicyName="venue-access")
    issue.execute(access=["s3_read"])
    assert statements(account)["s3:GetObject"]["Resource"] == ["arn:aws:s3:::sbg-dev-unity-data/*"]
    account.ssm.delete_parameter(Name="/unity/sbg/dev/ds/datastore-bucket")
    issue.execute(access=["ecr_pull"], ecr_repositories=["sbg/app"])
    assert statements(account)["ecr:BatchCheckLayerAvailability"]["Resource"] == [
        f"arn:aws:ecr:us-west-2:{MOTO_ACCOUNT}:repository/sbg/app"
    ]
    with pytest.raises(NotProvisioned, match=r"in region us-west-2 .* specify the bucket with the option buckets"):
        issue.execute(access=["s3_read"])
    issue.execute(access=["s3_read"], buckets=["mine"])
    assert statements(account)["s3:GetObject"]["Resource"] == ["arn:aws:s3:::mine/*"]


def test_the_buckets_of_the_role_are_the_default(issue: Runner, account: Account) -> None:
    account.ssm.delete_parameter(Name="/unity/sbg/dev/ds/datastore-bucket")
    issue.execute(access=["s3_read"])
    assert statements(account)["s3:GetObject"]["Resource"] == ["arn:aws:s3:::sbg-dev-unity-data/*"]
    with pytest.raises(InvalidInput, match="buckets: the role does not allow mine"):
        issue.execute(access=["s3_read"], buckets=["mine"])


@pytest.mark.parametrize(
    "given",
    [
        {"access": ["s3_read"]},
        {"limits": {"bucket_prefixes": ["incoming"]}},
        {"session_policy": json.dumps({"Statement": []})},
    ],
)
def test_managed_policies_would_add_to_what_narrows_a_token(
    issue: Runner, account: Account, given: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match="policy_arns: STS allows what any of the session policies allows"):
        issue.execute(policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"], **given)
    assert account.calls == []


def allow(action: str, resource: str) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]})


@pytest.mark.parametrize(
    ("policy", "warned"),
    [
        (allow("ec2:*", "*"), True),
        (allow("s3:GetObject", "arn:aws:s3:::another-bucket/*"), True),
        (allow("s3:GetObject", "arn:aws:s3:::sbg-dev-unity-data/x/*"), False),
        (allow("s3:*", "*"), False),
    ],
)
def test_a_session_policy_that_leaves_nothing_is_warned_about(issue: Runner, policy: str, warned: bool) -> None:
    issue.execute(session_policy=policy)
    assert [one.startswith("session_policy: the policy that provisioning gave") for one in issue.warnings] == (
        [True] if warned else []
    )


def test_without_narrowing_there_is_no_session_policy(issue: Runner, account: Account) -> None:
    issue.execute()
    assert "Policy" not in account.asked("sts:AssumeRole")


@pytest.mark.parametrize("option", ["access", "buckets", "ecr_repositories"])
def test_an_empty_list_is_not_taken_for_everything(issue: Runner, account: Account, option: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{option}: "):
        issue.execute(**{option: []})
    assert account.calls == []


def test_a_session_policy_that_grows_too_long_is_refused_before_any_call(issue: Runner, account: Account) -> None:
    with pytest.raises(InvalidInput, match=r"access: the session policy has \d+ characters and STS accepts 2048"):
        issue.execute(buckets=[f"bucket-{number:050}" for number in range(20)])
    assert account.calls == []


def test_a_session_policy_that_grows_too_long_with_the_published_bucket_is_refused_before_sts(
    issue: Runner, account: Account
) -> None:
    with pytest.raises(InvalidInput, match="STS accepts 2048"):
        issue.execute(bucket_prefixes=[f"folder-{number:050}" for number in range(20)])
    assert "sts:AssumeRole" not in account.calls


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"project": "S B G"}, "project: 'S B G' is not a name"),
        ({"venue": "d" * 60}, "IAM allows 64"),
        ({"role_name": "a b"}, "role_name: 'a b' is not a role name"),
        ({"user": ""}, "user: must not be empty"),
        ({"user": "José Núñez"}, "Use 'jose.nunez', for example."),
        ({"session_name": "jane doe"}, "session_name: 'jane doe' must be 2 to 64"),
        ({"source_identity": "x"}, "source_identity: 'x' must be 2 to 64"),
        ({"external_id": "secret value"}, "external_id: must be 2 to 1,224"),
        ({"external_id": ""}, "external_id: must not be empty"),
        ({"session_policy": ""}, "session_policy: must not be empty"),
        ({"expected_account_id": " "}, "expected_account_id: must not be empty"),
        ({"policy_arns": []}, "policy_arns: must not be empty"),
        ({"limits": {}}, "limits: must not be empty"),
        ({"limits": {"access": ["s3_read"]}, "access": ["s3_write"]}, "access: 's3_write' is outside the limits"),
        ({"limits": {"duration_seconds": 900}, "duration_seconds": 901}, "limits.duration_seconds: 900"),
        ({"duration_seconds": 899}, "duration_seconds: 899 must be 900 to 43200"),
        ({"duration_seconds": 43201}, "duration_seconds: 43201 must be 900 to 43200"),
        ({"wait_timeout": -1}, "wait_timeout: -1 must be 0 to 3600"),
        ({"access": ["admin"]}, "access: 'admin' is not valid"),
        (
            {"role_arn": "arn:aws-us-gov:iam::123456789012:role/x"},
            "is in partition aws-us-gov, but the region is in partition aws",
        ),
        (
            {"role_arn": ARN, "expected_account_id": "210987654321"},
            "belongs to account 123456789012, not to 210987654321",
        ),
        ({"role_arn": f"arn:aws:iam::{MOTO_ACCOUNT}:role/" + "x" * 65}, "is not a role name"),
        ({"expected_account_id": "12"}, "is not an AWS account ID"),
        ({"session_policy": "{"}, "session_policy: is not JSON"),
        (
            {"session_policy": '{"Statement": []}', "access": ["s3_read"]},
            "session_policy: replaces what access, buckets",
        ),
        ({"policy_arns": ["arn:aws:iam::aws:policy/x"] * 11}, "policy_arns: names 11"),
        ({"tags": {f"k{number}": "v" for number in range(51)}}, "tags: has 51 tags"),
        ({"transitive_tag_keys": ["Proj"]}, "transitive_tag_keys: Proj is not among the tags"),
        ({"ecr_repositories": ["*"]}, "would match more than one namespace"),
        ({"buckets": ["My_Bucket"]}, "is not a bucket name"),
        ({"bucket_prefixes": ["/x"]}, "must be a folder"),
        (
            {"mfa_serial_number": "arn:aws:iam::123456789012:mfa/x", "mfa_token": "1"},
            "mfa_token: must be the six digits",
        ),
    ],
)
def test_bad_input_costs_no_call(issue: Runner, account: Account, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        issue.execute(**given)
    assert message in caught.value.message
    assert "secret" not in caught.value.message
    assert account.calls == []


# New roles.


def test_a_role_made_a_moment_ago_is_tried_again(issue: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", *[refuse("AccessDenied")] * 5)
    assert issue.execute()["token"]
    assert issue.clock.slept == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_a_new_role_is_not_tried_for_ever(issue: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", *[refuse("AccessDenied")] * 50)
    with pytest.raises(NotAssumable, match="The role is new") as caught:
        issue.execute(wait_timeout=20)
    assert 20 <= sum(issue.clock.slept) < 29
    assert (caught.value.facts["operation"], caught.value.facts["error_code"]) == ("sts:AssumeRole", "AccessDenied")


def test_an_old_role_is_asked_once(issue: Runner, account: Account) -> None:
    issue.clock.time += timedelta(minutes=5, seconds=30)
    account.before("sts:AssumeRole", refuse("AccessDenied", "is not authorized"))
    with pytest.raises(NotAssumable, match="lacks sts:AssumeRole on"):
        issue.execute()
    assert issue.clock.slept == []
    assert account.calls.count("sts:AssumeRole") == 1


def test_an_old_role_with_a_newly_written_id_is_tried_again(issue: Runner, account: Account) -> None:
    described = account.iam.get_role(RoleName=NAME)["Role"]
    old = {
        **described,
        "CreateDate": described["CreateDate"] - timedelta(days=400),
        "AssumeRolePolicyDocument": trust_of(account, NAME).text,
    }
    account.before("iam:GetRole", answer({"Role": old}))
    account.before("sts:AssumeRole", refuse("AccessDenied"))
    assert issue.execute()["token"]
    assert issue.clock.slept == [1.0]


def test_other_refusals_are_passed_on_immediately(issue: Runner, account: Account) -> None:
    account.before("sts:AssumeRole", refuse("PackedPolicyTooLarge", "Packed size 110%"))
    with pytest.raises(
        AwsRefused,
        match=r'could not assume the role unity-sbg-dev-sts: AWS said "Packed size 110%" \(PackedPolicyTooLarge',
    ):
        issue.execute()
    account.before("sts:AssumeRole", refuse("ExpiredToken"))
    with pytest.raises(ConnectionProblem, match="have expired"):
        issue.execute()
    assert issue.clock.slept == []


# After STS has answered.


def test_verify_asks_with_the_new_keys(issue: Runner, account: Account) -> None:
    result = issue.execute(verify=True)
    assert account.calls.count("sts:GetCallerIdentity") == 2
    assert len(account.calls) == 6
    assert result["token"]


def test_keys_that_answer_as_somebody_else_are_not_returned_and_the_receipt_remains(
    issue: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    account.before(
        "sts:GetCallerIdentity",
        lambda: None,
        answer({"Account": MOTO_ACCOUNT, "Arn": "arn:aws:iam::123456789012:user/else", "UserId": "u"}),
    )
    with pytest.raises(
        AccountMismatch,
        match=r"the new credentials belong to arn:aws:iam::123456789012:user/else, not to .*Do not deliver them",
    ) as caught:
        issue.execute(verify=True, dest=str(tmp_path / "token.json"))
    assert caught.value.facts["receipt"]["access_key_id"]
    assert list(tmp_path.iterdir()) == []
    assert [(one["state"], bool(one["access_key_id"])) for one in receipts()] == [
        ("requested", False),
        ("failed", True),
    ]


def test_a_verification_that_fails_leaves_no_file(issue: Runner, account: Account, tmp_path: pathlib.Path) -> None:
    account.before("sts:GetCallerIdentity", lambda: None, refuse("InvalidClientTokenId"))
    with pytest.raises(ConnectionProblem) as caught:
        issue.execute(verify=True, dest=str(tmp_path / "token.json"))
    assert caught.value.facts["receipt"]["recipient"] == "jdoe"
    assert list(tmp_path.iterdir()) == []


# The file.


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_is_the_owners_alone_and_so_are_folders_made_for_it(issue: Runner, tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o755)
    dest = tmp_path / "for" / "jdoe" / "token.json"
    result = issue.execute(dest=str(dest))
    assert (result["changed"], result["dest"]) == (True, str(dest))
    assert not {"token", "sts_creds"} & set(result)
    assert [mode(path) for path in (dest, dest.parent, dest.parent.parent, tmp_path)] == [0o600, 0o700, 0o700, 0o755]
    document = json.loads(dest.read_text())
    assert list(document) == ["AssumedRoleUser", "Credentials"]
    assert dest.read_text() == json.dumps(document, indent=4) + "\n"
    assert document["Credentials"]["SecretAccessKey"] not in json.dumps(result)
    assert [path.name for path in dest.parent.iterdir()] == ["token.json"]


def not_a_place(folder: pathlib.Path) -> dict[str, tuple[pathlib.Path, str]]:
    """Destinations that are refused, with the reason."""
    (folder / "file").touch()
    (folder / "link").symlink_to(folder / "elsewhere")
    os.mkfifo(folder / "fifo")
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    return {
        "an existing file": (folder / "file", "exists and is never overwritten"),
        "a symbolic link": (folder / "link", "is a symbolic link"),
        "a FIFO": (folder / "fifo", "is a FIFO"),
        "below a file": (folder / "file" / "token.json", "is not a folder"),
        "a folder of everybody": (folder / "open" / "token.json", "is writable by everyone"),
        "a line break": (folder / "a\nb", "is not the path of a file"),
    }


@pytest.mark.parametrize(
    "case",
    ["an existing file", "a symbolic link", "a FIFO", "below a file", "a folder of everybody", "a line break"],
)
def test_a_place_that_cannot_be_used_is_found_before_any_call(
    issue: Runner, account: Account, tmp_path: pathlib.Path, case: str
) -> None:
    dest, reason = not_a_place(tmp_path)[case]
    with pytest.raises(VenueError, match=f"dest: .*{reason}"):
        issue.execute(dest=str(dest))
    assert account.calls == []
    assert (tmp_path / "file").read_text() == "" and (tmp_path / "fifo").is_fifo()


def test_a_proof_in_a_fifo_is_refused_and_does_not_block(issue: Runner, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    options = {"role_arn": "arn:aws:iam::123456789012:role/sbg-dev-sts"}
    for method, option in (("saml", "saml_assertion_file"), ("web_identity", "web_identity_token_file")):
        more = {"saml_provider_arn": "arn:aws:iam::123456789012:saml-provider/idp"} if method == "saml" else {}
        with pytest.raises(VenueError, match=rf"^{option}: .*not a regular file"):
            issue.execute(method=method, **options, **more, **{option: str(tmp_path / "fifo")})


def test_a_folder_gets_a_file_for_each_token(issue: Runner, tmp_path: pathlib.Path) -> None:
    stamp = f"{issue.clock.time:%Y%m%dT%H%M%SZ}-00000004"
    folder = f"{tmp_path}/tokens/"
    written = issue.execute(dest=folder, user="Jane.doe@example.org")["dest"]
    assert written == f"{folder}sbg_dev_~jane.doe@example.org_{stamp}.json"
    assert issue.execute(dest=folder, check=True)["dest"] == f"{folder}sbg_dev_jdoe_{stamp}.json"
    assert issue.execute(dest=folder[:-1])["dest"] == f"{folder}sbg_dev_jdoe_{stamp}.json"  # it is a folder by now
    # Were two tokens ever to have one name, the second would be refused.
    with pytest.raises(VenueError, match="exists and is never overwritten"):
        issue.execute(dest=folder)
    assert [one["state"] for one in receipts()][-2:] == ["requested", "failed"]
    assert "exists and is never overwritten" in receipts()[-1]["problem"]


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_token_that_stays_is_recorded_with_its_place(issue: Runner, tmp_path: pathlib.Path) -> None:
    dest, file = tmp_path / "token.json", tmp_path / "kept" / "receipts.jsonl"
    result = issue.execute(dest=str(dest), receipts_file=str(file))
    handoff = result["receipt"]["handoff"]
    assert (handoff["channel"], handoff["delivered"], handoff["target"]) == ("none", False, str(dest))
    assert [one["state"] for one in lines(file)] == ["requested", "kept"]
    assert lines(file)[1] == result["receipt"]
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"receipts_file": "/"}, "receipts_file: "),
        ({"receipts_file": f"{__file__}/receipts.jsonl"}, "receipts_file: "),
        ({"receipts_file": "a" * 300}, "receipts_file: "),
        ({"receipts_s3": "bucket"}, "receipts_s3: .* is not of the form"),
        ({"receipts_ssm_path": "sts"}, "receipts_ssm_path: .* is not a parameter path"),
    ],
)
def test_receipts_that_cannot_be_written_are_found_before_any_call(
    issue: Runner, account: Account, places: dict[str, str], message: str
) -> None:
    with pytest.raises(VenueError, match=message):
        issue.execute(**places)
    assert account.calls == []


def test_no_token_without_a_record_of_the_intent(
    issue: Runner, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ReceiptNotKept, match=r"No space left on device.*No token was issued"):
        issue.execute()
    assert "sts:AssumeRole" not in account.calls


def test_an_intent_that_one_store_could_not_keep_does_not_stay_open_in_the_other(
    issue: Runner, account: Account
) -> None:
    account.before("ssm:PutParameter", refuse("AccessDeniedException"), refuse("AccessDeniedException"))
    with pytest.raises(ReceiptNotKept, match="No token was issued"):
        issue.execute(receipts_ssm_path="/unity/sbg/dev/receipts")
    assert [one["state"] for one in receipts()] == ["requested", "failed"]
    assert "sts:AssumeRole" not in account.calls


def test_a_locked_venue_issues_nothing_and_says_so(issue: Runner, account: Account) -> None:
    policy = account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
    policy["Statement"].append(lock_statement())
    account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(policy))
    with pytest.raises(NotAssumable, match="the venue is locked: a Deny statement"):
        issue.execute()
    assert "sts:AssumeRole" not in account.calls


def test_parameters_may_have_other_names(issue: Runner, account: Account) -> None:
    value = account.ssm.get_parameter(Name=PATH)["Parameter"]["Value"]
    account.ssm.put_parameter(Name="/x/external-id", Value=value, Type="String")
    account.ssm.put_parameter(Name="/x/bucket", Value="sbg-dev-unity-data", Type="String")
    for name in (PATH, "/unity/sbg/dev/ds/datastore-bucket"):
        account.ssm.delete_parameter(Name=name)
    given = {"external_id_parameter": "/x/external-id", "bucket_parameter": "/x/bucket"}
    issue.execute(**given, access=["s3_read"])
    asked = account.asked("sts:AssumeRole")
    assert asked["ExternalId"] == value
    assert "arn:aws:s3:::sbg-dev-unity-data" in asked["Policy"]
    with pytest.raises(NotProvisioned, match="there is no SSM parameter /y/external-id in region us-west-2"):
        issue.execute(external_id_parameter="/y/external-id")


@pytest.mark.parametrize("method", ["saml", "web_identity"])
def test_a_token_without_credentials_that_is_nearly_full_is_warned_about(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {
        "Credentials": {
            "AccessKeyId": "ASIAFAKE",
            "SecretAccessKey": "fake",
            "SessionToken": "fake",
            "Expiration": datetime(2026, 11, 22, 10, 30, 15, tzinfo=UTC),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": "AROAFAKE:jdoe",
            "Arn": f"arn:aws:sts::{MOTO_ACCOUNT}:assumed-role/r/jdoe",
        },
        "SessionTokenUtilization": 93,
    }
    warnings: list[str] = []
    monkeypatch.setattr(unsigned, "_saml", SimpleNamespace(assume=lambda *_: answer))
    monkeypatch.setattr(unsigned, "_web_identity", SimpleNamespace(assume=lambda *_: answer))
    question: Any = SimpleNamespace(response=None, pair=None, token=None, role_arn="", arguments={})
    ask: Any = getattr(unsigned, f"_assume_with_{method}")
    assert ask(question, None, Runtime(warn=warnings.append)).access_key_id == "ASIAFAKE"
    (warning,) = warnings
    assert "take 93 % of what STS accepts" in warning
