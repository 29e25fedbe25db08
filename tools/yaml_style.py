# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How generated YAML files are written, as yamllint expects them."""

from __future__ import annotations

from typing import Any

import yaml


def width(spec: dict[str, Any]) -> int:
    """The width for lines of at most 120 columns: PyYAML breaks a line after the word that passes it."""
    return 118 - max(map(len, str(spec).split()))


class Indented(yaml.SafeDumper):
    """Lists indented below their key, as in the rest of this repository."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent a list as well."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write what occurs twice twice, instead of a reference to it."""
        return True
