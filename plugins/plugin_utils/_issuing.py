# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``venue_sts_token`` on the controller: it prepares the delivery, then runs the pipeline.

Only the AWS calls are made where the task runs. The token is sealed, and the receipts file is written, on the
controller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ..module_utils._aws.clients import Clients
from ..module_utils._domain.known_keys import KnownKeys
from ..module_utils._domain.names import make_venue
from ..module_utils._domain.receipts import Receipt
from ..module_utils._domain.users import check_user
from ..module_utils._operations._operation import Operation, Params, Result, Runtime
from ..module_utils._operations.issue.authorize import authorize
from ..module_utils._operations.issue.options import ARGUMENT_SPEC, CONSTRAINTS, NARROWING, TokenOptions
from ..module_utils._operations.issue.options import parse as parse_options
from ..module_utils._operations.issue.parts import Authorized, Delivery
from ..module_utils._operations.issue.pipeline import Pipeline
from ..module_utils._receipt_store import ReceiptStores
from ._deliveries import ReturnedKeys, TokenFile
from ._handoff import Handoff
from ._known_receipts import last_keys

NAME = "venue_sts_token"


class Host(Protocol):
    """Another host, or another user, that makes the AWS calls of a shipped task."""

    def authorize(self) -> Authorized:
        """Check everything that can be known before STS is asked."""

    def known_keys(self) -> KnownKeys | None:
        """Read from the receipts in S3 and SSM which keys the latest token of the user was sealed to."""

    def record(self, receipt: Receipt) -> None:
        """Store the receipt in S3 and SSM.

        :raises ReceiptNotKept: it could not be stored.
        """


@dataclass(frozen=True)
class Prepared:
    """A delivery and receipt stores that were checked, before any AWS call.

    :param last_keys: what the receipts file says about the user's keys.
    """

    delivery: Delivery
    stores: ReceiptStores
    last_keys: KnownKeys | None = None

    @classmethod
    def from_params(cls, params: Params, runtime: Runtime) -> Prepared:
        """Check everything on the controller that a token would need.

        :raises VenueError: the token could not be delivered or recorded.
        """
        user = check_user("user", params["user"])
        stores = ReceiptStores.from_options(params)
        stores.check(create=not runtime.check_mode)
        prepared = cls(_prepare(params, user, runtime), stores, last_keys(stores.file, user))
        return prepared if stores.in_aws else prepared.compared(None)

    def compared(self, stored: KnownKeys | None) -> Prepared:
        """Compare the recipient's keys with those of their last token, whichever store knows it.

        :param stored: what the stores in AWS say about the user's keys.
        :raises KeyChanged: a key is neither known nor confirmed, or it is not known which one was.
        """
        if not isinstance(self.delivery, Handoff):
            return self
        latest = max((one for one in (self.last_keys, stored) if one and one.fingerprints), default=stored)
        return replace(self, delivery=self.delivery.compared(latest))

    @property
    def needs_stored_keys(self) -> bool:
        """Whether the stores in AWS must be asked for the recipient's last keys."""
        return self.stores.in_aws and isinstance(self.delivery, Handoff) and bool(self.delivery.person.keys)


@dataclass(frozen=True)
class Issue:
    """One issue: the options of the token, and what was prepared for it."""

    options: TokenOptions
    prepared: Prepared


def _prepare(params: Params, user: str, runtime: Runtime) -> Delivery:
    venue = make_venue(params["project"], params["venue"])
    if params["handoff"] is not None:
        return Handoff.prepare(params["handoff"], venue, user, runtime)
    return TokenFile.prepare(params["dest"], venue, user, runtime) if params["dest"] else ReturnedKeys()


def _parse(params: Params, clients: Clients, runtime: Runtime) -> Issue:
    return Issue(parse_options(params, clients, runtime), Prepared.from_params(params, runtime))


def _execute(issue: Issue, clients: Clients, runtime: Runtime) -> Result:
    return run(issue.prepared, _InProcess(issue, clients, runtime), runtime)


@dataclass(frozen=True)
class _InProcess:
    """The AWS calls of a task that runs on the controller."""

    issue: Issue
    clients: Clients
    runtime: Runtime

    def authorize(self) -> Authorized:
        return authorize(self.issue.options, self.clients, self.runtime)

    def known_keys(self) -> KnownKeys | None:
        options = self.issue.options
        return self.issue.prepared.stores.known_keys(self.clients, options.venue, options.user, self.runtime.now())

    def record(self, receipt: Receipt) -> None:
        self.issue.prepared.stores.record(receipt, self.clients)


def run(prepared: Prepared, host: Host, runtime: Runtime) -> Result:
    """Authorize the request and run the pipeline, or in check mode say what would be issued.

    :param host: makes the AWS calls, and records receipts in every store.
    """
    authorized = host.authorize()
    if prepared.needs_stored_keys:
        prepared = prepared.compared(host.known_keys())
    if runtime.check_mode:
        receipt = authorized.receipt
        return {"changed": True, **prepared.delivery.planned(receipt), "receipt": receipt.to_json()}
    return Pipeline(NAME, prepared.delivery, host.record, runtime).issue(authorized)


OPERATION: Operation[Issue] = Operation(
    name=NAME,
    argument_spec=ARGUMENT_SPEC,
    parse=_parse,
    execute=_execute,
    secret_result=True,
    narrowing=NARROWING,
    constraints=CONSTRAINTS,
)


@dataclass(frozen=True)
class _OnHost:
    """The AWS calls of a shipped task. The receipts file is on the controller."""

    host: Host
    stores: ReceiptStores
    clients: Clients

    def authorize(self) -> Authorized:
        return self.host.authorize()

    def known_keys(self) -> KnownKeys | None:
        return self.host.known_keys()

    def record(self, receipt: Receipt) -> None:
        ReceiptStores(file=self.stores.file).record(receipt, self.clients)
        if self.stores.in_aws:
            self.host.record(receipt)


def shipped(host: Host) -> Operation[Prepared]:
    """Return the same operation with the AWS calls on another host."""

    def execute(prepared: Prepared, clients: Clients, runtime: Runtime) -> Result:
        return run(prepared, _OnHost(host, prepared.stores, clients), runtime)

    return Operation(
        name=NAME,
        argument_spec=ARGUMENT_SPEC,
        parse=lambda params, _clients, runtime: Prepared.from_params(params, runtime),
        execute=execute,
        secret_result=True,
        narrowing=NARROWING,
        constraints=CONSTRAINTS,
    )
