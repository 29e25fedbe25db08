# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variable ``dest`` of the playbook ``issue``: what is not a text never becomes the name of a file with keys."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from tests.conftest import ROOT


@pytest.mark.parametrize("venues", [1, 2])
@pytest.mark.parametrize("dest", [None, [], "", " ", "tokens", "tokens/"])
def test_a_destination_is_passed_on_as_it_is_but_for_the_slash_of_a_folder(dest: Any, venues: int) -> None:
    play = yaml.safe_load((ROOT / "playbooks" / "issue.yml").read_text())[1]
    template = NativeEnvironment().from_string(play["vars"]["issue_dest"])
    given = template.render(dest=dest, ansible_play_hosts_all=["a", "b"][:venues])
    assert given == (f"{dest.rstrip('/')}/" if isinstance(dest, str) and dest.strip() and venues > 1 else dest)
