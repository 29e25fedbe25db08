# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report over many venues: facts for machines, a table for the terminal, and what a page draws. Without secrets."""

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
BROKER = ("broker_account", "broker_cloud_access_role", "broker_iam_role_name")
ALIVE = ("live", "ending", "unknown")  # "unknown": the answer of STS was not recorded, so the token may live
NO_CREDENTIALS = "There were no credentials: see the messages above."
STATES = ("broken", "drifted", "absent", "ok")
COLUMNS = (("VENUE", 28), ("ACCOUNT", 12), ("STATUS", 8), ("EXTERNAL ID", 12), ("TOKENS", 6), ("NEXT END", 20))


def accounts(hosts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The venues of an inventory, grouped by the credentials and region that they are read with.

    :param hosts: the variables of each host: ``project``, ``venue``, and what the role provision takes.
    :returns: one entry for each group; ``host`` is its first host, whose variables give the credentials.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for host in hosts:
        given = {name.removeprefix(PREFIX): host[name] for name in host if name.startswith(PREFIX)}
        where = {key: given.pop(key) for key in CONNECTION if key in given}
        described = {name: value for name, value in given.items() if name not in NOT_DESCRIBING and name != "result"}
        group = (*(str(where.get(key, "")) for key in CONNECTION), *(str(host.get(key, "")) for key in BROKER))
        first = {"host": host["inventory_hostname"]} if "inventory_hostname" in host else {}
        account = found.setdefault(group, {**where, **first, "venues": []})
        account["venues"].append({"project": host["project"], "venue": host["venue"], **described})
    return list(found.values())


def facts(
    infos: Iterable[Mapping[str, Any]],
    sessions: Iterable[Mapping[str, Any]],
    now: datetime,
    asked: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """All that is known, ready for JSON.

    :param infos: results of ``venue_sts_role_info``, failed ones included.
    :param sessions: results of ``venue_sts_session_info``, failed ones included.
    :param asked: the groups of ``accounts``. One without a result had no credentials.
    """
    infos, sessions = list(infos), list(sessions)
    read = [(one.get("item") or {}).get("host") for one in infos]
    infos += [{"item": one, "msg": NO_CREDENTIALS} for one in asked if one.get("host") not in read]
    tokens = _by_venue(sessions, now)
    venues = [_venue(one, tokens) for result in infos if "venues" in result for one in result["venues"]]
    venues.sort(key=lambda one: (STATES.index(one["status"]), one["name"]))
    totals = {state: sum(one["status"] == state for one in venues) for state in STATES}
    counted = {"venues": len(venues), **totals, "live_tokens": sum(one["live_tokens"] for one in venues)}
    counted["ending_tokens"] = sum(one["state"] == "ending" for venue in venues for one in venue["sessions"])
    unread = [_unread(one, "roles and tokens") for one in infos if "venues" not in one]
    unread += [_unread(one, "tokens") for one in sessions if "sessions" not in one]
    known = {one["account"] for one in unread if one["unknown"] == "roles and tokens"}
    return {
        "schema": 1,
        "generated_at": iso(now),
        "totals": counted,
        "venues": venues,
        "unreadable_receipts": max((result.get("unreadable", 0) for result in sessions), default=0),
        "not_read": [one for one in unread if one["unknown"] != "tokens" or one["account"] not in known],
    }


def _by_venue(sessions: Iterable[Mapping[str, Any]], now: datetime) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """The tokens of each venue, under the venue's names where they are known, else under the role's name."""
    tokens: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for result in sessions:
        for one in result.get("sessions", ()):
            owner = (one["project"], one["venue"]) if one["project"] else (None, one["role_name"])
            tokens.setdefault((result.get("account_id"), *owner), []).append({**one, "state": _state(one, now)})
    return tokens


def _venue(venue: Mapping[str, Any], tokens: Mapping[tuple[Any, ...], list[dict[str, Any]]]) -> dict[str, Any]:
    named = bool(venue["project"])
    owner = (venue["project"], venue["venue"]) if named else (None, venue["role_name"])
    held = tokens.get((venue["account_id"], *owner), [])
    alive = [one for one in held if one["state"] in ALIVE]
    ends = min((one["expires_at"] for one in alive), default=None)
    name = f"{venue['project']} / {venue['venue']}" if named else venue["role_name"]
    return {"name": name, **venue, "sessions": held, "live_tokens": len(alive), "next_end": ends}


def _unread(result: Mapping[str, Any], unknown: str) -> dict[str, Any]:
    """What a failed result leaves unknown, and of which venues."""
    account = result.get("item") or {}
    where = ", ".join(str(account[key]) for key in ("host", *CONNECTION) if account.get(key)) or "the environment"
    venues = [f"{one['project']} / {one['venue']}" for one in account.get("venues", ())]
    return {"account": where, "venues": venues, "unknown": unknown, "problem": str(result.get("msg", "no result"))}


def _state(session: Mapping[str, Any], now: datetime) -> str:
    """The session's state, with what has ended meanwhile, and with what is about to."""
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
    if report["unreadable_receipts"]:
        lines.append(f"{report['unreadable_receipts']} lines of the receipts file are no receipts and were skipped.")
    return lines + [not_read(one) for one in report["not_read"]]


def not_read(one: Mapping[str, Any]) -> str:
    """What could not be read, in words."""
    venues = f" ({', '.join(one['venues'])})" if one["venues"] else ""
    return f"NOT READ: {one['unknown']} with the credentials of {one['account']}{venues}. {one['problem']}"


def remarks(venue: Mapping[str, Any]) -> list[str]:
    """What there is to say about a venue beside its status, in words."""
    said = [venue["problem"]] if venue["problem"] else []
    external = venue["external_id"] or {}
    if external.get("state") not in ("equal", None) and venue["role"]:
        said.append(f"external ID: {external['state'].replace('_', ' ').replace('ssm', 'SSM')}")
    if external.get("shared_with"):
        said.append(f"shares its external ID with {', '.join(external['shared_with'])}")
    if external.get("previous_accepted"):
        said.append("a rotation of the external ID is under way")
    if venue["dead_principals"]:
        said.append(f"trusts deleted principals: {', '.join(venue['dead_principals'])}")
    unknown = [one["session_name"] for one in venue["sessions"] if one["state"] == "unknown"]
    if unknown:
        said.append(f"may have been issued, the answer was not recorded: {', '.join(unknown)}")
    said += venue["drift"]
    return said + [f"revoked: {one['summary']}" for one in venue["revocations"]]


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
    notes = [not_read(one) for one in report["not_read"]]
    return {**report, "venues": venues, "notes": notes, "ticks": _ticks(start, end, place), "now_x": place(now)}


def _ticks(start: datetime, end: datetime, place: Any) -> Sequence[dict[str, Any]]:
    hours = (end - start) / timedelta(hours=1)
    every = timedelta(hours=next((one for one in (1, 2, 3, 6) if hours / one <= 8), 6))
    first = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    marks = [first + every * number for number in range(int((end - first) / every) + 1)] if end >= first else []
    return [{"x": place(mark), "label": mark.strftime("%H:%M")} for mark in marks]
