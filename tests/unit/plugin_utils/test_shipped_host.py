# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The AWS calls of an issue on the host of the task: what its module returns, and how it fails."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    NotProvisioned,
    ReceiptNotKept,
    VenueError,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._shipping import ShippedHost

from tests.support.receipts import issued

FAILURES: list[tuple[dict[str, Any], type[VenueError], str]] = [
    ({"failed": True, "error": "NotProvisioned", "msg": "Venue sbg-dev: no role."}, NotProvisioned, "no role."),
    ({"failed": True, "msg": "MODULE FAILURE"}, VenueError, "MODULE FAILURE"),
    ({"unreachable": True, "msg": "No route to host"}, VenueError, "No route to host"),
    ({"failed": True}, VenueError, "The module failed without a message."),
]


@pytest.mark.parametrize(("result", "kind", "message"), FAILURES, ids=str)
def test_a_failure_of_the_module_is_that_error_here(
    result: dict[str, Any], kind: type[VenueError], message: str
) -> None:
    host = ShippedHost(lambda _arguments: result, {"user": "jdoe"}, lambda _warning: None)
    with pytest.raises(kind) as raised:
        host.authorize()
    assert (type(raised.value), raised.value.message) == (kind, message)
    with pytest.raises(ReceiptNotKept) as raised:
        host.record(issued())
    assert raised.value.message == message


def test_a_module_that_succeeds_is_no_failure() -> None:
    asked: list[dict[str, Any]] = []
    host = ShippedHost(lambda arguments: asked.append(arguments) or {}, {"user": "jdoe"}, lambda _warning: None)
    host.record(issued())
    (arguments,) = asked
    assert (arguments["user"], arguments["_phase"], arguments["_receipt"]) == ("jdoe", "record", issued().to_json())
