# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook report.yml against moto: page, JSON and table tell the same, with and without an inventory."""

from __future__ import annotations

import json
import pathlib
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role

from tests.support.operations import perform
from tests.support.playbook import ansible_playbook
from tests.support.receipts import issued
from tests.support.report import HOSTILE
from tests.support.servers import Moto

VENUES = {
    "sbg-dev": {"project": "sbg", "venue": "dev"},
    "emit-ops": {"project": "emit", "venue": "ops", "provision_allow_delete": True},
}


@pytest.fixture
def account(moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Moto:
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    for project, venue in (("sbg", "dev"), ("emit", "ops")):
        moto.publish(project, venue)
        assert "failed" not in perform(role.OPERATION, project=project, venue=venue)
    receipt = issued(recipient=HOSTILE, at=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10))
    role_id = moto.client("iam").get_role(RoleName="unity-sbg-dev-sts")["Role"]["RoleId"]
    known = replace(receipt, assumed_role_id=f"{role_id}:{receipt.session_name}")
    (tmp_path / "receipts.jsonl").write_text(f'{known.to_line()}\n{{"schema": 2}}\n')
    absent = {"asips-test": {"project": "asips", "venue": "test", "provision_external_id": "not-to-be-shown-anywhere"}}
    (tmp_path / "inventory.json").write_text(json.dumps({"venues": {"hosts": {**VENUES, **absent}}}))
    return moto


def test_an_inventory(account: Moto, tmp_path: pathlib.Path) -> None:
    files = {
        "dest": tmp_path / "report.html",
        "json": tmp_path / "report.json",
        "receipts_file": tmp_path / "receipts.jsonl",
    }
    options = [part for name, path in files.items() for part in ("-e", f"{name}={path}")]
    run = ansible_playbook(
        "mdps.venue_sts.report", "-i", "inventory.json", *options, env=account.environment(), cwd=tmp_path
    ).expect()
    document = json.loads(files["json"].read_text())
    assert [(one["name"], one["status"], one["live_tokens"]) for one in document["venues"]] == [
        ("emit / ops", "drifted", 0),
        ("asips / test", "absent", 0),
        ("sbg / dev", "ok", 1),
    ]
    assert document["unreadable_receipts"] == 1
    html = files["dest"].read_text()
    assert HOSTILE not in html
    assert "&lt;script&gt;document.title" in html
    assert [
        name for name in ("emit / ops", "asips / test", "sbg / dev") if name not in html or name not in run.output
    ] == []
    assert [stat.S_IMODE(files[name].stat().st_mode) for name in ("dest", "json")] == [0o600, 0o600]
    value = account.client("ssm").get_parameter(Name="/unity/sbg/dev/cs/sts/role/external-id")["Parameter"]["Value"]
    for text in (html, run.output, files["json"].read_text()):
        assert value not in text
        assert "not-to-be-shown-anywhere" not in text


def test_the_whole_account_to_the_terminal_alone(account: Moto, tmp_path: pathlib.Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    run = ansible_playbook("mdps.venue_sts.report", env=account.environment(), cwd=tmp_path).expect()
    assert "emit / ops" in run.output
    assert "asips" not in run.output
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def report_on(tmp_path: pathlib.Path, moto: Moto, *accounts: dict[str, object]) -> str:
    """Run the role for accounts, one of which cannot be read, and return what it shows."""
    tasks = [{"ansible.builtin.import_role": {"name": "mdps.venue_sts.report"}}]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([{**play, "vars": {"report_accounts": accounts}}]))
    run = ansible_playbook("play.yml", env=moto.environment(), cwd=tmp_path).expect(2)
    return " ".join(run.output.split())


def test_an_account_that_cannot_be_read_is_named_beside_the_others(account: Moto, tmp_path: pathlib.Path) -> None:
    unread = {"profile": "no-such-profile", "venues": [{"project": "asips", "venue": "test"}]}
    shown = report_on(tmp_path, account, {}, unread)
    assert "emit / ops" in shown and "asips / test" in shown
    assert "The report is not complete. Accounts that could not be read:" in shown and "no-such-profile" in shown


def test_nothing_is_reported_if_it_is_not_known_what_is_missing(account: Moto, tmp_path: pathlib.Path) -> None:
    shown = report_on(tmp_path, account, {}, {"profile": "no-such-profile"})
    assert "no-such-profile" in shown and "attribute" not in shown, shown
    assert "emit / ops" not in shown


NOPE = "{{ nope }}"
NOT_KNOWN = {
    "project": {"venue": "a", "project": NOPE},
    "venue": {"project": "a", "venue": "x-{{ nope }}"},
    "provision_role_name": {"project": "a", "venue": "c", "provision_role_name": NOPE},
    "venue_sts_region": {"project": "a", "venue": "d", "venue_sts_region": NOPE},
    "provision_buckets": {"project": "a", "venue": "e", "provision_buckets": ["x", NOPE]},
}
STORES = {
    "handoff_receipts_s3": ["s3://{{ nope }}/rc", NOPE, 5, {"a": 1}],
    "handoff_receipts_ssm_path": [NOPE, "{{ nope.path }}/x", ["/unity/sbg/dev/receipts", NOPE]],
}


def test_no_variable_of_a_host_is_left_out_silently_or_stops_the_report(account: Moto, tmp_path: pathlib.Path) -> None:
    stores = {f"{name}-{i}": {name: one} for name, some in STORES.items() for i, one in enumerate(some)}
    hosts = {**VENUES, **NOT_KNOWN, "no-venue": {"project": "a"}}
    hosts |= {name: {"project": "st", "venue": f"v{i}", **one} for i, (name, one) in enumerate(stores.items())}
    hosts["sbg-dev"] = {**VENUES["sbg-dev"], "provision_external_id": NOPE}  # which the report does not need
    (tmp_path / "inventory.json").write_text(json.dumps({"venues": {"hosts": hosts}}))
    options = ("-e", f"receipts_file={tmp_path}/receipts.jsonl", "-e", f"json={tmp_path}/report.json")
    run = ansible_playbook(
        "mdps.venue_sts.report", "-i", "inventory.json", *options, env=account.environment(), cwd=tmp_path
    ).expect(2)
    document = json.loads((tmp_path / "report.json").read_text())
    of_hosts = {name: one["problem"] or "" for one in document["venues"] for name in [one["name"]]}
    said = " ".join(of_hosts.values())
    for name in NOT_KNOWN:
        assert f"The account could not be read: host {name}: {name}: 'nope' is undefined" in said, name
    assert "host no-venue: it has no variable venue" in of_hosts["host no-venue"]
    for name in stores:
        assert f"Who holds tokens is not known: host {name}: {name.rpartition('-')[0]}: " in said, name
    tokens = {one["name"]: one["live_tokens"] for one in document["venues"]}
    assert (tokens["sbg / dev"], tokens["emit / ops"]) == (1, 0)
    assert [name for name, count in tokens.items() if count is not None] == ["emit / ops", "sbg / dev"]
    assert "handoff_receipts_s3-0" in run.output


def test_stores_that_the_command_names_are_read_instead_of_those_of_the_hosts(
    account: Moto, tmp_path: pathlib.Path
) -> None:
    hosts = {"sbg-dev": {**VENUES["sbg-dev"], "handoff_receipts_ssm_path": NOPE}}
    (tmp_path / "inventory.json").write_text(json.dumps({"venues": {"hosts": hosts}}))
    options = ("-e", f"receipts_file={tmp_path}/receipts.jsonl", "-e", "receipts_ssm_path=/unity/sbg/dev/receipts")
    run = ansible_playbook(
        "mdps.venue_sts.report", "-i", "inventory.json", *options, env=account.environment(), cwd=tmp_path
    ).expect()
    assert "nope" not in run.output


def test_each_venue_has_a_receipts_file_of_its_own_which_need_not_exist_yet(
    account: Moto, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "receipts.jsonl").rename(tmp_path / "sbg.jsonl")
    hosts = {
        name: {**venue, "handoff_receipts_file": f"{tmp_path}/{venue['project']}.jsonl"}
        for name, venue in VENUES.items()
    }
    (tmp_path / "inventory.json").write_text(json.dumps({"venues": {"hosts": hosts}}))
    options = ("-i", "inventory.json", "-e", f"json={tmp_path}/report.json")
    ansible_playbook("mdps.venue_sts.report", *options, env=account.environment(), cwd=tmp_path).expect()
    document = json.loads((tmp_path / "report.json").read_text())
    assert {one["name"]: one["live_tokens"] for one in document["venues"]} == {"emit / ops": 0, "sbg / dev": 1}


def test_the_files_have_the_warnings_of_the_screen(account: Moto, tmp_path: pathlib.Path) -> None:
    early = issued(number=2, at=datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30))
    with (tmp_path / "receipts.jsonl").open("a") as file:
        file.write(early.to_line())
    files = {name: tmp_path / f"report.{name}" for name in ("json", "dest")}
    options = [part for name, path in files.items() for part in ("-e", f"{name}={path}")]
    options += ["-e", f"receipts_file={tmp_path}/receipts.jsonl"]
    ansible_playbook("mdps.venue_sts.report", *options, env=account.environment(), cwd=tmp_path).expect()
    for file in files.values():
        assert "1 receipts are dated in the future" in file.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-i", "inventory.json", "-e", "target=sbg-dvv"), "No host of the inventory matches 'sbg-dvv'"),
        (("-e", "target=sbg-dev"), "No host of the inventory matches 'sbg-dev'"),
        (("-i", "other,"), "No host of the inventory matches 'venues'"),
        (("-i", "inventory.json", "-e", "target="), "target must not be empty"),
        (("-i", "inventory.json", "-e", '{"target": []}'), "target must not be empty"),
        (("-e", "dest=."), "must be the names of files, not of folders"),
        (("-e", "json=."), "must be the names of files, not of folders"),
        (("-e", "dest="), "must not be empty"),
        (("-e", "cloudtrail=maybe"), "cloudtrail: 'maybe' is neither true nor false"),
    ],
    ids=str,
)
def test_a_mistyped_option_reports_on_nothing_else(tmp_path: pathlib.Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "inventory.json").write_text(json.dumps({"venues": {"hosts": VENUES}}))
    run = ansible_playbook("mdps.venue_sts.report", *options, env={}, cwd=tmp_path)
    assert run.code != 0
    assert said in " ".join(run.output.split())
    assert "Gather information" not in run.output
    assert [one.name for one in tmp_path.iterdir() if one.suffix != ".json" and one.is_file()] == []
