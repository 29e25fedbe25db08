# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of ``venue_sts_role``, checked as far as possible without an AWS call."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .._aws.clients import Clients
from .._domain import oidc, permissions, trust
from .._domain.access import check_buckets, check_prefixes, check_repositories, foreign_patterns, own_namespaces
from .._domain.arns import NAME_CHARACTERS, POLICY, check_account_id, parse_arn
from .._domain.errors import InvalidInput
from .._domain.external_id import CONFLICT_CHOICES, ExternalIdRequest
from .._domain.names import (
    ParameterNames,
    Venue,
    check_external_id,
    check_path,
    check_range,
    chosen_role_name,
    make_venue,
    parameter_names,
)
from .._domain.published import CONFIRMABLE
from .._domain.tags import OWNERSHIP, check_tags, merged, tag_value
from ._oidc_options import OIDC_PROVIDERS
from ._operation import Params, Runtime, filled_in
from .accounts import check_expected_account
from .assumable import LONGEST_WAIT

ARGUMENT_SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "project": {"type": "str", "required": True},
    "venue": {"type": "str", "required": True},
    "name_prefix": {"type": "str", "default": "unity"},
    "role_name": {"type": "str"},
    "external_id_parameter": {"type": "str"},
    "bucket_parameter": {"type": "str"},
    "boundary_parameter": {"type": "str"},
    "path": {"type": "str", "default": "/"},
    "description": {"type": "str"},
    "tags": {"type": "dict", "default": {}, "aliases": ["resource_tags"]},
    "max_session_duration": {"type": "int", "default": 3600},
    "trusted_principals": {"type": "list", "elements": "str"},
    "trusted_principal_patterns": {"type": "list", "elements": "str"},
    "saml_provider_arns": {"type": "list", "elements": "str", "default": []},
    "saml_audiences": {"type": "list", "elements": "str"},
    "oidc_providers": {**OIDC_PROVIDERS, "default": []},
    "require_mfa": {"type": "bool", "default": False},
    "remove_foreign_statements": {"type": "bool", "default": False},
    "buckets": {"type": "list", "elements": "str"},
    "bucket_prefixes": {"type": "list", "elements": "str"},
    "allow_delete": {"type": "bool", "default": False},
    "kms_key_arns": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "bucket_account_id": {"type": "str"},
    "ecr_repositories": {"type": "list", "elements": "str"},
    "ecr_scope": {"type": "str", "choices": ["project", "venue"]},
    "permissions_boundary": {"type": "str"},
    "confirm_changes": {"type": "list", "elements": "str", "choices": list(CONFIRMABLE), "default": []},
    "preflight": {"type": "str", "choices": ["references", "simulate"], "default": "references"},
    "access_analyzer": {"type": "bool", "default": False},
    "external_id": {"type": "str", "no_log": True},
    "external_id_type": {"type": "str", "choices": ["String", "SecureString"]},
    "kms_key_id": {"type": "str", "no_log": False},
    "on_external_id_conflict": {"type": "str", "choices": list(CONFLICT_CHOICES), "default": "fail"},
    "rotate_external_id": {"type": "bool", "default": False},
    "retire_previous_external_id": {"type": "bool", "default": False},
    "adopt": {"type": "bool", "default": False},
    "expected_account_id": {"type": "str"},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
}
# What must not be empty. No identity provider, no key and no confirmation are less than one.
NARROWING = filled_in(
    ARGUMENT_SPEC,
    but=("description", "tags", "saml_provider_arns", "oidc_providers", "kms_key_arns", "confirm_changes"),
)


@dataclass(frozen=True)
class RoleOptions:
    """What the options say.

    :param trusted_principals: empty for the account of the caller.
    :param buckets: None for the published one.
    :param boundary: an ARN or a name; '' for none; None for the published one.
    :param grant: what the role allows; its buckets are those of the option.
    :param repository_source: the option that its repositories come from.
    :param confirmed: of ``CONFIRMABLE``.
    """

    state: str
    venue: Venue
    role_name: str
    parameters: ParameterNames
    path: str
    description: str
    tags: dict[str, str]
    max_session_duration: int
    trusted_principals: tuple[str, ...]
    patterns: tuple[str, ...]
    saml_providers: tuple[str, ...]
    saml_audiences: tuple[str, ...]
    oidc_providers: tuple[oidc.OidcProvider, ...]
    require_mfa: bool
    remove_foreign: bool
    buckets: tuple[str, ...] | None
    grant: permissions.Grant
    repository_source: str
    boundary: str | None
    confirmed: frozenset[str]
    simulate: bool
    analyze: bool
    external_id: ExternalIdRequest = field(repr=False)
    external_id_type: str
    kms_key_id: str
    adopt: bool
    expected_account_id: str
    wait: bool
    wait_timeout: int
    partition: str

    @property
    def present(self) -> bool:
        """Whether the role is wanted."""
        return self.state == "present"


def parse(params: Params, clients: Clients, runtime: Runtime) -> RoleOptions:
    """Check the options.

    :raises InvalidInput: an option cannot be right.
    """
    options = parse_role(params, clients.partition)
    for pattern in foreign_patterns(options.venue, options.grant.repositories):
        runtime.warn(
            f"ecr_repositories: '{pattern}' includes a namespace that does not belong to the venue. Tokens of "
            f"{options.venue} may create and overwrite every image there."
        )
    return options


def parse_role(params: Params, partition: str) -> RoleOptions:
    """Check the options.

    :param partition: the partition of the region in use.
    :raises InvalidInput: an option cannot be right.
    """
    venue = make_venue(params["project"], params["venue"])
    buckets = None if params["buckets"] is None else check_buckets("buckets", params["buckets"])
    return RoleOptions(
        state=params["state"],
        venue=venue,
        role_name=chosen_role_name(venue, params),
        parameters=parameter_names(venue, params),
        path=check_path(params["path"]),
        description=_check_description(
            params["description"] or f"Short-term access to the MDPS venue {venue}. Managed by mdps.venue_sts."
        ),
        tags=_check_role_tags(venue, params["tags"]),
        max_session_duration=check_range("max_session_duration", params["max_session_duration"], 3600, 43200),
        **_parse_trust(params, partition),
        buckets=buckets,
        **_parse_grant(params, venue, buckets or (), partition),
        boundary=check_boundary("permissions_boundary", params["permissions_boundary"], partition),
        confirmed=frozenset(params["confirm_changes"]),
        simulate=params["preflight"] == "simulate",
        analyze=params["access_analyzer"],
        external_id=_check_external_id_options(params),
        external_id_type=params["external_id_type"] or "",
        kms_key_id=params["kms_key_id"] or "",
        adopt=params["adopt"],
        expected_account_id=check_expected_account(params["expected_account_id"]),
        wait=params["wait"],
        wait_timeout=check_range("wait_timeout", params["wait_timeout"], 0, LONGEST_WAIT),
        partition=partition,
    )


def _parse_trust(params: Params, partition: str) -> dict[str, Any]:
    given, patterns = params["trusted_principals"], params["trusted_principal_patterns"]
    if given is not None and patterns is not None:
        raise InvalidInput(
            "trusted_principal_patterns", "cannot be combined with trusted_principals: add a pattern for each of them."
        )
    checked = () if patterns is None else trust.check_patterns("trusted_principal_patterns", patterns, partition)
    if given is not None:
        principals = trust.check_principals("trusted_principals", given, partition)
    else:
        principals = trust.accounts_of(checked)
    return {
        "trusted_principals": principals,
        "patterns": checked,
        **_parse_saml(params, partition),
        "oidc_providers": oidc.check_providers(params["oidc_providers"], partition),
        "require_mfa": params["require_mfa"],
        "remove_foreign": params["remove_foreign_statements"],
    }


def _parse_saml(params: Params, partition: str) -> dict[str, Any]:
    providers = trust.check_saml_providers(params["saml_provider_arns"], partition)
    if params["saml_audiences"] is not None and not providers:
        raise InvalidInput("saml_audiences", "has no meaning without saml_provider_arns.")
    audiences = trust.check_audiences("saml_audiences", params["saml_audiences"] or (), partition)
    return {"saml_providers": providers, "saml_audiences": audiences}


def _parse_grant(params: Params, venue: Venue, buckets: tuple[str, ...], partition: str) -> dict[str, Any]:
    owner = params["bucket_account_id"]
    repositories, source = _parse_repositories(params, venue)
    grant = permissions.Grant(
        buckets=buckets,
        repositories=repositories,
        bucket_prefixes=check_prefixes(params["bucket_prefixes"] or []),
        kms_keys=permissions.check_kms_keys(params["kms_key_arns"], partition),
        delete=params["allow_delete"],
        bucket_account="" if owner is None else check_account_id("bucket_account_id", owner),
    )
    return {"grant": grant, "repository_source": source}


def _parse_repositories(params: Params, venue: Venue) -> tuple[tuple[str, ...], str]:
    """The repositories of the role, and the option that they come from."""
    given, scope = params["ecr_repositories"], params["ecr_scope"]
    if given is None:
        project, own = own_namespaces(venue)
        return (f"{own if scope == 'venue' else project}*",), "ecr_scope"
    if scope is not None:
        raise InvalidInput("ecr_scope", "chooses a default that ecr_repositories replaces. Set only one of them.")
    return check_repositories(venue, given), "ecr_repositories"


def _check_description(text: str) -> str:
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    if len(text) > 1000 or not all(c in "\t\n\r" or " " <= c <= "~" or "¡" <= c <= "ÿ" for c in text):
        raise InvalidInput("description", "must be at most 1,000 characters of Latin-1 text.")
    return text


def _check_role_tags(venue: Venue, given: dict[str, Any]) -> dict[str, str]:
    own, wanted = venue.tags("role"), check_tags("tags", given)
    changed = [key for key in OWNERSHIP if tag_value(wanted, key) not in (None, own[key])]
    if changed:
        raise InvalidInput("tags", f"{changed[0]} identifies the owner of the role and cannot have another value.")
    return check_tags("tags", merged(own, {key: value for key, value in wanted.items() if not _owns(key)}))


def _owns(key: str) -> bool:
    return key.lower() in {one.lower() for one in OWNERSHIP}


def check_boundary(option: str, text: str | None, partition: str) -> str | None:
    """A boundary's ARN or name; '' for none; None if it is not given.

    :param option: the option or SSM parameter that names it.
    :raises InvalidInput: neither, or a policy of AWS itself.
    """
    if text is None:
        return None
    if text == "none":
        return ""
    if text.startswith("arn:"):
        shape = {"service": "iam", "resource": POLICY, "example": "policy/NAME"}
        arn = parse_arn(option, text, **shape, partition=partition)
        if arn.account_id == "aws":
            raise InvalidInput(
                option,
                f"'{text}' is an AWS managed policy, which AWS can change. Specify the boundary of your account, such "
                "as zsmce-tenantOperator-AMI-APIG.",
            )
        return str(arn)
    if not re.fullmatch(rf"[{NAME_CHARACTERS}]{{1,128}}", text):
        raise InvalidInput(option, f"'{text}' is neither the ARN nor the name of a managed policy, nor 'none'.")
    return text


def _check_external_id_options(params: Params) -> ExternalIdRequest:
    given = "" if params["external_id"] is None else check_external_id("external_id", params["external_id"])
    if params["kms_key_id"] and params["external_id_type"] == "String":
        raise InvalidInput(
            "kms_key_id", "encrypts a SecureString: set external_id_type to SecureString, or omit kms_key_id."
        )
    return ExternalIdRequest(
        given, params["on_external_id_conflict"], params["rotate_external_id"], params["retire_previous_external_id"]
    )
