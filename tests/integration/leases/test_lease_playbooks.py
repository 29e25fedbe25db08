# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbooks ``lease`` and ``renew`` as an admin runs them, and the screen that they show."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.integration.leases.conftest import LEASES, Office
from tests.support import people
from tests.support.playbook import ansible_playbook

ONE = ("-e", "project=sbg", "-e", "venue=dev")


def play(office: Office, name: str, *options: str, code: int = 0) -> str:
    keys = {user: person.public for user, person in office.people.items()}
    places = {
        "handoff_public_keys": keys,
        "handoff_dest": f"{office.folder}/out/",
        "handoff_receipts_file": f"{office.folder}/receipts.jsonl",
        "lease_leases_file": f"{office.folder}/leases.jsonl",
        "renew_leases_file": f"{office.folder}/leases.jsonl",
    }
    command = [f"mdps.venue_sts.{name}", *options, "-e", json.dumps(places)]
    return ansible_playbook(*command, env=office.moto.environment(), cwd=office.folder).expect(code).output


def test_from_the_approval_to_the_end(office: Office) -> None:
    ask = (*ONE, "-e", "user=jdoe", "-e", "days=3", "-e", "reason=tests", "-e", "approver=asmith")
    limits = ("-e", '{"issue_limits": {"access": ["s3_read"]}}')
    assert "until" in play(office, "lease", *ask, *limits, "--check") and office.parameters() == {}
    assert re.search(r"the lease of jdoe until \S+Z is approved", play(office, "lease", *ask, *limits))
    assert "outside the limits" in play(office, "lease", *ask, *limits, "-e", '{"access": ["s3_write"]}', code=2)
    first = play(office, "renew", *ONE, "-e", "user=jdoe", "-e", "by_hand=true", *limits)
    assert re.search(r"^sbg-dev +jdoe +renewed ", first, re.MULTILINE), first
    (sealed,) = Path(office.folder, "out").iterdir()
    assert str(sealed) in first
    assert re.search(r"^To open: +age --decrypt .*" + re.escape(sealed.name), first, re.MULTILINE), first
    assert re.search(r"^sbg-dev +jdoe +waiting ", play(office, "renew", *ONE), re.MULTILINE)
    assert "the lease of jdoe has ended" in play(
        office, "revoke", *ONE, "-e", "user=jdoe", "-e", "receipts_file=receipts.jsonl"
    )
    assert re.search(r"^sbg-dev +no lease", play(office, "renew", *ONE), re.MULTILINE)


def test_an_inventory_in_which_some_venues_fail(office: Office) -> None:
    hosts = {name: {"project": "sbg", "venue": name.removeprefix("sbg-")} for name in ("sbg-dev", "sbg-ops")}
    (office.folder / "inventory.json").write_text(json.dumps({"all": {"children": {"venues": {"hosts": hosts}}}}))
    for user in ("jdoe", "jane"):
        assert office.lease(user)["changed"]
    office.people["jane"] = office.people["jdoe"]
    office.moto.client("ssm").put_parameter(Name=f"{LEASES}/broken", Value="{", Type="String")
    shown = play(office, "renew", "-i", "inventory.json", code=2)
    assert re.search(r"^sbg-dev +jdoe +renewed ", shown, re.MULTILINE), shown
    assert re.search(r"^sbg-dev +jane +failed .*has changed since", shown, re.MULTILINE), shown
    assert re.search(r"^sbg-dev +broken +failed +- +- +- .*broken is not a lease", shown, re.MULTILINE), shown
    assert re.search(r"^sbg-ops +no lease", shown, re.MULTILINE), shown


def test_a_run_without_failures_prints_three_lines_for_each_venue_more(office: Office) -> None:
    printed = []
    for number in (1, 3):
        hosts = {f"sbg-v{one}": {"project": "sbg", "venue": f"v{one}"} for one in range(number)}
        (office.folder / "inventory.json").write_text(json.dumps({"all": {"children": {"venues": {"hosts": hosts}}}}))
        shown = play(office, "renew", "-i", "inventory.json")
        printed.append(len([line for line in shown.splitlines() if line.strip()]))
    assert printed[1] - printed[0] <= 3 * 2


def test_the_table_is_shown_if_every_venue_has_a_lease_that_fails(office: Office) -> None:
    for user in ("jdoe", "jane"):
        assert office.lease(user)["changed"]
    office.people["jane"] = office.people["jdoe"]
    shown = play(office, "renew", *ONE, code=2)
    assert re.search(r"^sbg-dev +jdoe +renewed ", shown, re.MULTILINE), shown
    assert re.search(r"^sbg-dev +jane +failed .*has changed since", shown, re.MULTILINE), shown
    assert "has changed since" in shown[shown.rindex("fatal:") :]
    nobody = play(office, "renew", *ONE, "-e", "user=nobody", code=2)
    assert re.search(r"^sbg-dev +.*nobody has no lease", nobody, re.MULTILINE), nobody


def test_the_inventory_names_the_signers_for_approval_and_renewal_alike(office: Office) -> None:
    admin = people.ssh_person(office.folder)
    ask = (*ONE, "-e", "user=jdoe", "-e", "days=3", "-e", "reason=tests", "-e", "approver=asmith")
    signers = ("-e", json.dumps({"lease_signers": [admin.public.strip()]}))
    assert "sign_with: is required" in play(office, "lease", *ask, *signers, code=2)
    assert "is approved" in play(office, "lease", *ask, *signers, "-e", f"lease_sign_with={admin.identity}")


def with_inventory(office: Office, **variables: object) -> tuple[str, str]:
    """The option for an inventory with one venue that has these variables."""
    venue = {"project": "sbg", "venue": "dev", **variables}
    inventory = {"all": {"children": {"venues": {"hosts": {"sbg-dev": venue}}}}}
    (office.folder / "inventory.json").write_text(json.dumps(inventory))
    return ("-i", "inventory.json")


def test_the_variables_of_the_roles_count_in_the_inventory(office: Office) -> None:
    ask = ("-e", "user=jdoe", "-e", "reason=tests", "-e", "approver=asmith")
    limits = {"access": ["s3_read"], "bucket_prefixes": ["incoming"], "duration_seconds": 900}
    venue = with_inventory(office, lease_limits=limits, lease_days=2)
    refused = play(office, "lease", *venue, *ask, "-e", '{"access": ["s3_write"]}', code=2)
    assert "outside the limits" in refused
    assert "days and lease_days are both set" in play(office, "lease", *venue, *ask, "-e", "days=3", code=2)
    assert "is approved" in play(office, "lease", *venue, *ask)
    first = play(office, "renew", *venue, "-e", "user=jdoe", "-e", "by_hand=true")
    assert re.search(r"^sbg-dev +jdoe +renewed ", first, re.MULTILINE), first
    receipt = json.loads((office.folder / "receipts.jsonl").read_text().splitlines()[-1])
    assert receipt["allows"]["access"] == ["s3_read"]
    assert receipt["duration_seconds"] == 900
    signed = with_inventory(office, renew_lease_signers=[people.ssh_person(office.folder).public])
    assert "is not signed" in play(office, "renew", *signed, "-e", "user=jdoe", "-e", "by_hand=true", code=2)


def test_a_user_of_a_venue_in_the_inventory_keeps_nobody_from_a_lock(office: Office) -> None:
    venue = with_inventory(office, user="jdoe", revoke_verify=True)
    assert "no option says what to revoke" in play(office, "revoke", *venue, code=2)
    assert "LOCKED" in play(office, "lock", *venue, "-e", "revoke_verify=false")
    assert "cannot be used with state unlocked" in play(office, "unlock", *venue, "-e", "user=jdoe", code=2)
    assert "LOCKED" not in play(office, "unlock", *venue)
