# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report over many venues: facts for machines, a table for the terminal, and what a page draws. Secrets are in none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from .role_facts import NOT_DESCRIBING
from .times import iso, parse_time

SOON = timedelta(minutes=15)  # a token with less left is about to expire
LONGEST_TIMELINE = timedelta(hours=24)
CONNECTION = ("profile", "region")
PREFIX = "provision_"
STATES = ("broken", "drifted", "absent", "ok")
COLUMNS = (("VENUE", 28), ("ACCOUNT", 12), ("STATUS", 8), ("EXTERNAL ID", 12), ("TOKENS", 6), ("NEXT END", 20))


def accounts(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The venues of an inventory, grouped by the credentials and region that they are read with.

    :param hosts: the variables of each host: ``project``, ``venue``, and what the role provision takes.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for host in hosts:
        given = {name.removeprefix(PREFIX): host[name] for name in host if name.startswith(PREFIX)}
        where = {key: given.pop(key) for key in CONNECTION if key in given}
        described = {name: value for name, value in given.items() if name not in NOT_DESCRIBING and name != "result"}
        account = found.setdefault(tuple(str(where.get(key, "")) for key in CONNECTION), {**where, "venues": []})
        account["venues"].append({"project": host["project"], "venue": host["venue"], **described})
    return list(found.values())


def facts(infos: Iterable[Mapping[str, Any]], sessions: Iterable[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """All that is known, ready for JSON.

    :param infos: results of ``venue_sts_role_info``.
    :param sessions: results of ``venue_sts_session_info``.
    """
    tokens: dict[Any, list[dict[str, Any]]] = {}
    for result in sessions:
        for one in result["sessions"]:
            tokens.setdefault((one["project"], one["venue"], one["role_name"]), []).append(
                {**one, "state": _state(one, now)}
            )
    venues = []
    for result in infos:
        for venue in result["venues"]:
            held = tokens.get((venue["project"], venue["venue"], venue["role_name"]), [])
            alive = [one for one in held if one["state"] in ("live", "ending")]
            ends = min((one["expires_at"] for one in alive), default=None)
            name = f"{venue['project']} / {venue['venue']}" if venue["project"] else venue["role_name"]
            venues.append({"name": name, **venue, "sessions": held, "live_tokens": len(alive), "next_end": ends})
    venues.sort(key=lambda one: (STATES.index(one["status"]), one["name"]))
    totals = {state: sum(one["status"] == state for one in venues) for state in STATES}
    counted = {"venues": len(venues), **totals, "live_tokens": sum(one["live_tokens"] for one in venues)}
    counted["ending_tokens"] = sum(one["state"] == "ending" for venue in venues for one in venue["sessions"])
    return {"schema": 1, "generated_at": iso(now), "totals": counted, "venues": venues}


def _state(session: Mapping[str, Any], now: datetime) -> str:
    """As told, with what has ended meanwhile, and with what is about to."""
    left = parse_time("expires_at", session["expires_at"]) - now
    if left <= timedelta(0):
        return "expired"
    return "ending" if session["state"] == "live" and left <= SOON else str(session["state"])


def table(report: Mapping[str, Any]) -> list[str]:
    """The report as lines for a terminal, what needs care first."""
    lines = [" ".join(title.ljust(width) for title, width in COLUMNS) + " REMARKS"]
    for venue in report["venues"]:
        state = venue["external_id"]["state"] if venue["external_id"] else "-"
        cells = (
            venue["name"],
            venue["account_id"] or "-",
            venue["status"],
            state,
            str(venue["live_tokens"]),
            venue["next_end"] or "-",
        )
        padded = " ".join(str(cell).ljust(width) for cell, (_title, width) in zip(cells, COLUMNS, strict=True))
        lines.append(f"{padded} {'; '.join(remarks(venue))}".rstrip())
    return lines


def remarks(venue: Mapping[str, Any]) -> list[str]:
    """What there is to say of a venue beside its status, in words."""
    told = [venue["problem"]] if venue["problem"] else []
    external = venue["external_id"] or {}
    if external.get("state") not in ("equal", None) and venue["role"]:
        told.append(f"external ID: {external['state'].replace('_', ' ').replace('ssm', 'SSM')}")
    if external.get("shared_with"):
        told.append(f"shares its external ID with {', '.join(external['shared_with'])}")
    if external.get("previous_accepted"):
        told.append("a rotation of the external ID is under way")
    if venue["dead_principals"]:
        told.append(f"trusts deleted principals: {', '.join(venue['dead_principals'])}")
    told += venue["drift"]
    return told + [f"revoked: {one['summary']}" for one in venue["revocations"]]


def drawn(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report with remarks and, for each token, where its bar lies on a timeline that all venues share, in percent."""
    now = parse_time("generated_at", report["generated_at"])
    spans = [
        (parse_time("issued_at", one["issued_at"]), parse_time("expires_at", one["expires_at"]))
        for venue in report["venues"]
        for one in venue["sessions"]
    ]
    start = max(min((begin for begin, _end in spans), default=now), now - LONGEST_TIMELINE / 2)
    end = min(max((end for _begin, end in spans), default=now), now + LONGEST_TIMELINE / 2)
    end = max(end, start + timedelta(hours=1))

    def place(moment: datetime) -> float:
        return round(100 * (min(max(moment, start), end) - start) / (end - start), 2)

    def span_of(session: Mapping[str, Any]) -> dict[str, Any]:
        left, right = (place(parse_time(key, session[key])) for key in ("issued_at", "expires_at"))
        return {**session, "x": left, "width": max(round(right - left, 2), 0.4)}

    venues = [
        {**venue, "number": number, "remarks": remarks(venue), "sessions": [span_of(one) for one in venue["sessions"]]}
        for number, venue in enumerate(report["venues"], 1)
    ]
    return {**report, "venues": venues, "ticks": _ticks(start, end, place), "now_x": place(now)}


def _ticks(start: datetime, end: datetime, place: Any) -> Sequence[dict[str, Any]]:
    hours = (end - start) / timedelta(hours=1)
    every = timedelta(hours=next((one for one in (1, 2, 3, 6) if hours / one <= 8), 6))
    first = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    marks = [first + every * number for number in range(int((end - first) / every) + 1)] if end >= first else []
    return [{"x": place(mark), "label": mark.strftime("%H:%M")} for mark in marks]
