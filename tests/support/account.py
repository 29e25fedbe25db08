# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An AWS account within the process, whose every call is seen, and in which anything can happen just before a call."""

from __future__ import annotations

import copy
import functools
import importlib
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import botocore.session
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.clients import Clients
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations._operation import Operation, Runtime
from botocore.awsrequest import AWSResponse

from tests.support.clock import Clock
from tests.support.servers import FAKE_KEYS, REGION

MOTO_ACCOUNT = "123456789012"
CONNECTION = {"region": REGION, "access_key": "testing", "secret_key": "testing", "validate_certs": True}
ABSENT = dict.fromkeys(
    ("session_token", "endpoint_url", "profile", "aws_ca_bundle", "aws_config", "debug_botocore_endpoint_logs")
)
READS = ("Get", "List", "AssumeRole", "Describe")
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
Happening = Callable[[], Any]


@functools.cache
def _bystanders() -> tuple[Any, ...]:
    """Clients that nobody watches. Made after moto was imported, since it hooks into new sessions only."""
    importlib.import_module("moto")
    session = botocore.session.Session()
    return tuple(session.create_client(service, region_name=REGION, **FAKE_KEYS) for service in ("iam", "ssm", "sts"))


class Account:
    """The calls of all clients that were made here, as ``iam:GetRole``, in ``calls``."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.arguments: list[tuple[str, dict[str, Any]]] = []
        self._before: dict[str, list[Happening]] = {}
        self._lock = threading.Lock()
        self.iam, self.ssm, self.sts = _bystanders()

    @property
    def writes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if not call.split(":")[1].startswith(READS)]

    def publish(self, project: str = "sbg", venue: str = "dev") -> None:
        """Publish bucket and boundary as a venue's account has them."""
        self.publish_names(project, venue)
        self.iam.create_policy(PolicyName="zsmce-tenantOperator-AMI-APIG", PolicyDocument=json.dumps(ANYTHING))

    def publish_names(self, project: str, venue: str) -> None:
        """Publish the names of bucket and boundary in SSM."""
        for name, value in (
            (
                f"/unity/{project}/{venue}/ds/datastore-bucket",
                f"{project}-{venue}-unity-data".lower().replace("_", "-"),
            ),
            ("/unity/cs/account/privilegedpolicyname", "zsmce-tenantOperator-AMI-APIG"),
        ):
            self.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def in_region(self, region: str) -> Any:
        """A client of SSM in another region that nobody watches."""
        return botocore.session.Session().create_client("ssm", region_name=region, **FAKE_KEYS)

    def asked(self, call: str) -> dict[str, Any]:
        """The arguments of the last call of a kind."""
        return next(arguments for name, arguments in reversed(self.arguments) if name == call)

    def before(self, call: str, *happenings: Happening) -> None:
        """Let things happen just before the next calls of a kind, one each.

        What one returns is AWS's answer instead.
        """
        self._before.setdefault(call, []).extend(happenings)

    def note(self, params: dict[str, Any], model: Any, **event: Any) -> None:
        """Keep the arguments of a call; botocore's handler of ``before-parameter-build``."""
        with self._lock:
            self.arguments.append((action(model), dict(params)))

    def see(self, model: Any, **event: Any) -> Any:
        """Take note of a call; botocore's handler of ``before-call``."""
        with self._lock:
            self.calls.append(action(model))
            waiting = self._before.get(action(model))
            happening = waiting.pop(0) if waiting else None
        return happening() if happening else None


def action(model: Any) -> str:
    """The IAM action of an operation of botocore's."""
    return f"{model.service_model.endpoint_prefix}:{model.name}"


def refuse(code: str, message: str = "No.") -> Happening:
    """An answer of AWS that is an error."""
    body = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"RequestId": "req-1", "HTTPStatusCode": 400},
    }
    return lambda: (AWSResponse("", 400, {}, None), body)


def answer(body: dict[str, Any]) -> Happening:
    """An answer of AWS."""
    return lambda: (
        AWSResponse("", 200, {}, None),
        {**copy.deepcopy(body), "ResponseMetadata": {"RequestId": "req-1", "HTTPStatusCode": 200}},
    )


class WatchedClients(Clients):
    """The real clients, watched by an account."""

    def __init__(self, params: Mapping[str, Any], account: Account) -> None:
        super().__init__(params)
        self._account = account

    def _make(self, service: str, keys: Mapping[str, str], extra: Any = None, region: str = "") -> Any:
        client = super()._make(service, keys, extra, region)
        client.meta.events.register("before-parameter-build", self._account.note)
        client.meta.events.register("before-call", self._account.see)
        return client


def options(operation: Operation, **given: Any) -> dict[str, Any]:
    """All options of an operation, as a front end hands them over."""
    own = {name: option.get("default") for name, option in operation.argument_spec.items()}
    unknown = set(given) - set(own) - set(CONNECTION) - set(ABSENT)
    assert not unknown, unknown
    return {**ABSENT, **CONNECTION, **own, **given}


_NUMBERS = itertools.count()
HEX = {3: "000003", 4: "00000004"}  # the suffix of a session name, and that of a receipt's id


class Runner:
    """Runs one operation on an account, with a clock of its own."""

    def __init__(self, operation: Operation, account: Account, **always: Any) -> None:
        self.operation, self.account, self.always = operation, account, always
        self.clock = Clock()
        self.warnings: list[str] = []

    def runtime(self, *, check: bool = False) -> Runtime:
        return self.clock.runtime(
            check_mode=check,
            warn=self.warnings.append,
            token_hex=lambda size: HEX.get(size) or f"candidate-{next(_NUMBERS)}",
        )

    def execute(self, *, check: bool = False, **given: Any) -> dict[str, Any]:
        """Run it and give back the result; errors are raised."""
        params = options(self.operation, **{**self.always, **given})
        clients, runtime = WatchedClients(params, self.account), self.runtime(check=check)
        self.operation.check_not_blank(params)
        return self.operation.execute(self.operation.parse(params, clients, runtime), clients, runtime)


def trust_of(account: Account, name: str) -> SimpleNamespace:
    """The external IDs that a role's trust policy accepts: ``current`` and ``previous``."""
    policy = account.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    statement = next(one for one in policy["Statement"] if one["Sid"].startswith("AssumeWithExternalId"))
    values = statement["Condition"]["StringEquals"]["sts:ExternalId"]
    if isinstance(values, str):
        return SimpleNamespace(current=values, previous=None, text=json.dumps(policy))
    current = sorted(values)[{"1Of2": 0, "2Of2": 1}[statement["Sid"].removeprefix("AssumeWithExternalId")]]
    (previous,) = set(values) - {current}
    return SimpleNamespace(current=current, previous=previous, text=json.dumps(policy))
