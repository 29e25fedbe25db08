# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Issue and hand-off as an admin runs them: one task, at every verbosity, in process and shipped, against moto."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import jsonschema
import pytest

pytest.importorskip("pyrage", reason="pyrage is not installed")
from tests.support import people, places
from tests.support.playbook import ansible_playbook
from tests.support.programs import required
from tests.support.provisioned import provision
from tests.support.servers import Moto

pytestmark = required("age")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "receipt.schema.json").read_text())
PASSWORD = "FAKE-header-value-5317"
CALLBACK = """
from ansible.plugins.callback import CallbackBase
import os


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "arguments"

    def v2_runner_on_ok(self, result):
        with open(os.environ["SEEN"], "a") as seen:
            print(repr(result._task_fields), repr(result._result), file=seen)

    v2_runner_on_failed = v2_runner_on_ok
"""


class Admin:
    """A folder with a key directory, a venue, and a play that issues a token for it."""

    def __init__(self, folder: Path, moto: Moto) -> None:
        self.folder, self.moto = folder, moto
        provision(moto, "sbg", "dev")
        self.person = people.age_person(folder)
        (folder / "keys").mkdir(mode=0o700)
        people.private_file(folder / "keys" / "jdoe.age", self.person.public)
        self.receipts_file = folder / "receipts.jsonl"

    def settings(self, **variables) -> dict:
        return {
            "handoff_key_directory": str(self.folder / "keys"),
            "handoff_dest": f"{self.folder}/out/",
            "handoff_receipts_file": str(self.receipts_file),
            "handoff_undelivered": str(self.folder / "undelivered"),
            **variables,
        }

    def issue(self, *options, shipped=False, env=None, **variables):
        include = {
            "ansible.builtin.include_role": {"name": "mdps.venue_sts.issue"},
            "vars": {
                "issue_project": "sbg",
                "issue_venue": "dev",
                "issue_user": "jdoe",
                **self.settings(**variables),
            },
        }
        return self.play(include, *options, shipped=shipped, env=env)

    def resend(self, kept, *options, **variables):
        include = {
            "ansible.builtin.include_role": {"name": "mdps.venue_sts.handoff"},
            "vars": {**self.settings(**variables), "handoff_resend": str(kept)},
        }
        return self.play(include, *options)

    def play(self, include, *options, shipped=False, env=None):
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [include]}
        play |= {"environment": {"SHIPPED": "yes"}} if shipped else {}
        (self.folder / "play.yml").write_text(json.dumps([play]))
        given = {**self.moto.environment(), **(env or {})}
        return ansible_playbook("play.yml", *options, env=given, cwd=self.folder)

    @property
    def states(self) -> list[str]:
        return [json.loads(line)["state"] for line in self.receipts_file.read_text().splitlines()]

    def opened(self, sealed: str) -> dict:
        archive = zipfile.ZipFile(io.BytesIO(self.person.open(sealed)))
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture
def admin(tmp_path, moto):
    return Admin(tmp_path, moto)


def secrets_in(text: str, token: dict) -> list[str]:
    keys = token["Credentials"]
    return [name for name in ("SecretAccessKey", "SessionToken") if keys[name] in text or keys[name][:20] in text]


@pytest.mark.parametrize("shipped", [False, True])
def test_a_token_goes_to_its_recipient_unseen(admin, shipped):
    plugins = admin.folder / "callbacks"
    plugins.mkdir()
    (plugins / "arguments.py").write_text(CALLBACK)
    seen = admin.folder / "seen"
    env = {
        "ANSIBLE_CALLBACK_PLUGINS": str(plugins),
        "ANSIBLE_CALLBACKS_ENABLED": "arguments",
        "SEEN": str(seen),
        "ANSIBLE_LOG_PATH": str(admin.folder / "log"),
    }
    run = admin.issue("-vvvvv", "--diff", shipped=shipped, env=env).expect()
    (file,) = (admin.folder / "out").iterdir()
    found = admin.opened(file.read_text())
    token = json.loads(found["token.json"])
    everything = run.output + seen.read_text() + (admin.folder / "log").read_text() + admin.receipts_file.read_text()
    assert secrets_in(everything, token) == []
    assert "venue_sts_token" in seen.read_text(), "the callback saw no task"
    assert admin.person.public in run.output and "age --decrypt" in run.output
    assert {"README.txt", "token.json"} <= set(found)
    assert admin.states == ["requested", "delivered"]
    for line in admin.receipts_file.read_text().splitlines():
        jsonschema.validate(json.loads(line), SCHEMA)


def test_the_screen_of_one_venue_fits(admin):
    playbook = ["mdps.venue_sts.issue", "-e", "project=sbg", "-e", "venue=dev", "-e", "user=jdoe"]
    variables = [word for name, value in admin.settings().items() for word in ("-e", f"{name}={value}")]
    run = ansible_playbook(*playbook, *variables, env=admin.moto.environment(), cwd=admin.folder).expect()
    shown = [line for line in run.output.splitlines() if "WARNING" not in line]
    assert len(shown) <= 25, run.output
    (file,) = (admin.folder / "out").iterdir()
    for words in ("jdoe", "sbg-dev", "read and write s3://", " UTC (60 minutes)", admin.person.public, str(file)):
        assert words in run.output
    assert people.run("sha256sum", file).decode().split()[0] in run.output


def test_output_shows_what_is_sealed(admin):
    run = admin.issue("-vvvv", handoff_channel="output").expect()
    armored = run.output[run.output.index("-----BEGIN AGE") :].partition("-----END AGE ENCRYPTED FILE-----")
    token = json.loads(admin.opened(armored[0] + armored[1] + "\n")["token.json"])
    assert secrets_in(run.output, token) == []


def test_a_failed_upload_hides_as_well_and_is_sent_again(admin, tmp_path):
    authority = places.Authority(tmp_path)
    with places.upload_server(authority.context(), 503) as server:
        https = {
            "url": f"https://127.0.0.1:{server.server_port}/drop/",
            "ca_file": str(authority.file),
            "headers": {"X-Key": PASSWORD},
        }
        failed = admin.issue("-vvvv", handoff_channel="https", handoff_https=https).expect(2)
        assert "answered 503" in failed.output and "without issuing again" in failed.output
        (kept,) = (admin.folder / "undelivered").iterdir()
        server.answer = 201
        run = admin.resend(kept, "-vvvv", handoff_channel="https", handoff_https=https).expect()
    token = json.loads(admin.opened(server.uploads[-1][3].decode())["token.json"])
    for text in (failed.output, run.output, admin.receipts_file.read_text()):
        assert PASSWORD not in text and secrets_in(text, token) == []
    assert admin.states == ["requested", "kept", "delivered"]


def test_check_mode_issues_nothing(admin):
    run = admin.issue("--check").expect()
    assert "checked only (check mode)" in run.output and admin.person.public in run.output
    assert not (admin.folder / "out").exists() and not admin.receipts_file.exists()


def test_a_user_without_a_key_gets_no_token(admin):
    (admin.folder / "keys" / "jdoe.age").unlink()
    assert "age-keygen -o key.txt" in admin.issue().expect(2).output
    assert not admin.receipts_file.exists()


@pytest.mark.parametrize("channel", ["slack", "mail"])
def test_slack_and_plain_mail_are_refused_in_the_words_of_the_procedure(admin, channel):
    run = admin.issue(handoff_channel=channel).expect(2)
    assert "Do not send this via slack or email, as it is sensitive information." in run.output


def test_a_shipped_task_is_refused_where_the_core_would_print_the_keys(admin):
    run = admin.issue(shipped=True, env={"ANSIBLE_DEBUG": "1"}).expect(2)
    assert "ANSIBLE_DEBUG is set" in run.output and not admin.receipts_file.exists()
