# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_handoff`` runs on the controller, where the sealed files and the receipts are."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import VenueAction
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._held import show_sealed
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._resending import OPERATION as THIS


class ActionModule(VenueAction):
    """See the module's documentation."""

    OPERATION = THIS
    _requires_connection = False

    def run_local(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the operation, and print the sealed text if that is the channel."""
        result = super().run_local(task_vars)
        show_sealed(result, result.get("receipt"))
        return result

    def run_shipped(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run here, whatever the connection of the task is. There is no other process that async could wait for."""
        if self._task.async_val:
            return {"failed": True, "msg": "async is not supported: the sealed files are on the controller."}
        return self.run_local(task_vars)
