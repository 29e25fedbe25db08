# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which external ID a venue shall have: every meeting of parameter, trust policy and wish."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ExternalIdMismatch, InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.external_id import (
    ExternalIds,
    Request,
    agree,
    parameter_first,
    replaced_at,
    retired,
    settle,
)

NONE = ExternalIds("")


@pytest.mark.parametrize(
    ("parameter", "trusted", "wish", "settled"),
    [
        # Nothing there: a new one, or the one given.
        ("", NONE, Request(), ExternalIds("new")),
        ("", NONE, Request(given="mine"), ExternalIds("mine")),
        ("", NONE, Request(rotate=True), ExternalIds("new")),
        # One of the two is there: it is kept, whatever the order in which the other was lost.
        ("a", NONE, Request(), ExternalIds("a")),
        ("", ExternalIds("a"), Request(), ExternalIds("a")),
        ("", ExternalIds("a", "z"), Request(), ExternalIds("a", "z")),
        # Both agree.
        ("a", ExternalIds("a"), Request(), ExternalIds("a")),
        ("a", ExternalIds("a", "z"), Request(), ExternalIds("a", "z")),
        ("a", ExternalIds("a"), Request(given="a"), ExternalIds("a")),
        ("a", ExternalIds("a", "z"), Request(given="a"), ExternalIds("a", "z")),
        # A value given replaces what is there, at once: the previous one does not stay.
        ("a", ExternalIds("a"), Request(given="mine"), ExternalIds("mine")),
        ("a", ExternalIds("b", "z"), Request(given="mine"), ExternalIds("mine")),
        ("a", ExternalIds("b"), Request(given="a"), ExternalIds("a")),
        # They differ, and the admin says which wins.
        ("a", ExternalIds("b", "z"), Request(on_conflict="use_parameter"), ExternalIds("a", "z")),
        ("a", ExternalIds("b", "z"), Request(on_conflict="use_trust_policy"), ExternalIds("b", "z")),
        # Rotation: new beside old, then the old alone goes.
        ("a", ExternalIds("a"), Request(rotate=True), ExternalIds("new", "a")),
        ("a", ExternalIds("a"), Request(rotate=True, given="mine"), ExternalIds("mine", "a")),
        ("a", ExternalIds("a", "z"), Request(rotate=True), ExternalIds("a")),
        ("", ExternalIds("a"), Request(rotate=True), ExternalIds("new", "a")),
        # A rotation that died between trust policy and parameter is finished, and not begun a second time.
        ("a", ExternalIds("new1", "a"), Request(rotate=True), ExternalIds("new1", "a")),
        ("a", ExternalIds("new1", "a"), Request(), ExternalIds("new1", "a")),
        # Retiring.
        ("a", ExternalIds("a", "z"), Request(retire=True), ExternalIds("a")),
        ("a", ExternalIds("a"), Request(retire=True), ExternalIds("a")),
        ("a", ExternalIds("new1", "a"), Request(retire=True), ExternalIds("new1")),
    ],
)
def test_settle(parameter: str, trusted: ExternalIds, wish: Request, settled: ExternalIds) -> None:
    assert settle(parameter, trusted, wish, "new") == settled


def test_unequal_ids_are_a_named_error_without_a_value_in_it() -> None:
    with pytest.raises(ExternalIdMismatch) as caught:
        settle("secret-of-ssm", ExternalIds("secret-of-trust"), Request(), "secret-candidate")
    assert "on_external_id_conflict" in caught.value.message
    assert "secret" not in str(caught.value.to_result())
    assert caught.value.facts == {"places": ["parameter", "trust_policy"]}


def test_rotating_to_the_value_in_use_is_refused_without_a_value_in_the_message() -> None:
    with pytest.raises(InvalidInput, match="external_id: is the value in use") as caught:
        settle("secret", ExternalIds("secret"), Request(given="secret", rotate=True), "new")
    assert "secret" not in caught.value.message


def test_the_second_run_of_a_rotation_with_a_given_value_retires_the_old() -> None:
    assert settle("mine", ExternalIds("mine", "old"), Request(given="mine", rotate=True), "new") == ExternalIds("mine")


@pytest.mark.parametrize(
    ("parameter", "trusted", "settled", "first"),
    [
        ("", NONE, ExternalIds("new"), True),  # fresh: the parameter decides races
        ("a", NONE, ExternalIds("a"), True),
        ("", ExternalIds("a"), ExternalIds("a"), True),
        ("a", ExternalIds("new1", "a"), ExternalIds("new1", "a"), True),  # the role accepts the new one already
        ("a", ExternalIds("a"), ExternalIds("new", "a"), False),  # rotation: the role must accept it first
        ("a", ExternalIds("b"), ExternalIds("a"), False),
    ],
)
def test_ssm_never_holds_what_the_role_does_not_accept(
    parameter: str, trusted: ExternalIds, settled: ExternalIds, first: bool
) -> None:
    assert parameter_first(parameter, trusted, settled) is first


@pytest.mark.parametrize("trusted", [ExternalIds("a"), ExternalIds("a", "z"), ExternalIds("new1", "a")])
@pytest.mark.parametrize("requester", ["", "a"])
def test_agreement_says_nothing(trusted: ExternalIds, requester: str) -> None:
    assert agree("a", trusted, requester, "lately") == ""


def test_a_requester_with_the_previous_id_is_served_with_a_warning() -> None:
    warning = agree("a", ExternalIds("a", "old"), "old", "on 2026-11-22T00:00:00Z")
    assert (
        warning
        == "The requester sent the previous external ID; it was rotated on 2026-11-22T00:00:00Z and will be retired. Give them the new one."
    )


@pytest.mark.parametrize(
    ("parameter", "trusted", "requester", "places"),
    [
        ("secret1", ExternalIds("secret2"), "", ["parameter", "trust_policy"]),
        ("secret1", ExternalIds("secret2"), "secret1", ["parameter", "trust_policy"]),
        ("secret1", NONE, "", ["parameter", "trust_policy"]),
        ("secret1", ExternalIds("secret1", "secret0"), "secret3", ["requester", "parameter"]),
    ],
)
def test_any_two_that_differ_stop_the_token_and_no_value_is_named(
    parameter: str, trusted: ExternalIds, requester: str, places: list[str]
) -> None:
    with pytest.raises(ExternalIdMismatch) as caught:
        agree(parameter, trusted, requester, "lately")
    assert caught.value.facts == {"places": places}
    assert "No token was issued" in caught.value.message
    assert "secret" not in caught.value.message


HISTORY = [("first", "May"), ("first", "June"), ("second", "July"), ("first", "August"), ("third", "September")]


@pytest.mark.parametrize(
    ("requester", "at"), [("first", "September"), ("second", "August"), ("third", ""), ("never", "")]
)
def test_when_an_external_id_was_last_replaced(requester: str, at: str) -> None:
    assert replaced_at(HISTORY, requester) == at
    assert replaced_at(HISTORY[:1], requester) == replaced_at([], requester) == ""


def test_a_retired_id_is_refused_with_the_day_it_was_rotated() -> None:
    error = retired("2026-11-22T00:00:00Z")
    assert error.facts == {"places": ["requester", "parameter"], "rotated_at": "2026-11-22T00:00:00Z"}
    assert "until it was rotated on 2026-11-22T00:00:00Z" in error.message
