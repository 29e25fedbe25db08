# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each field of a survey says what the role's argument spec says: type, choices, default, limits, help, required."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from tests.support.awx_job import TEMPLATES, WORKFLOWS
from tests.support.awx_runs import survey_problems
from tests.support.awx_server import check_survey

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SURVEYS = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((ROOT / "roles/awx_setup/files/surveys").glob("*.yml"))
}
OF_THE_SETUP = ("request_reason", "request_ticket")
QUESTIONS = [(name, item) for name, survey in SURVEYS.items() for item in survey["spec"]]
FIELDS = [(name, item) for name, item in QUESTIONS if item["variable"] not in ("target", *OF_THE_SETUP)]
IDS = [f"{name}-{item['variable']}" for name, item in FIELDS]
# A survey's answers take precedence over the inventory: what belongs to a venue must not be asked for.
OF_A_VENUE = {
    "project",
    "venue",
    "name_prefix",
    "role_name",
    "buckets",
    "permissions_boundary",
    "trusted_principals",
    "max_session_duration",
    "allow_delete",
}

# Options that a playbook has a name of its own for.
OWN_NAMES = {"retire": "provision_retire_previous_external_id"}


def spec_of(item: dict) -> dict:
    variable = OWN_NAMES.get(item["variable"], item["variable"])
    role, _dash, option = variable.partition("_")
    assert option not in OF_A_VENUE
    return options_of(role)[variable]


def options_of(role: str) -> dict:
    text = (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text()
    return yaml.safe_load(text)["argument_specs"]["main"]["options"]


def text_of(spec: dict) -> str:
    return re.sub(r"\b[OVCEMBI]+\(([^)]*)\)", r"\1", " ".join(spec["description"]))


@pytest.mark.parametrize(("name", "item"), FIELDS, ids=IDS)
def test_a_field_takes_what_its_option_takes(name, item):
    spec = spec_of(item)
    kinds = {
        "str": {"text", "password", "multiplechoice"},
        "int": {"integer"},
        "bool": {"multiplechoice"},
        "list": {"text", "multiselect"},
    }
    assert item["type"] in kinds[spec["type"]]
    assert item["required"] is bool(spec.get("required"))
    if spec["type"] == "bool":
        assert (item["choices"], item["default"]) == (["no", "yes"], "yes" if spec.get("default") else "no")
    elif item["type"] == "multiplechoice":
        assert (item["choices"], item["default"]) == (spec["choices"], spec["default"])
    elif item["type"] == "multiselect":
        named = re.findall(r"\b[a-z]\w*_[a-z]\w*\b", text_of(spec).split(".")[0])
        assert (item["choices"], item.get("default")) == (named, None)
    else:
        assert item.get("default") == (spec.get("default") or None)


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_that_is_left_alone_answers_nothing_in_place_of_the_inventory(name):
    survey = SURVEYS[name]
    assert [item["variable"] for item in survey["spec"] if item.get("default") in ("", [])] == []
    assert {item.get("default") for item in survey["spec"] if item["type"] == "password"} <= {None}


@pytest.mark.parametrize(("name", "item"), QUESTIONS, ids=[f"{name}-{item['variable']}" for name, item in QUESTIONS])
def test_awx_refuses_a_blank_answer(name, item):
    blanks = [""] if item["type"] != "multiselect" else [[""]]
    choices = {"choices": item["choices"] or ["sbg-dev"]} if "choices" in item else {}
    for blank in blanks:
        assert survey_problems({**item, **choices}, {item["variable"]: blank}) != []


@pytest.mark.parametrize("name", SURVEYS)
def test_no_survey_asks_for_limits(name):
    assert not any("limits" in item["variable"] for item in SURVEYS[name]["spec"])


@pytest.mark.parametrize(("name", "item"), FIELDS, ids=IDS)
def test_a_field_has_the_limits_and_the_help_of_its_option(name, item):
    text = text_of(spec_of(item))
    assert item["question_description"] in (text, f"{text} Separate several with commas.")
    said = re.search(r"([\d,]+) to ([\d,]+) seconds", text)
    if item["variable"] == "lease_days":
        most = options_of("lease")["lease_maximum_days"]["default"]
        assert [item["min"], item["max"]] == [1, most], "awx_setup raises it where the inventory does"
    elif item["type"] == "integer":
        assert said, "the help must name the limits"
        assert [item["min"], item["max"]] == [int(number.replace(",", "")) for number in said.groups()]
    elif item["type"] in ("text", "password"):
        assert item["min"] == 1


@pytest.mark.parametrize("name", SURVEYS)
def test_awx_takes_the_survey_once_the_venues_are_known(name):
    survey = SURVEYS[name]
    target = survey["spec"][0]
    assert target["variable"] == "target"
    check_survey({**survey, "spec": [{**target, "choices": ["sbg-dev"]}, *survey["spec"][1:]]})


def test_the_workflow_asks_for_exactly_what_its_templates_take():
    surveys = {row["name"]: row["survey"] for row in TEMPLATES.values()}
    for workflow in WORKFLOWS:
        for template in filter(None, workflow["steps"].values()):
            assert SURVEYS[workflow["survey"]]["spec"] == SURVEYS[surveys[template]]["spec"]


def test_every_survey_has_a_template_and_every_template_a_playbook():
    assert {row["survey"] for row in [*TEMPLATES.values(), *WORKFLOWS]} == set(SURVEYS)
    missing = [
        row["playbook"] for row in TEMPLATES.values() if not (ROOT / "playbooks" / f"{row['playbook']}.yml").exists()
    ]
    assert missing == []


def test_surveys_and_pictures_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/awx_surveys.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), "run tools/awx_surveys.py"
