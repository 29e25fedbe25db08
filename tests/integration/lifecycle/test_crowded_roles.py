# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``venue_sts_revocation`` where forged receipts name more sessions than fit on the role, against moto."""

from __future__ import annotations

import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.receipts import Receipt
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.times import iso
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.revocation import operation as revocation

from tests.support.cloudtrail import CloudTrail, issue_event
from tests.support.operations import perform
from tests.support.playbook import ansible_playbook
from tests.support.receipts import issued, requested
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
ROLE = "unity-sbg-dev-sts"
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
PERSON = {"web_identity_issuer": "login.example.org/realm", "web_identity_subject": "jdoe"}


def policies(moto: Moto) -> list[str]:
    names = moto.client("iam").list_role_policies(RoleName=ROLE)["PolicyNames"]
    return sorted(name for name in names if name != "venue-access")


def write(file: pathlib.Path, *receipts: Receipt) -> str:
    file.write_text("".join(one.to_line() + "\n" for one in receipts))
    return str(file)


def generated(count: int) -> list[Receipt]:
    return [requested(number=number, at=AT) for number in range(2, count + 2)]


def by_hand(count: int, **changes: Any) -> list[Receipt]:
    return [requested(number=number, at=AT, session_name=f"forged-{number}", **changes) for number in range(2, count)]


def revoke(file: str, runtime: Runtime | None = None, **options: Any) -> dict[str, Any]:
    return perform(revocation.OPERATION, runtime or Runtime(), **VENUE, receipts_file=file, **options)


@pytest.fixture
def trail(venue: Moto, monkeypatch: pytest.MonkeyPatch) -> Any:
    events: list[dict[str, Any]] = []
    with CloudTrail(venue.url, events, page=50) as running:
        monkeypatch.setenv("AWS_URL", running.url)
        yield events, running


def test_forged_sessions_of_a_user_stop_nothing(venue: Moto, trail: Any, tmp_path: pathlib.Path) -> None:
    """The true token comes last, and there are ten times as many forged ones as fit."""
    file = write(tmp_path / "receipts", *generated(400), issued(at=AT))
    warned: list[str] = []
    planned = revoke(file, Runtime(check_mode=True), user="jdoe")
    assert ([one["kind"] for one in planned["revocations"]], policies(venue)) == (["user"], []), planned
    done = revoke(file, Runtime(warn=warned.append), user="jdoe")
    (one,) = done["revocations"]
    assert (one["kind"], one["value"], done["steps"]) == ("user", "jdoe", planned["steps"])
    assert one["before"] >= iso(issued(at=AT).issue_until)
    assert "name 401 sessions" in " ".join(warned)
    assert "revoked by one statement" in " ".join(warned)
    again = revoke(file, user="jdoe")
    assert (again["changed"], again["revocations"]) == (False, [one])
    lifted = revoke(file, user="jdoe", state="absent")
    assert (lifted["changed"], policies(venue)) == (True, [])


def test_a_true_session_with_a_name_by_hand_comes_first(venue: Moto, trail: Any, tmp_path: pathlib.Path) -> None:
    true = issued(at=AT, session_name="nightly")
    trail[0].append(issue_event("nightly", str(true.access_key_id), iso(AT)))
    file = write(tmp_path / "receipts", *by_hand(100), *generated(2), true)
    result = revoke(file, user="jdoe")
    assert result["error"] == "QuotaReached"
    assert "-e project=sbg -e venue=dev -e all=true" in result["msg"]
    assert "nightly" not in result["msg"]
    assert result["changed"]
    assert len(result["steps"]) == len(policies(venue)) > 10
    assert {name.partition("-")[2][17:] for name in policies(venue)} >= {"session=nightly", "user=jdoe"}
    # Nothing of it keeps the next user's tokens alive.
    other = write(tmp_path / "other", issued("jane", at=AT))
    assert "failed" not in revoke(other, user="jane")
    assert "failed" not in revoke(file, all=True)
    assert [name.rpartition("-")[2] for name in policies(venue)] == ["all"]


def test_cloudtrail_says_which_session_an_access_key_has(venue: Moto, trail: Any, tmp_path: pathlib.Path) -> None:
    true = issued(at=AT, session_name="nightly")
    key = str(true.access_key_id)
    forged = [issued(number=1, at=AT, session_name=f"forged-{number}") for number in range(60)]
    file = write(tmp_path / "receipts", *forged, true)
    unseen = revoke(file, Runtime(check_mode=True), access_key_id=key)
    trail[0].append(issue_event("nightly", key, iso(AT)))
    result = revoke(file, access_key_id=key)
    assert unseen["error"] == "QuotaReached"
    assert ([one["value"] for one in result["revocations"]], len(policies(venue))) == (["nightly"], 1)


def test_a_subject_is_refused_although_its_forged_sessions_do_not_fit(
    venue: Moto, trail: Any, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "receipts", *by_hand(100, method="web_identity", context=PERSON))
    result = revoke(file, **PERSON)
    assert result["error"] == "QuotaReached"
    assert "MdpsSubjectsRevoked" in str(venue.client("iam").get_role(RoleName=ROLE)["Role"])


def test_without_cloudtrail_it_works_as_well(
    venue: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    file = write(tmp_path / "receipts", *generated(60))
    warned: list[str] = []
    with CloudTrail(venue.url, [], refuse="AccessDeniedException") as running:
        monkeypatch.setenv("AWS_URL", running.url)
        result = revoke(file, Runtime(warn=warned.append), user="jdoe")
    assert [one["kind"] for one in result["revocations"]] == ["user"]
    assert "cloudtrail:LookupEvents" in warned[0]


def test_few_receipts_ask_cloudtrail_nothing(venue: Moto, trail: Any, tmp_path: pathlib.Path) -> None:
    result = revoke(write(tmp_path / "receipts", issued(at=AT)), user="jdoe")
    assert ([one["kind"] for one in result["revocations"]], trail[1].asked) == (["session"], [])


def test_forged_names_of_roles_keep_no_token_valid(venue: Moto, trail: Any, tmp_path: pathlib.Path) -> None:
    def of_role(number: int) -> Receipt:
        return requested(number=number, at=AT, role_arn=f"arn:aws:iam::123456789012:role/forged-{number}")

    file = write(tmp_path / "receipts", *[of_role(number) for number in range(2, 400)], issued(at=AT))
    result = revoke(file, user="jdoe")
    assert (result["error"], result["changed"]) == ("TooManyReceipts", True), result
    assert "Nothing is changed on 299 of them" in result["msg"]
    assert [name.partition("-")[2][17:] for name in policies(venue)] == [f"session={issued(at=AT).session_name}"]


def test_what_the_playbook_shows(venue: Moto, trail: Any, tmp_path: pathlib.Path) -> None:
    file = write(tmp_path / "receipts", *generated(60))
    run = ansible_playbook(
        *("mdps.venue_sts.revoke", "-e", "project=sbg", "-e", "venue=dev", "-e", "user=jdoe"),
        *("-e", f"receipts_file={file}"),
        env={**venue.environment(), "AWS_URL": trail[1].url},
        cwd=tmp_path,
    ).expect(0)
    assert "every session named jdoe-????????T??????Z-??????, issued before" in run.output
    assert "The receipts name 60 sessions" in " ".join(run.output.split())
