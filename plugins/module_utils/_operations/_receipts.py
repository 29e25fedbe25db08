# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts: who got what, when, sealed to which key. No secrets, so that they may be kept and shared.

One line of JSON per hand-off, described by docs/receipt.schema.json. A line with the same ``access_key_id`` further
down
is a later attempt to deliver the same token.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from .._aws.calls import call
from .._aws.clients import Clients
from .._domain.errors import InvalidInput, ReceiptNotKept, VenueError
from .._domain.times import iso
from .._files import make_folders, sync_folder
from ._operation import Params

Record = Mapping[str, Any]  # a receipt as a mapping, as docs/receipt.schema.json has it

# The options of a module that keeps receipts.
ARGUMENT_SPEC: dict[str, Any] = {
    "receipts_file": {"type": "path"},
    "receipts_s3": {"type": "str"},
    "receipts_ssm_path": {"type": "str"},
}


class Places(NamedTuple):
    """Where receipts are kept; each may be empty.

    :param file: a file that gets one line a receipt.
    :param s3: ``s3://bucket/prefix``. Each attempt is an object of its own.
    :param ssm_path: a parameter path. The parameter is named after the access key and holds the latest attempt.
    """

    file: Path | None
    s3: str
    ssm_path: str

    def check(self) -> None:
        """:raises InvalidInput: a receipt could not be kept, which is better known before a token is issued."""
        if self.file:
            check_writable(self.file)
        if self.s3:
            parse_s3(self.s3)
        if self.ssm_path:
            check_ssm_path(self.ssm_path)

    def keep(self, receipt: Record, clients: Clients) -> None:
        """Write the receipt everywhere it is wanted. One place that fails does not keep it from the others.

        :raises ReceiptNotKept: at least one place failed.
        """
        problems = []
        for store in self._stores(receipt, clients):
            try:
                store()
            except VenueError as error:
                problems.append(error.message)
        if problems:
            raise ReceiptNotKept(" ".join(problems))

    def _stores(self, receipt: Record, clients: Clients) -> Iterable[Callable[[], None]]:
        file = self.file
        if file:
            yield lambda: append(file, receipt)
        if self.s3:
            yield lambda: _to_s3(receipt, self.s3, clients)
        if self.ssm_path:
            yield lambda: _to_ssm(receipt, self.ssm_path, clients)


def places(params: Params) -> Places:
    """The places that the options name."""
    file = params["receipts_file"]
    return Places(
        Path(file).expanduser() if file else None, params["receipts_s3"] or "", params["receipts_ssm_path"] or ""
    )


def not_handed_over(
    receipt: Record, moment: datetime, target: str | None, problem: str | None = None
) -> dict[str, Any]:
    """The receipt of a token that stays where it was issued.

    :param target: the file that it is in.
    :param problem: why there is none, though it was issued.
    """
    outcome = {"at": iso(moment), "channel": "none", "delivered": False, "target": target, "problem": problem}
    return {**receipt, "handoff": outcome}


def check_writable(path: Path) -> None:
    """:raises InvalidInput: a receipt could not be added, which is better known before a token is issued."""
    try:
        place = next(one for one in (path, *path.parents) if one.exists())
    except (OSError, ValueError) as error:  # a name that is too long, or none
        raise InvalidInput(
            "receipts_file", f"this cannot be a file ({getattr(error, 'strerror', None) or error})."
        ) from None
    if not os.access(place, os.W_OK) or place.is_dir() == (place == path):
        raise InvalidInput("receipts_file", f"{path} cannot be written.")


def to_line(receipt: Record) -> str:
    """One line, keys in a fixed order."""
    return json.dumps(receipt, sort_keys=True, separators=(",", ":"))


def append(path: Path, receipt: Record) -> None:
    """Add a line: locked against other runs, flushed to the disk, 0600. A line that does not fit is taken back wholly.

    :raises ReceiptNotKept: the file cannot be written.
    """
    try:
        make_folders(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # let go when the handle is closed
            _append_locked(handle, to_line(receipt).encode())
        finally:
            os.close(handle)
        sync_folder(path.parent)
    except OSError as error:
        raise ReceiptNotKept(
            f"The receipt could not be added to {path}: {error.strerror}. Keep the one in this result."
        ) from None


def _append_locked(handle: int, line: bytes) -> None:
    if os.fstat(handle).st_mode & 0o077:
        os.fchmod(handle, 0o600)
    end = os.lseek(handle, 0, os.SEEK_END)
    # What a run that was killed left half-written must not swallow this line.
    torn = end > 0 and os.pread(handle, 1, end - 1) != b"\n"
    rest = memoryview((b"\n" if torn else b"") + line + b"\n")
    try:
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    except OSError:
        if stat.S_ISREG(os.fstat(handle).st_mode):
            os.ftruncate(handle, end)
        raise


def parse_s3(url: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``.

    :raises InvalidInput: it is something else.
    """
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", url)
    if not match:
        raise InvalidInput("receipts_s3", f"{url!r} is not of the form s3://bucket/prefix.")
    return match[1], (match[2] or "").strip("/")


def check_ssm_path(path: str) -> None:
    """:raises InvalidInput: Systems Manager would not take it as the start of a parameter's name."""
    if not re.fullmatch(r"(/[A-Za-z0-9_.-]+){1,13}/?", path):
        raise InvalidInput(
            "receipts_ssm_path", f"{path!r} is not a parameter path such as /unity/sbg/dev/cs/sts/receipts."
        )


def _to_s3(receipt: Record, url: str, clients: Clients) -> None:
    bucket, prefix = parse_s3(url)
    name = "_".join(
        str(part).replace(":", "")
        for part in (receipt["issued_at"], receipt["access_key_id"], receipt["handoff"]["at"])
    )
    key = "/".join(part for part in (prefix, receipt["project"], receipt["venue"], f"{name}.json") if part)
    body = to_line(receipt).encode()
    purpose = f"store the receipt in s3://{bucket}/{key}"
    call(clients.client("s3"), "put_object", purpose, Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _to_ssm(receipt: Record, path: str, clients: Clients) -> None:
    name = f"{path.rstrip('/')}/{receipt['access_key_id']}"
    call(
        clients.client("ssm"),
        "put_parameter",
        f"store the receipt in {name}",
        Name=name,
        Value=to_line(receipt),
        Type="String",
        Overwrite=True,
    )
