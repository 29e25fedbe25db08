# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parameters that hold leases: listing, reading, writing. Nothing is decided here."""

from __future__ import annotations

from typing import Any

from .._domain.roles import Parameter
from .calls import call, damaged_answer, pages
from .venue_state import parameter_from


def read_below(ssm: Any, path: str) -> dict[str, Parameter]:
    """All parameters below a path, by name, ten a call (ssm:GetParametersByPath)."""
    purpose = f"read the leases below {path} in SSM"
    found: dict[str, Parameter] = {}
    for answer in pages(ssm, "get_parameters_by_path", purpose, Path=path, Recursive=True, MaxResults=10):
        if "Parameters" not in answer:  # botocore parses a truncated JSON response as an empty one
            raise damaged_answer(ssm, purpose)
        found |= {one["Name"]: parameter_from(one) for one in answer["Parameters"]}
    return found


def write(ssm: Any, name: str, value: str, purpose: str) -> int:
    """Write a parameter and return its version, which is 1 where there was none (ssm:PutParameter)."""
    answer = call(
        ssm,
        "put_parameter",
        purpose,
        Name=name,
        Value=value,
        Type="String",
        Tier="Intelligent-Tiering",  # a signature, or many folders, make a lease longer than a standard parameter
        Overwrite=True,
    )
    return int(answer["Version"])
