# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A long file of receipts: many tokens that all live, which is the most that a reader holds, and hostile lines."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import LONGEST_LINE
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt, latest_answer
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.untrusted import MOST_ITEMS

from tests.bench.contenders import ACCOUNT, USER, venue_name

LINES = 100_000
STATES = 3  # lines that each token has: requested, issued, delivered
VENUES = 50
USERS = 200
HOSTILE_EVERY = 100


def write_receipts(path: pathlib.Path, lines: int = LINES) -> None:
    """Write so many lines, every hundredth of them hostile."""
    hostile, receipts = hostile_lines(), receipt_lines()
    path.touch(mode=0o600)
    with path.open("wb") as file:
        for number in range(lines):
            file.write(next(hostile if number % HOSTILE_EVERY == 1 else receipts) + b"\n")


def receipt_lines() -> Iterator[bytes]:
    """The lines of one token after the other, of 50 venues and 200 users."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    number = 0
    while True:
        yield from (line.encode() for line in _token(number, at))
        number += 1


def _token(number: int, at: datetime) -> Iterator[str]:
    user = USER if number % USERS == 0 else f"user{number % USERS}"
    # One more in each round, or a user would have tokens of few venues only.
    project, venue = venue_name((number + number // VENUES) % VENUES)
    role = f"unity-{project}-{venue}-sts"
    receipt = Receipt.requested(
        unique=f"{number:08x}",
        at=at,
        recipient=user,
        venue=Venue(project, venue),
        account_id=ACCOUNT,
        region="us-west-2",
        role_arn=f"arn:aws:iam::{ACCOUNT}:role/{role}",
        session_name=f"{user}-{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        method="assume_role",
        duration_requested=3600,
        duration_seconds=3600,
        issuer_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/mcp-tenantOperator/admin",
        external_id_source="parameter",
        allows={"access": ["s3_read"], "buckets": [f"{project}-{venue}-unity-data"], "bucket_prefixes": ["incoming"]},
        context={"ticket": "MDPS-1"},
        issue_until=latest_answer(at, timedelta(seconds=60)),
    )
    yield receipt.to_line()
    issued = receipt.with_token(
        at=at,
        access_key_id=f"ASIAEXAMPLE{number:09}",
        assumed_role_id=f"AROAEXAMPLEEXAMPLEEX:{receipt.session_name}",
        expires_at=at + timedelta(hours=1),
    )
    yield issued.to_line()
    delivered: dict[str, Any] = {
        **{"channel": "file", "delivered": True, "target": None, "kept": None, "problem": None},
        **{"file": f"/srv/out/{user}.zip.age", "sealed_with": "age", "sealed_to": ["age1example"]},
        **{"sealed_sha256": "0" * 64, "signed_by": None, "key_changed": False, "resent": False},
    }
    yield issued.with_handoff(delivered, at).to_line()


def hostile_lines() -> Iterator[bytes]:
    """Lines that are no receipts, or unusual ones, one kind after the other."""
    good = json.loads(next(receipt_lines(), ""))
    kinds = (
        b"[" * (LONGEST_LINE - 1),
        b'{"id":' * 10_000,
        b"x" * (LONGEST_LINE * 3),
        b'"\xff\xfe',
        b"1" * 5000,
        b'{"schema": 1e999}',
        json.dumps({**good, "role_arn": "\u001b]0;x\u0007"}).encode(),
        json.dumps({**good, "recorded_at": "9999-12-31T23:59:59Z", "duration_seconds": 10**12}).encode(),
        json.dumps({**good, "account_id": "999999999999"}).encode(),
        json.dumps({**good, "allows": {"buckets": ["b" * 20] * 2000}, "session_name": ["no"]}).encode(),
    )
    for number in itertools.count():
        yield from kinds
        # A receipt, of a token of its own, and as large as one may be: it is kept. Of a user who is not revoked, since
        # the names of so many sessions do not fit in a policy.
        most = [f"{number}-{item}" for item in range(MOST_ITEMS)]
        token = {
            "id": f"{good['id'][:-8]}{number:08x}",
            "session_name": f"large-{number}",
            "recipient": f"large{number}",
        }
        yield json.dumps({**good, **token, "allows": {"bucket_prefixes": most}}).encode()
