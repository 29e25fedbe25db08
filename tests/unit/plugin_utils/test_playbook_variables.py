# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A role's variable in the inventory counts in the playbook as well, which also takes some by a shorter name."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible.utils.vars import load_extra_vars

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
# What a playbook decides itself. The play variables of a playbook take precedence over the inventory.
DECIDED = {
    **{f"{role}_{name}": "the inventory has project and venue" for role in ROLES for name in ("project", "venue")},
    **{f"{role}_user": "required, so it is never without a value" for role in ("issue", "lease", "assume")},
    "provision_state": "deprovision.yml",
    "provision_rotate_external_id": "rotate_external_id.yml",
    "provision_retire_previous_external_id": "rotate_external_id.yml",
    "revoke_state": "lock.yml, unlock.yml, and -e lift=true",
    "revoke_role_name": "incident.yml, which has found the role of the key",
    "revoke_expected_account_id": "incident.yml, which has found the account of the key",
}
OMITTED = object()
SHORT = re.compile(r"lookup\('mdps\.venue_sts\.one_variable', '(\w+)', '(\w+)'")


def role_variables() -> set[str]:
    """The variables of all roles."""
    specs = [yaml.safe_load(path.read_text()) for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")]
    return {name for spec in specs for one in spec["argument_specs"].values() for name in one.get("options", {})}


def plays() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each playbook that has plays, with the variables of all of them and of their files."""
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        variables: dict[str, Any] = {}
        for play in yaml.safe_load(path.read_text()):
            for file in play.get("vars_files", ()):
                variables |= yaml.safe_load((path.parent / file).read_text())
            variables |= play.get("vars", {})
        yield path.stem, variables


def test_no_playbook_hides_a_variable_of_the_inventory() -> None:
    known = role_variables()
    hidden = {(playbook, name) for playbook, found in plays() for name in found if name in known - set(DECIDED)}
    assert hidden == set()


def short_names() -> Iterator[tuple[str, str, str]]:
    """Each variable with a short name: the playbook, the short name, and the role's variable."""
    for playbook, variables in plays():
        for value in variables.values():
            for short, own in SHORT.findall(str(value)):
                if own != "issue_dest":  # of which the playbook makes a path
                    yield playbook, short, own


def trusted(value: Any) -> Any:
    """A value of a file with its templates."""
    if isinstance(value, dict):
        return {name: trusted(one) for name, one in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


CASES = sorted(set(short_names()))


def evaluated(
    playbook: str,
    own: str,
    inventory: dict[str, Any],
    of_run: dict[str, Any] | None = None,
    of_play: dict[str, Any] | None = None,
) -> Any:
    """What the role passes on, where the inventory and the command line have these variables.

    The precedence is Ansible's: the role's defaults, the inventory, the play, the command line.
    """
    role = own.partition("_")[0]
    tasks = "".join(path.read_text() for path in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    assert f"__{own}" in tasks
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    play = next(variables for name, variables in plays() if name == playbook)
    variables = {
        name: trusted(value)
        for name, value in {**defaults, **inventory, **play, **(of_play or {}), **(of_run or {})}.items()
    }
    variables["__hosts"] = []  # of the report, which reads the inventory
    variables["hostvars"] = {"sbg-dev": {**inventory, **(of_run or {})}, "localhost": of_run or {}}
    variables["inventory_hostname"] = "sbg-dev"
    templar = Templar(loader=DataLoader(), variables=variables)
    run = mock.patch.object(load_extra_vars, "extra_vars", of_run or {"unrelated": True}, create=True)
    with run, contextlib.suppress(AnsibleValueOmittedError):
        return templar._engine.template(trust_as_template(f"{{{{ __{own} }}}}"))
    return OMITTED


def test_there_are_variables_with_short_names() -> None:
    assert {playbook for playbook, _short, _own in CASES} >= {"issue", "lease", "renew", "revoke", "report", "incident"}


@pytest.mark.parametrize(("playbook", "short", "own"), CASES)
def test_a_variable_counts_by_either_name(playbook: str, short: str, own: str) -> None:
    if own in ("report_dest", "report_json_dest", "report_receipts_file"):
        assert evaluated(playbook, own, {own: "/x"}) == evaluated(playbook, own, {}, {short: "/x"}) == "/x"
        assert evaluated(playbook, own, {}) is None
        return
    # incident.yml verifies unless somebody says otherwise.
    unset = (True,) if (playbook, short) == ("incident", "verify") else (OMITTED, None, False)
    value = {"report_cloudtrail": True, "revoke_verify": False}.get(own, "value")
    assert evaluated(playbook, own, {own: value}) == value
    assert evaluated(playbook, own, {}, {short: value}) == value
    assert evaluated(playbook, own, {}) in unset


@pytest.mark.parametrize(("playbook", "short", "own"), CASES)
def test_both_names_are_an_error_because_one_would_be_ignored(playbook: str, short: str, own: str) -> None:
    with pytest.raises(AnsibleError, match=rf"({short} and {own}|{own} and {short}) are both set"):
        evaluated(playbook, own, {own: "mine"}, {short: "theirs"})


@pytest.mark.parametrize("role", ["revoke", "renew"])
def test_a_user_that_the_inventory_has_for_a_venue_does_not_choose_whose_tokens_are_meant(role: str) -> None:
    own = f"{role}_user"
    assert evaluated(role, own, {"user": "jdoe"}) is OMITTED
    assert evaluated(role, own, {"user": "jdoe"}, {"user": "jdoe"}) == "jdoe"
    assert evaluated(role, own, {"user": "jdoe"}, {"user": "kim"}) == "kim"
    assert evaluated(role, own, {"user": "jdoe"}, {own: "kim"}) == "kim"
    assert evaluated(role, own, {"user": "jdoe", own: "kim"}) == "kim"
    # The vars of an imported playbook.
    assert evaluated(role, own, {}, of_play={"user": "kim"}) == "kim"
    assert evaluated(role, own, {"user": "jdoe"}, of_play={"user": "{{ 'kim' }}"}) == "kim"


@pytest.mark.parametrize(
    "of_run",
    [{"__revocation": "unlocked"}, {"lift": True}, {"subject": "s", "issuer": "https://i.example.org"}],
    ids=["unlock", "lift", "subject"],
)
def test_an_inventory_that_wants_proof_prevents_nothing_that_has_none(of_run: dict[str, Any]) -> None:
    assert evaluated("revoke", "revoke_verify", {"revoke_verify": True}, of_run) is OMITTED
    assert evaluated("revoke", "revoke_verify", {"revoke_verify": True}, {"__revocation": "locked"}) is True
    for name in ("verify", "revoke_verify"):  # which the module refuses
        assert evaluated("revoke", "revoke_verify", {}, {**of_run, name: True}) is True


@pytest.mark.parametrize("prefix", ["", "lease_"])
def test_a_request_with_an_end_replaces_the_days_of_the_inventory_and_the_reverse(prefix: str) -> None:
    assert evaluated("lease", "lease_days", {"lease_days": 7}, {f"{prefix}end": "2026-12-01"}) is OMITTED
    assert evaluated("lease", "lease_end", {"lease_end": "2026-12-01"}, {f"{prefix}days": 3}) is OMITTED
    both = {f"{prefix}end": "2026-12-01", f"{prefix}days": 3}  # which the module refuses
    assert evaluated("lease", "lease_days", {}, both) == 3
    assert evaluated("lease", "lease_end", {}, both) == "2026-12-01"


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ("lease_limits", ["issue_limits"]),
        ("renew_limits", ["lease_limits", "issue_limits"]),
        ("renew_maximum_days", ["lease_maximum_days"]),
        ("renew_lease_signers", ["lease_signers"]),
        ("renew_leases_file", ["lease_leases_file"]),
    ],
)
def test_what_the_inventory_says_for_another_role_counts_unless_the_role_has_its_own(
    own: str, others: list[str]
) -> None:
    role = own.partition("_")[0]
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    for number, _name in enumerate([own, *others]):
        inventory = {name: name for name in [own, *others][number:]}
        written = {name: trust_as_template(one) for name, one in {**defaults, **inventory}.items()}
        templar = Templar(loader=DataLoader(), variables=written)
        assert templar.template(trust_as_template(f"{{{{ {own} }}}}")) == [own, *others][number]


def test_the_report_reads_the_receipts_where_the_playbook_issue_keeps_them_also_without_an_inventory() -> None:
    for name in ("file", "s3", "ssm_path"):
        assert evaluated("report", f"report_receipts_{name}", {}, {f"handoff_receipts_{name}": "/x"}) == "/x"
