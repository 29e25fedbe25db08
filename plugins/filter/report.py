# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the report: ``report_accounts``, ``report_facts``, ``report_table`` and ``report_page``.

They import what they need when they are called, like those of an incident.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import parse_time


def _facts(
    infos: Iterable[Mapping[str, Any]],
    sessions: Iterable[Mapping[str, Any]],
    now: str,
    accounts: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report  # noqa: PLC0415

    try:
        return report.facts(infos, sessions, parse_time("now", now), accounts)
    except VenueError as error:
        raise AnsibleFilterError(f"report_facts: {error.message}") from None


def _accounts(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report  # noqa: PLC0415

    try:
        return report.accounts(hosts)
    except KeyError as missing:
        raise AnsibleFilterError(f"report_accounts: a host has no variable {missing}.") from None


def _table(document: Mapping[str, Any]) -> list[str]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report  # noqa: PLC0415

    return report.table(document)


def _page(document: Mapping[str, Any], templates: str) -> str:
    from ansible_collections.mdps.venue_sts.plugins.plugin_utils._report_page import report_page  # noqa: PLC0415

    # Plain types first: Ansible's own containers template each value again at every access, which takes seconds for
    # hundreds of venues.
    return report_page(json.loads(json.dumps(document, default=str)), str(templates))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {
            "report_accounts": _accounts,
            "report_facts": _facts,
            "report_table": _table,
            "report_page": _page,
        }
