# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading receipts back from S3 and SSM. Others wrote what is there: nothing is trusted, and everything is bounded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._domain.errors import AwsRefused, ConnectionProblem
from .._domain.receipt_log import LONGEST_LINE, Stored
from .._domain.receipts import RECEIPT_ID, STATES
from .._domain.times import STAMP
from .calls import call, pages

with contextlib.suppress(ImportError):  # Clients says so, before any call is made
    from botocore import exceptions as botocore_errors

MOST_OBJECTS = 20_000  # each state of a receipt is one: some 10,000 tokens
MOST_FOLDERS = 2_000  # projects and venues
MOST_PARAMETERS = 10_000
PAGE = 10  # the most that GetParametersByPath returns at once
READERS = 8  # objects that are read side by side; botocore keeps ten connections
_NAME = re.compile(rf"({RECEIPT_ID.pattern})/{STAMP}-({'|'.join(STATES)})\.json")


@dataclass(frozen=True)
class Contents:
    """What a store has.

    :param unreadable: how many receipts AWS did not return, or were too long to be receipts.
    :param truncated: there are more than were read.
    """

    receipts: tuple[Stored, ...] = ()
    unreadable: int = 0
    truncated: bool = False


@dataclass(frozen=True)
class _Object:
    """An object whose key is that of a receipt.

    :param order: by receipt, and then as AWS got them, which no writer can choose.
    """

    key: str
    size: int
    receipt_id: str
    state: str
    order: tuple[str, datetime, int]


class _TooMany(Exception):
    """There are more keys than are read."""


def read_bucket(
    s3: Any,
    bucket: str,
    folder: str,
    depth: int,
    oldest: str = "",
    *,
    latest: str = "",
    newest: int = 0,
    states: Iterable[str] = STATES,
) -> Contents:
    """The receipts below a folder of a bucket (s3:ListBucket, s3:GetObject).

    :param folder: ends with a slash, or is empty for the whole bucket.
    :param depth: how many levels of folders lie between it and the receipts: 0, or 2 above those of the venues.
    :param oldest: the begin of the first receipt id to read; earlier ones are skipped.
    :param latest: the begin of the last receipt id to read; later ones are skipped. '' for all.
    :param newest: how many to read at most, the latest ones; 0 for all.
    :param states: those that are read.
    :raises VenueError: AWS does not let it be listed, or refuses every object.
    """
    try:
        listed = _objects(s3, bucket, folder, depth, oldest)
    except _TooMany:
        return Contents(truncated=True)
    asked = [one for one in listed if one.state in states and (not latest or one.receipt_id[: len(latest)] <= latest)]
    found = sorted(asked, key=lambda one: one.order)[-newest:]
    fitting = [one for one in found if 0 < one.size <= LONGEST_LINE]
    with ThreadPoolExecutor(max_workers=READERS) as pool:
        read = list(pool.map(lambda one: _read(s3, bucket, one), fitting))
    receipts = tuple(one for one in read if isinstance(one, Stored))
    refused = [one for one in read if isinstance(one, (AwsRefused, ConnectionProblem))]
    if refused and not receipts:
        raise refused[0]
    return Contents(receipts, len(found) - len(receipts), truncated=len(found) < len(asked))


def _objects(s3: Any, bucket: str, folder: str, depth: int, oldest: str) -> list[_Object]:
    """:raises _TooMany: there are more folders or objects than are read."""
    folders = [folder]
    for _level in range(depth):
        pages = [_keys(s3, bucket, one, Delimiter="/") for one in folders]
        folders = _at_most(
            MOST_FOLDERS,
            (str(each["Prefix"]) for found in pages for page in found for each in page.get("CommonPrefixes", [])),
        )
    pages = [_keys(s3, bucket, one, StartAfter=f"{one}{oldest}") for one in folders]
    listed = zip(folders, pages, strict=True)
    return _at_most(
        MOST_OBJECTS,
        (
            _Object(
                each["Key"], each["Size"], match[1], match[2], (match[1], each["LastModified"], STATES.index(match[2]))
            )
            for one, found in listed
            for page in found
            for each in page.get("Contents", [])
            if (match := _NAME.fullmatch(each["Key"].removeprefix(one)))
        ),
    )


def _keys(s3: Any, bucket: str, prefix: str, **how: str) -> Iterator[dict[str, Any]]:
    purpose = f"list the receipts in s3://{bucket}/{prefix}"
    for number, answer in enumerate(pages(s3, "list_objects_v2", purpose, Bucket=bucket, Prefix=prefix, **how)):
        if number == 2 * MOST_OBJECTS // 1000:  # other objects may be among them
            raise _TooMany
        yield answer


def _at_most(most: int, found: Iterable[Any]) -> list[Any]:
    """:raises _TooMany: there are more."""
    taken: list[Any] = []
    for one in found:
        if len(taken) == most:
            raise _TooMany
        taken.append(one)
    return taken


def _read(s3: Any, bucket: str, found: _Object) -> Stored | AwsRefused | ConnectionProblem:
    """One object, or why it could not be read: another one may be."""
    try:
        answer = call(s3, "get_object", f"read the receipt s3://{bucket}/{found.key}", Bucket=bucket, Key=found.key)
        text = _body(answer["Body"].read, bucket, found.key)
    except (AwsRefused, ConnectionProblem) as error:
        return error
    return Stored(text, found.receipt_id)


def _body(read: Callable[[int], bytes], bucket: str, key: str) -> bytes:
    """The content, as far as it may be a receipt: the object may have been exchanged since it was listed."""
    try:
        return read(LONGEST_LINE + 1)
    except botocore_errors.BotoCoreError as error:
        raise ConnectionProblem(
            f"could not read the receipt s3://{bucket}/{key}: the connection failed ({type(error).__name__})."
        ) from None


def read_parameters_below(ssm: Any, path: str) -> Contents:
    """The receipts in the parameters right below a path (ssm:GetParametersByPath).

    Each parameter has only the latest state of its receipt. Its version says whether there was an earlier one.
    """
    found: list[Stored] = []
    answers = pages(ssm, "get_parameters_by_path", f"read the receipts below {path}", Path=path, MaxResults=PAGE)
    for number, answer in enumerate(answers, 1):
        found += [
            Stored(str(one["Value"]).encode(), str(one["Name"]).rpartition("/")[2], one.get("Version", 1) > 1)
            for one in answer.get("Parameters", [])
        ]
        if answer.get("NextToken") and number == MOST_PARAMETERS // PAGE:
            return Contents(truncated=True)
    return Contents(tuple(found))
