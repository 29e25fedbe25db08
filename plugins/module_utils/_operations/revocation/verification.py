# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proof that tokens are refused: by the stored policies, by AWS's response to the credentials, or at AssumeRole.

IAM's simulation knows neither trust policies nor what has not spread yet. So it proves what is stored, never a lock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._aws.calls import EXPIRED, UNKNOWN_KEYS, call
from ..._aws.clients import Clients
from ..._aws.sessions import simulate_session, try_keys
from ..._aws.venue_state import read_parameters
from ..._domain.arns import session_role_name
from ..._domain.errors import ConnectionProblem, InvalidInput, NotProven, VenueError
from ..._domain.found_keys import FoundKeys
from ..._domain.lock import has_lock
from ..._domain.revocation import Revocation
from ..._domain.roles import Role
from ..._domain.simulation import allowed_actions
from .._operation import Params, Runtime
from ..assumable import LONGEST_WAIT, try_to_assume
from ..keys_file import read_keys_file
from ..propagation import PropagationRetry

ARGUMENT_SPEC: dict[str, Any] = {
    "verify": {"type": "bool", "default": False},
    "keys_file": {"type": "path"},
    "wait_timeout": {"type": "int", "default": 300},
}
# What a session of a venue would do first. Every revocation denies everything, so any action shows it.
ACTIONS = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "ecr:GetAuthorizationToken")
_DENIED_BY_ROLE = "explicit deny in an identity-based policy"
_DENIED_BY_TRUST = "explicit deny in a resource-based policy"


@dataclass(frozen=True)
class Wanted:
    """What is to be proven.

    :param keys: the credentials of a token, if they are available.
    :param timeout: for how many seconds to try.
    """

    keys: FoundKeys | None
    timeout: int


@dataclass(frozen=True)
class Proof:
    """The outcome of one attempt.

    :param proven: whether it is shown that AWS refuses.
    :param waiting: whether a later attempt may show it.
    """

    subject: str
    method: str
    proven: bool
    summary: str
    waiting: bool = True

    def shown(self) -> dict[str, Any]:
        """The proof as results list it."""
        return {"subject": self.subject, "method": self.method, "proven": self.proven, "summary": self.summary}


Check = Callable[[], Proof]


def parse(params: Params) -> Wanted | None:
    """Check the options; None if no proof is asked for.

    :raises InvalidInput: they do not fit together, or the file has no credentials.
    """
    if not params["verify"]:
        if params["keys_file"] is not None:
            raise InvalidInput("keys_file", "is used only with verify: true.")
        return None
    if params["state"] not in ("present", "locked"):
        raise InvalidInput("verify", f"cannot be used with state {params['state']}, which does not deny anything.")
    if params["web_identity_subject"] is not None:
        raise InvalidInput("verify", "cannot be used with web_identity_subject: only its provider can sign in as it.")
    if not 0 <= params["wait_timeout"] <= LONGEST_WAIT:
        raise InvalidInput("wait_timeout", f"must be between 0 and {LONGEST_WAIT} seconds.")
    keys = read_keys_file(params["keys_file"], params["access_key_id"]) if params["keys_file"] is not None else None
    return Wanted(keys, params["wait_timeout"])


@dataclass(frozen=True)
class Expected:
    """Whose the credentials must be.

    :param role_names: of the roles whose tokens are revoked.
    :param sessions: the names of the sessions that are revoked; empty if that is not known or all are.
    :param key_ids: the access key ids of the tokens that are revoked; empty if one of them is not known.
    """

    role_names: Iterable[str]
    sessions: Iterable[str] = ()
    key_ids: Iterable[str] = ()


def check_owner(keys: FoundKeys, clients: Clients, expected: Expected) -> bool:
    """Find out whose credentials these are, before anything is changed (sts:GetCallerIdentity).

    :returns: whether AWS accepts them. Of keys that it does not, only the access key id can be compared.
    :raises InvalidInput: they are of another token than those that are revoked.
    """
    try:
        sts = _client(clients, "sts", keys)
        arn = str(call(sts, "get_caller_identity", "find out whose credentials these are")["Arn"])
    except ConnectionProblem as problem:
        if problem.facts.get("error_code") not in EXPIRED | UNKNOWN_KEYS:
            raise
        _check_key_id(keys.access_key_id, list(expected.key_ids))
        return False
    name, session = session_role_name(arn), arn.rpartition("/")[2]
    sessions = list(expected.sessions)
    if not name or name.lower() not in map(str.lower, expected.role_names):
        problem_is = f"the credentials of {arn}, which is not a session of the venue"
    elif sessions and session not in sessions:
        problem_is = f"the credentials of the session {session}, not of {', '.join(sessions)}"
    else:
        return True
    raise InvalidInput("keys_file", f"has {problem_is}. Nothing was changed.")


def _check_key_id(given: str, known: Sequence[str]) -> None:
    if known and given not in known:
        raise InvalidInput(
            "keys_file", f"has the credentials of {given}, not of {', '.join(known)}. Nothing was changed."
        )


def _client(clients: Clients, service: str, keys: FoundKeys) -> Any:
    return clients.client_with_keys(service, keys.access_key_id, keys.secret_access_key, keys.session_token)


class LockProof:
    """AssumeRole that is refused. What it was answered before the lock says whether that means anything."""

    def __init__(self, clients: Clients, role: Role, parameter: str) -> None:
        self._sts, self._role = clients.client("sts"), role
        self._problem = ""
        try:
            self._value = read_parameters(clients.client("ssm"), [parameter]).get(parameter)
            self._worked_before = not has_lock(role) and not try_to_assume(self._sts, role, self._value)
        except VenueError as error:  # the role is locked anyway
            self._problem = error.message

    def attempt(self) -> Proof:
        """Try to assume the role."""
        if self._problem:
            said = f"It could not be tried before the lock, so nothing is verified: {self._problem}"
            return Proof(f"new tokens of the role {self._role.name}", "assume_role", False, said, waiting=False)
        refusal = try_to_assume(self._sts, self._role, self._value)
        subject = f"new tokens of the role {self._role.name}"
        if refusal is None:
            return Proof(subject, "assume_role", False, "AWS still lets this caller assume the role.")
        if self._worked_before:
            said = "AssumeRole succeeded with these credentials before the lock, and is refused now."
            return Proof(subject, "assume_role", True, said)
        if _DENIED_BY_TRUST in refusal.said:
            return Proof(subject, "assume_role", True, f"AssumeRole is refused: {_DENIED_BY_TRUST}.")
        said = (
            "AssumeRole is refused, but these credentials are not known to have been allowed to assume the role before "
            "the lock, so this does not verify the lock. Repeat it with credentials that may assume the role. "
            f"The last answer: {refusal.message}"
        )
        return Proof(subject, "assume_role", False, said, waiting=False)


@dataclass(frozen=True)
class Before:
    """What was found out before the first change.

    :param accepted: whether AWS accepted the credentials.
    """

    accepted: bool = False
    locks: Sequence[LockProof] = ()


def checks(
    wanted: Wanted, clients: Clients, revoked: Iterable[tuple[Role, Revocation]], before: Before
) -> Iterator[Check]:
    """The proofs that are possible, each as a function that makes one attempt.

    :param revoked: what was revoked of which role.
    """
    iam = clients.client("iam")
    for role, revocation in revoked:
        yield functools.partial(_by_policies, iam, role, revocation)
    keys = wanted.keys
    if keys:
        ecr = _client(clients, "ecr", keys)
        yield functools.partial(_by_keys, ecr, keys.access_key_id, before.accepted)
    yield from (one.attempt for one in before.locks)


def _by_policies(iam: Any, role: Role, revocation: Revocation) -> Proof:
    decisions = simulate_session(iam, role.arn, ACTIONS, revocation.newest(role.role_id))
    left = allowed_actions(decisions)
    subject = f"{revocation.shown()['summary']}, of the role {role.name}"
    if left or not decisions:
        return Proof(
            subject, "policies", False, f"IAM's simulation does not refuse it: {', '.join(left) or 'no answer'}."
        )
    return Proof(
        subject, "policies", True, "IAM's simulation of the stored policies denies every action it was asked for."
    )


def _by_keys(ecr: Any, access_key_id: str, accepted: bool) -> Proof:
    subject, said = f"the credentials {access_key_id}", try_keys(ecr)
    if said in UNKNOWN_KEYS and not accepted:
        why = (
            f"AWS did not accept these credentials before the revocation either ({said}), so this does not verify the "
            "revocation. Check that they are complete."
        )
        return Proof(subject, "keys", False, why, waiting=False)
    if said in EXPIRED | UNKNOWN_KEYS:
        return Proof(subject, "keys", True, f"AWS no longer accepts the credentials ({said}).")
    if _DENIED_BY_ROLE in said:
        return Proof(subject, "keys", True, f"AWS refuses the credentials: {_DENIED_BY_ROLE}.")
    if said:
        return Proof(subject, "keys", False, f"AWS refuses one call, for another reason than the revocation: {said}.")
    return Proof(subject, "keys", False, "AWS still accepts the credentials.")


def verify(wanted: Wanted, attempts: Iterable[Check], runtime: Runtime) -> list[dict[str, Any]]:
    """Try every proof until it succeeds, or the time is over.

    :raises NotProven: at least one did not succeed.
    """
    open_checks = dict(enumerate(attempts))
    found: dict[int, Proof] = {}
    retry = PropagationRetry(runtime, wanted.timeout)
    while open_checks:
        for number, check in list(open_checks.items()):
            found[number] = _attempt(check)
            if found[number].proven or not found[number].waiting:
                del open_checks[number]
        if not open_checks or not retry.wait():
            break
    shown = [found[number].shown() for number in sorted(found)]
    missing = [one for one in shown if not one["proven"]]
    if missing:
        raise NotProven(_problem(missing), verified=shown)
    return shown


def _attempt(check: Check) -> Proof:
    """One attempt. A caller who may not make the call gets no proof, but nothing that was done is lost."""
    try:
        return check()
    except VenueError as error:
        return Proof("a proof", "none", False, error.message, waiting=False)


def _problem(missing: Iterable[Mapping[str, Any]]) -> str:
    each = " ".join(f"{one['subject'][0].upper()}{one['subject'][1:]}: {one['summary']}" for one in missing)
    return f"it could not be verified that AWS refuses access. {each} Propagation can take several minutes: run again."
