# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What counts as a proof that tokens are refused, and what does not."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils import _masking
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.sessions import simulate_session, try_keys
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    AwsRefused,
    ConnectionProblem,
    InvalidInput,
    NotProven,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.found_keys import FoundKeys
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.revocation import Revocation
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.simulation import Decision, allowed_actions
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import lock_statement
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.keys_file import read_keys_file
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import verification
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation.verification import (
    Expected,
    Proof,
    Wanted,
    verify,
)
from botocore.stub import Stubber

from tests.support.clock import Clock
from tests.support.described_roles import ROLE_ID, role
from tests.support.receipts import NOW

FAKE = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-west-2"}
ROLE = "arn:aws:iam::123456789012:role/unity-sbg-dev-sts"
BY_ROLE = (
    "User: x is not authorized to perform: ecr:DescribeRepositories with an explicit deny in an identity-based policy"
)
BY_TRUST = "User: x is not authorized to perform: sts:AssumeRole with an explicit deny in a resource-based policy"


ASKED = {
    "verify": True,
    "keys_file": None,
    "wait_timeout": 300,
    "state": "present",
    "access_key_id": None,
    "web_identity_subject": None,
}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"verify": False, "keys_file": "keys.json"}, "keys_file: is used only with verify"),
        ({"state": "absent"}, "verify: .*absent, which does not deny anything"),
        ({"state": "unlocked"}, "verify: .*unlocked, which does not deny anything"),
        ({"web_identity_subject": "jdoe"}, "verify: .*only its provider"),
        ({"wait_timeout": -1}, "wait_timeout: must be between 0 and 3600"),
        ({"wait_timeout": 3601}, "wait_timeout: must be between 0 and 3600"),
    ],
)
def test_options_that_prove_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        verification.parse({**ASKED, **options})


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"verify": False}, None),
        ({"wait_timeout": 0}, Wanted(None, 0)),
        ({"state": "locked", "wait_timeout": 3600}, Wanted(None, 3600)),
    ],
)
def test_a_proof_is_asked_for_by_verify_alone(options: dict[str, Any], wanted: Wanted | None) -> None:
    assert verification.parse({**ASKED, **options}) == wanted


def test_the_keys_of_a_file_are_masked_also_if_they_are_another_tokens(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_masking, "_known", set())
    file, secret, token = tmp_path / "keys.env", "FAKE" * 10, "TOKN" * 25
    file.write_text(
        f"AWS_ACCESS_KEY_ID=ASIAEXAMPLEEXAMPLE01\nAWS_SECRET_ACCESS_KEY={secret}\nAWS_SESSION_TOKEN={token}\n"
    )
    with pytest.raises(InvalidInput, match="keys_file: has the credentials of ASIAEXAMPLEEXAMPLE01, not of ASIAOTHER"):
        verification.parse({**ASKED, "keys_file": str(file), "access_key_id": "ASIAOTHER"})
    assert _masking.mask(f"{secret} {token}") == f"{_masking.MASK} {_masking.MASK}"
    keys = FoundKeys("ASIAEXAMPLEEXAMPLE01", secret, token)
    assert verification.parse({**ASKED, "keys_file": str(file)}) == Wanted(keys, 300)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_bytes(file.read_text().encode(encoding))
        assert read_keys_file(str(file), "ASIAEXAMPLEEXAMPLE01") == keys
        file.write_text(file.read_bytes().decode(encoding))


def client(service: str) -> tuple[Any, Stubber]:
    made = boto3.client(service, **FAKE)
    return made, Stubber(made)


def test_the_simulation_is_asked_about_the_newest_refused_session_page_by_page() -> None:
    iam, stub = client("iam")
    asked = {
        "PolicySourceArn": ROLE,
        "ActionNames": ["s3:GetObject", "s3:PutObject"],
        "ContextEntries": [
            {"ContextKeyName": "aws:userid", "ContextKeyValues": [f"{ROLE_ID}:jdoe"], "ContextKeyType": "string"},
            {
                "ContextKeyName": "aws:TokenIssueTime",
                "ContextKeyValues": ["2026-11-22T09:30:14Z"],
                "ContextKeyType": "date",
            },
        ],
    }
    one = {"EvalActionName": "s3:GetObject", "EvalDecision": "explicitDeny"}
    two = {"EvalActionName": "s3:PutObject", "EvalDecision": "allowed", "MissingContextValues": ["aws:userid"]}
    stub.add_response(
        "simulate_principal_policy", {"EvaluationResults": [one], "IsTruncated": True, "Marker": "m"}, asked
    )
    stub.add_response("simulate_principal_policy", {"EvaluationResults": [two]}, {**asked, "Marker": "m"})
    context = Revocation("session", "jdoe", NOW).newest(ROLE_ID)
    with stub:
        found = simulate_session(iam, ROLE, asked["ActionNames"], context)
    assert found == [Decision("s3:GetObject", "explicitDeny"), Decision("s3:PutObject", "allowed", ("aws:userid",))]
    assert allowed_actions(found) == ["s3:PutObject: undecided without aws:userid"]
    assert allowed_actions([Decision("s3:GetObject", "implicitDeny")]) == ["s3:GetObject: implicitDeny"]


def test_the_newest_session_of_each_kind() -> None:
    time = {"aws:TokenIssueTime": ("2026-11-22T09:30:14Z", "date")}
    assert Revocation("all", "", NOW).newest(ROLE_ID) == {"aws:userid": (f"{ROLE_ID}:any-session", "string"), **time}
    source = Revocation("source_identity", "jdoe", NOW).newest(ROLE_ID)
    assert source == {"aws:SourceIdentity": ("jdoe", "string"), **time}


@pytest.mark.parametrize(
    ("code", "message", "proven"),
    [
        ("InvalidClientTokenId", "The security token is invalid", True),
        ("AccessDeniedException", BY_ROLE, True),
        ("AccessDeniedException", "because no identity-based policy allows the action", False),
        ("AccessDeniedException", "with an explicit deny in a service control policy", False),
        ("ExpiredTokenException", "The security token is expired", True),
        ("UnrecognizedClientException", "The security token is invalid", True),
    ],
)
def test_keys_that_are_refused(code: str, message: str, proven: bool) -> None:
    ecr, stub = client("ecr")
    stub.add_client_error("describe_repositories", code, message, 400)
    with stub:
        assert verification._by_keys(ecr, "ASIAEXAMPLEEXAMPLE01", accepted=True).proven is proven


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "InvalidClientTokenId"])
def test_keys_that_aws_never_knew_prove_nothing(code: str) -> None:
    ecr, stub = client("ecr")
    stub.add_client_error("describe_repositories", code, "The security token is invalid", 400)
    with stub:
        proof = verification._by_keys(ecr, "ASIAEXAMPLEEXAMPLE01", accepted=False)
    assert (proof.proven, proof.waiting) == (False, False)


KEYS = FoundKeys("ASIAEXAMPLEEXAMPLE01", "secret", "token")
SESSION = "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe"


def owner(
    monkeypatch: pytest.MonkeyPatch, code: str = "", role_names: Sequence[str] = ("Unity-SBG-dev-sts",), **expected: Any
) -> bool:
    sts, stub = client("sts")
    if code:
        stub.add_client_error("get_caller_identity", code, "no", 403)
    else:
        stub.add_response("get_caller_identity", {"Arn": SESSION, "Account": "123456789012", "UserId": "x:jdoe"})
    monkeypatch.setattr(verification, "_client", lambda *_arguments: sts)
    clients: Any = None
    with stub:
        return verification.check_owner(KEYS, clients, Expected(role_names, **expected))


def test_keys_that_aws_accepts_must_be_of_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    assert owner(monkeypatch, sessions=["jdoe"], key_ids=["ASIAEXAMPLEEXAMPLE02"])
    assert owner(monkeypatch)
    with pytest.raises(InvalidInput, match="of the session jdoe, not of jane"):
        owner(monkeypatch, sessions=["jane"])
    with pytest.raises(InvalidInput, match="which is not a session of the venue"):
        owner(monkeypatch, role_names=["unity-sbg-ops-sts"])


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "ExpiredToken"])
def test_keys_that_aws_refuses_must_have_the_id_that_is_known(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    assert not owner(monkeypatch, code, key_ids=[KEYS.access_key_id])
    assert not owner(monkeypatch, code)
    with pytest.raises(InvalidInput, match="not of ASIAEXAMPLEEXAMPLE02"):
        owner(monkeypatch, code, key_ids=["ASIAEXAMPLEEXAMPLE02"])


def test_an_answer_that_does_not_come_says_nothing_of_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_arguments: Any) -> None:
        raise ConnectionProblem("The connection failed.")

    monkeypatch.setattr(verification, "call", unreachable)
    with pytest.raises(ConnectionProblem, match="The connection failed"):
        owner(monkeypatch)


def test_keys_that_work() -> None:
    ecr, stub = client("ecr")
    stub.add_response("describe_repositories", {"repositories": []}, {"maxResults": 1})
    with stub:
        assert try_keys(ecr) == ""
    stub.add_response("describe_repositories", {"repositories": []}, {"maxResults": 1})
    with stub:
        proof = verification._by_keys(ecr, "ASIAEXAMPLEEXAMPLE01", accepted=True)
    assert (proof.proven, proof.waiting) == (False, True)


def attempts(*outcomes: bool) -> verification.Check:
    found: Iterator[bool] = iter(outcomes)
    return lambda: Proof("the credentials X", "keys", next(found), "seen")


def test_an_attempt_is_repeated_until_it_succeeds() -> None:
    clock = Clock(NOW)
    shown = verify(Wanted(None, 60), [attempts(False, False, True), attempts(True)], clock.runtime())
    assert [one["proven"] for one in shown] == [True, True]
    assert clock.slept == [1, 2]


def test_the_time_is_limited_and_what_was_proven_is_kept() -> None:
    clock = Clock(NOW)
    with pytest.raises(NotProven, match="The credentials X: seen") as failed:
        verify(Wanted(None, 12), [attempts(True), attempts(*[False] * 9)], clock.runtime())
    assert [one["proven"] for one in failed.value.facts["verified"]] == [True, False]
    assert clock.slept == [1, 2, 4, 8]


class Sts:
    """STS with answers to AssumeRole in order: '' for keys, or what it says when it denies."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.answers = list(answers)
        monkeypatch.setattr(verification, "try_to_assume", self.answer)
        monkeypatch.setattr(verification, "read_parameters", lambda _ssm, _names: {})

    def client(self, _service: str) -> None:
        return None

    def answer(self, *_arguments: Any) -> Any:
        said = self.answers.pop(0)
        return type("Refusal", (), {"said": said, "message": said})() if said else None


@pytest.mark.parametrize(
    ("before", "after", "proven", "waiting"),
    [
        ("", "denied", True, True),
        ("", "", False, True),
        ("denied", "denied", False, False),
        ("denied", BY_TRUST, True, True),
    ],
)
def test_a_lock_is_proven_by_a_refusal_to_somebody_who_was_let_in(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str, proven: bool, waiting: bool
) -> None:
    made: Any = Sts(monkeypatch, before, after)
    proof = verification.LockProof(made, role(), "/a/parameter").attempt()
    assert (proof.method, proof.proven, proof.waiting) == ("assume_role", proven, waiting)


def test_a_lock_that_is_there_already_is_not_proven_by_what_was_let_in_before_it_spread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Any = Sts(monkeypatch, "", "denied")
    trust = role().trust
    locked = role(trust={**trust, "Statement": [*trust["Statement"], lock_statement()]})
    lock = verification.LockProof(made, locked, "/a/parameter")
    assert made.answers == ["", "denied"]  # nothing is tried under a lock
    assert [lock.attempt().proven for _attempt in range(2)] == [False, False]


def test_what_could_not_be_tried_before_the_lock_is_neither_proven_nor_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: Any = Sts(monkeypatch, "denied", BY_TRUST)
    monkeypatch.setattr(verification, "read_parameters", refuse)
    clock = Clock(NOW)
    lock = verification.LockProof(made, role(), "/a/parameter")
    with pytest.raises(NotProven, match="It could not be tried before the lock"):
        verify(Wanted(None, 60), [lock.attempt], clock.runtime())
    assert clock.slept == []


def refuse(*_arguments: Any) -> Any:
    raise AwsRefused("The caller may not.", operation="iam:Some", code="AccessDenied")


def test_a_proof_that_the_caller_may_not_make_is_none_and_hides_no_other() -> None:
    clock = Clock(NOW)
    with pytest.raises(NotProven, match="The caller may not") as failed:
        verify(Wanted(None, 60), [refuse, attempts(True)], clock.runtime())
    assert [one["proven"] for one in failed.value.facts["verified"]] == [False, True]
    assert clock.slept == []


@pytest.mark.parametrize(
    ("decisions", "proven"),
    [
        ([], False),
        (["explicitDeny"], True),
        (["explicitDeny", "allowed"], False),
        (["explicitDeny", "implicitDeny"], False),
    ],
)
def test_a_simulation_proves_what_it_denies_explicitly_and_not_what_it_does_not_answer(
    decisions: list[str], proven: bool
) -> None:
    iam, stub = client("iam")
    results = [{"EvalActionName": "s3:GetObject", "EvalDecision": one} for one in decisions]
    stub.add_response("simulate_principal_policy", {"EvaluationResults": results, "IsTruncated": False})
    with stub:
        proof = verification._by_policies(iam, role(), Revocation("all", "", NOW))
    assert (proof.method, proof.proven, proof.waiting) == ("policies", proven, True)
