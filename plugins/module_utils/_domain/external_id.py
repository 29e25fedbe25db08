# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which external ID a venue has, from what SSM, the trust policy and the options say. Values never enter a message."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from .errors import ExternalIdMismatch, InvalidInput
from .names import is_external_id
from .trust_reader import TrustReading

CONFLICT_CHOICES = ("fail", "use_parameter", "use_trust_policy")
SHORTEST = 16  # characters of an external ID that somebody chose
SHORTEST_NAME = 3  # characters of a name that makes an external ID easy to guess


class ExternalIds(NamedTuple):
    """The current external ID ('' for none), and those before it that are still accepted."""

    current: str = ""
    previous: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All that are accepted."""
        return (self.current, *self.previous) if self.current else self.previous


class ExternalIdRequest(NamedTuple):
    """What the options ask for.

    :param given: a value to use; '' to keep the venue's own.
    :param on_conflict: of ``CONFLICT_CHOICES``.
    :param rotate: make a new one, and still accept the old one; a second run retires the old one.
    :param retire: stop accepting the old one.
    """

    given: str = ""
    on_conflict: str = "fail"
    rotate: bool = False
    retire: bool = False


def trusted_ids(reading: TrustReading, parameter: str) -> ExternalIds:
    """Which of the external IDs in a trust policy is the current one: the one marked, that of SSM, or the only one.

    :param parameter: the value in SSM, '' if there is none.
    :raises ExternalIdMismatch: the policy has several and nothing says which one is the current one.
    """
    offered = reading.offered
    current = reading.current or (parameter if parameter in offered else offered[0] if len(offered) == 1 else "")
    if offered and not current:
        raise ExternalIdMismatch(
            f"the role's trust policy accepts {len(offered)} external IDs, and it is not known which one is the "
            "venue's: it is not the one in SSM. Nothing was changed. Find out which one the requesters use, and set "
            "external_id to it.",
            places=["trust_policy"],
        )
    return ExternalIds(current, tuple(one for one in offered if one != current))


def choose(parameter: str, trusted: ExternalIds, request: ExternalIdRequest, candidate: str) -> ExternalIds:
    """The external IDs that the venue has after the run.

    :param parameter: the value in SSM, '' if there is none.
    :param trusted: what the trust policy accepts.
    :param candidate: a fresh random value, used only where a new one is needed.
    :raises ExternalIdMismatch: SSM and trust policy disagree and nothing says which is right; or SSM holds a value that
        STS does not accept.
    :raises InvalidInput: a rotation to the value in use.
    """
    if parameter and not is_external_id(parameter) and not (request.given or request.rotate):
        raise unusable_parameter()
    parameter = parameter if is_external_id(parameter) else ""
    present = _present(parameter, trusted, request)
    if request.rotate and request.given and request.given == present.current and not present.previous:
        raise InvalidInput("external_id", "is the value in use; a rotation needs a new one (omit it to generate one).")
    half_rotated = bool(parameter) and parameter in trusted.previous and parameter != trusted.current
    if not present.current:
        return ExternalIds(request.given or candidate)
    if request.rotate and not half_rotated and not present.previous:
        return ExternalIds(request.given or candidate, (present.current,))
    if request.retire or (request.rotate and not half_rotated):
        return ExternalIds(present.current)
    return present


def _present(parameter: str, trusted: ExternalIds, request: ExternalIdRequest) -> ExternalIds:
    if request.given and not request.rotate:
        return ExternalIds(request.given, trusted.previous if request.given == trusted.current else ())
    if not (parameter and trusted.current):
        return ExternalIds(parameter or trusted.current, trusted.previous)
    # A previous one in SSM: a rotation stopped between trust policy and parameter. The trust policy is newer.
    if parameter in trusted.every or request.on_conflict == "use_trust_policy":
        return trusted
    if request.on_conflict == "use_parameter":
        return ExternalIds(parameter, trusted.previous)
    raise ExternalIdMismatch(
        "the external ID in SSM and the one in the role's trust policy are different. Nothing was changed. Find out "
        "which one the requesters use, then set on_external_id_conflict to use_parameter or use_trust_policy.",
        places=["parameter", "trust_policy"],
    )


def unusable_parameter() -> ExternalIdMismatch:
    """The error for a value in SSM that is no external ID."""
    return ExternalIdMismatch(
        "the value in SSM is not an external ID that STS accepts: 2 to 1,224 letters, digits and _+=,.@:/- without "
        "spaces or line breaks (the value is not shown). Provision the venue with rotate_external_id: true to have a "
        "new one generated, or set external_id.",
        places=["parameter"],
    )


def weakness(value: str, names: Collection[str]) -> str:
    """Why an external ID that somebody chose is weak; '' if it is not.

    :param names: names that others know: project, venue, role, account.
    """
    if len(value) < SHORTEST:
        return f"has fewer than {SHORTEST} characters"
    if any(value.lower() in name.lower() for name in names):
        return "is part of a name that others know"
    contained = [
        re.escape(name.lower()) for name in names if len(name) >= SHORTEST_NAME and name.lower() in value.lower()
    ]
    rest = re.sub("|".join(sorted(contained, key=len, reverse=True)), "", value.lower()) if contained else value
    if len(rest) < SHORTEST:
        return f"is a name that others know with fewer than {SHORTEST} characters around it"
    return ""


def check_given(request: ExternalIdRequest, known: Collection[str], names: Collection[str]) -> None:
    """Refuse a weak external ID that is not in use yet.

    :param known: those in use.
    :raises InvalidInput: as said; the message does not quote it.
    """
    problem = weakness(request.given, names) if request.given and request.given not in known else ""
    if problem:
        raise InvalidInput(
            "external_id",
            f"{problem}, so it can be guessed. Omit the option to generate a random one, or choose another.",
        )


def parameter_first(parameter: str, trusted: ExternalIds, chosen: ExternalIds) -> bool:
    """Whether to change SSM before the trust policy, so that SSM never holds a value that the role does not accept."""
    return not trusted.current or chosen.current in trusted.every or not parameter


def common_external_id(parameter: str, accepted: Collection[str], requester: str, rotated: str) -> str:
    """Compare what SSM, the trust policy and the requester say, before STS is asked. No value is named.

    :param accepted: the external IDs that the trust policy accepts.
    :param requester: what the requester sent; '' if nothing.
    :param rotated: when the value in SSM was written, for a requester who sends the one before it.
    :returns: a warning for the user, or ''.
    :raises ExternalIdMismatch: two of the three differ.
    """
    if not is_external_id(parameter):
        raise unusable_parameter()
    if parameter not in accepted:
        raise ExternalIdMismatch(
            "the external ID in SSM is not one that the role's trust policy accepts. No token was issued. Run the "
            "provision playbook for this venue, which describes how to resolve it. If the change was not intended, "
            "find out who made it.",
            places=["parameter", "trust_policy"],
        )
    if requester in ("", parameter):
        return ""
    if requester in accepted:
        return (
            f"The requester sent the previous external ID. It was rotated {rotated} and will be retired. Give the "
            "requester the new one."
        )
    raise ExternalIdMismatch(
        "the external ID that the requester sent is not this venue's. No token was issued. Either the requester means "
        "another project or venue, or has an old external ID: ask them.",
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
    """The error for a requester who sends an external ID from before a rotation.

    :param rotated: when it was replaced.
    """
    return ExternalIdMismatch(
        f"the external ID that the requester sent was this venue's until it was rotated on {rotated}, and is no longer "
        "accepted. No token was issued. Give the requester the new one.",
        places=["requester", "parameter"],
        rotated_at=rotated,
    )
