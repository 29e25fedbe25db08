# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to do about an error of AWS, by its code: of calls, and of those with which botocore gets credentials."""

from __future__ import annotations

from .._domain.errors import ConnectionProblem

ADVICE = {
    "PackedPolicyTooLarge": " Session policy, policy ARNs and session tags together are too large for STS. Specify "
    "fewer buckets, folders, repositories or tags, or limit the role instead.",
    "MalformedPolicyDocument": " A principal in trusted_principals does not exist, or was created a moment ago and is "
    "not visible yet.",
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"),
        " Either the secret key does not belong to the access key ID, or the clock of this machine is wrong: compare "
        "'date -u' with the time.",
    ),
    **dict.fromkeys(
        ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"),
        " AWS still throttled the calls after several attempts: run again, with fewer forks.",
    ),
    **dict.fromkeys(
        ("RegionDisabledException", "RegionDisabled"),
        " STS is not activated in this region for the account. Set the region to an active one (MDPS uses us-west-2), "
        "or ask an administrator to activate STS for it (IAM > Account settings).",
    ),
    # What SSM says about a parameter's KMS key, and KMS of itself.
    **dict.fromkeys(
        ("InvalidKeyId", "KMSInvalidStateException", "DisabledException", "KeyUnavailableException"),
        " The KMS key of the parameter is disabled, is pending deletion, or does not exist. Ask its administrator "
        "to enable it, or set kms_key_id to another key.",
    ),
}


def unusable_settings(error: Exception) -> ConnectionProblem:
    """Return the error that says why no client can be made.

    :param error: of botocore: an unknown profile, an incomplete key pair, an invalid endpoint URL, a wrong aws_config.
    """
    return ConnectionProblem(f"The AWS connection settings do not work: {str(error).rstrip('.')}.")
