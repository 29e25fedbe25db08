# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which external ID a venue has, for every combination of parameter, trust policy and request."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ExternalIdMismatch, InvalidInput
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.external_id import (
    ExternalIdRequest,
    ExternalIds,
    check_given,
    choose,
    common_external_id,
    parameter_first,
    replaced_at,
    retired,
    trusted_ids,
    weakness,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.trust_reader import TrustReading

NONE = ExternalIds("")


@pytest.mark.parametrize(
    ("parameter", "trusted", "asked", "chosen"),
    [
        # Nothing there: a new one, or the one given.
        ("", NONE, ExternalIdRequest(), ExternalIds("new")),
        ("", NONE, ExternalIdRequest(given="mine"), ExternalIds("mine")),
        ("", NONE, ExternalIdRequest(rotate=True), ExternalIds("new")),
        # One of the two is there: it is kept, whatever the order in which the other was lost.
        ("aa", NONE, ExternalIdRequest(), ExternalIds("aa")),
        ("", ExternalIds("aa"), ExternalIdRequest(), ExternalIds("aa")),
        ("", ExternalIds("aa", ("zz",)), ExternalIdRequest(), ExternalIds("aa", ("zz",))),
        # Both agree.
        ("aa", ExternalIds("aa"), ExternalIdRequest(), ExternalIds("aa")),
        ("aa", ExternalIds("aa", ("zz",)), ExternalIdRequest(), ExternalIds("aa", ("zz",))),
        ("aa", ExternalIds("aa"), ExternalIdRequest(given="aa"), ExternalIds("aa")),
        ("aa", ExternalIds("aa", ("zz",)), ExternalIdRequest(given="aa"), ExternalIds("aa", ("zz",))),
        # A value given replaces what is there, at once: the previous one does not stay.
        ("aa", ExternalIds("aa"), ExternalIdRequest(given="mine"), ExternalIds("mine")),
        ("aa", ExternalIds("bb", ("zz",)), ExternalIdRequest(given="mine"), ExternalIds("mine")),
        ("aa", ExternalIds("bb"), ExternalIdRequest(given="aa"), ExternalIds("aa")),
        # They differ, and the admin says which wins.
        ("aa", ExternalIds("bb", ("zz",)), ExternalIdRequest(on_conflict="use_parameter"), ExternalIds("aa", ("zz",))),
        (
            "aa",
            ExternalIds("bb", ("zz",)),
            ExternalIdRequest(on_conflict="use_trust_policy"),
            ExternalIds("bb", ("zz",)),
        ),
        # Rotation: new beside old, then the old alone goes.
        ("aa", ExternalIds("aa"), ExternalIdRequest(rotate=True), ExternalIds("new", ("aa",))),
        ("aa", ExternalIds("aa"), ExternalIdRequest(rotate=True, given="mine"), ExternalIds("mine", ("aa",))),
        ("aa", ExternalIds("aa", ("zz",)), ExternalIdRequest(rotate=True), ExternalIds("aa")),
        ("", ExternalIds("aa"), ExternalIdRequest(rotate=True), ExternalIds("new", ("aa",))),
        # A rotation that stopped between trust policy and parameter is finished, and not begun a second time.
        ("aa", ExternalIds("new1", ("aa",)), ExternalIdRequest(rotate=True), ExternalIds("new1", ("aa",))),
        ("aa", ExternalIds("new1", ("aa",)), ExternalIdRequest(), ExternalIds("new1", ("aa",))),
        # Retiring.
        ("aa", ExternalIds("aa", ("zz",)), ExternalIdRequest(retire=True), ExternalIds("aa")),
        ("aa", ExternalIds("aa"), ExternalIdRequest(retire=True), ExternalIds("aa")),
        ("aa", ExternalIds("new1", ("aa",)), ExternalIdRequest(retire=True), ExternalIds("new1")),
    ],
)
def test_choose(parameter: str, trusted: ExternalIds, asked: ExternalIdRequest, chosen: ExternalIds) -> None:
    assert choose(parameter, trusted, asked, "new") == chosen


def test_unequal_ids_are_a_named_error_without_a_value_in_it() -> None:
    with pytest.raises(ExternalIdMismatch) as caught:
        choose("secret-of-ssm", ExternalIds("secret-of-trust"), ExternalIdRequest(), "secret-candidate")
    assert "on_external_id_conflict" in caught.value.message
    assert "secret" not in str(caught.value.to_result())
    assert caught.value.facts == {"places": ["parameter", "trust_policy"]}


def test_rotating_to_the_value_in_use_is_refused_without_a_value_in_the_message() -> None:
    with pytest.raises(InvalidInput, match="external_id: is the value in use") as caught:
        choose("secret", ExternalIds("secret"), ExternalIdRequest(given="secret", rotate=True), "new")
    assert "secret" not in caught.value.message


def test_the_second_run_of_a_rotation_with_a_given_value_retires_the_old() -> None:
    assert choose(
        "mine", ExternalIds("mine", ("old",)), ExternalIdRequest(given="mine", rotate=True), "new"
    ) == ExternalIds("mine")


@pytest.mark.parametrize(
    ("parameter", "trusted", "chosen", "first"),
    [
        ("", NONE, ExternalIds("new"), True),  # fresh: the parameter decides races
        ("aa", NONE, ExternalIds("aa"), True),
        ("", ExternalIds("aa"), ExternalIds("aa"), True),
        (
            "aa",
            ExternalIds("new1", ("aa",)),
            ExternalIds("new1", ("aa",)),
            True,
        ),  # the role accepts the new one already
        ("aa", ExternalIds("aa"), ExternalIds("new", ("aa",)), False),  # rotation: the role must accept it first
        ("aa", ExternalIds("bb"), ExternalIds("aa"), False),
    ],
)
def test_ssm_never_holds_what_the_role_does_not_accept(
    parameter: str, trusted: ExternalIds, chosen: ExternalIds, first: bool
) -> None:
    assert parameter_first(parameter, trusted, chosen) is first


@pytest.mark.parametrize("accepted", [("aa",), ("aa", "zz"), ("new1", "aa")])
@pytest.mark.parametrize("requester", ["", "aa"])
def test_agreement_says_nothing(accepted: tuple[str, ...], requester: str) -> None:
    assert common_external_id("aa", accepted, requester, "lately") == ""


def test_a_requester_with_the_previous_id_is_served_with_a_warning() -> None:
    warning = common_external_id("aa", ("aa", "old"), "old", "on 2026-11-22T00:00:00Z")
    assert (
        warning
        == "The requester sent the previous external ID. It was rotated on 2026-11-22T00:00:00Z and will be retired. "
        "Give the requester the new one."
    )


@pytest.mark.parametrize(
    ("parameter", "accepted", "requester", "places"),
    [
        ("secret1", ("secret2",), "", ["parameter", "trust_policy"]),
        ("secret1", ("secret2",), "secret1", ["parameter", "trust_policy"]),
        ("secret1", (), "", ["parameter", "trust_policy"]),
        ("secret1", ("secret0", "secret1"), "secret3", ["requester", "parameter"]),
    ],
)
def test_any_two_that_differ_stop_the_token_and_no_value_is_named(
    parameter: str, accepted: tuple[str, ...], requester: str, places: list[str]
) -> None:
    with pytest.raises(ExternalIdMismatch) as caught:
        common_external_id(parameter, accepted, requester, "lately")
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


# What SSM or a trust policy holds is checked like an option.

UNUSABLE = ["x", "two words", "a-trailing-line-break\n", "x" * 1225, "é" * 20]


@pytest.mark.parametrize("value", UNUSABLE)
def test_a_value_in_ssm_that_sts_refuses_is_refused_and_not_shown(value: str) -> None:
    for attempt in (
        lambda: choose(value, NONE, ExternalIdRequest(), "new"),
        lambda: choose(value, ExternalIds("good-one"), ExternalIdRequest(), "new"),
        lambda: choose(value, NONE, ExternalIdRequest(retire=True), "new"),
        lambda: common_external_id(value, ("good-one", value), "", ""),
    ):
        with pytest.raises(ExternalIdMismatch, match="not an external ID that STS accepts") as caught:
            attempt()
        assert len(value) == 1 or value not in caught.value.message


@pytest.mark.parametrize("value", UNUSABLE)
def test_a_rotation_or_a_given_value_replaces_what_sts_refuses(value: str) -> None:
    assert choose(value, NONE, ExternalIdRequest(rotate=True), "new") == ExternalIds("new")
    assert choose(value, ExternalIds("good"), ExternalIdRequest(rotate=True), "new") == ExternalIds("new", ("good",))
    assert choose(value, ExternalIds("good"), ExternalIdRequest(given="mine"), "new") == ExternalIds("mine")


# Which one of several in the trust policy is the venue's.


@pytest.mark.parametrize(
    ("offered", "marked", "parameter", "trusted"),
    [
        ((), "", "aa", ExternalIds()),
        (("aa",), "", "", ExternalIds("aa")),
        (("aa",), "", "other", ExternalIds("aa")),
        (("aa", "bb"), "", "aa", ExternalIds("aa", ("bb",))),
        (("aa", "bb"), "", "bb", ExternalIds("bb", ("aa",))),
        (("aa", "bb"), "aa", "bb", ExternalIds("aa", ("bb",))),
        (("aa", "bb"), "bb", "", ExternalIds("bb", ("aa",))),
        (("aa", "bb", "cc"), "", "bb", ExternalIds("bb", ("aa", "cc"))),
    ],
)
def test_the_current_one_is_the_marked_one_that_of_ssm_or_the_only_one(
    offered: tuple[str, ...], marked: str, parameter: str, trusted: ExternalIds
) -> None:
    assert trusted_ids(TrustReading(offered=offered, current=marked), parameter) == trusted


@pytest.mark.parametrize("parameter", ["", "other"])
def test_where_nothing_says_which_one_it_is_nobody_guesses(parameter: str) -> None:
    with pytest.raises(ExternalIdMismatch, match="accepts 2 external IDs, and it is not known which") as caught:
        trusted_ids(TrustReading(offered=("secret1", "secret2")), parameter)
    assert "secret" not in caught.value.message


# Values that can be guessed.

NAMES = ("unity-sbg-dev-sts", "arn:aws:iam::123456789012:root")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("x" * 15, "has fewer than 16 characters"),
        ("unity-sbg-dev-sts", "is part of a name that others know"),
        ("UNITY-sbg-dev-st", "is part of a name that others know"),
        ("iam::123456789012", "is part of a name that others know"),
        ("unity-sbg-dev-sts-2026", "is a name that others know with fewer than 16 characters around it"),
        ("my-Unity-SBG-dev-STS-external-id", "is a name that others know with fewer than 16 characters around it"),
        ("unity-sbg-dev-sts-0123456789abcdef", ""),
        ("x" * 16, ""),
    ],
)
def test_weak_values(value: str, problem: str) -> None:
    assert weakness(value, NAMES) == problem


def test_a_weak_value_is_refused_for_a_new_one_and_kept_for_an_old_one() -> None:
    with pytest.raises(InvalidInput, match="external_id: has fewer than 16 characters, so it can be guessed") as caught:
        check_given(ExternalIdRequest(given="guess-me"), (), NAMES)
    assert "guess-me" not in caught.value.message
    check_given(ExternalIdRequest(given="guess-me"), ("guess-me",), NAMES)
    check_given(ExternalIdRequest(), (), NAMES)
