# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as one HTML page.

Rendered by Jinja itself: under ansible.builtin.template there is no autoescape, and recipients, tags and role names are
other people's words.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from ..module_utils._domain.report import drawn

TEMPLATE = "report.html.j2"


def report_page(report: Mapping[str, Any], templates: str) -> str:
    """The page, complete in itself.

    :param report: what ``_domain.report.facts`` gives.
    :param templates: the folder of the template, its style and its script.
    """
    loader = jinja2.FileSystemLoader(Path(templates))
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(TEMPLATE).render(report=drawn(report))
