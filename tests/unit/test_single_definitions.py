# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each concept has one definition: no pattern, time format or host name is written in two files."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.arns import SIGN_IN_HOSTS

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
# The programs that recipients get run without the collection.
RECIPIENTS = PLUGINS / "plugin_utils" / "_recipient_files"
FILES = [path for path in sorted(PLUGINS.rglob("*.py")) if RECIPIENTS not in path.parents]
TREES = {str(path.relative_to(PLUGINS)): ast.parse(path.read_text()) for path in FILES}
USING_PATTERNS = {"compile", "fullmatch", "match", "search", "sub", "split", "finditer", "findall"}
CLOUDTRAIL = "module_utils/_domain/sessions.py"  # whose events have two forms of their own


def patterns(tree: ast.Module) -> Iterator[str]:
    """Yield the source text of each regular expression."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in USING_PATTERNS
        ):
            yield ast.unparse(node.args[0]) if isinstance(node.args[0], ast.Constant | ast.JoinedStr) else ""


def files_of(texts: dict[str, set[str]]) -> dict[str, list[str]]:
    """Return the texts that several files have."""
    found: dict[str, list[str]] = {}
    for name, some in texts.items():
        for text in some - {""}:
            found.setdefault(text, []).append(name)
    return {text: names for text, names in found.items() if len(names) > 1}


def test_no_two_files_define_the_same_pattern() -> None:
    found = {name: set(patterns(tree)) for name, tree in TREES.items()}
    assert any(found.values())
    assert files_of(found) == {}


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield every text of a file, with … for what is put in at run time."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_one_file_has_the_patterns_of_names_and_arns_of_iam() -> None:
    """The characters of a name, the partition, and a session; all other patterns are made from these."""
    parts = re.compile(r"(\\w|_)\+=,\.@|aws\[a-z-\]|:assumed-role/\(")
    found = {name for name, tree in TREES.items() if any(parts.search(text) for text in texts(tree) if " " not in text)}
    assert found == {"module_utils/_domain/arns.py"}


def test_times_are_parsed_in_one_file() -> None:
    found = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("fromisoformat", "strptime")
    }
    assert found == {"module_utils/_domain/times.py", CLOUDTRAIL}


def test_one_file_has_the_time_format_of_names() -> None:
    found = {
        name: {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("%Y%m%dT")
        }
        for name, tree in TREES.items()
    }
    assert [name for name, texts in found.items() if texts] == ["module_utils/_domain/times.py"]


def test_the_hosts_of_sign_in_are_in_one_table_of_the_collection() -> None:
    found = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.replace("\\", "") in SIGN_IN_HOSTS.values()
    }
    assert found == {"module_utils/_domain/arns.py"}


def test_the_programs_of_recipients_have_the_same_hosts() -> None:
    for name in ("console_link.py", "console_link.ps1"):
        text = (RECIPIENTS / name).read_text()
        assert text.count("https://signin.") == len(SIGN_IN_HOSTS), name
        for host in SIGN_IN_HOSTS.values():
            assert f'"https://{host}/federation"' in text, name


TESTS = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted((ROOT / "tests").rglob("*.py"))}


def test_one_helper_runs_the_servers_of_tests_and_one_is_their_clock() -> None:
    """A server that a test forgets to stop, or a clock that counts otherwise, is found in one place."""
    serving = {
        name
        for name, tree in TESTS.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "serve_forever"
    }
    clocks = [
        name
        for name, tree in TESTS.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "Clock" in node.name
    ]
    assert serving == {"tests/support/serving.py", "tests/bench/proxy.py"}  # the second with asyncio
    assert clocks == ["tests/support/clock.py"]
