# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS accounts as MDPS has them: published parameters, a boundary, buckets, and an admin who arrives through a role."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import connections, operations

ROOT = Path(__file__).resolve().parents[2]
HOME, OTHER = "111122223333", "444455556666"
ADMIN_ROLE, BOUNDARY = "mcp-tenantOperator", "zsmce-tenantOperator-AMI-APIG"
# What each person's policy is: docs/policies/NAME.json. The admin of these tests is all of them.
POLICIES = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "docs" / "policies").glob("*.json"))}
ADMIN_POLICY = {"Version": "2012-10-17", "Statement": [one for each in POLICIES.values() for one in each["Statement"]]}
# What MCP's boundary is for: everything but the account's own security.
BOUNDARY_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": ["organizations:*", "account:*"], "Resource": "*"},
    ],
}


@dataclass
class Account:
    """An account of the emulator.

    :param root: keys of its root user, to set things up with; the collection never gets them.
    :param admin: keys of the admin's role session.
    """

    url: str
    account_id: str
    root: dict[str, str]
    admin: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def as_root(self, service: str) -> Any:
        """A client with all rights."""
        if service not in self._clients:
            self._clients[service] = connections.client(service, self.url, self.root)
        return self._clients[service]

    def as_admin(self, service: str) -> Any:
        """A client with the admin's rights."""
        return connections.client(service, self.url, self.admin)

    def run(self, operation: str, **options: Any) -> tuple[bool, dict[str, Any]]:
        """An operation of the collection as the admin."""
        return operations.run(operation, connections.connection(self.url, self.admin) | options)

    def need_repositories(self, *names: str) -> None:
        """Create repositories, unless another suite has created them in the same account."""
        ecr = self.as_root("ecr")
        for name in sorted({*names} - {one["repositoryName"] for one in ecr.describe_repositories()["repositories"]}):
            ecr.create_repository(repositoryName=name)

    def publish_venue(self, project: str, venue: str, bucket: str = "") -> str:
        """Make a venue's bucket and publish its name where MDPS does; gives the name."""
        bucket = bucket or f"{project}-{venue}-unity-data"
        location = {"LocationConstraint": connections.REGION}
        self.as_root("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
        self.as_root("ssm").put_parameter(
            Name=f"/unity/{project}/{venue}/ds/datastore-bucket", Value=bucket, Type="String", Overwrite=True
        )
        return bucket

    def environment(self) -> dict[str, str]:
        """The admin's keys as Kion's page has them to copy."""
        return {
            "AWS_ACCESS_KEY_ID": self.admin["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.admin["SecretAccessKey"],
            "AWS_SESSION_TOKEN": self.admin["SessionToken"],
            "AWS_REGION": connections.REGION,
            "AWS_ENDPOINT_URL": self.url,
        }


def make_account(url: str, account_id: str) -> Account:
    """Set up an account; its admin has the policies of docs/policies and nothing else."""
    account = Account(url, account_id, {"AccessKeyId": account_id, "SecretAccessKey": "test"})
    iam = account.as_root("iam")
    iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(BOUNDARY_POLICY))
    account.as_root("ssm").put_parameter(Name="/unity/cs/account/privilegedpolicyname", Value=BOUNDARY, Type="String")
    account.admin = role_session(account, ADMIN_ROLE, for_emulator(ADMIN_POLICY, account_id))
    return account


def role_session(account: Account, name: str, policy: dict[str, Any]) -> dict[str, str]:
    """Keys of a session of a new role with one policy, assumed by a user as Kion's broker would."""
    iam = account.as_root("iam")
    user = f"broker-{name}"
    iam.create_user(UserName=user)
    assume = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": f"arn:aws:iam::{account.account_id}:role/{name}",
    }
    iam.put_user_policy(
        UserName=user, PolicyName="broker", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [assume]})
    )
    made = iam.create_access_key(UserName=user)["AccessKey"]
    broker = {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}
    trusted = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account.account_id}:user/{user}"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    )["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="admin", PolicyDocument=json.dumps(policy))
    sts = connections.client("sts", account.url, broker)
    return dict(sts.assume_role(RoleArn=role["Arn"], RoleSessionName="jane.admin")["Credentials"])


def for_emulator(policy: dict[str, Any], account_id: str) -> dict[str, Any]:
    """The policy without what ministack judges otherwise than AWS; the policy oracle judges it as written.

    ministack takes every call about several parameters or about OIDC providers, and iam:SimulatePrincipalPolicy, to be
    about ``*``, and iam:RemoveRoleFromInstanceProfile to be about the role. It knows neither iam:PermissionsBoundary
    nor policy variables, and sts:RoleSessionName in trust policies only.
    """
    widened = (
        "ssm:GetParameters",
        "ssm:GetParametersByPath",
        "ssm:DeleteParameters",
        "iam:SimulatePrincipalPolicy",
        "iam:RemoveRoleFromInstanceProfile",
    )
    named = [action for action in actions(policy) if action in widened or "OpenIDConnect" in action]
    extra = [{"Effect": "Allow", "Action": named, "Resource": "*"}] if named else []
    unknown = ("iam:PermissionsBoundary", "sts:RoleSessionName")
    known = [
        {key: value for key, value in one.items() if key != "Sid" and not any(name in str(value) for name in unknown)}
        for one in policy["Statement"]
    ]
    text = json.dumps({**policy, "Statement": [*known, *extra]})
    return dict(json.loads(text.replace("${aws:PrincipalAccount}", account_id)))


def actions(policy: dict[str, Any]) -> list[str]:
    """Every action that a policy names, in order, once."""
    listed = [one["Action"] if isinstance(one["Action"], list) else [one["Action"]] for one in policy["Statement"]]
    return list(dict.fromkeys(action for group in listed for action in group))
