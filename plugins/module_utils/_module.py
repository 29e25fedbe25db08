# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module front end: one operation in a process of its own."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ._operations._operation import Operation, Runtime


def run_module(operation: Operation) -> None:
    """Parse the options, run the operation, exit. Connection options and their fallbacks are amazon.aws's own."""
    make: Any = AnsibleAWSModule if operation.services else AnsibleModule
    module = make(argument_spec=dict(operation.argument_spec), supports_check_mode=True, **operation.constraints)
    succeeded, result = operation.run(module.params, Runtime(check_mode=module.check_mode, warn=warn))
    if not succeeded:
        module.fail_json(**result)
    # Ansible blanks every option marked no_log wherever its text occurs. A short external id ("sbg") would so punch holes
    # into ARNs and keys: the options are blanked here, and the result, which holds none of them, is left whole.
    result["invocation"] = {"module_args": remove_values(module.params, module.no_log_values)}
    module.no_log_values.clear()
    module.exit_json(**result)
