# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the README of a bundle may say about a token, from what its receipt says that it allows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ..module_utils._domain.arns import dns_suffix
from ..module_utils._domain.words import enumerate_words
from ._command_words import is_safe, word

# The words of the option ``access``, and what the templates call them.
PLACEHOLDER = "NAME"
_ABILITIES = {"read": "reads", "write": "writes", "delete": "deletes", "list": "lists"}
_WITH_IMAGES = {"create": "creates", "pull": "pulls", "push": "pushes"}
_VERBS = {"s3_read": "read", "s3_write": "write", "ecr_create": "create", "ecr_pull": "pull", "ecr_push": "push"}
_REFUSED_IN_S3 = {
    "write": "write data (aws s3 cp NAME s3://...)",
    "read": "read data (aws s3 cp s3://... .)",
    "delete": "delete data (aws s3 rm s3://...)",
    "list": "list data (aws s3 ls s3://...)",
}


class OpenPlace(NamedTuple):
    """A bucket or a folder of it that the token opens.

    :param bucket: '' where its name is not known.
    :param prefix: the beginning of keys, such as a folder with a slash at its end, or '' for the whole bucket.
    :param verbs: what may be done there.
    """

    bucket: str
    prefix: str
    verbs: tuple[str, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether objects may be read there."""
        return "read" in self.verbs

    @property
    def writes(self) -> bool:
        """Whether objects may be written there."""
        return "write" in self.verbs

    @property
    def deletes(self) -> bool:
        """Whether objects may be deleted there."""
        return "delete" in self.verbs

    @property
    def lists(self) -> bool:
        """Whether the names of objects may be listed there."""
        return "list" in self.verbs

    @property
    def begin_of_sentence(self) -> str:
        """What may be done with data there, as a sentence begins with it."""
        return enumerate_words([one for one in self.verbs if one != "list"]).capitalize()

    @property
    def bucket_or_placeholder(self) -> str:
        """The bucket as commands have it."""
        return self.bucket or "BUCKET"

    @property
    def url(self) -> str:
        """The address of the place, to which a name can be added."""
        return f"s3://{self.bucket_or_placeholder}/{self.prefix}"

    def at(self, name: str = "") -> str:
        """The address of what has this name there, as one word of a command line."""
        return word(f"{self.url}{name}")

    @property
    def folder(self) -> str:
        """The folder as one word of a command line, after which nothing is left where it is the whole bucket."""
        return f" {word(self.prefix)}" if self.prefix else ""


class Repository(NamedTuple):
    """An ECR repository, or a pattern of names.

    :param name: the repository as commands have it, with ``NAME`` in place of each ``*``.
    :param verbs: what may be done there.
    """

    pattern: str
    name: str
    placeholder: bool
    verbs: tuple[str, ...] = ()


UNKNOWN = "(ask for their names)"
_ECR_NAMES = re.compile(r"[A-Za-z0-9._/*?-]+")  # of what a repository's name can have, and wildcards


def readme_facts(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that templates use. ``known`` is false where the receipt does not say what the token allows.

    ``data`` has every place. ``places`` has those that a recipient can safely type as a part of a command.
    """
    allows: Mapping[str, Any] = receipt.get("allows") or {}
    places, repositories = _places(allows), _repositories(allows)
    can = {ability: any(verb in one.verbs for one in places) for verb, ability in _ABILITIES.items()}
    can |= {ability: any(verb in one.verbs for one in repositories) for verb, ability in _WITH_IMAGES.items()}
    verbs = [verb for verb in ("read", "write", "delete") if can[_ABILITIES[verb]]]
    suffix = dns_suffix(receipt["role_arn"].split(":")[1])
    return {
        **{name: receipt[name] for name in ("recipient", "project", "venue", "account_id", "region", "session_name")},
        **can,
        "known": allows.get("access") is not None,
        "narrowed": allows.get("narrowed") is True,
        "places": [one for one in places if is_safe(one.url)],
        "data": [(words, list(group)) for words, group in groupby(places, lambda one: one.begin_of_sentence)],
        "verbs": enumerate_words(verbs).capitalize() if verbs else "",
        "repositories": repositories,
        "created": [one for one in repositories if "create" in one.verbs],
        "pulled": [one for one in repositories if "pull" in one.verbs],
        "pushed": [one for one in repositories if "push" in one.verbs],
        "example": repositories[0] if repositories else _repository(UNKNOWN),
        "registry": f"{receipt['account_id']}.dkr.ecr.{receipt['region']}.{suffix}",
        "refused": _refused(can, places, repositories, allows),
    }


def _places(allows: Mapping[str, Any]) -> list[OpenPlace]:
    """The places in S3, sorted by what may be done there; those that the receipt names one by one, or the product."""
    if allows.get("places") is not None:
        parts = [one.partition(" ") for one in allows["places"]]
        found = [
            OpenPlace(*_bucket_and_prefix(where, allows), tuple(verbs.split(","))) for verbs, _blank, where in parts
        ]
        return sorted(found, key=lambda one: -len(one.verbs))
    verbs = [_VERBS[word] for word in allows.get("access") or () if word in ("s3_read", "s3_write")]
    verbs += ["delete"] if allows.get("delete") is True else []
    if verbs and allows.get("list") is not False:  # a policy that is not known may allow it
        verbs.append("list")
    prefixes = [f"{prefix.rstrip('/')}/" for prefix in allows.get("bucket_prefixes") or ()]
    pairs = [(bucket, prefix) for bucket in allows.get("buckets") or [""] for prefix in prefixes or [""]]
    return [OpenPlace(bucket, prefix, tuple(verbs)) for bucket, prefix in pairs] if verbs else []


def _bucket_and_prefix(where: str, allows: Mapping[str, Any]) -> tuple[str, str]:
    bucket, _slash, prefix = where.partition("/")
    known: Sequence[str] = allows.get("buckets") or ()
    return (bucket if "*" not in bucket else known[0] if len(known) == 1 else ""), prefix


def _repositories(allows: Mapping[str, Any]) -> list[Repository]:
    if allows.get("repositories") is not None:
        parts = [one.partition(" ") for one in allows["repositories"]]
        return [_repository(pattern, tuple(verbs.split(","))) for verbs, _blank, pattern in parts]
    words = allows.get("access") or ()
    verbs = [_VERBS[word] for word in words if word.startswith("ecr_")]
    if "push" in verbs and "pull" not in verbs:
        verbs.append("pull")  # who pushes may pull
    patterns = allows.get("ecr_repositories") or (UNKNOWN,)
    return [_repository(pattern, tuple(verbs)) for pattern in patterns] if verbs else []


def _repository(pattern: str, verbs: tuple[str, ...] = ()) -> Repository:
    if pattern in (UNKNOWN, "*"):
        return Repository(UNKNOWN, "REPOSITORY", placeholder=True, verbs=verbs)
    if not _ECR_NAMES.fullmatch(pattern):  # a policy may have been written by anybody
        return Repository(pattern, "REPOSITORY", placeholder=True, verbs=verbs)
    name = pattern.replace("*", PLACEHOLDER).replace("?", "x")
    return Repository(pattern, name, placeholder=name != pattern, verbs=verbs)


def _refused(
    can: Mapping[str, bool],
    places: Sequence[OpenPlace],
    repositories: Sequence[Repository],
    allows: Mapping[str, Any],
) -> list[str]:
    """Return what the token does not allow, in words that a test can try out."""
    found = ["list all buckets (aws s3 ls without an address)"]
    if places or not allows.get("narrowed"):
        found += _refused_in_s3(can, places)
    if allows.get("narrowed") and not repositories:
        return found
    if not can["pulls"]:
        found.append("log docker in, push or pull container images")
    elif not can["pushes"]:
        found.append("push container images")
    if not can["creates"]:
        found.append("create container repositories")
    if can["pulls"] or can["creates"]:
        found.append("use container repositories of other names")
    for verb, ability in _WITH_IMAGES.items():
        lacking = [one.pattern for one in repositories if can[ability] and verb not in one.verbs]
        found += [f"{verb} {'' if verb == 'create' else 'images of '}{pattern}" for pattern in lacking]
    return found


def _refused_in_s3(can: Mapping[str, bool], places: Sequence[OpenPlace]) -> list[str]:
    if not places:
        return ["read or write data in Amazon S3"]
    found = [sentence for verb, sentence in _REFUSED_IN_S3.items() if not can[_ABILITIES[verb]]]
    for verb in _ABILITIES:
        able = [one for one in places if verb in one.verbs]
        if able and len(able) < len(places):
            found.append(f"{verb} data elsewhere than in {', '.join(one.url for one in able)}")
    if any(one.prefix for one in places) and all(one.prefix for one in places):
        found.append("read, write or list outside the folders above, the top of the bucket included")
    return found
