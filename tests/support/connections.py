# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connections to an emulator of AWS, with keys as STS's answer has them."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

REGION = "us-west-2"


def connection(url: str, keys: dict[str, str]) -> dict[str, Any]:
    """The connection options for a server and keys as STS's answer has them."""
    options = {
        "endpoint_url": url,
        "region": REGION,
        "access_key": keys["AccessKeyId"],
        "secret_key": keys["SecretAccessKey"],
    }
    return options | ({"session_token": keys["SessionToken"]} if keys.get("SessionToken") else {})


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
