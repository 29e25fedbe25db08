# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options with which a task reuses the credentials of an earlier one. The action plugin acts on them."""

from __future__ import annotations

from typing import Any

ARGUMENT_SPEC: dict[str, Any] = {
    "reuse": {"type": "str"},
    "reuse_host": {"type": "str"},
    "renew_before": {"type": "int", "default": 300},
}
