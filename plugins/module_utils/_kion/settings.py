# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings file of the Kion CLI, ``~/.kion.yml``: read, and one API key in it replaced."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._domain.errors import InvalidInput, MissingDependency
from .._domain.secret_text import is_key
from .._masking import register

try:
    import yaml

    HAS_YAML = True
except ImportError:
    HAS_YAML = False

# The settings that are used here. What else the Kion CLI has is for its own screen, browser, and login.
USED = ("url", "api_key", "username", "password", "idms_id", "default_region")


@dataclass(frozen=True)
class Settings:
    """The settings of the Kion CLI, or of one of its profiles.

    :param values: by name; hostile, and secret in part.
    :param path: the file.
    :param section: where in the file they are.
    """

    values: dict[str, Any] = field(repr=False)
    path: Path
    section: tuple[str, ...]


def read_settings(path: Path, profile: str, warn: Callable[[str], None]) -> Settings:
    """Read the settings; none if there is no such file.

    :param profile: the name below ``profiles``; empty for the settings of the file itself.
    :raises InvalidInput: the file cannot be read, is not such a file, or has no such profile. It is never quoted.
    :raises MissingDependency: no PyYAML.
    """
    section = ("profiles", profile, "kion") if profile else ("kion",)
    try:
        text = path.read_text(encoding="utf-8-sig")
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        if profile:
            raise InvalidInput("config_profile", f"there is no file '{path}' that could contain it.") from None
        return Settings({}, path, section)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InvalidInput("config_file", f"'{path}' cannot be read ({reason}).") from None
    values = _section(_parsed(path, text), path, profile)
    register(*(str(values[name]) for name in ("api_key", "password") if values.get(name)))
    if mode & 0o077 and (values.get("api_key") or values.get("password")):
        warn(f"Other users can read '{path}', which contains a key. Run: chmod 600 {path}")
    unused = sorted(str(name) for name in values if name not in USED)
    if unused:
        warn(f"'{path}': these settings of the Kion CLI are not used here: {_listed(unused)}.")
    return Settings(values, path, section)


def _parsed(path: Path, text: str) -> Any:
    if not HAS_YAML:
        raise MissingDependency(
            f"PyYAML is not installed for this Python, so '{path}' cannot be read: pip install PyYAML"
        )
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # the messages would quote the line, which may hold a key
        return None


def _section(content: Any, path: Path, profile: str) -> dict[str, Any]:
    if profile and isinstance(content, dict):
        found = content.get("profiles")
        profiles: dict[Any, Any] = found if isinstance(found, dict) else {}
        if profile not in profiles:
            has = f"it has {_listed([str(name) for name in profiles])}" if profiles else "it has none"
            raise InvalidInput("config_profile", f"'{path}' has no profile of that name; {has}.")
        content = profiles[profile]
    section = content.get("kion", {}) if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise InvalidInput("config_file", f"'{path}' is not YAML with a section 'kion'.")
    return section


def _listed(names: list[str]) -> str:
    return ", ".join(name[:64] if name.isprintable() else "(not printable)" for name in names[:20])


def current_api_key(settings: Settings) -> str:
    """Return the API key that the file has now, without the white space around it; empty if it has none."""
    try:
        text = settings.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""
    key = str(_value(_parsed(settings.path, text), (*settings.section, "api_key")) or "").strip()
    return key if is_key(key) else ""


def with_api_key(settings: Settings, key: str) -> bytes:
    """Return the content of the file with another API key where it has one. All else stays, to the byte.

    :param key: the new key; with the current one the content is what it is.
    :raises InvalidInput: the file has none any more, or it cannot be changed without changing more.
    """
    path = settings.path.resolve()
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInput("config_file", f"'{path}' can no longer be read.") from None
    before, keys = _parsed(path, text), (*settings.section, "api_key")
    changed = _with_value(text, keys, key)
    if _value(before, keys) is None or _parsed(path, changed) != _with_changed(before, keys, key):
        raise InvalidInput(
            "config_file", f"the API key in '{path}' cannot be replaced without changing other settings."
        )
    is_same = str(_value(before, keys)).strip() == key
    return (text if is_same else changed).encode("utf-8")


def _value(content: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _with_changed(content: Any, keys: tuple[str, ...], value: str) -> Any:
    inner = _with_changed(content.get(keys[0]), keys[1:], value) if len(keys) > 1 else value
    return {**content, keys[0]: inner}


def _with_value(text: str, keys: tuple[str, ...], value: str) -> str:
    """Return a YAML text with another value below these keys; unchanged if there is no such place."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    place = _place(body, keys)
    if place is None:
        return text
    line_end = "\n" if body[slice(*place)].endswith("\n") else ""  # a block's value has its line end in it
    return mark + body[: place[0]] + json.dumps(value) + line_end + body[place[1] :]


def _place(text: str, keys: tuple[str, ...]) -> tuple[int, int] | None:
    """Return where in a YAML text the value below these keys is."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return (node.start_mark.index, node.end_mark.index) if isinstance(node, yaml.ScalarNode) else None
