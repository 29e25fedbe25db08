# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Steps and plans: what is shown of them, and what never is."""

from __future__ import annotations

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.steps import Plan, Step

STEP = Step(
    "ssm",
    "put_parameter",
    "/unity/sbg/dev/cs/sts/role/external-id",
    "store a new external ID",
    {"Value": "secret"},
    version=2,
)


def test_a_step_shows_its_action_as_policies_name_it_and_never_its_arguments() -> None:
    assert STEP.shown() == {
        "action": "ssm:PutParameter",
        "target": "/unity/sbg/dev/cs/sts/role/external-id",
        "summary": "store a new external ID",
    }
    assert "secret" not in repr(STEP)


def test_a_difference_holds_the_parts_that_change_and_no_others() -> None:
    plan = Plan([], {"same": 1, "changed": {"a": 1}, "gone": 3}, {"same": 1, "changed": {"a": 2}, "new": 4})
    assert plan.diff() == {"before": {"changed": {"a": 1}, "gone": 3}, "after": {"changed": {"a": 2}, "new": 4}}


def test_no_difference_is_empty_on_both_sides() -> None:
    assert Plan([], {"same": 1}, {"same": 1}).diff() == {"before": {}, "after": {}}
