# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The word list finds old words in every form and place, and lets terms and names of AWS pass."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import plain_english

# Each with {word} in lower case, or {Word} with a capital letter.
PLACES = {
    "a sentence": "If so, it {word} there.",
    "the beginning of a sentence": "{Word} it.",
    "quotes": 'say "{word}"',
    "a compound": "a self-{word} role",
    "a variable": "{word} = 1",
    "the beginning of an identifier": "def {word}_of(options):",
    "the end of an identifier": "the_role_{word}(1)",
    "a class": "class {Word}OfRole:",
    "the end of a class": "class Role{Word}:",
    "after an abbreviation": "class HTTP{Word}:",
    "a key of YAML": "role_{word}: true",
    "a key of JSON": '"{word}": 1',
    "a variable of PowerShell": "${word} = 1",
    "an attribute of XML": '<text class="{word}">',
}
FORMS = [
    "shall", "shalt", "mend", "mended", "mending", "heal", "heals", "healing", "leaflet", "leaflets", "wish", "wishes",
    "wished", "wishing", "desire", "desires", "settle", "settles", "settled", "settling", "heed", "heeded", "naught",
    "anew", "lest", "handover",
]  # fmt: skip
PHRASES = [
    "what became of", "what becomes of", "shows nowhere", "show nowhere", "recipients book", "recipients' book",
    "recipient's book", "hands over", "handed over", "hand-over", "could not be had", "can't be had",
    "dead on arrival", "look before you leap", "hangs on the role", "goes on to the", "counts for nothing",
    "external id", "external Id", "External ids", "passed over", "given but empty", "lies in the past", "may be live",
    "everybody may", "choose one with", "in the place of",
]  # fmt: skip
# What may be between two lines of one sentence.
BREAKS = {
    "prose": "\n",
    "an indented line": "\n    ",
    "a comment": "\n# ",
    "a comment of JavaScript": "\n// ",
    "a quotation": "\n> ",
    "a text in Python": ' "\n        "',
    "a formatted text in Python": ' "\n        f"',
}
IDENTIFIERS = {
    "at_once": "def at_once(reads):", "x_at_once": "x_at_once = 1", "atOnce": "const atOnce = 1",
    "in_words": "def duration_in_words(seconds):", "inWords": "durationInWords()",
    "passed_over": "passed_over = []", "desk": "def test_a_delivery(desk):",
    "worth_blanking": "if is_worth_blanking(text):", "tell_the_recipient": "tell_the_recipient: x",
}  # fmt: skip


def lines_of(text: str, name: str = "a.txt") -> list[int]:
    """The numbers of the lines with findings."""
    return [number for number, _word, _instead in plain_english.findings(text, name)]


@pytest.mark.parametrize("word", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_old_words_are_found_in_every_form_and_place(word: str, place: str) -> None:
    line = PLACES[place].replace("{word}", word).replace("{Word}", word.capitalize())
    assert lines_of(f"fine\n{line}\nfine\n") == [2]


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_are_found(phrase: str) -> None:
    assert lines_of(f"fine\nSee {phrase} it.\n") == [2]


@pytest.mark.parametrize("between", BREAKS)
@pytest.mark.parametrize("phrase", [one for one in PHRASES if " " in one and not one.lower().startswith("external")])
def test_phrases_are_found_across_the_end_of_a_line(phrase: str, between: str) -> None:
    first, rest = phrase.split(" ", 1)
    assert lines_of(f"fine\n{first}{BREAKS[between]}{rest} it") == [2]


@pytest.mark.parametrize("between", ["\n", "\n    ", "\n# ", "\n> "])
def test_the_spelling_of_external_ids_is_checked_across_the_end_of_a_line(between: str) -> None:
    assert lines_of(f"the external{between}id") == [1]
    assert lines_of(f"the external{between}ID") == []


@pytest.mark.parametrize("line", IDENTIFIERS.values(), ids=IDENTIFIERS)
def test_identifiers_are_found(line: str) -> None:
    assert lines_of(f"fine\n{line}\n") == [2]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", "drawn = 1"), ("a.py", "for follow in x: pass"), ("a.py", "x.follow(y)"), ("a.py", "f(drawn)"),
        ("a.js", "const drawn = 1"), ("a.ps1", "$follow = 1"), ("a.sh", "follow() {"), (".ci/run", "drawn=1"),
    ],
)  # fmt: skip
def test_identifiers_of_one_vague_word_are_found(name: str, line: str) -> None:
    assert lines_of(f"x = 1\n{line}\n", name) == [2]
    assert lines_of(f"x = 1\n{line}\n", "a.md") == []


@pytest.mark.parametrize(
    "line",
    [
        "the external ID", "external_id: x", "/cs/sts/role/external-id", "sts:ExternalId", "the handoff role",
        "a hand-off", "marshall", "emendation", "dishes", "external_ids", "tells_offline", "the desired state",
        "desktop.cmd", "in place of", "must not be empty",
        "all at once", "in words", "kion_at_once", "follow the link", "It shows. Nowhere else.", "Hand it. Over there.",
        "wishy", "hand, over", "shallow", f"{'A' * 60}+heal+{'B' * 60}",
    ],
)  # fmt: skip
def test_terms_and_names_pass(line: str) -> None:
    assert lines_of(line) == []
    assert lines_of(f"# {line}", "a.py") == []


NAMES = [
    "a.py", "a.md", "a.yml", "a.ps1", "a.json", "a.svg", "a.js", "a.css", "a.rst", "a.html.j2", "a.txt", "a.sh",
    "a.mjs", "Makefile", "run", ".editorconfig",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_file_is_read(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / name
    file.write_text("# fine\n# the leaflet\n")
    assert plain_english.main([str(file)]) == 1
    assert capsys.readouterr().out == f"{file}:2: 'leaflet': write README (of the bundle)\n"


@pytest.mark.parametrize("name", ["leaflet.txt", "x_at_once.py", "WishList.md"])
def test_names_of_files_are_checked(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / name
    file.write_bytes(b"\xff\xfe no text")
    assert plain_english.main([str(file)]) == 1
    assert "in the name" in capsys.readouterr().out


def test_every_tracked_file_but_history_and_the_list_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(plain_english, "findings", lambda text, name="": read.append(name) or [])
    assert plain_english.main([]) == 0
    assert {"Makefile", ".ci/run", "README.md", "roles/report/templates/report.js", "tests/conftest.py"} <= set(read)
    assert not {"CHANGELOG.md", "changelogs/changelog.yaml", "LICENSE", "tools/plain_english.py"} & set(read)


LONG = "word " * 30


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.md", LONG, [1]), ("a.html.j2", LONG, [1]), ("Makefile", LONG, [1]), ("a.md", f"x\n{LONG}", [2]),
        ("a.md", f"```console\n{LONG}\n```\n{LONG}", [4]), ("a.md", f"| {LONG}|", []), ("a.md", "x" * 120, []),
        ("a.md", "x" * 121, [1]), ("a.md", f"<!-- prepare: {LONG}-->", []),
        ("a.md", f"see [x](https://{'x' * 120})", []),
        ("a.md", f"see {LONG} [x](y.md)", [1]), ("a.json", LONG, []), ("a.j2", f"| {LONG}", [1]),
    ],
)  # fmt: skip
def test_long_lines_are_found(name: str, text: str, found: list[int]) -> None:
    assert plain_english.long_lines(text, name) == found
