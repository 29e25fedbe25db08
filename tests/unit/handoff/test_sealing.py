# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sealing, opened again by age, gpg and openssl."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mdps.venue_sts.plugins.filter.seal import FilterModule
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    InvalidInput,
    MissingDependency,
    SealingFailed,
    VenueError,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _sealing as sealing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._sealers import age, certificates, program
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support import people

SECRET = b"PLAINTEXT \x00\r\n\n\xff of a fake bundle"
NOW = people.NOW
PLAIN = sealing.SealOptions()


def read(material):
    return list(sealing.read_keys(material, NOW).usable)


def refusal(material) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(material)
    assert caught.value.facts == {"option": "recipients"}
    return caught.value.message


def rsa_key(bits: int = 2048):
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@pytest.fixture(params=["age", "ssh-ed25519", "ssh-rsa", "openpgp", "rsa", "p256", "p384"])
def person(request, tmp_path, gpg_person):
    makers = {
        "age": lambda: people.age_person(tmp_path),
        "ssh-ed25519": lambda: people.ssh_person(tmp_path),
        "ssh-rsa": lambda: people.ssh_person(tmp_path, "rsa"),
        "openpgp": lambda: gpg_person,
        "rsa": lambda: people.card_holder(tmp_path),
        "p256": lambda: people.card_holder(tmp_path, ec.generate_private_key(ec.SECP256R1())),
        "p384": lambda: people.card_holder(tmp_path, ec.generate_private_key(ec.SECP384R1())),
    }
    return makers[request.param]()


def test_the_owner_opens_it_with_the_tool_of_their_kind(person):
    sealed = sealing.seal(SECRET, read(person.public), PLAIN)
    assert person.open(sealed.text) == SECRET
    assert sealing.sealed_kind(sealed.text) == sealed.kind
    assert sealed.text.isascii()


def test_a_key_saved_by_powershell_is_read(person):
    plain = read(person.public)[0].fingerprint
    for form in (person.public.replace("\n", "\r\n").encode("utf-16"), b"\xef\xbb\xbf" + person.public.encode()):
        assert read(form)[0].fingerprint == plain


def test_several_recipients_each_open_it(tmp_path, gpg_person, new_gpg_person):
    groups = [
        [people.age_person(tmp_path), people.ssh_person(tmp_path)],
        [gpg_person, new_gpg_person(encryption="cv25519")],
        [people.card_holder(tmp_path, name="one"), people.card_holder(tmp_path, name="two")],
        [
            people.card_holder(tmp_path, name="three"),
            people.card_holder(tmp_path, ec.generate_private_key(ec.SECP521R1()), name="four"),
        ],
    ]
    for group in groups:
        sealed = sealing.seal(SECRET, [one for person in group for one in read(person.public)], PLAIN)
        assert len(sealed.fingerprints) == 2
        assert [person.open(sealed.text) for person in group] == [SECRET, SECRET]


def test_the_cipher_is_aes_256(tmp_path):
    for number, key in enumerate((rsa_key(), ec.generate_private_key(ec.SECP256R1()))):
        sealed = sealing.seal(SECRET, read(people.card_holder(tmp_path, key, name=str(number)).public), PLAIN)
        assert b"aes-256-cbc" in people.run(
            "openssl", "cms", "-cmsout", "-print", "-inform", "PEM", data=sealed.text.encode()
        )


def test_fingerprints_are_those_of_the_owners_tools(tmp_path, gpg_person):
    card, ssh, plain = people.card_holder(tmp_path), people.ssh_person(tmp_path), people.age_person(tmp_path)
    assert read(gpg_person.public)[0].fingerprint == gpg_person.fingerprint
    assert read(ssh.public)[0].fingerprint in people.run("ssh-keygen", "-l", "-f", ssh.identity).decode()
    assert (
        read(card.public)[0].fingerprint
        in people.run("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", card.certificate).decode()
    )
    assert read(plain.public)[0].fingerprint == plain.public


def test_names_that_keys_claim(tmp_path, gpg_person):
    assert read(gpg_person.public)[0].name == "Some Body <body@example.org>"
    assert read(people.card_holder(tmp_path).public)[0].name == "CN=Some Body"
    assert read(people.ssh_person(tmp_path).public)[0].name == "somebody@example.org"


def test_binary_forms(tmp_path, gpg_person):
    card = people.card_holder(tmp_path)
    der = people.run("openssl", "x509", "-outform", "DER", "-in", card.certificate)
    assert card.open(sealing.seal(SECRET, read(der), PLAIN).text) == SECRET
    assert gpg_person.open(sealing.seal(SECRET, read(gpg_person.gpg("--export")), PLAIN).text) == SECRET


def test_one_text_may_hold_several_age_keys_and_remarks(tmp_path):
    first, second = people.age_person(tmp_path, "first"), people.age_person(tmp_path, "second")
    found = read(f"# laptop\n{first.public}\n\n  {second.public}  \n")
    assert [one.fingerprint for one in found] == [first.public, second.public]


@pytest.mark.parametrize("copies", [300, 3_000])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_line_that_is_too_long_for_a_key_is_refused_immediately(tmp_path, copies, end):
    key = people.age_person(tmp_path, "ann").public
    started = time.process_time()
    assert "line 2 has" in refusal(f"{key}\n{key * copies}{end}")
    assert time.process_time() - started < 1


def test_a_file_of_long_lines_is_read_in_a_moment():
    line = "cert-authority ssh-ed25519 " + "a" * (age.LONGEST_LINE - 30)
    started = time.process_time()
    assert "cannot be sealed to" in refusal(f"{line}\n" * 60)
    assert time.process_time() - started < 3


def test_private_keys_are_refused_unquoted(tmp_path, gpg_person):
    card, ssh, plain = people.card_holder(tmp_path), people.ssh_person(tmp_path), people.age_person(tmp_path)
    bundled = card.public + card.key.read_text()
    private = [
        card.key.read_text(),
        bundled,
        ssh.identity.read_text(),
        f"# public key: {plain.public}\n{plain.identity.read_text()}",
        gpg_person.private,
    ]
    for material in [*private, gpg_person.gpg("--export-secret-keys")]:
        message = refusal(material)
        assert "private key" in message
        assert "SECRET" not in message and "PRIVATE" not in message


@pytest.mark.parametrize(
    ("material", "words"),
    [
        ("", "there is no key in it"),
        ("# only a remark", "there is no key in it"),
        ("age1qqq", "line 1 is not a complete age1"),
        ("# laptop\n\nssh-ed25519 AAAA", "line 3 is not a complete age1"),
        ("jdoe@example.org", "line 1 is not a complete age1"),
        ("Age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "line 1 is not a complete age1"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a complete certificate"),
        (b"\x30\x82garbage", "not a complete certificate"),
        (
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n",
            "not an OpenPGP public key",
        ),
        (b"\x99garbage", "not an OpenPGP public key"),
    ],
)
def test_what_is_no_key_is_named(material, words):
    assert words in refusal(material)


def test_weak_keys_are_refused(tmp_path, new_gpg_person):
    assert "too weak" in refusal(people.ssh_person(tmp_path, "rsa", 1024).public)
    assert "RSA 1024 bits" in refusal(new_gpg_person(encryption="rsa1024").public)
    assert "RSA 1024 bits" in refusal(people.card_holder(tmp_path, rsa_key(1024)).public)
    assert "EC 192 bits" in refusal(people.card_holder(tmp_path, ec.generate_private_key(ec.SECP192R1())).public)


def test_openpgp_keys_out_of_their_time_or_purpose_are_refused(new_gpg_person):
    assert "has expired" in refusal(new_gpg_person(at="20200101T000000!", expires="1d").public)
    assert "not valid yet" in refusal(new_gpg_person(at="20990101T000000!", expires="1y").public)
    assert "no valid subkey for encryption" in refusal(new_gpg_person(encryption="").public)


def test_a_revoked_openpgp_key_is_refused(new_gpg_person):
    person = new_gpg_person()
    certificate = (
        Path(person.home, "openpgp-revocs.d", f"{person.fingerprint}.rev")
        .read_text()
        .replace(":-----BEGIN", "-----BEGIN")
    )
    person.gpg("--import", data=certificate.encode())
    assert "is revoked" in refusal(person.public)


@pytest.mark.parametrize("first", [False, True], ids=["after the key", "before the key"])
@pytest.mark.parametrize("armored", [False, True], ids=["binary", "armored"])
def test_a_revocation_certificate_in_the_same_file_counts(new_gpg_person, armored, first):
    """It is a block of its own, which gpg applies only when it imports the file."""
    person = new_gpg_person()
    made = Path(person.home, "openpgp-revocs.d", f"{person.fingerprint}.rev").read_text().replace(":-----", "-----")
    revocation = made[made.index("-----BEGIN") :].encode()
    key = person.public.encode()
    if not armored:
        key, revocation = (person.gpg("--dearmor", data=one) for one in (key, revocation))
    assert read(key)
    assert "is revoked" in refusal(revocation + key if first else key + revocation)


def test_only_one_person_in_an_openpgp_file(gpg_person, new_gpg_person):
    both = gpg_person.gpg("--export") + new_gpg_person().gpg("--export")
    assert "exactly one person's key" in refusal(both)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"end": NOW - people.DAY / 2}, "expired at"),
        ({"start": NOW + people.DAY / 2}, "is not valid before"),
        ({"usage": "digital_signature"}, "is not for encryption"),
        ({"purpose": ExtendedKeyUsageOID.SERVER_AUTH}, "is not for email protection"),
        ({"authority": True}, "certificate authority"),
    ],
)
@pytest.mark.parametrize("make_key", [rsa_key, lambda: ec.generate_private_key(ec.SECP256R1())], ids=["rsa", "ec"])
def test_certificates_out_of_their_time_or_purpose_are_refused(tmp_path, make_key, facts, words):
    assert words in refusal(people.card_holder(tmp_path, make_key(), **facts).public)


def test_a_certificate_that_restricts_nothing_is_taken(tmp_path):
    assert read(people.card_holder(tmp_path, usage=None, purpose=None).public)


def test_a_key_that_only_signs_is_refused(tmp_path):
    assert "cannot be encrypted to" in refusal(
        people.card_holder(tmp_path, ed25519.Ed25519PrivateKey.generate()).public
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"), "has a key that can only sign"),
        (("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:SM2"), "a key or an extension of an unknown kind"),
        (("-newkey", "rsa:2048", "-addext", "keyUsage=DER:0404"), "is damaged"),
        (("-newkey", "rsa:2048", "-addext", "basicConstraints=DER:0101"), "is damaged"),
    ],
)
def test_what_the_key_cannot_do_or_the_library_cannot_read_is_refused(tmp_path, words, problem):
    """A key of RSASSA-PSS would be sealed to, but openssl decrypts nothing with it."""
    name = ["-config", "/dev/null", "-subj", "/CN=Some Body", "-addext", "subjectKeyIdentifier=hash"]
    made = people.run("openssl", "req", "-x509", "-nodes", "-keyout", str(tmp_path / "key"), *name, *words).decode()
    with pytest.raises(InvalidInput, match=problem):
        sealing.read_keys(made, datetime.now(UTC))
    start, end = NOW, datetime.now(UTC) + people.DAY
    mine = people.card_holder(tmp_path, start=start, end=end).public
    found = sealing.read_keys(made + mine, datetime.now(UTC))
    assert len(found.usable) == 1 and problem in found.unusable[0]


def der(pem: str):
    return x509.load_pem_x509_certificate(pem.encode())


FORMS = {
    "PEM": lambda found: "".join(found).encode(),
    "the other way round": lambda found: "".join(reversed(found)).encode(),
    "twice": lambda found: "".join(found * 2).encode(),
    "p7b": lambda found: pkcs7.serialize_certificates([der(one) for one in found], serialization.Encoding.DER),
    "p7b in PEM": lambda found: pkcs7.serialize_certificates([der(one) for one in found], serialization.Encoding.PEM),
    "BOM, CRLF": lambda found: b"\xef\xbb\xbf" + "".join(found).replace("\n", "\r\n").encode(),
    "old name": lambda found: "".join(found).replace(" CERTIFICATE", " X509 CERTIFICATE").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_certificate_with_those_of_its_chain_and_of_its_card(tmp_path, form):
    """As Windows exports it, and as a card has them: the one for encryption counts, and the others are named."""
    mine = people.card_holder(tmp_path)
    old = {"start": NOW - 3 * people.DAY, "end": NOW - people.DAY}
    signs = people.card_holder(tmp_path, name="signs", usage="digital_signature").public
    expired = people.card_holder(tmp_path, name="old", **old).public
    root = people.card_holder(tmp_path, name="root", authority=True, usage="key_cert_sign", subject="Agency").public
    found = sealing.read_keys(FORMS[form]([signs, mine.public, expired, root]), NOW)
    assert mine.open(sealing.seal(SECRET, found.usable, PLAIN).text) == SECRET
    assert len(found.usable) == 1 and len(found.unusable) == 2
    for words in ("is not for encryption", "expired at"):
        assert sum(f"cannot be sealed to, because it {words}" in one for one in found.unusable) == 1


def test_certificates_of_two_people_or_two_for_encryption_are_refused(tmp_path):
    mine = people.card_holder(tmp_path).public
    signs = people.card_holder(tmp_path, name="x", usage="digital_signature", subject="Another").public
    for other in (people.card_holder(tmp_path, name="two").public, signs):
        assert "holds 2 certificates: keep only the person's own" in refusal(mine + other)
    assert "is not for encryption" in refusal(people.card_holder(tmp_path, usage="digital_signature").public)
    assert "not a complete certificate" in refusal("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n")


def test_kinds_do_not_mix(tmp_path, gpg_person):
    mixed = read(people.age_person(tmp_path).public) + read(gpg_person.public)
    with pytest.raises(InvalidInput, match="age, openpgp"):
        sealing.seal(SECRET, mixed, PLAIN)
    with pytest.raises(InvalidInput, match="no public key is specified"):
        sealing.seal(SECRET, [], PLAIN)


def test_nothing_is_left_on_the_disk(tmp_path, monkeypatch, gpg_person):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sealing.seal(SECRET, read(gpg_person.public), PLAIN)
    sealing.seal(SECRET, read(people.card_holder(tmp_path, ec.generate_private_key(ec.SECP256R1())).public), PLAIN)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["card.key", "card.pem"]


def test_missing_libraries_and_programs_are_named(tmp_path, monkeypatch, gpg_person):
    keys = people.age_person(tmp_path).public, people.card_holder(tmp_path).public, gpg_person.public
    monkeypatch.setattr(age, "HAS_PYRAGE", False)
    monkeypatch.delattr(age, "pyrage")  # as after the failed import
    monkeypatch.setattr(certificates, "HAS_CRYPTOGRAPHY", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    for material, words in zip(
        keys, ("pip install pyrage", "pip install --upgrade cryptography", "gpg is not installed"), strict=True
    ):
        with pytest.raises(MissingDependency, match=words):
            read(material)


def test_a_program_that_refuses_or_hangs_is_quoted(monkeypatch):
    with pytest.raises(SealingFailed, match="openssl refused: Unable to load certificate"):
        program.run(["openssl", "x509", "-in", "/dev/null"])
    monkeypatch.setattr(program, "SECONDS", 0.01)
    with pytest.raises(SealingFailed, match="did not answer"):
        program.run(["sleep", "20"])


def test_the_filter(tmp_path):
    seal = FilterModule().filters()["seal"]
    one, two = people.age_person(tmp_path, "one"), people.age_person(tmp_path, "two")
    assert one.open(seal("a token", one.public)) == b"a token"
    assert two.open(seal(b"a token", [one.public, two.public])) == b"a token"


@pytest.mark.parametrize(
    ("secret", "recipients"),
    [
        ({"SecretAccessKey": "FAKESECRET"}, "age1"),
        ("FAKESECRET", {"a": 1}),
        ("FAKESECRET", [1]),
        ("FAKESECRET", "age1"),
    ],
)
def test_the_filter_fails_without_quoting_the_secret(secret, recipients):
    with pytest.raises(AnsibleFilterError) as caught:
        FilterModule().filters()["seal"](secret, recipients)
    assert "FAKESECRET" not in str(caught.value)
    assert not isinstance(caught.value, VenueError)


# Keys as people have them

PLUGIN_KEYS = [
    ("age1pq1" + "q" * 1900, "it is a post-quantum recipient, which the library pyrage does not support yet"),
    ("age1tagpq1" + "q" * 60, "it is a post-quantum recipient"),
    ("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "it needs the age plugin 'yubikey'"),
    ("age1se1qg8vwwqhztnh3vpt2nf2xwn7famktxlmp0nmkfltp8lkvzp8nafkqleh258", "it needs the age plugin 'se'"),
]
SSH_KEYS = [
    ("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTI jdoe@laptop", "age defines no encryption to ECDSA keys"),
    ("sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1l jdoe", "its private key is in a security key"),
    ("sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVj", "its private key is in a security key"),
    ("ssh-dss AAAAB3NzaC1kc3M jdoe", "DSA keys are too weak"),
    ("ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5", "it is a certificate of an ssh authority"),
]


@pytest.mark.parametrize(("line", "reason"), PLUGIN_KEYS + SSH_KEYS)
def test_a_key_that_cannot_be_sealed_to_says_why(tmp_path, line, reason):
    message = refusal(line)
    assert f"cannot be sealed to, because {reason}" in message
    assert "Ask for an age key or an ssh-ed25519 key." in message
    usable = people.age_person(tmp_path).public
    found = sealing.read_keys(f"{line}\n{usable}\n", NOW)
    assert [one.fingerprint for one in found.usable] == [usable]
    assert reason in found.unusable[0]


@pytest.mark.parametrize("form", ["Public key: {}", "# public key: {}", "public key:{}\r\n", "PUBLIC KEY: {}", " {} "])
def test_an_age_key_as_age_keygen_prints_it(tmp_path, form):
    person = people.age_person(tmp_path)
    for key in (person.public, person.public.upper()):
        assert person.open(sealing.seal(SECRET, read(form.format(key)), PLAIN).text) == SECRET
        assert read(form.format(key))[0].fingerprint == person.public


@pytest.mark.parametrize(
    "options",
    [
        "no-pty ",
        'from="10.0.0.0/8,*.example.org",no-pty ',
        'command="echo \\"a b\\" # c",restrict ',
        'environment="A=ssh-rsa B",no-port-forwarding\t',
    ],
)
def test_lines_of_an_authorized_keys_file(tmp_path, options):
    person = people.ssh_person(tmp_path)
    assert person.open(sealing.seal(SECRET, read(options + person.public), PLAIN).text) == SECRET
    assert read(options + person.public)[0].name == "somebody@example.org"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_key_as_putty_saves_it(tmp_path, kind, end):
    """The form of RFC 4716, with header lines that go on."""
    person = people.ssh_person(tmp_path, kind)
    words = person.public.split()
    data = "\n".join(words[1][start : start + 64] for start in range(0, len(words[1]), 64))
    head = 'Comment: "jdoe\'s \\\nlaptop"\nSubject: jdoe\n'
    text = f"---- BEGIN SSH2 PUBLIC KEY ----\n{head}{data}\n---- END SSH2 PUBLIC KEY ----\n".replace("\n", end)
    (found,) = read(text)
    assert found.name == "jdoe's laptop" and found.fingerprint == read(person.public)[0].fingerprint
    assert person.open(sealing.seal(SECRET, [found], PLAIN).text) == SECRET
    assert len(read(text + person.public.replace("\n", end))) == 2
    assert "not a complete" in refusal(text.replace("AAAA", "", 1))
    assert "not a complete" in refusal(text.replace("AAAA", "!", 1))


@pytest.mark.parametrize("form", ["{0}\t{1}\t{2}", "\u00a0{0} {1} {2}", "\u200b{0} {1} {2}\u200b"])
def test_a_key_copied_from_a_table_or_a_web_page(tmp_path, form):
    person = people.ssh_person(tmp_path)
    assert read(form.format(*person.public.split()))[0].fingerprint == read(person.public)[0].fingerprint


@pytest.mark.parametrize("form", ["Recipient: {}", "#    Recipient: {}\n"])
def test_a_recipient_as_a_plugin_prints_it_is_named(form):
    assert "needs the age plugin 'yubikey'" in refusal(form.format("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5"))


def test_the_keys_that_github_lists(tmp_path):
    rsa_person, person = people.ssh_person(tmp_path, "rsa"), people.ssh_person(tmp_path)
    weak = people.ssh_person(tmp_path, "rsa", 1024)
    bare = [" ".join(one.public.split()[:2]) for one in (rsa_person, person, weak)]
    found = sealing.read_keys("\n".join([*bare, SSH_KEYS[1][0], f"cert-authority {person.public}"]), NOW)
    assert len(found.usable) == 2 and len(found.unusable) == 3
    for words in ("RSA key under 2048 bits", "in a security key", "the key of an ssh authority"):
        assert any(words in one for one in found.unusable)
    for one in (rsa_person, person):
        assert one.open(sealing.seal(SECRET, found.usable, PLAIN).text) == SECRET


def test_a_comment_is_no_recipient_where_there_is_a_key(tmp_path):
    old, new = people.age_person(tmp_path, "old").public, people.age_person(tmp_path, "new").public
    for comment in (
        f"# public key: {old}",
        f"# Public key: {old}\r",
        f"# x\x0c{old}",
        f"# x\u2028{old}",
        f"# x\r{old}",
    ):
        assert [one.fingerprint for one in read(f"{comment}\n{new}\n")] == [new.strip()]
    assert [one.fingerprint for one in read(f"# created: today\n# public key: {old}\n")] == [old.strip()]


def test_half_a_file_of_powershell_is_no_key():
    with pytest.raises(InvalidInput):
        read("age1x".encode("utf-16") + b"x")
