# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a token may do: whole policies as golden files, and the limits of each option."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import permissions
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import (
    ACCESS,
    RESERVED_PREFIX,
    Request,
    read_policy,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import allowed as allowed_to
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access_words import describe_access
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.permissions import Grant, Location, RenewalFolder
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.policies import compact
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import ALLOWS_FLAGS, ALLOWS_LISTS

from tests.conftest import ROOT
from tests.support.golden import assert_golden

PLACE = Location("aws", "us-west-2", "123456789012")
GOV = Location("aws-us-gov", "us-gov-west-1", "123456789012")
KEY = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
VENUE = Grant(buckets=["sbg-dev-unity-data"], repositories=["sbg/*"])
DATA = ("sbg-dev-unity-data",)


@pytest.mark.parametrize(
    ("name", "grant", "place"),
    [
        ("permissions_default", VENUE, PLACE),
        ("permissions_prefixes", VENUE._replace(bucket_prefixes=["incoming", "products/l2"]), PLACE),
        ("permissions_kms", VENUE._replace(kms_keys=[KEY]), PLACE),
        ("permissions_delete", VENUE._replace(delete=True), PLACE),
        (
            "permissions_govcloud",
            VENUE._replace(buckets=["a-bucket", "b-bucket"], repositories=["sbg/*", "sbg-dev/*"]),
            GOV,
        ),
        ("permissions_bucket_of_another_account", VENUE._replace(bucket_account="210987654321"), PLACE),
    ],
)
def test_role_policies(name: str, grant: Grant, place: Location) -> None:
    assert_golden(name, permissions.policy(grant, place))


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("session_read_one_folder", Request(("s3_read",), DATA, ("products/l2",))),
        ("session_pull_one_repository", Request(("ecr_pull",), repositories=("sbg/app",))),
        ("session_everything_in_folders", Request(None, DATA, ("incoming", "products/l2"), ("sbg/*",))),
    ],
)
def test_session_policies(name: str, request_: Request) -> None:
    policy = permissions.session_policy(request_, PLACE)
    assert_golden(name, policy)
    assert len(compact(policy)) < 1600  # of 2,048, to leave room for longer names


def allowed(access: list[str], **changes: object) -> set[str]:
    """All actions that some access words allow."""
    policy = permissions.policy(VENUE._replace(access=access, **changes), PLACE)
    return {
        action
        for one in policy["Statement"]
        if one["Effect"] == "Allow" and one["Sid"] != "ReadRenewals"
        for action in one["Action"]
    }


BUCKET = {"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
LOOK = {"ecr:ListImages", "ecr:DescribeImages", "ecr:DescribeRepositories"}
PUT = {"s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}


@pytest.mark.parametrize(
    ("access", "actions"),
    [
        (["s3_read"], {*BUCKET, "s3:GetObject", "s3:GetObjectTagging"}),
        (["s3_write"], {*BUCKET, *PUT}),
        (["ecr_create"], {"ecr:CreateRepository", "ecr:DescribeRepositories"}),
        (["ecr_pull"], {"ecr:GetAuthorizationToken", *PULL, *LOOK}),
        (
            ["ecr_push"],
            {
                "ecr:GetAuthorizationToken",
                *PULL,
                *LOOK,
                "ecr:InitiateLayerUpload",
                "ecr:UploadLayerPart",
                "ecr:CompleteLayerUpload",
                "ecr:PutImage",
            },
        ),
    ],
)
def test_each_access_word_allows_exactly_this(access: list[str], actions: set[str]) -> None:
    assert allowed(access) == actions


@pytest.mark.parametrize(
    ("changes", "renewals"),
    [
        ({}, False),
        ({"bucket_prefixes": ["incoming"]}, True),
        ({"access": ["s3_write", "ecr_pull"]}, True),
        ({"access": ["ecr_push"]}, False),
    ],
)
def test_tokens_of_leases_can_read_renewals_where_they_cannot_read_the_whole_bucket(
    changes: dict[str, Any], renewals: bool
) -> None:
    policy = permissions.policy(VENUE._replace(**changes), PLACE)
    found = [one["Resource"] for one in policy["Statement"] if one.get("Sid") == "ReadRenewals"]
    assert found == ([["arn:aws:s3:::sbg-dev-unity-data/mdps-venue-sts/renewals/*"]] if renewals else [])
    assert read_policy(policy).bucket_prefixes == tuple(changes.get("bucket_prefixes", ()))
    assert ("s3_read" in (read_policy(policy).access or ())) is ("s3_read" in changes.get("access", ACCESS))


OWN = RenewalFolder(DATA[0], "mdps-venue-sts/renewals/sbg/dev/jdoe/")


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("session_lease_everything", Request()),
        ("session_lease_two_buckets", Request(("s3_read",), ("other", DATA[0]))),
        ("session_lease_one_folder", Request(("s3_read", "s3_write"), DATA, ("incoming",))),
        ("session_lease_pull", Request(("ecr_pull",), repositories=("sbg/app",))),
    ],
)
def test_session_policies_of_leases(name: str, request_: Request) -> None:
    policy = permissions.session_policy(request_, PLACE, OWN)
    assert_golden(name, policy)
    assert len(compact(policy)) < 1900


@pytest.mark.parametrize("words", [subset for n in range(1, 6) for subset in itertools.combinations(ACCESS, n)])
@pytest.mark.parametrize("prefixes", [(), ("incoming",)])
def test_no_action_is_in_the_role_and_missing_in_a_session(words: tuple[str, ...], prefixes: tuple[str, ...]) -> None:
    optional: dict[str, Any] = {name: True for name, default in Grant._field_defaults.items() if default is False}
    grant = VENUE._replace(access=words, bucket_prefixes=prefixes, kms_keys=[KEY], **optional)
    role = permissions.policy(grant, PLACE)
    session = permissions.session_policy(Request(words, DATA, prefixes or None, ("sbg/*",)), PLACE)

    def actions(policy: dict[str, Any]) -> list[list[str]]:
        return [
            one["Action"]
            for one in policy["Statement"]
            if one["Effect"] == "Allow" and one.get("Sid") != "ReadRenewals"
        ]

    assert actions(role) == actions(session)


# For each field of a grant: a value that is not the default. Add one with each new field.
EVERY_FIELD: dict[str, Any] = {
    "buckets": ["other"],
    "repositories": ["other/*"],
    "bucket_prefixes": ["incoming"],
    "kms_keys": [KEY],
    "access": ["s3_read"],
    "delete": True,
    "bucket_account": "210987654321",
}


@pytest.mark.parametrize("field", Grant._fields)
def test_a_session_takes_away_no_action_that_an_option_of_the_role_allows(field: str) -> None:
    grant = VENUE._replace(**{field: EVERY_FIELD[field]})
    session = permissions.session_policy(Request(bucket_prefixes=tuple(grant.bucket_prefixes) or None), PLACE)

    def actions(policy: dict[str, Any]) -> set[str]:
        return {action for one in policy["Statement"] if one["Effect"] == "Allow" for action in one["Action"]}

    assert actions(permissions.policy(grant, PLACE)) <= actions(session)


# The fields that reports and receipts do not show: where keys and buckets are is no access of its own.
NOT_SHOWN = {"kms_keys", "bucket_account"}


@pytest.mark.parametrize("field", Grant._fields)
def test_what_an_option_of_the_role_allows_is_read_back(field: str) -> None:
    grant = VENUE._replace(**{field: EVERY_FIELD[field]})
    read, before = (read_policy(permissions.policy(one, PLACE)) for one in (grant, VENUE))
    if field in NOT_SHOWN:
        assert read == before
        return
    expected = EVERY_FIELD[field]
    assert getattr(read, field) == (tuple(expected) if isinstance(expected, list) else expected)
    assert getattr(read, field) != getattr(before, field)


@pytest.mark.parametrize("field", [one for one in Grant._fields if one not in NOT_SHOWN])
def test_what_an_option_of_the_role_allows_is_in_the_receipt_of_a_token(field: str) -> None:
    grant = VENUE._replace(**{field: EVERY_FIELD[field]})
    shown, before = (allowed_to(permissions.policy(one, PLACE), Request()).to_json() for one in (grant, VENUE))
    assert shown != before
    schema = json.loads((ROOT / "docs/receipt.schema.json").read_text())["properties"]["allows"]["properties"]
    assert schema.keys() == {*ALLOWS_LISTS, *ALLOWS_FLAGS}
    assert shown.keys() <= schema.keys()


@pytest.mark.parametrize("flag", [name for name, default in Grant._field_defaults.items() if default is False])
def test_what_an_option_of_the_role_allows_is_named_on_the_screen(flag: str) -> None:
    one, other = (
        allowed_to(permissions.policy(VENUE._replace(**{flag: given}), PLACE), Request()).to_json()
        for given in (True, False)
    )
    assert describe_access(one) != describe_access(other)


def test_what_the_role_denies_whatever_is_attached_to_it() -> None:
    denied = [one for one in permissions.policy(VENUE, PLACE)["Statement"] if one["Effect"] == "Deny"]
    assert [one["Sid"] for one in denied] == [
        "NeverEncryptWithCustomerKeys",
        "NeverEncryptWithForeignKeys",
        "NeverDeriveKeys",
        "NeverWriteReceipts",
    ]
    assert denied[3]["Resource"] == f"arn:aws:s3:::*/{RESERVED_PREFIX}*" and "Condition" not in denied[3]


def test_keys_of_other_accounts_may_encrypt_only_if_they_are_named() -> None:
    foreign = KEY.replace("123456789012", "210987654321")
    denied = permissions.policy(VENUE._replace(kms_keys=[KEY, foreign]), PLACE)["Statement"][-3]
    assert list(denied["Condition"]["ArnNotLike"].values()) == [["arn:aws:kms:*:123456789012:key/*", foreign]]


def test_everything_in_buckets_is_bound_to_their_account() -> None:
    policy = permissions.policy(VENUE._replace(bucket_prefixes=["incoming"], kms_keys=[KEY]), PLACE)
    in_buckets = [one for one in policy["Statement"] if one["Effect"] == "Allow" and "s3:" in str(one["Action"])]
    assert len(in_buckets) == 5
    for one in in_buckets:
        assert one["Condition"]["StringEquals"]["aws:ResourceAccount"] == PLACE.account_id


def test_delete_and_kms_follow_the_access_words() -> None:
    assert "s3:DeleteObject" in allowed(["s3_write"], delete=True)
    assert "s3:DeleteObject" not in allowed(["s3_read"], delete=True)
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= allowed(["s3_write"], kms_keys=[KEY])
    assert "kms:GenerateDataKey" not in allowed(["s3_read"], kms_keys=[KEY])
    assert not any(action.startswith("kms:") for action in allowed(["ecr_push"], kms_keys=[KEY]))


def test_listing_within_folders_never_shows_uploads_of_other_folders() -> None:
    assert "s3:ListBucketMultipartUploads" not in allowed(["s3_read", "s3_write"], bucket_prefixes=["incoming"])


def test_a_key_is_used_through_s3_in_the_region_of_the_key() -> None:
    """A bucket may be in another region than the venue, and its key is where the bucket is."""
    elsewhere = KEY.replace("us-west-2", "us-east-1")
    for keys, hosts in (
        ([KEY], "s3.us-west-2.amazonaws.com"),
        ([elsewhere], "s3.us-east-1.amazonaws.com"),
        ([KEY, elsewhere, KEY], ["s3.us-west-2.amazonaws.com", "s3.us-east-1.amazonaws.com"]),
    ):
        policy = permissions.policy(VENUE._replace(kms_keys=keys), PLACE)
        (used,) = [one for one in policy["Statement"] if one["Sid"] == "UseVenueKeys"]
        assert used["Condition"] == {"StringEquals": {"kms:ViaService": hosts}}


def test_kms_keys_are_named_by_key_arn_in_the_partition() -> None:
    assert permissions.check_kms_keys([KEY], "aws") == (KEY,)
    for arn, message in (
        ("arn:aws:kms:us-west-2:123456789012:alias/data", "is not an ARN of the form"),
        ("alias/data", "is not an ARN of the form"),
        ("arn:aws:kms:us-west-2:123456789012:key/*", "is not an ARN of the form"),
        (KEY.replace("us-west-2", ""), "lacks the region or the account"),
        (KEY.replace("123456789012", ""), "lacks the region or the account"),
        (KEY.replace("arn:aws:", "arn:aws-us-gov:"), "is in partition aws-us-gov"),
    ):
        with pytest.raises(InvalidInput, match=message):
            permissions.check_kms_keys([arn], "aws")
