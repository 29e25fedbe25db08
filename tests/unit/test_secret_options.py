# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which options of which module are secret: their values are masked, and no log has them. All others stay readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import (
    awx_request,
    incident_info,
    kion,
    lease_info,
    profile,
    role,
    role_info,
    session_info,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing, _leasing, _renewing, _resending

OF_CHANNELS = {"email.password", "https.headers"}
OF_HANDOFF = {f"handoff.{one}" for one in OF_CHANNELS}
SECRET: dict[Any, set[str]] = {
    awx_request: {"token"},
    incident_info: set(),
    kion: {"api_key", "password"},
    lease_info: set(),
    profile: {"token.Credentials.SecretAccessKey", "token.Credentials.SessionToken"},
    revocation: set(),
    role: {"external_id"},
    role_info: set(),
    session_info: set(),
    _issuing: {"external_id", "mfa_token", "saml_assertion", *OF_HANDOFF},
    _leasing: OF_HANDOFF,
    _renewing: OF_HANDOFF,
    _resending: OF_CHANNELS,
}


def secret(spec: Mapping[str, Any], within: str = "") -> Iterator[str]:
    """The paths of the secret options of an argument spec."""
    for name, option in spec.items():
        if option.get("no_log"):
            yield f"{within}{name}"
        yield from secret(option.get("options", {}), f"{within}{name}.")


@pytest.mark.parametrize("module", SECRET, ids=lambda module: module.__name__.rpartition(".")[2])
def test_secret_options(module: Any) -> None:
    assert set(secret(module.OPERATION.argument_spec)) == SECRET[module]
