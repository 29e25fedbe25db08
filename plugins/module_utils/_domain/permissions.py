# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a venue's token may do, as IAM policies: the role's own, and the session policy that narrows one token.

Actions and resource types: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .access import ACCESS
from .arns import dns_suffix, parse_arn
from .policies import document

_S3_READ = ["s3:GetObject"]
_S3_WRITE = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_ECR_CREATE = ["ecr:CreateRepository", "ecr:DescribeRepositories"]
_ECR_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
_ECR_PUSH = [*_ECR_PULL, "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"]


class Grant(NamedTuple):
    """What is granted, where.

    :param buckets: bucket names; ``*`` stands for "whichever the role allows", in a session policy only.
    :param bucket_prefixes: folders of those buckets; none means the whole bucket.
    :param repositories: ECR repository patterns, likewise.
    :param kms_keys: ARNs of the keys that encrypt the buckets; ``*`` likewise.
    :param access: of ``ACCESS``.
    :param delete: objects may be deleted.
    """

    buckets: Sequence[str]
    repositories: Sequence[str]
    bucket_prefixes: Sequence[str] = ()
    kms_keys: Sequence[str] = ()
    access: Sequence[str] = ACCESS
    delete: bool = False


class Place(NamedTuple):
    """Where resources are: the parts of an ARN that their names do not tell."""

    partition: str
    region: str
    account_id: str


def policy(grant: Grant, place: Place) -> dict[str, Any]:
    """The policy document that grants exactly this."""
    return document([*_s3(grant, place), *_kms(grant, place), *_ecr(grant, place)])


def _s3(grant: Grant, place: Place) -> Iterable[dict[str, Any]]:
    wanted = set(grant.access)
    if not wanted & {"s3_read", "s3_write"}:
        return
    buckets = [f"arn:{place.partition}:s3:::{bucket}" for bucket in grant.buckets]
    folders = [prefix.rstrip("/") + "/*" for prefix in grant.bucket_prefixes]
    on_bucket = ["s3:GetBucketLocation"]
    if folders:
        # ListBucketMultipartUploads knows no s3:prefix condition and would show keys of other folders: left out.
        condition = {"StringLike": {"s3:prefix": folders}}
        yield {
            "Sid": "ListVenueFolders",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": buckets,
            "Condition": condition,
        }
    else:
        on_bucket += ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    yield {"Sid": "ListVenueBuckets", "Effect": "Allow", "Action": on_bucket, "Resource": buckets}
    actions = [*(_S3_READ if "s3_read" in wanted else []), *(_S3_WRITE if "s3_write" in wanted else [])]
    if grant.delete and "s3_write" in wanted:
        actions.append("s3:DeleteObject")
    objects = [f"{bucket}/{folder}" for bucket in buckets for folder in (folders or ["*"])]
    yield {"Sid": "UseVenueObjects", "Effect": "Allow", "Action": actions, "Resource": objects}


def _kms(grant: Grant, place: Place) -> Iterable[dict[str, Any]]:
    wanted = set(grant.access)
    if not grant.kms_keys or not wanted & {"s3_read", "s3_write"}:
        return
    # A multipart upload reads its own parts back, so writing needs Decrypt too:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuAndPermissions.html
    actions = ["kms:Decrypt", *(["kms:GenerateDataKey"] if "s3_write" in wanted else [])]
    only_s3 = {"StringEquals": {"kms:ViaService": f"s3.{place.region}.{dns_suffix(place.partition)}"}}
    yield {
        "Sid": "UseVenueKeys",
        "Effect": "Allow",
        "Action": actions,
        "Resource": list(grant.kms_keys),
        "Condition": only_s3,
    }


def _ecr(grant: Grant, place: Place) -> Iterable[dict[str, Any]]:
    wanted = set(grant.access)
    repositories = [
        f"arn:{place.partition}:ecr:{place.region}:{place.account_id}:repository/{pattern}"
        for pattern in grant.repositories
    ]
    if wanted & {"ecr_pull", "ecr_push"}:
        # Has no resource to name; what the login may then do is decided by the statements below.
        yield {"Sid": "LogInToRegistry", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": "*"}
    actions = [*(_ECR_CREATE if "ecr_create" in wanted else [])]
    if "ecr_push" in wanted:
        actions += _ECR_PUSH
    elif "ecr_pull" in wanted:
        actions += _ECR_PULL
    if actions:
        yield {"Sid": "UseVenueRepositories", "Effect": "Allow", "Action": actions, "Resource": repositories}


def check_kms_keys(arns: Sequence[str], partition: str) -> tuple[str, ...]:
    """ARNs of KMS keys. An alias will not do: IAM does not match keys by their alias' ARN.

    :raises InvalidInput: not the ARN of a key in this partition.
    """
    return tuple(
        str(
            parse_arn(
                "kms_key_arns", arn, service="kms", resource="key/[A-Za-z0-9-]+", example="key/ID", partition=partition
            )
        )
        for arn in arns
    )
