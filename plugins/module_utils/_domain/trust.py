# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The trust policy of a venue's role: who may assume it, and with which external ID.

The external ID: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .arns import check_account_id, parse_arn
from .errors import InvalidInput
from .policies import EXTERNAL_ID_KEY, document, statements

TRUST_POLICY_LENGTH = 2048  # the default quota of IAM for a role trust policy
CURRENT, PREVIOUS = "AssumeWithExternalId", "AssumeWithPreviousExternalId"
_WILDCARD = re.compile(r"[*?]")
_DEAD = re.compile(r"A(RO|ID)A[A-Z0-9]{12,}")
_SAML_AUDIENCE = {
    "aws-us-gov": "https://signin.amazonaws-us-gov.com/saml",
    "aws-cn": "https://signin.amazonaws.cn/saml",
}


class Trust(NamedTuple):
    """Who may assume a venue's role.

    :param principals: ARNs of roles, users or account roots.
    :param external_id: what they must say.
    :param previous_external_id: what they may still say while a rotation is under way; '' for none.
    :param saml_providers: ARNs of identity providers whose users may come with an assertion instead.
    :param require_mfa: the caller's session must have used MFA.
    """

    principals: Sequence[str]
    external_id: str
    previous_external_id: str = ""
    saml_providers: Sequence[str] = ()
    require_mfa: bool = False

    def policy(self, partition: str) -> dict[str, Any]:
        """The trust policy document."""
        return document(list(self._statements(partition)))

    def _statements(self, partition: str) -> Iterable[dict[str, Any]]:
        who = {"AWS": list(self.principals)}
        mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}} if self.require_mfa else {}
        for sid, value in ((CURRENT, self.external_id), (PREVIOUS, self.previous_external_id)):
            if value:
                condition = {"StringEquals": {"sts:ExternalId": value}, **mfa}
                yield {
                    "Sid": sid,
                    "Effect": "Allow",
                    "Principal": who,
                    "Action": "sts:AssumeRole",
                    "Condition": condition,
                }
        # These two come with an AssumeRole and give nothing by themselves; they know no sts:ExternalId condition, so
        # they
        # stand apart:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required
        yield {
            "Sid": "NameSession",
            "Effect": "Allow",
            "Principal": who,
            "Action": ["sts:TagSession", "sts:SetSourceIdentity"],
        }
        if self.saml_providers:
            audience = {"StringEquals": {"SAML:aud": saml_audience(partition)}}
            actions = ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
            federated = {"Federated": list(self.saml_providers)}
            yield {
                "Sid": "AssumeWithSaml",
                "Effect": "Allow",
                "Principal": federated,
                "Action": actions,
                "Condition": audience,
            }


def saml_audience(partition: str) -> str:
    """The audience that a SAML assertion must be for.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-saml.html
    """
    return _SAML_AUDIENCE.get(partition, "https://signin.aws.amazon.com/saml")


def external_ids(policy: Mapping[str, Any] | None) -> tuple[str, str]:
    """The external IDs that a trust policy demands: (current, previous); '' where there is none.

    A policy made by hand has no statement called after ours: there, the first external ID found is the current one.
    A test for its mere presence (``Null``) or with a wildcard names no external ID.
    """
    found: dict[str, str] = {}
    for statement in statements(policy):
        kind = PREVIOUS if statement.get("Sid") == PREVIOUS else CURRENT
        for operator, tests in statement.get("Condition", {}).items():
            for key, value in tests.items():
                values = [
                    str(one)
                    for one in (value if isinstance(value, list) else [value])
                    if not _WILDCARD.search(str(one))
                ]
                if key.lower() == EXTERNAL_ID_KEY and "string" in operator.lower() and values:
                    found.setdefault(kind, values[0])
    return found.get(CURRENT, ""), found.get(PREVIOUS, "")


def principals(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Every principal that a trust policy names, of whatever kind, without repetition."""
    named: dict[str, None] = {}
    for statement in statements(policy):
        who = statement.get("Principal", {})
        for values in who.values() if isinstance(who, dict) else [who]:
            named.update(dict.fromkeys(values if isinstance(values, list) else [values]))
    return tuple(named)


def dead_principals(policy: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Principals that were deleted: IAM shows their unique id, and a namesake made later is not trusted.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
    """
    return tuple(who for who in principals(policy) if _DEAD.fullmatch(who))


def check_principals(texts: Sequence[str], partition: str) -> tuple[str, ...]:
    """Trusted principals: account ids, or ARNs of roles, users or account roots. Never ``*``.

    :raises InvalidInput: anything else; a session's ARN names the role to write instead.
    """
    checked = []
    for text in texts:
        if re.fullmatch(r"[0-9]+", text):
            checked.append(f"arn:{partition}:iam::{check_account_id('trusted_principals', text)}:root")
            continue
        if text == "*":
            raise InvalidInput("trusted_principals", "'*' would trust everybody: name accounts, roles or users.")
        session = re.fullmatch(r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([^/]+)/.*", text)
        if session:
            partition_, account, role = session.groups()
            raise InvalidInput(
                "trusted_principals",
                f"'{text}' is one session of a role: trust the role, arn:{partition_}:iam::{account}:role/{role}.",
            )
        checked.append(
            str(
                parse_arn(
                    "trusted_principals",
                    text,
                    service="iam",
                    resource="root|(role|user)/[^*?]+",
                    example="role/NAME",
                    partition=partition,
                )
            )
        )
    return tuple(dict.fromkeys(checked))


def check_saml_providers(arns: Sequence[str], partition: str) -> tuple[str, ...]:
    """ARNs of SAML identity providers.

    :raises InvalidInput: not such an ARN in this partition.
    """
    option = "saml_provider_arns"
    return tuple(
        str(
            parse_arn(
                option,
                arn,
                service="iam",
                resource=r"saml-provider/[\w._-]{1,128}",
                example="saml-provider/NAME",
                partition=partition,
            )
        )
        for arn in arns
    )
