# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role handoff as an admin runs it: with ansible-playbook, at every verbosity, on a token that is plainly fake."""

from __future__ import annotations

import datetime
import io
import json
import shutil
import zipfile
from pathlib import Path

import jsonschema
import pytest

pytest.importorskip("pyrage", reason="pyrage is not installed")
from tests.support import people, places
from tests.support.playbook import ansible_playbook
from tests.support.tokens import RECEIPT, TOKEN

pytestmark = pytest.mark.skipif(not shutil.which("age"), reason="not installed: age (tools/debian.txt)")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "receipt.schema.json").read_text())
PASSWORD = "FAKE-header-value-5317"


def iso(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Admin:
    """A folder with a book, a token of now in a registered result, and a play that hands it over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.person = people.age_person(folder)
        (folder / "keys").mkdir()
        (folder / "keys" / "unityuser.age").write_text(self.person.public)
        now = datetime.datetime.now(datetime.UTC)
        ends = iso(now + datetime.timedelta(hours=1))
        self.token = {**TOKEN, "Credentials": {**TOKEN["Credentials"], "Expiration": ends}}
        began = dict.fromkeys(("requested_at", "issue_until", "issued_at"), iso(now))
        self.receipt = {**RECEIPT, **began, "expires_at": ends}
        people.private_file(folder / "token.json", json.dumps(self.token))
        self.receipts_file = folder / "receipts.jsonl"

    def run(self, *options, tasks_from="main", entries=None, **variables):
        settings = {
            "handoff_recipients": str(self.folder / "keys"),
            "handoff_dest": f"{self.folder}/out/",
            "handoff_receipts_file": str(self.receipts_file),
            "handoff_undelivered": str(self.folder / "undelivered"),
            **variables,
        }
        if entries is None:
            # As venue_sts_token's: registered, and hidden from output.
            entries = {
                "handoff_token": "{{ registered.content | b64decode | from_json }}",
                "handoff_receipt": self.receipt,
            }
        read = {
            "ansible.builtin.slurp": {"src": str(self.folder / "token.json")},
            "register": "registered",
            "no_log": True,
        }
        include = {
            "ansible.builtin.include_role": {"name": "mdps.venue_sts.handoff", "tasks_from": tasks_from},
            "vars": {**settings, **entries},
        }
        show = {
            "ansible.builtin.copy": {
                "content": "{{ handoff_result | default({}) | to_json }}",
                "dest": str(self.folder / "result"),
                "mode": "0600",
            }
        }
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [read, include, show]}]
        (self.folder / "play.yml").write_text(json.dumps(play))
        return ansible_playbook("play.yml", *options, env={}, cwd=self.folder)

    def secrets_in(self, text: str) -> list[str]:
        keys = self.token["Credentials"]
        return [name for name in ("SecretAccessKey", "SessionToken") if keys[name] in text or keys[name][:20] in text]


@pytest.fixture
def admin(tmp_path):
    return Admin(tmp_path)


def unzip(data: bytes) -> dict[str, str]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_token_goes_from_the_role_to_its_recipient_unseen(admin):
    run = admin.run("-vvvv", "--diff").expect()
    assert admin.secrets_in(run.output) == []
    assert admin.person.public in run.output and "age --decrypt" in run.output
    (file,) = (admin.folder / "out").iterdir()
    found = unzip(admin.person.open(file.read_text()))
    assert json.loads(found["token.json"]) == admin.token
    assert {"README.txt", "env.cmd", "env.ps1", "env.sh", "credentials", "credential_process.json"} <= set(found)
    assert "call env.cmd" in found["README.txt"]
    (line,) = admin.receipts_file.read_text().splitlines()
    jsonschema.validate(json.loads(line), SCHEMA)
    assert admin.secrets_in((admin.folder / "result").read_text()) == []


def test_output_shows_only_what_is_sealed(admin):
    run = admin.run("-vvvv", handoff_channel="output").expect()
    assert admin.secrets_in(run.output) == []
    assert "-----BEGIN AGE ENCRYPTED FILE-----" in run.output
    sealed = json.loads((admin.folder / "result").read_text())["sealed"]
    assert json.loads(unzip(admin.person.open(sealed))["token.json"]) == admin.token


def test_a_failed_upload_hides_as_well_and_is_resent(admin, tmp_path):
    authority = places.Authority(tmp_path)
    with places.upload_server(authority.context(), 503) as server:
        https = {
            "url": f"https://127.0.0.1:{server.server_port}/drop/",
            "ca_file": str(authority.file),
            "headers": {"X-Key": PASSWORD},
        }
        failed = admin.run("-vvvv", handoff_channel="https", handoff_https=https).expect(2)
        assert "answered 503" in failed.output and "without issuing again" in failed.output
        assert admin.secrets_in(failed.output) == [] and PASSWORD not in failed.output
        (kept,) = (admin.folder / "undelivered").iterdir()
        server.answer = 201
        run = admin.run(
            "-vvvv", "-e", f"handoff_resend={kept}", handoff_channel="https", handoff_https=https, entries={}
        ).expect()
    assert PASSWORD not in run.output + admin.receipts_file.read_text()
    assert json.loads(unzip(admin.person.open(server.uploads[-1][3].decode()))["token.json"]) == admin.token
    assert [json.loads(line)["handoff"]["delivered"] for line in admin.receipts_file.read_text().splitlines()] == [
        False,
        True,
    ]


def test_the_check_before_an_issue(admin):
    run = admin.run(tasks_from="check", entries={"handoff_user": "unityuser"}).expect()
    assert admin.person.public in run.output and not admin.receipts_file.exists()
    nobody = admin.run(tasks_from="check", entries={"handoff_user": "nobody"}).expect(2)
    assert "age-keygen -o key.txt" in nobody.output


def test_the_whole_role_in_check_mode(admin):
    run = admin.run("--check", entries={"handoff_token": None, "handoff_receipt": {"recipient": "unityuser"}}).expect()
    assert "checked, not sent (check mode)" in run.output
    assert not (admin.folder / "out").exists() and not admin.receipts_file.exists()


def test_a_swapped_key_is_warned_about(admin):
    admin.run().expect()
    other = people.age_person(admin.folder, "other")
    (admin.folder / "keys" / "unityuser.age").write_text(other.public)
    run = admin.run().expect()
    assert "[WARNING]: The key of unityuser is not the one that the last token was sealed to" in run.output


@pytest.mark.parametrize("channel", ["slack", "mail"])
def test_slack_and_plain_mail_are_refused_in_the_words_of_the_procedure(admin, channel):
    run = admin.run("-vvvv", handoff_channel=channel).expect(2)
    assert "Do not send this via slack or email, as it is sensitive information." in run.output
    assert admin.secrets_in(run.output) == []


@pytest.mark.parametrize("option", ["handoff_email", "handoff_token", "handoff_user", "handoff_channel"])
def test_a_token_in_the_wrong_place_is_not_quoted(admin, option):
    text = "{{ registered.content | b64decode }}{{ ' ' }}"
    run = admin.run("-vvvv", entries={"handoff_token": "x", "handoff_receipt": admin.receipt, option: text}).expect(2)
    assert admin.secrets_in(run.output) == []


def test_a_token_that_has_ended_is_told_with_its_end(admin):
    admin.receipt["expires_at"] = admin.token["Credentials"]["Expiration"] = "2026-01-02T03:04:05Z"
    people.private_file(admin.folder / "token.json", json.dumps(admin.token))
    assert "it ended at 2026-01-02T03:04:05Z: issue a new one" in admin.run().expect(2).output
