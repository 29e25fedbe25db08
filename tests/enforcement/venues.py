# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The venues and tokens of the allow/deny matrix, made by the real playbooks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matrix

from tests.support import connections, playbook, world

S3_ONLY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
READ_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "iam:Get*", "ec2:Describe*"], "Resource": "*"}],
}
# Asks for more than the role has, and must get no more: a session policy narrows.
BY_HAND = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": "arn:aws:s3:::*/incoming/*"},
        {"Effect": "Allow", "Action": ["ecr:*", "iam:*", "ssm:*", "ec2:*"], "Resource": "*"},
    ],
}
BOUNDARIES = {"S3Only": S3_ONLY, world.BOUNDARY: world.BOUNDARY_POLICY}
VENUES: dict[str, dict[str, Any]] = {
    "sbg-dev": {"project": "sbg", "venue": "dev"},
    "sbg-test": {"project": "sbg", "venue": "test", "provision_permissions_boundary": "S3Only"},
    "emit-ops": {
        "project": "emit",
        "venue": "ops",
        "provision_allow_delete": True,
        "provision_bucket_prefixes": ["incoming", "products/"],
        "provision_ecr_repositories": ["emit/*", "emit-ops/*"],
    },
}
TOKENS: dict[str, dict[str, Any]] = {
    "full": {},
    "read": {"issue_access": ["s3_read"]},
    "write": {"issue_access": ["s3_write"]},
    "create": {"issue_access": ["ecr_create"]},
    "pull": {"issue_access": ["ecr_pull"]},
    "push": {"issue_access": ["ecr_push"]},
    "folder": {"issue_bucket_prefixes": ["incoming/jdoe"]},
    "own": {"issue_session_policy": BY_HAND},
    "arns": {"issue_policy_arns": [f"arn:aws:iam::{world.HOME}:policy/ReadOnly"]},
    "bounded": {"venue": "test"},
    "emit": {"project": "emit", "venue": "ops"},
}


@dataclass(frozen=True)
class Token:
    """A token as its file has it, and the venue it is for."""

    name: str
    keys: dict[str, str]
    arn: str
    venue: matrix.Venue


def issue_all(account: world.Account, folder: Path) -> dict[str, Token]:
    """Provision and issue; also checks that a second provision run finds nothing to do."""
    _prepare(account)
    environment = account.environment()
    hosts = {name: {**options, "provision_wait": True} for name, options in VENUES.items()}
    recipients = {name: {"project": "sbg", "venue": "dev", "user": name, **options} for name, options in TOKENS.items()}
    groups = {"venues": list(hosts), "recipients": list(recipients)}
    inventory = playbook.write_inventory(folder / "inventory.json", hosts | recipients, groups)
    for run, line in (("first", "changed=1"), ("second", "changed=0")):
        done = playbook.run_isolated("mdps.venue_sts.provision", folder / "home", environment, inventory=inventory)
        assert done.code == 0 and done.output.count(line) >= len(hosts), f"{run} provision run:\n{done.output}"
    arguments = ("-e", "target=recipients", "-e", f"dest={folder}/tokens/")
    done = playbook.run_isolated("mdps.venue_sts.issue", folder / "home", environment, *arguments, inventory=inventory)
    assert done.code == 0, done.output
    return {name: _token(folder, name, host, account) for name, host in recipients.items()}


def _prepare(account: world.Account) -> None:
    iam, s3 = account.as_root("iam"), account.as_root("s3")
    for name, policy in (("S3Only", S3_ONLY), ("ReadOnly", READ_ONLY)):
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))
    for options in VENUES.values():
        bucket = account.publish_venue(options["project"], options["venue"])
        for key in ("incoming/jdoe/a.dat", "incoming/jdoes/c.dat", "private/b.dat"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"data")
    account.need_repositories("sbg/app", "emit/app")


def _token(folder: Path, name: str, host: dict[str, Any], account: world.Account) -> Token:
    project, venue = host["project"], host["venue"]
    (file,) = (folder / "tokens").glob(f"{project}_{venue}_{host['user']}_*.json")
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    document = json.loads(file.read_text())
    other = ("emit", "ops") if project == "sbg" else ("sbg", "dev")
    seen = matrix.Venue(
        account=account.account_id,
        bucket=f"{project}-{venue}-unity-data",
        repository=f"{project}/app",
        role=f"unity-{project}-{venue}-sts",
        parameter=f"/unity/{project}/{venue}/cs/sts/role/external-id",
        other_bucket=f"{other[0]}-{other[1]}-unity-data",
        other_repository=f"{other[0]}/app",
    )
    return Token(name, document["Credentials"], document["AssumedRoleUser"]["Arn"], seen)


def client(account: world.Account, token: Token, service: str) -> Any:
    """A client with a token's keys."""
    return connections.client(service, account.url, token.keys)
