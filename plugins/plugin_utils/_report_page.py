# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report, and what is known of a key that was found, as one HTML page each.

Rendered by Jinja itself: under ansible.builtin.template there is no autoescape, and recipients, tags and role names are
other people's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ..module_utils._domain.incident_text import lines
from ..module_utils._domain.report import with_timeline


def report_page(report: Mapping[str, Any], templates: str) -> str:
    """The page, complete in itself.

    :param report: what ``_domain.report.facts`` gives.
    :param templates: the folder of the template, its style and its script.
    """
    return _rendered("report.html.j2", templates, report=with_timeline(report))


def incident_page(info: Mapping[str, Any], templates: str) -> str:
    """The page, complete in itself.

    :param info: the result of ``venue_sts_incident_info``.
    :param templates: the folder of the template and of the report's style.
    """
    return _rendered("incident.html.j2", templates, info=info, lines=lines(info))


def _rendered(template: str, templates: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(templates)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)
