# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run an operation as both front ends do, without Ansible around it."""

from __future__ import annotations

from typing import Any

import boto3
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import (
    incident_info,
    revocation,
    role,
    role_info,
    session_info,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import issuing, leasing, renewing
from botocore.config import Config

REGION = "us-west-2"
OPERATIONS = {
    "role": role.OPERATION,
    "role_info": role_info.OPERATION,
    "session_info": session_info.OPERATION,
    "token": issuing.OPERATION,
    "revocation": revocation.OPERATION,
    "lease": leasing.OPERATION,
    "renewal": renewing.OPERATION,
    "incident_info": incident_info.OPERATION,
}


def validated(operation: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options as an operation gets them: with defaults, fallbacks and types."""
    spec = {**aws_argument_spec(), **OPERATIONS[operation].argument_spec}
    checked = ArgumentSpecValidator(spec, **OPERATIONS[operation].constraints).validate(options)
    if checked.error_messages:
        raise ValueError(checked.error_messages[0])
    return dict(checked.validated_parameters)


def connection(url: str, keys: dict[str, str]) -> dict[str, Any]:
    """The connection options for a server and keys as STS's answer has them."""
    options = {
        "endpoint_url": url,
        "region": REGION,
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
    }
    return options | ({"session_token": keys["SessionToken"]} if keys.get("SessionToken") else {})


def run(operation: str, options: dict[str, Any], **runtime: Any) -> tuple[bool, dict[str, Any]]:
    """(True, result) or (False, failure) of an operation."""
    return OPERATIONS[operation].run(validated(operation, options), Runtime(**runtime))


def client(service: str, url: str, keys: dict[str, str], **config: Any) -> Any:
    """A boto3 client that neither retries nor checks parameters: what the server says counts."""
    settings = {
        "retries": {"total_max_attempts": 1},
        "parameter_validation": False,
        "max_pool_connections": 32,
        **config,
    }
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(**settings),
    )
