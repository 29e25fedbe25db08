# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A venue with leases, against moto."""

from __future__ import annotations

import json
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations import role
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _leasing as leasing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _renewing as renewing

from tests.support import people
from tests.support.operations import perform
from tests.support.servers import Moto

VENUE = {"project": "sbg", "venue": "dev"}
LEASES = "/unity/sbg/dev/cs/sts/leases"
BUCKET = "sbg-dev-unity-data"


class Office:
    """Approves and renews leases of the venue sbg-dev, with keys of its own and a clock that tests can move.

    :ivar people: recipients by user name.
    """

    def __init__(self, moto: Moto, folder: pathlib.Path) -> None:
        self.moto, self.folder = moto, folder
        self.people: dict[str, people.AgePerson] = {}
        self.warnings: list[str] = []
        self.later = timedelta(0)

    def add(self, *users: str) -> None:
        """Put users into the key directory."""
        for user in users:
            self.people[user] = people.age_person(self.folder, user)

    @property
    def common(self) -> dict[str, Any]:
        keys = {user: person.public for user, person in self.people.items()}
        places = {"dest": f"{self.folder}/out/", "undelivered": f"{self.folder}/undelivered"}
        return {**VENUE, "leases_file": f"{self.folder}/leases.jsonl", "handoff": {"public_keys": keys, **places}}

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def runtime(self, *, check_mode: bool = False) -> Runtime:
        return Runtime(check_mode=check_mode, warn=self.warnings.append, now=self.now)

    def lease(self, user: str = "jdoe", *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        usual: dict[str, Any] = {"days": 3, "reason": "calibrate the archive", "approver": "admin"}
        if options.get("state") == "absent":
            usual = {}
        given = {**self.common, "user": user, **usual, **options}
        given = {name: value for name, value in given.items() if value is not None}
        return perform(leasing.OPERATION, self.runtime(check_mode=check_mode), **given)

    def renew(self, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        given = {**self.common, "receipts_file": f"{self.folder}/receipts.jsonl", **options}
        return perform(renewing.OPERATION, self.runtime(check_mode=check_mode), **given)

    def parameters(self) -> dict[str, str]:
        """What is below the path of leases."""
        pages = self.moto.client("ssm").get_paginator("get_parameters_by_path")
        found = pages.paginate(Path=LEASES, Recursive=True)
        return {one["Name"].removeprefix(f"{LEASES}/"): one["Value"] for page in found for one in page["Parameters"]}

    def objects(self) -> list[str]:
        return [one["Key"] for one in self.moto.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def bundle(self, user: str) -> dict[str, str]:
        """The files of the bundle that lies in the bucket for a user, opened by the user."""
        key = f"mdps-venue-sts/renewals/sbg/dev/{user}/token.zip.age"
        sealed = self.moto.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        return self.opened(user, sealed)

    def opened(self, user: str, sealed: str) -> dict[str, str]:
        with zipfile.ZipFile(BytesIO(self.people[user].open(sealed))) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}

    def receipts(self) -> list[dict[str, Any]]:
        file = self.folder / "receipts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def log(self) -> list[tuple[str, str]]:
        file = self.folder / "leases.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [(one["event"], one["lease"]["user"]) for one in lines]


@pytest.fixture
def office(moto: Moto, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An account with the venue sbg-dev provisioned, and two recipients."""
    for name, value in moto.environment().items():
        monkeypatch.setenv(name, value)
    moto.publish(project="sbg", venue="dev")
    assert "failed" not in perform(role.OPERATION, **VENUE)
    one = Office(moto, tmp_path)
    one.add("jdoe", "jane")
    yield one


@pytest.fixture
def rows() -> Callable[[dict[str, Any]], dict[str, str]]:
    """What happened to each lease."""
    return lambda result: {row["user"]: row["result"] for row in result["leases"]}
