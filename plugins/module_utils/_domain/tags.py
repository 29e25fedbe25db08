# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Resource and session tags: what AWS allows in them, and which of them say whose a role is.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import InvalidInput, OwnershipConflict
from .names import CAPABILITY, Venue

MOST_TAGS, KEY_LENGTH, VALUE_LENGTH = 50, 128, 256
# Every MDPS resource of a venue names the project and the venue. Only its Capability says what the resource is for.
OWNERSHIP = ("Proj", "Venue", "Capability")
_PUNCTUATION = set(" _.:/=+-@")


def check_tags(option: str, tags: Mapping[str, object], *, reserved: int = 0) -> dict[str, str]:
    """Tags as AWS accepts them: at most 50, keys of 1 to 128 characters, values of at most 256.

    :param reserved: how many of the 50 are taken already.
    :raises InvalidInput: more or longer ones, other characters, keys that differ only in case, or the reserved prefix
        ``aws:``.
    """
    checked = {key: str(value) for key, value in tags.items()}
    if len(checked) > MOST_TAGS - reserved:
        raise InvalidInput(option, f"has {len(checked)} tags and only {MOST_TAGS - reserved} fit.")
    if len({key.lower() for key in checked}) < len(checked):
        raise InvalidInput(
            option, "has two keys that differ only in upper and lower case, which IAM treats as the same."
        )
    for key, value in checked.items():
        if not 1 <= len(key) <= KEY_LENGTH or len(value) > VALUE_LENGTH:
            raise InvalidInput(
                option, f"'{key}': keys have 1 to {KEY_LENGTH} characters, values at most {VALUE_LENGTH}."
            )
        if key.lower().startswith("aws:"):
            raise InvalidInput(option, f"'{key}': the prefix aws: is reserved.")
        if not all(character.isalnum() or character in _PUNCTUATION for character in key + value):
            raise InvalidInput(
                option, f"'{key}': only letters, digits, spaces and _.:/=+-@ are allowed in keys and values."
            )
    return checked


def tag_value(tags: Mapping[str, str], key: str) -> str | None:
    """The value of a tag, whose key has no case in IAM; None if there is no such tag."""
    return next((value for name, value in tags.items() if name.lower() == key.lower()), None)


def merged(tags: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Tags after TagRole: a change replaces the tag whose key differs in case only, as IAM does."""
    replaced = {key.lower() for key in changes}
    return {**{key: value for key, value in tags.items() if key.lower() not in replaced}, **changes}


def check_ownership(venue: Venue, role_name: str, tags: Mapping[str, str], *, adopt: bool) -> None:
    """Refuse a role of another venue or capability, one whose tags spell the venue otherwise, and one without an owner.

    :param adopt: whether a role of nobody is taken over.
    :raises OwnershipConflict: as said.
    """
    wanted = dict(zip(OWNERSHIP, (venue.project, venue.venue, CAPABILITY), strict=True))
    owner = {key: value for key in OWNERSHIP if (value := tag_value(tags, key)) is not None}
    theirs = ", ".join(f"{key}={value}" for key, value in owner.items())
    differ = [key for key in owner if owner[key].lower() != wanted[key].lower()]
    if differ == ["Capability"]:
        raise OwnershipConflict(
            f"the role {role_name} is not for tokens: it belongs to another part of MDPS (its tags say {theirs}). "
            f"Nothing was changed. A venue's role for tokens has the tag Capability={CAPABILITY}."
        )
    if differ:
        raise OwnershipConflict(
            f"the role {role_name} belongs to another venue (its tags say {theirs}). Nothing was changed. "
            "Two venues have the same role name because of hyphens: set a different role_name or name_prefix for this "
            "venue."
        )
    if any(owner[key] != wanted[key] for key in owner):
        raise OwnershipConflict(
            f"the role {role_name} belongs to this venue in another spelling (its tags say {theirs}; the options say "
            f"{', '.join(f'{key}={value}' for key, value in wanted.items())}). Nothing was changed. Role names have no "
            "case, but SSM parameters do: use the spelling of the tags."
        )
    if len(owner) < len(wanted) and not adopt:
        raise OwnershipConflict(
            f"the role {role_name} exists, but its tags do not say that it is a venue's role for tokens "
            f"({', '.join(OWNERSHIP)}). Nothing was changed. If it is this venue's role, set adopt: true to take it "
            "over."
        )
