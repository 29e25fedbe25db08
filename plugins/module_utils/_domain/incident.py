# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A key that was found: which token it is of, as receipts and CloudTrail say, which may contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .names import Venue
from .receipts import CLOCK_TOLERANCE, Receipt
from .sessions import Session, from_event, from_receipt, from_use, join, signer_of
from .times import iso
from .users import is_generated, is_session_of
from .uses import DERIVE, Use, use_from

S3_OBJECTS = (
    "LookupEvents shows management events only: reading, writing and deleting of S3 objects is not among them. Run one "
    "of the queries where a trail with data events or CloudTrail Lake has them."
)
LATE = "CloudTrail shows an event up to 15 minutes after it happened, sometimes later, and keeps 90 days."


@dataclass(frozen=True)
class Identified:
    """What is known of a key.

    :param session: the token that the key is of; None if nothing names it.
    :param receipt: the receipt of that token; None if there is none that agrees.
    :param problems: what contradicts itself, one sentence each.
    :param signer: the ARN of whoever uses the key, where it is not a session of a role; '' if it is, or is not known.
    :param candidates: the receipts that may be true, where they name several tokens and nothing says which one it is.
    """

    session: Session | None
    receipt: Receipt | None
    problems: tuple[str, ...] = ()
    candidates: tuple[Receipt, ...] = ()
    signer: str = ""

    @property
    def ambiguous(self) -> bool:
        """Whether it is not known which of several tokens the key is of."""
        return bool(self.candidates)

    def venue(self, account_id: str) -> Venue | None:
        """The venue that all receipts agree on which may be true, and None if they do not.

        :param account_id: the account that it must be in.
        """
        receipts = [self.receipt] if self.receipt else self.candidates
        venues = {one.venue.key: one.venue for one in receipts}
        elsewhere = self.ambiguous and any(one.account_id != account_id for one in receipts)
        return next(iter(venues.values())) if len(venues) == 1 and not elsewhere else None


def parent_of(events: Iterable[str], access_key_id: str) -> str:
    """The key from which a key was made by ``GetScopedCredentials``; '' if no event says so.

    :param events: the JSON of events that name the key.
    """
    found = [use for use in map(use_from, events) if use and use.action == DERIVE and use.derived_key == access_key_id]
    return found[0].access_key_id if found else ""


def identify(
    access_key_id: str, account_id: str | None, events: Iterable[str], receipts: Sequence[Receipt]
) -> Identified:
    """Find the token of a key. CloudTrail takes precedence over receipts, and the account from AWS over both.

    :param account_id: the account that AWS says the key belongs to; None if it is not known.
    :param events: the JSON of events that name the key, and of calls that it signed, which also say whose it is.
    :param receipts: all receipts that are known.
    """
    named = [one for one in receipts if one.access_key_id == access_key_id]
    reasons = {id(one): _why_implausible(one, account_id) for one in named}
    believed = [one for one in named if not reasons[id(one)]]
    problems = [f"{reasons[id(one)]} The receipt is ignored." for one in named if reasons[id(one)]]
    events = list(events)
    issues = [one for one in map(from_event, events) if one and one.access_key_id == access_key_id]
    issues = issues or [one for one in (from_use(text, access_key_id) for text in events) if one][:1]
    held = join(issues, [from_receipt(one) for one in believed])
    seen = [one for one in held if "cloudtrail" in one.sources]
    if seen:
        receipt = next((one for one in believed if _is_about(one, seen[0])), None)
        problems += [_contradiction(one, seen[0]) for one in believed if not _is_about(one, seen[0])]
        return Identified(seen[0], receipt, (*problems, *_skew(seen[0], receipt)))
    if len({(one.role_arn, one.session_name) for one in held}) > 1:
        names = ", ".join(f"{one.session_name} of {one.role_arn}" for one in held)
        problems.append(
            f"Receipts name several tokens with this key, and CloudTrail does not say which it is: {names}."
        )
        return Identified(None, None, tuple(problems), tuple(believed))
    # Of lines that contradict each other, the one counts whose token lives the longest.
    lasting = max(held, key=lambda one: one.latest_end, default=None)
    signer = next(filter(None, (signer_of(text, access_key_id) for text in events)), "")
    return Identified(lasting, believed[-1] if believed else None, tuple(problems), signer=signer)


def _why_implausible(receipt: Receipt, account_id: str | None) -> str:
    """Why a receipt cannot be true; '' if it can. Whoever may write receipts could end the tokens of somebody else."""
    if account_id not in (None, receipt.account_id):
        return f"The receipt {receipt.id} names account {receipt.account_id} for the key, but AWS says {account_id}."
    if is_generated(receipt.session_name) and not is_session_of(receipt.recipient, receipt.session_name):
        return (
            f"The receipt {receipt.id} says that the session {receipt.session_name} is of {receipt.recipient}, but the "
            "name is that of another user."
        )
    return ""


def _is_about(receipt: Receipt, session: Session) -> bool:
    return (receipt.role_arn, receipt.session_name) == (session.role_arn, session.session_name)


def _contradiction(receipt: Receipt, session: Session) -> str:
    return (
        f"The receipt {receipt.id} says that the key belongs to the session {receipt.session_name} of "
        f"{receipt.role_arn}, but CloudTrail says {session.session_name} of {session.role_arn}. The receipt is ignored."
    )


def _skew(session: Session, receipt: Receipt | None) -> list[str]:
    if not receipt or not receipt.issued_at:
        return []
    apart = abs(receipt.issued_at - session.issued_at)
    if apart <= CLOCK_TOLERANCE:
        return []
    minutes = apart // timedelta(minutes=1)
    return [
        f"The clock where the token was issued differs from AWS's by {minutes} minutes. The times from AWS are shown."
    ]


def is_of(use: Use, session: Session, access_key_ids: Iterable[str]) -> bool:
    """Whether a call is of a session: by its key, or by role and session name together.

    A session name alone says nothing: two venues may have the same, and so may a role that was created again.
    """
    if use.access_key_id in access_key_ids:
        return True
    return bool(session.role_id) and use.principal_id == f"{session.role_id}:{session.session_name}"


def gaps(
    session: Session | None,
    receipt: Receipt | None,
    regions: Sequence[str],
    *,
    asked: bool,
    truncated: bool,
    failed: Mapping[str, str],
) -> list[str]:
    """What could not be seen, one sentence each.

    :param regions: where CloudTrail was asked.
    :param asked: whether CloudTrail was asked at all.
    :param failed: the regions in which it did not answer, each with the reason.
    """
    said = _gaps_of_cloudtrail(regions, failed, asked=asked)
    if truncated:
        said.append("There are more events than max_pages allows: the summary has the newest ones only.")
    if session is None:
        said.append("Neither a receipt nor an event identifies the token of the key.")
    elif receipt is None:
        said.append("No receipt agrees, so recipient, requester and approver are not known.")
    elif asked and not failed and "cloudtrail" not in session.sources:
        said.append("CloudTrail has no event of the issue. Only the receipt identifies the key.")
    if session and "cloudtrail" in session.sources and not session.issuer_arn:
        said.append(
            "CloudTrail has no event of the issue in these regions. The calls with the key identify it. Who issued "
            "the token is not known, and the latest possible expiration is shown."
        )
    return said


def _gaps_of_cloudtrail(regions: Sequence[str], failed: Mapping[str, str], *, asked: bool) -> list[str]:
    answered = [one for one in regions if one not in failed]
    if failed and not answered:
        return [f"CloudTrail could not be read, so only receipts are known: {next(iter(failed.values()))}"]
    if not asked:
        return ["CloudTrail was not searched, so only receipts are known. What was done with the key is not known."]
    return [
        *[f"CloudTrail of {region} could not be read: {why}" for region, why in failed.items()],
        f"Only events of these regions were read: {', '.join(answered)}. Specify others with regions.",
        LATE,
        S3_OBJECTS,
    ]


def provenance(session: Session, receipt: Receipt | None) -> Mapping[str, Any]:
    """Who asked for the token, who approved it, and why."""
    context = receipt.context if receipt else {}
    return {
        "recipient": receipt.recipient if receipt else session.recipient or None,
        "issuer_arn": session.issuer_arn or None,
        **{name: context.get(name) for name in ("requester", "approver", "reason", "ticket", "job", "lease")},
        "receipt_id": receipt.id if receipt else None,
        "issued_at": iso(session.issued_at),
        "expires_at": iso(session.expires_at),
    }
