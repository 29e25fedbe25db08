# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each kind of token may do: the table, and the calls that its rows stand for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.connections import REGION

DENIALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
LAYER = "sha256:" + "0" * 64
MANIFEST = '{"schemaVersion": 2}'


@dataclass(frozen=True)
class Venue:
    """A venue as the calls see it: its names, and those of another venue in the same account."""

    account: str
    bucket: str
    repository: str
    role: str
    parameter: str
    other_bucket: str
    other_repository: str


@dataclass(frozen=True)
class Call:
    """A row: one API call with a token's keys.

    :param action: the IAM action that AWS checks.
    :param resource: the ARN it checks it on.
    :param make: makes the call; gets a function that gives clients, the venue, and the token's name.
    :param context: condition keys of the request.
    :param answers: errors that say "allowed, but there is nothing there".
    """

    action: str
    resource: Callable[[Venue], str]
    make: Callable[[Callable[[str], Any], Venue, str], Any]
    context: dict[str, str] = field(default_factory=dict)
    answers: tuple[str, ...] = ()


def _bucket(key: str = "", *, other: bool = False) -> Callable[[Venue], str]:
    return lambda venue: f"arn:aws:s3:::{venue.other_bucket if other else venue.bucket}{'/' + key if key else ''}"


def _repository(*, other: bool = False) -> Callable[[Venue], str]:
    return lambda venue: (
        f"arn:aws:ecr:{REGION}:{venue.account}:repository/{venue.other_repository if other else venue.repository}"
    )


def _role(venue: Venue) -> str:
    return f"arn:aws:iam::{venue.account}:role/{venue.role}"


def _parameter(venue: Venue) -> str:
    return f"arn:aws:ssm:{REGION}:{venue.account}:parameter{venue.parameter}"


def _everything(_venue: Venue) -> str:
    return "*"


def _s3(
    action: str, operation: str, key: str = "", *, other: bool = False, answers: tuple[str, ...] = (), **arguments: Any
) -> Call:
    """A call on a bucket, or on an object in it."""
    named = {"Key": key} if key else {}
    known = {"Prefix": "s3:prefix", "Delimiter": "s3:delimiter"}
    context = {key: arguments[argument] for argument, key in known.items() if argument in arguments}
    return Call(
        f"s3:{action}",
        _bucket(key, other=other),
        lambda client, venue, token: getattr(client("s3"), operation)(
            Bucket=venue.other_bucket if other else venue.bucket, **named, **arguments
        ),
        context,
        answers,
    )


def _ecr(action: str, operation: str, *, other: bool = False, **arguments: Any) -> Call:
    """A call on a repository. ECR looks for image, layer or upload only after it has allowed the call."""
    found_nothing = (
        "LayersNotFoundException",
        "ImageNotFoundException",
        "UploadNotFoundException",
        "InvalidLayerException",
        "LayerAlreadyExistsException",
    )
    found_nothing += (
        "LayerInaccessibleException",
        "InvalidLayerPartException",
        "EmptyUploadException",
        "ImageAlreadyExistsException",
    )
    return Call(
        f"ecr:{action}",
        _repository(other=other),
        lambda client, venue, token: getattr(client("ecr"), operation)(
            repositoryName=venue.other_repository if other else venue.repository, **arguments
        ),
        answers=found_nothing,
    )


def _create_repository(client: Callable[[str], Any], venue: Venue, token: str) -> Any:
    return client("ecr").create_repository(repositoryName=f"{venue.repository}-{token}")


def _upload_in_parts(client: Callable[[str], Any], venue: Venue, token: str) -> Any:
    s3, where = client("s3"), {"Bucket": venue.bucket, "Key": f"incoming/jdoe/{token}.big"}
    upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"part")
    listed = s3.list_parts(**upload)["Parts"]
    assert [one["PartNumber"] for one in listed] == [1]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})


def _abort_upload(client: Callable[[str], Any], venue: Venue, token: str) -> Any:
    s3, where = client("s3"), {"Bucket": venue.bucket, "Key": f"incoming/jdoe/{token}.aborted"}
    return s3.abort_multipart_upload(**where, UploadId=s3.create_multipart_upload(**where)["UploadId"])


CALLS: dict[str, Call] = {
    "list the bucket": _s3("ListBucket", "list_objects_v2"),
    "list incoming/jdoe/": _s3("ListBucket", "list_objects_v2", Prefix="incoming/jdoe/"),
    "list incoming/jdoe, no slash": _s3("ListBucket", "list_objects_v2", Prefix="incoming/jdoe", Delimiter="/"),
    "list private/": _s3("ListBucket", "list_objects_v2", Prefix="private/"),
    "list uploads in parts": _s3("ListBucketMultipartUploads", "list_multipart_uploads"),
    "ask the bucket's region": _s3("GetBucketLocation", "get_bucket_location"),
    "get incoming/jdoe/a.dat": _s3("GetObject", "get_object", "incoming/jdoe/a.dat"),
    "get private/b.dat": _s3("GetObject", "get_object", "private/b.dat"),
    "get incoming/jdoes/c.dat": _s3("GetObject", "get_object", "incoming/jdoes/c.dat"),
    "get an object's tags": _s3("GetObjectTagging", "get_object_tagging", "incoming/jdoe/a.dat"),
    "tag an object": _s3("PutObjectTagging", "put_object_tagging", "incoming/jdoe/a.dat", Tagging={"TagSet": []}),
    "put incoming/jdoe/n.dat": _s3("PutObject", "put_object", "incoming/jdoe/n.dat", Body=b"new"),
    "put private/n.dat": _s3("PutObject", "put_object", "private/n.dat", Body=b"new"),
    "write a receipt": _s3("PutObject", "put_object", "mdps-venue-sts/r.json", Body=b"new"),
    "upload in parts": Call("s3:PutObject", _bucket("incoming/jdoe/big"), _upload_in_parts),
    "abort an upload": Call("s3:AbortMultipartUpload", _bucket("incoming/jdoe/big"), _abort_upload),
    "delete incoming/jdoe/a.old": _s3("DeleteObject", "delete_object", "incoming/jdoe/a.old"),
    "delete private/b.old": _s3("DeleteObject", "delete_object", "private/b.old"),
    "make an object public": _s3("PutObjectAcl", "put_object_acl", "incoming/jdoe/a.dat", ACL="public-read"),
    "read the bucket's policy": _s3("GetBucketPolicy", "get_bucket_policy", answers=("NoSuchBucketPolicy",)),
    "delete the bucket": _s3("DeleteBucket", "delete_bucket"),
    "list the other venue's bucket": _s3("ListBucket", "list_objects_v2", other=True),
    "get from the other venue": _s3("GetObject", "get_object", "incoming/jdoe/a.dat", other=True),
    "put to the other venue": _s3("PutObject", "put_object", "incoming/jdoe/n.dat", other=True, Body=b"new"),
    "list all buckets": Call(
        "s3:ListAllMyBuckets", _everything, lambda client, venue, token: client("s3").list_buckets()
    ),
    "log in to the registry": Call(
        "ecr:GetAuthorizationToken", _everything, lambda client, venue, token: client("ecr").get_authorization_token()
    ),
    "create a repository": Call("ecr:CreateRepository", _repository(), _create_repository),
    "create another's repository": _ecr("CreateRepository", "create_repository", other=True),
    "describe a repository": Call(
        "ecr:DescribeRepositories",
        _repository(),
        lambda client, venue, token: client("ecr").describe_repositories(repositoryNames=[venue.repository]),
    ),
    # Without names the call is about every repository, another venue's among them.
    "describe all repositories": Call(
        "ecr:DescribeRepositories",
        _repository(other=True),
        lambda client, venue, token: client("ecr").describe_repositories(),
    ),
    "list images": _ecr("ListImages", "list_images"),
    "describe images": _ecr("DescribeImages", "describe_images"),
    "pull: check layers": _ecr("BatchCheckLayerAvailability", "batch_check_layer_availability", layerDigests=[LAYER]),
    "pull: layer's URL": _ecr("GetDownloadUrlForLayer", "get_download_url_for_layer", layerDigest=LAYER),
    "pull: image": _ecr("BatchGetImage", "batch_get_image", imageIds=[{"imageTag": "v1"}]),
    "pull: another's image": _ecr("BatchGetImage", "batch_get_image", other=True, imageIds=[{"imageTag": "v1"}]),
    "push: begin a layer": _ecr("InitiateLayerUpload", "initiate_layer_upload"),
    "push: part of a layer": _ecr(
        "UploadLayerPart", "upload_layer_part", uploadId="u", partFirstByte=0, partLastByte=3, layerPartBlob=b"part"
    ),
    "push: end a layer": _ecr("CompleteLayerUpload", "complete_layer_upload", uploadId="u", layerDigests=[LAYER]),
    "push: image": _ecr("PutImage", "put_image", imageManifest=MANIFEST, imageTag="v2"),
    "push: another's layer": _ecr("InitiateLayerUpload", "initiate_layer_upload", other=True),
    "push: another's image": _ecr("PutImage", "put_image", other=True, imageManifest=MANIFEST, imageTag="v2"),
    "delete an image": _ecr("BatchDeleteImage", "batch_delete_image", imageIds=[{"imageTag": "none"}]),
    "delete a repository": _ecr("DeleteRepository", "delete_repository", force=True),
    "open a repository to all": _ecr(
        "SetRepositoryPolicy", "set_repository_policy", policyText='{"Version": "2012-10-17", "Statement": []}'
    ),
    "read its own role": Call(
        "iam:GetRole", _role, lambda client, venue, token: client("iam").get_role(RoleName=venue.role)
    ),
    "widen its own role": Call(
        "iam:PutRolePolicy",
        _role,
        lambda client, venue, token: client("iam").put_role_policy(
            RoleName=venue.role, PolicyName="more", PolicyDocument='{"Statement": []}'
        ),
    ),
    "drop its boundary": Call(
        "iam:DeleteRolePermissionsBoundary",
        _role,
        lambda client, venue, token: client("iam").delete_role_permissions_boundary(RoleName=venue.role),
    ),
    "create a user": Call(
        "iam:CreateUser",
        lambda venue: f"arn:aws:iam::{venue.account}:user/x",
        lambda client, venue, token: client("iam").create_user(UserName="x"),
    ),
    "read the external ID": Call(
        "ssm:GetParameter", _parameter, lambda client, venue, token: client("ssm").get_parameter(Name=venue.parameter)
    ),
    "change the external ID": Call(
        "ssm:PutParameter",
        _parameter,
        lambda client, venue, token: client("ssm").put_parameter(
            Name=venue.parameter, Value="mine", Type="String", Overwrite=True
        ),
    ),
    "list machines": Call(
        "ec2:DescribeInstances", _everything, lambda client, venue, token: client("ec2").describe_instances()
    ),
    "list functions": Call(
        "lambda:ListFunctions", _everything, lambda client, venue, token: client("lambda").list_functions()
    ),
    "say who it is": Call(
        "sts:GetCallerIdentity", _everything, lambda client, venue, token: client("sts").get_caller_identity()
    ),
}

# full: the whole role. read ... push: one word of access each. folder: bucket_prefixes [incoming/jdoe]. own: a session
# policy manually
# that asks for more than the role has. arns: a managed policy. bounded: a boundary without ECR. emit: a venue with two
# folders
# (incoming, products), delete and patterns of its own. A = allowed, - = refused, a = allowed by AWS and by the policy
# oracle, but
# refused by the emulator, for the reason that docs/enforcement.md gives.
TABLE = """
                               full read write create pull push folder own arns bounded emit
list the bucket                 A    A    A     -      -    -    -      -   -    A       -
list incoming/jdoe/             A    A    A     -      -    -    A      -   -    A       A
list incoming/jdoe, no slash    A    A    A     -      -    -    A      -   -    A       A
list private/                   A    A    A     -      -    -    -      -   -    A       -
list uploads in parts           A    A    A     -      -    -    -      -   -    A       -
ask the bucket's region         A    A    A     -      -    -    A      -   -    A       A
get incoming/jdoe/a.dat         A    A    -     -      -    -    A      A   A    A       A
get private/b.dat               A    A    -     -      -    -    -      -   A    A       -
get incoming/jdoes/c.dat        A    A    -     -      -    -    -      A   A    A       A
get an object's tags            A    A    -     -      -    -    A      -   -    A       A
tag an object                   A    -    A     -      -    -    A      -   -    A       A
put incoming/jdoe/n.dat         A    -    A     -      -    -    A      -   -    A       A
put private/n.dat               A    -    A     -      -    -    -      -   -    A       -
write a receipt                 -    -    -     -      -    -    -      -   -    -       -
upload in parts                 A    -    A     -      -    -    A      -   -    A       A
abort an upload                 A    -    A     -      -    -    A      -   -    A       A
delete incoming/jdoe/a.old      -    -    -     -      -    -    -      -   -    -       A
delete private/b.old            -    -    -     -      -    -    -      -   -    -       -
make an object public           -    -    -     -      -    -    -      -   -    -       -
read the bucket's policy        -    -    -     -      -    -    -      -   -    -       -
delete the bucket               -    -    -     -      -    -    -      -   -    -       -
list the other venue's bucket   -    -    -     -      -    -    -      -   -    -       -
get from the other venue        -    -    -     -      -    -    -      -   -    -       -
put to the other venue          -    -    -     -      -    -    -      -   -    -       -
list all buckets                -    -    -     -      -    -    -      -   -    -       -
log in to the registry          A    -    -     -      A    A    A      A   -    -       A
create a repository             A    -    -     A      -    -    A      A   -    -       A
create another's repository     -    -    -     -      -    -    -      -   -    -       -
describe a repository           a    -    -     a      a    a    a      a   -    -       a
describe all repositories       -    -    -     -      -    -    -      -   -    -       -
list images                     A    -    -     -      A    A    A      A   -    -       A
describe images                 A    -    -     -      A    A    A      A   -    -       A
pull: check layers              A    -    -     -      A    A    A      A   -    -       A
pull: layer's URL               A    -    -     -      A    A    A      A   -    -       A
pull: image                     A    -    -     -      A    A    A      A   -    -       A
pull: another's image           -    -    -     -      -    -    -      -   -    -       -
push: begin a layer             A    -    -     -      -    A    A      A   -    -       A
push: part of a layer           A    -    -     -      -    A    A      A   -    -       A
push: end a layer               A    -    -     -      -    A    A      A   -    -       A
push: image                     A    -    -     -      -    A    A      A   -    -       A
push: another's layer           -    -    -     -      -    -    -      -   -    -       -
push: another's image           -    -    -     -      -    -    -      -   -    -       -
delete an image                 -    -    -     -      -    -    -      -   -    -       -
delete a repository             -    -    -     -      -    -    -      -   -    -       -
open a repository to all        -    -    -     -      -    -    -      -   -    -       -
read its own role               -    -    -     -      -    -    -      -   -    -       -
widen its own role              -    -    -     -      -    -    -      -   -    -       -
drop its boundary               -    -    -     -      -    -    -      -   -    -       -
create a user                   -    -    -     -      -    -    -      -   -    -       -
read the external ID            -    -    -     -      -    -    -      -   -    -       -
change the external ID          -    -    -     -      -    -    -      -   -    -       -
list machines                   -    -    -     -      -    -    -      -   -    -       -
list functions                  -    -    -     -      -    -    -      -   -    -       -
say who it is                   A    A    A     A      A    A    A      A   A    A       A
"""


def expected(allowed: str) -> dict[tuple[str, str], bool]:
    """(call, token) -> allowed, from the table.

    :param allowed: the letters that count as allowed: ``A`` for the emulator, ``Aa`` for the oracle.
    """
    head, *lines = [line for line in TABLE.splitlines() if line.strip()]
    tokens = head.split()
    cells = {}
    for line in lines:
        call, answers = line[:31].strip(), line[31:].split()
        assert len(answers) == len(tokens), line
        cells.update({(call, token): answer in allowed for token, answer in zip(tokens, answers, strict=True)})
    assert list(dict.fromkeys(call for call, _token in cells)) == list(CALLS)
    return cells


def printed(cells: dict[tuple[str, str], bool]) -> str:
    """A table like the one above from what was observed."""
    tokens = list(dict.fromkeys(token for _call, token in cells))
    lines = [" " * 31 + " ".join(tokens)]
    for call in CALLS:
        lines.append(f"{call:31} " + " ".join(f"{'A' if cells[call, token] else '-':{len(token)}}" for token in tokens))
    return "\n".join(line.rstrip() for line in lines)
