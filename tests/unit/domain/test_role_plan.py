# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of a role: every repair as botocore calls.

In golden files, and every call as botocore itself would take it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any

import botocore.session
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import permissions, policies
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    ExternalIdMismatch,
    InvalidInput,
    OwnershipConflict,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.external_id import ExternalIdRequest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.role_plan import (
    Current,
    Desired,
    Parameter,
    Role,
    plan_absent,
    plan_present,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.steps import Plan, Step
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust import Trust, length_with_reserve
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.support.golden import assert_golden

ACCOUNT = "123456789012"
VENUE = Venue("sbg", "dev")
NAME = VENUE.role_name()
PATH = VENUE.external_id_parameter
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/zsmce-tenantOperator-AMI-APIG"
ID, OLD, FRESH, STRANGE = "id-in-use", "id-before-it", "id-freshly-made", "id-of-a-stranger"
IDS = (ID, OLD, FRESH, STRANGE)
POLICY = permissions.policy(
    permissions.Grant(["sbg-dev-unity-data"], ["sbg/*"]), permissions.Location("aws", "us-west-2", ACCOUNT)
)
DESIRED = Desired(
    venue=VENUE,
    role_name=NAME,
    path="/",
    description="Short-term access to the MDPS venue sbg-dev.",
    max_session_duration=3600,
    boundary=BOUNDARY,
    tags={**VENUE.tags("role"), "CostCenter": "4711"},
    trust=Trust([ROOT], ""),
    policy=POLICY,
    partition="aws",
    external_id_parameter=PATH,
)


def wanted(**changes: Any) -> Desired:
    return dataclasses.replace(DESIRED, **changes)


def role(current: str = ID, previous: str = "", **changes: Any) -> Role:
    """The role as a run with these external IDs leaves it."""
    trust = DESIRED.trust._replace(external_id=current, previous_external_ids=[previous] if previous else [])
    made = Role(
        arn=f"arn:aws:iam::{ACCOUNT}:role/{NAME}",
        name=NAME,
        role_id="AROAEXAMPLEEXAMPLEEX",
        path="/",
        trust=trust.policy("aws") if current else {},
        description=DESIRED.description,
        boundary=BOUNDARY,
        tags=DESIRED.tags,
    )
    return dataclasses.replace(made, **changes)


RIGHT = Current(role(), POLICY, Parameter(ID, version=3))


def having(**changes: Any) -> Current:
    return dataclasses.replace(RIGHT, **changes)


def present(current: Current, desired: Desired = DESIRED) -> Plan:
    return plan_present(current, desired, FRESH)


def as_calls(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Steps as golden files keep them, policies readable."""
    calls = []
    for step in steps:
        arguments = {
            key: json.loads(value) if key.endswith("PolicyDocument") else value for key, value in step.arguments.items()
        }
        version = {"version": step.version} if step.version else {}
        calls.append(
            {
                "call": f"{step.service}.{step.operation}",
                "summary": step.summary,
                "target": step.target,
                "arguments": arguments,
                **version,
            }
        )
    return calls


def operations(plan: Plan) -> list[str]:
    return [step.operation for step in plan.steps]


@functools.cache
def service_model(service: str) -> ServiceModel:
    return botocore.session.Session().get_service_model(service)


def assert_botocore_takes(steps: Sequence[Step]) -> None:
    """Hold every step to the service model: names and types of arguments, required ones, lengths."""
    for step in steps:
        operation = "".join(word.capitalize() for word in step.operation.split("_"))
        shape = service_model(step.service).operation_model(operation).input_shape
        report = ParamValidator().validate(dict(step.arguments), shape)
        assert not report.has_errors(), f"{step.operation}: {report.generate_report()}"


ROTATE = wanted(external_id=ExternalIdRequest(rotate=True))
RETIRE = wanted(external_id=ExternalIdRequest(retire=True))
DRIFTED = role(
    trust=Trust([ROOT, "arn:aws:iam::210987654321:root"], ID).policy("aws"),
    description="changed manually",
    max_session_duration=43200,
    boundary="",
    tags={**VENUE.tags("role"), "Env": "prod", "Theirs": "kept"},
)
FULL = Current(
    role(),
    None,
    Parameter(ID),
    inline_policies=("AWSRevokeOlderSessions", "venue-access"),
    attached_policies=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    instance_profiles=("by-hand",),
)
SECURE = wanted(parameter_type="SecureString", kms_key_id="alias/venues")

PLANS = {
    "plan_create": (Current(), DESIRED),
    "plan_create_without_boundary": (
        Current(),
        wanted(boundary="", external_id=ExternalIdRequest(given="id-that-was-given-to-it")),
    ),
    "plan_create_secure_string": (Current(), SECURE),
    "plan_role_missing": (Current(parameter=Parameter(ID, version=3)), DESIRED),
    "plan_parameter_missing": (having(parameter=None), DESIRED),
    "plan_repair": (having(role=DRIFTED, policy={"Version": "2012-10-17", "Statement": []}), DESIRED),
    "plan_remove_boundary": (RIGHT, wanted(boundary="")),
    "plan_type_change": (RIGHT, SECURE),
    "plan_type_change_role_missing": (Current(parameter=Parameter(ID, version=3)), SECURE),
    "plan_conflict_parameter_wins": (
        having(role=role(STRANGE)),
        wanted(external_id=ExternalIdRequest(on_conflict="use_parameter")),
    ),
    "plan_conflict_trust_policy_wins": (
        having(role=role(STRANGE)),
        wanted(external_id=ExternalIdRequest(on_conflict="use_trust_policy")),
    ),
    "plan_rotate": (RIGHT, ROTATE),
    "plan_rotate_interrupted": (having(role=role(FRESH, ID)), ROTATE),
    "plan_retire": (having(role=role(ID, OLD)), RETIRE),
}


@pytest.mark.parametrize("name", PLANS)
def test_plans(name: str) -> None:
    plan = present(*PLANS[name])
    assert_golden(name, as_calls(plan.steps))
    assert_botocore_takes(plan.steps)


@pytest.mark.parametrize("name", PLANS)
def test_what_is_shown_of_a_plan_holds_no_external_id(name: str) -> None:
    plan = present(*PLANS[name])
    shown = json.dumps([plan.diff(), [step.shown() for step in plan.steps]]) + repr(plan.steps) + repr(PLANS[name])
    assert not [one for one in (*IDS, "id-that-was-given-to-it") if one in shown]


def test_removal_takes_the_role_before_the_record_of_its_external_id() -> None:
    plan = plan_absent(FULL, VENUE, NAME, PATH, adopt=False)
    assert_golden("plan_remove", as_calls(plan.steps))
    assert_botocore_takes(plan.steps)
    assert ID not in json.dumps(plan.diff())
    assert plan.diff()["before"]["external_id_parameter"] == {"type": "String", "value": "(the venue's external ID)"}
    assert plan.diff()["after"] == {}


def test_removal_takes_grants_before_denials_so_that_no_revoked_token_becomes_valid_again() -> None:
    targets = [step.target for step in plan_absent(FULL, VENUE, NAME, PATH, adopt=False).steps]
    assert targets.index("AWSRevokeOlderSessions") > max(
        targets.index("venue-access"), targets.index("arn:aws:iam::aws:policy/ReadOnlyAccess")
    )


def test_the_validator_would_notice() -> None:
    """The check of arguments is itself checked: a step with a misspelt argument fails it."""
    with pytest.raises(AssertionError, match="delete_role"):
        assert_botocore_takes([Step("iam", "delete_role", NAME, "", {"Rolename": NAME})])


def test_removing_what_is_not_there_needs_no_step() -> None:
    assert plan_absent(Current(), VENUE, NAME, PATH, adopt=False).steps == []


def test_removing_a_parameter_without_its_role_and_a_role_without_its_parameter() -> None:
    assert operations(plan_absent(Current(parameter=Parameter(ID)), VENUE, NAME, PATH, adopt=False)) == [
        "delete_parameter"
    ]
    assert operations(plan_absent(Current(role()), VENUE, NAME, PATH, adopt=False)) == ["delete_role"]


def test_nothing_is_removed_that_belongs_to_others() -> None:
    theirs = having(role=role(tags=Venue("unity-sbg", "dev").tags("role")))
    with pytest.raises(OwnershipConflict, match="belongs to another venue"):
        plan_absent(theirs, VENUE, NAME, PATH, adopt=True)
    with pytest.raises(OwnershipConflict, match="adopt"):
        plan_absent(having(role=role(tags={})), VENUE, NAME, PATH, adopt=False)


def test_what_is_right_needs_no_step_and_shows_no_difference() -> None:
    plan = present(RIGHT)
    assert plan.steps == []
    assert plan.diff() == {"before": {}, "after": {}}


@pytest.mark.parametrize(
    "current",
    [
        # IAM returns single values without a list, and may order statements differently.
        having(role=role(trust={**role().trust, "Statement": list(reversed(role().trust["Statement"]))})),
        having(policy={**POLICY, "Statement": list(reversed(POLICY["Statement"]))}),
        having(role=role(tags={**DESIRED.tags, "Theirs": "kept"})),
        having(parameter=Parameter(ID, type="SecureString", version=9)),
    ],
)
def test_what_means_the_same_is_left_alone(current: Current) -> None:
    plan = present(current)
    assert plan.steps == []
    assert plan.diff() == {"before": {}, "after": {}}


@pytest.mark.parametrize(
    ("current", "operation", "part"),
    [
        (
            having(role=role(trust=Trust(["arn:aws:iam::210987654321:root"], ID).policy("aws"))),
            "update_assume_role_policy",
            "trust_policy",
        ),
        (having(policy=None), "put_role_policy", "permissions"),
        (having(policy={**POLICY, "Statement": POLICY["Statement"][1:]}), "put_role_policy", "permissions"),
        (having(role=role(boundary="")), "put_role_permissions_boundary", "role"),
        (having(role=role(boundary=BOUNDARY + "-old")), "put_role_permissions_boundary", "role"),
        (having(role=role(description="x")), "update_role", "role"),
        (having(role=role(max_session_duration=7200)), "update_role", "role"),
        (having(role=role(tags={**DESIRED.tags, "Stack": "x"})), "tag_role", "role"),
        (having(role=role(tags=VENUE.tags("role"))), "tag_role", "role"),
    ],
)
def test_each_drift_is_repaired_alone_and_shown(current: Current, operation: str, part: str) -> None:
    plan = present(current)
    assert operations(plan) == [operation]
    assert list(plan.diff()["after"]) == [part]


def test_only_the_tags_that_differ_are_written() -> None:
    (step,) = present(having(role=role(tags={**DESIRED.tags, "Stack": "x"}))).steps
    assert step.arguments["Tags"] == [{"Key": "Stack", "Value": "role"}]


def test_a_rotation_lets_the_role_accept_the_new_id_before_ssm_holds_it() -> None:
    assert operations(present(RIGHT, ROTATE)) == ["update_assume_role_policy", "put_parameter"]


def test_an_overwritten_parameter_must_come_out_as_the_next_version() -> None:
    step = present(RIGHT, ROTATE).steps[-1]
    assert (step.arguments["Overwrite"], step.version) == (True, 4)


def test_a_new_parameter_never_overwrites() -> None:
    step = present(Current()).steps[0]
    assert (step.operation, step.arguments["Overwrite"], step.version) == ("put_parameter", False, 0)


def test_the_type_of_an_existing_parameter_is_kept_when_its_value_changes() -> None:
    secure = having(parameter=Parameter(ID, "SecureString", 3))
    step = present(secure, wanted(external_id=ExternalIdRequest(rotate=True), kms_key_id="alias/venues")).steps[-1]
    assert (step.arguments["Type"], step.arguments["KeyId"]) == ("SecureString", "alias/venues")


def test_unequal_ids_stop_everything() -> None:
    with pytest.raises(ExternalIdMismatch):
        present(having(role=role(STRANGE)))


def test_labels_say_which_id_is_which() -> None:
    diff = present(
        having(role=role(STRANGE, OLD)), wanted(external_id=ExternalIdRequest(on_conflict="use_parameter"))
    ).diff()
    before, after = (
        next(one["Condition"] for one in diff[side]["trust_policy"]["Statement"] if "Condition" in one)
        for side in ("before", "after")
    )
    assert sorted(before["StringEquals"]["sts:ExternalId"]) == [
        "(the previous external ID)",
        "(the trust policy's external ID)",
    ]
    assert sorted(after["StringEquals"]["sts:ExternalId"]) == [
        "(the previous external ID)",
        "(the venue's external ID)",
    ]


def test_a_rotation_shows_a_new_id_without_showing_it() -> None:
    diff = present(RIGHT, ROTATE).diff()
    assert diff["before"]["external_id_parameter"]["value"] == "(the venue's external ID)"
    assert diff["after"]["external_id_parameter"]["value"] == "(a new external ID)"


def test_others_roles_are_refused_and_nobodys_need_adopt() -> None:
    with pytest.raises(OwnershipConflict, match="belongs to another venue"):
        present(having(role=role(tags=Venue("unity-sbg", "dev").tags("role"))), wanted(adopt=True))
    orphan = having(role=role(tags={}))
    with pytest.raises(OwnershipConflict, match="adopt: true"):
        present(orphan)
    assert operations(present(orphan, wanted(adopt=True))) == ["tag_role"]


def test_a_role_without_any_trusted_id_gets_the_one_in_ssm() -> None:
    plan = present(having(role=role(trust=Trust([ROOT], "").policy("aws"))))
    assert operations(plan) == ["update_assume_role_policy"]


def test_a_role_is_not_moved_to_another_path() -> None:
    with pytest.raises(
        InvalidInput, match="path: the role exists with path '/', and IAM cannot move a role to '/mdps/'"
    ):
        present(RIGHT, wanted(path="/mdps/"))


def test_policies_over_their_quota_are_refused_before_they_are_sent() -> None:
    partner_roles = tuple(f"arn:aws:iam::{number:012}:role/some-role-of-a-partner-organization" for number in range(40))
    with pytest.raises(
        InvalidInput, match=r"trusted_principals: the trust policy has \d+ characters, and IAM allows 2048"
    ):
        present(Current(), wanted(trust=Trust(partner_roles, "")))
    many = permissions.policy(
        permissions.Grant([f"bucket-{number:050}" for number in range(90)], ["sbg/*"]),
        permissions.Location("aws", "us-west-2", ACCOUNT),
    )
    with pytest.raises(
        InvalidInput, match=r"buckets: the permission policy would have \d+ characters and IAM allows 10240"
    ):
        present(Current(), wanted(policy=many))


def test_quotas_are_used_to_the_last_character() -> None:
    # The external ID stands in the trust policy once, so it can fill what a rotation and a lock leave.
    short = Trust([ROOT], "x")
    longest = "x" * (2049 - length_with_reserve(short.policy("aws"), short, FRESH, locked=False))
    present(Current(), wanted(external_id=ExternalIdRequest(given=longest)))
    with pytest.raises(InvalidInput, match="the trust policy has 2049 characters, and IAM allows 2048: a rotation"):
        present(Current(), wanted(external_id=ExternalIdRequest(given=longest + "x")))
    padded = {"Statement": "x" * (10240 - policies.size({"Statement": ""}))}
    present(Current(), wanted(policy=padded))
    with pytest.raises(InvalidInput, match="would have 10241 characters"):
        present(Current(), wanted(policy={"Statement": padded["Statement"] + "x"}))


@pytest.mark.parametrize("before", [Current(), having(parameter=Parameter(ID))], ids=["new", "a String"])
def test_a_kms_key_for_a_parameter_in_clear_text_is_refused(before: Current) -> None:
    with pytest.raises(InvalidInput, match=r"kms_key_id: encrypts a SecureString, but .* is stored as String"):
        present(before, wanted(kms_key_id="alias/venues"))


@pytest.mark.parametrize("name", PLANS)
def test_applying_a_plan_leaves_nothing_to_do(name: str) -> None:
    """A small model of IAM and SSM applies the steps; the next plan (without the request to rotate) is empty."""
    current, desired = PLANS[name]
    after = _applied(current, present(current, desired).steps)
    unchanged = dataclasses.replace(desired, external_id=ExternalIdRequest(given=desired.external_id.given))
    assert present(after, unchanged).steps == []


@pytest.mark.parametrize("name", PLANS)
def test_a_run_that_dies_between_any_two_steps_is_repaired_by_the_next(name: str) -> None:
    current, desired = PLANS[name]
    steps = present(current, desired).steps
    for done in range(len(steps)):
        partial = _applied(current, steps[:done])
        repaired = _applied(partial, plan_present(partial, desired, "id-of-second-run").steps)
        unchanged = dataclasses.replace(desired, external_id=ExternalIdRequest(given=desired.external_id.given))
        assert present(repaired, unchanged).steps == [], f"{name}: stopped after {done} steps"
        if (current.parameter or current.role) and name != "plan_conflict_trust_policy_wins":
            assert ID in (repaired.parameter.value, *_trusted(repaired)), f"{name}: the id in use is lost"


def _trusted(current: Current) -> list[str]:
    return [
        value
        for one in current.role.trust["Statement"]
        if "Condition" in one
        for value in policies.values(one["Condition"]["StringEquals"]["sts:ExternalId"])
    ]


def _applied(current: Current, steps: Sequence[Step]) -> Current:
    """What is there after some steps."""
    for step in steps:
        current = _after(current, step.operation, step.arguments)
    return current


def _after(current: Current, operation: str, arguments: Any) -> Current:
    there = functools.partial(dataclasses.replace, current)
    mine = functools.partial(dataclasses.replace, current.role) if current.role else None
    tags = {tag["Key"]: tag["Value"] for tag in arguments.get("Tags", [])}
    match operation:
        case "put_parameter":
            assert arguments["Overwrite"] or not current.parameter, "ParameterAlreadyExists"
            version = current.parameter.version + 1 if current.parameter else 1
            return there(parameter=Parameter(arguments["Value"], arguments["Type"], version))
        case "delete_parameter":
            assert current.parameter, "ParameterNotFound"
            return there(parameter=None)
        case "create_role":
            trust = json.loads(arguments["AssumeRolePolicyDocument"])
            settings = {
                "description": arguments["Description"],
                "max_session_duration": arguments["MaxSessionDuration"],
            }
            return there(
                role=role(
                    trust=trust,
                    path=arguments["Path"],
                    boundary=arguments.get("PermissionsBoundary", ""),
                    tags=tags,
                    **settings,
                )
            )
        case "update_assume_role_policy":
            return there(role=mine(trust=json.loads(arguments["PolicyDocument"])))
        case "put_role_permissions_boundary":
            return there(role=mine(boundary=arguments["PermissionsBoundary"]))
        case "delete_role_permissions_boundary":
            return there(role=mine(boundary=""))
        case "put_role_policy":
            return there(policy=json.loads(arguments["PolicyDocument"]))
        case "update_role":
            return there(
                role=mine(description=arguments["Description"], max_session_duration=arguments["MaxSessionDuration"])
            )
        case "tag_role":
            return there(role=mine(tags={**current.role.tags, **tags}))
    raise AssertionError(f"the model does not know {operation}")
