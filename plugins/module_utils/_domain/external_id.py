# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which external ID a venue shall have, from what SSM, the trust policy and the admin say. Values never enter a message."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from .errors import ExternalIdMismatch, InvalidInput

CONFLICT_CHOICES = ("fail", "use_parameter", "use_trust_policy")


class ExternalIds(NamedTuple):
    """The present external ID, and the one before it while that is still accepted ('' for none)."""

    current: str
    previous: str = ""


class Request(NamedTuple):
    """What the admin wants of the external ID.

    :param given: a value to use; '' to keep the venue's own.
    :param on_conflict: of ``CONFLICT_CHOICES``.
    :param rotate: make a new one, still accepting the old; run again, retire the old.
    :param retire: stop accepting the old one.
    """

    given: str = ""
    on_conflict: str = "fail"
    rotate: bool = False
    retire: bool = False


def settle(parameter: str, trusted: ExternalIds, wish: Request, candidate: str) -> ExternalIds:
    """Decide on the external IDs.

    :param parameter: the value in SSM, '' if there is none.
    :param trusted: what the trust policy accepts.
    :param candidate: a fresh random value, used only where a new one is needed.
    :raises ExternalIdMismatch: SSM and trust policy disagree and nothing says which is right.
    :raises InvalidInput: a rotation to the value in use.
    """
    present = _present(parameter, trusted, wish)
    if wish.rotate and wish.given and wish.given == present.current and not present.previous:
        raise InvalidInput(
            "external_id", "is the value in use; a rotation needs a new one (leave it out to have one made)."
        )
    half_rotated = bool(parameter) and parameter == trusted.previous
    if not present.current:
        return ExternalIds(wish.given or candidate)
    if wish.rotate and not half_rotated and not present.previous:
        return ExternalIds(wish.given or candidate, present.current)
    if wish.retire or (wish.rotate and not half_rotated):
        return ExternalIds(present.current)
    return present


def _present(parameter: str, trusted: ExternalIds, wish: Request) -> ExternalIds:
    if wish.given and not wish.rotate:
        return ExternalIds(wish.given, trusted.previous if wish.given == trusted.current else "")
    if not (parameter and trusted.current):
        return ExternalIds(parameter or trusted.current, trusted.previous)
    # Equal to the previous one: a rotation died after the trust policy and before the parameter. The trust policy is
    # ahead.
    if parameter in trusted or wish.on_conflict == "use_trust_policy":
        return trusted
    if wish.on_conflict == "use_parameter":
        return ExternalIds(parameter, trusted.previous)
    raise ExternalIdMismatch(
        "the external ID in SSM and the one in the role's trust policy are different. Nothing was changed. Find out which one the "
        "requesters use, then set on_external_id_conflict to use_parameter or use_trust_policy.",
        places=["parameter", "trust_policy"],
    )


def parameter_first(parameter: str, trusted: ExternalIds, settled: ExternalIds) -> bool:
    """Whether SSM is to change before the trust policy: at no moment shall SSM hold a value that the role does not accept."""
    return not trusted.current or settled.current in trusted or not parameter


def agree(parameter: str, trusted: ExternalIds, requester: str, rotated: str) -> str:
    """Compare what SSM, the trust policy and the requester say, before STS is asked. No value is named.

    :param requester: what the requester sent; '' if nothing.
    :param rotated: when the value in SSM was written, for a requester who sends the one before it.
    :returns: a warning for the user, or ''.
    :raises ExternalIdMismatch: two of the three differ.
    """
    if parameter not in trusted:
        raise ExternalIdMismatch(
            "the external ID in SSM is not the one in the role's trust policy. No token was issued. Run the provision playbook for this "
            "venue, which says how to settle it; if nobody changed them knowingly, find out who did.",
            places=["parameter", "trust_policy"],
        )
    if requester in ("", parameter):
        return ""
    if requester in trusted:
        return f"The requester sent the previous external ID; it was rotated {rotated} and will be retired. Give them the new one."
    raise ExternalIdMismatch(
        "the external ID that the requester sent is not this venue's. No token was issued. Either the requester means another project "
        "or venue, or has an old external ID: ask them.",
        places=["requester", "parameter"],
    )


def replaced_at(history: Sequence[tuple[str, str]], requester: str) -> str:
    """When the external ID that a requester sent was replaced by the next one; '' if it never was this venue's.

    :param history: the values that SSM has held, each with when it was written, oldest first.
    """
    at = ""
    for (value, _written), (following, written) in itertools.pairwise(history):
        if value == requester and following != requester:
            at = written
    return at


def retired(rotated: str) -> ExternalIdMismatch:
    """What to tell a requester who sends an external ID from before a rotation.

    :param rotated: when it was replaced.
    """
    return ExternalIdMismatch(
        f"the external ID that the requester sent was this venue's until it was rotated on {rotated}, and is no longer accepted. No token was issued. "
        "Give the requester the new one.",
        places=["requester", "parameter"],
        rotated_at=rotated,
    )
