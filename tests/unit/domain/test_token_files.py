# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of files with tokens: two tokens never share one, also where a file system ignores case."""

from __future__ import annotations

import hypothesis
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.names import Venue
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.session_tags import context_tags
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.tags import check_tags
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.token_files import token_stem
from hypothesis import strategies as st

WORD = st.from_regex(r"[a-c]{1,2}(-[a-c0]{1,2})?", fullmatch=True)
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


def test_the_pairs_that_once_shared_a_name() -> None:
    receipt = "r-20261122T093015Z-3fa91c07"
    assert token_stem(Venue("unity", "sbg-dev"), "jdoe", receipt) != token_stem(
        Venue("unity-sbg", "dev"), "jdoe", receipt
    )
    assert token_stem(Venue("sbg", "dev"), "Jane", receipt) == "sbg_dev_~jane_20261122T093015Z-3fa91c07"
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
