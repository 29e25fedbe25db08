# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Only what may go away by itself is tried again, and not for longer than asked."""

from __future__ import annotations

import pytest
from ansible_collections.mdps.venue_sts.plugins.module_utils._domain.errors import AwsRefused
from ansible_collections.mdps.venue_sts.plugins.module_utils._operations.propagation import (
    PropagationRetry,
    principal_may_be_new,
    role_may_be_new,
)

from tests.support.clock import Clock

ARN = "arn:aws:sts::123456789012:assumed-role/admin/jane"
ME = f"User: {ARN} is not authorized to perform: sts:AssumeRole on resource: X"


def refusal(code: str, said: str = "no") -> AwsRefused:
    return AwsRefused(said, operation="sts:AssumeRole", code=code, said=said)


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("AccessDenied", ME, True),
        ("AccessDenied", "no", True),
        ("AccessDeniedException", ME, True),
        ("AccessDenied", f"{ME} because no role trust policy allows the sts:AssumeRole action", True),
        ("AccessDenied", f"{ME} because no resource-based policy allows the sts:AssumeRole action", True),
        ("AccessDenied", f"{ME} with an explicit deny in the role trust policy", False),
        ("AccessDenied", f"{ME} with an explicit deny in an identity-based policy", False),
        ("AccessDenied", f"{ME} with an explicit deny in a service control policy", False),
        ("AccessDenied", f"{ME} because no identity-based policy allows the sts:AssumeRole action", False),
        ("AccessDenied", f"{ME} because no permissions boundary allows the sts:AssumeRole action", False),
        ("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.", False),
        ("AccessDenied", "MultiFactorAuthentication failed, unable to validate MFA code.", False),
        ("ValidationError", ME, False),
        ("ExpiredToken", ME, False),
        ("PackedPolicyTooLarge", "no", False),
        ("RegionDisabledException", "no", False),
        ("Throttling", "Rate exceeded", False),  # botocore has repeated it already
    ],
)
def test_assume_role_is_repeated_while_the_role_may_be_new(code: str, said: str, expected: bool) -> None:
    assert role_may_be_new(refusal(code, said)) is expected


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        ("MalformedPolicyDocument", 'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/new"', True),
        ("MalformedPolicyDocument", "This policy contains invalid Json", False),
        ("NoSuchEntity", "Invalid principal in policy", False),
        ("AccessDenied", ME, False),
    ],
)
def test_a_step_is_repeated_while_a_principal_may_be_new(code: str, said: str, expected: bool) -> None:
    assert principal_may_be_new(refusal(code, said)) is expected


def test_pauses_grow_and_end_with_the_time() -> None:
    clock = Clock()
    retry = PropagationRetry(clock.runtime(), 30, role_may_be_new)
    while retry.wait_to_retry(refusal("AccessDenied")):
        pass
    assert (clock.slept, retry.timed_out) == ([1, 2, 4, 8, 8, 8], True)


def test_nothing_is_waited_for_what_does_not_go_away() -> None:
    clock = Clock()
    final, over = (
        PropagationRetry(clock.runtime(), 30, role_may_be_new),
        PropagationRetry(clock.runtime(), 0, role_may_be_new),
    )
    assert not final.wait_to_retry(refusal("ValidationError"))
    assert not over.wait_to_retry(refusal("AccessDenied"))
    assert (final.timed_out, over.timed_out, clock.slept) == (False, True, [])
