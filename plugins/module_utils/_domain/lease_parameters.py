# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parameters below the path of leases: the leases among them, and the steps that end leases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import InvalidInput
from .lease_names import RENEWAL, parameter_name, renewal_name
from .leases import StoredLease, decode_value, parse_lease, read_renewal
from .names import Venue
from .roles import Parameter
from .steps import Step
from .untrusted import BadValue, safe_text

PER_CALL = 10  # parameters that DeleteParameters takes


@dataclass(frozen=True, slots=True)
class FoundLeases:
    """What is below the path of leases.

    :param stored: the leases, by user.
    :param names: the names of all parameters, also of those that are no leases.
    :param damaged: a sentence for each parameter that is no lease of this venue, by name.
    """

    stored: tuple[StoredLease, ...]
    names: tuple[str, ...]
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The sentences of ``damaged`` alone."""
        return tuple(self.damaged.values())

    def of(self, user: str) -> StoredLease | None:
        """Return the lease of a user, or None."""
        return next((one for one in self.stored if one.lease.user == user), None)


def find_leases(parameters: Mapping[str, Parameter], path: str, venue: Venue) -> FoundLeases:
    """Return the leases among parameters.

    :param parameters: all below the path, by name.
    """
    stored, damaged = [], {}
    for name in sorted(parameters):
        if name.removeprefix(f"{path}/").partition("/")[2] == RENEWAL:  # a user can have this name, too
            continue
        try:
            lease = parse_lease(decode_value(parameters[name].value))
            if lease.venue != venue or name != parameter_name(path, lease.user):
                raise BadValue("it is about another venue or user than its name.")
        except (ValueError, RecursionError, InvalidInput) as error:
            problem = error.message if isinstance(error, InvalidInput) else str(error)
            damaged[name] = safe_text(f"{name} is not a lease and is not renewed: {problem}")
            continue
        record = parameters.get(renewal_name(path, lease.user))
        renewal = read_renewal(record.value, lease) if record else None
        stored.append(StoredLease(lease, renewal, record.version if record else 0))
    return FoundLeases(tuple(stored), tuple(sorted(parameters)), damaged)


def plan_end(found: FoundLeases, path: str, user: str | None) -> list[Step]:
    """Return the steps that end leases.

    :param user: whose lease; None for every parameter below the path, those that are no leases included.
    """
    if user is None:
        return list(_delete(found.names, "end every lease of the venue"))
    names = [name for name in (parameter_name(path, user), renewal_name(path, user)) if name in found.names]
    return list(_delete(names, f"end the lease of {user}"))


def _delete(names: Sequence[str], summary: str) -> Iterable[Step]:
    """Yield the calls that delete parameters. A parameter that is already gone is no error."""
    # A lease comes before what its renewals recorded: parameters of one call are not deleted together.
    for start in range(0, len(names), PER_CALL):
        part = list(names[start : start + PER_CALL])
        yield Step("ssm", "delete_parameters", part[0], summary, {"Names": part})
