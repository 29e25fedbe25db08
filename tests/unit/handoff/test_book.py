# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The recipients book."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import InvalidInput, NoRecipientKey
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import book

from tests.support import people


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "keys"
    place.mkdir()
    return place


@pytest.mark.parametrize("name", ["jdoe", "jdoe.age", "jdoe.pub", "jdoe.txt"])
def test_a_folder(folder, tmp_path, name):
    person = people.age_person(tmp_path)
    (folder / name).write_text(person.public)
    (folder / "jdoe.smith.age").write_text("not his")
    found = book.find(str(folder), "jdoe", people.NOW)
    assert [one.fingerprint for one in found.keys] == [person.public]
    assert found.email == ""


def test_a_binary_certificate_in_a_folder(folder, tmp_path):
    card = people.card_holder(tmp_path)
    (folder / "jdoe@example.org.cer").write_bytes(
        people.run("openssl", "x509", "-outform", "DER", "-in", card.certificate)
    )
    found = book.find(str(folder), "jdoe@example.org", people.NOW)
    assert found.keys[0].kind == "smime" and found.email == "jdoe@example.org"


@pytest.mark.parametrize(
    "form",
    [
        lambda key: key,
        lambda key: [key],
        lambda key: {"key": key},
        lambda key: {"keys": [key], "email": "j@example.org"},
    ],
)
def test_a_variable(tmp_path, form):
    person = people.age_person(tmp_path)
    found = book.find({"jdoe": form(person.public)}, "jdoe", people.NOW)
    assert found.keys[0].fingerprint == person.public
    assert found.email in ("", "j@example.org")


@pytest.mark.parametrize("entry", [7, [7], {"fingerprint": "x"}, {"key": "age1", "mail": "x"}])
def test_an_entry_of_another_form(entry):
    with pytest.raises(InvalidInput, match="the entry of jdoe must be"):
        book.find({"jdoe": entry}, "jdoe", people.NOW)


@pytest.mark.parametrize("nobody", ["", {}, {"jdoe": None}, {"jdoe": []}, {"other": "age1"}])
def test_nobody(nobody, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jdoe.age").write_text("the folder one stands in is no book")
    with pytest.raises(NoRecipientKey, match="age-keygen"):
        book.find(nobody, "jdoe", people.NOW)


def test_an_empty_folder_and_none(folder):
    with pytest.raises(NoRecipientKey, match=str(folder)):
        book.find(str(folder), "jdoe", people.NOW)
    with pytest.raises(InvalidInput, match="there is no folder"):
        book.find(str(folder / "missing"), "jdoe", people.NOW)


@pytest.mark.parametrize("user", ["../jdoe", "/etc/passwd", ".jdoe", "", "a b", "jdoe\n", "x" * 65, "jdoë"])
def test_names_that_could_leave_the_folder(folder, user):
    with pytest.raises(InvalidInput, match="is not a user name"):
        book.find(str(folder), user, people.NOW)


def test_a_key_that_anybody_could_swap(folder, tmp_path):
    (folder / "jdoe.age").write_text(people.age_person(tmp_path).public)
    (folder / "jdoe.age").chmod(0o666)
    with pytest.raises(InvalidInput, match="anybody could swap a key"):
        book.find(str(folder), "jdoe", people.NOW)
    (folder / "jdoe.age").chmod(0o644)
    folder.chmod(0o777)
    with pytest.raises(InvalidInput, match="anybody could swap a key"):
        book.find(str(folder), "jdoe", people.NOW)


def test_a_bad_key_is_told_with_its_owner(folder, tmp_path):
    (folder / "jdoe.age").write_text(people.age_person(tmp_path).identity.read_text())
    with pytest.raises(InvalidInput, match="the key of jdoe is not fit: this is a private key"):
        book.find(str(folder), "jdoe", people.NOW)


def test_files_of_two_kinds(folder, tmp_path):
    (folder / "jdoe.age").write_text(people.age_person(tmp_path).public)
    (folder / "jdoe.pem").write_text(people.card_holder(tmp_path).public)
    with pytest.raises(InvalidInput, match="age, smime"):
        book.find(str(folder), "jdoe", people.NOW)
