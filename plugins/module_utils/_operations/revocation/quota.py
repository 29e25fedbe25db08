# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Roles on which not all sessions fit that receipts name: somebody may have written false receipts."""

from __future__ import annotations

from collections.abc import Sequence

from ..._aws.clients import Clients
from ..._domain.revocation import QuotaReached, Revocation
from ..._domain.revocation_quota import missing
from ..._domain.roles import INLINE_POLICY_LENGTH
from ..._domain.times import iso
from ..._domain.words import first_of
from .._operation import Runtime
from ..confirming import issued_sessions
from .options import RevocationOptions
from .planning import Confirmed, RolePlan, asked_of, fewer_of, roles_over_quota
from .state import State


def confirm(options: RevocationOptions, state: State, clients: Clients, runtime: Runtime) -> Confirmed:
    """The sessions that CloudTrail knows, of each role on which not all fit that receipts name."""
    over = [one.role for one in roles_over_quota(options, state)]
    if not over:
        return {}
    key = options.value if options.target == "access_key_id" else ""
    known = issued_sessions(over, key, clients, state.now, runtime)
    return {role.name: {one.session_name for one in known if one.role_arn == role.arn} for role in over}


def check_quota(
    options: RevocationOptions, state: State, plans: Sequence[RolePlan], confirmed: Confirmed, runtime: Runtime
) -> QuotaReached | None:
    """Report sessions that did not fit one by one. Return the failure if some are not revoked."""
    still_open: list[str] = []
    for one in plans:
        if one.role.name not in confirmed:
            continue
        known = confirmed[one.role.name]
        asked = asked_of(options, state, one.of)
        fewer = fewer_of(options, asked, known)
        still_open += [each.value for each in missing(one.plan.after["revocations"], fewer, state.now)]
        runtime.warn(
            f"The receipts name {len(asked)} sessions of the role {one.role.name}, more than fit into the quota of "
            "IAM. Either somebody has written false receipts, or there are many tokens. CloudTrail knows "
            f"{len(known)} of them. {_instead(options, fewer)}".rstrip()
        )
    if not still_open:
        return None
    return QuotaReached(
        f"{len(still_open)} sessions that only receipts name are not revoked, because they do not fit on the role: "
        f"{first_of(still_open)}. Those that fit are revoked. If any of the others may be genuine, end every token of "
        f"the venue: ansible-playbook mdps.venue_sts.revoke -e project={options.venue.project} "
        f"-e venue={options.venue.venue} -e all=true (or all: true), with the same receipts_* options.",
        quota=INLINE_POLICY_LENGTH,
    )


def _instead(options: RevocationOptions, fewer: Sequence[Revocation]) -> str:
    """What one statement for a user does besides."""
    of_user = [one for one in fewer if one.kind == "user"]
    if not of_user:
        return ""
    return (
        f"Every session of {options.value} whose name the collection makes is revoked by one statement, also without a "
        f"receipt; new ones are refused until {iso(of_user[0].before)}."
    )
