# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Kion (formerly Cloudtamer) is asked, and what its answers mean. https://support.kion.io/ describes its API.

Answers are data from outside: of any type, and their texts may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from .arns import ACCOUNT_ID
from .errors import InvalidInput, VenueError
from .secret_text import is_key, without
from .times import parse_time
from .words import first_of

MOST_SHOWN = 25
LONGEST_NAME = 128
# No temporary key of AWS is valid longer; a server that says otherwise is ignored.
LONGEST_LIFE = timedelta(hours=36)
# The kinds of identity systems that Kion itself asks for a password: its own, and LDAP.
PASSWORD_KINDS = (1, 2)
KEY_FIELDS = ("access_key", "secret_access_key", "session_token")
_ENTRANCE = re.compile(r"/(?:portal|login)(?:/.*)?$")
_API = re.compile(r"/api(?:/v\d+)?$")


class RoleNotYours(VenueError):
    """The user has no such role in that account. ``roles`` among the facts are those there are."""


class KionAccount(NamedTuple):
    """An account by its number or by its alias; the other one is empty, as Kion wants it."""

    number: str
    alias: str

    def __str__(self) -> str:
        return self.number or self.alias


class KionRole(NamedTuple):
    """A cloud access role of the user in one account. Names repeat within a project: name and account identify one."""

    name: str
    iam_role_name: str
    account: KionAccount
    account_name: str
    has_keys: bool

    def __str__(self) -> str:
        account = f"{self.account_name} {self.account.number}".strip()
        return f"'{self.name}' (IAM role {self.iam_role_name or '-'}) in {account}"


def check_url(url: str) -> str:
    """Return Kion's address without what people copy with it: ``/portal``, ``/api``, ``/api/v3``, a trailing slash.

    :raises InvalidInput: not ``https://``, or with a user, a query or a fragment in it.
    """
    shape = "must be Kion's address, such as https://kion.example.org."
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InvalidInput("url", shape) from None
    if parts.scheme == "http":
        raise InvalidInput("url", "must begin with https://, because credentials must not be sent unencrypted.")
    if parts.scheme != "https" or not parts.hostname or parts.username or port == 0 or not _is_plain(text):
        raise InvalidInput("url", shape)
    at_entrance = bool(_ENTRANCE.search(parts.path))  # a page of the browser: what follows is the browser's as well
    if (parts.query or parts.fragment) and not at_entrance:
        raise InvalidInput("url", shape)
    path = _API.sub("", _ENTRANCE.sub("", parts.path.rstrip("/")).rstrip("/")).rstrip("/")
    return f"https://{parts.netloc}{path}"


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def make_account(text: str) -> KionAccount:
    """Return an account from what the user wrote: twelve digits are its number, all else its alias.

    Spaces around it do not count.

    :raises InvalidInput: it is neither.
    """
    text = text.strip(" ")
    if ACCOUNT_ID.fullmatch(text):
        return KionAccount(text, "")
    if re.fullmatch(r"\d+", text) or not text.strip() or not text.isprintable():
        raise InvalidInput(
            "account",
            f"'{text}' is neither an account number nor an alias. A number has 12 digits; "
            "put it in quotation marks in YAML, so that leading zeros are kept.",
        )
    return KionAccount("", text)


def read_keys(data: Any) -> dict[str, str] | None:
    """Return the temporary credentials in a response; None if one is missing or is no key."""
    keys = {name: data.get(name) for name in KEY_FIELDS} if isinstance(data, Mapping) else {}
    return {name: str(value) for name, value in keys.items()} if keys and all(map(is_key, keys.values())) else None


def read_session(data: Any) -> str:
    """Return the session token in the answer to a login; empty if there is none."""
    access = data.get("access") if isinstance(data, Mapping) else None
    token = access.get("token") if isinstance(access, Mapping) else None
    return str(token) if is_key(token) else ""


def read_new_key(data: Any) -> str:
    """Return the API key in the answer to a rotation; empty if there is none."""
    key = data.get("key") if isinstance(data, Mapping) else None
    return str(key) if is_key(key) else ""


def choose_identity_system(data: Any) -> int:
    """Return the number of the only identity system that takes a user name and a password.

    :raises InvalidInput: there is none, or there are several. The message lists them.
    """
    systems: dict[int, str] = {
        item["id"]: _text(item.get("name"))
        for item in (data if isinstance(data, list) else [])
        if isinstance(item, dict) and _positive(item.get("id")) and item.get("idms_type_id") in PASSWORD_KINDS
    }
    if len(systems) == 1:
        return next(iter(systems))
    if not systems:
        raise InvalidInput("idms", "this Kion server has no identity system that accepts a password. Use an API key.")
    choice = ", ".join(f"{number} ({name})" for number, name in sorted(systems.items())[:MOST_SHOWN])
    raise InvalidInput("idms", f"this Kion server has several identity systems. Set it to one of: {choice}.")


def read_roles(data: Any) -> list[KionRole]:
    """Return Kion's list of cloud access roles, without those that have been deleted."""
    return [
        KionRole(
            name=_text(item.get("name")),
            iam_role_name=_text(item.get("aws_iam_role_name")),
            account=KionAccount(_text(item.get("account_number")), _text(item.get("account_alias"))),
            account_name=_text(item.get("account_name")),
            has_keys=bool(item.get("short_term_access_keys", True)),
        )
        for item in (data if isinstance(data, list) else [])
        if isinstance(item, dict) and not _is_deleted(item.get("deleted_at"))
    ]


def _text(value: object) -> str:
    return without(str(value), "")[:LONGEST_NAME] if isinstance(value, (str, int)) else ""


def _is_deleted(moment: Any) -> bool:
    # Kion writes a time that may be missing as {"Time": "0001-01-01T00:00:00Z", "Valid": false}.
    if not isinstance(moment, dict):
        return bool(moment)
    return bool(moment.get("Valid")) or not str(moment.get("Time") or "0001-").startswith("0001-")


def is_in(role: KionRole, account: KionAccount) -> bool:
    """Return whether the role is in that account."""
    return (
        role.account.number == account.number if account.number else role.account.alias.lower() == account.alias.lower()
    )


def explain_refusal(
    roles: Sequence[KionRole], account: KionAccount, name: str, *, by_iam_name: bool
) -> VenueError | None:
    """Return why Kion may have refused credentials: the role is not the user's, or gives none.

    :return: None if nothing explains it but Kion's own words.
    """
    here = [role for role in roles if is_in(role, account)]
    found = [role for role in here if (role.iam_role_name if by_iam_name else role.name) == name]
    kind = "IAM role" if by_iam_name else "cloud access role"
    if any(role.has_keys for role in found):
        return None
    if found:
        return RoleNotYours(
            f"The {kind} '{name}' in account {account} returns no temporary credentials "
            "(Kion calls that 'Short-term access keys').",
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


def _listed(roles: Iterable[KionRole]) -> str:
    return first_of(sorted({str(role) for role in roles}), MOST_SHOWN)


def knows_aliases(version: str) -> bool:
    """Return whether a Kion of that version finds accounts by alias (3.9.9, 3.10.2 and later do).

    A version that cannot be read counts as a new one.
    """
    found = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})", version)
    if not found:
        return True
    number = tuple(map(int, found.groups()))
    return number >= (3, 10, 2) or (3, 9, 9) <= number < (3, 10, 0)


def expiry(issued: datetime, data: Mapping[str, Any]) -> datetime | None:
    """Return when credentials expire, from the ``duration`` in seconds beside them; None if the server does not say."""
    return _end(issued, timedelta(seconds=_positive(data.get("duration"))))


def expiry_by_setting(issued: datetime, data: Any) -> datetime | None:
    """Return when credentials expire, from the server's setting in minutes; None if the answer does not say."""
    minutes = _positive(data.get("aws_temporary_credentials_duration")) if isinstance(data, Mapping) else 0
    return _end(issued, timedelta(minutes=minutes))


def _end(issued: datetime, life: timedelta) -> datetime | None:
    return issued + life if timedelta(0) < life <= LONGEST_LIFE else None


def _positive(number: object) -> int:
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 1_000_000_000 else 0


def api_key_end(data: Any, life: timedelta) -> datetime | None:
    """Return the latest moment at which the API key in use may end, from Kion's list of the user's API keys.

    The list does not say which of the keys is in use. So the end of the youngest one is returned: the key in use ends
    then, or earlier.

    :param life: how long this Kion lets API keys live.
    """
    moments = [
        _moment(item.get("created_at")) for item in (data if isinstance(data, list) else []) if isinstance(item, dict)
    ]
    youngest = max(filter(None, moments), default=None)
    return youngest + life if youngest else None


def _moment(text: Any) -> datetime | None:
    try:
        return parse_time("created_at", str(text))
    except InvalidInput:
        return None
