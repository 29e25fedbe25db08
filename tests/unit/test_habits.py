# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a reader of the files may rely on: a licence at their head, and pages that keep up with the code."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import pathlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
import pytest
import yaml
from ansible_collections.mdps.venue_sts.plugins.doc_fragments import venue
from ansible_collections.mdps.venue_sts.plugins.module_utils import _handoff_options
from ansible_collections.mdps.venue_sts.plugins.modules import venue_sts_handoff, venue_sts_role, venue_sts_token
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _resending as resending
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels.registry import CHANNELS, load

from tests.support.documentation import blocks

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = """\
# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""
FOLDERS = ("demo", "docs", "plugins", "tests", "tools")
PYTHON = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if path.stat().st_size and "output" not in path.parts
)
GENERATED = sorted(
    path.parts[-3]
    for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    if "# Written by tools/role_specs.py" in path.read_text()
)
RESEND = yaml.safe_load(venue_sts_handoff.DOCUMENTATION)
TOKEN = yaml.safe_load(venue_sts_token.DOCUMENTATION)
TEMPLATES = sorted(
    path
    for folder in ("roles", "playbooks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".j2", ".yml") and path.is_file()
)
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")]


def _texts_of(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, (dict, list)):
        for one in content.values() if isinstance(content, dict) else content:
            yield from _texts_of(one)


def _templates(path: pathlib.Path) -> Iterator[str]:
    """Every template of a file: the file itself, or the texts of its YAML."""
    if path.suffix == ".j2":
        yield path.read_text()
        return
    for document in yaml.load_all(path.read_text(), Loader=_Tolerant):
        yield from (text for text in _texts_of(document) if "{{" in text or "{%" in text)


class _Tolerant(yaml.SafeLoader):
    """Ansible's own tags are texts."""


_Tolerant.add_multi_constructor("!", lambda loader, _tag, node: str(node.value))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_word_after_a_value_is_not_joined_to_it(path: pathlib.Path) -> None:
    assert not [text for text in _templates(path) if re.search(r"\}\}[a-z]{2}", text)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_brings_a_deprecation_warning_of_python(path: pathlib.Path) -> None:
    """Such as an escape in a text of Jinja that is none: a later Python refuses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in _templates(path):
            jinja2.Environment(autoescape=True, extensions=["jinja2.ext.do"]).parse(text)


def test_no_two_test_files_have_one_name() -> None:
    """As pytest imports them by their names, it would not collect the second one."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, number in names.items() if number > 1] == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_python_file_begins_with_the_licence(path: pathlib.Path) -> None:
    text = path.read_text().removeprefix("#!/usr/bin/python\n").removeprefix("#!/usr/bin/env python3\n")
    assert text.startswith(HEADER)


@pytest.mark.parametrize("role", GENERATED)
def test_a_role_passes_every_option_on(role: str) -> None:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())
    tasks = "\n".join(path.read_text() for path in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    defaults = ROOT / "roles" / role / "defaults/main.yml"
    for name, value in (yaml.safe_load(defaults.read_text()) if defaults.exists() else {}).items():
        if name.startswith("__") and name in tasks:  # what a task passes on by way of another variable
            tasks += str(value)
    assert [name for name in specs["argument_specs"]["main"]["options"] if not re.search(rf"\b{name}\b", tasks)] == []


TEMPLATES = sorted(path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_undefined_variable_is_taken_for_an_option_that_nobody_set(path: pathlib.Path) -> None:
    # "x | default(omit)" and "… if x is defined else omit" omit the option as well if x refers to an undefined
    # variable.
    swallowing = re.findall(r"default\(\s*omit.*|\bomit if .*|(?<![\w.])\w+ is defined else omit.*", path.read_text())
    assert swallowing == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_list_is_in_another_order_in_each_run(path: pathlib.Path) -> None:
    # These filters of ansible-core make sets of lists. reject('in', …) and select('in', …) keep the order.
    unordered = r"\b(?:(?:symmetric_)?difference|intersect|union)\("
    found = [one for one in re.findall(r"\{\{.*?\}\}", path.read_text(), re.DOTALL) if re.search(unordered, one)]
    assert [one for one in found if not re.search(rf"{unordered}.*\| (?:sort|length)\b", one, re.DOTALL)] == []


def documented(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a module's documentation in the form of an argument spec."""
    kept = ("type", "elements", "default", "choices", "required", "aliases")
    return {
        name: {key: one[key] for key in kept if key in one}
        | ({"options": documented(one["suboptions"])} if "suboptions" in one else {})
        for name, one in options.items()
    }


def specified(spec: Mapping[str, Any]) -> dict[str, Any]:
    """An argument spec without what documentation does not say."""
    kept = {
        name: {key: value for key, value in one.items() if key not in ("no_log", "options", "fallback")}
        for name, one in spec.items()
    }
    return {
        name: kept[name] | ({"options": specified(one["options"])} if "options" in one else {})
        for name, one in spec.items()
    }


def test_the_options_of_the_hand_off_are_documented_as_they_are() -> None:
    # ansible-test sanity cannot compare the first: this module runs in its action plugin alone.
    assert documented(RESEND["options"]) == specified(resending.ARGUMENT_SPEC)
    handoff = TOKEN["options"]["handoff"]["suboptions"]
    assert documented(handoff) == specified(issuing.OPERATION.argument_spec["handoff"]["options"])


MODULES = "ansible_collections.mdps.venue_sts.plugins.modules"
WITH_OPERATION = [
    path.stem for path in sorted((ROOT / "plugins/modules").glob("*.py")) if "import OPERATION" in path.read_text()
]


@pytest.mark.parametrize("name", WITH_OPERATION)
def test_the_options_of_a_module_are_documented_as_they_are(name: str) -> None:
    """A part of what validate-modules checks, in a second instead of minutes."""
    module = importlib.import_module(f"{MODULES}.{name}")
    page = yaml.safe_load(module.DOCUMENTATION)
    found = dict(page.get("options", {}))
    for fragment in page["extends_documentation_fragment"]:
        if fragment.startswith("mdps.venue_sts.venue"):
            part = fragment.removeprefix("mdps.venue_sts.venue").strip(".").upper() or "DOCUMENTATION"
            found |= yaml.safe_load(getattr(venue.ModuleDocFragment, part)).get("options", {})
    assert documented(found) == specified(module.OPERATION.argument_spec)


def test_options_of_several_modules_are_documented_alike() -> None:
    # A documentation fragment cannot hold suboptions that are nested differently.
    def text(options: Mapping[str, Any]) -> str:
        return json.dumps(options, sort_keys=True).replace("O(handoff.", "O(")

    role = yaml.safe_load(venue_sts_role.DOCUMENTATION)["options"]["oidc_providers"]["suboptions"]
    token = TOKEN["options"]["oidc_providers"]["suboptions"]
    assert text({**token, "create": role["create"]}) == text(role)  # only provisioning creates a provider
    handoff = TOKEN["options"]["handoff"]["suboptions"]
    resend = yaml.safe_load(venue_sts_handoff.DOCUMENTATION)["options"]
    resend["email"]["suboptions"]["to"] = handoff["email"]["suboptions"]["to"]  # the message names its recipient
    for name in handoff.keys() & resend.keys():
        assert text(handoff[name]) == text(resend[name])


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_is_documented(channel: str) -> None:
    for options in (RESEND["options"], TOKEN["options"]["handoff"]["suboptions"]):
        assert f"V({channel})" in " ".join(options["channel"]["description"])
    assert f"- **`{channel}`**" in (ROOT / "docs/handoff.md").read_text()
    (row,) = re.findall(r"^\| channel \|.*", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert f"`{channel}`" in row


def test_each_channel_is_in_the_list_of_channels() -> None:
    """But for the one that only renewals of leases use."""
    found = {}
    for path in sorted((ROOT / "plugins/plugin_utils/_channels").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Channel" for base in node.bases):
                found[path.stem] = node.name
    assert found == {**CHANNELS, "s3": "S3Channel"}
    assert [load(name).NAME for name in CHANNELS] == list(CHANNELS)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_has_tests_of_what_it_delivers(channel: str) -> None:
    folder = ROOT / "tests/unit/handoff"
    texts = "".join(path.read_text() for path in folder.glob("test_*.py"))
    # ``file`` is the default: the tests of the whole hand-off use it.
    assert channel == "file" or f'issuer(channel="{channel}", public_keys' in texts


def test_a_channel_can_be_chosen_in_awx() -> None:
    specs = yaml.safe_load((ROOT / "roles/awx_setup/meta/argument_specs.yml").read_text())
    choices = specs["argument_specs"]["main"]["options"]["awx_setup_handoff_channel"]["choices"]
    assert set(choices) == set(CHANNELS) - {"file"}  # the disk of a job is removed when the job ends
    page = (ROOT / "docs/awx.md").read_text()
    section = page.partition("## How the token reaches its recipient\n")[2].partition("\n## ")[0]
    assert [channel for channel in choices if f"**`{channel}`**" not in section] == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_secret_of_a_channel_is_one_in_its_options_and_in_its_class(channel: str) -> None:
    options = _handoff_options.CHANNELS.get(channel, {}).get("options", {})
    hidden = {one.name for one in dataclasses.fields(load(channel)) if not one.repr}  # type: ignore[arg-type]
    assert hidden == {name for name, spec in options.items() if spec.get("no_log")}


VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        ("plugins/module_utils/_aws/clients.py", r'USER_AGENT = "mdps\.venue_sts/(.*)"'),
        ("roles/awx_setup/defaults/main.yml", r"awx_setup_project_branch: v(.*)"),
        ("roles/awx_setup/meta/argument_specs.yml", r"default: v(\d.*)"),
        ("roles/awx_setup/meta/argument_specs.yml", r"venue-sts:([\d.]+\d)"),
        ("roles/awx_setup/README.md", r"venue-sts:([\d.]+\d)"),
        ("docs/awx.md", r"venue-sts:([\d.]+\d)"),
        ("execution-environment.yml", r"venue-sts:([\d.]+\d)"),
    ],
)
def test_every_place_has_the_version_of_this_release(place: str, pattern: str) -> None:
    assert set(re.findall(pattern, (ROOT / place).read_text())) == {VERSION}


def messages() -> str:
    """Every text in the plugins, with … for what is put in at run time."""
    found = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_the_page_on_errors_has_each_kind_and_no_other() -> None:
    trees = [ast.parse(path.read_text()) for path in (ROOT / "plugins").rglob("*.py")]
    classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    bases = {one.name: {base.id for base in one.bases if isinstance(base, ast.Name)} for one in classes}
    kinds, found = {"VenueError"}, set[str]()
    while kinds - found:
        found |= kinds
        kinds |= {name for name, above in bases.items() if above & found}
    kinds.remove("VenueError")
    page = (ROOT / "docs/errors.md").read_text()
    assert set(re.findall(r"^\| `([A-Z]\w+)` \|", page, re.MULTILINE)) == kinds


def test_the_messages_on_the_page_on_troubleshooting_are_those_of_the_code() -> None:
    own = (ROOT / "docs/troubleshooting.md").read_text().split("## The recipient says")[0]
    quoted = re.findall(r"^\| `([^`]+)` \|", own, re.MULTILINE)
    said = messages()
    assert quoted
    assert [one for one in quoted if one not in said] == []


@pytest.mark.parametrize("page", ["SECURITY.md", "CODE_OF_CONDUCT.md"])
def test_no_report_goes_to_an_address_of_an_example(page: str) -> None:
    """Nobody reads mail to these domains, which RFC 2606 reserves."""
    assert (
        re.findall(r"[\w.@/-]*\bexample\.(?:com|net|org)\b|\S+\.(?:example|invalid)\b", (ROOT / page).read_text()) == []
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_pages_lead_to_files(page: pathlib.Path) -> None:
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = [
        target.split("#")[0]
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if not target.startswith(("http", "#", "mailto:"))
    ]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_index_leads_to_every_page() -> None:
    linked = {target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / "docs/index.md").read_text())}
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "index.md"] + [
        f"../roles/{page.parent.name}/README.md" for page in ROOT.glob("roles/*/README.md")
    ]
    assert [page for page in pages if page not in linked] == []


# Parts of other playbooks, and those that only the job templates of AWX run.
NOT_FOR_THE_COMMAND_LINE = {"keys", "summary", "awx_issue", "awx_lease"}


def test_the_readme_lists_every_playbook() -> None:
    listed = re.findall(r"^\| `mdps\.venue_sts\.(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted({one.stem for one in ROOT.glob("playbooks/*.yml")} - NOT_FOR_THE_COMMAND_LINE)


# Two names for one place, of which neither is for `-e`: those of the hand-off, and of the role broker.
OF_ROLES = re.compile(r"(?:handoff|broker)_")


@pytest.mark.parametrize("playbook", ["incident", "issue", "lease", "renew", "report", "revoke"])
def test_the_short_names_of_a_playbook_are_documented(playbook: str) -> None:
    page = (ROOT / "docs/playbooks.md").read_text()
    (row,) = re.findall(rf"^\| `{playbook}` \| (.*) \|$", page, re.MULTILINE)
    documented = re.findall(r"`(\w+)`", row)
    text = (ROOT / f"playbooks/{playbook}.yml").read_text()
    parts = [text, *((ROOT / f"playbooks/{name}").read_text() for name in re.findall(r"vars/receipts\.yml", text))]
    code = "\n".join(parts)
    taken = {name for name in re.findall(r"one_variable', '(\w+)'", code) if not OF_ROLES.match(name)}
    assert taken <= set(documented)
    assert [name for name in documented if not re.search(rf"\b{name}\b", code)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_is_in_a_block_that_a_test_runs_or_leaves_out_for_a_reason(page: pathlib.Path) -> None:
    plain = [block for block in blocks(page) if not block.language]
    assert [block.where for block in plain if re.search(r"^(?:\$ )?ansible\b", block.text, re.MULTILINE)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "plugins/modules").glob("*.py")), ids=lambda path: path.stem)
def test_no_result_has_a_name_that_means_something_to_ansible(path: pathlib.Path) -> None:
    """A result with ``skipped`` is shown as a task that was skipped, whatever it did."""
    (returned,) = re.findall(r'^RETURN = r?"""(.*?)"""', path.read_text(), re.DOTALL | re.MULTILINE)
    assert not {"skipped", "failed", "unreachable", "exception", "results"} & (yaml.safe_load(returned) or {}).keys()
