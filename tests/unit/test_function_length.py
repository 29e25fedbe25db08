# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A function fits on a screen."""

from __future__ import annotations

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
MOST_LINES = 39  # from def to the end, with the docstring


def test_no_function_is_longer_than_a_screen() -> None:
    seen, long = 0, {}
    for path in sorted(one for folder in ("plugins", "tools") for one in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                seen += 1
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_LINES:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert seen > 1000
    assert long == {}
