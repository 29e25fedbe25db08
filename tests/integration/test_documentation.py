# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every command and block of README, docs and the roles' pages is run, page by page, with moto behind it.

tests/support/documentation.py says how a page marks a block that cannot be run, and why that needs a reason.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from tests.support.documentation import Block, blocks
from tests.support.playbook import run_tasks
from tests.support.servers import REGION, Moto

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "roles").glob("*/README.md"))]
VENUES = (("sbg", "dev"), ("emit", "ops"), ("asips", "test"))
SHELLS = ("console", "bash", "sh", "shell")


class Reader:
    """Somebody who follows a page to the letter, with keys for an AWS account that publishes what venues publish."""

    def __init__(self, moto: Moto, home: pathlib.Path) -> None:
        self.home, self.printed = home, ""
        for project, venue in VENUES:
            moto.publish(project, venue)
        awscli = pathlib.Path(sys.prefix).parent / "awscli/bin"
        quiet = {
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        aws = {
            "AWS_ENDPOINT_URL": moto.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        path = f"{pathlib.Path(sys.prefix) / 'bin'}:{awscli}:{os.environ['PATH']}"
        self.env = {
            **os.environ,
            **quiet,
            **aws,
            **moto.environment(),
            "HOME": str(home),
            "PATH": path,
            "DOCS": str(ROOT / "docs"),
        }

    def run(self, command: str, where: str, code: int = 0) -> None:
        """Run a command of the page."""
        shell = ["bash", "-euo", "pipefail", "-c", command]
        done = subprocess.run(
            shell,
            cwd=self.home,
            env={**self.env, "PWD": str(self.home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{where}: {command}\n{done.stdout}"
        self.printed = done.stdout

    def timeless(self, text: str) -> str:
        """A page's or a command's output without what differs from run to run."""
        text = re.sub(r"\d{4}-?\d\d-?\d\d[T ]\d\d:?\d\d(:?\d\dZ(-[0-9a-f]{6,8})?)?", "TIME", text)
        return re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text.replace(str(self.home), "/home/admin"))

    def run_block(self, block: Block) -> None:
        """Do what a block says."""
        said = block.sayings
        if "prepare" in said:
            self.run(said["prepare"], f"{block.where} (prepare)")
        if "printed" in said:
            assert self.timeless(block.text) in self.timeless(self.printed), (
                f"{block.where}: a run prints\n{self.printed}"
            )
        elif "file" in said:
            (self.home / said["file"]).write_text(block.text)
        elif block.language in SHELLS:
            for command in block.commands():
                self.run(command, block.where, int(said.get("exit", "0")))
        elif block.language in ("yaml", "yml"):
            self.play(block, int(said.get("exit", "0")))
        elif block.language == "json":
            json.loads(block.text)

    def play(self, block: Block, code: int) -> None:
        """Run a YAML block as the playbook it is, or as the tasks of one."""
        content = yaml.safe_load(block.text)
        assert isinstance(content, list), (
            f"{block.where}: neither plays nor tasks; say <!-- file: NAME --> or <!-- not executed: REASON -->"
        )
        if "hosts" not in content[0] and "ansible.builtin.import_playbook" not in content[0]:
            content = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": content}]
        for play in content:
            if "hosts" in play:
                play["vars"] = {"ansible_python_interpreter": sys.executable, **play.get("vars", {})}
        (self.home / "block.yml").write_text(yaml.safe_dump(content, sort_keys=False))
        inventory = "-i inventory.yml " if (self.home / "inventory.yml").exists() else ""
        self.run(f"ansible-playbook {inventory}block.yml", block.where, code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_the_reader_to_do_works(moto: Moto, tmp_path: pathlib.Path, page: pathlib.Path) -> None:
    reader = Reader(moto, tmp_path)
    for block in blocks(page):
        if "not executed" not in block.sayings:
            reader.run_block(block)


def test_a_block_is_left_out_only_for_a_reason() -> None:
    for block in [block for page in PAGES for block in blocks(page)]:
        assert "not executed" not in block.sayings or len(block.sayings["not executed"].split()) > 2, block.where


def test_the_page_on_receipts_describes_every_field(moto: Moto, tmp_path: pathlib.Path) -> None:
    moto.publish("sbg", "dev")
    venue = {"project": "sbg", "venue": "dev"}
    tasks = [{"mdps.venue_sts.venue_sts_role": venue}, {"mdps.venue_sts.venue_sts_token": {**venue, "user": "jdoe"}}]
    receipt = run_tasks(tasks, env=moto.environment(), cwd=tmp_path)[1]["receipt"]
    table = (ROOT / "docs/receipt.md").read_text().split("| Field |")[1].split("\n\n")[0]
    described = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(described) == sorted(receipt)
