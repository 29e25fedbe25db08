# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No secret comes out anywhere: at any verbosity, in either front end, over ssh, in files, events and process lists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import secrets_play as script
from ansible_collections.mdps.venue_sts.plugins.module_utils._masking import NATIVE

from tests.support import connections, playbook, secrets_search
from tests.support.fault_proxy import Answer, Call, FaultProxy, in_front_of
from tests.support.servers import ANYTHING, Moto

FAKE_SSH = """#!/bin/sh
for last; do :; done
exec /bin/sh -c "$last"
"""
ISSUED = re.compile(rb"<(SecretAccessKey|SessionToken)>([^<]+)</")


@pytest.fixture(scope="module")
def proxy(moto_server: Moto) -> Iterator[FaultProxy]:
    with in_front_of(moto_server.url) as proxy:
        yield proxy


def set_up(server: Moto) -> None:
    """Venues before the run: a new one, one with two different external IDs, and one to resolve such a conflict in."""
    server.reset()
    ssm, iam = server.client("ssm"), server.client("iam")
    ssm.put_parameter(Name="/unity/cs/account/privilegedpolicyname", Value="boundary", Type="String")
    iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(ANYTHING))
    for venue in ("dev", "split", "joined"):
        ssm.put_parameter(Name=f"/unity/sbg/{venue}/ds/datastore-bucket", Value=f"sbg-{venue}-data", Type="String")
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    condition = {"StringEquals": {"sts:ExternalId": script.MARKS["in_trust"]}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]})
    for venue in ("split", "joined"):
        owner = {"Proj": "sbg", "Venue": venue, "Capability": "sts"}
        tags = [{"Key": key, "Value": value} for key, value in owner.items()]
        iam.create_role(RoleName=f"unity-sbg-{venue}-sts", AssumeRolePolicyDocument=trust, Tags=tags)
        ssm.put_parameter(
            Name=f"/unity/sbg/{venue}/cs/sts/role/external-id", Value=script.MARKS["in_ssm"], Type="String"
        )


def spoil(call: Call) -> Answer:
    """The proxy's rule: the result of AssumeRole depends on the session's name."""
    name = call.parameters.get("RoleSessionName")
    if call.action == "sts:GetCallerIdentity" and spoil.unverified:
        spoil.unverified = False
        return call.refuse("AccessDenied", "no", 403)
    if call.action != "sts:AssumeRole":
        return call.forward()
    if name == "quoting":
        return call.refuse(
            "AccessDenied", f"not with {call.parameters['ExternalId']} in {json.dumps(call.parameters)}", 403
        )
    answer = call.forward()
    spoil.issued += [value.decode() for _name, value in ISSUED.findall(answer.body)]
    body = answer.body
    if name == "garbled":
        body = body[: body.index(b"</SessionToken>") - 4]
    if name == "incomplete":
        body = re.sub(rb"<Expiration>.*</Expiration>", b"", body)
    if name == "undated":
        body = re.sub(rb"<Expiration>.*</Expiration>", b"<Expiration>soon</Expiration>", body)
    spoil.unverified = name == "unverified"
    sent = len(body) * 3 // 4 if name == "cut" else -1
    return Answer(answer.status, answer.headers, body, sent=sent, held=name == "held")


spoil.unverified = False
spoil.issued = []

RUNS = [
    ("in-process", 1, {}),
    ("in-process", 2, {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}),
    ("in-process", 3, {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}),
    ("in-process", 4, {"ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml"}),
    ("in-process", 5, {"ANSIBLE_DISPLAY_TRACEBACK": "always"}),
    ("in-process", 6, {"ANSIBLE_DISPLAY_TRACEBACK": "always", "ANSIBLE_DEBUG": "1"}),
    ("shipped", 6, {"ANSIBLE_DISPLAY_TRACEBACK": "always"}),
    ("shipped", 3, {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.jsonl"}),
    ("ssh", 6, {"ANSIBLE_DISPLAY_TRACEBACK": "always"}),
    ("runner", 4, {"ANSIBLE_DISPLAY_TRACEBACK": "always"}),
]


def host(front_end: str, folder: Path) -> dict[str, Any]:
    """The inventory's host for a way to run."""
    if front_end == "ssh":
        fake = folder / "ssh"
        fake.write_text(FAKE_SSH)
        fake.chmod(0o755)
        ssh = {
            "ansible_connection": "ssh",
            "ansible_ssh_executable": str(fake),
            "ansible_ssh_transfer_method": "piped",
            "ansible_host": "127.0.0.1",
        }
        return ssh | {"ansible_python_interpreter": playbook.other_python()}
    python = playbook.other_python() if front_end == "shipped" else "{{ ansible_playbook_python }}"
    return {"ansible_connection": "local", "ansible_python_interpreter": python}


def prepare(front_end: str, folder: Path, plays: list[dict[str, Any]]) -> dict[str, str]:
    """Write playbook, inventory and variables; give the environment."""
    project = folder / "project"
    project.mkdir()
    (folder / "out" / "home").mkdir(parents=True)
    variables = {"marks": script.MARKS, "tokens": str(folder / "tokens"), "now_valid": "{{ marks.rotated }}"}
    (project / "marks.json").write_text(json.dumps(variables))
    (project / "play.json").write_text(json.dumps([one | {"vars_files": ["marks.json"]} for one in plays]))
    (folder / "tokens").mkdir(mode=0o700)
    playbook.write_inventory(folder / "inventory.json", {"venue": host(front_end, folder)}, {})
    return {
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLEEXAMPLE00",
        "AWS_SECRET_ACCESS_KEY": script.MARKS["secret_key"],
        "AWS_SESSION_TOKEN": script.MARKS["session_token"],
        "AWS_REGION": connections.REGION,
        "ANSIBLE_LOG_PATH": str(folder / "out" / "ansible.log"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "out" / "facts"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parents[1] / "support" / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "dump",
        "DUMP_FILE": str(folder / "out" / "dump"),
        "TMPDIR": str(folder / "out"),
    }


def play(front_end: str, verbosity: int, folder: Path, settings: dict[str, str]) -> None:
    """Run the play; all it says goes to files below ``out``."""
    environment = playbook.isolated_environment(folder / "out" / "home", settings)
    inventory, play = folder / "inventory.json", folder / "project" / "play.json"
    command = playbook.command_line(str(play), f"-{'v' * verbosity}", inventory=inventory)
    if front_end == "runner":
        (folder / "out" / "runner").mkdir()
        program = (
            "import sys, ansible_runner as r; s = sys.argv; sys.exit(r.run(private_data_dir=s[1], playbook=s[2], "
            "inventory=s[3], verbosity=int(s[4])).rc)"
        )
        command = [
            sys.executable,
            "-c",
            program,
            str(folder / "out" / "runner"),
            str(play),
            str(inventory),
            str(verbosity),
        ]
    with (folder / "out" / "stdout").open("wb") as output:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder / "out",
            stdout=output,
            stderr=output,
            timeout=playbook.TIMEOUT,
            check=False,
        )
    assert done.returncode == 0, (folder / "out" / "stdout").read_text()[-6000:]
    assert front_end != "runner" or list((folder / "out" / "runner").rglob("job_events/*.json")), (
        "no job events were written"
    )


@pytest.mark.parametrize(
    ("front_end", "verbosity", "extra"), RUNS, ids=lambda value: str(value) if not isinstance(value, dict) else ""
)
def test_no_secret_comes_out(
    proxy: FaultProxy, moto_server: Moto, tmp_path: Path, front_end: str, verbosity: int, extra: dict[str, str]
) -> None:
    set_up(moto_server)
    # Under ANSIBLE_DEBUG, a token is not issued on another host: ansible-core would print what the module returns.
    plays = script.play("venue", modules="ANSIBLE_DEBUG" not in extra)
    settings = prepare(front_end, tmp_path, plays) | {"AWS_ENDPOINT_URL": proxy.url} | extra
    spoil.issued = []
    proxy.set(spoil)
    with secrets_search.ProcessList() as processes:
        play(front_end, verbosity, tmp_path, settings)
    made = [one["Value"] for one in history(moto_server)]
    assert len(spoil.issued) > 8 and len(set(made)) > 1
    wanted = secrets_search.slices({*script.MARKS.values(), *spoil.issued, *made})
    found = {f"process list: {hit}" for hit in secrets_search.hits(b"\n".join(processes.seen), wanted)}
    for path, content in secrets_search.files_below(tmp_path / "out"):
        if front_end == "runner" and path.name == "command":
            # ansible-runner itself notes the environment it was started with, the admin's keys too:
            # docs/enforcement.md.
            assert path.stat().st_mode & 0o077 == 0
            continue
        found |= {f"{path.relative_to(tmp_path)}: {hit}" for hit in secrets_search.hits(content, wanted)}
        found |= {
            f"{path.relative_to(tmp_path)}: the MFA code"
            for _hit in re.findall(rf"mfa_token\W+{script.MFA_CODE}".encode(), content)
        }
    assert not found, "\n".join(sorted(found)[:20])
    assert b"arguments: " in (tmp_path / "out" / "dump").read_bytes(), "no callback was given a task's arguments"
    written = (tmp_path / "tokens" / "jdoe.json").read_bytes()
    assert secrets_search.hits(written, wanted), "the search finds nothing even where something is"


def history(server: Moto) -> list[dict[str, str]]:
    """Every value that the venue's parameter has had."""
    return list(
        server.client("ssm").get_parameter_history(Name="/unity/sbg/dev/cs/sts/role/external-id", WithDecryption=True)[
            "Parameters"
        ]
    )


@pytest.mark.parametrize("name", script.LIMITS)
def test_what_cannot_be_made_safe_is_documented(
    proxy: FaultProxy, moto_server: Moto, tmp_path: Path, name: str
) -> None:
    set_up(moto_server)
    settings = prepare("in-process", tmp_path, script.limit("venue", name)) | {"AWS_ENDPOINT_URL": proxy.url}
    spoil.issued = []
    proxy.set(spoil)
    play("in-process", 1, tmp_path, settings)
    shown = secrets_search.hits((tmp_path / "out" / "stdout").read_bytes(), secrets_search.slices(spoil.issued))
    # ansible-core 2.22 masks the keys of such a result as well.
    assert bool(shown) != NATIVE, "it is safe by now: correct the documentation"
    documentation = (Path(__file__).parents[2] / "docs" / "enforcement.md").read_text(encoding="utf-8")
    assert name in documentation
