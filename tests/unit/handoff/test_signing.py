# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures, checked by their recipients as the README says: a forged or changed bundle does not pass."""

from __future__ import annotations

import email
import io
import shlex
import stat
import subprocess
import zipfile
from email import policy
from pathlib import Path
from unittest.mock import Mock

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import DeliveryFailed, InvalidInput
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _sealing as sealing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _signing as signing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels.channel import Channel
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._channels.file import FileChannel
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._sealing import SealOptions

from tests.support import people

NAME = "sbg_dev_jdoe.zip.age"
DATA = b"a bundle \x00\r\n"


def keys(public: str):
    return sealing.read_keys(public, people.NOW).usable


def commands(lines: list[str], program: str) -> list[str]:
    return [line.strip() for line in lines if line.strip().startswith(program)]


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**people.os.environ, **environment},
    )


@pytest.fixture
def admin_ssh(tmp_path):
    folder = tmp_path / "admin"
    folder.mkdir()
    return people.ssh_person(folder).identity


@pytest.fixture
def admin_pem(tmp_path):
    """A PEM file with the admin's certificate, which is for signing, and its key."""
    card = people.card_holder(tmp_path, name="admin", usage="digital_signature")
    return people.private_file(tmp_path / "admin_both.pem", card.public + card.key.read_text())


def test_an_ssh_signature_is_checked_before_opening(tmp_path, admin_ssh):
    person = people.age_person(tmp_path)
    signer = signing.read_signer(str(admin_ssh))
    options = SealOptions(signer)
    options.check(keys(person.public), mail=False)
    sealed = sealing.seal(DATA, keys(person.public), options)
    assert person.open(sealed.text) == DATA
    assert sealed.signed_by == signer.fingerprint
    assert signer.fingerprint in people.run("ssh-keygen", "-l", "-f", admin_ssh).decode()
    lines = signer.verify_commands(NAME)
    (tmp_path / NAME).write_text(sealed.text)
    (tmp_path / f"{NAME}.sig").write_text(sealed.signature)
    (tmp_path / "signers.txt").write_text(commands(lines, signing.SIGNER)[0] + "\n")
    (command,) = commands(lines, "ssh-keygen")
    done = run(command, tmp_path)
    assert done.returncode == 0 and lines[-1].removeprefix("It must print: ") in done.stdout + done.stderr
    forged = sealing.seal(
        DATA, keys(person.public), SealOptions(signing.read_signer(str(people.ssh_person(tmp_path).identity)))
    )
    for text, signature in (
        (sealed.text + "\n", sealed.signature),
        (forged.text, sealed.signature),
        (forged.text, forged.signature),
    ):
        (tmp_path / NAME).write_text(text)
        (tmp_path / f"{NAME}.sig").write_text(signature)
        assert run(command, tmp_path).returncode != 0


@pytest.mark.parametrize("form", ["PEM", "PKCS8", "RFC4716"])
def test_an_ssh_key_of_any_form_signs(tmp_path, form):
    """PEM is what ssh-keygen wrote for RSA keys until OpenSSH 7.8; RFC4716 is its word for its own form."""
    path = tmp_path / "id_rsa"
    people.run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", form, "-N", "", "-f", path)
    person, signer = people.age_person(tmp_path), signing.read_signer(str(path))
    sealed = sealing.seal(DATA, keys(person.public), SealOptions(signer))
    (tmp_path / NAME).write_text(sealed.text)
    (tmp_path / f"{NAME}.sig").write_text(sealed.signature)
    lines = signer.verify_commands(NAME)
    (tmp_path / "signers.txt").write_text(commands(lines, signing.SIGNER)[0] + "\n")
    assert run(commands(lines, "ssh-keygen")[0], tmp_path).returncode == 0


def test_an_openpgp_signature_shows_when_opening(tmp_path, new_gpg_person, monkeypatch):
    person, admin, stranger = new_gpg_person(), new_gpg_person(), new_gpg_person()
    public = person.public
    person.gpg("--import", data=admin.public.encode())
    for signs, words in ((admin, "Good signature"), (stranger, "No public key")):
        monkeypatch.setenv("GNUPGHOME", signs.home)
        signer = signing.read_signer(signs.fingerprint)
        options = SealOptions(signer)
        options.check(keys(public), mail=False)
        sealed = sealing.seal(DATA, keys(public), options)
        (tmp_path / "x.zip.asc").write_text(sealed.text)
        command = commands(signer.verify_commands("x.zip.asc"), "gpg")[0]
        done = run(command.replace("gpg ", "gpg --batch --yes ", 1), tmp_path, GNUPGHOME=person.home)
        assert words in done.stderr
        assert (tmp_path / "x.zip").read_bytes() == DATA
        assert signer.fingerprint in "".join(done.stderr.split()) or signs is stranger


def signing_person(new_gpg_person, *, offline: bool):
    """Somebody who signs with a subkey, whose primary key may be elsewhere."""
    admin = new_gpg_person()
    admin.gpg("--quick-add-key", admin.fingerprint, "ed25519", "sign", "never")
    if offline:
        keys = admin.gpg("--export-secret-subkeys")
        admin.gpg("--yes", "--delete-secret-keys", admin.fingerprint)
        admin.gpg("--import", data=keys)
    return admin


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("named", ["primary", "subkey"])
def test_a_signature_of_a_subkey_shows_a_fingerprint_of_the_readme(
    tmp_path, new_gpg_person, monkeypatch, offline, named
):
    person, admin = new_gpg_person(), signing_person(new_gpg_person, offline=offline)
    public = person.public
    person.gpg("--import", data=admin.public.encode())
    listing = admin.gpg("--with-colons", "--list-keys").decode().splitlines()
    fingerprints = [line.split(":")[9] for line in listing if line.startswith("fpr")]
    monkeypatch.setenv("GNUPGHOME", admin.home)
    signer = signing.read_signer(fingerprints[0 if named == "primary" else -1])
    options = SealOptions(signer)
    options.check(keys(public), mail=False)
    (tmp_path / "x.zip.asc").write_text(sealing.seal(DATA, keys(public), options).text)
    lines = signer.verify_commands("x.zip.asc")
    trusting = ["--trust-model", "always"]  # gpg then shows the subkey's fingerprint alone
    command = commands(lines, "gpg")[0].replace("gpg ", shlex.join(["gpg", "--batch", "--yes", *trusting]) + " ", 1)
    done = run(command, tmp_path, GNUPGHOME=person.home)
    assert "Good signature" in done.stderr
    assert any(one in done.stderr for one in lines[-1].strip().split(" or ")), (lines, done.stderr)


def test_an_smime_signature_is_checked_with_the_senders_certificate(tmp_path, admin_pem):
    card = people.card_holder(tmp_path)
    signer = signing.read_signer(str(admin_pem))
    options = SealOptions(signer)
    options.check(keys(card.public), mail=False)
    sealed = sealing.seal(DATA, keys(card.public), options)
    (tmp_path / "x.zip.p7m").write_text(sealed.text)
    (tmp_path / "sender.pem").write_text((tmp_path / "admin.pem").read_text())
    decrypt, verify = commands(signer.verify_commands("x.zip.p7m"), "openssl")
    run(decrypt.replace("YOUR-PRIVATE-KEY-FILE", shlex.quote(str(card.key))), tmp_path)
    done = run(verify, tmp_path)
    assert done.returncode == 0 and "Verification successful" in done.stderr
    assert (tmp_path / "x.zip").read_bytes() == DATA
    fingerprint = people.run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", tmp_path / "admin.pem")
    assert signer.fingerprint in fingerprint.decode()
    (tmp_path / "sender.pem").write_text(people.card_holder(tmp_path, name="other").public)
    assert run(verify, tmp_path).returncode != 0


def test_signed_mail_has_its_signature_inside_the_encryption(tmp_path, admin_pem):
    card = people.card_holder(tmp_path)
    letter = b"Content-Type: text/plain\r\n\r\nhello\r\n"
    sealed = sealing.seal(letter, keys(card.public), SealOptions(signing.read_signer(str(admin_pem))), mail=True)
    inside = card.open(sealed.text)
    message = email.message_from_bytes(inside, policy=policy.SMTP)
    assert message.get_content_type() == "multipart/signed" and b"hello" in inside
    (tmp_path / "letter.eml").write_bytes(inside)
    done = run("openssl cms -verify -in letter.eml -nointern -noverify -certfile admin.pem", tmp_path)
    assert done.returncode == 0 and "hello" in done.stdout


def test_what_cannot_sign_is_refused_before_there_is_a_token(tmp_path, gpg_person, admin_ssh, admin_pem):
    age, card = keys(people.age_person(tmp_path).public), keys(people.card_holder(tmp_path).public)
    pgp = keys(gpg_person.public)
    ssh, pem = signing.read_signer(str(admin_ssh)), signing.read_signer(str(admin_pem))
    for options, recipients, mail, words in (
        (SealOptions(ssh), card, True, "an ssh key cannot sign mail"),
        (SealOptions(pem), age, False, "cannot sign what is sealed to a key of the kind age"),
        (SealOptions(pem), pgp, False, "of the kind openpgp"),
        (SealOptions(authenticated=True), age, False, "only for files that are sealed to certificates"),
        (SealOptions(authenticated=True), card, True, "only for files"),
    ):
        with pytest.raises(InvalidInput, match=words):
            options.check(recipients, mail=mail)


def test_keys_that_are_none_or_need_a_question(tmp_path, new_gpg_person, monkeypatch):
    locked = tmp_path / "locked"
    people.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", locked)
    open_key = people.private_file(tmp_path / "open.pem", "-----BEGIN PRIVATE KEY-----")
    open_key.chmod(0o644)
    text = people.private_file(tmp_path / "text", "hello")
    monkeypatch.setenv("GNUPGHOME", new_gpg_person().home)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for value, words in (
        (str(tmp_path / "missing"), "cannot be read"),
        (str(open_key), "other users can read the private key"),
        (str(text), "is not a key that can sign"),
        ("A" * 40, "gpg has no private key"),
    ):
        with pytest.raises(InvalidInput, match=words) as caught:
            signing.read_signer(value)
        assert caught.value.facts == {"option": "sign_with"}
    signer = signing.read_signer(str(locked))  # its public half may be in an agent
    with pytest.raises(InvalidInput, match="cannot be used without a passphrase prompt"):
        signer.check("age", mail=False)


@pytest.mark.parametrize("authenticated", [False, True])
def test_authenticated_encryption_notices_a_change(tmp_path, authenticated):
    card = people.card_holder(tmp_path)
    text = sealing.seal(DATA * 50, keys(card.public), SealOptions(authenticated=authenticated)).text
    assert card.open(text) == DATA * 50
    der = bytearray(people.run("openssl", "cms", "-cmsout", "-inform", "PEM", "-outform", "DER", data=text.encode()))
    der[-200] ^= 1
    changed = people.run("openssl", "base64", data=bytes(der)).decode()
    opened = subprocess.run(
        ["openssl", "cms", "-decrypt", "-binary", "-inform", "PEM", "-inkey", card.key, "-recip", card.certificate],
        input=f"-----BEGIN CMS-----\n{changed}-----END CMS-----\n".encode(),
        capture_output=True,
        check=False,
    )
    assert (opened.returncode == 0) is not authenticated
    assert opened.stdout != DATA * 50


# Through the whole hand-off


def test_a_signed_hand_off_puts_the_signature_beside_the_file(issuer, someone, admin_ssh):
    result = issuer(public_keys=someone.keys, sign_with=str(admin_ssh))
    sealed, signature = Path(result["path"]), Path(result["signature_path"])
    assert signature == sealed.with_name(f"{sealed.name}.sig")
    assert stat.S_IMODE(signature.stat().st_mode) == 0o600
    lines = result["how_to_verify"]
    (sealed.parent / "signers.txt").write_text(commands(lines, signing.SIGNER)[0] + "\n")
    assert run(commands(lines, "ssh-keygen")[0], sealed.parent).returncode == 0
    assert result["receipt"]["handoff"]["signed_by"] == signing.read_signer(str(admin_ssh)).fingerprint
    readme = zipfile.ZipFile(io.BytesIO(someone.open(sealed.read_text()))).read("README.txt").decode()
    assert all(line.strip() in readme for line in lines) and "certutil" not in readme


@pytest.mark.parametrize("name", ["token.age", "My Token (1).zip.age", "token", "token.zip", "R&D;x.zip.age"])
def test_the_lines_name_the_file_as_the_admin_has_called_it(issuer, someone, admin_ssh, name):
    """The line to open, the lines to verify and those in the README are typed as they are, by somebody in a shell."""
    result = issuer(public_keys=someone.keys, sign_with=str(admin_ssh), dest=str(issuer.folder / "out" / name))
    folder = Path(result["path"]).parent
    lines = result["how_to_verify"]
    (folder / "signers.txt").write_text(commands(lines, signing.SIGNER)[0] + "\n")
    assert run(commands(lines, "ssh-keygen")[0], folder).returncode == 0
    opened = run(result["how_to_open"].replace("YOUR-PRIVATE-KEY-FILE", shlex.quote(str(someone.identity))), folder)
    assert opened.returncode == 0, opened.stderr
    (archive,) = [one for one in folder.glob("*.zip") if zipfile.is_zipfile(one)]
    readme = zipfile.ZipFile(archive).read("README.txt").decode()
    assert all(line.strip() in readme for line in lines)


def test_what_a_certificate_has_signed_opens_to_signed_data_and_not_to_a_zip(issuer, tmp_path, admin_pem):
    """Also with the line to open alone, which is the one of gpgsm for a card."""
    card = people.card_holder(tmp_path)
    result = issuer(public_keys={"unityuser": card.public}, sign_with=str(admin_pem))
    folder, name = Path(result["path"]).parent, Path(result["path"]).name
    (folder / "sender.pem").write_text((tmp_path / "admin.pem").read_text())
    signed = f"{name.removesuffix('.p7m')}.p7s"
    assert f"gpgsm --output {signed} --decrypt {name}" in result["how_to_open"]
    assert f"  gpgsm --output {signed} --decrypt {name}" in result["how_to_verify"]
    decrypt, verify = commands(result["how_to_verify"], "openssl")
    assert run(decrypt.replace("YOUR-PRIVATE-KEY-FILE", shlex.quote(str(card.key))), folder).returncode == 0
    assert not (folder / signed).read_bytes().startswith(b"PK")
    assert run(verify, folder).returncode == 0
    assert (folder / name.removesuffix(".p7m")).read_bytes().startswith(b"PK")


def test_what_is_sent_again_says_as_well_how_to_verify_it(issuer, someone, admin_ssh, monkeypatch):
    def fail(self, parcel):
        raise DeliveryFailed("no")

    with monkeypatch.context() as patch, pytest.raises(DeliveryFailed) as caught:
        patch.setattr(FileChannel, "deliver", fail)
        issuer(public_keys=someone.keys, sign_with=str(admin_ssh))
    result = issuer.resend(caught.value.facts["kept"])
    folder, lines = Path(result["path"]).parent, result["how_to_verify"]
    (folder / "signers.txt").write_text(commands(lines, signing.SIGNER)[0] + "\n")
    assert run(commands(lines, "ssh-keygen")[0], folder).returncode == 0
    assert result["receipt"]["handoff"]["signed_by"] == signing.read_signer(str(admin_ssh)).fingerprint


def test_a_signed_file_is_not_sent_again_where_its_signature_would_be_replaced(issuer, someone, admin_ssh, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(DeliveryFailed) as caught:
        patch.setattr(FileChannel, "deliver", Mock(side_effect=DeliveryFailed("no")))
        issuer(public_keys=someone.keys, sign_with=str(admin_ssh))
    with pytest.raises(InvalidInput, match=r"https\.url: must end with a slash"):
        issuer.resend(caught.value.facts["kept"], channel="https", https={"url": "https://x.example.org/drop"})
    assert Path(caught.value.facts["kept"]).exists()


def test_a_channel_that_says_nothing_of_signatures_is_not_given_any(issuer, someone, admin_ssh, monkeypatch):
    monkeypatch.setattr(FileChannel, "CARRIES_SIGNATURE", Channel.CARRIES_SIGNATURE)
    with pytest.raises(InvalidInput, match=r"channel: file cannot deliver a signature"):
        issuer(public_keys=someone.keys, sign_with=str(admin_ssh))
    assert not issuer.lines


def test_the_lines_of_a_signature_follow_from_the_receipt_and_the_signature(tmp_path, admin_ssh):
    signer = signing.read_signer(str(admin_ssh))
    signature = signing.SshSigner.sign(signer, DATA)
    assert signing.verify_commands(NAME, signer.fingerprint, signature) == signer.verify_commands(NAME)
    other = signing.read_signer(str(people.ssh_person(tmp_path).identity))
    for signed_by, beside in ((other.fingerprint, signature), (signer.fingerprint, "-----x-----!!-----"), ("", "x")):
        assert signing.verify_commands(NAME, signed_by, beside) == []
    assert "  " + "A" * 40 in signing.verify_commands("x.zip.asc", "A" * 40)
    assert any("openssl cms -verify" in one for one in signing.verify_commands("x.zip.p7m", ":".join(["0A"] * 32)))


def test_the_output_has_the_signature_as_well(issuer, someone, admin_ssh):
    result = issuer(channel="output", public_keys=someone.keys, sign_with=str(admin_ssh))
    assert result["signature"].startswith("-----BEGIN SSH SIGNATURE-----")


def test_what_could_not_be_delivered_keeps_its_signature(issuer, someone, admin_ssh, monkeypatch):
    def fail(self, parcel):
        raise DeliveryFailed("no")

    with monkeypatch.context() as patch, pytest.raises(DeliveryFailed) as caught:
        patch.setattr(FileChannel, "deliver", fail)
        issuer(public_keys=someone.keys, sign_with=str(admin_ssh))
    kept = Path(caught.value.facts["kept"])
    before = kept.with_name(f"{kept.name}.sig").read_text()
    result = issuer.resend(kept)
    assert Path(result["signature_path"]).read_text() == before
    assert not list(issuer.undelivered.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"channel": "email", "email": {"host": "x.example.org", "sender": "a@b.c", "to": "d@e.f"}},
            "cannot sign mail",
        ),
        ({"channel": "https", "https": {"url": "https://x.example.org/drop"}}, "https.url: must end with a slash"),
    ],
)
def test_a_channel_that_cannot_carry_a_signature_issues_nothing(issuer, tmp_path, admin_ssh, options, words):
    card = people.card_holder(tmp_path)
    with pytest.raises(InvalidInput, match=words):
        issuer(public_keys={"unityuser": card.public}, sign_with=str(admin_ssh), **options)
    assert not issuer.lines
