# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The parameters of leases: every page is read, and a write returns the version."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws import leases
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import ConnectionProblem

from tests.support.stubs import stubbed

PATH = "/unity/sbg/dev/cs/sts/leases"
ASKED = {"Path": PATH, "Recursive": True, "MaxResults": 10}


def described(name: str, version: int) -> dict[str, object]:
    return {"Name": f"{PATH}/{name}", "Value": name, "Type": "String", "Version": version}


def test_every_page_is_read() -> None:
    with stubbed("ssm") as (ssm, stub):
        stub.add_response("get_parameters_by_path", {"Parameters": [described("jane", 3)], "NextToken": "more"}, ASKED)
        stub.add_response(
            "get_parameters_by_path", {"Parameters": [described("jdoe", 1)]}, {**ASKED, "NextToken": "more"}
        )
        found = leases.read_below(ssm, PATH)
    assert {name: (one.value, one.version) for name, one in found.items()} == {
        f"{PATH}/jane": ("jane", 3),
        f"{PATH}/jdoe": ("jdoe", 1),
    }


def test_half_an_answer_is_not_taken_for_no_leases() -> None:
    with stubbed("ssm") as (ssm, stub):
        stub.add_response("get_parameters_by_path", {}, ASKED)
        with pytest.raises(ConnectionProblem, match="damaged"):
            leases.read_below(ssm, PATH)


def test_a_write_returns_the_version() -> None:
    asked = {"Name": f"{PATH}/jdoe", "Value": "{}", "Type": "String", "Tier": "Intelligent-Tiering", "Overwrite": True}
    with stubbed("ssm") as (ssm, stub):
        stub.add_response("put_parameter", {"Version": 7}, asked)
        assert leases.write(ssm, f"{PATH}/jdoe", "{}", "write the lease") == 7
