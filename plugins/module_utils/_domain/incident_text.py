# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is known of a key that was found, as one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .words import first_of

WIDTH = 14
MOST = 4  # values of each kind on the screen; the page has all

STATES = {
    "live": "VALID until {expires_at}: whoever has the key can use it",
    "unknown": "MAY BE VALID until {expires_at}: the response of STS was not recorded",
    "revoked": "revoked; it would have ended at {expires_at}",
    "role_gone": "ended, because its role was deleted, or deleted and created again",
    "failed": "the receipt says that no token was issued",
    "expired": "ended at {expires_at}",
    "not looked up": "not known: the key is of another account",
}
_OVER = "The key is no longer valid. Find out how it was exposed, and what was done with it."
_LEASE = "The lease of the recipient is active and renews such credentials: -e act=true ends it as well."
_ENDED_LEASE = (
    "The lease of the recipient has ended, but an earlier run did not revoke all of its tokens: -e act=true does that."
)
_SUBJECT = (
    "Whoever has the web identity token of this session gets new credentials at once: also revoke the subject, with "
    "mdps.venue_sts.revoke, -e issuer=… and -e subject=…."
)
_ENDED = ("role_gone", "failed", "expired")
_NEXT = {
    "live": "To end it, repeat the command with -e act=true; to lock the venue as well, add -e lock=true.",
    "revoked": "The key is revoked. To verify it, repeat the command with -e act=true.",
    **dict.fromkeys(_ENDED, _OVER),
}


def lines(info: Mapping[str, Any]) -> list[str]:
    """The lines of the screen.

    :param info: the result of ``venue_sts_incident_info``.
    """
    rows = [("KEY", info["access_key_id"]), ("ACCOUNT", _account(info))]
    rows += _token(info) if info["session"] else [("TOKEN", info["signer_arn"] or "not known")]
    rows += _keys(info)
    rows += _use(info["use"])
    rows += [("PROBLEM", one) for one in info["problems"]]
    rows += [("UNKNOWN", one) for one in info["gaps"]]
    rows.append(("NEXT", info["next_step"]))
    return [line for title, text in rows for line in _wrapped(title, str(text))]


def next_step(info: Mapping[str, Any]) -> str:
    """What to do now, in one sentence."""
    session = info["session"]
    if info["in_account"] is False:
        return f"Run the command again with credentials for account {info['account_id']}."
    if info["ambiguous"]:
        return _end_all(info)
    if not session:
        return _of_signer(info["signer_arn"]) if info["signer_arn"] else _find(info["access_key_id"])
    said = _NEXT.get(session["state"], _NEXT["live"])
    if not info["venue"] and session["state"] not in _ENDED:
        return _of_no_venue(session["role_name"], info["role"])
    lease = info["lease"] or {}
    more = [_LEASE] if lease.get("state") in ("pending", "active") else []
    if lease.get("state") == "ended" and lease["id"] is None:
        more = [_ENDED_LEASE]
    may_return = session["state"] not in _ENDED and _may_log_in_again(session, info["role"])
    return " ".join([said, *more, *([_SUBJECT] if may_return else [])])


def _may_log_in_again(session: Mapping[str, Any], role: Mapping[str, Any] | None) -> bool:
    """Whether the role gives a new session to whoever has the web identity token of this one."""
    is_web = session["web_identity_subject"] or session["web_identity_issuer"]
    return bool(is_web and role and not role["locked"] and not role["subject_denied"])


def _of_no_venue(role_name: str, role: Mapping[str, Any] | None) -> str:
    if role and role["locked"] is None:
        return f"Run this again with credentials that may read the role {role_name} (iam:GetRole)."
    return f"The role {role_name} does not belong to a venue: revoke its sessions in the IAM console."


def _end_all(info: Mapping[str, Any]) -> str:
    """What to do where receipts name several tokens: no receipt says which of them must end."""
    if info["venue"]:
        lock = "To end them all, repeat the command with -e act=true -e lock=true, which locks the venue."
        venues = [info["venue"]]
    else:
        lock = "To end them all, lock each of their venues with mdps.venue_sts.lock."
        venues = info["candidates"]
    key = info["access_key_id"]
    named = dict.fromkeys(f"-e project={one['project']} -e venue={one['venue']}" for one in venues)
    each = [f"ansible-playbook mdps.venue_sts.revoke {one} -e access_key_id={key}" for one in named]
    return f"{lock} To end only those that the receipts name, use the same receipts with: {first_of(each)}."


def _of_signer(arn: str) -> str:
    return (
        f"The key belongs to {arn}, which is not a session of a role. End it in the IAM console: set the user's keys "
        "to Inactive, and deny the sessions that were made with them."
    )


def _find(key: str) -> str:
    if key.startswith("AKIA"):
        return (
            f"This is a long-term key of an IAM user: aws iam get-access-key-last-used --access-key-id {key} names the "
            "user. Set the key to Inactive in the IAM console."
        )
    return (
        "Specify more regions and more receipt stores, and run the command again. If the key may be of a venue, lock "
        "the venue meanwhile: ansible-playbook mdps.venue_sts.lock -e project=… -e venue=…"
    )


def _account(info: Mapping[str, Any]) -> str:
    if info["account_id"] is None:
        return f"AWS does not return it; these credentials are for {info['caller_account_id']}"
    mine = (
        "that of these credentials" if info["in_account"] else f"these credentials are for {info['caller_account_id']}"
    )
    return f"{info['account_id']}, {mine}"


def _token(info: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    session, origin, role, venue = (info[name] for name in ("session", "provenance", "role", "venue"))
    yield "STATE", STATES[session["state"]].format(**session)
    locked = {True: "LOCKED", False: "not locked", None: "not read"}[role["locked"]] if role else "does not exist"
    unknown = "not known" if role and role["locked"] is None else "of no venue"
    name = f"{venue['project']} / {venue['venue']}" if venue else unknown
    yield "VENUE", f"{name}, role {session['role_name']} ({locked})"
    yield "SESSION", session["session_name"]
    yield "RECIPIENT", origin["recipient"] or "not known"
    if session["web_identity_subject"] or session["web_identity_issuer"]:
        subject, issuer = (session[f"web_identity_{name}"] or "not known" for name in ("subject", "issuer"))
        yield "SUBJECT", f"{subject}, of the issuer {issuer}"
    yield "ISSUED", f"{origin['issued_at']} by {origin['issuer_arn'] or 'not known'}"
    people = [
        f"{title} {origin[title]}" for title in ("requester", "approver", "ticket", "job", "reason") if origin[title]
    ]
    if people:
        yield "REQUEST", ", ".join(people)
    if info["lease"]:
        lease = info["lease"]
        ends = f" until {lease['ends_at']}, approved by {lease['approver']}" if "ends_at" in lease else ""
        yield "LEASE", f"{lease['id'] or 'not known'}, {lease['state']}{ends}"
    yield (
        "KNOWN FROM",
        " and ".join({"cloudtrail": "CloudTrail", "receipt": "a receipt"}[one] for one in session["sources"]),
    )


def _keys(info: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for title, name in (("MADE FROM", "parent_keys"), ("DERIVED KEYS", "derived_keys"), ("OTHER KEYS", "other_keys")):
        if info[name]:
            yield title, ", ".join(info[name])


def _use(use: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not use["events"]:
        yield "USED", "no calls found"
        return
    yield "USED", f"{use['events']} calls, {use['first_at']} to {use['last_at']}, {use['denied']} of them denied"
    for title, name in (("from", "addresses"), ("regions", "regions"), ("calls", "actions"), ("errors", "errors")):
        if use[name]:
            yield f"  {title}", _counted(use[name])


def _counted(values: Sequence[Mapping[str, Any]]) -> str:
    return first_of([f"{one['value'][:60]} ({one['count']})" for one in values], MOST)


def _wrapped(title: str, text: str, columns: int = 110) -> Iterator[str]:
    line = title.ljust(WIDTH)
    for word in text.split():
        if len(line) + len(word) > columns and line.strip():
            yield line.rstrip()
            line = " " * WIDTH
        line += word + " "
    yield line.rstrip()
