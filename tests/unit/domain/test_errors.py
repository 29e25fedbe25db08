# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Errors as results: one sentence for a person, the class and facts for a playbook."""

from __future__ import annotations

import inspect

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import errors


def test_a_result_names_subject_class_and_facts() -> None:
    error = errors.AccountMismatch("wrong account.", account_id="1", expected_account_id="2")
    assert error.to_result("Venue sbg-dev") == {
        "msg": "Venue sbg-dev: wrong account.",
        "error": "AccountMismatch",
        "account_id": "1",
        "expected_account_id": "2",
    }
    assert error.to_result()["msg"] == "wrong account."
    assert str(error) == "wrong account."


def test_bad_input_names_its_option() -> None:
    assert errors.InvalidInput("venue", "is odd.").to_result() == {
        "msg": "venue: is odd.",
        "error": "InvalidInput",
        "option": "venue",
    }


def test_a_refusal_carries_what_support_asks_for() -> None:
    error = errors.AwsRefused("no.", operation="iam:GetRole", code="AccessDenied", request_id="r-1")
    assert error.to_result() == {
        "msg": "no.",
        "error": "AwsRefused",
        "operation": "iam:GetRole",
        "error_code": "AccessDenied",
        "request_id": "r-1",
    }
    assert (error.operation, error.code) == ("iam:GetRole", "AccessDenied")


def test_every_error_is_a_venue_error() -> None:
    """Operation.run turns VenueError, and nothing else, into a failure of the task."""
    classes = [
        thing for _name, thing in inspect.getmembers(errors, inspect.isclass) if thing.__module__ == errors.__name__
    ]
    assert len(classes) > 5
    assert all(issubclass(one, errors.VenueError) for one in classes)
