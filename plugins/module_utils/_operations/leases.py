# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several operations do with leases: read those of a venue, and end them."""

from __future__ import annotations

from typing import Any

from .._aws.calls import apply
from .._aws.clients import Clients
from .._aws.leases import read_below
from .._domain.leases import FoundLeases, find_leases, plan_end
from .._domain.names import Venue
from .._domain.steps import Step


def read_leases(ssm: Any, venue: Venue, path: str) -> FoundLeases:
    """Return the leases of a venue. Make the client before starting threads.

    :raises AwsRefused: the caller may not read them.
    """
    return find_leases(read_below(ssm, path), path, venue)


def end_leases(clients: Clients, found: FoundLeases, path: str, user: str | None) -> list[Step]:
    """End the lease of a user, or with None every lease of the venue, and return the steps that were taken.

    What is not there any more is no error. No token is ended: that is a revocation.

    :raises VenueError: a lease could not be ended. Renewal goes on.
    """
    done: list[tuple[Step, dict[str, Any]]] = []
    apply(clients.client, plan_end(found, path, user), done)
    return [step for step, _answer in done]
