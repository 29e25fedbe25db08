# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a custom session policy leaves. tests/enforcement/test_readme.py tries it out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import access, permissions
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import Request

DATA, MORE = "arn:aws:s3:::data", "arn:aws:s3:::more"
ECR = "arn:aws:ecr:us-west-2:123456789012:repository/"
ROLE = permissions.policy(
    permissions.Grant(["data", "more"], ["sbg/*", "shared/*"], delete=True),
    permissions.Location("aws", "us-west-2", "123456789012"),
)
FOLDERS = permissions.policy(
    permissions.Grant(["data"], ["sbg/*"], bucket_prefixes=["pub", "in/jdoe"]),
    permissions.Location("aws", "us-west-2", "123456789012"),
)
LOGIN = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSH = [
    *("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"),
    "ecr:BatchCheckLayerAvailability",
]


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def left(*statements: Any, **given: Any) -> dict[str, Any]:
    """What is left of a role and a request; by default, of the whole role."""
    role, request = given.get("role", ROLE), given.get("request", Request())
    found = access.allowed(role, request, {"Statement": list(statements)}).to_json()
    return {"places": found["places"], "repositories": found["repositories"], "narrowed": found.get("narrowed", False)}


def prefix(*patterns: str, operator: str = "StringLike") -> dict[str, Any]:
    return {"Condition": {operator: {"s3:prefix": list(patterns)}}}


ALL = allow("*", "*")
WHOLE = ["read,write,delete,list data/", "read,write,delete,list more/"]


@pytest.mark.parametrize(
    ("statements", "places"),
    [
        (
            [allow("s3:GetObject", f"{DATA}/in/*"), allow("s3:PutObject", f"{DATA}/out/*")],
            ["read data/in/", "write data/out/"],
        ),
        ([allow("s3:GetObject", [f"{DATA}/x/*", f"{MORE}/y/*"])], ["read data/x/", "read more/y/"]),
        ([allow("s3:getobject", f"{DATA}/pub*")], ["read data/pub"]),
        ([allow("s3:GetObject", "*"), allow("s3:ListBucket", DATA)], ["read,list data/", "read more/"]),
        (
            [allow("s3:GetObject", f"{DATA}/*"), allow("s3:ListBucket", "*", **prefix("pub/*"))],
            ["read data/"],
        ),
        (
            [allow("s3:GetObject", f"{DATA}/pub/*"), allow("s3:ListBucket", DATA, **prefix("pub/*", "x"))],
            ["read,list data/pub/"],
        ),
        (
            [allow("s3:GetObject", f"{DATA}/*"), allow(["s3:PutObject", "s3:DeleteObject"], f"{DATA}/out/*")],
            ["read data/", "read,write,delete data/out/"],
        ),
        ([allow("s3:GetObject", [f"{DATA}/*", f"{DATA}/pub/*"])], ["read data/"]),
        ([allow("s3:*", "arn:aws:s3:::*")], WHOLE),
        ([allow("s3:*", ["arn:aws:s3:::d*", "arn:*"])], WHOLE),
        ([allow("s3:GetObject", "arn:aws:s3:::d*/x/*")], ["read data/x/"]),
        ([allow("s3:GetObject", "arn:aws:s3:::other/*")], []),
        ([allow("s3:ListBucket", DATA)], []),
        ([{"Effect": "Allow", "Action": "s3:GetObject", "NotResource": f"{DATA}*"}], ["read more/"]),
        (
            [ALL, deny("s3:Put*", "*"), deny("s3:DeleteObject", f"{DATA}/*")],
            ["read,list data/", "read,delete,list more/"],
        ),
        ([ALL, deny("s3:ListBucket", MORE)], ["read,write,delete,list data/", "read,write,delete more/"]),
        (
            [{"Effect": "Allow", "NotAction": ["iam:*", "s3:Delete*"], "Resource": "*"}],
            [one.replace(",delete", "") for one in WHOLE],
        ),
        ([ALL, {"Effect": "Deny", "Action": "*", "NotResource": [DATA, f"{DATA}/*"]}], WHOLE[:1]),
        (
            [ALL, {"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "arn:aws:s3:::*"}],
            ["read data/", "read more/"],
        ),
    ],
)
def test_what_is_left_of_buckets(statements: list[Any], places: list[str]) -> None:
    assert left(*statements)["places"] == places


@pytest.mark.parametrize(
    ("statements", "repositories"),
    [
        ([LOGIN, allow(PULL, "*")], ["pull sbg/*", "pull shared/*"]),
        (
            [LOGIN, allow(PULL, f"{ECR}shared/*"), allow("ecr:CreateRepository", f"{ECR}sbg/*")],
            ["create sbg/*", "pull shared/*"],
        ),
        (
            [LOGIN, allow([*PULL, *PUSH], f"{ECR}sbg/app"), allow(PULL, f"{ECR}sbg/*")],
            ["pull sbg/*", "pull,push sbg/app"],
        ),
        ([allow([*PULL, *PUSH], f"{ECR}sbg/*")], []),
        ([LOGIN, allow(PULL[:1], "*")], []),
        ([ALL, deny("ecr:PutImage", "*")], ["create,pull sbg/*", "create,pull shared/*"]),
        ([LOGIN, allow(PULL, f"{ECR}other/*")], []),
        # A repository is created by an API call, images are moved by a docker that has logged in.
        ([ALL, deny("ecr:GetAuthorizationToken", "*")], ["create sbg/*", "create shared/*"]),
    ],
)
def test_what_is_left_of_repositories(statements: list[Any], repositories: list[str]) -> None:
    assert sorted(left(*statements)["repositories"]) == sorted(repositories)


@pytest.mark.parametrize(
    ("statements", "narrowed"),
    [
        ([ALL], False),
        ([ALL, deny("s3:PutObject", "*")], False),
        ([allow("s3:GetObject", f"{DATA}/one.nc")], True),
        ([allow("s3:GetObject", f"{DATA}/*.nc")], True),
        ([ALL, deny("s3:*", f"{DATA}/secret/*")], True),
        ([ALL, deny("s3:GetObject", "*", Condition={"Bool": {"aws:SecureTransport": "false"}})], True),
        ([allow("s3:GetObject", "*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], True),
        (
            [allow("s3:GetObject", f"{DATA}/*"), allow("s3:ListBucket", "*", **prefix("x", operator="StringEquals"))],
            True,
        ),
        ([allow("s3:GetObject", f"{DATA}/*"), allow("s3:ListBucket", "*", Condition="odd")], True),
        ([allow("s3:GetObject", f"{DATA}/*", **prefix(""))], True),  # a call for an object has no such key
        ([allow("s3:*", "*", **prefix("*"))], True),
        ([ALL, deny("s3:GetObject", f"{DATA}/${{aws:userid}}/*")], True),
        ([ALL, "not a statement"], True),
    ],
)
def test_what_cannot_be_decided_is_said(statements: list[Any], narrowed: bool) -> None:
    assert left(*statements)["narrowed"] is narrowed


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": f"{DATA}/*/secret/*"},
        allow("s3:GetObject", f"{DATA}/*.nc"),
        allow("s3:GetObject", f"{DATA}/${{aws:PrincipalTag/recipient}}/*"),
        allow("s3:GetObject", f"{DATA}/pub/${{aws:userid}}/*"),
    ],
)
def test_names_that_are_no_place_count_as_the_most_there_is(statement: dict[str, Any]) -> None:
    whole, folders = left(statement), left(statement, role=FOLDERS)
    assert "read data/" in whole["places"] and whole["narrowed"]
    assert "read data/pub/" in folders["places"] and folders["narrowed"]


def test_repository_names_that_are_no_pattern_of_the_role_count_as_the_most_there_is() -> None:
    assert left(LOGIN, allow(PULL, f"{ECR}*app")) == {
        "places": [],
        "repositories": ["pull sbg/*", "pull shared/*"],
        "narrowed": True,
    }


def test_a_login_has_no_resource_but_all() -> None:
    every = "arn:aws:ecr:*:*:*"
    assert left(allow([*PULL, "ecr:GetAuthorizationToken"], every))["repositories"] == []
    assert left(LOGIN, allow(PULL, every))["repositories"] == ["pull sbg/*", "pull shared/*"]


@pytest.mark.parametrize("elsewhere", ["us-east-1:123456789012", "us-west-2:210987654321"])
def test_repositories_of_another_region_or_account_are_not_those_of_the_role(elsewhere: str) -> None:
    named = f"arn:aws:ecr:{elsewhere}:repository/sbg/*"
    assert left(LOGIN, allow(PULL, named))["repositories"] == []
    assert left(LOGIN, allow(PULL, named), role=None)["repositories"] == ["pull sbg/*"]


def test_only_what_the_role_and_the_request_have_is_left() -> None:
    reader = Request(("s3_read",), ("data",), ("pub/l2",))
    assert left(ALL, request=Request(("s3_write",), ("data",)))["places"] == ["write,delete,list data/"]
    assert left(ALL, role=FOLDERS)["places"] == ["read,write,list data/pub/", "read,write,list data/in/jdoe/"]
    assert left(allow("s3:*", f"{DATA}/in/*"), role=FOLDERS)["places"] == ["read,write data/in/jdoe/"]
    assert left(ALL, role=FOLDERS, request=reader) == {
        "places": ["read,list data/pub/l2/"],
        "repositories": [],
        "narrowed": False,
    }


def test_without_aws_credentials_the_role_is_not_known() -> None:
    found = left(allow("s3:GetObject", f"{DATA}/x/*"), LOGIN, allow(PULL, "*"), role=None)
    assert found == {"places": ["read data/x/"], "repositories": ["pull *"], "narrowed": False}
    assert left(allow("s3:GetObject", "*"), role=None)["places"] == ["read */"]
    found = left(allow("*", [f"{DATA}/x/*", f"{ECR}y/*"]), LOGIN, role=None)
    assert (found["places"], found["repositories"]) == (["read,write,delete data/x/"], ["create,pull,push y/*"])


def test_managed_policies_are_not_read_but_mentioned() -> None:
    assert access.allowed(ROLE, Request(), narrowed=True).to_json()["narrowed"] is True
    assert "narrowed" not in access.allowed(ROLE, Request()).to_json()
