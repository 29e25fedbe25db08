# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hand-off's tests need of the machine."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("pyrage", reason="pyrage is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Runtime
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.issue.parts import Authorized, Issued
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _issuing as issuing
from ansible_collections.mdps.venue_sts.plugins.plugin_utils import _resending as resending

from tests.support import people, places
from tests.support.programs import required
from tests.support.receipts import requested
from tests.support.tokens import RECEIPT, TOKEN
from tests.support.users import folder_of_somebody_else, somebody_else

USER = "unityuser"
ALLOWS = {"access": None, "buckets": ["sbg-dev-unity-data"], "bucket_prefixes": [], "ecr_repositories": None}
TOOLS = ("age", "gpg", "openssl", "ssh-keygen")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(required(*TOOLS))


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


class TokenIssuer:
    """Issues as the task does, at the time of the procedure's example, with the answer of STS prepared.

    :ivar on_assume: called in place of STS.
    :ivar hosts: on how many hosts the task runs at the same time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.warnings, self.now = folder, [], people.NOW
        self.receipts_file = folder / "receipts.jsonl"
        self.undelivered = folder / "undelivered"
        self.places = {"dest": f"{folder}/out/", "undelivered": str(self.undelivered)}
        self.on_assume, self.hosts = lambda: None, 1

    def __call__(self, check_mode=False, *, project="sbg", user=USER, receipts=None, **handoff):
        params = self._validated(
            issuing.OPERATION,
            project=project,
            venue="dev",
            user=user,
            handoff={**self.places, **handoff},
            **(receipts or {}),
        )
        runtime = self.runtime(check_mode=check_mode)
        prepared = issuing.Prepared.from_params(params, runtime)
        host = SimpleNamespace(
            authorize=lambda: Authorized(self.receipt(user), self._assume, lambda issued: None),
            known_keys=lambda: None,
            record=lambda receipt: prepared.stores.record(receipt, Clients(params)),
        )
        return issuing.run(prepared, host, runtime)

    def resend(self, file, *, check_mode=False, **options):
        options = {**self.places, "resend": str(file), **options}
        params, runtime = self._validated(resending.OPERATION, **options), self.runtime(check_mode=check_mode)
        clients = Clients(params)
        return resending.OPERATION.execute(resending.OPERATION.parse(params, clients, runtime), clients, runtime)

    def runtime(self, *, check_mode=False):
        return Runtime(check_mode=check_mode, warn=self.warnings.append, now=lambda: self.now, hosts=self.hosts)

    def receipt(self, user=USER):
        return requested(
            user, at=self.now, region="us-west-2", context={}, session_name="unityuser12252025", allows=ALLOWS
        )

    def _validated(self, operation, **options):
        options = {"receipts_file": str(self.receipts_file), **options}
        checked = ArgumentSpecValidator({**aws_argument_spec(), **operation.argument_spec}).validate(options)
        assert not checked.error_messages
        return checked.validated_parameters

    def _assume(self):
        self.on_assume()
        user, keys = TOKEN["AssumedRoleUser"], TOKEN["Credentials"]
        ends = datetime.fromisoformat(keys["Expiration"])
        return Issued(TOKEN, keys["AccessKeyId"], user["AssumedRoleId"], user["Arn"].rsplit("/", 1)[1], ends)

    @property
    def receipts(self):
        """The last state of each receipt, in the order of the requests."""
        return list(
            {one["id"] + str(one["handoff"]): one for one in self.lines if one["state"] != "requested"}.values()
        )

    @property
    def lines(self):
        return (
            [json.loads(line) for line in self.receipts_file.read_text().splitlines()]
            if self.receipts_file.exists()
            else []
        )


@pytest.fixture
def issuer(tmp_path):
    return TokenIssuer(tmp_path)


@pytest.fixture
def shut(someone):
    """An issuer with a folder ``shut`` that its user may not write to."""
    with folder_of_somebody_else() as folder:
        with somebody_else():
            (folder / "shut").mkdir(mode=0o500)
            issuer = TokenIssuer(folder)
            issuer.keys = someone.keys
            yield issuer
        (folder / "shut").chmod(0o700)


@pytest.fixture
def someone(tmp_path):
    """An age user, with a key directory of one."""
    person = people.age_person(tmp_path, "someone")
    person.keys = {"unityuser": person.public}
    return person
