# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The calls that MDPS's own tools and common clients make with a token, in their order, and what is expected of each.

Sources: mdps_ds_lib/lib/aws/aws_s3.py of unity-sds/mdps-ds-lib; unity_app_generator/ecr_helper.py of
unity-sds/unity-app-generator; https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.conftest import ROOT
from tests.support import connections

AWS_CLI = "/usr/bin/aws"  # version 2; what else is called aws on PATH may be version 1
DENIALS = {"AccessDenied", "AccessDeniedException", "403"}
BIG = 9 * 1024 * 1024  # above the 8 MB from which on clients copy and upload in parts
DIGEST = "sha256:" + "0" * 64
NOTHING_THERE = {
    "LayersNotFoundException",
    "ImageNotFoundException",
    "UploadNotFoundException",
    "InvalidLayerException",
    "InvalidLayerPartException",
    "EmptyUploadException",
    "LayerInaccessibleException",
    "ImageAlreadyExistsException",
    "LayerAlreadyExistsException",
}


class Refused(Exception):
    """AWS refused the call."""


@dataclass(frozen=True, eq=False)
class Session:
    """A recipient at work: a token, the venue it is for, and a folder on their machine."""

    name: str
    url: str
    keys: dict[str, str]
    bucket: str
    namespace: str
    kms_key: str
    home: Path
    clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """A boto3 client with the token's keys, made once."""
        if service not in self.clients:
            self.clients[service] = connections.client(service, self.url, self.keys)
        return self.clients[service]

    def environment(self) -> dict[str, str]:
        """The token as environment variables, and nothing else."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": connections.REGION,
            "AWS_DEFAULT_REGION": connections.REGION,
            "AWS_ACCESS_KEY_ID": self.keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": self.keys["SessionToken"],
        }

    def cli(self, *arguments: str) -> str:
        """The output of the AWS CLI.

        :raises Refused: AWS refused one of its calls.
        """
        done = subprocess.run(
            [AWS_CLI, "--endpoint-url", self.url, *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        if any(word in done.stderr for word in ("AccessDenied", "Access Denied", "Forbidden")):
            raise Refused(done.stderr)
        raise AssertionError(f"aws {' '.join(arguments)}: {done.stderr}")

    def object(self, key: str) -> str:
        """The S3 URL of an object in the venue's bucket."""
        return f"s3://{self.bucket}/{key}"

    def file(self, name: str, size: int = 5) -> str:
        """A file on the recipient's machine."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        return str(path)


@dataclass(frozen=True)
class Step:
    """A row of the table: what a tool does, as a function of the session."""

    tool: str
    what: str
    run: Callable[[Session], object]

    def allowed(self, session: Session) -> bool:
        """Whether everything was allowed. Any failure that is no refusal fails the test."""
        try:
            self.run(session)
        except Refused:
            return False
        except S3UploadFailedError as error:
            if "(AccessDenied)" not in str(error):
                raise
            return False
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in DENIALS:
                return False
            if code not in NOTHING_THERE:
                raise
        return True


STEPS: list[Step] = []


def step(tool: str, what: str) -> Callable[[Callable[[Session], object]], Callable[[Session], object]]:
    """Register a function as a row."""

    def register(run: Callable[[Session], object]) -> Callable[[Session], object]:
        STEPS.append(Step(tool, what, run))
        return run

    return register


# mdps-ds-lib: AwsS3


def _ds_upload(session: Session, folder: str) -> None:
    key = f"{folder}/{session.name}.nc"
    s3 = session.client("s3")
    s3.upload_file(session.file("granule.nc"), session.bucket, key, ExtraArgs={"ServerSideEncryption": "AES256"})
    size = {"TagSet": [{"Key": "org_size", "Value": "5"}]}
    s3.put_object_tagging(Bucket=session.bucket, Key=key, Tagging=size)


@step("mdps-ds-lib", "upload, then tag")
def step_01(session: Session) -> None:
    _ds_upload(session, "incoming/l1")


@step("mdps-ds-lib", "upload elsewhere")
def step_02(session: Session) -> None:
    _ds_upload(session, "private")


@step("mdps-ds-lib", "add tags to an object")
def step_03(session: Session) -> None:
    s3, where = session.client("s3"), {"Bucket": session.bucket, "Key": "incoming/a.dat"}
    tags = s3.get_object_tagging(**where)["TagSet"]
    s3.put_object_tagging(**where, Tagging={"TagSet": [*tags, {"Key": "k", "Value": "v"}][:1]})


@step("mdps-ds-lib", "object exists, its size")
def step_04(session: Session) -> None:
    assert session.client("s3").head_object(Bucket=session.bucket, Key="incoming/a.dat")["ContentLength"] == 4


@step("mdps-ds-lib", "download")
def step_05(session: Session) -> None:
    session.client("s3").download_file(session.bucket, "incoming/a.dat", str(session.home / "a.dat"))


@step("mdps-ds-lib", "list a folder")
def step_06(session: Session) -> None:
    pages = session.client("s3").get_paginator("list_objects_v2").paginate(Bucket=session.bucket, Prefix="incoming/")
    assert "incoming/a.dat" in [one["Key"] for page in pages for one in page.get("Contents", [])]


@step("mdps-ds-lib", "list a folder with versions")
def step_07(session: Session) -> None:
    list(session.client("s3").get_paginator("list_object_versions").paginate(Bucket=session.bucket, Prefix="incoming/"))


@step("mdps-ds-lib", "upload bytes, read them")
def step_08(session: Session) -> None:
    s3, where = session.client("s3"), {"Bucket": session.bucket, "Key": f"incoming/{session.name}.txt"}
    s3.put_object(**where, ContentType="binary/octet-stream", Body=b"text", ServerSideEncryption="AES256")
    assert s3.get_object(**where)["Body"].read() == b"text"


# unity-app-generator: ECRHelper


@step("app generator", "create a repository")
def step_09(session: Session) -> None:
    session.client("ecr").create_repository(repositoryName=f"{session.namespace}/{session.name}")


@step("app generator", "create it again, describe it")
def step_10(session: Session) -> None:
    ecr, name = session.client("ecr"), f"{session.namespace}/app"
    try:
        ecr.create_repository(repositoryName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "RepositoryAlreadyExistsException":
            raise
        ecr.describe_repositories(repositoryNames=[name])


@step("app generator", "create in an extra namespace")
def step_11(session: Session) -> None:
    session.client("ecr").create_repository(repositoryName=f"tropess/{session.name}")


@step("app generator", "create below a Git owner")
def step_12(session: Session) -> None:
    session.client("ecr").create_repository(repositoryName=f"jdoe-github/{session.name}")


# docker: what the registry asks for on behalf of push and pull


def _push(session: Session, repository: str) -> None:
    """A multi-architecture image: each architecture's layers and manifest, then the index."""
    ecr, where = session.client("ecr"), {"repositoryName": repository}
    ecr.get_authorization_token()
    for architecture in ("amd64", "arm64"):
        calls: list[tuple[str, dict[str, Any]]] = [
            ("batch_check_layer_availability", {"layerDigests": [DIGEST]}),
            ("initiate_layer_upload", {}),
            (
                "upload_layer_part",
                {"uploadId": "u", "partFirstByte": 0, "partLastByte": 3, "layerPartBlob": b"part"},
            ),
            ("complete_layer_upload", {"uploadId": "u", "layerDigests": [DIGEST]}),
            ("batch_get_image", {"imageIds": [{"imageTag": f"v1-{architecture}"}]}),
            ("put_image", {"imageManifest": _manifest(architecture), "imageTag": f"v1-{architecture}"}),
        ]
        for operation, arguments in calls:
            _ask(getattr(ecr, operation), **where, **arguments)
    _ask(ecr.batch_get_image, **where, imageIds=[{"imageTag": "v1"}])
    _ask(ecr.put_image, **where, imageManifest=_manifest("index"), imageTag="v1")


def _manifest(name: str) -> str:
    return json.dumps({"schemaVersion": 2, "annotations": {"name": name}})


def _ask(call: Callable[..., Any], **arguments: Any) -> None:
    """Make a call of which only the permission matters: the layers do not exist."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NOTHING_THERE:
            raise


@step("docker", "push a multi-arch image")
def step_13(session: Session) -> None:
    _push(session, f"{session.namespace}/app")


@step("docker", "push to another's repository")
def step_14(session: Session) -> None:
    _push(session, "other/app")


@step("docker", "pull a multi-arch image")
def step_15(session: Session) -> None:
    ecr, where = session.client("ecr"), {"repositoryName": f"{session.namespace}/app"}
    ecr.get_authorization_token()
    _ask(ecr.batch_get_image, **where, imageIds=[{"imageTag": "v1"}])
    _ask(ecr.batch_get_image, **where, imageIds=[{"imageDigest": DIGEST}])
    _ask(ecr.get_download_url_for_layer, **where, layerDigest=DIGEST)


@step("docker", "see tags and digests")
def step_16(session: Session) -> None:
    ecr, where = session.client("ecr"), {"repositoryName": f"{session.namespace}/app"}
    ecr.list_images(**where)
    ecr.describe_images(**where)


@step("docker", "see another's tags")
def step_17(session: Session) -> None:
    session.client("ecr").list_images(repositoryName="other/app")


@step("docker", "delete an image")
def step_18(session: Session) -> None:
    where = {"repositoryName": f"{session.namespace}/app"}
    session.client("ecr").batch_delete_image(**where, imageIds=[{"imageTag": "v0"}])


# AWS CLI v2


@step("aws s3", "ls BUCKET")
def step_19(session: Session) -> None:
    session.cli("s3", "ls", f"s3://{session.bucket}")


@step("aws s3", "ls FOLDER/")
def step_20(session: Session) -> None:
    assert "a.dat" in session.cli("s3", "ls", session.object("incoming/"))


@step("aws s3", "ls FOLDER, without slash")
def step_21(session: Session) -> None:
    assert "PRE incoming/" in session.cli("s3", "ls", session.object("incoming"))


@step("aws s3", "ls --recursive FOLDER/")
def step_22(session: Session) -> None:
    assert "incoming/a.dat" in session.cli("s3", "ls", "--recursive", session.object("incoming/"))


@step("aws s3", "ls --recursive FOLDER, without slash")
def step_23(session: Session) -> None:
    session.cli("s3", "ls", "--recursive", session.object("incoming"))


@step("aws s3", "cp a file up and down")
def step_24(session: Session) -> None:
    session.cli("s3", "cp", session.file("up.dat"), session.object(f"incoming/{session.name}.dat"))
    session.cli("s3", "cp", session.object(f"incoming/{session.name}.dat"), str(session.home / "down.dat"))


@step("aws s3", "cp above 8 MB up")
def step_25(session: Session) -> None:
    session.cli("s3", "cp", session.file("big.dat", BIG), session.object(f"incoming/{session.name}.big"))


@step("aws s3", "cp between keys")
def step_26(session: Session) -> None:
    session.cli("s3", "cp", session.object("incoming/a.dat"), session.object(f"incoming/{session.name}.copy"))


@step("aws s3", "cp above 8 MB between keys")
def step_27(session: Session) -> None:
    session.cli("s3", "cp", session.object("incoming/big.dat"), session.object(f"incoming/{session.name}.bigcopy"))


@step("aws s3", "cp tagged, above 8 MB, between keys")
def step_28(session: Session) -> None:
    session.cli("s3", "cp", session.object("incoming/tagged.dat"), session.object(f"incoming/{session.name}.tagged"))


@step("aws s3", "cp --sse aws:kms, the account's key")
def step_29(session: Session) -> None:
    to, key = session.object(f"incoming/{session.name}.kms"), session.kms_key
    session.cli("s3", "cp", session.file("kms.dat"), to, "--sse", "aws:kms", "--sse-kms-key-id", key)


@step("aws s3", "cp to elsewhere")
def step_30(session: Session) -> None:
    session.cli("s3", "cp", session.file("up.dat"), session.object(f"private/{session.name}.dat"))


@step("aws s3", "cp over a receipt")
def step_31(session: Session) -> None:
    session.cli("s3", "cp", session.file("up.dat"), session.object("mdps-venue-sts/receipt.json"))


@step("aws s3", "rm a receipt")
def step_32(session: Session) -> None:
    session.cli("s3", "rm", session.object("mdps-venue-sts/receipt.json"))


@step("aws s3", "sync up and down")
def step_33(session: Session) -> None:
    session.file("tree/one.dat")
    session.file("tree/deep/two.dat")
    session.cli("s3", "sync", str(session.home / "tree"), session.object(f"incoming/{session.name}/"))
    session.cli("s3", "sync", session.object(f"incoming/{session.name}/"), str(session.home / "back"))
    assert (session.home / "back/deep/two.dat").exists()


@step("aws s3", "mv between keys")
def step_34(session: Session) -> None:
    session.cli("s3", "cp", session.file("up.dat"), session.object(f"incoming/{session.name}.old"))
    session.cli(
        "s3", "mv", session.object(f"incoming/{session.name}.old"), session.object(f"incoming/{session.name}.new")
    )


@step("aws s3", "mv up")
def step_35(session: Session) -> None:
    session.cli("s3", "mv", session.file("gone.dat"), session.object(f"incoming/{session.name}.moved"))


@step("aws s3", "rm")
def step_36(session: Session) -> None:
    session.cli("s3", "rm", session.object(f"incoming/{session.name}.dat"))


@step("aws s3", "presign, then GET")
def step_37(session: Session) -> None:
    _get(session.cli("s3", "presign", session.object("incoming/a.dat")).strip())


@step("aws s3", "presign elsewhere, then GET")
def step_38(session: Session) -> None:
    _get(session.cli("s3", "presign", session.object("private/b.dat")).strip())


def _get(url: str) -> None:
    try:
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == b"data"
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 403:
                raise
        raise Refused(url) from None


@step("aws s3api", "head-bucket")
def step_39(session: Session) -> None:
    session.cli("s3api", "head-bucket", "--bucket", session.bucket)


@step("aws s3api", "list-objects-v2, no prefix")
def step_40(session: Session) -> None:
    session.cli("s3api", "list-objects-v2", "--bucket", session.bucket)


@step("aws s3api", "list-multipart-uploads")
def step_41(session: Session) -> None:
    session.cli("s3api", "list-multipart-uploads", "--bucket", session.bucket)


# boto3's transfer manager


@step("boto3 transfer", "upload in parts")
def step_42(session: Session) -> None:
    path, key = session.file("parts.dat", 12 * 1024 * 1024), f"incoming/{session.name}.parts"
    session.client("s3").upload_file(path, session.bucket, key, Config=TransferConfig(multipart_threshold=BIG))


@step("boto3 transfer", "download in ranges")
def step_43(session: Session) -> None:
    to, config = str(session.home / "ranges.dat"), TransferConfig(multipart_threshold=1024, max_concurrency=2)
    session.client("s3").download_file(session.bucket, "incoming/big.dat", to, Config=config)


@step("boto3 transfer", "copy in parts")
def step_44(session: Session) -> None:
    source = {"Bucket": session.bucket, "Key": "incoming/big.dat"}
    config = TransferConfig(multipart_threshold=1024, multipart_chunksize=5 * 1024 * 1024)
    session.client("s3").copy(source, session.bucket, f"incoming/{session.name}.parts2", Config=config)


@step("boto3 transfer", "copy from elsewhere")
def step_45(session: Session) -> None:
    source = {"Bucket": session.bucket, "Key": "private/b.dat"}
    session.client("s3").copy(source, session.bucket, f"incoming/{session.name}.stolen")


# s3fs and zarr, which have a botocore, and so an environment, of their own


@functools.cache
def _clients_home() -> str:
    command = [sys.executable, ROOT / "tools" / "environment.py", "clients"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _s3fs(session: Session, code: str) -> None:
    """Run a few lines in which ``fs``, ``folder`` and ``name`` are set."""
    lines = [
        "import s3fs",
        f"fs = s3fs.S3FileSystem(endpoint_url={session.url!r}, use_listings_cache=False)",
        f"bucket, folder, name = {session.bucket!r}, {session.bucket + '/incoming'!r}, {session.name!r}",
        code,
    ]
    done = subprocess.run(
        [f"{_clients_home()}/bin/python", "-W", "ignore", "-c", "\n".join(lines)],
        env={**os.environ, **session.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    if "PermissionError" in done.stderr:
        raise Refused(done.stderr)
    raise AssertionError(done.stderr)


@step("s3fs", "ls a folder")
def step_46(session: Session) -> None:
    _s3fs(session, "assert f'{folder}/a.dat' in fs.ls(folder)")


@step("s3fs", "ls the bucket")
def step_47(session: Session) -> None:
    _s3fs(session, "fs.ls(bucket)")


@step("s3fs", "find below a folder")
def step_48(session: Session) -> None:
    _s3fs(session, "assert f'{folder}/a.dat' in fs.find(folder)")


@step("s3fs", "write, read, info")
def step_49(session: Session) -> None:
    code = (
        "with fs.open(f'{folder}/{name}.s3fs', 'wb') as to: to.write(b'data')\n"
        "assert fs.cat(f'{folder}/{name}.s3fs') == b'data' and fs.info(f'{folder}/{name}.s3fs')['size'] == 4"
    )
    _s3fs(session, code)


@step("s3fs", "a missing key is FileNotFoundError")
def step_50(session: Session) -> None:
    code = "try: fs.cat(f'{folder}/missing')\nexcept FileNotFoundError: pass\nelse: raise AssertionError('found')"
    _s3fs(session, code)


@step("s3fs", "remove")
def step_51(session: Session) -> None:
    _s3fs(session, "fs.pipe(f'{folder}/{name}.rm', b'x')\nfs.rm(f'{folder}/{name}.rm')")


@step("zarr", "write an array, read it")
def step_52(session: Session) -> None:
    code = (
        "import zarr\n"
        f"options = {{'endpoint_url': {session.url!r}}}\n"
        "url = f's3://{folder}/{name}.zarr'\n"
        "array = zarr.create_array(url, shape=(4,), chunks=(2,), dtype='i4', storage_options=options, fill_value=0)\n"
        "array[:2] = 7\n"
        "assert list(zarr.open_array(url, mode='r', storage_options=options)[:]) == [7, 7, 0, 0]"
    )
    _s3fs(session, code)


# full: everything that a role of project unity has, with the extra namespace tropess/*. folder: the same, narrowed to
# bucket_prefixes [incoming]. delete: a venue with allow_delete and its own project's repositories. A = allowed, - =
# refused, a = allowed by AWS, but refused by the emulator, for the reason that docs/enforcement.md gives.
TABLE = """
                                                     full folder delete
mdps-ds-lib     upload, then tag                     A    A      A
mdps-ds-lib     upload elsewhere                     A    -      A
mdps-ds-lib     add tags to an object                A    A      A
mdps-ds-lib     object exists, its size              A    A      A
mdps-ds-lib     download                             A    A      A
mdps-ds-lib     list a folder                        A    A      A
mdps-ds-lib     list a folder with versions          -    -      -
mdps-ds-lib     upload bytes, read them              A    A      A
app generator   create a repository                  A    A      A
app generator   create it again, describe it         a    a      a
app generator   create in an extra namespace         A    A      -
app generator   create below a Git owner             -    -      -
docker          push a multi-arch image              A    A      A
docker          push to another's repository         -    -      -
docker          pull a multi-arch image              A    A      A
docker          see tags and digests                 A    A      A
docker          see another's tags                   -    -      -
docker          delete an image                      -    -      -
aws s3          ls BUCKET                            A    -      A
aws s3          ls FOLDER/                           A    A      A
aws s3          ls FOLDER, without slash             A    A      A
aws s3          ls --recursive FOLDER/               A    A      A
aws s3          ls --recursive FOLDER, without slash A    -      A
aws s3          cp a file up and down                A    A      A
aws s3          cp above 8 MB up                     A    A      A
aws s3          cp between keys                      A    A      A
aws s3          cp above 8 MB between keys           A    A      A
aws s3          cp tagged, above 8 MB, between keys  A    A      A
aws s3          cp --sse aws:kms, the account's key  A    A      A
aws s3          cp to elsewhere                      A    -      A
aws s3          cp over a receipt                    -    -      -
aws s3          rm a receipt                         -    -      -
aws s3          sync up and down                     A    A      A
aws s3          mv between keys                      -    -      A
aws s3          mv up                                A    A      A
aws s3          rm                                   -    -      A
aws s3          presign, then GET                    A    A      A
aws s3          presign elsewhere, then GET          A    -      A
aws s3api       head-bucket                          A    -      A
aws s3api       list-objects-v2, no prefix           A    -      A
aws s3api       list-multipart-uploads               A    -      A
boto3 transfer  upload in parts                      A    A      A
boto3 transfer  download in ranges                   A    A      A
boto3 transfer  copy in parts                        A    A      A
boto3 transfer  copy from elsewhere                  A    -      A
s3fs            ls a folder                          A    A      A
s3fs            ls the bucket                        A    -      A
s3fs            find below a folder                  A    A      A
s3fs            write, read, info                    A    A      A
s3fs            a missing key is FileNotFoundError   A    A      A
s3fs            remove                               -    -      A
zarr            write an array, read it              A    A      A
"""
COLUMN = 53


def expected() -> dict[tuple[str, str, str], str]:
    """(tool, step, token) -> letter, from the table."""
    head, *lines = [line for line in TABLE.splitlines() if line.strip()]
    cells = {}
    for line, one in zip(lines, STEPS, strict=True):
        assert (line[:16].strip(), line[16:COLUMN].strip()) == (one.tool, one.what), line
        letters = line[COLUMN:].split()
        cells.update({(one.tool, one.what, token): letter for token, letter in zip(head.split(), letters, strict=True)})
    return cells
