# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""renew.sh of a lease's bundle, with real age, gpg, ssh-keygen and unzip, and a program in place of the AWS CLI."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _bundle as bundle,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _sealing as sealing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import (
    _signing as signing,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._renewal_place import RenewalPlace

from tests.support import people
from tests.support.programs import required
from tests.support.tokens import RECEIPT, TOKEN

SHELLS = ["dash", "bash", pytest.param("zsh", marks=required("zsh"))]
KEY = "mdps-venue-sts/renewals/unityuser/sbg_dev_unityuser.zip"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
# Instead of the AWS CLI: "objects" are files of the folder STORE.
AWS = """#!/bin/sh
echo "$AWS_ACCESS_KEY_ID ${AWS_PROFILE-no profile} $*" >>"$STORE/calls"
while [ $# -gt 1 ]; do [ "$1" = --key ] && key=$2; shift; done
[ -f "$STORE/${key##*/}" ] || { echo "An error occurred (AccessDenied): not allowed" >&2; exit 254; }
cp "$STORE/${key##*/}" "$1" && echo '{"ContentLength": 1}'
"""


@dataclass
class Lease:
    """A lease as its recipient has it: the folder of the first bundle, and what the bucket holds.

    :ivar public: the recipient's key, where it is not the only one that they have.
    """

    folder: Path
    store: Path
    path: str
    person: Any
    shell: str = "sh"
    options: sealing.SealOptions = field(default_factory=sealing.SealOptions)
    signed: str = ""
    public: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def zip(self, number: int, age: timedelta, life: timedelta = HOUR, **facts: Any) -> bytes:
        """The bundle of the token of this number."""
        issued, ends = self.now - age, self.now - age + life
        receipt = {**RECEIPT, "issued_at": iso(issued), "expires_at": iso(ends), **facts}
        keys = {**TOKEN["Credentials"], "AccessKeyId": f"ASIAEXAMPLE{number:09}", "Expiration": iso(ends)}
        more = RenewalPlace("sbg-dev-unity-data", KEY).files(receipt, self.signed)
        made = bundle.build_bundle(receipt, {**TOKEN, "Credentials": keys}, bundle.BundleSettings(), "x", more=more)
        return made.zip

    def start(self, age: timedelta, life: timedelta = HOUR) -> None:
        """Extract the first bundle."""
        zipfile.ZipFile(io.BytesIO(self.zip(1, age, life))).extractall(self.folder)

    def publish(self, content: bytes, options: sealing.SealOptions | None = None) -> None:
        """Seal a bundle and put it into the bucket."""
        keys = sealing.read_keys(self.public or self.person.public, people.NOW).usable
        sealed = sealing.seal(content, keys, options or self.options)
        name = KEY.rpartition("/")[2]
        (self.store / name).write_text(sealed.text)
        (self.store / f"{name}.sig").unlink(missing_ok=True)
        if sealed.signature:
            (self.store / f"{name}.sig").write_text(sealed.signature)

    def run(self, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the helper as an SDK does: no shell, from another folder."""
        home = getattr(self.person, "home", "")
        identity = [str(self.person.identity)] if hasattr(self.person, "identity") else []
        environment = {"PATH": self.path, "STORE": str(self.store), "GNUPGHOME": str(home), **more}
        return subprocess.run(
            [self.shell, str(self.folder / "renew.sh"), *identity],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def number(self) -> int:
        """Run it, and return the number of the token that it prints."""
        done = self.run()
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert set(document) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
        assert document["SessionToken"] == TOKEN["Credentials"]["SessionToken"]
        assert datetime.fromisoformat(document["Expiration"]) > self.now
        return int(document["AccessKeyId"].removeprefix("ASIAEXAMPLE"))

    @property
    def calls(self) -> list[str]:
        file = self.store / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def lease(tmp_path: Path) -> Lease:
    """A lease sealed to an age key, in a folder with a name that shells would interpret."""
    folder, store, programs = (tmp_path / name for name in ("Users Núñez/x & $(y)'s", "store", "bin"))
    for one in (folder, store, programs):
        one.mkdir(parents=True)
    (programs / "aws").write_text(AWS)
    (programs / "aws").chmod(0o755)
    return Lease(folder, store, f"{programs}:{os.environ['PATH']}", people.age_person(tmp_path))


@pytest.mark.parametrize("shell", SHELLS)
def test_fresh_keys_are_printed_without_a_call_and_with_an_early_end(lease: Lease, shell: str) -> None:
    lease.shell = shell
    lease.start(timedelta(minutes=40))
    lease.publish(lease.zip(2, timedelta(minutes=1)))
    document = json.loads(lease.run().stdout)
    assert document["AccessKeyId"].endswith("1") and lease.calls == []
    # Half of the margin of 15 minutes before the true end, which is in 20 minutes.
    assert datetime.fromisoformat(document["Expiration"]) == lease.now + timedelta(minutes=12, seconds=30)


@pytest.mark.parametrize("shell", SHELLS)
def test_in_the_last_quarter_of_an_hour_the_next_keys_are_fetched(lease: Lease, shell: str) -> None:
    lease.shell = shell
    lease.start(timedelta(minutes=46))
    lease.publish(lease.zip(2, timedelta(minutes=1)))
    assert [lease.number(), lease.number()] == [2, 2]
    (call,) = lease.calls
    assert call.startswith("ASIAEXAMPLE000000001 no profile s3api get-object") and f"--key {KEY} " in call
    modes = {one.name: one.stat().st_mode & 0o777 for one in lease.folder.iterdir()}
    assert modes["keys"] == 0o600 and not [one for one in modes if one.startswith("renewing")]


@pytest.mark.parametrize(("seconds", "fetched"), [(590, 0), (610, 1)])
def test_of_a_short_token_the_last_third(lease: Lease, seconds: int, fetched: int) -> None:
    lease.start(timedelta(seconds=seconds), timedelta(minutes=15))
    lease.number()
    assert len(lease.calls) == fetched


def test_the_profile_that_runs_it_is_not_used_for_the_fetch(lease: Lease) -> None:
    lease.start(timedelta(minutes=50))
    lease.publish(lease.zip(2, timedelta(minutes=1)))
    lease.run(AWS_PROFILE="123456789012-sbg-dev-lease", AWS_CREDENTIAL_EXPIRATION="2001-01-01T00:00:00Z")
    assert "no profile" in lease.calls[0]


def test_the_same_bundle_is_no_error(lease: Lease) -> None:
    lease.start(timedelta(minutes=50))
    lease.publish(lease.zip(1, timedelta(minutes=50)))
    done = lease.run()
    assert done.returncode == 0 and done.stderr == "" and len(lease.calls) == 1
    # A program that comes again only after the stated end comes in time for another attempt.
    assert datetime.fromisoformat(json.loads(done.stdout)["Expiration"]) == lease.now + timedelta(minutes=5)


def test_attempts_are_a_minute_apart_even_after_the_clock_was_set_back(lease: Lease) -> None:
    lease.start(timedelta(minutes=50))
    for _attempt in range(3):
        assert "AccessDenied" in lease.run().stderr or len(lease.calls) == 1
    assert len(lease.calls) == 1
    for moment in (lease.now - timedelta(minutes=2), lease.now + timedelta(days=400)):
        (lease.folder / "tried").write_text(f"{int(moment.timestamp())}\n")
        lease.number()
    assert len(lease.calls) == 3


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("text", ["", "\n", "08\n", "never\n", "1 + x\n", "9" * 40])
def test_a_damaged_record_of_the_last_attempt_stops_nothing(lease: Lease, shell: str, text: str) -> None:
    lease.shell = shell
    lease.start(timedelta(minutes=50))
    (lease.folder / "tried").write_text(text)
    lease.publish(lease.zip(2, MINUTE))
    assert lease.number() == 2
    assert int((lease.folder / "tried").read_text()) >= lease.now.timestamp()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_search_path_for_folders_changes_nothing(lease: Lease, tmp_path: Path, shell: str) -> None:
    lease.start(timedelta(minutes=30))
    (tmp_path / "elsewhere" / lease.folder.name).mkdir(parents=True)
    done = subprocess.run(
        [shell, f"{lease.folder.name}/renew.sh"],
        cwd=lease.folder.parent,
        env={"PATH": lease.path, "CDPATH": f"{tmp_path}/elsewhere:{lease.folder.parent}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["AccessKeyId"].endswith("1")


def cut(content: bytes, **members: str) -> bytes:
    """The bundle with other texts in it."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name in ("renewal.json", "credential_process.json"):
            text = zipfile.ZipFile(io.BytesIO(content)).read(name).decode()
            archive.writestr(name, members.get(name.partition(".")[0], text))
    return memory.getvalue()


WRONG: dict[str, Callable[[Lease], bytes]] = {
    "another account_id": lambda lease: lease.zip(2, MINUTE, account_id="210987654321"),
    "another role_arn": lambda lease: lease.zip(2, MINUTE, role_arn=f"{RECEIPT['role_arn']}x"),
    "another user": lambda lease: lease.zip(2, MINUTE, recipient="mallory"),
    "old or damaged": lambda lease: lease.zip(2, timedelta(minutes=51)),
    "damaged": lambda lease: lease.zip(2, MINUTE, -HOUR),
    "damaged.": lambda lease: lease.zip(2, timedelta(days=-3650)),  # later ones would seem to be old
    "or damaged.": lambda lease: lease.zip(2, MINUTE, timedelta(days=3650)),  # nothing would be fetched any more
    "or damaged": lambda lease: cut(lease.zip(2, MINUTE), renewal="{}"),
    "It is old": lambda lease: cut(lease.zip(2, MINUTE), credential_process="x" * 50_000),
    "": lambda lease: b"no zip file",
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_is_for_somebody_else_old_or_damaged_is_not_used(lease: Lease, reason: str) -> None:
    lease.start(timedelta(minutes=50))
    lease.publish(WRONG[reason](lease))
    done = lease.run()
    assert done.returncode == 0 and '"ASIAEXAMPLE000000001"' in done.stdout
    assert "no new credentials" in done.stderr and reason in done.stderr


@pytest.mark.parametrize("value", ['"; touch RAN; "', "$(touch RAN)", "`touch RAN`", "a\\u0022b", "%s%n", "a'b"])
def test_nothing_that_was_downloaded_is_run_or_breaks_the_output(lease: Lease, value: str) -> None:
    lease.start(timedelta(minutes=50))
    good = json.loads(zipfile.ZipFile(io.BytesIO(lease.zip(2, MINUTE))).read("credential_process.json"))
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        (lease.folder / "tried").unlink(missing_ok=True)
        forged = f'{{\n    "Version": 1,\n    "{name}": "{value}",\n'
        forged += "".join(f'    "{one}": "{good[one]}",\n' for one in good if one not in (name, "Version")) + "}\n"
        lease.publish(cut(lease.zip(2, MINUTE), credential_process=forged))
        document = json.loads(lease.run().stdout)
        assert value not in document.values()
    assert not list(lease.folder.rglob("RAN"))


@pytest.mark.parametrize(
    "text", ["", "nothing sealed\n", "-----BEGIN CMS-----\n", "-----BEGIN AGE ENCRYPTED FILE-----\n"]
)
def test_what_cannot_be_opened_leaves_the_keys(lease: Lease, text: str) -> None:
    lease.start(timedelta(minutes=50))
    (lease.store / KEY.rpartition("/")[2]).write_text(text)
    done = lease.run()
    assert done.returncode == 0 and '"ASIAEXAMPLE000000001"' in done.stdout and "no new credentials" in done.stderr


def test_after_the_end_it_says_what_to_do_and_a_new_bundle_in_the_folder_is_taken(lease: Lease) -> None:
    lease.start(timedelta(minutes=61))
    lease.publish(lease.zip(2, MINUTE))
    done = lease.run()
    assert done.returncode == 1 and done.stdout == "" and lease.calls == []
    ended = iso(lease.now - MINUTE)
    assert f"the credentials expired at {ended}" in done.stderr and str(lease.folder) in done.stderr
    zipfile.ZipFile(io.BytesIO(lease.zip(3, MINUTE))).extractall(lease.folder)
    assert lease.number() == 3


@pytest.mark.parametrize("shell", SHELLS)
def test_a_folder_that_cannot_be_written_any_more_gives_the_keys_that_it_has(lease: Lease, shell: str) -> None:
    lease.shell = shell
    lease.start(timedelta(minutes=50))
    lease.publish(lease.zip(2, MINUTE))
    programs = lease.store.parent / "bin"
    (programs / "mktemp").write_text("#!/bin/sh\necho 'Read-only file system' >&2; exit 1\n")
    (programs / "mktemp").chmod(0o755)
    unused = lease.run()
    assert (unused.returncode, unused.stdout) == (1, "")
    (programs / "mktemp").rename(programs / "later")
    assert lease.number() == 2
    (programs / "later").rename(programs / "mktemp")
    done = lease.run()
    assert done.returncode == 0 and '"ASIAEXAMPLE000000002"' in done.stdout and "Read-only" in done.stderr


def test_many_concurrent_runs_do_not_corrupt_the_keys(lease: Lease) -> None:
    lease.start(timedelta(minutes=50))
    lease.publish(lease.zip(2, MINUTE))
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _number: lease.number(), range(24)))
    assert set(numbers) <= {1, 2} and lease.number() == 2
    assert not list(lease.folder.glob("renewing*"))


class TestSigned:
    """A first bundle that was signed: the next ones must be signed by the same key."""

    @pytest.fixture
    def signers(self, tmp_path: Path) -> list[signing.SshSigner]:
        found = []
        for name in ("admin", "mallory"):
            (tmp_path / name).mkdir()
            signer = signing.read_signer(str(people.ssh_person(tmp_path / name).identity))
            assert isinstance(signer, signing.SshSigner)
            found.append(signer)
        return found

    def test_by_an_ssh_key(self, lease: Lease, signers: list[signing.SshSigner]) -> None:
        admin, mallory = signers
        lease.signed = admin.public
        lease.start(timedelta(minutes=50))
        for signer in (None, mallory):
            lease.publish(lease.zip(2, MINUTE), sealing.SealOptions(signer))
            (lease.folder / "tried").unlink(missing_ok=True)
            done = lease.run()
            assert '"ASIAEXAMPLE000000001"' in done.stdout and "no new credentials" in done.stderr
        lease.publish(lease.zip(2, MINUTE), sealing.SealOptions(admin))
        (lease.folder / "tried").unlink()
        assert lease.number() == 2

    def test_by_an_openpgp_key(
        self, lease: Lease, new_gpg_person: Callable[..., people.GpgPerson], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        admin, reader = new_gpg_person(), new_gpg_person()
        monkeypatch.setenv("GNUPGHOME", admin.home)
        lease.public = reader.public
        reader.gpg("--import", data=admin.public.encode())
        lease.person, lease.signed = reader, admin.fingerprint
        lease.start(timedelta(minutes=50))
        lease.publish(lease.zip(2, MINUTE))
        assert lease.number() == 1, "a bundle without signature was taken"
        lease.publish(lease.zip(2, MINUTE), sealing.SealOptions(signing.read_signer(admin.fingerprint)))
        (lease.folder / "tried").unlink()
        assert lease.number() == 2

    def test_an_openpgp_signature_is_not_forgotten_for_a_bundle_sealed_by_age(self, lease: Lease) -> None:
        lease.signed = "0123456789ABCDEF0123456789ABCDEF01234567"
        lease.start(timedelta(minutes=50))
        lease.publish(lease.zip(2, MINUTE))
        done = lease.run()
        assert '"ASIAEXAMPLE000000001"' in done.stdout and "not signed as the first one" in done.stderr


def test_without_a_signature_gpg_opens_as_well(lease: Lease, gpg_person: people.GpgPerson) -> None:
    lease.person = gpg_person
    lease.start(timedelta(minutes=50))
    lease.publish(lease.zip(2, MINUTE))
    assert lease.number() == 2


@pytest.mark.parametrize("name", [bundle.RENEW_SH, bundle.RENEW_PS1])
def test_each_is_small_enough_to_read(name: str) -> None:
    lines = (bundle.FILES / name).read_text().splitlines()
    assert len(lines) <= 60 and max(map(len, lines)) <= 120


def test_both_go_by_the_same_rules() -> None:
    """PowerShell is not on the machines that test this, so its text is compared."""
    shell, powershell = ((bundle.FILES / name).read_text() for name in (bundle.RENEW_SH, bundle.RENEW_PS1))
    for words in (
        *("account_id", "role_arn", "user", "issued_at", "expires_at", "signed", "s3api get-object"),
        *(
            "-I mdps-admin -n mdps-venue-sts -s",
            "--decrypt --identity",
            "--batch --status-file",
            "^.GNUPG:. VALIDSIG .*$signer",
        ),
        *(
            "--cli-connect-timeout 5 --cli-read-timeout 15",
            "900",
            "50000",
            "/ 3",
            "/ 15",
            "no new credentials",
            "the credentials expired at",
        ),
    ):
        assert words in shell and words.lower() in powershell.lower(), words
    assert not any(word in powershell for word in ("Invoke-Expression", "Invoke-WebRequest", "iex ", "DownloadString"))
    assert not any(word in shell for word in ("eval", "curl", "wget", ". ./", "source "))
