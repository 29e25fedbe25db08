# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The least that Python can do the job in: boto3 clients, threads, no checks.

concurrent_boto3.py create|no_change|info|issue|seal INVENTORY USER DEST SEALED KEY RECEIPTS
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import secrets
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import boto3
import botocore.config
import pyrage

PARALLEL_VENUES = 10
PARALLEL_READS = 4


class Job:
    """One step, for any venue."""

    def __init__(self, user: str, dest: str, sealed: str, key: str, receipts: str) -> None:
        # One session: its clients share the API descriptions.
        session = boto3.session.Session()
        config = botocore.config.Config(max_pool_connections=PARALLEL_VENUES * PARALLEL_READS)
        self.iam, self.ssm, self.sts = (session.client(service, config=config) for service in ("iam", "ssm", "sts"))
        self.reads = concurrent.futures.ThreadPoolExecutor(PARALLEL_VENUES * PARALLEL_READS)
        self.user, self.dest, self.sealed, self.receipts = user, dest, sealed, receipts
        self.key = pyrage.x25519.Recipient.from_str(pathlib.Path(key).read_text().strip())

    def _read(self, project: str, venue: str, *more: Any) -> list[Any]:
        names = [
            f"/unity/{project}/{venue}/cs/sts/role/external-id",
            f"/unity/{project}/{venue}/ds/datastore-bucket",
            "/unity/cs/account/privilegedpolicyname",
        ]
        reads = [self.sts.get_caller_identity, lambda: self.ssm.get_parameters(Names=names), *more]
        return [one.result() for one in [self.reads.submit(read) for read in reads]]

    def create(self, project: str, venue: str) -> None:
        """Parameter and role side by side, then the policy."""
        caller, parameters = self._read(project, venue)
        values = {one["Name"].rsplit("/", 1)[1]: one["Value"] for one in parameters["Parameters"]}
        account, role, external_id = caller["Account"], f"unity-{project}-{venue}-sts", secrets.token_hex(20)
        name = f"/unity/{project}/{venue}/cs/sts/role/external-id"
        written = self.reads.submit(lambda: self.ssm.put_parameter(Name=name, Value=external_id, Type="String"))
        self.iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=json.dumps(trust(account, external_id)),
            PermissionsBoundary=f"arn:aws:iam::{account}:policy/{values['privilegedpolicyname']}",
            Tags=[{"Key": "Proj", "Value": project}, {"Key": "Venue", "Value": venue}],
        )
        policy = permissions(account, project, values["datastore-bucket"])
        self.iam.put_role_policy(RoleName=role, PolicyName="venue-access", PolicyDocument=json.dumps(policy))
        written.result()

    def no_change(self, project: str, venue: str) -> None:
        """All reads at once, and a comparison."""
        role = f"unity-{project}-{venue}-sts"
        caller, parameters, found, policy = self._read(
            project,
            venue,
            lambda: self.iam.get_role(RoleName=role)["Role"],
            lambda: self.iam.get_role_policy(RoleName=role, PolicyName="venue-access")["PolicyDocument"],
        )
        values = {one["Name"].rsplit("/", 1)[1]: one["Value"] for one in parameters["Parameters"]}
        if found["AssumeRolePolicyDocument"] != trust(caller["Account"], values["external-id"]):
            raise SystemExit(f"{role}: the trust policy differs")
        if policy != permissions(caller["Account"], project, values["datastore-bucket"]):
            raise SystemExit(f"{role}: the permissions differ")

    def _issue(self, project: str, venue: str) -> dict[str, Any]:
        """Read the external ID and assume the role."""
        name = f"/unity/{project}/{venue}/cs/sts/role/external-id"
        external_id = self.ssm.get_parameter(Name=name)["Parameter"]["Value"]
        role = f"arn:aws:iam::123456789012:role/unity-{project}-{venue}-sts"
        name = f"{self.user}-{time.time():.0f}"
        return dict(self.sts.assume_role(RoleArn=role, RoleSessionName=name, ExternalId=external_id))

    def issue(self, project: str, venue: str) -> None:
        """Issue a token and write it."""
        token = json.dumps(self._issue(project, venue), default=str)
        write(f"{self.dest}{project}-{venue}.json", os.O_TRUNC, token.encode())

    def seal(self, project: str, venue: str) -> None:
        """Issue a token, seal it, write it and a line about it."""
        token = self._issue(project, venue)
        sealed = pyrage.encrypt(json.dumps(token, default=str).encode(), [self.key])
        write(f"{self.sealed}{project}-{venue}.json.age", os.O_EXCL, sealed)
        receipt = {
            "recipient": self.user,
            "role": token["AssumedRoleUser"]["Arn"],
            "access_key_id": token["Credentials"]["AccessKeyId"],
            "expires_at": token["Credentials"]["Expiration"],
        }
        write(self.receipts, os.O_APPEND, f"{json.dumps(receipt, default=str)}\n".encode())

    def info(self, venues: Iterable[Mapping[str, str]]) -> None:
        """The pages in which ours reads the account's roles, then what SSM has of each venue, ten names a call.

        Nothing is made of any of it.

        Two calls at once, as ours, since SSM answers 40 a second.
        """
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            details = pool.submit(self._pages, "get_account_authorization_details", Filter=["Role"])
            pool.submit(self._pages, "list_roles").result()
        roles = {role["RoleName"] for page in details.result() for role in page["RoleDetailList"]}
        if missing := [one for one in venues if f"unity-{one['project']}-{one['venue']}-sts" not in roles]:
            raise SystemExit(f"no role for {missing}")
        names = [
            f"/unity/{one['project']}/{one['venue']}/{name}"
            for one in venues
            for name in ("cs/sts/role/external-id", "ds/datastore-bucket")
        ]
        parts = [names[start : start + 10] for start in range(0, len(names), 10)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            found = sum(
                len(answer["Parameters"])
                for answer in pool.map(lambda part: self.ssm.get_parameters(Names=part, WithDecryption=True), parts)
            )
        if found != len(names):
            raise SystemExit(f"{found} of {len(names)} parameters")

    def _pages(self, operation: str, **arguments: Any) -> list[Any]:
        return list(self.iam.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": 1000}))


def write(path: str, how: int, data: bytes) -> None:
    """Write a file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "wb") as file:
        file.write(data)


def trust(account: str, external_id: str) -> dict[str, Any]:
    """The trust policy."""
    everyone = {"AWS": f"arn:aws:iam::{account}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": everyone,
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
            },
            {"Effect": "Allow", "Principal": everyone, "Action": ["sts:TagSession", "sts:SetSourceIdentity"]},
        ],
    }


def permissions(account: str, project: str, bucket: str) -> dict[str, Any]:
    """What the role may do."""
    objects = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    pull = ["BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"]
    push = ["InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload", "PutImage"]
    images = [f"ecr:{action}" for action in ("CreateRepository", "DescribeRepositories", *pull, *push)]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
                "Resource": f"arn:aws:s3:::{bucket}",
            },
            {"Effect": "Allow", "Action": objects, "Resource": f"arn:aws:s3:::{bucket}/*"},
            {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": images,
                "Resource": f"arn:aws:ecr:us-west-2:{account}:repository/{project}/*",
            },
        ],
    }


def main() -> None:
    """Run one step for every venue of an inventory."""
    step, inventory, *rest = sys.argv[1:]
    venues = json.loads(pathlib.Path(inventory).read_text())["venues"]["hosts"].values()
    do = getattr(Job(*rest), step)
    if step == "info":
        do(venues)
        return
    with concurrent.futures.ThreadPoolExecutor(PARALLEL_VENUES) as pool:
        for done in [pool.submit(do, one["project"], one["venue"]) for one in venues]:
            done.result()


if __name__ == "__main__":
    main()
