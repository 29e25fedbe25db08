# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""venue_sts_role on moto server, in process and shipped: the same runs for both, compared word for word."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.playbook import run_tasks
from tests.support.provisioned import provision
from tests.support.recorded import Recorded, recorded_moto, without_chance

ACCOUNT = "123456789012"
KNOWN = "(the venue's external ID)"
STRANGE = "an-id-that-nobody-gave-us"
OLD_TAGS = {"Proj", "Venue", "Capability"}


def role(project: str, **options: Any) -> dict[str, Any]:
    """A task for a venue."""
    keywords = {key: options.pop(key) for key in ("check_mode", "diff") if key in options}
    return {"mdps.venue_sts.venue_sts_role": {"project": project, "venue": "dev", **options}, **keywords}


def looked_at_then(project: str, **options: Any) -> list[dict[str, Any]]:
    """A task in check mode, then the same in earnest."""
    return [role(project, check_mode=True, diff=True, **options), role(project, **options)]


TASKS: dict[str, list[dict[str, Any]]] = {
    "fresh": [*looked_at_then("fresh"), role("fresh", wait=True)],
    "trust": looked_at_then("trust"),
    "policy": looked_at_then("policy"),
    "tag": looked_at_then("tag"),
    "boundary": looked_at_then("boundary"),
    "settings": looked_at_then("settings"),
    "theirs": [role("theirs", adopt=True), role("theirs", state="absent", adopt=True)],
    "nobodys": [role("nobodys"), role("nobodys", state="absent")],
    "adopted": looked_at_then("adopted", adopt=True),
    "paramless": looked_at_then("paramless"),
    "roleless": looked_at_then("roleless"),
    "conflict": [role("conflict")],
    "byparam": looked_at_then("byparam", on_external_id_conflict="use_parameter"),
    "bytrust": looked_at_then("bytrust", on_external_id_conflict="use_trust_policy"),
    "rotated": [*looked_at_then("rotated", rotate_external_id=True), role("rotated")],
    "retired": [role("retired", rotate_external_id=True), *looked_at_then("retired", retire_previous_external_id=True)],
    "typed": looked_at_then("typed", external_id_type="SecureString"),
    "secured": [role("secured", external_id_type="SecureString", kms_key_id="alias/venues")],
    "going": [*looked_at_then("going", state="absent"), role("going", state="absent")],
    "mine": looked_at_then("mine", external_id="an-id-of-our-own-choosing"),
}
# What the second run says again: as above, without what asks for a change every time.
UNCHANGING = [project for project in TASKS if project not in ("theirs", "nobodys", "conflict")]
AGAIN = {
    "typed": {"external_id_type": "SecureString"},
    "going": {"state": "absent"},
    "mine": {"external_id": "an-id-of-our-own-choosing"},
}

BAD: list[tuple[dict[str, Any], str]] = [
    ({"project": "S B G"}, "project: 'S B G' is not a name"),
    ({"venue": "dev/x"}, "venue: 'dev/x' is not a name"),
    ({"project": "p" * 60}, "has 74 characters and IAM allows 64"),
    ({"role_name": "a b"}, "role_name: 'a b' is not a role name"),
    ({"path": "mdps"}, "path: 'mdps' must begin and end with '/'"),
    ({"external_id": "a b"}, "external_id: must be 2 to 1,224"),
    ({"external_id": "x"}, "external_id: must be 2 to 1,224"),
    ({"max_session_duration": 899}, "max_session_duration: 899 must be 3600 to 43200"),
    ({"max_session_duration": 43201}, "max_session_duration: 43201 must be 3600 to 43200"),
    (
        {"trusted_principals": ["arn:aws:iam:123456789012:root"]},
        "trusted_principals: 'arn:aws:iam:123456789012:root' is not an ARN",
    ),
    ({"trusted_principals": ["*"]}, "trusted_principals: '*' would trust everyone"),
    ({"trusted_principals": ["arn:aws-us-gov:iam::123456789012:root"]}, "is in partition aws-us-gov"),
    ({"saml_provider_arns": ["Launchpad"]}, "saml_provider_arns: 'Launchpad' is not an ARN"),
    ({"buckets": ["My_Bucket"]}, "buckets: 'My_Bucket' is not a bucket name"),
    ({"bucket_prefixes": ["*"]}, "bucket_prefixes: '*' must be a folder"),
    ({"kms_key_arns": ["alias/data"]}, "kms_key_arns: 'alias/data' is not an ARN"),
    ({"ecr_repositories": ["*"]}, "ecr_repositories: '*' would match more than one namespace"),
    (
        {"permissions_boundary": "arn:aws:iam::123456789012:role/x"},
        "permissions_boundary: 'arn:aws:iam::123456789012:role/x' is not an ARN",
    ),
    ({"tags": {f"k{number}": "v" for number in range(51)}}, "tags: has 51 tags and only 50 fit"),
    ({"tags": {"Proj": "emit"}}, "tags: Proj identifies the owner of the role"),
    ({"expected_account_id": "1234"}, "expected_account_id: '1234' is not an AWS account ID"),
    ({"region": "mars-north-1"}, "mars-north-1"),
    ({"external_id_type": "Plain"}, "value of external_id_type must be one of: String, SecureString, got: Plain"),
]


@dataclass
class Runs:
    """The results of the tasks."""

    moto: Recorded
    secrets: set[str]
    first: dict[str, list[dict[str, Any]]]
    second: dict[str, dict[str, Any]]
    second_calls: list[str]
    bad: list[dict[str, Any]]
    bad_calls: list[str]
    ids: dict[str, str] = field(default_factory=dict)

    def name(self, project: str) -> str:
        return f"unity-{project}-dev-sts"

    def parameter(self, project: str) -> dict[str, Any]:
        ssm = self.moto.server.client("ssm")
        return dict(
            ssm.get_parameter(Name=f"/unity/{project}/dev/cs/sts/role/external-id", WithDecryption=True)["Parameter"]
        )

    def trusted(self, project: str) -> list[str]:
        policy = self.moto.server.client("iam").get_role(RoleName=self.name(project))["Role"][
            "AssumeRolePolicyDocument"
        ]
        values = [
            one["Condition"]["StringEquals"]["sts:ExternalId"] for one in policy["Statement"] if "Condition" in one
        ]
        return sorted(one for value in values for one in (value if isinstance(value, list) else [value]))


def prepare(moto: Recorded) -> dict[str, str]:
    """Venues as earlier runs, and other people, left them; returns the external ID of each."""
    iam, ssm, kms = (moto.server.client(service) for service in ("iam", "ssm", "kms"))
    kms.create_alias(AliasName="alias/venues", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    ids = {}
    for project in TASKS:
        if project in ("fresh", "secured"):
            moto.server.publish(project, "dev")
            continue
        ids[project] = f"the-secret-id-of-{project}"
        provision(moto.server, project, "dev", external_id=ids[project])
    drift(iam, ssm)
    return ids


def drift(iam: Any, ssm: Any) -> None:
    """Change the venues behind our back."""

    def name(project: str) -> dict[str, str]:
        return {"RoleName": f"unity-{project}-dev-sts"}

    def overwrite(project: str) -> None:
        ssm.put_parameter(
            Name=f"/unity/{project}/dev/cs/sts/role/external-id", Value=STRANGE, Type="String", Overwrite=True
        )

    policy = iam.get_role(**name("trust"))["Role"]["AssumeRolePolicyDocument"]
    policy["Statement"][0]["Principal"]["AWS"] = [f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::210987654321:root"]
    iam.update_assume_role_policy(**name("trust"), PolicyDocument=json.dumps(policy))
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(**name("policy"), PolicyName="venue-access", PolicyDocument=json.dumps(wide))
    iam.tag_role(**name("tag"), Tags=[{"Key": "Env", "Value": "prod"}, {"Key": "Theirs", "Value": "kept"}])
    iam.delete_role_permissions_boundary(**name("boundary"))
    iam.update_role(**name("settings"), Description="by hand", MaxSessionDuration=7200)
    iam.tag_role(**name("theirs"), Tags=[{"Key": "Proj", "Value": "their"}, {"Key": "Venue", "Value": "s-dev"}])
    for project in ("nobodys", "adopted"):
        iam.untag_role(**name(project), TagKeys=sorted(OLD_TAGS))
    ssm.delete_parameter(Name="/unity/paramless/dev/cs/sts/role/external-id")
    iam.delete_role_policy(**name("roleless"), PolicyName="venue-access")
    iam.delete_role(**name("roleless"))
    for project in ("conflict", "byparam", "bytrust"):
        overwrite(project)


@pytest.fixture(scope="module", params=["in process", "shipped"])
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, runs_of: dict[str, Runs]):
    shipped = request.param == "shipped"
    folder = tmp_path_factory.mktemp("role")
    with recorded_moto(folder) as moto:
        ids = prepare(moto)
        env = moto.server.environment()
        results = run_tasks([task for tasks in TASKS.values() for task in tasks], env=env, cwd=folder, shipped=shipped)
        first = {project: [results.pop(0) for _task in tasks] for project, tasks in TASKS.items()}
        moto.forget()
        tasks = [role(project, **AGAIN.get(project, {})) for project in UNCHANGING]
        second = dict(zip(UNCHANGING, run_tasks(tasks, env=env, cwd=folder, shipped=shipped), strict=True))
        calls = moto.calls()
        moto.forget()
        # Shipping costs a process a task, and the checks are the same code: there, every fourth will do.
        bad = [
            role(**{"project": "sbg", **options}) if "venue" not in options else bad_venue(options)
            for options, _message in BAD
        ]
        bad_results = run_tasks(bad[:: 4 if shipped else 1], env=env, cwd=folder, shipped=shipped)
        made = Runs(
            moto,
            {*ids.values(), STRANGE, "an-id-of-our-own-choosing"},
            first,
            second,
            calls,
            bad_results,
            moto.calls(),
            ids,
        )
        made.secrets |= {made.parameter(project)["Value"] for project in ("fresh", "secured", "rotated", "retired")}
        runs_of[request.param] = made
        yield made


def bad_venue(options: dict[str, Any]) -> dict[str, Any]:
    return {"mdps.venue_sts.venue_sts_role": {"project": "sbg", **options}}


@pytest.fixture(scope="module")
def runs_of() -> dict[str, Runs]:
    """The runs of both front ends, for the comparison at the end."""
    return {}


def actions(result: dict[str, Any]) -> list[str]:
    assert not result.get("failed"), result
    return [step["action"].split(":")[1] for step in result["steps"]]


def test_fresh_role_and_its_proof(runs: Runs) -> None:
    looked, made, waited = runs.first["fresh"]
    assert actions(looked) == actions(made) == ["PutParameter", "CreateRole", "PutRolePolicy"]
    assert (looked["role"]["role_id"], made["role"]["arn"]) == (
        None,
        f"arn:aws:iam::{ACCOUNT}:role/unity-fresh-dev-sts",
    )
    assert made["external_id_parameter"] == "/unity/fresh/dev/cs/sts/role/external-id"
    assert (waited["changed"], waited["assumable"]) == (False, True)
    assert len(runs.parameter("fresh")["Value"]) == 40
    assert runs.trusted("fresh") == [runs.parameter("fresh")["Value"]]


def test_the_role_is_what_the_procedure_asks_for(runs: Runs) -> None:
    iam = runs.moto.server.client("iam")
    made = iam.get_role(RoleName="unity-fresh-dev-sts")["Role"]
    assert made["MaxSessionDuration"] == 3600
    assert (
        made["PermissionsBoundary"]["PermissionsBoundaryArn"]
        == f"arn:aws:iam::{ACCOUNT}:policy/zsmce-tenantOperator-AMI-APIG"
    )
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert tags == {
        "Name": "fresh-dev-cs-sts-role",
        "Proj": "fresh",
        "Venue": "dev",
        "Env": "dev",
        "ServiceArea": "cs",
        "CreatedBy": "cs",
        "Capability": "sts",
        "CapVersion": "1.0",
        "Component": "role",
        "Stack": "role",
    }
    assert iam.list_role_policies(RoleName="unity-fresh-dev-sts")["PolicyNames"] == ["venue-access"]
    assert iam.list_attached_role_policies(RoleName="unity-fresh-dev-sts")["AttachedPolicies"] == []
    policy = iam.get_role_policy(RoleName="unity-fresh-dev-sts", PolicyName="venue-access")["PolicyDocument"]
    resources = {one["Sid"]: one["Resource"] for one in policy["Statement"]}
    assert resources["UseVenueObjects"] == ["arn:aws:s3:::fresh-dev-unity-data/*"]
    assert resources["UseVenueRepositories"] == [f"arn:aws:ecr:us-west-2:{ACCOUNT}:repository/fresh/*"]


@pytest.mark.parametrize(
    ("project", "action", "part"),
    [
        ("trust", "UpdateAssumeRolePolicy", "trust_policy"),
        ("policy", "PutRolePolicy", "permissions"),
        ("tag", "TagRole", "role"),
        ("boundary", "PutRolePermissionsBoundary", "role"),
        ("settings", "UpdateRole", "role"),
        ("adopted", "TagRole", "role"),
        ("paramless", "PutParameter", "external_id_parameter"),
        ("byparam", "UpdateAssumeRolePolicy", "trust_policy"),
        ("bytrust", "PutParameter", "external_id_parameter"),
    ],
)
def test_drift_is_shown_then_repaired(runs: Runs, project: str, action: str, part: str) -> None:
    looked, repaired = runs.first[project]
    assert actions(looked) == actions(repaired) == [action]
    assert looked["diff"] == repaired["diff"]
    assert list(looked["diff"]["after"]) == [part]
    assert looked["diff"]["before"] != looked["diff"]["after"]


def test_drift_is_shown_exactly(runs: Runs) -> None:
    before, after = (
        runs.first["trust"][0]["diff"][side]["trust_policy"]["Statement"][0] for side in ("before", "after")
    )
    assert before["Principal"]["AWS"] == [f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::210987654321:root"]
    assert after["Principal"]["AWS"] == [f"arn:aws:iam::{ACCOUNT}:root"]
    assert after["Condition"]["StringEquals"]["sts:ExternalId"] == KNOWN
    before, after = (runs.first["settings"][0]["diff"][side]["role"] for side in ("before", "after"))
    assert (before["description"], before["max_session_duration"]) == ("by hand", 7200)
    assert after["max_session_duration"] == 3600
    before, after = (runs.first["tag"][0]["diff"][side]["role"]["tags"] for side in ("before", "after"))
    assert (before["Env"], after["Env"], after["Theirs"]) == ("prod", "dev", "kept")


@pytest.mark.parametrize(("project", "what"), [("theirs", "belongs to another venue"), ("nobodys", "set adopt: true")])
def test_roles_of_others_are_refused(runs: Runs, project: str, what: str) -> None:
    for result in runs.first[project]:
        assert (result["failed"], result["error"], result["steps"]) == (True, "OwnershipConflict", [])
        assert what in result["msg"]
        assert result["msg"].startswith(f"Venue {project}-dev: ")
    assert runs.trusted(project) == [runs.ids[project]]


def test_the_external_id_of_a_lost_parameter_comes_back_from_the_trust_policy(runs: Runs) -> None:
    assert runs.parameter("paramless")["Value"] == runs.ids["paramless"]


def test_a_lost_role_comes_back_with_the_external_id_of_the_parameter(runs: Runs) -> None:
    assert actions(runs.first["roleless"][1]) == ["CreateRole", "PutRolePolicy"]
    assert runs.trusted("roleless") == [runs.ids["roleless"]]


def test_unequal_ids_are_an_error_until_an_option_says_which_wins(runs: Runs) -> None:
    (result,) = runs.first["conflict"]
    assert (result["error"], result["places"], result["steps"]) == (
        "ExternalIdMismatch",
        ["parameter", "trust_policy"],
        [],
    )
    assert (runs.parameter("conflict")["Value"], runs.trusted("conflict")) == (STRANGE, [runs.ids["conflict"]])
    assert (runs.parameter("byparam")["Value"], runs.trusted("byparam")) == (STRANGE, [STRANGE])
    assert (runs.parameter("bytrust")["Value"], runs.trusted("bytrust")) == (runs.ids["bytrust"], [runs.ids["bytrust"]])


def test_rotation_keeps_the_old_id_until_it_is_retired(runs: Runs) -> None:
    assert actions(runs.first["rotated"][1]) == ["UpdateAssumeRolePolicy", "PutParameter"]
    new = runs.parameter("rotated")["Value"]
    assert runs.trusted("rotated") == sorted([new, runs.ids["rotated"]])
    assert new != runs.ids["rotated"]
    assert actions(runs.first["rotated"][2]) == []
    assert actions(runs.first["retired"][2]) == ["UpdateAssumeRolePolicy"]
    assert runs.trusted("retired") == [runs.parameter("retired")["Value"]]


def test_secure_strings(runs: Runs) -> None:
    assert runs.parameter("secured")["Type"] == runs.parameter("typed")["Type"] == "SecureString"
    assert actions(runs.first["typed"][1]) == ["DeleteParameter", "PutParameter"]
    assert runs.parameter("typed")["Value"] == runs.ids["typed"]
    parts = [runs.first["typed"][0]["diff"][side]["external_id_parameter"] for side in ("before", "after")]
    assert parts == [{"type": "String", "value": KNOWN}, {"type": "SecureString", "value": KNOWN}]


def test_absent(runs: Runs) -> None:
    looked, removed, again = runs.first["going"]
    assert actions(looked) == actions(removed) == ["DeleteRolePolicy", "DeleteRole", "DeleteParameter"]
    assert (again["changed"], again["steps"]) == (False, [])
    iam = runs.moto.server.client("iam")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="unity-going-dev-sts")


def test_the_second_run_changes_and_writes_nothing(runs: Runs) -> None:
    for project, result in runs.second.items():
        assert (result["changed"], result["steps"], result["diff"]) == (False, [], {"before": {}, "after": {}}), project
    assert not [call for call in runs.second_calls if not call.startswith(("Get", "List"))]
    assert len(runs.second_calls) == 4 * (len(UNCHANGING) - 1) + 6  # a removal looks at six things


def test_no_result_holds_an_external_id(runs: Runs) -> None:
    text = json.dumps([runs.first, runs.second, runs.bad])
    assert not [secret for secret in runs.secrets if secret in text]


def test_bad_input_is_a_clear_error_and_costs_no_call(runs: Runs) -> None:
    messages = [message for _options, message in BAD]
    assert len(runs.bad) in (len(BAD), len(BAD[::4]))
    for result, message in zip(runs.bad, messages if len(runs.bad) == len(BAD) else messages[::4], strict=True):
        assert result["failed"], message
        assert message in result["msg"]
    assert runs.bad_calls == []


def test_both_front_ends_say_the_same(runs: Runs, runs_of: dict[str, Runs]) -> None:
    if len(runs_of) < 2:
        assert runs is runs_of["in process"]  # the comparison follows the second run
        return
    inside, shipped = runs_of["in process"], runs_of["shipped"]
    assert without_chance(shipped.first) == without_chance(inside.first)
    assert without_chance(shipped.second) == without_chance(inside.second)
    assert without_chance(shipped.bad) == without_chance(inside.bad[::4])
    assert sorted(shipped.second_calls) == sorted(inside.second_calls)
