# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Eight runs of one venue at the same time end well, all of them, with one external ID."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import connections, playbook, world
from tests.support.killable_runs import runner

RUNS = 8


def assert_one_external_id(home: world.Account, project: str) -> None:
    """Parameter and trust policy have the same value, and the parameter was written once."""
    found = home.as_root("ssm").get_parameter(Name=f"/unity/{project}/dev/cs/sts/role/external-id")["Parameter"]
    role = home.as_root("iam").get_role(RoleName=f"unity-{project}-dev-sts")["Role"]
    assert found["Version"] == 1
    assert json.dumps(role["AssumeRolePolicyDocument"]).count("sts:ExternalId") == 1
    assert found["Value"] in json.dumps(role["AssumeRolePolicyDocument"])
    succeeded, result = home.run("role", project=project, venue="dev")
    assert succeeded and not result["changed"], result


@pytest.mark.parametrize("round_", range(3))
def test_operations(home: world.Account, round_: int) -> None:
    project = f"race{round_}"
    home.publish_venue(project, "dev")
    options = connections.connection(home.url, home.admin) | {"project": project, "venue": "dev"}
    with runner() as processes:
        outcomes = processes.run(*[{"operation": "role", "options": options, "clock": "real"}] * RUNS)
    assert [bool(outcome and outcome.get("succeeded")) for outcome in outcomes] == [True] * RUNS, outcomes
    assert_one_external_id(home, project)


@pytest.mark.parametrize("front_end", ["in-process", "shipped"])
def test_playbook(home: world.Account, tmp_path: Path, front_end: str) -> None:
    project = f"race-{front_end}"
    home.publish_venue(project, "dev")
    hosts = {f"run{number}": {"project": project, "venue": "dev"} for number in range(RUNS)}
    inventory = playbook.write_inventory(tmp_path / "inventory.json", hosts, {"venues": list(hosts)})
    shipped = ("-e", f"ansible_python_interpreter={playbook.other_python()}") if front_end == "shipped" else ()
    done = playbook.run_isolated(
        "mdps.venue_sts.provision",
        tmp_path / "home",
        home.environment(),
        "-f",
        str(RUNS),
        "-vvv",
        *shipped,
        inventory=inventory,
    )
    assert done.code == 0, done.output
    assert ("AnsiballZ" in done.output) == bool(shipped)
    assert done.output.count("failed=0") >= RUNS
    assert_one_external_id(home, project)
