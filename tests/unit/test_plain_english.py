# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The word list finds old words and lets terms and names of AWS pass."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import plain_english


@pytest.mark.parametrize(
    "line",
    [
        "It shall be so.", "the next run Heals it", "see the leaflet", "Say what became of it", "the recipients book",
        "handed over by mail", "the external id of a venue", "def in_words(plan):", "hangs on the role", "class Wish:",
        "def settle_pair(options):", "a_role_is_made_anew", "class WishList:", "- name: Go on to the table",
        "a record counts for nothing", "HEALED = True",
    ],
)  # fmt: skip
def test_old_words_are_found(line: str) -> None:
    assert [number for number, _word, _instead in plain_english.findings(f"fine\n{line}\n")] == [2]


@pytest.mark.parametrize(
    "line",
    [
        "the external ID", "external_id: x", "/cs/sts/role/external-id", "sts:ExternalId", "the handoff role",
        "a hand-off", "marshall", "emendation", "dishes", "external_ids", "tells_offline",
    ],
)  # fmt: skip
def test_terms_and_names_pass(line: str) -> None:
    assert plain_english.findings(line) == []
