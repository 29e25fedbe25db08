# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The code blocks of a Markdown page, and what the page's source says about them.

A comment right before a block says how to treat it:

    <!-- not executed: REASON -->    the block is not run; the reason is for the reader of the source
    <!-- prepare: COMMAND -->        what the page takes for granted; run before the block
    <!-- file: NAME -->              the block is the content of a file, not a command
    <!-- exit: NUMBER -->            the commands fail, as the page says
    <!-- printed: WHERE -->          the block is in what the command before it prints, but for times and the home
    folder
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

_SAYING = re.compile(r"<!--\s*(not executed|prepare|file|exit|printed):\s*(.*?)\s*-->", re.DOTALL)


@dataclass
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    sayings: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """Where to look, for a failing test."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """The commands of a console block (each after a dollar sign.

        Going on after a backslash), or all of a shell block.
        """
        if self.language != "console":
            return [self.text]
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in order, each with the comments that stand right before it."""
    found: list[Block] = []
    sayings: dict[str, str] = {}
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "html_block":
            sayings |= dict(_SAYING.findall(token.content))
        elif token.type == "fence":
            line = token.map[0] + 1 if token.map else 0
            found.append(Block(page, line, token.info.strip(), token.content, sayings))
            sayings = {}
        elif token.type == "inline":
            sayings = {}
    return found
