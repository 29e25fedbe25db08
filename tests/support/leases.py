# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Leases to test with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access import parse_request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.leases import Lease, Renewal, StoredLease
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue

from .receipts import NOW

VENUE = Venue("sbg", "dev")


def lease(user: str = "jdoe", *, unique: str = "3fa91c07", **changed: Any) -> Lease:
    """A lease of three days from ``NOW`` on. What it is limited to is given as the options of a module."""
    asked = {name: changed.pop(name) for name in list(changed) if name in REQUESTED}
    fields: dict[str, Any] = {
        "venue": VENUE,
        "account_id": "123456789012",
        "starts_at": NOW,
        "ends_at": NOW + timedelta(days=3),
        "reason": "calibrate the archive",
        "ticket": "SBG-17",
        "approver": "admin",
        "key_fingerprints": ("age1example",),
        "channel": "s3",
        "place": f"s3://sbg-dev-unity-data/mdps-venue-sts/renewals/sbg/dev/{user}/token.zip.age",
    }
    return Lease.approved(
        unique=unique, at=NOW, user=user, request=parse_request(asked, VENUE), **{**fields, **changed}
    )


REQUESTED = ("access", "buckets", "bucket_prefixes", "ecr_repositories", "duration_seconds")


def renewed(issued: float, expires: float) -> Renewal:
    """What a renewal recorded. The times are minutes after ``NOW``."""
    at: datetime = NOW + timedelta(minutes=issued)
    return Renewal(
        lease_id=lease().id,
        attempted_at=at,
        issued_at=at,
        expires_at=NOW + timedelta(minutes=expires),
        session_name="jdoe-20261122T093015Z-3fa91c",
    )


def stored(renewal: Renewal | None = None, *, version: int = 0) -> StoredLease:
    """A lease as it is stored."""
    return StoredLease(lease(), renewal, version)
