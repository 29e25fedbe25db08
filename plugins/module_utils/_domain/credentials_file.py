# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One profile in the text of an AWS shared credentials file, changed without touching any other byte.

Lines mean what they mean to ``configparser.RawConfigParser``, with which boto3 and the AWS CLI read this file: an
indented line continues the value above it, ``#`` and ``;`` start a comment, ``=`` and ``:`` separate name and value.
"""

from __future__ import annotations

import configparser
import io
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .errors import OwnershipConflict, VenueError
from .names import Venue
from .profiles import KEY_NAMES

# boto3 reads the first of the two before the second, so a forgotten one would win over the new session token.
OLD_SESSION_TOKEN = "aws_security_token"  # noqa: S105 - the name of a setting
# With one of these in a profile, AWS tools ignore its credentials.
WINNERS = ("role_arn", "web_identity_token_file", "sso_session", "sso_account_id")

_HEADER = re.compile(r"\[(?P<name>.+)\]")
_OPTION = re.compile(r"(?P<name>.*?)\s*[=:]")
_MARK = re.compile(
    r"# mdps\.venue_sts: venue (?P<project>[^/\s]+)/(?P<venue>[^/\s]+)"
    r"(?: in account (?P<account>\d{12}))?(?:, expires (?P<expires>\S+))?\s*"
)


class MalformedFile(VenueError):
    """The credentials file is not one that AWS tools could read."""


class Mark(NamedTuple):
    """The comment below the header of a profile that this collection wrote: venue and expiration of its credentials."""

    venue: Venue
    account: str = ""
    expires: str = ""

    def __str__(self) -> str:
        account = f" in account {self.account}" if self.account else ""
        expires = f", expires {self.expires}" if self.expires else ""
        return f"# mdps.venue_sts: venue {self.venue.project}/{self.venue.venue}{account}{expires}"

    def is_same_owner(self, other: Mark) -> bool:
        """Whether both are of one venue; an account that is not known decides nothing."""
        return self.venue == other.venue and (not self.account or not other.account or self.account == other.account)


class Profile(NamedTuple):
    """A profile as the file has it: the values by name, and the mark, if this collection wrote it."""

    values: dict[str, str]
    mark: Mark | None


class _Line(NamedTuple):
    text: str
    section: str = ""
    option: str = ""  # also on the lines that continue its value
    is_header: bool = False
    is_more: bool = False

    @property
    def indent(self) -> str:
        """The white space it begins with."""
        return self.text[: len(self.text) - len(self.text.lstrip())]


def read_profile(text: str, name: str) -> Profile | None:
    """The profile of that name.

    :raises MalformedFile: AWS tools could not read the text. The message has the line's number, never its content.
    """
    parsed = _parse(text)
    if name not in parsed:
        return None
    marks = [_MARK.fullmatch(line.text) for line in _scan(text) if line.section == name and not line.option]
    found = next((mark for mark in marks if mark), None)
    mark = (
        Mark(Venue(found["project"], found["venue"]), found["account"] or "", found["expires"] or "") if found else None
    )
    return Profile(parsed[name], mark)


def check_owner(name: str, profile: Profile | None, mark: Mark) -> None:
    """Check that this collection wrote a profile for this venue, before it is written or removed.

    :raises OwnershipConflict: somebody else wrote it, or it is for another venue.
    """
    if profile is None or (profile.mark and profile.mark.is_same_owner(mark)):
        return
    whose = f"belongs to {str(profile.mark).partition(': ')[2]}" if profile.mark else "was not written by this module"
    raise OwnershipConflict(
        f"the profile {name} {whose}. Set the option profile to another name, or set adopt to manage this one."
    )


def with_profile(text: str, name: str, mark: Mark, values: Mapping[str, str]) -> str:
    """The text with the profile in it: its values in place of the old ones, everything else as it was."""
    end, lines = _line_end(text), _scan(text)
    indent = _indent_below(lines, name, values)
    fresh = [f"{mark}{end}", *(f"{indent}{option} = {value}{end}" for option, value in values.items())]
    if not any(line.is_header and line.section == name for line in lines):
        start = text if not text or text.endswith(("\n", "\r")) else text + end
        return "".join([start, end if start else "", f"[{name}]{end}", *fresh])
    written: list[str] = []
    for line in lines:
        if line.section != name:
            written.append(line.text)
        elif line.is_header:
            written += [line.text if line.text.endswith(("\n", "\r")) else line.text + end, *fresh]
        elif not _is_replaced(line, values):
            written.append(line.text)
    return "".join(written)


def without_profile(text: str, name: str) -> str:
    """The text without the profile. Comments below its last value may introduce the next profile, and stay."""
    lines = _scan(text)
    first = next((number for number, line in enumerate(lines) if line.is_header and line.section == name), None)
    if first is None:
        return text
    last = max(
        number
        for number, line in enumerate(lines)
        if line.section == name and (line.is_header or line.option or _MARK.fullmatch(line.text))
    )
    before, after = lines[:first], lines[last + 1 :]
    if before and not before[-1].text.strip() and (not after or not after[0].text.strip()):
        before.pop()  # the blank line between it and the next one
    return "".join(line.text for line in (*before, *after))


def check_result(old: str, new: str, name: str, values: Mapping[str, str] | None) -> None:
    """Read the new text as AWS tools would, before it is written: the profile is as wanted and all others as they were.

    :raises MalformedFile: it is not; the old file must stay.
    """
    was, now = _parse(old), _parse(new)
    mine = now.pop(name, None)
    was.pop(name, None)
    if was != now or (mine is None) != (values is None) or not (values or {}).items() <= (mine or {}).items():
        raise MalformedFile("the profile cannot be changed without changing others; edit the file manually.")


def _indent_below(lines: Sequence[_Line], name: str, values: Mapping[str, str]) -> str:
    """Return the indent of the line that will follow. The new lines need it too, or it would continue the last one."""
    start = next((number for number, line in enumerate(lines) if line.is_header and line.section == name), len(lines))
    below = (line for line in lines[start + 1 :] if line.is_header or (line.option and not line.is_more))
    return next((line.indent for line in below if line.section != name or not _is_replaced(line, values)), "")


def _is_replaced(line: _Line, values: Mapping[str, str]) -> bool:
    return (
        line.option in values
        or line.option in (*KEY_NAMES.values(), OLD_SESSION_TOKEN)
        or (not line.option and bool(_MARK.fullmatch(line.text)))
    )


def _line_end(text: str) -> str:
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def _split(text: str) -> Sequence[str]:
    return list(io.StringIO(text, newline=""))  # at \n, \r and \r\n, as a file opened for reading is, and nowhere else


def _scan(text: str) -> list[_Line]:
    lines: list[_Line] = []
    section, option, indent = "", "", 0
    for raw in _split(text):
        content = raw.strip()
        if not content or content[0] in "#;":
            lines.append(_Line(raw, section))
            continue
        depth = len(raw) - len(raw.lstrip())
        if option and depth > indent:
            lines.append(_Line(raw, section, option, is_more=True))
            continue
        indent = depth
        header = _HEADER.match(content)
        if header:
            section, option = header["name"], ""
            lines.append(_Line(raw, section, is_header=True))
        else:
            named = _OPTION.match(content)
            option = named["name"].rstrip().lower() if named else ""
            lines.append(_Line(raw, section, option))
    return lines


def _parse(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        # Its own message quotes the line, which may hold a key.
        number = getattr(error, "lineno", None) or error.errors[0][0]  # type: ignore[attr-defined]  # what ParsingError has instead
        kind = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")).lower()
        raise MalformedFile(
            f"line {number} cannot be read by AWS tools ({kind}). Nothing was changed; correct the file manually."
        ) from None
    return {name: dict(parser[name]) for name in parser.sections()}
