# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a venue's token may do, as IAM policies: the role's own, and the session policy that narrows one token.

Actions and resource types: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html and
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from .access import ACCESS, ECR_ACCESS, RENEWALS, RESERVED_PREFIX, S3_ACCESS, Request
from .arns import dns_suffix, parse_arn
from .errors import InvalidInput
from .policies import document

_S3_READ = ("s3:GetObject", "s3:GetObjectTagging")
_S3_WRITE = ("s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_ECR_CREATE = ("ecr:CreateRepository", "ecr:DescribeRepositories")
_ECR_PULL = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
)
_ECR_PUSH = (
    *_ECR_PULL,
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)
ACTIONS = {
    "s3_read": _S3_READ,
    "s3_write": _S3_WRITE,
    "ecr_create": _ECR_CREATE,
    "ecr_pull": _ECR_PULL,
    "ecr_push": _ECR_PUSH,
}
_SSE_C = "s3:x-amz-server-side-encryption-customer-algorithm"
_KMS_KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"


class Grant(NamedTuple):
    """What is granted, where.

    :param buckets: bucket names.
    :param repositories: ECR repository names and patterns.
    :param bucket_prefixes: folders of those buckets; none means the whole bucket.
    :param kms_keys: ARNs of the keys that encrypt the buckets.
    :param access: of ``ACCESS``.
    :param delete: objects may be deleted.
    :param bucket_account: the account that owns the buckets; empty for the role's own.
    """

    buckets: Sequence[str]
    repositories: Sequence[str]
    bucket_prefixes: Sequence[str] = ()
    kms_keys: Sequence[str] = ()
    access: Sequence[str] = ACCESS
    delete: bool = False
    bucket_account: str = ""


class Location(NamedTuple):
    """Where resources are: the parts of an ARN that their names leave out."""

    partition: str
    region: str
    account_id: str


class _Statement(NamedTuple):
    """An Allow statement before it becomes JSON."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    condition: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def policy(grant: Grant, place: Location) -> dict[str, Any]:
    """The role's policy: what the grant says, only in buckets of the right account, and what no token may ever do."""
    owner = {"aws:ResourceAccount": grant.bucket_account or place.account_id}
    allows = [
        _allow(one if one.sid not in _IN_BUCKETS else _with_equals(one, owner))
        for one in (*_statements(grant, place), *_read_renewals(grant, place))
    ]
    return document([*allows, *_denies(grant, place)])


class RenewalFolder(NamedTuple):
    """Where the renewals of one user are in the venue's bucket.

    :param prefix: ends with a slash and is below ``RESERVED_PREFIX``.
    """

    bucket: str
    prefix: str


def session_policy(request: Request, place: Location, renewals: RenewalFolder | None = None) -> dict[str, Any]:
    """The session policy of a request, from the same statements as the role's policy.

    It can only narrow the permissions of the role. So for an option that the request does not set, it has ``*``. It
    omits what the role denies anyway, because STS accepts 2,048 characters.

    :param renewals: what a token of a lease may read, whatever else it is limited to. It reads nobody else's.
    """
    grant = _everything_optional()._replace(
        buckets=request.buckets or ("*",),
        repositories=request.repositories or ("*",),
        bucket_prefixes=request.bucket_prefixes or (),
        access=request.words,
    )
    statements = [_allow(one, name_it=False) for one in _statements(grant, place)]
    if renewals is None:
        return document(statements)
    return document([*_without_renewals(statements, grant, place), *_own_renewals(renewals, request, place)])


def _everything_optional() -> Grant:
    """A grant with every optional permission: a session policy must not take away what an option of the role allows."""
    optional: dict[str, Any] = {name: True for name, default in Grant._field_defaults.items() if default is False}
    return Grant(buckets=("*",), repositories=("*",), kms_keys=("*",), **optional)


def _without_renewals(statements: list[dict[str, Any]], grant: Grant, place: Location) -> Iterator[dict[str, Any]]:
    """The statements of a session without the renewals of others, where they would allow whole buckets.

    A Deny on all renewals would hit the own ones as well. So reading is allowed everywhere else instead.
    """
    for one in statements:
        reads_all = "s3:GetObject" in one["Action"] and not grant.bucket_prefixes
        if not reads_all:
            yield one
            continue
        buckets = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        yield {**one, "Action": [action for action in one["Action"] if action != "s3:GetObject"]}
        everywhere = f"arn:{place.partition}:s3:::*/{RENEWALS}*"
        yield {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": everywhere}
        if grant.buckets != ("*",):
            kept = [*buckets, everywhere]  # what is there is allowed by no other statement but the one on the own
            yield {"Effect": "Deny", "Action": "s3:GetObject", "NotResource": kept}


def _own_renewals(renewals: RenewalFolder, request: Request, place: Location) -> Iterator[dict[str, Any]]:
    own = f"arn:{place.partition}:s3:::{renewals.bucket}/{renewals.prefix}*"
    yield {"Effect": "Allow", "Action": "s3:GetObject", "Resource": own}
    if not request.uses_s3:  # otherwise the statement on the keys of buckets is there already
        yield from (_allow(one, name_it=False) for one in _kms(Grant(("*",), (), kms_keys=("*",)), place, set()))


def _allow(one: _Statement, *, name_it: bool = True) -> dict[str, Any]:
    resources = list(one.resources)
    return {
        **({"Sid": one.sid} if name_it else {}),
        "Effect": "Allow",
        "Action": list(one.actions),
        "Resource": resources if resources != ["*"] else "*",
        **(
            {"Condition": {operator: dict(tests) for operator, tests in one.condition.items()}} if one.condition else {}
        ),
    }


def _with_equals(one: _Statement, tests: Mapping[str, Any]) -> _Statement:
    """The statement with further keys that must be equal."""
    return one._replace(condition={**one.condition, "StringEquals": {**one.condition.get("StringEquals", {}), **tests}})


def _statements(grant: Grant, place: Location) -> Iterator[_Statement]:
    """Every Allow statement, for the role and for sessions alike."""
    words = set(grant.access)
    if words & S3_ACCESS:
        yield from _s3(grant, place, words)
        yield from _kms(grant, place, words)
    if words & ECR_ACCESS:
        yield from _ecr(grant, place, words)


_IN_BUCKETS = ("ListVenueFolders", "ListVenueFolderNames", "ListVenueBuckets", "UseVenueObjects", "ReadRenewals")


def _read_renewals(grant: Grant, place: Location) -> Iterator[_Statement]:
    """What the tokens of leases need where a role with access to buckets does not allow to read all of them.

    The bundles there are sealed.
    """
    if S3_ACCESS.intersection(grant.access) and ("s3_read" not in grant.access or grant.bucket_prefixes):
        renewals = [f"arn:{place.partition}:s3:::{bucket}/{RENEWALS}*" for bucket in grant.buckets]
        yield _Statement("ReadRenewals", ["s3:GetObject"], renewals)


def _s3(grant: Grant, place: Location, words: set[str]) -> Iterator[_Statement]:
    buckets = [f"arn:{place.partition}:s3:::{bucket}" for bucket in grant.buckets]
    prefixes = list(grant.bucket_prefixes)
    folders = [f"{prefix}/*" for prefix in prefixes]
    on_bucket = ["s3:GetBucketLocation"]
    if prefixes:
        # ListBucketMultipartUploads knows no s3:prefix and would show keys of other folders. HeadBucket is authorized
        # as ListBucket without a prefix, which would list the whole bucket. Both are left out.
        yield _Statement("ListVenueFolders", ["s3:ListBucket"], buckets, {"StringLike": {"s3:prefix": folders}})
        # `aws s3 ls s3://bucket/incoming`, without a slash at the end. Without a delimiter, the same request would list
        # the keys of incoming-private/ as well.
        alone = {"s3:prefix": prefixes, "s3:delimiter": "/"}
        yield _Statement("ListVenueFolderNames", ["s3:ListBucket"], buckets, {"StringEquals": alone})
    else:
        on_bucket += ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    yield _Statement("ListVenueBuckets", on_bucket, buckets)
    actions = [action for word in ("s3_read", "s3_write") if word in words for action in ACTIONS[word]]
    if grant.delete and "s3_write" in words:
        actions.append("s3:DeleteObject")
    objects = [f"{bucket}/{folder}" for bucket in buckets for folder in (folders or ["*"])]
    yield _Statement("UseVenueObjects", actions, objects)


def _kms(grant: Grant, place: Location, words: set[str]) -> Iterator[_Statement]:
    if not grant.kms_keys:
        return
    # A multipart upload reads its own parts back, so writing needs Decrypt too:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuAndPermissions.html
    actions = ["kms:Decrypt", *(["kms:GenerateDataKey"] if "s3_write" in words else [])]
    # The bucket that a key encrypts is in the region of the key, which may be another one than that of the venue.
    regions = dict.fromkeys("*" if arn == "*" else arn.split(":")[3] for arn in grant.kms_keys)
    hosts = [f"s3.{region}.{dns_suffix(place.partition)}" for region in regions]
    operator = "StringLike" if "*" in regions else "StringEquals"
    only_s3 = {operator: {"kms:ViaService": hosts if len(hosts) > 1 else hosts[0]}}
    yield _Statement("UseVenueKeys", actions, grant.kms_keys, only_s3)


def _ecr(grant: Grant, place: Location, words: set[str]) -> Iterator[_Statement]:
    if words & {"ecr_pull", "ecr_push"}:
        # Has no resource to name; what the login may then do is decided by the statement below.
        yield _Statement("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"])
    registry = f"arn:{place.partition}:ecr:{place.region}:{place.account_id}:repository/"
    named = (action for word in ACCESS if word in words & ECR_ACCESS for action in ACTIONS[word])
    yield _Statement(
        "UseVenueRepositories", list(dict.fromkeys(named)), [registry + pattern for pattern in grant.repositories]
    )


def _denies(grant: Grant, place: Location) -> Iterator[dict[str, Any]]:
    """What no token may do, whatever else is attached to the role."""
    # Overwriting objects with an encryption key that the venue does not have is a ransomware technique:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    yield _deny(
        "NeverEncryptWithCustomerKeys", {"Action": "s3:PutObject", "Resource": "*"}, {"Null": {_SSE_C: "false"}}
    )
    elsewhere = [arn for arn in grant.kms_keys if f":{place.account_id}:" not in arn]
    known = [f"arn:{place.partition}:kms:*:{place.account_id}:key/*", *elsewhere]
    # A negated test alone would also match every upload that names no key.
    yield _deny(
        "NeverEncryptWithForeignKeys",
        {"Action": "s3:PutObject", "Resource": "*"},
        {"Null": {_KMS_KEY: "false"}, "ArnNotLike": {_KMS_KEY: known}},
    )
    # Keys derived from a token would be in no receipt: https://docs.aws.amazon.com/STS/latest/APIReference/Welcome.html
    yield _deny("NeverDeriveKeys", {"Action": "sts:GetScopedCredentials", "Resource": "*"})
    receipts = f"arn:{place.partition}:s3:::*/{RESERVED_PREFIX}*"
    yield _deny("NeverWriteReceipts", {"NotAction": ["s3:GetObject"], "Resource": receipts})


def _deny(sid: str, what: Mapping[str, Any], condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Deny", **what, **({"Condition": dict(condition)} if condition else {})}


def check_kms_keys(arns: Sequence[str], partition: str) -> tuple[str, ...]:
    """ARNs of KMS keys. An alias is not accepted: IAM does not match keys by their alias' ARN.

    :raises InvalidInput: not the ARN of a key in this partition, with region and account.
    """
    option = "kms_key_arns"
    found = [
        parse_arn(option, arn, service="kms", resource="key/[A-Za-z0-9-]+", example="key/ID", partition=partition)
        for arn in arns
    ]
    incomplete = [str(one) for one in found if not one.region or not one.account_id]
    if incomplete:
        raise InvalidInput(option, f"'{incomplete[0]}' lacks the region or the account of the key.")
    return tuple(map(str, found))
