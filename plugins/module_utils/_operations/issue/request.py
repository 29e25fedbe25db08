# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every method of an issue shares before STS is asked: the session policy and the receipt of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..._domain import permissions, token_request
from ..._domain.access import Access, Request, allowed
from ..._domain.receipts import Receipt, latest_answer
from .._operation import Runtime
from .options import TokenOptions

RECEIPT_BYTES = 4
MARGIN = timedelta(seconds=60)  # for the retries of one call


@dataclass(frozen=True)
class ReceiptFacts:
    """What a receipt says about a request that was authorized."""

    account_id: str
    role_arn: str
    session_name: str
    duration: int
    allows: Access
    issuer_arn: str | None = None
    external_id_source: str | None = None
    source_identity: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


def make_receipt(options: TokenOptions, facts: ReceiptFacts, runtime: Runtime) -> Receipt:
    """Return the receipt of a request that was authorized, before STS is asked."""
    now = runtime.now()
    return Receipt.requested(
        unique=runtime.token_hex(RECEIPT_BYTES),
        at=now,
        issue_until=latest_answer(now, timedelta(seconds=options.wait_timeout) + MARGIN),
        recipient=options.user,
        venue=options.venue,
        account_id=facts.account_id,
        region=options.region,
        role_arn=facts.role_arn,
        session_name=facts.session_name,
        method=options.method,
        duration_requested=options.duration,
        duration_seconds=facts.duration,
        issuer_arn=facts.issuer_arn,
        external_id_source=facts.external_id_source,
        source_identity=facts.source_identity,
        allows=facts.allows.to_json(),
        context={**options.context, **facts.context},
    )


def what_it_allows(options: TokenOptions, role_policy: Mapping[str, Any] | None, request: Request) -> Access:
    """Return what the token really allows. Managed policies that narrow it are not read, so it is the most then."""
    return allowed(role_policy, request, options.session_policy, narrowed="PolicyArns" in options.extras)


def session_policy(
    options: TokenOptions, request: Request, account: str, renewals: permissions.RenewalFolder | None = None
) -> dict[str, Any]:
    """Return the session policy of a request.

    :raises InvalidInput: it is too long for STS.
    """
    place = permissions.Location(options.partition, options.region, account)
    return token_request.check_policy_size("access", permissions.session_policy(request, place, renewals))
