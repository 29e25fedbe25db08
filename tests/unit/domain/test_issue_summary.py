# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an admin reads after an issue."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.access_words import describe_access
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.issue_summary import summary

from tests.support import receipts

HANDOFF = {
    "channel": "file", "delivered": True, "target": "/lft/x.zip.age", "problem": None, "kept": None,
    "file": "x.zip.age", "sealed_with": "age", "sealed_to": ["age1abc"], "sealed_sha256": "0" * 64,
    "key_changed": False, "resent": False,
}  # fmt: skip


def result(user: str = "jdoe", **more: Any) -> dict[str, Any]:
    receipt = receipts.issued(user).with_handoff(HANDOFF, receipts.NOW)
    facts = {"delivered": True, "channel": "file", "target": "/lft/x.zip.age", "how_to_open": "age --decrypt x.zip.age"}
    return {**facts, "receipt": receipt.to_json(), **more}


def test_one_token_has_all_that_must_be_compared() -> None:
    assert summary([result()]) == [
        "Recipient:   jdoe, venue sbg-dev (account 123456789012, us-west-2)",
        "Allows:      read s3://sbg-dev-unity-data/incoming/; until 2026-11-22 10:30 UTC (60 minutes)",
        "Sealed to:   age1abc",
        f"SHA-256:     {'0' * 64}",
        "Delivered:   /lft/x.zip.age (file)",
        "To open:     age --decrypt x.zip.age",
    ]


def test_several_tokens_are_a_table_with_one_line_each() -> None:
    assert summary([result(), result("asmith")]) == [
        "PROJECT / VENUE  USER    ENDS (UTC)        WHERE IT IS",
        "sbg / dev        jdoe    2026-11-22 10:30  /lft/x.zip.age (file)",
        "sbg / dev        asmith  2026-11-22 10:30  /lft/x.zip.age (file)",
    ]


def test_the_lines_that_verify_a_signature_can_be_sent_along() -> None:
    signed = result(how_to_verify=["Once: save the key", "  mdps-admin ssh-ed25519 AAAA"])
    signed["receipt"]["handoff"]["signed_by"] = "SHA256:abc"
    lines = summary([signed])
    assert "Sealed to:   age1abc; signed by SHA256:abc" in lines
    assert lines[-2:] == ["To verify:   Once: save the key", "               mdps-admin ssh-ed25519 AAAA"]


def test_a_request_that_was_only_checked_says_so() -> None:
    checked = {"delivered": False, "recipient_keys": [{"fingerprint": "age1abc"}]}
    lines = summary([{**checked, "receipt": receipts.requested().to_json()}])
    assert "Status:      checked only (check mode)" in lines and "Sealed to:   age1abc" in lines
    assert "until 60 minutes after the issue" in lines[1]


def test_a_file_that_was_checked_to_be_sent_again_has_not_arrived() -> None:
    checked = {**result(delivered=False), "recipient_keys": []}
    for name in ("target", "how_to_open"):
        del checked[name]
    assert summary([checked])[-1] == "Status:      checked only (check mode)"
    assert summary([checked, checked])[-1].endswith("  checked only (check mode)")
    assert summary([{**checked, "kept": "/kept/x.zip.age"}])[-1].startswith("Kept in:     /lft/x.zip.age")


def test_a_file_that_is_sent_again_without_its_receipt_has_fewer_lines() -> None:
    sent = result()
    del sent["receipt"]
    assert summary([sent]) == ["Delivered:   /lft/x.zip.age (file)", "To open:     age --decrypt x.zip.age"]


@pytest.mark.parametrize(
    ("allows", "words"),
    [
        ({}, "at most read and write the venue's bucket; create, pull and push the venue's repositories"),
        ({"access": []}, "nothing"),
        ({"access": ["s3_read"], "buckets": ["b"]}, "read s3://b/"),
        ({"access": ["s3_write"], "buckets": ["b"], "bucket_prefixes": ["x", "y"]}, "write s3://b/x/, s3://b/y/"),
        (
            {"access": ["s3_read", "s3_write"], "buckets": ["b"], "delete": True, "list": True},
            "read, write and delete s3://b/",
        ),
        ({"access": ["s3_write"], "buckets": ["b"], "delete": False}, "write s3://b/"),
        ({"access": ["ecr_pull"], "ecr_repositories": ["sbg/*"]}, "pull the repositories sbg/*"),
        (
            {"access": ["s3_read", "ecr_create", "ecr_push"], "buckets": ["b"]},
            "read s3://b/; create and push the venue's repositories",
        ),
        (
            {"places": ["read,list b/in/", "read,write c/"], "repositories": ["create,pull sbg/*"]},
            "read s3://b/in/; read and write s3://c/; create and pull the repositories sbg/*",
        ),
        (
            {"access": ["s3_read"], "buckets": ["b"], "places": [], "repositories": [], "narrowed": True},
            "read s3://b/ (at most: a policy may refuse a part of it)",
        ),
    ],
)
def test_access_in_one_line(allows: dict[str, Any], words: str) -> None:
    assert describe_access(allows) == words
