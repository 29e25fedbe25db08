# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWX runs and who may do what: launches, project syncs, running jobs, approvals, roles of teams and users.

Each rule was read in the source of AWX 24.6.1 or seen on a server of that version; the comments quote its answers.
"""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.awx_server import Awx

JSON = dict[str, Any]
ACTIVE = ("new", "pending", "waiting", "running")
NEVER_SYNCED = "Missing a revision to run due to failed project update."
RUNS = ("jobs", "workflow_jobs", "project_updates")
ROLES = {
    "organizations": ("admin", "auditor", "member", "read", "execute", "approval", "credential_admin"),
    "job_templates": ("admin", "execute", "read"),
    "workflow_job_templates": ("admin", "execute", "read", "approval"),
    "credentials": ("admin", "use", "read"),
    "teams": ("admin", "member", "read"),
}


class Refused(Exception):
    """An answer that is not a success: status and body."""

    def __init__(self, status: int, body: JSON) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


# Projects


def sync(awx: Awx, project: JSON) -> JSON:
    """Update a project: it fails as long as ``Awx.sync_problem`` says why."""
    status = "failed" if awx.sync_problem else "successful"
    update = awx.add(
        "project_updates",
        {
            "name": project["name"],
            "status": status,
            "failed": status == "failed",
            "finished": "2026-11-22T09:30:15Z",
            "project": project["id"],
            "organization": project["organization"],
            "result_traceback": awx.sync_problem,
            "scm_revision": "1" * 40,
        },
    )
    project["status"] = status
    if status == "successful":
        project["scm_revision"] = "1" * 40
    return update


def update_project(awx: Awx, project: JSON, body: JSON) -> tuple[int, JSON]:
    """``POST projects/N/update/``."""
    update = sync(awx, project)
    return 202, {**update, "url": awx.address("project_updates", update)}


# Launches


def launch_job(awx: Awx, template: JSON, body: JSON) -> tuple[int, JSON]:
    """``POST job_templates/N/launch/``: what is not prompted for is ignored, and named in ``ignored_fields``."""
    if awx.items["projects"][template["project"]]["status"] in ("failed", "error"):
        raise Refused(400, {"playbook": [NEVER_SYNCED]})
    accepted, ignored = prompted(template, body)
    variables = survey_answers(awx, "job_templates", template, accepted, ignored)
    used = awx.associated.get(("job_templates", template["id"], "credentials"), [])
    if "credentials" in accepted:
        used = replaced(awx, used, accepted["credentials"])
    fields = {"name": template["name"], "job_template": template["id"], "extra_vars": variables, "status": "pending"}
    fields |= {"organization": template["organization"]}
    job = awx.add("jobs", fields)
    lacking = [text for one in used for text in lacking_inputs(awx, awx.items["credentials"][one])]
    if lacking:
        words = f"Job cannot start because {lacking[0]}. Task failed pre-start check."
        job |= {"status": "failed", "failed": True, "job_explanation": words}
    template["summary_fields"] = {"last_job": {"id": job["id"], "status": job["status"]}}
    template |= {"status": job["status"], "last_job_run": "2026-11-22T09:30:15Z"}
    return 201, {**job, "ignored_fields": ignored}


def launch_workflow(awx: Awx, template: JSON, body: JSON) -> tuple[int, JSON]:
    """``POST workflow_job_templates/N/launch/``: every approval waits at once, unless ``Awx.first_step``."""
    launched_by = {"id": awx.acting["id"], "name": awx.acting["username"], "type": "user"}
    return start_workflow(awx, template, body, launched_by)


def run_schedule(awx: Awx, schedule: JSON) -> JSON:
    """The time of a workflow's schedule has come: AWX names the schedule, and no user, as who launched the job."""
    template = awx.items["workflow_job_templates"][schedule["unified_job_template"]]
    launched_by = {"id": schedule["id"], "name": schedule["name"], "type": "schedule"}
    return start_workflow(awx, template, {"extra_vars": schedule["extra_data"]}, launched_by)[1]


def start_workflow(awx: Awx, template: JSON, body: JSON, launched_by: JSON) -> tuple[int, JSON]:
    """Start a workflow, for a person or a schedule."""
    accepted, ignored = prompted(template, body)
    variables = survey_answers(awx, "workflow_job_templates", template, accepted, ignored)
    fields = {"name": template["name"], "workflow_job_template": template["id"], "extra_vars": variables}
    fields |= {"organization": template["organization"]}
    job = awx.add("workflow_jobs", {**fields, "status": "running", "launched_by": launched_by})
    if awx.first_step:
        check = {**fields, "name": "First step", "status": "running", "job_template": first_of(awx, template)}
        check.pop("workflow_job_template")
        awx.first_steps.append((awx.add("jobs", check)["id"], job["id"]))
    else:
        ask(awx, job)
    return 201, {**job, "ignored_fields": ignored}


def first_of(awx: Awx, template: JSON) -> int:
    """The job template that the first step of a workflow runs."""
    nodes = awx.items["workflow_job_template_nodes"].values()
    mine = [one for one in nodes if one["workflow_job_template"] == template["id"]]
    return next(
        one["unified_job_template"] for one in mine if one["unified_job_template"] in awx.items["job_templates"]
    )


def pass_time(awx: Awx) -> None:
    """The first steps of workflows take ``Awx.first_step`` looks at what runs; then their approvals wait."""
    if awx.first_steps:
        awx.first_step -= 1
    if awx.first_step <= 0:
        for check, job in awx.first_steps:
            awx.items["jobs"][check]["status"] = "successful"
            ask(awx, awx.items["workflow_jobs"][job])
        awx.first_steps.clear()


def ask(awx: Awx, job: JSON) -> None:
    """Let the approvals of a workflow wait."""
    for node in awx.items["workflow_job_template_nodes"].values():
        approval = awx.items["workflow_approval_templates"].get(node["unified_job_template"] or 0)
        if node["workflow_job_template"] == job["workflow_job_template"] and approval:
            waiting = {"name": approval["name"], "status": "pending", "workflow_job": job["id"]}
            added = awx.add("workflow_approvals", waiting)
            added["summary_fields"] = {"source_workflow_job": {"id": job["id"], "name": job["name"]}}


def prompted(template: JSON, body: JSON) -> tuple[JSON, JSON]:
    """What of a launch is taken, and what is ignored."""
    asks = {"credentials": "ask_credential_on_launch", "limit": "ask_limit_on_launch"}
    asks |= {"job_type": "ask_job_type_on_launch", "verbosity": "ask_verbosity_on_launch"}
    ignored = {name: value for name, value in body.items() if name in asks and not template.get(asks[name])}
    return {name: value for name, value in body.items() if name not in ignored}, ignored


def survey_problems(item: JSON, given: JSON) -> list[str]:
    """What AWX finds wrong with the answer to one question (``SurveyJobTemplateMixin._survey_element_validation``)."""
    name, kind = item["variable"], item["type"]
    if name not in given:
        return [f"'{name}' value missing"] if item["required"] else []
    value = given[name]
    types: dict[str, Any] = {"integer": int, "float": (int, float), "multiselect": list}
    if kind != "multiplechoice" and not isinstance(value, types.get(kind, str)):
        return [f"Value {value} for '{name}' expected to be {kind}."]
    if kind.startswith("multi"):
        chosen = value if isinstance(value, list) else [value]
        wrong = [one for one in chosen if one not in item["choices"]]
        return [f"Value {one} for '{name}' expected to be one of {item['choices']}." for one in wrong]
    size = len(value) if isinstance(value, str) else value
    low, high = item.get("min"), item.get("max")
    small = [f"'{name}' value {value} is too small (must be at least {low})."] if low is not None and size < low else []
    large = [f"'{name}' value {value} is too large (at most {high})."] if high is not None and size > high else []
    return small + large


def survey_defaults(spec: JSON) -> JSON:
    """The defaults that AWX passes on where a question is left alone: every valid one, an empty text included."""
    with_default = [item for item in spec["spec"] if item.get("default") is not None]
    return {
        item["variable"]: item["default"]
        for item in with_default
        if not survey_problems(item, {item["variable"]: item["default"]})
    }


def survey_answers(awx: Awx, endpoint: str, template: JSON, accepted: JSON, ignored: JSON) -> JSON:
    """The variables of a launch: answers to the survey, and others only where the template asks for variables."""
    spec = awx.surveys.get((endpoint, template["id"]), {"spec": []})
    given: JSON = dict(accepted.get("extra_vars", {}))
    problems = [problem for item in spec["spec"] for problem in survey_problems(item, given)]
    if problems:
        raise Refused(400, {"variables_needed_to_start": problems})
    known = {item["variable"] for item in spec["spec"]}
    others = {name: value for name, value in given.items() if name not in known}
    if others and not template["ask_variables_on_launch"]:
        ignored["extra_vars"] = others
        given = {name: value for name, value in given.items() if name in known}
    return {**survey_defaults(spec), **given}


def replaced(awx: Awx, used: list[int], given: list[int]) -> list[int]:
    """Credentials of a launch: one may be replaced by another of its type, but none may be left out."""

    def kind(number: int) -> int:
        return int(awx.items["credentials"][number]["credential_type"])

    lost = [one for one in used if one not in given and kind(one) not in map(kind, given)]
    if lost:
        names = ", ".join(awx.items["credentials"][one]["name"] for one in lost)
        text = f"Removing {names} credential at launch time without replacement is not supported. "
        raise Refused(400, {"credentials": [f"{text}Provided list lacked credential(s): {names}."]})
    return given


def lacking_inputs(awx: Awx, credential: JSON) -> list[str]:
    """Why a credential keeps a job from starting: required fields that neither it nor an external source fills."""
    inputs = awx.items["credential_types"][credential["credential_type"]]["inputs"]
    sources = [
        one for one in awx.items["credential_input_sources"].values() if one["target_credential"] == credential["id"]
    ]
    filled = {name for name, value in credential["inputs"].items() if value}
    filled |= {one["input_field_name"] for one in sources}
    missing = sorted(set(inputs.get("required", [])) - filled)
    names = ", ".join(missing)
    return (
        [f"Credential {credential['name']} does not provide one or more required fields ({names})"] if missing else []
    )


def unified(job: JSON) -> JSON:
    """A run as the list of all runs shows it."""
    owner = next(job[name] for name in ("job_template", "workflow_job_template", "project") if name in job)
    return {**job, "unified_job_template": owner}


def runs_of(awx: Awx, query: dict[str, str], path: str) -> JSON:
    """``GET unified_jobs/``: one page of them."""
    pass_time(awx)
    size, page = int(query.pop("page_size", 25)), int(query.pop("page", 1))
    found = [(name, unified(one)) for name in RUNS for one in awx.items[name].values()]
    known = {"id", "status", "unified_job_template", "organization", "name"}
    answer = awx.page_of(found, query, known)
    begins = (page - 1) * size
    more = urllib.parse.urlencode({**query, "page_size": size, "page": page + 1})
    is_last = begins + size >= answer["count"]
    results = answer["results"][begins : begins + size]
    return {**answer, "results": results, "next": None if is_last else f"{path}?{more}"}


def forget(awx: Awx, endpoint: str, item: JSON) -> None:
    """What was run stays when its template, or its organization, goes: it belongs to none then."""
    owner = {"job_templates": "job_template", "workflow_job_templates": "workflow_job_template"}
    owner |= {"projects": "project", "organizations": "organization"}
    for one in (one for name in RUNS for one in awx.items[name].values()):
        if endpoint in owner and one.get(owner[endpoint]) == item["id"]:
            one[owner[endpoint]] = None


# Approvals and removal


def decide(awx: Awx, approval: JSON, status: str) -> tuple[int, JSON]:
    """Approve or deny: a decision cannot be changed."""
    if approval["status"] != "pending":
        raise Refused(400, {"error": "This workflow step has already been approved or denied."})
    approval["status"] = status
    approval["summary_fields"] = {"approved_or_denied_by": dict(awx.acting)}
    if status == "failed":
        awx.items["workflow_jobs"][approval["workflow_job"]]["status"] = "failed"
    return 204, {}


def nodes_of(awx: Awx, job: JSON, query: dict[str, str]) -> list[JSON]:
    """The nodes of a running workflow, as far as approvals are concerned."""
    wanted = {"workflow_job": job["id"]} | {
        name.removeprefix("job__"): value for name, value in query.items() if name.startswith("job__")
    }
    approvals = awx.items["workflow_approvals"].values()
    found = [one for one in approvals if all(one[name] == value for name, value in wanted.items())]
    return [
        {
            "id": one["id"],
            "type": "workflow_job_node",
            "job": one["id"],
            "summary_fields": {"job": {name: one[name] for name in ("id", "name", "type", "status")}},
            "related": {"job": awx.address("workflow_approvals", one)},
        }
        for one in found
    ]


def check_removal(awx: Awx, endpoint: str, item: JSON) -> None:
    """Refuse to remove what runs, and what something that runs belongs to."""
    if endpoint in ("jobs", "workflow_jobs", "workflow_approvals") and item["status"] in ACTIVE:
        raise Refused(403, {"detail": "Cannot delete running job resource."})
    if awx.unstored_events.pop(item["id"], None) and endpoint == "jobs":
        raise Refused(400, {"error": "Job has not finished processing events."})
    active = [one for one in awx.items["jobs"].values() if one["status"] in ACTIVE and uses(awx, one, endpoint, item)]
    if endpoint in ("workflow_job_templates", "organizations"):
        active += [one for one in awx.items["workflow_jobs"].values() if one["status"] in ACTIVE]
    if active:
        running = [{"type": one["type"], "id": one["id"]} for one in active]
        raise Refused(409, {"error": "Resource is being used by running jobs.", "active_jobs": running})


def uses(awx: Awx, job: JSON, endpoint: str, item: JSON) -> bool:
    """Whether a job keeps something from being removed."""
    template = awx.items["job_templates"].get(job["job_template"] or 0, {})
    fields = {"job_templates": "id", "projects": "project", "inventories": "inventory", "organizations": "organization"}
    return endpoint in fields and template.get(fields[endpoint]) == item["id"]


# Roles


def object_roles(awx: Awx, endpoint: str, item: JSON) -> JSON:
    """The roles on something, with an id for each."""
    found = {}
    for name in ROLES.get(endpoint, ()):
        key = (endpoint, item["id"], f"{name}_role")
        if key not in awx.roles:
            awx.roles[key] = 10_000 + len(awx.roles)
        found[f"{name}_role"] = {"id": awx.roles[key], "name": name.title()}
    return found


def grant(awx: Awx, method: str, role_id: int, actors: str, body: JSON) -> tuple[int, JSON]:
    """``roles/N/teams/`` and ``roles/N/users/``."""
    key = next((key for key, number in awx.roles.items() if number == role_id), None)
    if key is None or actors not in ("teams", "users"):
        raise Refused(404, {"detail": "The requested resource could not be found."})
    endpoint, target, role = key
    holders = awx.grants.setdefault((endpoint, target, role, actors), [])
    if method == "GET":
        found = [awx.items[actors][one] for one in holders]
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}
    actor = body["id"]
    if body.get("disassociate"):
        holders.remove(actor)
        return 204, {}
    if endpoint == "organizations" and actors == "teams" and role in ("member_role", "admin_role"):
        words = "You cannot assign an Organization participation role as a child role for a Team."
        raise Refused(400, {"msg": words})
    if endpoint == "credentials" and actors == "users" and not is_member(awx, target, actor):
        words = "You cannot grant credential access to a user not in the credentials' organization"
        raise Refused(400, {"msg": words})
    holders.append(actor)
    return 204, {}


def is_member(awx: Awx, credential: int, user: int) -> bool:
    """Whether a user is in the organization of a credential."""
    organization = awx.items["credentials"][credential]["organization"]
    return user in awx.grants.get(("organizations", organization, "member_role", "users"), [])


ACTIONS = {
    ("projects", "update"): update_project,
    ("job_templates", "launch"): launch_job,
    ("workflow_job_templates", "launch"): launch_workflow,
    ("workflow_approvals", "approve"): lambda awx, item, body: decide(awx, item, "successful"),
    ("workflow_approvals", "deny"): lambda awx, item, body: decide(awx, item, "failed"),
}
