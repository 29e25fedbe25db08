# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of made-up venues and the page that shows them, without AWS."""

from __future__ import annotations

import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.mdps.venue_sts.plugins.module_utils._domain import report
from ansible_collections.mdps.venue_sts.plugins.plugin_utils._report_page import report_page

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = '<script>document.title = "taken over"</script>'
EXTERNAL_IDS = {"broken": "missing_in_ssm", "absent": "missing"}
STATES = ("ok", "drifted", "broken", "absent")


def at(minutes: float) -> str:
    return (NOW + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def venue(number: int, status: str, **changes: Any) -> dict[str, Any]:
    drifted = ["max_session_duration is 7200 and should be 3600", "allows s3:DeleteObject, which it should not"]
    drift = drifted if status == "drifted" else []
    facts = {
        "project": f"p{number // 10}",
        "venue": f"v{number}",
        "role_name": f"unity-p{number // 10}-v{number}-sts",
        "account_id": "123456789012",
        "region": "us-west-2",
        "status": status,
        "role": None if status == "absent" else {"name": "x"},
        "dead_principals": [],
        "external_id": {
            "state": EXTERNAL_IDS.get(status, "equal"),
            "shared_with": [],
            "previous_accepted": number % 50 == 7,
        },
        "last_used_at": None if number % 3 else at(-60 * number),
        "revocations": [],
        "drift": drift,
        "problem": None,
    }
    return {**facts, **changes}


def session(number: int, key: int, start: float, end: float, **changes: Any) -> dict[str, Any]:
    name = f"unity-p{number // 10}-v{number}-sts"
    owner = {"project": f"p{number // 10}", "venue": f"v{number}", "role_name": name}
    token = {
        "role_arn": f"arn:aws:iam::123456789012:role/{name}",
        "recipient": "jdoe",
        "session_name": f"jdoe-{key}",
        "access_key_id": f"ASIAEXAMPLE{number:04}{key}",
        "issuer_arn": "arn:aws:iam::123456789012:user/admin",
    }
    return {
        **owner,
        **token,
        "source_identity": None,
        "issued_at": at(start),
        "expires_at": at(end),
        "state": "live",
        "sources": ["receipt"],
        **changes,
    }


def facts(count: int) -> dict[str, Any]:
    """Venues of every status; every third has tokens of every state, and one recipient has a hostile name."""
    venues = [venue(number, STATES[number % 4]) for number in range(count)]
    held = [
        one
        for number in range(0, count, 3)
        for one in (
            session(
                number, 0, -30 - number % 20, 30 + number % 60, recipient=HOSTILE if number == 0 else f"user{number}"
            ),
            session(number, 1, -50, 10),
            session(number, 2, -40, 20, state="revoked"),
            session(number, 3, -180, -120),
        )
    ]
    return report.facts([{"venues": venues}], [{"account_id": "123456789012", "sessions": held}], NOW)


def page(document: dict[str, Any]) -> str:
    """The page of these facts."""
    return report_page(document, str(ROOT / "roles/report/templates"))
