# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The short cut for options that nobody set must come to what Jinja would have come to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleTemplateError, AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

speed = pytest.importorskip(
    "ansible_collections.mdps.venue_sts.plugins.plugin_utils._speed", reason="speed.py is not there"
)
FastArguments = speed.FastArguments
VARIABLES = {
    "set": "/path/",
    "empty": "",
    "nothing": None,
    "left_out": trust_as_template("{{ omit }}"),
    "nested": trust_as_template("{{ set }}x"),
    "handed_on": trust_as_template("{{ handed_on_first }}"),
    "handed_on_first": trust_as_template("{{ nested }}"),
    "optional_first": trust_as_template("{{ lookup('ansible.builtin.vars', 'unset', default=omit) }}"),
    "handed_on_to_nowhere": trust_as_template("{{ from_nowhere }}"),
    "list_from_nowhere": ["a", trust_as_template("{{ unset }}")],
    "mapping_from_nowhere": {"a": {"b": trust_as_template("x{{ from_nowhere }}")}},
    "from_nowhere": trust_as_template("{{ unset }}"),
    "from_itself": trust_as_template("{{ from_itself }}"),
    "data": "{{ set }}",
    "list": [trust_as_template("{{ set }}"), 1],
    "yes": True,
    "none": "a variable of this name",
    "True": "another one",
    "not": "a third one",
    "self": "a fourth one",
    "nothing_else": "one that only begins like a word",
    "keys": {"id": "ASIA"},
}
OMITTED = object()


def finalized(value: str, *, by_jinja: bool) -> Any:
    """What an argument becomes: by the action, or by the templating that it cuts short."""
    templar = Templar(loader=DataLoader(), variables=dict(VARIABLES))._engine  # what ansible-core gives to an action
    try:
        return templar.template(value) if by_jinja else FastArguments.finalize_task_arg("option", value, templar, None)
    except AnsibleValueOmittedError:
        return OMITTED
    except AnsibleTemplateError:  # which one, and its text, may tell the way, and the way is what is cut short
        return AnsibleTemplateError


OPTIONAL = "{{ lookup('ansible.builtin.vars', '%s', default=omit) }}"
EITHER = "{{ lookup('mdps.venue_sts.one_variable', '%s', '%s', default=omit) }}"
BESIDE = "{{ keys.id if query('ansible.builtin.varnames', '^%s$') else omit }}"

BESIDE_AND = "{{ keys.id if query('ansible.builtin.varnames', '^%s$') and yes else omit }}"
MANDATORY = "{{ %s | mandatory('Who is it for?') }}"


@pytest.mark.parametrize("name", [*VARIABLES, "unset"])
@pytest.mark.parametrize(
    "shape",
    [
        OPTIONAL,
        "{{ lookup('mdps.venue_sts.one_variable', '%s', 'unset', default=omit) }}",
        "{{ lookup('mdps.venue_sts.one_variable', 'unset', '%s', default=omit) }}",
        "{{ lookup('mdps.venue_sts.one_variable', '%s', 'set', default=omit) }}",
        BESIDE,
        BESIDE_AND,
        "{{ keys.id if query('ansible.builtin.varnames', '^%s$') and empty else omit }}",
        MANDATORY,
        "{{ %s | mandatory('Who' ~ ' is it for?') }}",
        "{{ %s | default(omit) }}",
        "{{ %s is defined }}",
        "{{lookup('ansible.builtin.vars', '%s', default=omit)}}",
        "{{ lookup('ansible.builtin.vars', '%s') }}",
        "{{ %s }}",
        "{{ %s.id }}",
    ],
)
def test_an_argument_becomes_what_jinja_makes_of_it(name: str, shape: str) -> None:
    value = trust_as_template(shape % name)
    assert finalized(value, by_jinja=False) == finalized(value, by_jinja=True)


@pytest.mark.parametrize("by_jinja", [True, False])
@pytest.mark.parametrize("name", ["from_nowhere", "handed_on_to_nowhere", "list_from_nowhere", "mapping_from_nowhere"])
def test_a_variable_that_refers_to_an_undefined_one_is_an_error(name: str, by_jinja: bool) -> None:
    assert issubclass(finalized(trust_as_template(OPTIONAL % name), by_jinja=by_jinja), AnsibleTemplateError)


@pytest.mark.parametrize("name", ["unset", "from_nowhere", "handed_on_to_nowhere"])
def test_what_is_required_is_said_in_the_words_of_the_template(name: str) -> None:
    templar = Templar(loader=DataLoader(), variables=dict(VARIABLES))._engine
    with pytest.raises(AnsibleTemplateError, match="Who is it for"):
        FastArguments.finalize_task_arg("option", trust_as_template(MANDATORY % name), templar, None)


@pytest.mark.parametrize(
    "template",
    [
        OPTIONAL % "unset",
        EITHER % ("unset", "neither"),
        BESIDE % "unset",
        BESIDE_AND % "unset",
        OPTIONAL % "optional_first",
    ],
    ids=["unset", "either", "beside", "beside and", "chain"],
)
def test_an_option_that_nobody_set_is_left_out_without_a_template(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    value = trust_as_template(template)
    monkeypatch.setattr(
        "ansible._internal._templating._engine.TemplateEngine.template",
        lambda *_, **__: pytest.fail("a template was made"),
    )
    assert finalized(value, by_jinja=False) is OMITTED


def test_what_is_passed_on_needs_no_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible._internal._templating._jinja_bits.AnsibleEnvironment.from_string",
        lambda *_, **__: pytest.fail("a template was compiled"),
    )
    chain = {
        "role": trust_as_template(OPTIONAL % "playbook"),
        "playbook": trust_as_template(MANDATORY % "inventory"),
        "inventory": "sbg",
    }
    templar = Templar(loader=DataLoader(), variables=chain)._engine
    assert FastArguments.finalize_task_arg("project", trust_as_template("{{ role }}"), templar, None) == "sbg"


def test_data_that_looks_like_the_template_is_data() -> None:
    value = OPTIONAL % "unset"
    assert finalized(value, by_jinja=False) == value
