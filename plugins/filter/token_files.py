# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``token_files``. It imports what it needs when it is called, like those of an incident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError


def _token_files(token: Any, region: str = "us-west-2", profile: str = "") -> dict[str, str]:
    from ansible_collections.mdps.venue_sts.plugins.plugin_utils._formats import token_files

    try:
        return token_files(token, region=str(region), profile=str(profile))
    except VenueError as error:
        raise AnsibleFilterError(f"token_files: {error.message}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Filters by name."""
        return {"token_files": _token_files}
