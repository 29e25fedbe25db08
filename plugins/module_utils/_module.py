# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The module front end: one operation in a process of its own."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule, aws_argument_spec

from . import _masking
from ._operations._operation import Operation, Runtime


def run_module(operation: Operation[Any]) -> None:
    """Parse the options, run the operation, exit. Connection options and their fallbacks are amazon.aws's own."""
    make: Any = AnsibleAWSModule if operation.services else AnsibleModule
    module = make(
        argument_spec=_masking.for_core(operation.argument_spec),
        supports_check_mode=True,
        no_log=True,  # the system's log gets no options, as in process
        **operation.constraints,
    )
    spec = {**(aws_argument_spec() if operation.services else {}), **operation.argument_spec}
    _masking.register_options(spec, module.params)
    succeeded, result = operation.run(module.params, Runtime(check_mode=module.check_mode, warn=warn))
    result["invocation"] = {"module_args": _masking.mask(_masking.hide_options(spec, module.params))}
    # The operation has masked the result. ansible-core would also mask short values, in the middle of names.
    module.no_log_values.clear()
    # ansible-core would add owner, mode and size of a result's 'dest' or 'path'; in process nothing does, and the two
    # must not differ.
    getattr(module, "_module", module).add_path_info = lambda values: values
    finish = module.exit_json if succeeded else module.fail_json
    finish(**result)
