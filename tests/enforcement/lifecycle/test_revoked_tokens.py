# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A revoked token is refused, a later one works, and another recipient's goes on working. Nobody gets past a lock.

On an emulator that enforces policies.
"""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.simulation import Decision
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role, role_info
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import verification
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing
from botocore.exceptions import ClientError

from tests.support import oracles
from tests.support.ministack import HOME, Ministack
from tests.support.operations import perform

pytestmark = pytest.mark.skipif(
    not HOME.exists(), reason="ministack is not installed: python3 tools/environment.py ministack"
)
VENUE = {"project": "sbg", "venue": "dev"}
OPTIONS = {**VENUE, "permissions_boundary": "none"}
BUCKET = "sbg-dev-unity-data"
NOW = datetime.now(UTC)


@pytest.fixture
def venue(server: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ministack]:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    if not server.client("s3").list_buckets()["Buckets"]:
        server.publish(**VENUE)
    assert "failed" not in perform(role.OPERATION, **OPTIONS)
    yield server
    assert "failed" not in perform(role.OPERATION, **VENUE, state="absent")


def issue(user: str, **options: Any) -> dict[str, Any]:
    result = perform(issuing.OPERATION, **VENUE, user=user, **options)
    assert "failed" not in result, result
    return result


def works(server: Ministack, issued: dict[str, Any]) -> bool:
    keys = issued["sts_creds"]
    s3 = server.client(
        "s3",
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        aws_session_token=keys["session_token"],
    )
    try:
        s3.list_objects_v2(Bucket=BUCKET)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
        return False
    return True


def works_when_issued_later(server: Ministack, user: str, **options: Any) -> bool:
    """Tokens know their time of issue to the second: a token counts as later once that second is over."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if works(server, issue(user, **options)):
            return True
        time.sleep(0.1)
    return False


def revoke(**options: Any) -> dict[str, Any]:
    result = perform(revocation.OPERATION, **VENUE, **options)
    assert "failed" not in result, result
    return result


def test_everything_issued_so_far(venue: Ministack) -> None:
    jdoe, jane = issue("jdoe"), issue("jane")
    assert works(venue, jdoe)
    assert revoke(all=True)["changed"]
    assert not works(venue, jdoe)
    assert not works(venue, jane)
    assert works_when_issued_later(venue, "jdoe")
    revoke(state="absent", all=True)
    assert works(venue, jane)


def test_one_session_by_its_name(venue: Ministack) -> None:
    jdoe, jane = issue("jdoe", session_name="jdoe-one"), issue("jane", session_name="jane-one")
    revoke(session_name="jdoe-one")
    assert (works(venue, jdoe), works(venue, jane)) == (False, True)
    assert works_when_issued_later(venue, "jdoe", session_name="jdoe-one")
    assert not works(venue, jdoe)


def test_one_token_by_its_receipt_twice(venue: Ministack) -> None:
    jdoe, jane = issue("jdoe", session_name="jdoe-two"), issue("jane", session_name="jane-two")
    assert revoke(receipt=jdoe["receipt"])["changed"]
    assert not revoke(receipt=jdoe["receipt"])["changed"]
    assert (works(venue, jdoe), works(venue, jane)) == (False, True)


def test_a_user_by_the_receipts_file(venue: Ministack, tmp_path: pathlib.Path) -> None:
    jdoe, jane = (
        [issue("jdoe", session_name=f"jdoe-{number}") for number in range(3)],
        issue("jane", session_name="jane-three"),
    )
    file = tmp_path / "receipts.jsonl"
    file.write_text("".join(json.dumps(one["receipt"]) + "\n" for one in [*jdoe, jane]))
    result = revoke(user="jdoe", receipts_file=str(file))
    assert sorted(one["session_name"] for one in result["sessions"]) == ["jdoe-0", "jdoe-1", "jdoe-2"]
    assert [works(venue, one) for one in [*jdoe, jane]] == [False, False, False, True]


def test_a_user_among_forged_receipts(venue: Ministack, tmp_path: pathlib.Path) -> None:
    """One statement ends the sessions of the user, with and without a receipt, and those of nobody else."""
    issued = [issue("jdoe") for _token in range(2)]
    others = [issue(user) for user in ("jane", "jdoe-2", "xjdoe")]
    written = issued[0]["receipt"]
    forged = [{**written, "session_name": f"{written['session_name'][:-6]}{number:06x}"} for number in range(100)]
    file = tmp_path / "receipts.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in [*forged, written]))
    runtime = Runtime(warn=lambda _message: None)
    options = {"user": "jdoe", "receipts_file": str(file)}
    result = perform(revocation.OPERATION, runtime, **VENUE, **options)
    assert [one["kind"] for one in result["revocations"] if one["value"] == "jdoe"] == ["user"], result
    assert [works(venue, one) for one in [*issued, *others]] == [False, False, True, True, True]
    revoke(state="absent", **options)
    assert works(venue, issued[1])


def test_provisioning_leaves_revocations_alone_and_sees_no_drift_in_them(venue: Ministack) -> None:
    jdoe = issue("jdoe", session_name="jdoe-four")
    revoke(session_name="jdoe-four")
    assert not perform(role.OPERATION, **OPTIONS)["changed"]
    assert perform(role.OPERATION, **OPTIONS, description="other")["changed"]
    assert not works(venue, jdoe)
    (seen,) = perform(
        role_info.OPERATION, venues=[{**OPTIONS, "description": "other", "permissions_boundary": "none"}]
    )["venues"]
    assert (seen["drift"], [one["value"] for one in seen["revocations"]]) == ([], ["jdoe-four"])


def assume(server: Ministack, external_id: str, user: str) -> str:
    """AssumeRole as the account's root, without this collection; gives AWS's error code, or ''."""
    arn = server.client("iam").get_role(RoleName="unity-sbg-dev-sts")["Role"]["Arn"]
    iam = server.client("iam")
    if user not in [one["UserName"] for one in iam.list_users()["Users"]]:
        iam.create_user(UserName=user)
        allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_user_policy(UserName=user, PolicyName="assume", PolicyDocument=document)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
    try:
        server.client("sts", **keys).assume_role(RoleArn=arn, RoleSessionName="direct", ExternalId=external_id)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    finally:
        iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
    return ""


def test_a_lock_ends_tokens_and_refuses_everybody_until_it_is_removed(venue: Ministack) -> None:
    jdoe = issue("jdoe")
    external_id = venue.client("ssm").get_parameter(Name="/unity/sbg/dev/cs/sts/role/external-id")["Parameter"]["Value"]
    assert (works(venue, jdoe), assume(venue, external_id, "mallory")) == (True, "")
    assert revoke(state="locked")["locked"]
    assert (works(venue, jdoe), assume(venue, external_id, "mallory")) == (False, "AccessDenied")
    refused = perform(issuing.OPERATION, **VENUE, user="jdoe")
    assert (refused["error"], "the venue is locked" in refused["msg"]) == ("NotAssumable", True)
    kept = perform(role.OPERATION, **OPTIONS, rotate_external_id=True)
    assert (kept["locked"], "locked" in kept["notes"][0]) == (True, True)
    new = venue.client("ssm").get_parameter(Name="/unity/sbg/dev/cs/sts/role/external-id")["Parameter"]["Value"]
    assert new != external_id
    assert (assume(venue, external_id, "mallory"), assume(venue, new, "mallory")) == ("AccessDenied", "AccessDenied")
    assert not revoke(state="unlocked")["locked"]
    assert (works(venue, jdoe), assume(venue, new, "mallory")) == (False, "")
    assert works_when_issued_later(venue, "jdoe")


# Proof. ministack's own simulation ignores the context, so iam-simulate judges the policies that are stored.


def judge(iam: Any, role_arn: str, actions: Any, context: Any) -> list[Decision]:
    """iam:SimulatePrincipalPolicy, answered by iam-simulate."""
    name = role_arn.rsplit("/", 1)[1]
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    stored = [iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names]
    values = {key: value for key, (value, _kind) in context.items()}
    # Which action is allowed depends on its resource; a Deny of everything does not.
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    principal = role_arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/a-session"
    where = {"ecr:GetAuthorizationToken": "*", "s3:ListBucket": f"arn:aws:s3:::{BUCKET}"}
    asked = [
        oracles.request(
            principal,
            action,
            where.get(action, f"arn:aws:s3:::{BUCKET}/incoming/x"),
            [*stored, everything],
            context=values,
            account=principal.split(":")[4],
        )
        for action in actions
    ]
    answers = oracles.simulate(asked)
    return [Decision(one, "allowed" if yes else "explicitDeny") for one, yes in zip(actions, answers, strict=True)]


def keys_file(folder: pathlib.Path, issued: dict[str, Any]) -> str:
    keys = issued["sts_creds"]
    file = folder / "found.txt"
    file.touch(mode=0o600)
    file.write_text(
        f"export AWS_ACCESS_KEY_ID={keys['access_key']}\nexport AWS_SECRET_ACCESS_KEY={keys['secret_key']}\n"
        f"export AWS_SESSION_TOKEN={keys['session_token']}\n"
    )
    return str(file)


@pytest.mark.parametrize("kind", ["session_name", "source_identity", "receipt", "all", "locked"])
def test_every_revocation_can_be_proven_by_policies_and_by_the_keys(
    venue: Ministack, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, kind: str
) -> None:
    monkeypatch.setattr(verification, "simulate_session", judge)
    jdoe = issue("jdoe", session_name="jdoe-proof", source_identity="jdoe@example.org")
    asked = {
        "session_name": {"session_name": "jdoe-proof"},
        "source_identity": {"source_identity": "jdoe@example.org"},
        "receipt": {"receipt": jdoe["receipt"]},
        "all": {"all": True},
        "locked": {"state": "locked"},
    }[kind]
    at_hand = (
        {} if kind == "source_identity" else {"keys_file": keys_file(tmp_path, jdoe)}
    )  # ministack ignores that key
    result = revoke(**asked, **at_hand, verify=True, wait_timeout=30)
    methods = ["policies", *(["keys"] if at_hand else []), *(["assume_role"] if kind == "locked" else [])]
    assert [(one["method"], one["proven"]) for one in result["verified"]] == [(one, True) for one in methods]
    assert jdoe["sts_creds"]["secret_key"] not in json.dumps(result)
    revoke(state="unlocked")
    revoke(state="absent", all=True)


def test_nothing_is_proven_of_a_token_that_still_works(
    venue: Ministack, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setattr(verification, "simulate_session", judge)
    jdoe = issue("jdoe", session_name="jdoe-alive")
    now = iter(range(0, 10**6, 20))
    clock = Runtime(now=lambda: NOW + timedelta(seconds=next(now)), sleep=lambda _seconds: None)
    proof = {"verify": True, "keys_file": keys_file(tmp_path, jdoe), "wait_timeout": 30}
    result = perform(revocation.OPERATION, clock, **VENUE, session_name="somebody-else", **proof)
    assert result["error"] == "InvalidInput", "the keys are those of another session"
    assert "Nothing was changed" in result["msg"]
    result = perform(revocation.OPERATION, clock, **VENUE, source_identity="somebody-else", **proof)
    assert (result["error"], result["changed"]) == ("NotProven", True)
    assert ("keys", False) in [(one["method"], one["proven"]) for one in result["verified"]]
    revoke(state="absent", source_identity="somebody-else")


def test_keys_of_somebody_else_change_nothing(venue: Ministack, tmp_path: pathlib.Path) -> None:
    stranger = {"sts_creds": {"access_key": "test", "secret_key": "test", "session_token": "none"}}
    proof = {"verify": True, "keys_file": keys_file(tmp_path, stranger)}
    result = perform(revocation.OPERATION, **VENUE, all=True, **proof)
    assert "which is not a session of the venue. Nothing was changed" in result["msg"]
    assert venue.client("iam").list_role_policies(RoleName="unity-sbg-dev-sts")["PolicyNames"] == ["venue-access"]
