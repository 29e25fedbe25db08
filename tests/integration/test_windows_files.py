# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Windows command files, run by wine's cmd in a folder with blanks and accents. Its setx does nothing."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._bundle import BundleSettings, build_bundle
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._formats import OTHER_KEYS, token_files

from tests.support.tokens import TOKEN

WINE = next((one for one in ("wine64", "wine", "/usr/lib/wine/wine64") if shutil.which(one)), None)
pytestmark = pytest.mark.skipif(WINE is None, reason="not installed: wine (Debian: wine64)")
RECEIPT = {
    "recipient": "jdoe",
    "project": "sbg",
    "venue": "dev",
    "account_id": "123456789012",
    "region": "us-west-2",
    "role_arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
    "session_name": "jdoe",
    "issued_at": "2026-03-15T00:05:08Z",
    "expires_at": "2026-03-15T01:05:07Z",
    "allows": {"access": ["s3_read"], "buckets": ["sbg-dev-unity-data"]},
}


def readme_lines() -> list[str]:
    """What the README has for cmd: the two lines, the third, and the one that removes other keys."""
    made = build_bundle(RECEIPT, TOKEN, BundleSettings(), "stem")
    text = zipfile.ZipFile(io.BytesIO(made.zip)).read("README.txt").decode()
    found = re.findall(r"^ (?:\* )?Command Prompt \(cmd\):\r\n((?:    .*\r\n)+)", text, re.MULTILINE)
    return [line.strip() for block in found for line in block.splitlines()]


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a Windows of its own; its server is stopped at the end."""
    home = tmp_path_factory.mktemp("wine")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "WINEPREFIX": str(home / "prefix"),
        "WINEDEBUG": "-all",
        "LC_ALL": "C.UTF-8",
    }
    yield environment
    server = shutil.which("wineserver") or "/usr/lib/wine/wineserver64"
    subprocess.run([server, "-k", "-w"], env=environment, check=False)


@pytest.fixture
def cmd(tmp_path: Path, wine: dict[str, str]) -> Callable[[str], str]:
    """Run a command file beside the files of a token, and return what it prints."""
    folder = tmp_path / "Users" / "José Núñez & Co (x)"
    folder.mkdir(parents=True)
    for name, text in token_files(TOKEN).items():
        (folder / name).write_text(text, newline="")

    def run(text: str) -> str:
        (folder / "caller.cmd").write_text(text, newline="")
        done = subprocess.run(
            [str(WINE), "cmd", "/c", "caller.cmd"], cwd=folder, env=wine, capture_output=True, check=False, timeout=300
        )
        return done.stdout.decode("utf-8", errors="replace").replace("\r\n", "\n")

    return run


def variables(output: str) -> dict[str, str]:
    return dict(re.findall(r"^((?:AWS|CPL)_\w+)=(.*)$", output, re.MULTILINE))


def test_env_cmd_sets_exactly_the_keys_and_is_silent(cmd: Callable[[str], str]) -> None:
    output = cmd("@echo off\r\nset AWS_PROFILE=stale\r\ncall env.cmd\r\necho still off\r\nset AWS\r\n")
    keys = TOKEN["Credentials"]
    assert variables(output) == {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
    }
    assert output.startswith("still off\n"), "env.cmd has printed something, or has switched ECHO on"


def test_a_caller_with_echo_keeps_it(cmd: Callable[[str], str]) -> None:
    output = cmd("call env.cmd\r\nrem a remark\r\n")
    assert "rem a remark" in output.lower()
    assert TOKEN["Credentials"]["SecretAccessKey"] not in output


def test_the_two_lines_of_the_readme(cmd: Callable[[str], str]) -> None:
    first, second, third, _remover = readme_lines()
    assert third.startswith("aws ")
    found = variables(cmd(f"@echo off\r\n{first}\r\n{second}\r\nset AWS\r\n"))
    assert found["AWS_PROFILE"] == "123456789012-sbg-dev"
    assert re.fullmatch(r"[A-Z]:\\.*\\Users\\Jos. N..ez & Co \(x\)\\credentials", found["AWS_SHARED_CREDENTIALS_FILE"])


def test_desktop_cmd_runs_to_its_end_and_its_undo(cmd: Callable[[str], str]) -> None:
    assert "To end it, run: desktop.cmd undo" in cmd("@echo off\r\ncall desktop.cmd\r\n")
    assert "To end it" not in cmd("@echo off\r\ncall desktop.cmd undo\r\n")
    own = cmd('@echo off\r\nset "AWS_PROFILE=my & own"\r\ncall desktop.cmd\r\n')
    assert 'Replaced, and not restored by undo: "AWS_PROFILE=my & own"\n' in own and "AWS_REGION=" not in own
    assert "Extract the whole zip file first." in cmd("@echo off\r\ndel credentials\r\ncall desktop.cmd\r\n")


def test_the_line_that_removes_other_keys(wine: dict[str, str], tmp_path: Path) -> None:
    """As it is typed at the prompt; in a command file, the percent sign would be doubled."""
    typed = f"{readme_lines()[-1]}\r\necho now& set AWS\r\nexit\r\n"
    stale = dict.fromkeys(OTHER_KEYS, "stale")
    (tmp_path / "typed").write_text(typed, newline="")
    environment = {**wine, **stale, "AWS_PROFILE": "kept"}
    with (tmp_path / "typed").open("rb") as keyboard:  # of a pipe, wine's cmd reads too much at once
        command = [str(WINE), "cmd"]
        done = subprocess.run(
            command, stdin=keyboard, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=300
        )
    assert variables(done.stdout.decode("utf-8", errors="replace").replace("\r\n", "\n")) == {"AWS_PROFILE": "kept"}
