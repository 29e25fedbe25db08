# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run an operation as both front ends do, without Ansible around it."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import (
    incident_info,
    role,
    role_info,
    session_info,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Operation, Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _issuing as issuing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _leasing as leasing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _renewing as renewing,
)

OPERATIONS = {
    "role": role.OPERATION,
    "role_info": role_info.OPERATION,
    "session_info": session_info.OPERATION,
    "token": issuing.OPERATION,
    "revocation": revocation.OPERATION,
    "lease": leasing.OPERATION,
    "renewal": renewing.OPERATION,
    "incident_info": incident_info.OPERATION,
}


def validated(operation: Operation, options: dict[str, Any]) -> dict[str, Any]:
    """Options as an operation gets them: with defaults, fallbacks and types.

    :raises ValueError: Ansible would refuse them.
    """
    spec = {**aws_argument_spec(), **operation.argument_spec}
    checked = ArgumentSpecValidator(spec, **operation.constraints).validate(options)
    if checked.error_messages:
        raise ValueError(checked.error_messages[0])
    return dict(checked.validated_parameters)


def run(name: str, options: dict[str, Any], **runtime: Any) -> tuple[bool, dict[str, Any]]:
    """(True, result) or (False, failure) of an operation of ``OPERATIONS``."""
    operation = OPERATIONS[name]
    return operation.run(validated(operation, options), Runtime(**runtime))


def perform(operation: Operation, runtime: Runtime | None = None, **options: Any) -> dict[str, Any]:
    """The result of an operation; a failure has ``failed``. Connection options come from the environment."""
    try:
        given = validated(operation, options)
    except ValueError as problem:
        return {"failed": True, "msg": str(problem)}
    succeeded, result = operation.run(given, runtime or Runtime())
    return result if succeeded else {"failed": True, **result}
