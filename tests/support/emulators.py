# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers that play AWS, each on a free port of 127.0.0.1, stopped by its own handle."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENVS = ROOT / ".build" / "venvs"
STARTUP_TRIES = 600


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def ministack(log: Path) -> Iterator[str]:
    """An AWS that enforces policies (see docs/enforcement.md); gives its URL."""
    home = subprocess.run([sys.executable, ROOT / "tools" / "environment.py", "ministack"], check=True, capture_output=True, text=True).stdout.strip()
    port = free_port()
    settings = {"AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING", "HOME": str(log.parent)}
    with _served([f"{home}/bin/ministack"], port, settings, log, "/_ministack/health") as url:
        yield url


@contextlib.contextmanager
def moto(log: Path) -> Iterator[str]:
    """An AWS that lets everything through; gives its URL."""
    port = free_port()
    with _served([str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], port, {}, log, "/moto-api/") as url:
        yield url


@contextlib.contextmanager
def _served(command: list[str], port: int, settings: dict[str, str], log: Path, health: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment | settings, stdout=output, stderr=output, cwd=log.parent)
        try:
            _wait_until_ready(process, url + health, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(STARTUP_TRIES):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.1)
                raise RuntimeError(f"{process.args} ended at once:\n{log.read_text()[-2000:]}")
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()[-2000:]}")
