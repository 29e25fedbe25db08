# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One token from the request to the recorded outcome: record the intent, assume the role, deliver, record the outcome.

Whatever is raised on the way, the receipt says what happened, and a sealed parcel is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..._domain.errors import DeliveryFailed, IssueInterrupted, ReceiptNotKept, VenueError
from ..._domain.receipts import Receipt
from ..._domain.times import iso
from .._operation import Result, Runtime, unexpected
from .interruption import Interrupted, SignalGuard
from .parts import Authorized, Delivered, Delivery, Issued, Kept

TO_REVOKE = "To make sure that it cannot be used, run the playbook mdps.venue_sts.revoke for this user."


class Pipeline:
    """The issue of one token. It knows at every moment which steps are complete.

    :param operation: the name of the module, for messages.
    :param record: writes a receipt to every store; raises ReceiptNotKept.
    """

    def __init__(self, operation: str, delivery: Delivery, record: Callable[[Receipt], None], runtime: Runtime) -> None:
        self._operation, self._delivery, self._record, self._runtime = operation, delivery, record, runtime
        self._receipt: Receipt | None = None
        self._asked = self._answered = self._described = self._recorded = False
        self._parcel: Any = None
        self._delivered: Delivered | None = None

    def issue(self, authorized: Authorized) -> Result:
        """Ask STS for a token and deliver it.

        :raises VenueError: its facts have the receipt as far as it could be completed.
        """
        self._receipt = authorized.receipt
        return self._guarded(lambda: self._issue(authorized))

    def send(self, parcel: Any, receipt: Receipt | None) -> Result:
        """Deliver a parcel that was sealed before.

        :param receipt: None if it is not known; then nothing is recorded.
        :raises VenueError: as for ``issue``.
        """
        self._asked = self._answered = True
        self._parcel, self._receipt = parcel, receipt
        return self._guarded(self._send)

    def _issue(self, authorized: Authorized) -> None:
        self._delivery.check_deliverable(authorized.receipt)
        self._record(authorized.receipt)
        self._asked = True
        issued = authorized.assume()
        receipt = self._receipt = self._with_token(authorized.receipt, issued)
        self._answered = True
        authorized.verify(issued)
        self._parcel = self._delivery.pack(issued, receipt)
        self._send()

    def _send(self) -> None:
        self._delivered = self._delivery.deliver(self._parcel)
        if self._receipt:
            self._receipt = self._with_outcome(self._receipt, self._delivered.target, "", "")
            self._described = True
            self._record(self._receipt)
        self._recorded = True

    def _with_token(self, receipt: Receipt, issued: Issued) -> Receipt:
        context = {**(receipt.context or {}), **issued.context}
        named = replace(receipt, session_name=issued.session_name, source_identity=issued.source_identity)
        return replace(named, context=context).with_token(
            at=self._runtime.now(),
            access_key_id=issued.access_key_id,
            assumed_role_id=issued.assumed_role_id,
            expires_at=issued.expires_at,
        )

    def _with_outcome(self, receipt: Receipt, target: str, problem: str, kept: str) -> Receipt:
        outcome = self._delivery.describe(self._parcel)
        now = self._runtime.now()
        if outcome is None:
            return receipt.failed(problem, now) if problem else receipt
        known = {"target": target or None, "problem": problem or None, "kept": kept or None}
        return receipt.with_handoff({**outcome, **known, **({"delivered": False} if problem else {})}, now)

    def _guarded(self, work: Callable[[], None]) -> Result:
        result: Result = {}

        def whole() -> None:
            work()
            result.update(self._result())

        with SignalGuard() as guard:
            error = guard.run(whole)  # whatever it is, the receipt must say what happened to the token
            if error and not self._recorded:
                raise self._failure(self._cause(error)) from None
            return result or self._result()

    def _result(self) -> Result:
        delivery = self._delivery.finish(self._parcel, self._delivered) if self._delivered else {}
        return {"changed": True, **delivery, **self._receipt_facts()}

    def _receipt_facts(self) -> Result:
        return {"receipt": self._receipt.to_json()} if self._receipt else {}

    def _failure(self, cause: VenueError) -> VenueError:
        """Complete the receipt after an exception, and say everything in one error."""
        if self._delivered and not self._delivered.in_result:
            return self._not_recorded(cause, self._delivered)
        kept = self._keep() if self._parcel is not None else Kept("", {}, "")
        if not kept:
            kept = replace(kept, advice=_joined(kept.advice, self._advice(cause)))
        self._complete(cause, lambda receipt: self._completed(receipt, cause, kept))
        unrecorded = self._try_to_record()  # also if one store has failed: another may have the intent alone
        if isinstance(cause, ReceiptNotKept):
            unrecorded = ""  # the cause has said it
        message = _joined(cause.message, kept.advice, unrecorded)
        shown = self._delivered.facts if self._delivered else {}
        known = {"changed": self._asked, **self._delivery.facts(), **cause.facts}
        facts = {**known, **shown, **kept.facts, **self._receipt_facts()}
        if self._parcel is None:
            return _with_message(cause, message, facts)
        return DeliveryFailed(message, **{"delivered": False, **facts})

    def _advice(self, cause: VenueError) -> str:
        if self._answered:
            return f"A token was issued, but was not delivered. {TO_REVOKE} Then issue a new one."
        if self._asked and not _is_refusal(cause):
            return f"Whether AWS issued a token is not known. {TO_REVOKE}"
        return "" if self._asked else "No token was issued."

    def _not_recorded(self, cause: VenueError, delivered: Delivered) -> VenueError:
        """Describe a token that arrived, and whose receipt was not completed at the first attempt."""
        if not self._described:
            self._complete(cause, lambda receipt: self._with_outcome(receipt, delivered.target, "", ""))
        problem = self._try_to_record()
        secret = self._delivery.returns_keys
        facts = self._delivery.facts() if secret else self._delivery.finish(self._parcel, delivered)
        known = {"changed": True, **cause.facts, **facts, **self._receipt_facts()}
        how = "delivered" if self._receipt is None or self._receipt.state == "delivered" else "saved"
        done = "The token was issued" if secret else f"The token was {how} ({delivered.target})"
        if problem:
            return ReceiptNotKept(f"{done}, but: {problem} Keep the receipt in this result.", **known)
        return _with_message(cause, f"{cause.message} {done}, and its receipt is complete.", known)

    def _complete(self, cause: VenueError, completed: Callable[[Receipt], Receipt]) -> None:
        """Bring the receipt to its last state."""
        if self._receipt is None:
            return
        try:
            self._receipt = completed(self._receipt)
        except BaseException as error:  # a receipt without its details is better than none
            self._receipt = replace(self._receipt, problem=f"{cause.message} {self._cause(error).message}")

    def _completed(self, receipt: Receipt, cause: VenueError, kept: Kept) -> Receipt:
        now = self._runtime.now()
        if kept:
            return self._with_outcome(receipt, "", cause.message, kept.path)
        if self._asked and not self._answered and not _is_refusal(cause):
            # A token may have been issued: what was requested remains what is known.
            return replace(receipt, problem=cause.message, recorded_at=now)
        return receipt.failed(cause.message, now)

    def _keep(self) -> Kept:
        try:
            return self._delivery.keep(self._parcel)
        except BaseException as error:  # the receipt must be completed anyway
            return self._delivery.keep_in_result(self._parcel, self._cause(error).message)

    def _try_to_record(self) -> str:
        """Record the receipt. Return the problem, or an empty text."""
        try:
            if self._receipt:
                self._record(self._receipt)
        except BaseException as error:  # the result of the task has the receipt
            return self._cause(error).message
        return ""

    def _cause(self, error: BaseException) -> VenueError:
        if isinstance(error, VenueError):
            return error
        if isinstance(error, Exception):
            return unexpected(error, self._operation)
        reason = str(error) if isinstance(error, Interrupted) else type(error).__name__
        return IssueInterrupted(f"The task was interrupted ({reason}) at {iso(self._runtime.now())}.")


def _is_refusal(error: VenueError) -> bool:
    """Whether AWS answered that it issues no token, and every earlier attempt of the call was answered as well."""
    return bool(error.facts.get("error_code")) and not error.facts.get("answer_lost")


def _joined(*sentences: str) -> str:
    """Return sentences as one text. One that ends with a command or a path keeps its end as it is."""
    return " ".join(one for one in sentences if one)


def _with_message(error: VenueError, message: str, facts: Mapping[str, Any]) -> VenueError:
    error.message = message
    error.args = (message,)
    error.facts.update(facts)
    return error
