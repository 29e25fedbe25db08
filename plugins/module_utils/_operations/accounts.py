# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guard against work in the wrong AWS account."""

from __future__ import annotations

from .._aws.venue_state import Caller
from .._domain.arns import check_account_id
from .._domain.errors import AccountMismatch


def check_expected_account(expected: str | None) -> str:
    """The option ``expected_account_id``; '' if it is not set.

    :raises InvalidInput: it is no account id.
    """
    return "" if expected is None else check_account_id("expected_account_id", expected)


def check_account(caller: Caller, expected: str) -> None:
    """Refuse to work in another account than the expected one.

    :param expected: what ``check_expected_account`` returned.

    :raises AccountMismatch: as said.
    """
    if expected and caller.account_id != expected:
        raise AccountMismatch(
            f"the credentials are for account {caller.account_id} ({caller.arn}), but the venue is in account "
            f"{expected}. Nothing was done. Get credentials for the venue's account.",
            account_id=caller.account_id,
            expected_account_id=expected,
        )
