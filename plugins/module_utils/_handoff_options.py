# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The argument specs of the hand-off. They are here because a module on another host must know them as well.

Each channel of ``plugin_utils/_channels`` reads and checks its own.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "str"}
EMAIL: dict[str, Any] = {
    **dict.fromkeys(("host", "sender", "to", "subject", "username"), _TEXT),
    "password": {"type": "str", "no_log": True},
    "port": {"type": "int"},
    "tls": {"type": "str", "default": "starttls"},
    "ca_file": {"type": "path"},
}
HTTPS: dict[str, Any] = {
    "url": _TEXT,
    "method": {"type": "str", "default": "PUT", "choices": ["PUT", "POST"]},
    "headers": {"type": "dict", "no_log": True},
    "field_name": {"type": "str", "default": "file"},
    "ca_file": {"type": "path"},
}
# What delivers a parcel.
CHANNELS: dict[str, Any] = {
    "channel": {"type": "str", "default": "file"},
    "dest": {"type": "path", "default": "~/.mdps/handoff/"},
    "email": {"type": "dict", "options": EMAIL},
    "https": {"type": "dict", "options": HTTPS},
}
UNDELIVERED: dict[str, Any] = {"undelivered": {"type": "path", "default": "~/.mdps/undelivered"}}
# The option ``handoff`` of venue_sts_token.
HANDOFF: dict[str, Any] = {
    **CHANNELS,
    "key_directory": {"type": "path", "default": "~/.mdps/recipients"},
    "key_directory_shared": {"type": "bool", "default": False},
    "public_keys": {"type": "dict"},
    "fingerprints": {"type": "list", "elements": "str"},
    "unsealed": {"type": "bool", "default": False},
    **UNDELIVERED,
    "bucket": _TEXT,
    "contact": {"type": "str", "default": "the MDPS admin who sent you this"},
    "time_zone": {"type": "str", "default": "America/Los_Angeles"},
    "profile_name": _TEXT,
    "readme_template": {"type": "path"},
    "console_link": {"type": "bool", "default": False},
    "sign_with": _TEXT,
    "smime_authenticated": {"type": "bool", "default": False},
}
