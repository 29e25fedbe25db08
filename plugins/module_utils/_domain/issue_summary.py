# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an admin reads after an issue: a card for one token, a table for several. Contains no secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .access_words import describe_access
from .times import parse_time

WIDTH = 12
HEADINGS = ("PROJECT / VENUE", "USER", "ENDS (UTC)", "WHERE IT IS")


def summary(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines for results of ``venue_sts_token`` or ``venue_sts_handoff``."""
    return card(results[0]) if len(results) == 1 else table(results)


def card(result: Mapping[str, Any]) -> list[str]:
    """Return the lines for one token."""
    receipt = result.get("receipt") or {}
    handoff = receipt.get("handoff") or {}
    lines = [
        *(_about(receipt) if receipt else ()),
        ("Sealed to", "; signed by ".join(_keys_and_signer(result, handoff))),
        ("SHA-256", handoff.get("sealed_sha256") or ""),
        (_outcome(result, handoff), _place(result, handoff)),
        ("To open", result.get("how_to_open") or ""),
    ]
    card = [f"{f'{name}:':<{WIDTH}} {value}" for name, value in lines if value]
    return [*card, *_verification(result.get("how_to_verify") or ())]


def _verification(lines: Sequence[str]) -> list[str]:
    """The lines that the admin sends along, so that the recipient can check the signature before opening the file."""
    return [f"{'' if number else 'To verify:':<{WIDTH}} {line}" for number, line in enumerate(lines)]


def _about(receipt: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            "Recipient",
            f"{receipt['recipient']}, venue {_venue(receipt)} (account {receipt['account_id']}, {receipt['region']})",
        ),
        ("Allows", f"{describe_access(receipt.get('allows') or {})}; until {_end(receipt)}"),
    ]


def table(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a heading and one line for each token."""
    rows = [HEADINGS, *(_row(one) for one in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(result: Mapping[str, Any]) -> tuple[str, ...]:
    receipt = result["receipt"]
    ends = _minute(receipt["expires_at"]) if receipt.get("expires_at") else "-"
    venue = f"{receipt['project']} / {receipt['venue']}"
    return venue, receipt["recipient"], ends, _place(result, receipt.get("handoff") or {})


def _venue(receipt: Mapping[str, Any]) -> str:
    return f"{receipt['project']}-{receipt['venue']}"


def _end(receipt: Mapping[str, Any]) -> str:
    minutes = round(receipt["duration_seconds"] / 60)
    if not receipt.get("expires_at"):
        return f"{minutes} minutes after the issue"
    return f"{_minute(receipt['expires_at'])} UTC ({minutes} minutes)"


def _minute(text: str) -> str:
    return f"{parse_time('expires_at', text):%Y-%m-%d %H:%M}"


def _keys_and_signer(result: Mapping[str, Any], handoff: Mapping[str, Any]) -> Sequence[str]:
    keys = ", ".join(_keys(result, handoff))
    return (keys, handoff["signed_by"]) if handoff.get("signed_by") else (keys,)


def _keys(result: Mapping[str, Any], handoff: Mapping[str, Any]) -> Sequence[str]:
    planned = [one["fingerprint"] for one in result.get("recipient_keys") or ()]
    return handoff.get("sealed_to") or planned


def _outcome(result: Mapping[str, Any], handoff: Mapping[str, Any]) -> str:
    if result.get("delivered"):
        return "Delivered"
    return "Kept in" if handoff and not _only_checked(result) else "Status"


def _only_checked(result: Mapping[str, Any]) -> bool:
    """Whether nothing was delivered because of check mode. The receipt of a sealed file has an earlier delivery."""
    return result.get("delivered") is False and not {"kept", "sealed"} & set(result)


def _place(result: Mapping[str, Any], handoff: Mapping[str, Any]) -> str:
    sealed = "" if handoff.get("sealed_to") or not handoff else " (not sealed)"
    if result.get("delivered"):
        return f"{result['target']} ({result['channel']}){sealed}"
    receipt = result.get("receipt") or {}
    if _only_checked(result) or not (handoff or receipt.get("access_key_id")):
        return "checked only (check mode)"
    return f"{handoff.get('target') or '-'}{sealed}" if handoff else "issued"
