# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the README of a bundle may say about a token, from what its receipt says that it allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..module_utils._domain.arns import dns_suffix
from ..module_utils._domain.words import enumerate_words
from .command_words import word

# The words of the option ``access``, and what the templates call them.
WORDS = {"s3_read": "reads", "s3_write": "writes", "ecr_create": "creates", "ecr_pull": "pulls", "ecr_push": "pushes"}
PLACEHOLDER = "NAME"
_REFUSED_IN_S3 = {
    "writes": "write data (aws s3 cp NAME s3://...)",
    "reads": "read data (aws s3 cp s3://... .)",
    "deletes": "delete data (aws s3 rm s3://...)",
    "lists": "list data (aws s3 ls s3://...)",
}


class Place(NamedTuple):
    """A bucket or a folder of it that the token opens.

    :param bucket: '' where its name is not known.
    :param prefix: the folder with a slash at its end, or '' for the whole bucket.
    """

    bucket: str
    prefix: str

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

    :param name: the repository as commands have it, with ``NAME`` in the place of each ``*``.
    """

    pattern: str
    name: str
    placeholder: bool


UNKNOWN_REPOSITORY = Repository("(ask for their names)", "REPOSITORY", placeholder=True)


def readme_facts(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that templates use. ``known`` is false where the receipt does not say what the token allows."""
    allows: Mapping[str, Any] = receipt.get("allows") or {}
    access: Sequence[str] | None = allows.get("access")
    can = {name: access is not None and word in access for word, name in WORDS.items()}
    can["pulls"] = can["pulls"] or can["pushes"]  # who pushes may pull
    can["deletes"] = allows.get("delete") is True
    verbs = [verb for verb in ("read", "write", "delete") if can[f"{verb}s"]]
    can["lists"] = bool(verbs) and allows.get("list") is not False  # a policy that is not known may allow it
    places = _places(allows) if verbs else []
    repositories = [_repository(one) for one in allows.get("ecr_repositories") or ()] or [UNKNOWN_REPOSITORY]
    suffix = dns_suffix("aws-cn" if receipt["region"].startswith("cn-") else "aws")
    return {
        **{name: receipt[name] for name in ("recipient", "project", "venue", "account_id", "region", "session_name")},
        **can,
        "known": access is not None,
        "places": places,
        "verbs": enumerate_words(verbs).capitalize() if verbs else "",
        "repositories": repositories,
        "example": repositories[0],
        "registry": f"{receipt['account_id']}.dkr.ecr.{receipt['region']}.{suffix}",
        "refused": _refused(can, places, repositories),
    }


def _places(allows: Mapping[str, Any]) -> list[Place]:
    prefixes = [f"{prefix.rstrip('/')}/" for prefix in allows.get("bucket_prefixes") or ()]
    return [Place(bucket, prefix) for bucket in allows.get("buckets") or [""] for prefix in prefixes or [""]]


def _repository(pattern: str) -> Repository:
    name = pattern.replace("*", PLACEHOLDER).replace("?", "x")
    return Repository(pattern, name, placeholder=name != pattern)


def _refused(can: Mapping[str, bool], places: Sequence[Place], repositories: Sequence[Repository]) -> list[str]:
    """Return what the token does not allow, in words that a test can try out."""
    found = ["list all buckets (aws s3 ls without an address)"]
    if not places:
        found.append("read or write data in Amazon S3")
    else:
        found += [sentence for ability, sentence in _REFUSED_IN_S3.items() if not can[ability]]
    if any(place.prefix for place in places):
        found.append("read, write or list outside the folders above, the top of the bucket included")
    if not can["pulls"]:
        found.append("log docker in, push or pull container images")
    elif not can["pushes"]:
        found.append("push container images")
    if not can["creates"]:
        found.append("create container repositories")
    if can["pulls"] or can["creates"]:
        found.append("use container repositories of other names")
    return found
