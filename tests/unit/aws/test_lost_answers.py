# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An answer may be lost after AWS has issued a token. botocore asks again, and the last answer alone proves nothing."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._aws.calls import call, noting_lost_answers
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

URL = "https://sts.example.org"


def error(status: int, code: str) -> AWSResponse:
    answer = AWSResponse(URL, status, {}, None)
    answer._content = (
        f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error><RequestId>r</RequestId>"
        "</ErrorResponse>"
    ).encode()
    return answer


DENIED = error(403, "AccessDenied")
ATTEMPTS: dict[str, tuple[list[Any], bool]] = {
    "refused at once": ([DENIED], False),
    "throttled, then refused": ([error(400, "Throttling"), DENIED], False),
    "connection closed, then refused": ([ConnectionClosedError(endpoint_url=URL), DENIED], True),
    "no answer in time, then refused": ([ReadTimeoutError(endpoint_url=URL), DENIED], True),
    "server error, then refused": ([error(503, "ServiceUnavailable"), DENIED], True),
    "server errors only": ([error(500, "InternalFailure")] * 2, True),
}


@pytest.mark.parametrize(("answers", "is_lost"), ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_refusal_after_a_lost_answer_says_so(
    answers: list[Any], is_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    sts = boto3.client(
        "sts",
        region_name="us-west-2",
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="example",
        config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
    )
    left = list(answers)

    def send(**_request: Any) -> AWSResponse:
        happening = left.pop(0)
        if isinstance(happening, Exception):
            raise happening
        assert isinstance(happening, AWSResponse)
        return happening

    sts.meta.events.register("before-send", send)
    with pytest.raises(AwsRefused) as failure, noting_lost_answers(sts, "assume_role"):
        call(sts, "assume_role", "assume it", RoleArn="arn:aws:iam::123456789012:role/r", RoleSessionName="jdoe")
    assert bool(failure.value.facts.get("answer_lost")) is is_lost
    assert left == []
