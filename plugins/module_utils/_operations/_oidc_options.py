# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The argument spec of ``oidc_providers``, which the modules for the role and for the token both have."""

from __future__ import annotations

from typing import Any

_TEXTS: dict[str, Any] = {"type": "list", "elements": "str"}
OIDC_PROVIDERS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "provider": {"type": "str", "required": True},
        "audiences": {**_TEXTS, "required": True},
        "subjects": _TEXTS,
        "any_subject": {"type": "bool", "default": False},
        "create": {"type": "bool", "default": False},
    },
}
