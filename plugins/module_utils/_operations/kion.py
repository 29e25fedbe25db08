# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Temporary access keys from Kion."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ansible.module_utils.common.parameters import env_fallback

from .._aws.clients import Clients
from .._domain import kion
from .._domain.errors import ConnectionProblem, FileNotWritten, InvalidInput, VenueError
from .._domain.names import check_range
from .._domain.profiles import check_region
from .._domain.secret_text import check_key, check_password
from .._domain.times import iso
from .._domain.token_request import LONGEST
from .._files import locked, replace_private
from .._kion.client import Kion, KionRefused
from .._kion.settings import Settings, current_api_key, read_settings, with_api_key
from .._masking import register
from ._operation import Operation, Params, Result, Runtime, filled_in

ROTATE_BEFORE = timedelta(days=3)
ARGUMENT_SPEC: dict[str, Any] = {
    "url": {"type": "str", "fallback": (env_fallback, ["KION_URL"])},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["KION_API_KEY"])},
    "username": {"type": "str", "fallback": (env_fallback, ["KION_USERNAME"])},
    "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["KION_PASSWORD"])},
    "idms": {"type": "int", "fallback": (env_fallback, ["KION_IDMS_ID"])},
    "config_file": {"type": "path", "default": "~/.kion.yml", "fallback": (env_fallback, ["KION_CONFIG"])},
    "config_profile": {"type": "str"},
    "api_key_days": {"type": "int", "default": 7, "no_log": False},
    "rotate_api_key": {
        "type": "str",
        "choices": ["never", "near_end", "always"],
        "default": "never",
        "no_log": False,
    },
    "account": {"type": "str", "required": True},
    "cloud_access_role": {"type": "str"},
    "iam_role_name": {"type": "str"},
    "ca_path": {"type": "path"},
    "minimum_seconds": {"type": "int", "default": 0},
    # The action plugin acts on these.
    "share": {"type": "bool", "default": False},
    "renew_before": {"type": "int", "default": 300},
}
# Our options, by what the Kion CLI calls them in its file.
SETTINGS = {"url": "url", "api_key": "api_key", "username": "username", "password": "password", "idms": "idms_id"}


@dataclass(frozen=True)
class Login:
    """How to log in: with an API key, or with a user name and a password.

    :param idms: the identity system; 0 for the only one.
    :param source: the settings file that the API key comes from, if it does.
    """

    api_key: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    idms: int = 0
    source: Settings | None = None


@dataclass(frozen=True)
class KionOptions:
    """The options, checked and completed from the environment and the Kion CLI's file."""

    url: str
    login: Login
    account: kion.KionAccount
    role: str
    by_iam_name: bool
    ca_path: str | None
    minimum_seconds: int
    rotate_api_key: str
    api_key_life: timedelta
    region: str


class CredentialsExpireSoon(VenueError):
    """The credentials expire sooner than the work needs."""


class KionKeys(NamedTuple):
    """What Kion gave, and until when it is valid as far as Kion says."""

    data: dict[str, str]
    issued: datetime
    expires: datetime | None
    expiry_source: str


def parse(params: Params, _clients: Clients, runtime: Runtime) -> KionOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right, or it is missing in options, environment, and file.
    """
    account = kion.make_account(params["account"])
    check_range("minimum_seconds", params["minimum_seconds"], 0, LONGEST)
    check_range("api_key_days", params["api_key_days"], 1, 3650)
    role = params["cloud_access_role"] or params["iam_role_name"]
    if not role.isprintable():
        option = "cloud_access_role" if params["cloud_access_role"] else "iam_role_name"
        raise InvalidInput(option, "is not the name of a role.")
    settings = _settings(params, runtime)
    values = settings.values if settings else {}
    url = params["url"] or values.get("url")
    if not url:
        raise InvalidInput("url", f"is missing. Set it, or KION_URL, or kion.url in {params['config_file']}.")
    login = _login_options(params, settings)
    _check_rotation(params, login)
    return KionOptions(
        url=kion.check_url(str(url)),
        login=login,
        account=account,
        role=role,
        by_iam_name=not params["cloud_access_role"],
        ca_path=params["ca_path"],
        minimum_seconds=params["minimum_seconds"],
        rotate_api_key=params["rotate_api_key"],
        api_key_life=timedelta(days=params["api_key_days"]),
        region=_region(values),
    )


def _settings(params: Params, runtime: Runtime) -> Settings | None:
    """Return the Kion CLI's settings, if options and environment leave something open."""
    is_complete = params["url"] and (params["api_key"] or (params["username"] and params["password"]))
    if is_complete and not params["config_profile"]:
        return None
    return read_settings(Path(params["config_file"]), params["config_profile"] or "", runtime.warn)


def _login_options(params: Params, settings: Settings | None) -> Login:
    values: Mapping[str, Any] = settings.values if settings else {}
    found = {name: _first(params[name], values.get(SETTINGS[name])) for name in SETTINGS}
    if found["api_key"] is not None:
        source = settings if params["api_key"] is None else None
        return Login(api_key=check_key("api_key", found["api_key"]), source=source)
    if found["username"] and found["password"] is not None:
        password = check_password("password", found["password"])
        return Login(username=str(found["username"]).strip(), password=password, idms=_idms(found["idms"]))
    by_saml = " The Kion CLI's login by SAML needs a browser; use an API key." if "saml_metadata_file" in values else ""
    raise InvalidInput(
        "api_key",
        f"is missing. Set it, or KION_API_KEY, or kion.api_key in {params['config_file']} "
        f"(or username and password).{by_saml}",
    )


def _first(option: Any, setting: Any) -> Any:
    """Return the option, or what the file says. The Kion CLI writes settings that are not used as empty texts."""
    return option if option is not None or setting in ("", None) else setting


def _idms(value: Any) -> int:
    text = str(value if value is not None else 0).strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise InvalidInput("idms", "is not the number of an identity system (the address of the login page has it).")
    return int(text)


def _region(values: Mapping[str, Any]) -> str:
    region = values.get("default_region")
    if region in (None, ""):
        return ""
    try:
        return check_region(str(region))
    except InvalidInput:
        raise InvalidInput("config_file", "kion.default_region is not the name of an AWS region.") from None


def _check_rotation(params: Params, login: Login) -> None:
    if params["rotate_api_key"] == "never" or login.source:
        return
    raise InvalidInput(
        "rotate_api_key",
        f"needs an API key that comes from {params['config_file']}, so that the new key can be written back there. "
        "Options and environment variables cannot be written.",
    )


def fetch_keys(options: KionOptions, _clients: Clients, runtime: Runtime) -> Result:
    """Get temporary keys. In check mode it does the same, but rotates no API key.

    :raises VenueError: see ``_domain/errors.py`` and ``_domain/kion.py``.
    """
    nobody = Kion(options.url, "", options.ca_path, runtime.sleep, runtime.jitter)
    server = _log_in(options, nobody)
    try:
        keys = _request_credentials(options, server, runtime)
    except KionRefused as error:
        newer = _newer_key(options, error, runtime)
        if not newer:
            raise _explain(options, server, error) from None
        options = replace(options, login=replace(options.login, api_key=newer))
        server = _log_in(options, nobody)
        keys = _request_credentials(options, server, runtime)
    _check_life(options, keys, runtime)
    is_rotated = _warn_or_rotate_api_key(options, server, runtime) if options.login.api_key else False
    return {**_result(options, keys), "changed": is_rotated}


def _newer_key(options: KionOptions, error: KionRefused, runtime: Runtime) -> str:
    """Return the API key of the settings file, if another run has rotated it since it was read."""
    if error.status != 401 or not options.login.source:
        return ""
    source = options.login.source
    # The old key ends before the other run knows the new one.
    with contextlib.suppress(VenueError), locked("config_file", source.path.resolve(), runtime.sleep):
        pass
    current = current_api_key(source)
    return current if current != options.login.api_key else ""


def _result(options: KionOptions, keys: KionKeys) -> Result:
    expiration = iso(keys.expires) if keys.expires else None
    names = {"AccessKeyId": "access_key", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    credentials: dict[str, str | None] = {name: keys.data[key] for name, key in names.items()}
    return {
        "sts_creds": {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "session_token": credentials["SessionToken"],
            "expiration": expiration,
        },
        # A field without a value would be refused wherever the document is an option, as in venue_sts_profile.
        "token": {"Credentials": {**credentials, **({"Expiration": expiration} if expiration else {})}},
        "region": options.region or None,
        "receipt": {
            "url": options.url,
            "account": str(options.account),
            "role": options.role,
            "access_key_id": credentials["AccessKeyId"],
            "issued_at": iso(keys.issued),
            "expires_at": expiration,
            "expiry_source": keys.expiry_source,
        },
    }


def _check_life(options: KionOptions, keys: KionKeys, runtime: Runtime) -> None:
    if not options.minimum_seconds:
        return
    if not keys.expires:
        runtime.warn(
            f"Kion does not return when its credentials expire, so it is not known whether they are "
            f"valid for {options.minimum_seconds} seconds (minimum_seconds). If AWS says ExpiredToken, get new ones."
        )
        return
    seconds = int((keys.expires - keys.issued).total_seconds())
    if seconds < options.minimum_seconds:
        raise CredentialsExpireSoon(
            f"Kion returns credentials for {seconds} seconds only, and {options.minimum_seconds} are needed "
            "(minimum_seconds). Ask the administrators of Kion for a longer duration, or split the work."
        )


def _log_in(options: KionOptions, server: Kion) -> Kion:
    login = options.login
    if login.api_key:
        return server.with_bearer(login.api_key)
    idms = login.idms or kion.choose_identity_system(server.get("/v2/idms"))
    body = {"idms": idms, "username": login.username, "password": login.password}
    try:
        session = kion.read_session(server.post("/v3/token", body, secrets=(login.password,)))
    except KionRefused as error:
        if error.status not in (400, 401, 403):
            raise
        raise KionRefused(
            f"Kion does not accept this user name and password for identity system {idms}. {error.message}",
            error.status,
        ) from None
    if not session:
        raise ConnectionProblem("Kion accepted the login but returned no session token. Use an API key instead.")
    return server.with_bearer(session)


def _request_credentials(options: KionOptions, server: Kion, runtime: Runtime) -> KionKeys:
    # Read before the request, so that the receipt never states a later expiration than the true one.
    issued = runtime.now()
    if options.by_iam_name:
        number = options.account.number or _number_of(options, server)
        data = server.post("/v3/temporary-credentials", {"account_number": number, "iam_role_name": options.role})
    else:
        body = {
            "account_number": options.account.number,
            "account_alias": options.account.alias,
            "cloud_access_role_name": options.role,
        }
        data = server.post("/v3/temporary-credentials/cloud-access-role", body)
    keys = kion.read_keys(data)
    if keys is None:
        raise ConnectionProblem("Kion's response contains no credentials. Check that this is an AWS account.")
    expires, source = kion.expiry(issued, data), "duration"
    if not expires:
        expires, source = _expiry_by_setting(server, issued), "server_setting"
    return KionKeys(keys, issued, expires, source if expires else "unknown")


def _expiry_by_setting(server: Kion, issued: datetime) -> datetime | None:
    try:
        return kion.expiry_by_setting(issued, server.get("/v3/app-config/aws-access", tries=1))
    except KionRefused:  # most users may not read the settings
        return None


def _number_of(options: KionOptions, server: Kion) -> str:
    numbers = {role.account.number for role in _roles(options, server) if kion.is_in(role, options.account)}
    if len(numbers) != 1:
        raise InvalidInput(
            "account",
            f"none of your accounts has the alias '{options.account.alias}' (Kion before 3.9.9 does not support "
            "aliases). Use the account number.",
        )
    return numbers.pop()


def _roles(options: KionOptions, server: Kion) -> list[kion.KionRole]:
    query = f"?account_alias={quote(options.account.alias, safe='')}" if options.account.alias else ""
    found = kion.read_roles(server.get(f"/v3/me/cloud-access-role{query}"))
    return found or (kion.read_roles(server.get("/v3/me/cloud-access-role")) if query else [])


def _explain(options: KionOptions, server: Kion, error: KionRefused) -> VenueError:
    """Explain a refusal: what is wrong with the key, the alias, or the role."""
    if error.status == 401:
        what = (
            "API key: it has expired or was revoked. Create a new one in Kion (your name > App API Keys)"
            if options.login.api_key
            else "session"
        )
        return KionRefused(f"Kion does not accept the {what}. {error.message}", error.status)
    if error.status not in (400, 403, 404):
        return error
    try:
        version = str(server.get("/version"))[:32]
        if options.account.alias and not kion.knows_aliases(version):
            return InvalidInput(
                "account",
                f"this Kion server ({version}) does not support aliases, which need 3.9.9 or 3.10.2. Use the account "
                "number.",
            )
        roles = _roles(options, server)
        return kion.explain_refusal(roles, options.account, options.role, by_iam_name=options.by_iam_name) or error
    except VenueError:  # the list would only help to explain
        return error


def _warn_or_rotate_api_key(options: KionOptions, server: Kion, runtime: Runtime) -> bool:
    """Warn about an API key that is near its end, or rotate it; return whether it was rotated."""
    end = _api_key_end(options, server)
    is_near = end is not None and end - runtime.now() <= ROTATE_BEFORE
    if options.rotate_api_key == "always" or (is_near and options.rotate_api_key == "near_end"):
        source = options.login.source
        return source is not None and (runtime.check_mode or _rotate(source, options.login.api_key, server, runtime))
    if options.rotate_api_key == "near_end" and end is None:
        runtime.warn(
            "Kion does not return when its API keys were created, so this one is not rotated (rotate_api_key)."
        )
    if is_near and end:
        runtime.warn(
            f"Kion's API key ends on {iso(end)} at the latest. Rotate it (rotate_api_key), or make a new one in Kion "
            "(your name > App API Keys). An expired key cannot be rotated."
        )
    return False


def _api_key_end(options: KionOptions, server: Kion) -> datetime | None:
    try:
        return kion.api_key_end(server.get("/v3/app-api-key", tries=1), options.api_key_life)
    except VenueError:  # the credentials were returned already; this concerns the next run
        return None


def _rotate(source: Settings, old: str, server: Kion, runtime: Runtime) -> bool:
    """Replace the API key in Kion and in the file that it came from, unless another run has just done so.

    :raises VenueError: Kion refuses, or the file cannot be written; found out before the old key ends, where possible.
    """
    with locked("config_file", source.path.resolve(), runtime.sleep):
        if current_api_key(source) != old:
            return False
        _write_api_key(source, old)
        new = kion.read_new_key(server.post("/v3/app-api-key/rotate", {"key": old}, secrets=(old,), tries=1))
        register(new)
        if not new:
            raise ConnectionProblem(
                "Kion did not return a new key when the API key was rotated. If the old one is no longer accepted, "
                "create a new one in Kion (your name > App API Keys)."
            )
        try:
            _write_api_key(source, new)
        except VenueError as error:
            raise FileNotWritten(
                f"Kion has rotated the API key, but the new one could not be written ({error.message}). "
                "Create another one in Kion (your name > App API Keys)."
            ) from None
    return True


def _write_api_key(source: Settings, key: str) -> None:
    replace_private("config_file", source.path.resolve(), with_api_key(source, key))


OPERATION = Operation(
    name="kion_credentials",
    argument_spec=ARGUMENT_SPEC,
    parse=parse,
    execute=fetch_keys,
    narrowing=filled_in(ARGUMENT_SPEC),
    services=(),
    secret_result=True,
    constraints={
        "required_one_of": [("cloud_access_role", "iam_role_name")],
        "mutually_exclusive": [("cloud_access_role", "iam_role_name")],
    },
)
