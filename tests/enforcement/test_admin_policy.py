# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""docs/admin-policy.json is enough, and not more than enough."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import driver, world
from tests.support.fault_proxy import Answer, Call, FaultProxy, in_front_of

# AWS asks for these beside the action itself, as its Service Authorization Reference lists under "dependent actions";
# ministack
# does not, so the proxy does, and lets ministack's own policy simulator answer.
DEPENDENT = {
    ("iam:CreateRole", "Tags.member.1.Key"): "iam:TagRole",
    ("ssm:PutParameter", "Tags"): "ssm:AddTagsToResource",
    ("sts:AssumeRole", "Tags.member.1.Key"): "sts:TagSession",
    ("sts:AssumeRole", "SourceIdentity"): "sts:SetSourceIdentity",
}
TRUSTED_BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


class Admin:
    """An admin whose policy can be exchanged."""

    def __init__(self, account: world.Account, proxy: FaultProxy) -> None:
        self.account, self.proxy = account, proxy
        self.keys = world.role_session(account, "mcp-tenantTrial", world.for_emulator(world.ADMIN_POLICY))
        self.arn = f"arn:aws:iam::{account.account_id}:role/mcp-tenantTrial"

    def may(self, policy: dict[str, Any]) -> None:
        """Give the admin this policy and no other."""
        document = json.dumps(world.for_emulator(policy))
        self.account.as_root("iam").put_role_policy(
            RoleName="mcp-tenantTrial", PolicyName="admin", PolicyDocument=document
        )

    def asks_for_dependent_actions(self, call: Call) -> Answer:
        """The proxy's rule."""
        for (action, parameter), dependent in DEPENDENT.items():
            if call.action == action and parameter in call.parameters and not self._is_allowed(dependent, call):
                return call.refuse(
                    "AccessDenied", f"User: {self.arn} is not authorized to perform: {dependent} on resource: x", 403
                )
        return call.forward()

    def _is_allowed(self, action: str, call: Call) -> bool:
        account = self.account.account_id
        role = call.parameters.get("RoleArn") or f"arn:aws:iam::{account}:role/{call.parameters.get('RoleName')}"
        parameter = f"arn:aws:ssm:{driver.REGION}:{account}:parameter{call.parameters.get('Name')}"
        where = parameter if action.startswith("ssm:") else role
        answer = self.account.as_root("iam").simulate_principal_policy(
            PolicySourceArn=self.arn, ActionNames=[action], ResourceArns=[where]
        )
        return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")

    def run(self, operation: str, venue: str, **options: Any) -> tuple[bool, dict[str, Any]]:
        """An operation on a venue of the project ``trial``."""
        return driver.run(
            operation, driver.connection(self.proxy.url, self.keys) | {"project": "trial", "venue": venue} | options
        )


@pytest.fixture(scope="module")
def admin(home: world.Account) -> Iterator[Admin]:
    with in_front_of(home.url) as proxy:
        admin = Admin(home, proxy)
        proxy.set(admin.asks_for_dependent_actions)
        home.as_root("iam").create_policy(PolicyName="Hanging", PolicyDocument=json.dumps(world.BOUNDARY_POLICY))
        yield admin


def everything_an_admin_does(admin: Admin, venue: str) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Each operation's outcome, until one fails: make, prove, repair, rotate, issue, revoke, remove."""
    account, name, role = admin.account, {"RoleName": f"unity-trial-{venue}-sts"}, "role"
    account.publish_venue("trial", venue)
    iam = account.as_root("iam")
    yield admin.run(role, venue)
    iam.update_assume_role_policy(**name, PolicyDocument=json.dumps(TRUSTED_BY_HAND))
    iam.delete_role_permissions_boundary(**name)
    iam.put_role_policy(**name, PolicyName="venue-access", PolicyDocument=json.dumps(world.BOUNDARY_POLICY))
    iam.untag_role(**name, TagKeys=["Capability"])
    yield admin.run(role, venue, description="Changed.", max_session_duration=7200)
    yield admin.run(role, venue, permissions_boundary="none")
    yield admin.run(role, venue, rotate_external_id=True)
    yield admin.run(role, venue, external_id_type="SecureString", wait=True, wait_timeout=0)
    yield admin.run("token", venue, user="jdoe", verify=True, wait_timeout=0)
    yield admin.run("token", venue, user="jdoe", tags={"for": "jdoe"}, wait_timeout=0)
    yield admin.run("token", venue, user="jdoe", source_identity="jdoe", wait_timeout=0)
    yield admin.run("revocation", venue, session_name="jdoe-session")
    yield admin.run("revocation", venue, session_name="jdoe-session", state="absent")
    iam.attach_role_policy(**name, PolicyArn=f"arn:aws:iam::{account.account_id}:policy/Hanging")
    iam.create_instance_profile(InstanceProfileName=f"trial-{venue}")
    iam.add_role_to_instance_profile(**name, InstanceProfileName=f"trial-{venue}")
    yield admin.run(role, venue, state="absent")


def without(action: str) -> dict[str, Any]:
    """The policy without one of its actions."""
    policy = copy.deepcopy(world.ADMIN_POLICY)
    for statement in policy["Statement"]:
        listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        statement["Action"] = [one for one in listed if one != action]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy


def test_with_the_policy_everything_works(admin: Admin) -> None:
    admin.may(world.ADMIN_POLICY)
    for succeeded, result in everything_an_admin_does(admin, "whole"):
        assert succeeded, result
    assert set(world.actions(world.ADMIN_POLICY)) - set(admin.proxy.calls) == set(DEPENDENT.values()) - {"iam:TagRole"}


@pytest.mark.parametrize("action", world.actions(world.ADMIN_POLICY))
def test_without_any_one_action_something_fails_and_the_error_names_it(admin: Admin, action: str) -> None:
    admin.may(without(action))
    venue = action.replace(":", "-").lower()
    failure = next((result for succeeded, result in everything_an_admin_does(admin, venue) if not succeeded), None)
    assert failure, f"{action} is not needed"
    assert f"The caller needs {action} (docs/admin-policy.json" in failure["msg"]
