# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``expected_account_id``: with keys of another account no operation does anything."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.operations import OPERATIONS, run
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
USER = {**VENUE, "user": "jdoe"}
OPTIONS: dict[str, dict[str, Any]] = {
    "role": VENUE,
    "role_info": VENUE,
    "session_info": VENUE,
    "token": USER,
    "revocation": {**VENUE, "all": True},
    "lease": {**USER, "state": "absent"},
    "renewal": USER,
}
GUARDED = sorted(name for name, one in OPERATIONS.items() if "expected_account_id" in one.argument_spec)


@pytest.mark.parametrize("name", GUARDED)
def test_keys_of_another_account_are_refused(name: str, venue: Moto) -> None:
    succeeded, result = run(name, {**OPTIONS[name], "expected_account_id": "210987654321"})
    assert not succeeded
    assert (result["error"], result["account_id"], result["expected_account_id"]) == (
        "AccountMismatch",
        "123456789012",
        "210987654321",
    )
