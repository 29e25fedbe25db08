# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revoking tokens: statements that deny everything to sessions issued before a moment.

Each revocation is an inline policy of its own, named after what it says. So two admins at once cannot overwrite each
other's
(IAM has no compare-and-set for a policy document), and lifting one is deleting one.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .arns import NAME_CHARACTERS
from .errors import VenueError
from .policies import compact, document, same, size
from .roles import INLINE_POLICY_LENGTH
from .steps import Plan, Step
from .times import STAMP, iso, parse_stamp, stamp
from .token_request import LONGEST_SESSION
from .users import session_pattern

KINDS = {"all": "", "session": "session", "source_identity": "source", "user": "user"}
_NAME = re.compile(rf"revoked-({STAMP})-(?:all|(session|source|user)=([{NAME_CHARACTERS}]{{1,64}}))")


class QuotaReached(VenueError):
    """No further revocation fits on the role."""


class Revocation(NamedTuple):
    """What is revoked.

    :param kind: ``all``, ``session``, ``source_identity``, or ``user`` for every session whose name the collection
        makes for a user.
    :param value: the session name, source identity or user name; '' for all.
    :param before: tokens issued before this moment are refused. Aware, whole seconds.
    """

    kind: str
    value: str
    before: datetime

    @property
    def policy_name(self) -> str:
        """The name of the inline policy, which says the same as its document."""
        what = f"{KINDS[self.kind]}={self.value}" if self.value else "all"
        return f"revoked-{stamp(self.before)}-{what}"

    def policy(self, role_id: str) -> dict[str, Any]:
        """The policy document.

        :param role_id: the role's unique id; a session's ``aws:userid`` is ``ROLE_ID:SESSION_NAME``.
        """
        who: dict[str, Any] = {
            "session": {"StringEquals": {"aws:userid": f"{role_id}:{self.value}"}},
            "source_identity": {"StringEquals": {"aws:SourceIdentity": self.value}},
            "user": {"StringLike": {"aws:userid": f"{role_id}:{session_pattern(self.value)}"}},
        }.get(self.kind, {})
        condition = {**who, "DateLessThan": {"aws:TokenIssueTime": iso(self.before)}}
        return document([{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}])

    def newest(self, role_id: str) -> dict[str, tuple[str, str]]:
        """The newest session that it refuses, as condition keys with value and type, for IAM's simulation."""
        issued = {"aws:TokenIssueTime": (iso(self.before - timedelta(seconds=1)), "date")}
        if self.kind == "source_identity":
            return {"aws:SourceIdentity": (self.value, "string"), **issued}
        session = session_pattern(self.value).replace("?", "0") if self.kind == "user" else self.value or "any-session"
        return {"aws:userid": (f"{role_id}:{session}", "string"), **issued}

    def live(self, now: datetime) -> bool:
        """Whether a token that it refuses may still be valid otherwise.

        It may have been issued when the role still allowed the longest sessions that AWS knows.
        """
        return now < self.before + LONGEST_SESSION

    def covers(self, other: Revocation) -> bool:
        """Whether it refuses all that the other refuses."""
        named = self.kind == "user" and other.kind == "session" and self._names(other.value)
        return self.before >= other.before and (named or self.kind == "all" or self[:2] == other[:2])

    def refuses(self, session_name: str, source_identity: str | None, issued: datetime) -> bool:
        """Whether it refuses a token."""
        if self.kind == "user":
            return self._names(session_name) and issued < self.before
        named = self.value == {"all": "", "session": session_name, "source_identity": source_identity}[self.kind]
        return named and issued < self.before

    def _names(self, session_name: str) -> bool:
        """Whether a session name is one of the user."""
        return fnmatchcase(session_name, session_pattern(self.value))

    def shown(self) -> dict[str, Any]:
        """As results list it."""
        who = {
            "all": "every token",
            "session": f"session {self.value}",
            "source_identity": f"source identity {self.value}",
            "user": f"every session named {session_pattern(self.value)}",
        }[self.kind]
        return {
            "kind": self.kind,
            "value": self.value or None,
            "before": iso(self.before),
            "needed_until": iso(self.before + LONGEST_SESSION),
            "policy_name": self.policy_name,
            "summary": f"{who}, issued before {iso(self.before)}",
        }


def from_name(policy_name: str) -> Revocation | None:
    """The revocation that the name of an inline policy describes, or None if it is not one of ours."""
    match = _NAME.fullmatch(policy_name)
    if not match:
        return None
    kind = {short: kind for kind, short in KINDS.items()}[match[2] or ""]
    try:
        return Revocation(kind, match[3] or "", parse_stamp(match[1]))
    except ValueError:
        return None


def found_in(policy_names: Mapping[str, Any] | Sequence[str]) -> list[Revocation]:
    """The revocations among the inline policies of a role, oldest first."""
    found = [one for one in map(from_name, policy_names) if one]
    return sorted(found, key=lambda one: (one.before, one.kind, one.value))


def standing(inline: Mapping[str, Mapping[str, Any]], role_id: str) -> list[Revocation]:
    """The revocations of a role that are in force, oldest first: only those whose document is what their name says."""
    return [one for one in found_in(inline) if same(inline[one.policy_name], one.policy(role_id))]


def altered(inline: Mapping[str, Mapping[str, Any]], role_id: str) -> list[str]:
    """The names of revocations whose document no longer says what their name says."""
    return [one.policy_name for one in found_in(inline) if not same(inline[one.policy_name], one.policy(role_id))]


def cutoff(moment: datetime) -> datetime:
    """The first whole second after a moment.

    Tokens carry their time of issue in whole seconds, and "before" is strict.
    """
    return moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)


def plan_revoke(
    role_name: str, role_id: str, inline: Mapping[str, Mapping[str, Any]], wanted: Sequence[Revocation], now: datetime
) -> Plan:
    """The steps that make revocations hold, and clear away those that no valid token needs.

    New ones are put before those they replace are deleted: at no moment is a revoked token let in.

    :param inline: all inline policies of the role, by name.
    :raises QuotaReached: they do not fit beside what is there.
    """
    changes = _changes(role_id, inline, wanted, now)
    _check_room(role_name, role_id, inline, changes)
    spent, live, new, covered = changes
    steps = [
        *_delete(role_name, spent, "remove a revocation that no valid token needs"),
        *_put(role_name, role_id, new),
    ]
    steps += _delete(role_name, covered, "remove a revocation that a later one covers")
    after = [one for one in live if one not in covered and one not in new] + new
    return Plan(steps, _state(inline), {"revocations": {one.policy_name: one.policy(role_id) for one in after}})


class _Changes(NamedTuple):
    """What a plan does with revocations.

    :param spent: those that no valid token needs any more.
    :param live: the others that are there.
    :param new: those to be put.
    :param covered: valid ones that a new one covers.
    """

    spent: list[Revocation]
    live: list[Revocation]
    new: list[Revocation]
    covered: list[Revocation]


def _changes(
    role_id: str, inline: Mapping[str, Mapping[str, Any]], wanted: Sequence[Revocation], now: datetime
) -> _Changes:
    present = found_in(inline)
    live = [one for one in present if one.live(now)]
    intact = [one for one in standing(inline, role_id) if one.live(now)]
    new: list[Revocation] = []
    for one in wanted:
        if one.live(now) and not any(other.covers(one) for other in [*intact, *new]):
            new.append(one)
    # One that somebody altered is written again, unless what is wanted replaces it anyway.
    new += [one for one in live if one not in intact and not any(other.covers(one) for other in [*intact, *new])]
    covered = [one for one in live if one not in new and any(other != one and other.covers(one) for other in new)]
    return _Changes([one for one in present if not one.live(now)], live, new, covered)


def fits(
    role_id: str, inline: Mapping[str, Mapping[str, Any]], wanted: Sequence[Revocation], now: datetime, spare: int = 0
) -> bool:
    """Whether revocations fit on a role beside what is there.

    :param spare: characters that must remain besides.
    """
    changes = _changes(role_id, inline, wanted, now)
    return not changes.new or _used(role_id, inline, changes) + spare <= INLINE_POLICY_LENGTH


def plan_lift(role_name: str, inline: Mapping[str, Mapping[str, Any]], targets: Sequence[tuple[str, str]]) -> Plan:
    """The steps that lift revocations.

    :param targets: kind and value of each revocation to lift; kind ``all`` means every revocation.
    """
    every = any(kind == "all" for kind, _value in targets)
    lifted = [one for one in found_in(inline) if every or (one.kind, one.value) in targets]
    names = {one.policy_name for one in lifted}
    before = _state(inline)
    after = {name: policy for name, policy in before["revocations"].items() if name not in names}
    return Plan(list(_delete(role_name, lifted, "lift the revocation")), before, {"revocations": after})


def _state(inline: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"revocations": {one.policy_name: inline[one.policy_name] for one in found_in(inline)}}


def _put(role_name: str, role_id: str, revocations: Sequence[Revocation]) -> Iterator[Step]:
    for one in revocations:
        arguments = {
            "RoleName": role_name,
            "PolicyName": one.policy_name,
            "PolicyDocument": compact(one.policy(role_id)),
        }
        yield Step("iam", "put_role_policy", one.policy_name, "revoke tokens", arguments)


def _delete(role_name: str, revocations: Sequence[Revocation], summary: str) -> Iterator[Step]:
    for one in revocations:
        yield Step(
            "iam",
            "delete_role_policy",
            one.policy_name,
            summary,
            {"RoleName": role_name, "PolicyName": one.policy_name},
        )


def _used(role_id: str, inline: Mapping[str, Mapping[str, Any]], changes: _Changes) -> int:
    """The characters of the quota that new revocations lead to, with the room that must stay for revoking everything.

    What a new one covers is deleted after it is put. So the size at that moment is checked as well.
    """
    spent, _live, new, covered = changes
    gone = {one.policy_name for one in (*spent, *new)}
    sizes = {name: size(policy) for name, policy in inline.items() if name not in gone}
    most = sum(sizes.values()) + sum(size(one.policy(role_id)) for one in new)
    if all(one.kind == "all" for one in new):
        return most
    everything = size(Revocation("all", "", new[0].before).policy(role_id))
    # One may stand while the next is put.
    return max(most + everything, most - sum(sizes[one.policy_name] for one in covered) + 2 * everything)


def _check_room(role_name: str, role_id: str, inline: Mapping[str, Mapping[str, Any]], changes: _Changes) -> None:
    """Keep within the quota for all inline policies of a role, and keep room in it for revoking everything."""
    if not changes.new:
        return
    used = _used(role_id, inline, changes)
    if used > INLINE_POLICY_LENGTH:
        raise QuotaReached(
            f"the inline policies of the role {role_name} would need {used} of the {INLINE_POLICY_LENGTH} characters "
            "that IAM allows, with the room that must stay for revoking everything. It is not written. Revoke every "
            "token of the venue instead (all: true), which one statement does, or lift revocations that are not "
            "needed.",
            used=used,
            quota=INLINE_POLICY_LENGTH,
        )
