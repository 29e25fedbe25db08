# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The phases of an issue whose AWS calls are made on another host, or as another user.

The action plugin ships the module once for each phase. Between the phases it records the intent on the controller, and
it seals the credentials as soon as they arrive there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..._aws.clients import Clients
from ..._domain.errors import ConcurrentChange, InvalidInput, VenueError
from ..._domain.receipts import Receipt, parse_receipt
from ..._domain.times import iso, parse_time
from ..._receipt_store import ReceiptStores
from .._operation import Operation, Params, Result, Runtime
from .authorize import authorize
from .options import ARGUMENT_SPEC, CONSTRAINTS, NARROWING, TokenOptions, parse
from .parts import Issued

AUTHORIZE, KNOWN_KEYS, ASSUME, RECORD = "authorize", "known_keys", "assume", "record"
# Set by the action plugin alone.
PHASE_SPEC: dict[str, Any] = {
    "_phase": {"type": "str", "choices": [AUTHORIZE, KNOWN_KEYS, ASSUME, RECORD]},
    "_receipt": {"type": "dict"},
}
# What must not have changed between the two phases.
SAME = ("account_id", "role_arn", "session_name", "duration_seconds", "issuer_arn")


@dataclass(frozen=True)
class Phase:
    """One phase.

    :param receipt: the receipt that the controller recorded; None in the first phase.
    """

    name: str
    options: TokenOptions
    stores: ReceiptStores
    receipt: Receipt | None


def _parse(params: Params, clients: Clients, runtime: Runtime) -> Phase:
    if not params["_phase"]:
        raise InvalidInput("_phase", "is set by the action plugin of this module, without which it does not work.")
    receipt = parse_receipt("_receipt", params["_receipt"]) if params["_receipt"] else None
    if receipt:
        params = {**params, "session_name": receipt.session_name}
    stores = replace(ReceiptStores.from_options(params), file=None)
    return Phase(params["_phase"], parse(params, clients, runtime), stores, receipt)


def _execute(phase: Phase, clients: Clients, runtime: Runtime) -> Result:
    if phase.name == AUTHORIZE:
        return {"receipt": authorize(phase.options, clients, runtime).receipt.to_json()}
    if phase.name == KNOWN_KEYS:
        options = phase.options
        found = phase.stores.known_keys(clients, options.venue, options.user, runtime.now())
        return {"known_keys": {**found._asdict(), "requested_at": iso(found.requested_at)} if found else None}
    if phase.receipt is None:
        raise InvalidInput("_receipt", "is required in this phase.")
    if phase.name == RECORD:
        phase.stores.record(phase.receipt, clients)
        return {}
    return _assume(phase.options, phase.receipt, clients, runtime)


def _assume(options: TokenOptions, receipt: Receipt, clients: Clients, runtime: Runtime) -> Result:
    # Its warnings were shown in the first phase.
    authorized = authorize(options, clients, replace(runtime, warn=lambda _message: None))
    changed = [name for name in SAME if getattr(authorized.receipt, name) != getattr(receipt, name)]
    if changed:
        raise ConcurrentChange(f"{', '.join(changed)} changed between the check and the issue. Run again.")
    issued = authorized.assume()
    try:
        authorized.verify(issued)
    except VenueError as error:
        return {**to_result(issued), "problem": error.to_result()}
    return to_result(issued)


def to_result(issued: Issued) -> Result:
    """Return what STS answered as the result of a module. Secret."""
    return {"issued": {**asdict(issued), "expires_at": iso(issued.expires_at)}}


def from_result(result: Mapping[str, Any]) -> Issued:
    """Return what STS answered from the result of a module."""
    fields = dict(result["issued"])
    return Issued(**{**fields, "expires_at": parse_time("expires_at", fields["expires_at"])})


OPERATION: Operation[Phase] = Operation(
    name="venue_sts_token",
    argument_spec={**ARGUMENT_SPEC, **PHASE_SPEC},
    parse=_parse,
    execute=_execute,
    secret_result=True,
    narrowing=NARROWING,
    constraints=CONSTRAINTS,
)
