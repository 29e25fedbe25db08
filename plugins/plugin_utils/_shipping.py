# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The AWS calls of an issue on the host of the task: the module is shipped once for each phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleConnectionFailure

from ..module_utils._domain import errors
from ..module_utils._domain.errors import ReceiptNotKept, VenueError
from ..module_utils._domain.known_keys import KnownKeys
from ..module_utils._domain.receipts import Receipt, parse_receipt
from ..module_utils._domain.times import parse_time
from ..module_utils._operations.issue.parts import Authorized, Issued
from ..module_utils._operations.issue.phases import ASSUME, AUTHORIZE, KNOWN_KEYS, RECORD, from_result

# They are for the controller: what delivers a token is not sent to the host, which has no use for its passwords.
ON_CONTROLLER = ("handoff", "dest", "receipts_file")


@dataclass(frozen=True)
class ShippedHost:
    """The host of a task.

    :param run_module: runs the module there with these options and returns its result.
    :param arguments: the arguments of the task.
    :param warn: shows a warning.
    """

    run_module: Callable[[dict[str, Any]], Mapping[str, Any]]
    arguments: Mapping[str, Any]
    warn: Callable[[str], None]

    def authorize(self) -> Authorized:
        """Check on the host everything that can be known before STS is asked."""
        receipt = parse_receipt("receipt", self._run(AUTHORIZE)["receipt"])
        problems: list[VenueError] = []

        def assume() -> Issued:
            result = self._run(ASSUME, receipt)
            if "problem" in result:
                problems.append(_error(result["problem"]))
            return from_result(result)

        def verify(_issued: Issued) -> None:
            for problem in problems:
                raise problem

        return Authorized(receipt, assume, verify)

    def known_keys(self) -> KnownKeys | None:
        """Read the receipts in S3 and SSM, with the credentials of the host."""
        found = self._run(KNOWN_KEYS)["known_keys"]
        return (
            KnownKeys(
                parse_time("known_keys", found["requested_at"]), tuple(found["fingerprints"]), found["unread_reason"]
            )
            if found
            else None
        )

    def record(self, receipt: Receipt) -> None:
        """Store the receipt in S3 and SSM, with the credentials of the host."""
        try:
            self._run(RECORD, receipt)
        except ReceiptNotKept:
            raise
        except VenueError as error:
            raise ReceiptNotKept(error.message) from None

    def _run(self, phase: str, receipt: Receipt | None = None) -> Mapping[str, Any]:
        arguments = {name: value for name, value in self.arguments.items() if name not in ON_CONTROLLER}
        arguments["_phase"] = phase
        if receipt:
            arguments["_receipt"] = receipt.to_json()
        try:
            result = self.run_module(arguments)
        except AnsibleConnectionFailure as error:
            raise VenueError(f"The host of the task is unreachable: {error.message}", unreachable=True) from None
        for warning in result.get("warnings") or ():
            # A shipped module's warning arrives as a summary of ansible-core's, whose type has no public name.
            self.warn(warning if isinstance(warning, str) else warning.event.msg)
        if result.get("failed") or result.get("unreachable"):
            raise _error(result)
        return result


def _error(result: Mapping[str, Any]) -> VenueError:
    """Return the failure of a module as the error that it was there, with its facts.

    What a module that crashed printed is not among them: it may contain credentials.
    """
    kind = getattr(errors, str(result.get("error")), None)
    message = _message(str(result.get("msg") or "The module failed without a message."))
    if not (isinstance(kind, type) and issubclass(kind, VenueError)):
        return VenueError(message, **{name: result[name] for name in _OF_A_CRASH if name in result})
    error = Exception.__new__(kind)
    VenueError.__init__(error, message, **{name: value for name, value in result.items() if not _of_ansible(name)})
    return error


_OF_A_CRASH = ("unreachable", "exception")


def _of_ansible(name: str) -> bool:
    """Whether ansible-core, and not the error, put this value into the result of a module that failed."""
    return name.startswith("_ansible_") or name in _ANSIBLE


_ANSIBLE = ("ansible_facts", "changed", "deprecations", "error", "failed", "invocation", "msg", "warnings")


def _message(text: str) -> str:
    """Return a message without its subject, which the controller adds again."""
    subject, separator, rest = text.partition(": ")
    return rest if separator and subject.startswith("Venue ") else text
