# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The IAM OIDC providers of an account that a role trusts: the steps that create them and add audiences.

A provider belongs to the account, and other roles may trust it. So nothing is removed from it, and it is never deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from .errors import InvalidInput
from .names import Venue
from .oidc import MOST_AUDIENCES, OPTION, OidcProvider
from .steps import Step

# ARN -> the audiences (client ids) of the provider; None where there is no such provider.
Found = Mapping[str, Optional[Sequence[str]]]  # noqa: UP045 - an alias is evaluated, which pylint takes for an error
OF_A_VENUE = ("Name", "Proj", "Venue", "Env")


def provider_steps(
    found: Found, providers: Sequence[OidcProvider], partition: str, tags: Mapping[str, str]
) -> Iterator[Step]:
    """The steps that make the providers what the option says.

    :param found: those with ``create``, as they are.
    :param tags: of a new provider.
    :raises InvalidInput: a provider would have more audiences than IAM allows.
    """
    for one in providers:
        arn = one.arn(partition)
        if arn not in found:
            continue
        present = found[arn]
        if len({*(present or ()), *one.audiences}) > MOST_AUDIENCES:
            raise InvalidInput(OPTION, f"{one.issuer} would have more than {MOST_AUDIENCES} audiences in IAM.")
        if present is None:
            arguments = {
                "Url": f"https://{one.issuer}",
                "ClientIDList": list(one.audiences),
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }
            yield Step("iam", "create_open_id_connect_provider", arn, "create the OIDC provider", arguments)
            continue
        for audience in missing_audiences(one, present):
            arguments = {"OpenIDConnectProviderArn": arn, "ClientID": audience}
            summary = f"add the audience {audience} to the OIDC provider"
            yield Step("iam", "add_client_id_to_open_id_connect_provider", arn, summary, arguments)


def missing_audiences(provider: OidcProvider, present: Sequence[str]) -> list[str]:
    """The audiences that the IAM provider does not accept."""
    return [one for one in provider.audiences if one not in present]


def provider_tags(venue: Venue) -> dict[str, str]:
    """The tags of a new provider: those of every MDPS resource, except for what names one venue."""
    return {key: value for key, value in venue.tags("oidc-provider").items() if key not in OF_A_VENUE}


def state(found: Found) -> dict[str, Any]:
    """The providers as a plan shows them before the run; empty where there are none."""
    there = {arn: {"audiences": sorted(audiences)} for arn, audiences in found.items() if audiences is not None}
    return {"oidc_providers": there} if there else {}


def state_after(found: Found, providers: Sequence[OidcProvider], partition: str) -> dict[str, Any]:
    """The providers as a plan shows them after the run."""
    wanted = {one.arn(partition): one.audiences for one in providers}
    after = {arn: sorted({*(present or ()), *wanted.get(arn, ())}) for arn, present in found.items()}
    return state(after)
