# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hand-off's tests need of the machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("pyrage", reason="pyrage is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.plugin_utils.handoff import ARGUMENT_SPEC, HandOver

from tests.support import people, places
from tests.support.tokens import RECEIPT, TOKEN

TOOLS = ("age", "gpg", "openssl", "ssh-keygen")


def pytest_collection_modifyitems(items):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)} (tools/debian.txt)"))


@pytest.fixture(scope="session")
def gpg_person():
    person = people.GpgPerson().make()
    yield person
    person.close()


@pytest.fixture
def new_gpg_person():
    made = []

    def make(**facts):
        made.append(people.GpgPerson())
        return made[-1].make(**facts)

    yield make
    for person in made:
        person.close()


@pytest.fixture
def token():
    return TOKEN


@pytest.fixture
def receipt():
    return RECEIPT


@pytest.fixture
def authority(tmp_path):
    return places.Authority(tmp_path)


def stand_in(token, region, profile):
    """In the place of formats.token_files, which has tests of its own."""
    return {"token.json": json.dumps(token), "env.cmd": f"REM {region} {profile}\r\n"}


class Desk:
    """Hands over as the action does, at the time of the procedure's example, and notes what the admin is told."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.warnings, self.now = folder, [], people.NOW
        self.receipts_file = folder / "receipts.jsonl"
        self.undelivered = folder / "undelivered"
        self.defaults = {
            "token": TOKEN,
            "receipt": RECEIPT,
            "dest": f"{folder}/out/",
            "receipts_file": str(self.receipts_file),
            "undelivered": str(self.undelivered),
        }

    def __call__(self, check_mode=False, **options):
        spec = {**aws_argument_spec(), **ARGUMENT_SPEC}
        checked = ArgumentSpecValidator(spec).validate({**self.defaults, **options})
        assert not checked.error_messages
        runtime = Runtime(check_mode=check_mode, warn=self.warnings.append, now=lambda: self.now)
        return HandOver(checked.validated_parameters, runtime, stand_in).run()

    @property
    def receipts(self):
        return (
            [json.loads(line) for line in self.receipts_file.read_text().splitlines()]
            if self.receipts_file.exists()
            else []
        )


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


@pytest.fixture
def someone(tmp_path):
    """An age user, in a book of one."""
    person = people.age_person(tmp_path, "someone")
    person.book = {"unityuser": person.public}
    return person
