# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run an operation as the front ends do, without Ansible around it."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Operation, Runtime


def perform(operation: Operation, runtime: Runtime | None = None, **options: Any) -> dict[str, Any]:
    """Validate options, run, and return the result; a failure is told by ``failed``.

    Connection options come from the environment.
    """
    checked = ArgumentSpecValidator(
        {**aws_argument_spec(), **operation.argument_spec}, **operation.constraints
    ).validate(options)
    if checked.error_messages:
        return {"failed": True, "msg": checked.error_messages[0]}
    succeeded, result = operation.run(checked.validated_parameters, runtime or Runtime())
    return result if succeeded else {"failed": True, **result}
