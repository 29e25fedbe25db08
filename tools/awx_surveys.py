# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write the surveys of the AWX templates from the argument specs of the roles, and draw them for docs/awx.md.

Usage: awx_surveys.py [--check]

SURVEYS below lists the questions; type, choices, default and help of each field come from the role. With --check
nothing is written, and differences are printed and make the exit status 1.
"""

from __future__ import annotations

import html
import pathlib
import re
import sys
import textwrap
from typing import Any, NamedTuple

import yaml
from yaml_style import Indented, width

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ROOT / "roles/awx_setup/files/surveys"
IMAGES = ROOT / "docs/images"
COMMAS = "Separate several with commas."


class Field(NamedTuple):
    """One question about a role's option.

    :param option: the role's variable; empty for a question of the set-up itself.
    :param label: the text above the field.
    :param least, most: the smallest and largest number, or the most characters of a text.
    :param hidden: kept encrypted by AWX, and not shown while it is typed.
    :param variable: the name that the playbook has for the option, where it has one of its own.
    :param help: the text below the label, for a question of the set-up itself.
    """

    option: str
    label: str
    least: int = 0
    most: int = 1024
    hidden: bool = False
    variable: str = ""
    help: str = ""


class Survey(NamedTuple):
    """One survey: its title, the text below it, and its fields. ``one`` venue is asked for, or any number of them."""

    title: str
    description: str
    one: bool
    fields: tuple[Field, ...]


TOKEN = (
    Field("issue_user", "Recipient", 1, 64),
    Field(
        "",
        "Reason",
        least=1,
        most=256,
        variable="request_reason",
        help="Why the token is needed. It goes into the receipt.",
    ),
    Field(
        "",
        "Ticket",
        most=64,
        variable="request_ticket",
        help="The ticket that the request belongs to, such as MDPS-123. It goes into the receipt.",
    ),
    Field("issue_duration_seconds", "Duration in seconds", 900, 43200),
    Field("issue_access", "Access"),
    Field("issue_bucket_prefixes", "Folders of the bucket"),
    Field("issue_external_id", "External ID that the requester sent", most=1224, hidden=True),
)
LEASE = (
    Field("lease_user", "Recipient", most=64),
    Field("lease_reason", "Reason", most=256),
    Field("lease_ticket", "Ticket", most=64),
    Field("lease_days", "Days", 1, 7),
    Field("lease_end", "End, instead of days", most=40),
    Field("lease_duration_seconds", "Duration of each token in seconds", 900, 43200),
    Field("lease_access", "Access"),
    Field("lease_bucket_prefixes", "Folders of the bucket"),
)
# Answers take precedence over the inventory, so no survey asks for properties of a venue, such as buckets or limits.
SURVEYS = {
    "provision": Survey(
        "Provision venue",
        "Creates or repairs the role that a venue's tokens are issued for. Choose the job type Check to see what would"
        " change.",
        False,
        (
            Field("provision_wait", "Verify that the role can be assumed"),
            Field("provision_adopt", "Adopt a role without ownership tags"),
            Field("provision_on_external_id_conflict", "If SSM and the trust policy differ"),
        ),
    ),
    "issue": Survey("Issue token", "Issues a short-lived token for one venue, sealed to its recipient.", True, TOKEN),
    "revoke": Survey(
        "Revoke tokens",
        "Ends tokens of one venue before they expire, or lifts a revocation. Give a recipient or a session name, or"
        " choose every token of the venue.",
        True,
        # Not the access key: whoever knows it has the receipt, and with it the session name.
        (
            Field("revoke_user", "Recipient whose tokens to revoke", most=64),
            Field("revoke_session_name", "Session name, from the receipt", most=64),
            Field("revoke_all", "Every token of the venue"),
            Field("revoke_state", "Revoke, or lift a revocation"),
        ),
    ),
    "rotate": Survey(
        "Rotate external ID",
        "Gives one venue a new external ID. The old one stays valid until this runs again with Retire the old one.",
        True,
        (Field("provision_retire_previous_external_id", "Retire the old one", variable="retire"),),
    ),
    "report": Survey(
        "Report",
        "Shows the venues' roles and, with CloudTrail, who holds tokens.",
        False,
        (
            Field("report_cloudtrail", "Look up in CloudTrail who holds tokens"),
            Field("report_since", "Tokens issued since", most=40),
        ),
    ),
    "request": Survey(
        "Request a token",
        "Requests a short-lived token. The request is checked. If an approver approves it, the token is issued.",
        True,
        TOKEN,
    ),
    "lease": Survey(
        "Grant lease",
        "Approves tokens for one user until a date, and delivers the first one, sealed to its recipient.",
        True,
        LEASE,
    ),
    "request_lease": Survey(
        "Request a lease",
        "Requests tokens until a date. The request is checked. If an approver approves it, the first token is"
        " delivered. Give days or an end.",
        True,
        LEASE,
    ),
    "renew": Survey(
        "Renew leases",
        "Issues the next token of every lease whose token expires soon. Meant for a schedule of five minutes.",
        False,
        (),
    ),
    "deliver": Survey(
        "Deliver lease token",
        "Delivers a new token of a lease, sealed to its recipient, after the last one has expired.",
        True,
        (Field("renew_user", "Recipient", most=64),),
    ),
}
QUESTION_TYPES = {"str": "text", "int": "integer", "bool": "multiplechoice", "list": "text"}


def plain(texts: list[str]) -> str:
    """A description without the markup of Ansible's documentation."""
    return re.sub(r"\b[A-Z]+\(([^)]*)\)", r"\1", " ".join(texts))


def options(role: str) -> dict[str, Any]:
    """The options of a role, by variable."""
    specs = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())
    return dict(specs["argument_specs"]["main"]["options"])


def question(field: Field) -> dict[str, Any]:
    """One item of AWX's ``survey_spec``."""
    if not field.option:
        return own_question(field)
    spec = options(field.option.split("_")[0])[field.option]
    words = re.findall(r"V\(([^)]*)\)", spec["description"][0]) if field.option.endswith("_access") else []
    choices = spec.get("choices") or (["no", "yes"] if spec["type"] == "bool" else words)
    kind = (
        "password"
        if field.hidden
        else "multiselect"
        if words
        else "multiplechoice"
        if choices
        else QUESTION_TYPES[spec["type"]]
    )
    item: dict[str, Any] = {
        "variable": field.variable or field.option,
        "question_name": field.label,
        "question_description": plain(spec["description"])
        + (f" {COMMAS}" if spec["type"] == "list" and kind == "text" else ""),
        "type": kind,
        "required": bool(spec.get("required", False)),
    }
    if choices:
        item["choices"] = choices
    else:
        item |= {"min": max(field.least, 1), "max": field.most}
    given = spec.get("default")
    # AWX would pass an empty default on as an answer, and the blank answer would take precedence over the inventory.
    if spec["type"] == "bool":
        item["default"] = choices[int(given or 0)]
    elif given and kind != "password":
        item["default"] = given
    return item


def own_question(field: Field) -> dict[str, Any]:
    """A question that no role has an option for. The role awx_setup decides whether it must be answered."""
    return {
        "variable": field.variable,
        "question_name": field.label,
        "question_description": field.help,
        "type": "text",
        "required": False,
        "min": max(field.least, 1),
        "max": field.most,
    }


def venue_question(survey: Survey) -> dict[str, Any]:
    """The question for venues; the role awx_setup puts in those of the inventory."""
    if survey.one:
        words, kind = "The venue, by its name in the inventory.", "multiplechoice"
    else:
        words, kind = "No choice means every venue of the inventory.", "multiselect"
    name = "Venue" if survey.one else "Venues"
    return {
        "variable": "target",
        "question_name": name,
        "question_description": words,
        "type": kind,
        "required": survey.one,
        "choices": [],
    }


def spec_of(survey: Survey) -> dict[str, Any]:
    """What AWX takes as ``survey_spec``."""
    items = [venue_question(survey), *map(question, survey.fields)]
    return {"name": survey.title, "description": survey.description, "spec": items}


WIDTH, EDGE = 720, 28
LOOK = """text{font-family:system-ui,'Segoe UI',Helvetica,Arial,sans-serif;fill:#151515}
.title{font-size:21px;font-weight:600}
.label{font-size:14px;font-weight:600}.help{font-size:12px;fill:#4d5258}.value{font-size:14px}.must{fill:#b1380b}
.box{fill:#fff;stroke:#8a8d90}.page{fill:#f5f5f5}.key{fill:#0066cc}.key-text{fill:#fff;font-size:14px}"""


def drawing(spec: dict[str, Any], venues: list[str]) -> str:
    """The survey as AWX lays it out, as SVG: labels, help, fields with their defaults, limits and choices."""
    parts, y = [_text(EDGE, 40, "title", spec["name"])], 66
    for line in textwrap.wrap(spec["description"], 100):
        parts.append(_text(EDGE, y, "help", line))
        y += 18
    for item in spec["spec"]:
        body, height = _field(item, y + 16, venues)
        parts.append(body)
        y += 16 + height
    parts.append(
        f'<rect class="key" x="{EDGE}" y="{y + 20}" width="82" height="34" rx="3"/>'
        + _text(EDGE + 24, y + 42, "key-text", "Next")
    )
    size = f'width="{WIDTH}" height="{y + 78}" viewBox="0 0 {WIDTH} {y + 78}"'
    name = html.escape(f"The survey '{spec['name']}': " + ", ".join(item["question_name"] for item in spec["spec"]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{name}"><style>{LOOK}</style>'
        f'<rect class="page" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _text(x: int, y: int, kind: str, words: str, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{html.escape(words)}{more}</text>'


def _field(item: dict[str, Any], y: int, venues: list[str]) -> tuple[str, int]:
    must = '<tspan class="must"> *</tspan>' if item["required"] else ""
    parts = [_text(EDGE, y + 14, "label", item["question_name"], must)]
    lines = textwrap.wrap(item["question_description"], 108)
    parts += [_text(EDGE, y + 32 + 16 * number, "help", line) for number, line in enumerate(lines)]
    top = y + 24 + 16 * len(lines)
    parts.append(f'<rect class="box" x="{EDGE}" y="{top}" width="{WIDTH - 2 * EDGE}" height="34" rx="3"/>')
    parts.append(_text(EDGE + 12, top + 22, "value", _shown(item, venues)))
    return "\n".join(parts), top + 34 - y


def _shown(item: dict[str, Any], venues: list[str]) -> str:
    choices = item.get("choices")
    if item["type"] == "password":
        return "••••••••"
    if item["type"] == "multiplechoice":
        return f"{item.get('default', 'Select one')} ▾   ({' | '.join(choices or venues)})"
    if item["type"] == "multiselect":
        return "   ".join(f"☐ {one}" for one in choices or venues)
    return (
        f"{item.get('default', '')}   ({item['min']} to {item['max']})"
        if item["type"] == "integer"
        else str(item.get("default", ""))
    )


def outputs() -> dict[pathlib.Path, str]:
    """Every file this writes, with its text."""
    found = {}
    for name, survey in SURVEYS.items():
        spec = spec_of(survey)
        text = yaml.dump(spec, Dumper=Indented, sort_keys=False, width=width(spec), allow_unicode=True)
        found[FILES / f"{name}.yml"] = (
            f"---\n# Written by tools/awx_surveys.py from the argument specs of the role.\n{text}"
        )
        found[IMAGES / f"awx-survey-{name}.svg"] = drawing(spec, ["sbg-dev", "sbg-test", "emit-ops"])
    return found


def main() -> int:
    """Write, or with --check compare."""
    changed = {path: text for path, text in outputs().items() if not path.exists() or path.read_text() != text}
    for path, text in changed.items():
        print(f"{'differs' if '--check' in sys.argv else 'written'}: {path.relative_to(ROOT)}")
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if changed and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
