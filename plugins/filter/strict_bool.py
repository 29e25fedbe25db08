# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``strict_bool``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean


def _strict_bool(value: Any, name: str = "strict_bool") -> bool:
    try:
        return bool(boolean(value, strict=True))
    except TypeError:
        raise AnsibleFilterError(f"{name}: '{value}' is neither true nor false.") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"strict_bool": _strict_bool}
