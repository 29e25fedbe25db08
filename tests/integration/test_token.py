# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""venue_sts_token on moto server, in process and shipped.

The same tasks, the same results, and no key in any output.
"""

from __future__ import annotations

import json
import pathlib
import stat
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.playbook import ansible_playbook, run_tasks
from tests.support.provisioned import provision
from tests.support.recorded import Recorded, recorded_moto, without_chance

ACCOUNT = "123456789012"
ARN = f"arn:aws:iam::{ACCOUNT}:role/unity-sbg-dev-sts"
EXTERNAL_ID = "the-secret-id-of-sbg-dev"


def token(**options: Any) -> dict[str, Any]:
    """A task that issues a token."""
    keywords = {key: options.pop(key) for key in ("check_mode",) if key in options}
    return {"mdps.venue_sts.venue_sts_token": {"project": "sbg", "venue": "dev", "user": "jdoe", **options}, **keywords}


STORY: dict[str, dict[str, Any]] = {
    "plain": token(),
    "looked at": token(check_mode=True, dest="looked/at.json"),
    "written": token(dest="new/folder/jdoe.json", verify=True, session_name="unityuser12252025"),
    "again": token(verify=True, session_name="unityuser12252025"),
    "everything": token(
        external_id=EXTERNAL_ID,
        require_requester_external_id=True,
        role_arn=ARN,
        expected_account_id=ACCOUNT,
        duration_seconds=900,
        access=["s3_read", "ecr_pull"],
        bucket_prefixes=["incoming"],
        ecr_repositories=["sbg/app"],
        tags={"Proj": "sbg", "Ticket": 4711},
        transitive_tag_keys=["Proj"],
        source_identity="jdoe@example.org",
    ),
    "own policy": token(
        session_policy={
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        }
    ),
    "capped": token(duration_seconds=7200),
}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (
        token(external_id="the-secret-id-of-emit-ops"),
        "ExternalIdMismatch",
        "the external ID that the requester sent is not this venue's",
    ),
    (token(expected_account_id="210987654321"), "AccountMismatch", "but the venue is in account 210987654321"),
    (token(duration_seconds=7200, on_duration_cap="fail"), "InvalidInput", "Request at most 3600"),
    (token(venue="ops"), "NotProvisioned", "there is no role unity-sbg-ops-sts"),
    (
        token(project="torn"),
        "ExternalIdMismatch",
        "the external ID in SSM is not one that the role's trust policy accepts",
    ),
    (token(dest="taken.json"), "InvalidInput", "exists and is never overwritten"),
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"project": "s bg"}, "project: 's bg' is not a name"),
    ({"session_name": "jane doe"}, "session_name: 'jane doe' must be 2 to 64"),
    ({"session_name": "x" * 65}, "must be 2 to 64"),
    ({"source_identity": "jane doe"}, "source_identity: 'jane doe' must be 2 to 64"),
    ({"external_id": "a b"}, "external_id: must be 2 to 1,224"),
    ({"external_id": "x" * 1225}, "external_id: must be 2 to 1,224"),
    ({"require_requester_external_id": True}, "external_id: is required here"),
    ({"duration_seconds": 899}, "duration_seconds: 899 must be 900 to 43200"),
    ({"duration_seconds": 43201}, "duration_seconds: 43201 must be 900 to 43200"),
    ({"access": ["s3"]}, "access: 's3' is not valid"),
    ({"access": []}, "access: must not be empty"),
    ({"role_arn": f"arn:aws:iam:{ACCOUNT}:role/unity-sbg-dev-sts"}, "two before the account"),
    ({"role_arn": f"arn:aws-us-gov:iam::{ACCOUNT}:role/unity-sbg-dev-sts"}, "is in partition aws-us-gov"),
    ({"role_arn": ARN, "expected_account_id": "210987654321"}, "belongs to account 123456789012, not to 210987654321"),
    ({"session_policy": "{"}, "session_policy: is not JSON"),
    ({"session_policy": json.dumps({"Statement": ["x" * 2048]})}, "characters and STS accepts 2048"),
    ({"policy_arns": ["arn:aws:iam::aws:policy/x"] * 11}, "policy_arns: names 11 policies and STS accepts 10"),
    ({"tags": {f"k{number}": "v" for number in range(51)}}, "tags: has 51 tags and only 50 fit"),
    ({"ecr_repositories": ["*"]}, "ecr_repositories: '*' would match more than one namespace"),
    ({"buckets": ["s3://bucket"]}, "buckets: 's3://bucket' is not a bucket name"),
    (
        {"mfa_serial_number": f"arn:aws:iam::{ACCOUNT}:mfa/x"},
        "parameters are required together: mfa_serial_number, mfa_token",
    ),
]


@dataclass
class Issued:
    """The results of the tasks."""

    folder: pathlib.Path
    results: dict[str, dict[str, Any]]
    refused: list[dict[str, Any]]
    bad: list[dict[str, Any]]
    refused_calls: list[str]
    bad_calls: list[str]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory):
    with recorded_moto(tmp_path_factory.mktemp("token")) as recorded:
        provision(recorded.server, "sbg", "dev", external_id=EXTERNAL_ID)
        provision(recorded.server, "torn", "dev", external_id="the-secret-id-of-torn-dev")
        recorded.server.client("ssm").put_parameter(
            Name="/unity/torn/dev/cs/sts/role/external-id", Value="by-hand", Overwrite=True
        )
        yield recorded


@pytest.fixture(scope="module", params=["in process", "shipped"])
def issued(
    request: pytest.FixtureRequest,
    moto: Recorded,
    tmp_path_factory: pytest.TempPathFactory,
    issued_by: dict[str, Issued],
) -> Issued:
    shipped = request.param == "shipped"
    folder = tmp_path_factory.mktemp("issued")
    env = moto.server.environment()
    results = run_tasks([placed(task, folder) for task in STORY.values()], env=env, cwd=folder, shipped=shipped)
    (folder / "taken.json").touch()
    moto.forget()
    refused = run_tasks(
        [placed(task, folder) for task, _error, _message in REFUSED], env=env, cwd=folder, shipped=shipped
    )
    refused_calls = moto.calls()
    moto.forget()
    # Shipping costs a process a task, and the checks are the same code: there, every fourth will do.
    bad = run_tasks(
        [token(**options) for options, _message in BAD][:: 4 if shipped else 1], env=env, cwd=folder, shipped=shipped
    )
    issued_by[request.param] = Issued(
        folder, dict(zip(STORY, results, strict=True)), refused, bad, refused_calls, moto.calls()
    )
    return issued_by[request.param]


@pytest.fixture(scope="module")
def issued_by() -> dict[str, Issued]:
    """Both front ends' results, for the comparison at the end."""
    return {}


def placed(task: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
    """A task whose dest lies in the folder."""
    ((name, options), *keywords) = task.items()
    return {
        name: {**options, **({"dest": str(folder / options["dest"])} if "dest" in options else {})},
        **dict(keywords),
    }


def test_a_registered_token_is_the_procedures_document(issued: Issued) -> None:
    result = issued.results["plain"]
    assert not result.get("failed"), result
    assert set(result["token"]) == {"AssumedRoleUser", "Credentials"}
    assert set(result["token"]["Credentials"]) == {"SecretAccessKey", "SessionToken", "Expiration", "AccessKeyId"}
    assert result["sts_creds"]["secret_key"] == result["token"]["Credentials"]["SecretAccessKey"]
    assert result["changed"] is True
    assert result["receipt"]["session_name"].startswith("jdoe-20")


def test_the_keys_work(issued: Issued, moto: Recorded) -> None:
    keys = issued.results["again"]["sts_creds"]
    named = {
        "aws_access_key_id": keys["access_key"],
        "aws_secret_access_key": keys["secret_key"],
        "aws_session_token": keys["session_token"],
    }
    assert (
        moto.server.client("sts", **named)
        .get_caller_identity()["Arn"]
        .endswith("assumed-role/unity-sbg-dev-sts/unityuser12252025")
    )


def test_the_file_and_its_folders_are_the_admins_alone(issued: Issued) -> None:
    dest = issued.folder / "new" / "folder" / "jdoe.json"
    result = issued.results["written"]
    assert (result["changed"], result["dest"]) == (True, str(dest))
    assert set(json.loads(dest.read_text())) == {"AssumedRoleUser", "Credentials"}
    assert "token" not in result and "sts_creds" not in result
    assert result["receipt"]["handoff"]["target"] == str(dest)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (dest, dest.parent, dest.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]
    assert [path.name for path in dest.parent.iterdir()] == ["jdoe.json"]


def test_check_mode_issues_and_writes_nothing(issued: Issued) -> None:
    result = issued.results["looked at"]
    assert result["changed"] is True and "token" not in result
    assert result["receipt"]["role_arn"] == ARN
    assert result["dest"] == str(issued.folder / "looked/at.json")
    assert not (issued.folder / "looked").exists()


def test_the_receipt_of_a_narrowed_token(issued: Issued) -> None:
    receipt = issued.results["everything"]["receipt"]
    assert (receipt["external_id_source"], receipt["duration_seconds"]) == ("parameter+requester", 900)
    allows = receipt["allows"]
    assert (allows["access"], allows["bucket_prefixes"], allows["ecr_repositories"]) == (
        ["s3_read", "ecr_pull"],
        ["incoming"],
        ["sbg/app"],
    )
    assert issued.results["own policy"]["token"]


def test_a_role_of_one_hour_caps_at_one_hour(issued: Issued) -> None:
    receipt = issued.results["capped"]["receipt"]
    assert (receipt["duration_requested"], receipt["duration_seconds"]) == (7200, 3600)


def test_refusals_are_named_and_no_token_is_asked_for(issued: Issued) -> None:
    for result, (_task, error, message) in zip(issued.refused, REFUSED, strict=True):
        assert (result["failed"], result["error"]) == (True, error), result
        assert message in result["msg"]
    assert "AssumeRole" not in issued.refused_calls
    assert "the-secret-id" not in json.dumps(issued.refused)


def test_bad_input_is_a_clear_error_and_costs_no_call(issued: Issued) -> None:
    messages = [message for _options, message in BAD]
    assert len(issued.bad) in (len(BAD), len(BAD[::4]))
    for result, message in zip(issued.bad, messages if len(issued.bad) == len(BAD) else messages[::4], strict=True):
        assert result["failed"], message
        assert message in result["msg"]
    assert issued.bad_calls == []


def test_results_name_no_external_id(issued: Issued) -> None:
    assert EXTERNAL_ID not in json.dumps(issued.results)


def test_both_front_ends_say_the_same(issued: Issued, issued_by: dict[str, Issued]) -> None:
    if len(issued_by) < 2:
        assert issued is issued_by["in process"]  # the comparison follows the second run
        return
    inside, shipped = issued_by["in process"], issued_by["shipped"]
    assert without_chance(shipped.results, shipped.folder) == without_chance(inside.results, inside.folder)
    assert without_chance(shipped.refused, shipped.folder) == without_chance(inside.refused, inside.folder)
    assert without_chance(shipped.bad) == without_chance(inside.bad[::4])
    assert sorted(shipped.refused_calls) == sorted(inside.refused_calls)


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Issue
      mdps.venue_sts.venue_sts_token:
        project: sbg
        venue: dev
        user: jdoe
        external_id: the-secret-id-of-sbg-dev
        duration_seconds: 7200
      register: issued
      environment: "{{ {'SHIPPED': 'yes'} if shipped | bool else {} }}"
    - name: Keep the keys for the test
      ansible.builtin.copy:
        content: "{{ issued.token | to_json }}"
        dest: "{{ playbook_dir }}/token.json"
        mode: "0600"
      no_log: true
    - name: Use the keys
      amazon.aws.aws_caller_info:
        access_key: "{{ issued.sts_creds.access_key }}"
        secret_key: "{{ issued.sts_creds.secret_key }}"
        session_token: "{{ issued.sts_creds.session_token }}"
      register: me
    - name: Who it was
      ansible.builtin.debug:
        msg: "I am {{ me.arn }}"
    - name: Fail
      mdps.venue_sts.venue_sts_token:
        project: sbg
        venue: dev
        user: jdoe
        external_id: the-secret-id-of-emit-ops
      environment: "{{ {'SHIPPED': 'yes'} if shipped | bool else {} }}"
"""


@pytest.mark.parametrize("shipped", [False, True])
def test_no_verbosity_shows_a_key_and_a_failure_can_be_read(
    shipped: bool, moto: Recorded, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    log = tmp_path / "log"
    env = {**moto.server.environment(), "ANSIBLE_LOG_PATH": str(log)}
    run = ansible_playbook("play.yml", "-vvvvv", "--diff", "-e", f"shipped={shipped}", env=env, cwd=tmp_path).expect(2)
    keys = json.loads((tmp_path / "token.json").read_text())["Credentials"]
    shown = run.output + log.read_text()
    for secret in (keys["SecretAccessKey"], keys["SessionToken"], EXTERNAL_ID, "the-secret-id-of-emit-ops"):
        assert secret not in shown
    assert "output has been hidden" in shown
    assert "I am arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/jdoe-" in run.output
    assert "the external ID that the requester sent is not this venue's" in run.output
    assert "7200 seconds cannot be granted" in run.output  # the warning is not swallowed with the result
