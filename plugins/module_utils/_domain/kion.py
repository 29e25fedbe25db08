# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Kion (formerly Cloudtamer) is asked, and what its answers mean. Its API is described at https://support.kion.io/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .errors import InvalidInput, VenueError

MOST_SHOWN = 25


class RoleNotYours(VenueError):
    """The user has no such role in that account. ``roles`` among the facts are those there are."""


class Account(NamedTuple):
    """An account by its number or by its alias; the other one is empty, as Kion wants it."""

    number: str
    alias: str

    def __str__(self) -> str:
        return self.number or self.alias


class Role(NamedTuple):
    """A cloud access role of the user in one account. Names repeat, also within a project: name and account tell one."""

    name: str
    iam_role_name: str
    account: Account
    account_name: str
    has_keys: bool

    def __str__(self) -> str:
        account = f"{self.account_name} {self.account.number}".strip()
        return f"'{self.name}' (IAM role {self.iam_role_name or '-'}) in {account}"


def check_url(url: str) -> str:
    """Kion's address without a trailing slash or ``/api``.

    :raises InvalidInput: not ``https://``, or with a user, a query or a fragment in it.
    """
    shape = "must be Kion's address, such as https://kion.example.org"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("url", shape) from None
    if parts.scheme == "http":
        raise InvalidInput("url", "must begin with https://: keys do not go over an open line")
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment or port == 0:
        raise InvalidInput("url", shape)
    return url.rstrip("/").removesuffix("/api").rstrip("/")


def make_account(text: str) -> Account:
    """An account from what the user wrote: twelve digits are its number, all else its alias.

    :raises InvalidInput: it is neither.
    """
    if re.fullmatch(r"\d{12}", text):
        return Account(text, "")
    if re.fullmatch(r"\d+", text) or not text.strip() or not text.isprintable():
        raise InvalidInput(
            "account",
            f"'{text}' is neither an account number (12 digits; quote it in YAML, so that leading zeros stay) nor an alias",
        )
    return Account("", text)


def read_roles(data: Any) -> list[Role]:
    """Kion's list of cloud access roles, without those that have been deleted."""
    return [
        Role(
            name=str(item.get("name", "")),
            iam_role_name=str(item.get("aws_iam_role_name") or ""),
            account=Account(str(item.get("account_number") or ""), str(item.get("account_alias") or "")),
            account_name=str(item.get("account_name") or ""),
            has_keys=bool(item.get("short_term_access_keys", True)),
        )
        for item in (data if isinstance(data, list) else [])
        if isinstance(item, dict) and not _is_deleted(item.get("deleted_at"))
    ]


def _is_deleted(moment: Any) -> bool:
    # Kion writes a time that may be missing as {"Time": "0001-01-01T00:00:00Z", "Valid": false}.
    if not isinstance(moment, dict):
        return bool(moment)
    return bool(moment.get("Valid")) or not str(moment.get("Time") or "0001-").startswith("0001-")


def is_in(role: Role, account: Account) -> bool:
    """Whether the role is in that account."""
    return (
        role.account.number == account.number if account.number else role.account.alias.lower() == account.alias.lower()
    )


def explain_refusal(roles: Sequence[Role], account: Account, name: str, *, by_iam_name: bool) -> VenueError | None:
    """Why Kion may have refused keys: the role is not the user's, or gives none. None if its own words must do."""
    here = [role for role in roles if is_in(role, account)]
    found = [role for role in here if (role.iam_role_name if by_iam_name else role.name) == name]
    kind = "IAM role" if by_iam_name else "cloud access role"
    if any(role.has_keys for role in found):
        return None
    if found:
        return RoleNotYours(
            f"The {kind} '{name}' in account {account} gives no temporary keys (Kion calls that 'Short-term access keys').",
            roles=[],
        )
    choice = here or list(roles)
    where = f"in account {account}" if here else f"and nothing in account {account}"
    if not choice:
        return RoleNotYours("You have no cloud access role in Kion. Ask the project's owner for one.", roles=[])
    return RoleNotYours(
        f"You have no {kind} '{name}' {where}. Yours are: {_listed(choice)}.",
        roles=[
            {"name": role.name, "iam_role_name": role.iam_role_name, "account": role.account.number} for role in choice
        ],
    )


def _listed(roles: Iterable[Role]) -> str:
    names = sorted({str(role) for role in roles})
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


def knows_aliases(version: str) -> bool:
    """Whether a Kion of that version finds accounts by alias (3.9.9, 3.10.2 and later do); unknown versions are taken to."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if not found:
        return True
    number = tuple(map(int, found.groups()))
    return number >= (3, 10, 2) or (3, 9, 9) <= number < (3, 10, 0)


def expiry(issued: datetime, data: Mapping[str, Any]) -> datetime | None:
    """When keys expire, from the ``duration`` in seconds beside them; None if the server is too old to tell."""
    seconds = _positive(data.get("duration"))
    return issued + timedelta(seconds=seconds) if seconds else None


def expiry_by_setting(issued: datetime, data: Any) -> datetime | None:
    """When keys expire, from the server's setting in minutes; None if the answer does not tell."""
    minutes = _positive(data.get("aws_temporary_credentials_duration")) if isinstance(data, dict) else 0
    return issued + timedelta(minutes=minutes) if minutes else None


def _positive(number: object) -> int:
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0
