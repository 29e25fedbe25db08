# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_profile`` in the controller process, where the result is the same."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import VenueAction
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.profile import OPERATION as THIS
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.profile import with_known_token


class ActionModule(VenueAction):
    """See the module's documentation."""

    OPERATION = THIS

    def _run(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        self._task.args = with_known_token(self._task.args)
        return super()._run(tmp, task_vars)
