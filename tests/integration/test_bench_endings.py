# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The benchmark leaves no server behind, whatever ends it, and goes on where it was ended."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ("--contenders", "ansible-core alone", "--steps", "no_change", "--tls", "none", "amazon")


@contextlib.contextmanager
def bench(folder: pathlib.Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A benchmark with little to do."""
    program = [sys.executable, str(ROOT / "tests" / "bench" / "bench.py")]
    # Under nohup it would not end by SIGHUP.
    command = ["env", "--default-signal=HUP", *program, *TINY, "--output", str(folder), *options]
    # Short, since ansible-core makes sockets in it, whose paths may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="b") as short:
        (folder / "temporary").unlink(missing_ok=True)
        (folder / "temporary").symlink_to(short)
        environment = {**os.environ, "TMPDIR": short}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                yield process
            finally:
                process.kill()


def has_ended(pidfd: int) -> bool:
    """Whether a process ends within a minute."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(60_000))


@pytest.mark.parametrize(
    "number",
    [*(signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2), signal.SIGKILL],
)
def test_the_servers_end_with_it(number: signal.Signals, tmp_path: pathlib.Path) -> None:
    with bench(tmp_path, "--runs", "1000") as process, contextlib.ExitStack() as stack:
        assert process.stdout
        servers: dict[str, int] = {}
        for line in process.stdout:
            if not line.startswith("server "):
                break  # the first measurement
            name, pid = line.removeprefix("server ").split(": ")
            servers[name] = os.pidfd_open(int(pid))
            stack.callback(os.close, servers[name])
        assert set(servers) == {"moto", "proxy-none"}
        process.send_signal(number)
        process.wait(timeout=60)
        assert [name for name, pidfd in servers.items() if not has_ended(pidfd)] == []
        if number != signal.SIGKILL:
            assert process.returncode == 1
            assert list((tmp_path / "temporary").iterdir()) == []


def test_it_resumes_where_it_was_ended(tmp_path: pathlib.Path) -> None:
    with bench(tmp_path) as process:
        assert process.stdout
        next(line for line in process.stdout if not line.startswith("server "))
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    first = json.loads((tmp_path / "results.json").read_text())
    with bench(tmp_path, "--resume") as process:
        assert process.communicate(timeout=120)[0].count(" no_change ") == 2 - len(first["turns"])
    whole = json.loads((tmp_path / "results.json").read_text())
    assert [one["tls"] for one in whole["samples"]] == ["none", "amazon"]
    assert whole["samples"][: len(first["turns"])] == first["samples"][: len(first["turns"])]


def test_it_does_not_resume_figures_of_other_files(tmp_path: pathlib.Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"machine": {"files": "0"}, "turns": [], "samples": [{}]}))
    with bench(tmp_path, "--resume") as process:
        assert process.wait(timeout=60) == 2


def test_a_command_ends_with_its_launcher(tmp_path: pathlib.Path) -> None:
    """Not only the launcher itself, but what the command has started."""
    launcher = [sys.executable, str(ROOT / "tests" / "bench" / "launch.py"), str(tmp_path / "taken.json")]
    slow = ["sh", "-c", "sleep 1000 & echo $!; wait"]
    with subprocess.Popen([*launcher, *slow], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        started = os.pidfd_open(int(process.stdout.readline()))
        try:
            process.terminate()
            assert has_ended(started)
        finally:
            os.close(started)
            process.kill()
    assert not (tmp_path / "taken.json").exists()
