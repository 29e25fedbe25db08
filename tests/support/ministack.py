# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""ministack with enforcement switched on: an AWS that refuses what policies refuse.

It lives in an environment of its own.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from types import TracebackType
from typing import Any

import boto3

from .servers import REGION, free_port, stop, wait_until_it_answers

ROOT_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}  # ministack's account root
HOME = pathlib.Path(sys.prefix).parent / "ministack"  # made by: tools/environment.py ministack


class Ministack:
    """A ministack on 127.0.0.1."""

    def __init__(self, log: pathlib.Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Ministack:
        given = {"AUTH": "true", "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), **self._settings}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [HOME / "bin" / "ministack"], env={**os.environ, **given}, stdout=log, stderr=subprocess.STDOUT
            )
        wait_until_it_answers(f"{self.url}/_ministack/health", self._process, self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            stop(self._process)

    def client(self, service: str, **keys: str) -> Any:
        """A plain boto3 client, as the account's root unless keys are given."""
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **(keys or ROOT_KEYS))

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
