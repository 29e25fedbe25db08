# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stores: what a run writes is what a later run reads."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput, ReceiptNotKept
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import LONGEST_LINE, parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._receipt_store import ReceiptStores, read_file
from moto import mock_aws

from tests.support.receipts import NOW, issued, requested

NOWHERE: Any = None  # a store in a file needs no clients
STATES = [requested(), issued(), issued().with_handoff({"delivered": True, "channel": "file"}, NOW)]


def stores(**given: Any) -> ReceiptStores:
    return ReceiptStores.from_options({"receipts_file": None, "receipts_s3": None, "receipts_ssm_path": None, **given})


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield Clients({"region": "us-west-2", "access_key": "testing", "secret_key": "testing"})


def test_a_file_keeps_every_state_and_is_read_as_one_token(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "new" / "receipts.jsonl"
    store = stores(receipts_file=str(file))
    store.check(create=True)
    for receipt in STATES:
        store.record(receipt, NOWHERE)
    assert len(file.read_text().splitlines()) == 3
    assert read_file(str(file)).tokens == [STATES[-1]]
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def write_many(file: str, number: int) -> None:
    for turn in range(30):
        stores(receipts_file=file).record(issued(number=100 * number + turn), NOWHERE)


def test_runs_at_once_do_not_mix_their_lines(tmp_path: pathlib.Path) -> None:
    file = str(tmp_path / "receipts.jsonl")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(file, number)) for number in range(1, 4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    log = read_file(file)
    assert (len(log.tokens), log.unreadable) == (90, 0)


def test_a_line_that_a_killed_run_left_half_written_swallows_nothing(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "receipts.jsonl"
    store = stores(receipts_file=str(file))
    store.record(requested(number=1), NOWHERE)
    with file.open("a") as torn:
        torn.write(requested(number=2).to_line()[:100])
    store.record(requested(number=3), NOWHERE)
    assert read_file(str(file)) == ([requested(number=1), requested(number=3)], 1)


def test_a_file_that_cannot_be_written_is_found_before_a_token_is_issued(tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name, create in itertools.product(("folder", "fifo", "x" * 300), (True, False)):
        with pytest.raises(InvalidInput, match="receipts_file"):
            stores(receipts_file=str(tmp_path / name)).check(create=create)


def test_what_cannot_be_read_is_said_and_the_default_file_need_not_exist(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("missing", "fifo", "nul\0", "x" * 300, "."):
        with pytest.raises(InvalidInput, match="receipts_file"):
            read_file(str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_file(None) == ([], 0)
    stores(receipts_file="~/.mdps/receipts.jsonl").record(issued(), NOWHERE)
    assert read_file(None).tokens == [issued()]


def test_a_line_without_end_is_skipped_without_filling_the_memory(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "receipts.jsonl"
    with file.open("wb") as stream:
        stream.truncate(200_000_000)
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + issued().to_line().encode() + b"\n")
    assert read_file(str(file)) == ([issued()], 1)


def test_a_bucket_gets_an_object_for_each_state(clients: Clients) -> None:
    boto3.client("s3", region_name="us-west-2").create_bucket(
        Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    for receipt in STATES:
        stores(receipts_s3="s3://records/sts/").record(receipt, clients)
    keys = [one["Key"] for one in clients.client("s3").list_objects_v2(Bucket="records")["Contents"]]
    folder = "sts/sbg/dev/r-20261122T093015Z-00000001/20261122T093015Z"
    assert keys == [f"{folder}-{state}.json" for state in ("delivered", "issued", "requested")]
    body = clients.client("s3").get_object(Bucket="records", Key=keys[0])["Body"].read()
    assert parse_receipt("receipt", json.loads(body)) == STATES[-1]


def test_a_parameter_holds_the_latest_state(clients: Clients) -> None:
    for receipt in STATES:
        stores(receipts_ssm_path="/unity/sbg/dev/cs/sts/receipts/").record(receipt, clients)
    name = "/unity/sbg/dev/cs/sts/receipts/r-20261122T093015Z-00000001"
    value = clients.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert parse_receipt("receipt", json.loads(value)) == STATES[-1]


def test_one_store_that_fails_does_not_keep_the_receipt_from_the_others(
    tmp_path: pathlib.Path, clients: Clients
) -> None:
    file = tmp_path / "receipts.jsonl"
    with pytest.raises(ReceiptNotKept, match="s3://missing/sbg"):
        stores(receipts_file=str(file), receipts_s3="s3://missing").record(issued(), clients)
    assert read_file(str(file)).tokens == [issued()]
    with pytest.raises(ReceiptNotKept, match="receipts_file"):
        stores(receipts_file=str(tmp_path)).record(issued(), clients)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("receipts_s3", value) for value in ("", "bucket", "s3://", "s3://B", "https://x", "s3://bucket\n")],
        *[("receipts_ssm_path", value) for value in ("", "x", "/", "/a b", "/" + "/a" * 15)],
    ],
)
def test_a_place_that_cannot_exist_is_refused(option: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=option):
        stores(**{option: value})


def test_a_receipt_is_far_shorter_than_the_longest_line() -> None:
    folders = [f"folder-{number}/" + "x" * 50 for number in range(30)]
    assert len(issued(allows={"bucket_prefixes": folders}).to_line()) < LONGEST_LINE / 10
