# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``kion_credentials`` in the controller process, where the result is the same."""

from __future__ import annotations

from ansible_collections.mdps.venue_sts.plugins.plugin_utils._action import VenueAction
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.kion import OPERATION as THIS
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._sharing import Share


class ActionModule(Share, VenueAction):
    """See the module's documentation."""

    OPERATION = THIS
