# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where receipts are kept: a file, a bucket, Systems Manager. Writing them there, and reading the file."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from ._aws.calls import call
from ._aws.clients import Clients
from ._domain.errors import InvalidInput, ReceiptNotKept, VenueError
from ._domain.receipts import LONGEST_LINE, Receipt, ReceiptLog, read_log
from ._domain.times import stamp
from ._files import append_private, check_append_file, open_regular

DEFAULT_FILE = "~/.mdps/receipts.jsonl"
# The options of a module that writes receipts.
RECORDING: dict[str, Any] = {
    "receipts_file": {"type": "path", "default": DEFAULT_FILE},
    "receipts_s3": {"type": "str"},
    "receipts_ssm_path": {"type": "str"},
}
_S3_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_SSM_PATH = re.compile(r"(/[A-Za-z0-9_.-]+){1,13}/?")


@dataclass(frozen=True)
class ReceiptStores:
    """The places that get every receipt. Each may be missing.

    :param file: a file with one line for each state of a receipt.
    :param s3: bucket and prefix. Each state of a receipt is an object of its own.
    :param ssm_path: a parameter path. The parameter is named after the receipt and holds its latest state.
    """

    file: str | None = None
    s3: tuple[str, str] | None = None
    ssm_path: str = ""

    @classmethod
    def from_options(cls, params: Mapping[str, Any]) -> ReceiptStores:
        """The stores that the options name.

        :raises InvalidInput: an option that cannot name a store.
        """
        file, url, path = params["receipts_file"], params["receipts_s3"], params["receipts_ssm_path"]
        return cls(
            file=file,
            s3=_parse_s3(url) if url is not None else None,
            ssm_path=_parse_ssm_path(path) if path is not None else "",
        )

    def __bool__(self) -> bool:
        return bool(self.file or self.s3 or self.ssm_path)

    def check(self, *, create: bool) -> None:
        """Find out before any AWS call whether the file can be written.

        :param create: create its missing folders.
        :raises VenueError: it cannot.
        """
        if self.file:
            check_append_file("receipts_file", self.file, create=create)

    def record(self, receipt: Receipt, clients: Clients) -> None:
        """Write the receipt to every store. One store that fails does not keep it from the others.

        :raises ReceiptNotKept: at least one store failed.
        """
        problems = []
        for write in self._writers(receipt, clients):
            try:
                write()
            except VenueError as error:
                problems.append(error.message)
        if problems:
            raise ReceiptNotKept(" ".join(problems))

    def _writers(self, receipt: Receipt, clients: Clients) -> Iterator[Callable[[], None]]:
        file, s3, path = self.file, self.s3, self.ssm_path
        if file:
            yield lambda: append_private("receipts_file", file, receipt.to_line().encode())
        if s3:
            yield lambda: _to_s3(receipt, *s3, clients)
        if path:
            yield lambda: _to_ssm(receipt, path, clients)


def read_file(path: str | None, since: datetime | None = None) -> ReceiptLog:
    """The receipts of a file.

    :param path: the option ``receipts_file``; None for the default file, which need not exist.
    :param since: leave out tokens that had surely ended by then.
    :raises InvalidInput: the file cannot be read.
    """
    place = Path(DEFAULT_FILE if path is None else path).expanduser()
    try:
        with open(place, "rb", opener=open_regular) as stream:
            return read_log(_lines(stream), since)
    except (OSError, ValueError) as error:
        if path is None and isinstance(error, FileNotFoundError):
            return ReceiptLog([])
        raise InvalidInput("receipts_file", f"'{place}' cannot be read ({_reason(error)}).") from None


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file. Of a line that is too long for a receipt, only the beginning is held in memory."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)


def _reason(error: OSError | ValueError) -> str:
    """Why a path cannot be used. A ValueError is about a path with a NUL character."""
    return getattr(error, "strerror", None) or os.strerror(errno.EINVAL)


def _parse_s3(url: str) -> tuple[str, str]:
    match = _S3_URL.fullmatch(url)
    if not match:
        raise InvalidInput("receipts_s3", f"'{url}' is not of the form s3://bucket/prefix.")
    return match[1], (match[2] or "").strip("/")


def _parse_ssm_path(path: str) -> str:
    if not _SSM_PATH.fullmatch(path):
        raise InvalidInput(
            "receipts_ssm_path", f"'{path}' is not a parameter path such as /unity/sbg/dev/cs/sts/receipts."
        )
    return path.rstrip("/")


def _to_s3(receipt: Receipt, bucket: str, prefix: str, clients: Clients) -> None:
    name = f"{receipt.id}/{stamp(receipt.recorded_at)}-{receipt.state}.json"
    key = "/".join(part for part in (prefix, *receipt.venue, name) if part)
    call(
        clients.client("s3"),
        "put_object",
        f"store the receipt in s3://{bucket}/{key}",
        Bucket=bucket,
        Key=key,
        Body=receipt.to_line().encode(),
        ContentType="application/json",
    )


def _to_ssm(receipt: Receipt, path: str, clients: Clients) -> None:
    name = f"{path}/{receipt.id}"
    call(
        clients.client("ssm"),
        "put_parameter",
        f"store the receipt in {name}",
        Name=name,
        Value=receipt.to_line(),
        Type="String",
        Tier="Intelligent-Tiering",  # long lists of folders make a receipt longer than a standard parameter may be
        Overwrite=True,
    )
