# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds tokens: CloudTrail's events of their issue joined with receipts, and the state of each token.

Events: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
Of an event, only the fields named here are read. Every other one, such as the external ID in requestParameters, is left
out, so that it cannot be shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .arns import ROLE_ARN, SESSION_ARN, SESSION_NAME
from .names import CHECK_SESSION, Venue
from .receipts import CLOCK_TOLERANCE, Receipt
from .revocation import Revocation
from .secret_text import ACCESS_KEY_ID
from .times import EARLIEST, LATEST, iso
from .token_request import LONGEST_SESSION
from .untrusted import safe_text

WEB_IDENTITY_EVENT = "AssumeRoleWithWebIdentity"
EVENTS = ("AssumeRole", "AssumeRoleWithSAML", WEB_IDENTITY_EVENT)
DEFAULT_DURATION = timedelta(hours=1)
_EXPIRATIONS = ("%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p")


@dataclass(frozen=True)
class Session:
    """One token, as far as it is known.

    :param role_id: the unique id of the role that the token is of; '' if it is not known.
    :param outcome: ``issued``, ``unknown`` (requested, but the answer was not recorded) or ``failed``.
    :param latest_end: a time at which the token has certainly ended.
    :param subject: the subject of the web identity token that it was issued for; '' for other methods.
    :param subject_issuer: the issuer of that token, as its provider in IAM names it.
    :param requested_at: when it was requested, where only a receipt says so; None if CloudTrail knows the token.
    """

    role_arn: str
    session_name: str
    access_key_id: str
    issued_at: datetime
    expires_at: datetime
    latest_end: datetime
    role_id: str = ""
    outcome: str = "issued"
    recipient: str = ""
    issuer_arn: str = ""
    source_identity: str = ""
    venue: Venue | None = None
    sources: tuple[str, ...] = ()
    subject: str = ""
    subject_issuer: str = ""
    requested_at: datetime | None = None
    issued_by: datetime | None = None

    @property
    def role_name(self) -> str:
        """The role's name, without its path."""
        return self.role_arn.rpartition("/")[2]

    def state(
        self,
        revocations: Sequence[Revocation],
        now: datetime,
        present_role_id: str,
        role_created: datetime | None = None,
    ) -> str:
        """``live``, ``unknown``, ``revoked``, ``role_gone``, ``failed`` or ``expired``.

        :param present_role_id: the unique id of the role as it is now; '' if there is no role.
        :param role_created: when that role was created; None if it is not known.
        """
        if self.expires_at <= now:
            return "expired"
        of_another = bool(self.role_id) and self.role_id != present_role_id
        if not present_role_id or (of_another and self._is_of_an_earlier_role(role_created)):
            return "role_gone"
        # AWS may have refused the source identity of a request whose answer was not recorded.
        identity = (self.source_identity or None) if self.outcome == "issued" else None
        if any(one.refuses(self.session_name, identity, self.issued_by or self.issued_at) for one in revocations):
            return "revoked"
        if of_another:
            return "unknown"
        return {"issued": "live"}.get(self.outcome, self.outcome)

    def _is_of_an_earlier_role(self, role_created: datetime | None) -> bool:
        """Whether the role was created again after the token was requested. A receipt can name any role id."""
        if self.requested_at is None:
            return True
        return role_created is not None and role_created > self.requested_at + CLOCK_TOLERANCE

    def shown(
        self,
        revocations: Sequence[Revocation],
        now: datetime,
        present_role_id: str,
        role_created: datetime | None = None,
    ) -> dict[str, Any]:
        """The session as results list it."""
        return {
            "recipient": self.recipient or None,
            "session_name": self.session_name,
            "access_key_id": self.access_key_id or None,
            "issuer_arn": self.issuer_arn or None,
            "source_identity": self.source_identity or None,
            "web_identity_subject": self.subject or None,
            "web_identity_issuer": self.subject_issuer or None,
            "role_name": self.role_name,
            "role_arn": self.role_arn,
            "issued_at": iso(self.issued_at),
            "expires_at": iso(self.expires_at),
            "state": self.state(revocations, now, present_role_id, role_created),
            "sources": list(self.sources),
        }


def from_event(text: str) -> Session | None:
    """The token that a CloudTrail event is about; None if it issued none, or cannot be read.

    :param text: the event's own JSON.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or event.get("eventName") not in EVENTS or event.get("errorCode"):
        return None
    asked, given, who = (part(event, name) for name in ("requestParameters", "responseElements", "userIdentity"))
    role, issued = _matched(ROLE_ARN, asked.get("roleArn")), time_of(event.get("eventTime"))
    # An assertion names the session: only the answer has it.
    session = _matched(SESSION_NAME, asked.get("roleSessionName")) or _session_of(
        words(part(given, "assumedRoleUser"), "arn")
    )
    if not role or not session or not issued:
        return None
    keys = part(given, "credentials")
    ends = _end(keys, asked, issued)
    return Session(
        role_arn=role,
        session_name=session,
        access_key_id=key_id(keys.get("accessKeyId")),
        issued_at=issued,
        expires_at=ends,
        latest_end=ends + CLOCK_TOLERANCE,
        role_id=words(part(given, "assumedRoleUser"), "assumedRoleId").partition(":")[0],
        recipient="(a check by provisioning; its credentials were discarded)" if session == CHECK_SESSION else "",
        issuer_arn=words(who, "arn") or words(who, "principalId") or words(who, "invokedBy"),
        source_identity=_matched(SESSION_NAME, given.get("sourceIdentity") or asked.get("sourceIdentity")),
        sources=("cloudtrail",),
        subject=words(given, "subjectFromWebIdentityToken") or _user(who),
        subject_issuer=_issuer(words(given, "provider")) if event["eventName"] == WEB_IDENTITY_EVENT else "",
    )


def from_use(text: str, access_key_id: str) -> Session | None:
    """The token that signed a call, as the event of the call describes it; None if it was another key.

    It does not say when the token ends, so that is as late as it can be.

    :param text: the event's own JSON.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return None
    who = part(event, "userIdentity") if isinstance(event, dict) else {}
    context = part(who, "sessionContext")
    role = _matched(ROLE_ARN, part(context, "sessionIssuer").get("arn"))
    session = _session_of(words(who, "arn"))
    issued = time_of(part(context, "attributes").get("creationDate"))
    if key_id(who.get("accessKeyId")) != access_key_id or not role or not session or not issued:
        return None
    return Session(
        role_arn=role,
        session_name=session,
        access_key_id=access_key_id,
        issued_at=issued,
        expires_at=issued + LONGEST_SESSION,
        latest_end=issued + LONGEST_SESSION + CLOCK_TOLERANCE,
        role_id=words(who, "principalId").partition(":")[0],
        source_identity=_matched(SESSION_NAME, context.get("sourceIdentity")),
        sources=("cloudtrail",),
        subject_issuer=_issuer(words(part(context, "webIdFederationData"), "federatedProvider")),
    )


def signer_of(text: str, access_key_id: str) -> str:
    """Return the ARN of whoever signed a call with a key, if it is not a session of a role; otherwise ''.

    :param text: the event's own JSON.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    who = part(event, "userIdentity") if isinstance(event, dict) else {}
    arn = words(who, "arn")
    return arn if key_id(who.get("accessKeyId")) == access_key_id and ":assumed-role/" not in arn else ""


def _issuer(provider: str) -> str:
    """The issuer of web identity tokens, of which events have the name or the ARN of the provider."""
    return provider.rpartition(":oidc-provider/")[2]


def _user(who: Mapping[str, Any]) -> str:
    """The subject of a web identity token, as the event's userIdentity names it."""
    return words(who, "userName") if who.get("type") == "WebIdentityUser" else ""


def _session_of(arn: str) -> str:
    found = SESSION_ARN.fullmatch(arn)
    return _matched(SESSION_NAME, found[4]) if found else ""


def _end(keys: Mapping[str, Any], asked: Mapping[str, Any], issued: datetime) -> datetime:
    """The end of a token: what STS answered, else what was asked for. Neither is after what any role allows."""
    ends = time_of(keys.get("expiration"))
    if ends and issued < ends <= issued + LONGEST_SESSION + CLOCK_TOLERANCE:
        return ends
    seconds = asked.get("durationSeconds")
    if isinstance(seconds, int) and 0 < seconds <= LONGEST_SESSION.total_seconds():
        return issued + timedelta(seconds=seconds)
    return issued + DEFAULT_DURATION


def part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within an event; an empty one if it is missing."""
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def words(whole: Mapping[str, Any], name: str) -> str:
    """A text within an event, safe to be shown; '' if it is missing."""
    text = whole.get(name)
    return safe_text(text) if isinstance(text, str) else ""


def key_id(text: Any) -> str:
    """An access key id within an event; '' for anything else."""
    return _matched(ACCESS_KEY_ID, text)


def _matched(pattern: re.Pattern[str], text: Any) -> str:
    return text if isinstance(text, str) and pattern.fullmatch(text) else ""


def time_of(text: Any) -> datetime | None:
    """A time as CloudTrail writes it: ISO 8601 for the event, American for the expiration of the credentials."""
    if not isinstance(text, str):
        return None
    plain = text.replace("\u202f", " ")
    for read in (datetime.fromisoformat, *[_reader(form) for form in _EXPIRATIONS]):
        try:
            moment = read(plain)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
        return moment if EARLIEST <= moment < LATEST else None
    return None


def _reader(form: str) -> Any:
    return lambda text: datetime.strptime(text, form).replace(tzinfo=UTC)


def from_receipt(receipt: Receipt) -> Session:
    """The token that a receipt is about."""
    outcome = "issued" if receipt.access_key_id else "failed" if receipt.state == "failed" else "unknown"
    return Session(
        role_arn=receipt.role_arn,
        session_name=receipt.session_name,
        access_key_id=receipt.access_key_id or "",
        issued_at=receipt.issued_at or receipt.requested_at,
        expires_at=receipt.expires_at or receipt.ends_by,
        latest_end=receipt.ends_by,
        role_id=receipt.role_id,
        outcome=outcome,
        recipient=receipt.recipient,
        issuer_arn=receipt.issuer_arn or "",
        source_identity=receipt.source_identity or "",
        venue=receipt.venue,
        sources=("receipt",),
        subject=receipt.context.get("web_identity_subject", ""),
        subject_issuer=receipt.context.get("web_identity_issuer", ""),
        requested_at=receipt.requested_at,
        issued_by=_issued_by(receipt),
    )


def _issued_by(receipt: Receipt) -> datetime:
    """The latest time at which AWS may have issued the token of a receipt, by AWS's clock.

    That of the machine which wrote the receipt may be behind, and a later revocation must not seem to refuse the token.
    """
    if receipt.issued_at is None or receipt.expires_at is None:
        return receipt.issue_until
    by_its_end = receipt.expires_at - timedelta(seconds=receipt.duration_seconds)
    # An identity provider may end a session early.
    if receipt.method != "saml" and abs(by_its_end - receipt.issued_at) <= CLOCK_TOLERANCE:
        return by_its_end
    return min(receipt.issued_at + CLOCK_TOLERANCE, max(receipt.issue_until, receipt.issued_at))


def join(events: Iterable[Session], receipts: Sequence[Session]) -> list[Session]:
    """One entry for each token, newest first. CloudTrail takes precedence over receipts, except for the recipient.

    A receipt that names another role or session than the event of the same access key is an entry of its own. If
    receipts name several recipients or venues, each of them has an entry, because nothing tells which one is true.
    """
    unmatched: dict[tuple[str, str, str], list[Session]] = {}
    for one in receipts:
        unmatched.setdefault(_token(one), []).append(one)
    joined = []
    for event in {one.access_key_id or str(one): one for one in events}.values():
        joined += [_merged(event, one) for one in _taken(unmatched, event)] or [event]
    rest = [one for some in unmatched.values() for one in some]
    return sorted([*joined, *rest], key=lambda one: (one.issued_at, one.session_name), reverse=True)


def _token(session: Session) -> tuple[str, str, str]:
    return session.role_arn, session.session_name, session.access_key_id


def _taken(unmatched: dict[tuple[str, str, str], list[Session]], event: Session) -> list[Session]:
    """The receipts of an event, one for each recipient and venue.

    They are those of its access key, or the requests whose answer was not recorded.
    """
    same = unmatched.pop(_token(event), []) if event.access_key_id else []
    if same:
        return list({(one.recipient, one.venue): one for one in same}.values())
    place = (event.role_arn, event.session_name, "")
    taken: dict[tuple[str, Venue | None], Session] = {}
    left = []
    for one in unmatched.get(place, []):
        is_asked = one.issued_at - CLOCK_TOLERANCE <= event.issued_at < one.latest_end
        if is_asked and (one.recipient, one.venue) not in taken:
            taken[one.recipient, one.venue] = one
        else:
            left.append(one)
    unmatched[place] = left
    return list(taken.values())


def _merged(event: Session, receipt: Session) -> Session:
    return replace(
        event,
        recipient=receipt.recipient,
        venue=receipt.venue,
        subject=event.subject or receipt.subject,
        subject_issuer=event.subject_issuer or receipt.subject_issuer,
        sources=("cloudtrail", "receipt"),
    )
