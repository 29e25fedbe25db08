# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts file, and the copies a venue keeps."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import stat

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ReceiptNotKept
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import _receipts as receipts
from ansible_collections.mdps.venue_sts.plugins.plugin_utils.receipts import read
from moto import mock_aws


def append_many(file, number):
    for turn in range(50):
        receipts.append(file, {"from": number, "turn": turn, "padding": "x" * 5000})


def test_runs_at_once_do_not_mix_their_lines(tmp_path):
    file = tmp_path / "sub" / "receipts.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(file, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted((line["from"], line["turn"]) for line in lines) == [
        (number, turn) for number in range(3) for turn in range(50)
    ]
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_nobody_else_may_write_meanwhile(tmp_path, monkeypatch):
    file = tmp_path / "receipts.jsonl"
    real, refused = receipts.os.write, []

    def write(handle, data):
        with file.open("a") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                refused.append(True)
        return real(handle, data)

    monkeypatch.setattr(receipts.os, "write", write)
    receipts.append(file, {"n": 1})
    assert refused == [True]
    with file.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # and it is let go


def test_a_line_torn_by_a_crash_swallows_nothing(tmp_path):
    file = tmp_path / "receipts.jsonl"
    receipts.append(file, {"n": 1})
    with file.open("a") as torn:
        torn.write('{"n": 2, "recip')
    receipts.append(file, {"n": 3})
    assert [one["n"] for one in read(file)] == [1, 3]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path, monkeypatch):
    file = tmp_path / "receipts.jsonl"
    receipts.append(file, {"n": 1})
    real, calls = receipts.os.write, []

    def half(handle, data):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(handle, bytes(data[: len(data) // 2]))

    monkeypatch.setattr(receipts.os, "write", half)
    with pytest.raises(ReceiptNotKept, match="No space left"):
        receipts.append(file, {"n": 2})
    assert file.read_text() == '{"n":1}\n'


def test_a_file_that_others_could_read_is_closed(tmp_path):
    file = tmp_path / "receipts.jsonl"
    file.touch(mode=0o644)
    receipts.append(file, {"n": 1})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_is_on_the_disk_before_it_is_said_to_be(tmp_path, monkeypatch):
    order = []
    real = receipts.os.fsync
    monkeypatch.setattr(
        receipts.os,
        "fsync",
        lambda handle: (order.append(stat.S_ISDIR(receipts.os.fstat(handle).st_mode)), real(handle)),
    )
    receipts.append(tmp_path / "receipts.jsonl", {"n": 1})
    assert order == [False, True]


@pytest.fixture
def clients(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "FAKE")
    with mock_aws():
        yield Clients({"region": "us-west-2"})


def test_copies_in_the_venue(desk, someone, monkeypatch, clients):
    s3, ssm = boto3.client("s3", "us-west-2"), boto3.client("ssm", "us-west-2")
    s3.create_bucket(Bucket="venue-records", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    options = {
        "region": "us-west-2",
        "receipts_s3": "s3://venue-records/sts/",
        "receipts_ssm_path": "/unity/sbg/dev/cs/sts/receipts",
    }
    path = desk(recipients=someone.book, **options)["path"]
    desk(token=None, receipt=None, resend=path, **options)
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="venue-records")["Contents"]]
    assert keys == ["sts/sbg/dev/2026-03-15T000507Z_ASIAJEXAMPLEXEG2JICE_2026-03-15T000508Z.json"]
    stored = json.loads(s3.get_object(Bucket="venue-records", Key=keys[0])["Body"].read())
    assert stored == desk.receipts[1]
    parameter = ssm.get_parameter(Name="/unity/sbg/dev/cs/sts/receipts/ASIAJEXAMPLEXEG2JICE")["Parameter"]
    assert (json.loads(parameter["Value"]), parameter["Type"]) == (desk.receipts[1], "String")
    assert len(parameter["Value"]) < 4096


def test_a_store_that_fails_does_not_keep_it_from_the_others(desk, someone, clients):
    options = {"region": "us-west-2", "receipts_s3": "s3://no-such-bucket", "receipts_ssm_path": "/unity/receipts"}
    with pytest.raises(ReceiptNotKept, match="NoSuchBucket") as caught:
        desk(recipients=someone.book, **options)
    assert caught.value.facts["delivered"] and len(desk.receipts) == 1
    assert boto3.client("ssm", "us-west-2").get_parameter(Name="/unity/receipts/ASIAJEXAMPLEXEG2JICE")


@pytest.mark.parametrize(
    ("url", "parts"),
    [("s3://bucket", ("bucket", "")), ("s3://bucket/", ("bucket", "")), ("s3://bucket/a/b/", ("bucket", "a/b"))],
)
def test_s3_addresses(url, parts):
    assert receipts.parse_s3(url) == parts
