# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``show_text``: prints text line by line, as it is, on the terminal and on the output page of AWX."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._screen import pieces, prints_text


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """See the module's documentation."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the text, or return it where the callback prints results by itself."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        checked = ArgumentSpecValidator({"text": {"type": "str", "required": True}}).validate(dict(self._task.args))
        if checked.error_messages:
            return {**result, "failed": True, "msg": checked.error_messages[0]}
        text = checked.validated_parameters["text"]
        if not prints_text():
            return {**result, "changed": False, "msg": text}
        for piece in pieces(text):
            Display().display(piece)
        return {**result, "changed": False}
