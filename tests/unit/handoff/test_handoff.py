# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The whole hand-off, from a fake token to what its recipient finds."""

from __future__ import annotations

import io
import json
import re
import resource
import signal
import stat
import zipfile
from pathlib import Path

import jsonschema
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import (
    DeliveryFailed,
    InvalidInput,
    NoRecipientKey,
    ReceiptNotKept,
    SealingFailed,
)
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import sealing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils.handoff import ARGUMENT_SPEC, secrets_of

from tests.support import people

SCHEMA = json.loads((Path(__file__).parents[2] / "support" / "receipt.schema.1.json").read_text())
STEM = "sbg-dev-unityuser-20260315T000507Z"


def unzip(data: bytes) -> dict[str, str]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    return {name: archive.read(name).decode() for name in archive.namelist()}


def tree(folder: Path) -> str:
    return "".join(file.read_bytes().decode(errors="replace") for file in folder.rglob("*") if file.is_file())


def no_secret(token, *texts) -> bool:
    keys = token["Credentials"]
    return not any(keys[name] in text for text in texts for name in ("SecretAccessKey", "SessionToken"))


def test_a_sealed_file_that_its_recipient_opens(desk, someone, token):
    result = desk(recipients=someone.book)
    path = Path(result["path"])
    assert path == desk.folder / "out" / f"{STEM}.zip.age"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    found = unzip(someone.open(path.read_text()))
    assert json.loads(found["token.json"]) == token
    assert result["how_to_open"] == f"age --decrypt --identity YOUR-PRIVATE-KEY-FILE --output {STEM}.zip {STEM}.zip.age"
    assert result["recipient_keys"] == [{"kind": "age", "fingerprint": someone.public, "name": ""}]
    assert (result["changed"], result["delivered"], result["user"], result["channel"]) == (
        True,
        True,
        "unityuser",
        "file",
    )


@pytest.mark.parametrize("channel", ["file", "output"])
def test_no_secret_is_on_disk_or_in_the_result(desk, someone, token, channel):
    result = desk(channel=channel, recipients=someone.book)
    assert no_secret(token, json.dumps(result), tree(desk.folder), *desk.warnings)


def filled(spec, path=""):
    """A text in the place of each option that no log may show, in the form that the option wants; None in the others'."""
    return {
        name: filled(one["options"], f"{path}{name}.") if "options" in one
        else None if not one.get("no_log") else {"x": f"secret {path}{name}"} if one["type"] == "dict" else f"secret {path}{name}"
        for name, one in spec.items()
    }  # fmt: skip


def test_every_option_that_no_log_may_show_is_known_as_a_secret():
    options = filled(ARGUMENT_SPEC)
    secrets = set(re.findall(r"secret [\w.]+", json.dumps(options)))
    assert secrets == secrets_of(options)
    assert len(secrets) >= 3


def test_the_output_channel_returns_what_is_sealed(desk, someone, token):
    result = desk(channel="output", recipients=someone.book)
    assert json.loads(unzip(someone.open(result["sealed"]))["token.json"]) == token
    assert not (desk.folder / "out").exists()


def test_a_file_may_be_named(desk, someone):
    target = desk.folder / "for" / "lft.age"
    assert desk(recipients=someone.book, dest=str(target))["path"] == str(target)
    folder = desk.folder / "there"
    folder.mkdir()
    assert desk(recipients=someone.book, dest=str(folder))["path"] == str(folder / f"{STEM}.zip.age")


def test_unsealed_only_when_insisted_on(desk, token):
    result = desk(unsealed=True)
    assert json.loads(unzip(Path(result["path"]).read_bytes())["token.json"]) == token
    assert stat.S_IMODE(Path(result["path"]).stat().st_mode) == 0o600
    assert "unsealed" in desk.warnings[0] and "Do not send this via slack or email" in desk.warnings[0]
    (receipt,) = desk.receipts
    assert (receipt["handoff"]["sealed_with"], receipt["handoff"]["sealed_to"]) == (None, [])
    jsonschema.validate(receipt, SCHEMA)


def test_the_receipt(desk, someone, receipt):
    result = desk(recipients=someone.book)
    (line,) = desk.receipts
    assert line == result["receipt"]
    jsonschema.validate(line, SCHEMA)
    handoff = line.pop("handoff")
    assert line == receipt
    digest = people.run("sha256sum", result["path"]).decode().split()[0]
    assert handoff == {
        "at": "2026-03-15T00:05:08Z", "channel": "file", "delivered": True, "target": result["path"], "problem": None, "file": f"{STEM}.zip.age",
        "sealed_with": "age", "sealed_to": [someone.public], "sealed_sha256": digest, "key_changed": False, "resent": False,
    }  # fmt: skip
    assert stat.S_IMODE(desk.receipts_file.stat().st_mode) == 0o600


def test_check_mode_checks_without_a_token_and_writes_nothing(desk, someone):
    before = sorted(desk.folder.rglob("*"))
    result = desk(True, user="unityuser", token=None, receipt=None, recipients=someone.book)
    assert result["recipient_keys"][0]["fingerprint"] == someone.public and not result["delivered"]
    assert sorted(desk.folder.rglob("*")) == before


def test_a_swapped_key_is_told(desk, tmp_path):
    first, second = people.age_person(tmp_path, "first"), people.age_person(tmp_path, "second")
    desk(recipients={"unityuser": first.public})
    desk(recipients={"unityuser": first.public})
    assert not desk.warnings
    desk(True, recipients={"unityuser": second.public})
    (warning,) = desk.warnings
    assert first.public in warning and second.public in warning and "telephone" in warning
    assert desk(recipients={"unityuser": second.public})["receipt"]["handoff"]["key_changed"]
    jsonschema.validate(desk.receipts[-1], SCHEMA)
    # Said twice, in the check and in the run; the next time the new key is the known one.
    desk(recipients={"unityuser": second.public})
    assert len(desk.warnings) == 2


def test_a_key_that_is_added_is_told_and_one_that_is_dropped_is_not(desk, tmp_path):
    first, second = people.age_person(tmp_path, "first"), people.age_person(tmp_path, "second")
    desk(recipients={"unityuser": first.public})
    desk(recipients={"unityuser": [first.public, second.public]})
    assert len(desk.warnings) == 1
    desk(recipients={"unityuser": first.public})
    assert len(desk.warnings) == 1


def test_somebody_elses_new_key_is_no_news(desk, someone, tmp_path, receipt):
    desk(recipients=someone.book)
    desk(receipt={**receipt, "recipient": "jdoe"}, recipients={"jdoe": people.age_person(tmp_path, "jdoe").public})
    assert not desk.warnings


def test_no_key_on_file(desk):
    with pytest.raises(NoRecipientKey, match=r"age-keygen -o key.txt.*gpg --armor --export.*PIV") as caught:
        desk(recipients={})
    assert "\n" not in caught.value.message
    # The token is out all the same: it is recorded, and what came of it.
    (receipt,) = desk.receipts
    assert receipt["handoff"]["delivered"] is False and "No public key" in receipt["handoff"]["problem"]
    assert caught.value.facts["receipt"] == receipt
    jsonschema.validate(receipt, SCHEMA)


def test_a_program_that_fails_leaves_a_receipt_and_no_bundle(desk, someone, token, monkeypatch):
    def fail(data, recipients):
        raise SealingFailed("gpg refused: no")

    monkeypatch.setattr(sealing, "seal", fail)
    with pytest.raises(SealingFailed):
        desk(recipients=someone.book)
    assert [one["handoff"]["problem"] for one in desk.receipts] == ["gpg refused: no"]
    assert no_secret(token, tree(desk.folder))


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"user": "jdoe"}, "user"),
        ({"receipt": {"recipient": "unityuser"}}, "receipt"),
        ({"receipt": None, "user": "unityuser"}, "receipt"),
        ({"receipt": None}, "user"),
        ({"token": "not a token FAKE"}, "token"),
        ({"token": {"Credentials": {"AccessKeyId": "ASIAFAKE"}}}, "token"),
        ({"fingerprints": ["age1other"]}, "fingerprints"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"receipts_s3": "https://bucket/x"}, "receipts_s3"),
        ({"receipts_ssm_path": "unity/x"}, "receipts_ssm_path"),
        ({"receipts_file": "/"}, "receipts_file"),
        ({"readme_template": "/nowhere"}, "readme_template"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_sealed(desk, someone, options, option):
    with pytest.raises(InvalidInput) as caught:
        desk(recipients=someone.book, **options)
    assert caught.value.facts["option"] == option
    assert "FAKE" not in caught.value.message
    assert not (desk.folder / "out").exists() and not desk.undelivered.exists()


def test_a_receipt_of_another_token_is_refused(desk, someone, receipt):
    with pytest.raises(InvalidInput, match="belongs to another token"):
        desk(recipients=someone.book, receipt={**receipt, "access_key_id": "ASIAOTHER"})


def test_a_token_that_has_ended_is_not_sent(desk, someone):
    desk.now += people.DAY
    with pytest.raises(InvalidInput, match="it ended at 2026-03-15T01:05:07Z: issue a new one"):
        desk(recipients=someone.book)


def test_wanted_fingerprints(desk, someone, gpg_person):
    assert desk(recipients=someone.book, fingerprints=[someone.public])["delivered"]
    spaced = " ".join(gpg_person.fingerprint.lower()[at : at + 4] for at in range(0, 40, 4))
    assert desk(recipients={"unityuser": gpg_person.public}, fingerprints=[spaced])["delivered"]


@pytest.fixture
def full_disk():
    """No file may grow: what a write meets on a full disk, but for the error's number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(most):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[0][1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before[0])
    signal.signal(signal.SIGXFSZ, before[1])


def test_a_full_disk_loses_nothing(desk, someone, token, full_disk):
    full_disk(100)
    with pytest.raises(DeliveryFailed) as caught:
        desk(recipients=someone.book)
    full_disk(resource.RLIM_INFINITY)
    facts = caught.value.facts
    # Neither the file nor the copy nor the receipt could be written: all of it is in the result.
    assert json.loads(unzip(someone.open(facts["sealed"]))["token.json"]) == token
    jsonschema.validate(facts["receipt"], SCHEMA)
    assert (
        facts["delivered"] is False
        and "stands in this result" in caught.value.message
        and "receipt could not be added" in caught.value.message
    )
    assert not [
        file for file in desk.folder.rglob("*") if file.is_file() and "someone" not in file.name and file.stat().st_size
    ]


def test_a_full_disk_under_the_target_alone(desk, someone):
    (desk.folder / "blocked").touch()
    with pytest.raises(
        DeliveryFailed, match="without issuing again, while the token lasts: -e handoff_resend="
    ) as caught:
        desk(recipients=someone.book, dest=f"{desk.folder}/blocked/x/")
    kept = Path(caught.value.facts["kept"])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert unzip(someone.open(kept.read_text()))


def test_what_is_unsealed_is_not_kept_elsewhere(desk, token):
    (desk.folder / "blocked").touch()
    with pytest.raises(DeliveryFailed, match="issue again") as caught:
        desk(unsealed=True, dest=f"{desk.folder}/blocked/x/")
    assert not desk.undelivered.exists() and "sealed" not in caught.value.facts
    assert no_secret(token, str(caught.value.facts))


def test_resending_needs_no_token_and_no_key(desk, someone, token):
    (desk.folder / "blocked").touch()
    with pytest.raises(DeliveryFailed) as caught:
        desk(recipients=someone.book, dest=f"{desk.folder}/blocked/x/")
    result = desk(token=None, receipt=None, resend=caught.value.facts["kept"])
    assert json.loads(unzip(someone.open(Path(result["path"]).read_text()))["token.json"]) == token
    first, second = desk.receipts
    assert (first["handoff"]["delivered"], second["handoff"]["delivered"], second["handoff"]["resent"]) == (
        False,
        True,
        True,
    )
    for field in ("sealed_to", "sealed_sha256", "file"):
        assert first["handoff"][field] == second["handoff"][field]
    assert first["access_key_id"] == second["access_key_id"]
    jsonschema.validate(second, SCHEMA)
    assert not list(desk.undelivered.iterdir()), "delivered, yet still among the undelivered"


def test_resending_that_fails_again_keeps_the_file(desk, someone):
    kept = desk(recipients=someone.book)["path"]
    (desk.folder / "blocked").touch()
    with pytest.raises(DeliveryFailed, match=kept):
        desk(token=None, receipt=None, resend=kept, dest=f"{desk.folder}/blocked/x/")
    assert Path(kept).exists()
    assert desk.receipts[-1]["handoff"]["delivered"] is False


def test_resending_in_place_does_not_remove_the_file(desk, someone):
    kept = desk(recipients=someone.book, dest=f"{desk.undelivered}/")["path"]
    assert desk(token=None, receipt=None, resend=kept, dest=f"{desk.undelivered}/")["path"] == kept
    assert Path(kept).exists()


def test_resending_what_ended_is_refused(desk, someone):
    kept = desk(recipients=someone.book)["path"]
    desk.now += people.DAY
    with pytest.raises(InvalidInput, match="issue a new one"):
        desk(token=None, receipt=None, resend=kept)


def test_resending_without_a_receipt_is_possible_and_told(desk, someone):
    kept = desk(recipients=someone.book)["path"]
    desk.receipts_file.unlink()
    assert desk(token=None, receipt=None, resend=kept, channel="output")["sealed"] == Path(kept).read_text()
    assert "No receipt" in desk.warnings[0] and not desk.receipts


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04 a zip", b'{"Credentials": {"SecretAccessKey": "FAKE"}}', b"Subject: plain\r\n\r\nFAKE"]
)
def test_resending_what_is_not_sealed_is_refused(desk, content):
    file = desk.folder / "plain"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"is not sealed\. The procedure says") as caught:
        desk(token=None, receipt=None, channel="https", https={"url": "https://lft.example.org"}, resend=str(file))
    assert "FAKE" not in caught.value.message
    with pytest.raises(InvalidInput, match="cannot be read"):
        desk(token=None, receipt=None, resend=str(desk.folder / "missing"))


def test_a_receipt_that_cannot_be_kept_is_in_the_result(desk, someone):
    with pytest.raises(ReceiptNotKept, match=r"The token was delivered.*/dev/full: No space left on device") as caught:
        desk(recipients=someone.book, receipts_file="/dev/full")
    assert caught.value.facts["delivered"] is True and Path(caught.value.facts["path"]).exists()
    jsonschema.validate(caught.value.facts["receipt"], SCHEMA)
