# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a venue keeps receipts for those who did not issue them: an S3 prefix or an SSM path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._domain.errors import AwsRefused, ConnectionProblem

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # Clients says so, in words, before anything here runs
    BotoCoreError = ClientError = Exception


def _ask(action: str, target: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except ClientError as error:
        answer = error.response["Error"]
        said = f"{action} on {target} was refused: {answer.get('Code', '')}: {answer.get('Message', '')}"
        request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
        raise AwsRefused(said, operation=action, code=answer.get("Code", ""), request_id=request_id) from None
    except BotoCoreError as error:
        raise ConnectionProblem(f"{action} on {target} did not get through: {error}") from None


def put_object(client: Any, bucket: str, key: str, text: str) -> None:
    """Store a receipt as an object (PutObject, encrypted by the bucket's own default).

    :raises AwsRefused: AWS answered with an error.
    :raises ConnectionProblem: the request did not get through.
    """
    body = text.encode()
    _ask("s3:PutObject", f"s3://{bucket}/{key}", lambda: client.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json"))


def put_parameter(client: Any, name: str, text: str) -> None:
    """Store a receipt as a String parameter (PutParameter; at most 4 KB), in place of an earlier receipt of the same key.

    :raises AwsRefused: AWS answered with an error.
    :raises ConnectionProblem: the request did not get through.
    """
    _ask("ssm:PutParameter", name, lambda: client.put_parameter(Name=name, Value=text, Type="String", Overwrite=True))
