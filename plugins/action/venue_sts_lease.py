# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_lease`` runs on the controller, where the key directory and the signing key are."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import VenueAction
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._leasing import OPERATION as THIS


class ActionModule(VenueAction):
    """See the module's documentation."""

    OPERATION = THIS
    _requires_connection = False

    def run_shipped(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run here, whatever the connection of the task is."""
        return self.run_local(task_vars)
