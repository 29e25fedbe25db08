# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of the Kion CLI, for those who have it set up."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .._domain.errors import InvalidInput, MissingDependency
from .._masking import register

try:
    import yaml

    HAS_YAML = True
except ImportError:
    HAS_YAML = False


def read_settings(path: Path, warn: Callable[[str], None]) -> dict[str, Any]:
    """The section ``kion`` of the Kion CLI's settings; empty if there is no such file.

    :raises InvalidInput: it cannot be read, or is not such a file. Its content is never quoted.
    :raises MissingDependency: no PyYAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            "config_file", f"'{path}' cannot be read ({getattr(error, 'strerror', None) or 'not UTF-8 text'})"
        ) from None
    if not HAS_YAML:
        raise MissingDependency(
            f"PyYAML is not installed for this Python, so '{path}' cannot be read: pip install PyYAML"
        )
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:  # its message would quote the line, which may hold a key
        content = None
    section = content.get("kion", {}) if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise InvalidInput("config_file", f"'{path}' is not YAML with a section 'kion'")
    if mode & 0o077 and (section.get("api_key") or section.get("password")):
        warn(f"Others may read '{path}' and the key in it: chmod 600 {path}")
    register(*(str(section[name]) for name in ("api_key", "password") if section.get(name)))
    return section
