# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Receipts for tests, valid as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt, latest_answer

NOW = datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC)
ACCOUNT = "123456789012"
ROLE_ID = "AROAEXAMPLEEXAMPLEEX"
WITHOUT_ANSWER = dict.fromkeys(("access_key_id", "assumed_role_id", "issued_at", "expires_at"))


def requested(user: str = "jdoe", number: int = 1, *, at: datetime = NOW, **changes: Any) -> Receipt:
    """A request whose outcome is not known."""
    known: dict[str, Any] = {
        "recipient": user,
        "venue": Venue("sbg", "dev"),
        "account_id": ACCOUNT,
        "region": "us-west-2",
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/unity-sbg-dev-sts",
        "session_name": f"{user}-{at.strftime('%Y%m%dT%H%M%SZ')}-{number:06x}",
        "method": "assume_role",
        "duration_requested": 3600,
        "duration_seconds": 3600,
        "issuer_arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/mcp-tenantOperator/admin",
        "external_id_source": "parameter",
        "allows": {"access": ["s3_read"], "buckets": ["sbg-dev-unity-data"], "bucket_prefixes": ["incoming"]},
        "context": {"ticket": "MDPS-1"},
        "issue_until": latest_answer(at, timedelta(seconds=60)),
    }
    return Receipt.requested(unique=f"{number:08x}", at=at, **{**known, **changes})


def issued(user: str = "jdoe", number: int = 1, *, at: datetime = NOW, **changes: Any) -> Receipt:
    """A token that was issued right after it was requested."""
    receipt = requested(user, number, at=at, **changes)
    return receipt.with_token(
        at=at,
        access_key_id=f"ASIAEXAMPLE{number:09}",
        assumed_role_id=f"{ROLE_ID}:{receipt.session_name}",
        expires_at=at + timedelta(seconds=receipt.duration_seconds),
    )


def recent(minutes: int = 10, **changes: Any) -> Receipt:
    """A token that was issued some minutes ago, by the clock of this machine."""
    return issued(at=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=minutes), **changes)


def ago(**length: float) -> str:
    """The time before now, by the clock of this machine, as options take it."""
    return (datetime.now(UTC) - timedelta(**length)).strftime("%Y-%m-%dT%H:%M:%SZ")


def lies_about(at: datetime) -> dict[str, list[Any]]:
    """Values that a forged line may have instead of the true ones, by field.

    :param at: when the token was requested.
    """

    def later(minutes: int) -> str:
        return (at + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")

    return {
        "state": ["requested", "issued", "delivered", "kept", "failed"],
        "recorded_at": [later(-600), later(90)],
        "recipient": ["mallory", "jdoe "],
        "venue": ["ops"],
        "role_arn": [f"arn:aws:iam::{ACCOUNT}:role/other"],
        "session_name": ["jdoe", "mallory-1"],
        "method": ["saml", "web_identity"],
        "issue_until": [later(0), later(120)],
        "duration_requested": [1, 43200],
        "duration_seconds": [1, 43200],
        "source_identity": ["mallory"],
        "allows": [None, {}],
        "context": [None, {"web_identity_subject": "mallory"}, {"saml_subject": "mallory"}],
        "note": ["a note"],
        "access_key_id": ["ASIAFORGEDFORGED0001"],
        "assumed_role_id": ["AROAFAKEFAKEFAKEFAKE:jdoe-1"],
        "issued_at": [later(-5), later(119)],
        "expires_at": [later(1), later(179), later(720)],
        "handoff": [None, {"at": later(0), "delivered": True, "channel": "file"}],
        "problem": ["No space left."],
    }
