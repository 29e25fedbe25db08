# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a token allows, in one line for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .words import enumerate_words

S3 = {"s3_read": "read", "s3_write": "write"}
ECR = {"ecr_create": "create", "ecr_pull": "pull", "ecr_push": "push"}
ALL = (*S3, *ECR)


def describe_access(allows: Mapping[str, Any]) -> str:
    """Return the access of a receipt as text, such as ``read s3://sbg-dev-unity-data/incoming/; pull sbg/*``.

    :param allows: the ``allows`` of a receipt. What is null there is not known: the text then says the most there is.
    """
    unknown = "at most " if allows.get("access") is None else ""
    most = " (at most: a policy may refuse a part of it)" if allows.get("narrowed") else ""
    named = [one.partition(" ") for one in (*(allows.get("places") or ()), *(allows.get("repositories") or ()))]
    if named:
        return "; ".join(_place(verbs.split(","), where) for verbs, _blank, where in named) + most
    words = ALL if allows.get("access") is None else allows["access"]
    s3 = [S3[word] for word in words if word in S3] + (["delete"] if allows.get("delete") else [])
    parts = [
        _part(s3, _folders(allows)),
        _part([ECR[word] for word in words if word in ECR], _repositories(allows)),
    ]
    return unknown + ("; ".join(one for one in parts if one) or "nothing") + most


def _place(verbs: Sequence[str], where: str) -> str:
    of_images = any(one in ECR.values() for one in verbs)
    shown = [one for one in verbs if one != "list"]
    return _part(shown, f"the repositories {where}" if of_images else f"s3://{where}")


def _part(verbs: Sequence[str], where: str) -> str:
    return f"{enumerate_words(verbs)} {where}" if verbs else ""


def _folders(allows: Mapping[str, Any]) -> str:
    buckets = allows.get("buckets")
    if not buckets:
        return "the venue's bucket"
    folders = [f"{one}/" for one in allows.get("bucket_prefixes") or ()] or [""]
    return ", ".join(f"s3://{bucket}/{folder}" for bucket in buckets for folder in folders)


def _repositories(allows: Mapping[str, Any]) -> str:
    patterns = allows.get("ecr_repositories")
    return f"the repositories {', '.join(patterns)}" if patterns else "the venue's repositories"
