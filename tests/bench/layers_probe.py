# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ansible-playbook that writes down what its layers cost: layers_probe.py FOLDER ARGUMENTS...

CPU time, user and system. A layer's time is that of its functions without that of another layer's functions that they
call. A file a process: ``main`` and one for each worker. For layers.py.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pathlib
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

OWN = "ansible_collections.mdps.venue_sts.plugins."
# What is wrapped, by layer: a module and a function or method of it. A function is replaced wherever it was imported.
IN_MAIN = {"output": ("ansible.executor.task_queue_manager:TaskQueueManager.send_callback",)}
IN_WORKERS = {
    "templates": ("ansible.playbook.task:Task.post_validate",),
    "clients": (f"{OWN}module_utils._aws.clients:Clients._make",),
    "connections, TLS": (
        "urllib3.connection:HTTPConnection.connect",
        "urllib3.connection:HTTPSConnection.connect",
    ),
    "API calls": ("botocore.client:BaseClient._make_api_call",),
    "README, zip, sealing": (
        f"{OWN}plugin_utils._bundle:build_bundle",
        f"{OWN}plugin_utils._sealing:seal",
        f"{OWN}plugin_utils._sealing:read_keys",
    ),
    "receipts and files": (
        f"{OWN}module_utils._receipt_store:ReceiptStores.check",
        f"{OWN}module_utils._receipt_store:ReceiptStores.record",
        f"{OWN}plugin_utils._known_receipts:last_keys",
        f"{OWN}plugin_utils._destinations:check",
        f"{OWN}plugin_utils._destinations:write",
    ),
    "options, checks, plans": (f"{OWN}plugin_utils._action:VenueAction.run",),
}
_totals: dict[str, float] = defaultdict(float)
_lock = threading.Lock()
_inner = threading.local()


def timed(layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same and adds its own CPU time to a layer."""

    @functools.wraps(function)
    def measured(*arguments: Any, **named: Any) -> Any:
        stack = _inner.__dict__.setdefault("stack", [])
        stack.append(0.0)
        begun = time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            taken = time.thread_time() - begun
            of_others = stack.pop()
            if stack:
                stack[-1] += taken
            with _lock:
                _totals[layer] += taken - of_others

    return measured


def wrap(layers: Mapping[str, tuple[str, ...]]) -> None:
    """Replace the functions of layers. What another botocore or another task does not have is left out."""
    for layer, functions in layers.items():
        for name in functions:
            module, _colon, path = name.partition(":")
            if module not in sys.modules and module.startswith(OWN):
                continue  # this task does not use it
            holder: Any = importlib.import_module(module)
            *classes, last = path.split(".")
            for one in classes:
                holder = getattr(holder, one)
            function = getattr(holder, last)
            measured = timed(layer, function)
            setattr(holder, last, measured)
            for other in [one for key, one in sys.modules.items() if key.startswith(OWN)] if not classes else []:
                for key in [key for key, value in vars(other).items() if value is function]:
                    setattr(other, key, measured)


def main(folder: pathlib.Path) -> None:
    """Run ansible-playbook."""
    from ansible.cli.playbook import main as ansible_playbook  # noqa: PLC0415 - its import is part of the start
    from ansible.executor.process.worker import WorkerProcess  # noqa: PLC0415

    run, start = WorkerProcess._run, WorkerProcess.start
    begun: dict[str, float] = {}

    def started(worker: Any) -> None:
        begun.setdefault("start-up", time.process_time())
        start(worker)

    def measured(worker: Any) -> None:
        _totals.clear()
        wrap(IN_WORKERS)
        before = time.process_time()
        try:
            run(worker)
        finally:
            write(folder / f"{os.getpid()}.json", {**_totals, "whole": time.process_time() - before})

    WorkerProcess._run, WorkerProcess.start = measured, started
    wrap(IN_MAIN)
    try:
        ansible_playbook()
    finally:
        write(folder / "main.json", {**_totals, **begun, "whole": time.process_time()})


def write(path: pathlib.Path, seconds: Mapping[str, float]) -> None:
    """Write the seconds of each layer."""
    path.write_text(json.dumps(seconds))


if __name__ == "__main__":
    place = pathlib.Path(sys.argv.pop(1))
    main(place)
