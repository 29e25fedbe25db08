# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The AWS that enforces policies: ministack, in an environment of its own, on a free port of 127.0.0.1, stopped by its handle."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.servers import free_port, stop, wait_until_it_answers

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def ministack(log: Path) -> Iterator[str]:
    """Run the server; gives its URL. See docs/enforcement.md for where it differs from AWS."""
    made = subprocess.run([sys.executable, ROOT / "tools" / "environment.py", "ministack"], check=True, stdout=subprocess.PIPE, text=True)
    port = free_port()
    # Without BIND_HOST it would listen on every address of the machine.
    settings = {"AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "HOME": str(log.parent)}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen([f"{made.stdout.strip()}/bin/ministack"], env=kept | settings, stdout=output, stderr=output, cwd=log.parent)
    try:
        wait_until_it_answers(f"{url}/_ministack/health", process, log)
        yield url
    finally:
        stop(process)
