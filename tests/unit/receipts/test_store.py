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
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils import _receipt_store
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import receipt_stores
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    AwsRefused,
    InvalidInput,
    ReceiptNotKept,
    TooManyReceipts,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.known_keys import KnownKeys
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import LONGEST_LINE, ReceiptLog
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt, parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import stamp
from ansible_collections.mdps.venue_sts.plugins.module_utils._receipt_store import ReceiptSources, ReceiptStores
from moto import mock_aws

from tests.support.receipts import NOW, issued, requested

NOWHERE: Any = None  # a store in a file needs no clients
S3 = {"receipts_s3": "s3://records/sts"}
STATES = [requested(), issued(), issued().with_handoff({"delivered": True, "channel": "file"}, NOW)]


def stores(**given: Any) -> ReceiptStores:
    return ReceiptStores.from_options({"receipts_file": None, "receipts_s3": None, "receipts_ssm_path": None, **given})


def read_file(path: str | None) -> ReceiptLog:
    sources = ReceiptSources(path)
    sources.check()
    return sources.read(NOWHERE, NOW, details=True)


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


def test_concurrent_runs_do_not_mix_their_lines(tmp_path: pathlib.Path) -> None:
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
    assert read_file(str(file))[:2] == ([requested(number=1), requested(number=3)], 1)


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
    assert read_file(None)[:2] == ([], 0)
    stores(receipts_file="~/.mdps/receipts.jsonl").record(issued(), NOWHERE)
    assert read_file(None).tokens == [issued()]


def test_a_line_without_end_is_skipped_without_filling_the_memory(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "receipts.jsonl"
    with file.open("wb") as stream:
        stream.truncate(200_000_000)
        stream.seek(0, os.SEEK_END)
        stream.write(b"\n" + issued().to_line().encode() + b"\n")
    assert read_file(str(file))[:2] == ([issued()], 1)


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


PATH = "/unity/sbg/dev/cs/sts/receipts"
EVERYWHERE = {"receipts_s3": "s3://records/sts", "receipts_ssm_path": PATH}
OTHER_VENUE = issued(number=19, venue=Venue("emit", "ops"))


@pytest.fixture
def bucket(clients: Clients) -> Iterator[Any]:
    s3 = boto3.client("s3", region_name="us-west-2")
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    yield s3


def sources(tmp_path: pathlib.Path, **given: Any) -> ReceiptSources:
    (tmp_path / "receipts").touch()
    nothing = {"receipts_s3": None, "receipts_ssm_path": None}
    lists = {name: [value] for name, value in given.items()}
    return ReceiptSources.from_options({"receipts_file": str(tmp_path / "receipts"), **nothing, **lists})


@pytest.mark.parametrize("place", [{"receipts_s3": "s3://records/sts/"}, {"receipts_s3": "s3://records"},
                                   {"receipts_ssm_path": PATH}, EVERYWHERE])  # fmt: skip
@pytest.mark.parametrize("venue", [None, Venue("sbg", "dev")])
def test_what_is_stored_is_read_back_as_one_token(
    place: dict[str, str], venue: Venue | None, clients: Clients, bucket: Any, tmp_path: pathlib.Path
) -> None:
    for receipt in STATES:
        stores(**place).record(receipt, clients)
    assert sources(tmp_path, **place).read(clients, NOW, venue=venue, details=True)[:3] == ([STATES[-1]], 0, ())


def test_stores_complete_each_other(clients: Clients, bucket: Any, tmp_path: pathlib.Path) -> None:
    places = sources(tmp_path, **EVERYWHERE)
    (tmp_path / "receipts").write_text(STATES[0].to_line())  # a run that was killed, as its own machine knows it
    assert [one.state for one in places.read(clients, NOW).tokens] == ["requested"]
    stores(receipts_s3="s3://records/sts").record(STATES[-1], clients)
    stores(receipts_ssm_path=PATH).record(STATES[1], clients)  # read last, and not the last state
    late = STATES[-1].with_handoff({"delivered": True, "channel": "email"}, NOW + timedelta(minutes=1))
    stores(receipts_s3="s3://records/sts").record(late, clients)
    (token,) = places.read(clients, NOW, details=True).tokens
    assert (token.state, (token.handoff or {})["channel"]) == ("delivered", "email")


def test_conflicting_receipts_of_one_id_are_reported_and_both_count(
    clients: Clients, bucket: Any, tmp_path: pathlib.Path
) -> None:
    forged = replace(STATES[1], recipient="eve", session_name="eve-session")
    (tmp_path / "receipts").write_text(STATES[1].to_line())
    places = sources(tmp_path, **EVERYWHERE)
    (tmp_path / "receipts").write_text(STATES[1].to_line())
    stores(receipts_ssm_path=PATH).record(forged, clients)
    log = places.read(clients, NOW)
    assert ({one.recipient for one in log.tokens}, log.conflicts) == ({"jdoe", "eve"}, (STATES[1].id,))


def test_a_parameter_that_was_overwritten_with_failed_may_have_been_issued(
    clients: Clients, tmp_path: pathlib.Path
) -> None:
    failed = requested(number=2).failed("No.", NOW)
    for receipt in (requested(), requested().failed("No.", NOW), failed):
        stores(receipts_ssm_path=PATH).record(receipt, clients)
    found = sources(tmp_path, receipts_ssm_path=PATH).read(clients, NOW).tokens
    assert {one.id: one.state for one in found} == {requested().id: "requested", failed.id: "failed"}


def test_what_others_put_there_is_counted_and_skipped(clients: Clients, bucket: Any, tmp_path: pathlib.Path) -> None:
    stores(**EVERYWHERE).record(STATES[1], clients)
    folder, name = "sts/sbg/dev", "20261122T093015Z-issued.json"
    for key, body in {
        f"{folder}/r-20261122T093015Z-00000002/{name}": b"\xff\xfe",
        f"{folder}/r-20261122T093015Z-00000003/{name}": b"",
        f"{folder}/r-20261122T093015Z-00000004/{name}": b" " * (LONGEST_LINE + 1),
        f"{folder}/r-20261122T093015Z-00000005/{name}": STATES[1].to_line().encode(),  # under another id
        f"{folder}/r-20261122T093015Z-00000006/{name}": b"[" * 9000,
        f"{folder}/r-20201122T093015Z-00000007/{name}": b"too old to be read",
        f"{folder}/notes.txt": b"no receipt, by its name",
        "other/file.json": b"{}",
    }.items():
        bucket.put_object(Bucket="records", Key=key, Body=body)
    ssm = clients.client("ssm")
    for number, text in enumerate(["no receipt", STATES[1].to_line()]):
        ssm.put_parameter(Name=f"{PATH}/x{number}", Value=text, Type="String")
    log = sources(tmp_path, **EVERYWHERE).read(clients, NOW, details=True)
    assert (log.tokens, log.unreadable) == ([STATES[1]], 7)


def test_a_flood_is_an_error_and_is_not_read(
    clients: Clients, bucket: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 13):
        stores(**EVERYWHERE).record(issued(number=number), clients)
    stores(**EVERYWHERE).record(OTHER_VENUE, clients)
    assert len(sources(tmp_path, **EVERYWHERE).read(clients, NOW).tokens) == 13
    for name, option in {
        "MOST_OBJECTS": "receipts_s3", "MOST_FOLDERS": "receipts_s3", "MOST_PARAMETERS": "receipts_ssm_path"
    }.items():  # fmt: skip
        monkeypatch.setattr(receipt_stores, name, 10 if name != "MOST_FOLDERS" else 1)
        with pytest.raises(TooManyReceipts, match="more receipts than are read"):
            sources(tmp_path, **{option: EVERYWHERE[option]}).read(clients, NOW)
        monkeypatch.undo()


def test_a_store_that_may_not_be_read_is_an_error_and_one_object_is_not(
    clients: Clients, bucket: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AwsRefused, match="s3://missing/"):
        sources(tmp_path, receipts_s3="s3://missing").read(clients, NOW)
    for number in (1, 2):
        stores(**EVERYWHERE).record(issued(number=number), clients)
    real = receipt_stores.call

    def refuse(*names: str) -> None:
        def answer(client: Any, operation: str, purpose: str, **arguments: Any) -> Any:
            if operation == "get_object" and any(name in arguments["Key"] for name in names):
                raise AwsRefused("no", operation="s3:GetObject", code="AccessDenied", request_id="", said="no")
            return real(client, operation, purpose, **arguments)

        monkeypatch.setattr(receipt_stores, "call", answer)

    refuse("-00000001/")
    log = sources(tmp_path, receipts_s3="s3://records/sts").read(clients, NOW, details=True)
    assert (log.tokens, log.unreadable) == ([issued(number=2)], 1)
    refuse("-0000000")
    with pytest.raises(AwsRefused):
        sources(tmp_path, receipts_s3="s3://records/sts").read(clients, NOW)


def test_the_latest_keys_of_a_user_are_found_wherever_they_are_stored(clients: Clients, bucket: Any) -> None:
    def delivered(number: int, key: str, minutes: int, **changes: Any) -> Receipt:
        at = NOW + timedelta(minutes=minutes)
        return issued(number=number, at=at, **changes).with_handoff(
            {"delivered": True, "channel": "file", "sealed_to": [key]}, at
        )

    store = stores(**EVERYWHERE)
    for receipt in (
        delivered(1, "old", 0),
        delivered(2, "new", 1),
        delivered(3, "hers", 2, user="eve"),
        delivered(4, "elsewhere", 2, venue=Venue("emit", "ops")),
        delivered(5, "future", 60 * 24 * 365),
        issued(number=6, at=NOW + timedelta(minutes=3)),
    ):
        store.record(receipt, clients)
    for place in ({"receipts_s3": "s3://records/sts"}, {"receipts_ssm_path": PATH}, EVERYWHERE):
        found = stores(**place).known_keys(clients, Venue("sbg", "dev"), "jdoe", NOW + timedelta(hours=1))
        assert found == KnownKeys(NOW + timedelta(minutes=1), ("new",))
    assert store.known_keys(clients, Venue("sbg", "dev"), "nobody", NOW) is None


def delivered_to(user: str, number: int, key: str, **when: Any) -> Receipt:
    at = NOW + timedelta(**when)
    return issued(user, number, at=at).with_handoff({"delivered": True, "channel": "file", "sealed_to": [key]}, at)


def plant(bucket: Any, receipts: Iterable[Receipt]) -> None:
    """What somebody else puts below the prefix."""
    for one in receipts:
        key = f"sts/sbg/dev/{one.id}/{stamp(one.recorded_at)}-delivered.json"
        bucket.put_object(Bucket="records", Key=key, Body=one.to_line().encode())


def keys_in(clients: Clients, user: str, **place: Any) -> KnownKeys | None:
    return stores(**place).known_keys(clients, Venue("sbg", "dev"), user, NOW + timedelta(minutes=10))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_receipt_store, "MOST_COMPARED", 3)


def test_receipts_of_the_future_hide_nothing(clients: Clients, bucket: Any, few: None) -> None:
    plant(bucket, [delivered_to("eve", number, "hers", days=number) for number in range(2, 9)])
    stores(**S3).record(delivered_to("jdoe", 1, "his", minutes=1), clients)
    assert keys_in(clients, "jdoe", **S3) == KnownKeys(NOW + timedelta(minutes=1), ("his",))
    assert keys_in(clients, "nobody", **S3) is None


def test_planted_receipts_make_the_comparison_say_that_it_is_not_complete(
    clients: Clients, bucket: Any, few: None
) -> None:
    stores(**S3).record(delivered_to("jdoe", 1, "his", minutes=1), clients)
    plant(bucket, [delivered_to("eve", number, "hers", minutes=2) for number in range(2, 6)])
    found = keys_in(clients, "jdoe", **S3)
    assert found
    assert (found.fingerprints, found.unread_reason) == (
        (),
        "s3://records/sts/sbg/dev/ has more receipts than are compared",
    )
    hers = keys_in(clients, "eve", **S3)
    assert hers == KnownKeys(NOW + timedelta(minutes=2), ("hers",))


def test_too_many_objects_or_parameters_are_no_absence(
    clients: Clients, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        stores(**EVERYWHERE).record(delivered_to("eve", number, "hers", minutes=number), clients)
    monkeypatch.setattr(receipt_stores, "MOST_OBJECTS", 1)
    monkeypatch.setattr(receipt_stores, "MOST_PARAMETERS", 1)
    monkeypatch.setattr(receipt_stores, "PAGE", 1)
    found = keys_in(clients, "jdoe", **EVERYWHERE)
    assert found
    assert found.unread_reason == (
        f"s3://records/sts/sbg/dev/ has more receipts than are compared and {PATH} has more receipts than are compared"
    )


def test_a_receipt_that_cannot_be_read_is_no_absence(clients: Clients, bucket: Any) -> None:
    plant(bucket, [delivered_to("eve", 1, "hers", minutes=1)])
    (key,) = [one["Key"] for one in bucket.list_objects_v2(Bucket="records")["Contents"]]
    bucket.put_object(Bucket="records", Key=key, Body=b"x" * (LONGEST_LINE + 1))
    found = keys_in(clients, "jdoe", **S3)
    assert found
    assert found.unread_reason == "1 receipts in s3://records/sts/sbg/dev/ could not be read"


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
