# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must be refused is refused: each kind of token, and STS itself, against a server that enforces."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import matrix
import pytest
import venues
from botocore.exceptions import ClientError

from tests.support import connections, world


def allowed(call: Callable[[], Any], answers: tuple[str, ...] = ()) -> bool:
    """Whether a call was let through; any error that is neither a refusal nor expected fails the test."""
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in matrix.DENIALS:
            return False
        if code not in answers:
            raise
    return True


def test_every_token_may_do_what_the_table_says_and_nothing_else(
    home: world.Account, tokens: dict[str, venues.Token], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = matrix.expected("A")
    seen: dict[tuple[str, str], bool] = {}
    for name, token in tokens.items():
        client = functools.cache(functools.partial(venues.client, home, token))
        for label, call in matrix.CALLS.items():
            try:
                seen[label, name] = allowed(functools.partial(call.make, client, token.venue, name), call.answers)
            except ClientError as error:
                pytest.fail(f"{label} with the token {name}: {error}")
    with capsys.disabled():
        print(f"\n{matrix.printed(seen)}\n{len(seen)} cells, {sum(seen.values())} allowed")
    assert {cell: answer for cell, answer in seen.items() if answer != expected[cell]} == {}
    assert len(seen) >= 60


def _external_id(home: world.Account, project: str, venue: str) -> str:
    path = f"/unity/{project}/{venue}/cs/sts/role/external-id"
    return str(home.as_root("ssm").get_parameter(Name=path, WithDecryption=True)["Parameter"]["Value"])


def _assume(account: world.Account, keys: dict[str, str], role: str, **arguments: Any) -> dict[str, str]:
    """AssumeRole as anybody can ask for it, without the collection's own checks in front."""
    arn = f"arn:aws:iam::{world.HOME}:role/{role}"
    sts = connections.client("sts", account.url, keys)
    return dict(sts.assume_role(RoleArn=arn, RoleSessionName="door", **arguments)["Credentials"])


@pytest.fixture(scope="module")
def door(home: world.Account) -> dict[str, str]:
    """A venue of its own, whose external ID has been rotated twice: name -> external ID."""
    home.publish_venue("door", "dev")
    ids = {}
    for name, options in (("first", {}), ("second", {"rotate_external_id": True})):
        succeeded, result = home.run("role", project="door", venue="dev", **options)
        assert succeeded, result
        ids[name] = _external_id(home, "door", "dev")
    return ids


def test_the_door_opens_only_to_the_right_caller_with_the_right_external_id(
    home: world.Account, door: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    role, second = "unity-door-dev-sts", door["second"]
    stranger = world.make_account(home.url, world.OTHER)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    foreign = world.role_session(stranger, "foreign-admin", everything)
    powerless = world.role_session(
        home, "powerless", {**everything, "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    )
    cells = [
        ("the right external ID", True, home.admin, {"ExternalId": second}),
        (
            "with tags and source identity",
            True,
            home.admin,
            {"ExternalId": second, "Tags": [{"Key": "k", "Value": "v"}], "SourceIdentity": "jdoe"},
        ),
        ("the previous one, while rotation is under way", True, home.admin, {"ExternalId": door["first"]}),
        ("no external ID", False, home.admin, {}),
        ("a wrong one", False, home.admin, {"ExternalId": "0" * 40}),
        ("in capitals", False, home.admin, {"ExternalId": second.upper()}),
        ("with a space after it", False, home.admin, {"ExternalId": f"{second} "}),
        ("its first half", False, home.admin, {"ExternalId": second[:20]}),
        ("a pattern", False, home.admin, {"ExternalId": "*"}),
        ("an empty one", False, home.admin, {"ExternalId": ""}),
        ("another venue's external ID", False, home.admin, {"ExternalId": _external_id(home, "sbg", "dev")}),
        ("right, from an admin of another account", False, foreign, {"ExternalId": second}),
        ("right, from a role without sts:AssumeRole", False, powerless, {"ExternalId": second}),
    ]
    seen = [
        (label, allowed(functools.partial(_assume, home, keys, role, **extra)))
        for label, _expected, keys, extra in cells
    ]
    assert home.run("role", project="door", venue="dev", rotate_external_id=True)[0]
    after = [
        ("the old one, after rotation is over", False, door["first"]),
        ("the new one, after rotation is over", True, second),
    ]
    seen += [
        (label, allowed(functools.partial(_assume, home, home.admin, role, ExternalId=value)))
        for label, _expected, value in after
    ]
    with capsys.disabled():
        print("\n" + "\n".join(f"AssumeRole: {label:52} {'A' if answer else '-'}" for label, answer in seen))
    assert seen == [cell[:2] for cell in [*cells, *after]]


@pytest.mark.usefixtures("tokens")  # they provision the venue sbg-dev
def test_options_of_the_role_close_the_door(home: world.Account) -> None:
    for venue, options in (("mfa", {"require_mfa": True}), ("others", {"trusted_principals": [world.OTHER]})):
        home.publish_venue("shut", venue)
        succeeded, result = home.run("role", project="shut", venue=venue, wait=True, wait_timeout=0, **options)
        assert not succeeded and result["error"] == "NotAssumable", result
        right = _external_id(home, "shut", venue)
        assert not allowed(functools.partial(_assume, home, home.admin, f"unity-shut-{venue}-sts", ExternalId=right))


def test_dead_and_damaged_tokens_are_refused(home: world.Account) -> None:
    bucket = home.publish_venue("dead", "dev")
    assert home.run("role", project="dead", venue="dev")[0]
    right = {"ExternalId": _external_id(home, "dead", "dev")}
    keys = _assume(home, home.admin, "unity-dead-dev-sts", **right)
    expired = _assume(home, home.admin, "unity-dead-dev-sts", DurationSeconds=0, **right)
    damaged = {
        "wrong secret key": (keys | {"SecretAccessKey": "0" * 40}, "SignatureDoesNotMatch"),
        "no session token": (keys | {"SessionToken": ""}, "InvalidAccessKeyId"),
        "another's session token": (keys | {"SessionToken": expired["SessionToken"]}, "InvalidToken"),
        "unknown key id": (keys | {"AccessKeyId": "ASIAUNKNOWNUNKNOWN00"}, "InvalidAccessKeyId"),
        "expired": (expired, "ExpiredToken"),
    }
    for label, (wrong, code) in damaged.items():
        with pytest.raises(ClientError) as refused:
            connections.client("s3", home.url, wrong).list_objects_v2(Bucket=bucket)
        assert refused.value.response["Error"]["Code"] == code, label
    s3 = connections.client("s3", home.url, keys)
    s3.list_objects_v2(Bucket=bucket)
    assert home.run("role", project="dead", venue="dev", state="absent")[0]
    assert not allowed(functools.partial(s3.list_objects_v2, Bucket=bucket))
