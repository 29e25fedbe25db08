# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of files with tokens: two tokens never share one, also where a file system ignores case."""

from __future__ import annotations

import hypothesis
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.session_tags import context_tags
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.tags import check_tags
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.token_files import example_stem, token_stem
from hypothesis import strategies as st

WORD = st.from_regex(r"[abAB][abAB_.-]{0,3}", fullmatch=True)
USER = st.from_regex(r"[aAbB_=][aAbB_=.@~-]{0,4}", fullmatch=True).filter(lambda user: "~" not in user)
ID = st.from_regex(r"r-20261122T09301[0-9]Z-0000000[0-9a-f]", fullmatch=True)
TOKEN = st.tuples(WORD, WORD, USER, ID)


def stem(token: tuple[str, str, str, str]) -> str:
    project, venue, user, receipt = token
    return token_stem(Venue(project, venue), user, receipt)


@hypothesis.settings(deadline=None, max_examples=500)
@hypothesis.given(TOKEN, TOKEN)
def test_different_tokens_have_different_names_whatever_the_case(one, other) -> None:
    assert (stem(one).casefold() == stem(other).casefold()) == (one == other)


@hypothesis.settings(deadline=None, max_examples=500)
@hypothesis.given(TOKEN, st.data())
def test_tokens_that_differ_in_little_have_different_names(one, data) -> None:
    """Their letters are the same but for case, and where project, venue and user begin."""
    text = "".join(data.draw(st.sampled_from([c, c.swapcase()])) for c in "_".join(one[:3]))
    cuts = [at for at, c in enumerate(text) if c == "_"]
    first, second = sorted(data.draw(st.lists(st.sampled_from(cuts), min_size=2, max_size=2, unique=True)))
    other = (text[:first], text[first + 1 : second], text[second + 1 :], one[3])
    assert (stem(one).casefold() == stem(other).casefold()) == (one == other)


@hypothesis.given(TOKEN)
def test_a_shell_takes_no_name_for_a_home_folder_or_an_option(one) -> None:
    assert stem(one)[0].isalnum()


@hypothesis.given(TOKEN)
def test_an_example_is_as_long_as_the_name_of_a_token(one) -> None:
    assert len(example_stem(Venue(*one[:2]), one[2])) == len(stem(one))


def test_the_pairs_that_once_shared_a_name() -> None:
    receipt = "r-20261122T093015Z-3fa91c07"
    assert token_stem(Venue("unity", "sbg-dev"), "jdoe", receipt) != token_stem(
        Venue("unity-sbg", "dev"), "jdoe", receipt
    )
    assert token_stem(Venue("sbg", "dev"), "Jane", receipt) == "sbg_dev_~jane_20261122T093015Z-3fa91c07"
    assert token_stem(Venue("SBG", "a_b"), "jdoe", receipt) == "s~b~g~_a-~b_jdoe_20261122T093015Z-3fa91c07"
    for one, other in ((("a_b", "c"), ("a", "b_c")), (("a-b", "c"), ("a_b", "c")), (("DEV", "c"), ("dev", "c"))):
        assert len({token_stem(Venue(*names), "jdoe", receipt).casefold() for names in (one, other)}) == 2
    longest = token_stem(Venue("a" * 26, "b" * 27), "Z" * 64, receipt) + ".zip.age"
    assert len(longest) < 255


@hypothesis.settings(deadline=None)
@hypothesis.given(st.dictionaries(st.sampled_from(["reason", "ticket", "requester", "job"]), st.text(max_size=400)))
def test_the_tags_of_a_context_are_legal(context) -> None:
    tags = context_tags({name: text for name, text in context.items() if text})
    assert set(tags) <= {"Reason", "Ticket", "Requester"}
    check_tags("tags", tags)


def test_free_text_becomes_a_tag() -> None:
    assert context_tags({"reason": "Reprocess (April): #7, <b>", "job": "12"}) == {"Reason": "Reprocess April : 7 b"}
