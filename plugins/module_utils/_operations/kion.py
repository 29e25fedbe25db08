# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Temporary access keys from Kion."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ansible.module_utils.common.parameters import env_fallback

from .._aws.clients import Clients
from .._domain import kion
from .._domain.errors import ConnectionProblem, InvalidInput, VenueError
from .._domain.names import check_range
from .._domain.times import iso
from .._domain.token_request import LONGEST
from .._kion.client import Kion, KionRefused
from .._kion.settings import read_settings
from . import _reuse
from ._operation import Operation, Params, Result, Runtime, filled_in

ARGUMENT_SPEC: dict[str, Any] = {
    "url": {"type": "str", "fallback": (env_fallback, ["KION_URL"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["KION_API_KEY"])},
    "username": {"type": "str", "fallback": (env_fallback, ["KION_USERNAME"])},
    "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["KION_PASSWORD"])},
    "idms": {"type": "int", "fallback": (env_fallback, ["KION_IDMS_ID"])},
    "config_file": {"type": "path", "default": "~/.kion.yml", "fallback": (env_fallback, ["KION_CONFIG"])},
    "account": {"type": "str", "required": True},
    "cloud_access_role": {"type": "str"},
    "iam_role_name": {"type": "str"},
    "ca_path": {"type": "path"},
    "minimum_seconds": {"type": "int", "default": 0},
    **_reuse.ARGUMENT_SPEC,
}
# Our options, by what the Kion CLI calls them in its file.
SETTINGS = {"url": "url", "api_key": "api_key", "username": "username", "password": "password", "idms": "idms_id"}


class Wish(NamedTuple):
    """The options, checked and completed from the Kion CLI's file."""

    url: str
    login: dict[str, Any]  # api_key, or username, password and idms
    account: kion.Account
    role: str
    by_iam_name: bool


class KeysTooShort(VenueError):
    """The keys expire sooner than the work needs."""


class Keys(NamedTuple):
    """What Kion gave, and until when it is good as far as it tells."""

    data: dict[str, str]
    issued: datetime
    expires: datetime | None
    expiry_source: str


def parse(params: Params, runtime: Runtime) -> Wish:
    """Check the options.

    :raises InvalidInput: an option cannot be right, or neither it nor environment and file tell what is needed.
    """
    account = kion.make_account(params["account"])
    check_range("minimum_seconds", params["minimum_seconds"], 0, LONGEST)
    settings = {option: params[option] for option in SETTINGS}
    if not settings["url"] or not (settings["api_key"] or (settings["username"] and settings["password"])):
        found = read_settings(Path(params["config_file"]), runtime.warn)
        settings = {
            option: value if value is not None else found.get(SETTINGS[option]) for option, value in settings.items()
        }
    if not settings["url"]:
        raise InvalidInput("url", f"give it, or set KION_URL, or kion.url in {params['config_file']}")
    if settings["api_key"]:
        login = {"api_key": str(settings["api_key"])}
    elif settings["username"] and settings["password"]:
        login = {option: settings[option] for option in ("username", "password", "idms")}
        if not str(login["idms"] or "").isdigit():
            raise InvalidInput(
                "idms",
                "a login with user name and password needs the number of the identity system (the login page's address has it)",
            )
    else:
        raise InvalidInput(
            "api_key",
            f"give it, or set KION_API_KEY, or kion.api_key in {params['config_file']} (or username, password and idms)",
        )
    name = params["cloud_access_role"] or params["iam_role_name"]
    if not name or not name.isprintable():
        raise InvalidInput(
            "cloud_access_role" if params["cloud_access_role"] is not None else "iam_role_name",
            "this is not a role's name",
        )
    return Wish(kion.check_url(str(settings["url"])), login, account, name, not params["cloud_access_role"])


def fetch_keys(params: Params, clients: Clients, runtime: Runtime) -> Result:
    """The operation of ``kion_credentials``. It changes nothing, so it does the same in check mode.

    :raises VenueError: see ``_domain/errors.py`` and ``_domain/kion.py``.
    """
    wish = parse(params, runtime)
    server = _login(wish, Kion(wish.url, "", params["ca_path"], runtime.sleep, runtime.jitter))
    try:
        keys = _mint(wish, server, runtime)
    except KionRefused as error:
        raise _explain(wish, server, error) from None
    if keys.expires and keys.expires < keys.issued + timedelta(seconds=params["minimum_seconds"]):
        seconds = int((keys.expires - keys.issued).total_seconds())
        raise KeysTooShort(
            f"Kion gives keys for {seconds} seconds only, and {params['minimum_seconds']} are needed (minimum_seconds). "
            "Ask the administrators of Kion for a longer duration, or split the work."
        )
    expiration = iso(keys.expires) if keys.expires else None
    names = {"AccessKeyId": "access_key", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    credentials: dict[str, str | None] = {name: keys.data[field] for name, field in names.items()}
    return {
        "changed": False,
        "sts_creds": {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "session_token": credentials["SessionToken"],
            "expiration": expiration,
        },
        "token": {"Credentials": {**credentials, "Expiration": expiration}},
        "receipt": {
            "url": wish.url,
            "account": str(wish.account),
            "role": wish.role,
            "access_key_id": credentials["AccessKeyId"],
            "issued_at": iso(keys.issued),
            "expires_at": expiration,
            "expiry_source": keys.expiry_source,
        },
    }


def _login(wish: Wish, server: Kion) -> Kion:
    if "api_key" in wish.login:
        return server.with_bearer(wish.login["api_key"])
    password = str(wish.login["password"])
    body = {"idms": int(wish.login["idms"]), "username": str(wish.login["username"]), "password": password}
    try:
        data = server.post("/v3/token", body)
    except KionRefused as error:
        if error.status not in (400, 401, 403):
            raise
        words = error.message.replace(password, "***")
        raise KionRefused(
            f"Kion does not accept this user name and password for identity system {body['idms']}. {words}",
            error.status,
        ) from None
    access = data.get("access") if isinstance(data, dict) else None
    if not isinstance(access, dict) or not access.get("token"):
        raise ConnectionProblem("Kion accepted the login and gave no session token. Use an API key instead.")
    return server.with_bearer(str(access["token"]))


def _mint(wish: Wish, server: Kion, runtime: Runtime) -> Keys:
    issued = runtime.now()  # before the request, so that the keys never live shorter than we say
    if wish.by_iam_name:
        number = wish.account.number or _number_of(wish, server)
        data = server.post("/v3/temporary-credentials", {"account_number": number, "iam_role_name": wish.role})
    else:
        body = {
            "account_number": wish.account.number,
            "account_alias": wish.account.alias,
            "cloud_access_role_name": wish.role,
        }
        data = server.post("/v3/temporary-credentials/cloud-access-role", body)
    fields = ("access_key", "secret_access_key", "session_token")
    if not isinstance(data, dict) or not all(isinstance(data.get(field), str) and data[field] for field in fields):
        raise ConnectionProblem("Kion's answer has no keys in it. Is this account an AWS account?")
    expires, source = kion.expiry(issued, data), "duration"
    if not expires:
        expires, source = _expiry_by_setting(server, issued), "server_setting"
    return Keys({field: data[field] for field in fields}, issued, expires, source if expires else "unknown")


def _expiry_by_setting(server: Kion, issued: datetime) -> datetime | None:
    try:
        return kion.expiry_by_setting(issued, server.get("/v3/app-config/aws-access"))
    except KionRefused:  # most users may not read the settings
        return None


def _number_of(wish: Wish, server: Kion) -> str:
    roles = _roles(wish, server)
    numbers = {role.account.number for role in roles if kion.is_in(role, wish.account)}
    if len(numbers) != 1:
        raise InvalidInput(
            "account",
            f"no account of yours has the alias '{wish.account.alias}' (a Kion before 3.9.9 knows none): give its number",
        )
    return numbers.pop()


def _roles(wish: Wish, server: Kion) -> list[kion.Role]:
    query = f"?account_alias={quote(wish.account.alias, safe='')}" if wish.account.alias else ""
    found = kion.read_roles(server.get(f"/v3/me/cloud-access-role{query}"))
    return found or (kion.read_roles(server.get("/v3/me/cloud-access-role")) if query else [])


def _explain(wish: Wish, server: Kion, error: KionRefused) -> VenueError:
    """The refusal in words that help: what is wrong with the key, the alias or the role."""
    if error.status == 401:
        what = (
            "API key: it has expired or was revoked. Make a new one in Kion (your name > App API Keys)"
            if "api_key" in wish.login
            else "session"
        )
        return KionRefused(f"Kion does not accept the {what}. {error.message}", error.status)
    if error.status not in (400, 403, 404):
        return error
    try:
        version = str(server.get("/version") or "")
        if wish.account.alias and not kion.knows_aliases(version):
            return InvalidInput(
                "account",
                f"this Kion ({version}) does not know aliases, as 3.9.9 and 3.10.2 do: give the account's number",
            )
        return (
            kion.explain_refusal(_roles(wish, server), wish.account, wish.role, by_iam_name=wish.by_iam_name) or error
        )
    except VenueError:  # the list is a help, and its failure no news
        return error


OPERATION = Operation(
    name="kion_credentials",
    argument_spec=ARGUMENT_SPEC,
    execute=fetch_keys,
    narrowing=filled_in(ARGUMENT_SPEC),
    services=(),
    secret_result=True,
    constraints={
        "required_one_of": [("cloud_access_role", "iam_role_name")],
        "mutually_exclusive": [("cloud_access_role", "iam_role_name")],
    },
)
