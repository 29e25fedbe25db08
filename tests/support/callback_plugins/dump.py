# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write down every result, with its task's arguments, that Ansible gives to callbacks: the most that one could show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: dump
type: aggregate
short_description: Write down every result
description: For tests.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "dump"

    def v2_on_any(self, *arguments: Any, **named: Any) -> None:
        with Path(os.environ["DUMP_FILE"]).open("a", encoding="utf-8") as dump:
            for argument in (*arguments, *named.values()):
                shown = getattr(argument, "result", None) or getattr(argument, "_result", None)
                dump.write(repr(shown or argument) + "\n")
                fields = getattr(argument, "_task_fields", None)
                if fields:
                    dump.write(f"arguments: {fields['args']!r}\n")
                if hasattr(shown, "get"):
                    dump.write(self._dump_results(dict(shown)) + "\n")
