# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The receipts: who got what, when, sealed to which key. No secrets, so that they may be kept and shared.

One line of JSON per hand-over, described by docs/receipt.schema.json. A line with the same ``access_key_id`` further down
is a later attempt to deliver the same token.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..module_utils._aws.calls import call
from ..module_utils._aws.clients import Clients
from ..module_utils._domain.errors import InvalidInput, ReceiptNotKept, VenueError
from . import private_files

Receipt = Mapping[str, Any]
NEEDED = ("recipient", "project", "venue", "account_id", "region", "session_name", "access_key_id", "issued_at", "expires_at")


def is_complete(receipt: Any) -> bool:
    """Whether this is a receipt of an issue, with all that is needed to find the session and to revoke it."""
    return isinstance(receipt, Mapping) and all(isinstance(receipt.get(name), str) and receipt[name] for name in NEEDED)


def check(receipt: Any) -> None:
    """:raises InvalidInput: this is not what venue_sts_token returns as a receipt."""
    if not is_complete(receipt):
        raise InvalidInput("receipt", f"give the receipt that venue_sts_token returned, with {', '.join(NEEDED)}.")


def check_writable(path: Path) -> None:
    """:raises InvalidInput: a receipt could not be added, which is better known before a token is issued."""
    place = next(one for one in (path, *path.parents) if one.exists())
    if not os.access(place, os.W_OK) or (place == path and path.is_dir()):
        raise InvalidInput("receipts_file", f"{path} cannot be written.")


def to_line(receipt: Receipt) -> str:
    """One line, keys in a fixed order."""
    return json.dumps(receipt, sort_keys=True, separators=(",", ":"))


def append(path: Path, receipt: Receipt) -> None:
    """Add a line: locked against other runs, flushed to the disk, 0600. A line that does not fit is taken back wholly.

    :raises ReceiptNotKept: the file cannot be written.
    """
    try:
        private_files.make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)  # let go when the handle is closed
            _append_locked(handle, to_line(receipt).encode())
        finally:
            os.close(handle)
        private_files.sync_folder(path.parent)
    except OSError as error:
        raise ReceiptNotKept(f"The receipt could not be added to {path}: {error.strerror}. Keep the one in this result.") from None


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


def read(path: Path) -> Iterator[Receipt]:
    """The receipts of a file, oldest first; none where there is no file. A line torn by a crash is passed over."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                receipt = json.loads(line)
            except ValueError:
                continue
            if isinstance(receipt, Mapping):
                yield receipt


def find_last(path: Path, wanted: Callable[[Receipt], bool]) -> Receipt | None:
    """The latest receipt that fits."""
    found = None
    for receipt in read(path):
        if wanted(receipt):
            found = receipt
    return found


def last_keys(path: Path, user: str) -> Sequence[str]:
    """The fingerprints that the latest token of a user was sealed to; none if there was none."""
    last = find_last(path, lambda one: one.get("recipient") == user and bool(one.get("handoff", {}).get("sealed_to")))
    return tuple(last["handoff"]["sealed_to"]) if last else ()


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
        raise InvalidInput("receipts_ssm_path", f"{path!r} is not a parameter path such as /unity/sbg/dev/cs/sts/receipts.")


def keep(receipt: Receipt, file: Path, s3: str, ssm_path: str, clients: Clients) -> None:
    """Write the receipt everywhere it is wanted. One place that fails does not keep it from the others.

    :param s3: ``s3://bucket/prefix`` or nothing. Each attempt is an object of its own.
    :param ssm_path: a parameter path or nothing. The parameter is named after the access key and holds the latest attempt.
    :raises ReceiptNotKept: at least one place failed.
    """
    stores: list[Callable[[], None]] = [lambda: append(file, receipt)]
    if s3:
        stores.append(lambda: _to_s3(receipt, s3, clients))
    if ssm_path:
        stores.append(lambda: _to_ssm(receipt, ssm_path, clients))
    problems = []
    for store in stores:
        try:
            store()
        except VenueError as error:
            problems.append(error.message)
    if problems:
        raise ReceiptNotKept(" ".join(problems))


def _to_s3(receipt: Receipt, url: str, clients: Clients) -> None:
    bucket, prefix = parse_s3(url)
    name = "_".join(str(part).replace(":", "") for part in (receipt["issued_at"], receipt["access_key_id"], receipt["handoff"]["at"]))
    key = "/".join(part for part in (prefix, receipt["project"], receipt["venue"], f"{name}.json") if part)
    body = to_line(receipt).encode()
    purpose = f"store the receipt in s3://{bucket}/{key}"
    call(clients.client("s3"), "put_object", purpose, Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _to_ssm(receipt: Receipt, path: str, clients: Clients) -> None:
    name = f"{path.rstrip('/')}/{receipt['access_key_id']}"
    call(clients.client("ssm"), "put_parameter", f"store the receipt in {name}", Name=name, Value=to_line(receipt), Type="String", Overwrite=True)
