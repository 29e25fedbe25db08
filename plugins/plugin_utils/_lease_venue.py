# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What approving and renewing a lease have in common, so that an approval fails where a renewal would.

Credentials come from the key directory and limits from the inventory; the lease is only compared with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ..module_utils._aws.clients import Clients
from ..module_utils._domain.access import read_policy
from ..module_utils._domain.errors import InvalidInput, KeyChanged
from ..module_utils._domain.leases import REQUEST, Lease, renewal_folder
from ..module_utils._domain.missing import missing_parameter
from ..module_utils._domain.permissions import RenewalFolder
from ..module_utils._operations._operation import Params, Runtime
from ..module_utils._operations.issue.authorize import VenueReadings
from ..module_utils._operations.issue.options import ARGUMENT_SPEC as TOKEN_SPEC
from ..module_utils._operations.issue.options import TokenOptions
from ..module_utils._operations.issue.options import parse as parse_token
from ._channels import registry
from ._channels.channel import Channel
from ._channels.s3 import S3Channel
from ._handoff import HandoffOptions
from ._key_directory import Holder, unlisted
from ._renewal_place import renewal_key

# The options that say which venue it is, and how it is named: the same as those of venue_sts_token.
VENUE = (
    "project",
    "venue",
    "name_prefix",
    "role_name",
    "external_id_parameter",
    "bucket_parameter",
    "expected_account_id",
    "limits",
)
VENUE_SPEC: dict[str, Any] = {name: TOKEN_SPEC[name] for name in VENUE}


def token_options(
    params: Params, user: str, request: Mapping[str, Any], clients: Clients, runtime: Runtime
) -> TokenOptions:
    """Return the options of one issue for a lease.

    :param params: the options of the task, ``VENUE`` among them.
    :param request: of ``REQUEST``; None or missing where as much as the limits allow.
    :raises InvalidInput: an option cannot be right.
    :raises LimitExceeded: the request is for more than the limits allow.
    """
    usual = {name: spec.get("default") for name, spec in TOKEN_SPEC.items()}
    asked = {name: request.get(name) for name in REQUEST}
    venue = {name: params[name] for name in VENUE}
    return parse_token({**usual, **venue, **asked, "user": user}, clients, runtime)


def for_lease(options: TokenOptions, lease: Lease, seconds_left: int) -> TokenOptions:
    """Return the options with what receipts say of the lease, and with a token that does not outlast it."""
    context = {"reason": lease.reason, "ticket": lease.ticket, "approver": lease.approver, "lease": lease.id}
    return replace(
        options,
        duration=min(options.duration, seconds_left),
        context={name: value for name, value in context.items() if value},
    )


def folder(channel: str, options: TokenOptions, found: VenueReadings) -> RenewalFolder | None:
    """Return the folder of the venue's bucket for the renewals of the user; None for another channel.

    :raises NotProvisioned: neither the role nor a parameter names a bucket.
    """
    if channel != S3Channel.NAME:
        return None
    published = found.parameters.get(options.parameters.bucket)
    known = (read_policy(found.role_policy).buckets or ()) if found.role_policy else ()
    prefix = renewal_folder(options.venue, options.user)
    if published and (not known or published.value in known):
        return RenewalFolder(published.value, prefix)
    if not known:
        raise missing_parameter(
            options.parameters.bucket,
            options.region,
            found.caller.account_id,
            "renewals are delivered to the venue's bucket. Publish it, or use the channel https.",
        )
    return RenewalFolder(known[0], prefix)


def channel_of(
    name: str, given: Mapping[str, Any], where: RenewalFolder | None, person: Holder, clients: Clients
) -> Channel:
    """Return the channel of a lease.

    :param given: the option ``handoff``.
    :param where: what ``folder`` returned.
    :raises InvalidInput: the channel's own options cannot work.
    """
    if where:
        return S3Channel(clients.client("s3"), where.bucket, renewal_key(where, person.keys))
    return registry.choose({**given, "channel": name})


def place_of(channel: Channel, given: Mapping[str, Any]) -> str:
    """Return the place of delivery as a lease names it. A signed address has its right to upload in its query."""
    if isinstance(channel, S3Channel):
        return channel.place
    return urlsplit((given.get("https") or {}).get("url") or "")._replace(query="", fragment="").geturl()


def check_keys(person: Holder, lease: Lease) -> None:
    """Compare the keys of the key directory with those that were approved.

    :raises KeyChanged: one is another.
    """
    changed = unlisted(person, lease.key_fingerprints)
    if changed:
        raise KeyChanged(
            "key_directory",
            f"the key of {person.user} has changed since the lease was approved. It is now {changed}. No token was "
            f"issued. Ask {person.user}, by telephone or in person, whether the new key is theirs, and approve the "
            "lease again.",
        )


def check_unsealed(options: HandoffOptions) -> None:
    """Refuse tokens that are not sealed.

    :raises InvalidInput: ``unsealed`` is set.
    """
    if options.unsealed:
        raise InvalidInput("handoff.unsealed", "must not be set: the tokens of a lease are always sealed.")


def fingerprints(person: Holder) -> Sequence[str]:
    """Return the fingerprints of the keys that tokens are sealed to."""
    return tuple(one.fingerprint for one in person.keys)
