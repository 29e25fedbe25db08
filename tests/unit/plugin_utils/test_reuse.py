# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys are reused for an equal request only: a table over every option."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _reuse as reuse

OPTIONS = [*issuing.OPERATION.argument_spec, *aws_argument_spec()]
SURROUNDINGS = ("delegate_to", "environment", "connection", "become", "action")


class Become:
    name = "sudo"

    def __init__(self, user: str) -> None:
        self.user = user

    def get_option(self, name: str) -> str:
        return self.user


class Base:
    """What the plugin is put in front of: it counts what it is asked, and returns keys for an hour."""

    asked = 0

    def __init__(self, args: dict[str, Any], **given: Any) -> None:
        settings = {"action": "venue_sts_token", "delegate_to": None, "environment": [], "args": args}
        connection = SimpleNamespace(become=given.pop("become", None), transport=given.pop("connection", "local"))
        self._task = SimpleNamespace(**{**settings, **given})
        self._connection = connection
        self._templar = SimpleNamespace(template=lambda value: value)

    def run(self, tmp: Any, task_vars: dict[str, Any]) -> dict[str, Any]:
        return self._run(tmp, task_vars)

    def _run(self, tmp: Any, task_vars: dict[str, Any]) -> dict[str, Any]:
        Base.asked += 1
        return fresh()

    def hide(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "_ansible_no_log": True}


class Action(reuse.Reuse, Base):
    pass


def fresh(seconds: float | None = 3600) -> dict[str, Any]:
    now = datetime.now(UTC)
    ends = None if seconds is None else (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    receipt = {"issued_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "expires_at": ends}
    return {"sts_creds": {"access_key": f"ASIA{Base.asked}"}, "receipt": receipt, "changed": True}


def is_reused(first: dict[str, Any], second: dict[str, Any], *, before: Any = None, **surroundings: Any) -> bool:
    """Run a task twice, with other options or surroundings, and return whether the second one asked nobody."""
    earlier = Action({"reuse": "kept", **first}).run(None, {})
    earlier = before(earlier) if before else earlier
    asked = Base.asked
    later = Action({"reuse": "kept", **second}, **surroundings).run(None, {"kept": earlier})
    assert later["reused"] is (Base.asked == asked)
    if later["reused"]:
        assert later["sts_creds"] == earlier["sts_creds"] and later["_ansible_no_log"] and not later["changed"]
    return later["reused"]


REQUEST = {"project": "sbg", "venue": "dev", "user": "jdoe", "access": ["s3_read"], "profile": "kion"}


def test_an_equal_request_is_served_by_the_keys_at_hand() -> None:
    assert is_reused(REQUEST, dict(reversed(REQUEST.items())))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("given", [("a", "b"), (None, "b"), ("a", None), (["a"], ["a", "b"])])
def test_every_option_is_part_of_the_request(option: str, given: tuple[Any, Any]) -> None:
    first, second = ({**REQUEST, option: value} if value is not None else dict(REQUEST) for value in given)
    first.pop(option, None) if given[0] is None else None
    second.pop(option, None) if given[1] is None else None
    if option in ("reuse", "renew_before"):
        return  # how to reuse; the tests below are about them
    if option == "mfa_token":
        assert option in reuse.NOT_THE_REQUEST
        return
    assert not is_reused(first, second)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_where_and_as_whom_a_task_runs_is_part_of_the_request(name: str) -> None:
    value: Any = {"environment": [{"AWS_PROFILE": "x"}], "become": Become("root")}.get(name, "other")
    assert not is_reused(REQUEST, REQUEST, **{name: value})


@pytest.mark.parametrize("where", ["config_file", "KION_CONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", ""])
def test_changed_settings_are_another_request(where: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for _option, variable, _default in reuse.SETTINGS:
        monkeypatch.delenv(variable, raising=False)
    file = tmp_path / (".aws/credentials" if not where else "settings")
    file.parent.mkdir(exist_ok=True)
    file.write_text("[kion]\nrole_arn = arn:aws:iam::123456789012:role/a\n")
    if where.isupper():
        monkeypatch.setenv(where, str(file))
    request = {**REQUEST, **({"config_file": str(file)} if where == "config_file" else {})}

    def change(earlier: dict[str, Any]) -> dict[str, Any]:
        file.write_text("[kion]\nrole_arn = arn:aws:iam::210987654321:role/b\n")
        return earlier

    assert is_reused(request, request)
    assert not is_reused(request, request, before=change)


@pytest.mark.parametrize("path", ["~nosuchuser/x", "x\0y", "/" + "x" * 5000, "/", ""])
def test_settings_that_cannot_be_read_are_for_the_task_to_report(path: str) -> None:
    request = {**REQUEST, "config_file": path, "saml_assertion_file": path}
    assert is_reused(request, request)


def test_another_user_to_become_is_another_request() -> None:
    first = Action({"reuse": "kept", **REQUEST}, become=Become("ann")).run(None, {})
    for user, same in (("ann", True), ("bob", False)):
        later = Action({"reuse": "kept", **REQUEST}, become=Become(user)).run(None, {"kept": first})
        assert later["reused"] is same


def test_what_does_not_decide_which_keys_come_back_may_differ() -> None:
    assert is_reused({**REQUEST, "mfa_token": 1}, {**REQUEST, "mfa_token": 2})


@pytest.mark.parametrize(
    ("left", "wanted", "reused"),
    [(400, 300, True), (290, 300, False), (400, "300", True), (400, "much", False), (400, -1, False), (-5, 0, False)],
)
def test_keys_must_live_long_enough(left: int, wanted: Any, reused: bool) -> None:
    def shortened(result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "receipt": fresh(left)["receipt"]}

    assert is_reused(REQUEST, {**REQUEST, "renew_before": wanted}, before=shortened) is reused


@pytest.mark.parametrize(
    "damage",
    [
        lambda result: None,
        lambda result: "text",
        lambda result: {**result, "failed": True, "sts_creds": None},
        lambda result: {**result, "receipt": None},
        lambda result: {**result, "receipt": {"expires_at": "soon"}},
        lambda result: {**result, "receipt": {"expires_at": "2999-01-01T00:00:00"}},
        lambda result: {**result, "receipt": {"expires_at": None}},
        lambda result: {**result, "request": "0" * 64},
        lambda result: {**result, "request_settings": "text"},
        lambda result: {key: value for key, value in result.items() if key != "request_settings"},
        lambda result: {key: value for key, value in result.items() if key != "request"},
    ],
)
def test_what_is_no_such_result_is_not_reused(damage: Any) -> None:
    assert not is_reused(REQUEST, REQUEST, before=damage)


@pytest.mark.parametrize(("seconds_ago", "reused"), [(10, True), (290, True), (310, False)])
def test_keys_whose_end_is_not_known_are_reused_a_moment_after_they_were_fetched(
    seconds_ago: int, reused: bool
) -> None:
    issued_at = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def unknown(result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "receipt": {"expires_at": None, "issued_at": issued_at}}

    assert is_reused(REQUEST, REQUEST, before=unknown) is reused


def test_a_changed_assertion_in_the_same_file_is_another_request(tmp_path: Any) -> None:
    path = tmp_path / "response"
    request = {**REQUEST, "saml_assertion_file": str(path)}
    path.write_text("one")
    earlier = Action({"reuse": "kept", **request}).run(None, {})

    def again() -> bool:
        return bool(Action({"reuse": "kept", **request}).run(None, {"kept": earlier})["reused"])

    assert again()
    path.write_text("two")
    assert not again()
    path.unlink()  # as docs/saml.md says
    assert again()


def test_a_number_is_the_same_request_as_its_text() -> None:
    assert is_reused({**REQUEST, "account": 123456789012}, {**REQUEST, "account": "123456789012"})
    assert not is_reused({**REQUEST, "account": True}, {**REQUEST, "account": "True"})


def test_nothing_about_a_request_can_be_read_from_its_digest() -> None:
    result = Action({"reuse": "kept", **REQUEST, "external_id": "sbg"}).run(None, {})
    assert "sbg" not in json.dumps(result)
    assert "request" not in Action(dict(REQUEST)).run(None, {})


def test_a_fifo_is_not_read(tmp_path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert reuse.files_of({"saml_assertion_file": str(tmp_path / "fifo")}) == ""
