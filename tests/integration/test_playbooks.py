# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The playbooks as an admin runs them.

Over the example inventory of three venues in three accounts, and for one venue with -e.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import stat
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.playbook import Run, ansible_playbook
from tests.support.recorded import Recorded, recorded_moto
from tests.support.servers import ANYTHING, REGION

VENUES = yaml.safe_load((ROOT / "docs" / "inventory.accounts.example.yml").read_text())["venues"]["hosts"]
WIDE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
OPERATORS = "mcp-tenantOperator"
MADE = "ssm:PutParameter, iam:CreateRole, iam:PutRolePolicy"


def hour_keys(moto: Recorded, account: str) -> dict[str, str]:
    """Keys of a session of the operators' role in an account, of the kind that Kion gives."""
    arn = f"arn:aws:iam::{account}:role/{OPERATORS}"
    keys = moto.server.client("sts").assume_role(RoleArn=arn, RoleSessionName="admin")["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }


@dataclass
class Morning:
    """An admin's morning: three accounts, a profile each, and what every playbook said."""

    moto: Recorded
    folder: pathlib.Path
    keys: dict[str, dict[str, str]]
    said: dict[str, Run] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)
    there: dict[str, list[str]] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    there_is_no_token_yet: bool = False

    def client(self, venue: str, service: str) -> Any:
        return self.moto.server.client(service, **self.keys[venue])

    def write_profiles(self, **instead: str) -> None:
        """Save the keys of each venue's account as a profile; ``instead`` mixes some up."""
        path = self.folder / "credentials"
        profiles = {venue: self.keys[instead.get(venue.replace("-", "_"), venue)] for venue in VENUES}
        text = "".join(
            f"[{venue}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
            for venue, keys in profiles.items()
        )
        path.touch(mode=0o600)
        path.write_text(text)

    def run(self, name: str, playbook: str, *arguments: str, code: int = 0, **more: str) -> None:
        """Run a playbook; keep what it said, what it asked of AWS, and which roles are there afterwards."""
        env = {"AWS_URL": self.moto.server.url, "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"), **more}
        if playbook == "issue":
            arguments += ("-e", f"handoff_receipts_file={self.folder}/receipts.jsonl")
        self.moto.forget()
        self.said[name] = ansible_playbook(f"mdps.venue_sts.{playbook}", *arguments, env=env, cwd=self.folder).expect(
            code
        )
        self.asked[name] = self.moto.calls()
        self.there[name] = [venue for venue in VENUES if self.roles(venue) - {OPERATORS}]

    def roles(self, venue: str) -> set[str]:
        """The names of the roles in a venue's account."""
        return {one["RoleName"] for one in self.client(venue, "iam").list_roles()["Roles"]}

    def external_ids(self) -> set[str]:
        found = set()
        for venue, host in VENUES.items():
            path = f"/unity/{host['project']}/{host['venue']}/cs/sts/role/external-id"
            parameters = self.client(venue, "ssm").get_parameters(Names=[path])["Parameters"]
            found |= {one["Value"] for one in parameters}
        return found


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("playbooks")
    shutil.copy(ROOT / "docs" / "inventory.accounts.example.yml", folder / "inventory.yml")
    with recorded_moto(folder) as moto:
        made = Morning(moto, folder, {venue: hour_keys(moto, host["account_id"]) for venue, host in VENUES.items()})
        for venue, host in VENUES.items():
            ssm = made.client(venue, "ssm")
            ssm.put_parameter(
                Name="/unity/cs/account/privilegedpolicyname", Value="zsmce-tenantOperator-AMI-APIG", Type="String"
            )
            made.client(venue, "iam").create_role(RoleName=OPERATORS, AssumeRolePolicyDocument=json.dumps(ANYTHING))
            made.client(venue, "iam").create_policy(
                PolicyName="zsmce-tenantOperator-AMI-APIG", PolicyDocument=json.dumps(ANYTHING)
            )
            bucket = f"/unity/{host['project']}/{host['venue']}/ds/datastore-bucket"
            ssm.put_parameter(Name=bucket, Value=f"{venue}-unity-data", Type="String")
        work(made)
        yield made


def work(made: Morning) -> None:
    """The morning's commands, in order."""
    over = ("-i", "inventory.yml")
    made.write_profiles()
    made.run("looked", "provision", *over, "--check", "--diff")
    made.write_profiles(emit_ops="sbg-dev")
    made.run("mixed up", "provision", *over, code=2)
    made.write_profiles()
    made.run("provisioned", "provision", *over)
    made.run("again", "provision", *over, ANSIBLE_STRATEGY="free")
    made.client("sbg-dev", "iam").put_role_policy(
        RoleName="unity-sbg-dev-sts", PolicyName="venue-access", PolicyDocument=WIDE
    )
    made.ids = made.external_ids()
    made.run("drifted", "provision", *over, "--limit", "sbg-dev,localhost", "--check", "--diff", "-vvvv")
    made.run(
        "no slash", "issue", *over, "-e", "user=jdoe", "-e", f"dest={made.folder}/without", ANSIBLE_STRATEGY="free"
    )
    tokens = ("-e", f"dest={made.folder}/tokens/")
    made.run("refused", "issue", *over, "-e", "user='Jane Doe'", *tokens, code=2)
    made.run("issue looked at", "issue", *over, "-e", "user=Jane.Doe", *tokens, "--check", "-v")
    made.there_is_no_token_yet = not (made.folder / "tokens").exists()
    made.run("issued", "issue", *over, "-e", "user=Jane.Doe", *tokens, "-vvv")
    made.run("guarded", "deprovision", *over, code=2)
    made.run("one removed", "deprovision", *over, "--limit", "emit-ops,localhost")
    made.run("all removed", "deprovision", *over, "-e", "confirm=all")
    single = ("-e", "project=sbg", "-e", "venue=dev")
    profile = {
        "provision": ("-e", "provision_profile=sbg-dev"),
        "issue": ("-e", "issue_profile=sbg-dev", "-e", f"issue_region={REGION}"),
    }
    region = ("-e", f"provision_region={REGION}")
    made.run("single", "provision", *single, *profile["provision"], *region)
    made.run(
        "single issued",
        "issue",
        *single,
        *profile["issue"],
        "-e",
        "user=jdoe",
        "-e",
        f"dest={made.folder}/single.json",
        "-e",
        "handoff_channel=file",  # an inventory may say so for other tokens
    )
    made.run("single removed", "deprovision", *single, *profile["provision"], *region)


def line(run: Run, venue: str) -> str:
    """A venue's line of the summary, spaces squeezed."""
    found = re.search(rf'"({re.escape(venue)} .*?)"', run.output)
    assert found, run.output
    return re.sub(r"\s+", " ", found.group(1)).strip()


def writes(calls: list[str]) -> list[str]:
    return [call for call in calls if not call.startswith(("Get", "List", "AssumeRole"))]


def test_looking_changes_nothing_and_says_what_would_change(morning: Morning) -> None:
    for venue in VENUES:
        assert line(morning.said["looked"], venue) == f"{venue} would change unity-{venue}-sts {MADE}"
    assert writes(morning.asked["looked"]) == []
    assert morning.there["looked"] == []


def test_a_venue_with_the_keys_of_another_account_fails_alone(morning: Morning) -> None:
    run = morning.said["mixed up"]
    assert "the credentials are for account 111122223333" in run.output
    assert "but the venue is in account 222233334444" in run.output
    assert line(run, "emit-ops") == "emit-ops failed -"
    assert line(run, "sbg-dev") == f"sbg-dev changed unity-sbg-dev-sts {MADE}"
    assert morning.there["mixed up"] == ["sbg-dev", "asips-int"]


def test_the_next_run_does_the_rest_and_the_one_after_nothing(morning: Morning) -> None:
    assert line(morning.said["provisioned"], "emit-ops") == f"emit-ops changed unity-emit-ops-sts {MADE}"
    assert line(morning.said["provisioned"], "asips-int") == "asips-int ok unity-asips-int-sts"
    for venue in VENUES:
        assert line(morning.said["again"], venue) == f"{venue} ok unity-{venue}-sts"
    assert writes(morning.asked["again"]) == []
    assert len(morning.asked["again"]) <= 6 * len(VENUES)


def test_the_differences_of_a_drift_are_shown_and_no_external_id_at_any_verbosity(morning: Morning) -> None:
    run = morning.said["drifted"]
    assert '"Action": "s3:*"' in run.output
    assert "arn:aws:s3:::sbg-dev-unity-data/*" in run.output
    assert line(run, "sbg-dev") == "sbg-dev would change unity-sbg-dev-sts iam:PutRolePolicy"
    assert len(morning.ids) == len(VENUES)
    for said in morning.said.values():
        assert not [one for one in morning.ids if one in said.output]


def files(folder: pathlib.Path, user: str) -> dict[str, pathlib.Path]:
    """The token's file of each venue; nothing else may be there."""
    stamped = re.compile(rf"(\w+)_(\w+)_{re.escape(user)}_\d{{8}}T\d{{6}}Z-[0-9a-f]{{8}}\.json")
    named = {path: stamped.fullmatch(path.name) for path in folder.iterdir()}
    assert all(named.values()), sorted(path.name for path in named)
    found = {f"{match[1]}-{match[2]}": path for path, match in named.items() if match}
    assert len(found) == len(named)
    return found


def receipts(morning: Morning) -> dict[str, dict[str, Any]]:
    """The last line of each receipt in the admin's file, by the name of the token's file."""
    lines = map(json.loads, (morning.folder / "receipts.jsonl").read_text().splitlines())
    last = {one["id"]: one for one in lines}
    return {one["handoff"]["file"]: one for one in last.values()}


def test_three_tokens_three_files_and_receipts_but_no_key_on_the_screen(morning: Morning) -> None:
    run = morning.said["issued"]
    folder = morning.folder / "tokens"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = files(folder, "~jane.~doe")
    assert set(found) == set(VENUES)
    for venue, path in found.items():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        token = json.loads(path.read_text())
        receipt = receipts(morning)[path.name]
        assert receipt["state"] == "kept" and receipt["recipient"] == "Jane.Doe"
        assert receipt["access_key_id"] == token["Credentials"]["AccessKeyId"]
        assert receipt["role_arn"] == f"arn:aws:iam::{VENUES[venue]['account_id']}:role/unity-{venue}-sts"
        assert receipt["handoff"]["target"] == str(path)
        assert receipt["id"] in run.output
        assert token["Credentials"]["AccessKeyId"] in run.output  # the receipt names it, as CloudTrail will
        for text in (run.output, (morning.folder / "receipts.jsonl").read_text()):
            assert token["Credentials"]["SecretAccessKey"] not in text
            assert token["Credentials"]["SessionToken"] not in text
    account = VENUES["asips-int"]["account_id"]
    assert f"arn:aws:iam::{account}:role/unity-asips-int-sts" in run.output


def test_the_screen_has_one_line_for_each_token(morning: Morning) -> None:
    found = files(morning.folder / "tokens", "~jane.~doe")
    for venue, path in found.items():
        ends = receipts(morning)[path.name]["expires_at"][:16].replace("T", " ")
        shown = venue.replace("-", " / ")
        assert line(morning.said["issued"], shown) == f"{shown} Jane.Doe {ends} {path} (not sealed)"


def test_looking_at_an_issue_asks_for_no_token_and_names_the_files(morning: Morning) -> None:
    run = morning.said["issue looked at"]
    assert "AssumeRole" not in morning.asked["issue looked at"]
    assert writes(morning.asked["issue looked at"]) == []
    assert morning.there_is_no_token_yet
    for venue in VENUES:
        assert f'"{morning.folder}/tokens/{venue.replace("-", "_")}_~jane.~doe_' in run.output
        shown = venue.replace("-", " / ")
        assert line(run, shown) == f"{shown} Jane.Doe - checked only (check mode)"


def test_a_user_name_that_would_have_to_be_changed_is_refused_before_aws_is_asked(morning: Morning) -> None:
    run = morning.said["refused"]
    assert run.output.count("jane.doe") >= len(VENUES)
    assert "AssumeRole" not in morning.asked["refused"]


def test_several_tokens_never_go_to_one_file(morning: Morning) -> None:
    assert set(files(morning.folder / "without", "jdoe")) == set(VENUES)


def test_what_is_said_of_all_is_said_once_whatever_the_strategy(morning: Morning) -> None:
    assert morning.said["again"].output.count("VENUE  ") == 1
    for name in ("no slash", "issued"):
        assert len(re.findall(r'"PROJECT / VENUE +USER +ENDS \(UTC\) +WHERE IT IS"', morning.said[name].output)) == 1


def test_removing_several_venues_wants_to_be_confirmed(morning: Morning) -> None:
    assert "This would remove the roles of 3 venues: sbg-dev, emit-ops, asips-int." in morning.said["guarded"].output
    assert morning.asked["guarded"] == []
    assert morning.there["guarded"] == list(VENUES)
    assert morning.there["one removed"] == ["sbg-dev", "asips-int"]
    assert (
        line(morning.said["one removed"], "emit-ops")
        == "emit-ops changed unity-emit-ops-sts iam:DeleteRolePolicy, iam:DeleteRole, ssm:DeleteParameter"
    )
    assert morning.there["all removed"] == []
    assert line(morning.said["all removed"], "emit-ops") == "emit-ops ok unity-emit-ops-sts"


def test_a_single_venue_needs_no_inventory(morning: Morning) -> None:
    assert line(morning.said["single"], "sbg-dev") == f"sbg-dev changed unity-sbg-dev-sts {MADE}"
    token = morning.folder / "single.json"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert re.search(rf"Kept in: +{re.escape(str(token))} \(not sealed\)\"", morning.said["single issued"].output)
    assert morning.there["single"] == ["sbg-dev"]
    assert morning.there["single removed"] == []


def test_an_hours_keys_give_an_hours_token(morning: Morning) -> None:
    """The callers are sessions of a role, as with Kion."""
    assert '"duration_seconds": 3600' in morning.said["issued"].output
    assert "assumed-role/mcp-tenantOperator/admin" in morning.said["issued"].output
