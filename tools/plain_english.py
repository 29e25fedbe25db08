# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep words out that a reader who knows Ansible and AWS would stop at. The terms in use are in docs/glossary.md.

Usage: plain_english.py [FILE ...]     the default is every tracked text file

Prints each place with what to write instead, and exits with 1 if there is one.
"""

from __future__ import annotations

import pathlib
import re
import sys

import checkout

SUFFIXES = {".py", ".md", ".yml", ".yaml", ".j2", ".html", ".txt", ".toml", ".sh"}
EXEMPT = (
    "LICENSE",
    "LICENSES/",
    "changelogs/changelog.yaml",
    "requirements/",
    "tools/plain_english.py",
    "tests/unit/test_plain_english.py",
)
# A regular expression, without regard to case, and what to write instead.
INSTEAD = {
    r"shall": "must, or the present tense",
    r"(mend|heal)(s|ed|ing)?": "fix, repair",
    r"leaflets?": "README (of the bundle)",
    r"recipients'? book": "key directory",
    r"hand(ed|s|ing)?[- ]over": "hand off, hand-off",
    r"hand_?over": "handoff",
    r"external ids?": "external ID (one spelling)",
    r"what (became|becomes|came) of": "the result of, what happens to",
    r"whatever becomes of": "even if ... fails",
    r"(tells?|told) of": "describes, is about",
    r"told by": "named by, shown by",
    r"for want of": "because ... is missing",
    r"at odds with": "different from",
    r"counts for nothing": "is ignored, is not valid",
    r"(keep|keeps|kept) books": "record",
    r"made use of": "used",
    r"go(es)? on to the": "continue with the",
    r"look before you leap": "check first",
    r"(cannot|can't|could not) be had": "cannot be granted, is not available",
    r"dead on arrival": "rejected immediately",
    r"lest": "so that ... not",
    r"anew": "again",
    r"(thereof|therein|whereof|hither|whence|thence|withal|save for)": "plain words",
    r"come(s)? to life": "becomes valid",
    r"at_once": "a name that says what it does",
    r"(worth_blanking|in_words)": "a name that says what it does",
    r"wish(es)?": "request, options",
    r"desires?": "desired state, request",
    r"settle[sd]?": "check, decide, resolve",
    r"heed(s|ed|ing)?": "follow, respect",
    r"naught|nought": "nothing",
    r"hangs? on (the|a) role": "is attached to the role",
}
# Where a word is a name of somebody else's, or an identifier that ends in it.
ALLOWED = re.compile(r"external[-_]ids?|ExternalIds?|sts:external.?id", re.IGNORECASE)


def findings(text: str) -> list[tuple[int, str, str]]:
    """Line number, word and replacement of each place."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = _as_words(line)
        for pattern, instead in INSTEAD.items():
            if pattern.startswith("external"):
                matches = re.finditer(rf"(?<![\w-]){pattern}(?![\w-])", line)
            else:
                text = line if "_" in pattern else plain
                matches = re.finditer(rf"(?<![\w-]){pattern}(?![\w-])", text, re.IGNORECASE)
            found += [(number, match[0], instead) for match in matches if not ALLOWED.fullmatch(match[0])]
    return found


def _as_words(line: str) -> str:
    """The line with the parts of each identifier as words, so that a word is found in ``settle_pair`` as well."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", line.replace("_", " "))


def main(arguments: list[str]) -> int:
    """Check files; return the exit status."""
    names = [name for name in arguments or checkout.files() if not name.startswith(EXEMPT)]
    places = 0
    for name in names:
        path = checkout.ROOT / name
        if pathlib.Path(name).suffix in SUFFIXES:
            for number, word, instead in findings(path.read_text(errors="replace")):
                print(f"{name}:{number}: '{word}': write {instead}")
                places += 1
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
