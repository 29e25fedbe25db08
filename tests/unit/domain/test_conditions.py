# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Conditions of policies: what is certain, and how far a wildcard reaches."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.conditions import Context, is_met


@pytest.mark.parametrize(
    ("wanted", "value", "met"),
    [
        ("arn:aws:s3:::*", "arn:aws:s3:::a", True),
        ("arn:*:s3:::a", "arn:aws:s3:::a", True),
        ("arn:*:::a", "arn:aws:s3:::a", False),  # a wildcard reaches across none of the first five colons
        ("arn:aws:iam::123456789012:*", "arn:aws:iam::123456789012:role/a:b", True),
        ("arn:aws:iam::*:role/a", "arn:aws:iam::123456789012:role/x:role/a", False),
        ("arn:aws:logs:r:1:?roup:name", "arn:aws:logs:r:1:group:name", True),
        ("arn:aws:logs:r:1?group", "arn:aws:logs:r:1:group", False),
    ],
)
def test_a_wildcard_stays_in_its_part_of_an_arn(wanted: str, value: str, met: bool) -> None:
    context = Context({"aws:sourcearn": value})
    assert is_met({"ArnLike": {"aws:SourceArn": wanted}}, context) is met


@pytest.mark.parametrize(
    ("wanted", "value", "met"),
    [
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("${aws:userid}x", "ax", None),
        ("${aws:userid}x", "ay", False),
        ("${aws:userid}${*}", "a*", None),  # the first variable may be any text, whatever follows
        ("${*}${aws:userid}", "*a", None),
        ("${*}${?}", "*?", True),
    ],
)
def test_a_variable_makes_a_match_uncertain_and_a_written_out_character_does_not(
    wanted: str, value: str, met: bool | None
) -> None:
    assert is_met({"StringEquals": {"aws:RequestTag/a": wanted}}, Context({"aws:requesttag/a": value})) is met
