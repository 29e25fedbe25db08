# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller front end: the same operations, without a process per task wherever the result is the same."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ansible import constants as C
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

try:
    from . import _speed as speed

    Base = speed.FastArguments
except ImportError:  # somebody has deleted the file: only the time changes
    speed, Base = None, ActionBase  # type: ignore[assignment]

# After the imports above, which make those below faster.
from ..module_utils import _masking
from ..module_utils._domain.errors import InvalidInput, printable
from ..module_utils._operations._operation import Operation, Runtime, check_connection, check_types, subject

# What a module that crashed leaves behind; for a module that handles credentials, its output must not be shown.
RAW_OUTPUT = ("module_stdout", "module_stderr", "exception")


def absolute_paths(argument_spec: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with relative paths made absolute, against the folder that ansible-playbook was started in.

    ansible-core runs a module on this machine in the playbook's folder, and a worker in the other one.
    """
    absolute = dict(options)
    for name, value in options.items():
        spec = argument_spec.get(name, {})
        if spec.get("type") == "path" and isinstance(value, str) and value.strip() and value[0] not in "/~$":
            absolute[name] = str(Path.cwd()) + "/" + value
        elif "options" in spec and isinstance(value, Mapping):
            absolute[name] = absolute_paths(spec["options"], value)
    return absolute


class VenueAction(Base):
    """Runs ``OPERATION`` in the worker that ansible-playbook has already forked, or ships the module of the same name.

    A subclass may override :meth:`run_local` and :meth:`run_shipped`.
    """

    OPERATION: ClassVar[Operation[Any]]

    def __init_subclass__(cls) -> None:
        """Called when ansible-playbook loads the plugin, which it does before it forks a worker per host."""
        super().__init_subclass__()
        if speed:
            speed.prepare(tuple(cls.OPERATION.services))

    _given: Mapping[str, Any] = {}
    _shown: Mapping[str, Any] | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task, and leave no secret in its arguments, which callbacks can read afterwards."""
        if self._task.args is self._shown:  # the next attempt of a task with `until`
            self._task.args = self._given
        self._given = self._task.args
        try:
            return self._without_loop_item(self._run(tmp, task_vars or {}), task_vars or {})
        finally:
            self._shown = self._task.args = _masking.hide_options(self._argument_spec(), self._given)

    def _run(self, tmp: str | None, task_vars: dict[str, Any]) -> dict[str, Any]:
        # An asynchronous result is fetched by async_status, which hides nothing.
        self._supports_async = not self.OPERATION.secret_result
        self._supports_check_mode = True
        spec = self._argument_spec()
        _masking.register_options(spec, self._task.args)
        if self._connection.transport == "local":
            self._task.args = absolute_paths(spec, self._task.args)
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            self.OPERATION.check_not_blank(self._task.args, given=True)
            check_connection(self._connection_spec(), self._task.args)
            check_types(spec, self._task.args)
        except InvalidInput as error:
            return {**result, "failed": True, **error.to_result(subject(self._task.args))}
        if self._may_run_here(task_vars):
            with speed.collector_paused() if speed else contextlib.nullcontext():
                result.update(self.run_local(task_vars))
        else:
            result.update(self.run_shipped(task_vars))
        return self.hide(result) if self.OPERATION.secret_result else result

    def _without_loop_item(self, result: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Hide a result to which ansible-core adds a loop's item with a secret of the task in it.

        ansible-core shows the message of a failure anyway.
        """
        item = task_vars.get(task_vars.get("ansible_loop_var", "")) if self._task.loop is not None else None
        if _masking.NATIVE or not _masking.holds_secret(item, self._argument_spec(), self._given):
            return result
        return {**result, "_ansible_no_log": True}

    def _argument_spec(self) -> dict[str, Any]:
        return {**self._connection_spec(), **self.OPERATION.argument_spec}

    def _connection_spec(self) -> dict[str, Any]:
        return dict(aws_argument_spec()) if self.OPERATION.services else {}

    def run_local(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do what ``_module.run_module`` does, with this process's environment as the fallback for connection options.

        :param task_vars: the variables of the task's host.
        """
        return self.run_operation(self.OPERATION, task_vars)

    def run_operation(self, operation: Operation[Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Check the arguments of the task and run an operation with them.

        :param operation: the operation, with the argument spec of ``OPERATION``.
        :param task_vars: the variables of the task's host.
        """
        spec = self._argument_spec()
        # Through JSON, as a module's options go: plain types, whatever the templates made of them.
        given = json.loads(json.dumps(self._task.args, default=str))
        checked = ArgumentSpecValidator(_masking.for_core(spec), **operation.constraints).validate(given)
        if checked.error_messages:
            return {"failed": True, "msg": printable(_masking.mask(checked.error_messages[0]))}
        params = checked.validated_parameters
        _masking.register_options(spec, params)  # with those that have come from the environment
        runtime = Runtime(check_mode=self._task.check_mode, warn=Display().warning, hosts=self._hosts(task_vars))
        succeeded, result = operation.run(params, runtime)
        # A setting since ansible-core 2.21; before, modules always returned how they were called.
        always = C.config.get_configuration_definition("INJECT_INVOCATION") is None
        if always or C.config.get_config_value("INJECT_INVOCATION", variables=task_vars):
            result["invocation"] = {"module_args": _masking.mask(_masking.hide_options(spec, params))}
        return {"changed": False, **result} if succeeded else {"failed": True, **result}

    def _hosts(self, task_vars: Mapping[str, Any]) -> int:
        """Return on how many hosts the play runs this task at the same time."""
        if self._task.run_once or self._task.throttle == 1:
            return 1
        return len(task_vars.get("ansible_play_batch") or [None])

    def run_shipped(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Ship the module to the host of the task and return its result.

        :param task_vars: the variables of the task's host.
        """
        if self.OPERATION.secret_result and not _masking.NATIVE:
            # The ssh connection prints at -vvv what a host returns, credentials included, unless it is told not to.
            self._connection._play_context.no_log = True
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        return dict(self._execute_module(task_vars=task_vars, wrap_async=wrap_async))

    def hide(self, result: dict[str, Any]) -> dict[str, Any]:
        """Hide a result with credentials from every callback and log; of a failure, only the raw output."""
        if result.get("failed"):
            return {key: value for key, value in result.items() if key not in RAW_OUTPUT}
        if _masking.NATIVE:
            _masking.register_result(result)
            return result
        for warning in result.pop("warnings", ()):  # they would be hidden with the result
            # A shipped module's warning arrives as a summary of ansible-core's, whose type has no public name.
            Display().warning(warning if isinstance(warning, str) else warning.event.msg)
        return {**result, "_ansible_no_log": True}

    def _may_run_here(self, task_vars: dict[str, Any]) -> bool:
        """Whether a module would run on this machine, as this user, with this Python and this environment."""
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        setting = C.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
        if speed:  # it usually is "{{ ansible_playbook_python }}"
            setting = speed.resolve_variable(setting, self._templar.available_variables)
        asked = str(self._templar.template(setting))
        return (
            self._connection.transport == "local"
            and not self._connection.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and (asked.startswith("auto") or asked == sys.executable)
        )
