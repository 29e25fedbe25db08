# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts share the result of an equal request only: a table over every option, and workers that are forked."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import kion
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _reuse as reuse
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _sharing as sharing

WORKERS = multiprocessing.get_context("fork")
REQUEST = {"account": "123456789012", "iam_role_name": "admin", "url": "https://kion.example.org"}


@pytest.fixture(autouse=True)
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> sharing.SharedResults:
    """The memory of a new run, and no settings of the user."""
    for name in ("KION_CONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    shared = sharing.SharedResults()
    monkeypatch.setattr(sharing, "RESULTS", shared)
    return shared


def granted(seconds: float | None = 3600) -> dict[str, Any]:
    """What Kion returns each time: other credentials."""
    now = datetime.now(UTC)
    ends = None if seconds is None else (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    receipt = {"issued_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "expires_at": ends}
    return {"sts_creds": {"access_key": os.urandom(8).hex()}, "receipt": receipt, "changed": True}


def refused() -> dict[str, Any]:
    return {"failed": True, "msg": "The API key has expired.", "error": "KionRefused"}


class Base:
    """What the plugin is put in front of."""

    def __init__(self, args: dict[str, Any], answer: Callable[[], dict[str, Any]] = granted, **given: Any) -> None:
        task = {"action": "kion_credentials", "delegate_to": None, "environment": [], "_uuid": "task", "args": args}
        transport = given.pop("connection", "local")
        self._task = SimpleNamespace(**{**task, **given})
        self._connection = SimpleNamespace(become=None, transport=transport)
        self._templar = SimpleNamespace(template=lambda value: value)
        self._answer = answer

    def _run(self, tmp: Any, task_vars: dict[str, Any]) -> dict[str, Any]:
        return self._answer()

    def hide(self, result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "_ansible_no_log": True}


class Action(sharing.Share, Base):
    pass


def run(host: str = "first", answer: Callable[[], dict[str, Any]] = granted, **args: Any) -> dict[str, Any]:
    """Run the task of a host in this process."""
    given = {name: args.pop(name) for name in ("_uuid", "connection", "delegate_to", "environment") if name in args}
    task_vars = {"inventory_hostname": host}
    return Action({"share": True, **REQUEST, **args}, answer, **given)._run(None, task_vars)


def in_worker(work: Callable[[], Any]) -> ForkProcess:
    """Start a worker, as ansible-playbook does for each host."""
    worker = WORKERS.Process(target=work)
    worker.start()
    return worker


def test_an_equal_request_is_served_by_the_result_of_another_host() -> None:
    first, second = run(), run("second")
    assert not first["reused"] and second["reused"]
    assert second["sts_creds"] == first["sts_creds"] and second["request"] == first["request"]
    assert second["_ansible_no_log"] and not second["changed"]


@pytest.mark.parametrize("share", [False, "no", "false", 0, "maybe", "", None])
def test_nothing_is_shared_without_the_option(share: Any) -> None:
    run()
    result = run("second", share=share)
    assert not result["reused"] and "request" not in result


@pytest.mark.parametrize("option", [name for name in kion.OPERATION.argument_spec if name != "share"])
@pytest.mark.parametrize("given", [("a", "b"), (None, "b"), ("a", None), (["a"], ["a", "b"])])
def test_every_option_is_part_of_the_request(option: str, given: tuple[Any, Any]) -> None:
    first, second = ({option: value} if value is not None else {} for value in given)
    run(**first)
    if option in ("renew_before", "minimum_seconds"):
        return  # a test below is about them
    assert run("second", **second)["reused"] is (option in reuse.NOT_THE_REQUEST)


@pytest.mark.parametrize("where", [{"delegate_to": "b"}, {"environment": [{"KION_URL": "x"}]}, {"connection": "ssh"}])
def test_where_a_task_runs_is_part_of_the_request(where: dict[str, Any]) -> None:
    run()
    assert not run("second", **where)["reused"]
    assert run("second", **where)["reused"]
    assert run("third", **where)["reused"] is ("connection" not in where)  # another machine


@pytest.mark.parametrize(
    ("left", "wanted", "reused"),
    [(400, 300, True), (290, 300, False), (400, "300", True), (400, "much", False), (400, -1, False), (None, 99, True)],
)
@pytest.mark.parametrize("option", ["renew_before", "minimum_seconds"])
def test_credentials_must_be_valid_long_enough(option: str, left: float | None, wanted: Any, reused: bool) -> None:
    run(answer=lambda: granted(left))
    assert run("second", **{"renew_before": 0, option: wanted})["reused"] is reused


def test_the_latest_result_counts() -> None:
    run(answer=lambda: granted(100))
    new = run("second")
    assert not new["reused"] and run("third")["sts_creds"] == new["sts_creds"]


def test_a_new_api_key_is_another_request_for_its_own_host_only(tmp_path: Path) -> None:
    def replaced() -> dict[str, Any]:
        (tmp_path / "KION_CONFIG").write_text("api_key: two")
        return granted()

    (tmp_path / "KION_CONFIG").write_text("api_key: one")
    run(answer=replaced)
    assert run()["reused"]  # its own change
    (tmp_path / "KION_CONFIG").write_text("api_key: three")
    assert run("second")["reused"] and not run()["reused"]
    (tmp_path / "AWS_SHARED_CREDENTIALS_FILE").write_text("[default]\n")
    assert not run("second")["reused"]


def test_a_failure_is_not_asked_for_again_on_every_host() -> None:
    in_worker(lambda: run(answer=refused, minimum_seconds=900)).join()
    result = run("second", minimum_seconds=900)
    assert result["msg"] == "The API key has expired. (requested once, by first)" and result["failed"]
    assert set(result) == {"failed", "msg", "error", "request"}  # ansible shows all of a failure
    for other in ({"minimum_seconds": 60}, {"account": "210987654321"}, {"minimum_seconds": 900, "_uuid": "later"}):
        assert "failed" not in run("second", **other)


def test_another_attempt_of_the_same_host_asks_again() -> None:
    assert run(answer=refused)["failed"]
    assert "failed" not in run()


def test_each_attempt_of_another_host_learns_of_a_failure_once() -> None:
    run(answer=refused)
    assert run("second", answer=refused)["msg"].endswith("(requested once, by first)")
    assert run("second", answer=refused)["msg"] == "The API key has expired."
    assert run("third", answer=refused)["msg"].endswith("(requested once, by second)")
    assert run("third")["sts_creds"] == run("first")["sts_creds"] == run("second")["sts_creds"]


def test_one_of_many_workers_asks_and_the_others_wait(tmp_path: Path) -> None:
    """Each writes a line; the one that asks only goes on when all others have begun."""
    ready = WORKERS.Barrier(8)

    def answer() -> dict[str, Any]:
        with (tmp_path / "asked").open("a") as file:
            file.write(f"{os.getpid()}\n")
        return granted()

    def work() -> None:
        ready.wait(30)
        (tmp_path / f"{os.getpid()}.key").write_text(run(str(os.getpid()), answer)["sts_creds"]["access_key"])

    workers = [in_worker(work) for _number in range(8)]
    for worker in workers:
        worker.join(60)
    assert (tmp_path / "asked").read_text().count("\n") == 1
    keys = [path.read_text() for path in tmp_path.glob("*.key")]
    assert len(keys) == 8 and len(set(keys)) == 1


def test_different_requests_are_made_at_the_same_time() -> None:
    both = WORKERS.Barrier(2)

    def answer() -> dict[str, Any]:
        both.wait(30)
        return granted()

    workers = [in_worker(lambda account=account: run(answer=answer, account=account)) for account in ("1", "2")]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0


def test_a_killed_worker_keeps_nobody_waiting() -> None:
    begun = WORKERS.Event()

    def answer() -> dict[str, Any]:
        begun.set()
        WORKERS.Event().wait()
        return granted()

    worker = in_worker(lambda: run(answer=answer))
    assert begun.wait(30)
    worker.kill()
    worker.join(30)
    assert not run("second")["reused"]


def test_without_room_each_host_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "RESULTS", sharing.SharedResults(4096))
    first = run()
    for number in range(20):
        run(account=str(number))
    assert not run(account="19")["reused"] and run()["sts_creds"] == first["sts_creds"]


def test_a_result_is_found_by_its_whole_key_only(results: sharing.SharedResults) -> None:
    keys = [reuse.digest(number) for number in range(3)]
    for number, key in enumerate(keys):
        results.add(key, {"text": f"line\n{keys[0]} other", "number": number})
    assert [results.find(key)["number"] for key in keys] == [0, 1, 2]
    assert results.find(reuse.digest("none")) is None and results.find(keys[0][:63] + "g") is None
