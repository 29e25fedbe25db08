# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever happens after STS was asked: there is a receipt, the sealed bundle is kept, and no key lies around."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused, VenueError
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipt_log import read_log
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt, parse_receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.interruption import (
    Interrupted,
    SignalGuard,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _destinations as destinations
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _handoff as handoff

from tests.support import people
from tests.support.interrupter import AtStep, Interrupter, raising
from tests.support.tokens import TOKEN

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "receipt.schema.json").read_text())
KEYS = [TOKEN["Credentials"][name] for name in ("SecretAccessKey", "SessionToken")]
SECRET = "FAKE-secret-in-an-exception"
RAISED: dict[str, Callable[[], BaseException]] = {
    "full disk": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "encoding": lambda: UnicodeEncodeError("ascii", SECRET, 0, 1, SECRET),
    "value": lambda: ValueError(SECRET),
    "memory": MemoryError,
    "interrupt": KeyboardInterrupt,
    "exit": lambda: SystemExit(SECRET),
}
DELIVERIES = {
    "sealed file": {},
    "sealed text": {"channel": "output"},
    "zip file": {"unsealed": True, "public_keys": None},
}


@pytest.fixture
def issue(issuer, tmp_path):
    person = people.age_person(tmp_path, "someone")

    def run(saboteur, delivery, dest):
        issuer.on_assume = saboteur.arm
        keys = {"public_keys": {"unityuser": person.public}}
        with saboteur:
            # Each attempt has folders of its own, because their tokens have one name.
            return issuer(**{"dest": f"{dest}/", "undelivered": f"{dest}-undelivered", **keys, **DELIVERIES[delivery]})

    return run


def last_receipt(issuer):
    """The last line: what a reader makes of all lines is more careful than the run that wrote them."""
    return parse_receipt("receipt", issuer.lines[-1])


def with_keys(folder: Path) -> list[Path]:
    return [
        file for file in folder.rglob("*") if file.is_file() and any(key.encode() in file.read_bytes() for key in KEYS)
    ]


def number_of_calls(issue, issuer, tmp_path, delivery):
    counter = Interrupter(lambda: None, 0)
    issue(counter, delivery, tmp_path / "counted")
    issuer.receipts_file.unlink()
    return counter.calls


def check_failure(issuer, error, delivery, saboteur):
    """One clear message, a completed receipt, and the sealed bundle if there was one."""
    receipt = last_receipt(issuer)
    message, facts = error.message, error.facts
    assert message.endswith(".") or "handoff_resend=" in message, message
    assert "\n" not in message and SECRET not in message + json.dumps(facts)
    assert not any(key in json.dumps(facts) for key in KEYS)
    assert facts["receipt"] == receipt.to_json(), saboteur.place
    jsonschema.validate(facts["receipt"], SCHEMA)
    assert receipt.problem or (receipt.handoff or {}).get("problem") or receipt.state == "delivered", saboteur.place
    assert receipt.state != "requested" or "is not known" in message
    if receipt.state == "kept" and delivery != "zip file":
        assert Path(facts["kept"]).exists() if "kept" in facts else "BEGIN AGE" in facts["sealed"], saboteur.place


def attempt(issuer, issue, saboteur, delivery, dest) -> bool:
    """Whether it failed."""
    try:
        result = issue(saboteur, delivery, dest)
    except VenueError as error:
        check_failure(issuer, error, delivery, saboteur)
        return True
    assert result["receipt"] == last_receipt(issuer).to_json()
    assert result["receipt"]["state"] == "delivered", saboteur.place
    return False


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_wherever_something_is_raised_the_receipt_is_completed(issuer, issue, tmp_path, delivery):
    kinds, failed = list(RAISED), 0
    for at in range(1, number_of_calls(issue, issuer, tmp_path, delivery) + 1, 3):
        saboteur = Interrupter(raising(RAISED[kinds[at % len(kinds)]]), at)
        failed += attempt(issuer, issue, saboteur, delivery, tmp_path / f"out-{at}")
    assert failed > 10
    allowed = {file for file in with_keys(tmp_path) if delivery == "zip file" and file.suffix == ".zip"}
    assert not set(with_keys(tmp_path)) - allowed


STEPS = ("_with_token", "pack", "seal", "deliver", "describe", "_with_outcome", "record", "append_private")


@pytest.mark.parametrize("step", STEPS)
def test_whatever_a_step_raises_the_receipt_is_completed(issuer, issue, tmp_path, step):
    for kind, exception in RAISED.items():
        assert attempt(issuer, issue, AtStep(raising(exception), step), "sealed file", tmp_path / kind), kind


@pytest.mark.parametrize("kind", RAISED)
def test_whatever_is_raised_while_a_bundle_is_kept_it_is_in_the_result(issuer, issue, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(destinations, "create_private", lambda *_: raising(RAISED[kind])())
    saboteur = AtStep(raising(RAISED["full disk"]), "deliver")
    with pytest.raises(VenueError) as caught:
        issue(saboteur, "sealed file", tmp_path / "out")
    check_failure(issuer, caught.value, "sealed file", saboteur)
    assert "BEGIN AGE" in caught.value.facts["sealed"]
    assert "Save it from there." in caught.value.message


@pytest.mark.parametrize("failure", [ValueError, None])
def test_a_signal_at_the_moment_when_signals_are_shut_out_hides_no_failure(failure):
    work = raising(failure) if failure else lambda: None
    with SignalGuard() as guard, AtStep(lambda: signal.raise_signal(signal.SIGTERM), "_close", armed=True):
        error = guard.run(work)
    assert isinstance(error, failure or Interrupted)


def test_the_timeout_of_a_task_does_not_end_the_record_of_its_token(issuer, issue, tmp_path, monkeypatch):
    """Ansible-core's keyword `timeout` raises from the handler of SIGALRM, wherever the task is."""

    def out_of_time(_number, _frame):
        raise TimeoutError("the task's timeout")

    before = signal.signal(signal.SIGALRM, out_of_time)
    try:
        for step in ("pack", "keep"):
            monkeypatch.setattr(handoff.Handoff, "deliver", lambda *_: raising(RAISED["full disk"])())
            saboteur = AtStep(lambda: signal.raise_signal(signal.SIGALRM), step)
            with pytest.raises(VenueError) as caught:
                issue(saboteur, "sealed file", tmp_path / step)
            check_failure(issuer, caught.value, "sealed file", saboteur)
            assert signal.getsignal(signal.SIGALRM) is out_of_time
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("step", ["describe", "with_handoff"])
def test_an_outcome_that_cannot_be_described_at_all_leaves_a_receipt_of_the_token(
    issuer, issue, tmp_path, monkeypatch, step, kind
):
    owner = {"describe": handoff.Handoff, "with_handoff": Receipt}[step]
    monkeypatch.setattr(owner, step, lambda *_: raising(RAISED[kind])())
    with pytest.raises(VenueError) as caught:
        issue(Interrupter(lambda: None, 0), "sealed file", tmp_path / "out")
    receipt = last_receipt(issuer)
    assert caught.value.facts["receipt"] == receipt.to_json()
    jsonschema.validate(receipt.to_json(), SCHEMA)
    assert receipt.access_key_id == TOKEN["Credentials"]["AccessKeyId"]
    assert SECRET not in json.dumps(receipt.to_json()) + caught.value.message


@pytest.mark.parametrize("delivery", ["sealed file", "zip file"])
def test_a_killed_run_leaves_a_receipt_and_no_key_that_the_next_run_does_not_remove(issuer, issue, tmp_path, delivery):
    dest = tmp_path / "out"
    calls = number_of_calls(issue, issuer, tmp_path, delivery)
    for at in range(1, calls + 1, 4):
        child = os.fork()
        if child == 0:
            issue(Interrupter(lambda: os.kill(os.getpid(), signal.SIGKILL), at), delivery, dest)
            os._exit(0)
        _pid, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), at
        receipt = last_receipt(issuer)
        assert (receipt.session_name, receipt.role_arn) == ("unityuser12252025", issuer.receipt().role_arn)
        issuer.now += people.DAY / 86400  # the next run is another second, so that its files have other names
    issuer(unsealed=True, dest=f"{dest}/", receipts={"receipts_file": f"{tmp_path}/other.jsonl"})
    left = with_keys(dest)
    # A token that was delivered is a whole file, and its name is that of its receipt.
    names = {one.id.removeprefix("r-") for one in read_log(issuer.receipts_file.read_bytes().splitlines()).tokens}
    assert not [file for file in left if file.suffix != ".zip"]
    assert len([file for file in left if not any(name in file.name for name in names)]) <= 1  # that of the last run
    assert len(names) >= 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_task_after_its_receipt(issuer, issue, tmp_path, number):
    for step in ("_with_token", "seal", "deliver", "append_private"):
        before = signal.getsignal(number)
        saboteur = AtStep(lambda: signal.raise_signal(number), step)
        with pytest.raises(VenueError, match="was interrupted") as caught:
            issue(saboteur, "sealed file", tmp_path / step)
        check_failure(issuer, caught.value, "sealed file", saboteur)
        assert signal.getsignal(number) == before
        states = {"_with_token": "requested", "seal": "failed", "deliver": "kept", "append_private": "delivered"}
        assert last_receipt(issuer).state == states[step]


@pytest.mark.parametrize(("facts", "state"), [({}, "failed"), ({"answer_lost": True}, "requested")])
def test_a_refusal_is_the_outcome_only_if_no_earlier_answer_was_lost(issuer, someone, facts, state):
    def refuse():
        error = AwsRefused("AWS said no.", operation="sts:AssumeRole", code="AccessDenied", request_id="", said="no")
        error.facts.update(facts)
        raise error

    issuer.on_assume = refuse
    with pytest.raises(AwsRefused) as caught:
        issuer(public_keys=someone.keys)
    receipt = last_receipt(issuer)
    assert receipt.state == caught.value.facts["receipt"]["state"] == state
    assert ("is not known" in caught.value.message) is bool(facts)
