# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_renewal`` runs on the controller, where the key directory and the receipts are."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import VenueAction
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._bundle import prepare
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._held import show_sealed
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._renewing import OPERATION as THIS

# ansible-playbook loads this plugin before it forks a worker for each host.
prepare()


class ActionModule(VenueAction):
    """See the module's documentation."""

    OPERATION = THIS
    _requires_connection = False

    def run_local(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the operation, and print the sealed texts if that is how they are delivered."""
        result = super().run_local(task_vars)
        for row in result.get("leases") or ():
            show_sealed(row["delivery"] or {}, row["receipt"])
        return result

    def run_shipped(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run here, whatever the connection of the task is."""
        return self.run_local(task_vars)
