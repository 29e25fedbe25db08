# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Two judges of policies that are not ours: iam-simulate (Node.js) and parliament. Development only."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.programs import require

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "enforcement"
PARLIAMENT = """
import json, sys
from parliament import analyze_policy_string
found = [analyze_policy_string(json.dumps(policy)).findings for policy in json.load(sys.stdin)]
print(json.dumps([[f"{one.issue}: {one.detail}" for one in findings] for findings in found]))
"""


def iam_simulate() -> Path:
    """The folder that iam-simulate is installed in, below .build; skips the test where there is no Node.js."""
    require("npm")
    files = [HERE / "package.json", HERE / "package-lock.json"]
    stamp = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = ROOT / ".build" / f"iam-simulate-{stamp}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copy(file, folder)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel", "error"], cwd=folder, check=True)
        (folder / "complete").touch()
    return folder / "node_modules"


def simulate(simulations: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Whether AWS would allow each request, as iam-simulate sees it."""
    command = ["node", str(HERE / "simulate.mjs"), str(iam_simulate())]
    done = subprocess.run(command, input=json.dumps(simulations), capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    errors = [answer["errors"] for answer in answers if "errors" in answer]
    assert not errors, errors[:3]
    return [answer["result"] == "Allowed" for answer in answers]


def request(principal: str, action: str, resource: str, identity: Sequence[Any], **more: Any) -> dict[str, Any]:
    """A simulation.

    :param identity: the caller's own permission policies.
    :param more: ``context``, ``session``, ``boundary``, ``resource_policy``, and ``account`` of the resource.
    """
    simulation: dict[str, Any] = {
        "identityPolicies": [{"name": f"p{number}", "policy": policy} for number, policy in enumerate(identity)],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
        "request": {
            "principal": principal,
            "action": action,
            "resource": {"resource": resource, "accountId": more.get("account") or principal.split(":")[4]},
            "contextVariables": more.get("context", {}),
        },
    }
    if more.get("session"):
        simulation["sessionPolicy"] = more["session"]
    if more.get("boundary"):
        simulation["permissionBoundaryPolicies"] = [{"name": "boundary", "policy": more["boundary"]}]
    if more.get("resource_policy"):
        simulation["resourcePolicy"] = more["resource_policy"]
    return simulation


def as_known_issuer(document: Mapping[str, Any], *issuers: str) -> dict[str, Any]:
    """A trust policy or context with the condition keys of an issuer that iam-simulate knows: Google's.

    It ignores ``HOST:aud`` and ``HOST:sub`` of every other one. Principals stay as they are.
    """
    text = json.dumps(document)
    for issuer in issuers:
        for claim in ("aud", "sub"):
            text = text.replace(f'"{issuer}:{claim}"', f'"accounts.google.com:{claim}"')
    return dict(json.loads(text))


def parliament(policies: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What parliament has to say against each permission policy."""
    home = subprocess.run(
        [sys.executable, ROOT / "tools" / "environment.py", "parliament"], check=True, capture_output=True, text=True
    ).stdout.strip()
    done = subprocess.run(
        [f"{home}/bin/python", "-W", "ignore", "-c", PARLIAMENT],
        input=json.dumps(policies),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))
