# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Retry of a call that was refused because a recent change of IAM may not have propagated yet, and of no other call."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from .._aws.calls import DENIED
from .._domain.errors import AwsRefused
from .._domain.pauses import pauses
from ._operation import Runtime

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 8.0
# What AWS says about a wrong MFA code or device, and about a caller whom a policy denies the call or none allows it.
# "No trust policy allows it" may go away: the trust policy that was just written may not have propagated yet.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_FINAL = re.compile(
    r"\bMFA\b|MultiFactorAuthentication|explicit deny|because no (?!role trust policy|resource-based policy)",
    re.IGNORECASE,
)


def role_may_be_new(refusal: AwsRefused) -> bool:
    """Return whether AssumeRole may have been refused because the role or its trust policy has not propagated."""
    return refusal.code in DENIED and not _FINAL.search(refusal.said)


def principal_may_be_new(refusal: AwsRefused) -> bool:
    """Return whether a trust policy may have been refused because one of its principals has not propagated."""
    return refusal.code == "MalformedPolicyDocument" and "principal" in refusal.said.lower()


class PropagationRetry:
    """Decides whether a call is tried again, and waits before it is.

    :param seconds: for how long to try, from the first failure on.
    :param expected: whether a refusal may go away by itself.
    """

    def __init__(
        self, runtime: Runtime, seconds: float, expected: Callable[[AwsRefused], bool] = lambda refusal: False
    ) -> None:
        self._runtime, self._seconds, self._expected = runtime, seconds, expected
        self._deadline: datetime | None = None
        self.timed_out = False
        self._pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE, runtime.jitter)

    def wait_to_retry(self, refusal: AwsRefused) -> bool:
        """Wait, and return True, or return False immediately where waiting does not help or the time is over."""
        return self._expected(refusal) and self.wait()

    def wait(self) -> bool:
        """Wait, and return True, or return False immediately if the time is over."""
        now = self._runtime.now()
        self._deadline = self._deadline or now + timedelta(seconds=self._seconds)
        self.timed_out = now >= self._deadline
        if self.timed_out:
            return False
        self._runtime.sleep(next(self._pauses))
        return True
