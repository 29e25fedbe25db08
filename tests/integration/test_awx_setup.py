# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbook awx_setup against a strict server of AWX's API: nothing, everything, drift, nothing again."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import shutil

import pytest
import yaml

from tests.conftest import COLLECTIONS
from tests.support.awx_job import STORED_RECEIPTS
from tests.support.awx_runs import Refused
from tests.support.awx_server import TOKEN, Awx, AwxServer, check_survey, rule_problems
from tests.support.playbook import Run, ansible_playbook

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELEASE = "v" + yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
SPECS = yaml.safe_load((ROOT / "roles/awx_setup/meta/argument_specs.yml").read_text())["argument_specs"]
CHANNELS = SPECS["main"]["options"]["awx_setup_handoff_channel"]["choices"]
PLAYBOOKS = [f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")]
VENUES = {
    "sbg-dev": {"project": "sbg", "venue": "dev", "issue_expected_account_id": "111122223333"},
    "emit-ops": {"project": "emit", "venue": "ops"},
}
SETTINGS = {"awx_setup_image": "registry.example.org/mdps/venue-sts:1.0.0", "awx_setup_venues": VENUES}
NOTIFICATION = {
    "name": "MDPS mail",
    "type": "email",
    "events": ["approval", "failed", "delivered"],
    "settings": {
        **{"host": "smtp.example.org", "port": 587, "username": "awx", "password": "mail-password-of-awx"},
        **{"use_tls": True, "use_ssl": False, "sender": "awx@example.org", "recipients": ["mdps@example.org"]},
    },
}
SCHEDULE = {
    "name": "Weekly report",
    "template": "Report",
    "rrule": "DTSTART:20261130T060000Z RRULE:FREQ=WEEKLY;INTERVAL=1",
    "answers": {"report_cloudtrail": "yes"},
}
# With every optional part.
EVERYTHING = {
    "awx_setup_notifications": [
        NOTIFICATION,
        {
            **NOTIFICATION,
            "name": "MDPS hook",
            "type": "webhook",
            "settings": {"url": "https://hooks.example.org/mdps", "http_method": "POST", "headers": {}},
            "events": ["failed"],
        },
    ],
    "awx_setup_schedules": [
        SCHEDULE,
        {**SCHEDULE, "name": "Daily drift check", "template": "Provision venue", "answers": {}, "job_type": "check"},
        {
            **{"name": "Renewal of leases", "template": "Renew leases"},
            "rrule": "DTSTART:20261130T000000Z RRULE:FREQ=MINUTELY;INTERVAL=5",
        },
    ],
    "awx_setup_team_members": {"requesters": ["joe"], "approvers": ["jane"]},
}
CONTENTS = (
    "execution_environments",
    "projects",
    "inventories",
    "hosts",
    "groups",
    "job_templates",
    "workflow_job_templates",
    "teams",
    "schedules",
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
    """What a server holds after the playbook has run once, and what the run printed."""
    awx = Awx(PLAYBOOKS)
    for name in ("jane", "joe"):
        awx.add("users", {"username": name})
    with pytest.MonkeyPatch.context() as patch, AwxServer(awx) as server:
        patch.setenv("ANSIBLE_COLLECTIONS_PATH", str(COLLECTIONS))
        run = setup(server, tmp_path_factory.mktemp("first"), **EVERYTHING).expect()
    awx.writes()
    return awx, run.output


@pytest.fixture
def made(first_run):
    return copy.deepcopy(first_run[0])


@pytest.fixture
def made_server(made):
    with AwxServer(made) as running:
        yield running


def find(awx: Awx, endpoint: str, name: str) -> dict:
    return named(awx, endpoint)[name]


def launch(awx: Awx, endpoint: str, name: str, **body: object) -> dict:
    """Launch a template as a person does, and return the answer."""
    _status, answer = awx.answer("POST", awx.address(endpoint, find(awx, endpoint, name)) + "launch/", {}, body)
    return answer


def holders(awx: Awx, endpoint: str, name: str, role: str, actors: str = "teams") -> set[str]:
    found = awx.grants.get((endpoint, find(awx, endpoint, name)["id"], role, actors), [])
    return {awx.items[actors][one].get("name", awx.items[actors][one].get("username")) for one in found}


def fill(awx: Awx) -> None:
    """Fill the Kion credential as an admin does."""
    find(awx, "credentials", "MDPS Kion API key")["inputs"] = {
        "url": "https://kion.example.org",
        "api_key": "$encrypted$",
    }


ANSWERS = {"target": "sbg-dev", "issue_user": "jdoe", "request_reason": "Reprocessing"}


def test_receipts_go_to_s3_alone_where_a_venue_says_so(tmp_path):
    bucket = {"handoff_receipts_s3": "s3://sbg-receipts/sts"}
    venues = {"sbg-dev": {**VENUES["sbg-dev"], **bucket}, "emit-ops": VENUES["emit-ops"]}
    hosts = {one["name"]: one["variables"] for one in export(tmp_path, awx_setup_venues=venues)["controller_hosts"]}
    assert hosts["sbg-dev"] == venues["sbg-dev"]
    assert "handoff_receipts_ssm_path" in hosts["emit-ops"]


def test_an_empty_server_is_filled(made):
    assert set(named(made, "job_templates")) == set(TEMPLATES)
    assert {"MDPS Kion API key", "MDPS SAML assertion", "MDPS AWX reader"} <= set(named(made, "credential_types"))
    hosts = named(made, "hosts")
    receipts = {
        name: STORED_RECEIPTS.replace("PATH", f"/unity/{one['project']}/{one['venue']}/cs/sts/receipts")
        for name, one in VENUES.items()
    }
    assert {name: json.loads(host["variables"]) for name, host in hosts.items()} == {
        name: {"handoff_receipts_ssm_path": receipts[name], **one} for name, one in VENUES.items()
    }
    group = named(made, "groups")["venues"]
    assert sorted(made.associated["groups", group["id"], "hosts"]) == sorted(host["id"] for host in hosts.values())
    assert find(made, "projects", "MDPS venue STS")["scm_branch"] == RELEASE
    for template in named(made, "job_templates").values():
        spec = made.surveys["job_templates", template["id"]]["spec"]
        assert (spec[0]["variable"], spec[0]["choices"]) == ("target", list(VENUES))
        assert template["survey_enabled"]
        assert template["timeout"] == (600 if template["name"] == "Renew leases" else 3600)
        assert template["allow_simultaneous"] is (template["name"] != "Renew leases"), "no two renewals at once"
        assert len(made.associated["job_templates", template["id"], "labels"]) == 1
        asks = {name for name, value in template.items() if name.startswith("ask_") and value}
        assert asks <= {"ask_job_type_on_launch"}, "would go round the survey, the approval or the limits"
    assert json.loads(find(made, "job_templates", "Issue token")["extra_vars"])["handoff_channel"] == "output"


def credentials_of(awx: Awx, template: str) -> set[str]:
    used = awx.associated["job_templates", find(awx, "job_templates", template)["id"], "credentials"]
    return {awx.items["credentials"][one]["name"] for one in used}


def test_only_the_way_without_kion_uses_the_saml_assertion(made):
    used = {name: credentials_of(made, name) for name in TEMPLATES}
    assert used.pop("Issue token with SAML") == {"MDPS SAML assertion"}
    # The approver of a request, and the requests that wait.
    for name in ("Check request", "Issue token", "Revoke"):
        assert used.pop(name) == {"MDPS Kion API key", "MDPS AWX reader"}
    for name in ("Check lease", "Grant lease"):
        assert used.pop(name) == {"MDPS Kion API key", "MDPS AWX reader", "MDPS lease signer"}
    assert set(map(frozenset, used.values())) == {frozenset({"MDPS Kion API key"})}


def test_a_launch_cannot_set_limits_or_credentials(made):
    fill(made)
    saml = find(made, "credentials", "MDPS SAML assertion")["id"]
    limits = {"issue_limits": {"duration_seconds": 43200}, "issue_role_arn": "arn:aws:iam::111122223333:role/admin"}
    for name in ("Issue token", "Check request", "Issue token with SAML"):
        job = launch(made, "job_templates", name, extra_vars={**ANSWERS, **limits}, credentials=[saml], limit="all")
        assert job["extra_vars"] == ANSWERS
        assert set(job["ignored_fields"]) == {"extra_vars", "credentials", "limit"}
    request = launch(made, "workflow_job_templates", "Request a token", extra_vars={**ANSWERS, **limits})
    assert request["extra_vars"] == ANSWERS


@pytest.mark.parametrize(
    "answers",
    [
        {"target": "sbg-dev", "issue_user": "jdoe"},
        {**ANSWERS, "request_reason": ""},
        {**ANSWERS, "issue_user": ""},
        {**ANSWERS, "issue_bucket_prefixes": ""},
        {**ANSWERS, "issue_duration_seconds": 60},
        {**ANSWERS, "target": "nowhere"},
    ],
)
def test_a_request_that_cannot_succeed_is_refused_at_launch(answers, made):
    with pytest.raises(Refused) as refused:
        launch(made, "workflow_job_templates", "Request a token", extra_vars=answers)
    assert "variables_needed_to_start" in refused.value.body


def steps_of(awx: Awx, workflow: str) -> dict[str, dict]:
    """The steps of a workflow, by identifier."""
    owner = find(awx, "workflow_job_templates", workflow)["id"]
    nodes = awx.items["workflow_job_template_nodes"].values()
    return {one["identifier"]: one for one in nodes if one["workflow_job_template"] == owner}


@pytest.mark.parametrize(
    ("workflow", "check", "approve", "issue"),
    [
        ("Request a token", "Check request", "Approve a token", "Issue token"),
        ("Request a lease", "Check lease", "Approve a lease", "Grant lease"),
    ],
)
def test_a_request_is_checked_then_approved_before_anything_is_issued(workflow, check, approve, issue, made):
    nodes = steps_of(made, workflow)
    approval = made.items["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]
    assert (approval["name"], approval["timeout"]) == (approve, 28800)
    assert nodes["check"]["unified_job_template"] == find(made, "job_templates", check)["id"]
    assert nodes["issue"]["unified_job_template"] == find(made, "job_templates", issue)["id"]
    order = [nodes[name]["id"] for name in ("check", "approve", "issue")]
    links = {
        (key[1], key[2], one)
        for key, members in made.associated.items()
        if key[0] == "workflow_job_template_nodes" and key[1] in order
        for one in members
    }
    assert links == {(order[0], "success_nodes", order[1]), (order[1], "success_nodes", order[2])}
    assert find(made, "job_templates", check)["job_type"] == "check"


LEASE = {"target": "sbg-dev", "lease_user": "jdoe", "lease_days": 3, "lease_reason": "Reprocessing"}


@pytest.mark.parametrize(
    "wrong", [{"lease_reason": None}, {"lease_days": 8}, {"lease_days": 0}, {"lease_end": ""}, {"target": "nowhere"}]
)
def test_a_lease_that_cannot_be_approved_is_refused_at_launch(wrong, made):
    answers = {name: value for name, value in {**LEASE, **wrong}.items() if value is not None}
    with pytest.raises(Refused, match=r"lease_|target"):
        launch(made, "workflow_job_templates", "Request a lease", extra_vars=answers)


def test_a_request_for_a_lease_takes_no_approver_and_no_limits(made):
    more = {"lease_approver": "jane", "approver": "jane", "lease_maximum_days": 300, "lease_limits": {}}
    request = launch(made, "workflow_job_templates", "Request a lease", extra_vars={**LEASE, **more})
    assert request["extra_vars"] == LEASE


def test_a_lease_may_last_as_long_as_the_venue_that_allows_most(tmp_path):
    venues = {"sbg-dev": {**VENUES["sbg-dev"], "lease_maximum_days": 30}, "emit-ops": VENUES["emit-ops"]}
    exported = export(tmp_path, awx_setup_venues=venues, awx_setup_require_ticket=True)
    (request,) = (one for one in exported["controller_workflows"] if one["name"] == "Request a lease")
    questions = {one["variable"]: one for one in request["survey_spec"]["spec"]}
    assert questions["lease_days"]["max"] == 30
    assert [questions[name]["required"] for name in ("lease_reason", "lease_ticket")] == [True, True]


def test_each_team_may_do_its_part_and_no_more(made):
    for workflow in ("Request a token", "Request a lease"):
        assert holders(made, "workflow_job_templates", workflow, "execute_role") == {"MDPS requesters"}
        assert holders(made, "workflow_job_templates", workflow, "approval_role") == {"MDPS approvers"}
    requests = ("Issue token", "Check request", "Grant lease", "Check lease")
    for name in TEMPLATES:
        readers = {"MDPS requesters", "MDPS approvers"} if name in requests else set()
        assert holders(made, "job_templates", name, "read_role") == readers
        users = {"MDPS operators"} | ({"MDPS requesters"} if name == "Deliver lease token" else set())
        assert holders(made, "job_templates", name, "execute_role") == users
    assert holders(made, "organizations", "MDPS", "auditor_role") == {"MDPS auditors"}
    assert holders(made, "organizations", "MDPS", "member_role", "users") == {"jane", "joe"}
    assert holders(made, "teams", "MDPS approvers", "member_role", "users") == {"jane"}
    assert not any(key[0] == "credentials" for key in made.grants), "a launch does not need it"


def test_notifications_and_schedules_are_attached_and_say_nothing_secret(made, first_run):
    mail, hook = (find(made, "notification_templates", name) for name in ("MDPS mail", "MDPS hook"))
    issue = find(made, "job_templates", "Issue token")["id"]
    for name in ("Grant lease", "Deliver lease token"):
        template = find(made, "job_templates", name)["id"]
        assert made.associated["job_templates", template, "notification_templates_success"] == [mail["id"]]
    assert made.associated["job_templates", issue, "notification_templates_success"] == [mail["id"]]
    assert set(made.associated["job_templates", issue, "notification_templates_error"]) == {mail["id"], hook["id"]}
    for name in ("Request a token", "Request a lease"):
        workflow = find(made, "workflow_job_templates", name)["id"]
        assert made.associated["workflow_job_templates", workflow, "notification_templates_approvals"] == [mail["id"]]
    report = find(made, "job_templates", "Report")["id"]
    assert made.associated.get(("job_templates", report, "notification_templates_success"), []) == []
    assert json.loads(hook["messages"]["error"]["body"])["text"] == mail["messages"]["error"]["message"]
    assert not any(word in json.dumps(mail["messages"]) for word in ("artifacts", "job_metadata", "extra_vars"))
    assert find(made, "schedules", "Weekly report")["unified_job_template"] == report
    assert find(made, "schedules", "Daily drift check")["job_type"] == "check"
    renew = find(made, "job_templates", "Renew leases")["id"]
    assert find(made, "schedules", "Renewal of leases")["unified_job_template"] == renew
    assert "mail-password-of-awx" not in first_run[1]


def test_the_last_task_says_what_is_missing_before_a_job_can_be_launched(first_run):
    said = " ".join(first_run[1].split())
    assert "The credential MDPS Kion API key lacks api_key, url." in said
    assert "SAML" not in said[said.index("lacks api_key") :], "filled when it is needed"


def test_only_what_drifted_is_shown_by_a_check_and_then_repaired(made, made_server, tmp_path):
    fill(made)
    template = find(made, "job_templates", "Issue token")
    template["ask_variables_on_launch"] = True
    made.surveys["job_templates", template["id"]]["spec"].pop()
    project = find(made, "projects", "MDPS venue STS")
    project["status"] = "failed"
    with pytest.raises(Refused, match=r"Missing a revision to run"):
        launch(made, "job_templates", "Report")
    host, schedule = find(made, "hosts", "sbg-dev"), find(made, "schedules", "Renewal of leases")
    host["enabled"] = schedule["enabled"] = False
    nodes = steps_of(made, "Request a token")
    around = ("workflow_job_template_nodes", nodes["check"]["id"], "always_nodes")
    made.associated[around] = [nodes["issue"]["id"]]
    changes = {**EVERYTHING, "awx_setup_approval_timeout": 600}
    assert "changed=7" in setup(made_server, tmp_path, "--check", **changes).expect().output
    assert made.writes() == [("POST", made.address("job_templates", find(made, "job_templates", "Report")) + "launch/")]
    run = setup(made_server, tmp_path, **changes).expect()
    assert "changed=7" in run.output
    assert "jobs can be launched" in run.output
    approvals = list(made.items["workflow_approval_templates"].values())
    assert made.writes() == [
        ("POST", made.address("projects", project) + "update/"),
        ("PATCH", made.address("hosts", host)),
        ("PATCH", made.address("job_templates", template)),
        ("POST", made.address("job_templates", template) + "survey_spec/"),
        ("PATCH", made.address("workflow_approval_templates", approvals[0])),
        ("POST", made.address("workflow_job_template_nodes", nodes["check"]) + "always_nodes/"),
        ("PATCH", made.address("workflow_approval_templates", approvals[1])),
        ("PATCH", made.address("schedules", schedule)),
    ]
    assert (host["enabled"], schedule["enabled"], made.associated[around]) == (True, True, [])
    assert launch(made, "job_templates", "Report")["status"] == "pending"
    assert not template["ask_variables_on_launch"]
    assert len(made.surveys["job_templates", template["id"]]["spec"]) == 8
    assert {one["timeout"] for one in approvals} == {600}
    kion = find(made, "credentials", "MDPS Kion API key")
    assert kion["inputs"]["url"] == "https://kion.example.org", "what the admin filled in stays"


# What leads round the survey, the approval or the limits, or leaves tasks out, if somebody sets it.
ASKED = "credential execution_environment forks instance_groups inventory job_slice_count limit scm_branch skip_tags"
LOOSE: dict[str, dict[str, object]] = {
    "job_templates": {
        **{f"ask_{name}_on_launch": True for name in (*ASKED.split(), "tags", "timeout", "variables", "verbosity")},
        **dict.fromkeys(("job_tags", "limit", "scm_branch", "skip_tags", "start_at_task"), "other"),
        **{"become_enabled": True, "host_config_key": "key", "webhook_service": "github"},
    },
    "workflow_job_templates": {"ask_variables_on_launch": True, "extra_vars": '{"issue_limits": {}}'},
    "groups": {"variables": '{"issue_limits": {}}'},
}


def test_what_leads_round_the_approval_or_the_limits_is_reset(made, made_server, tmp_path):
    before = copy.deepcopy(made.items)
    for endpoint, settings in LOOSE.items():
        for item in made.items[endpoint].values():
            item.update(settings)
    assert "changed=3" in setup(made_server, tmp_path, "--check", **EVERYTHING).expect().output
    setup(made_server, tmp_path, **EVERYTHING).expect()
    assert {endpoint: made.items[endpoint] for endpoint in LOOSE} == {one: before[one] for one in LOOSE}


def test_steps_that_somebody_changed_are_made_again(made, made_server, tmp_path):
    steps, own = steps_of(made, "Request a token"), "workflow_job_template_nodes"
    workflow, job = steps["issue"]["workflow_job_template"], find(made, "job_templates", "Issue token")
    made.add(own, {"identifier": "3f", "workflow_job_template": workflow, "unified_job_template": job["id"]})
    steps["approve"] |= {
        "unified_job_template": job["id"],
        "related": {"unified_job_template": made.address("job_templates", job)},
    }
    steps["issue"]["extra_data"] = {"issue_bucket_prefixes": "everything"}
    setup(made_server, tmp_path, **EVERYTHING).expect()
    found = steps_of(made, "Request a token")
    assert set(found) == {"check", "approve", "issue"}
    assert found["approve"]["unified_job_template"] in made.items["workflow_approval_templates"]
    assert (found["issue"]["unified_job_template"], found["issue"]["extra_data"]) == (job["id"], {})
    assert [made.associated[own, found[one]["id"], "success_nodes"] for one in ("check", "approve")] == [
        [found["approve"]["id"]],
        [found["issue"]["id"]],
    ]
    assert job["name"] == "Issue token"


def test_a_project_that_cannot_be_updated_stops_the_run_and_says_why(made, made_server, tmp_path):
    find(made, "projects", "MDPS venue STS")["status"] = "failed"
    made.sync_problem = "fatal: couldn't find remote ref v1.0.0"
    said = " ".join(setup(made_server, tmp_path).expect(2).output.split())
    assert f"cannot be updated from https://github.com/unity-sds/mdps.venue_sts, branch or tag {RELEASE}" in said
    assert "AWX refuses every launch" in said


def verify(server: AwxServer, place: pathlib.Path, **settings: object) -> Run:
    """The last part of the role alone."""
    made = {
        "__awx_setup_organization": {"id": find(server.awx, "organizations", "MDPS")["id"]},
        "__awx_setup_credential_ids": {name: one["id"] for name, one in named(server.awx, "credentials").items()},
    }
    role = {"name": "mdps.venue_sts.awx_setup", "tasks_from": "verify"}
    tasks = [{"ansible.builtin.include_role": role, "vars": {**SETTINGS, **made, **settings}}]
    (place / "verify.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    env = {"CONTROLLER_HOST": server.url, "CONTROLLER_OAUTH_TOKEN": TOKEN}
    return ansible_playbook("verify.yml", env=env, cwd=place)


def test_a_job_that_could_not_be_run_is_named_with_the_reason(made, made_server, tmp_path):
    job = made.items["jobs"][launch(made, "job_templates", "Report")["id"]]
    assert job["status"] == "failed", "the credential is empty"
    ready = {"awx_setup_require_ready": True}
    assert "lacks api_key, url" in " ".join(verify(made_server, tmp_path, **ready).expect(2).output.split())
    fill(made)
    assert "jobs can be launched" in verify(made_server, tmp_path, **ready).expect().output, "the cause is fixed"
    job["job_explanation"] = "Missing needed fields: inventory."
    said = " ".join(verify(made_server, tmp_path, **ready).expect(2).output.split())
    assert f"AWX could not run the last job of Report (job {job['id']}). Missing needed fields: inventory." in said
    job |= {"status": "error", "job_explanation": ""}
    said = " ".join(verify(made_server, tmp_path).expect().output.split())
    assert "an image that cannot be pulled is the usual reason. If the cause is fixed, launch it once." in said
    job |= {"status": "failed", "job_explanation": "Job terminated due to timeout"}
    assert "jobs can be launched" in verify(made_server, tmp_path, **ready).expect().output


def test_an_empty_reader_is_reported_until_it_is_filled(made, made_server, tmp_path):
    fill(made)
    said = " ".join(verify(made_server, tmp_path, awx_setup_require_ready=True).expect().output.split())
    assert "The credential MDPS AWX reader lacks host, token. Until it is filled, leases are refused" in said
    find(made, "credentials", "MDPS AWX reader")["inputs"] = {"host": "https://awx.example.org", "token": "$encrypted$"}
    assert "MDPS AWX reader lacks" not in verify(made_server, tmp_path).expect().output


def test_an_empty_signer_is_reported_where_leases_must_be_signed(made, made_server, tmp_path):
    fill(made)
    signed = {"awx_setup_inventory_variables": {"lease_signers": ["ssh-ed25519 AAAA test"]}}
    assert "leases are refused" in verify(made_server, tmp_path, **signed).expect().output.split("MDPS lease signer")[1]
    find(made, "credentials", "MDPS lease signer")["inputs"] = {"lease_key": "$encrypted$"}
    assert "MDPS lease signer is empty" not in " ".join(verify(made_server, tmp_path, **signed).expect().output.split())


def test_an_external_source_fills_a_credential_as_well(made, made_server, tmp_path):
    kion = find(made, "credentials", "MDPS Kion API key")
    kion["inputs"] = {"url": "https://kion.example.org"}
    source = {"input_field_name": "api_key", "target_credential": kion["id"], "source_credential": kion["id"]}
    made.add("credential_input_sources", source)
    assert "jobs can be launched" in verify(made_server, tmp_path).expect().output


def test_the_recipient_is_a_choice_where_the_keys_are_in_the_inventory(tmp_path):
    keys = {"awx_setup_inventory_variables": {"handoff_public_keys": {"jdoe": "age1x", "jane": "age1y"}}}
    exported = export(tmp_path, **keys)
    rows = {one["name"]: one for one in exported["controller_workflows"] + exported["controller_templates"]}
    variables = {"Request a token": "issue_user", "Check request": "issue_user", "Request a lease": "lease_user"}
    for name, variable in {**variables, "Grant lease": "lease_user", "Deliver lease token": "renew_user"}.items():
        spec = rows[name]["survey_spec"]
        question = spec["spec"][1]
        assert (question["variable"], question["type"], question["required"]) == (variable, "multiplechoice", True)
        assert question["choices"] == ["jdoe", "jane"]
        check_survey(spec)


@pytest.mark.parametrize(
    ("everywhere", "here", "choices"),
    [
        ({"handoff_public_keys": {"jdoe": "age1x"}}, {"handoff_public_keys": {"jane": "age1y"}}, ["jdoe", "jane"]),
        ({}, {"handoff_public_keys": {"jane": "age1y"}}, ["jane"]),
        ({"handoff_public_keys": {}}, {}, None),
        ({"handoff_public_keys": {"jdoe": "age1x"}}, {"handoff_key_directory": "keys"}, None),
    ],
)
def test_every_recipient_of_the_inventory_can_be_chosen(everywhere, here, choices, tmp_path):
    venues = {**VENUES, "sbg-dev": {**VENUES["sbg-dev"], **here}}
    exported = export(tmp_path, awx_setup_inventory_variables=everywhere, awx_setup_venues=venues)
    question = exported["controller_templates"][1]["survey_spec"]["spec"][1]
    assert (question["variable"], question.get("choices")) == ("issue_user", choices)


def export(place: pathlib.Path, **settings: object) -> dict:
    """What the role writes for infra.aap_configuration; no server is there."""
    given = {**SETTINGS, **EVERYTHING, "awx_setup_state": "export", "awx_setup_export_dest": str(place / "out.yml")}
    (place / "awx.yml").write_text(json.dumps({**given, **settings}))
    ansible_playbook("mdps.venue_sts.awx_setup", "-e", f"@{place}/awx.yml", env={}, cwd=place).expect()
    text = (place / "out.yml").read_text()
    assert "mail-password-of-awx" not in text
    loaded: dict = yaml.load(text, Unsafe)
    return loaded


class Unsafe(yaml.SafeLoader):
    """Reads ``!unsafe`` as the text that Ansible must not template."""


Unsafe.add_constructor("!unsafe", lambda loader, node: ("unsafe", node.value))


def test_the_export_is_the_set_up(made, tmp_path):
    found = export(tmp_path)
    kinds = {"controller_templates": "job_templates", "aap_teams": "teams", "controller_hosts": "hosts"}
    kinds |= {"controller_schedules": "schedules", "controller_projects": "projects", "controller_labels": "labels"}
    for variable, endpoint in kinds.items():
        assert {one["name"] for one in found[variable]} == set(named(made, endpoint)), variable
    for row in found["controller_templates"]:
        template = find(made, "job_templates", row["name"])
        kept = ("playbook", "job_type", "timeout", "allow_simultaneous", "ask_job_type_on_launch")
        kept += ("ask_variables_on_launch", "description", "forks", "job_slice_count", "diff_mode")
        assert {key: row[key] for key in kept} == {key: template[key] for key in kept}
        assert row["survey_spec"] == made.surveys["job_templates", template["id"]]
        assert set(row["credentials"]) == credentials_of(made, row["name"])
        assert row["extra_vars"] == json.loads(template["extra_vars"] or "{}")
    injectors = {one["name"]: one["injectors"] for one in found["controller_credential_types"]}
    assert injectors["MDPS Kion API key"]["env"]["KION_URL"] == ("unsafe", "{{ url }}"), "AWX renders it, not Ansible"
    assert not any("inputs" in one for one in found["controller_credentials"])
    granted = {(team, one["role"]) for one in found["controller_roles"] for team in one.get("teams", ())}
    assert ("MDPS approvers", "approval") in granted
    members = [one for one in found["controller_roles"] if "target_teams" in one]
    assert {"users": ["jane"], "role": "member", "target_teams": ["MDPS approvers"]} in members
    assert (tmp_path / "out.yml").stat().st_mode & 0o777 == 0o600
    for row in found["controller_workflows"]:
        workflow = find(made, "workflow_job_templates", row["name"])
        assert row["survey_spec"] == made.surveys["workflow_job_templates", workflow["id"]]
        steps = steps_of(made, row["name"])
        assert [one["identifier"] for one in row["workflow_nodes"]] == ["check", "approve", "issue"]
        assert set(steps) == {"check", "approve", "issue"}
        approval = made.items["workflow_approval_templates"][steps["approve"]["unified_job_template"]]
        assert row["workflow_nodes"][1]["unified_job_template"]["name"] == approval["name"]


def test_the_export_has_what_large_set_ups_need(tmp_path):
    found = export(tmp_path, awx_setup_job_slice_count=4, awx_setup_instance_groups=["inside"])
    slices = {one["name"]: one["job_slice_count"] for one in found["controller_templates"]}
    assert (slices["Provision venue"], slices["Report"]) == (4, 1)
    assert {tuple(one["instance_groups"]) for one in found["controller_templates"]} == {("inside",)}


def test_a_check_on_an_empty_server_says_what_would_be_made(awx, server, tmp_path):
    before = json.dumps(awx.items)
    output = setup(server, tmp_path, "--check").expect().output
    assert "all of its contents would be created" in output
    assert "changed=2" in output
    awx.add("organizations", {"name": "MDPS"})
    assert "templates and workflow would be created" in " ".join(
        setup(server, tmp_path, "--check").expect().output.split()
    )
    awx.items["organizations"].clear()
    assert json.dumps(awx.items) == before
    assert awx.writes() == []


def test_nothing_is_removed_while_a_request_waits(made, made_server, tmp_path):
    request = launch(made, "workflow_job_templates", "Request a token", extra_vars=ANSWERS)
    made.writes()
    said = " ".join(setup(made_server, tmp_path, awx_setup_state="absent").expect(2).output.split())
    assert (
        f"not finished, so nothing was removed: {request['id']}. Wait for them with awx_setup_unfinished=wait" in said
    )
    assert made.writes() == []


def test_the_role_waits_for_running_jobs_if_asked_to(made, made_server, tmp_path):
    fill(made)
    job = made.items["jobs"][launch(made, "job_templates", "Report")["id"]]
    never = {"awx_setup_wait_seconds": 2, "__awx_setup_pause": 1}
    wait = {"awx_setup_state": "absent", "awx_setup_unfinished": "wait", **never}
    assert "not all jobs have ended, so nothing was removed" in setup(made_server, tmp_path, **wait).expect(2).output
    assert set(named(made, "job_templates")) == set(TEMPLATES)
    assert job["status"] == "pending"


def test_a_request_whose_first_step_still_runs_is_denied_after_it(made, made_server, tmp_path):
    made.first_step = 4
    request = launch(made, "workflow_job_templates", "Request a token", extra_vars=ANSWERS)
    assert made.items["workflow_approvals"] == {}
    deny = {"awx_setup_state": "absent", "awx_setup_unfinished": "deny", "awx_setup_wait_seconds": 10}
    setup(made_server, tmp_path, **deny, __awx_setup_pause=1).expect()
    assert made.items["workflow_jobs"][request["id"]]["status"] == "failed"
    assert named(made, "job_templates") == {}


def test_everything_is_removed_and_the_organization_only_when_asked(made, made_server, tmp_path):
    fill(made)
    requests = [
        launch(made, "workflow_job_templates", "Request a token", extra_vars=ANSWERS),
        launch(made, "workflow_job_templates", "Request a lease", extra_vars=LEASE),
    ]
    job = made.items["jobs"][launch(made, "job_templates", "Report")["id"]]
    job["status"] = "successful"
    made.writes()
    absent = {**EVERYTHING, "awx_setup_state": "absent", "awx_setup_unfinished": "deny"}
    setup(made_server, tmp_path, "--check", **absent).expect()
    assert made.writes() == []
    said = setup(made_server, tmp_path, **absent).expect().output
    assert {endpoint: named(made, endpoint) for endpoint in CONTENTS} == {endpoint: {} for endpoint in CONTENTS}
    assert {made.items["workflow_jobs"][one["id"]]["status"] for one in requests} == {"failed"}, "denied"
    assert job["id"] in made.items["jobs"]
    assert "finished jobs stay in AWX with their output" in said
    assert set(named(made, "credentials")) == {"Ansible Galaxy"}
    assert set(named(made, "organizations")) == {"MDPS"}
    setup(made_server, tmp_path, awx_setup_state="absent", awx_setup_remove_organization=True).expect()
    made.writes()
    assert named(made, "organizations") == {}
    assert "changed=0" in setup(made_server, tmp_path, awx_setup_state="absent").expect().output
    assert made.writes() == []


def test_two_organizations_have_set_ups_of_their_own(made, made_server, tmp_path):
    fill(made)
    aws = made.add("credential_types", {"name": "Amazon Web Services", "kind": "cloud", "managed": True})
    made.add("credentials", {"name": "Keys of GovCloud", "credential_type": aws["id"]})
    more = {"awx_setup_organization": "MDPS GovCloud", "awx_setup_credentials": ["Keys of GovCloud"]}
    other = {**EVERYTHING, **more}
    setup(made_server, tmp_path, **other).expect()
    assert [one["name"] for one in made.items["job_templates"].values()] == TEMPLATES * 2
    organizations = {one["id"]: one["name"] for one in made.items["organizations"].values()}
    for (kind, owner, what), members in made.associated.items():
        if what in ("credentials", "notification_templates_error") and kind == "job_templates":
            mine = made.items[kind][owner]["organization"]
            for one in members:
                endpoint = "credentials" if what == "credentials" else "notification_templates"
                assert made.items[endpoint][one]["organization"] in (mine, None), organizations[mine]
    for template in made.items["job_templates"].values():
        assert made.items["inventories"][template["inventory"]]["organization"] == template["organization"]
    made.writes()
    assert "changed=0" in setup(made_server, tmp_path, **EVERYTHING).expect().output
    assert made.writes() == []
    setup(made_server, tmp_path, **{**other, "awx_setup_state": "absent"}).expect()
    assert {"MDPS Kion API key", "MDPS AWX reader"} <= set(named(made, "credential_types"))
    assert set(named(made, "execution_environments")) == {"MDPS venue STS"}
    assert [one["name"] for one in made.items["job_templates"].values()] == TEMPLATES


def test_without_a_login_that_can_remove_jobs_nothing_is_removed(made, made_server, tmp_path):
    (tmp_path / ".tower_cli.cfg").write_text(f"host = {made_server.url}\noauth_token = {TOKEN}\n")
    given = {**SETTINGS, "awx_setup_state": "absent", "awx_setup_history": "remove"}
    (tmp_path / "awx.yml").write_text(json.dumps(given))
    run = ansible_playbook("mdps.venue_sts.awx_setup", "-e", "@awx.yml", env={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert "Nothing was removed." in " ".join(run.expect(2).output.split())
    assert made.writes() == []


def ran(awx: Awx) -> dict:
    """A request and its job that have ended, and a job of somebody else, which is returned."""
    fill(awx)
    request = launch(awx, "workflow_job_templates", "Request a token", extra_vars=ANSWERS)
    awx.items["workflow_jobs"][request["id"]]["status"] = "successful"
    for approval in awx.items["workflow_approvals"].values():
        approval["status"] = "successful"
    launched = awx.items["jobs"][launch(awx, "job_templates", "Issue token", extra_vars=ANSWERS)["id"]]
    launched["status"] = "successful"
    mine = {"status": "successful", "job_template": None, "organization": launched["organization"]}
    awx.add("jobs", {"name": "Issue token", "status": "successful", "job_template": None})
    return awx.add("jobs", {**mine, "name": "Somebody else's"})


def test_the_history_of_the_jobs_is_removed_if_asked_to(made, made_server, tmp_path):
    foreign = ran(made)
    absent = {"awx_setup_state": "absent", "awx_setup_history": "remove"}
    checked = setup(made_server, tmp_path, "--check", **absent).expect().output
    assert "3 finished jobs would be removed" in checked
    made.unstored_events = dict.fromkeys(made.items["jobs"], True)
    setup(made_server, tmp_path, **absent, __awx_setup_pause=1).expect()
    writes = made.writes()
    removed = [path for method, path in writes if method == "DELETE"]
    assert "/jobs/" in removed[0] or "/workflow_jobs/" in removed[0], "before the templates"
    assert {one["name"] for one in made.items["jobs"].values()} == {"Issue token", foreign["name"]}
    assert {one["organization"] for one in made.items["jobs"].values()} == {None, foreign["organization"]}
    assert made.items["workflow_jobs"] == {}


def test_history_that_was_kept_can_be_removed_later(made, made_server, tmp_path):
    ran(made)
    said = " ".join(setup(made_server, tmp_path, awx_setup_state="absent").expect().output.split())
    assert "3 finished jobs stay in AWX" in said
    assert "awx_setup_history=remove." in said
    setup(made_server, tmp_path, awx_setup_state="absent", awx_setup_history="remove").expect()
    assert {one["name"] for one in made.items["jobs"].values()} == {"Issue token", "Somebody else's"}


def test_the_set_up_is_removed_however_many_jobs_there_were(made, made_server, tmp_path):
    fill(made)
    launched = made.items["jobs"][launch(made, "job_templates", "Report")["id"]]
    launched["status"] = "successful"
    for number in range(10_001, 20_002):
        made.items["jobs"][number] = {**launched, "id": number}
    said = setup(made_server, tmp_path, awx_setup_state="absent").expect().output
    assert "10003 finished jobs stay" in said


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
    assert "all of its contents would be created" in run.output
    assert {path for _method, path in awx.log} == {
        "/api/controller/v2/organizations/",
        "/api/controller/v2/credentials/",
    }


def platform_collection(place: pathlib.Path) -> str:
    """A stand-in for ansible.platform: organization and team of awx.awx, which say that the gateway made them."""
    source = COLLECTIONS / "ansible_collections/awx/awx/plugins"
    target = place / "own/ansible_collections/ansible/platform/plugins"
    shutil.copytree(source / "module_utils", target / "module_utils")
    (target / "modules").mkdir()
    for name in ("organization", "team"):
        text = (source / f"modules/{name}.py").read_text()
        given = "description = module.params.get('description')"
        assert given in text
        (target / f"modules/{name}.py").write_text(text.replace(given, "description = 'Made by the gateway'"))
    return str(place / "own")


def test_the_platform_gateway_makes_the_teams(made, made_server, tmp_path):
    made.items["teams"].clear()
    made.grants.clear()
    role = {"name": "mdps.venue_sts.awx_setup", "tasks_from": "access"}
    tasks = [{"ansible.builtin.include_role": role, "vars": {**SETTINGS, "awx_setup_gateway": True}}]
    (tmp_path / "access.yml").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    path = f"{platform_collection(tmp_path)}{os.pathsep}{os.environ['ANSIBLE_COLLECTIONS_PATH']}"
    env = {"CONTROLLER_HOST": made_server.url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "ANSIBLE_COLLECTIONS_PATH": path}
    ansible_playbook("access.yml", env=env, cwd=tmp_path).expect()
    assert {one["description"] for one in made.items["teams"].values()} == {"Made by the gateway"}
    assert holders(made, "workflow_job_templates", "Request a token", "approval_role") == {"MDPS approvers"}
    assert holders(made, "organizations", "MDPS", "auditor_role") == set()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"awx_setup_collection": "ansible.controller"},
            "needs the collection ansible.controller: ansible-galaxy collection install ansible.controller",
        ),
        ({"awx_setup_venues": {"sbg-dev": {"project": "sbg"}}}, "at least one venue, each with project and venue"),
        (
            {"awx_setup_gateway": True, "awx_setup_team_members": {"requesters": ["joe"]}},
            "Remove awx_setup_team_members.",
        ),
        ({"awx_setup_image": ""}, "Set awx_setup_image to the execution environment's image"),
        ({"awx_setup_galaxy_credentials": ["Nobodys"]}, "credentials/?name=Nobodys returned 0 items, expected 1"),
        ({"awx_setup_teams": {"requester": "MDPS requesters"}}, "awx_setup_teams.requester. Supported parameters"),
        ({"awx_setup_team_members": {"approver": ["jane"]}}, "awx_setup_team_members.approver. Supported parameters"),
        ({"awx_setup_teams": {"requesters": "R"}, "awx_setup_team_members": {"approvers": ["jane"]}}, "has members of"),
        ({"awx_setup_notifications": [{**NOTIFICATION, "events": ["denied"]}]}, "one or more of: approval, failed"),
        ({"awx_setup_notifications": [{**NOTIFICATION, "type": "mail"}]}, "must be one of: email, slack, webhook"),
        (
            {"awx_setup_schedules": [{**SCHEDULE, "answer": {"report_since": "x"}}]},
            "awx_setup_schedules.answer. Supported",
        ),
        (
            {"awx_setup_handoff_channel": "file"},
            f"value of awx_setup_handoff_channel must be one of: {', '.join(CHANNELS)}, got: file",
        ),
    ],
)
def test_what_is_wrong_is_said(settings, said, server, tmp_path):
    output = setup(server, tmp_path, **settings).expect(2).output
    assert said in " ".join(output.split()), output
    assert "mail-password-of-awx" not in output


def test_what_awx_says_of_a_notification_template_is_said_without_its_settings(made, made_server, tmp_path):
    wrong = {**NOTIFICATION, "name": "Another", "settings": {**NOTIFICATION["settings"], "port": "587"}}
    output = setup(made_server, tmp_path, awx_setup_notifications=[wrong]).expect(2).output
    said = " ".join(output.split())
    assert "Another: Unable to create notification_template Another" in said
    assert "Configuration field 'port' incorrect type, expected int." in said
    assert "mail-password-of-awx" not in output


@pytest.mark.parametrize(
    ("rrule", "said"),
    [
        ("FREQ=DAILY", "Valid DTSTART required"),
        ("DTSTART:20261130T060000 RRULE:FREQ=DAILY;INTERVAL=1", "naive datetime"),
        ("DTSTART;TZID=Nowhere/Land:20261130T060000 RRULE:FREQ=DAILY;INTERVAL=1", "unknown time zone"),
        ("DTSTART;TZID=America/Los_Angeles:20261130T060000 RRULE:FREQ=DAILY", "INTERVAL required"),
    ],
)
def test_a_rule_that_awx_refuses(rrule, said):
    assert said in rule_problems(rrule)[0]
    assert rule_problems("DTSTART;TZID=America/Los_Angeles:20261130T060000 RRULE:FREQ=DAILY;INTERVAL=1") == []


def test_a_wrong_login_is_said(server, tmp_path):
    assert "Invalid authentication credentials" in setup(server, tmp_path, token="another").expect(2).output
