# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A typing error inside a variable is an error, whichever variable of whichever role or playbook it is in.

``x | default(…)`` and ``x is defined`` treat a variable that refers to an undefined one as if nobody had set it. So
they may only ask for what the collection itself has made: registered results, loop items, keys of a mapping.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from jinja2 import Environment, nodes

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = sorted(
    path
    for folder in ("roles", "playbooks")
    for kind in ("*.yml", "*.j2")
    for path in (ROOT / folder).rglob(kind)
    if path.name != "argument_specs.yml" and "surveys" not in path.parts
)
SPECS = {
    path.parts[-3]: yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"]
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml"))
}
TYPO = "a_variable_that_nobody_has_set"
# Names whose values the collection itself has made, beside registered ones and those that begin with two underscores.
# host, token, ca and lease_key are fields of credentials of AWX.
FIELDS = {"host", "token", "ca", "lease_key"}
MADE_HERE = {"item", "row", "result", "ansible_failed_result", "hostvars", "assume_keys", *FIELDS}
# What tasks that come before would have left behind.
BEFORE = {"item": {}, "__report_roles": {"results": []}, "__report_tokens": {"results": []}, "__report_now": "x"}
PLAIN = {"str": "x", "path": "x", "raw": "x", "int": 1, "bool": True, "list": ["x"], "dict": {"x": "x"}, "float": 1}


class Loader(yaml.SafeLoader):
    """Reads the tags of Ansible as plain text."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def texts(value: Any, key: str = "") -> Iterator[str]:
    """Every expression in a document, as a template."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from texts(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one, key)
    elif isinstance(value, str) and ("{{" in value or "{%" in value):
        yield value
    elif isinstance(value, str) and key in ("when", "that", "until", "changed_when", "failed_when"):
        yield "{{ " + value + " }}"


def templates(path: pathlib.Path) -> list[str]:
    if path.suffix == ".j2":
        return [path.read_text()]
    return list(texts(yaml.load(path.read_text(), Loader)))


def registered() -> set[str]:
    found = re.findall(r"^\s*register: (\w+)", "\n".join(path.read_text() for path in FILES), re.MULTILINE)
    return set(found) | MADE_HERE


def root(node: nodes.Node) -> str:
    """The variable that an expression begins with; '' for any other expression."""
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        node = node.node
    return node.name if isinstance(node, nodes.Name) else ""


def asked_for(template: str) -> set[str]:
    """The variables of which a template asks whether they are defined."""
    plain = re.sub(r"\|\s*(?:\w+\.)+(\w+)", r"| \1", template)  # filters of collections have dots
    tree = Environment().parse(re.sub(r"\bis ((?:not )?)(?:\w+\.)+(\w+)", r"is \1\2", plain))
    filters = [one.node for one in tree.find_all(nodes.Filter) if one.name in ("default", "d") and one.node]
    tests = [one.node for one in tree.find_all(nodes.Test) if one.name in ("defined", "undefined")]
    return {root(one) for one in [*filters, *tests]} - {""}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_asks_whether_a_variable_of_the_user_is_defined(path: pathlib.Path) -> None:
    asked = {name for template in templates(path) for name in asked_for(template)}
    assert {name for name in asked - registered() if not name.startswith("__")} == set()


def test_the_reader_of_expressions_finds_what_it_must() -> None:
    for template in ("{{ dest | default('') }}", "{{ dest.x is not defined }}", "{{ dest['x'] | d(1) | length }}"):
        assert asked_for(template) == {"dest"}
    assert asked_for("{{ lookup('ansible.builtin.vars', 'dest', default=omit) is mdps.x.y }}") == set()


def of_role(role: str) -> list[str]:
    """The templates of a role's tasks and variables, and of its own defaults that pass an option on."""
    files = [path for folder in ("tasks", "vars") for path in sorted((ROOT / "roles" / role / folder).glob("*.yml"))]
    own = yaml.load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(), Loader) or {}
    passed_on = texts({name: value for name, value in own.items() if name.startswith("__")})
    return list(dict.fromkeys([template for path in files for template in templates(path)] + list(passed_on)))


CASES = [
    (role, option, template)
    for role, options in SPECS.items()
    if role != "awx_setup"  # it has no options that narrow or check, and most of its templates are about answers of AWX
    for option in options
    for template in of_role(role)
    # Whether a variable was set may be asked by its name.
    if re.search(rf"\b{option}\b", re.sub(r"\^\(?[\w|]+\)?\$", "", template))
]


@pytest.mark.parametrize(("role", "option", "template"), CASES)
def test_a_typing_error_inside_a_variable_of_a_role_is_an_error(role: str, option: str, template: str) -> None:
    given: dict[str, Any] = {name: PLAIN[spec.get("type", "str")] for name, spec in SPECS[role].items()} | BEFORE
    for path in sorted((ROOT / "roles" / role / "vars").glob("*.yml")):
        for name, value in yaml.load(path.read_text(), Loader).items():
            given[name] = trust_as_template(value) if isinstance(value, str) else value
    given[option] = trust_as_template("{{ " + TYPO + " }}")
    with pytest.raises(AnsibleError) as failure:
        Templar(loader=DataLoader(), variables=given).template(trust_as_template(template))
    assert TYPO in str(failure.value)


def test_every_variable_of_a_role_is_tried() -> None:
    tried = {(role, option) for role, option, _template in CASES}
    expected = {(role, option) for role, options in SPECS.items() for option in options if role != "awx_setup"}
    assert expected - tried == set()


OF_PLAYBOOKS = [
    (path, name, template)
    for path in sorted((ROOT / "playbooks").rglob("*.yml"))
    for template in templates(path)
    for name in re.findall(r"lookup\('ansible\.builtin\.vars', '([a-z]\w*)'", template)
]


@pytest.mark.parametrize(("path", "name", "template"), OF_PLAYBOOKS, ids=str)
def test_a_typing_error_inside_a_variable_of_a_playbook_is_an_error(
    path: pathlib.Path, name: str, template: str
) -> None:
    given: dict[str, Any] = {"source": "profile", "ansible_play_hosts_all": ["a", "b"]}
    given |= dict.fromkeys(re.findall(r"\b__\w+", template), True)  # what the playbook itself has made
    given[name] = trust_as_template("{{ " + TYPO + " }}")
    with pytest.raises(AnsibleError) as failure:
        Templar(loader=DataLoader(), variables=given).template(trust_as_template(template))
    assert TYPO in str(failure.value)
