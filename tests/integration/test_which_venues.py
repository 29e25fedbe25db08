# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which venues a playbook works on: with ``project`` and ``venue`` it runs on localhost, where no limits are set."""

from __future__ import annotations

import json
import pathlib

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.playbook import ansible_playbook

NAMED = ("-e", "project=sbg", "-e", "venue=dev")
LIMITED = {"project": "sbg", "venue": "dev", "issue_limits": {"access": ["s3_read"]}}
# They end access, or read.
WITHOUT_LIMITS = {"lock", "report", "revoke", "unlock"}


def playbooks() -> list[str]:
    """The playbooks for venues."""
    return sorted(path.stem for path in ROOT.glob("playbooks/*.yml") if "venues }}" in path.read_text())


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Two inventories with a venue, in the usual group and in another one."""
    for group in ("venues", "fleet"):
        (tmp_path / f"{group}.json").write_text(json.dumps({group: {"hosts": {"sbg-dev": LIMITED}}}))
    return tmp_path


def hosts_of(playbook: str, *options: str, folder: pathlib.Path, code: int = 0) -> str:
    return (
        ansible_playbook(f"mdps.venue_sts.{playbook}", *options, "--list-hosts", env={}, cwd=folder).expect(code).output
    )


@pytest.mark.parametrize("playbook", sorted(set(playbooks()) - WITHOUT_LIMITS))
def test_limits_of_an_inventory_are_not_left_out(playbook: str, folder: pathlib.Path) -> None:
    for inventory in ("venues.json", "fleet.json"):
        refused = hosts_of(playbook, "-i", inventory, *NAMED, folder=folder, code=4)
        assert "Name its host instead, with -e target=HOST." in refused
    assert "sbg-dev" in hosts_of(playbook, "-i", "venues.json", "-e", "target=sbg-dev", folder=folder)
    for without_venues in (["-i", "localhost,"], []):
        assert "localhost" in hosts_of(playbook, *without_venues, *NAMED, folder=folder)


@pytest.mark.parametrize("playbook", sorted({"lock", "revoke", "unlock"}))
def test_what_ends_access_is_never_refused(playbook: str, folder: pathlib.Path) -> None:
    assert "localhost" in hosts_of(playbook, "-i", "venues.json", *NAMED, folder=folder)


def test_each_play_of_a_playbook_has_the_same_hosts() -> None:
    for path in ROOT.glob("playbooks/*.yml"):
        hosts = {play["hosts"] for play in yaml.safe_load(path.read_text()) if "__" in play.get("hosts", "")}
        assert len(hosts) <= 1, path.name


WITHOUT_HOSTS = {
    "an unknown name": ["-i", "venues.json", "-e", "target=sbg-devv"],
    "one unknown name of two": ["-i", "venues.json", "-e", "target=sbg-dev,sbg-devv"],
    "no such group": ["-i", "fleet.json"],
    "a limit to another host": ["-i", "fleet.json", "--limit", "sbg-dev"],
    "a limit and a venue": ["-i", "venues.json", *NAMED, "--limit", "sbg-dev"],
    "no inventory": ["-e", "target=sbg-dev"],
}


@pytest.mark.parametrize("options", WITHOUT_HOSTS.values(), ids=WITHOUT_HOSTS)
def test_a_run_that_would_reach_no_venue_does_not_succeed(options: list[str], folder: pathlib.Path) -> None:
    output = hosts_of("lock", *options, folder=folder, code=4)
    assert "nothing would be done" in output or "The inventory has no host or group sbg-devv." in output


def test_the_syntax_can_be_checked_without_an_inventory(folder: pathlib.Path) -> None:
    assert "hosts (0)" in hosts_of("lock", folder=folder)


HOSTS = {"sbg-*:!sbg-ops": 1, "~sbg-(dev|ops)": 2, "venues[0:1]": 2, "all:&venues": 2}


@pytest.mark.parametrize("pattern", HOSTS)
def test_every_kind_of_pattern_selects_hosts(pattern: str, tmp_path: pathlib.Path) -> None:
    hosts = {f"sbg-{venue}": {"project": "sbg", "venue": venue} for venue in ("dev", "ops")}
    (tmp_path / "two.json").write_text(json.dumps({"venues": {"hosts": hosts}}))
    (tmp_path / "names").write_text("sbg-dev\n")
    listed = hosts_of("lock", "-i", "two.json", "-e", f"target={pattern}", folder=tmp_path)
    assert f"hosts ({HOSTS[pattern]})" in listed
    assert "hosts (1)" in hosts_of("lock", "-i", "two.json", "--limit", "@names", folder=tmp_path)


@pytest.mark.parametrize("playbook", ["handoff", "incident", "report", "use_token"])
def test_a_limit_does_not_keep_a_playbook_for_localhost_from_its_work_in_silence(
    playbook: str, folder: pathlib.Path
) -> None:
    refused = hosts_of(playbook, "-i", "venues.json", "--limit", "sbg-dev", folder=folder, code=4)
    assert "This runs on localhost, which --limit sbg-dev excludes" in refused
    assert "localhost" in hosts_of(playbook, "-i", "venues.json", folder=folder)
