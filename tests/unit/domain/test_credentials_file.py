# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One profile changed, every other byte as it was; read back by the parser boto3 uses."""

from __future__ import annotations

import configparser

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.credentials_file import (
    MalformedFile,
    Mark,
    check_owner,
    check_result,
    read_profile,
    with_profile,
    without_profile,
)
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import OwnershipConflict
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from hypothesis import given, settings
from hypothesis import strategies as st

NAME = "123456789012-sbg-dev"
MARK = Mark(Venue("sbg", "dev"), "123456789012", "2026-11-22T10:30:15Z")
VALUES = {"aws_access_key_id": "ASIAFAKE", "aws_secret_access_key": "s3cr=et:#;[x]", "aws_session_token": "t0k/en+=="}
SECTION = f"""[{NAME}]
# mdps.venue_sts: venue sbg/dev in account 123456789012, expires 2026-11-22T10:30:15Z
aws_access_key_id = ASIAFAKE
aws_secret_access_key = s3cr=et:#;[x]
aws_session_token = t0k/en+==
"""
OTHERS = """# my accounts
[default]
region=us-east-1
aws_access_key_id=AKIADEFAULT   ; kept
aws_secret_access_key :  oddly   spaced
s3 =
    max_concurrent_requests = 20
    aws_secret_access_key = nested, not a key

; the next one is work's
  [work]
  AWS_ACCESS_KEY_ID = AKIAWORK
"""


def test_a_new_file_holds_just_the_profile():
    assert with_profile("", NAME, MARK, VALUES) == SECTION


def test_a_new_profile_goes_to_the_end():
    assert with_profile(OTHERS, NAME, MARK, VALUES) == OTHERS + "\n" + SECTION


def test_a_missing_last_line_end_is_added():
    assert with_profile("[a]\nx = 1", NAME, MARK, VALUES) == "[a]\nx = 1\n\n" + SECTION


def test_windows_line_ends_are_kept():
    text = OTHERS.replace("\n", "\r\n")
    assert with_profile(text, NAME, MARK, VALUES) == text + "\r\n" + SECTION.replace("\n", "\r\n")


def test_again_changes_nothing():
    once = with_profile(OTHERS, NAME, MARK, VALUES)
    assert with_profile(once, NAME, MARK, VALUES) == once


def test_own_settings_in_the_profile_stay_and_old_keys_go():
    ours = (
        SECTION + "region = us-west-2\n# mine\noutput = json\naws_security_token = forgotten\n    and its second line\n"
    )
    text = OTHERS + "\n" + ours + "\n# below\n[last]\nx = 1\n"
    changed = with_profile(text, NAME, MARK._replace(expires=""), {**VALUES, "aws_session_token": "new"})
    expected = (
        SECTION.replace(", expires 2026-11-22T10:30:15Z", "").replace("t0k/en+==", "new")
        + "region = us-west-2\n# mine\noutput = json\n"
    )
    assert changed == OTHERS + "\n" + expected + "\n# below\n[last]\nx = 1\n"


def test_a_given_region_replaces_the_one_that_is_there():
    text = SECTION + "Region : us-east-1\n"
    assert with_profile(text, NAME, MARK, {**VALUES, "region": "us-west-2"}) == SECTION + "region = us-west-2\n"


def test_removing_keeps_the_comment_that_introduces_the_next_profile():
    assert (
        without_profile(OTHERS + "\n" + SECTION + "\n# below\n[last]\nx = 1\n", NAME)
        == OTHERS + "\n# below\n[last]\nx = 1\n"
    )


def test_removing_what_is_not_there_changes_nothing():
    assert without_profile(OTHERS, NAME) == OTHERS


def test_what_is_read_is_what_was_written():
    profile = read_profile(with_profile(OTHERS, NAME, MARK, VALUES), NAME)
    assert profile is not None
    assert (profile.values, profile.mark) == (VALUES, MARK)
    assert read_profile(OTHERS, NAME) is None


def test_a_mark_in_another_profile_is_not_this_ones():
    text = "[other]\n" + SECTION.split("\n", 2)[1] + "\nx = 1\n[" + NAME + "]\naws_access_key_id = AKIA\n"
    assert read_profile(text, NAME).mark is None


@pytest.mark.parametrize(
    ("found", "owned"),
    [
        (MARK, True),
        (MARK._replace(expires="2027-01-01T00:00:00Z"), True),
        (MARK._replace(account=""), True),
        (MARK._replace(account="210987654321"), False),
        (MARK._replace(venue=Venue("sbg", "ops")), False),
        (None, False),
    ],
)
def test_only_ones_own_profile_may_be_changed(found, owned):
    text = with_profile("", NAME, found, VALUES) if found else f"[{NAME}]\naws_access_key_id = AKIA\n"
    profile = read_profile(text, NAME)
    if owned:
        check_owner(NAME, profile, MARK)
    else:
        with pytest.raises(OwnershipConflict, match="adopt"):
            check_owner(NAME, profile, MARK)


def test_two_venues_of_one_default_name_are_told_apart():
    other = Mark(Venue("unity", "sbg-dev"), "123456789012")
    profile = read_profile(with_profile("", "123456789012-unity-sbg-dev", other, VALUES), "123456789012-unity-sbg-dev")
    with pytest.raises(OwnershipConflict, match="unity/sbg-dev"):
        check_owner("123456789012-unity-sbg-dev", profile, Mark(Venue("unity-sbg", "dev"), "123456789012"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("secret-in-line-one\n[a]\n", "line 1"),
        ("[a]\nx = 1\n[a]\ny = 2\n", "line 3"),
        ("[a]\nx = 1\nx = 2\n", "line 3"),
        ("[a]\nsecret-without-equals\n", "line 2"),
        ("\ufeff[a]\nx = 1\n", "line 1"),
        ("[a\nx = secret\n", "line 1"),
    ],
)
def test_a_malformed_file_is_named_by_line_and_never_quoted(text, line):
    with pytest.raises(MalformedFile, match=line) as caught:
        read_profile(text, NAME)
    assert "secret" not in str(caught.value)


def test_a_change_that_reaches_another_profile_is_caught():
    with pytest.raises(MalformedFile):
        check_result(OTHERS, with_profile(OTHERS, NAME, MARK, VALUES).replace("AKIAWORK", "AKIALOST"), NAME, VALUES)


def test_a_change_that_did_not_take_is_caught():
    with pytest.raises(MalformedFile):
        check_result(OTHERS, OTHERS, NAME, VALUES)
    with pytest.raises(MalformedFile):
        check_result(SECTION, SECTION, NAME, None)
    with pytest.raises(MalformedFile):
        check_result(SECTION, SECTION, NAME, {**VALUES, "aws_session_token": "another"})


# Texts made of the pieces that credentials files are made of, in every order; those boto3 could not read are
# skipped.
PIECES = st.sampled_from(
    [
        "[a]",
        "[b b]",
        f"[{NAME}]",
        "  [c]",
        "[d] # x",
        "x = 1",
        "y:2",
        "  z = 3",
        "\tw = 4",
        "aws_access_key_id = AKIA",
        "  aws_session_token = old",
        "s3 =",
        "    n = 1",
        "# note",
        "; note",
        "  # note",
        "",
        "   ",
        f"{MARK}",
        "region = eu-west-1",
        "café = ü",
        "v = \udcff\x85\u2028x",
    ]
)
TEXTS = st.builds(
    lambda pieces, end, last: end.join(pieces) + (end if last else ""),
    st.lists(PIECES, max_size=14),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)


def parsed(text):
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_the_indent_of_another_profile_is_its_own():
    text = f"[other]\n  region = us-east-1\n[{NAME}]\nregion = us-west-2\n"
    changed = with_profile(text, NAME, MARK, VALUES)
    assert changed.startswith("[other]\n  region = us-east-1\n") and "\naws_access_key_id = ASIAFAKE\n" in changed


@pytest.mark.parametrize("line", ["  [other]", "  z = 3"])
def test_an_indented_line_does_not_become_part_of_new_keys(line):
    text = f"[{NAME}]\n{line}"
    check_result(text, with_profile(text, NAME, MARK, VALUES), NAME, VALUES)


@settings(max_examples=600)
@given(TEXTS)
def test_every_readable_file_keeps_all_else(text):
    try:
        before = read_profile(text, NAME)
    except MalformedFile:
        return
    changed = with_profile(text, NAME, MARK, VALUES)
    check_result(text, changed, NAME, VALUES)
    after = read_profile(changed, NAME)
    assert after.mark == MARK and VALUES.items() <= after.values.items()
    assert with_profile(changed, NAME, MARK, VALUES) == changed
    removed = without_profile(changed, NAME)
    if "\n  [c]" not in text:  # an indented header would continue the value above the removed profile; that is refused
        check_result(changed, removed, NAME, None)
    if before is None and (not text or text.endswith("\n")):
        assert removed == text
