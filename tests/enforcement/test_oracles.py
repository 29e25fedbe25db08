# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same tables, judged by people who wrote neither our policies nor the emulator."""

from __future__ import annotations

import functools
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import matrix
import pytest
import venues
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import references
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import permissions, simulation, trust
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import ACCESS, Request, parse_request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.oidc import GITHUB, OidcProvider

from tests.support import connections, oracles, world

# Policies do not decide about it: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
NEVER_DENIED = "say who it is"
ADMIN = f"arn:aws:sts::{world.HOME}:assumed-role/{world.ADMIN_ROLE}/jane.admin"
FOREIGN = f"arn:aws:sts::{world.OTHER}:assumed-role/{world.ADMIN_ROLE}/eve"
ROLE = f"arn:aws:iam::{world.HOME}:role/unity-sbg-dev-sts"
PROVIDER = f"arn:aws:iam::{world.HOME}:saml-provider/JPL"
RIGHT = "5f3c" * 10
POOL = OidcProvider("cognito-idp.us-west-2.amazonaws.com/us-west-2_Example01", world.HOME, ("sbg",), ("jdoe",))
WORKFLOWS = OidcProvider(
    GITHUB,
    world.HOME,
    ("sts.amazonaws.com",),
    ("repo:unity-sds/sbg:ref:refs/heads/main", "repo:unity-sds/sbg:ref:refs/tags/*"),
)
# The default policy of a KMS key: it leaves the decision to the account's own policies.
KEY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.HOME}:root"}, "Action": "kms:*", "Resource": "*"}
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def narrowing(name: str) -> Any:
    """The session policy that a token of the matrix was issued with; None for none."""
    options = {key.removeprefix("issue_"): value for key, value in venues.TOKENS[name].items()}
    if "policy_arns" in options:
        return venues.READ_ONLY
    request = parse_request(options, Venue("sbg", "dev"))
    policy = permissions.session_policy(replace(request, buckets=("sbg-dev-unity-data",)), PLACE)
    return options.get("session_policy") or (policy if request.narrows else None)


def test_the_matrix(home: world.Account, tokens: dict[str, venues.Token], capsys: pytest.CaptureFixture[str]) -> None:
    iam, wanted, requests = home.as_root("iam"), matrix.expected("Aa"), {}
    for name, token in tokens.items():
        role = iam.get_role(RoleName=token.venue.role)["Role"]
        policy = iam.get_role_policy(RoleName=token.venue.role, PolicyName="venue-access")["PolicyDocument"]
        boundary = venues.BOUNDARIES[role["PermissionsBoundary"]["PermissionsBoundaryArn"].rsplit("/", 1)[1]]
        ask = functools.partial(
            oracles.request,
            token.arn,
            identity=[policy],
            boundary=boundary,
            session=narrowing(name),
            account=world.HOME,
        )
        for label, call in matrix.CALLS.items():
            if label != NEVER_DENIED:
                context = call.context | (OWNER if call.action.startswith("s3:") else {})
                requests[label, name] = ask(action=call.action, resource=call.resource(token.venue), context=context)
    answers = dict(zip(requests, oracles.simulate(list(requests.values())), strict=True))
    different = {cell: answer for cell, answer in answers.items() if answer != wanted[cell]}
    emulator = matrix.expected("A")
    with capsys.disabled():
        print(
            f"\niam-simulate: {len(answers)} cells, {sum(answers[cell] != emulator[cell] for cell in answers)} other "
            "than ministack's"
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
        {"previous_external_ids": ("previous",)},
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
    *(
        (
            f"a web identity: {label}",
            expected_,
            who,
            "sts:AssumeRoleWithWebIdentity",
            {f"{POOL.issuer}:{key}": value for key, value in claims.items()},
            {"oidc_providers": [POOL, *([WORKFLOWS] if who == WORKFLOWS.arn("aws") else [])]},
        )
        for label, expected_, who, claims in (
            ("right", True, POOL.arn("aws"), {"aud": "sbg", "sub": "jdoe"}),
            ("wrong audience", False, POOL.arn("aws"), {"aud": "emit", "sub": "jdoe"}),
            ("wrong subject", False, POOL.arn("aws"), {"aud": "sbg", "sub": "eve"}),
            ("no subject", False, POOL.arn("aws"), {"aud": "sbg"}),
            ("another provider", False, WORKFLOWS.arn("aws"), {"aud": "sbg", "sub": "jdoe"}),
            ("keys without a token", False, ADMIN, {"aud": "sbg", "sub": "jdoe"}),
        )
    ),
    *(
        (
            f"a workflow: {subject}",
            expected_,
            WORKFLOWS.arn("aws"),
            "sts:AssumeRoleWithWebIdentity",
            {f"{WORKFLOWS.issuer}:aud": "sts.amazonaws.com", f"{WORKFLOWS.issuer}:sub": subject},
            {"oidc_providers": [POOL, WORKFLOWS]},
        )
        for subject, expected_ in (
            ("repo:unity-sds/sbg:ref:refs/heads/main", True),
            ("repo:unity-sds/sbg:ref:refs/tags/v1", True),
            ("repo:unity-sds/sbg:pull_request", False),
            ("repo:unity-sds-evil/sbg:ref:refs/tags/v1", False),
            ("repo:unity-sds@1/sbg@2:ref:refs/heads/main", False),
        )
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
            [EVERYTHING] if ":assumed-role/" in who else [],
            context=oracles.as_known_issuer(context, POOL.issuer, WORKFLOWS.issuer),
            resource_policy=oracles.as_known_issuer(trust_policy(**more), POOL.issuer, WORKFLOWS.issuer),
            account=world.HOME,
        )
        for _label, _expected, who, action, context, more in TRUST_CELLS
    ]
    seen = {cell[0]: answer for cell, answer in zip(TRUST_CELLS, oracles.simulate(asked), strict=True)}
    with capsys.disabled():
        print("\n" + "\n".join(f"{cell[3]:24} {cell[0]:48} {'A' if seen[cell[0]] else '-'}" for cell in TRUST_CELLS))
    assert seen == {label: expected for label, expected, *_rest in TRUST_CELLS}


def test_keys_of_encrypted_buckets_are_usable_through_s3_alone() -> None:
    key = f"arn:aws:kms:{connections.REGION}:{world.HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    place = permissions.Location("aws", connections.REGION, world.HOME)
    s3, ec2 = ({"kms:ViaService": f"{service}.{connections.REGION}.amazonaws.com"} for service in ("s3", "ec2"))
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


PolicyCell = tuple[bool, str, str, dict[str, Any]]  # allowed, action, resource, context


def judged(policy: Any, cells: list[PolicyCell]) -> dict[tuple[str, str, str], bool]:
    """What iam-simulate answers to each cell, by action, resource and context."""
    asked = [
        oracles.request(ADMIN, action, resource, [policy], context=context, account=world.HOME)
        for _expected, action, resource, context in cells
    ]
    names = [(action, resource, json.dumps(context)) for _expected, action, resource, context in cells]
    return dict(zip(names, oracles.simulate(asked), strict=True))


def expected(cells: list[PolicyCell]) -> dict[tuple[str, str, str], bool]:
    return {(action, resource, json.dumps(context)): answer for answer, action, resource, context in cells}


OWNER = {"aws:ResourceAccount": world.HOME}
SSE, KMS_KEY = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
SSE_C = "s3:x-amz-server-side-encryption-customer-algorithm"
OBJECT, RECEIPT = "arn:aws:s3:::sbg-dev-data/a.dat", "arn:aws:s3:::sbg-dev-data/mdps-venue-sts/a.json"
OWN_KEY = f"arn:aws:kms:{connections.REGION}:{world.HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FOREIGN_KEY = OWN_KEY.replace(world.HOME, world.OTHER)
PLACE = permissions.Location("aws", connections.REGION, world.HOME)
VENUE = permissions.Grant(["sbg-dev-data"], ["sbg/*"], delete=True)
# Each refusal has a twin that is allowed: a condition that refuses everything would pass for a right one.
DENIED_CELLS: list[PolicyCell] = [
    (True, "s3:PutObject", OBJECT, OWNER),
    (True, "s3:PutObject", OBJECT, {**OWNER, SSE: "AES256"}),
    (False, "s3:PutObject", OBJECT, {**OWNER, SSE_C: "AES256"}),
    (True, "s3:PutObject", OBJECT, {**OWNER, SSE: "aws:kms"}),
    (True, "s3:PutObject", OBJECT, {**OWNER, SSE: "aws:kms", KMS_KEY: OWN_KEY}),
    (False, "s3:PutObject", OBJECT, {**OWNER, SSE: "aws:kms", KMS_KEY: FOREIGN_KEY}),
    (False, "s3:PutObject", OBJECT, {**OWNER, SSE: "aws:kms", KMS_KEY: FOREIGN_KEY.replace("key/", "alias/")}),
    (True, "s3:DeleteObject", OBJECT, OWNER),
    (True, "s3:GetObject", RECEIPT, OWNER),
    (False, "s3:PutObject", RECEIPT, OWNER),
    (False, "s3:PutObjectTagging", RECEIPT, OWNER),
    (False, "s3:DeleteObject", RECEIPT, OWNER),
    (True, "s3:PutObject", "arn:aws:s3:::sbg-dev-data/mdps-venue-sts.txt", OWNER),
    (True, "s3:PutObject", "arn:aws:s3:::sbg-dev-data/a/mdps-venue-stsx", OWNER),
    (False, "s3:GetObject", OBJECT, {"aws:ResourceAccount": world.OTHER}),
    (False, "s3:GetObject", OBJECT, {}),
    (True, "s3:ListBucket", "arn:aws:s3:::sbg-dev-data", OWNER),
    (False, "s3:ListBucket", "arn:aws:s3:::sbg-dev-data", {"aws:ResourceAccount": world.OTHER}),
]


def test_what_the_role_denies_and_what_it_therefore_still_allows() -> None:
    assert judged(permissions.policy(VENUE, PLACE), DENIED_CELLS) == expected(DENIED_CELLS)


def test_no_token_derives_keys_whatever_else_allows_it() -> None:
    """iam-simulate does not know the action yet, so another of STS stands for it. The twin is without the statement."""
    statements = permissions.policy(VENUE, PLACE)["Statement"]
    (deny,) = [one for one in statements if one["Sid"] == "NeverDeriveKeys"]
    assert deny["Action"] == "sts:GetScopedCredentials"
    ask = functools.partial(oracles.request, ADMIN, resource="*", account=world.HOME)
    with pytest.raises(AssertionError, match=r"invalid\.action"):
        oracles.simulate([ask("sts:GetScopedCredentials", identity=[limited(ALLOW_ALL)])])
    twin = [one for one in statements if one != deny]
    known = [*twin, {**deny, "Action": "sts:GetSessionToken"}]
    asked = [
        ask(action, identity=[limited(*some, ALLOW_ALL)])
        for some in (known, twin)
        for action in ("sts:GetSessionToken", "sts:GetCallerIdentity")
    ]
    assert oracles.simulate(asked) == [False, True, True, True]


def test_a_key_of_another_account_may_be_named() -> None:
    grant = VENUE._replace(kms_keys=[FOREIGN_KEY])
    cells = [
        (True, "s3:PutObject", OBJECT, {**OWNER, KMS_KEY: FOREIGN_KEY}),
        (True, "s3:PutObject", OBJECT, {**OWNER, KMS_KEY: OWN_KEY}),
        (False, "s3:PutObject", OBJECT, {**OWNER, KMS_KEY: FOREIGN_KEY.replace("1234abcd", "4321abcd")}),
    ]
    assert judged(permissions.policy(grant, PLACE), cells) == expected(cells)


def test_a_bucket_of_another_account_may_be_named() -> None:
    cells = [
        (True, "s3:GetObject", OBJECT, {"aws:ResourceAccount": world.OTHER}),
        (False, "s3:GetObject", OBJECT, OWNER),
    ]
    asked = [
        oracles.request(
            ADMIN,
            action,
            resource,
            [permissions.policy(VENUE._replace(bucket_account=world.OTHER), PLACE)],
            context=context,
            account=world.HOME,
        )
        for _expected, action, resource, context in cells
    ]
    assert oracles.simulate(asked) == [cell[0] for cell in cells]


def listing(prefix: str | None, delimiter: str | None) -> dict[str, str]:
    given = {"s3:prefix": prefix, "s3:delimiter": delimiter}
    return OWNER | {key: value for key, value in given.items() if value is not None}


LISTED = [
    (True, listing("incoming/", "/")),
    (True, listing("incoming/", None)),
    (True, listing("incoming/jdoe/", "/")),
    (True, listing("incoming", "/")),
    (False, listing("incoming", None)),  # would show the keys of incoming-private/
    (False, listing("incoming", "")),
    (False, listing("incoming", "-")),
    (False, listing("incoming-private/", "/")),
    (False, listing("incoming-private", "/")),
    (False, listing("incomin", "/")),
    (False, listing("", "/")),
    (False, listing("", None)),
    (False, listing(None, None)),  # HeadBucket, and a listing of the whole bucket
]


@pytest.mark.parametrize("kind", ["role", "session"])
def test_listing_shows_the_folders_of_the_token_alone(kind: str) -> None:
    bucket = "arn:aws:s3:::sbg-dev-data"
    cells = [(answer, "s3:ListBucket", bucket, context) for answer, context in LISTED]
    role = permissions.policy(VENUE._replace(bucket_prefixes=["incoming"]), PLACE)
    session = permissions.session_policy(Request(None, ("sbg-dev-data",), ("incoming",)), PLACE)
    assert judged(role if kind == "role" else session, cells) == expected(cells)


IAM = f"arn:aws:iam::{world.HOME}"
BOUNDARY = {"iam:PermissionsBoundary": f"{IAM}:policy/{world.BOUNDARY}"}
OTHER_BOUNDARY = {"iam:PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}
PARAMETERS = f"arn:aws:ssm:{connections.REGION}:{world.HOME}:parameter/unity"
EXTERNAL_ID, DATA_BUCKET = f"{PARAMETERS}/sbg/dev/cs/sts/role/external-id", f"{PARAMETERS}/sbg/dev/ds/datastore-bucket"
SECRET, ADMINISTRATOR = f"{PARAMETERS}/sbg/dev/some/secret", f"{IAM}:role/Administrator"
HERE = {"aws:PrincipalAccount": world.HOME, "aws:ResourceAccount": world.HOME}
CHANGES = (
    "UpdateRole",
    "UpdateAssumeRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "DetachRolePolicy",
    "DeleteRole",
)
READS = ("GetRole", "GetRolePolicy", "ListRolePolicies")
# Each condition is tried both ways.
OWNED = {"Proj": "sbg", "Venue": "dev", "Capability": "sts"}
PROVISIONER: list[PolicyCell] = [
    *((True, f"iam:{one}", ROLE, {}) for one in (*READS, "ListAttachedRolePolicies", "ListInstanceProfilesForRole")),
    *(
        (allowed, f"iam:{one}", ROLE, context)
        for one in ("CreateRole", "PutRolePermissionsBoundary", *CHANGES)
        for allowed, context in ((True, BOUNDARY), (False, {}), (False, OTHER_BOUNDARY))
    ),
    *((False, f"iam:{one}", ADMINISTRATOR, BOUNDARY) for one in ("CreateRole", "PutRolePolicy", "TagRole")),
    (True, "iam:TagRole", ROLE, {"aws:TagKeys": ["Capability"], "aws:ResourceTag/Proj": "sbg"}),
    (True, "iam:TagRole", ROLE, {"aws:TagKeys": ["Proj", "Venue", "Name"]}),
    (True, "iam:TagRole", ROLE, {"aws:TagKeys": ["Venue"], "aws:ResourceTag/Proj": "sbg"}),
    *(
        (
            False,
            "iam:TagRole",
            ROLE,
            {"aws:TagKeys": keys, **{f"aws:ResourceTag/{key}": value for key, value in OWNED.items()}},
        )
        for keys in (["Proj"], ["proj"], ["Venue"], ["Name", "VENUE"], ["Capability"])
    ),
    *(
        (False, f"iam:{one}", ROLE, BOUNDARY)
        for one in ("DeleteRolePermissionsBoundary", "AttachRolePolicy", "PassRole", "UntagRole")
    ),
    *(
        (False, f"iam:{one}", BOUNDARY["iam:PermissionsBoundary"], {})
        for one in ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion", "DeletePolicy")
    ),
    (True, "iam:GetPolicy", BOUNDARY["iam:PermissionsBoundary"], {}),
    (True, "iam:RemoveRoleFromInstanceProfile", f"{IAM}:instance-profile/unity-sbg-dev", {}),
    (False, "iam:RemoveRoleFromInstanceProfile", f"{IAM}:instance-profile/some", {}),
    (False, "iam:AddRoleToInstanceProfile", f"{IAM}:instance-profile/some", {}),
    (False, "iam:CreateUser", f"{IAM}:user/x", {}),
    *(
        (True, f"ssm:{one}", EXTERNAL_ID, {})
        for one in ("GetParameters", "PutParameter", "AddTagsToResource", "DeleteParameter")
    ),
    (True, "ssm:GetParameters", DATA_BUCKET, {}),
    (False, "ssm:PutParameter", DATA_BUCKET, {}),
    (True, "ssm:GetParameters", f"{PARAMETERS}/cs/account/privilegedpolicyname", {}),
    (False, "ssm:PutParameter", f"{PARAMETERS}/cs/account/privilegedpolicyname", {}),
    (False, "ssm:GetParameters", SECRET, {}),
    *(
        (True, f"iam:{one}", f"{IAM}:oidc-provider/login.example.org", {})
        for one in (
            *("GetOpenIDConnectProvider", "CreateOpenIDConnectProvider", "TagOpenIDConnectProvider"),
            "AddClientIDToOpenIDConnectProvider",
        )
    ),
    *(
        (allowed, f"iam:{one}OpenIDConnectProvider", f"{IAM}:oidc-provider/{issuer}", {})
        for allowed, issuer in (
            (True, "login.example.org/realm"),
            (False, "login.example.org.example.com"),
            (False, "oidc.eks.us-west-2.amazonaws.com/id/EXAMPLE"),
            (False, "token.actions.githubusercontent.com"),
        )
        for one in ("Create", "Tag", "AddClientIDTo")
    ),
    (True, "iam:GetOpenIDConnectProvider", f"{IAM}:oidc-provider/token.actions.githubusercontent.com", {}),
    (False, "iam:UpdateOpenIDConnectProviderThumbprint", f"{IAM}:oidc-provider/login.example.org", {}),
    (False, "iam:DeleteOpenIDConnectProvider", f"{IAM}:oidc-provider/login.example.org", {}),
    (False, "iam:CreateSAMLProvider", f"{IAM}:saml-provider/x", {}),
    (False, "sts:AssumeRole", ROLE, {}),
    (False, "s3:GetObject", OBJECT, HERE),
]
# Issuer, revoker and reporter read receipts: in the reserved folder of the account's buckets, and in SSM.
BUCKET = "arn:aws:s3:::sbg-dev-data"
RECEIPTS = f"{PARAMETERS}/sbg/dev/cs/sts/receipts"
READ_RECEIPTS: list[PolicyCell] = [
    (True, "ssm:GetParametersByPath", RECEIPTS, {}),
    (False, "ssm:GetParametersByPath", f"{PARAMETERS}/sbg/dev/cs/sts", {}),
    (False, "ssm:GetParametersByPath", f"{PARAMETERS}/sbg/dev/cs/sts/role", {}),
    (True, "s3:ListBucket", BUCKET, {**HERE, "s3:prefix": "mdps-venue-sts/receipts/sbg/dev/"}),
    (True, "s3:ListBucket", BUCKET, {**HERE, "s3:prefix": "mdps-venue-sts/"}),
    (False, "s3:ListBucket", BUCKET, {**HERE, "s3:prefix": "mdps-venue-sts"}),  # would list mdps-venue-sts-x/
    (False, "s3:ListBucket", BUCKET, {**HERE, "s3:prefix": ""}),
    (False, "s3:ListBucket", BUCKET, HERE),
    (False, "s3:ListBucket", BUCKET, {"aws:PrincipalAccount": world.HOME, "aws:ResourceAccount": world.OTHER,
                                      "s3:prefix": "mdps-venue-sts/"}),
    (True, "s3:GetObject", RECEIPT, HERE),
    (False, "s3:GetObject", RECEIPT, {**HERE, "aws:ResourceAccount": world.OTHER}),
    (False, "s3:GetObject", OBJECT, HERE),
    (False, "s3:GetObjectVersion", RECEIPT, HERE),
    (False, "s3:DeleteObject", RECEIPT, HERE),
]  # fmt: skip
# Issuer and revoker end leases; only the issuer writes them.
LEASES = f"{PARAMETERS}/sbg/dev/cs/sts/leases"
END_LEASES: list[PolicyCell] = [
    (True, "ssm:GetParametersByPath", LEASES, {}),
    (True, "ssm:DeleteParameters", f"{LEASES}/jdoe", {}),
    (False, "ssm:DeleteParameters", EXTERNAL_ID, {}),
    (False, "ssm:DeleteParameters", f"{RECEIPTS}/r-20261126T071500Z-0a1b2c3d", {}),
]
ISSUER: list[PolicyCell] = [
    *READ_RECEIPTS,
    *END_LEASES,
    (True, "ssm:PutParameter", f"{LEASES}/jdoe", {}),
    *((True, f"sts:{one}", ROLE, {}) for one in ("AssumeRole", "TagSession", "SetSourceIdentity")),
    (False, "sts:AssumeRole", ADMINISTRATOR, {}),
    *((True, f"iam:{one}", ROLE, {}) for one in READS),
    (False, "iam:GetRole", ADMINISTRATOR, {}),
    *((False, f"iam:{one}", ROLE, BOUNDARY) for one in ("CreateRole", "TagRole", *CHANGES)),
    *((True, f"ssm:{one}", EXTERNAL_ID, {}) for one in ("GetParameters", "GetParameterHistory")),
    (False, "ssm:PutParameter", EXTERNAL_ID, {}),
    (True, "ssm:GetParameters", DATA_BUCKET, {}),
    (False, "ssm:GetParameters", SECRET, {}),
    (True, "ssm:PutParameter", f"{PARAMETERS}/sbg/dev/cs/sts/receipts/r-20261126T071500Z-0a1b2c3d", {}),
    (False, "ssm:PutParameter", f"{PARAMETERS}/sbg/dev/cs/sts/other", {}),
    (True, "s3:PutObject", RECEIPT, HERE),
    (False, "s3:PutObject", RECEIPT, {**HERE, "aws:ResourceAccount": world.OTHER}),
    (False, "s3:PutObject", OBJECT, HERE),
    (False, "s3:PutObjectAcl", RECEIPT, HERE),
]
REVOKER: list[PolicyCell] = [
    *READ_RECEIPTS,
    *END_LEASES,
    (False, "ssm:PutParameter", f"{LEASES}/jdoe", {}),
    (False, "s3:PutObject", RECEIPT, HERE),
    (False, "ssm:PutParameter", f"{RECEIPTS}/r-20261126T071500Z-0a1b2c3d", {}),
    *((True, f"iam:{one}", ROLE, {}) for one in READS),
    *(
        (allowed, f"iam:{one}", ROLE, context)
        for one in ("PutRolePolicy", "DeleteRolePolicy", "UpdateAssumeRolePolicy")  # the last one locks a venue
        for allowed, context in ((True, BOUNDARY), (False, {}), (False, OTHER_BOUNDARY))
    ),
    *((False, f"iam:{one}", ADMINISTRATOR, BOUNDARY) for one in ("PutRolePolicy", "UpdateAssumeRolePolicy")),
    *((False, f"iam:{one}", ROLE, BOUNDARY) for one in ("DeleteRole", "TagRole", "PutRolePermissionsBoundary")),
    # What identifies a key that was found, and what proves a revocation and a lock.
    (True, "iam:SimulatePrincipalPolicy", ROLE, {}),
    (False, "sts:AssumeRole", ROLE, {}),
    (True, "sts:AssumeRole", ROLE, {"sts:RoleSessionName": "mdps-venue-sts-check"}),
    *((True, one, "*", {}) for one in ("cloudtrail:LookupEvents", "sts:GetAccessKeyInfo")),
    (True, "iam:GetAccountAuthorizationDetails", "*", {}),
    (True, "ssm:GetParameters", EXTERNAL_ID, {}),
    (False, "ssm:GetParameters", SECRET, {}),
]
REPORTER: list[PolicyCell] = [
    *READ_RECEIPTS,
    (False, "s3:PutObject", RECEIPT, HERE),
    (True, "iam:GetAccountAuthorizationDetails", "*", {}),
    (True, "iam:ListRoles", "*", {}),
    (True, "cloudtrail:LookupEvents", "*", {}),
    *((True, "ssm:GetParameters", one, {}) for one in (EXTERNAL_ID, DATA_BUCKET)),
    (False, "ssm:GetParameters", SECRET, {}),
    *((False, f"iam:{one}", ROLE, BOUNDARY) for one in ("CreateRole", "TagRole", *CHANGES)),
    (False, "ssm:PutParameter", EXTERNAL_ID, {}),
    (False, "sts:AssumeRole", ROLE, {}),
]


@pytest.mark.parametrize(
    ("name", "cells"),
    [("provisioner", PROVISIONER), ("issuer", ISSUER), ("revoker", REVOKER), ("reporter", REPORTER)],
)
def test_the_policies_of_people_give_nothing_beyond_the_boundary(name: str, cells: list[PolicyCell]) -> None:
    assert judged(world.POLICIES[name], cells) == expected(cells)
    told = {action for allowed, action, _resource, _context in cells if allowed}
    checks = {"iam:GetUser", "iam:GetPolicyVersion", "iam:ListPolicies", "iam:SimulateCustomPolicy", "kms:DescribeKey"}
    checks |= {"access-analyzer:ValidatePolicy", "iam:GetSAMLProvider"}
    checks |= {"iam:ListRoles", "iam:GetAccountAuthorizationDetails"} if name == "provisioner" else set()
    assert set(world.actions(world.POLICIES[name])) - told == (checks if name == "provisioner" else set())


# What parliament's lists do not have yet. The IAM user guide says that iam:PermissionsBoundary takes string operators.
YOUNGER = (
    "sts:GetScopedCredentials",
    "iam:PermissionsBoundary",
    "StringLike requires a value of type String but given Arn",
)


def test_parliament_finds_nothing_wrong_in_any_permission_policy() -> None:
    place = permissions.Location("aws", connections.REGION, world.HOME)
    key = f"arn:aws:kms:{connections.REGION}:{world.HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
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
    people = list(world.POLICIES.values())
    *findings, of_wrong = oracles.parliament([*policies, *people, wrong])
    findings = [[one for one in found if not any(words in one for words in YOUNGER)] for found in findings]
    assert [found for found in findings if found] == [] and len(findings) == len(policies) + len(people)
    assert of_wrong, "parliament finds nothing even where something is wrong"


class SimulatedIam:
    """IAM's SimulateCustomPolicy, with iam-simulate behind it: one page for each call."""

    def get_paginator(self, operation: str) -> SimpleNamespace:
        assert operation == "simulate_custom_policy"
        return SimpleNamespace(paginate=lambda **asked: [self._simulate(**asked)])

    def _simulate(self, **asked: Any) -> dict[str, Any]:
        (policy,), (boundary,) = (
            [json.loads(one) for one in asked[name]]
            for name in ("PolicyInputList", "PermissionsBoundaryPolicyInputList")
        )
        actions, resources = asked["ActionNames"], asked["ResourceArns"]
        cells = list(itertools.product(actions, resources))
        known = {one["ContextKeyName"]: one["ContextKeyValues"][0] for one in asked["ContextEntries"]}
        ask = functools.partial(oracles.request, ADMIN, account=world.HOME, context=OWNER | known)
        within = oracles.simulate([ask(*cell, [EVERYTHING], boundary=boundary) for cell in cells])
        allowed = oracles.simulate([ask(*cell, [policy], boundary=boundary) for cell in cells])
        assert not [cell for cell, yes, inside in zip(cells, allowed, within, strict=True) if yes and not inside]
        answers = dict(zip(cells, zip(allowed, within, strict=True), strict=True))
        results = [self._result(action, {one: answers[action, one] for one in resources}) for action in actions]
        return {"EvaluationResults": results, "IsTruncated": False}

    @staticmethod
    def _result(action: str, answers: dict[str, tuple[bool, bool]]) -> dict[str, Any]:
        """One answer for each action, with one for each resource in it."""
        specific = [
            {
                "EvalResourceName": resource,
                "EvalResourceDecision": "allowed" if yes else "implicitDeny",
                "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": inside},
            }
            for resource, (yes, inside) in answers.items()
        ]
        return {
            "EvalActionName": action,
            "EvalResourceName": next(iter(answers)),
            "EvalDecision": "allowed" if all(yes for yes, _inside in answers.values()) else "implicitDeny",
            "ResourceSpecificResults": specific,
        }


def limited(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}
# A boundary -> the services and actions that it cuts of a venue's permissions; '' for the whole service.
CUTS: list[tuple[dict[str, Any], set[str]]] = [
    (limited(ALLOW_ALL), set()),
    (limited({**ALLOW_ALL, "Action": ["s3:*", "sts:*"]}), {"ecr:"}),
    (limited({**ALLOW_ALL, "Action": ["ecr:*", "s3:Get*", "s3:List*"]}), {"s3:PutObject", "s3:DeleteObject"}),
    (limited(ALLOW_ALL, {"Effect": "Deny", "Action": "ecr:CreateRepository", "Resource": "*"}), {"ecr:CreateRepo"}),
    (limited({**ALLOW_ALL, "Resource": "arn:aws:ecr:*:*:repository/*"}), {"s3:", "ecr:GetAuthorizationToken"}),
    (limited({**ALLOW_ALL, "Condition": {"StringEquals": {"aws:RequestedRegion": "us-west-2"}}}), set()),
    (limited({**ALLOW_ALL, "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}), {"s3:", "ecr:"}),
]


@pytest.mark.parametrize(("boundary", "cut"), CUTS)
def test_a_simulated_preflight_names_every_promise_that_the_boundary_cuts(
    boundary: dict[str, Any], cut: set[str]
) -> None:
    policy = simulation.unconditional(permissions.policy(VENUE, PLACE))
    simulated = references.Simulated(json.dumps(policy), json.dumps(boundary), {"aws:RequestedRegion": PLACE.region})
    evaluations = [
        one
        for actions, resources in simulation.expected_permissions(policy)
        for one in references.simulate(SimulatedIam(), simulated, actions, resources)
    ]
    sentences = simulation.findings("the boundary", evaluations)
    named = {word.strip(",") for one in sentences for word in one.split() if word.startswith(("s3:", "ecr:"))}
    promised = {action for actions, _resources in simulation.expected_permissions(policy) for action in actions}
    assert cut <= {start for start in cut if any(one.startswith(start) for one in named)}
    wholly = tuple(start for start in cut if start.endswith(":"))
    assert not {one for one in promised if wholly and one.startswith(wholly)} - named
    assert bool(named) is bool(cut)
