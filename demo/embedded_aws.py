# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The embedded AWS of the demo and the tests: a server on 127.0.0.1, on a free port, stopped by its own handle.

moto records everything and allows everything. ministack refuses what policies refuse, and has an environment of its
own.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

import boto3

REGION = "us-west-2"
# What moto allows anyway. A boundary has to exist, though: provisioning looks it up.
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ROOT_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}  # ministack's account root
HOME = pathlib.Path(sys.prefix).parent / "ministack"  # made by: tools/environment.py ministack
SERVER_PORTS = range(20_000, 32_000)
FAKE_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}  # moto takes any


def free_port() -> int:
    """Return a port on which nobody listens at this moment.

    It is below the range from which systems choose the ports of clients: a client could take it before the server does.
    """
    for port in random.sample(SERVER_PORTS, len(SERVER_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"No port of 127.0.0.1 from {SERVER_PORTS.start} to {SERVER_PORTS.stop - 1} is free.")


class Server(ABC):
    """A server on a free port of 127.0.0.1, for as long as the block lasts.

    :param log: the file for what it prints.
    """

    HEALTH = ""  # the path that it answers when it is ready

    def __init__(self, log: pathlib.Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program with its arguments."""

    def settings(self) -> dict[str, str]:
        """Return the environment variables that it needs besides those of this process."""
        return {}

    def __enter__(self) -> Self:
        command, environment = self.command(), {**os.environ, **self.settings()}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        wait_until_it_answers(f"{self.url}{self.HEALTH}", self._process, self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            stop(self._process)


class Moto(Server):
    """The moto server: an AWS that records everything and enforces nothing."""

    HEALTH = "/moto-api/"

    def command(self) -> list[str]:
        """Return moto's program."""
        return [str(pathlib.Path(sys.prefix) / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(self.port)]

    @property
    def process_id(self) -> int:
        """The server's process, while it runs: for whoever measures what it uses."""
        if not self._process:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def reset(self) -> None:
        """Forget everything."""
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/moto-api/reset", method="POST"), timeout=10).close()

    def client(self, service: str, **keys: str) -> Any:
        """A plain boto3 client."""
        connect: Any = boto3.client  # type stubs know clients by literal names only
        return connect(service, endpoint_url=self.url, region_name=REGION, **(keys or FAKE_KEYS))

    def environment(self) -> dict[str, str]:
        """What amazon.aws's connection options read."""
        return {
            "AWS_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": FAKE_KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": FAKE_KEYS["aws_secret_access_key"],
        }

    def publish(self, project: str, venue: str, boundary: str = "zsmce-tenantOperator-AMI-APIG") -> str:
        """Publish bucket and boundary as a venue's account has them, make the bucket, and return its name."""
        bucket = f"{project}-{venue}-unity-data"
        ssm, s3 = self.client("ssm"), self.client("s3")
        values = {
            f"/unity/{project}/{venue}/ds/datastore-bucket": bucket,
            "/unity/cs/account/privilegedpolicyname": boundary,
        }
        for name, value in values.items():
            ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        iam = self.client("iam")
        if boundary not in [one["PolicyName"] for one in iam.list_policies(Scope="Local")["Policies"]]:
            iam.create_policy(PolicyName=boundary, PolicyDocument=json.dumps(ANYTHING))
        return bucket


def program() -> str | None:
    """The path of ministack: in its own environment, or on PATH; None if it is not installed."""
    own = HOME / "bin" / "ministack"
    return str(own) if own.exists() else shutil.which("ministack")


class Ministack(Server):
    """A ministack on 127.0.0.1, which enforces policies.

    :param given: further environment variables.
    """

    HEALTH = "/_ministack/health"

    def __init__(self, log: pathlib.Path, **given: str) -> None:
        super().__init__(log)
        self._given = given

    def command(self) -> list[str]:
        """Return ministack's program."""
        found = program()
        if not found:
            raise RuntimeError("ministack is not installed: pip install ministack, in an environment of its own")
        return [found]

    def settings(self) -> dict[str, str]:
        """Return what makes it enforce, and listen here only."""
        return {"AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), **self._given}

    def client(self, service: str, **keys: str) -> Any:
        """A plain boto3 client, as the account's root unless credentials are given."""
        connect: Any = boto3.client  # type stubs know clients by literal names only
        return connect(service, endpoint_url=self.url, region_name=REGION, **(keys or ROOT_KEYS))

    def environment(self) -> dict[str, str]:
        """What amazon.aws's connection options read."""
        return {"AWS_URL": self.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def publish(self, project: str, venue: str) -> str:
        """Publish the venue's bucket, make it, and return its name."""
        bucket = f"{project}-{venue}-unity-data"
        self.client("ssm").put_parameter(
            Name=f"/unity/{project}/{venue}/ds/datastore-bucket", Value=bucket, Type="String", Overwrite=True
        )
        self.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        return bucket


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: pathlib.Path, seconds: int = 60) -> None:
    """Wait for a server that was just started; fail with its log if it ends or stays silent."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once: {log.read_text(errors='replace')[-2000:]}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return  # it answers, if only with a refusal
        except OSError:
            time.sleep(0.1)
        else:
            return
    stop(process)
    raise RuntimeError(f"the server does not answer: {log.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    if process.poll() is None:
        process.kill()
        process.wait()
