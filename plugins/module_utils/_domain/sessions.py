# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds tokens: CloudTrail's events of their issue joined with receipts, and what became of each token.

Events: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
Nothing of an event is taken for granted: what it does not tell stays empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .receipts import Receipt
from .revocation import Revocation
from .times import iso

EVENTS = ("AssumeRole", "AssumeRoleWithSAML")
CHECK_SESSION = "mdps-venue-sts-check"  # the session by which provisioning proves that the role can be assumed
DEFAULT_DURATION = 3600
_EXPIRATIONS = ("%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p")


class Session(NamedTuple):
    """One token, as far as it is known."""

    role_name: str
    session_name: str
    access_key_id: str
    issued_at: datetime
    expires_at: datetime
    recipient: str = ""
    issuer_arn: str = ""
    source_identity: str = ""
    sources: tuple[str, ...] = ()

    def state(self, revocations: Sequence[Revocation], now: datetime) -> str:
        """``expired``, ``revoked`` or ``live``."""
        if self.expires_at <= now:
            return "expired"
        return (
            "revoked"
            if any(one.refuses(self.session_name, self.source_identity or None, self.issued_at) for one in revocations)
            else "live"
        )

    def shown(self, revocations: Sequence[Revocation], now: datetime) -> dict[str, Any]:
        """As results list it."""
        return {
            "recipient": self.recipient or None,
            "session_name": self.session_name,
            "access_key_id": self.access_key_id or None,
            "issuer_arn": self.issuer_arn or None,
            "source_identity": self.source_identity or None,
            "role_name": self.role_name,
            "issued_at": iso(self.issued_at),
            "expires_at": iso(self.expires_at),
            "state": self.state(revocations, now),
            "sources": list(self.sources),
        }


def from_event(text: str) -> Session | None:
    """The token that a CloudTrail event tells of; None if it issued none, or is of something else.

    :param text: the event's own JSON.
    """
    try:
        event = json.loads(text)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("eventName") not in EVENTS or event.get("errorCode"):
        return None
    asked, given, who = (_part(event, name) for name in ("requestParameters", "responseElements", "userIdentity"))
    role, session, issued = (
        str(asked.get("roleArn") or ""),
        str(asked.get("roleSessionName") or ""),
        _time(event.get("eventTime")),
    )
    if not session:  # an assertion names the session: only the answer tells
        session = str(_part(given, "assumedRoleUser").get("arn") or "").rpartition("/")[2]
    if not role or not session or not issued:
        return None
    keys = _part(given, "credentials")
    seconds = asked.get("durationSeconds")
    ends = issued + timedelta(seconds=seconds if isinstance(seconds, int) else DEFAULT_DURATION)
    return Session(
        role_name=role.rpartition("/")[2],
        session_name=session,
        access_key_id=str(keys.get("accessKeyId") or ""),
        issued_at=issued,
        expires_at=_time(keys.get("expiration")) or ends,
        recipient="(a check by provisioning; its keys were thrown away)" if session == CHECK_SESSION else "",
        issuer_arn=str(who.get("arn") or who.get("principalId") or who.get("invokedBy") or ""),
        source_identity=str(given.get("sourceIdentity") or asked.get("sourceIdentity") or ""),
        sources=("cloudtrail",),
    )


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _time(text: Any) -> datetime | None:
    """A time as CloudTrail writes it: ISO 8601 for the event, American for the keys' end."""
    plain = str(text or "").replace("\u202f", " ")
    try:
        moment = datetime.fromisoformat(plain)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    for form in _EXPIRATIONS:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def from_receipt(receipt: Receipt) -> Session:
    """The token that a receipt is of."""
    return Session(
        role_name=receipt.role_name,
        session_name=receipt.session_name,
        access_key_id=receipt.access_key_id or "",
        issued_at=receipt.issued_at or receipt.requested_at,
        expires_at=receipt.expires_at or receipt.ends_by,
        recipient=receipt.recipient,
        issuer_arn=receipt.issuer_arn or "",
        source_identity=receipt.source_identity or "",
        sources=("receipt",),
    )


def join(events: Iterable[Session], receipts: Sequence[Session]) -> list[Session]:
    """One entry a token, newest first. CloudTrail knows when and by whom, the receipt for whom."""
    kept: list[Session] = []
    by_key = {one.access_key_id: one for one in receipts if one.access_key_id}
    rest = [one for one in receipts if not one.access_key_id]
    for event in {one.access_key_id or str(one): one for one in events}.values():
        receipt = by_key.pop(event.access_key_id, None)
        kept.append(_merged(event, receipt) if receipt else event)
    kept += [*by_key.values(), *rest]
    return sorted(kept, key=lambda one: (one.issued_at, one.session_name), reverse=True)


def _merged(event: Session, receipt: Session) -> Session:
    return event._replace(
        recipient=receipt.recipient,
        expires_at=receipt.expires_at,
        source_identity=event.source_identity or receipt.source_identity,
        sources=("cloudtrail", "receipt"),
    )
