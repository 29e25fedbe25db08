# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The trust policy that a role gets: the collection's own statements, the lock, and what it keeps of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import InvalidInput
from .policies import same
from .trust import TRUST_POLICY_LENGTH, Trust, length, length_with_reserve
from .trust_reader import (
    Statement,
    TrustReading,
    denied_subjects,
    foreign_statements,
    is_denial,
    is_lock,
    is_locked,
    read_statements,
)


@dataclass(frozen=True)
class TrustChange:
    """From the trust policy of a role to the desired one.

    :param before: the policy of the role; None if there is no role.
    :param policy: the desired policy; that of the role if they mean the same.
    :param kept: foreign statements that stay.
    :param removed: foreign statements that go.
    :param locked: whether a Deny denies everyone, before and after.
    """

    before: Mapping[str, Any] | None = field(repr=False)
    policy: Mapping[str, Any] = field(repr=False)
    kept: Sequence[Statement] = ()
    removed: Sequence[Statement] = ()
    locked: bool = False

    @property
    def needed(self) -> bool:
        """Whether the policy of the role has to be written."""
        return self.before is None or not same(self.before, self.policy)

    @property
    def summary(self) -> str:
        """The change in a few words, with the foreign statements by name."""
        parts = [f"removing the {one.name}" for one in self.removed] + [f"keeping the {one.name}" for one in self.kept]
        return ", ".join(["set the trust policy", *parts])

    def notes(self) -> Iterator[str]:
        """What an admin needs to know about the statements besides the collection's own, one sentence each."""
        if self.locked:
            yield "The venue is locked: a Deny statement in the trust policy prevents everyone from assuming the role."
        for issuer, subjects in denied_subjects(self.policy).items():
            yield f"Revoked: the trust policy refuses {len(subjects)} subjects of {issuer}."
        for one in self.removed:
            yield f"The trust policy has the {one.name}, which this collection did not write. Provisioning removes it."
        for one in self.kept:
            yield (
                f"The trust policy has the {one.name}, which this collection did not write. It stays, unless "
                "remove_foreign_statements is true."
            )


def change_trust(
    before: Mapping[str, Any] | None, trust: Trust, partition: str, *, remove_foreign: bool
) -> TrustChange:
    """Decide which of the existing statements are kept.

    :param before: the policy of the role; None if there is no role.
    :param remove_foreign: whether a foreign Deny goes, too; a foreign Allow always goes.
    """
    foreign = foreign_statements(before)
    kept = [one for one in foreign if one.effect == "Deny" and not remove_foreign]
    removed = [one for one in foreign if one not in kept]
    own = trust.policy(partition)
    sids = {str(one["Sid"]) for one in own["Statement"]}
    protected = [one for one in read_statements(before) if is_lock(one) or is_denial(one)]
    sids |= {one.sid for one in protected}
    stay = [*(one.content for one in protected), *(_without_sid(one, sids) for one in kept)]
    policy = trust.policy(partition, stay)
    after = before if before is not None and same(before, policy) else policy
    return TrustChange(before, after, kept, removed, is_locked(policy))


def _without_sid(statement: Statement, taken: set[str]) -> Mapping[str, Any]:
    """A statement as it is, except that no policy may have a Sid twice."""
    if statement.sid not in taken:
        return statement.content
    return {key: value for key, value in statement.content.items() if key.lower() != "sid"}


def check_length(change: TrustChange, trust: Trust, candidate: str, *, only_ids_change: bool) -> str:
    """Refuse a trust policy that is too long, or that leaves no room for a rotation and a lock.

    :param candidate: an external ID as long as a new one.
    :param only_ids_change: whether the run was asked to rotate or retire: that may use the room.
    :returns: a warning about a policy that is there already and leaves too little room, or ''.
    :raises InvalidInput: as said.
    """
    option = "trusted_principal_patterns" if trust.patterns else "trusted_principals"
    characters = length(change.policy)
    advice = "Specify fewer principals, or match them with trusted_principal_patterns."
    if trust.oidc_providers:
        advice = f"{advice} Specify fewer subjects in oidc_providers, or match them with wildcards."
    if change.needed and characters > TRUST_POLICY_LENGTH:
        raise InvalidInput(
            option, f"the trust policy has {characters} characters, and IAM allows {TRUST_POLICY_LENGTH}. {advice}"
        )
    need = length_with_reserve(change.policy, trust, candidate, locked=change.locked)
    if need <= TRUST_POLICY_LENGTH:
        return ""
    problem = (
        f"with a second external ID and the lock, the trust policy has {need} characters, and IAM allows "
        f"{TRUST_POLICY_LENGTH}: a rotation or an incident lock does not fit. {advice}"
    )
    if change.needed and not only_ids_change and not change.locked:
        raise InvalidInput(option, problem)
    return f"{option}: {problem}"


def undecided(reading: TrustReading) -> Iterator[str]:
    """What the reader could not decide, as sentences for an admin."""
    for sentence in reading.undecided:
        yield f"It cannot be decided from the trust policy alone what it means: {sentence}."
