# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_handoff``: works on the controller alone, so that the plaintext goes nowhere else."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.utils.display import Display
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils import _masking
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils.action import OptionalArguments
from ansible_collections.mdps.venue_sts.plugins.plugin_utils.formats import token_files
from ansible_collections.mdps.venue_sts.plugins.plugin_utils.handoff import ARGUMENT_SPEC, HandOver, secrets_of


class ActionModule(OptionalArguments):
    """See the module's documentation."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task. The result holds no secret, so it is not hidden; the options do, so they are not in it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # Through JSON: plain types, whatever the templates made of them.
        given = json.loads(json.dumps(self._task.args, default=str))
        checked = ArgumentSpecValidator({**aws_argument_spec(), **ARGUMENT_SPEC}).validate(given)
        if checked.error_messages:
            return {**result, "failed": True, "msg": _masking.mask(checked.error_messages[0])}
        options = checked.validated_parameters
        _masking.register(*secrets_of(options))
        runtime = Runtime(check_mode=self._task.check_mode, warn=Display().warning)
        try:
            outcome = HandOver(options, runtime, token_files).run()
        except VenueError as error:
            outcome = {**error.to_result(), "failed": True, "changed": bool(error.facts.get("delivered"))}
        # Nothing secret is in it; should that ever fail, this holds. What is not secret in a token, such as its end,
        # may be said.
        return {**result, **_masking.mask(outcome)}
