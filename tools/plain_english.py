# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep words out that a reader who knows Ansible and AWS would stop at. The terms in use are in docs/glossary.md.

Usage: plain_english.py [FILE ...]     the default is every tracked text file

Words are found in every form, in parts of identifiers and in names of files, phrases also across the end of a line.
Also finds lines over 120 columns where no other tool does: in documentation, templates and the Makefile.
Prints each place with what to write instead, and exits with 1 if there is one.
"""

from __future__ import annotations

import bisect
import io
import pathlib
import re
import sys
import tokenize
from collections.abc import Iterator

import checkout

EXEMPT = (
    "LICENSE",
    "LICENSES/",
    "CHANGELOG.md",  # what was released is not rewritten
    "changelogs/changelog.yaml",
    "requirements/",  # names of packages
    "tools/plain_english.py",  # the list itself
    "tests/unit/test_plain_english.py",  # its examples
)
COLUMNS = 120
# A regular expression over words in lower case, and what to write instead. "_" separates the parts of an identifier,
# a space may also be "_" or "-".
INSTEAD = {
    r"(shall|shalt)": "must, or the present tense",
    r"(mend|heal)(s|ed|ing|er|ers)?": "fix, repair",
    r"leaflets?": "README (of the bundle)",
    r"recipients?( s)? books?": "key directory",
    r"hand(ed|s|ing)? over": "hand off, hand-off",
    r"handover": "handoff",
    r"what (has |had )?(became|becomes|become|came|comes) of": "the result of, what happens to",
    r"whatever (becomes|became) of": "even if ... fails",
    r"(tell|tells|told|telling) of": "describes, is about",
    r"told by": "named by, shown by",
    r"tell_the_recipient": "how_to_open",
    r"for want of": "because ... is missing",
    r"at odds with": "different from",
    r"count(s|ed|ing)? for nothing": "is ignored, is not valid",
    r"(keep|keeps|kept|keeping) books": "record",
    r"(make|makes|made|making) use of": "use",
    r"go(es)? on to the": "continue with the",
    r"look before you leap": "check first",
    r"(cannot|can't|could not|can not) be had": "cannot be granted, is not available",
    r"dead on arrival": "rejected immediately",
    r"(show|shows|showed|shown|showing) nowhere": "is never displayed",
    r"lest": "so that ... not",
    r"anew": "again",
    r"(thereof|therein|whereof|hither|whence|thence|withal|save for)": "plain words",
    r"(come|comes|came|coming) to life": "becomes valid",
    r"at_once": "a name that says what it does",
    r"(worth_blanking|in_words)": "a name that says what it does",
    r"wish(es|ed|ing)?": "request, options",
    r"desir(e|es|ing)": "desired state, request",
    r"settl(e|es|ed|ing|ement|ements)": "check, decide, resolve",
    r"heed(s|ed|ing)?": "follow, respect",
    r"(naught|nought)": "nothing",
    r"(hang|hangs|hung|hanging) on (the|a) role": "is attached to the role",
    r"pass(es|ed|ing)? over": "skip, ignore, do not read",
    r"desks?": "a name that says what it does",
    r"(is |are )?given but empty": "must not be empty",
    r"(lie|lies|lay|lying) in the (past|future)": "is in the past, is in the future",
    r"everybody may": "is writable by everyone, everyone can",
    r"(choose|chooses|chose) one with": "set ... to one of them",
    r"(may|might) be live": "may be valid",
    r"in the place of": "in place of, instead of",
}
# Names that cannot change: this one is in docs/performance/results.json, which is measured and not written.
ALLOWED = "kion_at_once"
# Whole identifiers, which do not say what of whom; as words of a sentence they are fine.
VAGUE = re.compile(r"(drawn|follow|settle)")
VAGUE_ELSEWHERE = re.compile(
    r"(?:\b(?:const|let|var|function)\s+|\$|^\s*)(drawn|follow)\b(?=\s*(?:=|\())", re.MULTILINE
)
# With a case of its own, since ExternalId and external_id are names of AWS and Ansible.
SPELLING = re.compile(r"\b[Ee]xternal\s+(?:[#>*/]+\s+)?[Ii]ds?\b")

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+(?:'t\b)?|[A-Z]+")
_NO_WORDS = re.compile(rf"[A-Za-z0-9+/=]{{60,}}|{ALLOWED}")  # base64, and what is allowed
_PREFIX = re.compile(r"(?<![A-Za-z0-9_])[frbuFRBU]{1,2}(?=[\"'])")  # of the next part of a text in Python
_SOFT = re.compile(r"[\s_'\u2019*-]+")
_NEXT_LINE = re.compile(r"[ \t\"'\u2019\\+*_-]*\n[\s\"'\u2019#>*/|;-]*")


def findings(text: str, name: str = "") -> list[tuple[int, str, str]]:
    """Line number, words and replacement of each place.

    :param name: of the file, whose suffix says whether there are identifiers.
    """
    words, lines = _as_words(text)
    found = []
    for pattern, instead in INSTEAD.items():
        spaced = pattern.replace(" ", "[ _]")
        for match in re.finditer(rf"(?<![a-z']){spaced}(?![a-z'])", words):
            found.append((lines(match.start()), match[0], instead))
    for match in SPELLING.finditer(text):
        if not re.fullmatch(r"[Ee]xternal\s+(?:[#>*/]+\s+)?IDs?", match[0]):
            found.append((text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), "external ID"))
    found += [(number, one, "a name that says of what") for number, one in _vague(text, name)]
    return sorted(found)


def _as_words(text: str) -> tuple[str, _Lines]:
    """The words in lower case, with what separates them: " ", "_" within an identifier, "|" where a phrase ends."""
    plain = _PREFIX.sub(lambda match: " " * len(match[0]), _NO_WORDS.sub(lambda match: "." * len(match[0]), text))
    parts: list[str] = []
    places, origins, length, end = [0], [0], 0, 0
    for match in _WORD.finditer(plain):
        between = plain[end : match.start()]
        parts += [_separator(between), match[0].lower()]
        places.append(length + len(parts[-2]))
        origins.append(match.start())
        length, end = length + len(parts[-2]) + len(parts[-1]), match.end()
    return "".join(parts), _Lines(text, places, origins)


def _separator(between: str) -> str:
    if between in ("", "_"):
        return "_"
    return " " if _SOFT.fullmatch(between) or _NEXT_LINE.fullmatch(between) else "|"


class _Lines:
    """The line numbers of places in the words of a text."""

    def __init__(self, text: str, places: list[int], origins: list[int]) -> None:
        self._text, self._places, self._origins = text, places, origins

    def __call__(self, place: int) -> int:
        origin = self._origins[bisect.bisect_right(self._places, place) - 1]
        return self._text.count("\n", 0, origin) + 1


def _vague(text: str, name: str) -> Iterator[tuple[int, str]]:
    if name.endswith(".py"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and VAGUE.fullmatch(token.string):
                yield token.start[0], token.string
    elif name.endswith((".js", ".mjs", ".ps1", ".sh", ".ci/run")):
        for match in VAGUE_ELSEWHERE.finditer(text):
            yield text.count("\n", 0, match.start(1)) + 1, match[1]


def long_lines(text: str, name: str) -> list[int]:
    """The numbers of lines over 120 columns; none in Markdown's tables, links, code and comments with commands."""
    if pathlib.Path(name).suffix not in (".md", ".j2") and pathlib.Path(name).name != "Makefile":
        return []
    found, in_code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if name.endswith(".md"):
            in_code ^= line.lstrip().startswith("```")
            if (
                in_code
                or line.lstrip().startswith(("|", "<!--", "```"))
                or re.search(r"\]\(\S{40}|https?://\S{40}", line)
            ):
                continue
        if len(line) > COLUMNS:
            found.append(number)
    return found


def main(arguments: list[str]) -> int:
    """Check files; return the exit status."""
    places = 0
    for name in arguments or checkout.files():
        if name.startswith(EXEMPT):
            continue
        found = [f"{name}: '{word}' in the name: write {instead}" for _line, word, instead in findings(name)]
        try:
            text = (checkout.ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            text = ""
        found += [f"{name}:{line}: '{word}': write {instead}" for line, word, instead in findings(text, name)]
        found += [f"{name}:{line}: more than {COLUMNS} columns" for line in long_lines(text, name)]
        print("\n".join(found), end="\n" if found else "")
        places += len(found)
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
