# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report over many venues: facts for machines, a table for the terminal, and what a page draws. No secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .receipts import CLOCK_TOLERANCE
from .role_facts import NOT_DESCRIBING
from .times import iso, parse_time

SOON = timedelta(minutes=15)  # a token with less left is about to expire
LONGEST_TIMELINE = timedelta(hours=24)
NAMES = ("project", "venue")
CONNECTION = ("profile", "region")
NO_ACCOUNT = "not known"  # of a venue with an account in Kion
GROUPED = (*CONNECTION, "account", "receipts_file")
PREFIXES = ("venue_sts_", "provision_")  # of variables for every role, and of those of the role provision
# Where the playbook issue stores the receipts of a venue, by the option that reads them there.
FILE = "receipts_file"
STORES = {
    FILE: "handoff_receipts_file",
    "receipts_s3": "handoff_receipts_s3",
    "receipts_ssm_path": "handoff_receipts_ssm_path",
}
ALIVE = ("live", "ending", "unknown")  # "unknown": the response of STS was not recorded, so the token may live
OMITTED = "__omit_place_holder__"
STATES = ("broken", "drifted", "absent", "ok")
LEASE_COLUMNS = (("LEASES OF VENUE", 28), ("USER", 20), ("LEASE UNTIL", 20), ("LAST RENEWAL", 20), ("NEXT RENEWAL", 20))
COLUMNS = (("VENUE", 28), ("ACCOUNT", 12), ("STATUS", 8), ("EXTERNAL ID", 12), ("TOKENS", 6), ("NEXT END", 20))


@dataclass(frozen=True)
class NotKnown:
    """What there is in place of the value of a variable that cannot be evaluated."""

    reason: str


def variables_read(names: Iterable[str]) -> list[str]:
    """Which of a host's variables ``accounts`` reads. Others, such as external IDs, need not be evaluated."""
    fixed = (*NAMES, "inventory_hostname", "broker_account", "broker_result", *STORES.values())
    return [name for name in names if name in fixed or _option(name)]


def _option(name: str) -> str:
    """The option of the role provision that a variable sets; '' if it is not one that describes a role."""
    option = next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), "")
    return "" if option in NOT_DESCRIBING or option == "result" else option


def accounts(hosts: Iterable[Mapping[str, Any]], given_stores: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the venues of an inventory, grouped by the credentials and region that they are read with.

    A group whose credentials come from Kion names its ``account``, and either the host that has the credentials
    (``key_host``) or why there are none (``problem``). A host of which a variable is missing or cannot be evaluated is
    a group of its own, with the reason. One whose stores of receipts are not known is in ``unknown_stores``.

    :param hosts: the variables of each host: ``project``, ``venue``, what the role provision takes, and what the role
        broker leaves behind. A variable of the role takes precedence over one for every role.
    :param given_stores: the options of ``STORES`` that do not come from the hosts.
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    stores = {option: name for option, name in STORES.items() if option not in given_stores}
    for host in hosts:
        if reason := _why_not_known(host):
            found["", _name(host)] = _host_not_known(host, reason)
            continue
        by_prefix = [(name, _option(name)) for prefix in PREFIXES for name in host if name.startswith(prefix)]
        described = {option: host[name] for name, option in by_prefix if option}
        where = {key: described.pop(key) for key in CONNECTION if key in described}
        result = host.get("broker_result", {})
        kion_account = _kion_account(host, result)
        if kion_account is not None:
            where["account"] = kion_account
        # Venues of one account may be read with the credentials of different roles or servers: those of each request.
        # Only one file is read at a time.
        places = {option: _places(host, name) for option, name in stores.items()}
        for file in places.pop(FILE, ()):
            where[FILE] = file
        group = (*(str(where.get(key, "")) for key in GROUPED), str(result.get("request", "")))
        account = found.setdefault(group, {**where, "venues": []})
        _add_stores(account, places, _problems(host, stores.values()))
        account["venues"].append({"project": host["project"], "venue": host["venue"], **described})
        if "account" in where:
            _add_keys(account, host["inventory_hostname"] if "sts_creds" in result else "", result)
    return list(found.values())


def _name(host: Mapping[str, Any]) -> str:
    return f"host {host.get('inventory_hostname', 'without a name')}"


def _why_not_known(host: Mapping[str, Any]) -> str:
    """Why a host cannot be reported on; '' if it can."""
    missing = [f"it has no variable {name}" for name in NAMES if name not in host]
    stores = STORES.values()
    wrong = [f"{name}: {one.reason}" for name, one in host.items() if isinstance(one, NotKnown) and name not in stores]
    return "; ".join([*missing, *wrong])


def _host_not_known(host: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The group of a host that cannot be reported on. What is known of its names is shown."""
    known = {name: None if isinstance(host.get(name), NotKnown) else host.get(name) for name in NAMES}
    name = {} if all(known.values()) else {"name": _name(host)}
    problem = f"{_name(host)}: {reason}"
    return {"account": NO_ACCOUNT, "problem": problem, "venues": [{**known, **name}]}


def _places(host: Mapping[str, Any], name: str) -> list[str]:
    """Where receipts of a host's venue are. Ansible's placeholder for an omitted option is no place."""
    return [str(one) for one in _listed(host, name) if isinstance(one, str) and not one.startswith(OMITTED)]


def _problems(host: Mapping[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """Why it is not known where receipts of a host's venue are."""
    wrong = (NotKnown, Mapping, list, tuple, int, float)
    found = [(name, one) for name in names for one in _listed(host, name) if isinstance(one, wrong)]
    venue = {key: host[key] for key in NAMES}
    return [
        {**venue, "problem": f"{_name(host)}: {name}: {one.reason if isinstance(one, NotKnown) else _must_be(name)}"}
        for name, one in dict(found).items()
    ]


def _must_be(name: str) -> str:
    return "must be a text." if name == STORES[FILE] else "must be a text or a list of texts."


def _listed(host: Mapping[str, Any], name: str) -> Sequence[Any]:
    """The value of a variable as a list. There is only one receipts file."""
    given = host.get(name)
    return given if isinstance(given, (list, tuple)) and name != STORES[FILE] else [given]


def _add_stores(account: dict[str, Any], places: Mapping[str, list[str]], problems: list[dict[str, Any]]) -> None:
    """Note where receipts of an account are, and why that is not known."""
    for option, found in places.items():
        if found:
            account[option] = list(dict.fromkeys([*account.get(option, ()), *found]))
    if problems:
        account["unknown_stores"] = [*account.get("unknown_stores", ()), *problems]


def _kion_account(host: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Return the account in Kion of a venue, or None if it has none, which is not the same as a blank one.

    The receipt of its credentials comes first: the account may have been set for the play that got them only.
    """
    receipt = result.get("receipt", {})
    if "account" in receipt:
        return str(receipt["account"])
    if "broker_account" in host:
        return str("" if host["broker_account"] is None else host["broker_account"]).strip() or NO_ACCOUNT
    return NO_ACCOUNT if result.get("msg") else None


def _add_keys(account: dict[str, Any], host: str, result: Mapping[str, Any]) -> None:
    """Note which host has credentials for an account, or why the one that asked Kion has none."""
    if "key_host" in account:
        return
    if host:
        account["key_host"] = host
        account.pop("problem", None)
    elif result.get("msg") or "problem" not in account:
        account["problem"] = str(result.get("msg") or "There are no credentials from Kion for this account.")


def facts(
    infos: Iterable[Mapping[str, Any]],
    sessions: Iterable[Mapping[str, Any]],
    now: datetime,
    accounts: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return all that is known, ready for JSON. Venues that could not be read are in it, with the reason.

    :param infos: results of ``venue_sts_role_info``, failures included.
    :param sessions: results of ``venue_sts_session_info``, failures included.
    :param accounts: what was to be read, as ``accounts`` gives it.
    """
    accounts, infos, sessions = list(accounts), list(infos), list(sessions)
    tokens = _by_venue(sessions, now)
    unread = [one for one in accounts if "problem" in one] + [_unread(one) for one in infos if one.get("failed")]
    seen = [row for one in infos for row in _rows(one, sessions)]
    seen += [_not_read(venue, one) for one in accounts if "problem" in one for venue in one["venues"]]
    roles = {(one["account_id"], *_owner(one), one["role_name"]) for one in seen}
    venues = [_joined(one, tokens, roles) for one in seen]
    venues.sort(key=lambda one: (STATES.index(one["status"]), one["name"]))
    failed = [{"account": one.get("account"), "problem": one["problem"]} for one in unread]
    failed += [{"account": one["item"].get("account"), "problem": one["msg"]} for one in sessions if one.get("failed")]
    failed += [
        {"account": one.get("account"), "problem": it["problem"]}
        for one in accounts
        for it in one.get("unknown_stores", ())
    ]
    skipped = max((one.get("unreadable", 0) for one in sessions), default=0)
    return {
        "schema": 1,
        "generated_at": iso(now),
        "totals": _totals(venues),
        "unread": failed,
        "unreadable_receipts": skipped,
        "warnings": list(dict.fromkeys(str(text) for one in (*infos, *sessions) for text in one.get("warnings") or ())),
        "venues": venues,
    }


def _totals(venues: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many venues there are, by status, and how many valid tokens."""
    # A role that is read in several regions has a row for each, and its tokens are in all of them.
    held = {id(one): one["state"] for venue in venues for one in venue["sessions"]}.values()
    return {
        "venues": len(venues),
        **{state: sum(one["status"] == state for one in venues) for state in STATES},
        "live_tokens": sum(state in ALIVE for state in held),
        "ending_tokens": sum(state == "ending" for state in held),
        "unknown_tokens": sum(one["live_tokens"] is None for one in venues),
    }


def _by_venue(sessions: Iterable[Mapping[str, Any]], now: datetime) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """The tokens of each account's venues, whatever the role's name; by its name where no venue is known.

    An account that is read for several regions or roles has its tokens in each result, and receipts that contradict
    each other have several entries about a token in one: the one counts that may live. Each recipient counts: a forged
    receipt must not hide another one's token. So does each request of one result.
    """
    found: dict[tuple[Any, ...], dict[tuple[Any, ...], dict[str, Any]]] = {}
    for result in sessions:
        times: Counter[tuple[Any, ...]] = Counter()
        for one in result.get("sessions", []):
            owner, token = (result["account_id"], *_owner(one)), _token(one)
            times[owner, token] += 0 if one["access_key_id"] else 1
            held = found.setdefault(owner, {})
            shown = {**one, "state": _state(one, now)}
            name = (token, times[owner, token])
            held[name] = max(held.get(name, shown), shown, key=_weight)
    return {owner: _with_recipients(list(held.values())) for owner, held in found.items()}


def _with_recipients(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tokens. One without a recipient is the same as those of its role, session and key that have one."""
    named = {_token(one)[1:] for one in held if one["recipient"]}
    nobody = {
        name: one
        for one in held
        if one["access_key_id"] and not one["recipient"] and (name := _token(one)[1:]) in named
    }
    return [_merged(one, nobody.get(_token(one)[1:], one)) for one in held if nobody.get(_token(one)[1:]) is not one]


def _merged(one: dict[str, Any], nobody: dict[str, Any]) -> dict[str, Any]:
    known: Mapping[str, Any] = max((one, nobody), key=_weight)
    sources = sorted({*one["sources"], *nobody["sources"]})
    return {**known, "recipient": one["recipient"], "sources": sources}


def _weight(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which of the entries about one token counts: one that may live, of these the best known, then the last to end."""
    state = one["state"]
    return state in ALIVE, state != "unknown", len(one["sources"]), one["expires_at"]


def _token(one: Mapping[str, Any]) -> tuple[Any, ...]:
    """What names a token. The time is that of CloudTrail or of the receipt, so it counts only if no key is known."""
    issued_at = None if one["access_key_id"] else one["issued_at"]
    return one["recipient"], one["role_arn"], one["session_name"], one["access_key_id"], issued_at


def _owner(one: Mapping[str, Any]) -> tuple[str | None, str]:
    return (one["project"], one["venue"]) if one["project"] else (None, one["role_name"])


def _joined(
    venue: Mapping[str, Any], tokens: Mapping[tuple[Any, ...], list[dict[str, Any]]], roles: Collection[tuple[Any, ...]]
) -> dict[str, Any]:
    """A venue with the tokens of its role, and of roles of the venue that have no row of their own.

    Their number is None if there may be others than those that are known.

    :param roles: account, venue and role of each row.
    """
    owner = (venue["account_id"], *_owner(venue))
    held = [
        one
        for one in tokens.get(owner, [])
        if one["role_name"] == venue["role_name"] or (*owner, one["role_name"]) not in roles
    ]
    alive = [one for one in held if one["state"] in ALIVE]
    ends = min((one["expires_at"] for one in alive), default=None)
    name = f"{venue['project']} / {venue['venue']}" if venue["project"] else venue["role_name"]
    return {
        "name": name,
        "live_tokens": len(alive),
        **venue,
        "sessions": held,
        "leases": venue.get("leases", []),
        "lease_problems": venue.get("lease_problems", []),
        "next_end": ends,
    }


def _unread(result: Mapping[str, Any]) -> dict[str, Any]:
    """The account that a failed result is about."""
    return {**result["item"], "problem": result["msg"]}


def _rows(info: Mapping[str, Any], sessions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The venues of a result of ``venue_sts_role_info``, each with the reason if it is not known who holds its tokens.

    The sessions were read with the same credentials: another account may have a venue of the same name.
    """
    account = info.get("item")
    failures = [one["msg"] for one in sessions if one.get("failed") and one["item"] == account]
    failed = _unread(info) if info.get("failed") else None
    found = [_not_read(venue, failed) for venue in failed["venues"]] if failed else info["venues"]
    return [_with_unknown(one, [*failures, *_unknown_stores(account or {}, one)]) for one in found]


def _unknown_stores(account: Mapping[str, Any], venue: Mapping[str, Any]) -> list[str]:
    """Why the stores of the receipts of a venue are not known."""
    return [one["problem"] for one in account.get("unknown_stores", ()) if _owner(one) == _owner(venue)]


def _with_unknown(venue: Mapping[str, Any], reasons: Sequence[str]) -> dict[str, Any]:
    """A venue of which it is not known who holds tokens, if there are reasons."""
    if not reasons:
        return dict(venue)
    words = [venue["problem"], *(f"Who holds tokens is not known: {why}" for why in reasons)]
    return {**venue, "problem": " ".join(filter(None, words)), "live_tokens": None}


def _not_read(venue: Mapping[str, Any], account: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to say about a venue whose account could not be read."""
    nothing = dict.fromkeys(("role", "external_id", "last_used_at"))
    lists: dict[str, list[str]] = {
        name: [] for name in ("dead_principals", "revocations", "drift", "leases", "lease_problems")
    }
    where = {"account_id": account.get("account"), "region": account.get("region"), "role_name": ""}
    problem = f"The account could not be read: {account['problem']}"
    names = {key: venue[key] for key in (*NAMES, "name") if key in venue}
    return {**names, **where, **nothing, **lists, "status": "broken", "problem": problem, "live_tokens": None}


def _state(session: Mapping[str, Any], now: datetime) -> str:
    """The recorded state, corrected for tokens that have ended since or are about to end.

    :param now: the time of this machine's clock, which may be ahead of AWS's.
    """
    left = parse_time("expires_at", session["expires_at"]) - now
    ahead = CLOCK_TOLERANCE if session["state"] in ALIVE else timedelta(0)
    if left <= -ahead:
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
            "?" if venue["live_tokens"] is None else str(venue["live_tokens"]),
            venue["next_end"] or "-",
        )
        padded = " ".join(str(cell).ljust(width) for cell, (_title, width) in zip(cells, COLUMNS, strict=True))
        lines.append(f"{padded} {'; '.join(remarks(venue))}".rstrip())
    lines += _lease_lines(report["venues"])
    if report["unreadable_receipts"]:
        lines.append(
            f"{report['unreadable_receipts']} receipts could not be read or are not receipts. They were skipped."
        )
    return lines


def _lease_lines(venues: Iterable[Mapping[str, Any]]) -> list[str]:
    """A second table: who has leases, until when, and who approved them and why. Nothing if there are none."""
    lines = [" ".join(title.ljust(width) for title, width in LEASE_COLUMNS) + " APPROVED BY, REASON"]
    for venue in venues:
        for one in venue["leases"]:
            times = (one["ends_at"], one["last_renewal"] or "-", one["next_renewal"] or "-")
            cells = zip((venue["name"], one["user"], *times), LEASE_COLUMNS, strict=True)
            ticket = f" ({one['ticket']})" if one["ticket"] else ""
            padded = " ".join(cell.ljust(width) for cell, (_title, width) in cells)
            lines.append(f"{padded} {one['approver']}: {one['reason']}{ticket}")
    return lines if len(lines) > 1 else []


def remarks(venue: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the report must know about a venue in addition to its status."""
    said = [venue["problem"]] if venue["problem"] else []
    external = venue["external_id"] or {}
    if external.get("state") not in ("equal", None) and venue["role"]:
        said.append(f"external ID: {external['state'].replace('_', ' ').replace('ssm', 'SSM')}")
    if external.get("shared_with"):
        said.append(f"shares its external ID with {', '.join(external['shared_with'])}")
    if external.get("previous_accepted"):
        said.append("a rotation of the external ID is under way")
    said += [f"leases: {one}" for one in venue["lease_problems"]]
    said += [
        f"lease of {one['user']} until {one['ends_at']}: {one['problem']}"
        for one in venue["leases"]
        if one["problem"] and one["state"] == "active"
    ]
    if venue["dead_principals"]:
        said.append(f"trusts deleted principals: {', '.join(venue['dead_principals'])}")
    unknown = [one["session_name"] for one in venue["sessions"] if one["state"] == "unknown"]
    if unknown:
        said.append(f"may have been issued, no receipt says for certain: {', '.join(unknown)}")
    said += venue["drift"]
    return said + [f"revoked: {one['summary']}" for one in venue["revocations"]]


def with_timeline(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report with remarks and with the place of each token's bar on a timeline of all venues, in percent."""
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
