# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading of trust policies as IAM evaluates them: who may assume the role, with which external IDs, and what else.

What cannot be decided from the policy alone is reported. External IDs never enter a message.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .arns import ROLE_ARN, SESSION_ARN, trusted_account
from .conditions import Context, Test, all_of, any_of, is_met, is_variable, negation, tests
from .names import is_external_id
from .patterns import has_wildcard, matches
from .policies import EXTERNAL_ID_KEY, VERSION, statements, values

ASSUME = "sts:AssumeRole"
WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"
ASSUME_ACTIONS = (ASSUME, "sts:AssumeRoleWithSAML", WEB_IDENTITY)
# The statements that this collection writes. OWN_ASSUME also says which of several external IDs is the current one.
OWN_ASSUME = re.compile(r"AssumeWithExternalId(?:([1-9]\d?)Of([1-9]\d?))?")
OWN_SIDS = re.compile(r"NameSession|AssumeWithSaml|AssumeWithWebIdentity[1-9]\d?")
LOCK_SID = "MdpsVenueLocked"
DENIED_SID = re.compile(r"MdpsSubjectsRevoked[0-9a-f]{8}")
_EVERYBODY = ("*", "*")
_DEAD = re.compile(r"A(RO|ID)A[A-Z0-9]{12,}")
# Stands for an external ID that nobody knows.
_UNKNOWN_ID = "f3a1d96b0c27485e" * 2


class Principal(NamedTuple):
    """One entry of a ``Principal`` element: ``AWS`` and an ARN; ``*`` and ``*`` for everybody."""

    kind: str
    name: str


@dataclass(frozen=True)
class Statement:
    """One statement of a trust policy.

    :param number: its place in the policy, from 1.
    :param content: the statement as it is.
    :param variables: whether its policy version knows policy variables.
    """

    number: int
    content: Mapping[str, Any] = field(repr=False)
    variables: bool = True

    def element(self, name: str) -> Any:
        """An element of the statement; None if it is missing."""
        return next((value for key, value in self.content.items() if key.lower() == name.lower()), None)

    @property
    def sid(self) -> str:
        """Its Sid, or ''."""
        return str(self.element("Sid") or "")

    @property
    def effect(self) -> str:
        """``Allow``, ``Deny``, or '' for anything else."""
        return {"allow": "Allow", "deny": "Deny"}.get(str(self.element("Effect")).lower(), "")

    @property
    def name(self) -> str:
        """How a message names it: by its effect and its Sid, or its place."""
        sid = "".join(one if one.isprintable() else "?" for one in self.sid)
        which = f"'{sid}'" if sid else f"number {self.number}"
        return f"{self.effect or 'unreadable'} statement {which}"

    @property
    def principals(self) -> tuple[Principal, ...]:
        """Whom it names, under ``Principal`` or ``NotPrincipal``."""
        who = self.element("Principal") if self.element("Principal") is not None else self.element("NotPrincipal")
        if isinstance(who, Mapping):
            return tuple(
                Principal(*_EVERYBODY) if (kind, name) == ("AWS", "*") else Principal(kind, str(name))
                for kind, names in who.items()
                for name in values(names)
            )
        return tuple(Principal("*", str(name)) for name in values(who) if name is not None)

    @property
    def inverted(self) -> bool:
        """Whether it is about everybody except those it names."""
        return self.element("Principal") is None and self.element("NotPrincipal") is not None

    def is_about(self, action: str) -> bool:
        """Whether the action is among its actions."""
        listed, excepted = self.element("Action"), self.element("NotAction")
        if listed is not None:
            return any(matches(str(one).lower(), action.lower()) for one in values(listed))
        return excepted is not None and not any(matches(str(one).lower(), action.lower()) for one in values(excepted))

    def is_met(self, context: Context) -> bool | None:
        """Whether a request meets its conditions; None if that cannot be decided."""
        condition = self.element("Condition")
        return True if condition is None else is_met(condition, context, variables=self.variables)

    def external_id_tests(self) -> list[Test]:
        """The tests of the external ID among its conditions."""
        return [test for test in tests(self.element("Condition")) if test.key == EXTERNAL_ID_KEY]


def read_statements(policy: Mapping[str, Any] | None) -> list[Statement]:
    """The statements of a trust policy, of none if there is no policy."""
    variables = any(key.lower() == "version" and value == VERSION for key, value in (policy or {}).items())
    return [
        Statement(number, content, variables)
        for number, content in enumerate(statements(policy), start=1)
        if isinstance(content, Mapping)
    ]


def decide(policy: Mapping[str, Any] | None, caller: str, action: str, context: Context) -> bool | None:
    """Whether a trust policy allows a caller: a Deny takes precedence over every Allow. None if that is undecided.

    :param caller: the ARN of a session, role, user or account root, or of an identity provider.
    """
    answers: dict[str, list[bool | None]] = {"Allow": [], "Deny": [], "": []}
    for statement in read_statements(policy):
        if statement.is_about(action):
            answers[statement.effect].append(all_of([_includes(statement, caller), statement.is_met(context)]))
    denied = any_of([*answers["Deny"], *(None for answer in answers[""] if answer is not False)])
    return all_of([negation(denied), any_of(answers["Allow"])])


def _includes(statement: Statement, caller: str) -> bool | None:
    """Whether a statement is about a caller."""
    named = any_of(_is(principal, caller) for principal in statement.principals)
    if not statement.inverted:
        return named
    # A session is excepted only if session, role and account are all named: too subtle to promise either way.
    account = caller.split(":")[4] if caller.count(":") > 4 else ""
    touched = named is not False or any(account in principal.name for principal in statement.principals if account)
    return None if touched else True


def _is(principal: Principal, caller: str) -> bool | None:
    """Whether a principal is, or includes, a caller."""
    federated = ":saml-provider/" in caller or ":oidc-provider/" in caller or not caller.startswith("arn:")
    if principal == _EVERYBODY:
        return True
    if principal.kind != "AWS":
        return principal.name == caller
    if federated:
        return False
    account, session = trusted_account(principal.name), SESSION_ARN.fullmatch(caller)
    if account:
        return account == caller.split(":")[4]
    role = ROLE_ARN.fullmatch(principal.name)
    if session and role:
        return role.groups() == session.groups()[:3]
    return principal.name == caller


@dataclass(frozen=True)
class TrustReading:
    """What a trust policy says.

    :param external_ids: those with which somebody may assume the role now, in alphabetical order.
    :param venue_ids: those with which somebody may, once no lock is in the way: a Deny that is not about the external
        ID does not change which ones the venue has.
    :param offered: those of them that an Allow demands, that no Deny is about, and that may be taken over. If this
        collection's own statement is there, only those that it demands.
    :param current: the one that our own statement marks as the current one; '' if it marks none.
    :param demands_external_id: whether nobody gets in without one that the policy names.
    :param principals: who may assume the role, as the policy names them.
    :param locked: whether a Deny without conditions denies everyone.
    :param foreign: the statements that this collection did not write.
    :param undecided: what cannot be decided, one sentence each.
    """

    external_ids: tuple[str, ...] = field(default=(), repr=False)
    venue_ids: tuple[str, ...] = field(default=(), repr=False)
    offered: tuple[str, ...] = field(default=(), repr=False)
    current: str = field(default="", repr=False)
    demands_external_id: bool = False
    principals: tuple[str, ...] = ()
    locked: bool = False
    foreign: tuple[Statement, ...] = ()
    undecided: tuple[str, ...] = ()


def read_trust(policy: Mapping[str, Any] | None) -> TrustReading:
    """Read a trust policy."""
    found = read_statements(policy)
    named = [one for one in named_external_ids(policy) if is_external_id(one)]
    unlocked = tuple(one for one in named if _can_assume(found, one, locks=False))
    own = [one for one in found if is_own(one) and OWN_ASSUME.fullmatch(one.sid)]
    offered = {value for one in own or found if one.effect == "Allow" for value in _offers(one)}
    return TrustReading(
        external_ids=tuple(one for one in named if _can_assume(found, one)),
        venue_ids=unlocked,
        offered=tuple(one for one in unlocked if one in offered and not _is_denied(found, one)),
        current=_marked(own, unlocked),
        demands_external_id=not (_can_assume(found, None) or _can_assume(found, _UNKNOWN_ID)),
        principals=principals(policy),
        locked=is_locked(policy),
        foreign=foreign_statements(policy),
        undecided=tuple(sentence for one in found for sentence in _undecided(one)),
    )


def external_ids(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Every external ID that a policy names and with which somebody may assume the role, in alphabetical order."""
    return read_trust(policy).external_ids


def venue_ids(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The external IDs of a venue, as ``external_ids``, but whether it is locked or not."""
    return read_trust(policy).venue_ids


def named_external_ids(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Every value that a policy compares with the external ID, refused ones and patterns too, in alphabetical order."""
    compared = [test for one in read_statements(policy) for test in one.external_id_tests()]
    return tuple(sorted({str(value) for test in compared if test.operator.name != "null" for value in test.values}))


def principals(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Whom the policy lets assume the role, as it names them, without repetition."""
    named: dict[str, None] = {}
    for statement in read_statements(policy):
        if statement.effect == "Allow" and any(statement.is_about(action) for action in ASSUME_ACTIONS):
            prefix = "everybody except " if statement.inverted else ""
            named.update(dict.fromkeys(f"{prefix}{principal.name}" for principal in statement.principals))
    return tuple(named)


def dead_principals(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Trusted principals that were deleted: IAM shows their unique ids, and does not trust a namesake made later.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
    """
    return tuple(who for who in principals(policy) if _DEAD.fullmatch(who))


def is_locked(policy: Mapping[str, Any] | None, action: str | None = None) -> bool:
    """Whether a Deny without conditions prevents everyone from assuming the role, whoever wrote it.

    :param action: the way to assume it; None for each that the policy allows, and ``sts:AssumeRole`` in any case.
    """
    found = read_statements(policy)
    if action is None:
        allowed = [way for way in ASSUME_ACTIONS if any(one.effect == "Allow" and one.is_about(way) for one in found)]
        return all(_is_closed(found, way) for way in {ASSUME, *allowed})
    return _is_closed(found, action)


def _is_closed(statements: Iterable[Statement], action: str) -> bool:
    return any(
        statement.effect == "Deny"
        and not statement.inverted
        and _EVERYBODY in statement.principals
        and statement.is_about(action)
        and not statement.element("Condition")
        for statement in statements
    )


def is_lock(statement: Statement) -> bool:
    """Whether a statement is this collection's incident lock, unaltered."""
    whole = all(statement.is_about(action) for action in ASSUME_ACTIONS)
    return statement.sid == LOCK_SID and whole and is_locked({"Statement": [statement.content]})


def is_denial(statement: Statement) -> bool:
    """Whether a statement is this collection's refusal of subjects of one issuer, unaltered."""
    return (
        bool(DENIED_SID.fullmatch(statement.sid))
        and statement.effect == "Deny"
        and not statement.inverted
        and statement.principals == (Principal(*_EVERYBODY),)
        and statement.element("Action") == WEB_IDENTITY
        and bool(_refused(statement))
    )


def _refused(statement: Statement) -> tuple[str, list[str]] | None:
    """The issuer and the subjects of a condition that compares nothing else; None for any other condition."""
    condition = statement.element("Condition")
    compared = condition.get("StringEquals") if isinstance(condition, Mapping) and len(condition) == 1 else None
    if not isinstance(compared, Mapping) or len(compared) != 1:
        return None
    ((key, subjects),) = compared.items()
    issuer, _colon, claim = str(key).rpartition(":")
    return (issuer, [str(one) for one in values(subjects)]) if issuer and claim == "sub" else None


def denied_subjects(policy: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """The subjects that this collection's statements refuse, by issuer."""
    found: dict[str, set[str]] = {}
    for issuer, subjects in filter(None, (_refused(one) for one in read_statements(policy) if is_denial(one))):
        found.setdefault(issuer, set()).update(subjects)
    return {issuer: sorted(subjects) for issuer, subjects in found.items()}


def is_own(statement: Statement) -> bool:
    """Whether this collection wrote a statement; its content may have been altered since."""
    known = OWN_SIDS.fullmatch(statement.sid) or OWN_ASSUME.fullmatch(statement.sid)
    return bool(known and statement.effect == "Allow") or is_lock(statement) or is_denial(statement)


def foreign_statements(policy: Mapping[str, Any] | None) -> tuple[Statement, ...]:
    """The statements that this collection did not write."""
    return tuple(one for one in read_statements(policy) if not is_own(one))


def _is_denied(found: list[Statement], external_id: str) -> bool:
    """Whether a Deny is about an external ID, for whomever and under whatever other conditions."""
    context = Context({EXTERNAL_ID_KEY: external_id})
    return any(
        one.effect == "Deny" and one.is_about(ASSUME) and one.external_id_tests() and one.is_met(context) is not False
        for one in found
    )


def _can_assume(found: list[Statement], external_id: str | None, *, locks: bool = True) -> bool:
    """Whether somebody may assume the role with an external ID, or with none; other conditions count as met.

    :param locks: whether a Deny counts that is not about the external ID.
    """
    context = Context({EXTERNAL_ID_KEY: external_id})
    about = [one for one in found if one.is_about(ASSUME)]
    denials = [
        one
        for one in about
        if one.effect == "Deny" and one.is_met(context) is True and (locks or one.external_id_tests())
    ]
    return any(
        not any(_covers(denial, principal, inverted=allow.inverted) for denial in denials)
        for allow in about
        if allow.effect == "Allow" and allow.is_met(context) is not False
        for principal in allow.principals
        if principal.kind in ("AWS", "*")
    )


def _covers(denial: Statement, principal: Principal, *, inverted: bool) -> bool:
    """Whether a Deny is about all that a principal of an Allow stands for."""
    if not denial.inverted and _EVERYBODY in denial.principals:
        return True
    if inverted or principal == _EVERYBODY:
        return False
    account = trusted_account(principal.name)
    return _includes(denial, f"arn:aws:iam::{account}:root" if account else principal.name) is True


def _offers(statement: Statement) -> Iterator[str]:
    """The external IDs that an Allow demands: never those under a negated operator."""
    for test in statement.external_id_tests():
        wildcards = test.operator.positive == "stringlike"
        if test.operator.positive.startswith("string") and not test.operator.negated:
            yield from (str(value) for value in test.values if not (wildcards and _has_wildcard(value)))


def _marked(own: list[Statement], accepted: tuple[str, ...]) -> str:
    """The current external ID, which the Sid of our own statement marks by its place in alphabetical order."""
    for statement in own:
        found, offered = OWN_ASSUME.fullmatch(statement.sid), sorted(set(_offers(statement)))
        place, of = (int(number or 1) for number in (found.groups() if found else ("", "")))
        if len(offered) == of and place <= of and offered[place - 1] in accepted:
            return offered[place - 1]
    return ""


def _undecided(statement: Statement) -> Iterator[str]:
    """What cannot be decided about a statement."""
    if not statement.effect:
        yield f"the {statement.name} has neither the effect Allow nor Deny"
    if statement.inverted:
        yield f"the {statement.name} is about everybody except those it names (NotPrincipal)"
    for test in tests(statement.element("Condition")):
        if not test.operator.known:
            yield f"the {statement.name} has an operator that IAM does not know"
        elif test.key == EXTERNAL_ID_KEY:
            if test.operator.positive == "stringlike" and any(_has_wildcard(value) for value in test.values):
                yield f"the {statement.name} compares the external ID with a pattern"
            elif not test.operator.compared or (statement.variables and any(is_variable(one) for one in test.values)):
                yield f"the {statement.name} compares the external ID with something that is known only in a request"


def _has_wildcard(value: Any) -> bool:
    return has_wildcard(str(value))
