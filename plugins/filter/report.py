# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the report: ``report_accounts``, ``report_facts``, ``report_table`` and ``report_page``.

They import what they need when they are called, like those of an incident.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import parse_time
from jinja2 import TemplateError


def _facts(
    infos: Iterable[Mapping[str, Any]],
    sessions: Iterable[Mapping[str, Any]],
    now: str,
    accounts: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report

    try:
        return report.facts(infos, sessions, parse_time("now", now), accounts)
    except VenueError as error:
        raise AnsibleFilterError(f"report_facts: {error.message}") from None


def _accounts(hosts: Iterable[Mapping[str, Any]], given_stores: Iterable[str] = ()) -> list[dict[str, Any]]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report

    def known(host: Mapping[str, Any], name: str) -> Any:
        try:
            return _evaluated(host[name])
        except (AnsibleError, TemplateError) as error:
            return report.NotKnown(str(error))

    read = [{name: known(host, name) for name in report.variables_read(host)} for host in hosts]
    return report.accounts(read, given_stores)


def _evaluated(value: Any) -> Any:
    """Return a value of which every part is evaluated, and nothing is undefined.

    :raises AnsibleError, TemplateError: a part cannot be evaluated.
    """
    if isinstance(value, Mapping):
        return {key: _evaluated(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_evaluated(one) for one in value]
    str(value)  # raises for what is undefined
    return value


def _table(document: Mapping[str, Any]) -> list[str]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report

    return report.table(document)


def _page(document: Mapping[str, Any], templates: str) -> str:
    from ansible_collections.mdps.venue_sts.plugins.plugin_utils._report_page import report_page

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
