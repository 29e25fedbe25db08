# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What approving and renewing a lease have in common, so that an approval fails where a renewal would.

Public keys come from the key directory and limits from the inventory; the lease is only compared with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..module_utils._aws.clients import Clients
from ..module_utils._domain.access import Limits, Request, read_policy
from ..module_utils._domain.errors import InvalidInput, KeyChanged
from ..module_utils._domain.lease_names import renewal_folder
from ..module_utils._domain.leases import Lease
from ..module_utils._domain.missing import missing_parameter
from ..module_utils._domain.names import ParameterNames, Venue, chosen_role_name, make_venue, parameter_names
from ..module_utils._domain.permissions import RenewalFolder
from ..module_utils._handoff_options import HANDOFF
from ..module_utils._operations._operation import Params, Runtime
from ..module_utils._operations.accounts import check_expected_account
from ..module_utils._operations.issue.authorize import VenueReadings
from ..module_utils._operations.issue.options import ARGUMENT_SPEC as TOKEN_SPEC
from ..module_utils._operations.issue.options import TokenOptions, given_limits, usual_options, within_limits
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


def given_handoff(params: Params) -> dict[str, Any]:
    """Return the option ``handoff``, with its defaults where it is not set."""
    return {name: spec.get("default") for name, spec in HANDOFF.items()} | dict(params["handoff"] or {})


@dataclass(frozen=True)
class LeaseVenue:
    """The venue that leases are for, as the options of ``VENUE`` describe it.

    :param account: the account that the option expects; '' if it is not set.
    :param limits: the most that a token may allow.
    """

    venue: Venue
    role_name: str
    parameters: ParameterNames
    account: str
    limits: Limits

    @classmethod
    def parse(cls, params: Params) -> LeaseVenue:
        """Read the options.

        :raises InvalidInput: one cannot be right.
        """
        venue = make_venue(params["project"], params["venue"])
        return cls(
            venue=venue,
            role_name=chosen_role_name(venue, params),
            parameters=parameter_names(venue, params),
            account=check_expected_account(params["expected_account_id"]),
            limits=given_limits(params["limits"], venue),
        )

    def token(self, user: str, request: Request, clients: Clients, runtime: Runtime) -> TokenOptions:
        """Return the options of one issue for a lease.

        :param request: None where as much as the limits allow.
        :raises LimitExceeded: the request is for more than the limits allow.
        """
        return usual_options(
            venue=self.venue,
            role_name=self.role_name,
            parameters=self.parameters,
            role_account=self.account,
            user=user,
            request=within_limits(request, self.limits, "assume_role"),
            clients=clients,
            runtime=runtime,
        )


def for_lease(options: TokenOptions, lease: Lease, seconds_left: int) -> TokenOptions:
    """Return the options with what receipts say about the lease, and with a token that does not outlast it."""
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
            "renewals are delivered to the venue's bucket. Publish its name, or use the channel https.",
        )
    return RenewalFolder(known[0], prefix)


def channel_of(https: Channel | None, where: RenewalFolder | None, person: Holder, clients: Clients) -> Channel:
    """Return the channel of a lease.

    :param https: the channel of this name; None if its options are not set.
    :param where: what ``folder`` returned.
    :raises InvalidInput: the lease delivers by https, and the options do not say where.
    """
    if where:
        return S3Channel(clients.client("s3"), where.bucket, renewal_key(where, person.keys))
    if https is None:
        raise InvalidInput(
            "https.url", "is missing, and the lease delivers by https. Set it to the same value as for the approval."
        )
    return https


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
