# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""OpenID Connect: which web identity tokens a venue's role accepts, and the statements that say so.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .arns import iam_arn
from .errors import InvalidInput
from .patterns import WILDCARDS, has_wildcard, matches
from .trust_reader import WEB_IDENTITY

OPTION = "oidc_providers"
MOST_AUDIENCES = 100  # of an IAM OIDC provider
LONGEST_CLAIM = 255  # characters of an audience or issuer, by IAM
GITHUB = "token.actions.githubusercontent.com"
_ARN = iam_arn(r"oidc-provider/(\S+)")
_ISSUER = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?:/[\w.~/-]*)?", re.ASCII)
_CLAIM = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")


class Shared(NamedTuple):
    """What a subject must begin with at an issuer where anybody can get a token: whose token it is.

    :param tenant: a regular expression; no wildcard may stand in what it matches.
    :param example: how the message shows it.
    """

    tenant: re.Pattern[str]
    example: str


def _shared(tenant: str, example: str) -> Shared:
    return Shared(re.compile(tenant, re.ASCII), example)


# The subjects of these say nothing of a tenant, or in forms that are not known here. So they are named one by one: the
# rest of IAM's list, and public logins.
_MICROSOFT_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant of personal accounts
EXACT_ISSUERS = (
    "oidc-configuration.audit-log.githubusercontent.com",
    "vstoken.actions.githubusercontent.com",
    "studio.datachain.ai/api",
    "sandboxes.cloud",
    "tokens.cloud.shisho.dev",
    "sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d",  # Azure Sentinel
    "oidc.op1.openshiftapps.com/2f785sojlpb85i7402pk3qogugim5nfb",  # this and the next five: IBM Turbonomic
    "oidc.op1.openshiftapps.com/2c51blsaqa9gkjt0o9rt11mle8mmropu",
    "rh-oidc.s3.us-east-1.amazonaws.com/22ejnvnnturfmt6km08idd0nt4hekbn7",
    "rh-oidc.s3.us-east-1.amazonaws.com/23e3sd27sju1hoou6ohfs68vbno607tr",
    "rh-oidc.s3.us-east-1.amazonaws.com/23ne21h005qjl3n33d8dui5dlrmv2tmg",
    "rh-oidc.s3.us-east-1.amazonaws.com/24jrf12m5dj7ljlfb4ta2frhrcoadm26",
    *(f"login.microsoftonline.com/{one}" for one in ("common", "organizations", "consumers", _MICROSOFT_ACCOUNTS)),
    f"sts.windows.net/{_MICROSOFT_ACCOUNTS}",
    "login.live.com",
    "www.facebook.com",
    "graph.facebook.com",
    "www.amazon.com",
    "appleid.apple.com",
    "www.linkedin.com/oauth",
    "api.login.yahoo.com",
    "slack.com",
    "huggingface.co",
    "oauth2.sigstore.dev/auth",
    "orcid.org",
    "cilogon.org",
    "auth.globus.org",
    "urs.earthdata.nasa.gov",
)
# Issuers that give everybody who registers a token. IAM itself refuses trust policies without the tenant for most of
# them: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc_secure-by-default.html
# GitHub sends the second form of repositories that were created, renamed or moved after 15 July 2026:
# https://docs.github.com/en/actions/reference/security/oidc
SHARED_ISSUERS = {
    GITHUB: _shared(
        r"repo:[\w.-]+/[\w.-]+:.|repo:[\w.-]+@\d+/[\w.-]+@\d+:.|repository_id:\d+:.",
        "repo:OWNER/REPOSITORY:ref:refs/heads/main, or of a repository created, renamed or moved after 15 July 2026 "
        "repo:OWNER@ID/REPOSITORY@ID:ref:refs/heads/main",
    ),
    "gitlab.com": _shared(r"project_path:[\w.-]+/[\w./-]+:.", "project_path:GROUP/PROJECT:ref_type:branch:ref:main"),
    "app.terraform.io": _shared(r"organization:[\w-]+:project:.", "organization:NAME:project:NAME:workspace:NAME:*"),
    "agent.buildkite.com": _shared(r"organization:[\w-]+:pipeline:.", "organization:NAME:pipeline:NAME:*"),
    "oidc.codefresh.io": _shared(r"account:[\w-]+:pipeline:.", "account:ID:pipeline:ID:*"),
    "scalr.io": _shared(r"account:[\w-]+:environment:.", "account:NAME:environment:NAME:workspace:NAME"),
    "proidc.upbound.io": _shared(r"mcp:[\w-]+/[\w-]+:.", "mcp:ORGANIZATION/NAME:provider:NAME"),
    "oidc.circleci.com": _shared(r"org/[0-9a-f-]{36}/project/[0-9a-f-]{36}/.", "org/ID/project/ID/user/*"),
    "oidc.vercel.com": _shared(r"owner:[\w-]+:project:[\w-]+:.", "owner:TEAM:project:NAME:environment:production"),
    "api.pulumi.com/oidc": _shared(r"pulumi:[a-z]+:org:[\w-]+:.", "pulumi:deploy:org:NAME:project:NAME:*"),
    "accounts.google.com": _shared(r"\d{10,}$", "the numeric id of the account"),
    **dict.fromkeys(EXACT_ISSUERS, _shared(r"[^*?]+$", "the whole subject of one user or job, without a wildcard")),
}
_IDENTITY_POOLS = "cognito-identity.amazonaws.com"


class OidcProvider(NamedTuple):
    """An identity provider that a role trusts.

    :param issuer: without ``https://``, as IAM's condition keys and ARNs have it.
    :param account_id: of the IAM provider; '' for the account of the role.
    :param audiences: of which a token must have one.
    :param subjects: of which a token must have one; ``*`` and ``?`` are wildcards. Empty for any subject.
    :param create: whether the IAM provider is created, and audiences are added to it.
    """

    issuer: str
    account_id: str
    audiences: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    create: bool = False

    def arn(self, partition: str) -> str:
        """The ARN of the IAM provider, once its account is known."""
        return f"arn:{partition}:iam::{self.account_id}:oidc-provider/{self.issuer}"

    def in_account(self, account_id: str) -> OidcProvider:
        """The same provider, in the account of the role.

        :raises InvalidInput: its ARN names another account, whose providers no role here can trust.
        """
        if self.account_id not in ("", account_id):
            raise InvalidInput(
                OPTION,
                f"the provider of {self.issuer} is in account {self.account_id}, but the role is in {account_id}. A "
                "role can only trust providers of its own account.",
            )
        return self._replace(account_id=account_id)

    def accepts(self, subject: str) -> bool:
        """Whether a token of a subject is accepted."""
        return not self.subjects or any(matches(pattern, subject) for pattern in self.subjects)

    def statement(self, number: int, partition: str) -> dict[str, Any]:
        """The statement of the trust policy that lets its tokens in.

        :param number: its place among those of the policy, from 1.
        """
        return {
            "Sid": f"AssumeWithWebIdentity{number}",
            "Effect": "Allow",
            "Principal": {"Federated": self.arn(partition)},
            "Action": [WEB_IDENTITY, "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": self._conditions(),
        }

    def _conditions(self) -> dict[str, Any]:
        conditions: dict[str, Any] = {"StringEquals": {f"{self.issuer}:aud": list(self.audiences)}}
        exact = [one for one in self.subjects if not has_wildcard(one)]
        if self.subjects and len(exact) == len(self.subjects):
            conditions["StringEquals"][f"{self.issuer}:sub"] = exact
        elif self.subjects:
            conditions["StringLike"] = {f"{self.issuer}:sub": list(self.subjects)}
        return conditions

    def notes(self) -> Iterator[str]:
        """What the admin should know about it, one sentence each."""
        if not self.subjects:
            yield (
                f"{OPTION}: every user of {self.issuer} who gets a token for {', '.join(self.audiences)} can assume "
                "the role (any_subject). Use this only for an app client that nobody but the venue's users can use."
            )
        for one in self.subjects if self.issuer == GITHUB else ():
            if re.fullmatch(r"repo:[^:]+:\*+", one):
                yield f"{OPTION}: '{one}' accepts every branch, tag and pull request of the repository."


def read_issuer(text: str) -> str:
    """An issuer as the ``iss`` claim has it, without ``https://``.

    :raises ValueError: not an https address that IAM accepts.
    """
    scheme, found, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    issuer = f"{host.lower()}{slash}{path}"
    if scheme.lower() != "https" or not found or len(text) > LONGEST_CLAIM or not _ISSUER.fullmatch(issuer):
        raise ValueError("not an issuer")
    return issuer


def check_providers(given: Sequence[Mapping[str, Any]], partition: str) -> tuple[OidcProvider, ...]:
    """The option ``oidc_providers``.

    :raises InvalidInput: a provider, audience or subject that cannot be right, or that lets in too many.
    """
    checked = tuple(_check_provider(one, partition) for one in given)
    issuers = [one.issuer for one in checked]
    twice = sorted({one for one in issuers if issuers.count(one) > 1})
    if twice:
        raise InvalidInput(OPTION, f"contains {twice[0]} twice. Put its audiences and subjects into one item.")
    return checked


def _check_provider(given: Mapping[str, Any], partition: str) -> OidcProvider:
    account, issuer = _read_provider(given["provider"], partition)
    audiences = _claims("audiences", issuer, given["audiences"])
    if any(has_wildcard(one) for one in audiences) or len(audiences) > MOST_AUDIENCES:
        raise InvalidInput(
            OPTION, f"audiences of {issuer} must be at most {MOST_AUDIENCES} exact texts, without '*' and '?'."
        )
    any_subject = bool(given.get("any_subject"))
    if any_subject == bool(given.get("subjects")):
        raise InvalidInput(
            OPTION,
            f"{issuer} needs subjects, the 'sub' claims that may assume the role, or any_subject: true for all of "
            "them. Set exactly one of them.",
        )
    subjects = _check_subjects(issuer, _claims("subjects", issuer, given.get("subjects") or ()))
    return OidcProvider(issuer, account, audiences, subjects, bool(given.get("create")))


def _read_provider(text: str, partition: str) -> tuple[str, str]:
    """The account and the issuer that an ARN or an address names; no account for an address."""
    arn = _ARN.fullmatch(text)
    if arn and arn.group(1) != partition:
        raise InvalidInput(OPTION, f"'{text}' is in partition {arn.group(1)}, but the region is in {partition}.")
    try:
        issuer = read_issuer(f"https://{arn.group(3)}" if arn else text)
    except ValueError:
        raise InvalidInput(
            OPTION,
            f"'{text}' is neither the address of an issuer (https://HOST/PATH, without port, query and fragment) nor "
            f"the ARN of an OIDC provider (arn:{partition}:iam::ACCOUNT:oidc-provider/HOST/PATH).",
        ) from None
    if issuer == _IDENTITY_POOLS:
        raise InvalidInput(
            OPTION,
            "Cognito identity pools are not supported. Specify the issuer of the user pool: "
            "https://cognito-idp.REGION.amazonaws.com/POOL.",
        )
    return (arn.group(2) if arn else ""), issuer


def _claims(what: str, issuer: str, texts: Sequence[Any]) -> tuple[str, ...]:
    for text in texts:
        if not isinstance(text, str) or len(text) > LONGEST_CLAIM or not _CLAIM.fullmatch(text) or "${" in text:
            raise InvalidInput(
                OPTION,
                f"{what} of {issuer} must be texts of 1 to {LONGEST_CLAIM} printable ASCII characters, without "
                "policy variables.",
            )
    if not texts and what == "audiences":
        raise InvalidInput(OPTION, f"{issuer} needs audiences: the 'aud' claims that its tokens have for this venue.")
    return tuple(dict.fromkeys(texts))


def _check_subjects(issuer: str, subjects: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse subjects that match tokens of other owners.

    :raises InvalidInput: as said.
    """
    shared = shared_issuer(issuer)
    if shared and not subjects:
        raise InvalidInput(
            OPTION,
            f"any_subject is refused for {issuer}: anyone can get a token there. Give subjects, such as "
            f"{shared.example}.",
        )
    for one in subjects:
        literal = WILDCARDS.split(one, maxsplit=1)[0]
        if not literal:
            raise InvalidInput(
                OPTION,
                f"the subject '{one}' of {issuer} begins with a wildcard, which accepts too many. Name the subject in "
                "full.",
            )
        if shared and not _names_tenant(shared, one, literal):
            raise InvalidInput(
                OPTION,
                f"the subject '{one}' of {issuer} matches subjects of other owners: anyone can get a token there, and "
                f"{_why_undecided(one)}. Write it like {shared.example}.",
            )
    return subjects


def _why_undecided(subject: str) -> str:
    if has_wildcard(subject):
        return "a wildcard comes before the part that identifies the owner of the token"
    return "it does not identify the owner of the token"


def _names_tenant(shared: Shared, subject: str, literal: str) -> bool:
    """Whether the part of a subject without wildcards says whose tokens they are.

    The tenant ends with one character of what follows it, which may be the first wildcard.
    """
    return bool(shared.tenant.match(literal if literal == subject else f"{literal}*"))


def shared_issuer(issuer: str) -> Shared | None:
    """What a subject must look like at an issuer where anybody can get a token; None for any other issuer."""
    return next((rule for host, rule in SHARED_ISSUERS.items() if f"{issuer}/".startswith(f"{host}/")), None)
