# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several operations do with leases: read those of a venue, and end them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .._aws.calls import apply
from .._aws.clients import Clients
from .._aws.leases import read_below
from .._domain.lease_parameters import FoundLeases, find_leases, plan_end
from .._domain.names import Venue
from .._domain.steps import Step
from .._domain.times import iso


def read_leases(ssm: Any, venue: Venue, path: str) -> FoundLeases:
    """Return the leases of a venue. Make the client before starting threads.

    :raises AwsRefused: the caller may not read them.
    """
    return find_leases(read_below(ssm, path), path, venue)


def lease_facts(found: FoundLeases, renew_before: int, now: datetime) -> list[dict[str, Any]]:
    """Return the leases as info modules do: what was approved, and what renewals have done with it.

    :param renew_before: as renewal has it, in seconds.
    """
    facts = []
    for stored in found.stored:
        last, next_one = stored.credible(now), stored.next_renewal(renew_before, now)
        renewal = {
            "state": stored.lease.state(now),
            "last_renewal": iso(last.issued_at) if last and last.issued_at else None,
            "token_until": iso(last.expires_at) if last and last.expires_at else None,
            "next_renewal": iso(next_one) if next_one else None,
            "problem": last.problem if last else None,
        }
        facts.append({**stored.lease.to_json(), **renewal})
    return facts


def end_leases(
    clients: Clients, found: FoundLeases, path: str, user: str | None, done: list[tuple[Step, dict[str, Any]]]
) -> None:
    """End the lease of a user, or with None every lease of the venue.

    What is not there any more is no error. No token is ended: that is a revocation.

    :param done: the steps that were taken, with AWS's answers, are added here, also when a later one fails.
    :raises VenueError: a lease could not be ended. Renewal goes on.
    """
    apply(clients.client, plan_end(found, path, user), done)
