# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where receipts are kept: a file, a bucket, Systems Manager. Writing them there, and reading them back."""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO

from ._aws.calls import call
from ._aws.clients import Clients
from ._aws.receipt_stores import Contents, read_bucket, read_parameters_below
from ._domain.errors import InvalidInput, ReceiptNotKept, TooManyReceipts, VenueError
from ._domain.known_keys import KnownKeys, known_keys
from ._domain.names import Venue
from ._domain.receipt_log import LONGEST_LINE, ReceiptLog, Stored, read_log
from ._domain.receipts import CLOCK_TOLERANCE, LONGEST_LIFE, Receipt
from ._domain.times import stamp
from ._files import absolute_file, append_private, check_append_file, open_regular

DEFAULT_FILE = "~/.mdps/receipts.jsonl"
# The options of a module that writes receipts.
RECORDING: dict[str, Any] = {
    "receipts_file": {"type": "path", "default": DEFAULT_FILE},
    "receipts_s3": {"type": "str"},
    "receipts_ssm_path": {"type": "str"},
}
# The options of a module that reads receipts. Venues have stores of their own, so there may be several.
READING: dict[str, Any] = {
    "receipts_file": {"type": "path"},
    "receipts_s3": {"type": "list", "elements": "str"},
    "receipts_ssm_path": {"type": "list", "elements": "str"},
}
MOST_COMPARED = 500  # deliveries of a venue among which the latest one to a recipient is looked for
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

    def sources(self) -> ReceiptSources:
        """The same places, to be read from."""
        return ReceiptSources(self.file, (self.s3,) if self.s3 else (), (self.ssm_path,) if self.ssm_path else ())

    @property
    def in_aws(self) -> bool:
        """Whether a store is read and written with AWS calls."""
        return bool(self.s3 or self.ssm_path)

    def known_keys(self, clients: Clients, venue: Venue, user: str, now: datetime) -> KnownKeys | None:
        """The keys that the latest token of a user was sealed to, as the stores in AWS know it; None if there was none.

        Of a bucket, the latest MOST_COMPARED deliveries are read, those of the future left out. If none of these is of
        the user, and others were skipped, the answer has no fingerprints and says why: whoever may write receipts
        could have hidden the user's.

        :raises VenueError: AWS does not let a store be read.
        """
        found: list[Stored] = []
        unread_reasons: list[str] = []
        for name, contents in self._deliveries(clients, venue, now):
            found += contents.receipts
            if contents.truncated:
                unread_reasons.append(f"{name} has more receipts than are compared")
            elif contents.unreadable:
                unread_reasons.append(f"{contents.unreadable} receipts in {name} could not be read")
        known = known_keys((one for one in read_log(found).tokens if one.venue == venue), user, now)
        return known or (KnownKeys(now, (), " and ".join(unread_reasons)) if unread_reasons else None)

    def _deliveries(self, clients: Clients, venue: Venue, now: datetime) -> Iterator[tuple[str, Contents]]:
        if self.s3:
            bucket, prefix = self.s3
            folder = _folder(prefix, venue)
            yield (
                f"s3://{bucket}/{folder}",
                read_bucket(
                    clients.client("s3"),
                    bucket,
                    folder,
                    0,
                    latest=f"r-{stamp(now + CLOCK_TOLERANCE)}",
                    newest=MOST_COMPARED,
                    states=("delivered", "kept"),
                ),
            )
        if self.ssm_path:
            yield self.ssm_path, read_parameters_below(clients.client("ssm"), self.ssm_path)

    def _writers(self, receipt: Receipt, clients: Clients) -> Iterator[Callable[[], None]]:
        file, s3, path = self.file, self.s3, self.ssm_path
        if file:
            yield lambda: append_private("receipts_file", file, receipt.to_line().encode())
        if s3:
            yield lambda: _to_s3(receipt, *s3, clients)
        if path:
            yield lambda: _to_ssm(receipt, path, clients)


@dataclass(frozen=True)
class ReceiptSources:
    """The places that receipts are read from.

    :param file: None for the default file, which need not exist.
    :param s3: buckets and prefixes.
    :param ssm_paths: parameter paths.
    """

    file: str | None = None
    s3: tuple[tuple[str, str], ...] = ()
    ssm_paths: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, params: Mapping[str, Any]) -> ReceiptSources:
        """The places that the options of ``READING`` name.

        :raises InvalidInput: an option that cannot name one.
        """
        return cls(
            file=params["receipts_file"],
            s3=tuple(dict.fromkeys(_parse_s3(url) for url in params["receipts_s3"] or ())),
            ssm_paths=tuple(dict.fromkeys(_parse_ssm_path(path) for path in params["receipts_ssm_path"] or ())),
        )

    @property
    def services(self) -> tuple[str, ...]:
        """The AWS services that are asked."""
        return (*(["s3"] if self.s3 else []), *(["ssm"] if self.ssm_paths else []))

    def __str__(self) -> str:
        places = [DEFAULT_FILE if self.file is None else self.file]
        places += [f"s3://{'/'.join(part for part in place if part)}" for place in self.s3]
        return ", ".join([*places, *self.ssm_paths])

    def check(self) -> None:
        """Find out before any AWS call whether the file can be read.

        :raises InvalidInput: it cannot.
        """
        next(_file_lines(self.file), None)

    def read(
        self,
        clients: Clients,
        stored_since: datetime,
        *,
        since: datetime | None = None,
        venue: Venue | None = None,
        details: bool = False,
    ) -> ReceiptLog:
        """The receipts of all places, joined: what one place has of a token adds to what the others have.

        :param stored_since: leave out tokens of a bucket that had certainly ended by then. It bounds what is read.
        :param since: the same for all places.
        :param venue: leave out the receipts of other venues, as far as the place can tell without reading them.
        :param details: with what each token allows and how it was delivered, for which much more is held in memory.
        :raises InvalidInput: the file cannot be read.
        :raises TooManyReceipts: a place has more receipts than are read.
        :raises VenueError: AWS does not let a place be read.
        """
        log, problems = self.read_available(clients, stored_since, since=since, venue=venue, details=details)
        if problems:
            raise problems[0]
        return log

    def read_available(
        self,
        clients: Clients,
        stored_since: datetime,
        *,
        since: datetime | None = None,
        venue: Venue | None = None,
        details: bool = False,
    ) -> tuple[ReceiptLog, list[VenueError]]:
        """The receipts of every place that can be read, joined, and why others, or parts of them, could not be.

        The parameters are those of :meth:`read`.
        """
        found: list[Contents] = []
        problems: list[VenueError] = []
        lines: Iterator[bytes] = iter(())
        try:
            self.check()
            lines = _file_lines(self.file)
        except InvalidInput as error:
            problems.append(error)
        for name, load in self._stored(clients, stored_since - LONGEST_LIFE, venue):
            try:
                contents = load()
            except VenueError as error:
                problems.append(error)
                continue
            if contents.truncated:
                problems.append(_too_many(name))
            found.append(contents)
        stored = (one for contents in found for one in contents.receipts)
        log = read_log(itertools.chain(lines, stored), since, details=details)
        return log._replace(unreadable=log.unreadable + sum(one.unreadable for one in found)), problems

    def _stored(
        self, clients: Clients, oldest: datetime, venue: Venue | None
    ) -> Iterator[tuple[str, Callable[[], Contents]]]:
        """The places in AWS, each with the function that reads it."""
        depth = 0 if venue else len(Venue._fields)  # a folder for each project, in it one for each venue
        for bucket, prefix in self.s3:
            name = f"s3://{'/'.join(part for part in (bucket, prefix) if part)}"
            folder, first = _folder(prefix, venue), f"r-{stamp(oldest)}"
            yield name, partial(_load_bucket, clients, bucket, folder, depth, first)
        for path in self.ssm_paths:
            yield path, partial(_load_parameters, clients, path)


def _load_bucket(clients: Clients, bucket: str, folder: str, depth: int, first: str) -> Contents:
    return read_bucket(clients.client("s3"), bucket, folder, depth, first)


def _load_parameters(clients: Clients, path: str) -> Contents:
    return read_parameters_below(clients.client("ssm"), path)


def _too_many(place: str) -> TooManyReceipts:
    return TooManyReceipts(
        f"{place} has more receipts than are read, so the tokens that they are about are not known. "
        "Remove receipts of expired tokens, or select a session, or all tokens.",
        place=place,
    )


def _folder(prefix: str, venue: Venue | None) -> str:
    """The begin of the keys of a venue's receipts, or of all receipts."""
    return "".join(f"{part}/" for part in (prefix, *(venue or ())) if part)


def _file_lines(path: str | None) -> Iterator[bytes]:
    """The lines of a receipts file.

    :param path: the option ``receipts_file``; None for the default file, which need not exist.
    :raises InvalidInput: the file cannot be read.
    """
    place = absolute_file("receipts_file", DEFAULT_FILE if path is None else path)
    try:
        with open(place, "rb", opener=open_regular) as stream:
            yield from lines_of(stream)
    except (OSError, ValueError) as error:
        if path is None and isinstance(error, FileNotFoundError):
            return
        raise InvalidInput("receipts_file", f"'{place}' cannot be read ({_reason(error)}).") from None


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
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
