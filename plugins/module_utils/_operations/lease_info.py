# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the leases of a venue: who, why, until when, approved by whom, and when the next token is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._aws.calls import run_concurrently
from .._aws.clients import Clients
from .._aws.venue_state import read_caller
from .._domain.lease_names import lease_path
from .._domain.leases import RENEW_BEFORE
from .._domain.names import Venue, check_range, make_venue
from .._domain.token_request import LONGEST
from ._operation import Operation, Params, Result, Runtime, filled_in
from .accounts import check_account, check_expected_account
from .leases import lease_facts, read_leases

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "lease_path": {"type": "str"},
    "renew_before": {"type": "int", "default": RENEW_BEFORE},
    "expected_account_id": {"type": "str"},
}


@dataclass(frozen=True)
class LeaseInfoOptions:
    """Whose leases to read.

    :param renew_before: as renewal has it, in seconds, to say when the next token is due.
    """

    venue: Venue
    path: str
    renew_before: int
    account: str


def parse(params: Params, _clients: Clients, _runtime: Runtime) -> LeaseInfoOptions:
    """Check the options.

    :raises InvalidInput: one cannot be right.
    """
    venue = make_venue(params["project"], params["venue"])
    return LeaseInfoOptions(
        venue,
        lease_path(venue, params["lease_path"]),
        check_range("renew_before", params["renew_before"], 60, LONGEST),
        check_expected_account(params["expected_account_id"]),
    )


def execute(options: LeaseInfoOptions, clients: Clients, runtime: Runtime) -> Result:
    """Read the leases.

    :raises VenueError: they cannot be read.
    """
    sts, ssm = clients.client("sts"), clients.client("ssm")
    caller, found = run_concurrently(lambda: read_caller(sts), lambda: read_leases(ssm, options.venue, options.path))
    check_account(caller, options.account)
    for sentence in found.unreadable:
        runtime.warn(sentence)
    return {
        "account_id": caller.account_id,
        "leases": lease_facts(found, options.renew_before, runtime.now()),
        "unreadable": list(found.unreadable),
    }


OPERATION: Operation[LeaseInfoOptions] = Operation(
    name="venue_sts_lease_info",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=execute,
    services=("ssm", "sts"),
    narrowing=filled_in(ARGUMENT_SPEC),
)
