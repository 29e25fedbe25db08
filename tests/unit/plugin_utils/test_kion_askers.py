# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter ``kion_askers``: which host asks Kion for which others."""

from __future__ import annotations

import pathlib
from collections import UserDict
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleTemplateError
from ansible_collections.mdps.venue_sts.plugins.filter.kion_askers import FilterModule
from jinja2 import UndefinedError

ROLE = pathlib.Path(__file__).parents[3] / "roles/broker/meta/argument_specs.yml"
SPECS = yaml.safe_load(ROLE.read_text())["argument_specs"]
askers = FilterModule().filters()["kion_askers"]
REQUEST = {"broker_account": "123456789012", "broker_iam_role_name": "mcp-tenantOperator"}


def host(name: str, **variables: Any) -> dict[str, Any]:
    return {"inventory_hostname": name, "project": name, **REQUEST, **variables}


def test_one_host_asks_for_all_with_the_same_request_whatever_their_order() -> None:
    hosts = [host("c"), host("a"), host("b"), host("x", broker_account="210987654321")]
    assert askers(hosts) == askers(hosts[::-1]) == {"a": "a", "b": "a", "c": "a", "x": "x"}


@pytest.mark.parametrize("name", SPECS["main"]["options"])
def test_every_variable_of_the_role_makes_another_request(name: str) -> None:
    hosts = [host("a", **{name: "1"}), host("b", **{name: "2"}), host("c")]
    assert askers(hosts) == {"a": "a", "b": "b", "c": "c"}


def test_a_number_is_the_same_request_as_its_text() -> None:
    numbers = host("a", broker_account=123456789012, broker_idms=2)
    assert askers([numbers, host("b", broker_idms="2")]) == {"a": "a", "b": "a"}


def test_what_an_earlier_task_registered_is_no_part_of_the_request() -> None:
    assert askers([host("a", broker_result={"msg": "refused"}), host("b")]) == {"a": "a", "b": "a"}


def test_only_hosts_with_an_account_that_need_aws_credentials_ask() -> None:
    hosts = [{"inventory_hostname": "a"}, host("b", how="saml"), host("c", how="assume_role"), host("d")]
    assert askers(hosts, "how") == {"c": "c", "d": "c"}
    assert askers(hosts) == {"b": "b", "c": "b", "d": "b"}


class Templated(UserDict[str, Any]):
    """The variables of a host one of which cannot be evaluated."""

    def __init__(self, variables: dict[str, Any], error: Exception) -> None:
        super().__init__(variables)
        self._error = error

    def __getitem__(self, key: str) -> Any:
        if super().__getitem__(key) == "{{ nothing }}":
            raise self._error
        return super().__getitem__(key)


@pytest.mark.parametrize("error", [UndefinedError("'nothing' is undefined"), AnsibleTemplateError("syntax")])
@pytest.mark.parametrize("name", ["broker_account", "broker_url", "how"])
def test_a_host_with_a_bad_variable_stops_no_other(name: str, error: Exception) -> None:
    hosts = [Templated(host("a", **{name: "{{ nothing }}"}), error), host("b"), host("c")]
    assert askers(hosts, "how") == {"a": "a", "b": "b", "c": "b"}
