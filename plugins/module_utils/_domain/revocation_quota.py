# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to revoke where receipts name more sessions than fit on a role.

Anybody who may write receipts can invent sessions. So what receipts say must neither use up the quota that later
revocations need, nor keep a true session from being revoked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from .policies import size
from .revocation import Revocation, fits, found_in, from_name, standing
from .roles import INLINE_POLICY_LENGTH

MOST_TRIED = 200  # several times what fits, however short the names are


def exceeds_quota(
    role_id: str, inline: Mapping[str, Mapping[str, Any]], asked: Sequence[Revocation], now: datetime
) -> bool:
    """Whether the sessions that receipts name do not all fit one by one.

    A third of what the role's other policies leave stays free for revocations that do not come from receipts alone.
    """
    open_ones = set(missing({one.policy_name: None for one in standing(inline, role_id)}, asked, now))
    return len(open_ones) > MOST_TRIED or not fits(role_id, inline, list(open_ones), now, _spare(inline))


def for_user(asked: Sequence[Revocation], user: str) -> list[Revocation]:
    """The same with one revocation for all sessions whose names the collection makes for the user.

    It needs no list, so that no number of receipts makes it larger. It ends such sessions without a receipt as well.
    """
    named = [one for one in asked if Revocation("user", user, one.before).covers(one)]
    if not named:
        return list(asked)
    return [Revocation("user", user, max(one.before for one in named)), *(one for one in asked if one not in named)]


def fitting(
    role_id: str,
    inline: Mapping[str, Mapping[str, Any]],
    asked: Sequence[Revocation],
    confirmed: Collection[str],
    now: datetime,
) -> list[Revocation]:
    """As many revocations as fit: first the one of a user, then sessions that AWS confirms, then the others.

    :param confirmed: the names of sessions that CloudTrail knows to be issued.
    """
    chosen: list[Revocation] = []
    for one in sorted(asked, key=lambda one: not _is_certain(one, confirmed))[:MOST_TRIED]:
        spare = 0 if _is_certain(one, confirmed) else _spare(inline)
        if fits(role_id, inline, [*chosen, one], now, spare):
            chosen.append(one)
    return chosen


def missing(after: Mapping[str, Any], asked: Sequence[Revocation], now: datetime) -> list[Revocation]:
    """What was asked for and is not revoked.

    :param after: the revocations that there are in the end, by policy name.
    """
    present = found_in(after)
    return [one for one in asked if one.live(now) and not any(other.covers(one) for other in present)]


def _is_certain(one: Revocation, confirmed: Collection[str]) -> bool:
    return one.kind != "session" or one.value in confirmed


def _spare(inline: Mapping[str, Mapping[str, Any]]) -> int:
    """The characters that sessions which only receipts name leave free."""
    others = sum(size(policy) for name, policy in inline.items() if not from_name(name))
    return max(INLINE_POLICY_LENGTH - others, 0) // 3
