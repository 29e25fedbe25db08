# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An action plugin as ansible-playbook's worker would have it, without ansible-playbook."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.template import Templar

SAME_PYTHON = {"ansible_python_interpreter": sys.executable}


@dataclass
class Situation:
    """What decides where a task runs.

    :param variables: the variables of the task's host.
    :param keywords: the task's keywords, such as ``environment``.
    """

    variables: dict[str, Any] = field(default_factory=lambda: dict(SAME_PYTHON))
    keywords: dict[str, Any] = field(default_factory=dict)
    connection: str = "local"
    become: bool = False


def make_action(plugin: type[ActionBase], name: str, situation: Situation, **options: Any) -> Any:
    """Return the plugin with a task whose arguments are finalized."""
    loader = DataLoader()
    task = Task.load({"name": "test", f"mdps.venue_sts.{name}": options, **situation.keywords}, loader=loader)
    task.args = dict(options)
    context = PlayContext()
    connection = connection_loader.get(situation.connection, context, "/dev/null")
    if situation.become:
        connection.set_become_plugin(object())
    return plugin(
        task=task,
        connection=connection,
        play_context=context,
        loader=loader,
        templar=Templar(loader=loader, variables=dict(situation.variables)),
        shared_loader_obj=None,
    )
