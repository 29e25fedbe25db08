# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tokens may reach: the venue's limits, the request of one token, and what a token really allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from .errors import InvalidInput, LimitExceeded
from .names import Venue, check_range
from .patterns import WILDCARDS, has_wildcard, matches, overlap, within, within_any
from .places import ANY_REGISTRY, ExactPlace, exactly
from .policies import statements, values
from .token_request import LONGEST, SHORTEST

# The options of a request and of limits.
REQUEST = ("access", "buckets", "bucket_prefixes", "ecr_repositories", "duration_seconds")
ACCESS = ("s3_read", "s3_write", "ecr_create", "ecr_pull", "ecr_push")
S3_ACCESS, ECR_ACCESS = frozenset(ACCESS[:2]), frozenset(ACCESS[2:])
# Below this prefix of a venue's bucket, receipts and renewals may be: the role denies its tokens to write there.
RESERVED_PREFIX = "mdps-venue-sts/"
# Below this part of it, the sealed tokens of leases are.
RENEWALS = f"{RESERVED_PREFIX}renewals/"

_BUCKET = re.compile(
    r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--|sthree-)"
    r"(?!.*(\.\.|-s3alias$|--ol-s3$|--x-s3$|--table-s3$|\.mrap$))[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+|/)[a-z0-9]+)*")
_OBJECT_ARN = re.compile(r"arn:[^:]+:s3:::([^/]+)/(.+)")
_REPOSITORY_ARN = re.compile(r"arn:[^:]+:ecr:([^:]*:[^:]*):repository/(.+)")  # groups: region and account, name
# A policy gives a word of access if it allows this action.
_PROOF = {
    "s3_read": "s3:GetObject",
    "s3_write": "s3:PutObject",
    "ecr_create": "ecr:CreateRepository",
    "ecr_pull": "ecr:BatchGetImage",
    "ecr_push": "ecr:PutImage",
}


@dataclass(frozen=True)
class Access:
    """What a policy or a token allows. None: not known, since no policy that can be read says so.

    :param access: words of ``ACCESS``.
    :param buckets: bucket names.
    :param bucket_prefixes: folders of those buckets; an empty tuple stands for the whole buckets.
    :param repositories: ECR repository names and patterns.
    :param delete: objects may be deleted.
    :param lists: the names of objects may be listed.
    :param exactly: what a custom session policy leaves of it, place by place; None if there is none.
    :param narrowed: a policy may take away more than is said here.
    """

    access: tuple[str, ...] | None = None
    buckets: tuple[str, ...] | None = None
    bucket_prefixes: tuple[str, ...] | None = None
    repositories: tuple[str, ...] | None = None
    delete: bool | None = None
    lists: bool | None = None
    exactly: ExactPlace | None = None
    narrowed: bool = False

    def to_json(self) -> dict[str, Any]:
        """The ``allows`` of a receipt: null where it is not known."""
        return {
            "access": _as_list(self.access),
            "buckets": _as_list(self.buckets),
            "bucket_prefixes": _as_list(self.bucket_prefixes),
            "ecr_repositories": _as_list(self.repositories),
            "delete": self.delete,
            "list": self.lists,
            **(_exactly_to_json(self.exactly) if self.exactly else {}),
            **({"narrowed": True} if self.narrowed else {}),
        }


def _exactly_to_json(found: ExactPlace) -> dict[str, list[str]]:
    return {
        "places": [one.to_json() for one in found.places],
        "repositories": [one.to_json() for one in found.repositories],
    }


def _as_list(items: tuple[str, ...] | None) -> list[str] | None:
    return None if items is None else list(items)


@dataclass(frozen=True)
class Scope:
    """What requests and limits name. None: nothing is said about it."""

    access: tuple[str, ...] | None = None
    buckets: tuple[str, ...] | None = None
    bucket_prefixes: tuple[str, ...] | None = None
    repositories: tuple[str, ...] | None = None
    duration_seconds: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether it names less than the whole role."""
        return any(part is not None for part in (self.access, self.buckets, self.bucket_prefixes, self.repositories))

    @property
    def words(self) -> tuple[str, ...]:
        """Its access words: all of them where none is named."""
        return ACCESS if self.access is None else self.access

    @property
    def uses_s3(self) -> bool:
        """Whether access to buckets is among them."""
        return bool(S3_ACCESS.intersection(self.words))

    @property
    def uses_ecr(self) -> bool:
        """Whether access to repositories is among them."""
        return bool(ECR_ACCESS.intersection(self.words))


@dataclass(frozen=True)
class Request(Scope):
    """What one issue asks for. None: as much as the limits allow."""


@dataclass(frozen=True)
class Limits(Scope):
    """The most that tokens of a venue may ever allow. None: as much as the role allows."""


def parse_limits(option: str, mapping: Any, venue: Venue) -> Limits:
    """Limits from an option, such as ``{"access": ["s3_read"], "duration_seconds": 900}``; none if it is not set.

    :raises InvalidInput: not a mapping, an unknown key, a limit that is empty, or none at all.
    """
    if mapping is None:
        return Limits()
    if not isinstance(mapping, Mapping):
        raise InvalidInput(option, "must be a mapping, such as {access: [s3_read], duration_seconds: 900}.")
    unknown = [str(key) for key in mapping if key not in REQUEST]
    if unknown:
        raise InvalidInput(option, f"has unknown keys: {', '.join(unknown)}. The keys are {', '.join(REQUEST)}.")
    limits = Limits(**_parse(mapping, venue, lambda name: f"{option}.{name}"))
    if limits == Limits():
        raise InvalidInput(option, "must not be empty. Set at least one limit, or omit the option.")
    return limits


def parse_request(params: Mapping[str, Any], venue: Venue) -> Request:
    """A request from the options of a module.

    :raises InvalidInput: an option is empty or cannot be right.
    """
    return Request(**_parse(params, venue, lambda name: name))


def _parse(given: Mapping[str, Any], venue: Venue, title: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a request or of limits. An option that is empty is never "no limit"."""
    checks: dict[str, Callable[[str, Any], Any]] = {
        "access": lambda option, words: check_access(_items(option, words), option),
        "buckets": lambda option, names: check_buckets(option, _items(option, names)),
        "bucket_prefixes": lambda option, folders: check_prefixes(_items(option, folders), option),
        "ecr_repositories": lambda option, names: check_repositories(venue, _items(option, names), option),
        "duration_seconds": _check_duration,
    }
    parsed = {name: check(title(name), given[name]) for name, check in checks.items() if given.get(name) is not None}
    if "ecr_repositories" in parsed:
        parsed["repositories"] = parsed.pop("ecr_repositories")
    return parsed


def _items(option: str, value: Any) -> Sequence[str]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise InvalidInput(option, "must be a list of strings.")
    if not value or not all(one.strip() for one in value):
        raise InvalidInput(option, "must not be empty. Specify what it is limited to, or omit the option.")
    return value


def _check_duration(option: str, seconds: Any) -> int:
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise InvalidInput(option, "must be a number of seconds.")
    return check_range(option, seconds, SHORTEST, LONGEST)


def authorize(request: Request, limits: Limits) -> Request:
    """The request with the limits filled in where it sets no option.

    :raises LimitExceeded: it asks for more than the limits allow.
    """
    _check_words(request, limits)
    _check_each("buckets", request.buckets, limits.buckets, lambda one, most: one in most)
    _check_each(
        "bucket_prefixes",
        request.bucket_prefixes,
        limits.bucket_prefixes,
        lambda one, most: any(_below(one, folder) for folder in most),
    )
    _check_each("ecr_repositories", request.repositories, limits.repositories, within_any)
    _check_length(request.duration_seconds, limits.duration_seconds)
    silent = {one.name: getattr(limits, one.name) for one in fields(Scope) if getattr(request, one.name) is None}
    return replace(request, **silent)


def _check_words(request: Request, limits: Limits) -> None:
    """Hold the access words to the limits, and the buckets and repositories to the services that these allow."""
    _check_each("access", request.access, limits.access, _includes)
    for option, asked, most, service, included in (
        ("buckets", request.buckets, limits.buckets, "S3", limits.uses_s3),
        ("bucket_prefixes", request.bucket_prefixes, limits.bucket_prefixes, "S3", limits.uses_s3),
        ("ecr_repositories", request.repositories, limits.repositories, "ECR", limits.uses_ecr),
    ):
        if asked is not None and most is None and not included:
            raise LimitExceeded(
                option, f"requests {service}, but limits.access ({', '.join(limits.words)}) does not include it."
            )


def _includes(word: str, most: tuple[str, ...]) -> bool:
    return word in most or (word == "ecr_pull" and "ecr_push" in most)  # who pushes may pull


def _check_each(
    option: str,
    asked: tuple[str, ...] | None,
    most: tuple[str, ...] | None,
    inside: Callable[[str, tuple[str, ...]], bool],
) -> None:
    if asked is None or most is None:
        return
    beyond = [one for one in asked if not inside(one, most)]
    if beyond:
        raise LimitExceeded(
            option,
            f"{', '.join(map(repr, beyond))} is outside the limits of this venue "
            f"(limits.{option}: {', '.join(most)}). Request less, or ask the admin to change the limits.",
        )


def _check_length(asked: int | None, most: int | None) -> None:
    if asked is not None and most is not None and asked > most:
        raise LimitExceeded(
            "duration_seconds",
            f"{asked} seconds is longer than the limit of this venue (limits.duration_seconds: {most}). "
            "Request less, or ask the admin to change the limits.",
        )


def _below(prefix: str, folder: str) -> bool:
    """Whether a folder is another one or is in it. S3 keys have case."""
    return prefix == folder or prefix.startswith(f"{folder}/")


def allowed(
    role_policy: Mapping[str, Any] | None,
    request: Request,
    session_policy: Mapping[str, Any] | None = None,
    *,
    narrowed: bool = False,
) -> Access:
    """What a token really allows at most: what role, limits, request and session policy have in common.

    :param role_policy: the role's inline policy; None if it has none that the collection wrote.
    :param request: the request after ``authorize``.
    :param session_policy: a custom session policy.
    :param narrowed: managed policies limit the token as well. They were not read.
    """
    delete = None if "s3_write" in request.words else False
    asked = Access(request.access, request.buckets, request.bucket_prefixes, request.repositories, delete)
    common = _common(read_policy(role_policy), asked)
    if session_policy is None:
        return replace(common, narrowed=narrowed)
    words = common.access if common.access is not None else ACCESS
    found = exactly(
        session_policy,
        words,
        common.buckets,
        common.bucket_prefixes,
        common.repositories,
        delete=common.delete is not False,
        lists=common.lists is not False,
        registry=_registry(role_policy),
    )
    return replace(_common(common, read_policy(session_policy)), exactly=found, narrowed=found.narrowed)


def _registry(role_policy: Mapping[str, Any] | None) -> str:
    """Region and account of the repositories that a role allows, where it names them."""
    arns = [str(arn) for one in statements(role_policy or {}) for arn in values(one.get("Resource", []))]
    found = {one.group(1) for one in map(_REPOSITORY_ARN.fullmatch, arns) if one}
    return found.pop() if len(found) == 1 else ANY_REGISTRY


def check_usable(role_policy: Mapping[str, Any] | None, request: Request) -> tuple[str, ...]:
    """Compare a request with what the role allows, before a token is issued that cannot work.

    :returns: a warning for each part of the request that the role does not allow.
    :raises InvalidInput: the role allows none of the access, buckets, folders or repositories.
    """
    role = read_policy(role_policy)
    parts: list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None, Callable[[str, str], bool]]] = [
        ("access", request.access, role.access, str.__eq__)
    ]
    if request.uses_s3:
        parts += [
            ("buckets", request.buckets, role.buckets, str.__eq__),
            ("bucket_prefixes", request.bucket_prefixes, role.bucket_prefixes or None, _nested),
        ]
    if request.uses_ecr:
        parts += [("ecr_repositories", request.repositories, role.repositories, overlap)]
    warnings = []
    for option, asked, has, shared in parts:
        missing = [one for one in asked or () if has is not None and not any(shared(one, other) for other in has)]
        if missing:
            problem = f"the role does not allow {', '.join(missing)} (it allows {', '.join(has or ()) or 'nothing'})"
            if len(missing) == len(asked or ()):
                raise InvalidInput(
                    option, f"{problem}, so the token could not be used. Correct it, or provision the venue again."
                )
            warnings.append(f"{option}: {problem}. The token will not give access to them.")
    return tuple(warnings)


def _nested(left: str, right: str) -> bool:
    return _below(left, right) or _below(right, left)


def read_policy(policy: Mapping[str, Any] | None) -> Access:
    """What the Allow statements of a permission policy give at most; conditions are not evaluated.

    A Deny counts where it takes an action away everywhere and always. Reading sealed renewals is no access to data.
    """
    if policy is None:
        return Access()
    readable = [one for one in statements(policy) if isinstance(one, Mapping)]
    allows = [one for one in readable if one.get("Effect") == "Allow" and not _is_about_renewals(one)]
    if any("NotAction" in one or "NotResource" in one for one in allows):
        return Access()
    denies = [
        one
        for one in readable
        if one.get("Effect") == "Deny" and "Condition" not in one and "*" in values(one.get("Resource", []))
    ]
    words = tuple(word for word, action in _PROOF.items() if _naming(allows, action) and not _naming(denies, action))
    buckets, prefixes = _read_objects(words, allows)
    delete, lists = (
        bool(_naming(allows, one) and not _naming(denies, one)) for one in ("s3:DeleteObject", "s3:ListBucket")
    )
    return Access(words, buckets, prefixes, _read_repositories(words, allows), delete, lists)


def _is_about_renewals(statement: Mapping[str, Any]) -> bool:
    found = [_OBJECT_ARN.fullmatch(str(arn)) for arn in values(statement.get("Resource", []))]
    return bool(found) and all(one and one.group(2).startswith(RENEWALS) for one in found)


def _naming(among: Iterable[Mapping[str, Any]], action: str) -> list[Mapping[str, Any]]:
    """The statements that name an action. Actions have no case."""
    return [
        one
        for one in among
        if any(matches(str(pattern).lower(), action.lower()) for pattern in values(one.get("Action", [])))
    ]


def _resources(words: Sequence[str], service: frozenset[str], allows: Sequence[Mapping[str, Any]]) -> list[str]:
    named = [one for word in words if word in service for one in _naming(allows, _PROOF[word])]
    return list(dict.fromkeys(str(arn) for one in named for arn in values(one.get("Resource", []))))


def _read_objects(
    words: Sequence[str], allows: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The buckets and folders that statements name: None for buckets that only a pattern names."""
    buckets: dict[str, None] = {}
    folders: dict[str, None] = {}
    known, whole = True, False
    for arn in _resources(words, S3_ACCESS, allows):
        found = _OBJECT_ARN.fullmatch(arn)
        bucket, key = found.groups() if found else ("*", "*")
        known &= not has_wildcard(bucket)
        buckets[bucket] = None
        if key.endswith("/*") and not has_wildcard(key[:-2]):
            folders[key[:-2]] = None
        else:
            whole = True
    return (tuple(buckets) if known else None), (() if whole else tuple(folders))


def _read_repositories(words: Sequence[str], allows: Sequence[Mapping[str, Any]]) -> tuple[str, ...] | None:
    found = [_REPOSITORY_ARN.fullmatch(arn) for arn in _resources(words, ECR_ACCESS, allows)]
    patterns = [one.group(2) if one else "*" for one in found]
    return None if "*" in patterns else tuple(dict.fromkeys(patterns))


def _common(left: Access, right: Access) -> Access:
    words = _shared(left.access, right.access, str.__eq__)
    common = Access(
        words,
        _shared(left.buckets, right.buckets, str.__eq__),
        _shared(left.bucket_prefixes or None, right.bucket_prefixes or None, _below),
        _shared(left.repositories, right.repositories, within, overlap),
        _both(left.delete, right.delete),
        _both(left.lists, right.lists),
    )
    if common.bucket_prefixes is None and () in (left.bucket_prefixes, right.bucket_prefixes):
        common = replace(common, bucket_prefixes=())
    elif common.bucket_prefixes == ():
        common = replace(common, buckets=())  # no folder in common: nothing, not the whole bucket
    return _without_unused(common)


def _both(left: bool | None, right: bool | None) -> bool | None:
    """Whether two policies allow something. One that is not known counts as one that does, if the other is known."""
    return None if left is None and right is None else left is not False and right is not False


def _shared(
    left: tuple[str, ...] | None,
    right: tuple[str, ...] | None,
    inside: Callable[[str, str], bool],
    meet: Callable[[str, str], bool] | None = None,
) -> tuple[str, ...] | None:
    """What two lists have in common: of each pair that meets the narrower one, or the right one if neither is."""
    if left is None or right is None:
        return right if left is None else left
    pairs = [
        one if inside(one, other) else other
        for one in left
        for other in right
        if inside(one, other) or inside(other, one) or (meet and meet(one, other))
    ]
    return tuple(dict.fromkeys(pairs))


def _without_unused(access: Access) -> Access:
    """The same without buckets and repositories that no access word is about."""
    if access.buckets == () and access.access is not None:
        access = replace(access, access=tuple(word for word in access.access if word not in S3_ACCESS))
    if access.access is not None and not S3_ACCESS.intersection(access.access):
        access = replace(access, buckets=(), bucket_prefixes=(), delete=False, lists=False)
    if access.access is not None and not ECR_ACCESS.intersection(access.access):
        access = replace(access, repositories=())
    return access


def check_access(words: Sequence[str], option: str = "access") -> tuple[str, ...]:
    """Access words, without repetition, in the order of ``ACCESS``.

    :raises InvalidInput: an unknown word, or none at all.
    """
    unknown = [word for word in words if word not in ACCESS]
    if unknown or not words:
        raise InvalidInput(
            option,
            f"{', '.join(map(repr, unknown)) or 'an empty list'} is not valid. Choose from {', '.join(ACCESS)}.",
        )
    return tuple(word for word in ACCESS if word in words)


def check_buckets(option: str, buckets: Sequence[str]) -> tuple[str, ...]:
    """Bucket names as S3 allows them.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html

    :raises InvalidInput: a name that S3 would refuse, or none at all.
    """
    for bucket in buckets:
        if not _BUCKET.fullmatch(bucket):
            raise InvalidInput(
                option,
                f"'{bucket}' is not a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens "
                "(the name alone, no s3:// and no ARN).",
            )
    if not buckets:
        raise InvalidInput(option, "must contain at least one bucket.")
    return tuple(dict.fromkeys(buckets))


def check_prefixes(prefixes: Sequence[str], option: str = "bucket_prefixes") -> tuple[str, ...]:
    """Folders of a bucket, such as ``incoming`` or ``incoming/jdoe/``; each grants what is below it.

    :raises InvalidInput: a leading slash, a wildcard or policy variable (which would widen the grant), a segment that
        some clients resolve (``..``), a character that cannot be seen, the prefix for receipts, or more than S3's 1,024
        bytes.
    """
    for prefix in prefixes:
        if (
            not prefix.strip("/")
            or prefix.startswith("/")
            or re.search(r"[*?$\\\s\"`]|//|(^|/)\.\.?(/|$)", prefix)
            or not prefix.isprintable()
            or len(prefix.encode()) > 1024
        ):
            raise InvalidInput(
                option,
                f"'{prefix}' must be a folder such as 'incoming/jdoe', without leading slash, spaces, invisible "
                'characters or any of *?$"` and backslash.',
            )
        if _below(prefix.rstrip("/"), RESERVED_PREFIX.rstrip("/")):
            raise InvalidInput(
                option, f"'{RESERVED_PREFIX}' is reserved for receipts and renewals, and no token may write there."
            )
    return tuple(dict.fromkeys(prefix.rstrip("/") for prefix in prefixes))


def check_repositories(venue: Venue, patterns: Sequence[str], option: str = "ecr_repositories") -> tuple[str, ...]:
    """ECR repository names, and patterns that stay within one namespace: a wildcard only after its slash.

    :raises InvalidInput: a name that ECR would refuse, or a wildcard that reaches other namespaces.
    """
    for pattern in patterns:
        if has_wildcard(pattern.partition("/")[0]):
            raise InvalidInput(
                option,
                f"'{pattern}' would match more than one namespace: begin a pattern with a namespace and a slash, "
                f"as in '{own_namespaces(venue)[0]}*', or name one repository in full.",
            )
        plain = WILDCARDS.sub("x", pattern)
        if not _REPOSITORY.fullmatch(plain) or not 2 <= len(pattern) <= 256:
            raise InvalidInput(
                option,
                f"'{pattern}' is not a repository name or pattern: 2 to 256 lower-case letters, digits "
                "and . _ - / between them, with * and ?.",
            )
    if not patterns:
        raise InvalidInput(option, "must contain at least one repository.")
    return tuple(dict.fromkeys(patterns))


def own_namespaces(venue: Venue) -> tuple[str, str]:
    """The beginnings of repository names that belong to a venue: its project's and its own. ECR has lower case only."""
    return f"{venue.project}/".lower(), f"{venue}/".lower()


def foreign_patterns(venue: Venue, patterns: Iterable[str]) -> tuple[str, ...]:
    """The patterns among some that reach into a namespace of others, for a warning."""
    return tuple(one for one in patterns if has_wildcard(one) and not one.startswith(own_namespaces(venue)))
