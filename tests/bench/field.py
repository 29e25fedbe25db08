# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The servers of a benchmark, and the folder that contenders work in."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import urllib.request
from typing import Any

from tests.bench import plan
from tests.bench.certificate import make_certificate
from tests.bench.contenders import ACCOUNT, ROOT, account_of
from tests.bench.guarded import guarded
from tests.bench.kion_server import BenchKion
from tests.support.servers import Moto, free_port, stop

# Who signs the certificate: whoever is one of Amazon's authorities for the collection, and somebody else.
ORGANIZATIONS = {plan.TLS: "Amazon", plan.OTHER: "Somebody else"}


class GuardedMoto(Moto):
    """A moto server that ends with this process, however that ends."""

    def command(self) -> list[str]:
        """Return moto's program, guarded."""
        return guarded(super().command(), signal.SIGKILL)


class Endpoint:
    """A proxy before the emulator, with or without TLS."""

    def __init__(self, folder: pathlib.Path, target: int, tls: str) -> None:
        port, log = free_port(), folder / f"proxy-{tls}.log"
        self.url = f"{'http' if tls == plan.PLAIN else 'https'}://127.0.0.1:{port}"
        self.environment, self._context = {"AWS_URL": self.url, "AWS_ENDPOINT_URL": self.url}, None
        certificate: list[pathlib.Path] = []
        if tls != plan.PLAIN:
            bundle, *certificate = make_certificate(folder / tls, ORGANIZATIONS[tls])
            self.environment["AWS_CA_BUNDLE"] = str(bundle)
            self._context = ssl.create_default_context(cafile=str(bundle))
        command = [sys.executable, "-m", "tests.bench.proxy", str(port), str(target), *map(str, certificate)]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                guarded(command, signal.SIGKILL), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors
            )
        assert self.process.stdout
        if not self.process.stdout.readline():
            raise RuntimeError(f"the proxy ended at once: {log.read_text()}")

    def books(self, latency: float) -> dict[str, Any]:
        """What the proxy has counted; the next calls take so many seconds more."""
        address = f"{self.url}/__bench__?seconds={latency}"
        with urllib.request.urlopen(address, timeout=30, context=self._context) as answer:
            return dict(json.load(answer))


class Field:
    """The emulator with proxies before it, Kion, and the folder that a contender works in."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._stack = contextlib.ExitStack()
        self._endpoints: dict[str, Endpoint] = {}

    def __enter__(self) -> Field:
        self.moto = self._stack.enter_context(GuardedMoto(self.folder / "moto.log"))
        print(f"server moto: {self.moto.process_id}", flush=True)
        (self.folder / "kion").mkdir()
        self.kion = BenchKion(self.folder / "kion")
        self._stack.enter_context(self.kion)
        (self.folder / "ansible.cfg").touch()
        # The first request of a service is slow, and would be whoever comes first to blame for.
        self.moto.client("iam").list_roles()
        self.moto.client("sts").get_caller_identity()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def endpoint(self, tls: str) -> Endpoint:
        """The proxy of a transport; it is started when it is first needed."""
        if tls not in self._endpoints:
            self._endpoints[tls] = Endpoint(self.folder, self.moto.port, tls)
            self._stack.callback(stop, self._endpoints[tls].process)
            print(f"server proxy-{tls}: {self._endpoints[tls].process.pid}", flush=True)
        return self._endpoints[tls]

    def environment(self, tls: str) -> dict[str, str]:
        """The environment of a contender."""
        foreign = ("AWS_", "ANSIBLE_", "SSL_", "PYTHON", "REQUESTS_", "KION_")
        collections = (pathlib.Path(sys.prefix) / "collections", ROOT / ".build" / "bench" / "collections")
        return {
            **{name: os.environ[name] for name in os.environ if not name.startswith(foreign)},
            **self.moto.environment(),
            "HOME": str(self.folder),
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, collections)),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "ansible"),
            "KION_CONFIG": str(self.folder / "none"),
            "no_proxy": "127.0.0.1",
            **self.kion.environment(),
            **self.endpoint(tls).environment,
        }

    def keys(self, account: str) -> dict[str, str]:
        """Keys of the emulator's for an account."""
        if account == ACCOUNT:
            return {}
        role = f"arn:aws:iam::{account}:role/mcp-tenantOperator"
        issued = self.moto.client("sts").assume_role(RoleArn=role, RoleSessionName="from-kion")["Credentials"]
        return {
            "aws_access_key_id": issued["AccessKeyId"],
            "aws_secret_access_key": issued["SecretAccessKey"],
            "aws_session_token": issued["SessionToken"],
        }

    def roles(self, venues: int, accounts: int) -> int:
        """How many roles there are in the accounts of so many venues."""
        found = 0
        for account in dict.fromkeys(account_of(number, accounts) for number in range(venues)):
            pages = self.moto.client("iam", **self.keys(account)).get_paginator("list_roles").paginate()
            found += sum(len(page["Roles"]) for page in pages)
        return found

    def emulator_cpu(self) -> float:
        """Seconds that moto server and proxies have worked."""
        ticks = 0
        for process in (self.moto.process_id, *(one.process.pid for one in self._endpoints.values())):
            fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")
