# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook awx_setup against a strict server of AWX's API: nothing, everything, drift, nothing again."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import shutil
import sys

import pytest
import yaml

from tests.support.awx_server import TOKEN, Awx, AwxServer
from tests.support.playbook import Run, ansible_playbook

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COLLECTIONS = pathlib.Path(sys.prefix) / "collections"
PLAYBOOKS = [f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")]
VENUES = {
    "sbg-dev": {"project": "sbg", "venue": "dev", "issue_expected_account_id": "111122223333"},
    "emit-ops": {"project": "emit", "venue": "ops"},
}
SETTINGS = {"awx_setup_image": "registry.example.org/mdps/venue-sts:1.0.0", "awx_setup_venues": VENUES}
CONTENTS = (
    "execution_environments",
    "projects",
    "inventories",
    "hosts",
    "groups",
    "job_templates",
    "workflow_job_templates",
)
TEMPLATES = [
    row["name"]
    for row in yaml.load((ROOT / "roles/awx_setup/vars/main.yml").read_text(), yaml.BaseLoader)["__awx_setup_templates"]
]


def setup(
    server: AwxServer, place: pathlib.Path, *options: str, collections: str = "", token: str = TOKEN, **settings: object
) -> Run:
    given = place / "awx.yml"
    given.write_text(json.dumps({**SETTINGS, **settings}))
    env = {"CONTROLLER_HOST": server.url, "CONTROLLER_OAUTH_TOKEN": token, "ANSIBLE_PIPELINING": "true"}
    if collections:
        env["ANSIBLE_COLLECTIONS_PATH"] = f"{collections}{os.pathsep}{os.environ['ANSIBLE_COLLECTIONS_PATH']}"
    return ansible_playbook("mdps.venue_sts.awx_setup", "-e", f"@{given}", *options, env=env, cwd=place)


def named(awx: Awx, endpoint: str) -> dict[str, dict]:
    return {item.get("name", item.get("identifier")): item for item in awx.items[endpoint].values()}


@pytest.fixture
def awx():
    return Awx(PLAYBOOKS)


@pytest.fixture
def server(awx):
    with AwxServer(awx) as running:
        yield running


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """What a server holds after the playbook has run once."""
    awx = Awx(PLAYBOOKS)
    with pytest.MonkeyPatch.context() as patch, AwxServer(awx) as server:
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", str(COLLECTIONS))
        setup(server, tmp_path_factory.mktemp("first")).expect()
    awx.writes()
    return awx


@pytest.fixture
def made(first_run):
    return copy.deepcopy(first_run)


@pytest.fixture
def made_server(made):
    with AwxServer(made) as running:
        yield running


def test_an_empty_server_is_filled(made):
    assert set(named(made, "job_templates")) == set(TEMPLATES)
    assert {"MDPS Kion API key", "MDPS SAML assertion"} <= set(named(made, "credential_types"))
    hosts = named(made, "hosts")
    receipts = {name: f"/unity/{one['project']}/{one['venue']}/cs/sts/receipts" for name, one in VENUES.items()}
    assert {name: json.loads(host["variables"]) for name, host in hosts.items()} == {
        name: {"handoff_receipts_ssm_path": receipts[name], **one} for name, one in VENUES.items()
    }
    group = named(made, "groups")["venues"]
    assert sorted(made.associated["groups", group["id"], "hosts"]) == sorted(host["id"] for host in hosts.values())
    kion = named(made, "credentials")["MDPS Kion API key"]
    for template in named(made, "job_templates").values():
        spec = made.surveys["job_templates", template["id"]]["spec"]
        assert (spec[0]["variable"], spec[0]["choices"]) == ("target", list(VENUES))
        assert made.associated["job_templates", template["id"], "credentials"] == [kion["id"]]
        assert template["survey_enabled"]
        assert not template["ask_variables_on_launch"], "would go round the survey"
    assert json.loads(named(made, "job_templates")["Issue token"]["extra_vars"]) == {"handoff_channel": "output"}


def test_a_request_waits_for_approval_before_anything_is_issued(made):
    nodes = named(made, "workflow_job_template_nodes")
    approve, issue = nodes["approve"], nodes["issue"]
    assert made.items["workflow_approval_templates"][approve["unified_job_template"]]["timeout"] == 28800
    assert made.associated["workflow_job_template_nodes", approve["id"], "success_nodes"] == [issue["id"]]
    assert issue["unified_job_template"] == named(made, "job_templates")["Issue token"]["id"]
    into = [
        key
        for key, members in made.associated.items()
        if key[0] == "workflow_job_template_nodes" and issue["id"] in members
    ]
    assert [key[2] for key in into] == ["success_nodes"], "only an approval leads to the issue"


def test_only_what_drifted_is_shown_by_a_check_and_then_repaired(made, made_server, tmp_path):
    kion = named(made, "credentials")["MDPS Kion API key"]
    kion["inputs"] = {"url": "https://kion.example.org", "api_key": "$encrypted$"}
    template = named(made, "job_templates")["Issue token"]
    template["ask_variables_on_launch"] = True
    made.surveys["job_templates", template["id"]]["spec"].pop()
    timeout = {"awx_setup_approval_timeout": 600}
    assert "changed=2" in setup(made_server, tmp_path, "--check", **timeout).expect().output
    assert made.writes() == []
    assert "changed=2" in setup(made_server, tmp_path, **timeout).expect().output
    approval = next(iter(made.items["workflow_approval_templates"].values()))
    assert made.writes() == [
        ("PATCH", made.address("job_templates", template)),
        ("POST", made.address("job_templates", template) + "survey_spec/"),
        ("PATCH", made.address("workflow_approval_templates", approval)),
    ]
    assert not template["ask_variables_on_launch"]
    assert len(made.surveys["job_templates", template["id"]]["spec"]) == 6
    assert approval["timeout"] == 600
    assert kion["inputs"]["url"] == "https://kion.example.org", "what the admin filled in stays"


def test_a_check_on_an_empty_server_says_what_would_be_made(awx, server, tmp_path):
    before = json.dumps(awx.items)
    output = setup(server, tmp_path, "--check").expect().output
    assert "all of its contents would be made" in output
    assert "changed=2" in output
    awx.add("organizations", {"name": "MDPS"})
    assert "templates and workflow would be made" in setup(server, tmp_path, "--check").expect().output
    awx.items["organizations"].clear()
    assert json.dumps(awx.items) == before
    assert awx.writes() == []


def test_everything_is_removed_and_the_organization_only_when_asked(made, made_server, tmp_path):
    setup(made_server, tmp_path, "--check", awx_setup_state="absent").expect()
    assert made.writes() == []
    setup(made_server, tmp_path, awx_setup_state="absent").expect()
    assert {endpoint: named(made, endpoint) for endpoint in CONTENTS} == {endpoint: {} for endpoint in CONTENTS}
    assert set(named(made, "credentials")) == {"Ansible Galaxy"}
    assert set(named(made, "organizations")) == {"MDPS"}
    setup(made_server, tmp_path, awx_setup_state="absent", awx_setup_remove_organization=True).expect()
    made.writes()
    assert named(made, "organizations") == {}
    assert "changed=0" in setup(made_server, tmp_path, awx_setup_state="absent").expect().output
    assert made.writes() == []


def test_automation_controller_is_set_up_with_its_own_collection(tmp_path):
    source = COLLECTIONS / "ansible_collections/awx/awx/plugins"
    target = tmp_path / "own/ansible_collections/ansible/controller/plugins"
    shutil.copytree(source, target)  # Red Hat's build is the same code under another name
    for path in target.rglob("*.py"):
        text = path.read_text().replace("awx.awx.", "ansible.controller.")
        path.write_text(
            text.replace('_COLLECTION_TYPE = "awx"', '_COLLECTION_TYPE = "controller"').replace('"24.6.1"', '"4.6.1"')
        )
    awx = Awx(PLAYBOOKS, prefix="/api/controller/v2/")
    with AwxServer(awx, "Red Hat Ansible Automation Platform", "4.6.8") as server:
        run = setup(
            server, tmp_path, "--check", collections=str(tmp_path / "own"), awx_setup_collection="ansible.controller"
        ).expect()
    assert "WARNING" not in run.output
    assert "all of its contents would be made" in run.output
    assert {path for _method, path in awx.log} == {
        "/api/controller/v2/organizations/",
        "/api/controller/v2/credentials/",
    }


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"awx_setup_collection": "ansible.controller"},
            "needs the collection ansible.controller: ansible-galaxy collection install ansible.controller",
        ),
        ({"awx_setup_venues": {"sbg-dev": {"project": "sbg"}}}, "at least one venue, each with project and venue"),
        ({"awx_setup_image": ""}, "Set awx_setup_image to the execution environment's image"),
        ({"awx_setup_galaxy_credentials": ["Nobodys"]}, "credentials/?name=Nobodys returned 0 items, expected 1"),
        (
            {"awx_setup_handoff_channel": "file"},
            "value of awx_setup_handoff_channel must be one of: output, email, https, got: file",
        ),
    ],
)
def test_what_is_wrong_is_said(settings, said, server, tmp_path):
    output = setup(server, tmp_path, **settings).expect(2).output
    assert said in " ".join(output.split()), output


def test_a_wrong_login_is_said(server, tmp_path):
    assert "Invalid authentication credentials" in setup(server, tmp_path, token="another").expect(2).output
