# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors about what was looked for and not found: they name the region and the account, which are the usual cause."""

from __future__ import annotations

from .errors import MissingReference, NotProvisioned


def missing_parameter(name: str, region: str, account_id: str, advice: str) -> NotProvisioned:
    """The error for an SSM parameter that does not exist.

    :param advice: what to do if region and account are right.
    """
    return NotProvisioned(
        f"there is no SSM parameter {name} in region {region} of account {account_id}. Check the region and the "
        f"account first: a parameter exists in one region only. If they are right: {advice}",
        parameter=name,
        region=region,
        account_id=account_id,
    )


def missing_reference(what: str, name: str, account_id: str, advice: str) -> MissingReference:
    """The error for a boundary, key or principal that an option names and that does not exist.

    :param what: such as ``permissions boundary``.
    """
    return MissingReference(
        f"the {what} {name} does not exist in account {account_id}. Nothing was changed. {advice}", reference=name
    )
