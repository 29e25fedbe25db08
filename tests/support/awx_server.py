# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The part of AWX's REST API that the role awx_setup uses.

It is stricter than AWX: a field that AWX does not have is refused, not ignored. Written after the API's published
reference (https://docs.ansible.com/automation-controller/latest/html/controllerapi/) and the behaviour of AWX 24.6:
names and defaults of fields, which are read-only, how lists are filtered and paged, how associations are made, and what
is refused with which status. Nothing is run; what launches, syncs and decisions lead to is in ``awx_runs``.
"""

from __future__ import annotations

import http.server
import itertools
import json
import re
import urllib.parse
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jinja2.sandbox

from tests.support import awx_runs
from tests.support.awx_runs import Refused
from tests.support.serving import Serving

TOKEN = "test-token-of-no-use"
JSON = dict[str, Any]


@dataclass(frozen=True)
class Link:
    """A foreign key: the id of something at another endpoint (or one of several)."""

    endpoints: tuple[str, ...]
    required: bool = False
    default: Any = None


REQUIRED = object()


@dataclass(frozen=True)
class Resource:
    """One endpoint.

    :param type: what the API calls one of them.
    :param fields: what can be written, with defaults; REQUIRED, or a Link.
    :param fixed: what is read-only, with its values.
    :param lists: sub-lists that things are associated with, and the endpoint these are at.
    :param unique: what tells one from another.
    :param check: refuses what AWX would refuse beyond types.
    """

    type: str
    fields: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ("name", "organization")
    check: Callable[[Awx, JSON, JSON | None], None] = lambda awx, item, before: None


NAMED = {"name": REQUIRED, "description": ""}
ORGANIZED = {**NAMED, "organization": Link(("organizations",), required=True)}


def _refuse(status: int = 400, **errors: str) -> None:
    raise Refused(status, {name: [text] for name, text in errors.items()})


def check_variables(awx: Awx, item: JSON, before: JSON | None) -> None:
    """Variables are a JSON (or YAML) text of a dictionary."""
    text = item.get("extra_vars", item.get("variables", ""))
    if text and not isinstance(json.loads(text), dict):
        _refuse(variables="Input must be a dictionary.")


def check_project(awx: Awx, item: JSON, before: JSON | None) -> None:
    """A changed source is fetched; nothing to fetch from is refused."""
    if item["scm_type"] and not item["scm_url"]:
        _refuse(scm_url="SCM URL is required.")
    source = ("scm_type", "scm_url", "scm_branch", "scm_refspec")
    if item["scm_type"] and (before is None or any(item[name] != before[name] for name in source)):
        update = awx_runs.sync(awx, item)
        item["summary_fields"] = {"current_update": {"id": update["id"], "status": "pending"}}
    else:
        item["summary_fields"] = {}


def check_job_template(awx: Awx, item: JSON, before: JSON | None) -> None:
    """The playbook must be one of the project's; the organization is the project's."""
    check_variables(awx, item, before)
    project = awx.items["projects"][item["project"]]
    if item["playbook"] not in awx.playbooks:
        _refuse(playbook="Playbook not found for project.")
    if item["inventory"] is None and not item["ask_inventory_on_launch"]:
        _refuse(inventory="You must either set a default value or ask to prompt on launch.")
    if item["verbosity"] not in range(6) or item["job_type"] not in ("run", "check"):
        _refuse(job_type="is not a valid choice.")
    item["organization"] = project["organization"]


def check_credential_type(awx: Awx, item: JSON, before: JSON | None) -> None:
    """Kind, fields and injectors as the documentation of custom credential types has them."""
    if before and before["managed"]:
        raise Refused(403, {"detail": "Modifications not allowed for managed credential types"})
    if item["kind"] not in ("cloud", "net"):
        _refuse(kind=f"Must be 'cloud' or 'net', not {item['kind']}")
    in_use = before and any(one["credential_type"] == before["id"] for one in awx.items["credentials"].values())
    if in_use and before and before["inputs"] != item["inputs"]:
        raise Refused(403, {"detail": "Modifications to inputs are not allowed for credential types that are in use"})
    allowed = {
        "id",
        "label",
        "type",
        "help_text",
        "secret",
        "multiline",
        "format",
        "choices",
        "default",
        "ask_at_runtime",
    }
    for one in item["inputs"].get("fields", []):
        if set(one) - allowed or not {"id", "label"} <= set(one):
            _refuse(inputs=f"Additional or missing properties in {one.get('id')}")
        one.setdefault("type", "string")
    if set(item["inputs"]) - {"fields", "required"} or set(item["injectors"]) - {"file", "env", "extra_vars"}:
        _refuse(inputs="Additional properties are not allowed")
    check_injectors(item["injectors"], [one["id"] for one in item["inputs"].get("fields", [])])


def check_injectors(injectors: JSON, known: list[str]) -> None:
    """Every template renders from the type's own fields and, where a file is written, from its name."""
    for name in injectors.get("env", {}):
        if name.startswith("ANSIBLE_") or not re.fullmatch(r"[A-Za-z_]\w*", name):
            _refuse(injectors=f"Environment variable {name} is not allowed to be used in credentials.")
    namespace: JSON = dict.fromkeys(known, "EXAMPLE")
    if "template" in injectors.get("file", {}):
        namespace["tower"] = {"filename": "EXAMPLE_FILENAME"}
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    for text in itertools.chain.from_iterable(part.values() for part in injectors.values()):
        try:
            environment.from_string(text).render(namespace)
        except jinja2.TemplateError as error:
            _refuse(injectors=f"uses an undefined field ({error})")


def check_credential(awx: Awx, item: JSON, before: JSON | None) -> None:
    """Inputs are those of the type; secrets are never given back."""
    kind = awx.items["credential_types"][item["credential_type"]]
    for name in set(item["inputs"]) - {one["id"] for one in kind["inputs"].get("fields", [])}:
        _refuse(inputs=f"Additional properties are not allowed ('{name}' was unexpected)")
    secret = {one["id"] for one in kind["inputs"].get("fields", []) if one.get("secret")}
    item["inputs"] = {
        name: "$encrypted$" if name in secret and value else value for name, value in item["inputs"].items()
    }


SECRET_SETTINGS = {"email": "password", "slack": "token", "webhook": "password"}


MESSAGE_CONTEXT: JSON = {
    **{"job": {"id": 7, "name": "Issue token", "status": "failed"}, "job_friendly_name": "Job"},
    **{"url": "https://awx.example.org/#/jobs/7", "workflow_url": "https://awx.example.org/#/jobs/workflow/7"},
}


def check_message(text: str) -> None:
    """A message is a template of one line over what AWX knows of a job."""
    try:
        jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined).from_string(text).render(
            MESSAGE_CONTEXT
        )
    except jinja2.TemplateError as error:
        _refuse(messages=f"Unable to render message: {error}")


def check_notification(awx: Awx, item: JSON, before: JSON | None) -> None:
    """Secrets are never given back."""
    if item["notification_type"] not in SECRET_SETTINGS:
        _refuse(notification_type="is not a valid choice.")
    approval = item["messages"].get("workflow_approval") or {}
    for texts in (item["messages"].get("success"), item["messages"].get("error"), *approval.values()):
        for text in (texts or {}).values():
            check_message(text)
    port = item["notification_configuration"].get("port", 0)
    if not isinstance(port, int):
        _refuse(__all__="Configuration field 'port' incorrect type, expected int.")
    secret = SECRET_SETTINGS[item["notification_type"]]
    if item["notification_configuration"].get(secret):
        item["notification_configuration"][secret] = "$encrypted$"


def rule_problems(rule: str) -> list[str]:
    """What AWX finds wrong with a schedule's rule (``SchedulePreviewSerializer.validate_rrule``)."""
    problems = []
    begins = re.findall(r"DTSTART(?:;TZID=([^:]+))?:\d{8}T\d{6}(Z?)", rule)
    if not begins:
        problems.append("Valid DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ")
    if len(begins) > 1:
        problems.append("Multiple DTSTART is not supported.")
    for zone, utc in begins:
        if not zone and not utc:
            problems.append("DTSTART cannot be a naive datetime.  Specify ;TZINFO= or YYYYMMDDTHHMMSSZZ.")
        if zone and zone not in zoneinfo.available_timezones():
            problems.append(f"rrule parsing failed validation: unknown time zone {zone}")
    if "rrule:" not in rule.lower():
        problems.append("One or more rule required in rrule.")
    for one in re.findall(r"RULE:\S*", rule):
        problems += [f"INTERVAL required in rrule: {one}"] if "interval" not in one.lower() else []
        problems += [f"SECONDLY is not supported: {one}"] if "secondly" in one.lower() else []
    return problems


def check_schedule(awx: Awx, item: JSON, before: JSON | None) -> None:
    """A rule must be valid; variables must be answers to the survey of what is launched. AWX notes who wrote it."""
    problems = rule_problems(item["rrule"])
    if problems:
        raise Refused(400, {"rrule": problems})
    endpoint = next(name for name in UNIFIED if item["unified_job_template"] in awx.items[name])
    template = awx.items[endpoint][item["unified_job_template"]]
    spec = awx.surveys.get((endpoint, template["id"]), {}).get("spec", [])
    unknown = set(item["extra_data"]) - {one["variable"] for one in spec}
    if item["job_type"] and not template.get("ask_job_type_on_launch"):
        _refuse(job_type="Field is not configured to prompt on launch.")
    if unknown:
        _refuse(extra_data=f"Variables {', '.join(sorted(unknown))} are not allowed on launch.")
    missing = [text for one in spec for text in awx_runs.survey_problems(one, item["extra_data"])]
    if missing:
        raise Refused(400, {"variables_needed_to_start": missing})
    author = dict(awx.acting)
    made_by = author if before is None else (before.get("summary_fields") or {}).get("created_by", author)
    item["summary_fields"] = {"created_by": made_by, "modified_by": author}


def check_environment(awx: Awx, item: JSON, before: JSON | None) -> None:
    """An execution environment stays in its organization."""
    if before and item["organization"] not in (None, before["organization"]):
        _refuse(organization="Cannot change the organization of an execution environment")


def check_node(awx: Awx, item: JSON, before: JSON | None) -> None:
    """A node shows what it runs among its related addresses."""
    target = item["unified_job_template"]
    item["related"] = {
        "create_approval_template": f"{awx.address('workflow_job_template_nodes', item)}create_approval_template/"
    }
    if target is not None:
        endpoint = next(name for name in UNIFIED if target in awx.items[name])
        item["related"]["unified_job_template"] = awx.address(endpoint, awx.items[endpoint][target])


def check_survey(spec: JSON) -> None:
    """The rules of ``survey_spec``: keys, types, limits, choices and defaults."""

    def bad(text: str) -> None:
        raise Refused(400, {"error": text})

    if set(spec) != {"name", "description", "spec"} or not spec["spec"]:
        bad("name, description and spec are needed, no more and no less")
    kinds = {
        "text": str,
        "textarea": str,
        "password": str,
        "multiplechoice": str,
        "multiselect": str,
        "integer": int,
        "float": (float, int),
    }
    seen: set[str] = set()
    for item in spec["spec"]:
        unknown = set(item) - {
            "variable",
            "question_name",
            "question_description",
            "type",
            "required",
            "default",
            "min",
            "max",
            "choices",
            "new_question",
        }
        missing = {"variable", "question_name", "type", "required"} - set(item)
        if unknown or missing or item["type"] not in kinds or not isinstance(item["required"], bool):
            bad(f"unknown {unknown}, missing {missing} or wrong type in {item}")
        if item["variable"] in seen:
            bad(f"'variable' '{item['variable']}' duplicated")
        seen.add(item["variable"])
        given = item.get("default", "")
        if given != "" and not isinstance(given, kinds[item["type"]]):
            bad(f"Default value {given} expected to be {item['type']}")
        if not all(
            item.get(limit) is None or (isinstance(item[limit], int) and not isinstance(item[limit], bool))
            for limit in ("min", "max")
        ):
            bad("The limit expected to be integer")
        if item["type"].startswith("multi") and (
            not item.get("choices") or not set(str(given).splitlines()) <= set(item["choices"])
        ):
            bad("Default choice must be answered from the choices listed.")


ASK = (
    *(
        "scm_branch",
        "diff_mode",
        "variables",
        "limit",
        "tags",
        "skip_tags",
        "job_type",
        "verbosity",
        "inventory",
        "credential",
        "execution_environment",
    ),
    *("labels", "forks", "job_slice_count", "timeout", "instance_groups"),
)
WORKFLOW_ASK = {
    f"ask_{name}_on_launch": False
    for name in ("variables", "inventory", "scm_branch", "limit", "labels", "tags", "skip_tags")
}
PROMPTS = {"inventory": Link(("inventories",)), "execution_environment": Link(("execution_environments",))}
NOTIFIED = {f"notification_templates_{when}": "notification_templates" for when in ("started", "success", "error")}
UNIFIED = ("projects", "job_templates", "workflow_job_templates", "workflow_approval_templates")
RESOURCES: dict[str, Resource] = {
    "organizations": Resource(
        "organization",
        {**NAMED, "max_hosts": 0, "default_environment": Link(("execution_environments",))},
        lists={"galaxy_credentials": "credentials", "instance_groups": "instance_groups"},
        unique=("name",),
    ),
    "execution_environments": Resource(
        "execution_environment",
        {
            **NAMED,
            "organization": Link(("organizations",)),
            "image": REQUIRED,
            "pull": "",
            "credential": Link(("credentials",)),
        },
        fixed={"managed": False},
        unique=("name",),
        check=check_environment,
    ),
    "instance_groups": Resource("instance_group", {"name": REQUIRED}, unique=("name",)),
    "credential_types": Resource(
        "credential_type",
        {**NAMED, "kind": REQUIRED, "inputs": {}, "injectors": {}},
        fixed={"managed": False, "namespace": None},
        unique=("name", "kind"),
        check=check_credential_type,
    ),
    "credentials": Resource(
        "credential",
        {
            **NAMED,
            "organization": Link(("organizations",)),
            "credential_type": Link(("credential_types",), required=True),
            "inputs": {},
        },
        fixed={"managed": False, "cloud": True},
        unique=("name", "organization", "credential_type"),
        check=check_credential,
    ),
    "projects": Resource(
        "project",
        {
            **ORGANIZED,
            **{"scm_type": "", "scm_url": "", "scm_branch": "", "scm_refspec": "", "local_path": "", "timeout": 0},
            **dict.fromkeys(
                ("scm_clean", "scm_delete_on_update", "scm_track_submodules", "scm_update_on_launch", "allow_override"),
                False,
            ),
            **{
                "scm_update_cache_timeout": 0,
                "credential": Link(("credentials",)),
                "default_environment": Link(("execution_environments",)),
            },
            "signature_validation_credential": Link(("credentials",)),
        },
        fixed={"scm_revision": "", "status": "successful"},
        check=check_project,
    ),
    "project_updates": Resource(
        "project_update",
        {
            **NAMED,
            "organization": Link(("organizations",)),
            "status": "successful",
            "failed": False,
            "finished": None,
            "project": Link(("projects",)),
        },
        fixed={"result_traceback": "", "scm_revision": ""},
        unique=("id",),
    ),
    "jobs": Resource(
        "job",
        {
            **NAMED,
            "organization": Link(("organizations",)),
            "job_template": Link(("job_templates",)),
            "status": "pending",
            "failed": False,
            "extra_vars": {},
        },
        fixed={"job_explanation": "", "finished": None},
        unique=("id",),
    ),
    "workflow_jobs": Resource(
        "workflow_job",
        {
            **NAMED,
            "organization": Link(("organizations",)),
            "workflow_job_template": Link(("workflow_job_templates",)),
            "status": "pending",
            "extra_vars": {},
        },
        fixed={"failed": False, "finished": None},
        unique=("id",),
    ),
    "workflow_approvals": Resource(
        "workflow_approval",
        {**NAMED, "status": "pending", "workflow_job": Link(("workflow_jobs",))},
        fixed={"finished": None},
        unique=("id",),
    ),
    "teams": Resource("team", ORGANIZED),
    "users": Resource("user", {"username": REQUIRED, "email": ""}, unique=("username",)),
    "labels": Resource("label", {"name": REQUIRED, "organization": Link(("organizations",), required=True)}),
    "notification_templates": Resource(
        "notification_template",
        {
            **ORGANIZED,
            "notification_type": REQUIRED,
            "notification_configuration": {},
            "messages": {},
        },
        check=check_notification,
    ),
    "schedules": Resource(
        "schedule",
        {
            **NAMED,
            "rrule": REQUIRED,
            "enabled": True,
            "unified_job_template": Link(("projects", "job_templates", "workflow_job_templates"), required=True),
            **{"extra_data": {}, "job_type": None},
        },
        unique=("name", "unified_job_template"),
        check=check_schedule,
    ),
    "credential_input_sources": Resource(
        "credential_input_source",
        {
            "description": "",
            "input_field_name": REQUIRED,
            "metadata": {},
            "target_credential": Link(("credentials",), required=True),
            "source_credential": Link(("credentials",), required=True),
        },
        unique=("target_credential", "input_field_name"),
    ),
    "inventories": Resource(
        "inventory",
        {**ORGANIZED, "kind": "", "host_filter": None, "variables": "", "prevent_instance_group_fallback": False},
        fixed={"total_hosts": 0, "pending_deletion": False},
        lists={"instance_groups": "instance_groups"},
        check=check_variables,
    ),
    "hosts": Resource(
        "host",
        {
            **NAMED,
            "inventory": Link(("inventories",), required=True),
            "enabled": True,
            "instance_id": "",
            "variables": "",
        },
        unique=("name", "inventory"),
        check=check_variables,
    ),
    "groups": Resource(
        "group",
        {**NAMED, "inventory": Link(("inventories",), required=True), "variables": ""},
        lists={"hosts": "hosts", "children": "groups"},
        unique=("name", "inventory"),
        check=check_variables,
    ),
    "job_templates": Resource(
        "job_template",
        {
            **NAMED,
            **{
                "job_type": "run",
                "inventory": Link(("inventories",)),
                "project": Link(("projects",), required=True),
                "playbook": REQUIRED,
            },
            **{
                "scm_branch": "",
                "forks": 0,
                "limit": "",
                "verbosity": 0,
                "extra_vars": "",
                "job_tags": "",
                "skip_tags": "",
                "start_at_task": "",
            },
            **{f"ask_{name}_on_launch": False for name in ASK},
            **dict.fromkeys(
                (
                    "force_handlers",
                    "use_fact_cache",
                    "survey_enabled",
                    "become_enabled",
                    "diff_mode",
                    "allow_simultaneous",
                ),
                False,
            ),
            **{
                "timeout": 0,
                "host_config_key": "",
                "job_slice_count": 1,
                "webhook_service": "",
                "prevent_instance_group_fallback": False,
            },
            **{
                "execution_environment": Link(("execution_environments",)),
                "webhook_credential": Link(("credentials",)),
            },
        },
        fixed={"organization": None, "status": "never updated"},
        lists={"credentials": "credentials", "instance_groups": "instance_groups", "labels": "labels", **NOTIFIED},
        check=check_job_template,
    ),
    "workflow_job_templates": Resource(
        "workflow_job_template",
        {
            **{
                **NAMED,
                "organization": Link(("organizations",)),
                "extra_vars": "",
                "survey_enabled": False,
                "allow_simultaneous": False,
            },
            **{
                **WORKFLOW_ASK,
                "inventory": Link(("inventories",)),
                "limit": None,
                "scm_branch": None,
                "job_tags": None,
                "skip_tags": None,
            },
            **{"webhook_service": "", "webhook_credential": Link(("credentials",))},
        },
        lists={"labels": "labels", "notification_templates_approvals": "notification_templates", **NOTIFIED},
        check=check_variables,
    ),
    "workflow_approval_templates": Resource("workflow_approval_template", {**NAMED, "timeout": 0}, unique=("id",)),
    "workflow_job_template_nodes": Resource(
        "workflow_job_template_node",
        {
            **{
                "workflow_job_template": Link(("workflow_job_templates",), required=True),
                "unified_job_template": Link(UNIFIED),
                "identifier": REQUIRED,
            },
            **{
                **PROMPTS,
                "extra_data": {},
                "all_parents_must_converge": False,
                "scm_branch": None,
                "job_type": None,
                "job_tags": None,
                "skip_tags": None,
            },
            **{
                "limit": None,
                "diff_mode": None,
                "verbosity": None,
                "forks": None,
                "job_slice_count": None,
                "timeout": None,
            },
        },
        lists={name: "workflow_job_template_nodes" for name in ("success_nodes", "failure_nodes", "always_nodes")}
        | {"credentials": "credentials"},
        unique=("identifier", "workflow_job_template"),
        check=check_node,
    ),
}
# What goes when something goes that it belongs to, and what may not go while it is in use.
OWNED = {
    "organizations": (
        "organization",
        (
            *("execution_environments", "projects", "inventories", "workflow_job_templates", "credentials"),
            *("job_templates", "teams", "labels", "notification_templates"),
        ),
    ),
    "inventories": ("inventory", ("hosts", "groups")),
    "workflow_job_templates": ("workflow_job_template", ("workflow_job_template_nodes",)),
    "job_templates": ("unified_job_template", ("schedules",)),
    "workflow_jobs": ("workflow_job", ("workflow_approvals",)),
}


class Awx:
    """The server's memory, and what each request does to it.

    :param playbooks: the files that every project is said to have.
    :param prefix: where the API is: ``/api/v2/``, or ``/api/controller/v2/`` on Automation Controller.

    Set ``sync_problem`` to let every update of a project fail for that reason, ``unstored_events`` to
    the jobs whose events are not all stored at the first look, ``first_step`` to let the first steps of
    workflows run for so many looks at what runs, and ``acting`` to the user who launches
    and approves.
    """

    def __init__(self, playbooks: list[str], prefix: str = "/api/v2/") -> None:
        self.playbooks, self.prefix = playbooks, prefix
        self.items: dict[str, dict[int, JSON]] = {endpoint: {} for endpoint in RESOURCES}
        self.associated: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], JSON] = {}
        self.log: list[tuple[str, str]] = []
        self.sync_problem = ""
        self.unstored_events: dict[int, bool] = {}
        self.first_step = 0
        self.first_steps: list[tuple[int, int]] = []
        self.acting: JSON = {"id": 1, "username": "admin"}
        self.roles: dict[tuple[str, int, str], int] = {}
        self.grants: dict[tuple[str, int, str, str], list[int]] = {}
        self._last_id = 0
        galaxy = self.add(
            "credential_types", {"name": "Ansible Galaxy/Automation Hub API Token", "kind": "cloud", "managed": True}
        )
        self.add("credentials", {"name": "Ansible Galaxy", "credential_type": galaxy["id"], "managed": True})
        self.add("instance_groups", {"name": "default"})

    def address(self, endpoint: str, item: JSON) -> str:
        """Where something is."""
        return f"{self.prefix}{endpoint}/{item['id']}/"

    def add(self, endpoint: str, given: JSON) -> JSON:
        """Store something new, with AWX's defaults, without further checks."""
        resource = RESOURCES[endpoint]
        defaults = {
            name: value.default if isinstance(value, Link) else value for name, value in resource.fields.items()
        }
        item: JSON = json.loads(
            json.dumps({**{k: v for k, v in defaults.items() if v is not REQUIRED}, **resource.fixed, **given})
        )
        self._last_id += 1
        item |= {"id": self._last_id, "type": resource.type, "summary_fields": {}}
        self.items[endpoint][item["id"]] = item
        return item

    def writes(self) -> list[tuple[str, str]]:
        """The requests since the last call that were to change something."""
        found = [one for one in self.log if one[0] != "GET"]
        self.log.clear()
        return found

    def answer(self, method: str, path: str, query: dict[str, str], body: JSON) -> tuple[int, JSON]:
        """One request. :raises Refused: with AWX's status."""
        self.log.append((method, path))
        parts = path.removeprefix(self.prefix).strip("/").split("/")
        if not path.startswith(self.prefix) or not path.endswith("/"):
            raise Refused(404, {"detail": "The requested resource could not be found."})
        if parts == ["unified_job_templates"] and method == "GET":
            return 200, self.page_of(
                [(name, one) for name in UNIFIED for one in self.items[name].values()],
                query,
                {"name", "organization", "id"},
            )
        if parts == ["unified_jobs"] and method == "GET":
            return 200, awx_runs.runs_of(self, query, path)
        if parts[0] == "roles" and len(parts) == 3:
            return awx_runs.grant(self, method, int(parts[1]), parts[2], body)
        if parts[0] not in RESOURCES:
            raise Refused(404, {"detail": f"The requested resource could not be found: {parts[0]}"})
        if len(parts) == 1:
            return self._list(method, parts[0], query, body)
        item = self.items[parts[0]].get(int(parts[1]))
        if item is None:
            raise Refused(404, {"detail": "The requested resource could not be found."})
        if len(parts) == 2:
            return self._one(method, parts[0], item, body)
        if parts[2] == "workflow_nodes" and parts[0] == "workflow_jobs":
            found = awx_runs.nodes_of(self, item, query)
            return 200, {"count": len(found), "next": None, "previous": None, "results": found}
        action = awx_runs.ACTIONS.get((parts[0], parts[2]))
        if action and method == "POST":
            return action(self, item, body)
        return self._below(method, parts[0], item, parts[2], body)

    @staticmethod
    def _given(endpoint: str, body: JSON) -> JSON:
        """What of a request is stored. AWX takes null for an empty text."""
        fields = RESOURCES[endpoint].fields
        return {
            name: "" if value is None and fields[name] == "" else value
            for name, value in body.items()
            if name in fields
        }

    def _list(self, method: str, endpoint: str, query: dict[str, str], body: JSON) -> tuple[int, JSON]:
        resource = RESOURCES[endpoint]
        if method == "GET":
            known = {*resource.fields, *resource.fixed, "id"}
            return 200, self.page_of([(endpoint, one) for one in self.items[endpoint].values()], query, known)
        if method != "POST":
            raise Refused(405, {"detail": f'Method "{method}" not allowed.'})
        self._check_fields(endpoint, body, None)
        missing = [
            name
            for name, value in resource.fields.items()
            if (value is REQUIRED or (isinstance(value, Link) and value.required)) and name not in body
        ]
        if missing:
            raise Refused(400, {name: ["This field is required."] for name in missing})
        item = self.add(endpoint, self._given(endpoint, body))
        try:
            self._check_unique(endpoint, item, None)
        except Refused:
            del self.items[endpoint][item["id"]]
            raise
        return 201, self._shown(endpoint, item)

    def _one(self, method: str, endpoint: str, item: JSON, body: JSON) -> tuple[int, JSON]:
        if method == "PATCH":
            self._check_fields(endpoint, body, item)
            before = json.loads(json.dumps(item))
            item.update(self._given(endpoint, body))
            try:
                self._check_unique(endpoint, item, before)
            except Refused:
                item.clear()
                item.update(before)
                raise
        elif method == "DELETE":
            self._delete(endpoint, item)
            return (202 if endpoint == "inventories" else 204), {}
        elif method != "GET":
            raise Refused(405, {"detail": f'Method "{method}" not allowed.'})
        return 200, self._shown(endpoint, item)

    def _below(self, method: str, endpoint: str, item: JSON, what: str, body: JSON) -> tuple[int, JSON]:
        if what == "survey_spec" and endpoint in ("job_templates", "workflow_job_templates"):
            if method == "POST":
                check_survey(body)
                self.surveys[endpoint, item["id"]] = body
            return 200, {} if method == "POST" else self.surveys.get((endpoint, item["id"]), {})
        if what == "create_approval_template" and endpoint == "workflow_job_template_nodes" and method == "POST":
            self._check_fields("workflow_approval_templates", body, None)
            approval = self.add("workflow_approval_templates", body)
            item["unified_job_template"] = approval["id"]
            check_node(self, item, item)
            return 201, self._shown("workflow_approval_templates", approval)
        other = RESOURCES[endpoint].lists.get(what)
        if other is None:
            raise Refused(404, {"detail": "The requested resource could not be found."})
        members = self.associated.setdefault((endpoint, item["id"], what), [])
        if method == "GET":
            return 200, self.page_of([(other, self.items[other][one]) for one in members], {}, set())
        if set(body) - {"id", "disassociate"} or body.get("id") not in self.items[other]:
            raise Refused(400, {"msg": "id to associate is missing or unknown"})
        if body.get("disassociate"):
            members.remove(body["id"])
        else:
            self._check_association(endpoint, what, members, body["id"])
            members.append(body["id"])
        return 204, {}

    def _check_association(self, endpoint: str, what: str, members: list[int], new: int) -> None:
        if endpoint == "job_templates" and what == "credentials":
            kinds = [self.items["credentials"][one]["credential_type"] for one in (*members, new)]
            if len(set(kinds)) < len(kinds):
                raise Refused(400, {"error": "Cannot assign multiple credentials of the same type."})

    def _check_fields(self, endpoint: str, body: JSON, before: JSON | None) -> None:
        resource = RESOURCES[endpoint]
        for name, value in body.items():
            kind = resource.fields.get(name)
            if name in resource.fixed or name == "type":
                now = (before or {**resource.fixed, "type": resource.type}).get(name)
                if endpoint != "job_templates" and now != value:  # a template's organization follows its project
                    _refuse(**{name: f"is read-only, and {value!r} is not {now!r}"})
            elif name not in resource.fields:
                _refuse(**{name: "Unknown field."})
            elif isinstance(kind, Link):
                if value is not None and not any(value in self.items[one] for one in kind.endpoints):
                    _refuse(**{name: f'Invalid pk "{value}" - object does not exist.'})
            elif not (kind in (None, REQUIRED) or (kind == "" and value is None)) and type(kind) is not type(value):
                _refuse(**{name: f"Not a valid {type(kind).__name__}: {value!r}"})

    def _check_unique(self, endpoint: str, item: JSON, before: JSON | None) -> None:
        resource = RESOURCES[endpoint]
        twins = [
            one
            for one in self.items[endpoint].values()
            if all(one.get(name) == item.get(name) for name in resource.unique)
        ]
        if len(twins) > 1:
            raise Refused(
                400, {"__all__": [f"{resource.type} with this {' and '.join(resource.unique)} already exists."]}
            )
        resource.check(self, item, before)

    def _delete(self, endpoint: str, item: JSON) -> None:
        if item.get("managed"):
            raise Refused(403, {"detail": "Deletion not allowed for managed objects"})
        awx_runs.check_removal(self, endpoint, item)
        awx_runs.forget(self, endpoint, item)
        if endpoint == "credential_types" and any(
            one["credential_type"] == item["id"] for one in self.items["credentials"].values()
        ):
            raise Refused(403, {"detail": "Credential types that are in use cannot be deleted"})
        field_name, owned = OWNED.get(endpoint, ("", ()))
        for other in owned:
            for one in [one for one in self.items[other].values() if one.get(field_name) == item["id"]]:
                self._delete(other, one)
        self.items[endpoint].pop(item["id"], None)
        for (kind, owner, what), members in list(self.associated.items()):
            if (kind, owner) == (endpoint, item["id"]):
                del self.associated[kind, owner, what]
            elif RESOURCES[kind].lists[what] == endpoint and item["id"] in members:
                members.remove(item["id"])

    def page_of(self, found: list[tuple[str, JSON]], query: dict[str, str], known: set[str]) -> JSON:
        """What of a list a query asks for, as one page."""
        query = {name: value for name, value in query.items() if name not in ("page_size", "order_by")}
        for name in query:
            if name.removeprefix("or__").removesuffix("__in") not in known:
                raise Refused(400, {"detail": f"no field named '{name}'"})
        found = [
            (endpoint, one)
            for endpoint, one in found
            if all(
                str(one.get(name.removesuffix("__in"))) in value.split(",")
                for name, value in query.items()
                if name.endswith("__in")
            )
        ]
        query = {name: value for name, value in query.items() if not name.endswith("__in")}
        exact = {name: value for name, value in query.items() if not name.startswith("or__")}
        either = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
        hits = [
            (endpoint, one)
            for endpoint, one in found
            if all(str(one.get(name)) == value for name, value in exact.items())
        ]
        hits = [
            (e, one)
            for e, one in hits
            if not either or any(str(one.get(name)) == value for name, value in either.items())
        ]
        return {
            "count": len(hits),
            "next": None,
            "previous": None,
            "results": [self._shown(endpoint, one) for endpoint, one in hits],
        }

    def _shown(self, endpoint: str, item: JSON) -> JSON:
        address = self.address(endpoint, item)
        related = {name: f"{address}{name}/" for name in RESOURCES[endpoint].lists}
        if endpoint in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = f"{address}survey_spec/"
        if endpoint == "projects":
            related["update"] = f"{address}update/"
        roles = awx_runs.object_roles(self, endpoint, item)
        summary = {**item.get("summary_fields", {}), **({"object_roles": roles} if roles else {})}
        if endpoint in awx_runs.RUNS and isinstance(item.get("extra_vars"), dict):
            item = {**item, "extra_vars": json.dumps(item["extra_vars"])}  # as AWX shows them
        return {**item, "url": address, "related": {**related, **item.get("related", {})}, "summary_fields": summary}


class AwxServer(Serving):
    """The API on 127.0.0.1, on a free port, until the ``with`` ends."""

    def __init__(self, awx: Awx, product: str = "AWX", version: str = "24.6.1") -> None:
        self.awx = awx

        class Handler(http.server.BaseHTTPRequestHandler):
            def _serve(self) -> None:
                address = urllib.parse.urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                try:
                    if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                        raise Refused(401, {"detail": "Authentication credentials were not provided."})
                    query = dict(urllib.parse.parse_qsl(address.query))
                    status, body = awx.answer(self.command, address.path, query, json.loads(text or b"{}"))
                except Refused as refused:
                    status, body = refused.status, refused.body
                payload = b"" if status == 204 else json.dumps(body).encode()
                self.send_response(status)
                for name, value in (
                    ("X-API-Product-Name", product),
                    ("X-API-Product-Version", version),
                    ("Content-Type", "application/json"),
                ):
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PATCH = do_DELETE = _serve

            def log_message(self, *arguments: Any) -> None:
                """Say nothing: ``Awx.log`` has it."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
