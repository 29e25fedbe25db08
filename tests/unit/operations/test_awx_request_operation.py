# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The operation of ``awx_request_info`` against a double of AWX's API, and its reading of hostile answers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import awx_request
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import VenueError
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.awx_request import OPERATION, UNCHECKED
from hypothesis import given
from hypothesis import strategies as st

from tests.support import awx_runs
from tests.support.awx_server import TOKEN, Awx, AwxServer
from tests.support.servers import free_port

JANE, JOE = {"id": 21, "username": "jane"}, {"id": 22, "username": "joe"}
CONTEXT = {"job": "7", "workflow": "3", "requester": "jane"}


@pytest.fixture
def awx(monkeypatch: pytest.MonkeyPatch) -> Iterator[Awx]:
    """An AWX with one request of jane's that waits for approval."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    awx = Awx([])
    awx.acting = JANE
    template = awx.add("workflow_job_templates", {"name": "Request a token"})
    approval = awx.add("workflow_approval_templates", {"name": "Approve a token"})
    node = {"identifier": "approve", "workflow_job_template": template["id"], "unified_job_template": approval["id"]}
    awx.add("workflow_job_template_nodes", node)
    awx.answer("POST", awx.address("workflow_job_templates", template) + "launch/", {}, {})
    with AwxServer(awx) as server:
        awx.url = server.url  # type: ignore[attr-defined]
        yield awx


def approve(awx: Awx, user: dict[str, Any]) -> None:
    awx.acting = user
    (approval,) = awx.items["workflow_approvals"].values()
    awx.answer("POST", awx.address("workflow_approvals", approval) + "approve/", {}, {})


def run(awx: Awx | None, warnings: list[str] | None = None, **options: Any) -> tuple[bool, dict[str, Any]]:
    given: dict[str, Any] = {"job_id": "7", "launched_by": "jane", **options}
    if awx:
        workflow = str(next(iter(awx.items["workflow_jobs"])))
        login = {"url": awx.url, "token": TOKEN, "workflow_job_id": workflow}  # type: ignore[attr-defined]
        given = {**login, **given}
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec)).validate(
        {name: value for name, value in given.items() if value is not None}
    )
    assert not checked.error_messages
    return OPERATION.run(checked.validated_parameters, Runtime(warn=(warnings if warnings is not None else []).append))


def fails(awx: Awx | None, error: str, **options: Any) -> str:
    succeeded, result = run(awx, **options)
    assert (succeeded, result["error"]) == (False, error), result
    assert str(options.get("token") or TOKEN) not in result["msg"]
    return str(result["msg"])


def test_somebody_else_has_approved(awx: Awx) -> None:
    approve(awx, JOE)
    succeeded, result = run(awx, launched_by="mallory")
    assert succeeded
    workflow = str(next(iter(awx.items["workflow_jobs"])))
    assert result["context"] == {**CONTEXT, "workflow": workflow, "approver": "joe"}, "AWX's answer counts"
    assert (result["checked"], result["changed"]) == (True, False)


def test_the_requester_has_approved(awx: Awx) -> None:
    approve(awx, JANE)
    assert "jane made this request and approved it" in fails(awx, "SamePerson")


def test_a_user_who_was_renamed_meanwhile_is_the_same_person(awx: Awx) -> None:
    approve(awx, {"id": 21, "username": "jane.doe"})
    fails(awx, "SamePerson")


def test_nobody_has_approved(awx: Awx) -> None:
    fails(awx, "NotApproved")
    awx.items["workflow_approvals"].clear()
    assert "has no approval step" in fails(awx, "NotApproved")


def test_a_denied_request_is_not_approved(awx: Awx) -> None:
    (approval,) = awx.items["workflow_approvals"].values()
    awx.answer("POST", awx.address("workflow_approvals", approval) + "deny/", {}, {})
    fails(awx, "NotApproved")


def test_a_step_before_the_approval_only_reads_the_requester(awx: Awx) -> None:
    succeeded, result = run(awx, approved=False)
    assert succeeded
    assert (result["context"]["requester"], result["checked"]) == ("jane", False)


def scheduled(awx: Awx, author: dict[str, Any]) -> dict[str, Any]:
    """A schedule that somebody made, whose time has come; the one request of this AWX is what it launched."""
    awx.acting = author
    (template,) = awx.items["workflow_job_templates"].values()
    rule = "DTSTART:20261130T060000Z RRULE:FREQ=DAILY;INTERVAL=1"
    made = {"name": "Nightly", "rrule": rule, "unified_job_template": template["id"]}
    _status, schedule = awx.answer("POST", "/api/v2/schedules/", {}, made)
    awx.items["workflow_jobs"].clear()
    awx.items["workflow_approvals"].clear()
    awx_runs.run_schedule(awx, awx.items["schedules"][schedule["id"]])
    return schedule


def test_whoever_made_a_schedule_is_the_requester(awx: Awx) -> None:
    scheduled(awx, JANE)
    approve(awx, JOE)
    assert run(awx, launched_by=None)[1]["context"]["requester"] == "jane"


def test_nobody_approves_what_their_own_schedule_requests(awx: Awx) -> None:
    scheduled(awx, JANE)
    approve(awx, JANE)
    assert "jane made this request and approved it" in fails(awx, "SamePerson")


def test_whoever_changed_a_schedule_has_made_the_request_as_well(awx: Awx) -> None:
    schedule = scheduled(awx, JANE)
    awx.acting = JOE
    awx.answer("PATCH", awx.address("schedules", schedule), {}, {"enabled": True})
    approve(awx, {"id": 23, "username": "mia"})
    assert run(awx)[1]["context"]["requester"] == "joe"
    for one in (JANE, JOE):
        (approval,) = awx.items["workflow_approvals"].values()
        approval["status"] = "pending"
        approve(awx, one)
        fails(awx, "SamePerson")


@pytest.mark.parametrize(
    "launched_by",
    [{}, {"id": None, "name": "Generated by AWX", "type": "Dependency"}, {"id": 3, "type": "job_template"}],
)
def test_an_approved_request_of_nobody_is_refused(launched_by: dict[str, Any], awx: Awx) -> None:
    approve(awx, JOE)
    (job,) = awx.items["workflow_jobs"].values()
    job["launched_by"] = launched_by
    assert "which person made this request" in fails(awx, "UnknownRequester")
    assert "requester" not in run(awx, approved=False)[1]["context"]


def test_a_schedule_whose_author_is_gone_requests_for_nobody(awx: Awx) -> None:
    schedule = scheduled(awx, JANE)
    approve(awx, JOE)
    awx.items["schedules"][schedule["id"]]["summary_fields"] = {}
    fails(awx, "UnknownRequester")
    awx.items["schedules"].clear()
    assert "role Auditor" in fails(awx, "ConnectionProblem")


@pytest.mark.parametrize(("url", "token"), [(None, None), ("", ""), (" ", "\n")])
def test_without_a_login_it_says_that_it_could_not_check(url: str | None, token: str | None) -> None:
    warnings: list[str] = []
    succeeded, result = run(None, warnings, url=url, token=token, workflow_job_id="3")
    assert succeeded
    assert (result["context"], result["checked"], warnings) == (CONTEXT, False, [UNCHECKED])


def test_outside_a_workflow_and_outside_awx_there_is_nothing_to_check() -> None:
    warnings: list[str] = []
    assert run(None, warnings)[1]["context"] == {"job": "7", "requester": "jane"}
    assert run(None, warnings, job_id=None, launched_by=None)[1]["context"] == {}
    nowhere = {"url": f"https://127.0.0.1:{free_port()}", "token": TOKEN}  # it would fail if it was asked
    assert run(None, warnings, **nowhere)[1]["context"] == {"job": "7", "requester": "jane"}
    before = run(None, warnings, workflow_job_id="3", approved=False)  # a step before the approval
    assert (before[1]["context"], before[1]["checked"]) == (CONTEXT, False)
    assert warnings == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token": "another"}, "wrong or has expired"),
        ({"workflow_job_id": "99999"}, "role Auditor of the organization"),
        ({"url": "http://127.0.0.1:{port}"}, "cannot be read"),
    ],
)
def test_awx_that_cannot_be_read_stops_the_issue(options: dict[str, str], said: str, awx: Awx) -> None:
    approve(awx, JOE)
    filled = {name: value.format(port=free_port()) for name, value in options.items()}
    assert said in fails(awx, "ConnectionProblem", **filled)


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"workflow_job_id": "3/../1"}, "workflow_job_id"),
        ({"job_id": "\u0663"}, "job_id"),
        ({"url": "https://awx.example.org"}, "token"),
        ({"token": "t" * 30}, "url"),
        ({"url": "https://awx.example.org", "token": "t\r\nX-Other: 1"}, "token"),
        *(
            ({"url": url, "token": "t" * 30}, "url")
            for url in ("no address", "awx.example.org", "https://", "https://[")
        ),
        ({"url": "https://jane:password@awx.example.org", "token": "t" * 30}, "url"),
    ],
)
def test_options_that_cannot_be_right(options: dict[str, str], option: str) -> None:
    succeeded, result = run(None, **options)
    assert (succeeded, result.get("option")) == (False, option)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://awx.example.org", "https://awx.example.org/api/v2"),
        ("https://awx.example.org/", "https://awx.example.org/api/v2"),
        ("https://example.org/awx", "https://example.org/awx/api/v2"),
        ("https://aap.example.org/api/controller/", "https://aap.example.org/api/controller/v2"),
        ("https://awx.example.org/api/v2/", "https://awx.example.org/api/v2"),
        ("https://awx.example.org/#/users/3/tokens", "https://awx.example.org/api/v2"),
        ("https://awx.example.org/apis", "https://awx.example.org/apis/api/v2"),
    ],
)
def test_the_address_of_awx_or_of_its_api(url: str, base: str) -> None:
    assert awx_request.api_address(url) == base


@pytest.mark.parametrize(("value", "trusted"), [("/runner/ca.pem", "/runner/ca.pem"), ("", None)])
def test_a_ca_of_ones_own_comes_from_the_credential(
    value: str, trusted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MDPS_AWX_CA_FILE", value)
    given = {"url": "https://awx.example.org", "token": "t", "workflow_job_id": "3"}
    checked = ArgumentSpecValidator(dict(OPERATION.argument_spec)).validate(given).validated_parameters
    OPERATION.check_not_blank(checked)
    options = OPERATION.parse(checked, Clients(checked), Runtime(warn=print))
    assert options.server and options.server._ca_path == trusted


KEYS = (
    *("id", "type", "name", "username", "status", "results", "launched_by", "summary_fields", "job"),
    "approved_or_denied_by",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_awx_answers_nothing_else_than_a_clear_failure_comes_of_it(answer: Any) -> None:
    for read in (
        awx_request.requester_of,
        awx_request.approvals_of,
        awx_request.approver_of,
        awx_request.authors_of,
        awx_request.schedule_of,
    ):
        try:
            found = read(answer)
        except VenueError:
            continue
        assert found is None or isinstance(found, (awx_request.AwxUser, list, int))


@given(JSON)
def test_an_approval_that_names_nobody_is_no_approval(by: Any) -> None:
    approval = {"status": "successful", "summary_fields": {"approved_or_denied_by": by}}
    good = isinstance(by, dict) and isinstance(by.get("id"), int) and isinstance(by.get("username"), str)
    if not good:
        with pytest.raises(awx_request.UnreadableAnswer):
            awx_request.approver_of(approval)


def ask(awx: Awx, **answers: Any) -> int:
    """Launch another request; its number."""
    (template,) = awx.items["workflow_job_templates"].values()
    address = awx.address("workflow_job_templates", template)
    template["ask_variables_on_launch"] = True
    _status, job = awx.answer("POST", f"{address}launch/", {}, {"extra_vars": answers})
    return int(job["id"])


def test_requests_for_a_user_that_wait_are_found_and_no_others(awx: Awx) -> None:
    wanted = ask(awx, issue_user="jdoe", target="sbg-dev")
    lease = ask(awx, lease_user="jdoe", target="sbg-test")
    ask(awx, issue_user="someone", target="sbg-dev")
    decided = ask(awx, issue_user="jdoe", target="emit-ops")
    (approval,) = [one for one in awx.items["workflow_approvals"].values() if one["workflow_job"] == decided]
    awx.answer("POST", awx.address("workflow_approvals", approval) + "deny/", {}, {})
    succeeded, result = run(awx, waiting_for="jdoe")
    assert (succeeded, result["changed"]) == (True, False)
    assert result["waiting"] == [
        {"workflow": wanted, "requester": "jane", "target": "sbg-dev"},
        {"workflow": lease, "requester": "jane", "target": "sbg-test"},
    ]
    assert run(awx, waiting_for="nobody")[1]["waiting"] == []


def test_an_awx_that_cannot_be_read_or_is_none_says_that_it_is_not_known(awx: Awx) -> None:
    warnings: list[str] = []
    assert run(awx, warnings, waiting_for="jdoe", token="wrong-token")[1]["waiting"] is None
    assert "Which requests wait for approval in AWX is not known." in warnings[0]
    assert run(None, warnings, waiting_for="jdoe")[1]["waiting"] is None


@pytest.mark.parametrize(
    "login", [{"token": TOKEN}, {"url": "https://awx.example.org"}, {"url": "awx", "token": TOKEN}]
)
def test_after_a_revocation_a_login_that_cannot_be_right_is_a_warning(login: dict[str, str]) -> None:
    warnings: list[str] = []
    succeeded, result = run(None, warnings, waiting_for="jdoe", **login)
    assert (succeeded, result.get("waiting"), len(warnings)) == (True, None, 1)
    assert "Which requests wait for approval in AWX is not known. " in warnings[0]


HOSTILE_JOBS = [
    None,
    [],
    {"extra_vars": None},
    {"extra_vars": ""},
    {"extra_vars": "[]"},
    {"extra_vars": '{"issue_user": ["jdoe"]}'},
    {"extra_vars": '{"issue_user": "else"}'},
]


@pytest.mark.parametrize("job", HOSTILE_JOBS)
def test_what_requests_no_token_for_the_user_is_skipped(job: Any) -> None:
    assert awx_request.waiting_for("jdoe", job) is None


@pytest.mark.parametrize("text", ["{", "\x00", "[" * 100_000])
def test_answers_that_cannot_be_read_are_an_error(text: str) -> None:
    with pytest.raises(awx_request.UnreadableAnswer):
        awx_request.waiting_for("jdoe", {"extra_vars": text})


@pytest.mark.parametrize("target", [None, 7, "two\nlines", "x" * 300, ["a"]])
def test_a_target_that_no_screen_can_show_is_left_out(target: Any) -> None:
    job = {"id": 5, "launched_by": {}, "extra_vars": json.dumps({"issue_user": " jdoe ", "target": target})}
    found = awx_request.waiting_for("jdoe", job)
    assert found
    assert found.to_json() == {"workflow": 5, "requester": "", "target": ""}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(st.sampled_from(["results", "summary_fields", "source_workflow_job", "id", "x"]), one)
        ),
    )
)
def test_any_list_of_approvals_is_read_or_refused(answer: Any) -> None:
    with contextlib.suppress(awx_request.UnreadableAnswer):
        assert all(isinstance(one, int) for one in awx_request.workflows_of(answer))
