# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``seal``. It imports what it needs when it is called, like those of an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError


def seal(secret: Any, recipients: Any) -> str:
    """Seal a text or bytes to one or several public keys; armored text.

    :raises AnsibleFilterError: a key is not fit, or the input is neither text nor bytes. Never quotes the input.
    """
    from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _sealing as sealing

    if not isinstance(secret, str | bytes):
        raise AnsibleFilterError(
            "mdps.venue_sts.seal seals text or bytes: turn anything else into text first, for example with to_json."
        )
    keys = [recipients] if isinstance(recipients, str) else recipients
    if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
        raise AnsibleFilterError(
            "mdps.venue_sts.seal: recipients must be a public key or a list of them, each as a string."
        )
    try:
        now = datetime.now(UTC)
        found = [one for key in keys for one in sealing.read_keys(key, now).usable]
        plain = secret.encode() if isinstance(secret, str) else secret
        return sealing.seal(plain, found, sealing.SealOptions()).text
    except VenueError as error:
        raise AnsibleFilterError(f"mdps.venue_sts.seal: {error.message}") from None


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Name to function."""
        return {"seal": seal}
