# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``venue_sts_handoff``: send a sealed file again, without issuing a new token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..module_utils._aws.clients import Clients
from ..module_utils._domain.errors import InvalidInput
from ..module_utils._domain.receipts import Receipt
from ..module_utils._domain.times import iso
from ..module_utils._handoff_options import CHANNELS, UNDELIVERED
from ..module_utils._operations._operation import Operation, Params, Result, Runtime, filled_in
from ..module_utils._operations.issue.pipeline import Pipeline
from ..module_utils._receipt_store import RECORDING, ReceiptStores
from ._handoff import Resend
from ._held import HELD
from ._known_receipts import find_digest, find_sealed

NAME = "venue_sts_handoff"
ARGUMENT_SPEC: dict[str, Any] = {
    "resend": {"type": "path", "required": True},
    "without_receipt": {"type": "bool", "default": False},
    **CHANNELS,
    **UNDELIVERED,
    **RECORDING,
}


@dataclass(frozen=True)
class Resending:
    """A sealed file to be sent again.

    :param receipt: the one that names its SHA-256; None if it was not found.
    """

    delivery: Resend
    stores: ReceiptStores
    receipt: Receipt | None
    without_receipt: bool = False


def _parse(params: Params, _clients: Clients, runtime: Runtime) -> Resending:
    stores = ReceiptStores.from_options(params)
    delivery = Resend.prepare(params, runtime)
    stores.check(create=not runtime.check_mode)
    found = find_sealed(stores.file, delivery.digest)
    return Resending(delivery, stores, found, without_receipt=params["without_receipt"])


def _completed(resending: Resending, clients: Clients, runtime: Runtime) -> Resending:
    """The same with its receipt, from the stores in AWS if the file does not have it.

    :raises InvalidInput: the token has ended, or no receipt is about the file.
    """
    delivery, stores, receipt = resending.delivery, resending.stores, resending.receipt
    if receipt is None and stores.in_aws:
        receipt = find_digest(stores.sources().read(clients, runtime.now(), details=True).tokens, delivery.digest)
    if receipt is None:
        places = stores.sources()
        if not resending.without_receipt:
            raise InvalidInput(
                "resend",
                f"no receipt in {places} matches this file: it was changed, or issued with another "
                "receipts file. Name the receipts file that has it. To send it anyway, set without_receipt to "
                "true; then the expiration of the token is not checked, and nothing is recorded.",
            )
        runtime.warn(f"No receipt in {places} names {delivery.parcel.name}, so the delivery is not recorded.")
        return resending
    if receipt.expires_at is None or receipt.expires_at <= runtime.now():
        ended = iso(receipt.expires_at) if receipt.expires_at else "an unknown time"
        raise InvalidInput("resend", f"the token ended at {ended}. Issue a new one.")
    return Resending(delivery.with_receipt(receipt), stores, receipt)


def _execute(resending: Resending, clients: Clients, runtime: Runtime) -> Result:
    resending = _completed(resending, clients, runtime)
    delivery, receipt = resending.delivery, resending.receipt
    if runtime.check_mode:
        return {"changed": True, **delivery.facts(), **({"receipt": receipt.to_json()} if receipt else {})}
    pipeline = Pipeline(NAME, delivery, lambda one: resending.stores.record(one, clients), runtime)
    with delivery.alone():
        result = pipeline.send(delivery.parcel, receipt)
        if HELD not in result:
            delivery.remove_kept(str(result["target"]), runtime.warn)
    return result


OPERATION: Operation[Resending] = Operation(
    name=NAME,
    argument_spec=ARGUMENT_SPEC,
    parse=_parse,
    execute=_execute,
    services=("s3", "ssm"),
    narrowing=filled_in(ARGUMENT_SPEC),
)
