# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every API call of a change fails once in every way, or the process is killed around it.

The next run makes it good.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import connections, world
from tests.support.fault_proxy import Answer, Call, FaultProxy, in_front_of
from tests.support.killable_runs import Runner, runner

OLD, BUCKET = "0ld" * 14, "fault-data"
POINT = tuple[str, int]
TRUSTED_BY_HAND = {
    "Sid": "ByHand",
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": "sts:AssumeRole",
    "Condition": {"StringEquals": {"sts:ExternalId": OLD}},
}


def throttled(call: Call) -> Answer:
    return call.refuse("ThrottlingException" if call.service == "ssm" else "Throttling", "Rate exceeded", 400)


def broken(call: Call) -> Answer:
    return call.refuse("InternalFailure", "We encountered an internal error", 500)


def unavailable(call: Call) -> Answer:
    return call.refuse("ServiceUnavailable", "Try again", 503)


def refused(call: Call) -> Answer:
    return call.refuse("AccessDeniedException" if call.service == "ssm" else "AccessDenied", "no", 403)


def slow(call: Call) -> Answer:
    answer = call.forward()
    return Answer(answer.status, answer.headers, answer.body, pause=0.1)


def cut_off(call: Call) -> Answer:
    return Answer(reset=True)


def answer_lost(call: Call) -> Answer:
    call.forward()
    return Answer(reset=True)


def answer_held(call: Call) -> Answer:
    call.forward()
    return Answer(held=True)


def answer_cut(call: Call) -> Answer:
    answer = call.forward()
    return Answer(answer.status, answer.headers, answer.body, sent=len(answer.body) // 2)


def answer_garbled(call: Call) -> Answer:
    answer = call.forward()
    return Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])


# In these cases the run succeeds despite the fault.
SURVIVED = (throttled, broken, unavailable, cut_off, slow, answer_lost, answer_held)
FAULTS: tuple[Callable[[Call], Answer], ...] = (*SURVIVED, answer_cut, answer_garbled, refused)


@dataclass
class Bench:
    """An account, the proxy in front of it, and the runner behind the proxy."""

    account: world.Account
    proxy: FaultProxy
    runner: Runner
    used: int = 0
    tried: int = 0

    def fresh(self) -> str:
        """The project name of a new venue."""
        self.used += 1
        project = f"f{self.used}x"
        self.account.as_root("ssm").put_parameter(
            Name=f"/unity/{project}/dev/ds/datastore-bucket", Value=BUCKET, Type="String"
        )
        return project

    def disturbed(
        self,
        options: Mapping[str, Any],
        started: Callable[[int], None] = lambda pid: None,
        read_timeout: int = 60,
    ) -> dict[str, Any] | None:
        """A run through the proxy; None if it was killed.

        :param read_timeout: seconds to wait for an answer.
        """
        connection = connections.connection(self.proxy.url, self.account.admin) | {
            "session_token": self.account.admin["SessionToken"]
        }
        job = {"operation": "role", "options": {**connection, "aws_config": {"read_timeout": read_timeout}, **options}}
        return self.runner.run(job, started=started)[0]

    def state(self, project: str) -> dict[str, Any]:
        """All that the venue has, with its name taken out."""
        iam, ssm, name = (
            self.account.as_root("iam"),
            self.account.as_root("ssm"),
            {"RoleName": f"unity-{project}-dev-sts"},
        )
        state: dict[str, Any] = {}
        found = ssm.get_parameters(Names=[f"/unity/{project}/dev/cs/sts/role/external-id"], WithDecryption=True)[
            "Parameters"
        ]
        state["parameter"] = [{key: one[key] for key in ("Type", "Value")} for one in found]
        try:
            role = iam.get_role(**name)["Role"]
        except iam.exceptions.NoSuchEntityException:
            return state
        kept = ("AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "PermissionsBoundary", "Path")
        state |= {key: role.get(key) for key in kept} | {
            "Tags": {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
        }
        policies = iam.list_role_policies(**name)["PolicyNames"]
        state["policies"] = {one: iam.get_role_policy(**name, PolicyName=one)["PolicyDocument"] for one in policies}
        state["attached"] = iam.list_attached_role_policies(**name)["AttachedPolicies"]
        return dict(json.loads(json.dumps(state).replace(project, "PROJECT")))


def external_ids(state: Mapping[str, Any]) -> tuple[str, ...]:
    """Every external ID that anyone could see: SSM's, then the trust policy's."""
    ids = [one["Value"] for one in state["parameter"]]
    for statement in state.get("AssumeRolePolicyDocument", {}).get("Statement", []):
        ids += demanded(statement)
    return tuple(ids)


def demanded(statement: Mapping[str, Any]) -> list[str]:
    """The external IDs that a statement of a trust policy demands one of."""
    tests = [test["sts:ExternalId"] for test in statement.get("Condition", {}).values() if "sts:ExternalId" in test]
    return [value for test in tests for value in ([test] if isinstance(test, str) else test)]


def masked(state: Mapping[str, Any]) -> Any:
    """A state in which any new external ID is called NEW.

    Several in one statement are in alphabetical order, which is chance with a generated one: they are replaced by a
    list that begins with the one that the Sid calls the current one.
    """
    state = json.loads(json.dumps(state))
    for statement in state.get("AssumeRolePolicyDocument", {}).get("Statement", []):
        if place := re.fullmatch(r"AssumeWithExternalId(\d+)Of(\d+)", statement.get("Sid", "")):
            every = demanded(statement)
            assert len(every) == int(place[2]) and every == sorted(every)
            current = every.pop(int(place[1]) - 1)
            statement["Sid"] = "AssumeWithExternalIds"
            statement["Condition"]["StringEquals"]["sts:ExternalId"] = [current, *every]
    text = json.dumps(state, sort_keys=True)
    for value in set(external_ids(state)) - {OLD}:
        text = text.replace(value, "NEW")
    return json.loads(text)


class Scenario:
    """A change to a venue: how it is before, what is asked for."""

    name = "create"
    options: Mapping[str, Any] = {}

    def prepare(self, bench: Bench, project: str) -> None:
        """What is there before: nothing."""

    def again(self, before: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the admin asks for in the next run, seeing what the disturbed one left."""
        return self.options

    def check(self, between: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """An external ID that anyone could have seen stays."""
        assert set(external_ids(between)) <= set(external_ids(after))


class Repair(Scenario):
    name = "repair"
    options: Mapping[str, Any] = {"description": "Right.", "external_id_type": "SecureString"}

    def prepare(self, bench: Bench, project: str) -> None:
        """A venue in which everything has drifted."""
        make_venue(bench, project, {"Version": "2012-10-17", "Statement": [TRUSTED_BY_HAND]})

    def check(self, between: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        assert set(external_ids(after)) == {OLD}


class Rotate(Scenario):
    name = "rotate"
    options: Mapping[str, Any] = {"rotate_external_id": True}

    def prepare(self, bench: Bench, project: str) -> None:
        """A venue as provisioning leaves it."""
        make_venue(bench, project, {"Version": "2012-10-17", "Statement": [TRUSTED_BY_HAND]})
        assert bench.account.run("role", project=project, venue="dev")[0]

    def again(self, before: Mapping[str, Any]) -> Mapping[str, Any]:
        """Once both places have the new value the rotation is complete.

        And asking again would end the old one's validity.
        """
        parameter, *trusted = external_ids(before)
        return {} if parameter != OLD and parameter in trusted else self.options

    def check(self, between: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        new, *trusted = external_ids(after)
        assert new != OLD and sorted(trusted) == sorted([new, OLD])
        assert set(external_ids(between)) <= {new, OLD}


class Remove(Scenario):
    name = "remove"
    options: Mapping[str, Any] = {"state": "absent"}

    def prepare(self, bench: Bench, project: str) -> None:
        """A venue with a second inline policy and a managed one.

        Its external ID is its own: one that another role accepts is never deleted without the role.
        """
        value = hashlib.sha256(project.encode()).hexdigest()
        trusted = {**TRUSTED_BY_HAND, "Condition": {"StringEquals": {"sts:ExternalId": value}}}
        make_venue(bench, project, {"Version": "2012-10-17", "Statement": [trusted]}, value)
        arn = f"arn:aws:iam::{bench.account.account_id}:policy/{world.BOUNDARY}"
        bench.account.as_root("iam").attach_role_policy(RoleName=f"unity-{project}-dev-sts", PolicyArn=arn)

    def check(self, between: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        assert after == {"parameter": []}


def make_venue(bench: Bench, project: str, trust: Mapping[str, Any], external_id: str = OLD) -> None:
    """A venue created manually: its tags name its owner, and nothing else is right."""
    iam, name = bench.account.as_root("iam"), f"unity-{project}-dev-sts"
    tags = {"Proj": project, "Venue": "dev", "Capability": "sts"}
    owner = [{"Key": key, "Value": value} for key, value in tags.items()]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Tags=owner, Description="Wrong.")
    iam.put_role_policy(RoleName=name, PolicyName="venue-access", PolicyDocument=json.dumps(world.BOUNDARY_POLICY))
    bench.account.as_root("ssm").put_parameter(
        Name=f"/unity/{project}/dev/cs/sts/role/external-id", Value=external_id, Type="String"
    )


SCENARIOS = (Scenario(), Repair(), Rotate(), Remove())


@pytest.fixture(scope="module")
def bench(home: world.Account) -> Iterator[Bench]:
    with in_front_of(home.url) as proxy, runner() as processes:
        yield Bench(home, proxy, processes)


def undisturbed(bench: Bench, scenario: Scenario) -> tuple[list[POINT], Any]:
    """The calls that a change makes, and the state that it leaves."""
    project = bench.fresh()
    scenario.prepare(bench, project)
    bench.proxy.set()
    outcome = bench.disturbed({"project": project, "venue": "dev", **scenario.options})
    assert outcome and outcome.get("succeeded"), outcome
    calls = bench.proxy.calls
    points = [(action, calls[: place + 1].count(action)) for place, action in enumerate(calls)]
    return points, masked(bench.state(project))


def converges(bench: Bench, scenario: Scenario, project: str, end: Any) -> None:
    """After whatever happened, one more run leaves what an undisturbed one leaves."""
    between = bench.state(project)
    succeeded, result = bench.account.run("role", project=project, venue="dev", **scenario.again(between))
    assert succeeded, result
    after = bench.state(project)
    scenario.check(between, after)
    assert masked(after) == end
    bench.tried += 1


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_failing_call_loses_anything(bench: Bench, scenario: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    points, end = undisturbed(bench, scenario)
    tried = bench.tried
    for point in points:
        for fault in FAULTS:
            project = bench.fresh()
            scenario.prepare(bench, project)
            bench.proxy.set(
                lambda call, fault=fault, point=point: (
                    fault(call) if (call.action, call.number) == point else call.forward()
                )
            )
            # Only where an answer is held back is it given up soon: a busy machine may be slow as well.
            read_timeout = 2 if fault is answer_held else 60
            asked = {"project": project, "venue": "dev", **scenario.options}
            outcome = bench.disturbed(asked, read_timeout=read_timeout)
            where = f"{scenario.name}: {fault.__name__} at {point}: {outcome}"
            assert outcome and "crash" not in outcome, where
            assert outcome["succeeded"] or fault not in SURVIVED, where
            if outcome["succeeded"]:
                assert masked(bench.state(project)) == end, where
            converges(bench, scenario, project, end)
    with capsys.disabled():
        print(
            f"\n{scenario.name}: {len(points)} calls failing in up to {len(FAULTS)} ways: {bench.tried - tried} "
            "fault points, 0 lost"
        )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_kill_loses_anything(bench: Bench, scenario: Scenario, capsys: pytest.CaptureFixture[str]) -> None:
    points, end = undisturbed(bench, scenario)
    tried = bench.tried
    for point in points:
        for moment in ("before", "after"):
            project = bench.fresh()
            scenario.prepare(bench, project)
            killer = Killer(point, moment)
            bench.proxy.set(killer.rule)
            outcome = bench.disturbed({"project": project, "venue": "dev", **scenario.options}, killer.started)
            assert outcome is None and killer.done, f"{scenario.name}: not killed {moment} {point}: {outcome}"
            converges(bench, scenario, project, end)
    with capsys.disabled():
        print(
            f"\n{scenario.name}: {len(points)} calls, killed before and after each: {bench.tried - tried} fault "
            "points, 0 lost"
        )


class Killer:
    """Kills the process that makes a certain call, right before or right after the server has done it."""

    def __init__(self, point: POINT, moment: str) -> None:
        self.point, self.moment = point, moment
        self.done = False
        self._pid = 0
        self._known = threading.Event()

    def started(self, pid: int) -> None:
        """Learn whom to kill."""
        self._pid = pid
        self._known.set()

    def rule(self, call: Call) -> Answer:
        """The proxy's rule."""
        if (call.action, call.number) != self.point:
            return call.forward()
        if self.moment == "after":
            call.forward()
        self._known.wait()
        os.kill(self._pid, signal.SIGKILL)
        self.done = True
        return Answer(reset=True)


@pytest.mark.parametrize(
    ("operation", "options"), [("role", {"wait": True}), ("token", {"user": "jdoe"})], ids=["wait", "issue"]
)
def test_a_new_role_that_aws_does_not_know_everywhere_yet(
    bench: Bench, operation: str, options: Mapping[str, Any]
) -> None:
    for first, known_in_time in ((5, True), (10**6, False)):
        project = bench.fresh()
        if operation == "token":
            assert bench.account.run("role", project=project, venue="dev")[0]
        bench.proxy.set(
            lambda call, first=first: (
                refused(call) if call.action == "sts:AssumeRole" and call.number <= first else call.forward()
            )
        )
        connection = connections.connection(bench.proxy.url, bench.account.admin)
        asked = {**connection, "project": project, "venue": "dev", **options}
        (outcome,) = bench.runner.run({"operation": operation, "options": asked})
        assert outcome and outcome["succeeded"] == known_in_time, outcome
        if known_in_time:
            assert bench.proxy.calls.count("sts:AssumeRole") == first + 1
        else:
            assert outcome["error"] == "NotAssumable" and "The role is new" in outcome["msg"]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_is_off_is_named(bench: Bench, minutes: int) -> None:
    project = bench.fresh()
    options = {**connections.connection(bench.proxy.url, bench.account.admin), "project": project, "venue": "dev"}
    bench.proxy.set()
    (outcome,) = bench.runner.run({"operation": "role", "options": options, "skew": 60 * minutes})
    assert outcome and not outcome["succeeded"] and "clock" in outcome["msg"], outcome
    assert bench.state(project) == {"parameter": []}
