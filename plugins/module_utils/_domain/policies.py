# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Policy documents as values: building, comparing, counting, and showing them without external IDs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = "2012-10-17"  # the current policy language, and the first with policy variables
EXTERNAL_ID_KEY = "sts:externalid"  # condition keys have no case
_LISTS = ("Action", "NotAction", "Resource", "NotResource")


def document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A policy of these statements, in the current policy language."""
    return {"Version": VERSION, "Statement": list(statements)}


def compact(policy: Mapping[str, Any]) -> str:
    """A policy as AWS is sent it: no white space, so that as much as possible fits into the quotas."""
    return json.dumps(policy, separators=(",", ":"))


def size(policy: Mapping[str, Any]) -> int:
    """How many characters of a quota a policy uses: IAM does not count white space.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
    """
    return len("".join(compact(policy).split()))


def same(left: Mapping[str, Any] | None, right: Mapping[str, Any] | None) -> bool:
    """Whether two policies mean the same.

    Order, single values for lists, and case of condition keys make no difference.
    """
    if left is None or right is None:
        return left is right
    return bool(_canonical(left) == _canonical(right))


def _canonical(policy: Mapping[str, Any]) -> Any:
    return policy.get("Version"), sorted((_canonical_statement(one) for one in statements(policy)), key=repr)


def _canonical_statement(statement: Mapping[str, Any]) -> Any:
    plain = dict(statement)
    for key in _LISTS:
        if key in plain:
            plain[key] = sorted({value.lower() if "Action" in key else value for value in values(plain[key])})
    if isinstance(plain.get("Principal"), dict):
        plain["Principal"] = sorted((kind, sorted(set(values(who)))) for kind, who in plain["Principal"].items())
    if "Condition" in plain:
        plain["Condition"] = sorted(
            (
                operator,
                sorted(
                    (key.lower(), sorted({str(value) for value in values(wanted)})) for key, wanted in tests.items()
                ),
            )
            for operator, tests in plain["Condition"].items()
        )
    return sorted(plain.items())


def values(one_or_many: Any) -> list[Any]:
    """A list, where the policy language allows a single value instead of one."""
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


def statements(policy: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The statements of a policy, of none if there is no policy.

    Elements are read in any case, as those within a statement: a Deny that is overlooked would be removed, and what
    IAM makes of such a document is not documented.
    """
    found = [one for key, one in (policy or {}).items() if key.lower() == "statement"]
    return [statement for one in found for statement in values(one)]


def masked(policy: Any, labels: Mapping[str, str]) -> Any:
    """A copy of a policy to show to people: every external ID is replaced by what it is.

    :param labels: external ID -> words, such as ``(the venue's external ID)``; any other ID becomes
        ``(another external ID)``.
    """
    if isinstance(policy, Mapping):
        return {
            key: _mask_ids(value, labels) if key.lower() == EXTERNAL_ID_KEY else masked(value, labels)
            for key, value in policy.items()
        }
    if isinstance(policy, list):
        return [masked(item, labels) for item in policy]
    return policy


def _mask_ids(value: Any, labels: Mapping[str, str]) -> Any:
    shown = [labels.get(str(one), "(another external ID)") for one in values(value)]
    return shown if isinstance(value, list) else shown[0]
