# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``venue_sts_token`` on the controller: it prepares the delivery, then runs the pipeline.

Only the AWS calls are made where the task runs. The token is sealed, and the receipts file is written, on the
controller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..module_utils._aws.clients import Clients
from ..module_utils._domain.receipts import Receipt
from ..module_utils._domain.users import check_user
from ..module_utils._operations._operation import Operation, Params, Result, Runtime
from ..module_utils._operations.issue.authorize import authorize
from ..module_utils._operations.issue.options import ARGUMENT_SPEC, CONSTRAINTS, NARROWING, TokenOptions
from ..module_utils._operations.issue.options import parse as parse_options
from ..module_utils._operations.issue.parts import Authorized, Delivery
from ..module_utils._operations.issue.pipeline import Pipeline
from ..module_utils._receipt_store import ReceiptStores
from .deliveries import ReturnedKeys, TokenFile
from .handoff import Handoff
from .known_receipts import last_keys

NAME = "venue_sts_token"


class Host(Protocol):
    """Another host, or another user, that makes the AWS calls of a shipped task."""

    def authorize(self) -> Authorized:
        """Check everything that can be known before STS is asked."""

    def record(self, receipt: Receipt) -> None:
        """Store the receipt in S3 and SSM.

        :raises ReceiptNotKept: it could not be stored.
        """


@dataclass(frozen=True)
class Prepared:
    """A delivery and receipt stores that were checked, before any AWS call."""

    delivery: Delivery
    stores: ReceiptStores

    @classmethod
    def from_params(cls, params: Params, runtime: Runtime) -> Prepared:
        """Check everything on the controller that a token would need.

        :raises VenueError: the token could not be delivered or recorded.
        """
        user = check_user("user", params["user"])
        stores = ReceiptStores.from_options(params)
        stores.check(create=not runtime.check_mode)
        return cls(_prepare(params, user, stores, runtime), stores)


@dataclass(frozen=True)
class Issue:
    """One issue: the options of the token, and what was prepared for it."""

    options: TokenOptions
    prepared: Prepared


def _prepare(params: Params, user: str, stores: ReceiptStores, runtime: Runtime) -> Delivery:
    if params["handoff"] is not None:
        return Handoff.prepare(params["handoff"], user, last_keys(stores.file, user), runtime)
    return TokenFile.prepare(params["dest"], runtime) if params["dest"] else ReturnedKeys()


def _parse(params: Params, clients: Clients, runtime: Runtime) -> Issue:
    return Issue(parse_options(params, clients, runtime), Prepared.from_params(params, runtime))


def _execute(issue: Issue, clients: Clients, runtime: Runtime) -> Result:
    stores = issue.prepared.stores
    return run(
        issue.prepared,
        lambda: authorize(issue.options, clients, runtime),
        lambda receipt: stores.record(receipt, clients),
        runtime,
    )


def run(
    prepared: Prepared, authorize_: Callable[[], Authorized], record: Callable[[Receipt], None], runtime: Runtime
) -> Result:
    """Authorize the request and run the pipeline, or in check mode say what would be issued."""
    authorized = authorize_()
    if runtime.check_mode:
        receipt = authorized.receipt
        return {"changed": True, **prepared.delivery.planned(receipt), "receipt": receipt.to_json()}
    return Pipeline(NAME, prepared.delivery, record, runtime).issue(authorized)


OPERATION: Operation[Issue] = Operation(
    name=NAME,
    argument_spec=ARGUMENT_SPEC,
    parse=_parse,
    execute=_execute,
    secret_result=True,
    narrowing=NARROWING,
    constraints=CONSTRAINTS,
)


def shipped(host: Host) -> Operation[Prepared]:
    """Return the same operation with the AWS calls on another host."""

    def execute(prepared: Prepared, clients: Clients, runtime: Runtime) -> Result:
        on_controller = ReceiptStores(file=prepared.stores.file)

        def record(receipt: Receipt) -> None:
            on_controller.record(receipt, clients)
            if prepared.stores.s3 or prepared.stores.ssm_path:
                host.record(receipt)

        return run(prepared, host.authorize, record, runtime)

    return Operation(
        name=NAME,
        argument_spec=ARGUMENT_SPEC,
        parse=lambda params, _clients, runtime: Prepared.from_params(params, runtime),
        execute=execute,
        secret_result=True,
        narrowing=NARROWING,
        constraints=CONSTRAINTS,
    )
