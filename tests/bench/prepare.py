# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is there before a contender begins: accounts, key directories, leases. Nothing of it is measured."""

from __future__ import annotations

import json
import pathlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pyrage
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import parse_request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.leases import Lease
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue

from tests.bench import plan
from tests.bench.contenders import ACCOUNT, USER, Contender, Job, account_of, venue_name, write_inventory
from tests.bench.field import Field
from tests.bench.many_receipts import write_receipts
from tests.bench.peers.concurrent_boto3 import permissions, trust
from tests.support.people import GpgPerson, card_holder
from tests.support.servers import ANYTHING, REGION

BOUNDARY = "zsmce-tenantOperator-AMI-APIG"
RENEWALS = "mdps-venue-sts/renewals/"


def fresh(field: Field, contender: Contender, venues: int) -> None:
    """Empty accounts in which so many venues publish bucket and boundary, and an empty folder for tokens."""
    field.moto.reset()
    accounts = contender.accounts(venues)
    keys = {account: field.keys(account) for account in (account_of(number, accounts) for number in range(venues))}
    variables = {}
    if accounts:
        field.kion.serve_keys(keys)
        variables = {"broker_iam_role_name": "mcp-tenantOperator", "broker_ca_path": str(field.kion.ca)}
    for of_account in keys.values():
        ssm, iam = (field.moto.client(service, **of_account) for service in ("ssm", "iam"))
        ssm.put_parameter(Name="/unity/cs/account/privilegedpolicyname", Value=BOUNDARY, Type="String")
        iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(ANYTHING))
    for number in range(venues):
        project, venue = venue_name(number)
        ssm = field.moto.client("ssm", **keys[account_of(number, accounts)])
        bucket = f"/unity/{project}/{venue}/ds/datastore-bucket"
        ssm.put_parameter(Name=bucket, Value=bucket_of(number), Type="String")
    write_inventory(field.folder / "inventory.json", venues, accounts, **variables)
    key_directory(field.folder, contender.key_kind)
    job = Job("seal", venues, field.folder, 1)
    for folder in map(pathlib.Path, (job.dest, job.sealed)):
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        for token in folder.iterdir():
            token.unlink()
    for file in (job.receipts, field.folder / ".mdps" / "leases.jsonl"):
        file.unlink(missing_ok=True)


def bucket_of(number: int) -> str:
    """The bucket of the nth venue."""
    return f"{'-'.join(venue_name(number))}-unity-data"


def key_directory(folder: pathlib.Path, kind: str) -> None:
    """A key directory with the user's public key, if there is none yet."""
    job = Job("seal", 1, folder, 1, kind)
    if job.keys.exists():
        return
    job.keys.mkdir(mode=0o700)
    job.key.touch(mode=0o600)
    job.key.write_text({"age": age_key, "OpenPGP": openpgp_key, "S/MIME": certificate}[kind](folder))


def age_key(_folder: pathlib.Path) -> str:
    """A recipient of age's own kind."""
    return f"{pyrage.x25519.Identity.generate().to_public()}\n"


def openpgp_key(_folder: pathlib.Path) -> str:
    """An OpenPGP key, with a subkey for RSA."""
    person = GpgPerson()
    try:
        return person.make().public
    finally:
        person.close()


def certificate(folder: pathlib.Path) -> str:
    """A certificate for RSA."""
    now = datetime.now(UTC)
    return card_holder(folder, start=now - timedelta(days=1), end=now + timedelta(days=2)).public


def for_step(field: Field, job: Job) -> None:
    """What a step needs that no step before it makes."""
    if job.step == "renew":
        approve_leases(field, job)
    if job.step in plan.RECEIPTS[1:] and not job.many_receipts.exists():
        write_receipts(job.many_receipts)


def approve_leases(field: Field, job: Job) -> None:
    """A lease of the user's for each venue, without a token so far: it is due at once."""
    ssm, s3, key = field.moto.client("ssm"), field.moto.client("s3"), job.key.read_text().strip()
    now = datetime.now(UTC)
    for number in range(job.venues):
        venue, bucket = Venue(*venue_name(number)), bucket_of(number)
        lease = Lease.approved(
            unique=secrets.token_hex(4),
            at=now,
            user=USER,
            venue=venue,
            account_id=ACCOUNT,
            request=parse_request({}, venue),
            starts_at=now - timedelta(minutes=1),
            ends_at=now + timedelta(days=3),
            reason="benchmark",
            ticket=None,
            approver="admin",
            key_fingerprints=(key,),
            channel="s3",
            place=f"s3://{bucket}/{RENEWALS}{venue.project}/{venue.venue}/{USER}/token.zip.age",
        )
        name = f"/unity/{venue.project}/{venue.venue}/cs/sts/leases/{USER}"
        ssm.put_parameter(Name=name, Value=lease.to_line(), Type="String")
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


def renewed(field: Field, venues: int, sealed: tuple[bytes, ...]) -> int:
    """How many venues' buckets have a sealed renewal."""
    s3, done = field.moto.client("s3"), 0
    for number in range(venues):
        found = s3.list_objects_v2(Bucket=bucket_of(number), Prefix=RENEWALS).get("Contents", [])
        bodies = [s3.get_object(Bucket=bucket_of(number), Key=one["Key"])["Body"].read() for one in found]
        done += any(body.startswith(sealed) for body in bodies)
    return done


def peers_roles(field: Field, venues: int) -> None:
    """The parameters and roles that the other contenders make, for those whose creation is not measured."""
    ssm, iam = field.moto.client("ssm"), field.moto.client("iam")
    for number in range(venues):
        project, venue = venue_name(number)
        external_id, tags = secrets.token_hex(20), peers_tags(project, venue)
        parameter = f"/unity/{project}/{venue}/cs/sts/role/external-id"
        ssm.put_parameter(Name=parameter, Value=external_id, Type="String", Tags=tags)
        role = f"unity-{project}-{venue}-sts"
        iam.create_role(
            RoleName=role,
            Description=f"Short-term access to the MDPS venue {project}-{venue}.",
            AssumeRolePolicyDocument=json.dumps(trust(ACCOUNT, external_id)),
            PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/{BOUNDARY}",
            MaxSessionDuration=3600,
            Tags=tags,
        )
        policy = json.dumps(permissions(ACCOUNT, project, bucket_of(number)))
        iam.put_role_policy(RoleName=role, PolicyName="venue-access", PolicyDocument=policy)


def peers_tags(project: str, venue: str) -> list[dict[str, Any]]:
    """The tags of a role, as amazon_aws_provision.yml has them."""
    tags = {
        **{"Proj": project, "Venue": venue, "Env": venue, "ServiceArea": "cs", "CreatedBy": "cs", "Capability": "sts"},
        **{"CapVersion": "1.0", "Component": "role", "Stack": "role", "Name": f"{project}-{venue}-cs-sts-role"},
    }
    return [{"Key": name, "Value": value} for name, value in tags.items()]
