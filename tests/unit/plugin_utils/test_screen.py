# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text in pieces that AWX shows whole."""

from __future__ import annotations

import contextlib
import importlib

import pytest
from ansible import constants as C
from ansible_collections.mdps.venue_sts.plugins.action.show_text import ActionModule
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._screen import pieces
from hypothesis import given
from hypothesis import strategies as st

from tests.support.actions import Situation, make_action

AWX_SHOWS = 1024
COLOUR_AND_LINE_END = 20
LINES = "the first line of a summary\nthe second line of a summary"


@pytest.fixture
def _nothing_masked(monkeypatch):
    """From ansible-core 2.22 on, the process masks for good what other tests gave as a secret, such as one letter."""
    with contextlib.suppress(ImportError):
        masker = importlib.import_module("ansible.module_utils._internal._secrets").SecretMasker
        monkeypatch.setattr(masker, "mask_string", lambda _self, value, **_options: value)


@given(st.lists(st.text(st.characters(categories=("L", "N", "P")), max_size=200), max_size=80))
def test_every_line_is_printed_once_and_no_piece_is_cut_by_awx(lines: list[str]) -> None:
    printed = list(pieces("\n".join(lines)))
    assert "\n".join(printed).split("\n") == ("\n".join(lines).splitlines() or [""])
    assert all(len(one.replace("\n", "\r\n")) + COLOUR_AND_LINE_END <= AWX_SHOWS for one in printed)


def test_a_line_that_is_too_long_is_cut_and_nothing_is_lost() -> None:
    printed = list(pieces("x" * 5000))
    assert "".join(printed) == "x" * 5000
    assert max(map(len, printed)) < AWX_SHOWS


def test_control_characters_are_left_out() -> None:
    assert list(pieces("a\x1b[2Jb\x07\tc")) == ["a[2Jbc"]


@pytest.mark.usefixtures("_nothing_masked")
@pytest.mark.parametrize(
    ("callback", "printed"), [("default", f"{LINES}\n"), ("ansible.posix.json", ""), ("minimal", "")]
)
def test_text_is_printed_only_beside_the_default_callback(monkeypatch, capsys, callback, printed):
    """That of AWX extends it; the others print results themselves, as one JSON document or as they are."""
    monkeypatch.setattr(C, "DEFAULT_STDOUT_CALLBACK", callback)
    result = make_action(ActionModule, "show_text", Situation(), text=LINES).run()
    assert capsys.readouterr().out == printed
    assert result.get("msg", "") == ("" if printed else LINES)
