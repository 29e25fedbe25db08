# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A token and its receipt, for tests of what comes after the issue."""

from __future__ import annotations

# The example of the procedure, as plainly fake as AWS made it.
TOKEN = {
    "AssumedRoleUser": {
        "AssumedRoleId": "AROA3XFRBF535EXAMPLE:unityuser12252025",
        "Arn": "arn:aws:sts::123456789012:assumed-role/unity-sbg-dev-sts/unityuser12252025",
    },
    "Credentials": {
        "SecretAccessKey": "9drTJvcXLB89EXAMPLELB8923FB892xMFI",
        "SessionToken": "AQoXdzELDDY//////////wEaoAK1wvxJY12r2IrDFT2IvAzTCn3zHoZ7YNtpiQLF0MqZEXAMPLE=",
        "Expiration": "2026-03-15T01:05:07Z",
        "AccessKeyId": "ASIAJEXAMPLEXEG2JICE",
    },
}
RECEIPT = {
    "schema": 2,
    "id": "r-20260315T000507Z-0a1b2c3d",
    "state": "issued",
    "recorded_at": "2026-03-15T00:05:07Z",
    "recipient": "unityuser",
    "project": "sbg",
    "venue": "dev",
    "account_id": "123456789012",
    "region": "us-west-2",
    "role_arn": "arn:aws:iam::123456789012:role/unity-sbg-dev-sts",
    "session_name": "unityuser12252025",
    "method": "assume_role",
    "requested_at": "2026-03-15T00:05:07Z",
    "issue_until": "2026-03-15T00:11:07Z",
    "duration_requested": 3600,
    "duration_seconds": 3600,
    "issuer_arn": "arn:aws:sts::123456789012:assumed-role/mcp-tenantOperator/admin",
    "external_id_source": "parameter",
    "source_identity": None,
    "allows": None,
    "context": {},
    "access_key_id": "ASIAJEXAMPLEXEG2JICE",
    "assumed_role_id": "AROA3XFRBF535EXAMPLE:unityuser12252025",
    "issued_at": "2026-03-15T00:05:07Z",
    "expires_at": "2026-03-15T01:05:07Z",
    "handoff": None,
    "problem": None,
}
