# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue's role and a parameter as AWS describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

POLICY_NAME = "venue-access"
INLINE_POLICY_LENGTH = 10240  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


@dataclass(frozen=True)
class Role:
    """A role as IAM describes it."""

    arn: str
    name: str
    role_id: str
    path: str
    trust: Mapping[str, Any] = field(repr=False)
    description: str = ""
    max_session_duration: int = 3600
    boundary: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter as SSM describes it."""

    value: str = field(repr=False)
    type: str = "String"
    version: int = 1
    modified: datetime | None = None
