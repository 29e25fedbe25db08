# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``kion_askers``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from jinja2 import TemplateError

PREFIX = "broker_"
RESULT = "broker_result"
ACCOUNT = "broker_account"
NEEDS_CREDENTIALS = "assume_role"


def kion_askers(hosts: Iterable[Mapping[str, Any]], method: str = "") -> dict[str, str]:
    """Return for each host with an account in Kion the host that asks for its credentials: one for equal requests.

    :param hosts: the variables of the hosts, which are templated at each access.
    :param method: the name of a variable; hosts where it has another value than ``assume_role`` are left out.
    """
    groups: dict[str, list[str]] = {}
    for host in hosts:
        name = str(host["inventory_hostname"])
        try:
            if ACCOUNT in host and host.get(method, NEEDS_CREDENTIALS) == NEEDS_CREDENTIALS:
                groups.setdefault(_request_of(host), []).append(name)
        except (AnsibleError, TemplateError):  # a variable that it refers to is undefined: its own task says which
            groups[name] = [name]
    return {name: min(names) for names in groups.values() for name in names}


def _request_of(host: Mapping[str, Any]) -> str:
    """Return the variables that decide which credentials Kion returns, as text. The module takes 1 like '1'."""
    request = {name: host[name] for name in sorted(host) if name.startswith(PREFIX) and name != RESULT}
    texts = {name: value if isinstance(value, (dict, list)) else str(value) for name, value in request.items()}
    return json.dumps(texts, default=str)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"kion_askers": kion_askers}
