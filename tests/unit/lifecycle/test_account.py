# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading an account page by page, with botocore's own check of what is sent."""

from __future__ import annotations

import json
import urllib.parse
from datetime import UTC, datetime
from typing import Any

import boto3
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.account import read_many_parameters, read_roles
from botocore.stub import Stubber

KEYS = {"region_name": "us-west-2", "aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
TRUST = {"Version": "2012-10-17", "Statement": []}
USED = datetime(2026, 11, 1, tzinfo=UTC)


def described(name: str, **more: Any) -> dict[str, Any]:
    return {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROAEXAMPLEEXAMPLEEX",
        "Arn": f"arn:aws:iam::123456789012:role/{name}",
        "CreateDate": USED,
        "AssumeRolePolicyDocument": urllib.parse.quote(json.dumps(TRUST)),
        **more,
    }


def test_pages_are_followed_and_both_listings_joined() -> None:
    # One client a listing: the two run side by side, and a stub answers in order.
    details, listed = boto3.client("iam", **KEYS), boto3.client("iam", **KEYS)

    class Both:
        meta = details.meta

        @staticmethod
        def get_paginator(operation: str) -> Any:
            return (listed if operation == "list_roles" else details).get_paginator(operation)

    inline = [{"PolicyName": "venue-access", "PolicyDocument": urllib.parse.quote(json.dumps(TRUST))}]
    one = described("one", RolePolicyList=inline, RoleLastUsed={"LastUsedDate": USED, "Region": "us-west-2"})
    with Stubber(details) as first, Stubber(listed) as second:
        arguments = {"MaxItems": 1000, "Filter": ["Role"]}
        first.add_response(
            "get_account_authorization_details",
            {"RoleDetailList": [one], "IsTruncated": True, "Marker": "next"},
            arguments,
        )
        first.add_response(
            "get_account_authorization_details",
            {"RoleDetailList": [described("two")], "IsTruncated": False},
            {**arguments, "Marker": "next"},
        )
        roles = {
            "Roles": [described("one", Description="d", MaxSessionDuration=7200), described("two")],
            "IsTruncated": False,
        }
        second.add_response("list_roles", roles, {"MaxItems": 1000})
        found = read_roles(Both)
        first.assert_no_pending_responses()
    assert [seen.role.name for seen in found] == ["one", "two"]
    assert (
        found[0].role.description,
        found[0].role.max_session_duration,
        found[0].last_used,
        found[0].last_used_region,
    ) == ("d", 7200, USED, "us-west-2")
    assert found[0].inline == {"venue-access": TRUST}


def test_parameters_are_read_ten_a_call_and_each_once() -> None:
    ssm = boto3.client("ssm", **KEYS)
    asked: list[list[str]] = []

    def answer(params: dict[str, Any], **_more: Any) -> None:
        asked.append(params["Names"])

    ssm.meta.events.register("provide-client-params.ssm.GetParameters", answer)
    with Stubber(ssm) as stub:
        for _page in range(3):
            stub.add_response("get_parameters", {"Parameters": []})
        parts = [
            names for names, _found in read_many_parameters(ssm, [f"/p/{number}" for number in range(25)] + ["/p/0"])
        ]
    assert sorted(map(len, asked)) == [5, 10, 10]
    assert sorted(name for names in asked for name in names) == sorted({f"/p/{number}" for number in range(25)})
    assert [name for names in parts for name in names] == [f"/p/{number}" for number in range(25)], (
        "in order, as whoever waits for them expects"
    )
