# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each policy of docs/policies is enough for its tasks, and no action of it can be left out."""

from __future__ import annotations

import copy
import json
import pathlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyrage
import pytest

from tests.support import connections, operations, oracles, people, world
from tests.support.fault_proxy import Answer, Call, FaultProxy, in_front_of

# AWS asks for these as well, as its Service Authorization Reference lists under "dependent actions". ministack does
# not,
# so the proxy does, and lets ministack's own policy simulator answer.
DEPENDENT = {
    ("iam:CreateRole", "Tags.member.1.Key"): "iam:TagRole",
    ("iam:CreateOpenIDConnectProvider", "Tags.member.1.Key"): "iam:TagOpenIDConnectProvider",
    ("ssm:PutParameter", "Tags"): "ssm:AddTagsToResource",
    ("sts:AssumeRole", "Tags.member.1.Key"): "sts:TagSession",
    ("sts:AssumeRole", "SourceIdentity"): "sts:SetSourceIdentity",
}
# Without these, a run goes on and warns or says less: they are for checks, for a better message, and for what a receipt
# says that the token allows.
ONLY_FOR_CHECKS = {
    "access-analyzer:ValidatePolicy",
    "iam:GetUser",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetSAMLProvider",
    "iam:ListPolicies",
    "iam:SimulateCustomPolicy",
    "kms:DescribeKey",
    "ssm:GetParameterHistory",
}
ONLY_SAYS_LESS = {
    ("issuer", "iam:GetRolePolicy"),
    ("revoker", "iam:GetAccountAuthorizationDetails"),
    ("revoker", "ssm:GetParametersByPath"),
    ("revoker", "sts:GetAccessKeyInfo"),
}
NOT_IN_THE_EMULATOR = {"cloudtrail:LookupEvents", "iam:AddClientIDToOpenIDConnectProvider"}
TRUSTED_BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


Outcome = tuple[bool, dict[str, Any]]


class Person:
    """Somebody who comes through a role whose policy can be exchanged."""

    def __init__(self, account: world.Account, proxy: FaultProxy) -> None:
        self.account, self.proxy = account, proxy
        self.role = "mcp-tenantTrial"
        self.keys = world.role_session(account, self.role, world.BOUNDARY_POLICY)
        self.arn = f"arn:aws:iam::{account.account_id}:role/{self.role}"

    def may(self, policy: dict[str, Any]) -> None:
        """Give this person this policy and no other."""
        document = json.dumps(world.for_emulator(policy, self.account.account_id))
        self.account.as_root("iam").put_role_policy(RoleName=self.role, PolicyName="admin", PolicyDocument=document)

    def asks_for_dependent_actions(self, call: Call) -> Answer:
        """The proxy's rule."""
        for (action, parameter), dependent in DEPENDENT.items():
            if call.action == action and parameter in call.parameters and not self._is_allowed(dependent, call):
                return call.refuse(
                    "AccessDenied", f"User: {self.arn} is not authorized to perform: {dependent} on resource: x", 403
                )
        answer = call.forward()
        if call.action == "iam:SimulatePrincipalPolicy":
            # ministack ignores the context. test_revoked_tokens.py lets iam-simulate judge; here, who may ask counts.
            body = re.sub(b"<EvalDecision>[a-zA-Z]+<", b"<EvalDecision>explicitDeny<", answer.body)
            return replace(answer, body=body)
        return answer

    def _is_allowed(self, action: str, call: Call) -> bool:
        account = self.account.account_id
        role = call.parameters.get("RoleArn") or f"arn:aws:iam::{account}:role/{call.parameters.get('RoleName')}"
        parameter = f"arn:aws:ssm:{connections.REGION}:{account}:parameter{call.parameters.get('Name')}"
        provider = f"arn:aws:iam::{account}:oidc-provider/login.example.org"
        where = parameter if action.startswith("ssm:") else provider if "OpenID" in action else role
        answer = self.account.as_root("iam").simulate_principal_policy(
            PolicySourceArn=self.arn, ActionNames=[action], ResourceArns=[where]
        )
        return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")

    def run(self, operation: str, venue: str, **options: Any) -> Outcome:
        """An operation on a venue of the project ``trial``."""
        connection = connections.connection(self.proxy.url, self.keys)
        return operations.run(operation, connection | {"project": "trial", "venue": venue} | options)


@pytest.fixture(scope="module")
def person(home: world.Account) -> Iterator[Person]:
    with in_front_of(home.url) as proxy:
        person = Person(home, proxy)
        proxy.set(person.asks_for_dependent_actions)
        home.as_root("iam").create_policy(PolicyName="Hanging", PolicyDocument=json.dumps(world.BOUNDARY_POLICY))
        yield person


def provision(person: Person, venue: str) -> Iterator[Outcome]:
    """Create, repair, rotate, change the parameter's type, remove with everything that is attached to the role."""
    account, name = person.account, {"RoleName": f"unity-trial-{venue}-sts"}
    account.publish_venue("trial", venue)
    iam = account.as_root("iam")
    yield person.run("role", venue)
    iam.update_assume_role_policy(**name, PolicyDocument=json.dumps(TRUSTED_BY_HAND))
    iam.delete_role_permissions_boundary(**name)
    iam.put_role_policy(**name, PolicyName="venue-access", PolicyDocument=json.dumps(world.BOUNDARY_POLICY))
    iam.untag_role(**name, TagKeys=["CapVersion"])
    changes = {"description": "Changed.", "max_session_duration": 7200}
    yield person.run("role", venue, **changes, confirm_changes=["buckets"])  # the policy manually names none
    yield person.run("role", venue, rotate_external_id=True)
    issuer = {"provider": f"https://login.example.org/{venue}", "audiences": ["sbg"], "subjects": ["jdoe"]}
    yield person.run("role", venue, oidc_providers=[{**issuer, "create": True}])
    yield person.run("role", venue, external_id_type="SecureString")
    iam.attach_role_policy(**name, PolicyArn=f"arn:aws:iam::{account.account_id}:policy/Hanging")
    iam.create_instance_profile(InstanceProfileName=f"unity-trial-{venue}")
    iam.add_role_to_instance_profile(**name, InstanceProfileName=f"unity-trial-{venue}")
    yield person.run("role", venue, state="absent")
    # Only the external ID is left: a run looks whether another role still uses it.
    path = f"/unity/trial/{venue}/cs/sts/role/external-id"
    account.as_root("ssm").put_parameter(Name=path, Value="left-behind-0123456789", Type="String")
    yield person.run("role", venue, state="absent")


def prepared(person: Person, venue: str) -> str:
    """Provision a venue as the admin of all tasks; gives its bucket."""
    bucket = person.account.publish_venue("trial", venue)
    succeeded, result = person.account.run("role", project="trial", venue=venue)
    assert succeeded, result
    return bucket


def issue(person: Person, venue: str) -> Iterator[Outcome]:
    """Issue tokens with everything that an issue can have, and keep their receipts; approve, renew and end a lease."""
    bucket = prepared(person, venue)
    ask: dict[str, Any] = {"user": "jdoe", "wait_timeout": 0}
    yield person.run("token", venue, **ask, verify=True)
    yield person.run("token", venue, **ask, tags={"for": "jdoe"})
    yield person.run("token", venue, **ask, source_identity="jdoe")
    yield person.run("token", venue, **ask, bucket_prefixes=["incoming"])
    yield person.run("token", venue, **ask, receipts_ssm_path=f"/unity/trial/{venue}/cs/sts/receipts")
    yield person.run("token", venue, **ask, receipts_s3=f"s3://{bucket}/mdps-venue-sts/receipts")
    # The key of a recipient is compared with that of the last token, wherever its receipt is.
    key = str(pyrage.x25519.Identity.generate().to_public())
    with tempfile.TemporaryDirectory() as folder:
        ask["handoff"] = {"public_keys": {"jdoe": key}, "channel": "output", "undelivered": f"{folder}/undelivered"}
        for number in range(2):
            ask["receipts_file"] = f"{folder}/{number}"
            yield person.run("token", venue, **ask, receipts_ssm_path=f"/unity/trial/{venue}/cs/sts/receipts")
            yield person.run("token", venue, **ask, receipts_s3=f"s3://{bucket}/mdps-venue-sts/receipts")
    with tempfile.TemporaryDirectory() as folder:
        key = people.age_person(pathlib.Path(folder)).public
        office = {"leases_file": f"{folder}/leases", "handoff": {"public_keys": {"jdoe": key}}}
        lease = {**office, "user": "jdoe", "days": 1, "reason": "a test", "approver": "jane.admin"}
        yield person.run("lease", venue, **lease)
        yield person.run("renewal", venue, **office, receipts_file=f"{folder}/receipts")
        yield person.run("lease", venue, **office, user="jdoe", state="absent")


def stored_receipts(person: Person, venue: str, bucket: str) -> list[dict[str, str]]:
    """Issue a token as the admin of all tasks, with its receipt in both stores. Gives the options that read it."""
    places = [
        {"receipts_ssm_path": f"/unity/trial/{venue}/cs/sts/receipts"},
        {"receipts_s3": f"s3://{bucket}/mdps-venue-sts/receipts"},
    ]
    succeeded, result = person.account.run(
        "token", project="trial", venue=venue, user="jdoe", wait_timeout=0, **places[0], **places[1]
    )
    assert succeeded, result
    return places


def revoke(person: Person, venue: str) -> Iterator[Outcome]:
    """Revoke a token, lift that, end leases with all tokens, lock with proof, unlock, investigate a key."""
    bucket = prepared(person, venue)
    path = f"/unity/trial/{venue}/cs/sts/leases/jdoe"
    person.account.as_root("ssm").put_parameter(Name=path, Value="{}", Type="String")
    yield person.run("revocation", venue, session_name="jdoe-session")
    for place in stored_receipts(person, venue, bucket):
        yield person.run("revocation", venue, user="jdoe", **place)
    yield person.run("revocation", venue, session_name="jdoe-session", state="absent")
    yield person.run("revocation", venue, all=True)
    yield person.run("revocation", venue, state="locked", verify=True, wait_timeout=0)
    yield person.run("revocation", venue, state="unlocked")
    connection = connections.connection(person.proxy.url, person.keys)
    yield operations.run("incident_info", connection | {"access_key_id": "ASIAEXAMPLEEXAMPLE01"})


def report(person: Person, venue: str) -> Iterator[Outcome]:
    """Compare the roles of the account with what they should be."""
    bucket = prepared(person, venue)
    connection = connections.connection(person.proxy.url, person.keys)
    yield operations.run("role_info", connection)
    for place in stored_receipts(person, venue, bucket):
        yield operations.run("session_info", connection | {"cloudtrail": False} | place)


TASKS = {"provisioner": provision, "issuer": issue, "revoker": revoke, "reporter": report}
CASES = [(name, action) for name in TASKS for action in world.actions(world.POLICIES[name])]


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """The policy without one of its actions."""
    policy = copy.deepcopy(policy)
    for statement in policy["Statement"]:
        listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [one for one in listed if one != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy


def test_there_is_a_policy_for_each_person_and_no_other() -> None:
    assert set(TASKS) == set(world.POLICIES)


@pytest.mark.parametrize("name", TASKS)
def test_with_the_policy_everything_works(person: Person, name: str) -> None:
    person.may(world.POLICIES[name])
    for succeeded, result in TASKS[name](person, f"{name}-whole"):
        assert succeeded, result


@pytest.mark.parametrize(
    ("name", "action"), [case for case in CASES if case[1] not in ONLY_FOR_CHECKS and case not in ONLY_SAYS_LESS]
)
def test_without_any_one_action_something_fails_and_the_error_names_it(person: Person, name: str, action: str) -> None:
    if action in NOT_IN_THE_EMULATOR:
        pytest.skip(f"{action}: no emulator here knows it")
    person.may(without(world.POLICIES[name], action))
    venue = f"{name[:3]}-{action.replace(':', '-').lower()}"[:40]
    failure = next((result for succeeded, result in TASKS[name](person, venue) if not succeeded), None)
    assert failure, f"{action} is not needed"
    assert f"The caller needs {action} (docs/policies" in failure["msg"]


@pytest.mark.parametrize(("session", "allowed"), [("mdps-venue-sts-check", True), ("jdoe-1", False)])
def test_a_revoker_assumes_a_role_for_the_proof_of_a_lock_only(session: str, allowed: bool) -> None:
    """Ministack does not know the condition; iam-simulate judges the policy as written."""
    admin = f"arn:aws:sts::{world.HOME}:assumed-role/mcp-tenantTrial/jane.admin"
    role = f"arn:aws:iam::{world.HOME}:role/unity-sbg-dev-sts"
    trusted = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{world.HOME}:root"}, "Action": "sts:AssumeRole"}
    asked = oracles.request(
        admin,
        "sts:AssumeRole",
        role,
        [world.POLICIES["revoker"]],
        resource_policy={"Version": "2012-10-17", "Statement": [trusted]},
        context={"sts:RoleSessionName": session},
    )
    assert oracles.simulate([asked]) == [allowed]
