# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``issue_summary``. It imports what it needs when it is called, like those of an incident."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError


def _summary(results: Any) -> list[str]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.issue_summary import summary

    # Plain types first: Ansible's own containers template each value again at every access.
    found = json.loads(json.dumps(list(results), default=str)) if isinstance(results, Iterable) else []
    plain = [one for one in found if not isinstance(one, dict) or not one.get("failed")]
    if not plain or not all(isinstance(one, dict) and ("receipt" in one or "target" in one) for one in plain):
        raise AnsibleFilterError("issue_summary: pass results of venue_sts_token or venue_sts_handoff.")
    return summary(plain)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"issue_summary": _summary}
