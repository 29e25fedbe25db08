# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of an incident: ``incident_lines`` and ``incident_page``.

ansible-core loads all filters of a collection when a playbook uses one of them. So each imports what it needs when it
is called.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).resolve().parents[2] / "roles" / "report" / "templates"


def _lines(info: Mapping[str, Any]) -> list[str]:
    from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import incident_text

    return incident_text.lines(info)


def _page(info: Mapping[str, Any]) -> str:
    from ansible_collections.mdps.venue_sts.plugins.plugin_utils._report_page import incident_page

    # Plain types first, as for the report.
    return incident_page(json.loads(json.dumps(info, default=str)), str(TEMPLATES))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"incident_lines": _lines, "incident_page": _page}
