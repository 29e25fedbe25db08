# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets that this process knows, and how they stay out of everything that is shown.

ansible-core 2.22 and later mask registered secrets in output, logs and results by themselves, and keep them usable. On
older cores this module masks texts of results and messages, and the action front end hides results with credentials
as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ._domain.secret_text import AROUND

try:
    from ansible.module_utils.secrets import register_secrets

    NATIVE = True
except ImportError:
    NATIVE = False

MASK = "********"
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # as ansible-core has it
# Masking a shorter text would replace parts of names, ARNs and account numbers, and so reveal it.
SHORTEST = 8
SHORTEST_EXTERNAL_ID = 16
SHORTEST_OF = {"external_id": SHORTEST_EXTERNAL_ID}
KEYS = ("SecretAccessKey", "SessionToken")  # what is secret in a token as STS answers it
OTHER_KEYS = ("secret_key", "session_token", "secret_access_key")  # and as Ansible and Kion name it

_ADDRESS = re.compile(r"\s*https?://", re.IGNORECASE)
_LOGIN = re.compile(r"^(\s*https?://).*@", re.IGNORECASE | re.DOTALL)

_known: set[str] = set()


def register(*secrets: str | None, shortest: int = SHORTEST) -> None:
    """Remember secrets, so that nothing shows them.

    :param secrets: the texts; None and empty texts are skipped.
    :param shortest: texts with fewer characters are not masked.
    """
    # In both forms: damaged as it was given, and as it is used.
    stripped = {form for secret in secrets if secret for form in (secret.strip(), secret.strip(AROUND))}
    forms = {form for secret in stripped if len(secret) >= shortest for form in _forms(secret)}
    _known.update(forms)
    if NATIVE and forms:
        register_secrets(forms)


def register_external_id(*values: str | None) -> None:
    """Remember external IDs. One of fewer than 16 characters may be part of a name, and is not masked."""
    register(*values, shortest=SHORTEST_EXTERNAL_ID)


def register_options(argument_spec: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Remember the values of all options that an argument spec declares as secret (``no_log``)."""
    for name, value in _secret_options(argument_spec, options):
        register(*_texts(value), shortest=SHORTEST_OF.get(name, SHORTEST))


def register_result(result: Any) -> None:
    """Remember the credentials in a result, wherever in it they are."""
    if isinstance(result, Mapping):
        for name, value in result.items():
            if name in (*KEYS, *OTHER_KEYS) and isinstance(value, str):
                register(value)
            else:
                register_result(value)
    elif isinstance(result, (list, tuple)):
        for item in result:
            register_result(item)


def mask(value: Any) -> Any:
    """Return JSON-like data with every secret in its texts replaced."""
    if isinstance(value, str):
        return _mask_text(value)
    if isinstance(value, Mapping):
        return {key: mask(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask(item) for item in value]
    return value


def holds_secret(value: Any, argument_spec: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether texts of JSON-like data have a known secret in them, or are one that `hide_options` hides."""
    hidden = set(_every_text(options)) - set(_every_text(hide_options(argument_spec, options)))
    return any(text in hidden or _mask_text(text) != text for text in _every_text(value))


def hide_options(argument_spec: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with a placeholder in place of each secret one, whatever its value.

    What an address has behind its question mark may be a signature, and before its host a password: both are replaced
    as well. An unknown option may be a mistyped secret one.
    """
    names = _names(argument_spec)
    hidden: dict[str, Any] = {}
    for given, value in options.items():
        spec = argument_spec.get(names.get(given, given), {"no_log": True})
        if spec.get("no_log") and value is not None:
            hidden[given] = HIDDEN
        elif "options" in spec and value is not None:
            hidden[given] = hide_options(spec["options"], value) if isinstance(value, Mapping) else HIDDEN
        else:
            hidden[given] = _without_secrets(value)
    return hidden


def _without_secrets(value: Any) -> Any:
    if not isinstance(value, str) or not _ADDRESS.match(value):
        return value
    address, mark, query = value.partition("?")
    address = _LOGIN.sub(rf"\1{HIDDEN}@", address)
    return f"{address}{mark}{HIDDEN}" if query else address + mark


def for_core(argument_spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return an argument spec to validate with.

    ansible-core 2.22 and later would register every ``no_log`` value, however short: an external ID ``dev`` would be
    masked in every name that contains it, and an MFA code in account numbers. There, this module registers instead.
    """
    if not NATIVE:
        return dict(argument_spec)
    return {
        name: {
            **option,
            **({"no_log": False} if "no_log" in option else {}),
            **({"options": for_core(option["options"])} if "options" in option else {}),
        }
        for name, option in argument_spec.items()
    }


def _mask_text(text: str) -> str:
    for secret in sorted((secret for secret in _known if secret in text), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a text shows a secret: as it is, in a URL, in JSON, in Python."""
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]


def _every_text(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _every_text(item)


def _names(argument_spec: Mapping[str, Any]) -> dict[str, str]:
    return {alias: name for name, option in argument_spec.items() for alias in option.get("aliases", ())}


def _secret_options(argument_spec: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    names = _names(argument_spec)
    for given, value in options.items():
        name = names.get(given, given)
        spec = argument_spec.get(name, {})
        if spec.get("no_log"):
            yield name, value
        elif isinstance(value, Mapping) and "options" in spec:
            yield from _secret_options(spec["options"], value)


def _texts(value: Any) -> Iterable[str]:
    """Yield the secret texts of an option: of a token its credentials, of anything else all texts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        keys = value.get("Credentials")
        chosen = [keys.get(name) for name in KEYS] if isinstance(keys, Mapping) else value.values()
        for item in chosen:
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
