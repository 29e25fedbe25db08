# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same tables, judged by people who wrote neither our policies nor the emulator."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any

import matrix
import pytest
import venues
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import permissions, trust
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import ACCESS
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import token as operation
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime

from tests.support import driver, oracles, world

# Policies do not decide about it: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
NEVER_DENIED = "say who it is"
ADMIN = f"arn:aws:sts::{world.HOME}:assumed-role/{world.ADMIN_ROLE}/jane.admin"
FOREIGN = f"arn:aws:sts::{world.OTHER}:assumed-role/{world.ADMIN_ROLE}/eve"
ROLE = f"arn:aws:iam::{world.HOME}:role/unity-sbg-dev-sts"
PROVIDER = f"arn:aws:iam::{world.HOME}:saml-provider/JPL"
RIGHT = "5f3c" * 10
# The default policy of a KMS key: it leaves the decision to the account's own policies.
KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.HOME}:root"}, "Action": "kms:*", "Resource": "*"}
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def narrowing(home: world.Account, name: str) -> Any:
    """The session policy that a token of the matrix was issued with; None for none."""
    given = {"project": "sbg", "venue": "dev", "user": name, **venues.TOKENS[name]}
    options = {key.removeprefix("issue_"): value for key, value in given.items()}
    params = driver.validated("token", driver.connection(home.url, home.admin) | options)
    clients = Clients(params)
    asked = operation.check(params, operation.parse(params, clients, Runtime()), clients, Runtime()).arguments
    # The one managed policy that a token of the matrix names.
    return venues.READ_ONLY if "PolicyArns" in asked else json.loads(asked["Policy"]) if "Policy" in asked else None


def test_the_matrix(home: world.Account, tokens: dict[str, venues.Token], capsys: pytest.CaptureFixture[str]) -> None:
    iam, expected, requests = home.as_root("iam"), matrix.expected("Aa"), {}
    for name, token in tokens.items():
        role = iam.get_role(RoleName=token.venue.role)["Role"]
        policy = iam.get_role_policy(RoleName=token.venue.role, PolicyName="venue-access")["PolicyDocument"]
        boundary = venues.BOUNDARIES[role["PermissionsBoundary"]["PermissionsBoundaryArn"].rsplit("/", 1)[1]]
        ask = functools.partial(
            oracles.request,
            token.arn,
            identity=[policy],
            boundary=boundary,
            session=narrowing(home, name),
            account=world.HOME,
        )
        for label, call in matrix.CALLS.items():
            if label != NEVER_DENIED:
                requests[label, name] = ask(
                    action=call.action, resource=call.resource(token.venue), context=call.context
                )
    answers = dict(zip(requests, oracles.simulate(list(requests.values())), strict=True))
    different = {cell: answer for cell, answer in answers.items() if answer != expected[cell]}
    emulator = matrix.expected("A")
    with capsys.disabled():
        print(
            f"\niam-simulate: {len(answers)} cells, {sum(answers[cell] != emulator[cell] for cell in answers)} other than ministack's"
        )
    assert different == {}


def trust_policy(**more: Any) -> Any:
    return trust.Trust(principals=[f"arn:aws:iam::{world.HOME}:root"], external_id=RIGHT, **more).policy("aws")


TRUST_CELLS = [
    ("the right external ID", True, ADMIN, "sts:AssumeRole", {"sts:ExternalId": RIGHT}, {}),
    ("a wrong one", False, ADMIN, "sts:AssumeRole", {"sts:ExternalId": RIGHT[::-1]}, {}),
    ("none", False, ADMIN, "sts:AssumeRole", {}, {}),
    ("in capitals", False, ADMIN, "sts:AssumeRole", {"sts:ExternalId": RIGHT.upper()}, {}),
    ("with more after it", False, ADMIN, "sts:AssumeRole", {"sts:ExternalId": f"{RIGHT}0"}, {}),
    (
        "the previous one, while it is kept",
        True,
        ADMIN,
        "sts:AssumeRole",
        {"sts:ExternalId": "previous"},
        {"previous_external_id": "previous"},
    ),
    ("the previous one, once retired", False, ADMIN, "sts:AssumeRole", {"sts:ExternalId": "previous"}, {}),
    ("right, from another account", False, FOREIGN, "sts:AssumeRole", {"sts:ExternalId": RIGHT}, {}),
    (
        "right, without MFA where it is asked for",
        False,
        ADMIN,
        "sts:AssumeRole",
        {"sts:ExternalId": RIGHT},
        {"require_mfa": True},
    ),
    (
        "right, with MFA",
        True,
        ADMIN,
        "sts:AssumeRole",
        {"sts:ExternalId": RIGHT, "aws:MultiFactorAuthPresent": "true"},
        {"require_mfa": True},
    ),
    ("tags", True, ADMIN, "sts:TagSession", {}, {}),
    ("tags, from another account", False, FOREIGN, "sts:TagSession", {}, {}),
    ("a source identity", True, ADMIN, "sts:SetSourceIdentity", {}, {}),
    (
        "an assertion for the console",
        True,
        PROVIDER,
        "sts:AssumeRoleWithSAML",
        {"SAML:aud": "https://signin.aws.amazon.com/saml"},
        {"saml_providers": [PROVIDER]},
    ),
    (
        "an assertion for somebody else",
        False,
        PROVIDER,
        "sts:AssumeRoleWithSAML",
        {"SAML:aud": "https://example.org/saml"},
        {"saml_providers": [PROVIDER]},
    ),
    ("an assertion for nobody", False, PROVIDER, "sts:AssumeRoleWithSAML", {}, {"saml_providers": [PROVIDER]}),
    (
        "an assertion of an untrusted provider",
        False,
        PROVIDER,
        "sts:AssumeRoleWithSAML",
        {"SAML:aud": "https://signin.aws.amazon.com/saml"},
        {},
    ),
    (
        "the external ID without a provider's assertion",
        False,
        ADMIN,
        "sts:AssumeRoleWithSAML",
        {"sts:ExternalId": RIGHT},
        {"saml_providers": [PROVIDER]},
    ),
]


def test_trust_policies(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        oracles.request(
            who,
            action,
            ROLE,
            [] if who == PROVIDER else [EVERYTHING],
            context=context,
            resource_policy=trust_policy(**more),
            account=world.HOME,
        )
        for _label, _expected, who, action, context, more in TRUST_CELLS
    ]
    seen = {cell[0]: answer for cell, answer in zip(TRUST_CELLS, oracles.simulate(asked), strict=True)}
    with capsys.disabled():
        print("\n" + "\n".join(f"{cell[3]:24} {cell[0]:48} {'A' if seen[cell[0]] else '-'}" for cell in TRUST_CELLS))
    assert seen == {label: expected for label, expected, *_rest in TRUST_CELLS}


def test_keys_of_encrypted_buckets_are_usable_through_s3_alone() -> None:
    key = f"arn:aws:kms:{driver.REGION}:{world.HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    place = permissions.Place("aws", driver.REGION, world.HOME)
    s3, ec2 = ({"kms:ViaService": f"{service}.{driver.REGION}.amazonaws.com"} for service in ("s3", "ec2"))
    cells = [
        (True, ("s3_read",), "kms:Decrypt", key, s3),
        (False, ("s3_read",), "kms:GenerateDataKey", key, s3),
        (True, ("s3_write",), "kms:GenerateDataKey", key, s3),
        (True, ("s3_write",), "kms:Decrypt", key, s3),  # an upload in parts reads its parts
        (False, ("s3_write",), "kms:Decrypt", key, ec2),
        (False, ("s3_write",), "kms:Decrypt", key, {}),
        (False, ("s3_write",), "kms:Decrypt", f"{key[:-1]}c", s3),
        (False, ("s3_write",), "kms:ScheduleKeyDeletion", key, s3),
        (False, ("ecr_push",), "kms:Decrypt", key, s3),
    ]
    asked = []
    for _expected, access, action, resource, context in cells:
        policy = permissions.policy(permissions.Grant(["b"], ["sbg/*"], kms_keys=[key], access=access), place)
        asked.append(oracles.request(ADMIN, action, resource, [policy], context=context, resource_policy=KEY_POLICY))
    assert oracles.simulate(asked) == [cell[0] for cell in cells]


def test_the_admins_policy_reaches_venues_and_nothing_else() -> None:
    parameter, role = (
        f"arn:aws:ssm:{driver.REGION}:{world.HOME}:parameter/unity",
        f"arn:aws:iam::{world.HOME}:role/unity-sbg-dev-sts",
    )
    external_id, bucket = f"{parameter}/sbg/dev/cs/sts/role/external-id", f"{parameter}/sbg/dev/ds/datastore-bucket"
    cells = [
        *(
            (True, action, role)
            for action in world.actions(world.ADMIN_POLICY)
            if action.startswith("iam:") and "RemoveRoleFrom" not in action
        ),
        (True, "iam:RemoveRoleFromInstanceProfile", f"arn:aws:iam::{world.HOME}:instance-profile/some"),
        *(
            (True, f"ssm:{action}", external_id)
            for action in ("GetParameters", "PutParameter", "AddTagsToResource", "DeleteParameter")
        ),
        (True, "ssm:GetParameters", bucket),
        (True, "ssm:GetParameters", f"{parameter}/cs/account/privilegedpolicyname"),
        (True, "sts:AssumeRole", role),
        (False, "ssm:PutParameter", bucket),
        (False, "ssm:GetParameters", f"{parameter}/sbg/dev/some/secret"),
        (False, "iam:PutRolePolicy", f"arn:aws:iam::{world.HOME}:role/{world.ADMIN_ROLE}"),
        (False, "sts:AssumeRole", f"arn:aws:iam::{world.HOME}:role/Administrator"),
        (False, "iam:AttachRolePolicy", role),
        (False, "iam:CreateUser", f"arn:aws:iam::{world.HOME}:user/x"),
        (False, "s3:GetObject", "arn:aws:s3:::sbg-dev-unity-data/a"),
    ]
    asked = [oracles.request(ADMIN, action, resource, [world.ADMIN_POLICY]) for _expected, action, resource in cells]
    assert dict(zip(cells, oracles.simulate(asked), strict=True)) == {cell: cell[0] for cell in cells}


def test_parliament_finds_nothing_wrong_in_any_permission_policy() -> None:
    place = permissions.Place("aws", driver.REGION, world.HOME)
    key = f"arn:aws:kms:{driver.REGION}:{world.HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    words = [subset for size in range(1, 6) for subset in itertools.combinations(ACCESS, size)]
    grants = [
        permissions.Grant(["sbg-dev-data"], ["sbg/*", "sbg/app"], prefixes, keys, access, delete)
        for access, prefixes, keys, delete in itertools.product(
            words, [(), ("incoming", "products/l2")], [(), (key,)], [False, True]
        )
    ]
    policies = [permissions.policy(grant, place) for grant in grants]
    wrong = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObjct", "Resource": "arn:aws:s3:::b/*"}],
    }
    *findings, of_wrong = oracles.parliament([*policies, world.ADMIN_POLICY, wrong])
    assert [found for found in findings if found] == [] and len(findings) == len(policies) + 1
    assert of_wrong, "parliament finds nothing even where something is wrong"
