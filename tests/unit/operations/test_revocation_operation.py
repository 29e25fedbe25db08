# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revoking a venue's tokens: whose keys prove it, and what is said where stores or leases say little."""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    AwsRefused,
    InvalidInput,
    NotProven,
    VenueError,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.lease_names import parameter_name, renewal_name
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import CLOCK_TOLERANCE, Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import verification
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation.operation import OPERATION
from botocore.exceptions import EndpointConnectionError

from tests.support.account import MOTO_ACCOUNT, Account, Runner, answer, refuse
from tests.support.leases import lease, renewed
from tests.support.receipts import recent, requested

NAME = "unity-sbg-dev-sts"
ARN = f"arn:aws:iam::{MOTO_ACCOUNT}:role/{NAME}"
STATES = ("locked", "unlocked")


@pytest.fixture
def revocation(account: Account) -> Runner:
    """The operation, in an account with the venue sbg-dev provisioned."""
    always = {"project": "sbg", "venue": "dev"}
    Runner(role.OPERATION, account, **always).execute()
    denied = [{"EvalActionName": one, "EvalDecision": "explicitDeny"} for one in verification.ACTIONS]
    account.before("iam:SimulatePrincipalPolicy", *[answer({"EvaluationResults": denied})] * 9)  # moto does not know it
    return Runner(OPERATION, account, **always)


def policies(account: Account) -> list[str]:
    names = account.iam.list_role_policies(RoleName=NAME)["PolicyNames"]
    return [one for one in names if one != "venue-access"]


def write(file: pathlib.Path, *receipts: Receipt) -> str:
    file.write_text("".join(f"{one.to_line()}\n" for one in receipts))
    file.chmod(0o600)
    return str(file)


def token(account: Account, folder: pathlib.Path, session: str) -> tuple[str, str]:
    """The access key id of a token, and a file with its keys."""
    keys = account.sts.assume_role(RoleArn=ARN, RoleSessionName=session)["Credentials"]
    file = folder / f"{session}.json"
    file.touch(0o600)
    file.write_text(json.dumps({"Credentials": {**keys, "Expiration": keys["Expiration"].isoformat()}}))
    return keys["AccessKeyId"], str(file)


# Keys that prove a revocation.


@pytest.mark.parametrize("target", ["session_name", "receipt", "access_key_id"])
@pytest.mark.parametrize("mine", [True, False], ids=["its own", "another's"])
def test_keys_of_another_session_prove_nothing_and_change_nothing(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, target: str, mine: bool
) -> None:
    key, file = token(account, tmp_path, "jdoe-1" if mine else "jane-1")
    receipt = replace(recent(session_name="jdoe-1"), access_key_id=key)
    given = {"session_name": "jdoe-1", "receipt": receipt.to_json(), "access_key_id": key}
    asked = {target: given[target], "receipts_file": write(tmp_path / "receipts", receipt)}
    # Moto enforces no policy, so AWS accepts the keys after the revocation as well.
    with pytest.raises(NotProven if mine else InvalidInput) as refused:
        revocation.execute(**asked, keys_file=file, verify=True, wait_timeout=0)
    assert ("of the session jane-1, not of jdoe-1" in refused.value.message) is not mine
    assert ("AWS still accepts the credentials" in refused.value.message) is mine
    assert (policies(account) != []) is mine


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ("the key's", "AWS did not accept these credentials before"),
        ("another", "not of ASIAEXAMPLE000000001. Nothing was changed."),
        ("another and none", "AWS did not accept these credentials before"),
    ],
)
def test_keys_that_aws_does_not_know_must_be_those_of_the_receipts(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, known: str, message: str
) -> None:
    """Where one receipt has no access key id, the keys may be of its token."""
    key, file = token(account, tmp_path, "jdoe-1")
    one = recent(session_name="jdoe-1")
    receipts = [replace(one, access_key_id=key) if known == "the key's" else one]
    if known == "another and none":
        receipts.append(requested(number=2, at=datetime.now(UTC).replace(microsecond=0), session_name="jdoe-1"))
    refusal = refuse("InvalidClientTokenId")
    account.before("sts:GetCallerIdentity", lambda: None, refusal)
    account.before("api.ecr:DescribeRepositories", refusal)
    with pytest.raises(VenueError, match=message):
        revocation.execute(
            session_name="jdoe-1",
            receipts_file=write(tmp_path / "receipts", *receipts),
            keys_file=file,
            verify=True,
            wait_timeout=0,
        )
    assert (policies(account) == []) is ("Nothing was changed" in message)


# What is said where stores say little.


@pytest.mark.parametrize("asked", [{"user": "jdoe"}, {"access_key_id": "ASIAEXAMPLE000000009"}], ids=str)
def test_whom_no_store_of_the_venue_knows_is_no_mistake(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, asked: dict[str, str]
) -> None:
    """An inventory has venues in which the user has no token. A file is of all venues, and the name may be mistyped."""
    with pytest.raises(InvalidInput, match=f"is about a token of '{next(iter(asked.values()))}'"):
        revocation.execute(**asked, receipts_file=write(tmp_path / "none"))
    result = revocation.execute(**asked, receipts_ssm_path=["/unity/sbg/dev/receipts"])
    assert (result["changed"], policies(account)) == (False, [])
    assert any("Check the spelling of the name." in one for one in revocation.warnings)


@pytest.mark.parametrize(
    ("asked", "stores", "is_raised"),
    [
        ({"session_name": "jdoe-1"}, {"receipts_file": "missing"}, True),
        (
            {"session_name": "jdoe-1"},
            {"receipts_s3": ["s3://no-such-bucket/receipts"], "receipts_file": "there"},
            False,
        ),
        ({"session_name": "jdoe-1"}, {"receipts_s3": ["s3://no-such-bucket/receipts"]}, False),
        ({"all": True}, {"receipts_file": "missing"}, False),
        (
            {"user": "jdoe", "state": "absent"},
            {"receipts_s3": ["s3://no-such-bucket/a"], "receipts_file": "there"},
            True,
        ),
    ],
)
def test_stores_that_cannot_be_read_stop_only_what_depends_on_them(
    revocation: Runner,
    account: Account,
    tmp_path: pathlib.Path,
    asked: dict[str, Any],
    stores: dict[str, Any],
    is_raised: bool,
) -> None:
    write(tmp_path / "there", recent())
    given = (
        {**stores, "receipts_file": str(tmp_path / stores["receipts_file"])} if "receipts_file" in stores else stores
    )
    if is_raised:
        with pytest.raises((AwsRefused, InvalidInput)):
            revocation.execute(**asked, **given)
        assert policies(account) == []
    else:
        assert revocation.execute(**asked, **given)["changed"]
        assert any("Tokens of roles that only receipts name are not revoked." in one for one in revocation.warnings)


@pytest.mark.parametrize("target", ["user", "access_key_id"])
def test_what_can_be_read_is_revoked_and_the_rest_fails_the_run(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, target: str
) -> None:
    known = recent(session_name="jdoe-1")
    asked = {target: {"user": "jdoe", "access_key_id": known.access_key_id}[target]}
    given = {"receipts_file": write(tmp_path / "receipts", known), "receipts_ssm_path": ["/receipts"]}
    account.before("ssm:GetParametersByPath", refuse("ThrottlingException"))
    stores = {**given, "receipts_s3": ["s3://no-such-bucket/receipts"]}
    with pytest.raises(AwsRefused, match="no-such-bucket") as failed:
        revocation.execute(**asked, **stores)
    assert "Tokens that only these receipts name are not revoked. Run again." in failed.value.message
    assert "ThrottlingException" in failed.value.message
    assert failed.value.facts["changed"] and failed.value.facts["steps"]
    assert [one["value"] for one in failed.value.facts["revocations"]] == ["jdoe-1"]
    assert not revocation.execute(**asked, **given)["changed"]


def test_a_role_that_one_of_several_stores_names_is_revoked(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    second = {"role_name": "legacy-sts", "external_id_parameter": "/unity/sbg/dev/legacy/external-id"}
    Runner(role.OPERATION, account, project="sbg", venue="dev", **second).execute()
    file = write(tmp_path / "receipts", recent(session_name="jdoe-1", role_arn=ARN.replace(NAME, "legacy-sts")))
    given = {"receipts_file": file, "receipts_s3": ["s3://no-such-bucket/receipts"]}
    result = revocation.execute(session_name="jdoe-1", **given)
    assert [one["role_name"] for one in result["revocations"]] == [NAME, "legacy-sts"]


@pytest.mark.parametrize("foreign", [False, True])
def test_a_venue_that_stays_locked_is_said_to_be(revocation: Runner, account: Account, foreign: bool) -> None:
    if foreign:
        trust = account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
        deny = {"Sid": "Other", "Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
        trust["Statement"].append(deny)
        account.iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(trust))
    warned = {}
    for state in STATES:
        revocation.warnings.clear()
        revocation.execute(state=state)
        warned[state] = any("The venue stays locked" in one for one in revocation.warnings)
    assert warned == {"locked": False, "unlocked": foreign}


def test_a_time_is_in_the_future_where_it_is_further_off_than_clocks_are(revocation: Runner) -> None:
    now = revocation.clock.time = revocation.clock.time.replace(microsecond=0)
    assert revocation.execute(check=True, all=True, before=iso(now + CLOCK_TOLERANCE))["changed"]
    with pytest.raises(InvalidInput, match="is in the future"):
        revocation.execute(check=True, all=True, before=iso(now + CLOCK_TOLERANCE + timedelta(seconds=1)))


def test_one_statement_about_a_user_is_proven_once(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
    many = write(tmp_path / "receipts", *(requested(number=number, at=at) for number in range(300)))
    account.before("cloudtrail:LookupEvents", *[answer({"Events": []})] * 9)
    result = revocation.execute(user="jdoe", receipts_file=many, verify=True)
    assert len(policies(account)) == len(result["verified"]) == 1
    assert account.calls.count("iam:SimulatePrincipalPolicy") == 1
    assert not any("Nothing was verified" in one for one in revocation.warnings)


def test_a_role_that_only_a_receipt_names_and_that_may_not_be_read_stops_nothing(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """Nothing but the receipts says which roles it is about."""
    tags = account.iam.list_role_tags(RoleName=NAME)["Tags"]
    account.iam.create_role(RoleName="other-sts", AssumeRolePolicyDocument="{}", Tags=tags)
    other = recent(number=2, session_name="jdoe-1", role_arn=ARN.replace(NAME, "other-sts"))
    file = write(tmp_path / "receipts", recent(session_name="jdoe-1"), other)
    account.before("iam:GetRole", refuse("AccessDenied"))
    result = revocation.execute(user="jdoe", receipts_file=file)
    assert (result["changed"], policies(account)) == (True, [])
    assert any(f"{NAME}" in one and "AccessDenied" in one for one in revocation.warnings)


# Leases.

LEASES = "/unity/sbg/dev/cs/sts/leases"
USERS = ("jane", "jdoe", "jdoe2")


def put_leases(account: Account, *users: str) -> None:
    """Give users a lease, and a record of its renewals."""
    now = datetime.now(UTC).replace(microsecond=0)
    for user in users:
        held = lease(user, starts_at=now, ends_at=now + timedelta(days=1))
        for name, value in ((parameter_name(LEASES, user), held), (renewal_name(LEASES, user), renewed(0, 60))):
            account.ssm.put_parameter(Name=name, Value=value.to_line(), Type="String")


def leases_of(account: Account) -> set[str]:
    """The users whose lease is there, or the record of its renewals."""
    pages = account.ssm.get_paginator("get_parameters_by_path").paginate(Path=LEASES, Recursive=True)
    names = [one["Name"].removeprefix(f"{LEASES}/") for page in pages for one in page["Parameters"]]
    return {name.split("/", 1)[0] for name in names}


@pytest.mark.parametrize("check", [False, True], ids=["run", "check mode"])
@pytest.mark.parametrize(
    ("asked", "ended"),
    [
        ({"user": "jdoe"}, {"jdoe"}),
        ({"user": "jane"}, {"jane"}),
        ({"user": "nobody"}, set()),
        ({"all": True}, set(USERS)),
        ({"session_name": "jdoe-1"}, set()),
        ({"source_identity": "jdoe"}, set()),
        ({"state": "locked"}, set()),
        ({"state": "absent", "user": "jdoe"}, set()),
        ({"state": "absent", "all": True}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_no_lease_ends_but_those_of_whom_is_revoked(
    asked: dict[str, Any], ended: set[str], check: bool, revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """Another user who loses the lease waits for a token that never comes, until somebody approves the lease again."""
    put_leases(account, *USERS)
    known = [
        recent(number=number, session_name="jdoe-1", recipient=who) for number, who in ((1, "jdoe"), (2, "nobody"))
    ]
    result = revocation.execute(check=check, **asked, receipts_file=write(tmp_path / "receipts", *known))
    assert leases_of(account) == set(USERS) - (set() if check else ended)
    assert {one["user"] for one in result["leases"]} == ended
    assert any("lease" in one["summary"] for one in result["steps"]) is bool(ended)


def test_leases_that_stay_open_fail_the_run_which_may_have_changed_something(
    revocation: Runner, account: Account
) -> None:
    """Parameters are deleted ten a call: the first call may have ended leases where the second one failed."""
    before = iso(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1))
    assert revocation.execute(all=True, before=before)["changed"]
    put_leases(account, *(f"user{number}" for number in range(6)))
    account.before("ssm:DeleteParameters", lambda: None, refuse("AccessDeniedException"))
    with pytest.raises(AwsRefused) as refused:
        revocation.execute(all=True, before=before)
    assert "not every lease has ended: renewal can issue new ones" in refused.value.message
    assert [one["action"] for one in refused.value.facts["steps"]] == ["ssm:DeleteParameters"]
    assert refused.value.facts["changed"] is True
    assert leases_of(account) == {"user5"}
    assert {one["user"] for one in refused.value.facts["leases"]} == {f"user{number}" for number in range(5)}


@pytest.mark.parametrize("asked", [{"user": "jdoe"}, {"all": True}], ids=str)
def test_tokens_are_revoked_although_leases_stay_open(
    asked: dict[str, Any], revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    put_leases(account, "jdoe")
    account.before("ssm:DeleteParameters", refuse("AccessDeniedException"))
    with pytest.raises(AwsRefused) as refused:
        revocation.execute(**asked, receipts_file=write(tmp_path / "receipts", recent(session_name="jdoe-1")))
    assert "The tokens are revoked, but not every lease has ended" in refused.value.message
    assert refused.value.facts["changed"] is True
    assert refused.value.facts["leases"] == []  # the screen says of each that it has ended
    assert policies(account) != [] and leases_of(account) == {"jdoe"}


def unreachable() -> None:
    raise EndpointConnectionError(endpoint_url="https://ssm.example.com")


@pytest.mark.parametrize("asked", [{"user": "jdoe"}, {"all": True}], ids=str)
@pytest.mark.parametrize("problem", [refuse("InternalServerError"), unreachable], ids=["error", "unreachable"])
def test_tokens_are_revoked_although_leases_cannot_be_read(
    asked: dict[str, Any], problem: Any, revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "receipts", recent(session_name="jdoe-1"))
    account.before("ssm:GetParametersByPath", problem)
    with pytest.raises(VenueError, match="could not read the leases") as failed:
        revocation.execute(**asked, receipts_file=file)
    assert "It is not known whether leases remain: renewal can issue new ones. Run again." in failed.value.message
    assert (len(failed.value.facts["steps"]), failed.value.facts["changed"]) == (1, True)
    assert policies(account) != []
    assert not revocation.execute(**asked, receipts_file=file)["changed"] or "all" in asked


def test_what_was_done_is_reported_where_the_roles_cannot_be_read_again(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """Somebody else changes the role after the first of two steps, and then AWS throttles the caller."""
    file = write(tmp_path / "receipts", *(recent(number=number, session_name=f"jdoe-{number}") for number in (1, 2)))
    account.before("iam:PutRolePolicy", lambda: None, refuse("ConcurrentModification"))
    account.before("iam:GetRole", lambda: None, refuse("Throttling"))
    with pytest.raises(AwsRefused, match="could not read the role") as failed:
        revocation.execute(user="jdoe", receipts_file=file)
    assert [one["target"] for one in failed.value.facts["steps"]] == policies(account) != []
    assert failed.value.facts["changed"] is True
    assert [one["value"] for one in failed.value.facts["revocations"]] == ["jdoe-1"]
    assert revocation.execute(user="jdoe", receipts_file=file)["changed"]
    assert len(policies(account)) == 2


def test_a_user_of_whom_nothing_is_known_may_have_a_lease(revocation: Runner, account: Account) -> None:
    account.before("ssm:GetParametersByPath", refuse("InternalServerError"))
    with pytest.raises(AwsRefused, match="could not read the leases"):
        revocation.execute(user="jdoe")


def test_where_the_only_role_may_not_be_read_that_is_the_error(revocation: Runner, account: Account) -> None:
    account.before("iam:GetRole", *[refuse("AccessDenied")] * 3)
    account.before("iam:GetAccountAuthorizationDetails", *[refuse("AccessDenied")] * 3)
    with pytest.raises(AwsRefused, match=r"iam:GetRole") as refused:
        revocation.execute(all=True)
    assert refused.value.facts["error_code"] == "AccessDenied"


@pytest.mark.parametrize("has_lease", [True, False])
def test_a_user_whose_tokens_have_ended_has_nothing_to_revoke_unless_there_is_a_lease(
    has_lease: bool, revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """The lease may have given tokens whose receipts are elsewhere."""
    if has_lease:
        put_leases(account, "jdoe")
    ended = requested(at=datetime.now(UTC).replace(microsecond=0) - timedelta(days=3))
    result = revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts", ended))
    assert any("There is nothing to revoke" in one for one in revocation.warnings) is not has_lease
    assert result["changed"] is bool(policies(account)) is has_lease


def test_a_further_run_revokes_the_tokens_of_a_lease_that_an_earlier_one_has_ended(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """The lease had ended, and nothing else names tokens whose receipts are elsewhere."""
    put_leases(account, "jdoe")
    account.before("iam:PutRolePolicy", refuse("LimitExceeded"))
    with pytest.raises(VenueError):
        revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts"))
    assert policies(account) == [] and leases_of(account) == {"jdoe"}
    result = revocation.execute(user="jdoe", receipts_file=str(tmp_path / "receipts"))
    assert [one.partition("Z-")[2] for one in policies(account)] == ["user=jdoe"]
    assert result["leases"] == [] and leases_of(account) == set()


def test_the_token_of_a_lease_is_one_of_the_venues_own_role(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    put_leases(account, "jdoe")
    tags = account.iam.list_role_tags(RoleName=NAME)["Tags"]
    account.iam.create_role(RoleName="other-sts", AssumeRolePolicyDocument="{}", Tags=tags)
    other = recent(session_name="jdoe-2", role_arn=ARN.replace(NAME, "other-sts"))
    revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts", other))
    (own,) = policies(account)
    assert own.endswith("-user=jdoe")
    (others,) = account.iam.list_role_policies(RoleName="other-sts")["PolicyNames"]
    assert others.endswith("session=jdoe-2")


@pytest.mark.parametrize("record", ["{}", renewed(0, 60).to_line().replace("3fa91c07", "00000000")])
def test_a_record_that_names_no_token_hides_none(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, record: str
) -> None:
    """It is damaged, or about the lease that the present one has replaced."""
    put_leases(account, "jdoe")
    account.ssm.put_parameter(Name=renewal_name(LEASES, "jdoe"), Value=record, Type="String", Overwrite=True)
    revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts"))
    assert [one.partition("Z-")[2] for one in policies(account)] == ["user=jdoe"]


def test_a_record_of_a_renewal_that_names_a_session_of_another_user_ends_nothing_of_theirs(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """Whoever may write parameters could have another user's token revoked."""
    put_leases(account, "jdoe")
    forged = replace(renewed(0, 60), session_name=str(renewed(0, 60).session_name).replace("jdoe", "jane"))
    account.ssm.put_parameter(Name=renewal_name(LEASES, "jdoe"), Value=forged.to_line(), Type="String", Overwrite=True)
    result = revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts"))
    assert [one["user"] for one in result["leases"]] == ["jdoe"]
    assert [one.partition("Z-")[2] for one in policies(account)] == ["user=jdoe"]


def test_receipts_that_are_here_hide_no_token_of_a_lease(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    """Somebody may have written the one of the last token only, or the others may be elsewhere."""
    put_leases(account, "jdoe")
    mine = recent(session_name=str(renewed(0, 60).session_name))
    revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts", mine))
    asked = {one.partition("Z-")[2] for one in policies(account)}
    assert asked == {f"session={mine.session_name}", "user=jdoe"}


def test_a_record_of_renewals_that_stays_is_reported(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    put_leases(account, "jdoe")
    account.before("ssm:DeleteParameters", lambda: None, refuse("AccessDeniedException"))
    result = revocation.execute(user="jdoe", receipts_file=write(tmp_path / "receipts"))
    assert [one["user"] for one in result["leases"]] == ["jdoe"] and leases_of(account) == {"jdoe"}
    assert any("What renewals of the lease recorded could not be deleted" in one for one in revocation.warnings)


# Lifting, where receipts may be forged.

PERSON = {"web_identity_issuer": "login.example.org", "web_identity_subject": "kim"}
OF_SUBJECT = {"web_identity_issuer": "https://login.example.org", "web_identity_subject": "kim"}
KEY = "ASIAEXAMPLE000000007"


@pytest.mark.parametrize(
    ("lifted", "forged", "also"),
    [
        ({"user": "kim"}, {"user": "kim"}, "jdoe"),  # the name of the session says whose it is, without a receipt
        ({"user": "kim"}, {"user": "kim"}, "none"),
        ({"user": "kim"}, {"user": "kim"}, "by hand"),  # here only the other receipt does
        ({"user": "kim"}, {"user": "kim", "role_arn": f"arn:aws:iam::{MOTO_ACCOUNT}:role/x/{NAME}"}, "by hand"),
        ({"access_key_id": KEY}, {"key": KEY}, "by hand"),
        ({"access_key_id": KEY}, {"key": KEY}, "another session"),
        (OF_SUBJECT, {"context": PERSON}, "by hand"),
    ],
    ids=str,
)
def test_no_forged_receipt_makes_a_lift_reach_the_session_of_another(
    revocation: Runner,
    account: Account,
    tmp_path: pathlib.Path,
    lifted: dict[str, Any],
    forged: dict[str, Any],
    also: str,
) -> None:
    changes = dict(forged)
    key = changes.pop("key", "ASIAEXAMPLE000000009")
    session = recent().session_name if also in ("jdoe", "none") else "by-hand"
    lie = replace(recent(number=9, session_name=session, **changes), access_key_id=key)
    true = {"none": (), "another session": (replace(recent(session_name="kim-1"), access_key_id=KEY),)}
    others = true.get(also, (recent(session_name=session),))
    file = write(tmp_path / "receipts", lie, *others)
    revocation.execute(session_name=session)
    before = policies(account)
    revocation.execute(**lifted, state="absent", receipts_file=file)
    assert policies(account) == before != []
    (said,) = [one for one in revocation.warnings if "Not lifted" in one]
    assert f"-e project=sbg -e venue=dev -e session_name={session} -e lift=true" in said
    revocation.execute(session_name=session, state="absent", receipts_file=file)  # as the warning says
    assert policies(account) == []


@pytest.mark.parametrize("lifted", [{"user": "kim"}, {"access_key_id": KEY}, OF_SUBJECT], ids=str)
def test_a_lift_reaches_what_nobody_else_claims(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, lifted: dict[str, Any]
) -> None:
    """Two lines about one token, and the tokens of others, contest nothing."""
    mine = replace(recent(user="kim", context=PERSON), access_key_id=KEY)
    others = recent(number=2, session_name="by-hand")
    file = write(tmp_path / "receipts", mine, replace(mine, state="delivered"), others)
    revocation.execute(**lifted, receipts_file=file)
    revocation.execute(session_name="by-hand")
    revocation.execute(**lifted, state="absent", receipts_file=file)
    (left,) = policies(account)
    assert left.endswith("session=by-hand")
    assert not any("Not lifted" in one for one in revocation.warnings)


def test_a_disputed_session_of_another_role_is_lifted_with_the_name_of_the_role(
    revocation: Runner, account: Account, tmp_path: pathlib.Path
) -> None:
    tags = account.iam.list_role_tags(RoleName=NAME)["Tags"]
    account.iam.create_role(RoleName="other-sts", AssumeRolePolicyDocument="{}", Tags=tags)
    arn = ARN.replace(NAME, "other-sts")
    both = [
        recent(number=number, user=who, session_name="by-hand", role_arn=arn)
        for number, who in ((1, "jdoe"), (2, "kim"))
    ]
    file = write(tmp_path / "receipts", *both)
    revocation.execute(user="jdoe", receipts_file=file)
    revocation.execute(user="kim", state="absent", receipts_file=file)
    assert len(account.iam.list_role_policies(RoleName="other-sts")["PolicyNames"]) == 1
    assert any("-e revoke_role_name=other-sts -e session_name=by-hand" in one for one in revocation.warnings)
    count = len(revocation.warnings)
    revocation.execute(session_name="by-hand", role_name="other-sts", state="absent", receipts_file=file)
    revocation.execute(user="kim", state="absent", receipts_file=file)  # nothing is left that could be lifted
    assert not any("Not lifted" in one for one in revocation.warnings[count:])


# Some steps succeed, and the next one fails.


@pytest.mark.parametrize(
    ("asked", "fails", "at"),
    [
        ({"user": "jdoe"}, "iam:PutRolePolicy", 0),
        ({"user": "jdoe"}, "iam:PutRolePolicy", 1),
        ({"user": "jdoe", "state": "absent"}, "iam:DeleteRolePolicy", 1),
        ({"state": "locked"}, "iam:PutRolePolicy", 0),
        ({"state": "locked"}, "iam:UpdateAssumeRolePolicy", 0),
        ({"state": "locked"}, "iam:DeleteRolePolicy", 0),  # of what the lock replaces
        (OF_SUBJECT, "iam:PutRolePolicy", 0),
    ],
    ids=str,
)
def test_a_failure_says_what_is_in_force(
    revocation: Runner, account: Account, tmp_path: pathlib.Path, asked: dict[str, Any], fails: str, at: int
) -> None:
    known = [recent(number=number, context=PERSON) for number in range(3)]
    file = write(tmp_path / "receipts", *known)
    if asked.get("state"):
        revocation.execute(user="jdoe", receipts_file=file)
    account.before(fails, *[lambda: None] * at, refuse("AccessDenied"))
    with pytest.raises(AwsRefused) as refused:
        revocation.execute(**asked, receipts_file=file)
    facts = refused.value.facts
    trust = json.dumps(account.iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"])
    assert {one["policy_name"] for one in facts["revocations"] if one["policy_name"]} == set(policies(account))
    assert [one["locked"] for one in facts["roles"]] == ["MdpsVenueLocked" in trust]
    assert any(one["kind"] == "web_identity_subject" for one in facts["revocations"]) is (
        "MdpsSubjectsRevoked" in trust
    )
    assert facts["locked"] is False
