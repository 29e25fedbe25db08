# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a custom session policy leaves of a token, place by place.

Such a policy may allow to read here and to write there, which no list of words and folders can say. What cannot be
decided, such as a condition, is reported and not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .patterns import has_wildcard, matches, overlap, within, within_any
from .policies import statements, values

# What each verb needs at a place, in the order in which people name them.
S3_VERBS = {"read": ("s3:GetObject",), "write": ("s3:PutObject",), "delete": ("s3:DeleteObject",)}
LIST, LIST_ACTION = "list", "s3:ListBucket"
_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PUSH = (*(f"ecr:{one}LayerUpload" for one in ("Initiate", "Complete")), "ecr:UploadLayerPart", "ecr:PutImage")
ECR_VERBS = {
    "create": ("ecr:CreateRepository",),
    "pull": _PULL,
    "push": (*_PUSH, "ecr:BatchCheckLayerAvailability"),
}
_LOGIN = "ecr:GetAuthorizationToken"
_ARN = re.compile(r"arn:[^:]*:(s3|ecr):([^:]*:[^:]*):(.*)", re.DOTALL)  # groups: service, region and account, resource
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_REPOSITORY = "repository/"
ANY_REGISTRY = "*:*"


class Opening(NamedTuple):
    """The beginning of object keys, or of repository names, and what may be done there.

    :param where: of S3 ``bucket/prefix``, of ECR a name or pattern.
    """

    verbs: tuple[str, ...]
    where: str

    def covers(self, other: Opening) -> bool:
        """Whether everything that may be done at another place may be done here."""
        return set(other.verbs) <= set(self.verbs)

    def to_json(self) -> str:
        """One text, as receipts have it."""
        return f"{','.join(self.verbs)} {self.where}"


@dataclass(frozen=True)
class ExactPlace:
    """What a policy leaves, as far as it can be decided.

    :param narrowed: it may take away more than is said here.
    """

    places: tuple[Opening, ...] = ()
    repositories: tuple[Opening, ...] = ()
    narrowed: bool = False


def exactly(
    policy: Mapping[str, Any],
    words: Sequence[str],
    buckets: Sequence[str] | None,
    prefixes: Sequence[str] | None,
    repositories: Sequence[str] | None,
    *,
    delete: bool,
    lists: bool,
    registry: str = ANY_REGISTRY,
) -> ExactPlace:
    """Evaluate a policy at each place that the role and the request have in common.

    :param words: access words that role and request allow.
    :param buckets: None where they are not known, as without AWS credentials.
    :param prefixes: folders of the buckets; none for the whole buckets.
    :param registry: region and account of the repositories, with a colon between them.
    """
    evaluator = _Evaluator(policy, registry)
    verbs = [verb for verb in S3_VERBS if (verb == "delete" and delete) or f"s3_{verb}" in words]
    outer = [f"{bucket}/{prefix}" for bucket in buckets or ["*"] for prefix in _begins(prefixes)]
    found = [
        evaluator.place(verbs, where, lists=lists) for where in evaluator.candidates("s3", outer, S3_VERBS.values())
    ]
    used = [verb for verb in ECR_VERBS if f"ecr_{verb}" in words or (verb == "pull" and "ecr_push" in words)]
    named = evaluator.candidates("ecr", [_REPOSITORY + one for one in repositories or ["*"]], ECR_VERBS.values())
    opened = [evaluator.repository(used, where) for where in named]
    return ExactPlace(_without_repetition(found), _without_repetition(opened), narrowed=evaluator.unsure)


def _without_repetition(places: Sequence[Opening]) -> tuple[Opening, ...]:
    """The places without those where nothing may be done, or nothing more than in a wider one before them."""
    kept: list[Opening] = []
    for one in places:
        if one.verbs and not any(within(one.where, f"{wider.where}*") and wider.covers(one) for wider in kept):
            kept.append(one)
    return tuple(kept)


def _begins(prefixes: Sequence[str] | None) -> list[str]:
    return [f"{prefix}/*" for prefix in prefixes or ()] or ["*"]


class _Evaluator:
    """One policy, and whether anything in it could not be decided so far."""

    def __init__(self, policy: Mapping[str, Any], registry: str) -> None:
        self._registry = registry
        readable = [one for one in statements(policy) if isinstance(one, Mapping)]
        self._allows = [one for one in readable if one.get("Effect") == "Allow"]
        self._denies = [one for one in readable if one.get("Effect") == "Deny"]
        self.unsure = len(self._allows) + len(self._denies) != len(statements(policy))

    def candidates(self, service: str, outer: Sequence[str], needs: Iterable[Sequence[str]]) -> list[str]:
        """The places that a statement opens within outer ones, from the widest on, without repetition."""
        actions = [action for one in needs for action in one]
        named = [one for one in self._allows if any(_names(one, action) for action in actions)]
        found = (place for one in named for wide in outer for place in self._within(one, service, wide))
        return sorted(dict.fromkeys(found), key=lambda place: (len(place), place))

    def _within(self, allow: Mapping[str, Any], service: str, outer: str) -> Iterator[str]:
        """Yield the places within an outer one that a statement is about: the outer one itself where it names others.

        A statement with ``NotResource``, or with a pattern such as ``*.nc``, is about some names in a place, and no
        place says which.
        """
        if "NotResource" in allow:
            if self._covers(allow, service, outer):
                yield outer
            return
        for pattern in self._patterns(allow, "Resource", service):
            if overlap(outer, _VARIABLE.sub("*", pattern)):
                place = _meet(pattern, outer)
                yield place if place and (service == "ecr" or _is_beginning(place)) else outer

    def place(self, verbs: Sequence[str], where: str, *, lists: bool) -> Opening:
        """Evaluate what may be done with objects."""
        bucket, _slash, prefix = where.partition("/")
        can = [verb for verb in verbs if all(self._allow(action, "s3", where) for action in S3_VERBS[verb])]
        if can and lists and self._allow(LIST_ACTION, "s3", bucket, prefix):
            can.append(LIST)
        return Opening(tuple(can), where.removesuffix("*"))

    def repository(self, verbs: Sequence[str], where: str) -> Opening:
        """Evaluate what may be done with images; a docker that cannot log in can do nothing."""
        can = [verb for verb in verbs if all(self._allow(action, "ecr", where) for action in ECR_VERBS[verb])]
        login = self._allow(_LOGIN, "", "*")  # an action without resources: only ``*`` is about it
        return Opening(tuple(verb for verb in can if login or verb == "create"), where.removeprefix(_REPOSITORY))

    def _allow(self, action: str, service: str, where: str, prefix: str = "") -> bool:
        allows = [one for one in self._allows if _names(one, action) and where in self._within(one, service, where)]
        certain = [one for one in allows if self._covers(one, service, where) == "all" and _holds(one, prefix)]
        denies = [one for one in self._denies if _names(one, action) and self._covers(one, service, where)]
        closes = [one for one in denies if "Condition" not in one and self._covers(one, service, where) == "all"]
        if not allows or closes:
            return False
        is_list = action == LIST_ACTION
        self.unsure |= not certain or bool(denies)
        return bool(certain) or not is_list

    def _covers(self, statement: Mapping[str, Any], service: str, where: str) -> str:
        """Return ``all`` or ``part`` of a place, or '' for none of it."""
        key = "NotResource" if "NotResource" in statement else "Resource"
        patterns = list(self._patterns(statement, key, service))
        whole = within_any(where, patterns)
        part = any(overlap(where, _VARIABLE.sub("*", one)) for one in patterns)
        if key == "NotResource":
            return "" if whole else "part" if part else "all"
        return "all" if whole else "part" if part else ""

    def _patterns(self, statement: Mapping[str, Any], key: str, service: str) -> Iterator[str]:
        """Yield what a statement names of a service, without what ARNs of this service have in front."""
        for one in values(statement.get(key, [])):
            found = _ARN.fullmatch(str(one))
            if found and found[1] == service and (service == "s3" or overlap(found[2], self._registry)):
                yield found[3]
            elif not found and matches(str(one), f"arn:aws:{service}:::x"):  # such as ``*``
                yield "*"


def _names(statement: Mapping[str, Any], action: str) -> bool:
    """Whether a statement is about an action. Actions have no case."""

    def listed(key: str) -> bool:
        return any(matches(str(one).lower(), action.lower()) for one in values(statement.get(key, [])))

    return not listed("NotAction") if "NotAction" in statement else listed("Action")


def _meet(pattern: str, outer: str) -> str:
    """Return what a pattern and an outer place have in common, if that is one place; otherwise ''.

    The bucket may be known of either one only.
    """
    if within(outer, pattern):
        return outer
    bucket, _slash, key = pattern.partition("/")
    known, _slash, begin = outer.partition("/")
    names = [one for one in (known, bucket) if not has_wildcard(one)] or [known]
    found = [f"{name}/{one}" for name in names for one in (key, begin)]
    return next((one for one in [pattern, *found] if within(one, outer) and within(one, pattern)), "")


def _is_beginning(place: str) -> bool:
    """Whether a place is a bucket and the beginning of keys, to which a name can be added."""
    bucket, _slash, key = place.partition("/")
    is_plain = not has_wildcard(bucket.removesuffix("*")) and not has_wildcard(key[:-1])
    return is_plain and key.endswith("*") and not _VARIABLE.search(place)


def _holds(statement: Mapping[str, Any], prefix: str) -> bool:
    """Whether a statement has no condition, or one that listing below a prefix meets.

    :param prefix: '' for a call that has no such key.
    """
    tests = statement.get("Condition") or {}
    if not isinstance(tests, Mapping):
        return False
    for operator, keys in tests.items():
        wanted = {str(key).lower(): values(value) for key, value in keys.items()} if isinstance(keys, Mapping) else {}
        patterns = [str(one) for one in wanted.get("s3:prefix", [])]
        is_met = bool(prefix) and within_any(prefix, patterns)
        if str(operator) != "StringLike" or set(wanted) != {"s3:prefix"} or not is_met:
            return False
    return True
