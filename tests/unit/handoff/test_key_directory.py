# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The key directory: one file for each user, that nobody else may change, and a changed key needs a confirmation."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils import _files
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    InvalidInput,
    KeyChanged,
    NoRecipientKey,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _key_directory as key_directory
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._key_directory import ADDRESS, Holder, KeyDirectory
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._sealers.recipient import Recipient

from tests.support import people
from tests.support.users import let_somebody_write

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
OTHER = str(people.pyrage.x25519.Identity.generate().to_public())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "keys"
    place.mkdir(mode=0o700)
    return place


def find(source: Path | dict[str, Any], user: str = "jdoe", *, shared: bool = False) -> Holder:
    path, mapping = (str(source), None) if isinstance(source, Path) else ("~/.mdps/recipients", source)
    return KeyDirectory.from_options(path, mapping, shared=shared).find(user, people.NOW)


def add(folder: Path, name: str, text: str = AGE) -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("suffix", key_directory.SUFFIXES)
def test_a_file_is_called_after_its_user(folder: Path, suffix: str) -> None:
    add(folder, f"jdoe{suffix}")
    add(folder, "jdoe.smith.age", "not theirs")
    add(folder, "ajdoe.age", "not theirs")
    found = find(folder)
    assert ([one.fingerprint for one in found.keys], found.email, found.unusable) == ([AGE], "", ())


@pytest.mark.parametrize(
    "names",
    [("jdoe.age", "jdoe.txt"), ("jdoe.pub", "jdoe.asc"), ("jdoe.age", "jdoe.cer", "jdoe.keys")],
)
def test_several_files_of_one_user_are_refused_by_name(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        add(folder, name)
    with pytest.raises(InvalidInput, match=f"jdoe has several files: {' and '.join(sorted(names))}"):
        find(folder)


def test_a_file_belongs_to_one_user_only(folder: Path) -> None:
    add(folder, "jdoe.age", AGE)
    add(folder, "jdoe.age.age", OTHER)
    assert find(folder, "jdoe").keys[0].fingerprint == AGE
    assert find(folder, "jdoe.age").keys[0].fingerprint == OTHER


@pytest.mark.parametrize("name", ["JDoe.age", "jdoe.AGE", "JDOE.PUB", "jdoe", "jdoe.ssh"])
def test_another_case_or_suffix_is_not_the_user_but_named(folder: Path, name: str) -> None:
    add(folder, name)
    with pytest.raises(NoRecipientKey, match=rf"\({name} is not named jdoe with one of the suffixes \.age"):
        find(folder)


def test_the_name_is_compared_with_what_the_folder_lists(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that ignores case opens JDoe.age as jdoe.age, but lists it as it was created."""
    add(folder, "jdoe.age")
    monkeypatch.setattr(os, "listdir", lambda path: ["JDoe.age"])
    with pytest.raises(NoRecipientKey):
        find(folder)


def test_a_binary_certificate(folder: Path, tmp_path: Path) -> None:
    card = people.card_holder(tmp_path)
    file = folder / "jdoe@example.org.cer"
    file.write_bytes(people.run("openssl", "x509", "-outform", "DER", "-in", card.certificate))
    file.chmod(0o600)
    found = find(folder, "jdoe@example.org")
    assert (found.keys[0].kind, found.email) == ("smime", "jdoe@example.org")


@pytest.mark.parametrize(
    "form",
    [
        lambda key: key,
        lambda key: [key],
        lambda key: {"key": key},
        lambda key: {"keys": [key], "email": "j@example.org"},
    ],
)
def test_a_mapping(form: Callable[[str], Any]) -> None:
    found = find({"jdoe": form(AGE)})
    assert found.keys[0].fingerprint == AGE
    assert found.email in ("", "j@example.org")


@pytest.mark.parametrize("entry", [7, [7], {"fingerprint": "x"}, {"key": "age1", "mail": "x"}])
def test_an_entry_of_another_form(entry: Any) -> None:
    with pytest.raises(InvalidInput, match="public_keys: the entry of jdoe must be"):
        find({"jdoe": entry})


ADDRESSES = ["j.doe+unity@example.org", "o'brien@jpl.nasa.gov", "x@localhost"]
# What the email library changes, cuts or leaves out, and what mail servers without SMTPUTF8 do not take.
NOT_ADDRESSES = [
    "x@y.z.",
    "[x]@y.z",
    "a:b@c.d",
    "x@y.z:25",
    "ü@y.z",
    "x@exämple.org",
    ".x@y.z",
    "x..y@z",
    "x@-y.z",
    "<>",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_sent_as_it_is_written(address: str) -> None:
    assert ADDRESS.fullmatch(address)
    assert Address(addr_spec=address).addr_spec == address


@pytest.mark.parametrize("email", ["x", "a@b, c@d", "a@b\nBcc: x@y", 7, *NOT_ADDRESSES])
def test_an_email_that_is_none(email: Any) -> None:
    with pytest.raises(InvalidInput, match="the email of jdoe is not a single email address"):
        find({"jdoe": {"key": AGE, "email": email}})


@pytest.mark.parametrize("mapping", [{}, [], "age1", 7])
def test_a_mapping_that_is_empty_or_none(mapping: Any) -> None:
    with pytest.raises(InvalidInput, match="public_keys: must be a mapping"):
        KeyDirectory.from_options("keys", mapping)


@pytest.mark.parametrize("path", ["", "  "])
def test_a_folder_that_is_blank(path: str) -> None:
    with pytest.raises(InvalidInput, match="key_directory: must not be empty"):
        KeyDirectory.from_options(path, None)


@pytest.mark.parametrize("nobody", [{"jdoe": None}, {"jdoe": []}, {"other": AGE}])
def test_nobody_in_a_mapping(nobody: dict[str, Any]) -> None:
    with pytest.raises(NoRecipientKey, match=r"public_keys has no public key of jdoe\. .*age-keygen"):
        find(nobody)


def test_an_empty_folder_and_none(folder: Path) -> None:
    with pytest.raises(NoRecipientKey, match=rf"'{folder}' has no public key of jdoe\. .*age-keygen"):
        find(folder)
    with pytest.raises(InvalidInput, match="there is no folder"):
        find(folder / "missing")


@pytest.mark.parametrize("user", ["../jdoe", "/etc/passwd", ".jdoe", "", "a b", "jdoe\n", "x" * 65, "jdoë"])
def test_names_that_could_leave_the_folder(folder: Path, user: str) -> None:
    with pytest.raises(InvalidInput, match="is not a user name"):
        find(folder, user)


# Who may change a key


def test_what_others_may_write_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = add(folder, "jdoe.age")
    monkeypatch.setattr(_files, "_is_own_group", lambda gid: False)
    for place, mode, words in (
        (file, 0o606, f"the file '{file}' is writable by everyone. Run: chmod o-w '{file}'"),
        (file, 0o660, f"the file '{file}' is writable by the group"),
        (folder, 0o703, f"the folder '{folder}' is writable by everyone"),
        (folder, 0o1777, f"the folder '{folder}' is writable by everyone. Use another folder."),
        (folder, 0o770, f"the folder '{folder}' is writable by the group"),
        (folder.parent, 0o770, f"the folder '{folder.parent}' is writable by the group"),
        (folder.parent, 0o707, f"the folder '{folder.parent}' is writable by everyone"),
    ):
        before = place.stat().st_mode
        place.chmod(mode)
        with pytest.raises(InvalidInput) as caught:
            find(folder)
        assert words in caught.value.message
        place.chmod(before)
    assert find(folder).keys


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: object) -> list[str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)  # as a folder with mode 0300 does
    with pytest.raises(InvalidInput, match=r"^key_directory: '.*' cannot be read: Permission denied"):
        find(folder)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access control lists are read on Linux only")
def test_an_access_control_list_opens_neither_the_file_nor_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "_is_own_group", lambda gid: True)
    file = add(folder, "jdoe.age")
    for place in (file, folder):
        let_somebody_write(place)
        with pytest.raises(InvalidInput, match=rf"an access control list may make the .* '{place}'"):
            find(folder)
        assert find(folder, shared=True).keys
        place.chmod(0o700)
    assert find(folder).keys


def test_a_group_of_one_is_the_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "_is_own_group", lambda gid: True)
    add(folder, "jdoe.age").chmod(0o660)
    folder.chmod(0o770)
    assert find(folder).keys


def test_a_shared_folder_may_be_a_groups_but_not_everybodys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "_is_own_group", lambda gid: False)
    file = add(folder, "jdoe.age")
    for place in (file, folder, folder.parent):
        place.chmod(0o770)
    assert find(folder, shared=True).keys
    for place in (file, folder, folder.parent):
        place.chmod(0o777)
        with pytest.raises(InvalidInput, match="is writable by everyone"):
            find(folder, shared=True)
        place.chmod(0o770)


def test_another_owner_is_accepted_only_in_a_shared_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(folder, "jdoe.age")
    real = os.fstat

    def of_somebody_else(handle: int) -> os.stat_result:
        values = list(real(handle))
        values[4] = 4711
        return os.stat_result(values)

    monkeypatch.setattr(os, "fstat", of_somebody_else)
    with pytest.raises(InvalidInput, match=r"jdoe\.age' belongs to another user"):
        find(folder)
    assert find(folder, shared=True).keys


def test_what_is_not_a_regular_file_is_refused(folder: Path, tmp_path: Path) -> None:
    target = add(tmp_path, "elsewhere.age")
    (folder / "link.age").symlink_to(target)
    (folder / "dir.age").mkdir()
    os.mkfifo(folder / "fifo.age", 0o600)
    add(folder, "big.age", "#" * (key_directory.LONGEST_FILE + 1))
    for user, words in (
        ("link", "it is a symbolic link"),
        ("dir", "is not a file with a public key"),
        ("fifo", "is not a file with a public key"),
        ("big", "is not a file with a public key"),
    ):
        with pytest.raises(InvalidInput, match=words):
            find(folder, user)


# Keys


def test_a_bad_key_is_named_with_its_owner(folder: Path, tmp_path: Path) -> None:
    add(folder, "jdoe.age", people.age_person(tmp_path).identity.read_text())
    with pytest.raises(InvalidInput, match="the key of jdoe cannot be used: this is a private key"):
        find(folder)


def test_keys_of_two_kinds() -> None:
    with pytest.raises(InvalidInput, match=r"cannot be used: .*several kinds"):
        find({"jdoe": [AGE, CERTIFICATE]})


CERTIFICATE = (
    people.certificate(people.rsa.generate_private_key(public_exponent=65537, key_size=2048))
    .public_bytes(people.serialization.Encoding.PEM)
    .decode()
)


def test_what_cannot_be_sealed_to_is_named(folder: Path, tmp_path: Path) -> None:
    usable = people.ssh_person(tmp_path).public
    add(folder, "jdoe.keys", f"{usable}ecdsa-sha2-nistp256 AAAAE2VjZHNh jdoe@laptop\n")
    found = find(folder)
    assert len(found.keys) == 1
    assert found.unusable == (
        "The ssh key ecdsa-sha2-nistp256 jdoe@laptop cannot be sealed to, because age defines no encryption to ECDSA "
        "keys.",
    )


# A changed key


def person(*fingerprints: str) -> Holder:
    return Holder("jdoe", tuple(Recipient("age", b"", one) for one in fingerprints))


@pytest.mark.parametrize(
    ("keys", "known", "confirmed", "changed"),
    [
        (["A1"], [], [], False),
        (["A1"], ["A1"], [], False),
        (["A1"], ["A1", "B2"], [], False),
        (["A1"], ["a1"], [], False),
        (["SHA256:xy"], ["SHA256:xy"], [], False),
        (["B2"], ["A1"], ["B2"], True),
        (["B2"], ["A1"], ["b:2", "C3"], True),
        (["A1"], ["A1"], ["A1"], False),
        (["A1"], [], ["a 1"], False),
    ],
)
def test_keys_that_are_known_or_confirmed(
    keys: list[str], known: list[str], confirmed: list[str], changed: bool
) -> None:
    assert key_directory.check_fingerprints(person(*keys), known, confirmed) is changed


@pytest.mark.parametrize(
    ("keys", "known", "confirmed", "words", "kind"),
    [
        (["B2"], ["A1"], [], "the key of jdoe has changed. It is now B2; the last token was sealed to A1.", KeyChanged),
        (["A1", "B2"], ["A1"], [], "It is now B2", KeyChanged),
        (["SHA256:XY"], ["SHA256:xy"], [], "has changed", KeyChanged),
        (["B2"], ["A1"], ["A1"], "fingerprint B2, which is not one of those in the option", InvalidInput),
        (["A1", "B2"], ["A1", "B2"], ["A1"], "fingerprint B2", InvalidInput),
        (["B2"], [], ["A1"], "fingerprint B2", InvalidInput),
    ],
)
def test_keys_that_are_not(
    keys: list[str], known: list[str], confirmed: list[str], words: str, kind: type[InvalidInput]
) -> None:
    with pytest.raises(kind) as caught:
        key_directory.check_fingerprints(person(*keys), known, confirmed)
    assert words in caught.value.message


def test_where_receipts_were_not_read_a_key_must_be_confirmed() -> None:
    why = "s3://records has more receipts than are compared"
    two = person("A1", "B2")
    with pytest.raises(KeyChanged) as caught:
        key_directory.check_fingerprints(two, [], [], why)
    assert why in caught.value.message
    assert "fingerprints: ['A1', 'B2']" in caught.value.message
    assert key_directory.check_fingerprints(two, [], ["A1", "B2"], why) is False
    assert key_directory.check_fingerprints(person(), [], [], why) is False


def test_an_entry_with_key_and_keys_is_refused() -> None:
    with pytest.raises(InvalidInput, match="has both key and keys"):
        find({"jdoe": {"key": AGE, "keys": [AGE]}})
