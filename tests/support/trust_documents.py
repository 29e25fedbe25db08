# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trust policies as they are found in accounts, and what each of them means.

The unit tests compare the reader with this table. The enforcement tests compare both with a judge that is not ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACCOUNT, PARTNER = "123456789012", "210987654321"
ROOT, PARTNER_ROOT = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{PARTNER}:root"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mcp-tenantOperator"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/mcp-tenantOperator/jane.admin"
A, B, C = "first-external-id-0001", "second-external-id-0002", "third-external-id-0003"
# What a caller sends: None is no external ID at all.
SENT = (A, B, C, "unknown-external-id", A.upper(), "", None)
ASSUME = "sts:AssumeRole"
LOCK = {
    "Sid": "MdpsVenueLocked",
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"],
}


@dataclass(frozen=True)
class Document:
    """A trust policy and its meaning.

    :param accepts: the external IDs it names and with which somebody gets in.
    :param offers: those that may be taken over; None for all that are accepted.
    :param demands: whether nobody gets in without one of them.
    :param foreign: names of the statements that are not the collection's.
    :param undecided: how many sentences say what cannot be decided.
    :param version: the version of the policy language.
    """

    statements: Sequence[Mapping[str, Any]] | Mapping[str, Any]
    accepts: tuple[str, ...] = ()
    offers: tuple[str, ...] | None = None
    demands: bool = True
    locked: bool = False
    foreign: tuple[str, ...] = ()
    undecided: int = 0
    current: str = ""
    version: str | None = "2012-10-17"

    @property
    def policy(self) -> dict[str, Any]:
        """The document."""
        version = {"Version": self.version} if self.version else {}
        return {**version, "Statement": self.statements}


def allow(condition: Any = None, **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    conditions = {} if condition is None else {"Condition": condition}
    return {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": ASSUME, **conditions, **more}


def deny(condition: Any = None, **more: Any) -> dict[str, Any]:
    """A statement that denies everybody."""
    return {**allow(condition), "Effect": "Deny", "Principal": "*", **more}


def own(*values: str, sid: str = "AssumeWithExternalId", **more: Any) -> dict[str, Any]:
    """The statement that the collection writes."""
    given: Any = values[0] if len(values) == 1 else list(values)
    return allow({"StringEquals": {"sts:ExternalId": given}}, Sid=sid, **more)


def is_(operator: str, *values: Any, key: str = "sts:ExternalId") -> dict[str, Any]:
    """A condition."""
    return {operator: {key: values[0] if len(values) == 1 else list(values)}}


_FIRST, _SECOND = ("Allow statement number 1",), ("Allow statement number 1", "Allow statement number 2")
_ALLOW_DENY = ("Allow statement number 1", "Deny statement number 2")
_DENIED = ("Deny statement number 2",)

DOCUMENTS: dict[str, Document] = {
    # One Allow.
    "one value": Document([allow(is_("StringEquals", A))], (A,), foreign=_FIRST),
    "a list": Document([allow(is_("StringEquals", A, B))], (A, B), foreign=_FIRST),
    "the same list, the other way round": Document([allow(is_("StringEquals", B, A))], (A, B), foreign=_FIRST),
    "a list with one value": Document([allow({"StringEquals": {"sts:ExternalId": [A]}})], (A,), foreign=_FIRST),
    "an empty list": Document([allow({"StringEquals": {"sts:ExternalId": []}})], foreign=_FIRST),
    "one statement without a list": Document(allow(is_("StringEquals", A)), (A,), foreign=_FIRST),
    "no statement": Document([]),
    "no condition": Document([allow()], demands=False, foreign=_FIRST),
    "an empty condition": Document([allow({})], demands=False, foreign=_FIRST),
    "another condition": Document(
        [allow(is_("StringEquals", "o-1", key="aws:PrincipalOrgID"))], demands=False, foreign=_FIRST
    ),
    "another condition besides": Document(
        [allow({**is_("StringEquals", A), **is_("Bool", "true", key="aws:MultiFactorAuthPresent")})],
        (A,),
        foreign=_FIRST,
    ),
    # Case.
    "the key in lower case": Document([allow(is_("StringEquals", A, key="sts:externalid"))], (A,), foreign=_FIRST),
    "the key in capitals": Document([allow(is_("StringEquals", A, key="STS:EXTERNALID"))], (A,), foreign=_FIRST),
    "the action in lower case": Document(
        [allow(is_("StringEquals", A), Action="sts:assumerole")], (A,), foreign=_FIRST
    ),
    "a value without regard to case": Document(
        [allow(is_("StringEqualsIgnoreCase", A.upper()))], (A.upper(),), foreign=_FIRST
    ),
    # Operators.
    "like, without a wildcard": Document([allow(is_("StringLike", A))], (A,), foreign=_FIRST),
    "like, anything": Document([allow(is_("StringLike", "*"))], demands=False, foreign=_FIRST, undecided=1),
    "like, a prefix": Document([allow(is_("StringLike", "first-*"))], foreign=_FIRST, undecided=1),
    "like, a prefix or a value": Document([allow(is_("StringLike", "third-*", A))], (A,), foreign=_FIRST, undecided=1),
    "equals, with a star that is no wildcard": Document([allow(is_("StringEquals", "first-*"))], foreign=_FIRST),
    "not equals": Document([allow(is_("StringNotEquals", A))], demands=False, foreign=_FIRST),
    "not like": Document([allow(is_("StringNotLike", "x*", A))], demands=False, foreign=_FIRST, undecided=1),
    "not equals, ignoring case": Document([allow(is_("StringNotEqualsIgnoreCase", A))], demands=False, foreign=_FIRST),
    "equals, if it is there": Document([allow(is_("StringEqualsIfExists", A))], (A,), demands=False, foreign=_FIRST),
    "not equals, if it is there": Document([allow(is_("StringNotEqualsIfExists", A))], demands=False, foreign=_FIRST),
    "any value of": Document([allow(is_("ForAnyValue:StringEquals", A, B))], (A, B), foreign=_FIRST),
    "all values of": Document([allow(is_("ForAllValues:StringEquals", A))], (A,), demands=False, foreign=_FIRST),
    "it is there": Document([allow(is_("Null", "false"))], demands=False, foreign=_FIRST),
    "it is not there": Document([allow(is_("Null", "true"))], demands=False, foreign=_FIRST),
    "it is there, and equals": Document(
        [allow({**is_("Null", "false"), **is_("StringEquals", A)})], (A,), foreign=_FIRST
    ),
    "it is not there, and equals": Document([allow({**is_("Null", "true"), **is_("StringEquals", A)})], foreign=_FIRST),
    "two operators that both must hold": Document(
        [allow({**is_("StringEquals", A, B), **is_("StringNotEquals", B)})], (A,), foreign=_FIRST
    ),
    "two operators that never hold together": Document(
        [allow({**is_("StringEquals", A), **is_("StringLike", "second-*")})], foreign=_FIRST, undecided=1
    ),
    "an operator for other types": Document(
        [allow(is_("NumericEquals", 1))], foreign=_FIRST, undecided=1, demands=False
    ),
    # Policy variables.
    "a variable": Document([allow(is_("StringEquals", "${aws:username}"))], demands=False, foreign=_FIRST, undecided=1),
    "a variable after a known beginning": Document(
        [allow(is_("StringEquals", "zzz-${aws:username}"))], foreign=_FIRST, undecided=1
    ),
    "a variable in the old language": Document(
        [allow(is_("StringEquals", "${aws:username}", A))], (A,), foreign=_FIRST, version="2008-10-17"
    ),
    "no version": Document([allow(is_("StringEquals", "${aws:username}", A))], (A,), foreign=_FIRST, version=None),
    "a literal star": Document([allow(is_("StringLike", "first-${*}", A))], (A,), foreign=_FIRST, undecided=1),
    # Actions.
    "every sts action": Document([allow(is_("StringEquals", A), Action="sts:*")], (A,), foreign=_FIRST),
    "every assume action": Document([allow(is_("StringEquals", A), Action="sts:AssumeRole*")], (A,), foreign=_FIRST),
    "every action": Document([allow(is_("StringEquals", A), Action="*")], (A,), foreign=_FIRST),
    "one of several actions": Document(
        [allow(is_("StringEquals", A), Action=["sts:TagSession", ASSUME])], (A,), foreign=_FIRST
    ),
    "other actions only": Document([allow(is_("StringEquals", A), Action="sts:TagSession")], foreign=_FIRST),
    "all actions but this one": Document(
        [allow(is_("StringEquals", A), NotAction=ASSUME, Action=None)], foreign=_FIRST
    ),
    "all actions but another one": Document(
        [allow(is_("StringEquals", A), NotAction="sts:TagSession", Action=None)], (A,), foreign=_FIRST
    ),
    # Principals.
    "everybody": Document([allow(is_("StringEquals", A), Principal="*")], (A,), foreign=_FIRST),
    "everybody, as AWS": Document([allow(is_("StringEquals", A), Principal={"AWS": "*"})], (A,), foreign=_FIRST),
    "an account id": Document([allow(is_("StringEquals", A), Principal={"AWS": ACCOUNT})], (A,), foreign=_FIRST),
    "a role": Document([allow(is_("StringEquals", A), Principal={"AWS": ROLE})], (A,), foreign=_FIRST),
    "a session": Document([allow(is_("StringEquals", A), Principal={"AWS": CALLER})], (A,), foreign=_FIRST),
    "a partner": Document([allow(is_("StringEquals", A), Principal={"AWS": PARTNER_ROOT})], (A,), foreign=_FIRST),
    "a service": Document([allow(Principal={"Service": "ec2.amazonaws.com"})], foreign=_FIRST),
    "a deleted role": Document(
        [allow(is_("StringEquals", A), Principal={"AWS": "AROAEXAMPLEEXAMPLEEX"})], (A,), foreign=_FIRST
    ),
    "everybody but a partner": Document(
        [{**allow(is_("StringEquals", A), Principal=None), "NotPrincipal": {"AWS": PARTNER_ROOT}}],
        (A,),
        foreign=_FIRST,
        undecided=1,
    ),
    # Several statements.
    "two values in two statements": Document(
        [allow(is_("StringEquals", A)), allow(is_("StringEquals", B))], (A, B), foreign=_SECOND
    ),
    "one with and one without": Document(
        [allow(is_("StringEquals", A)), allow()], (A,), demands=False, foreign=_SECOND
    ),
    # Denials.
    "a leaked one is denied": Document(
        [allow(is_("StringEquals", A)), deny(is_("StringEquals", B))], (A,), foreign=_ALLOW_DENY
    ),
    "only a leaked one is named": Document([allow(), deny(is_("StringEquals", A))], demands=False, foreign=_ALLOW_DENY),
    "one of two is denied": Document(
        [allow(is_("StringEquals", A, B)), deny(is_("StringEquals", B))], (A,), foreign=_ALLOW_DENY
    ),
    "the denial comes first": Document(
        [deny(is_("StringEquals", B)), allow(is_("StringEquals", A, B))],
        (A,),
        foreign=("Deny statement number 1", "Allow statement number 2"),
    ),
    "denied in another spelling": Document(
        [allow(is_("StringEquals", A)), deny(is_("StringEqualsIgnoreCase", A.upper()))], foreign=_ALLOW_DENY
    ),
    "denied by a pattern": Document(
        [allow(is_("StringEquals", A, B)), deny(is_("StringLike", "second-*"))], (A,), foreign=_ALLOW_DENY, undecided=1
    ),
    "everything else is denied": Document(
        [allow(), deny(is_("StringNotEquals", A))], (A,), offers=(), foreign=_ALLOW_DENY
    ),
    "everything else is denied, if there is one": Document(
        [allow(), deny(is_("StringNotEqualsIfExists", A))], (A,), offers=(), foreign=_ALLOW_DENY
    ),
    "missing ones are denied": Document(
        [allow(is_("StringEqualsIfExists", A)), deny(is_("Null", "true"))], (A,), foreign=_ALLOW_DENY
    ),
    # A Deny that is not about the external ID refuses people, and does not change which one the venue has.
    "all are denied": Document([allow(is_("StringEquals", A)), deny()], offers=(A,), locked=True, foreign=_ALLOW_DENY),
    "all of the account are denied": Document(
        [allow(is_("StringEquals", A)), deny(Principal={"AWS": ROOT})], offers=(A,), foreign=_ALLOW_DENY
    ),
    "one role is allowed and denied an external ID": Document(
        [
            allow(is_("StringEquals", A, B), Principal={"AWS": ROLE}),
            deny(is_("StringEquals", B), Principal={"AWS": ROLE}),
        ],
        (A,),
        foreign=_ALLOW_DENY,
    ),
    "a role is denied an external ID of the account": Document(
        [allow(is_("StringEquals", A, B)), deny(is_("StringEquals", B), Principal={"AWS": ROLE})],
        (A, B),
        offers=(A,),
        foreign=_ALLOW_DENY,
    ),
    "an external ID is denied from some addresses": Document(
        [
            allow(is_("StringEquals", A, B)),
            deny({**is_("StringEquals", B), "IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        ],
        (A, B),
        offers=(A,),
        foreign=_ALLOW_DENY,
    ),
    "one role of the account is denied": Document(
        [allow(is_("StringEquals", A)), deny(Principal={"AWS": ROLE})], (A,), foreign=_ALLOW_DENY
    ),
    "another account is denied": Document(
        [allow(is_("StringEquals", A)), deny(Principal={"AWS": PARTNER_ROOT})], (A,), foreign=_ALLOW_DENY
    ),
    "another action is denied": Document(
        [allow(is_("StringEquals", A)), deny(Action="sts:TagSession")], (A,), foreign=_ALLOW_DENY
    ),
    "denied from some addresses": Document(
        [allow(is_("StringEquals", A)), deny(is_("IpAddress", "192.0.2.0/24", key="aws:SourceIp"))],
        (A,),
        foreign=_ALLOW_DENY,
    ),
    "denied without MFA": Document(
        [allow(is_("StringEquals", A)), deny(is_("BoolIfExists", "false", key="aws:MultiFactorAuthPresent"))],
        (A,),
        foreign=_ALLOW_DENY,
    ),
    # Values that STS refuses.
    "one character": Document([allow(is_("StringEquals", "x"))], foreign=_FIRST),
    "two words": Document([allow(is_("StringEquals", "two words"))], foreign=_FIRST),
    "a trailing line break": Document([allow(is_("StringEquals", f"{A}\n"))], foreign=_FIRST),
    "a number": Document([allow(is_("StringEquals", 1234567890123456))], ("1234567890123456",), foreign=_FIRST),
    # Our own.
    "as written": Document([own(A)], (A,), current=A),
    "during a rotation, the first is new": Document([own(A, B, sid="AssumeWithExternalId1Of2")], (A, B), current=A),
    "during a rotation, the second is new": Document([own(A, B, sid="AssumeWithExternalId2Of2")], (A, B), current=B),
    "the order says nothing": Document([own(B, A, sid="AssumeWithExternalId2Of2")], (A, B), current=B),
    "a mark that does not fit": Document([own(A, B)], (A, B)),
    "a mark beyond the values": Document([own(A, B, sid="AssumeWithExternalId3Of2")], (A, B)),
    "ours, and an Allow of somebody": Document(
        [own(A), allow(is_("StringEquals", B), Sid="Theirs")],
        (A, B),
        offers=(A,),
        current=A,
        foreign=("Allow statement 'Theirs'",),
    ),
    "ours, and a Deny of somebody": Document([own(A), deny(is_("StringEquals", B))], (A,), current=A, foreign=_DENIED),
    "ours is denied": Document([own(A), deny(is_("StringEquals", A))], foreign=_DENIED),
    "the lock": Document([own(A), LOCK], offers=(A,), current=A, locked=True),
    "the lock without its effect": Document(
        [own(A), {**LOCK, "Condition": is_("StringEquals", "x" * 20)}],
        (A,),
        current=A,
        foreign=("Deny statement 'MdpsVenueLocked'",),
    ),
    "the lock turned round": Document(
        [own(A), {**LOCK, "Effect": "Allow"}],
        (A,),
        demands=False,
        current=A,
        foreign=("Allow statement 'MdpsVenueLocked'",),
    ),
    "a Deny under our name": Document(
        [own(A), deny(is_("StringEquals", B), Sid="NameSession")],
        (A,),
        current=A,
        foreign=("Deny statement 'NameSession'",),
    ),
}
