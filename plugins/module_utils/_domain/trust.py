# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The trust policy that this collection writes: who may assume a venue's role, and with which external ID.

The external ID: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .arns import NAME_CHARACTERS, SAML_PROVIDER, SESSION_ARN, check_account_id, iam_arn, parse_arn, sign_in_host
from .errors import InvalidInput
from .oidc import OidcProvider
from .policies import compact, document
from .trust_reader import ASSUME, ASSUME_ACTIONS, LOCK_SID

TRUST_POLICY_LENGTH = 2048  # the default quota of IAM for a role trust policy
# What IAM Identity Center calls its roles: AWSReservedSSO_<permission set>_<16 hexadecimal digits>.
_SSO_ROLE = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")
_SSO_PATH = "aws-reserved/sso.amazonaws.com"
_PATTERN = iam_arn(rf"((?:role|user)/[/*?{NAME_CHARACTERS}]+)")


class Trust(NamedTuple):
    """Who may assume a venue's role.

    :param principals: ARNs of roles, users or account roots.
    :param external_id: the external ID that they must send.
    :param previous_external_ids: those that they may still send while a rotation is under way.
    :param saml_providers: ARNs of identity providers whose users may come with an assertion instead.
    :param require_mfa: the caller's session must have used MFA.
    :param patterns: ARN patterns of the callers; the principals are then the accounts that the patterns name.
    :param region: whose sign-in address assertions may be for, as well as the global one.
    :param oidc_providers: whose users may come with a web identity token instead; their accounts are known.
    :param audiences: the sign-in addresses that assertions may be for, if not those of the region and the global one.
    """

    principals: Sequence[str]
    external_id: str
    previous_external_ids: Sequence[str] = ()
    saml_providers: Sequence[str] = ()
    require_mfa: bool = False
    patterns: Sequence[str] = ()
    region: str = ""
    oidc_providers: Sequence[OidcProvider] = ()
    audiences: Sequence[str] = ()

    def policy(self, partition: str, foreign: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """The trust policy document.

        :param foreign: further statements to keep in it: the lock, and those that others wrote.
        """
        return document([*self._statements(partition), *foreign])

    def _statements(self, partition: str) -> Iterator[dict[str, Any]]:
        who = {"AWS": list(self.principals)}
        if self.external_id:
            sid, external_ids = mark(self.external_id, self.previous_external_ids)
            yield _allow(sid, who, ASSUME, self._conditions(external_ids))
        # These two come with an AssumeRole and give nothing by themselves. They know no sts:ExternalId condition, so
        # they have a statement of their own:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required
        yield _allow("NameSession", who, ["sts:TagSession", "sts:SetSourceIdentity"])
        if self.saml_providers:
            actions = ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"]
            addresses = list(self.audiences) or saml_audiences(partition, self.region)
            audience = {"StringEquals": {"SAML:aud": addresses}}
            yield _allow("AssumeWithSaml", {"Federated": list(self.saml_providers)}, actions, audience)
        for number, provider in enumerate(self.oidc_providers, start=1):
            yield provider.statement(number, partition)

    def _conditions(self, external_ids: str | list[str]) -> dict[str, Any]:
        conditions: dict[str, Any] = {"StringEquals": {"sts:ExternalId": external_ids}}
        if self.require_mfa:
            conditions["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
        if self.patterns:
            conditions["ArnLike"] = {"aws:PrincipalArn": list(self.patterns)}
        return conditions


def _allow(sid: str, who: Mapping[str, Any], action: Any, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    conditions = {"Condition": dict(condition)} if condition else {}
    return {"Sid": sid, "Effect": "Allow", "Principal": dict(who), "Action": action, **conditions}


def mark(current: str, previous: Sequence[str]) -> tuple[str, str | list[str]]:
    """The Sid and the values of the statement that demands the external ID.

    Several are in alphabetical order, so that their order carries no meaning; the Sid says which is the current one.
    """
    every = sorted({current, *previous})
    if len(every) == 1:
        return "AssumeWithExternalId", current
    return f"AssumeWithExternalId{every.index(current) + 1}Of{len(every)}", every


def lock_statement() -> dict[str, Any]:
    """The statement that prevents everyone from assuming the role, during an incident."""
    return {"Sid": LOCK_SID, "Effect": "Deny", "Principal": "*", "Action": list(ASSUME_ACTIONS)}


def length(policy: Mapping[str, Any]) -> int:
    """How many characters of the quota a trust policy uses: all of them, since it is sent without white space."""
    return len(compact(policy))


def length_with_reserve(policy: Mapping[str, Any], trust: Trust, candidate: str, *, locked: bool) -> int:
    """How long a trust policy gets when its external ID is rotated while the venue is locked.

    :param candidate: an external ID as long as a new one.
    """
    rotation = 0 if trust.previous_external_ids else len(f'"{candidate}",[]1Of2')
    return length(policy) + rotation + (0 if locked else len(compact(lock_statement())) + 1)


def saml_audiences(partition: str, region: str) -> str | list[str]:
    """Return the sign-in addresses that a SAML assertion may be for: the global one, and that of a region.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-saml.html
    """
    host = sign_in_host(partition)
    everywhere = f"https://{host}/saml"
    return [everywhere, f"https://{region}.{host}/saml"] if region else everywhere


def check_principals(option: str, texts: Sequence[str], partition: str) -> tuple[str, ...]:
    """Trusted principals: account ids, or ARNs of roles, users or account roots. Never ``*``.

    :raises InvalidInput: anything else; for a session, the message names the role to write instead.
    """
    if not texts:
        raise InvalidInput(option, "must not be empty. Specify who may assume the role, or omit the option.")
    return tuple(dict.fromkeys(_check_principal(option, text, partition) for text in texts))


def _check_principal(option: str, text: str, partition: str) -> str:
    if re.fullmatch(r"[0-9]+", text):
        return f"arn:{partition}:iam::{check_account_id(option, text)}:root"
    if text == "*":
        raise InvalidInput(option, "'*' would trust everyone: specify accounts, roles or users.")
    session = SESSION_ARN.fullmatch(text)
    if session:
        raise InvalidInput(option, f"'{text}' is one session of a role. {_role_of_session(*session.groups()[:3])}")
    shape = {"service": "iam", "resource": "root|(role|user)/[^*?]+", "example": "role/NAME"}
    arn = parse_arn(option, text, **shape, partition=partition)
    if arn.resource.startswith("role/AWSReservedSSO_"):
        advice = _role_of_session(arn.partition, arn.account_id, arn.resource.removeprefix("role/"))
        raise InvalidInput(option, f"'{text}' lacks the path of a role of IAM Identity Center. {advice}")
    return str(arn)


def _role_of_session(partition: str, account_id: str, name: str) -> str:
    """What to trust instead of a session."""
    sso = _SSO_ROLE.fullmatch(name)
    role = f"arn:{partition}:iam::{account_id}:role"
    if not sso:
        return f"Trust the role: {role}/{name} (with its path, if it has one)."
    return (
        f"Trust the role with its path, which 'aws iam get-role --role-name {name}' shows "
        f"({role}/{_SSO_PATH}/REGION/{name}, without REGION where IAM Identity Center is in us-east-1). Or trust the "
        "permission set in every region with trusted_principal_patterns: "
        f"{role}/{_SSO_PATH}*/AWSReservedSSO_{sso.group(1)}_{'?' * 16}"
    )


def check_patterns(option: str, texts: Sequence[str], partition: str) -> tuple[str, ...]:
    """ARN patterns of roles and users, each in one account: ``arn:aws:iam::ACCOUNT:role/...``.

    :raises InvalidInput: anything else, or one that also matches other permission sets of IAM Identity Center.
    """
    for text in texts:
        found = _PATTERN.fullmatch(text)
        if not found:
            raise InvalidInput(
                option,
                f"'{text}' is not an ARN pattern of the form arn:{partition}:iam::ACCOUNT:role/NAME with '*' and '?' "
                "in the name only. For a whole account use trusted_principals.",
            )
        if found.group(1) != partition:
            raise InvalidInput(option, f"'{text}' is in another partition than the region ({partition}).")
        loose = re.fullmatch(r".*AWSReservedSSO_([^*?]+)_\*", text)
        if loose:
            exact = f"{text.removesuffix('*')}{'?' * 16}"
            raise InvalidInput(
                option,
                f"'{text}' also matches every permission set whose name begins with '{loose.group(1)}_'. Write {exact}",
            )
    return tuple(dict.fromkeys(texts))


def accounts_of(patterns: Iterable[str]) -> tuple[str, ...]:
    """The roots of the accounts that ARN patterns name."""
    roots = (f"{':'.join(pattern.split(':')[:5])}:root" for pattern in patterns)
    return tuple(dict.fromkeys(roots))


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
                resource=SAML_PROVIDER,
                example="saml-provider/NAME",
                partition=partition,
            )
        )
        for arn in arns
    )


def check_audiences(option: str, addresses: Sequence[str], partition: str) -> tuple[str, ...]:
    """Sign-in addresses of AWS, as identity providers send users to them.

    :raises InvalidInput: not such an address of this partition, or none.
    """
    host = sign_in_host(partition)
    for address in addresses:
        if not re.fullmatch(rf"https://(?:[a-z0-9-]+\.)?{re.escape(host)}/saml(?:/acs/[\w-]+)?", address, re.ASCII):
            raise InvalidInput(
                option,
                f"'{address}' is not a sign-in address of AWS, such as https://{host}/saml or "
                f"https://REGION.{host}/saml. It is the Recipient in the SAML response.",
            )
    return tuple(dict.fromkeys(addresses))
