# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Venues as an earlier run left them, made within the process: what a test starts from, not what it tests."""

from __future__ import annotations

from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.role import OPERATION

from tests.support.servers import FAKE_KEYS, REGION, Moto

_UNUSED = dict.fromkeys(("session_token", "profile", "aws_ca_bundle", "aws_config", "debug_botocore_endpoint_logs"))


def provision(server: Moto, project: str, venue: str, **options: Any) -> None:
    """Publish a venue's bucket and boundary and make its role."""
    server.publish(project, venue)
    defaults = {name: option.get("default") for name, option in OPERATION.argument_spec.items()}
    keys = {
        "access_key": FAKE_KEYS["aws_access_key_id"],
        "secret_key": FAKE_KEYS["aws_secret_access_key"],
        "region": REGION,
    }
    connection = {**_UNUSED, **keys, "validate_certs": True, "endpoint_url": server.url}
    succeeded, result = OPERATION.run(
        {**defaults, **connection, "project": project, "venue": venue, **options}, Runtime()
    )
    assert succeeded, result
