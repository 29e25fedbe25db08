# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_token``: the pipeline runs on the controller, and the AWS calls where the task runs."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import RAW_OUTPUT, VenueAction
from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._bundle import prepare
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._held import show_sealed
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._issuing import OPERATION as THIS
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._issuing import shipped
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._reuse import Reuse

DEBUG = (
    "ANSIBLE_DEBUG is set, and ansible-core would print the credentials that the module returns from this host. Unset "
    "it, or run the task on the controller."
)

# ansible-playbook loads this plugin before it forks a worker for each host.
prepare()


class ActionModule(Reuse, VenueAction):
    """See the module's documentation."""

    OPERATION = THIS

    def run_shipped(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the pipeline here, and ship the module for each phase of its AWS calls."""
        from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _shipping  # noqa: PLC0415 - few need it

        if self._task.async_val:
            return {"failed": True, "msg": "async is not supported: the credentials would be stored on the host."}
        if C.DEFAULT_DEBUG:
            return {"failed": True, "msg": DEBUG}
        # The ssh connection prints at -vvv what a host returns, unless it is told not to.
        self._connection._play_context.no_log = True

        def run_module(arguments: dict[str, Any]) -> dict[str, Any]:
            return dict(self._execute_module(module_args=arguments, task_vars=task_vars))

        host = _shipping.ShippedHost(run_module, self._task.args, Display().warning)
        return self.run_operation(shipped(host), task_vars)

    def hide(self, result: dict[str, Any]) -> dict[str, Any]:
        """Hide a result with credentials. A receipt is shown."""
        if "token" in result:
            return super().hide(result)
        show_sealed(result, result.get("receipt"))
        return {key: value for key, value in result.items() if key not in RAW_OUTPUT}
