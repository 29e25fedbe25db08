# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variable ``dest`` of the playbook ``issue``: what is not a string never becomes the name of a file with keys."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from tests.conftest import ROOT

PLACES = {"__issue_place": "__dest", "__handoff_folder": "handoff_dest"}  # a variable, and the one that it is made of


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("venues", [1, 2])
@pytest.mark.parametrize("dest", [None, [], "", " ", "tokens", "tokens/"])
def test_a_destination_is_passed_on_as_it_is_but_for_the_slash_of_a_folder(dest: Any, venues: int, place: str) -> None:
    given = _render(place, __several=venues > 1, **{PLACES[place]: dest})
    assert given == (f"{dest.rstrip('/')}/" if isinstance(dest, str) and dest.strip() and venues > 1 else dest)


def test_a_token_that_is_kept_and_handed_off_is_refused() -> None:
    with pytest.raises(ValueError, match="stays in dest is not handed off, so handoff_unsealed would do nothing"):
        _render("__issue_place", __kept=["dest"], __handed_off=["handoff_unsealed"], __dest="tokens")


def _render(variable: str, **known: Any) -> Any:
    def undef(hint: str) -> None:
        raise ValueError(hint)

    play = yaml.safe_load((ROOT / "playbooks" / "issue.yml").read_text())[1]
    return NativeEnvironment().from_string(play["vars"][variable]).render(undef=undef, **known)
