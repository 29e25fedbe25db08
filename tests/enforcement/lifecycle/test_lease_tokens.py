# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tokens of leases reach below the reserved prefix, on an emulator that enforces policies.

Their own user's renewal, and nothing else; and no token writes or deletes anything there.
"""

from __future__ import annotations

import json
import pathlib
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _issuing as issuing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _leasing as leasing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _renewing as renewing,
)
from botocore.exceptions import ClientError

from tests.support import people
from tests.support.ministack import HOME, Ministack
from tests.support.operations import perform

pytestmark = pytest.mark.skipif(
    not HOME.exists(), reason="ministack is not installed: python3 tools/environment.py ministack"
)
VENUE = {"project": "sbg", "venue": "dev"}
BUCKET, FOLDER = "sbg-dev-unity-data", "mdps-venue-sts/renewals/sbg/dev"
NARROWED: dict[str, dict[str, Any]] = {
    "whole": {},
    "reads": {"access": ["s3_read"]},
    "bucket": {"access": ["s3_read", "s3_write"], "buckets": [BUCKET]},
    "folder": {"access": ["s3_read", "s3_write"], "bucket_prefixes": ["incoming"]},
    "writes": {"access": ["s3_write"], "bucket_prefixes": ["incoming"]},
    "pulls": {"access": ["ecr_pull"]},
}
KEYS = {user: f"{FOLDER}/{user}/token.zip.age" for user in NARROWED}


@pytest.fixture(scope="module", params=[{}, {"bucket_prefixes": ["incoming", "products"]}], ids=["whole", "folders"])
def clients(
    request: pytest.FixtureRequest, server: Ministack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The S3 client of each user's token, from the bundle in the bucket; and that of a token without a lease."""
    folder = tmp_path_factory.mktemp("office")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        if not server.client("s3").list_buckets()["Buckets"]:
            server.publish(**VENUE)
        made = perform(role.OPERATION, **VENUE, permissions_boundary="none", **request.param)
        assert "failed" not in made, made
        yield tokens(server, folder)
        assert "failed" not in perform(role.OPERATION, **VENUE, state="absent")


def tokens(server: Ministack, folder: pathlib.Path) -> dict[str, Any]:
    persons = {user: people.age_person(folder, user) for user in NARROWED}
    common = {
        **VENUE,
        "leases_file": f"{folder}/leases.jsonl",
        "handoff": {"public_keys": {user: one.public for user, one in persons.items()}},
    }
    for user, request in NARROWED.items():
        one = perform(leasing.OPERATION, **common, user=user, days=1, reason="a test", approver="admin", **request)
        assert "failed" not in one, one
    renewed = perform(renewing.OPERATION, **common, receipts_file=f"{folder}/receipts.jsonl")
    assert {row["result"] for row in renewed.get("leases", [])} == {"renewed"}, renewed
    found = {}
    for user, person in persons.items():
        sealed = server.client("s3").get_object(Bucket=BUCKET, Key=KEYS[user])["Body"].read().decode()
        with zipfile.ZipFile(BytesIO(person.open(sealed))) as archive:
            texts = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".json")]
        keys = next(json.loads(text)["Credentials"] for text in texts if "Credentials" in text)
        found[user] = s3_client(server, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    plain = perform(issuing.OPERATION, **VENUE, user="jdoe", receipts_file=f"{folder}/receipts.jsonl")["sts_creds"]
    found["no lease"] = s3_client(server, plain["access_key"], plain["secret_key"], plain["session_token"])
    for user in NARROWED:
        assert perform(leasing.OPERATION, **common, user=user, state="absent")["changed"]
    return found


def s3_client(server: Ministack, access_key: str, secret_key: str, session_token: str) -> Any:
    return server.client(
        "s3", aws_access_key_id=access_key, aws_secret_access_key=secret_key, aws_session_token=session_token
    )


def refused(operation: Any, **arguments: Any) -> bool:
    try:
        operation(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "403"), error
        return True
    return False


@pytest.mark.parametrize("user", NARROWED)
def test_a_token_of_a_lease_reads_its_own_renewal_and_nobody_elses(clients: dict[str, Any], user: str) -> None:
    read = {other: not refused(clients[user].get_object, Bucket=BUCKET, Key=key) for other, key in KEYS.items()}
    assert read == {other: other == user for other in KEYS}


WRITES = {
    "put_object": {"Body": b"forged"},
    "delete_object": {},
    "put_object_tagging": {"Tagging": {"TagSet": []}},
    "put_object_acl": {"ACL": "public-read"},
    "create_multipart_upload": {},
    "copy_object": {"CopySource": f"{BUCKET}/incoming/forged"},
    "restore_object": {"RestoreRequest": {"Days": 1}},
}


@pytest.mark.parametrize("user", [*NARROWED, "no lease"])
def test_no_token_writes_or_deletes_below_the_prefix(clients: dict[str, Any], server: Ministack, user: str) -> None:
    server.client("s3").put_object(Bucket=BUCKET, Key="incoming/forged", Body=b"forged")
    before = server.client("s3").get_object(Bucket=BUCKET, Key=KEYS["whole"])["ETag"]
    new = f"{FOLDER}/{user}/another"
    done = [
        (call, key)
        for call, more in WRITES.items()
        for key in (*KEYS.values(), new, "mdps-venue-sts/receipts/forged")
        if not refused(getattr(clients[user], call), Bucket=BUCKET, Key=key, **more)
    ]
    assert done == []
    assert server.client("s3").get_object(Bucket=BUCKET, Key=KEYS["whole"])["ETag"] == before


def test_the_tokens_do_what_they_are_for(clients: dict[str, Any]) -> None:
    assert not refused(clients["whole"].put_object, Bucket=BUCKET, Key="incoming/a", Body=b"data")
    for user in ("whole", "reads", "bucket", "folder"):
        assert not refused(clients[user].get_object, Bucket=BUCKET, Key="incoming/a"), user
    for user in ("writes", "pulls"):
        assert refused(clients[user].get_object, Bucket=BUCKET, Key="incoming/a"), user
