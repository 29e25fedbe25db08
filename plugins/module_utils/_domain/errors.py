# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong, in the words of the person who has to act on it.

One place turns these into ``fail_json`` (the front ends); one place turns AWS's errors into these (``_aws/calls.py``).
"""

from __future__ import annotations

from typing import Any


def printable(text: str) -> str:
    """Return a text with everything escaped that is not printable, such as line breaks and terminal sequences."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class VenueError(Exception):
    """A failure that the user can understand: what was attempted, what failed, and what to do.

    :param message: one or two sentences, never with a secret in them. Control characters are escaped: what a message
        quotes may come from a survey, a tag or another system, and must not reach a terminal or forge a line of a log.
    :param facts: further JSON-ready values for the result, so that a playbook may branch on them.
    """

    def __init__(self, message: str, **facts: Any) -> None:
        self.message = printable(message)
        super().__init__(self.message)
        self.facts = facts

    def to_result(self, subject: str = "") -> dict[str, Any]:
        """The failure as a module result. ``error`` names the class, for ``rescue`` blocks.

        :param subject: what the work was about (``Venue sbg-dev``), put in front of the message.
        """
        message = f"{printable(subject)}: {self.message}" if subject else self.message
        return {"msg": message, "error": type(self).__name__, **self.facts}


class InvalidInput(VenueError):
    """An option that cannot be right, found before anything was asked of AWS.

    :param option: the option's name, as the user wrote it.
    :param problem: what is wrong with it and what would be right.
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(f"{option}: {problem}", option=option)


class LimitExceeded(InvalidInput):
    """A request for more than the venue's limits allow."""


class MissingDependency(VenueError):
    """A library or program is not installed where the work runs."""


class ConnectionProblem(VenueError):
    """No credentials, no region, no network.

    The request never reached AWS or was not accepted as coming from somebody.
    """


class CredentialsProblem(ConnectionProblem):
    """There are no AWS credentials, or what provides them (a helper program, IAM Identity Center, STS) fails."""


class AwsRefused(VenueError):
    """AWS answered with an error.

    :param operation: the IAM action name, such as ``iam:CreateRole``.
    :param code: AWS's error code.
    :param request_id: what AWS support asks for.
    :param said: AWS's own message, without secrets.
    """

    def __init__(self, message: str, *, operation: str, code: str, request_id: str = "", said: str = "") -> None:
        super().__init__(message, operation=operation, error_code=code, request_id=request_id)
        self.operation = operation
        self.code = code
        self.said = said


class NotProvisioned(VenueError):
    """The venue has no STS role, no external ID, or no published bucket or boundary."""


class MissingReference(VenueError):
    """A boundary, KMS key, principal or provider that the options name does not exist, or cannot be used."""


class UnconfirmedChange(VenueError):
    """A change of an existing role that comes from SSM or from another region, and that nobody has confirmed."""


class OwnershipConflict(VenueError):
    """The role of that name belongs to another venue, or to nobody that is known."""


class ExternalIdMismatch(VenueError):
    """Two of the places that state the venue's external ID do not agree. Values are never named."""


class AccountMismatch(VenueError):
    """The credentials are for another AWS account than the venue's."""


class NotAssumable(VenueError):
    """The role exists, yet AssumeRole does not succeed."""


class VenueLocked(VenueError):
    """The venue is locked, and what was asked for would open it."""


class NotProven(VenueError):
    """Something was revoked or locked, but the proof that was asked for did not succeed."""


class ConcurrentChange(VenueError):
    """Somebody else changed the venue between our read and our write: read again and plan again."""


class NoRecipientKey(VenueError):
    """There is no public key for the person the token is for, so nothing can be sealed to them."""


class KeyChanged(InvalidInput):
    """The recipient's key is not the one of their last token, and nobody has confirmed the new one."""


class LeaseRefused(VenueError):
    """A lease that is not valid: not signed, altered, ended, or different from what the venue is now."""


class RenewalFailed(VenueError):
    """Leases whose next token could not be delivered. The others were renewed."""


class SealingFailed(VenueError):
    """The encryption program refused keys that looked right."""


class DeliveryFailed(VenueError):
    """The sealed bundle exists, but did not reach the place it was meant for."""


class ReceiptNotKept(VenueError):
    """The record of an issue could not be written. The receipt itself is among the facts: it is no secret."""


class TooManyReceipts(VenueError):
    """A store has more receipts than are read, so not every token is known.

    :param place: the bucket and prefix, or the parameter path.
    """


class FileNotWritten(VenueError):
    """A file could not be written. An existing file is unchanged."""


class UnexpectedError(VenueError):
    """A bug in this collection, or an unexpected state of the machine. No value and no text of the cause.

    :param operation: the module that was running.
    :param kind: the exception's type, such as ``KeyError``.
    :param place: file and line in this collection.
    :param reason: the operating system's own words for the error number, such as ``No space left on device``.
    """

    def __init__(self, operation: str, kind: str, place: str, reason: str = "") -> None:
        where = f" at {place}" if place else ""
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"{operation} stopped because of an unexpected {kind}{because}{where}. Its text is not shown, because it "
            "may quote a secret. Check the options, then report this message to the maintainers.",
            operation=operation,
            exception=kind,
            place=place,
        )


class IssueInterrupted(VenueError):
    """A signal ended the task while a token was being issued or delivered. The receipt is among the facts."""
