# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a token may do: whole policies as golden files, and the limits of each option."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import permissions
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.permissions import Grant, Place

from tests.support.golden import assert_golden

PLACE = Place("aws", "us-west-2", "123456789012")
GOV = Place("aws-us-gov", "us-gov-west-1", "123456789012")
KEY = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
VENUE = Grant(buckets=["sbg-dev-unity-data"], repositories=["sbg/*"])
# A session policy: a star means "as far as the role goes".
NARROW = Grant(buckets=["sbg-dev-unity-data"], repositories=["*"], kms_keys=["*"], delete=True)


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
        ("session_read_one_folder", NARROW._replace(access=["s3_read"], bucket_prefixes=["products/l2"]), PLACE),
        ("session_pull_one_repository", NARROW._replace(access=["ecr_pull"], repositories=["sbg/app"]), PLACE),
    ],
)
def test_policies(name: str, grant: Grant, place: Place) -> None:
    assert_golden(name, permissions.policy(grant, place))


def allowed(access: list[str], **changes: object) -> set[str]:
    """All actions that some access words allow."""
    policy = permissions.policy(VENUE._replace(access=access, **changes), PLACE)
    return {action for statement in policy["Statement"] for action in statement["Action"]}


BUCKET = {"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"}
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


@pytest.mark.parametrize(
    ("access", "actions"),
    [
        (["s3_read"], {*BUCKET, "s3:GetObject"}),
        (["s3_write"], {*BUCKET, "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"}),
        (["ecr_create"], {"ecr:CreateRepository", "ecr:DescribeRepositories"}),
        (["ecr_pull"], {"ecr:GetAuthorizationToken", *PULL}),
        (
            ["ecr_push"],
            {
                "ecr:GetAuthorizationToken",
                *PULL,
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


def test_delete_and_kms_follow_the_access_words() -> None:
    assert "s3:DeleteObject" in allowed(["s3_write"], delete=True)
    assert "s3:DeleteObject" not in allowed(["s3_read"], delete=True)
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= allowed(["s3_write"], kms_keys=[KEY])
    assert "kms:GenerateDataKey" not in allowed(["s3_read"], kms_keys=[KEY])
    assert not any(action.startswith("kms:") for action in allowed(["ecr_push"], kms_keys=[KEY]))


def test_listing_within_folders_never_shows_uploads_of_other_folders() -> None:
    assert "s3:ListBucketMultipartUploads" not in allowed(["s3_read", "s3_write"], bucket_prefixes=["incoming"])


def test_kms_keys_are_named_by_key_arn_in_the_partition() -> None:
    assert permissions.check_kms_keys([KEY], "aws") == (KEY,)
    for arn, message in (
        ("arn:aws:kms:us-west-2:123456789012:alias/data", "is not an ARN of the form"),
        ("alias/data", "is not an ARN of the form"),
        ("arn:aws:kms:us-west-2:123456789012:key/*", "is not an ARN of the form"),
        (KEY.replace("arn:aws:", "arn:aws-us-gov:"), "lies in partition aws-us-gov"),
    ):
        with pytest.raises(InvalidInput, match=message):
            permissions.check_kms_keys([arn], "aws")
